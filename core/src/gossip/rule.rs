//! The rules that faults made necessary. A test can switch off each of them to show what the rule is for.

/// A rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Agreement belongs to a view: the members and their newest sessions. Without the rule it belongs to the members
    /// alone.
    Views,
    /// A new session asks until it is settled. Without the rule it asks until any peer was heard.
    Asking,
    /// A member that shows another digest or view is taken out of the set of those that agree.
    ShowsAnother,
    /// A node says `stable` only when it knows that all members agree. Without the rule, `relay` leaves out members
    /// that it suspects.
    StableByAll,
    /// A node that sees a session of its own name above its own takes a larger one.
    HigherSession,
    /// Each change of state or vector is news. Without the rule, an entry beyond the window is none, and neither is a
    /// change of the vector alone.
    EveryChange,
    /// The bytes under way to a peer are bounded by a window.
    Window,
    /// A node that refuses entries is no relay.
    FitRelay,
    /// Only a root sends down to all peers. Other nodes send down to their children.
    Tree,
    /// The children of another relay get only every other flush of a root.
    EveryOther,
    /// Uplinks are timed to the flush.
    Alignment,
    /// While the flush of the relay is overdue, at most one uplink leaves per interval.
    Pacing,
    /// A message is acknowledged by the echo of its ordinal, even if the peer lacks newer changes by then.
    Echo,
    /// Entries that the peer's digest lacks, although it comes with the echo of a later message, count as lost.
    HiddenLoss,
    /// A peer that does not acknowledge is asked before it is suspected.
    Question,
    /// An acknowledgement has no entries, unless it goes to the relay.
    EmptyAcknowledgements,
    /// Suspected peers are probed.
    Probes,
    /// A node that suspects a peer it needs sends digests to random peers.
    RandomDigests,
    /// The answer to a random digest holds only entries that were missing some time ago already, not those that may be
    /// under way.
    OldDigest,
    /// A node asks for entries that a full message should have brought and did not.
    Gaps,
    /// A node falls silent only after it was told that all members agree.
    StableWord,
    /// When the relay changes, each peer is assumed to hold what the old relay held.
    TakeOver,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::Views,
        Self::Asking,
        Self::ShowsAnother,
        Self::StableByAll,
        Self::HigherSession,
        Self::EveryChange,
        Self::Window,
        Self::FitRelay,
        Self::Tree,
        Self::EveryOther,
        Self::Alignment,
        Self::Pacing,
        Self::Echo,
        Self::HiddenLoss,
        Self::Question,
        Self::EmptyAcknowledgements,
        Self::Probes,
        Self::RandomDigests,
        Self::OldDigest,
        Self::Gaps,
        Self::StableWord,
        Self::TakeOver,
    ];
}

/// The rules in force: all but those that a test has switched off.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rules {
    off: u32,
}

impl Rules {
    pub(super) fn switch_off(&mut self, rule: Rule) {
        self.off |= 1 << rule as u32;
    }

    pub(super) fn keeps(self, rule: Rule) -> bool {
        self.off >> rule as u32 & 1 == 0
    }
}
