//! The configuration of a node, its bounds, and the errors of its check.

pub use crate::gossip::Strategy;
use crate::storage::Limits;
use crate::wire::gossip::size;

/// Makes the enum of workloads, each with its name on the command line.
macro_rules! workloads {
    ($(#[$attribute:meta])* pub enum $enum:ident { $($(#[$doc:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$attribute])*
        pub enum $enum {
            $($(#[$doc])* $variant,)+
        }

        impl $enum {
            /// All of them.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// The name on the command line.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

workloads! {
    /// The workload. It decides what the requests `read` and `add` mean.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    #[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
    pub enum Workload {
        /// `broadcast` adds a value, and `read` answers with `messages`.
        Broadcast = "broadcast",
        /// `add` takes `element`, and `read` answers with a list.
        GSet = "g-set",
        /// `add` takes a `delta` that is not negative, and `read` answers with an integer.
        GCounter = "g-counter",
        /// `add` takes `delta`, and `read` answers with an integer.
        PnCounter = "pn-counter",
        /// The key-value store. `kv_read` has the key; a `read` is refused.
        Kv = "kv",
        /// Only `echo` is used.
        Echo = "echo",
        /// Only `generate` is used.
        UniqueIds = "unique-ids",
        /// Only `txn` is used.
        TxnRwRegister = "txn-rw-register",
    }
}

/// The configuration of one node.
///
/// `Config::default()` is right for Maelstrom. A program with a transport of its own sets at least `incarnation`,
/// `seed` and `max_message_bytes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Config {
    /// Fixes the meaning of the clients' requests `read` and `add`. With `None`, the default, the latest typed request
    /// decides. A program without JSON clients does not need it.
    pub workload: Option<Workload>,
    /// The strategy that spreads the state; `Rumor` by default.
    pub strategy: Strategy,
    /// The number of peers that a round of gossip goes to, from 1 to 255; 2 by default.
    pub fanout: u8,
    /// Milliseconds between two rounds, from 1 to 60,000; `None` for the defaults of the data types and of the
    /// strategy.
    pub gossip_interval_ms: Option<u32>,
    /// The number of this start of the process, at most 2^53 − 1; 0 by default. It has to be larger than the numbers of
    /// all starts before: microseconds of the wall clock will do. A node that starts with a number that is too small
    /// learns that from its peers, and takes a larger one. [`Member::session`](crate::Member::session) is the one in
    /// force.
    pub incarnation: u64,
    /// The seed of all randomness; 0 by default. It is mixed with the node's id, so nodes may have the same seed. A
    /// peer that knows it can choose keys that make searches long.
    pub seed: u64,
    /// The largest size of a gossip message in bytes, newline included; 1,048,576 by default. A longer message is cut
    /// at an entry boundary. The default is too long for UDP: a packet has room for 1,400 bytes in most networks. The
    /// smallest value is [`Config::min_message_bytes`]: with the default capacities 555 for `Tiny`, 699 for `Small` and
    /// 1,211 for `Heap`.
    pub max_message_bytes: usize,
    /// A stamp that is further ahead of the local wall clock than this is refused, in milliseconds; 60,000 by default.
    pub max_clock_ahead_ms: u64,
    /// Whether [`Member::poll_event`](crate::Member::poll_event) reports events; false by default.
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

/// Why a configuration is refused. The text of each error says what is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// `fanout` is not from 1 to 255.
    Fanout,
    /// `gossip_interval_ms` is not from 1 to 60,000.
    Interval,
    /// `incarnation` is above [`INCARNATION_MAX`].
    Incarnation,
    /// `max_message_bytes` is above 2^30, or too small for a header, one row of the digest and the largest entry.
    MessageBytes {
        /// The smallest value with these limits.
        min: usize,
    },
    /// A capacity is outside of its bounds.
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

/// How many bytes strategy `relay` adds to a message: the ordinal, the echo, the name of the relay, times and flags.
#[must_use]
pub const fn control_bytes(limits: &Limits) -> usize {
    size::control(limits)
}

impl Config {
    /// The smallest `max_message_bytes` with the chosen strategy.
    #[must_use]
    pub const fn min_message_bytes(&self, limits: &Limits) -> usize {
        min_message_bytes(limits) + if self.strategy.says_control() { control_bytes(limits) } else { 0 }
    }

    /// Checks the configuration against its bounds and against the capacities.
    ///
    /// # Errors
    /// The first field that is outside of its bounds.
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
