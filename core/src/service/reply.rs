//! Replies: data until they are polled, then text in the form of the protocol.

use core::fmt::Write as _;

use super::Service;
use crate::id::Id;
use crate::output::Sink;
use crate::replicated::{Bound, Replica};
use crate::stats::Stats;
use crate::storage::{ID_BYTES_MAX, Storage};
use crate::wire::{BadField, Block, Key, Out, Serial, Short, Why};

/// What a request comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// `init_ok`
    #[default]
    Init,
    /// `topology_ok`
    Topology,
    /// `broadcast_ok`
    Broadcast,
    /// `add_ok`
    Add,
    /// `configure_ok`
    Configure,
    /// `echo_ok`, from the payload
    Echo,
    /// `generate_ok`, the n-th of this life
    Generated(u64),
    /// `read_ok` with `messages`
    Messages,
    /// `read_ok` with a list as `value`
    Elements,
    /// `read_ok` with an integer as `value`
    Count(i128),
    /// `gossip_stats_ok`
    GossipStats,
    /// `gossip_round_ok`
    GossipRound {
        /// Peers chosen.
        peers_contacted: u64,
        /// Messages that leave.
        messages_sent: u64,
    },
    /// `gossip_sync_ok`
    Merged(u64),
    /// `digest_ok`
    Digest,
    /// `digest_sync_ok` on equal digests
    DigestsMatch,
    /// `digest_sync_ok` on different ones
    DigestsDiffer {
        /// Values that were new here.
        transferred: u64,
    },
    /// `gossip_status_ok`
    GossipStatus {
        /// The counter here.
        local_value: i128,
        /// Rounds run.
        gossip_rounds: u64,
        /// Peers known to hold the same.
        peers_synced: u64,
        /// See [`super::Bench::counter_convergence_ms`].
        convergence_ms: u64,
    },
    /// `write_ok`
    Written {
        /// Its stamp.
        stamp_us: u64,
    },
    /// `kv_read_ok`, from this slot of the store
    KvRead(u32),
    /// `kv_merge_ok`
    Updated(u64),
    /// `bench_write_ok`
    WriteId(u64),
    /// `bench_report_ok`
    BenchReport,
    /// `bench_stats_ok`
    BenchStats {
        /// Reads.
        reads: u64,
        /// Stale ones among them.
        stale_reads: u64,
        /// Median convergence.
        median_ms: u64,
        /// Longest convergence.
        max_ms: u64,
    },
    /// `stats_ok`: every counter of the node
    Stats,
    /// `txn_ok`, from the payload
    Txn,
    /// `error`
    Error(Problem),
}

/// Why a request fails. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A type that no message has. Its name is in the reply.
    UnknownType,
    /// A field is missing or unusable.
    Field(BadField),
    /// The envelope has a field twice.
    EnvelopeTwice(&'static str),
    /// A table is full.
    Full(Bound),
    /// A request before `init`.
    NotInitialised,
    /// `init` with another content than the first.
    OtherCluster,
    /// No such key.
    KeyNotFound,
    /// A bare `read` where the workload has none.
    NoBareRead,
    /// `add` with both.
    ElementAndDelta,
    /// `add` with neither.
    ElementOrDelta,
    /// `configure` with neither.
    FanoutOrInterval,
    /// The clock has no later stamp.
    EndOfTime,
}

impl Problem {
    /// The error code of the Maelstrom protocol.
    #[must_use]
    pub const fn code(self) -> u64 {
        match self {
            Self::UnknownType | Self::NoBareRead => 10,
            Self::Full(_) | Self::NotInitialised | Self::EndOfTime => 11,
            Self::Field(_)
            | Self::EnvelopeTwice(_)
            | Self::ElementAndDelta
            | Self::ElementOrDelta
            | Self::FanoutOrInterval => 12,
            Self::KeyNotFound => 20,
            Self::OtherCluster => 22,
        }
    }
}

/// A reply that waits to be polled.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// To whom, as JSON between the quotes.
    pub to: JsonId,
    /// `msg_id` of the request.
    pub in_reply_to: i64,
    /// What it says.
    pub answer: Answer,
    /// In whose name, when the cluster is not known yet.
    pub from: JsonId,
    /// The type that is not known.
    pub name: Id,
}

/// An id in the form in which JSON prints it: most come and go without ever being read.
pub type JsonId = Short<ID_BYTES_MAX>;

/// `{"src": "…", "dest": "`, the beginning of every message of a node.
pub type Head = Short<{ 2 * ID_BYTES_MAX }>;

/// Where a reply is written from.
pub(crate) struct Source<'s, S: Storage> {
    pub(crate) replica: &'s Replica<S>,
    pub(crate) service: &'s Service<S>,
    pub(crate) stats: &'s Stats,
    /// Empty while the cluster is not known.
    pub(crate) head: &'s Head,
    pub(crate) incarnation: u64,
}

impl Reply {
    /// Writes the reply as one line.
    pub(crate) fn write<S: Storage, W: Sink>(&self, out: &mut Out<'_, W>, source: &Source<'_, S>, msg_id: &Serial) {
        if source.head.is_empty() {
            out.str("{\"src\": \"");
            out.raw(self.from.bytes());
            out.str("\", \"dest\": \"");
        } else {
            out.short(source.head.bytes());
        }
        out.short(self.to.bytes());
        out.str("\", \"body\": {\"type\": \"");
        self.body(out, source);
        out.str(", \"in_reply_to\": ");
        out.int(self.in_reply_to);
        out.str(", \"msg_id\": ");
        msg_id.write(out);
        out.str("}}\n");
    }

    /// As [`Reply::write`], at once, for replies that say nothing but that the request was carried out, as most do. `None` for
    /// all others. Gives the length of the line.
    #[inline]
    pub(crate) fn write_at_once(&self, mut block: Block<'_>, head: &Head, msg_id: &Serial) -> Option<usize> {
        block.short(head);
        block.short(&self.to);
        if matches!(self.answer, Answer::Broadcast) {
            block.literal(b"\", \"body\": {\"type\": \"broadcast_ok\", \"in_reply_to\": ");
        } else if matches!(self.answer, Answer::Add) {
            block.literal(b"\", \"body\": {\"type\": \"add_ok\", \"in_reply_to\": ");
        } else {
            return None;
        }
        block.unsigned(u64::try_from(self.in_reply_to).ok()?);
        block.literal(b", \"msg_id\": ");
        block.serial(msg_id);
        block.literal(b"}}\n");
        block.finish().filter(|_| !head.is_empty())
    }

    /// Type and payload.
    fn body<S: Storage, W: Sink>(&self, out: &mut Out<'_, W>, source: &Source<'_, S>) {
        let Source { replica, service, stats, .. } = *source;
        let store = &replica.store;
        match self.answer {
            Answer::Init => out.str("init_ok\""),
            Answer::Topology => out.str("topology_ok\""),
            Answer::Broadcast => out.str("broadcast_ok\""),
            Answer::Add => out.str("add_ok\""),
            Answer::Configure => out.str("configure_ok\""),
            Answer::Echo => payload(out, "echo_ok\", \"echo\": ", service),
            Answer::Txn => payload(out, "txn_ok\", \"txn\": ", service),
            Answer::Generated(n) => {
                let (me, incarnation) = (replica.causality.members.me(), source.incarnation);
                out.str("generate_ok\", \"id\": \"");
                out.escaped(replica.causality.members.id(me));
                fields(out, &[("-", incarnation), ("-", n)]);
                out.raw(b"\"");
            }
            Answer::Messages => list(out, "read_ok\", \"messages\": ", source),
            Answer::Elements => list(out, "read_ok\", \"value\": ", source),
            Answer::Count(value) => {
                out.str("read_ok\", \"value\": ");
                out.wide(value);
            }
            Answer::GossipStats => {
                let (received, sent) = (stats.broadcasts_received, stats.gossip_messages_sent);
                let counts = [
                    ("gossip_stats_ok\", \"broadcasts_received\": ", received),
                    (", \"gossip_messages_sent\": ", sent),
                ];
                fields(out, &counts);
                out.str(", \"messages_per_op\": ");
                out.ratio(sent, received);
                fields(out, &[(", \"unique_messages\": ", store.set.len() as u64)]);
            }
            Answer::GossipRound { peers_contacted, messages_sent } => fields(
                out,
                &[
                    ("gossip_round_ok\", \"peers_contacted\": ", peers_contacted),
                    (", \"messages_sent\": ", messages_sent),
                ],
            ),
            Answer::Merged(count) => fields(out, &[("gossip_sync_ok\", \"new_count\": ", count)]),
            Answer::Digest => {
                out.str("digest_ok\", \"digest\": \"");
                out.hex(store.set.hash());
                fields(out, &[("\", \"count\": ", store.set.len() as u64)]);
            }
            Answer::DigestsMatch => out.str("digest_sync_ok\", \"match\": true, \"transferred\": 0"),
            Answer::DigestsDiffer { transferred } => {
                fields(out, &[("digest_sync_ok\", \"match\": false, \"transferred\": ", transferred)]);
                list(out, ", \"local_messages\": ", source);
            }
            Answer::GossipStatus { local_value, gossip_rounds, peers_synced, convergence_ms } => {
                out.str("gossip_status_ok\", \"local_value\": ");
                out.wide(local_value);
                fields(
                    out,
                    &[
                        (", \"gossip_rounds\": ", gossip_rounds),
                        (", \"peers_synced\": ", peers_synced),
                        (", \"convergence_ms\": ", convergence_ms),
                    ],
                );
            }
            Answer::Written { stamp_us } => {
                out.str("write_ok\", \"ts\": ");
                out.seconds(stamp_us);
            }
            Answer::KvRead(at) => {
                // The slot was found by the handler, and keys are never removed.
                let Some((key, value, stamp_us)) = store.map.slot(at) else {
                    return;
                };
                out.str("kv_read_ok\", \"key\": ");
                out.value(key);
                out.str(", \"value\": ");
                out.value(value);
                out.str(", \"ts\": ");
                out.seconds(stamp_us);
            }
            Answer::Updated(count) => fields(out, &[("kv_merge_ok\", \"updated\": ", count)]),
            Answer::WriteId(id) => fields(out, &[("bench_write_ok\", \"write_id\": ", id)]),
            Answer::BenchReport => bench_report(out, "bench_report_ok", source),
            Answer::BenchStats { reads, stale_reads, median_ms, max_ms } => {
                bench_report(out, "bench_stats_ok", source);
                fields(
                    out,
                    &[
                        (", \"reads\": ", reads),
                        (", \"stale_reads\": ", stale_reads),
                        (", \"convergence_ms_median\": ", median_ms),
                        (", \"convergence_ms_max\": ", max_ms),
                    ],
                );
            }
            Answer::Stats => {
                // Compact, as `serde-json-core` writes `Stats`.
                out.str("stats_ok\", \"stats\": ");
                for (at, (name, number)) in stats.named().enumerate() {
                    out.str(if at == 0 { "{\"" } else { ",\"" });
                    out.str(name);
                    fields(out, &[("\":", number)]);
                }
                out.raw(b"}");
            }
            Answer::Error(problem) => {
                fields(out, &[("error\", \"code\": ", problem.code())]);
                out.str(", \"text\": \"");
                let name = &self.name;
                // An `Out` takes everything.
                let _ = write!(Escaped(out), "{}", Sentence { problem, name });
                out.raw(b"\"");
            }
        }
    }
}

fn payload<S: Storage, W: Sink>(out: &mut Out<'_, W>, before: &str, service: &Service<S>) {
    out.str(before);
    out.raw(&service.payload);
}

fn fields<W: Sink>(out: &mut Out<'_, W>, fields: &[(&str, u64)]) {
    for (before, number) in fields {
        out.str(before);
        out.unsigned(*number);
    }
}

fn list<S: Storage, W: Sink>(out: &mut Out<'_, W>, before: &str, source: &Source<'_, S>) {
    out.str(before);
    out.raw(b"[");
    let mut values = source.replica.store.set.values();
    if let Some(first) = values.next() {
        out.value(first);
    }
    for value in values {
        out.raw(b", ");
        out.value(value);
    }
    out.raw(b"]");
}

fn bench_report<S: Storage, W: Sink>(out: &mut Out<'_, W>, name: &str, source: &Source<'_, S>) {
    let (writes, sent) = (source.stats.bench_writes, source.stats.gossip_messages_sent);
    out.str(name);
    fields(out, &[("\", \"total_writes\": ", writes), (", \"total_gossip_msgs\": ", sent)]);
    out.str(", \"msgs_per_write\": ");
    out.ratio(sent, writes);
    fields(out, &[(", \"keys_stored\": ", source.replica.store.map.len() as u64)]);
}

/// Text that is written into a JSON string.
struct Escaped<'o, 'w, W: Sink>(&'o mut Out<'w, W>);

impl<W: Sink> core::fmt::Write for Escaped<'_, '_, W> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0.escaped(text);
        Ok(())
    }
}

/// A problem as a sentence.
struct Sentence<'a> {
    problem: Problem,
    name: &'a str,
}

impl core::fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.problem {
            Problem::UnknownType => write!(f, "unknown type {}", self.name),
            Problem::Field(BadField { key, why }) => field(f, key, why),
            Problem::EnvelopeTwice(name) => write!(f, "duplicate field {name}"),
            Problem::Full(bound) => bound.fmt(f),
            Problem::NotInitialised => f.write_str("not initialised"),
            Problem::OtherCluster => f.write_str("already initialised with another node_id or other node_ids"),
            Problem::KeyNotFound => f.write_str("Key not found"),
            Problem::NoBareRead => {
                f.write_str("read is not supported by this workload; the key-value store has kv_read")
            }
            Problem::ElementAndDelta => f.write_str("element and delta: an add has one of them, not both"),
            Problem::ElementOrDelta => f.write_str("element or delta is missing"),
            Problem::FanoutOrInterval => f.write_str("fanout, gossip_interval_ms or strategy is missing"),
            Problem::EndOfTime => f.write_str("the clock is at its end"),
        }
    }
}

fn field(f: &mut core::fmt::Formatter<'_>, key: Key, why: Why) -> core::fmt::Result {
    let name = key.name();
    match why {
        Why::Missing => write!(f, "{name} is missing"),
        Why::Twice => write!(f, "duplicate field {name}"),
        Why::Not(what) => write!(f, "{name} must be {what}"),
        Why::OutOfRange { min, max } => write!(f, "{name} must be from {min} to {max}"),
        Why::TooLong { max, unit } => write!(f, "{name} is too long: at most {max} {unit}"),
        Why::TextTooLong { max } => write!(f, "{name}: a text may have at most {max} bytes"),
        Why::NotAnId { max } => {
            write!(f, "{name}: a node id must have from 1 to {max} bytes and may not end in @ and digits")
        }
        Why::Overflow => write!(f, "{name} would overflow the counter, which holds 64-bit integers"),
        Why::ClockAhead { max_ms } => write!(f, "{name}: ts is more than {max_ms} ms ahead of this node's clock"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Tiny;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_reply_written_at_once_is_the_one_that_is_written_piece_by_piece(
            (head, to) in ("[ -~]{0,128}", "[ -~]{0,64}"),
            in_reply_to in prop_oneof![0_i64..1_000, 0_i64..200_000_000, any::<i64>()],
            before in 0_u32..200,
            answer in prop::sample::select(&[Answer::Broadcast, Answer::Add, Answer::Init][..]),
        ) {
            let mut reply = Reply { in_reply_to, answer, ..Reply::default() };
            prop_assert!(reply.to.assign(to.as_bytes()));
            let mut source_head = Head::default();
            prop_assert!(source_head.assign(head.as_bytes()));
            let mut msg_id = Serial::default();
            (0..before).for_each(|_| msg_id.advance());

            let mut room = [0; 1_024];
            // There is none in a build without the fast path.
            let Some(block) = Block::within(&mut room) else { return Ok(()) };
            let at_once = reply.write_at_once(block, &source_head, &msg_id);
            let acknowledges = answer != Answer::Init && !head.is_empty();
            prop_assert_eq!(at_once.is_some(), acknowledges && (0..100_000_000).contains(&in_reply_to));

            let replica = Replica::<Tiny>::new(&Tiny::LIMITS, 0);
            let service = Service::unfilled(&Tiny::LIMITS);
            let (stats, head) = (Stats::default(), &source_head);
            let source = Source { replica: &replica, service: &service, stats: &stats, head, incarnation: 0 };
            let mut sink: heapless::Vec<u8, 1_024> = heapless::Vec::new();
            let mut out = Out::new(&mut sink);
            reply.write(&mut out, &source, &msg_id);
            prop_assert!(out.finish().is_ok());
            if let Some(len) = at_once {
                prop_assert_eq!(&room[..len], &sink[..]);
            }
        }
    }
}
