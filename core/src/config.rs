//! What can be chosen, within which bounds, and what is refused at start.

pub use crate::gossip::Strategy;
use crate::storage::Limits;
use crate::wire::gossip::size;

/// The workload that decides what a bare `read` and an `add` mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Workload {
    /// `broadcast`, and `read` answers `messages`.
    Broadcast,
    /// `add` takes `element`, and `read` answers a list.
    GSet,
    /// `add` takes a `delta` that is not negative, and `read` answers an integer.
    GCounter,
    /// `add` takes `delta`, and `read` answers an integer.
    PnCounter,
    /// The key-value store: `kv_read` has the key, a bare `read` is refused.
    Kv,
    /// `echo` only.
    Echo,
    /// `generate` only.
    UniqueIds,
    /// `txn` only.
    TxnRwRegister,
}

/// The choices of one node.
///
/// `Config::default()` is right for Maelstrom. A program with a transport of its own sets at least `incarnation`, `seed` and
/// `max_message_bytes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Config {
    /// Fixes what the clients' requests `read` and `add` mean; without it, the default, the latest request decides. Of no concern to a program
    /// without JSON clients.
    pub workload: Option<Workload>,
    /// What spreads the state; `Rumor` by default.
    pub strategy: Strategy,
    /// Peers that a round of gossip goes to, 1 to 255; 2 by default.
    pub fanout: u8,
    /// Milliseconds between two rounds, 1 to 60,000; `None` for the default of each data type.
    pub gossip_interval_ms: Option<u32>,
    /// Number of this start of the process: larger than those of all starts before it, at most 2^53 − 1; 0 by default. Microseconds of the
    /// wall clock will do. A node that starts with a number that is too small finds that out from its peers, and takes a larger one:
    /// [`Member::session`](crate::Member::session) says which is in force.
    pub incarnation: u64,
    /// Seed of all randomness; 0 by default. It is mixed with the node's id, so nodes may have the same one. A peer that knows it can choose
    /// keys that make searches long.
    pub seed: u64,
    /// Bytes of a gossip message, newline included; it is cut at an entry boundary. 1,048,576 by default: too long for UDP, where 1,400 fit
    /// into a packet of most networks. At least [`Config::min_message_bytes`]: 555 with `Tiny`, 699 with `Small` and 1,211 with `Heap` as they
    /// come.
    pub max_message_bytes: usize,
    /// Stamps further ahead of the local wall clock than this are refused, in milliseconds; 60,000 by default.
    pub max_clock_ahead_ms: u64,
    /// Whether [`Member::poll_event`](crate::Member::poll_event) reports anything; false by default.
    pub events: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            workload: None,
            strategy: Strategy::Rumor,
            fanout: 2,
            gossip_interval_ms: None,
            incarnation: 0,
            seed: 0,
            max_message_bytes: 1 << 20,
            max_clock_ahead_ms: 60_000,
            events: false,
        }
    }
}

/// Smallest and largest `fanout`.
pub const FANOUT: (u32, u32) = (1, 255);
/// Smallest and largest `gossip_interval_ms`.
pub const INTERVAL_MS: (u32, u32) = (1, 60_000);
/// Largest `max_message_bytes`.
pub const MESSAGE_BYTES_MAX: usize = 1 << 30;
pub use crate::storage::INCARNATION_MAX;

/// Why a configuration is refused. Each says what is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// `fanout` is not from 1 to 255.
    Fanout,
    /// `gossip_interval_ms` is not from 1 to 60,000.
    Interval,
    /// `incarnation` above [`INCARNATION_MAX`].
    Incarnation,
    /// `max_message_bytes` is too small for a header, one row of the digest and the largest entry, or above
    /// 2^30.
    MessageBytes {
        /// The smallest that works with these limits.
        min: usize,
    },
    /// A capacity is outside of what the storage can be given.
    Capacity {
        /// Its name in [`Limits`].
        name: &'static str,
        /// Smallest allowed.
        min: usize,
        /// Largest allowed.
        max: usize,
    },
}

impl core::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Fanout => write!(f, "fanout must be from {} to {}", FANOUT.0, FANOUT.1),
            Self::Interval => write!(f, "gossip_interval_ms must be from {} to {}", INTERVAL_MS.0, INTERVAL_MS.1),
            Self::Incarnation => write!(f, "incarnation must be from 0 to {INCARNATION_MAX}"),
            Self::MessageBytes { min } => write!(
                f,
                "max_message_bytes must be from {min} to {MESSAGE_BYTES_MAX}: the header of a message, one row of \
                 the digest and the largest entry have to fit; with a smaller max_text_bytes and max_id_bytes it may be smaller"
            ),
            Self::Capacity { name, min, max } => write!(f, "{name} must be from {min} to {max}"),
        }
    }
}

impl core::error::Error for ConfigError {}

/// The smallest `max_message_bytes` with which the header, one row of the digest and every entry fit.
#[must_use]
pub const fn min_message_bytes(limits: &Limits) -> usize {
    size::least(limits)
}

/// Bytes that strategy `relay` adds to a header: the ordinal, its echo, the name of the relay, times and marks.
#[must_use]
pub const fn control_bytes(limits: &Limits) -> usize {
    size::control(limits)
}

impl Config {
    /// The smallest `max_message_bytes` under the chosen strategy.
    #[must_use]
    pub const fn min_message_bytes(&self, limits: &Limits) -> usize {
        min_message_bytes(limits) + if self.strategy.says_control() { control_bytes(limits) } else { 0 }
    }

    /// Checks the choices against each other and against the capacities.
    ///
    /// # Errors
    /// The first choice that is outside of its bounds.
    pub fn check(&self, limits: &Limits) -> Result<(), ConfigError> {
        if !(FANOUT.0..=FANOUT.1).contains(&u32::from(self.fanout)) {
            return Err(ConfigError::Fanout);
        }
        if self.gossip_interval_ms.is_some_and(|ms| !(INTERVAL_MS.0..=INTERVAL_MS.1).contains(&ms)) {
            return Err(ConfigError::Interval);
        }
        if self.incarnation > INCARNATION_MAX {
            return Err(ConfigError::Incarnation);
        }
        let min = self.min_message_bytes(limits);
        if !(min..=MESSAGE_BYTES_MAX).contains(&self.max_message_bytes) {
            return Err(ConfigError::MessageBytes { min });
        }
        limits.check()
    }
}

impl Limits {
    /// Checks that tables of these sizes can be made and indexed.
    ///
    /// # Errors
    /// The first capacity that is outside of its bounds.
    pub const fn check(&self) -> Result<(), ConfigError> {
        match self.first_outside() {
            Some((name, min, max)) => Err(ConfigError::Capacity { name, min, max }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString as _;

    #[test]
    fn an_error_names_the_choice_and_what_it_may_be() {
        for (error, parts) in [
            (ConfigError::Fanout, &["fanout must be from "][..]),
            (ConfigError::Interval, &["gossip_interval_ms must be from "]),
            (ConfigError::Incarnation, &["incarnation must be from 0 to 9007199254740991"]),
            (ConfigError::MessageBytes { min: 635 }, &["max_message_bytes must be from 635 to ", "max_text_bytes"]),
            (ConfigError::Capacity { name: "rows", min: 1, max: 16 }, &["rows must be from 1 to 16"]),
        ] {
            let text = error.to_string();
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        }
    }
}
