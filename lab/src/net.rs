//! The network of a run: the emulator of `rumormill-sim` with the settings of a run, and its counts.

use rumormill_sim::{Counts, Delay, Delivery, Links, Network};

use crate::settings::{LatencyDist, NetworkMode, Settings};
use crate::trace::NetCounts;

/// A network without faults.
#[must_use]
pub fn network<P: Clone>(settings: &Settings) -> Network<P> {
    Network::new(settings.nodes, links(settings), settings.seed)
}

/// The properties of its links.
#[must_use]
pub fn links(settings: &Settings) -> Links {
    let mean_us = settings.latency_us;
    Links {
        delay: match settings.latency_dist {
            LatencyDist::Constant => Delay::Constant(mean_us),
            LatencyDist::Uniform => Delay::Uniform { least_us: 0, most_us: 2 * mean_us },
            LatencyDist::Exponential => Delay::Exponential { mean_us },
        },
        bytes_per_second: settings.bandwidth,
        delivery: match settings.network {
            NetworkMode::Compat => Delivery::Compat,
            NetworkMode::Precise => Delivery::Precise,
        },
        ..Links::default()
    }
}

/// The counts of a network, in the form of the trace.
#[must_use]
pub fn counts(counts: &Counts) -> NetCounts {
    let Counts { sent, delivered, cut, lost, duplicated, to_dead, bytes, client } = *counts;
    NetCounts { peer_sent: sent, peer_delivered: delivered, cut, lost, duplicated, to_dead, peer_bytes: bytes, client }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_have_the_mean_that_was_asked_for() {
        for dist in [LatencyDist::Constant, LatencyDist::Uniform, LatencyDist::Exponential] {
            let settings = Settings { latency_us: 100_000, latency_dist: dist, nodes: 2, ..Settings::default() };
            let mut network = Network::new(2, Links { delivery: Delivery::Precise, ..links(&settings) }, 0);
            (0..20_000).for_each(|payload| network.send(0, 0, 1, 10, payload));
            let mut sum_us = 0;
            while let Some(due) = network.poll_timeout() {
                sum_us += due;
                assert!(network.poll(due).is_some());
            }
            assert!((sum_us / 20_000).abs_diff(100_000) < 3_000, "{dist:?}: {}", sum_us / 20_000);
        }
    }
}
