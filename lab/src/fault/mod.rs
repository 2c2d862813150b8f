//! When which fault happens: by chance from a seed, or by a schedule.

mod cuts;

pub use cuts::Cuts;

use crate::settings::{FaultPlan, Micros, Scheduled};

/// A fault, ready to be carried out.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// These directed links carry nothing from now on, and all others work again.
    Partition {
        /// Which.
        cuts: Cuts,
        /// For a person.
        label: String,
    },
    /// These directed links carry nothing from now on, beside those that are cut already.
    Cut {
        /// Which.
        cuts: Cuts,
        /// For a person.
        label: String,
    },
    /// All links work again.
    Heal,
    /// The process is killed.
    Kill(usize),
    /// A killed process is started again.
    Restart(usize),
    /// The process is stopped.
    Pause(usize),
    /// It goes on.
    Resume(usize),
    /// Share of messages lost from now on.
    Loss(f64),
    /// Share of messages duplicated from now on.
    Duplicate(f64),
}

/// The one who breaks things. A state machine: told the time, it says what happens now and when it wants to be asked again.
#[derive(Debug)]
pub struct Nemesis {}

impl Nemesis {
    /// For a cluster of `nodes`, from the moment `start_us`.
    #[must_use]
    pub fn new(_plan: &FaultPlan, _nodes: usize, _seed: u64, _start_us: Micros) -> Self {
        Self {}
    }

    /// The next fault that is due. To be called until `None`.
    pub fn poll(&mut self, _now_us: Micros) -> Option<Fault> {
        None
    }

    /// When the next one is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Micros> {
        None
    }

    /// Ends all faults: what takes back everything that is in force, each thing once.
    pub fn take_back(&mut self) -> Vec<Fault> {
        Vec::new()
    }
}

/// Reads a schedule file.
///
/// # Errors
/// Line number, what is wrong and what is allowed.
pub fn parse_schedule(_text: &str, _nodes: usize) -> Result<Vec<Scheduled>, String> {
    Ok(Vec::new())
}
