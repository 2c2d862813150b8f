//! Why a line is not answered, a node does not join, or a change cannot be made.

use crate::config::ConfigError;
use crate::id::NotACluster;
use crate::replicated::{Bound, Refused};
use crate::storage::Limits;
use crate::wire::Malformed;

/// Why a line got no reply. Nothing changed but a counter in [`Stats`](crate::Stats), and the next line is read normally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejected {
    /// Hostile, or a bug elsewhere: the line is no message.
    Malformed(Malformed),
    /// A bug elsewhere: no usable `src` or `msg_id`, so there is nobody to answer.
    Unanswerable,
    /// A bug elsewhere: the message is for another node.
    Misdelivered,
    /// Hostile or misconfigured: a node-to-node message from outside of the cluster.
    Stranger,
    /// A bug of the driver: the reply to the line before was not polled. The line was not read.
    ReplyPending,
}

impl Rejected {
    /// The reason in words, for drivers that write no formatted text.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(why) => why.reason(),
            Self::Unanswerable => "it has no usable src or msg_id, so there is nobody to answer",
            Self::Misdelivered => "it is for another node",
            Self::Stranger => "it is a message between nodes, and its sender is no other member of the cluster",
            Self::ReplyPending => "the reply to the line before was not polled",
        }
    }
}

impl core::fmt::Display for Rejected {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Malformed(why) => why.fmt(f),
            Self::Unanswerable | Self::Misdelivered | Self::Stranger | Self::ReplyPending => f.write_str(self.reason()),
        }
    }
}

impl core::error::Error for Rejected {}

/// Why a node did not become a member of a cluster. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JoinError {
    /// A choice is outside of its bounds.
    Config(ConfigError),
    /// More ids than the storage has room for.
    TooManyNodes {
        /// Members that a cluster may have.
        max: usize,
    },
    /// An id is empty, too long, or ends in `@` and digits, which is how rows of past lives are written.
    BadId {
        /// Bytes that an id may have, as JSON prints it.
        max_bytes: usize,
    },
    /// An id is listed twice.
    DuplicateId,
    /// This node's own id is not in the list.
    Absent,
    /// The node is a member of a cluster already.
    JoinedAlready,
}

impl JoinError {
    pub(super) fn new(why: NotACluster, limits: &Limits) -> Self {
        match why {
            NotACluster::TooMany => Self::TooManyNodes { max: limits.nodes },
            NotACluster::BadId => Self::BadId { max_bytes: limits.id_bytes },
            NotACluster::Twice => Self::DuplicateId,
            NotACluster::Absent => Self::Absent,
        }
    }
}

impl From<ConfigError> for JoinError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl core::fmt::Display for JoinError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::TooManyNodes { max } => write!(f, "a cluster has at most {max} nodes"),
            Self::BadId { max_bytes } => {
                write!(f, "a node id must have from 1 to {max_bytes} bytes and may not end in @ and digits")
            }
            Self::DuplicateId => f.write_str("an id is listed twice"),
            Self::Absent => f.write_str("this node's own id is not in the list of members"),
            Self::JoinedAlready => f.write_str("the node is a member of a cluster already"),
        }
    }
}

impl core::error::Error for JoinError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            Self::TooManyNodes { .. } | Self::BadId { .. } | Self::DuplicateId | Self::Absent | Self::JoinedAlready => {
                None
            }
        }
    }
}

/// Why [`Member::update`](crate::Member::update) did not make a change. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpdateError {
    /// A bug of the caller: a string is longer than [`Limits::text_bytes`].
    TooLong {
        /// Bytes that a string may have, as JSON prints it.
        max_bytes: usize,
    },
    /// Weather: a table is full.
    Full(Bound),
    /// The counter, or one of its cells, would leave the range of its integers.
    Overflow,
    /// A bug of the caller: no data type takes the entry of [`Change::Entry`](crate::Change::Entry), or it is too long to travel.
    Unreadable,
    /// The clock has no later stamp.
    EndOfTime,
    /// Weather or misconfiguration: this node has no row to make changes in.
    NoRow,
}

impl UpdateError {
    pub(super) fn new(refused: Refused, limits: &Limits) -> Self {
        match refused {
            Refused::Full(bound) => Self::Full(bound),
            Refused::ClockAhead | Refused::EndOfTime => Self::EndOfTime,
            Refused::Overflow => Self::Overflow,
            // Of the changes that this crate makes entries of, only strings that are too long are refused in this way.
            Refused::Unreadable => Self::TooLong { max_bytes: limits.text_bytes },
            // A local change goes to this node's own row.
            Refused::Row(_) | Refused::Impostor => Self::NoRow,
        }
    }
}

impl core::fmt::Display for UpdateError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::TooLong { max_bytes } => write!(f, "a string is longer than {max_bytes} bytes"),
            Self::Full(bound) => bound.fmt(f),
            Self::Overflow => f.write_str("a number would leave the range of its integers"),
            Self::Unreadable => f.write_str("no data type takes this entry, or it is too long"),
            Self::EndOfTime => f.write_str("the clock is at its end"),
            Self::NoRow => f.write_str("this node has no row to make changes in"),
        }
    }
}

impl core::error::Error for UpdateError {}
