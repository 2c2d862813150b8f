//! A message from a peer: its entries are merged, then what its header says is learned.

use super::{Node, Rejected};
use crate::causality::{Arg, Dot, Entry, RowId, RowRefused, Sum};
use crate::gossip::{Control, Echo, Heard, Life, Want};
use crate::id::{Id, NodeIndex};
use crate::output::Event;
use crate::replicated::{Bound, Lane, Outcome, Refused, Replica, Sign};
use crate::storage::{INCARNATION_MAX, Storage};
use crate::time::Now;
use crate::wire::{Chunks, Item, Items, Key, Kind, Message, Pairs, RawEntry, SEQ_MAX, Scalar, Scratch, Str, Token};

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
        match message.get(Key::Incarnation) {
            Some(Token::Int(incarnation)) if (0..=INCARNATION_MAX.cast_signed()).contains(&incarnation) => {
                self.receive_own_kind(now, from, lane, incarnation.cast_unsigned(), message);
            }
            Some(_) => self.stats.refused_unreadable += 1,
            None => self.receive_foreign(now, from, kind, message),
        }
        self.note_settled();
        self.judge_convergence(now.at);
        Ok(())
    }

    /// A message of this implementation: it has a header.
    fn receive_own_kind(&mut self, now: Now, from: NodeIndex, lane: Lane, incarnation: u64, message: &Message<'_>) {
        let Some(gossip) = &mut self.gossip else { return };
        let life = gossip.common.peers.meet(from, incarnation, now.at);
        if life == Life::New {
            gossip.reborn(from, now.at);
        }
        let before = self.replica.sum();
        let data = message.get(Key::Data);
        if let Some(Token::Array(data)) = data {
            self.merge_chunks(now, from, (life != Life::Old).then_some(incarnation), data);
        }
        if life == Life::Old {
            self.stats.old_lives += 1;
            return;
        }
        if let Some(gossip) = &mut self.gossip {
            gossip.common.peers.remember(from);
        }
        let lacking = match message.get(Key::Digest) {
            Some(Token::Object(digest)) => self.learn_digest(from, Pairs::new(digest)),
            _ => 0,
        };
        let recent = match message.get(Key::Old) {
            Some(Token::Object(old)) => self.recent(from, Pairs::new(old)),
            _ => 0,
        };
        // A peer whose entries could not be taken is not asked for them again at once: that would never end.
        let in_vain = data.is_some() && self.replica.sum() == before;
        let behind = Behind { lacking: lacking > 0 && !in_vain, rows: lacking, recent };
        self.compare(now, from, lane, behind, message);
    }

    fn merge_chunks(&mut self, now: Now, from: NodeIndex, present: Option<u64>, data: &str) {
        let mut chunks = Chunks::new(data);
        // Bounded by the length of the line.
        while let Some(chunk) = chunks.chunk() {
            let row = self.row_of(chunk.row);
            self.stats.refused_rows += u64::from(row.is_none());
            let mut seq = chunk.from;
            while let Some(item) = chunks.item() {
                let before = seq;
                seq = (seq + if let Item::Skip(count) = item { count } else { 1 }).min(SEQ_MAX);
                let Some(row) = row else { continue };
                let dot = Dot { row, seq };
                match item {
                    Item::Int(int) => self.merge(now, from, dot, &Entry::bare(Arg::Int(int))),
                    Item::Entry(raw) => self.merge_raw(now, from, dot, &raw),
                    Item::Skip(_) => {
                        let outcome = self.replica.skip(row, before, seq);
                        self.count(outcome);
                    }
                }
            }
            self.learn_from_chunk(from, present, row, seq);
        }
    }

    fn merge_raw(&mut self, now: Now, from: NodeIndex, dot: Dot, raw: &RawEntry<'_>) {
        let mut scratch = Scratch::default();
        match raw.resolve(&mut scratch) {
            Some(entry) => self.merge(now, from, dot, &entry),
            None => self.stats.refused_unreadable += 1,
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

    #[inline]
    fn merge(&mut self, now: Now, from: NodeIndex, dot: Dot, entry: &Entry<'_>) {
        let outcome = self.replica.merge(dot, entry);
        self.count(outcome);
        if outcome == (Outcome::TooFarAhead { news: true }) {
            self.service.data_from_peer(Replica::<S>::lane(entry).unwrap_or(Lane::Push));
        }
        if outcome == Outcome::News {
            let lane = Replica::<S>::lane(entry).unwrap_or(Lane::Push);
            if let Some(gossip) = &mut self.gossip {
                gossip.news(lane, dot, Some(from), now.at);
            }
            self.service.data_from_peer(lane);
            if self.config.events {
                self.events.push(Event::Applied(dot));
            }
        }
    }

    #[inline]
    fn count(&mut self, outcome: Outcome) {
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
            Outcome::TooFarAhead { .. } => &mut stats.too_far_ahead,
            Outcome::Impostor => &mut stats.impostors,
        } += 1;
    }

    /// Learns the rows of a peer's digest. Gives the number of rows in which the peer has dots that this node lacks.
    fn learn_digest(&mut self, from: NodeIndex, digest: Pairs<'_>) -> usize {
        let mut lacking = 0;
        for (name, frontier) in digest {
            let Token::Int(frontier) = frontier else {
                continue;
            };
            let frontier = u64::try_from(frontier).unwrap_or(0).min(SEQ_MAX);
            if frontier == 0 {
                continue;
            }
            let Some(row) = self.row_of(name) else {
                self.stats.refused_rows += 1;
                continue;
            };
            let Some(gossip) = &mut self.gossip else {
                continue;
            };
            if Some(row) == self.replica.own_row() {
                let own = self.replica.own_seq();
                self.stats.impostors += u64::from(frontier > own);
                gossip.common.peers.learn_own(from, frontier.min(own));
                gossip.common.peers.learn(from, row, frontier.min(own));
            } else {
                lacking += usize::from(frontier > self.replica.causality.rows.get(row).frontier);
                gossip.common.peers.learn(from, row, frontier);
            }
        }
        lacking
    }

    /// Of the rows in which this node is behind a peer, the number of those in which it holds what the peer held some time
    /// ago. Only the rows are listed in which that differs from the digest.
    fn recent(&mut self, from: NodeIndex, old: Pairs<'_>) -> usize {
        let mut recent = 0;
        for (name, frontier) in old {
            let Token::Int(frontier) = frontier else { continue };
            let (Some(id), Some(gossip)) = (self.row_of(name), &self.gossip) else { continue };
            let mine = self.replica.causality.rows.get(id).frontier;
            let theirs = gossip.common.peers.vector(from).and_then(|known| known.get(id.at())).copied().unwrap_or(0);
            recent += usize::from(theirs > mine && u64::try_from(frontier).unwrap_or(0) <= mine);
        }
        recent
    }

    fn row_of(&mut self, name: Str<'_>) -> Option<RowId> {
        let mut scratch: heapless::String<{ crate::storage::ID_BYTES_MAX + 20 }> = heapless::String::new();
        let name = name.unescape(&mut scratch)?;
        match self.replica.causality.row_named(name) {
            Ok(row) => Some(row),
            Err(RowRefused::Full) => {
                self.refusals.note(Bound::Lives(self.limits.lives_per_node));
                None
            }
            Err(RowRefused::Stranger) => None,
        }
    }

    /// Compares the digests, joins what both know of the others, and lets gossip decide what follows.
    fn compare(&mut self, now: Now, from: NodeIndex, lane: Lane, behind: Behind, message: &Message<'_>) {
        let mine = self.replica.sum();
        let control = self.control(message);
        let theirs = message.get(Key::Sum).and_then(sum);
        let Some(gossip) = &mut self.gossip else { return };
        gossip.common.refresh(mine.short());
        let equal = theirs == Some(mine);
        let mut peer_settled = false;
        if equal {
            gossip.common.peers.learn_own(from, self.replica.own_seq());
            if let Some(Token::Text(agree)) = message.get(Key::Agree)
                && let Some(members) = agreement(agree, self.replica.causality.members.fingerprint())
            {
                peer_settled = members == "all";
                if peer_settled {
                    gossip.common.agreement.join_all();
                } else {
                    let digits = members.chars().map(|digit| digit.to_digit(16).unwrap_or(0) as u8);
                    gossip.common.agreement.join(digits);
                }
            }
        }
        let same_vector = theirs.is_some_and(|theirs| theirs.vector == mine.vector) && !equal;
        self.stats.repairs += u64::from(gossip.common.peers.note_divergence(from, same_vector, mine.short()));
        let want = match message.get(Key::Want) {
            Some(Token::Int(1)) => Want::Reply,
            Some(Token::Int(2)) => Want::Gap,
            _ => Want::Nothing,
        };
        let heard = Heard {
            from,
            lane,
            equal,
            peer_settled,
            lacking: behind.lacking,
            want,
            data: matches!(message.get(Key::Data), Some(Token::Array(_))),
            behind: behind.rows > 0,
            long_behind: behind.rows > behind.recent,
            full: message.get(Key::Full) == Some(Token::Bool(true)),
            control,
        };
        gossip.heard(heard, mine.short(), &self.replica.causality.rows, now.at);
    }

    /// What a scheduler with a relay says. `None` when the message has no ordinal that makes sense.
    fn control(&self, message: &Message<'_>) -> Option<Control> {
        let ord = message.get(Key::Ordinal).and_then(small).filter(|ord| *ord > 0)?;
        let relay = match message.get(Key::Relay) {
            Some(Token::Text(name)) => {
                let mut scratch = Id::new();
                name.unescape(&mut scratch).and_then(|name| self.replica.causality.members.find(name))
            }
            _ => None,
        };
        Some(Control {
            ord,
            echoed: message.get(Key::Echoed).and_then(|token| echo(token, self.config.incarnation)),
            relay,
            flush_ms: message.get(Key::Flush).and_then(small),
            stable: message.get(Key::Stable) == Some(Token::Bool(true)),
            old: message.get(Key::Old).is_some(),
            turn: message.get(Key::Turn).and_then(small).unwrap_or(0),
        })
    }

    /// A message of another implementation: a bare value, or vectors by node name. What changes the state is a local
    /// change, with this node's next dot.
    fn receive_foreign(&mut self, now: Now, from: NodeIndex, kind: Kind, message: &Message<'_>) {
        if let Some(gossip) = &mut self.gossip {
            gossip.common.peers.hear(from, now.at);
        }
        if kind == Kind::Gossip {
            let Some(value) = message.get(Key::Value).and_then(Scalar::of) else {
                return;
            };
            let mut scratch: heapless::String<{ crate::storage::TEXT_BYTES_MAX }> = heapless::String::new();
            match value.value(&mut scratch) {
                Some(value) => self.foreign_change(now, from, &Entry::bare(value.into())),
                None => self.stats.refused_unreadable += 1,
            }
            return;
        }
        let (Some(p), Some(n)) = (vector(message, Key::PCounters), vector(message, Key::NCounters)) else {
            self.stats.refused_unreadable += 1;
            return;
        };
        let mut cells = 0;
        for (vector, sign) in [(p, Sign::P), (n, Sign::N)] {
            for (name, number) in vector {
                let number = unsigned(number).unwrap_or(0);
                cells += u64::from(self.foreign_cell(now, from, sign, name, number));
            }
        }
        // Numbers that were refused are no data.
        if cells > 0 {
            self.service.data_from_peer(Lane::Tick);
        }
        let sum = self.replica.sum().short();
        let mine = self.replica.store.counter.cells();
        if let Some(gossip) = &mut self.gossip {
            gossip.common.refresh(sum);
            // It showed every number that this node has, and none that is larger is left.
            let only_a_counter = self.replica.store.set.is_empty() && self.replica.store.map.is_empty();
            if cells == mine && cells > 0 && only_a_counter {
                gossip.common.agreement.insert(from);
            }
        }
    }

    /// Joins one number of a foreign vector. Says whether it is this node's number now.
    fn foreign_cell(&mut self, now: Now, from: NodeIndex, sign: Sign, name: Str<'_>, number: u64) -> bool {
        let Some(row) = self.row_of(name) else {
            self.stats.refused_rows += 1;
            return false;
        };
        let own = self.replica.own_row() == Some(row);
        if own && number > self.replica.store.counter.cell(row, sign) {
            self.stats.impostors += 1;
            return false;
        }
        let (node, incarnation) = {
            let row = self.replica.causality.rows.get(row);
            (row.node, row.incarnation)
        };
        let mut id = Id::new();
        // Ids of members fit.
        let _ = id.push_str(self.replica.causality.members.id(node));
        let args = [Arg::Row { node: &id, incarnation }, Arg::unsigned(number)];
        if let Some(entry) = Entry::new(sign.tag(), &args) {
            self.foreign_change(now, from, &entry);
        }
        number > 0 && self.replica.store.counter.cell(row, sign) == number
    }

    fn foreign_change(&mut self, now: Now, from: NodeIndex, entry: &Entry<'_>) {
        match self.replica.update(entry) {
            Ok(Some(dot)) => {
                let lane = Replica::<S>::lane(entry).unwrap_or(Lane::Push);
                self.stats.entries_applied += 1;
                self.service.data_from_peer(lane);
                self.changed(dot);
                if let Some(gossip) = &mut self.gossip {
                    gossip.news(lane, dot, Some(from), now.at);
                }
            }
            Ok(None) => self.stats.entries_known += 1,
            Err(refused) => self.count(Outcome::Refused(refused)),
        }
    }
}

/// In how many rows a peer is ahead of this node.
#[derive(Clone, Copy)]
struct Behind {
    /// Whether asking for them makes sense.
    lacking: bool,
    rows: usize,
    /// Of them, those in which the peer was not ahead some time ago.
    recent: usize,
}

fn small(token: Token<'_>) -> Option<u32> {
    unsigned(token).and_then(|int| u32::try_from(int).ok())
}

/// Reads `echoed`: ordinal, life and milliseconds. `None` when it is about another life than this one.
fn echo(token: Token<'_>, incarnation: u64) -> Option<Echo> {
    let Token::Array(array) = token else {
        return None;
    };
    let mut items = Items::new(array);
    let ord = items.next().and_then(small)?;
    let of = items.next().and_then(unsigned)?;
    let held_ms = items.next().and_then(small)?;
    (of == incarnation).then_some(Echo { ord, held_ms })
}

/// A vector of a foreign `replicate`, if all of it can be read.
fn vector<'a>(message: &Message<'a>, key: Key) -> Option<Pairs<'a>> {
    let Some(Token::Object(vector)) = message.get(key) else {
        return None;
    };
    let pairs = Pairs::new(vector);
    pairs.clone().all(|(_, number)| unsigned(number).is_some()).then_some(pairs)
}

fn unsigned(token: Token<'_>) -> Option<u64> {
    match token {
        Token::Int(int) => u64::try_from(int).ok(),
        Token::Big(big) => Some(big),
        Token::Number(_) | Token::Text(_) | Token::Bool(_) | Token::Null | Token::Array(_) | Token::Object(_) => None,
    }
}

/// Reads `sum`: 32 hexadecimal digits, the vector's first.
fn sum(token: Token<'_>) -> Option<Sum> {
    let Token::Text(text) = token else {
        return None;
    };
    let (vector, state) = text.raw().split_at_checked(16)?;
    let hex = |digits: &[u8]| {
        let digits = core::str::from_utf8(digits).ok().filter(|digits| digits.len() == 16)?;
        u64::from_str_radix(digits, 16).ok()
    };
    Some(Sum { vector: hex(vector)?, state: hex(state)? })
}

/// Reads `agree`: eight hexadecimal digits that name the cluster, a colon, and the members. `None` when it speaks of
/// another cluster.
fn agreement(agree: Str<'_>, cluster: u32) -> Option<&str> {
    let text = core::str::from_utf8(agree.raw()).ok()?;
    let at = text.bytes().position(|byte| byte == b':')?;
    let (name, members) = (text.get(..at)?, text.get(at + 1..)?);
    (u32::from_str_radix(name, 16) == Ok(cluster)).then_some(members)
}
