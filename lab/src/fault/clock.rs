//! The clock of one kind of fault. It starts and stops the fault by turns, with random gaps.

use rand::{RngExt as _, SeedableRng as _};
use rand_xorshift::XorShiftRng;

use super::standing::Standing;
use crate::settings::{FaultPlan, Micros, PartitionKind, Planned};

/// The kinds of faults that come and go. Loss and duplication are on from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comes {
    Partition,
    Kill,
    Pause,
}

/// A state machine that knows when its kind of fault starts or stops next.
#[derive(Debug)]
pub(super) struct Clock {
    kind: Comes,
    /// Its own random numbers, so that another kind in the plan changes nothing here.
    rng: XorShiftRng,
    interval_us: Micros,
    partition_kind: Option<PartitionKind>,
    victim: Option<usize>,
    due_us: Micros,
    /// How many nodes it kills or pauses at once.
    at_once: usize,
    /// The faults that end the one that is on.
    stop: Vec<Planned>,
    /// Faults that are due at the present moment, and that moment.
    rest: Vec<Planned>,
    rest_us: Micros,
}

impl Clock {
    pub(super) fn new(kind: Comes, plan: &FaultPlan, seed: u64, start_us: Micros) -> Self {
        let mut clock = Self {
            kind,
            rng: XorShiftRng::seed_from_u64(seed ^ ((1 + kind as u64) << 56)),
            interval_us: plan.interval_us,
            partition_kind: plan.partition_kind,
            victim: plan.victim,
            due_us: start_us,
            at_once: plan.at_once,
            stop: Vec::new(),
            rest: Vec::new(),
            rest_us: start_us,
        };
        // As in Maelstrom, partitions begin at once. Kills and pauses begin after a gap.
        if kind != Comes::Partition {
            clock.wait();
        }
        clock
    }

    pub(super) fn due_us(&self) -> Micros {
        if self.rest.is_empty() { self.due_us } else { self.rest_us }
    }

    /// The faults that start or stop now; it also sets the next moment. `None` if a fault is to start and there is no
    /// node for it. Then the clock tries again after a gap.
    pub(super) fn ring(&mut self, standing: &Standing) -> Option<Planned> {
        if let Some(next) = self.rest.pop() {
            return Some(next);
        }
        self.rest_us = self.due_us;
        self.wait();
        self.rest = std::mem::take(&mut self.stop);
        if let Some(stop) = self.rest.pop() {
            return Some(stop);
        }
        let both: Vec<(Planned, Planned)> = match self.kind {
            Comes::Partition => {
                self.partition(standing.nodes()).map(|start| (start, Planned::Heal)).into_iter().collect()
            }
            Comes::Kill => {
                self.some(standing).into_iter().map(|node| (Planned::Kill(node), Planned::Restart(node))).collect()
            }
            Comes::Pause => {
                self.some(standing).into_iter().map(|node| (Planned::Pause(node), Planned::Resume(node))).collect()
            }
        };
        (self.rest, self.stop) = both.into_iter().unzip();
        self.rest.pop()
    }

    fn partition(&mut self, nodes: usize) -> Option<Planned> {
        if nodes < 2 {
            return None;
        }
        let by_chance = PartitionKind::ALL[self.rng.random_range(0..PartitionKind::ALL.len())];
        let kind = self.partition_kind.unwrap_or(by_chance);
        let victim = self.victim.filter(|_| kind != PartitionKind::MajoritiesRing);
        Some(Planned::Partition(kind, victim))
    }

    /// Nodes that are up: the victim, or random ones, as many as are to be taken at once.
    fn some(&mut self, standing: &Standing) -> Vec<usize> {
        if let Some(victim) = self.victim {
            return Some(victim).filter(|&node| standing.is_up(node)).into_iter().collect();
        }
        let mut up: Vec<_> = standing.up().collect();
        let count = self.at_once.max(1).min(up.len());
        (0..count).map(|_| up.remove(self.rng.random_range(0..up.len()))).collect()
    }

    /// A random gap, uniform in [0, 2 · interval) but never 0, so that only finitely many faults are due now.
    fn wait(&mut self) {
        let gap = self.rng.random_range(0..self.interval_us.saturating_mul(2).max(1));
        self.due_us = self.due_us.saturating_add(gap.max(1));
    }
}
