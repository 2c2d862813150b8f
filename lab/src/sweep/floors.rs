//! What theory and others say about messages per operation against latency.
//!
//! # The floor of any design
//!
//! `n` nodes, one-way delay `L`, `λ` writes per second at random nodes. Take one node. Of what is written elsewhere,
//! `λᵢ` per second, it learns only from messages that it hears. A message heard at `t` was sent at `t − L` or before,
//! so it brings nothing newer than that; and what it brings within a latency of `D` is not older than `t − D`. So one
//! message serves a window of length `D − L`. Windows are best opened by a write, which the node has to hear of within
//! `D`: such a window serves the write that opens it and `λᵢ·(D − L)` further ones in the mean. All `λᵢ` writes per
//! second need `λᵢ / (1 + λᵢ·(D − L)) = 1 / (D − L + 1/λᵢ)` messages per second at this node, and
//!
//! ```text
//! messages per operation ≥ Σᵢ 1 / (D − L + 1/λᵢ) / rate
//! ```
//!
//! With all nodes writing, `λᵢ = λ·(n − 1)/n`: at 25 nodes, 100 ms, 100 operations per second of which half write, this
//! is `25 / (100·(D − 0.1 + 1/48))`. If only a share `q` of the writes has to arrive within `D`, only that share of the
//! windows is needed: the bound for the median is half of it. Final reads, which count as operations too, lower all
//! figures by some percent; the floor is about the load alone.
//!
//! # One relay
//!
//! Everything goes to one node, which passes it on every `T`; nodes send to it just in time for that. A round has
//! `2·(n − 1)` messages. The slowest value has just missed one: `D = T + 2L`; the median one waits half of it. A node
//! that wrote nothing in a round need not send, and the relay knows its own writes: of `n − 1` uplinks the share
//! `1 − e^(−λT/n)` is left.

use crate::settings::{LatencyDist, SECOND, Settings, Workload};

/// What the bounds depend on, in seconds and per second.
#[derive(Clone, Copy, Debug)]
pub struct Floors {
    nodes: f64,
    latency_s: f64,
    rate: f64,
    writes: f64,
    writers: f64,
}

impl Floors {
    /// The bounds for these settings. There are none if the workload has no values to follow, if there is one node
    /// only, or if nobody writes.
    #[must_use]
    pub fn new(settings: &Settings) -> Option<Self> {
        let writers = if settings.writers == 0 { settings.nodes } else { settings.writers };
        let writes = settings.rate * settings.write_share;
        (settings.workload.follows_values() && settings.nodes > 1 && writes > 0.0).then_some(Self {
            nodes: settings.nodes as f64,
            latency_s: settings.latency_us as f64 / SECOND as f64,
            rate: settings.rate,
            writes,
            writers: writers as f64,
        })
    }

    /// The messages per operation that every design needs to bring the share `share` of all values to all nodes within
    /// `within_s`. `None` if that is not more than the delay of the network.
    #[must_use]
    pub fn any_design(&self, within_s: f64, share: f64) -> Option<f64> {
        let window = within_s - self.latency_s;
        let heard =
            |writes_elsewhere: f64| if writes_elsewhere > 0.0 { 1.0 / (window + 1.0 / writes_elsewhere) } else { 0.0 };
        let at_writer = heard(self.writes * (1.0 - 1.0 / self.writers));
        let sum = self.writers * at_writer + (self.nodes - self.writers) * heard(self.writes);
        (window > 0.0).then_some(share * sum / self.rate)
    }

    /// The messages per operation of one relay that waits `wait_s` from round to round, and its median and maximum
    /// latency in seconds. `skipping` says whether nodes without news stay silent.
    #[must_use]
    pub fn relay(&self, wait_s: f64, skipping: bool) -> (f64, f64, f64) {
        let uplinks = if skipping { 1.0 - (-self.writes * wait_s / self.nodes).exp() } else { 1.0 };
        let messages = (self.nodes - 1.0) * (1.0 + uplinks) / wait_s;
        (messages / self.rate, wait_s / 2.0 + 2.0 * self.latency_s, wait_s + 2.0 * self.latency_s)
    }
}

/// Limits that others set for 25 nodes, a delay of 100 ms, and 100 operations per second for 20 s.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The name in tables.
    pub name: &'static str,
    /// Messages per operation stay below this.
    pub messages_per_op: f64,
    /// The median, as Maelstrom computes it, stays below this.
    pub median_ms: f64,
    /// The maximum, as Maelstrom computes it, stays below this.
    pub max_ms: f64,
}

/// The limits of the Gossip Glomers.
pub const GLOMERS: [Limits; 2] = [
    Limits { name: "3d", messages_per_op: 30.0, median_ms: 400.0, max_ms: 600.0 },
    Limits { name: "3e", messages_per_op: 20.0, median_ms: 1_000.0, max_ms: 2_000.0 },
];

/// A result that somebody published for these settings: its name, messages per operation, median and maximum in
/// milliseconds as Maelstrom computes them.
pub const PUBLISHED: [(&str, f64, f64, f64); 3] = [
    ("published, 21–24", 22.5, 181.0, 207.0),
    ("published, 1.99", 1.99, 339.0, 678.0),
    ("published, 1.92", 1.92, 764.0, 1_087.0),
];

/// Whether a run with these settings can be held against [`GLOMERS`] and [`PUBLISHED`], faults apart.
#[must_use]
pub fn is_standard(settings: &Settings) -> bool {
    settings.workload == Workload::Broadcast
        && settings.nodes == 25
        && settings.latency_us == SECOND / 10
        && settings.latency_dist == LatencyDist::Constant
        && (settings.rate - 100.0).abs() < 1e-9
        && settings.time_limit_us == 20 * SECOND
        && (settings.write_share - 0.5).abs() < 1e-9
        && settings.writers == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standard() -> Settings {
        Settings { nodes: 25, rate: 100.0, latency_us: SECOND / 10, time_limit_us: 20 * SECOND, ..Settings::default() }
    }

    #[test]
    fn the_floor_is_half_a_message_at_580_ms_and_an_eighth_at_2_s() {
        let floors = Floors::new(&standard()).unwrap();
        for (within_s, known, digits) in
            [(0.58, 0.50, 2), (0.6, 0.48, 2), (0.7, 0.40, 2), (1.0, 0.27, 2), (2.0, 0.13, 2)]
        {
            let floor = floors.any_design(within_s, 1.0).unwrap();
            assert_eq!(format!("{floor:.digits$}"), format!("{known:.digits$}"), "{within_s} s");
            assert!((floor - 25.0 / (100.0 * (within_s - 0.1 + 1.0 / 48.0))).abs() < 1e-12);
        }
        assert_eq!(floors.any_design(0.1, 1.0), None);
    }

    #[test]
    fn one_relay_costs_what_the_protocol_says() {
        let floors = Floors::new(&standard()).unwrap();
        for (max_s, known) in [(0.6, 0.93), (0.7, 0.79), (1.0, 0.55), (2.0, 0.27)] {
            let (messages, median_s, max) = floors.relay(max_s - 0.2, true);
            assert!((messages - known).abs() < 0.015, "{max_s} s: {messages}");
            assert!((max - max_s).abs() < 1e-9 && median_s < max);
            assert!((floors.relay(max_s - 0.2, false).0 - 48.0 / (100.0 * (max_s - 0.2))).abs() < 1e-9);
        }
    }

    #[test]
    fn a_node_that_writes_everything_need_hear_nothing() {
        let one_writer = Floors::new(&Settings { writers: 1, ..standard() }).unwrap();
        assert!((one_writer.any_design(1.1, 1.0).unwrap() - 24.0 / (100.0 * (1.0 + 1.0 / 50.0))).abs() < 1e-12);
        assert!(Floors::new(&Settings { write_share: 0.0, ..standard() }).is_none());
    }

    #[test]
    fn no_relay_lies_below_the_floor_of_any_design() {
        let floors = Floors::new(&standard()).unwrap();
        for step in 1..200 {
            let (messages, median_s, max_s) = floors.relay(f64::from(step) * 0.02, true);
            assert!(messages >= floors.any_design(max_s, 1.0).unwrap());
            assert!(messages >= floors.any_design(median_s, 0.5).unwrap());
        }
    }
}
