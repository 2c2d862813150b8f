//! The clock of one kind of fault: start and stop alternate, with gaps by chance.

use rand::{RngExt as _, SeedableRng as _};
use rand_xorshift::XorShiftRng;

use super::standing::Standing;
use crate::settings::{FaultPlan, Micros, PartitionKind, Planned};

/// Kinds that come and go. Loss and duplication are weather: on from the start.
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
    /// Of its own, so that another kind in the plan changes nothing here.
    rng: XorShiftRng,
    interval_us: Micros,
    partition_kind: Option<PartitionKind>,
    victim: Option<usize>,
    due_us: Micros,
    /// How many nodes it takes at once.
    at_once: usize,
    /// What stops the fault that is on.
    stop: Vec<Planned>,
    /// What else happens at the moment that has come, and when that is.
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
        // As in Maelstrom, partitions begin at once. What kills or pauses lets a node live first.
        if kind != Comes::Partition {
            clock.wait();
        }
        clock
    }

    pub(super) fn due_us(&self) -> Micros {
        if self.rest.is_empty() { self.due_us } else { self.rest_us }
    }

    /// What starts or stops at the moment when it is due, and sets the next moment. `None` when a fault is to start and
    /// there is no node for it: then it is tried again after a gap.
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

    /// Nodes that are up: the victim, or as many by chance as it takes at once and there are.
    fn some(&mut self, standing: &Standing) -> Vec<usize> {
        if let Some(victim) = self.victim {
            return Some(victim).filter(|&node| standing.is_up(node)).into_iter().collect();
        }
        let mut up: Vec<_> = standing.up().collect();
        let count = self.at_once.max(1).min(up.len());
        (0..count).map(|_| up.remove(self.rng.random_range(0..up.len()))).collect()
    }

    /// A gap is uniform in [0, 2 · interval), but never nothing: asked for what is due now, a clock comes to an end.
    fn wait(&mut self) {
        let gap = self.rng.random_range(0..self.interval_us.saturating_mul(2).max(1));
        self.due_us = self.due_us.saturating_add(gap.max(1));
    }
}
