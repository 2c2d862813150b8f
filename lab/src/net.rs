//! The network emulator: delay, loss, duplication, cuts. A state machine: it is told the time and gives what arrives.
//!
//! Two modes. [`NetworkMode::Compat`] delivers as Maelstrom does: each receiver takes the message that is due first, checks
//! there and then whether its link is cut, sleeps until it is due, and hands it over; whatever else arrives meanwhile
//! waits, requests of clients too. [`NetworkMode::Precise`] lets each message travel on its own; it is dropped if its link
//! is cut when it leaves or when it would arrive.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};

use rand::RngExt as _;
use rand::SeedableRng as _;
use rand_xorshift::XorShiftRng;

use crate::fault::Cuts;
use crate::settings::{LatencyDist, Micros, NetworkMode, SECOND, Settings};
use crate::trace::NetCounts;

/// A message under way.
#[derive(Clone, Debug)]
struct Flight<P> {
    due: Micros,
    order: u64,
    /// The node that sent it; `None` for a client.
    from: Option<usize>,
    to: usize,
    /// Of a message between nodes; 0 for a client's.
    bytes: u64,
    payload: P,
}

impl<P> Flight<P> {
    fn key(&self) -> (Micros, u64) {
        (self.due, self.order)
    }
}

impl<P> PartialEq for Flight<P> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<P> Eq for Flight<P> {}

impl<P> PartialOrd for Flight<P> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<P> Ord for Flight<P> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

/// The queue of one receiver in [`NetworkMode::Compat`].
#[derive(Debug)]
struct Receiver<P> {
    queue: BinaryHeap<Reverse<Flight<P>>>,
    /// Taken from the queue, asleep until it is due.
    held: Option<Flight<P>>,
}

/// A message that arrives.
#[derive(Debug)]
pub struct Arrival<P> {
    /// The node that sent it; `None` for a client.
    pub from: Option<usize>,
    /// The node that gets it.
    pub to: usize,
    /// What it is.
    pub payload: P,
}

/// The network between nodes, and from clients to nodes. Replies to clients take no time and do not pass through it.
#[derive(Debug)]
pub struct Network<P> {
    mode: NetworkMode,
    latency_us: Micros,
    dist: LatencyDist,
    receivers: Vec<Receiver<P>>,
    /// In compat mode: when which receiver wakes up. One entry per message held.
    wakes: BinaryHeap<Reverse<(Micros, u64, usize)>>,
    /// In precise mode: everything under way.
    flights: BinaryHeap<Reverse<Flight<P>>>,
    cuts: Cuts,
    loss: f64,
    duplicate: f64,
    rng: XorShiftRng,
    order: u64,
    counts: NetCounts,
    /// Bytes per second that a link carries in one direction; `None` for any number.
    bandwidth: Option<f64>,
    /// Until when links are busy with what was sent before.
    busy: HashMap<(usize, usize), Micros>,
    sent_bytes: Vec<u64>,
    delivered_bytes: Vec<u64>,
}

impl<P: Clone> Network<P> {
    /// A network without faults.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            mode: settings.network,
            latency_us: settings.latency_us,
            dist: settings.latency_dist,
            receivers: (0..settings.nodes).map(|_| Receiver { queue: BinaryHeap::new(), held: None }).collect(),
            wakes: BinaryHeap::new(),
            flights: BinaryHeap::new(),
            cuts: Cuts::default(),
            loss: 0.0,
            duplicate: 0.0,
            rng: XorShiftRng::seed_from_u64(settings.seed ^ 0x006e_6574_776f_726b),
            order: 0,
            counts: NetCounts::default(),
            bandwidth: settings.bandwidth,
            busy: HashMap::new(),
            sent_bytes: vec![0; settings.nodes],
            delivered_bytes: vec![0; settings.nodes],
        }
    }

    /// What was counted so far.
    #[must_use]
    pub fn counts(&self) -> &NetCounts {
        &self.counts
    }

    /// Bytes of messages between nodes: by sender when sent, and by receiver when delivered.
    #[must_use]
    pub fn bytes(&self) -> (&[u64], &[u64]) {
        (&self.sent_bytes, &self.delivered_bytes)
    }

    /// Counts a message between the lab's clients and a node.
    pub fn count_client(&mut self) {
        self.counts.client += 1;
    }

    /// Counts a message that arrived at a process that is down.
    pub fn count_to_dead(&mut self) {
        self.counts.to_dead += 1;
    }

    /// The links that are cut.
    pub fn cuts(&mut self) -> &mut Cuts {
        &mut self.cuts
    }

    /// Share of messages between nodes that is lost from now on.
    pub fn set_loss(&mut self, rate: f64) {
        self.loss = rate;
    }

    /// Share of messages between nodes that arrives twice from now on.
    pub fn set_duplicate(&mut self, rate: f64) {
        self.duplicate = rate;
    }

    /// A client's request: no delay of its own, never lost.
    pub fn send_from_client(&mut self, now: Micros, to: usize, payload: P) {
        self.counts.client += 1;
        self.launch(now, Flight { due: now, order: 0, from: None, to, bytes: 0, payload });
    }

    /// A message between nodes of `bytes` bytes.
    pub fn send(&mut self, now: Micros, from: usize, to: usize, bytes: usize, payload: P) {
        self.counts.peer_sent += 1;
        self.counts.peer_bytes += bytes as u64;
        self.sent_bytes[from] += bytes as u64;
        if self.mode == NetworkMode::Precise && self.cuts.is_cut(from, to) {
            self.counts.cut += 1;
            return;
        }
        // What is lost is lost on its way, so it takes its time on the link.
        let left_us = self.leaves(now, from, to, bytes);
        if self.chance(self.loss) {
            self.counts.lost += 1;
            return;
        }
        let flight = Flight { due: 0, order: 0, from: Some(from), to, bytes: bytes as u64, payload };
        if self.chance(self.duplicate) {
            self.counts.duplicated += 1;
            let due = left_us + self.delay();
            self.launch(now, Flight { due, ..flight.clone() });
        }
        let due = left_us + self.delay();
        self.launch(now, Flight { due, ..flight });
    }

    /// When a message has left its sender: messages of one direction of a link follow each other.
    fn leaves(&mut self, now: Micros, from: usize, to: usize, bytes: usize) -> Micros {
        let Some(bandwidth) = self.bandwidth else { return now };
        let busy = self.busy.entry((from, to)).or_default();
        *busy = now.max(*busy) + (bytes as f64 / bandwidth * SECOND as f64) as Micros;
        *busy
    }

    /// The next message that has arrived. To be called until `None`.
    pub fn poll(&mut self, now: Micros) -> Option<Arrival<P>> {
        loop {
            let flight = match self.mode {
                NetworkMode::Compat => {
                    self.wakes.peek().filter(|Reverse((due, ..))| *due <= now)?;
                    let Reverse((_, _, to)) = self.wakes.pop()?;
                    let flight = self.receivers[to].held.take()?;
                    self.take_next(now, to);
                    flight
                }
                NetworkMode::Precise => {
                    self.flights.peek().filter(|Reverse(flight)| flight.due <= now)?;
                    let Reverse(flight) = self.flights.pop()?;
                    if flight.from.is_some_and(|from| self.cuts.is_cut(from, flight.to)) {
                        self.counts.cut += 1;
                        continue;
                    }
                    flight
                }
            };
            self.counts.peer_delivered += u64::from(flight.from.is_some());
            self.delivered_bytes[flight.to] += flight.bytes;
            return Some(Arrival { from: flight.from, to: flight.to, payload: flight.payload });
        }
    }

    /// When the next message arrives.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Micros> {
        match self.mode {
            NetworkMode::Compat => self.wakes.peek().map(|Reverse((due, ..))| *due),
            NetworkMode::Precise => self.flights.peek().map(|Reverse(flight)| flight.due),
        }
    }

    fn launch(&mut self, now: Micros, mut flight: Flight<P>) {
        self.order += 1;
        flight.order = self.order;
        match self.mode {
            NetworkMode::Precise => self.flights.push(Reverse(flight)),
            NetworkMode::Compat => {
                let to = flight.to;
                self.receivers[to].queue.push(Reverse(flight));
                if self.receivers[to].held.is_none() {
                    self.take_next(now, to);
                }
            }
        }
    }

    /// A receiver that is free takes the message that is due first, and sleeps until then. What comes over a link that
    /// is cut at this moment is dropped.
    fn take_next(&mut self, now: Micros, to: usize) {
        while let Some(Reverse(flight)) = self.receivers[to].queue.pop() {
            if flight.from.is_some_and(|from| self.cuts.is_cut(from, to)) {
                self.counts.cut += 1;
                continue;
            }
            self.wakes.push(Reverse((flight.due.max(now), flight.order, to)));
            self.receivers[to].held = Some(flight);
            return;
        }
    }

    fn chance(&mut self, rate: f64) -> bool {
        // No draw when there is no chance: a run without faults does not depend on the fault options.
        rate > 0.0 && self.rng.random::<f64>() < rate
    }

    fn delay(&mut self) -> Micros {
        let mean = self.latency_us as f64;
        match self.dist {
            LatencyDist::Constant => self.latency_us,
            LatencyDist::Uniform => (mean * 2.0 * self.rng.random::<f64>()) as Micros,
            // 1 - u lies in (0, 1], so the logarithm is finite.
            LatencyDist::Exponential => (-(1.0 - self.rng.random::<f64>()).ln() * mean) as Micros,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Micros = 1_000;

    fn network(mode: NetworkMode, dist: LatencyDist) -> Network<u32> {
        let settings =
            Settings { network: mode, latency_us: 100 * MS, latency_dist: dist, nodes: 3, ..Settings::default() };
        Network::new(&settings)
    }

    /// Everything that arrives until `until`, with the time and the receiver.
    fn drain(network: &mut Network<u32>, until: Micros) -> Vec<(Micros, usize, u32)> {
        let mut arrived = Vec::new();
        while let Some(due) = network.poll_timeout().filter(|due| *due <= until) {
            while let Some(arrival) = network.poll(due) {
                arrived.push((due, arrival.to, arrival.payload));
            }
        }
        arrived
    }

    #[test]
    fn a_client_waits_behind_a_message_in_delivery_in_compat_mode_only() {
        for (mode, expected) in [(NetworkMode::Compat, 100 * MS), (NetworkMode::Precise, 20 * MS)] {
            let mut network = network(mode, LatencyDist::Constant);
            network.send(0, 1, 0, 10, 7);
            network.send_from_client(20 * MS, 0, 8);
            let arrived = drain(&mut network, 1_000 * MS);
            assert!(arrived.contains(&(expected, 0, 8)), "{mode:?}: {arrived:?}");
            assert!(arrived.contains(&(100 * MS, 0, 7)), "{mode:?}: {arrived:?}");
        }
    }

    #[test]
    fn messages_sent_at_once_to_one_receiver_arrive_at_once() {
        let mut network = network(NetworkMode::Compat, LatencyDist::Constant);
        (0..5).for_each(|payload| network.send(0, 1, 0, 10, payload));
        let expected: Vec<_> = (0..5).map(|payload| (100 * MS, 0, payload)).collect();
        assert_eq!(drain(&mut network, 100 * MS), expected);
    }

    #[test]
    fn compat_checks_a_cut_when_the_receiver_takes_the_message() {
        let mut network = network(NetworkMode::Compat, LatencyDist::Constant);
        network.send(0, 1, 0, 10, 1);
        network.send(0, 1, 0, 10, 2);
        // The first was taken before the cut; the second is taken after it.
        network.cuts().add(1, 0);
        assert_eq!(drain(&mut network, 150 * MS), [(100 * MS, 0, 1)]);
        assert_eq!(network.counts().cut, 1);
        // Sent while the receiver sleeps over another message, and taken after the heal: it arrives.
        network.send(200 * MS, 2, 0, 10, 3);
        network.send(250 * MS, 1, 0, 10, 4);
        network.cuts().clear();
        assert_eq!(drain(&mut network, 1_000 * MS), [(300 * MS, 0, 3), (350 * MS, 0, 4)]);
    }

    #[test]
    fn precise_drops_what_leaves_or_arrives_while_the_link_is_cut() {
        let mut network = network(NetworkMode::Precise, LatencyDist::Constant);
        network.send(0, 1, 0, 10, 1);
        network.cuts().add(1, 0);
        network.send(50 * MS, 1, 0, 10, 2);
        network.send(50 * MS, 0, 1, 10, 3);
        assert_eq!(drain(&mut network, 120 * MS), []);
        network.cuts().clear();
        assert_eq!(drain(&mut network, 1_000 * MS), [(150 * MS, 1, 3)]);
        assert_eq!((network.counts().cut, network.counts().peer_sent), (2, 3));
    }

    #[test]
    fn loss_and_duplication_have_the_rates_that_were_asked_for() {
        for mode in [NetworkMode::Compat, NetworkMode::Precise] {
            let mut network = network(mode, LatencyDist::Uniform);
            network.set_loss(0.3);
            network.set_duplicate(0.1);
            (0..10_000).for_each(|payload| network.send(0, 0, 1, 10, payload));
            let arrived = drain(&mut network, 1_000_000 * MS).len() as f64;
            assert!((arrived - 10_000.0 * 0.7 * 1.1).abs() < 200.0, "{arrived}");
            let counts = *network.counts();
            assert_eq!(counts.peer_sent + counts.duplicated - counts.lost, counts.peer_delivered);
            assert_eq!(counts.peer_bytes, 100_000);
        }
    }

    #[test]
    fn messages_of_one_direction_of_a_link_with_a_bandwidth_follow_each_other() {
        for mode in [NetworkMode::Compat, NetworkMode::Precise] {
            let settings = Settings {
                network: mode,
                latency_us: 100 * MS,
                bandwidth: Some(1_000.0),
                nodes: 3,
                ..Settings::default()
            };
            let mut network = Network::new(&settings);
            network.send(0, 1, 0, 200, 1);
            network.send(0, 1, 0, 300, 2);
            network.send(0, 0, 1, 100, 3);
            network.send(0, 0, 2, 50, 4);
            network.send_from_client(0, 2, 5);
            let mut arrived = drain(&mut network, 1_000 * MS);
            arrived.sort_unstable();
            let expected = [(300 * MS, 0, 1), (600 * MS, 0, 2), (200 * MS, 1, 3), (150 * MS, 2, 4)];
            assert!(expected.iter().all(|arrival| arrived.contains(arrival)), "{mode:?}: {arrived:?}");
            assert_eq!(network.bytes(), ([150, 500, 0].as_slice(), [500, 100, 50].as_slice()));
            // The link is free again.
            network.send(2_000 * MS, 1, 0, 100, 6);
            assert!(drain(&mut network, 3_000 * MS).contains(&(2_200 * MS, 0, 6)));
        }
    }

    #[test]
    fn delays_have_the_mean_and_the_shape_that_were_asked_for() {
        for (dist, most) in [(LatencyDist::Uniform, 200 * MS), (LatencyDist::Exponential, 2_000 * MS)] {
            let mut network = network(NetworkMode::Precise, dist);
            (0..20_000).for_each(|payload| network.send(0, 0, 1, 10, payload));
            let arrived = drain(&mut network, most);
            let mean = arrived.iter().map(|(at, ..)| *at as f64).sum::<f64>() / arrived.len() as f64;
            assert_eq!(arrived.len(), 20_000);
            assert!((mean - 100_000.0).abs() < 3_000.0, "{dist:?}: {mean}");
            let below_half = arrived.iter().filter(|(at, ..)| *at < 50 * MS).count() as f64 / 20_000.0;
            let expected = if dist == LatencyDist::Uniform { 0.25 } else { 0.393 };
            assert!((below_half - expected).abs() < 0.02, "{dist:?}: {below_half}");
        }
    }
}
