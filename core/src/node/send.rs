//! Intents to messages: the state as it is now, cut at an entry boundary.

use super::Node;
use super::entries::{DataWriter, Entries, Phase, Place};
use crate::causality::{Row, RowId};
use crate::config::{Strategy, control_bytes, digest_row_bytes, entry_bytes};
use crate::gossip::{Common, Control, Gossip, Resume, Rule, Sent, Want};
use crate::id::NodeIndex;
use crate::output::{Sink, SinkFull, Transmit};
use crate::replicated::{Lane, Replica};
use crate::storage::Storage;
use crate::time::Now;
use crate::wire::{Count, Out, length};

/// Where the message after one that was cut goes on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sending {
    place: Option<Place>,
    /// Messages that went to the present peer before this one, and their bytes of what it is handed.
    burst: u8,
    bytes: usize,
}

/// What of a message was written.
struct Written {
    /// Where the entries were cut.
    end: Place,
    /// Whether there are entries, and where the last of them was.
    data: bool,
    last: Option<(RowId, u64)>,
    /// Whether the digest lists all rows with news and of newest lives; else the step at which it was cut.
    listed: Result<(), u32>,
    /// The row of a past life with which the next digest goes on.
    past_from: u32,
    /// Whether all sessions were named that the peer may lack; else the member with which the next list begins.
    lives: Result<(), u32>,
}

/// What a message says besides entries.
struct Header<'h, S: Storage> {
    to: NodeIndex,
    lane: Lane,
    want: Want,
    /// Whether the message is to hold all that the peer is believed to lack.
    full: bool,
    /// What a scheduler with a relay says.
    control: Option<Control>,
    /// Whether this is the last message to the peer for now.
    last: bool,
    /// 0: this node can take everything; 1: it cannot; 2: not even a row of the receiver's present life.
    refuses: u8,
    replica: &'h Replica<S>,
    gossip: &'h Gossip<S>,
    head: &'h [u8],
    session: u64,
    msg_id: u64,
    /// Bytes the message may have.
    limit: usize,
    /// Bytes kept for what must follow: a row of the digest, the largest entry, fixed text.
    must: usize,
    /// Bytes that may follow the entries.
    tail: usize,
    /// Bytes of the longest row of a digest.
    digest_row: usize,
    /// Bytes of the largest entry.
    entry: usize,
}

/// Fixed text and numbers that follow the vectors, at most: `inc`, `sum`, `agree` when all do, `refuses`, `digest`, `data`, the end.
const REST: usize = 216;
/// Fixed text around a digest and the first entry.
const LATE: usize = 48;
/// Rows of past lives that a digest lists in turn, beside those with news: so restarts do not make messages longer.
const PAST_ROWS: u32 = 4;
/// Said after the entries when none were cut.
const FULL: &str = ", \"full\": true";
/// Bytes after the entries, at most: a bracket, `want`, `msg_id`, two braces, newline.
const TAIL: usize = 56;

impl<S: Storage> Node<S> {
    /// Writes the next message to a peer, if one waits.
    #[inline(never)]
    pub(super) fn poll_gossip<W: Sink>(&mut self, now: Now, sink: &mut W) -> Result<Option<Transmit>, SinkFull> {
        let Some(gossip) = &mut self.gossip else {
            return Ok(None);
        };
        let Some((to, pending)) = gossip.common.peers.first() else {
            return Ok(None);
        };
        let sum = self.replica.sum().short();
        gossip.common.refresh(sum);
        let window = gossip.common.peers.window(to).saturating_sub(self.sending.bytes);
        let may_follow = gossip.common.peers.may_burst(to, now.at) || !gossip.keeps(Rule::Window);
        let last = self.sending.burst + 1 >= pending.burst.max(1)
            || window <= self.config.max_message_bytes
            || (self.sending.burst == 0 && !may_follow);
        let control_room = if self.config.strategy == Strategy::Relay { control_bytes(&self.limits) } else { 0 };
        let header = Header {
            to,
            lane: pending.lane.unwrap_or(Lane::Push),
            want: pending.want,
            full: pending.delta,
            control: gossip.control(to, now.at),
            last,
            refuses: refuses(&self.replica, gossip, to, now),
            replica: &self.replica,
            gossip,
            head: self.head.bytes(),
            session: gossip.common.own.session(),
            msg_id: self.next_msg_id.number(),
            limit: self.config.max_message_bytes,
            must: REST + control_room + digest_row_bytes(&self.limits) + entry_bytes(&self.limits),
            tail: TAIL + if control_room > 0 { FULL.len() } else { 0 },
            digest_row: digest_row_bytes(&self.limits),
            entry: entry_bytes(&self.limits),
        };
        let entries = Entries::new(&self.replica, gossip, to, pending, now, window);
        let start = self.sending.place.take().unwrap_or(entries.start());
        let mut out = Out::new(sink);
        let written = header.write(&mut out, &entries, start);
        let Written { end, data, .. } = written;
        let row = entries.row(end).0;
        let first = entries.row(entries.start_of_rows()).0;
        let handed = entries.is_handing(start);
        let repairs = entries.is_repair();
        let full = pending.delta && (last || end.phase == Phase::Done);
        let sent = Sent { to, data, full, want: header.want(end) };
        let view = gossip.common.view_name();
        let done = out.finish();
        let bytes = *done.as_ref().unwrap_or(&0);
        self.next_msg_id.advance();
        self.stats.gossip_messages_sent += 1;
        if let Err(from) = written.lives {
            gossip.common.peers.set_lives_from(to, from);
        } else {
            gossip.common.peers.told_view(to, view, now.at);
        }
        let version = self.replica.causality.rows.seal();
        gossip.common.peers.set_listed(to, written.listed.is_ok().then_some(version), written.past_from);
        let key = gossip.common.key();
        gossip.common.peers.sent(to, key, now.at);
        gossip.sent(sent, sum, &self.replica.causality.rows, now.at);
        self.sending.bytes += if handed && data { bytes } else { 0 };
        if last || end.phase == Phase::Done {
            if self.sending.bytes > 0
                && let Some(last) = written.last
            {
                gossip.common.peers.filled(to, last, self.sending.bytes, self.sending.burst + 1, now.at);
            }
            gossip.common.peers.burst(to, self.sending.burst + 1, now.at);
            (self.sending.burst, self.sending.bytes) = (0, 0);
            match end.phase {
                Phase::Repair => gossip.common.peers.set_resume(to, Resume { row, repaired_to: end.seq }),
                Phase::Rows => {
                    // A peer that cannot take what is in a long row gets the others all the same.
                    let next = row.wrapping_add(u32::from(row == first));
                    gossip.common.peers.set_resume(to, Resume { row: next, repaired_to: 0 });
                }
                Phase::Done => {
                    // A digest that was cut goes on where it was.
                    let step = written.listed.err().unwrap_or(0);
                    // A message that was no repair leaves the place where one goes on.
                    let repaired_to = if repairs || step > 0 { 0 } else { gossip.common.peers.resume(to).repaired_to };
                    gossip.common.peers.set_resume(to, Resume { row: first.wrapping_add(step), repaired_to });
                }
                Phase::Rumors => {}
            }
            gossip.sent_to_first();
        } else {
            self.sending.burst += 1;
            self.sending.place = Some(end);
        }
        done.map(|_| Some(Transmit::Gossip(to)))
    }
}

/// What a message says of this node's tables.
fn refuses<S: Storage>(replica: &Replica<S>, gossip: &Gossip<S>, to: NodeIndex, now: Now) -> u8 {
    let life = gossip.common.peers.life(to);
    if life.is_some_and(|life| !replica.causality.rows.has_room_for_life(to, life)) {
        return 2;
    }
    u8::from(gossip.common.refuses(now.at))
}

impl<S: Storage> Header<'_, S> {
    /// Writes the message.
    fn write<W: Sink>(&self, out: &mut Out<'_, W>, entries: &Entries<'_, S>, start: Place) -> Written {
        out.raw(self.head);
        out.escaped(self.replica.causality.members.id(self.to));
        out.str("\", \"body\": {\"type\": \"");
        out.str(match self.lane {
            Lane::Push => "gossip\"",
            Lane::Tick => "replicate\"",
        });
        if self.lane == Lane::Push {
            self.only_value(out, entries, start);
        }
        self.vectors(out, self.spare(out) / 2);
        out.str(", \"inc\": ");
        out.unsigned(self.session);
        if let Some(control) = &self.control {
            self.control(out, control);
        }
        let sum = self.replica.sum();
        out.str(", \"sum\": \"");
        out.hex(sum.vector);
        out.hex(sum.state);
        out.raw(b"\"");
        self.agree(out);
        if self.refuses > 0 {
            out.str(", \"refuses\": ");
            out.unsigned(self.refuses.into());
        }
        let lives = self.lives(out);
        let (listed, past_from) = self.digest(out, self.late_spare(out) / 2, entries, start.step_of_rows());
        if self.control.is_some_and(|control| control.old) {
            self.old(out);
        }
        let mut writer = DataWriter { limit: self.limit.saturating_sub(self.tail), out, chunks: 0, last: None };
        let end = entries.walk(start, listed.err(), &mut writer);
        let (data, last) = (writer.chunks > 0, writer.last);
        if data {
            out.raw(b"]");
        }
        if self.full && self.control.is_some() && end.phase == Phase::Done {
            out.str(FULL);
        }
        let want = self.want(end);
        if want != Want::Nothing {
            out.str(", \"want\": ");
            out.unsigned(want as u64);
        }
        out.str(", \"msg_id\": ");
        out.unsigned(self.msg_id);
        out.str("}}\n");
        Written { end, data, last, listed, past_from, lives }
    }

    /// What the message asks for. What was cut goes on when the peer has said what it holds by then.
    fn want(&self, end: Place) -> Want {
        let cut = self.last && end.phase != Phase::Done;
        if cut { self.want.max(Want::Reply) } else { self.want }
    }

    fn control<W: Sink>(&self, out: &mut Out<'_, W>, control: &Control) {
        out.str(", \"ord\": ");
        out.unsigned(control.ord.into());
        if let Some(echo) = control.echoed
            && let Some(session) = self.gossip.common.peers.session(self.to)
        {
            out.str(", \"echoed\": [");
            out.unsigned(echo.ord.into());
            out.raw(b", ");
            out.unsigned(session);
            out.raw(b", ");
            out.unsigned(echo.held_ms.into());
            out.raw(b"]");
        }
        if let Some(relay) = control.relay {
            out.str(", \"relay\": \"");
            out.escaped(self.replica.causality.members.id(relay));
            out.raw(b"\"");
        }
        if control.turn > 0 {
            out.str(", \"turn\": ");
            out.unsigned(control.turn.into());
        }
        if let Some(flush_ms) = control.flush_ms {
            out.str(", \"flush\": ");
            out.unsigned(flush_ms.into());
        }
        if control.stable {
            out.str(", \"stable\": true");
        }
    }

    /// The vector some time ago, where it differs from the digest. What does not fit is left out, and counts as old.
    fn old<W: Sink>(&self, out: &mut Out<'_, W>) {
        if self.late_spare(out) < self.digest_row + 16 {
            return;
        }
        out.str(", \"old\": {");
        let limit = out.written() + self.late_spare(out) / 2;
        let mut listed = Listed::default();
        for (id, row) in self.replica.causality.rows.iter() {
            let old = self.gossip.old_frontier(id);
            if old < row.frontier && !listed.write(out, self.replica, id, old, limit) {
                break;
            }
        }
        out.raw(b"}");
    }

    /// Bytes that may still be spent on what need not be there.
    fn spare<W: Sink>(&self, out: &Out<'_, W>) -> usize {
        self.limit.saturating_sub(out.written() + self.must)
    }

    /// The same when nothing but a digest and entries is left to write.
    fn late_spare<W: Sink>(&self, out: &Out<'_, W>) -> usize {
        self.limit.saturating_sub(out.written() + self.tail + self.entry + LATE)
    }

    /// A single value stands apart as well, for implementations that know no entries.
    fn only_value<W: Sink>(&self, out: &mut Out<'_, W>, entries: &Entries<'_, S>, start: Place) {
        if let Some(value) = entries.only_value(start) {
            let piece = length(|out: &mut Out<'_, Count>| out.value(value)) + 11;
            if piece <= self.spare(out) {
                out.str(", \"value\": ");
                out.value(value);
            }
        }
    }

    /// The vectors of the lane's data types, as other implementations read them; cut where the budget ends. One of ours does not read
    /// them: for it those of past lives are left out.
    fn vectors<W: Sink>(&self, out: &mut Out<'_, W>, budget: usize) {
        let limit = out.written() + budget;
        self.replica.store.vectors(self.lane, |name, number_of| {
            out.str(", \"");
            out.str(name);
            out.str("\": {");
            let mut rows = Listed::default();
            let ours = self.gossip.common.peers.session(self.to).is_some();
            for (row, _) in self.replica.causality.rows.iter().filter(|(_, row)| row.is_newest() || !ours) {
                if let Some(number) = number_of(row)
                    && !rows.write(out, self.replica, row, number, limit)
                {
                    break;
                }
            }
            out.raw(b"}");
        });
    }

    /// The view, and who is known to hold this state in it, if that fits and is more than this node. There is always room to say that all
    /// do: a node that could not would never be believed to be silent.
    fn agree<W: Sink>(&self, out: &mut Out<'_, W>) {
        let agreement = &self.gossip.common.agreement;
        out.str(", \"agree\": \"");
        out.hex(self.gossip.common.view_name());
        if agreement.is_complete() {
            out.str(":all");
        } else if agreement.count() > 1 && agreement.digits() < self.spare(out) {
            out.raw(b":");
            (0..agreement.digits()).for_each(|at| out.hex_digit(agreement.digit(at)));
        }
        out.raw(b"\"");
    }

    /// The sessions that the peer may lack: those that became known since it showed this view. When not all fit, the list goes on
    /// elsewhere next time; the first one may take the room of the entries.
    fn lives<W: Sink>(&self, out: &mut Out<'_, W>) -> Result<(), u32> {
        let Common { peers, view, .. } = &self.gossip.common;
        let me = self.gossip.common.me();
        let old = peers.is_old_session(self.to);
        if !old && !self.gossip.common.lacks_view(self.to) {
            return Ok(());
        }
        let least = self.digest_row + LIVES.len() + 1;
        // A row of the digest has to follow.
        let spare = self.late_spare(out).saturating_sub(self.digest_row);
        let limit = out.written() + (spare / 2).max(least).min(spare + self.entry);
        let mut listed = Listed::named(LIVES);
        if old && let Some(session) = view.session(self.to) {
            listed.write_node(out, self.replica.causality.members.id(self.to), session, limit);
        }
        let version = if old { 0 } else { peers.view_version(self.to) };
        let mut cut = Ok(());
        for (node, session) in
            view.since(version, peers.lives_from(self.to)).filter(|(node, _)| *node != me && *node != self.to)
        {
            if !listed.write_node(out, self.replica.causality.members.id(node), session, limit) {
                cut = Err(node.0);
                break;
            }
        }
        listed.end(out);
        cut
    }

    /// The rows of the version vector that moved since they were listed to the peer, that it lacks, or that are of newest lives, from the row on with
    /// which the entries begin, and round from there; one at least. Gives the step at which that was cut. Then some of past lives,
    /// in turn.
    fn digest<W: Sink>(
        &self,
        out: &mut Out<'_, W>,
        budget: usize,
        entries: &Entries<'_, S>,
        from: u32,
    ) -> (Result<(), u32>, u32) {
        let rows = &self.replica.causality.rows;
        let (before, all, past_from) = self.gossip.common.peers.listed(self.to);
        out.str(", \"digest\": {");
        let limit = out.written() + budget.max(self.digest_row);
        let mut listed = Listed::default();
        let first = |id: RowId, row: &Row| {
            row.frontier > 0 && (row.is_newest() || row.moved > before || entries.lacks(id, row))
        };
        // Never 0, as the node's own row is there: the compiler cannot see that.
        let count = rows.len().max(1) as u32;
        let mut cut = Ok(());
        for step in from..from + count {
            let id = entries.row_at(step);
            let row = rows.get(id);
            if first(id, row) && !listed.write(out, self.replica, id, row.frontier, limit) {
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
            if left == 0 || !listed.write(out, self.replica, id, row.frontier, limit) {
                break;
            }
            next = id.0 + 1;
            left -= 1;
        }
        out.raw(b"}");
        (cut, next)
    }
}

/// How the list of sessions begins.
const LIVES: &str = ", \"lives\": {";

/// Rows with numbers, as the inside of a JSON object.
#[derive(Default)]
struct Listed {
    count: u32,
    /// What is written before the first.
    name: &'static str,
}

impl Listed {
    /// A whole field, which is left out when nothing is listed.
    fn named(name: &'static str) -> Self {
        Self { count: 0, name }
    }

    /// The end of a whole field.
    fn end<W: Sink>(&self, out: &mut Out<'_, W>) {
        if self.count > 0 {
            out.raw(b"}");
        }
    }

    /// Writes the session of a node if it ends before `limit`; says whether it does.
    fn write_node<W: Sink>(&mut self, out: &mut Out<'_, W>, node: &str, session: u64, limit: usize) -> bool {
        let piece = self.name.len()
            + length(|out: &mut Out<'_, Count>| {
                out.escaped(node);
                out.unsigned(session);
            });
        if out.written() + piece + 8 > limit {
            return false;
        }
        out.str(if self.count > 0 { ", \"" } else { self.name });
        if self.count == 0 {
            out.raw(b"\"");
        }
        out.escaped(node);
        out.raw(b"\": ");
        out.unsigned(session);
        self.count += 1;
        true
    }

    /// Writes a row if it ends before `limit`; says whether it does.
    fn write<S: Storage, W: Sink>(
        &mut self,
        out: &mut Out<'_, W>,
        replica: &Replica<S>,
        row: RowId,
        number: u64,
        limit: usize,
    ) -> bool {
        let (node, incarnation) = replica.causality.name(row);
        let piece = length(|out: &mut Out<'_, Count>| {
            out.row(node, incarnation);
            out.unsigned(number);
        });
        if out.written() + piece + 4 > limit {
            return false;
        }
        if self.count > 0 {
            out.raw(b", ");
        }
        out.row(node, incarnation);
        out.raw(b": ");
        out.unsigned(number);
        self.count += 1;
        true
    }
}
