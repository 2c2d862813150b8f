//! A message from a peer: its entries are merged, then what its header says is learned.

use super::{Node, Rejected};
use crate::causality::{Arg, Causality, Dot, Entry, RowId, Sum};
use crate::gossip::{Control, Echo, Heard, Hot, Rule, Session, Want};
use crate::id::{Id, NodeIndex};
use crate::output::Event;
use crate::replicated::{Bound, Lane, Outcome, Refused, Replica};
use crate::storage::{INCARNATION_MAX, Storage};
use crate::time::Now;
use crate::wire::gossip::{Header, Holders, Letter, Received, Refuses, Wanted};
use crate::wire::{Chunks, Item, Kind, Message, RawEntry, SEQ_MAX, Scratch, Str};

impl<S: Storage> Node<S> {
    /// Handles `gossip` or `replicate`. O(length of the line).
    #[inline(never)]
    pub(super) fn receive(&mut self, now: Now, kind: Kind, message: &Message<'_>) -> Result<(), Rejected> {
        let mut scratch = Id::new();
        let src =
            message.src.and_then(|src| src.unescape(&mut scratch).map(|src| self.replica.causality.members.find(src)));
        let member = src.flatten();
        let me = self.replica.causality.members.me();
        let Some(from) = member.filter(|member| *member != me) else {
            self.stats.strangers += 1;
            return Err(Rejected::Stranger);
        };
        self.stats.gossip_messages_received += 1;
        if message.envelope_twice().is_some() || message.known_field_twice().is_some() {
            self.stats.refused_unreadable += 1;
            return Ok(());
        }
        let lane = if kind == Kind::Replicate { Lane::Tick } else { Lane::Push };
        match Letter::decode(kind, message) {
            Letter::Ours(letter) => self.receive_own_kind(now, from, lane, &letter),
            Letter::Foreign(foreign) => self.receive_foreign(now, from, foreign),
            Letter::Unreadable => self.stats.refused_unreadable += 1,
        }
        self.note_settled();
        self.judge_convergence(now.at);
        Ok(())
    }

    /// A message of this implementation.
    fn receive_own_kind(&mut self, now: Now, from: NodeIndex, lane: Lane, letter: &Received<'_>) {
        let session = letter.header.session;
        if self.is_ahead(session, now) {
            self.stats.refused_sessions += 1;
            return;
        }
        let Some(gossip) = &mut self.gossip else { return };
        let met = gossip.meet(from, session, now.at);
        let old = met == Session::Old;
        if !old {
            gossip.common.peers.remember(from);
        }
        let mut merge = Merge { now, from, old, letter, learned: old, scans: 0, done: Merged::default() };
        if let Some(data) = letter.data() {
            self.merge_chunks(&mut merge, (!old).then_some(session), data);
        }
        let merged = merge.done;
        let lives = self.learn_lives(now, letter);
        if old {
            self.stats.old_sessions += 1;
            if let Some(gossip) = &mut self.gossip {
                gossip.answer_old_session(from, now.at);
            }
            return;
        }
        let behind = self.learn_digest(now, from, letter, &merged);
        let recent = self.recent(from, letter);
        self.compare(now, from, lane, Behind { recent, lives, ..behind }, merged, letter);
    }

    /// Whether a session cannot be: it lies further ahead of the wall clock than stamps may. (Drivers number sessions by that clock, or
    /// from 0.)
    fn is_ahead(&self, session: u64, now: Now) -> bool {
        let most = |wall: u64| wall.saturating_add(self.config.max_clock_ahead_ms.saturating_mul(1_000));
        session > INCARNATION_MAX || now.wall_us.is_some_and(|wall| session > most(wall).max(SESSIONS_COUNTED))
    }

    /// Learns the sessions that a peer names. True when it names any.
    fn learn_lives(&mut self, now: Now, letter: &Received<'_>) -> bool {
        let mut any = false;
        let mut scratch = Id::new();
        for (name, session) in letter.lives() {
            let node = name.unescape(&mut scratch).and_then(|name| self.replica.causality.members.find(name));
            let Some(node) = node else {
                self.stats.refused_rows += 1;
                continue;
            };
            if self.is_ahead(session, now) {
                self.stats.refused_sessions += 1;
                continue;
            }
            any = true;
            if let Some(gossip) = &mut self.gossip {
                gossip.named(node, session, now.at);
            }
        }
        any
    }

    /// This node's name is seen with a number: one above its own makes it take one above that.
    fn own_name_seen(&mut self, now: Now, number: u64) {
        if self.is_ahead(number, now) {
            self.stats.refused_sessions += 1;
        } else if let Some(gossip) = &mut self.gossip
            && number > gossip.common.own.session()
        {
            gossip.want_session_above(number, now.at);
        }
    }

    /// A row that this memory made is seen with changes that it has not made. In the present life that makes it begin another one; a row of
    /// an earlier life is no longer its own.
    fn own_row_claimed(&mut self, now: Now, row: RowId) {
        let Some(gossip) = &mut self.gossip else { return };
        if self.replica.own_row() == Some(row) {
            gossip.want_session_above(gossip.common.own.session(), now.at);
        } else {
            self.replica.causality.rows.give_up(row);
        }
    }

    /// The row for which an entry in `row` claims what its maker has not made: that one, or the one that the entry names.
    #[cold]
    fn claimed_row(&self, row: RowId, entry: Option<&Entry<'_>>) -> RowId {
        let Causality { members, rows, .. } = &self.replica.causality;
        if rows.is_immune(row) {
            return row;
        }
        let named = entry.and_then(|entry| match *entry.args().first()? {
            Arg::Row { node, incarnation } => Some((members.find(node)?, incarnation)),
            Arg::Text(name) => members.find_row(name),
            Arg::Int(_) | Arg::Big(_) => None,
        });
        named.and_then(|(node, life)| rows.find(node, life)).unwrap_or(row)
    }

    fn merge_chunks(&mut self, merge: &mut Merge<'_>, present: Option<u64>, mut chunks: Chunks<'_>) {
        // Bounded by the length of the line.
        while let Some(chunk) = chunks.chunk() {
            let name = self.row_name(chunk.row);
            if let Some((node, life)) = name
                && node == self.replica.causality.members.me()
            {
                self.own_name_seen(merge.now, life);
            }
            let row = name.and_then(|(node, life)| self.replica.open(node, life).ok());
            if row.is_none() {
                self.stats.refused_rows += 1;
                merge.done.refused = true;
                if name.is_some() {
                    self.refusals.note(Bound::Rows(self.limits.rows));
                }
            }
            let changes = merge.done.changes;
            let mut seq = chunk.from;
            while let Some(item) = chunks.item() {
                let before = seq;
                seq = (seq + if let Item::Skip(count) = item { count } else { 1 }).min(SEQ_MAX);
                let Some(row) = row else { continue };
                let dot = Dot { row, seq };
                match item {
                    Item::Int(int) => self.merge(merge, dot, &Entry::bare(Arg::Int(int))),
                    Item::Entry(raw) => self.merge_raw(merge, dot, &raw),
                    Item::Skip(_) => {
                        let bound = self.skip_bound(merge, row, chunk.row);
                        let outcome = self.replica.skip(row, before, seq, bound);
                        self.note(
                            merge,
                            Hot { row, from: before, to: seq.min(bound).max(before), source: Some(merge.from) },
                            outcome,
                            None,
                        );
                    }
                }
            }
            let row = row.and_then(|row| self.replica.close(row));
            if merge.done.changes == changes {
                let moved = row.map(|row| self.replica.causality.rows.get(row).moved).filter(|moved| *moved > 0);
                merge.done.known = merge.done.known.or(Some(u64::MAX)).min(moved.or(Some(u64::MAX)));
            }
            self.learn_from_chunk(merge.from, present, row, seq);
        }
    }

    fn merge_raw(&mut self, merge: &mut Merge<'_>, dot: Dot, raw: &RawEntry<'_>) {
        let mut scratch = Scratch::default();
        match raw.resolve(&mut scratch) {
            Some(entry) => self.merge(merge, dot, &entry),
            None => {
                self.stats.refused_unreadable += 1;
                merge.done.refused = true;
            }
        }
    }

    /// Whoever sends changes of its own, of its `present` life, has made all those before them.
    fn learn_from_chunk(&mut self, from: NodeIndex, present: Option<u64>, row: Option<RowId>, to: u64) {
        let (Some(id), Some(gossip)) = (row, &mut self.gossip) else { return };
        let row = self.replica.causality.rows.get(id);
        if row.node == from && Some(row.incarnation) == present {
            gossip.common.peers.learn(from, id, to);
        }
    }

    /// The last dot of a row up to which a skip is believed: what the sender's digest shows of it. Else a skip to the end of all numbers
    /// would end the row for its author.
    fn skip_bound(&mut self, merge: &mut Merge<'_>, row: RowId, name: Str<'_>) -> u64 {
        if !merge.learned {
            merge.learned = true;
            self.learn_frontiers(merge.from, merge.letter);
        }
        let known = self.gossip.as_ref().and_then(|gossip| gossip.common.peers.vector(merge.from)).unwrap_or(&[]);
        let shown = if merge.old { 0 } else { known.get(row.at()).copied().unwrap_or(0) };
        // Of a row that was not there when the digest was learned, and of an older session, the digest itself has to tell.
        if shown > 0 || merge.scans >= SCANS_MOST {
            return shown;
        }
        merge.scans += 1;
        merge.letter.shown(name)
    }

    #[inline]
    fn merge(&mut self, merge: &mut Merge<'_>, dot: Dot, entry: &Entry<'_>) {
        let outcome = self.replica.merge(dot, entry);
        self.note(merge, Hot::dot(dot, Some(merge.from)), outcome, Some(entry));
    }

    /// Takes note of what became of entries: what changed state or vector is news.
    #[inline]
    fn note(&mut self, merge: &mut Merge<'_>, hot: Hot, outcome: Outcome, entry: Option<&Entry<'_>>) {
        self.count(outcome);
        if !outcome.is_news() {
            merge.done.refused |= matches!(outcome, Outcome::Refused(_));
            if outcome == Outcome::Impostor {
                let claimed = self.claimed_row(hot.row, entry);
                // An entry of another row that names this one is offered again, and taken when the row is given up.
                merge.done.refused |= claimed != hot.row;
                self.own_row_claimed(merge.now, claimed);
            }
            return;
        }
        merge.done.changes += 1;
        let lane = entry.and_then(Replica::<S>::lane).unwrap_or(Lane::Push);
        let state_changed = matches!(outcome, Outcome::News | Outcome::TooFarAhead { .. });
        if let Some(gossip) = &mut self.gossip
            && (outcome == Outcome::News || gossip.keeps(Rule::EveryChange))
        {
            gossip.news(lane, hot, merge.now.at);
        }
        if state_changed {
            self.service.data_from_peer(lane);
        }
        if outcome == Outcome::News && self.config.events {
            self.events.push(Event::Applied(Dot { row: hot.row, seq: hot.to }));
        }
    }

    #[inline]
    pub(super) fn count(&mut self, outcome: Outcome) {
        if let Outcome::Refused(Refused::Full(bound)) = outcome {
            self.refusals.note(bound);
        }
        let stats = &mut self.stats;
        *match outcome {
            Outcome::News => &mut stats.entries_applied,
            Outcome::Covered | Outcome::Known => &mut stats.entries_known,
            Outcome::Refused(Refused::Full(_)) => &mut stats.refused_full,
            Outcome::Refused(Refused::ClockAhead) => &mut stats.refused_clock_ahead,
            Outcome::Refused(Refused::Unreadable | Refused::Overflow) => &mut stats.refused_unreadable,
            Outcome::Refused(Refused::Row(_)) => &mut stats.refused_rows,
            Outcome::TooFarAhead { .. } | Outcome::SkipTooFar { .. } => &mut stats.too_far_ahead,
            Outcome::Impostor | Outcome::Refused(Refused::Impostor) => &mut stats.impostors,
        } += 1;
    }

    /// Learns the frontiers in a peer's digest, of rows that are here to stay. O(its rows · log of the rows here).
    fn learn_frontiers(&mut self, from: NodeIndex, letter: &Received<'_>) {
        for (name, frontier) in letter.digest() {
            if let Some((node, life)) = self.row_name(name)
                && let Some(row) = self.replica.causality.rows.find(node, life)
                && !self.replica.causality.rows.is_provisional(row)
                && let Some(gossip) = &mut self.gossip
            {
                gossip.common.peers.learn(from, row, frontier);
            }
        }
    }

    /// Learns the rows of a peer's digest, and in how many of them the peer has dots that this node lacks.
    fn learn_digest(&mut self, now: Now, from: NodeIndex, letter: &Received<'_>, merged: &Merged) -> Behind {
        let mut behind = Behind::default();
        for (name, frontier) in letter.digest() {
            let Some((node, life)) = self.row_name(name) else {
                self.stats.refused_rows += 1;
                continue;
            };
            let own = node == self.replica.causality.members.me();
            if own {
                self.own_name_seen(now, life);
            }
            let rows = &self.replica.causality.rows;
            let Some(row) = rows.find(node, life) else {
                // A row that is only named takes nothing.
                let fits = rows.has_room_for_life(node, life);
                behind.lacking |= fits;
                behind.unknown |= fits;
                behind.rows += 1;
                continue;
            };
            let mine = rows.get(row).frontier;
            let claimed = frontier > mine && rows.is_immune(row);
            let known = if claimed { mine } else { frontier };
            if claimed {
                self.stats.impostors += 1;
                self.own_row_claimed(now, row);
            } else if frontier > mine {
                behind.rows += 1;
                behind.lacking = true;
            }
            if let Some(gossip) = &mut self.gossip {
                if self.replica.own_row() == Some(row) {
                    gossip.common.peers.learn_own(from, known);
                }
                gossip.common.peers.learn(from, row, known);
            }
        }
        // A peer whose entries could not be taken is not asked for them again at once: that would never end.
        behind.lacking &= !merged.is_in_vain();
        behind
    }

    /// Of the rows in which this node is behind a peer, the number of those in which it holds what the peer held some time
    /// ago. Only the rows are listed in which that differs from the digest.
    fn recent(&mut self, from: NodeIndex, letter: &Received<'_>) -> usize {
        let mut recent = 0;
        for (name, frontier) in letter.old() {
            let Some((node, life)) = self.row_name(name) else { continue };
            let (Some(id), Some(gossip)) = (self.replica.causality.rows.find(node, life), &self.gossip) else {
                continue;
            };
            let mine = self.replica.causality.rows.get(id).frontier;
            let theirs = gossip.common.peers.vector(from).and_then(|known| known.get(id.at())).copied().unwrap_or(0);
            recent += usize::from(theirs > mine && frontier <= mine);
        }
        recent
    }

    pub(super) fn row_name(&self, name: Str<'_>) -> Option<(NodeIndex, u64)> {
        let mut scratch: heapless::String<{ crate::storage::ID_BYTES_MAX + 20 }> = heapless::String::new();
        let name = name.unescape(&mut scratch)?;
        self.replica.causality.members.find_row(name)
    }

    /// Compares digests and views, joins what both know of the others, and lets gossip decide what follows.
    fn compare(
        &mut self,
        now: Now,
        from: NodeIndex,
        lane: Lane,
        behind: Behind,
        merged: Merged,
        letter: &Received<'_>,
    ) {
        let mine = self.replica.sum();
        let control = self.control(now, letter);
        let theirs = letter.header.sum;
        let agreed = self.agree(now, from, letter);
        self.tell_rows(now, from, theirs, &behind, &merged);
        let Some(gossip) = &mut self.gossip else { return };
        gossip.common.note_refusals(merged.refused, agreed.equal, now.at);
        let same_vector = theirs.is_some_and(|theirs| theirs.vector == mine.vector) && !agreed.equal;
        self.stats.repairs += u64::from(gossip.common.peers.note_divergence(from, same_vector, mine.short()));
        let want = match letter.closing.want {
            Wanted::Nothing => Want::Nothing,
            Wanted::Reply => Want::Reply,
            Wanted::Gap => Want::Gap,
        };
        let refuses = letter.header.refuses;
        if agreed.newest && gossip.common.peers.set_no_row(from, refuses == Refuses::Row) {
            self.replica.over_bound(gossip.common.peers.any_without_row());
        }
        let data = letter.data().is_some();
        let heard = Heard {
            from,
            lane,
            equal: agreed.equal,
            same_view: agreed.same_view,
            newest: agreed.newest,
            refuses: refuses != Refuses::Nothing,
            news: merged.changes > 0,
            // Who was sent all that it lacks is not behind afterwards.
            cut: data && want == Want::Reply && behind.rows > 0,
            peer_settled: agreed.by_all,
            lacking: behind.lacking,
            want,
            data,
            lives: behind.lives,
            unknown: behind.unknown,
            behind: behind.rows > 0,
            long_behind: behind.rows > behind.recent,
            full: letter.closing.full,
            control,
        };
        gossip.heard(heard, mine.short(), &self.replica.causality.rows, now.at);
    }

    /// Compares digest and view of a message with those here. Where both are equal, what the two nodes know of others is joined; who shows
    /// something else since is no longer among those that agree.
    fn agree(&mut self, now: Now, from: NodeIndex, letter: &Received<'_>) -> Agreed {
        let Header { sum: theirs, view: shown, holders, .. } = letter.header;
        let mine = self.replica.sum();
        let Some(gossip) = &mut self.gossip else { return Agreed::default() };
        gossip.common.refresh(mine.short());
        let view = gossip.common.view_name();
        let shown = if gossip.keeps(Rule::Views) { shown } else { Some(view) };
        let newest = gossip.common.peers.is_newest(from, letter.closing.msg_id);
        if newest && let Some(shown) = shown {
            let mine = (view, gossip.common.view.version());
            gossip.common.peers.showed_view(from, shown, mine, gossip.patience_us(from), now.at);
        }
        let (equal, same_view) = (theirs == Some(mine), shown == Some(view));
        if equal && same_view {
            if !gossip.common.agreement.contains(from) {
                gossip.common.agreement.insert(from);
                gossip.common.peers.learn_all(from, &self.replica.causality.rows);
            }
            gossip.common.peers.learn_own(from, self.replica.own_seq());
            match holders {
                Holders::All => gossip.common.agreement.join_all(),
                Holders::Listed(digits) => gossip.common.agreement.join(digits.iter()),
                Holders::Sender => {}
            }
        } else if newest && gossip.keeps(Rule::ShowsAnother) && (!equal || shown.is_some()) {
            gossip.common.agreement.remove(from);
        }
        Agreed { equal, same_view, newest, by_all: equal && same_view && holders == Holders::All }
    }

    /// Decides which rows the peer is listed besides those with news.
    fn tell_rows(&mut self, now: Now, from: NodeIndex, theirs: Option<Sum>, behind: &Behind, merged: &Merged) {
        let Some(gossip) = &mut self.gossip else { return };
        let mine = self.replica.sum();
        if let Some(moved) = merged.known {
            // It does not know that these entries are here.
            gossip.common.peers.list_again(from, moved - 1);
        }
        let differs = theirs.is_some_and(|theirs| theirs.vector != mine.vector) && behind.rows == 0;
        let lacks = differs && gossip.common.lacks(from, &self.replica.causality.rows);
        gossip.common.peers.set_list_all(from, differs && !lacks);
        gossip.common.peers.look_at_filling(from, now.at);
    }

    /// What a scheduler with a relay says. `None` when the message has no ordinal that makes sense.
    fn control(&mut self, now: Now, letter: &Received<'_>) -> Option<Control> {
        let Header { ord, echoed, relay, turn, flush_ms, stable, .. } = letter.header;
        let ord = ord?;
        let mut scratch = Id::new();
        let relay = relay.and_then(|name| self.replica.causality.members.find(name.unescape(&mut scratch)?));
        let session = self.gossip.as_ref().map_or(0, |gossip| gossip.common.own.session());
        if let Some(echoed) = echoed {
            self.own_name_seen(now, echoed.session);
        }
        let echoed = echoed.filter(|echoed| echoed.session == session);
        let echoed = echoed.map(|echoed| Echo { ord: echoed.ord, held_ms: echoed.held_ms });
        Some(Control { ord, echoed, relay, flush_ms, stable, old: letter.has_old, turn })
    }
}

/// Sessions up to this number are counted, not taken from a clock.
const SESSIONS_COUNTED: u64 = 1 << 40;
/// Searches through a digest for rows that are new here, so that a line of many chunks costs no more than its length.
const SCANS_MOST: u32 = 32;

/// The entries of one message, while they are merged.
struct Merge<'m> {
    now: Now,
    from: NodeIndex,
    /// The message is of an older session than the newest known.
    old: bool,
    letter: &'m Received<'m>,
    /// The frontiers in the digest were learned already.
    learned: bool,
    scans: u32,
    done: Merged,
}

/// What became of the entries of one message.
#[derive(Clone, Copy, Default)]
struct Merged {
    /// Of those that changed state or vector, the number.
    changes: u32,
    /// Some were refused.
    refused: bool,
    /// All entries of some row were known already: the version in which the first of such rows moved last.
    known: Option<u64>,
}

impl Merged {
    /// Whether there were entries, and none was news.
    fn is_in_vain(&self) -> bool {
        self.changes == 0 && (self.refused || self.known.is_some())
    }
}

/// How digest and view of a message compare with those here.
#[derive(Clone, Copy, Default)]
struct Agreed {
    equal: bool,
    same_view: bool,
    /// The message is newer than all before it from its sender.
    newest: bool,
    /// The sender knows all members to hold the same.
    by_all: bool,
}

/// What a peer has that this node lacks.
#[derive(Clone, Copy, Default)]
struct Behind {
    /// Whether asking for it makes sense.
    lacking: bool,
    /// In how many rows the peer is ahead.
    rows: usize,
    /// Of them, those in which the peer was not ahead some time ago.
    recent: usize,
    /// Whether it has rows of which nothing is here, and for which there is room.
    unknown: bool,
    /// Whether the message named sessions.
    lives: bool,
}
