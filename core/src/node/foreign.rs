//! A message of another implementation of the same exercise: it has no header, and what it brings is a local change here.

use super::Member;
use crate::causality::{Arg, Entry};
use crate::id::{Id, NodeIndex};
use crate::replicated::{Outcome, Replicated as _, Sign};
use crate::service::Application;
use crate::storage::Scratch as _;
use crate::time::Now;
use crate::wire::Str;
use crate::wire::gossip::Foreign;

impl<S: Application> Member<S> {
    /// A message of another implementation: a bare value, or vectors by node name. What changes the state is a local
    /// change, with this node's next dot.
    pub(super) fn receive_foreign(&mut self, now: Now, from: NodeIndex, foreign: Foreign<'_>) {
        self.gossip.hear(from, now.at);
        let (p, n) = match foreign {
            Foreign::Value(value) => {
                let mut scratch = self.scratch.lend();
                let [room, ..] = scratch.as_mut();
                match value.value(room) {
                    Some(value) => self.foreign_change(now, from, &Entry::bare(value.into())),
                    None => self.desk.stats.refused_unreadable += 1,
                }
                self.scratch.give_back(scratch);
                return;
            }
            Foreign::Vectors(p, n) => (p, n),
            Foreign::Nothing => return,
            Foreign::Unreadable => {
                self.desk.stats.refused_unreadable += 1;
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
            self.service.data_from_peer(Sign::P.tag());
        }
        let mine = self.replica.store.counter.cells();
        let only_a_counter = self.replica.store.fingerprint() == self.replica.store.counter.fingerprint();
        // It showed every number that this node has, and none that is larger is left.
        if cells == mine && cells > 0 && only_a_counter {
            self.gossip.holds_the_same(from, self.replica.sum().short());
        }
    }

    /// Joins one number of a foreign vector. Says whether it is this node's number now.
    fn foreign_cell(&mut self, now: Now, from: NodeIndex, sign: Sign, name: Str<'_>, number: u64) -> bool {
        let Some((node, incarnation)) = self.row_name(name) else {
            self.desk.stats.refused_rows += 1;
            return false;
        };
        let mut id = Id::new();
        // Ids of members fit.
        let _ = id.push_str(self.replica.causality.members.id(node));
        let args = [Arg::Row { node: &id, incarnation }, Arg::unsigned(number)];
        self.foreign_change(now, from, &Entry::two(sign.tag(), args));
        let row = self.replica.causality.rows.find(node, incarnation);
        number > 0 && row.is_some_and(|row| self.replica.store.counter.cell(row, sign) == number)
    }

    fn foreign_change(&mut self, now: Now, from: NodeIndex, entry: &Entry<'_>) {
        match self.replica.apply_any(entry) {
            Ok(Some(made)) => {
                self.desk.stats.entries_applied += 1;
                self.service.data_from_peer(entry.tag);
                self.made(made, Some(from), now.at);
            }
            Ok(None) => self.desk.stats.entries_known += 1,
            Err(refused) => self.count(Outcome::Refused(refused)),
        }
    }
}
