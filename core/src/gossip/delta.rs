//! What a peer is sent: which rumors, rows, sessions and entries, in which order, and where the next message continues
//! if one was cut.
//!
//! A message is made in this order: [`Gossip::plan`], [`Gossip::delta`], the lists and entries of the [`Delta`],
//! [`Gossip::written`]. This module knows no bytes: the writer says what does not fit any more.

mod walk;

use super::{Agreement, Control, Gossip, Hot, Pending, Resume, Rule, Sent, Want};
use crate::causality::{Row, RowId};
use crate::id::{NodeIndex, Value};
use crate::replicated::{Lane, Product, Replica};
use crate::time::Instant;

pub use walk::Page;
use walk::{Phase, Place, Walk};

/// A push to a peer that was heard within this time, in milliseconds, carries all that the peer lacks, not only rumors.
const FRESH_MS: u64 = 5_000;
/// A push carries all that the peer lacks only up to this number of changes. A peer that lacks more asks one node for
/// them; if every node that pushed sent them too, each change would arrive many times.
const UNASKED_CHANGES: u64 = 1_024;
/// How many rows of past lives a digest lists, in turn, besides the rows that moved. So restarts do not make messages
/// longer.
const PAST_ROWS: u32 = 4;

/// Where the message after one that was cut continues.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sending {
    place: Option<Place>,
    /// Messages that went to the present peer at once before this one, and the bytes of those that hand something over.
    burst: u8,
    bytes: usize,
}

/// The next message: its receiver and its reasons.
#[derive(Debug)]
#[must_use = "the peer waits until the message was written"]
pub struct Plan {
    to: NodeIndex,
    pending: Pending,
    /// Whether this is the last message to the peer for now.
    last: bool,
    /// Bytes that the peer may be handed.
    window: usize,
    /// This node's digest in short.
    sum: u64,
    now: Instant,
}

impl Plan {
    /// The peer.
    #[must_use]
    pub const fn to(&self) -> NodeIndex {
        self.to
    }

    /// The lane whose message it is.
    #[must_use]
    pub fn lane(&self) -> Lane {
        self.pending.lane.unwrap_or(Lane::Push)
    }
}

/// What one peer is sent, made from the state as it is now.
pub struct Delta<'e, S: Product> {
    gossip: &'e Gossip<S>,
    plan: &'e Plan,
    control: Option<Control>,
    start: Place,
    walk: Walk<'e, S>,
}

names_itself!(impl[S: Product] Delta<'_, S>, "Delta");

/// Whether all sessions that the peer may lack were named; if not, the member with which the next list begins.
#[derive(Clone, Copy, Debug)]
pub struct Named(Result<(), u32>);

/// Which rows a digest lists.
#[derive(Clone, Copy, Debug)]
pub struct Listed {
    /// `Ok` if the digest lists all rows that moved and all of newest lives; else the step at which it was cut.
    rows: Result<(), u32>,
    /// The row of a past life with which the next digest continues.
    past_from: u32,
}

/// Where the entries of a message ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    end: Place,
    /// The row at which the message ended, and the row with which the walk over the rows begins.
    row: u32,
    first: u32,
    /// The last dot that was written.
    last: Option<(RowId, u64)>,
    listed: Listed,
    /// Whether the peer has to show that it received the entries.
    handed: bool,
    /// Whether the message is part of a repair.
    repairs: bool,
    /// Whether the message holds all that the sender has for the peer. Only strategy `relay` says so.
    pub full: bool,
    /// What the message asks for.
    pub want: Want,
}

impl<S: Product> Gossip<S> {
    /// Whether a message to any peer waits.
    #[must_use]
    #[inline]
    pub fn is_waiting(&self) -> bool {
        self.common.peers.is_waiting()
    }

    /// The next message, if a peer waits for one. It may have `most` bytes.
    pub fn plan(&mut self, replica: &Replica<S>, most: usize, now: Instant) -> Option<Plan> {
        let (to, pending) = self.common.peers.first()?;
        let sum = replica.sum().short();
        self.common.refresh(sum);
        let Sending { burst, bytes, .. } = self.sending;
        let window = self.common.peers.window(to).saturating_sub(bytes);
        let may_follow = self.common.peers.may_burst(to, now) || !self.keeps(Rule::Window);
        let last = burst + 1 >= pending.burst.max(1) || window <= most || (burst == 0 && !may_follow);
        Some(Plan { to, pending, last, window, sum, now })
    }

    /// What the message of a plan holds.
    pub fn delta<'e>(&'e self, plan: &'e Plan, replica: &'e Replica<S>) -> Delta<'e, S> {
        let walk = self.walk(plan, replica);
        let start = self.sending.place.unwrap_or(walk.start());
        Delta { gossip: self, plan, control: self.control(plan.to, plan.now), start, walk }
    }

    fn walk<'e>(&'e self, plan: &Plan, replica: &'e Replica<S>) -> Walk<'e, S> {
        let Plan { to: peer, pending, window, now, .. } = *plan;
        let settled = self.common.agreement.contains(peer);
        let vector = self.common.peers.vector(peer);
        let fresh = self.common.peers.is_fresh(peer, now, FRESH_MS);
        let resume = self.common.peers.resume(peer);
        let assumed = self.assumed(peer);
        let bounded = self.keeps(Rule::Window);
        // A scheduler that makes assumptions (`relay`) decides by itself when a message was lost.
        let may_fill = assumed.is_some() || self.common.peers.may_fill(peer, now) || !bounded;
        let unasked = || lacking(replica, vector.unwrap_or(&[])) <= UNASKED_CHANGES || !bounded;
        let on_top = assumed.as_ref().is_some_and(|assumed| assumed.at.is_some());
        let heard = vector.is_some() || !self.common.peers.was_heard(peer);
        Walk {
            replica,
            peer,
            vector: vector.unwrap_or(&[]),
            hot: if settled || !pending.rumors { &[] } else { self.hot() },
            rows: !settled && may_fill && (pending.delta || (assumed.is_none() && fresh && heard && unasked())),
            assumed,
            window: if bounded && !on_top { window } else { usize::MAX },
            repair_from: (!settled && may_fill && pending.delta && self.common.peers.is_diverged(peer))
                .then_some(resume.repaired_to),
            first_row: resume.row,
        }
    }

    /// A message of `bytes` bytes was written. The next one to the peer begins where this one ended.
    #[expect(clippy::needless_pass_by_value, reason = "a plan is used up")]
    pub fn written(&mut self, plan: Plan, named: Named, ended: Ended, bytes: usize, replica: &mut Replica<S>) {
        let Plan { to, pending, last, sum, now, .. } = plan;
        let is_end = last || ended.end.phase == Phase::Done;
        match named {
            Named(Ok(())) => self.common.peers.told_view(to, self.common.view_name(), now),
            Named(Err(from)) => self.common.peers.set_lives_from(to, from),
        }
        let rows = &mut replica.causality.rows;
        let version = rows.seal();
        self.common.peers.set_listed(to, ended.listed.rows.is_ok().then_some(version), ended.listed.past_from);
        self.common.peers.sent(to, self.common.key(), now);
        let sent = Sent { to, data: ended.last.is_some(), full: pending.delta && is_end, want: ended.want };
        self.sent(sent, sum, rows, now);
        self.sending.bytes += if ended.handed && ended.last.is_some() { bytes } else { 0 };
        self.sending.place = (!is_end).then_some(ended.end);
        if !is_end {
            self.sending.burst += 1;
            return;
        }
        let Sending { burst, bytes, .. } = self.sending;
        if bytes > 0
            && let Some(last) = ended.last
        {
            self.common.peers.filled(to, last, bytes, burst + 1, now);
        }
        self.common.peers.burst(to, burst + 1, now);
        (self.sending.burst, self.sending.bytes) = (0, 0);
        if let Some(resume) = ended.resume(self.common.peers.resume(to)) {
            self.common.peers.set_resume(to, resume);
        }
        self.sent_to_first();
    }
}

impl Ended {
    /// Where the next message to the peer begins. This one began at `before`.
    fn resume(&self, before: Resume) -> Option<Resume> {
        match self.end.phase {
            Phase::Repair => Some(Resume { row: self.row, repaired_to: self.end.seq }),
            Phase::Rows => {
                // The next message begins with the next row, so that a peer which cannot take the entries of a long row
                // gets those of the others.
                let next = self.row.wrapping_add(u32::from(self.row == self.first));
                Some(Resume { row: next, repaired_to: 0 })
            }
            Phase::Done => {
                // A digest that was cut continues where it was cut.
                let step = self.listed.rows.err().unwrap_or(0);
                // A message that was not part of a repair does not move the place where the repair continues.
                let repaired_to = if self.repairs || step > 0 { 0 } else { before.repaired_to };
                Some(Resume { row: self.first.wrapping_add(step), repaired_to })
            }
            Phase::Rumors => None,
        }
    }
}

impl<'e, S: Product> Delta<'e, S> {
    /// The value, if the message will hold exactly one entry and that entry is a value of the set.
    #[must_use]
    pub fn only_value(&self) -> Option<Value<'e>> {
        self.walk.only_value(self.start)
    }

    /// The session of the peer, if it is of this implementation.
    #[must_use]
    pub fn session_of_peer(&self) -> Option<u64> {
        self.gossip.common.peers.session(self.plan.to)
    }

    /// The part of the header that is about messages, with strategy `relay`.
    #[must_use]
    pub const fn control(&self) -> Option<Control> {
        self.control
    }

    /// The members that are known to hold this node's state.
    #[must_use]
    pub const fn agreement(&self) -> &'e Agreement<S> {
        &self.gossip.common.agreement
    }

    /// Whether this node has to refuse some entries.
    #[must_use]
    pub fn refuses(&self) -> bool {
        self.gossip.common.refuses(self.plan.now)
    }

    /// Whether this node has no room for a row of the peer's present life.
    #[must_use]
    pub fn has_no_row(&self) -> bool {
        let to = self.plan.to;
        let life = self.gossip.common.peers.life(to);
        life.is_some_and(|life| !self.walk.replica.causality.rows.has_room_for_life(to, life))
    }

    /// Lists the sessions that the peer may lack: those that became known after the view that it is known to have.
    /// `write` says whether one fits. If not all fit, the next message begins with the first one that did not.
    pub fn lives(&self, mut write: impl FnMut(NodeIndex, u64) -> bool) -> Named {
        let to = self.plan.to;
        let common = &self.gossip.common;
        let old = common.peers.is_old_session(to);
        if !old && !common.lacks_view(to) {
            return Named(Ok(()));
        }
        if old && let Some(session) = common.view.session(to) {
            write(to, session);
        }
        let version = if old { 0 } else { common.peers.view_version(to) };
        let others = common.view.since(version, common.peers.lives_from(to));
        for (node, session) in others.filter(|(node, _)| *node != common.me() && *node != to) {
            if !write(node, session) {
                return Named(Err(node.0));
            }
        }
        Named(Ok(()))
    }

    /// Lists the rows of the digest, beginning with the row of the first entry: the rows that moved since they were
    /// listed to the peer, those that the peer lacks, and those of newest lives. After them it lists some rows of past
    /// lives, in turn. `write` says whether one fits; the first one always does.
    pub fn digest(&self, mut write: impl FnMut(RowId, u64) -> bool) -> Listed {
        let rows = &self.walk.replica.causality.rows;
        let (before, all, past_from) = self.gossip.common.peers.listed(self.plan.to);
        let first = |id: RowId, row: &Row| {
            row.frontier > 0 && (row.is_newest() || row.moved > before || self.walk.lacks(id, row))
        };
        // There is always the node's own row. `max` tells the compiler that nothing is divided by 0.
        let count = rows.len().max(1) as u32;
        let from = self.start.step_of_rows();
        let mut cut = Ok(());
        for step in from..from + count {
            let id = self.walk.row_at(step);
            let row = rows.get(id);
            if first(id, row) && !write(id, row.frontier) {
                cut = Err(step);
                break;
            }
        }
        let mut next = past_from;
        let mut left = if all { u32::MAX } else { PAST_ROWS };
        for step in 0..if cut.is_ok() { count } else { 0 } {
            let id = RowId((past_from % count + step) % count);
            let row = rows.get(id);
            if row.frontier == 0 || first(id, row) {
                continue;
            }
            next = id.0;
            if left == 0 || !write(id, row.frontier) {
                break;
            }
            next = id.0 + 1;
            left -= 1;
        }
        Listed { rows: cut, past_from: next }
    }

    /// Lists the rows in which the vector of some time ago differs from the digest. The receiver takes a row that is
    /// not listed for one that did not differ, so rows that do not fit are left out.
    pub fn old(&self, mut write: impl FnMut(RowId, u64) -> bool) {
        for (id, row) in self.walk.replica.causality.rows.iter() {
            let old = self.gossip.old_frontier(id);
            if old < row.frontier && !write(id, old) {
                break;
            }
        }
    }

    /// Writes entries until the page takes no more. After the rumors it takes entries only from rows that the digest
    /// lists.
    pub fn entries(&self, listed: Listed, page: &mut impl Page) -> Ended {
        let (end, last) = self.walk.write(self.start, listed.rows.err(), page);
        let done = end.phase == Phase::Done;
        // If the message was cut, the peer is asked what it holds, and the rest follows its answer.
        let Pending { want, delta, .. } = self.plan.pending;
        let want = if self.plan.last && !done { want.max(Want::Reply) } else { want };
        Ended {
            end,
            row: self.walk.row_at(end.step()).0,
            first: self.walk.row_at(0).0,
            last,
            listed,
            handed: self.walk.is_handing(self.start),
            repairs: self.walk.repair_from.is_some(),
            full: delta && self.control.is_some() && done,
            want,
        }
    }
}

/// How many changes of this node a peer with this vector lacks. O(rows).
fn lacking<S: Product>(replica: &Replica<S>, vector: &[u64]) -> u64 {
    let known = |id: RowId| vector.get(id.at()).copied().unwrap_or(0);
    let rows = replica.causality.rows.iter();
    rows.fold(0, |sum: u64, (id, row)| sum.saturating_add(row.frontier.saturating_sub(known(id))))
}

#[cfg(test)]
mod tests;
