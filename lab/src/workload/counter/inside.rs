//! The rule for the counter inside of a node: its total stays between the least and the largest sum that is possible.

use rumormill_core::Member;
use rumormill_core::storage::Heap;

use crate::history::{Call, History};
use crate::settings::Settings;
use crate::workload::inside::{Inside, Look};

/// The totals of all nodes, and the sums that are possible.
#[derive(Debug)]
pub(crate) struct Bounded {
    /// The total of each node.
    totals: Vec<i128>,
    /// The sum of all decrements, and that of all increments, among the first `read` operations.
    possible: (i128, i128),
    read: usize,
}

impl Bounded {
    pub(crate) fn new(nodes: usize) -> Self {
        Self { totals: vec![0; nodes], possible: (0, 0), read: 0 }
    }
}

impl Inside for Bounded {
    fn start(&mut self, node: usize) {
        self.totals[node] = 0;
    }

    fn look(&mut self, node: usize, member: &Member<Heap>, _: &Settings, history: &History) -> Look {
        let total = member.store().counter.value();
        if std::mem::replace(&mut self.totals[node], total) == total {
            return Look::default();
        }
        for op in &history.ops[self.read..] {
            let Call::Increment(delta) = op.call else { continue };
            let sum = if delta < 0 { &mut self.possible.0 } else { &mut self.possible.1 };
            *sum += i128::from(delta);
        }
        self.read = history.ops.len();
        let mut look = Look { total: Some(i64::try_from(total).unwrap_or(i64::MAX)), ..Look::default() };
        if total < self.possible.0 || total > self.possible.1 {
            look.broken.push(format!("the counter is {total}, possible are {:?}", self.possible));
        }
        look
    }

    /// A cell for each row.
    fn bytes(&self, member: &Member<Heap>) -> u64 {
        member.replica().causality.rows.len() as u64 * 24
    }
}
