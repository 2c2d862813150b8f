//! A message from a peer: its entries are merged, and gossip is told what it shows.

use super::events::Noted;
use super::{Member, Rejected};
use crate::causality::{Arg, Causality, Dot, Entry, RowId};
use crate::gossip::{self, Control, Echo, Exchange, Hot, Said, Want};
use crate::id::{Id, NodeIndex};
use crate::replicated::{Bound, Lane, Outcome, Refused, Replica, Store};
use crate::service::Application;
use crate::storage::{INCARNATION_MAX, Scratch as _};
use crate::time::Now;
use crate::wire::gossip::size::can_travel;
use crate::wire::gossip::{Header, Holders, Letter, Received, Refuses, Wanted};
use crate::wire::{Chunks, Item, Kind, Message, RawEntry, SEQ_MAX, Str};

/// Sessions up to this number are counted, not taken from a clock.
const SESSIONS_COUNTED: u64 = 1 << 40;

/// A message of this implementation, while it is read.
struct Reading<'m> {
    now: Now,
    letter: &'m Received<'m>,
    exchange: Exchange,
}

impl<S: Application> Member<S> {
    /// Handles `gossip` or `replicate`. O(length of the line).
    #[inline(never)]
    pub(super) fn receive(&mut self, now: Now, kind: Kind, message: &Message<'_>) -> Result<(), Rejected> {
        let mut scratch = Id::new();
        let src =
            message.src.and_then(|src| src.unescape(&mut scratch).map(|src| self.replica.causality.members.find(src)));
        let member = src.flatten();
        let me = self.replica.causality.members.me();
        let Some(from) = member.filter(|member| *member != me) else {
            self.desk.stats.strangers += 1;
            return Err(Rejected::Stranger);
        };
        self.desk.stats.gossip_messages_received += 1;
        if message.envelope_twice().is_some() || message.known_field_twice().is_some() {
            self.desk.stats.refused_unreadable += 1;
            return Ok(());
        }
        let lane = if kind == Kind::Replicate { Lane::Tick } else { Lane::Push };
        match Letter::decode(kind, message) {
            Letter::Ours(letter) => self.receive_own_kind(now, from, lane, &letter),
            Letter::Foreign(foreign) => self.receive_foreign(now, from, foreign),
            Letter::Unreadable => self.desk.stats.refused_unreadable += 1,
        }
        self.note_settled();
        self.judge_convergence(now.at);
        Ok(())
    }

    /// A message of this implementation.
    fn receive_own_kind(&mut self, now: Now, from: NodeIndex, lane: Lane, letter: &Received<'_>) {
        let session = letter.header.session;
        if self.is_ahead(session, now) {
            self.desk.stats.refused_sessions += 1;
            return;
        }
        let mut reading = Reading { now, letter, exchange: self.gossip.meet(from, session, now.at) };
        if let Some(data) = letter.data() {
            self.merge_chunks(&mut reading, data);
        }
        self.learn_lives(&mut reading);
        if reading.exchange.is_old() {
            self.desk.stats.old_sessions += 1;
            self.gossip.learned_from_old_session(&reading.exchange);
            return;
        }
        self.learn_digest(&mut reading);
        self.learn_old(&mut reading);
        let control = self.control(now, letter);
        let learned = self.gossip.learned(reading.exchange, said(lane, letter, control), &self.replica);
        self.desk.stats.repairs += u64::from(learned.repair_begins);
        if let Some(over) = learned.is_without_row {
            self.replica.over_bound(over);
        }
    }

    /// Whether a session cannot be: it lies further ahead of the wall clock than stamps may. (Drivers number sessions by that clock, or
    /// from 0.)
    fn is_ahead(&self, session: u64, now: Now) -> bool {
        let most = |wall: u64| wall.saturating_add(self.config.max_clock_ahead_ms.saturating_mul(1_000));
        session > INCARNATION_MAX || now.wall_us.is_some_and(|wall| session > most(wall).max(SESSIONS_COUNTED))
    }

    /// Learns the sessions that a peer names.
    fn learn_lives(&mut self, reading: &mut Reading<'_>) {
        let mut scratch = Id::new();
        for (name, session) in reading.letter.lives() {
            let node = name.unescape(&mut scratch).and_then(|name| self.replica.causality.members.find(name));
            let Some(node) = node else {
                self.desk.stats.refused_rows += 1;
                continue;
            };
            if self.is_ahead(session, reading.now) {
                self.desk.stats.refused_sessions += 1;
            } else {
                self.gossip.session_named(&mut reading.exchange, node, session);
            }
        }
    }

    /// This node's name is seen with a number: one above its own makes it take one above that.
    fn own_name_seen(&mut self, now: Now, number: u64) {
        let me = self.replica.causality.members.me();
        if self.is_ahead(number, now) {
            self.desk.stats.refused_sessions += 1;
        } else {
            self.gossip.named(me, number, now.at);
        }
    }

    /// A row that this memory made is seen with changes that it has not made. In the present life that makes it begin another one; a row of
    /// an earlier life is no longer its own.
    fn own_row_claimed(&mut self, now: Now, row: RowId) {
        if self.replica.own_row() == Some(row) {
            self.gossip.want_session_above(self.gossip.session(), now.at);
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

    fn merge_chunks(&mut self, reading: &mut Reading<'_>, mut chunks: Chunks<'_>) {
        // Bounded by the length of the line.
        while let Some(chunk) = chunks.chunk() {
            let row = self.open_row(reading, chunk.row);
            reading.exchange.begin_chunk();
            let mut seq = chunk.from;
            while let Some(item) = chunks.item() {
                let before = seq;
                seq = (seq + if let Item::Skip(count) = item { count } else { 1 }).min(SEQ_MAX);
                let Some(row) = row else { continue };
                let dot = Dot { row, seq };
                match item {
                    Item::Int(int) => {
                        self.merge(reading, dot, &Entry::bare(Arg::Int(int)));
                    }
                    Item::Entry(raw) => self.merge_raw(reading, dot, &raw),
                    Item::Skip(_) => {
                        let bound = self.skip_bound(reading, row, chunk.row);
                        let outcome = self.replica.skip(row, before, seq, bound);
                        let source = Some(reading.exchange.from());
                        let hot = Hot { row, from: before, to: seq.min(bound).max(before), source };
                        self.note(reading, hot, outcome, None);
                    }
                }
            }
            let row = row.and_then(|row| self.replica.close(row));
            self.gossip.end_chunk(&mut reading.exchange, &self.replica.causality.rows, row, seq);
        }
    }

    /// The row in which the entries of a chunk are merged, `None` when it cannot be had.
    fn open_row(&mut self, reading: &mut Reading<'_>, name: Str<'_>) -> Option<RowId> {
        let name = self.row_name(name);
        if let Some((node, life)) = name
            && node == self.replica.causality.members.me()
        {
            self.own_name_seen(reading.now, life);
        }
        let row = name.and_then(|(node, life)| self.replica.open(node, life).ok());
        if row.is_none() {
            self.desk.stats.refused_rows += 1;
            reading.exchange.refuse();
            if name.is_some() {
                self.desk.refusals.note(Bound::Rows(self.limits.rows));
            }
        }
        row
    }

    fn merge_raw(&mut self, reading: &mut Reading<'_>, dot: Dot, raw: &RawEntry<'_>) {
        let mut scratch = self.scratch.lend();
        match raw.resolve(scratch.as_mut()) {
            Some(entry) if !Store::<S>::is_own(entry.tag) || can_travel(&entry, &self.limits) => {
                if self.merge(reading, dot, &entry).is_included() {
                    self.service.staleness.arrived(&self.replica.store.map, &entry);
                }
            }
            Some(_) | None => {
                self.desk.stats.refused_unreadable += 1;
                reading.exchange.refuse();
            }
        }
        self.scratch.give_back(scratch);
    }

    /// The last dot of a row up to which a skip is believed: what the sender's digest shows of it. Else a skip to the end of all numbers
    /// would end the row for its author.
    fn skip_bound(&mut self, reading: &mut Reading<'_>, row: RowId, name: Str<'_>) -> u64 {
        if reading.exchange.has_to_learn_digest() {
            self.learn_frontiers(reading);
        }
        let shown = self.gossip.shown(&reading.exchange, row);
        // Of a row that was not there when the digest was learned, and of an older session, the digest itself has to tell.
        if shown > 0 || !reading.exchange.may_search_digest() { shown } else { reading.letter.shown(name) }
    }

    #[inline]
    fn merge(&mut self, reading: &mut Reading<'_>, dot: Dot, entry: &Entry<'_>) -> Outcome {
        let outcome = self.replica.merge(dot, entry);
        self.note(reading, Hot::dot(dot, Some(reading.exchange.from())), outcome, Some(entry));
        outcome
    }

    /// Takes note of what became of entries: what changed state or vector is news.
    #[inline]
    fn note(&mut self, reading: &mut Reading<'_>, hot: Hot, outcome: Outcome, entry: Option<&Entry<'_>>) {
        self.count(outcome);
        if !outcome.is_news() {
            if matches!(outcome, Outcome::Refused(_)) {
                reading.exchange.refuse();
            } else if matches!(outcome, Outcome::Impostor) {
                let claimed = self.claimed_row(hot.row, entry);
                // An entry of another row that names this one is offered again, and taken when the row is given up.
                if claimed != hot.row {
                    reading.exchange.refuse();
                }
                self.own_row_claimed(reading.now, claimed);
            }
            return;
        }
        let lane = entry.map_or(Lane::Push, Replica::<S>::lane);
        self.gossip.merged(&mut reading.exchange, outcome, lane, hot);
        if matches!(outcome, Outcome::News | Outcome::TooFarAhead { .. })
            && let Some(entry) = entry
        {
            self.service.data_from_peer(entry.tag);
        }
        if self.config.events && matches!(outcome, Outcome::News) {
            self.events.push(Noted::Applied(Dot { row: hot.row, seq: hot.to }));
        }
    }

    #[inline]
    pub(super) fn count(&mut self, outcome: Outcome) {
        if let Outcome::Refused(Refused::Full(bound)) = outcome {
            self.desk.refusals.note(bound);
        }
        let stats = &mut self.desk.stats;
        *match outcome {
            Outcome::News => &mut stats.entries_applied,
            Outcome::Covered | Outcome::Known => &mut stats.entries_known,
            Outcome::Refused(Refused::Full(_)) => &mut stats.refused_full,
            Outcome::Refused(Refused::ClockAhead | Refused::EndOfTime) => &mut stats.refused_clock_ahead,
            Outcome::Refused(Refused::Unreadable | Refused::Overflow) => &mut stats.refused_unreadable,
            Outcome::Refused(Refused::Row(_)) => &mut stats.refused_rows,
            Outcome::TooFarAhead { .. } | Outcome::SkipTooFar { .. } => &mut stats.too_far_ahead,
            Outcome::Impostor | Outcome::Refused(Refused::Impostor) => &mut stats.impostors,
        } += 1;
    }

    /// Learns the frontiers in a peer's digest, of rows that are here to stay. O(its rows · log of the rows here).
    fn learn_frontiers(&mut self, reading: &Reading<'_>) {
        for (name, frontier) in reading.letter.digest() {
            if let Some((node, life)) = self.row_name(name)
                && let Some(row) = self.replica.causality.rows.find(node, life)
                && !self.replica.causality.rows.is_provisional(row)
            {
                self.gossip.frontier_shown(&reading.exchange, row, frontier);
            }
        }
    }

    /// Learns the rows of a peer's digest, and in how many of them the peer has dots that this node lacks.
    fn learn_digest(&mut self, reading: &mut Reading<'_>) {
        for (name, frontier) in reading.letter.digest() {
            let Some(row) = self.row_name(name) else {
                self.desk.stats.refused_rows += 1;
                continue;
            };
            if row.0 == self.replica.causality.members.me() {
                self.own_name_seen(reading.now, row.1);
            }
            if let Some(claimed) = self.gossip.digest_shown(&mut reading.exchange, &self.replica, row, frontier) {
                self.desk.stats.impostors += 1;
                self.own_row_claimed(reading.now, claimed);
            }
        }
    }

    /// Learns what the peer held some time ago.
    fn learn_old(&mut self, reading: &mut Reading<'_>) {
        let rows = &self.replica.causality.rows;
        for (name, frontier) in reading.letter.old() {
            if let Some((node, life)) = self.row_name(name)
                && let Some(row) = rows.find(node, life)
            {
                self.gossip.old_shown(&mut reading.exchange, rows, row, frontier);
            }
        }
    }

    pub(super) fn row_name(&self, name: Str<'_>) -> Option<(NodeIndex, u64)> {
        let mut scratch: heapless::String<{ crate::storage::ID_BYTES_MAX + 20 }> = heapless::String::new();
        let name = name.unescape(&mut scratch)?;
        self.replica.causality.members.find_row(name)
    }

    /// What a scheduler with a relay says. `None` when the message has no ordinal that makes sense.
    fn control(&mut self, now: Now, letter: &Received<'_>) -> Option<Control> {
        let Header { ord, echoed, relay, turn, flush_ms, stable, .. } = letter.header;
        let ord = ord?;
        let mut scratch = Id::new();
        let relay = relay.and_then(|name| self.replica.causality.members.find(name.unescape(&mut scratch)?));
        let session = self.session();
        if let Some(echoed) = echoed {
            self.own_name_seen(now, echoed.session);
        }
        let echoed = echoed.filter(|echoed| echoed.session == session);
        let echoed = echoed.map(|echoed| Echo { ord: echoed.ord, held_ms: echoed.held_ms });
        Some(Control { ord, echoed, relay, flush_ms, stable, old: letter.has_old, turn })
    }
}

/// What a header says, in the numbers of this node.
fn said(lane: Lane, letter: &Received<'_>, control: Option<Control>) -> Said<impl Iterator<Item = u8>> {
    let Header { sum, view, holders, refuses, .. } = letter.header;
    Said {
        lane,
        sum,
        view,
        holders: match holders {
            Holders::Sender => gossip::Holders::Sender,
            Holders::Listed(digits) => gossip::Holders::Listed(digits.iter()),
            Holders::All => gossip::Holders::All,
        },
        number: letter.closing.msg_id,
        want: match letter.closing.want {
            Wanted::Nothing => Want::Nothing,
            Wanted::Reply => Want::Reply,
            Wanted::Gap => Want::Gap,
        },
        refuses: refuses != Refuses::Nothing,
        no_row: refuses == Refuses::Row,
        data: letter.data().is_some(),
        full: letter.closing.full,
        control,
    }
}
