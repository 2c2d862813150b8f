//! The network emulator: delay, loss, duplication, cuts. It is a state machine: it is told the time, and gives the
//! messages that arrive.
//!
//! It knows no nodes, and does not look into the messages that it carries. Messages overtake each other if their delays
//! differ.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};

use rand_core::{Rng as _, SeedableRng as _};
use rand_xorshift::XorShiftRng;

use crate::Micros;
use crate::cuts::Cuts;

/// One second.
const SECOND: Micros = 1_000_000;

/// How long a message between two nodes takes, without the time for which it waits for its link. Messages of clients
/// take no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// Every message takes the same time.
    Constant(
        /// The time.
        Micros,
    ),
    /// All times between two bounds are equally likely.
    Uniform {
        /// The least.
        least_us: Micros,
        /// The most, which is never reached.
        most_us: Micros,
    },
    /// Times are exponentially distributed: most messages are faster than the mean, and a few take much longer.
    Exponential {
        /// The mean.
        mean_us: Micros,
    },
}

/// How the network delivers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// Each message travels on its own. It is dropped if its link is cut when it leaves or when it would arrive.
    #[default]
    Precise,
    /// As Maelstrom does it: each receiver takes the message that is due first, checks at that moment whether its link
    /// is cut, sleeps until it is due, and hands it over. All other messages wait meanwhile, requests of clients too.
    Compat,
}

/// The properties of the links, which are the same for all of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Links {
    /// How long messages take.
    pub delay: Delay,
    /// Share of messages between nodes that are lost, 0 to 1.
    pub loss: f64,
    /// Share of messages between nodes that arrive twice, 0 to 1.
    pub duplicates: f64,
    /// Bytes per second that a link carries in one direction; `None` for any number.
    pub bytes_per_second: Option<f64>,
    /// How the network delivers.
    pub delivery: Delivery,
}

impl Default for Links {
    /// Every message arrives once, after 100 ms.
    fn default() -> Self {
        Self {
            delay: Delay::Constant(SECOND / 10),
            loss: 0.0,
            duplicates: 0.0,
            bytes_per_second: None,
            delivery: Delivery::Precise,
        }
    }
}

/// The counts of the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages between nodes, counted when sent.
    pub sent: u64,
    /// Those of them that were delivered. A duplicate counts again.
    pub delivered: u64,
    /// Dropped because the link was cut.
    pub cut: u64,
    /// Lost.
    pub lost: u64,
    /// Copies made.
    pub duplicated: u64,
    /// Dropped because no node ran where they arrived.
    pub to_dead: u64,
    /// Bytes of messages between nodes, counted when sent, newlines included.
    pub bytes: u64,
    /// Messages with a client at one end.
    pub client: u64,
}

/// The messages that one node has sent and was sent, without those of clients. Bytes include newlines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Messages that it sent.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Messages that were sent to it, whether they arrived or not.
    pub addressed: u64,
    /// Their bytes.
    pub addressed_bytes: u64,
    /// Messages that arrived, copies included.
    pub delivered: u64,
    /// Their bytes.
    pub delivered_bytes: u64,
}

/// A message under way.
#[derive(Clone, Debug)]
struct Flight<P> {
    due: Micros,
    order: u64,
    /// The node that sent it; `None` for a client.
    from: Option<usize>,
    to: usize,
    /// The length of a message between nodes; 0 for one of a client.
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

/// The queue of one receiver in [`Delivery::Compat`].
#[derive(Debug)]
struct Receiver<P> {
    queue: BinaryHeap<Reverse<Flight<P>>>,
    /// The message that was taken from the queue; the receiver sleeps until it is due.
    held: Option<Flight<P>>,
}

/// A message that arrives.
#[derive(Debug)]
pub struct Arrival<P> {
    /// The node that sent it; `None` for a client.
    pub from: Option<usize>,
    /// The node that gets it.
    pub to: usize,
    /// Its contents.
    pub payload: P,
}

/// The network between nodes, and from clients to nodes. Replies to clients take no time and do not pass through it.
#[derive(Debug)]
pub struct Network<P> {
    links: Links,
    receivers: Vec<Receiver<P>>,
    /// With [`Delivery::Compat`]: when each receiver wakes up. There is one entry per message that is held.
    wakes: BinaryHeap<Reverse<(Micros, u64, usize)>>,
    /// With [`Delivery::Precise`]: all messages under way.
    flights: BinaryHeap<Reverse<Flight<P>>>,
    cuts: Cuts,
    rng: XorShiftRng,
    order: u64,
    counts: Counts,
    traffic: Vec<Traffic>,
    /// Until when each link is busy with messages that were sent before.
    busy: HashMap<(usize, usize), Micros>,
}

impl<P: Clone> Network<P> {
    /// The network between `nodes` nodes. The same seed and the same inputs give the same outputs.
    #[must_use]
    pub fn new(nodes: usize, links: Links, seed: u64) -> Self {
        Self {
            links,
            receivers: (0..nodes).map(|_| Receiver { queue: BinaryHeap::new(), held: None }).collect(),
            wakes: BinaryHeap::new(),
            flights: BinaryHeap::new(),
            cuts: Cuts::default(),
            // Nodes may have the same seed, so the network's generator begins differently.
            rng: XorShiftRng::seed_from_u64(seed ^ 0x006e_6574_776f_726b),
            order: 0,
            counts: Counts::default(),
            traffic: vec![Traffic::default(); nodes],
            busy: HashMap::new(),
        }
    }

    /// The properties of the links.
    #[must_use]
    pub fn links(&self) -> &Links {
        &self.links
    }

    /// The properties of the links, to be changed from now on. Messages under way arrive as they would have.
    /// [`Links::delivery`] must not be changed while any message is under way.
    pub fn links_mut(&mut self) -> &mut Links {
        &mut self.links
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The messages and bytes that each node has sent and was sent.
    #[must_use]
    pub fn traffic(&self) -> &[Traffic] {
        &self.traffic
    }

    /// Counts a message between a client and a node that does not pass through the network.
    pub fn count_client(&mut self) {
        self.counts.client += 1;
    }

    /// Counts a message that arrived where no node runs.
    pub fn count_to_dead(&mut self) {
        self.counts.to_dead += 1;
    }

    /// The links that are cut.
    #[must_use]
    pub fn cuts(&self) -> &Cuts {
        &self.cuts
    }

    /// The links that are cut, to be changed.
    pub fn cuts_mut(&mut self) -> &mut Cuts {
        &mut self.cuts
    }

    /// Sends a request of a client. It has no delay, and is never lost.
    pub fn send_from_client(&mut self, now: Micros, to: usize, payload: P) {
        self.counts.client += 1;
        self.launch(now, Flight { due: now, order: 0, from: None, to, bytes: 0, payload });
    }

    /// Sends a message of `bytes` bytes between nodes.
    pub fn send(&mut self, now: Micros, from: usize, to: usize, bytes: usize, payload: P) {
        self.counts.sent += 1;
        self.counts.bytes += bytes as u64;
        self.traffic[from].sent += 1;
        self.traffic[from].sent_bytes += bytes as u64;
        self.traffic[to].addressed += 1;
        self.traffic[to].addressed_bytes += bytes as u64;
        if self.links.delivery == Delivery::Precise && self.cuts.is_cut(from, to) {
            self.counts.cut += 1;
            return;
        }
        // A lost message is lost on its way, so it occupies the link like any other.
        let left_us = self.leaves(now, from, to, bytes);
        if self.chance(self.links.loss) {
            self.counts.lost += 1;
            return;
        }
        let flight = Flight { due: 0, order: 0, from: Some(from), to, bytes: bytes as u64, payload };
        if self.chance(self.links.duplicates) {
            self.counts.duplicated += 1;
            let due = left_us + self.delay();
            self.launch(now, Flight { due, ..flight.clone() });
        }
        let due = left_us + self.delay();
        self.launch(now, Flight { due, ..flight });
    }

    /// When a message has left its sender. Messages in one direction of a link are sent one after the other.
    fn leaves(&mut self, now: Micros, from: usize, to: usize, bytes: usize) -> Micros {
        let Some(bandwidth) = self.links.bytes_per_second else { return now };
        let busy = self.busy.entry((from, to)).or_default();
        *busy = now.max(*busy) + (bytes as f64 / bandwidth * SECOND as f64) as Micros;
        *busy
    }

    /// The next message that has arrived. It has to be called until it gives `None`.
    pub fn poll(&mut self, now: Micros) -> Option<Arrival<P>> {
        loop {
            let flight = match self.links.delivery {
                Delivery::Compat => {
                    self.wakes.peek().filter(|Reverse((due, ..))| *due <= now)?;
                    let Reverse((_, _, to)) = self.wakes.pop()?;
                    let flight = self.receivers[to].held.take()?;
                    self.take_next(now, to);
                    flight
                }
                Delivery::Precise => {
                    self.flights.peek().filter(|Reverse(flight)| flight.due <= now)?;
                    let Reverse(flight) = self.flights.pop()?;
                    if flight.from.is_some_and(|from| self.cuts.is_cut(from, flight.to)) {
                        self.counts.cut += 1;
                        continue;
                    }
                    flight
                }
            };
            let between_nodes = u64::from(flight.from.is_some());
            self.counts.delivered += between_nodes;
            self.traffic[flight.to].delivered += between_nodes;
            self.traffic[flight.to].delivered_bytes += flight.bytes;
            return Some(Arrival { from: flight.from, to: flight.to, payload: flight.payload });
        }
    }

    /// When the next message arrives.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Micros> {
        match self.links.delivery {
            Delivery::Compat => self.wakes.peek().map(|Reverse((due, ..))| *due),
            Delivery::Precise => self.flights.peek().map(|Reverse(flight)| flight.due),
        }
    }

    fn launch(&mut self, now: Micros, mut flight: Flight<P>) {
        self.order += 1;
        flight.order = self.order;
        match self.links.delivery {
            Delivery::Precise => self.flights.push(Reverse(flight)),
            Delivery::Compat => {
                let to = flight.to;
                self.receivers[to].queue.push(Reverse(flight));
                if self.receivers[to].held.is_none() {
                    self.take_next(now, to);
                }
            }
        }
    }

    /// A receiver that is free takes the message that is due first, and sleeps until then. A message over a link that
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
        // Nothing is drawn if the rate is 0, so a run without faults does not depend on the options of faults.
        rate > 0.0 && self.unit() < rate
    }

    fn delay(&mut self) -> Micros {
        match self.links.delay {
            Delay::Constant(us) => us,
            Delay::Uniform { least_us, most_us } => {
                least_us + (most_us.saturating_sub(least_us) as f64 * self.unit()) as Micros
            }
            // 1 - u lies in (0, 1], so the logarithm is finite.
            Delay::Exponential { mean_us } => (-(1.0 - self.unit()).ln() * mean_us as f64) as Micros,
        }
    }

    /// A random number from 0 up to, but not including, 1.
    fn unit(&mut self) -> f64 {
        (self.rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Micros = 1_000;

    const CONSTANT: Delay = Delay::Constant(100 * MS);
    const UNIFORM: Delay = Delay::Uniform { least_us: 0, most_us: 200 * MS };
    const EXPONENTIAL: Delay = Delay::Exponential { mean_us: 100 * MS };

    fn network(delivery: Delivery, delay: Delay) -> Network<u32> {
        Network::new(3, Links { delivery, delay, ..Links::default() }, 0)
    }

    /// All messages that arrive until `until`, each with its time and its receiver.
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
        for (mode, expected) in [(Delivery::Compat, 100 * MS), (Delivery::Precise, 20 * MS)] {
            let mut network = network(mode, CONSTANT);
            network.send(0, 1, 0, 10, 7);
            network.send_from_client(20 * MS, 0, 8);
            let arrived = drain(&mut network, 1_000 * MS);
            assert!(arrived.contains(&(expected, 0, 8)), "{mode:?}: {arrived:?}");
            assert!(arrived.contains(&(100 * MS, 0, 7)), "{mode:?}: {arrived:?}");
        }
    }

    #[test]
    fn messages_sent_at_once_to_one_receiver_arrive_at_once() {
        let mut network = network(Delivery::Compat, CONSTANT);
        (0..5).for_each(|payload| network.send(0, 1, 0, 10, payload));
        let expected: Vec<_> = (0..5).map(|payload| (100 * MS, 0, payload)).collect();
        assert_eq!(drain(&mut network, 100 * MS), expected);
    }

    #[test]
    fn compat_checks_a_cut_when_the_receiver_takes_the_message() {
        let mut network = network(Delivery::Compat, CONSTANT);
        network.send(0, 1, 0, 10, 1);
        network.send(0, 1, 0, 10, 2);
        // The first was taken before the cut; the second is taken after it.
        network.cuts_mut().add(1, 0);
        assert_eq!(drain(&mut network, 150 * MS), [(100 * MS, 0, 1)]);
        assert_eq!(network.counts().cut, 1);
        // Sent while the receiver sleeps over another message, and taken after the heal: it arrives.
        network.send(200 * MS, 2, 0, 10, 3);
        network.send(250 * MS, 1, 0, 10, 4);
        network.cuts_mut().clear();
        assert_eq!(drain(&mut network, 1_000 * MS), [(300 * MS, 0, 3), (350 * MS, 0, 4)]);
    }

    #[test]
    fn precise_drops_what_leaves_or_arrives_while_the_link_is_cut() {
        let mut network = network(Delivery::Precise, CONSTANT);
        network.send(0, 1, 0, 10, 1);
        network.cuts_mut().add(1, 0);
        network.send(50 * MS, 1, 0, 10, 2);
        network.send(50 * MS, 0, 1, 10, 3);
        assert_eq!(drain(&mut network, 120 * MS), []);
        network.cuts_mut().clear();
        assert_eq!(drain(&mut network, 1_000 * MS), [(150 * MS, 1, 3)]);
        assert_eq!((network.counts().cut, network.counts().sent), (2, 3));
    }

    #[test]
    fn loss_and_duplication_have_the_rates_that_were_asked_for() {
        for mode in [Delivery::Compat, Delivery::Precise] {
            let mut network = network(mode, UNIFORM);
            network.links_mut().loss = 0.3;
            network.links_mut().duplicates = 0.1;
            (0..10_000).for_each(|payload| network.send(0, 0, 1, 10, payload));
            let arrived = drain(&mut network, 1_000_000 * MS).len() as f64;
            assert!((arrived - 10_000.0 * 0.7 * 1.1).abs() < 200.0, "{arrived}");
            let counts = *network.counts();
            assert_eq!(counts.sent + counts.duplicated - counts.lost, counts.delivered);
            assert_eq!(counts.bytes, 100_000);
        }
    }

    #[test]
    fn messages_of_one_direction_of_a_link_with_a_bandwidth_follow_each_other() {
        for mode in [Delivery::Compat, Delivery::Precise] {
            let links = Links { delivery: mode, bytes_per_second: Some(1_000.0), ..Links::default() };
            let mut network = Network::new(3, links, 0);
            network.send(0, 1, 0, 200, 1);
            network.send(0, 1, 0, 300, 2);
            network.send(0, 0, 1, 100, 3);
            network.send(0, 0, 2, 50, 4);
            network.send_from_client(0, 2, 5);
            let mut arrived = drain(&mut network, 1_000 * MS);
            arrived.sort_unstable();
            let expected = [(300 * MS, 0, 1), (600 * MS, 0, 2), (200 * MS, 1, 3), (150 * MS, 2, 4)];
            assert!(expected.iter().all(|arrival| arrived.contains(arrival)), "{mode:?}: {arrived:?}");
            let bytes = |of: fn(&Traffic) -> u64| network.traffic().iter().map(of).collect::<Vec<_>>();
            assert_eq!(bytes(|node| node.sent_bytes), [150, 500, 0]);
            assert_eq!(bytes(|node| node.addressed_bytes), [500, 100, 50]);
            assert_eq!(bytes(|node| node.delivered_bytes), [500, 100, 50]);
            assert_eq!(
                network.traffic()[0],
                Traffic {
                    sent: 2,
                    sent_bytes: 150,
                    addressed: 2,
                    addressed_bytes: 500,
                    delivered: 2,
                    delivered_bytes: 500,
                }
            );
            // The link is free again.
            network.send(2_000 * MS, 1, 0, 100, 6);
            assert!(drain(&mut network, 3_000 * MS).contains(&(2_200 * MS, 0, 6)));
        }
    }

    #[test]
    fn delays_have_the_mean_and_the_shape_that_were_asked_for() {
        for (dist, most) in [(UNIFORM, 200 * MS), (EXPONENTIAL, 2_000 * MS)] {
            let mut network = network(Delivery::Precise, dist);
            (0..20_000).for_each(|payload| network.send(0, 0, 1, 10, payload));
            let arrived = drain(&mut network, most);
            let mean = arrived.iter().map(|(at, ..)| *at as f64).sum::<f64>() / arrived.len() as f64;
            assert_eq!(arrived.len(), 20_000);
            assert!((mean - 100_000.0).abs() < 3_000.0, "{dist:?}: {mean}");
            let below_half = arrived.iter().filter(|(at, ..)| *at < 50 * MS).count() as f64 / 20_000.0;
            let expected = if dist == UNIFORM { 0.25 } else { 0.393 };
            assert!((below_half - expected).abs() < 0.02, "{dist:?}: {below_half}");
        }
    }
}
