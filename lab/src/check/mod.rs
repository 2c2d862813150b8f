//! The checkers that every run has, and the tools from which the checkers of data types are made. This module knows no
//! data type, no bench and no node.
//!
//! A checker is a pure function of settings, history and trace. The checkers of a data type are in the folder of that
//! data type (`workload`). [`crate::judge`] runs all of them.

mod acknowledged;
mod availability;
pub(crate) mod bits;
pub(crate) mod figures;
pub(crate) mod final_state;
mod lives;
pub(crate) mod monotonic;
mod patience;
pub(crate) mod phantom;
mod protocol;
mod silence;
pub(crate) mod staleness;
mod storm;
pub(crate) mod view;
pub(crate) mod words;

#[cfg(test)]
pub(crate) mod testing;

use crate::judgement::{Judgement, Quantiles, SetFigures, Slow, Validity};
pub use patience::recovery_us;
use view::View;

/// A checker: its name as `--ignore` takes it, and what it demands.
#[derive(Clone, Copy, Debug)]
pub struct Checker {
    /// As `--ignore` takes it.
    pub name: &'static str,
    /// What has to hold, in one line.
    pub meaning: &'static str,
    pub(crate) run: fn(&View<'_>) -> Found,
}

/// The general checkers whose findings come before those of the data type.
pub(crate) const BEFORE: [Checker; 2] = [
    Checker {
        name: "acknowledged",
        meaning: "some operation was acknowledged, so there is something to judge",
        run: acknowledged::check,
    },
    Checker { name: "protocol", meaning: "every line, reply and process keeps to the protocol", run: protocol::check },
];

/// The general checkers whose findings come after those of the data type.
pub(crate) const AFTER: [Checker; 3] = [
    Checker { name: "availability", meaning: "enough of the operations succeed", run: availability::check },
    Checker {
        name: "storm",
        meaning: "no node floods a peer: the messages within a second are bounded",
        run: storm::check,
    },
    Checker {
        name: "silence",
        meaning: "nodes send no messages once there is nothing left to tell",
        run: silence::check,
    },
];

/// What a checker found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// What it has to say, each with how bad it is.
    pub(crate) notes: Vec<(Validity, String)>,
    /// What it counted.
    pub(crate) figures: Figures,
}

impl Found {
    pub(crate) fn note(&mut self, validity: Validity, message: String) {
        self.notes.push((validity, message));
    }

    pub(crate) fn invalid(&mut self, message: String) {
        self.note(Validity::Invalid, message);
    }

    pub(crate) fn unknown(&mut self, message: String) {
        self.note(Validity::Unknown, message);
    }

    pub(crate) fn remark(&mut self, message: String) {
        self.note(Validity::Valid, message);
    }
}

/// Figures that a checker computes on its way.
#[derive(Debug, Default)]
pub(crate) enum Figures {
    #[default]
    None,
    /// What set-full sees.
    Set(SetFigures),
    /// What arrivals tell.
    Arrivals { true_latency_ms: Quantiles, incomplete: usize, catch_up_ms: Vec<f64>, slowest: Vec<Slow> },
    /// Reads of the main phase, and the stale ones among them.
    Reads { reads: usize, stale: usize },
    /// Most messages of one node to one peer within a second.
    WorstLink(u64),
    /// The last message after everything else had ended.
    LastMessage(Option<f64>),
}

impl Figures {
    /// Writes them into the judgement.
    pub(crate) fn add_to(self, judgement: &mut Judgement) {
        match self {
            Self::None => {}
            Self::Set(figures) => judgement.set = Some(figures),
            Self::Arrivals { true_latency_ms, incomplete, catch_up_ms, slowest } => {
                let set = judgement.set.get_or_insert_default();
                (set.true_latency_ms, set.incomplete) = (true_latency_ms, incomplete);
                (judgement.catch_up_ms, judgement.slowest) = (catch_up_ms, slowest);
            }
            Self::Reads { reads, stale } => (judgement.reads, judgement.stale_reads) = (reads, stale),
            Self::WorstLink(most) => judgement.worst_link_second = most,
            Self::LastMessage(at) => judgement.last_message_ms = at,
        }
    }
}
