//! Why a change cannot be made.

use crate::replicated::{Bound, Refused};
use crate::storage::Limits;

/// Why [`crate::Node::update`] did not make a change. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpdateError {
    /// A bug of the caller: the node has not joined a cluster yet.
    NotJoined,
    /// A bug of the caller: a string is longer than [`Limits::text_bytes`].
    TooLong {
        /// Bytes that a string may have, as JSON prints it.
        max_bytes: usize,
    },
    /// Weather: a table is full.
    Full(Bound),
    /// The counter, or one of its cells, would leave the range of its integers.
    Overflow,
    /// The clock has no later stamp.
    EndOfTime,
    /// Weather or misconfiguration: this node has no row to make changes in.
    NoRow,
}

impl UpdateError {
    pub(super) fn new(refused: Refused, limits: &Limits) -> Self {
        match refused {
            Refused::Full(bound) => Self::Full(bound),
            Refused::ClockAhead => Self::EndOfTime,
            Refused::Overflow => Self::Overflow,
            // What a caller can make an entry of is readable, unless it is too long.
            Refused::Unreadable => Self::TooLong { max_bytes: limits.text_bytes },
            // A local change goes to this node's own row.
            Refused::Row(_) | Refused::Impostor => Self::NoRow,
        }
    }
}

impl core::fmt::Display for UpdateError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotJoined => f.write_str("the node has not joined a cluster yet"),
            Self::TooLong { max_bytes } => write!(f, "a string is longer than {max_bytes} bytes"),
            Self::Full(bound) => bound.fmt(f),
            Self::Overflow => f.write_str("the counter would leave the range of its integers"),
            Self::EndOfTime => f.write_str("the clock is at its end"),
            Self::NoRow => f.write_str("this node has no row to make changes in"),
        }
    }
}

impl core::error::Error for UpdateError {}
