//! The options, from the command line and the environment.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::log::Log;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Parser, ValueEnum};
use rumormill_core::Node;
use rumormill_core::config::{Config, ConfigError, INCARNATION_MAX, MESSAGE_BYTES_MAX, Strategy, Workload};
use rumormill_core::data_type::Application;
use rumormill_core::storage::{Heap, Limits, Small, Storage, Tiny};

/// A gossip node: epidemic broadcast, PN-counter and last-writer-wins store, with one JSON message per line on stdin
/// and stdout.
///
/// Every option can also be given as an environment variable. Without options the node serves every workload.
#[derive(Clone, Debug, Parser)]
#[command(name = "rumormill", version, max_term_width = 110)]
pub struct Options {
    /// Workload, which decides what `read` and `add` mean [default: the latest request decides]
    #[arg(short, long, env = "RUMORMILL_WORKLOAD", value_parser = workload())]
    workload: Option<Workload>,

    /// Strategy that spreads the state [default: rumor, or that of --profile]
    #[arg(short, long, env = "RUMORMILL_STRATEGY", value_parser = strategies())]
    strategy: Option<Strategy>,

    /// Strategy and interval for a purpose. --strategy and --gossip-interval-ms override it. The figures are for 25
    /// nodes, 100 ms apart, with 50 values per second in all
    #[arg(short, long, env = "RUMORMILL_PROFILE", value_enum)]
    profile: Option<Purpose>,

    /// Number of random peers that a round of gossip goes to, 1 to 255. Strategy relay ignores this option
    #[arg(short, long, env = "RUMORMILL_FANOUT", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=255), value_name = "PEERS")]
    fanout: u8,

    /// Milliseconds between two rounds of gossip, 1 to 60000. With strategy relay it is the time between two flushes: a
    /// value is at all nodes after this time plus two delays of the network [default: 200 for set and store, 100 for
    /// the counter; 460 with strategy relay]
    #[arg(short = 'i', long, env = "RUMORMILL_GOSSIP_INTERVAL_MS", value_parser = clap::value_parser!(u32).range(1..=60_000), value_name = "MS")]
    gossip_interval_ms: Option<u32>,

    /// Seed of all random choices, 0 to 18446744073709551615 [default: from the clock]
    #[arg(long, env = "RUMORMILL_SEED", value_name = "N")]
    seed: Option<u64>,

    /// Number of this start of the process, 0 to 9007199254740991. It has to be larger at each start [default:
    /// microseconds since 1970]
    #[arg(long, env = "RUMORMILL_INCARNATION", value_parser = clap::value_parser!(u64).range(0..=INCARNATION_MAX), value_name = "N")]
    incarnation: Option<u64>,

    /// Set of capacities; the options below change single ones
    #[arg(short, long, env = "RUMORMILL_CAPACITY_PROFILE", value_enum, default_value = "large")]
    capacity_profile: ProfileName,

    /// Values in the set, 1 to 1073741824 [default: large 1048576, small 4096, tiny 128]
    #[arg(long, env = "RUMORMILL_MAX_VALUES", value_name = "N")]
    max_values: Option<usize>,

    /// Bytes of all strings in the set together, 0 to 2147483648 [default: large 16777216, small 16384, tiny 512]
    #[arg(long, env = "RUMORMILL_MAX_SET_TEXT_BYTES", value_name = "BYTES")]
    max_set_text_bytes: Option<usize>,

    /// Keys in the store, 1 to 16777216 [default: large 65536, small 256, tiny 16]
    #[arg(long, env = "RUMORMILL_MAX_KEYS", value_name = "N")]
    max_keys: Option<usize>,

    /// Bytes of one string value or key, as JSON prints it, 8 to 65536 [default: large 256, small 64, tiny 24]
    #[arg(long, env = "RUMORMILL_MAX_TEXT_BYTES", value_name = "BYTES")]
    max_text_bytes: Option<usize>,

    /// Bytes of all strings in the store together, keys and values, without escapes, 0 to 2147483648 [default: room for
    /// two of --max-text-bytes per key, but not more than 33554432, or 512 per key if that is more]
    #[arg(long, env = "RUMORMILL_MAX_STORE_TEXT_BYTES", value_name = "BYTES")]
    max_store_text_bytes: Option<usize>,

    /// Bytes of a node or client id, 2 to 64 [default: large 64, small 32, tiny 16]
    #[arg(long, env = "RUMORMILL_MAX_ID_BYTES", value_name = "BYTES")]
    max_id_bytes: Option<usize>,

    /// Nodes of the cluster, 1 to 1048576 [default: large 256, small 32, tiny 8]
    #[arg(long, env = "RUMORMILL_MAX_NODES", value_name = "N")]
    max_nodes: Option<usize>,

    /// Rows of all nodes: one for each life of a node in which it changed something, 1 to 16777216 [default: large
    /// 2048, small 128, tiny 32]
    #[arg(long, env = "RUMORMILL_MAX_ROWS", value_name = "N")]
    max_rows: Option<usize>,

    /// Peers whose version vectors are kept, 1 to 1048576 [default: large 256, small 32, tiny 4]
    #[arg(long, env = "RUMORMILL_MAX_KNOWN_PEERS", value_name = "N")]
    max_known_peers: Option<usize>,

    /// Ranges of new changes that can wait for their push, 1 to 1048576 [default: large 1024, small 64, tiny 16]
    #[arg(long, env = "RUMORMILL_MAX_RUMORS", value_name = "N")]
    max_rumors: Option<usize>,

    /// Bytes of the data that an `echo` or `txn` reply gives back, 64 to 1073741824 [default: large 65536, small 2048,
    /// tiny 256; at least eight strings if --max-text-bytes is above 256]
    #[arg(long, env = "RUMORMILL_MAX_PAYLOAD_BYTES", value_name = "BYTES")]
    max_payload_bytes: Option<usize>,

    /// Bytes of a gossip message, up to --max-line-bytes. The smallest value depends on the bounds on strings and ids
    /// [default: 1048576, or --max-line-bytes if that is less]
    #[arg(long, env = "RUMORMILL_MAX_MESSAGE_BYTES", value_name = "BYTES")]
    max_message_bytes: Option<usize>,

    /// Bytes of a line on stdin, 1024 to 1073741824. Longer lines are skipped and counted
    #[arg(long, env = "RUMORMILL_MAX_LINE_BYTES", default_value_t = 4 << 20, value_name = "BYTES",
        value_parser = clap::value_parser!(u64).range(1_024..=1 << 30))]
    max_line_bytes: u64,

    /// Milliseconds that a stamp may be ahead of this node's clock, 0 to 31536000000
    #[arg(long, env = "RUMORMILL_MAX_CLOCK_AHEAD_MS", default_value_t = 60_000, value_name = "MS",
        value_parser = clap::value_parser!(u64).range(0..=31_536_000_000))]
    max_clock_ahead_ms: u64,

    /// Level of the log on stderr
    #[arg(short, long, env = "RUMORMILL_LOG", value_enum, default_value = "warn")]
    log: Level,
}

/// Reads the name of a workload; `--help` lists all of them.
fn workload() -> impl TypedValueParser<Value = Workload> {
    PossibleValuesParser::new(Workload::ALL.map(Workload::name)).try_map(|name| {
        Workload::ALL.into_iter().find(|workload| workload.name() == name).ok_or("there is no such workload")
    })
}

/// The strategies of the core by their names, each with what it does.
fn strategies() -> impl TypedValueParser<Value = Strategy> {
    let described = |strategy: Strategy| {
        PossibleValue::new(strategy.name()).help(match strategy {
            Strategy::Rumor => "Rumor mongering, repaired by anti-entropy",
            Strategy::Relay => "One node gathers all changes and sends them to all others; any node can be that relay",
        })
    };
    let find = |name: String| Strategy::ALL.into_iter().find(|strategy| strategy.name() == name);
    PossibleValuesParser::new(Strategy::ALL.map(described)).try_map(move |name| find(name).ok_or("no such strategy"))
}

/// The purpose that a cluster is tuned for.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Purpose {
    /// Strategy relay, flushes 460 ms apart: a value is at all nodes after 0.46 s in the median and 0.69 s at most,
    /// with 0.93 messages per operation
    LowLatency,
    /// Strategy relay, flushes 900 ms apart: 0.70 s in the median and 1.13 s at most, with 0.56 messages per operation
    Balanced,
    /// Strategy relay, flushes 1730 ms apart: 1.2 s in the median and 1.96 s at most, with 0.33 messages per operation
    LowTraffic,
}

impl Purpose {
    /// Milliseconds between two flushes.
    const fn interval_ms(self) -> u32 {
        match self {
            Self::LowLatency => 460,
            Self::Balanced => 900,
            Self::LowTraffic => 1_730,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ProfileName {
    /// For a sensor: 8 nodes, 128 values, 16 keys
    Tiny,
    /// For a gateway: 32 nodes, 4096 values, 256 keys
    Small,
    /// For a server: 256 nodes, 1048576 values, 65536 keys
    Large,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Options {
    /// Makes the node with these options.
    ///
    /// # Errors
    /// A sentence that says which option is wrong and what is allowed.
    pub fn node<S: Application>(&self) -> Result<Node<S>, String> {
        if self.max_message_bytes() > self.max_line_bytes() {
            let line = self.max_line_bytes;
            return Err(format!("--max-message-bytes must not be above --max-line-bytes, which is {line}"));
        }
        Node::with_limits(self.config(), self.limits()).map_err(|error| {
            let ConfigError::Capacity { name, min, max } = error else {
                return format!("--{}", error.to_string().replace('_', "-"));
            };
            format!("--max-{} must be from {min} to {max}", name.replace("_per_node", "").replace('_', "-"))
        })
    }

    /// The bound on the length of a line.
    #[must_use]
    pub fn max_line_bytes(&self) -> usize {
        usize::try_from(self.max_line_bytes).unwrap_or(MESSAGE_BYTES_MAX)
    }

    fn strategy(&self) -> Strategy {
        match (self.strategy, self.profile) {
            (Some(strategy), _) => strategy,
            (None, Some(Purpose::LowLatency | Purpose::Balanced | Purpose::LowTraffic)) => Strategy::Relay,
            (None, None) => Strategy::default(),
        }
    }

    fn max_message_bytes(&self) -> usize {
        self.max_message_bytes.unwrap_or_else(|| self.max_line_bytes().min(Config::default().max_message_bytes))
    }

    /// Sends the log to standard error. [`Log::finish`] of the result waits for the last lines.
    #[must_use]
    pub fn start_log(&self) -> Log {
        use tracing_subscriber::filter::LevelFilter;
        let level = match self.log {
            Level::Off => LevelFilter::OFF,
            Level::Error => LevelFilter::ERROR,
            Level::Warn => LevelFilter::WARN,
            Level::Info => LevelFilter::INFO,
            Level::Debug => LevelFilter::DEBUG,
            Level::Trace => LevelFilter::TRACE,
        };
        let log = Log::default();
        tracing_subscriber::fmt()
            .with_max_level(level)
            .with_writer(log.clone())
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .log_internal_errors(false)
            .init();
        log
    }

    /// The configuration of the node. Seed and incarnation come from the clock if they were not given.
    #[must_use]
    pub fn config(&self) -> Config {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now_us = u64::try_from(since_1970.as_micros()).unwrap_or(INCARNATION_MAX).min(INCARNATION_MAX);
        let from_clock = since_1970.as_nanos() as u64 ^ u64::from(std::process::id()) << 32;
        Config {
            workload: self.workload,
            strategy: self.strategy(),
            fanout: self.fanout,
            gossip_interval_ms: self.gossip_interval_ms.or(self.profile.map(Purpose::interval_ms)),
            incarnation: self.incarnation.unwrap_or(now_us),
            seed: self.seed.unwrap_or(from_clock),
            max_message_bytes: self.max_message_bytes(),
            max_clock_ahead_ms: self.max_clock_ahead_ms,
            events: false,
        }
    }

    /// The capacities of the node.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let base = match self.capacity_profile {
            ProfileName::Tiny => Tiny::LIMITS,
            ProfileName::Small => Small::LIMITS,
            ProfileName::Large => Heap::LIMITS,
        };
        let nodes = self.max_nodes.unwrap_or(base.nodes);
        let values = self.max_values.unwrap_or(base.values);
        let keys = self.max_keys.unwrap_or(base.keys);
        let text_bytes = self.max_text_bytes.unwrap_or(base.text_bytes);
        let dense_values = if self.max_values.is_some() { values.saturating_mul(8) } else { base.dense_values };
        Limits {
            nodes,
            rows: self.max_rows.unwrap_or(base.rows),
            known_peers: self.max_known_peers.unwrap_or(base.known_peers),
            values,
            set_text_bytes: self.max_set_text_bytes.unwrap_or(base.set_text_bytes),
            dense_values,
            keys,
            text_bytes,
            store_text_bytes: self.max_store_text_bytes.unwrap_or_else(|| store_text_bytes(keys, text_bytes)),
            id_bytes: self.max_id_bytes.unwrap_or(base.id_bytes),
            rumors: self.max_rumors.unwrap_or(base.rumors),
            // This program polls no events.
            events: 0,
            payload_bytes: self.max_payload_bytes.unwrap_or_else(|| base.payload_bytes.max(payload_bytes(text_bytes))),
        }
    }
}

/// If strings have at most this many bytes, the default has room for those of all keys.
const SHORT_TEXT: usize = 256;

/// The default room for the strings of the store, in bytes. It has room for all strings of all keys if strings are
/// short, and for fewer if they are long.
fn store_text_bytes(keys: usize, text_bytes: usize) -> usize {
    let all = |text_bytes: usize| keys.saturating_mul(2).saturating_mul(text_bytes);
    all(text_bytes).min(all(SHORT_TEXT).max(32 << 20))
}

/// The least default room for a payload, in bytes: for a few operations of a transaction if strings are long.
fn payload_bytes(text_bytes: usize) -> usize {
    if text_bytes > SHORT_TEXT { text_bytes.saturating_mul(8) } else { 0 }
}
