//! What must not happen.

use std::fmt;

/// A rule that was broken, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A node rejected a line that a peer, or a client, had every right to send.
    Rejected {
        /// Who.
        node: usize,
        /// Why, in the node's words.
        why: String,
        /// The line.
        line: String,
    },
    /// A node holds what nobody wrote.
    Invented {
        /// Who.
        node: usize,
        /// What.
        what: String,
    },
    /// A node no longer holds what it held before, although it did not crash.
    Forgot {
        /// Who.
        node: usize,
        /// What.
        what: String,
    },
    /// A number of a change was given a second time.
    DotTwice {
        /// By whom.
        node: usize,
        /// In which life.
        life: u64,
        /// The number.
        seq: u64,
    },
    /// Two nodes hold different writes under the same digest.
    SameSum {
        /// One of them.
        node: usize,
        /// The other one.
        other: usize,
    },
    /// A node says that it is settled, and a member never held its state in the session that the node's view names.
    Settled {
        /// Who.
        node: usize,
        /// The member.
        member: usize,
        /// Its session in the view.
        session: Option<u64>,
        /// What the node holds.
        holds: String,
    },
    /// A node says that it is settled, although the newest message of a member shows another state.
    Overruled {
        /// Who.
        node: usize,
        /// The member.
        member: usize,
    },
    /// After the heal: nodes differ for ever.
    Differ {
        /// What each holds.
        who: String,
        /// Whether all are silent.
        silent: bool,
    },
    /// After the heal: what a live node held, or a message in flight carried, is nowhere.
    Lost {
        /// What.
        what: String,
    },
    /// After the heal: all hold the same, and not all know it.
    Unsettled {
        /// Who does.
        who: String,
        /// Whether all are silent.
        silent: bool,
    },
    /// After the heal: all hold the same, and still talk.
    Talks {
        /// Messages in flight.
        messages: usize,
    },
}

impl Violation {
    /// Whether both break the same rule: then a shorter trail to the one explains the other.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = |silent: bool| if silent { "all are silent" } else { "they still talk" };
        match self {
            Self::Rejected { node, why, line } => write!(f, "n{node} rejects a line ({why}): {line}"),
            Self::Invented { node, what } => write!(f, "n{node} holds {what}, which nobody wrote"),
            Self::Forgot { node, what } => write!(f, "n{node} no longer holds {what}"),
            Self::DotTwice { node, life, seq } => {
                write!(f, "n{node} gives its change number {seq} of life {life} a second time")
            }
            Self::SameSum { node, other } => write!(f, "n{node} and n{other} have the same digest and differ"),
            Self::Settled { node, member, session, holds } => {
                write!(f, "n{node} says that it is settled, holding {holds}; n{member} never held that")?;
                match session {
                    Some(session) => write!(f, " in session {session}"),
                    None => write!(f, " in any session"),
                }
            }
            Self::Overruled { node, member } => write!(
                f,
                "n{node} says that it is settled, and the newest message of n{member}, which it has just heard, shows another state"
            ),
            Self::Differ { who, silent } => write!(f, "after the heal nodes differ and {}: {who}", how(*silent)),
            Self::Lost { what } => write!(f, "after the heal nobody holds {what}, which was held or under way"),
            Self::Unsettled { who, silent } => {
                write!(f, "after the heal all hold the same, not all know it, and {}: {who}", how(*silent))
            }
            Self::Talks { messages } => {
                write!(
                    f,
                    "after the heal all hold the same and still talk when the time for that is over, with {messages} messages in flight"
                )
            }
        }
    }
}
