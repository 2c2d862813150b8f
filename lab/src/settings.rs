//! The settings of a run: the choices that a person makes. This module knows nothing of how a run works.

use clap::ValueEnum;
use serde::Serialize;

/// Microseconds since the start of the run, on virtual or on real time.
pub type Micros = u64;

/// One second.
pub const SECOND: Micros = 1_000_000;

/// What clients ask of the nodes. The names and the messages are Maelstrom's, and `kv` is our own. What the lab knows
/// of each is in a file of its own, in the folder `workload`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// `broadcast` and `read`, half and half; checked as a set.
    Broadcast,
    /// `add` of an element and `read`, half and half; checked as a set.
    GSet,
    /// `add` of 0 to 4, and `read`.
    GCounter,
    /// `add` of -5 to 4, and `read`.
    PnCounter,
    /// `generate`, to get ids that all differ.
    UniqueIds,
    /// `echo`, to get the same value back.
    Echo,
    /// Transactions of reads and writes.
    TxnRwRegister,
    /// `write` and `kv_read`, last writer wins.
    Kv,
}

/// How long a message between two nodes takes. Messages of clients take no time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LatencyDist {
    /// Always the mean.
    #[default]
    Constant,
    /// Uniform between 0 and twice the mean.
    Uniform,
    /// Exponential with this mean.
    Exponential,
}

/// How the network delivers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkMode {
    /// As under Maelstrom. A receiver has one message in delivery, and all others wait, also requests of clients. A
    /// partition is checked when the receiver takes the message from its queue.
    #[default]
    Compat,
    /// No message waits for another. A message arrives when it is due, unless its link is cut when it leaves or
    /// arrives.
    Precise,
}

/// The neighbours of each node, as told by `topology`. It is advice only: nodes may talk to all others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Topology {
    /// A square grid.
    #[default]
    Grid,
    /// One after the other.
    Line,
    /// Everyone is everyone's neighbour.
    Total,
    /// A tree in which each node has up to 2 children.
    Tree2,
    /// A tree in which each node has up to 3 children.
    Tree3,
    /// A tree in which each node has up to 4 children.
    Tree4,
}

/// What goes wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Links are cut for a while.
    Partition,
    /// A process is killed, and started again with an empty memory.
    Kill,
    /// A process is stopped for a while, as by SIGSTOP.
    Pause,
    /// Messages between nodes are lost.
    Loss,
    /// Messages between nodes arrive twice.
    Duplicate,
}

/// Jepsen's four kinds of partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum PartitionKind {
    /// One node is cut off.
    One,
    /// A majority and the rest.
    Majority,
    /// A third of the nodes, rounded down but at least one, is cut off.
    MinorityThird,
    /// Every node sees a majority, and no two nodes see the same one. So "sees" is not transitive.
    MajoritiesRing,
}

impl PartitionKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::One, Self::Majority, Self::MinorityThird, Self::MajoritiesRing];
}

/// Faults of a run.
#[derive(Clone, Debug, Serialize)]
pub struct FaultPlan {
    /// Kinds of faults that happen by chance. Each kind follows a clock of its own.
    pub kinds: Vec<FaultKind>,
    /// Mean time between start and stop, and stop and start: gaps are uniform in [0, 2 · interval).
    pub interval_us: Micros,
    /// The only kind of partition, if it is given. Otherwise all kinds are equally likely.
    pub partition_kind: Option<PartitionKind>,
    /// Partitions cut one direction only: messages from the smaller side are lost, messages to it arrive.
    pub one_way: bool,
    /// The node that is cut off, killed or paused; otherwise one by chance. Index into the node ids.
    pub victim: Option<usize>,
    /// Share of messages between nodes that is lost while `loss` is on, 0 to 1.
    pub loss_rate: f64,
    /// Share of messages between nodes that arrives twice while `duplicate` is on, 0 to 1.
    pub duplicate_rate: f64,
    /// How many nodes are killed or paused at one moment, at most.
    pub at_once: usize,
    /// Nodes that are dead when clients stop stay dead.
    pub keep_dead: bool,
    /// Faults at given times, in order of time. If there are any, `kinds` is not used.
    pub schedule: Vec<Scheduled>,
}

/// A line of a schedule file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scheduled {
    /// After the first operation could be invoked.
    pub at_us: Micros,
    /// What happens.
    pub what: Planned,
}

/// A fault as a schedule file names it. Nodes are indices into the node ids.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Planned {
    /// A partition of a kind; a victim is cut off where the kind cuts off one side.
    Partition(PartitionKind, Option<usize>),
    /// These nodes are cut off from the others.
    Isolate(Vec<usize>),
    /// No message passes from the first to the second node. The other direction is untouched.
    Cut(usize, usize),
    /// All links work again.
    Heal,
    /// A process is killed.
    Kill(usize),
    /// A killed process is started again, with an empty memory.
    Restart(usize),
    /// A process is stopped.
    Pause(usize),
    /// A stopped process goes on.
    Resume(usize),
    /// Share of messages lost from now on.
    Loss(f64),
    /// Share of messages duplicated from now on.
    Duplicate(f64),
    /// The wall clock of a node jumps by so many microseconds. In simulation only.
    Clock(usize, i64),
    /// A node is asked to `configure`, or all nodes are.
    Configure(Option<usize>, Tuning),
}

/// What a request `configure` asks for.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Tuning {
    /// `fanout`
    pub fanout: Option<u32>,
    /// `gossip_interval_ms`
    pub interval_ms: Option<u32>,
    /// `strategy`: "rumor" or "relay"
    pub strategy: Option<String>,
}

impl Tuning {
    /// The fields of the request, each with a comma before it.
    #[must_use]
    pub fn fields(&self) -> String {
        let fanout = self.fanout.map(|fanout| format!(r#","fanout":{fanout}"#));
        let interval = self.interval_ms.map(|ms| format!(r#","gossip_interval_ms":{ms}"#));
        let strategy = self.strategy.as_ref().map(|name| format!(r#","strategy":"{name}""#));
        [fanout, interval, strategy].into_iter().flatten().collect()
    }
}

/// How values of the set and the store are written on the wire. To the lab they are numbers in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ValueKind {
    /// Integers.
    #[default]
    Int,
    /// Texts with characters that need escapes.
    Text,
    /// Even numbers as integers, odd ones as texts.
    Mixed,
}

/// The end of each text, after the number: a quote, a letter of two bytes, one of four, and a backslash.
const TEXT_END: &str = " \"\u{e9}\u{1f600}\\";

/// The number of a text that the lab has sent as a value.
#[must_use]
pub fn value_of(text: &str) -> Option<i64> {
    text.strip_prefix('v')?.strip_suffix(TEXT_END)?.parse().ok()
}

impl ValueKind {
    /// Whether a value is a text.
    #[must_use]
    pub fn is_text(self, value: i64) -> bool {
        match self {
            Self::Int => false,
            Self::Text => true,
            Self::Mixed => value & 1 == 1,
        }
    }

    /// A value as JSON.
    #[must_use]
    pub fn json(self, value: i64) -> String {
        if self.is_text(value) {
            return serde_json::Value::from(format!("v{value}{TEXT_END}")).to_string();
        }
        value.to_string()
    }

    /// The number of a value in a reply. `None` if it is of the wrong kind, because 1 and "1" are two values.
    #[must_use]
    pub fn read(self, value: &serde_json::Value) -> Option<i64> {
        let (number, is_text) = match value {
            serde_json::Value::Number(number) => (number.as_i64()?, false),
            serde_json::Value::String(text) => (value_of(text)?, true),
            serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Array(_)
            | serde_json::Value::Object(_) => return None,
        };
        (self.is_text(number) == is_text).then_some(number)
    }

    /// The words for a list of values.
    #[must_use]
    pub const fn list(self) -> &'static str {
        match self {
            Self::Int => "a list of integers",
            Self::Text | Self::Mixed => "a list of values that the lab adds",
        }
    }
}

/// The anomalies that transactions must not show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Consistency {
    /// No G0 (dirty write).
    ReadUncommitted,
    /// Also no G1a (aborted read), G1b (intermediate read) and G1c (circular information flow).
    #[default]
    ReadCommitted,
}

/// Everything that decides what happens in a run, except for the program under test.
#[derive(Clone, Debug, Serialize)]
pub struct Settings {
    /// What clients ask.
    pub workload: Workload,
    /// Number of nodes; they are called `n0`, `n1`, …
    pub nodes: usize,
    /// Operations per second, all clients together.
    pub rate: f64,
    /// How long clients invoke operations.
    pub time_limit_us: Micros,
    /// Mean delay between two nodes.
    pub latency_us: Micros,
    /// Its distribution.
    pub latency_dist: LatencyDist,
    /// How messages are delivered.
    pub network: NetworkMode,
    /// Clients; each has one operation in flight, and client i talks to node i modulo the number of nodes.
    pub concurrency: usize,
    /// The neighbours that nodes are told in the workload `broadcast`.
    pub topology: Topology,
    /// The consistency model that transactions are checked against.
    pub consistency: Consistency,
    /// Share of operations that must succeed, 0 to 1; 1 is "total".
    pub availability: Option<f64>,
    /// The longest interval between rounds or flushes of the nodes, as far as it is known. How long nodes may talk and
    /// differ in the end grows with it.
    pub interval_us: Micros,
    /// The shortest interval between rounds of the nodes, as far as it is known.
    pub fastest_interval_us: Micros,
    /// The most messages from one node to one peer within a second; more make a run invalid. `Some(0)` stands for the
    /// bound of the built-in node, `None` for no bound.
    pub storm_above: Option<u64>,
    /// Bytes per second that a link between two nodes carries in one direction; `None` for any number.
    pub bandwidth: Option<f64>,
    /// A reply to a client that has given up mutes its node for good, as under Maelstrom.
    pub mute_late: bool,
    /// Values that the first node is given before clients begin.
    pub preload: usize,
    /// How values are written on the wire.
    pub values: ValueKind,
    /// When clients stop, counted from when they begin. Faults go on until the time limit. `None` for the time limit.
    pub ops_until_us: Option<Micros>,
    /// In simulation: how far the wall clocks of nodes are ahead, or behind, in microseconds.
    pub clocks_us: Vec<(usize, i64)>,
    /// Quiet time between the heal and the final reads.
    pub recovery_us: Micros,
    /// A request without a reply for this long has an unknown outcome.
    pub timeout_us: Micros,
    /// Share of operations that write, 0 to 1.
    pub write_share: f64,
    /// The number of nodes that get writes, from the first. 0 for all.
    pub writers: usize,
    /// Keys in `kv` and `txn-rw-register`.
    pub keys: u64,
    /// The faults of the run.
    pub faults: FaultPlan,
    /// The seed of all random choices of the lab.
    pub seed: u64,
    /// Checkers whose complaints do not make a run invalid.
    pub ignore: Vec<String>,
}

impl Settings {
    /// The id of a node.
    #[must_use]
    pub fn id(&self, node: usize) -> String {
        format!("n{node}")
    }

    /// Whether a value is one of those that the first node begins with.
    #[must_use]
    pub fn is_preloaded(&self, value: i64) -> bool {
        usize::try_from(value).is_ok_and(|value| value < self.preload)
    }
}

impl Default for FaultPlan {
    fn default() -> Self {
        Self {
            kinds: Vec::new(),
            interval_us: 10 * SECOND,
            partition_kind: None,
            one_way: false,
            victim: None,
            loss_rate: 0.1,
            duplicate_rate: 0.1,
            at_once: 1,
            keep_dead: false,
            schedule: Vec::new(),
        }
    }
}

impl Default for Settings {
    /// Broadcast on five nodes at 10 operations per second for 10 s, without delay and faults.
    fn default() -> Self {
        Self {
            workload: Workload::Broadcast,
            nodes: 5,
            rate: 10.0,
            time_limit_us: 10 * SECOND,
            latency_us: 0,
            latency_dist: LatencyDist::Constant,
            network: NetworkMode::Compat,
            concurrency: 5,
            topology: Topology::Grid,
            consistency: Consistency::ReadCommitted,
            availability: None,
            interval_us: 460_000,
            fastest_interval_us: 100_000,
            storm_above: None,
            bandwidth: None,
            mute_late: false,
            preload: 0,
            values: ValueKind::Int,
            ops_until_us: None,
            clocks_us: Vec::new(),
            recovery_us: 10 * SECOND,
            timeout_us: 5 * SECOND,
            write_share: 0.5,
            writers: 0,
            keys: 10,
            faults: FaultPlan::default(),
            seed: 0,
            ignore: Vec::new(),
        }
    }
}
