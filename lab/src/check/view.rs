//! A run as checkers look at it: settings, history and trace, and what several checkers derive from them. It knows no
//! checker and no data type.

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

/// How far an acknowledged operation had come when the process that knew of it was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The process had sent no message with it.
    Unsent,
    /// The process had sent messages with it, and none had arrived.
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
    /// Acknowledged operations that may be lost with a killed process, by index.
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

    /// Whether an acknowledged operation may be lost with a killed process, and how.
    pub(crate) fn died(&self, op: &Op) -> Option<Fate> {
        self.fate(op.index)
    }

    /// The same for an operation by its index.
    pub(crate) fn fate(&self, op: usize) -> Option<Fate> {
        self.died.get(&op).copied()
    }

    /// Something that the checkers of the data type share. It is made when the first of them asks for it. A run has one
    /// data type, so all of them ask for the same type `T`.
    pub(crate) fn shared<T: Any>(&self, make: impl FnOnce() -> T) -> &T {
        let shared = self.shared.get_or_init(|| Box::new(make()));
        shared.downcast_ref().unwrap_or_else(|| unreachable!("the checkers of one data type share one thing"))
    }

    /// Operations after the main phase: final reads and inspection.
    pub(crate) fn closing(&self) -> impl Iterator<Item = &'a Op> {
        self.history.ops.iter().filter(|op| op.phase != Phase::Main)
    }

    /// When the last operation of the main phase had ended and all faults had been taken back.
    pub(crate) fn calm_from_us(&self) -> Micros {
        let main = self.history.ops.iter().filter(|op| op.phase == Phase::Main);
        let last = main.map(|op| op.completed_us).max();
        last.unwrap_or(self.trace.main_from_us).max(self.trace.healed_us)
    }

    /// The name of a node: `n3`.
    pub(crate) fn node(&self, node: usize) -> String {
        self.settings.id(node)
    }

    /// A time in words, counted from the moment when clients began: `4.21 s`.
    pub(crate) fn time(&self, at: Micros) -> String {
        if at >= self.trace.main_from_us {
            format!("{:.2} s", seconds(at - self.trace.main_from_us))
        } else {
            format!("-{:.2} s", seconds(self.trace.main_from_us - at))
        }
    }

    /// Ends a sentence about the final state, with a hint if the end of the run cannot be judged.
    pub(crate) fn quiet_hint(&self) -> String {
        self.patience.hint()
    }

    /// How bad it is when nodes differ in the end: unknown where they had too little time to become the same.
    pub(crate) fn in_the_end(&self) -> Validity {
        if self.patience.is_too_long() { Validity::Unknown } else { Validity::Invalid }
    }
}
