//! Intents to messages: the state as it is now, cut at an entry boundary.

use super::Node;
use super::entries::{DataWriter, Entries, Phase, Place};
use crate::causality::RowId;
use crate::config::{Strategy, control_bytes, digest_row_bytes, entry_bytes};
use crate::gossip::{Control, Gossip, Resume, Sent, Want};
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
    /// Messages that went to the present peer before this one.
    burst: u8,
    /// The row with which the next digest begins, when not all of it fits.
    digest_from: u32,
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
    replica: &'h Replica<S>,
    gossip: &'h Gossip<S>,
    head: &'h [u8],
    incarnation: u64,
    msg_id: u64,
    /// Bytes the message may have.
    limit: usize,
    /// Bytes kept for what must follow: a row of the digest, the largest entry, fixed text.
    must: usize,
    /// Bytes that may follow the entries.
    tail: usize,
    /// Bytes of the longest row of a digest.
    digest_row: usize,
}

/// Fixed text and numbers that follow the vectors, at most: `inc`, `sum`, `agree` when all do, `digest`, `data`, the end.
const REST: usize = 208;
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
        let last = self.sending.burst + 1 >= pending.burst.max(1);
        let control_room = if self.config.strategy == Strategy::Relay { control_bytes(&self.limits) } else { 0 };
        let header = Header {
            to,
            lane: pending.lane.unwrap_or(Lane::Push),
            want: pending.want,
            full: pending.delta,
            control: gossip.control(to, now.at),
            last,
            replica: &self.replica,
            gossip,
            head: self.head.bytes(),
            incarnation: self.config.incarnation,
            msg_id: self.next_msg_id.number(),
            limit: self.config.max_message_bytes,
            must: REST + control_room + digest_row_bytes(&self.limits) + entry_bytes(&self.limits),
            tail: TAIL + if control_room > 0 { FULL.len() } else { 0 },
            digest_row: digest_row_bytes(&self.limits),
        };
        let entries = Entries::new(&self.replica, gossip, to, pending, now);
        let start = self.sending.place.take().unwrap_or(entries.start());
        let mut out = Out::new(sink);
        let (end, digest_from, data) = header.write(&mut out, &entries, start, self.sending.digest_from);
        let row = entries.row(end).0;
        let cut = end.phase != Phase::Done;
        let sent = Sent { to, data, full: pending.delta && !cut, cut, want: header.want(end) };
        let written = out.finish();
        self.next_msg_id.advance();
        self.stats.gossip_messages_sent += 1;
        self.sending.digest_from = digest_from;
        gossip.common.peers.sent(to, sum, now.at);
        gossip.sent(sent, sum, &self.replica.causality.rows, now.at);
        if last || end.phase == Phase::Done {
            self.sending.burst = 0;
            match end.phase {
                Phase::Repair => gossip.common.peers.set_resume(to, Resume { row, repaired_to: end.seq }),
                Phase::Rows | Phase::Done => gossip.common.peers.set_resume(to, Resume { row, repaired_to: 0 }),
                Phase::Rumors => {}
            }
            gossip.sent_to_first();
        } else {
            self.sending.burst += 1;
            self.sending.place = Some(end);
        }
        written.map(|_| Some(Transmit::Gossip(to)))
    }
}

impl<S: Storage> Header<'_, S> {
    /// Writes the message. Gives where the entries were cut, where the next digest begins, and whether there are entries.
    fn write<W: Sink>(
        &self,
        out: &mut Out<'_, W>,
        entries: &Entries<'_, S>,
        start: Place,
        digest_from: u32,
    ) -> (Place, u32, bool) {
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
        out.unsigned(self.incarnation);
        if let Some(control) = &self.control {
            self.control(out, control);
        }
        let sum = self.replica.sum();
        out.str(", \"sum\": \"");
        out.hex(sum.vector);
        out.hex(sum.state);
        out.raw(b"\"");
        self.agree(out);
        let digest_from = self.digest(out, self.spare(out) / 2, digest_from);
        if self.control.is_some_and(|control| control.old) {
            self.old(out);
        }
        let mut writer = DataWriter { limit: self.limit.saturating_sub(self.tail), out, chunks: 0 };
        let end = entries.walk(start, &mut writer);
        let data = writer.chunks > 0;
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
        (end, digest_from, data)
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
            && let Some(incarnation) = self.gossip.common.peers.incarnation(self.to)
        {
            out.str(", \"echoed\": [");
            out.unsigned(echo.ord.into());
            out.raw(b", ");
            out.unsigned(incarnation);
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
        if self.spare(out) < self.digest_row + 16 {
            return;
        }
        out.str(", \"old\": {");
        let limit = out.written() + self.spare(out) / 2;
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

    /// The whole vectors of the lane's data types, as other implementations read them; cut where the budget ends.
    fn vectors<W: Sink>(&self, out: &mut Out<'_, W>, budget: usize) {
        let limit = out.written() + budget;
        self.replica.store.vectors(self.lane, |name, number_of| {
            out.str(", \"");
            out.str(name);
            out.str("\": {");
            let mut rows = Listed::default();
            for (row, _) in self.replica.causality.rows.iter() {
                if let Some(number) = number_of(row)
                    && !rows.write(out, self.replica, row, number, limit)
                {
                    break;
                }
            }
            out.raw(b"}");
        });
    }

    /// Who is known to hold this state, if it fits. There is always room to say that all do: a node that could not would
    /// never be believed to be silent.
    fn agree<W: Sink>(&self, out: &mut Out<'_, W>) {
        let agreement = &self.gossip.common.agreement;
        let all = agreement.is_complete();
        if !all && (agreement.count() <= 1 || agreement.digits() + 24 > self.spare(out)) {
            return;
        }
        let cluster = self.replica.causality.members.fingerprint();
        out.str(", \"agree\": \"");
        (0..8).rev().for_each(|at| out.hex_digit((cluster >> (4 * at)) as u8));
        if all {
            out.str(":all\"");
            return;
        }
        out.raw(b":");
        (0..agreement.digits()).for_each(|at| out.hex_digit(agreement.digit(at)));
        out.raw(b"\"");
    }

    /// The version vector, beginning at a place that moves on when not all of it fits; one row at least.
    fn digest<W: Sink>(&self, out: &mut Out<'_, W>, budget: usize, from: u32) -> u32 {
        let rows = self.replica.causality.rows.len() as u32;
        out.str(", \"digest\": {");
        let limit = out.written() + budget.max(self.digest_row);
        let mut listed = Listed::default();
        let mut next = from;
        for step in 0..rows {
            let row = RowId((from % rows + step) % rows);
            let frontier = self.replica.causality.rows.get(row).frontier;
            if frontier > 0 && !listed.write(out, self.replica, row, frontier, limit) {
                next = row.0;
                break;
            }
        }
        out.raw(b"}");
        next
    }
}

/// Rows with numbers, as the inside of a JSON object.
#[derive(Default)]
struct Listed {
    count: u32,
}

impl Listed {
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
