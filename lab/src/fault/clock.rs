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
    /// What stops the fault that is on.
    stop: Option<Planned>,
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
            stop: None,
        };
        // As in Maelstrom, partitions begin at once. What kills or pauses lets a node live first.
        if kind != Comes::Partition {
            clock.wait();
        }
        clock
    }

    pub(super) fn due_us(&self) -> Micros {
        self.due_us
    }

    /// What starts or stops at the moment when it is due, and sets the next moment. `None` when a fault is to start and
    /// there is no node for it: then it is tried again after a gap.
    pub(super) fn ring(&mut self, standing: &Standing) -> Option<Planned> {
        self.wait();
        if let Some(stop) = self.stop.take() {
            return Some(stop);
        }
        let (start, stop) = match self.kind {
            Comes::Partition => (self.partition(standing.nodes())?, Planned::Heal),
            Comes::Kill => self.node(standing).map(|node| (Planned::Kill(node), Planned::Restart(node)))?,
            Comes::Pause => self.node(standing).map(|node| (Planned::Pause(node), Planned::Resume(node)))?,
        };
        self.stop = Some(stop);
        Some(start)
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

    /// A node that is up: the victim, or one by chance.
    fn node(&mut self, standing: &Standing) -> Option<usize> {
        if let Some(victim) = self.victim {
            return Some(victim).filter(|&node| standing.is_up(node));
        }
        let up: Vec<_> = standing.up().collect();
        (!up.is_empty()).then(|| up[self.rng.random_range(0..up.len())])
    }

    /// A gap is uniform in [0, 2 · interval), but never nothing: asked for what is due now, a clock comes to an end.
    fn wait(&mut self) {
        let gap = self.rng.random_range(0..self.interval_us.saturating_mul(2).max(1));
        self.due_us = self.due_us.saturating_add(gap.max(1));
    }
}
