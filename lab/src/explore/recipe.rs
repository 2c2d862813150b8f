//! How the nodes of a search are made: their options and capacities, and what is demanded of them.

use rumormill_core::gossip::Rule;
use rumormill_core::storage::{Limits, Storage as _};
use rumormill_core::{Config, ConfigError, Strategy};

use super::{Clocks, Fewer, NODES_MAX, Options, Strategies};

/// How far wall clocks may differ, in milliseconds. It is longer than any trail, because the search is not about stamps
/// that are refused for a while.
const CLOCK_AHEAD_MS: u64 = 1 << 40;

/// How the nodes of a search are made.
pub(super) struct Recipe {
    pub(super) configs: [Config; NODES_MAX],
    pub(super) limits: Limits,
    pub(super) nodes: usize,
    pub(super) without: Vec<Rule>,
    pub(super) greeted: bool,
    /// One bit for each node. It is set if the node has the small capacities.
    pub(super) small: u8,
    pub(super) lenient: bool,
    pub(super) clocks: Clocks,
    /// How long nodes have to become the same in the end, in microseconds.
    pub(super) recovery_us: u64,
}

impl Recipe {
    /// # Errors
    /// The node cannot be made with these choices.
    pub(super) fn new(options: &Options, limits: Limits) -> Result<Self, ConfigError> {
        let config = |at: usize| Config {
            strategy: match options.strategies {
                Strategies::Rumor => Strategy::Rumor,
                Strategies::Relay => Strategy::Relay,
                Strategies::Mixed if at.is_multiple_of(2) => Strategy::Relay,
                Strategies::Mixed => Strategy::Rumor,
            },
            fanout: options.fanout,
            gossip_interval_ms: options.interval_ms,
            seed: options.seed,
            max_message_bytes: options.max_message_bytes.unwrap_or(Config::default().max_message_bytes),
            max_clock_ahead_ms: CLOCK_AHEAD_MS,
            ..Config::default()
        };
        let configs = std::array::from_fn(config);
        configs
            .iter()
            .try_for_each(|config: &Config| config.check(&limits).and_then(|()| config.check(&Fewer::LIMITS)))?;
        Ok(Self {
            configs,
            limits,
            nodes: options.nodes,
            without: options.without.clone(),
            greeted: options.greeted,
            small: options.small.map_or(0, |at| 1 << at),
            lenient: options.lenient,
            clocks: options.clocks,
            recovery_us: u64::from(options.recovery_s) * 1_000_000,
        })
    }

    /// Whether a node has the small capacities.
    pub(super) fn is_small(&self, at: usize) -> bool {
        self.small >> at & 1 == 1
    }
}
