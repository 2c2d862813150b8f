//! Nodes in virtual time: which of them run, stand still or are gone, what their clocks show, and whose timer is due
//! next. This module does not know where a message goes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rumormill_core::{Instant, Now, Rejected, Transmit};

use crate::machine::Machine;
use crate::{EPOCH_US, Micros};

/// What happened to a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The node took it. Its messages have to be polled now.
    Taken,
    /// The node refused it, and nothing else happened.
    Refused(Rejected),
    /// The node stands still: the line waits for it.
    Waits,
    /// No node runs there.
    Lost,
}

/// For how long a node stood still, and what it missed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stood {
    /// For how long.
    pub for_us: Micros,
    /// The lines that came meanwhile, in their order. The caller decides whether the node still gets them.
    pub lines: Vec<Vec<u8>>,
}

#[derive(Clone, Debug)]
struct Life<N> {
    node: N,
    /// Since when it stands still.
    paused_us: Option<Micros>,
    /// Lines that came while it stood still.
    inbox: Vec<Vec<u8>>,
    /// When its timer is due; `None` while it stands still.
    timer: Option<Micros>,
}

/// Nodes that start, stand still and die.
///
/// After each input, which is [`Nodes::start`], [`Nodes::handle_line`], [`Nodes::handle_timeout`] or [`Nodes::with`],
/// call [`Nodes::poll_transmit`] until it gives `None`: that also sets the timer of the node. [`Nodes::poll_timeout`]
/// says whose timer is due next.
#[derive(Clone, Debug)]
pub struct Nodes<N> {
    lives: Vec<Option<Life<N>>>,
    /// How far the wall clock of each is ahead, in microseconds; `None` where there is none.
    clocks: Vec<Option<i64>>,
    /// When timers are due, and of which node. An entry that no longer holds is dropped when its time comes.
    timers: BinaryHeap<Reverse<(Micros, usize)>>,
}

impl<N: Machine> Nodes<N> {
    /// Room for `count` nodes. None of them runs.
    #[must_use]
    pub fn new(count: usize) -> Self {
        Self { lives: (0..count).map(|_| None).collect(), clocks: vec![Some(0); count], timers: BinaryHeap::new() }
    }

    /// The number of nodes that there is room for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lives.len()
    }

    /// Whether there is room for no node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lives.is_empty()
    }

    /// The node there, if one runs or stands still.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<&N> {
        self.lives.get(at)?.as_ref().map(|life| &life.node)
    }

    /// All nodes that run or stand still, each with its number.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &N)> {
        self.lives.iter().enumerate().filter_map(|(at, life)| Some((at, &life.as_ref()?.node)))
    }

    /// Whether the node there stands still.
    #[must_use]
    pub fn is_paused(&self, at: usize) -> bool {
        self.lives.get(at).and_then(Option::as_ref).is_some_and(|life| life.paused_us.is_some())
    }

    /// Puts a node there, in place of the one that was there.
    pub fn start(&mut self, at: usize, node: N) {
        self.lives[at] = Some(Life { node, paused_us: None, inbox: Vec::new(), timer: None });
    }

    /// The node there dies, with its memory and the lines that waited for it.
    pub fn crash(&mut self, at: usize) -> Option<N> {
        self.lives[at].take().map(|life| life.node)
    }

    /// The node there stands still. Its timer is set anew when it goes on.
    pub fn pause(&mut self, now: Micros, at: usize) {
        if let Some(life) = &mut self.lives[at] {
            life.paused_us.get_or_insert(now);
            life.timer = None;
        }
    }

    /// The node there goes on. The caller gives it the lines that are to reach it, and then calls
    /// [`Nodes::handle_timeout`].
    pub fn resume(&mut self, now: Micros, at: usize) -> Stood {
        let Some(life) = &mut self.lives[at] else { return Stood::default() };
        let Some(since) = life.paused_us.take() else { return Stood::default() };
        Stood { for_us: now - since, lines: std::mem::take(&mut life.inbox) }
    }

    /// The wall clock of a node jumps ahead, or back. A node without a wall clock does not get one.
    pub fn shift_clock(&mut self, at: usize, us: i64) {
        self.clocks[at] = self.clocks[at].map(|ahead| ahead.saturating_add(us));
    }

    /// Sets how far the wall clock of a node is ahead of [`EPOCH_US`] plus the virtual time; `None` for a device
    /// without one.
    pub fn set_clock(&mut self, at: usize, ahead_us: Option<i64>) {
        self.clocks[at] = ahead_us;
    }

    /// The time that the clocks of a node show.
    #[must_use]
    pub fn clock(&self, now: Micros, at: usize) -> Now {
        let wall_us = self.clocks[at].map(|ahead| (EPOCH_US + now).saturating_add_signed(ahead));
        Now { at: Instant::from_micros(now), wall_us }
    }

    /// Hands a line to a node, without its newline.
    pub fn handle_line(&mut self, now: Micros, at: usize, line: &[u8]) -> Fate {
        let clock = self.clock(now, at);
        match &mut self.lives[at] {
            None => Fate::Lost,
            Some(life) if life.paused_us.is_some() => {
                life.inbox.push(line.to_vec());
                Fate::Waits
            }
            Some(life) => match life.node.handle_line(clock, line) {
                Ok(()) => Fate::Taken,
                Err(why) => Fate::Refused(why),
            },
        }
    }

    /// Runs the timers of a node that are due, unless it stands still.
    pub fn handle_timeout(&mut self, now: Micros, at: usize) {
        let clock = self.clock(now, at);
        if let Some(life) = self.running(at) {
            life.node.handle_timeout(clock);
        }
    }

    /// Does something else to a node; `None` if no node runs there. A node that stands still can be changed as well,
    /// and sends nothing before it goes on.
    pub fn with<R>(&mut self, now: Micros, at: usize, change: impl FnOnce(&mut N, Now) -> R) -> Option<R> {
        let clock = self.clock(now, at);
        self.lives[at].as_mut().map(|life| change(&mut life.node, clock))
    }

    /// Writes the next message that waits into `line`, in place of its contents, newline included. If there is none,
    /// the timer of the node is set.
    pub fn poll_transmit(&mut self, now: Micros, at: usize, line: &mut Vec<u8>) -> Option<Transmit> {
        line.clear();
        let clock = self.clock(now, at);
        let life = self.running(at)?;
        let sent = life.node.poll_transmit(clock, line);
        if sent.is_none() {
            self.set_timer(now, at);
        }
        sent
    }

    /// Whose timer is due next, and when.
    pub fn poll_timeout(&mut self) -> Option<(Micros, usize)> {
        while let Some(Reverse((due, at))) = self.timers.peek().copied() {
            if self.lives[at].as_ref().is_some_and(|life| life.timer == Some(due)) {
                return Some((due, at));
            }
            self.timers.pop();
        }
        None
    }

    fn running(&mut self, at: usize) -> Option<&mut Life<N>> {
        self.lives[at].as_mut().filter(|life| life.paused_us.is_none())
    }

    fn set_timer(&mut self, now: Micros, at: usize) {
        let Some(life) = self.running(at) else { return };
        // A timer that was due is not due again at the same moment, since time would then never pass.
        let timer = life.node.poll_timeout().map(|due| due.as_micros().max(now + 1));
        if timer != life.timer {
            life.timer = timer;
            self.timers.extend(timer.map(|due| Reverse((due, at))));
        }
    }
}
