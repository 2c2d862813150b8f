//! What clients did and saw: one record per operation.

use serde::Serialize;

use crate::settings::{Micros, Workload};

/// A JSON integer or string, the two distinct.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum Scalar {
    /// An integer.
    Int(i64),
    /// A string.
    Text(String),
}

/// A read or a write inside of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Micro {
    /// `["r", key, value]`; before it ran, and where the key has no value, `None`.
    Read(u64, Option<i64>),
    /// `["w", key, value]`. The lab writes each value once per key.
    Write(u64, i64),
}

/// What a client asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "f", content = "value", rename_all = "kebab-case")]
pub enum Call {
    /// `echo`
    Echo(String),
    /// `generate`
    Generate,
    /// `broadcast` of a value, or `add` of an element. The lab adds each value once.
    Add(i64),
    /// `add` to a counter.
    Increment(i64),
    /// `read` of the set or the counter.
    Read,
    /// `write`; the lab writes each value once.
    Write {
        /// Number of the key; on the wire `k<number>`.
        key: u64,
        /// What is written.
        value: i64,
    },
    /// `kv_read`
    KvRead(u64),
    /// `txn`
    Txn(Vec<Micro>),
}

impl Call {
    /// The name of the request on the wire.
    #[must_use]
    pub fn name(&self, workload: Workload) -> &'static str {
        match self {
            Self::Echo(_) => "echo",
            Self::Generate => "generate",
            Self::Add(_) if workload == Workload::Broadcast => "broadcast",
            Self::Add(_) | Self::Increment(_) => "add",
            Self::Read => "read",
            Self::Write { .. } => "write",
            Self::KvRead(_) => "kv_read",
            Self::Txn(_) => "txn",
        }
    }
}

/// What a node answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Done, nothing to show: `broadcast_ok`, `add_ok`.
    Done,
    /// `echo_ok`
    Echo(String),
    /// `generate_ok`
    Id(Scalar),
    /// The set, as the node listed it: order and repetitions kept.
    Elements(Vec<i64>),
    /// The counter.
    Total(i64),
    /// `write_ok` with its stamp, in microseconds.
    Stamp(u64),
    /// `kv_read_ok` with value and stamp.
    Value(i64, u64),
    /// `kv_read` of a key that has no value here: error 20.
    Missing,
    /// `txn_ok`, reads filled in.
    Txn(Vec<Micro>),
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Outcome {
    /// It was acknowledged.
    Ok {
        /// With this.
        answer: Answer,
    },
    /// It certainly did not happen.
    Fail {
        /// Error code; -1 when the process was known to be down and nothing was sent.
        code: i64,
        /// Its text.
        text: String,
    },
    /// It may have happened: no reply in time, a reply that cannot be read, or an indefinite error.
    Info {
        /// What came instead of an answer.
        why: String,
    },
}

/// When in the run an operation was invoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Under load and faults.
    Main,
    /// The final read of each client, after heal and quiet time. Counts as an operation.
    Final,
    /// The lab's own look at every node and key in the end. Not an operation: no figure counts it.
    Inspection,
}

/// One operation.
#[derive(Clone, Debug, Serialize)]
pub struct Op {
    /// Its place in the history, in order of invocation.
    pub index: usize,
    /// The client, from 0. A client whose operation timed out goes on under another id.
    pub client: usize,
    /// The node that it asked.
    pub node: usize,
    /// When in the run.
    pub phase: Phase,
    /// What it asked.
    #[serde(flatten)]
    pub call: Call,
    /// When.
    pub invoked_us: Micros,
    /// When it ended, by a reply or by a timeout.
    pub completed_us: Micros,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl Op {
    /// The answer, if it was acknowledged.
    #[must_use]
    pub fn answer(&self) -> Option<&Answer> {
        match &self.outcome {
            Outcome::Ok { answer } => Some(answer),
            Outcome::Fail { .. } | Outcome::Info { .. } => None,
        }
    }

    /// Whether it may have taken effect: acknowledged, or of unknown outcome.
    #[must_use]
    pub fn may_have_happened(&self) -> bool {
        !matches!(self.outcome, Outcome::Fail { .. })
    }
}

/// All operations of a run, in order of invocation; `ops[i].index == i`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct History {
    /// The operations.
    pub ops: Vec<Op>,
}

impl History {
    /// Operations that figures count: those of the main phase and the final reads.
    pub fn counted(&self) -> impl Iterator<Item = &Op> {
        self.ops.iter().filter(|op| op.phase != Phase::Inspection)
    }
}
