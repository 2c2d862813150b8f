//! What clients did and saw: one record per operation.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use crate::settings::Micros;

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

/// What a node answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The operation is done, and there is nothing to show: `broadcast_ok`, `add_ok`.
    Done,
    /// `echo_ok`
    Echo(String),
    /// `generate_ok`
    Id(Scalar),
    /// The set as the node listed it, with order and repetitions.
    Elements(Elements),
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

/// The values of a set as a node listed them. A node lists the same values again in each read, so lists that begin
/// alike share their memory. The memory of a run then grows with the number of values, and not with values times reads.
#[derive(Clone)]
pub struct Elements {
    list: Arc<Mutex<Vec<i64>>>,
    len: usize,
}

impl Elements {
    /// How many values there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Looks at the values. `look` must not call it for a list that shares memory with this one.
    pub fn with<R>(&self, look: impl FnOnce(&[i64]) -> R) -> R {
        look(&self.list.lock().unwrap_or_else(PoisonError::into_inner)[..self.len])
    }

    /// The values as a list of its own.
    #[must_use]
    pub fn to_vec(&self) -> Vec<i64> {
        self.with(<[i64]>::to_vec)
    }

    /// Whether both share their memory, so that the shorter one is the beginning of the longer one.
    #[must_use]
    pub fn shares_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.list, &other.list)
    }

    /// The same values, in the memory of the list `before` if one of both is the beginning of the other.
    #[must_use]
    pub fn after(self, before: &Self) -> Self {
        let values = self.to_vec();
        let mut list = before.list.lock().unwrap_or_else(PoisonError::into_inner);
        let common = list.len().min(values.len());
        if list[..common] != values[..common] {
            return self;
        }
        list.extend(&values[common..]);
        Self { list: Arc::clone(&before.list), len: self.len }
    }
}

impl From<Vec<i64>> for Elements {
    fn from(values: Vec<i64>) -> Self {
        Self { len: values.len(), list: Arc::new(Mutex::new(values)) }
    }
}

impl PartialEq for Elements {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && (self.shares_with(other) || self.to_vec() == other.to_vec())
    }
}

impl Eq for Elements {}

impl std::fmt::Debug for Elements {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.with(|values| values.fmt(f))
    }
}

impl Serialize for Elements {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with(|values| values.serialize(serializer))
    }
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
    /// It may have happened: there was no reply in time, a reply that cannot be read, or an indefinite error.
    Info {
        /// What came instead of an answer.
        why: String,
    },
}

/// When in the run an operation was invoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The time of load and faults.
    Main,
    /// The final read of each client, after heal and quiet time. Figures count it as an operation.
    Final,
    /// The inspection of every node and key by the lab in the end. No figure counts it.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_that_begin_alike_share_their_memory_and_others_do_not() {
        let first = Elements::from(vec![5, 1]);
        let longer = Elements::from(vec![5, 1, 7]).after(&first);
        let shorter = Elements::from(vec![5]).after(&longer);
        let other = Elements::from(vec![1, 5]).after(&longer);
        assert!(longer.shares_with(&first) && shorter.shares_with(&first) && !other.shares_with(&first));
        let lists = [&first, &longer, &shorter, &other].map(Elements::to_vec);
        assert_eq!(lists, [vec![5, 1], vec![5, 1, 7], vec![5], vec![1, 5]]);
        assert_eq!(longer, Elements::from(vec![5, 1, 7]));
        assert_ne!(first, longer);
        assert_eq!(serde_json::to_string(&first).unwrap_or_default(), "[5,1]");
    }
}
