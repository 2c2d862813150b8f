//! Checkers: whether what was seen is right, and the figures.
//!
//! One checker per file, each a pure function of what was asked, answered and seen. They know settings, history and
//! trace, and neither the bench nor the nodes. [`CHECKERS`] lists them.

pub(crate) mod acknowledged;
pub(crate) mod availability;
pub(crate) mod figures;
pub(crate) mod final_state;
pub(crate) mod lives;
pub(crate) mod monotonic;
pub(crate) mod patience;
pub(crate) mod phantom;
pub(crate) mod protocol;
pub(crate) mod silence;
pub(crate) mod staleness;
pub(crate) mod storm;
pub(crate) mod view;

#[cfg(test)]
mod model;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use crate::history::History;
use crate::judgement::{Finding, Judgement, Quantiles, SetFigures, Slow, Validity};
use crate::settings::{Settings, Workload};
use crate::trace::Trace;
pub use patience::recovery_us;
use view::View;

use crate::workload::counter::sums as counter;
use crate::workload::kv::lww;
use crate::workload::set::{convergence, duplicates, set_full};
use crate::workload::txn::anomalies as txn;
use crate::workload::{echo, unique_ids};

/// A checker: its name as `--ignore` takes it, and what it demands.
#[derive(Clone, Copy, Debug)]
pub struct Checker {
    /// As `--ignore` takes it.
    pub name: &'static str,
    /// What has to hold, in one line.
    pub meaning: &'static str,
    applies: fn(Workload) -> bool,
    run: fn(&View<'_>) -> Found,
}

impl Checker {
    /// Whether it has anything to say about a workload.
    #[must_use]
    pub fn applies_to(&self, workload: Workload) -> bool {
        (self.applies)(workload)
    }
}

/// All checkers, in the order in which their findings are listed.
pub const CHECKERS: [Checker; 17] = [
    checker(
        "acknowledged",
        "something was acknowledged, so there is something to judge",
        |_| true,
        acknowledged::check,
    ),
    checker("protocol", "every line, reply and process is as the protocol demands", |_| true, protocol::check),
    checker("set-full", "Maelstrom's set-full: no element that was known is missing later", is_set, set_full::check),
    checker("final-state", "in the end all nodes show the same", Workload::is_replicated, final_state::check),
    checker("convergence", "in the end every acknowledged value is at every node", is_set, convergence::check),
    checker("phantom", "no value is shown that nobody wrote", holds_values, phantom::check),
    checker("duplicates", "no reply lists a value twice", is_set, duplicates::check),
    checker("monotonic", "no node forgets what it has shown, while its process lives", has_order, monotonic::check),
    checker("counter", "every total is a possible sum", is_counter, counter::check),
    checker("unique-ids", "all ids differ and are of one kind", |w| w == Workload::UniqueIds, unique_ids::check),
    checker("echo", "every echo is the value that was sent", |w| w == Workload::Echo, echo::check),
    checker("lww", "the same, latest write wins everywhere", |w| w == Workload::Kv, lww::check),
    checker("txn", "no anomaly that the consistency model forbids", |w| w == Workload::TxnRwRegister, txn::check),
    checker("availability", "enough of the operations succeed", |_| true, availability::check),
    checker("storm", "no node floods a peer: the messages within a second are bounded", |_| true, storm::check),
    checker("silence", "nodes stop talking once there is nothing to tell", |_| true, silence::check),
    checker(
        "staleness",
        "counts reads that lack what was acknowledged before; never fails",
        has_reads,
        staleness::check,
    ),
];

/// Judges a run.
#[must_use]
pub fn judge(settings: &Settings, history: &History, trace: &Trace) -> Judgement {
    let view = View::new(settings, history, trace);
    let mut judgement = figures::plain(&view);
    for checker in CHECKERS.iter().filter(|checker| checker.applies_to(settings.workload)) {
        let found = (checker.run)(&view);
        if found.notes.is_empty() {
            judgement.passed.push(checker.name);
        }
        for (validity, message) in found.notes {
            judgement.findings.push(Finding { checker: checker.name, validity, message });
        }
        found.figures.add_to(&mut judgement);
    }
    judgement.findings.sort_by_key(|finding| std::cmp::Reverse(finding.validity));
    let ignored = |finding: &&Finding| !settings.ignore.iter().any(|name| name == finding.checker);
    let worst = judgement.findings.iter().filter(ignored).map(|finding| finding.validity).max();
    judgement.validity = worst.unwrap_or(Validity::Valid);
    judgement
}

/// What a checker found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    notes: Vec<(Validity, String)>,
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
    fn add_to(self, judgement: &mut Judgement) {
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

const fn checker(
    name: &'static str,
    meaning: &'static str,
    applies: fn(Workload) -> bool,
    run: fn(&View<'_>) -> Found,
) -> Checker {
    Checker { name, meaning, applies, run }
}

fn is_set(workload: Workload) -> bool {
    matches!(workload, Workload::Broadcast | Workload::GSet)
}

fn is_counter(workload: Workload) -> bool {
    matches!(workload, Workload::GCounter | Workload::PnCounter)
}

fn holds_values(workload: Workload) -> bool {
    is_set(workload) || matches!(workload, Workload::Kv | Workload::TxnRwRegister)
}

/// Whether a later state of a node can be told from an earlier one.
fn has_order(workload: Workload) -> bool {
    is_set(workload) || matches!(workload, Workload::Kv | Workload::GCounter)
}

fn has_reads(workload: Workload) -> bool {
    is_set(workload) || is_counter(workload) || workload == Workload::Kv
}
