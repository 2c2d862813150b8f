//! Judges a run: runs the general checkers and those of the data type, in order.

use clap::ValueEnum as _;

use crate::check::view::View;
use crate::check::{AFTER, BEFORE, Checker, figures};
use crate::history::History;
use crate::judgement::{Finding, Judgement, Validity};
use crate::settings::{Settings, Workload};
use crate::trace::Trace;

impl Workload {
    /// The checkers that judge a run of this workload, in the order in which their findings are listed.
    #[must_use]
    pub fn checkers(self) -> Vec<Checker> {
        let data_type = self.data_type();
        [&BEFORE[..], data_type.checkers(), &AFTER, data_type.statistics()].concat()
    }
}

/// The checkers of all workloads, each of them once.
#[must_use]
pub fn checkers() -> Vec<Checker> {
    let all = Workload::value_variants().iter().flat_map(|workload| workload.checkers());
    let mut checkers: Vec<Checker> = Vec::new();
    for checker in all {
        if checkers.iter().all(|known| known.name != checker.name) {
            checkers.push(checker);
        }
    }
    checkers
}

/// Judges a run.
#[must_use]
pub fn judge(settings: &Settings, history: &History, trace: &Trace) -> Judgement {
    let view = View::new(settings, history, trace);
    let mut judgement = figures::plain(&view, |call| settings.workload.request(call));
    for checker in settings.workload.checkers() {
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

#[cfg(test)]
mod tests;
