//! What this node learns from a message of a peer: from its entries, and from what it shows of the peer's vector, state
//! and view.
//!
//! A message is read in this order: [`Gossip::meet`], entries, sessions, digest, [`Gossip::learned`]. An [`Exchange`]
//! keeps what these steps found for the last one. This module knows neither bytes nor names: rows and members are
//! numbers here.

use super::{Control, Gossip, Heard, Hot, Rule, Session, Want};
use crate::causality::{RowId, Rows, Sum};
use crate::id::NodeIndex;
use crate::replicated::{Lane, Outcome, Product, Replica};
use crate::time::Instant;

/// How often one message may search its digest for a row that is new here. Without this bound a line of many chunks
/// would cost more than O(its length).
const SCANS_MOST: u32 = 32;

/// A message that is being read.
#[derive(Debug)]
pub struct Exchange {
    from: NodeIndex,
    /// The session of the sender that wrote it, and how this session compares with the newest known.
    session: u64,
    met: Session,
    now: Instant,
    /// The frontiers in its digest were learned already.
    digest_learned: bool,
    scans: u32,
    /// How many of its entries changed state or vector, in all and before the present chunk.
    changes: u32,
    changes_before: u32,
    /// Some entries were refused.
    refused: bool,
    /// Set if all entries of some chunk were known already: then the earliest version in which the row of such a chunk
    /// moved last.
    known: Option<u64>,
    /// Whether it makes sense to ask the peer for dots that this node lacks. A row that is new here has to have room.
    lacking: bool,
    /// In how many rows the peer is ahead, and in how many of these it was not ahead some time ago.
    rows_behind: usize,
    recent: usize,
    /// Whether the peer has rows that are new here and for which there is room.
    unknown: bool,
    /// Whether the message named sessions.
    lives: bool,
}

impl Exchange {
    /// Whether the message is from the newest session known of its sender, or from an older one. A message from an
    /// older session counts only for its entries and the sessions that it names.
    #[must_use]
    pub const fn met(&self) -> Session {
        self.met
    }

    /// Whether the message is from an older session than the newest known.
    #[must_use]
    pub fn is_old(&self) -> bool {
        self.met == Session::Old
    }

    /// The peer.
    #[must_use]
    pub const fn from(&self) -> NodeIndex {
        self.from
    }

    /// The entries of a chunk follow.
    #[inline]
    pub fn begin_chunk(&mut self) {
        self.changes_before = self.changes;
    }

    /// Entries could not be taken: they will be offered again.
    #[inline]
    pub fn refuse(&mut self) {
        self.refused = true;
    }

    /// Whether the frontiers of the digest have to be learned now: a skip is believed only up to what the sender has
    /// shown. True once per message, and never in a message of an older session.
    pub fn has_to_learn_digest(&mut self) -> bool {
        !core::mem::replace(&mut self.digest_learned, true)
    }

    /// Whether the digest may be searched for one more row.
    pub fn may_search_digest(&mut self) -> bool {
        let may = self.scans < SCANS_MOST;
        self.scans += u32::from(may);
        may
    }

    /// Whether there were entries, and none changed anything.
    fn is_in_vain(&self) -> bool {
        self.changes == 0 && (self.refused || self.known.is_some())
    }
}

/// What the header of a message says. Names have become numbers.
#[derive(Clone, Copy, Debug)]
pub struct Said<D> {
    /// The lane of the message.
    pub lane: Lane,
    /// The sender's digest in short.
    pub sum: Option<Sum>,
    /// The name of the sender's view.
    pub view: Option<u64>,
    /// The members that the sender knows to hold its state in its view.
    pub holders: Holders<D>,
    /// The number of the message.
    pub number: Option<i64>,
    /// What it asks for.
    pub want: Want,
    /// Whether the sender has to refuse some entries.
    pub refuses: bool,
    /// Whether the sender has no room for a row of this node's present life.
    pub no_row: bool,
    /// Whether it holds entries.
    pub data: bool,
    /// Whether it holds all that the sender has for this node.
    pub full: bool,
    /// The part of the header that is about messages, if the sender uses strategy `relay`.
    pub control: Option<Control>,
}

/// Members that are known to hold a state.
#[derive(Clone, Copy, Debug)]
pub enum Holders<D> {
    /// Only the sender itself.
    Sender,
    /// The members of a set, as hexadecimal digits. A digit stands for four members, its lowest bit for the first of
    /// them.
    Listed(D),
    /// All of them.
    All,
}

/// What the node has to do or to say after a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Learned {
    /// A repair begins: the peer is sent all entries from now on, until states are equal.
    pub repair_begins: bool,
    /// Whether some peer has no room for a row of this node; `None` if that has not changed.
    pub is_without_row: Option<bool>,
}

/// How digest and view of a message compare with those here.
#[derive(Clone, Copy)]
struct Agreed {
    equal: bool,
    same_view: bool,
    /// The message is newer than all that came before it from its sender.
    newest: bool,
    /// The sender knows that all members hold its state.
    by_all: bool,
}

impl<S: Product> Gossip<S> {
    /// A message of another implementation came. It shows only that the peer is alive.
    pub fn hear(&mut self, peer: NodeIndex, now: Instant) {
        self.common.peers.hear(peer, now);
    }

    /// A peer has shown that its state is equal to this node's, whose digest in short is `sum`.
    pub fn holds_the_same(&mut self, peer: NodeIndex, sum: u64) {
        self.common.refresh(sum);
        self.common.agreement.insert(peer);
    }

    /// Begins to read a message from a session of a peer. If the session is newer than the one known, all knowledge of
    /// what the peer holds is dropped, and the view changes.
    pub fn meet(&mut self, peer: NodeIndex, session: u64, now: Instant) -> Exchange {
        let met = self.common.meet(peer, session, now);
        match met {
            Session::New => self.reborn(peer, now),
            Session::Old | Session::Present => {}
        }
        let old = met == Session::Old;
        if !old {
            self.common.peers.remember(peer);
        }
        Exchange {
            from: peer,
            session,
            met,
            now,
            digest_learned: old,
            scans: 0,
            changes: 0,
            changes_before: 0,
            refused: false,
            known: None,
            lacking: false,
            rows_behind: 0,
            recent: 0,
            unknown: false,
            lives: false,
        }
    }

    /// Notes that an entry of the message, or a range of superseded dots, changed state or vector.
    #[inline]
    pub fn merged(&mut self, exchange: &mut Exchange, outcome: Outcome, lane: Lane, hot: Hot) {
        debug_assert!(outcome.is_news(), "what changed nothing is no news");
        exchange.changes += 1;
        if matches!(outcome, Outcome::News) || self.keeps(Rule::EveryChange) {
            self.news(lane, hot, exchange.now);
        }
    }

    /// All entries of a chunk were merged, up to the dot `to`. `row` is `None` if this node has no such row.
    pub fn end_chunk(&mut self, exchange: &mut Exchange, rows: &Rows<S>, row: Option<RowId>, to: u64) {
        if exchange.changes == exchange.changes_before {
            let moved = row.map(|row| rows.get(row).moved).filter(|moved| *moved > 0).unwrap_or(u64::MAX);
            exchange.known = Some(exchange.known.unwrap_or(u64::MAX).min(moved));
        }
        // A peer that sends a change of its own, made in its present life, has made all changes before it.
        if let Some(id) = row
            && rows.get(id).node == exchange.from
            && rows.get(id).incarnation == exchange.session
            && !exchange.is_old()
        {
            self.common.peers.learn(exchange.from, id, to);
        }
    }

    /// The peer holds a row up to `frontier`.
    pub fn frontier_shown(&mut self, exchange: &Exchange, row: RowId, frontier: u64) {
        self.common.peers.learn(exchange.from, row, frontier);
    }

    /// The frontier of a row that the peer has shown, in the session of the message.
    #[must_use]
    pub fn shown(&self, exchange: &Exchange, row: RowId) -> u64 {
        if exchange.is_old() { 0 } else { self.known(exchange.from, row) }
    }

    fn known(&self, peer: NodeIndex, row: RowId) -> u64 {
        self.common.peers.vector(peer).and_then(|known| known.get(row.at())).copied().unwrap_or(0)
    }

    /// The message names a session of a member: see [`Gossip::named`].
    pub fn session_named(&mut self, exchange: &mut Exchange, node: NodeIndex, session: u64) {
        exchange.lives = true;
        self.named(node, session, exchange.now);
    }

    /// The message is of an older session. Its sender is told so, at most once in half a second.
    pub fn learned_from_old_session(&mut self, exchange: &Exchange) {
        self.answer_old_session(exchange.from, exchange.now);
    }

    /// The digest names the frontier of a life of a member. Returns the row if it is this node's own and this node has
    /// not made so many changes: the claim is then ignored.
    pub fn digest_shown(
        &mut self,
        exchange: &mut Exchange,
        replica: &Replica<S>,
        (node, life): (NodeIndex, u64),
        frontier: u64,
    ) -> Option<RowId> {
        let rows = &replica.causality.rows;
        let Some(row) = rows.find(node, life) else {
            // No memory is taken for a row that is only named.
            let fits = rows.has_room_for_life(node, life);
            exchange.lacking |= fits;
            exchange.unknown |= fits;
            exchange.rows_behind += 1;
            return None;
        };
        let mine = rows.get(row).frontier;
        let claimed = frontier > mine && rows.is_immune(row);
        let known = if claimed { mine } else { frontier };
        if !claimed && frontier > mine {
            exchange.rows_behind += 1;
            exchange.lacking = true;
        }
        if replica.own_row() == Some(row) {
            self.common.peers.learn_own(exchange.from, known);
        }
        self.common.peers.learn(exchange.from, row, known);
        claimed.then_some(row)
    }

    /// The frontier of a row that the peer held some time ago. A message lists only the rows in which it differs from
    /// the digest.
    pub fn old_shown(&self, exchange: &mut Exchange, rows: &Rows<S>, row: RowId, frontier: u64) {
        let mine = rows.get(row).frontier;
        exchange.recent += usize::from(self.known(exchange.from, row) > mine && frontier <= mine);
    }

    /// All of a message was read. Digests and views are compared; if they are equal, the two sets of members that agree
    /// are joined. Then the scheduler decides what follows. O(rows).
    #[expect(clippy::needless_pass_by_value, reason = "a message is learned from once")]
    pub fn learned(
        &mut self,
        exchange: Exchange,
        said: Said<impl Iterator<Item = u8>>,
        replica: &Replica<S>,
    ) -> Learned {
        debug_assert!(!exchange.is_old(), "of an older session entries and sessions count, and nothing else");
        let Exchange { from, now, .. } = exchange;
        let mine = replica.sum();
        let rows = &replica.causality.rows;
        // If no entry of the message could be taken, its sender is not asked for entries at once: that would never end.
        let lacking = exchange.lacking && !exchange.is_in_vain();
        let Said { lane, sum: theirs, want, refuses, no_row, data, full, control, .. } = said;
        let agreed = self.agree(&exchange, said, replica);
        self.tell_rows(&exchange, theirs, mine, rows);
        self.common.note_refusals(exchange.refused, agreed.equal, now);
        let same_vector = theirs.is_some_and(|theirs| theirs.vector == mine.vector) && !agreed.equal;
        let repair_begins = self.common.peers.note_divergence(from, same_vector, mine.short());
        let changed = agreed.newest && self.common.peers.set_no_row(from, no_row);
        let is_without_row = changed.then(|| self.common.peers.any_without_row());
        let heard = Heard {
            from,
            lane,
            equal: agreed.equal,
            same_view: agreed.same_view,
            newest: agreed.newest,
            refuses,
            news: exchange.changes > 0,
            // A node that was sent all that it lacked is not behind afterwards. So the message was cut.
            cut: data && want == Want::Reply && exchange.rows_behind > 0,
            peer_settled: agreed.by_all,
            lacking,
            want,
            data,
            lives: exchange.lives,
            unknown: exchange.unknown,
            behind: exchange.rows_behind > 0,
            long_behind: exchange.rows_behind > exchange.recent,
            full,
            control,
        };
        self.heard(heard, mine.short(), rows, now);
        Learned { repair_begins, is_without_row }
    }

    /// Compares digest and view of a message with those of this node. If both are equal, the two sets of members that
    /// agree are joined. If not, the peer is taken out of the set, unless the message is older than another one from
    /// it.
    fn agree(&mut self, exchange: &Exchange, said: Said<impl Iterator<Item = u8>>, replica: &Replica<S>) -> Agreed {
        let Exchange { from, now, .. } = *exchange;
        let mine = replica.sum();
        self.common.refresh(mine.short());
        let view = self.common.view_name();
        let shown = if self.keeps(Rule::Views) { said.view } else { Some(view) };
        let newest = self.common.peers.is_newest(from, said.number);
        if newest && let Some(shown) = shown {
            let mine = (view, self.common.view.version());
            let patience_us = self.patience_us(from);
            self.common.peers.showed_view(from, shown, mine, patience_us, now);
        }
        let (equal, same_view) = (said.sum == Some(mine), shown == Some(view));
        let by_all = equal && same_view && matches!(said.holders, Holders::All);
        let agreement = &mut self.common.agreement;
        if equal && same_view {
            if !agreement.contains(from) {
                agreement.insert(from);
                self.common.peers.learn_all(from, &replica.causality.rows);
            }
            self.common.peers.learn_own(from, replica.own_seq());
            match said.holders {
                Holders::All => agreement.join_all(),
                Holders::Listed(digits) => agreement.join(digits),
                Holders::Sender => {}
            }
        } else if newest && self.common.keeps(Rule::ShowsAnother) && (!equal || shown.is_some()) {
            self.common.agreement.remove(from);
        }
        Agreed { equal, same_view, newest, by_all }
    }

    /// Decides which rows the next digest to the peer lists, besides those that moved.
    fn tell_rows(&mut self, exchange: &Exchange, theirs: Option<Sum>, mine: Sum, rows: &Rows<S>) {
        let Exchange { from, now, .. } = *exchange;
        if let Some(moved) = exchange.known {
            // The peer sent entries that this node has, so it does not know this node's frontier.
            self.common.peers.list_again(from, moved - 1);
        }
        let differs = theirs.is_some_and(|theirs| theirs.vector != mine.vector) && exchange.rows_behind == 0;
        let lacks = differs && self.common.lacks(from, rows);
        self.common.peers.set_list_all(from, differs && !lacks);
        self.common.peers.look_at_filling(from, now);
    }
}

#[cfg(test)]
mod tests;
