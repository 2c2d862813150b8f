//! The cells of a sweep, and how they are run. The order in which threads finish changes nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rumormill_core::Strategy;
use serde::{Deserialize, Serialize};

use super::Condition;
use super::figures::{Figures, Point};
use crate::judge;
use crate::settings::{FaultKind, Settings};
use crate::sim::{self, Program};

/// One setting of the node under one condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// The option `--strategy` of the node.
    pub strategy: String,
    /// The option `--fanout` of the node.
    pub fanout: u8,
    /// The option `--gossip-interval-ms` of the node.
    pub interval_ms: u32,
    /// The condition of the network.
    pub condition: Condition,
}

impl Cell {
    /// The label in plots: fanout, if it has a meaning, and interval.
    #[must_use]
    pub fn label(&self) -> String {
        if has_fanout(&self.strategy) {
            format!("{}/{}", self.fanout, self.interval_ms)
        } else {
            self.interval_ms.to_string()
        }
    }

    /// The settings of the run of this cell with this seed.
    #[must_use]
    pub fn settings(&self, common: &Settings, seed: u64) -> Settings {
        let mut settings = Settings { seed, ..common.clone() };
        settings.faults.kinds.retain(|kind| *kind != FaultKind::Partition);
        if self.condition == Condition::Partition {
            settings.faults.kinds.push(FaultKind::Partition);
        }
        settings
    }
}

/// Whether the fanout has a meaning for a strategy: a relay sends to all.
#[must_use]
pub fn has_fanout(name: &str) -> bool {
    let known = Strategy::ALL.into_iter().find(|strategy| strategy.name() == name);
    known.is_none_or(|strategy| match strategy {
        Strategy::Rumor => true,
        Strategy::Relay => false,
    })
}

/// Runs every cell under `seeds` seeds, upwards from that of the settings, on `jobs` threads; `done` is called after
/// each run. The points come in the order of the cells.
///
/// # Errors
/// A node cannot be made with these choices.
pub fn run(
    common: &Settings,
    cells: &[(Cell, Program)],
    (seeds, jobs): (u64, usize),
    done: &(dyn Fn() + Sync),
) -> Result<Vec<Point>, String> {
    let seeds_each = usize::try_from(seeds).unwrap_or(usize::MAX);
    let total = cells.len().saturating_mul(seeds_each);
    let next = AtomicUsize::new(0);
    let kept: Mutex<Vec<Option<Figures>>> = Mutex::new((0..total).map(|_| None).collect());
    let failure: Mutex<Option<String>> = Mutex::new(None);
    let work = || {
        // The loop ends when all runs are taken, or when a run cannot be made.
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= total {
                return;
            }
            let (cell, program) = &cells[at / seeds_each];
            let seed = common.seed.wrapping_add((at % seeds_each) as u64);
            match one(cell.settings(common, seed), program) {
                Ok(figures) => kept.lock().unwrap_or_else(PoisonError::into_inner)[at] = Some(figures),
                Err(error) => {
                    *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    next.store(total, Ordering::Relaxed);
                    return;
                }
            }
            done();
        }
    };
    std::thread::scope(|scope| (0..jobs.max(1)).for_each(|_| drop(scope.spawn(work))));
    if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let figures: Vec<Figures> =
        kept.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().flatten().collect();
    let mut points: Vec<Point> = cells
        .iter()
        .zip(figures.chunks(seeds_each.max(1)))
        .map(|((cell, _), figures)| Point::of(cell.clone(), figures))
        .collect();
    super::pareto::mark(&mut points);
    Ok(points)
}

fn one(settings: Settings, program: &Program) -> Result<Figures, String> {
    let done = sim::run(settings, program).map_err(|error| format!("the built-in node: {error}"))?;
    let judgement = judge::judge(&done.settings, &done.history, &done.trace);
    Ok(Figures::of(&done, &judgement))
}
