//! Measurements on the node itself: `bench_report`, `bench_stats`, and how long changes took to reach everybody.

use super::reply::{Source, fields};
use super::{Answered, Application, Context, Service, Spread, kv};
use crate::output::Sink;
use crate::storage::{Buf, Limits};
use crate::time::Instant;
use crate::wire::{Message, Out};

/// What the measurements answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `bench_write_ok`
    WriteId(u64),
    /// `bench_report_ok`
    Report,
    /// `bench_stats_ok`
    Stats {
        /// Reads.
        reads: u64,
        /// Stale ones among them.
        stale_reads: u64,
        /// Median convergence.
        median_ms: u64,
        /// Longest convergence.
        max_ms: u64,
    },
}

impl Answer {
    pub(super) fn write<S: Application, W: Sink>(self, out: &mut Out<'_, W>, source: &Source<'_, S>) {
        match self {
            Self::WriteId(id) => fields(out, &[("bench_write_ok\", \"write_id\": ", id)]),
            Self::Report => report(out, "bench_report_ok", source),
            Self::Stats { reads, stale_reads, median_ms, max_ms } => {
                report(out, "bench_stats_ok", source);
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
        }
    }
}

fn report<S: Application, W: Sink>(out: &mut Out<'_, W>, name: &str, source: &Source<'_, S>) {
    let (writes, sent) = (source.stats.bench_writes, source.stats.gossip_messages_sent);
    out.str(name);
    fields(out, &[("\", \"total_writes\": ", writes), (", \"total_gossip_msgs\": ", sent)]);
    out.str(", \"msgs_per_write\": ");
    out.ratio(sent, writes);
    fields(out, &[(", \"keys_stored\": ", source.replica.store.map.len() as u64)]);
}

/// Writes whose convergence is kept, at most; as many as there may be rumors, if that is less.
pub const WRITES_KEPT: usize = 256;

#[derive(Clone, Copy, Debug, Default)]
struct Watched {
    /// This node's change; 0 when there is none.
    seq: u64,
    at: Instant,
    took_ms: Option<u64>,
}

/// How long this node's changes took until every peer was known to hold them.
#[derive(Clone)]
pub struct Bench<S: Application> {
    writes: S::PerRumor<Watched>,
    written: u64,
    waiting: u32,
    counter: Watched,
}

names_itself!(impl[S: Application] Bench<S>, "Bench");

impl<S: Application> Bench<S> {
    /// Nothing was changed yet. Before [`Bench::fill`].
    #[inline(always)]
    #[must_use]
    pub fn unfilled(limits: &Limits) -> Self {
        let writes = S::PerRumor::with_limit(limits.rumors.min(WRITES_KEPT));
        Self { writes, written: 0, waiting: 0, counter: Watched::default() }
    }

    /// Fills the table of writes, where it is to stay.
    pub fn fill(&mut self) {
        self.writes.fill_to(self.writes.limit().min(WRITES_KEPT), Watched::default());
    }

    /// Whether a change waits to be known by all.
    #[must_use]
    #[inline]
    pub fn is_waiting(&self) -> bool {
        self.waiting > 0 || (self.counter.seq > 0 && self.counter.took_ms.is_none())
    }

    /// All peers are known to hold this node's changes up to `seq`.
    pub fn everybody_has(&mut self, seq: u64, now: Instant) {
        let known = |watched: &&mut Watched| watched.seq > 0 && watched.seq <= seq && watched.took_ms.is_none();
        if let Some(counter) = Some(&mut self.counter).filter(known) {
            counter.took_ms = Some(now.ms_since(counter.at));
        }
        // Without this, a change of the counter costs as much as all writes that are watched.
        if self.waiting > 0 {
            for write in self.writes.iter_mut().filter(known) {
                write.took_ms = Some(now.ms_since(write.at));
            }
            self.waiting = self.writes.iter().filter(|write| write.seq > 0 && write.took_ms.is_none()).count() as u32;
        }
    }

    /// The counter changed here.
    pub fn counter_changed(&mut self, seq: u64, now: Instant) {
        self.counter = Watched { seq, at: now, took_ms: None };
    }

    /// A `bench_write` was made here; its number.
    fn written(&mut self, seq: u64, now: Instant) -> u64 {
        let kept = self.writes.len().max(1) as u64;
        if let Some(place) = self.writes.get_mut((self.written % kept) as usize) {
            self.waiting += u32::from(place.seq == 0 || place.took_ms.is_some());
            *place = Watched { seq, at: now, took_ms: None };
        }
        self.written += 1;
        self.written
    }

    /// Milliseconds from the last change of the counter here until every peer was known to hold it; the time so far
    /// while that is not so; 0 when it never changed.
    #[must_use]
    pub fn counter_convergence_ms(&self, now: Instant) -> u64 {
        match self.counter {
            Watched { seq: 0, .. } => 0,
            Watched { took_ms: Some(ms), .. } => ms,
            Watched { at, took_ms: None, .. } => now.ms_since(at),
        }
    }

    /// Median and maximum over the last [`WRITES_KEPT`] writes that every peer is known to hold.
    fn convergence_ms(&self) -> (u64, u64) {
        let took = || self.writes.iter().filter_map(|write| write.took_ms);
        let middle = took().count() / 2;
        // Few and seldom asked for: to count is shorter than to sort, and takes no memory.
        let is_median = |ms: &u64| {
            let below = took().filter(|other| other < ms).count();
            below <= middle && middle < below + took().filter(|other| other == ms).count()
        };
        (took().find(is_median).unwrap_or(0), took().max().unwrap_or(0))
    }
}

impl<S: Application> Service<S> {
    pub(super) fn bench_write<G: Spread<S>>(&mut self, message: &Message<'_>, cx: &mut Context<'_, S, G>) -> Answered {
        kv::write(message, cx)?;
        cx.stats.bench_writes += 1;
        Ok(Answer::WriteId(self.bench.written(cx.replica.own_seq(), cx.now.at)).into())
    }

    #[inline(never)]
    pub(super) fn bench_stats(&self) -> Answer {
        let (reads, stale_reads) = self.staleness.counts();
        let (median_ms, max_ms) = self.bench.convergence_ms();
        Answer::Stats { reads, stale_reads, median_ms, max_ms }
    }
}
