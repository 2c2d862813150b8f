//! A message of another implementation of the same exercise: it has no header, and what it brings is a local change here.

use super::Node;
use crate::causality::{Arg, Entry};
use crate::gossip::Hot;
use crate::id::{Id, NodeIndex};
use crate::replicated::{Lane, Outcome, Replica, Sign};
use crate::storage::{Scratch as _, Storage};
use crate::time::Now;
use crate::wire::Str;
use crate::wire::gossip::Foreign;

impl<S: Storage> Node<S> {
    /// A message of another implementation: a bare value, or vectors by node name. What changes the state is a local
    /// change, with this node's next dot.
    pub(super) fn receive_foreign(&mut self, now: Now, from: NodeIndex, foreign: Foreign<'_>) {
        if let Some(gossip) = &mut self.gossip {
            gossip.hear(from, now.at);
        }
        let (p, n) = match foreign {
            Foreign::Value(value) => {
                let mut scratch = self.service.scratch.lend();
                let [room, ..] = scratch.as_mut();
                match value.value(room) {
                    Some(value) => self.foreign_change(now, from, &Entry::bare(value.into())),
                    None => self.stats.refused_unreadable += 1,
                }
                self.service.scratch.give_back(scratch);
                return;
            }
            Foreign::Vectors(p, n) => (p, n),
            Foreign::Nothing => return,
            Foreign::Unreadable => {
                self.stats.refused_unreadable += 1;
                return;
            }
        };
        let mut cells = 0;
        for (vector, sign) in [(p, Sign::P), (n, Sign::N)] {
            for (name, number) in Foreign::numbers(vector) {
                cells += u64::from(self.foreign_cell(now, from, sign, name, number));
            }
        }
        // Numbers that were refused are no data.
        if cells > 0 {
            self.service.data_from_peer(Lane::Tick);
        }
        let mine = self.replica.store.counter.cells();
        let only_a_counter = self.replica.store.set.is_empty() && self.replica.store.map.is_empty();
        // It showed every number that this node has, and none that is larger is left.
        if cells == mine && cells > 0 && only_a_counter {
            let sum = self.replica.sum().short();
            if let Some(gossip) = &mut self.gossip {
                gossip.holds_the_same(from, sum);
            }
        }
    }

    /// Joins one number of a foreign vector. Says whether it is this node's number now.
    fn foreign_cell(&mut self, now: Now, from: NodeIndex, sign: Sign, name: Str<'_>, number: u64) -> bool {
        let Some((node, incarnation)) = self.row_name(name) else {
            self.stats.refused_rows += 1;
            return false;
        };
        let mut id = Id::new();
        // Ids of members fit.
        let _ = id.push_str(self.replica.causality.members.id(node));
        let args = [Arg::Row { node: &id, incarnation }, Arg::unsigned(number)];
        if let Some(entry) = Entry::new(sign.tag(), &args) {
            self.foreign_change(now, from, &entry);
        }
        let row = self.replica.causality.rows.find(node, incarnation);
        number > 0 && row.is_some_and(|row| self.replica.store.counter.cell(row, sign) == number)
    }

    fn foreign_change(&mut self, now: Now, from: NodeIndex, entry: &Entry<'_>) {
        match self.replica.update(entry) {
            Ok(Some(dot)) => {
                let lane = Replica::<S>::lane(entry).unwrap_or(Lane::Push);
                self.stats.entries_applied += 1;
                self.service.data_from_peer(lane);
                self.changed(dot);
                if let Some(gossip) = &mut self.gossip {
                    gossip.news(lane, Hot::dot(dot, Some(from)), now.at);
                }
            }
            Ok(None) => self.stats.entries_known += 1,
            Err(refused) => self.count(Outcome::Refused(refused)),
        }
    }
}
