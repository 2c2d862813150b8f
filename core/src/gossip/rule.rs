//! Rules that faults made necessary, each of which tests can switch off to show what it is for.

/// A rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Agreement belongs to a view: members and their newest sessions. Without it: to names.
    Views,
    /// A new session asks until it is settled. Without it: until anybody was heard.
    Asking,
    /// Who shows another sum or view since is no longer among those that agree.
    ShowsAnother,
    /// Only who knows that all members agree says that all is well. Without it `relay` leaves out those it cannot reach.
    StableByAll,
    /// Who sees a number above its own with its name takes one above that.
    HigherSession,
    /// Whatever changes state or vector is news, also what is merged beyond the window or changes the vector alone.
    EveryChange,
    /// What a peer is handed is bounded by what is under way to it.
    Window,
    /// Who cannot take everything is nobody's relay.
    FitRelay,
    /// Only a root sends down to everybody; others to their children.
    Tree,
    /// A root sends only every other flush to the children of another relay.
    EveryOther,
    /// Uplinks are timed to the flush.
    Alignment,
    /// While the relay is overdue, one uplink in an interval.
    Pacing,
    /// The echo of its ordinal acknowledges a message, whatever else the peer lacks by then.
    Echo,
    /// What the digest with the echo of a later message lacks was lost.
    HiddenLoss,
    /// Who does not acknowledge is asked before it is suspected.
    Question,
    /// Acknowledgements to anybody but the relay are empty.
    EmptyAcknowledgements,
    /// Suspects are looked for.
    Probes,
    /// Who suspects somebody relevant sends digests to random peers.
    RandomDigests,
    /// Random digests are answered with what was missing some time ago, not with what may be under way.
    OldDigest,
    /// What a full message does not fill is asked for.
    Gaps,
    /// Nobody is silent before it was told that all hold the same.
    StableWord,
    /// A new relay is assumed to hold, and to have sent, what the old one did.
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
