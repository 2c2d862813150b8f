//! A cluster: nodes, the network between them, and the loop that moves the time on.

use std::convert::Infallible;
use std::sync::Arc;

use rumormill_core::{Now, Rejected, Transmit};

use crate::Micros;
use crate::cuts::Cuts;
use crate::machine::Machine;
use crate::network::{Counts, Links, Network, Traffic};
use crate::nodes::{Fate, Nodes};
use crate::seat::{Roster, Seat};

/// How often [`Cluster::converge`] and [`Cluster::fall_silent`] look at the nodes, in milliseconds.
const LOOK_EVERY_MS: u64 = 10;

/// A message that left a node for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// When it left.
    pub at_us: Micros,
    /// The node that sent it.
    pub from: usize,
    /// The node that it is for.
    pub to: usize,
    /// Its length, newline included.
    pub bytes: usize,
}

/// Nodes in virtual time, and the network between them. Nodes have numbers from 0 on, and names: `n0`, `n1`, …, unless
/// [`Cluster::vacant`] gets others.
///
/// Time passes only in [`Cluster::step`] and the methods that call it; all other methods take no time. Requests of
/// clients take no time, and replies go to the caller. The same seed and the same calls give the same run, bit for bit.
///
/// # Panics
/// A method that takes the number of a node panics if there is no such number. A method that needs a running node
/// panics if no node runs there. A message that is longer than its sender may write, or that its receiver refuses, is a
/// mistake of a node, and ends the test with a panic.
#[derive(Debug)]
pub struct Cluster<N> {
    roster: Roster,
    nodes: Nodes<N>,
    network: Network<Arc<[u8]>>,
    /// How many nodes have started in each seat.
    lives: Vec<u64>,
    seed: u64,
    now_us: Micros,
    last_sent_us: Micros,
    longest: usize,
    fingerprint: u64,
    log: Option<Vec<Sent>>,
    line: Vec<u8>,
}

impl<N: Machine> Cluster<N> {
    /// A cluster of `count` nodes. `make` makes a node for each seat.
    #[must_use]
    pub fn new(count: usize, links: Links, seed: u64, mut make: impl FnMut(Seat<'_>) -> N) -> Self {
        let mut cluster = Self::vacant((0..count).map(|at| format!("n{at}")), links, seed);
        (0..count).for_each(|at| cluster.start(at, &mut make));
        cluster
    }

    /// A cluster with these names, in which no node runs yet.
    #[must_use]
    pub fn vacant(ids: impl IntoIterator<Item = impl Into<String>>, links: Links, seed: u64) -> Self {
        let roster = Roster::new(ids.into_iter().map(Into::into).collect());
        let count = roster.ids().len();
        Self {
            roster,
            nodes: Nodes::new(count),
            network: Network::new(count, links, seed),
            lives: vec![0; count],
            seed,
            now_us: 0,
            last_sent_us: 0,
            longest: 0,
            fingerprint: 0,
            log: None,
            line: Vec::new(),
        }
    }

    // Nodes.

    /// Starts a node in a seat. A node that ran there is gone, with its memory and the lines that waited for it.
    pub fn start(&mut self, at: usize, make: impl FnOnce(Seat<'_>) -> N) {
        let made: Result<(), Infallible> = self.try_start(at, |seat| Ok(make(seat)));
        made.unwrap_or_else(|never| match never {});
    }

    /// As [`Cluster::start`], with a node that perhaps cannot be made.
    ///
    /// # Errors
    /// The error of `make`. A node that ran there goes on.
    pub fn try_start<E>(&mut self, at: usize, make: impl FnOnce(Seat<'_>) -> Result<N, E>) -> Result<(), E> {
        let node = make(Seat {
            at,
            id: &self.roster.ids()[at],
            life: self.lives[at] + 1,
            seed: self.seed ^ at as u64,
            now: self.nodes.clock(self.now_us, at),
            roster: &self.roster,
        })?;
        self.lives[at] += 1;
        self.nodes.start(at, node);
        self.drain(at);
        Ok(())
    }

    /// The node there dies, with its memory. Messages that arrive there are lost.
    pub fn crash(&mut self, at: usize) {
        self.nodes.crash(at);
    }

    /// The node there stands still: its timers do not run, and messages wait for it.
    pub fn pause(&mut self, at: usize) {
        self.nodes.pause(self.now_us, at);
    }

    /// The node there goes on, and handles all lines that waited for it.
    pub fn resume(&mut self, at: usize) {
        for line in self.nodes.resume(self.now_us, at).lines {
            self.hand_over(at, &line);
        }
        self.time_out(at);
    }

    /// Sets how far the wall clock of a node is ahead; `None` for a device without one.
    pub fn set_clock(&mut self, at: usize, ahead_us: Option<i64>) {
        self.nodes.set_clock(at, ahead_us);
    }

    /// How many nodes the cluster has, those that are gone included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether it has no nodes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The names, by number.
    #[must_use]
    pub fn ids(&self) -> &[String] {
        self.roster.ids()
    }

    /// The node there.
    #[must_use]
    pub fn node(&self, at: usize) -> &N {
        self.nodes.get(at).unwrap_or_else(|| panic!("nobody runs at {at}"))
    }

    /// All nodes that run or stand still, in the order of their numbers.
    pub fn nodes(&self) -> impl Iterator<Item = &N> {
        self.nodes.iter().map(|(_, node)| node)
    }

    /// Does something to a node, such as a local change, and sends the messages that the node has then.
    pub fn with<R>(&mut self, at: usize, change: impl FnOnce(&mut N, Now) -> R) -> R {
        let done = self.nodes.with(self.now_us, at, change).unwrap_or_else(|| panic!("nobody runs at {at}"));
        self.drain(at);
        done
    }

    /// Hands a line to a node: a request of a client, or a message that the test has made up. Returns the reply, if
    /// there is one, without its newline. If the node stands still, the line waits, and its reply is lost.
    ///
    /// # Errors
    /// Why the node refused the line.
    pub fn deliver(&mut self, at: usize, line: &[u8]) -> Result<Option<String>, Rejected> {
        match self.nodes.handle_line(self.now_us, at, line.trim_ascii_end()) {
            Fate::Refused(why) => Err(why),
            Fate::Taken => Ok(self.drain(at)),
            Fate::Waits | Fate::Lost => Ok(None),
        }
    }

    // The network.

    /// The properties of all links, to be changed from now on.
    pub fn links_mut(&mut self) -> &mut Links {
        self.network.links_mut()
    }

    /// The links that are cut, to be changed one by one.
    pub fn cuts_mut(&mut self) -> &mut Cuts {
        self.network.cuts_mut()
    }

    /// Cuts all links between these nodes and all others, until [`Cluster::heal`]. Links that were cut before stay cut.
    pub fn partition(&mut self, side: &[usize]) {
        self.cut_off(side, false);
    }

    /// Cuts the links from these nodes to all others, but not those to them. Links that were cut before stay cut.
    pub fn mute(&mut self, side: &[usize]) {
        self.cut_off(side, true);
    }

    fn cut_off(&mut self, side: &[usize], one_way: bool) {
        let others = |at: &usize| !side.contains(at);
        for from in side.iter().copied() {
            for to in (0..self.nodes.len()).filter(others) {
                self.network.cuts_mut().add(from, to);
                if !one_way {
                    self.network.cuts_mut().add(to, from);
                }
            }
        }
    }

    /// All links work again.
    pub fn heal(&mut self) {
        self.network.cuts_mut().clear();
    }

    // Time.

    /// Microseconds since the start.
    #[must_use]
    pub fn now_us(&self) -> Micros {
        self.now_us
    }

    /// Runs the next event, if it is not after `until_us`: a message arrives, or a timer runs. Returns the node to
    /// which it happened. Messages that arrive at a moment come before the timers of that moment.
    pub fn step(&mut self, until_us: Micros) -> Option<usize> {
        loop {
            let arrival = self.network.poll_timeout();
            let timer = self.nodes.poll_timeout();
            match (arrival, timer) {
                (Some(due), timer) if due <= until_us && timer.is_none_or(|(timer, _)| due <= timer) => {
                    self.now_us = self.now_us.max(due);
                    // The message that is due may be dropped, because its link is cut.
                    let Some(arrived) = self.network.poll(self.now_us) else { continue };
                    self.hand_over(arrived.to, &arrived.payload);
                    return Some(arrived.to);
                }
                (_, Some((due, at))) if due <= until_us => {
                    self.now_us = self.now_us.max(due);
                    self.time_out(at);
                    return Some(at);
                }
                (None | Some(_), None | Some(_)) => return None,
            }
        }
    }

    /// Runs until a moment, whether anything happens or not.
    pub fn run_until(&mut self, until_us: Micros) {
        while self.step(until_us).is_some() {}
        self.now_us = self.now_us.max(until_us);
    }

    /// Runs for `ms` milliseconds.
    pub fn run_for_ms(&mut self, ms: u64) {
        self.run_until(self.now_us + ms * 1_000);
    }

    /// Runs until all nodes hold the same state. Returns how many milliseconds that took, rounded up to 10.
    ///
    /// # Panics
    /// They do not hold the same state within that time.
    pub fn converge(&mut self, within_ms: u64) -> u64 {
        self.run_while(within_ms, "converged", |cluster| !cluster.is_converged())
    }

    /// Runs until no message is under way and no timer runs: then nothing happens any more without a client. Returns
    /// the milliseconds from now to the last message.
    ///
    /// # Panics
    /// They still send messages after that time.
    pub fn fall_silent(&mut self, within_ms: u64) -> u64 {
        let start_us = self.now_us;
        self.run_while(within_ms, "silent", |cluster| !cluster.is_silent());
        self.last_sent_us.saturating_sub(start_us) / 1_000
    }

    fn run_while(&mut self, within_ms: u64, what: &str, goes_on: impl Fn(&mut Self) -> bool) -> u64 {
        let start_us = self.now_us;
        while goes_on(self) {
            let passed_ms = (self.now_us - start_us) / 1_000;
            assert!(passed_ms < within_ms, "not {what} after {passed_ms} ms: {}", self.summary());
            self.run_for_ms(LOOK_EVERY_MS);
        }
        (self.now_us - start_us) / 1_000
    }

    // What was seen.

    /// Whether all nodes have the same digest.
    #[must_use]
    pub fn is_converged(&self) -> bool {
        let mut digests = self.nodes().map(Machine::digest);
        digests.next().is_none_or(|first| digests.all(|digest| digest == first))
    }

    /// Whether no message is under way, no timer runs, and no node stands still.
    #[must_use]
    pub fn is_silent(&mut self) -> bool {
        let stands_still = (0..self.len()).any(|at| self.nodes.is_paused(at));
        !stands_still && !self.is_under_way() && self.nodes.poll_timeout().is_none()
    }

    /// Whether messages are under way.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.next_arrival_us().is_some()
    }

    /// When the next message arrives.
    #[must_use]
    pub fn next_arrival_us(&self) -> Option<Micros> {
        self.network.poll_timeout()
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        self.network.counts()
    }

    /// The messages and bytes that each node has sent and was sent.
    #[must_use]
    pub fn traffic(&self) -> &[Traffic] {
        self.network.traffic()
    }

    /// When the last message left a node.
    #[must_use]
    pub fn last_sent_us(&self) -> Micros {
        self.last_sent_us
    }

    /// The length of the longest message since the last call, newline included.
    pub fn take_longest(&mut self) -> usize {
        std::mem::take(&mut self.longest)
    }

    /// A hash of all messages that left nodes, in their order. Equal runs have equal hashes.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Begins to keep a list of all messages.
    pub fn keep_log(&mut self) {
        self.log.get_or_insert_default();
    }

    /// The messages since [`Cluster::keep_log`].
    #[must_use]
    pub fn log(&self) -> &[Sent] {
        self.log.as_deref().unwrap_or_default()
    }

    /// The state of each node in a few words, for the message of a test that fails.
    #[must_use]
    pub fn summary(&self) -> String {
        let node = |(at, node): (usize, &N)| format!("{}: {}", self.roster.ids()[at], node.summary());
        let nodes: Vec<String> = self.nodes.iter().map(node).collect();
        format!("at {} ms\n{}", self.now_us / 1_000, nodes.join("\n"))
    }

    // Inputs and outputs of a node.

    /// Hands a message of a member to a node. A reply to it is dropped.
    fn hand_over(&mut self, at: usize, line: &[u8]) {
        match self.nodes.handle_line(self.now_us, at, line) {
            Fate::Taken => drop(self.drain(at)),
            Fate::Waits => {}
            Fate::Lost => self.network.count_to_dead(),
            Fate::Refused(why) => {
                panic!("{} refused ({why:?}): {}", self.roster.ids()[at], String::from_utf8_lossy(line))
            }
        }
    }

    fn time_out(&mut self, at: usize) {
        self.nodes.handle_timeout(self.now_us, at);
        self.drain(at);
    }

    /// Sends all messages that wait at a node. Returns the reply, if there is one.
    fn drain(&mut self, at: usize) -> Option<String> {
        let mut reply = None;
        let mut line = std::mem::take(&mut self.line);
        while let Some(sent) = self.nodes.poll_transmit(self.now_us, at, &mut line) {
            match sent {
                Transmit::Reply => reply = Some(String::from_utf8_lossy(&line).trim_end().to_owned()),
                Transmit::Gossip(peer) => self.send(at, self.roster.of_rank(peer.at()), &line),
            }
        }
        self.line = line;
        reply
    }

    fn send(&mut self, from: usize, to: usize, line: &[u8]) {
        let (bytes, most) = (line.len(), self.node(from).max_message_bytes());
        assert!(bytes <= most, "{bytes} bytes, {most} are allowed: {}", String::from_utf8_lossy(line));
        self.longest = self.longest.max(bytes);
        self.last_sent_us = self.now_us;
        self.fingerprint = line.iter().fold(self.fingerprint ^ from as u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        if let Some(log) = &mut self.log {
            log.push(Sent { at_us: self.now_us, from, to, bytes });
        }
        self.network.send(self.now_us, from, to, bytes, Arc::from(line.trim_ascii_end()));
    }
}

#[cfg(test)]
mod tests;
