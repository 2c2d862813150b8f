//! A run as the checkers look at it: what was given, and what several of them derive from it. Knows no checker and no data
//! type.

use std::any::Any;
use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::lives::Lives;
use super::patience::Patience;
use super::words::seconds;
use crate::history::{History, Op, Phase};
use crate::judgement::Validity;
use crate::settings::{Micros, Settings};
use crate::trace::Trace;

/// What a process that was killed had done with an acknowledged operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// No message had carried it away.
    Unsent,
    /// Messages had, and none had arrived.
    Undelivered,
}

/// A run, and what several checkers need to know about it.
pub(crate) struct View<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) history: &'a History,
    pub(crate) trace: &'a Trace,
    /// When processes came and went.
    pub(crate) lives: Lives,
    /// Until when nodes may talk and differ in the end.
    pub(crate) patience: Patience,
    /// Acknowledged operations that may be gone, by index.
    died: BTreeMap<usize, Fate>,
    shared: OnceCell<Box<dyn Any>>,
}

impl<'a> View<'a> {
    pub(crate) fn new(settings: &'a Settings, history: &'a History, trace: &'a Trace) -> Self {
        let mut died = BTreeMap::new();
        for death in &trace.deaths {
            died.extend(death.undelivered.iter().map(|&op| (op, Fate::Undelivered)));
        }
        for death in &trace.deaths {
            died.extend(death.unsent.iter().map(|&op| (op, Fate::Unsent)));
        }
        let patience = Patience::new(settings, history, trace);
        Self { settings, history, trace, lives: Lives::new(trace), patience, died, shared: OnceCell::new() }
    }

    /// Whether an acknowledged operation may be gone with a process that was killed.
    pub(crate) fn died(&self, op: &Op) -> Option<Fate> {
        self.fate(op.index)
    }

    /// The same for an operation by its index.
    pub(crate) fn fate(&self, op: usize) -> Option<Fate> {
        self.died.get(&op).copied()
    }

    /// What the checkers of the data type share: made when the first of them asks for it. All of them belong to one data
    /// type, so there is one kind of it in a run.
    pub(crate) fn shared<T: Any>(&self, make: impl FnOnce() -> T) -> &T {
        let shared = self.shared.get_or_init(|| Box::new(make()));
        shared.downcast_ref().unwrap_or_else(|| unreachable!("the checkers of one data type share one thing"))
    }

    /// Operations after the main phase: the final reads, and the lab's own.
    pub(crate) fn closing(&self) -> impl Iterator<Item = &'a Op> {
        self.history.ops.iter().filter(|op| op.phase != Phase::Main)
    }

    /// When the last operation of the main phase had ended and all faults had been taken back.
    pub(crate) fn calm_from_us(&self) -> Micros {
        let main = self.history.ops.iter().filter(|op| op.phase == Phase::Main);
        let last = main.map(|op| op.completed_us).max();
        last.unwrap_or(self.trace.main_from_us).max(self.trace.healed_us)
    }

    /// `n3`
    pub(crate) fn node(&self, node: usize) -> String {
        self.settings.id(node)
    }

    /// `4.21 s`, from the moment when clients began.
    pub(crate) fn time(&self, at: Micros) -> String {
        if at >= self.trace.main_from_us {
            format!("{:.2} s", seconds(at - self.trace.main_from_us))
        } else {
            format!("-{:.2} s", seconds(self.trace.main_from_us - at))
        }
    }

    /// Ends a sentence about the final state where it could not be expected to be whole.
    pub(crate) fn quiet_hint(&self) -> String {
        self.patience.hint()
    }

    /// How bad it is when nodes differ in the end: nothing follows from it where there was no time to become equal.
    pub(crate) fn in_the_end(&self) -> Validity {
        if self.patience.is_too_long() { Validity::Unknown } else { Validity::Invalid }
    }
}
