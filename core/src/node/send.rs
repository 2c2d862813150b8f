//! Intents to messages: what gossip plans to tell a peer, written from the state as it is now.

use super::Member;
use crate::causality::{Causality, Entry, RowId};
use crate::gossip::{Delta, Ended, Named, Page, Want};
use crate::output::{Sink, SinkFull, Transmit};
use crate::replicated::{Lane, Replica};
use crate::service::Application;
use crate::time::Now;
use crate::wire::gossip::{Closing, Data, Digits, Echoed, Header, Holders, Refuses, Room, Wanted, Writer};
use crate::wire::{Kind, Out, Str};

impl<S: Application> Member<S> {
    /// Writes the next message to a peer, if one waits.
    #[inline(never)]
    pub(super) fn poll_gossip<W: Sink>(&mut self, now: Now, sink: &mut W) -> Result<Option<Transmit>, SinkFull> {
        let Self { gossip, .. } = self;
        let most = self.config.max_message_bytes;
        let Some(plan) = gossip.plan(&self.replica, most, now.at) else {
            return Ok(None);
        };
        let (to, lane) = (plan.to(), plan.lane());
        let kind = match lane {
            Lane::Push => Kind::Gossip,
            Lane::Tick => Kind::Replicate,
        };
        let room = Room::new(most, &self.limits, self.config.strategy.says_control());
        let mut out = Out::new(sink);
        let id = self.replica.causality.members.id(to);
        let writer = Writer::new(&mut out, room, self.head.bytes(), id, kind);
        let delta = gossip.delta(&plan, &self.replica);
        let text = Text { replica: &self.replica, delta, lane, session: gossip.session() };
        let (named, ended) = text.write(writer, self.desk.next_msg_id.number());
        let done = out.finish();
        self.desk.next_msg_id.advance();
        self.desk.stats.gossip_messages_sent += 1;
        gossip.written(plan, named, ended, *done.as_ref().unwrap_or(&0), &mut self.replica);
        done.map(|_| Some(Transmit::Gossip(to)))
    }
}

/// What a message is made of.
struct Text<'t, S: Application> {
    replica: &'t Replica<S>,
    delta: Delta<'t, S>,
    lane: Lane,
    session: u64,
}

impl<S: Application> Text<'_, S> {
    /// Writes the message, in the order of WIRE.md.
    fn write<W: Sink>(&self, mut writer: Writer<'_, '_, W>, msg_id: u64) -> (Named, Ended) {
        let Self { replica, delta, .. } = self;
        let causality = &replica.causality;
        if self.lane == Lane::Push
            && let Some(value) = delta.only_value()
        {
            writer.value(value);
        }
        self.vectors(&mut writer);
        writer.header(&self.header());
        let mut list = writer.lives();
        let named = delta.lives(|node, session| list.session(causality.members.id(node), session));
        list.end();
        let mut list = writer.digest();
        let mut write_row = |row, number| {
            let (node, life) = causality.name(row);
            list.row(node, life, number)
        };
        let listed = delta.digest(&mut write_row);
        list.end();
        if delta.control().is_some_and(|control| control.old)
            && let Some(mut list) = writer.old()
        {
            delta.old(|row, number| {
                let (node, life) = causality.name(row);
                list.row(node, life, number)
            });
            list.end();
        }
        let ended = delta.entries(listed, &mut Sheet { causality, data: writer.data() });
        let want = match ended.want {
            Want::Nothing => Wanted::Nothing,
            Want::Reply => Wanted::Reply,
            Want::Gap => Wanted::Gap,
        };
        writer.finish(&Closing { full: ended.full, want, msg_id: Some(msg_id.cast_signed()) });
        (named, ended)
    }

    fn header(&self) -> Header<'_> {
        let agreement = self.delta.agreement();
        let holders = if agreement.is_complete() {
            Holders::All
        } else if agreement.count() > 1 {
            Holders::Listed(Digits::Bits { words: agreement.words(), count: agreement.digits() })
        } else {
            Holders::Sender
        };
        let refuses = if self.delta.has_no_row() {
            Refuses::Row
        } else if self.delta.refuses() {
            Refuses::Something
        } else {
            Refuses::Nothing
        };
        let control = self.delta.control().unwrap_or_default();
        let echoed = control.echoed.zip(self.delta.session_of_peer());
        Header {
            session: self.session,
            ord: self.delta.control().map(|control| control.ord),
            echoed: echoed.map(|(echo, session)| Echoed { ord: echo.ord, session, held_ms: echo.held_ms }),
            relay: control.relay.map(|relay| Str::literal(self.replica.causality.members.id(relay))),
            turn: control.turn,
            flush_ms: control.flush_ms,
            stable: control.stable,
            sum: Some(self.replica.sum()),
            view: Some(agreement.view()),
            holders,
            refuses,
        }
    }

    /// The vectors of the lane's data types, as other implementations read them; cut where the budget ends. One of ours does not read
    /// them: for it those of past lives are left out.
    fn vectors<W: Sink>(&self, writer: &mut Writer<'_, '_, W>) {
        let end = writer.end_of_vectors();
        let Replica { store, causality, .. } = self.replica;
        let ours = self.delta.session_of_peer().is_some();
        store.vectors(self.lane, |name, number_of| {
            let mut list = writer.vector(name, end);
            for (row, _) in causality.rows.iter().filter(|(_, row)| row.is_newest() || !ours) {
                let (node, life) = causality.name(row);
                if let Some(number) = number_of(row)
                    && !list.row(node, life, number)
                {
                    break;
                }
            }
            list.end();
        });
    }
}

/// The entries of a message, row by row, under the names that rows have on the wire.
struct Sheet<'o, 'w, 'n, S: Application, W: Sink> {
    causality: &'n Causality<S>,
    data: Data<'o, 'w, 'n, W>,
}

impl<S: Application, W: Sink> Page for Sheet<'_, '_, '_, S, W> {
    fn bound(&mut self, bytes: usize) {
        self.data.bound(bytes);
    }

    fn begin(&mut self, row: RowId, from: u64) {
        let (node, life) = self.causality.name(row);
        self.data.begin(node, life, from);
    }

    #[inline]
    fn entry(&mut self, superseded: u64, entry: &Entry<'_>) -> bool {
        self.data.entry(superseded, entry)
    }

    fn skip(&mut self, superseded: u64) -> bool {
        self.data.skip(superseded)
    }

    fn end(&mut self) -> bool {
        self.data.end()
    }
}
