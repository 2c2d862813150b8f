//! Intents to messages: the state as it is now, cut at an entry boundary.

use super::Node;
use super::entries::{Entries, Phase, Place, Sheet};
use crate::causality::{Row, RowId};
use crate::config::Strategy;
use crate::gossip::{Common, Control, Gossip, Resume, Rule, Sent, Want};
use crate::id::NodeIndex;
use crate::output::{Sink, SinkFull, Transmit};
use crate::replicated::{Lane, Replica};
use crate::storage::Storage;
use crate::time::Now;
use crate::wire::gossip::{Closing, Digits, Echoed, Header, Holders, Refuses, Room, Wanted, Writer};
use crate::wire::{Kind, Out, Str};

/// Where the message after one that was cut goes on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sending {
    place: Option<Place>,
    /// Messages that went to the present peer before this one, and their bytes of what it is handed.
    burst: u8,
    bytes: usize,
    /// The member with which the next list of sessions begins, when not all of it fits.
    lives_from: u32,
}

/// What of a message was written.
struct Written {
    /// Where the entries were cut.
    end: Place,
    /// Where the last of them was, if there are any.
    last: Option<(RowId, u64)>,
    /// Whether the digest lists all rows with news and of newest lives; else the step at which it was cut.
    listed: Result<(), u32>,
    /// The row of a past life with which the next digest goes on.
    past_from: u32,
    /// Whether all sessions were named that the peer may lack; else the member with which the next list begins.
    lives: Result<(), u32>,
}

/// What a message is to say.
struct Intent<'h, S: Storage> {
    to: NodeIndex,
    lane: Lane,
    want: Want,
    /// Whether the message is to hold all that the peer is believed to lack.
    full: bool,
    /// What a scheduler with a relay says.
    control: Option<Control>,
    /// Whether this is the last message to the peer for now.
    last: bool,
    /// The member with which the list of sessions begins.
    lives_from: u32,
    refuses: Refuses,
    replica: &'h Replica<S>,
    gossip: &'h Gossip<S>,
    head: &'h [u8],
    session: u64,
    msg_id: u64,
    room: Room,
}

/// Rows of past lives that a digest lists in turn, beside those with news: so restarts do not make messages longer.
const PAST_ROWS: u32 = 4;

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
        let intent = Intent {
            to,
            lane: pending.lane.unwrap_or(Lane::Push),
            want: pending.want,
            full: pending.delta,
            control: gossip.control(to, now.at),
            last,
            lives_from: self.sending.lives_from,
            refuses: refuses(&self.replica, gossip, to, now),
            replica: &self.replica,
            gossip,
            head: self.head.bytes(),
            session: gossip.common.own.session(),
            msg_id: self.next_msg_id.number(),
            room: Room::new(self.config.max_message_bytes, &self.limits, self.config.strategy == Strategy::Relay),
        };
        let entries = Entries::new(&self.replica, gossip, to, pending, now, window);
        let start = self.sending.place.take().unwrap_or(entries.start());
        let mut out = Out::new(sink);
        let written = intent.write(&mut out, &entries, start);
        let (end, data) = (written.end, written.last.is_some());
        let row = entries.row(end).0;
        let first = entries.row(entries.start_of_rows()).0;
        let handed = entries.is_handing(start);
        let repairs = entries.is_repair();
        let full = pending.delta && (last || end.phase == Phase::Done);
        let sent = Sent { to, data, full, want: intent.want(end) };
        let view = gossip.common.view_name();
        let done = out.finish();
        let bytes = *done.as_ref().unwrap_or(&0);
        self.next_msg_id.advance();
        self.stats.gossip_messages_sent += 1;
        if let Err(from) = written.lives {
            self.sending.lives_from = from;
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
fn refuses<S: Storage>(replica: &Replica<S>, gossip: &Gossip<S>, to: NodeIndex, now: Now) -> Refuses {
    let life = gossip.common.peers.life(to);
    if life.is_some_and(|life| !replica.causality.rows.has_room_for_life(to, life)) {
        return Refuses::Row;
    }
    if gossip.common.refuses(now.at) { Refuses::Something } else { Refuses::Nothing }
}

impl<S: Storage> Intent<'_, S> {
    /// Writes the message.
    fn write<W: Sink>(&self, out: &mut Out<'_, W>, entries: &Entries<'_, S>, start: Place) -> Written {
        let kind = match self.lane {
            Lane::Push => Kind::Gossip,
            Lane::Tick => Kind::Replicate,
        };
        let causality = &self.replica.causality;
        let mut writer = Writer::new(out, self.room, self.head, causality.members.id(self.to), kind);
        if self.lane == Lane::Push
            && let Some(value) = entries.only_value(start)
        {
            writer.value(value);
        }
        self.vectors(&mut writer);
        writer.header(&self.header());
        let lives = self.lives(&mut writer);
        let (listed, past_from) = self.digest(&mut writer, entries, start.step_of_rows());
        if self.control.is_some_and(|control| control.old) {
            self.old(&mut writer);
        }
        let mut sheet = Sheet { causality, data: writer.data(), last: None };
        let end = entries.walk(start, listed.err(), &mut sheet);
        let last = sheet.last;
        let full = self.full && self.control.is_some() && end.phase == Phase::Done;
        let want = match self.want(end) {
            Want::Nothing => Wanted::Nothing,
            Want::Reply => Wanted::Reply,
            Want::Gap => Wanted::Gap,
        };
        writer.finish(&Closing { full, want, msg_id: Some(self.msg_id.cast_signed()) });
        Written { end, last, listed, past_from, lives }
    }

    /// What the message asks for. What was cut goes on when the peer has said what it holds by then.
    fn want(&self, end: Place) -> Want {
        let cut = self.last && end.phase != Phase::Done;
        if cut { self.want.max(Want::Reply) } else { self.want }
    }

    fn header(&self) -> Header<'_> {
        let Common { peers, agreement, .. } = &self.gossip.common;
        let holders = if agreement.is_complete() {
            Holders::All
        } else if agreement.count() > 1 {
            Holders::Listed(Digits::Bits { words: agreement.words(), count: agreement.digits() })
        } else {
            Holders::Sender
        };
        let control = self.control.unwrap_or_default();
        let echoed = control.echoed.zip(peers.session(self.to));
        Header {
            session: self.session,
            ord: self.control.map(|control| control.ord),
            echoed: echoed.map(|(echo, session)| Echoed { ord: echo.ord, session, held_ms: echo.held_ms }),
            relay: control.relay.map(|relay| Str::literal(self.replica.causality.members.id(relay))),
            turn: control.turn,
            flush_ms: control.flush_ms,
            stable: control.stable,
            sum: Some(self.replica.sum()),
            view: Some(self.gossip.common.view_name()),
            holders,
            refuses: self.refuses,
        }
    }

    /// The vector some time ago, where it differs from the digest. What does not fit is left out, and counts as old.
    fn old<W: Sink>(&self, writer: &mut Writer<'_, '_, W>) {
        let Some(mut list) = writer.old() else { return };
        for (id, row) in self.replica.causality.rows.iter() {
            let old = self.gossip.old_frontier(id);
            let (node, life) = self.replica.causality.name(id);
            if old < row.frontier && !list.row(node, life, old) {
                break;
            }
        }
        list.end();
    }

    /// The vectors of the lane's data types, as other implementations read them; cut where the budget ends. One of ours does not read
    /// them: for it those of past lives are left out.
    fn vectors<W: Sink>(&self, writer: &mut Writer<'_, '_, W>) {
        let end = writer.end_of_vectors();
        let ours = self.gossip.common.peers.session(self.to).is_some();
        self.replica.store.vectors(self.lane, |name, number_of| {
            let mut list = writer.vector(name, end);
            for (row, _) in self.replica.causality.rows.iter().filter(|(_, row)| row.is_newest() || !ours) {
                let (node, life) = self.replica.causality.name(row);
                if let Some(number) = number_of(row)
                    && !list.row(node, life, number)
                {
                    break;
                }
            }
            list.end();
        });
    }

    /// The sessions that the peer may lack: those that became known since it showed this view. When not all fit, the list goes on
    /// elsewhere next time; the first one may take the room of the entries.
    fn lives<W: Sink>(&self, writer: &mut Writer<'_, '_, W>) -> Result<(), u32> {
        let Common { peers, view, .. } = &self.gossip.common;
        let members = &self.replica.causality.members;
        let me = self.gossip.common.me();
        let old = peers.is_old_session(self.to);
        if !old && !self.gossip.common.lacks_view(self.to) {
            return Ok(());
        }
        let mut list = writer.lives();
        if old && let Some(session) = view.session(self.to) {
            list.session(members.id(self.to), session);
        }
        let version = if old { 0 } else { peers.view_version(self.to) };
        let mut cut = Ok(());
        for (node, session) in view.since(version, self.lives_from).filter(|(node, _)| *node != me && *node != self.to)
        {
            if !list.session(members.id(node), session) {
                cut = Err(node.0);
                break;
            }
        }
        list.end();
        cut
    }

    /// The rows of the version vector that moved since they were listed to the peer, that it lacks, or that are of newest lives, from the row on with
    /// which the entries begin, and round from there; one at least. Gives the step at which that was cut. Then some of past lives,
    /// in turn.
    fn digest<W: Sink>(
        &self,
        writer: &mut Writer<'_, '_, W>,
        entries: &Entries<'_, S>,
        from: u32,
    ) -> (Result<(), u32>, u32) {
        let causality = &self.replica.causality;
        let rows = &causality.rows;
        let (before, all, past_from) = self.gossip.common.peers.listed(self.to);
        let mut list = writer.digest();
        let mut write = |id: RowId, row: &Row| {
            let (node, life) = causality.name(id);
            list.row(node, life, row.frontier)
        };
        let first = |id: RowId, row: &Row| {
            row.frontier > 0 && (row.is_newest() || row.moved > before || entries.lacks(id, row))
        };
        // Never 0, as the node's own row is there: the compiler cannot see that.
        let count = rows.len().max(1) as u32;
        let mut cut = Ok(());
        for step in from..from + count {
            let id = entries.row_at(step);
            let row = rows.get(id);
            if first(id, row) && !write(id, row) {
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
            if left == 0 || !write(id, row) {
                break;
            }
            next = id.0 + 1;
            left -= 1;
        }
        list.end();
        (cut, next)
    }
}
