//! Strategy `rumor`: what is new is pushed to a few random peers; digests repair what that missed; then silence.
//!
//! - *Push* (rumor mongering): each new dot goes to `fanout` random peers, once. The first push after a quiet interval
//!   leaves at once, under load they are gathered and leave once per interval.
//! - *Tick*: while some peer is not known to hold this node's counter, `fanout` of those peers get it per interval.
//! - *Anti-entropy*: while some peer is not known to hold this node's state, one of those is sent the digest and asked for
//!   its own; each sends what the other lacks. Promptly once the news has ceased, every fifth interval under load.
//! - Silence: when all members are known to hold this digest, no timer runs. A node that is silent answers whoever is not.

use rand_xorshift::XorShiftRng;

use super::agreement::Agreement;
use super::fanout::{Draw, Sampler, below};
use super::peers::{Peers, Pending, Want};
use crate::causality::{Dot, RowId, Rows};
use crate::id::NodeIndex;
use crate::output::{Timer, Wakeup};
use crate::replicated::Lane;
use crate::storage::{Buf, Limits, Storage};
use crate::time::Instant;

/// A stretch of new dots that waits for its push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hot {
    /// The row.
    pub row: RowId,
    /// The stretch begins after this dot.
    pub from: u64,
    /// And ends with this one.
    pub to: u64,
    /// The peer it came from, `None` for a local change.
    pub source: Option<NodeIndex>,
}

/// What a message from a peer showed, after its entries were merged.
#[derive(Clone, Copy, Debug)]
pub struct Heard {
    /// The peer.
    pub from: NodeIndex,
    /// The lane whose message it was.
    pub lane: Lane,
    /// Whether both hold the same state now.
    pub equal: bool,
    /// Whether the peer knows that all members hold its state.
    pub peer_settled: bool,
    /// Whether the peer has dots that this node lacks.
    pub lacking: bool,
    /// What the peer asks for.
    pub want: Want,
}

/// Messages that may follow each other at once when what a peer asked for does not fit one.
const BURST: u8 = 8;
/// Anti-entropy under load runs once in this many intervals.
const BUSY_INTERVALS: u64 = 5;
/// An exchange of digests pauses for this part of the time in which nothing has changed.
const QUIET_SHARE: u64 = 8;
/// How long after the first message that follows `init` a node waits to be spoken to.
const FIRST_DIGEST_MS: u64 = 1_000;
/// The longest time between two messages to a peer that stays silent, once the news has ceased.
const LONGEST_MS: u64 = 30_000;
/// The same while there is news.
const LONGEST_BUSY_MS: u64 = 1_000;
/// Drawings beyond the fanout in search of peers that lack something, so that a round stays O(fanout).
const SPARE_DRAWS: usize = 32;

/// The scheduler of strategy `rumor`.
pub struct Rumor<S: Storage> {
    /// Who spreads with whom.
    pub peers: Peers<S>,
    /// Who is known to hold this node's state.
    pub agreement: Agreement<S>,
    sampler: Sampler<S>,
    rng: XorShiftRng,
    me: NodeIndex,
    fanout: u8,
    interval_ms: Option<u32>,
    hot: S::PerRumor<Hot>,
    /// How many of `hot`, from the start, belong to the push under way.
    sealed: usize,
    forgotten: u64,
    rounds: u64,
    timers: [Option<Instant>; Timer::ALL.len()],
    last_push: Option<Instant>,
    last_change: Instant,
    first_digest_ms: u64,
}

impl<S: Storage> Rumor<S> {
    /// A scheduler for a cluster of `nodes` of which nothing is known.
    #[must_use]
    pub fn new(nodes: usize, me: NodeIndex, limits: &Limits, rng: XorShiftRng, sum: u64) -> Self {
        Self {
            peers: Peers::new(nodes, limits),
            agreement: Agreement::new(nodes, me, sum),
            sampler: Sampler::new(nodes, me),
            rng,
            me,
            fanout: 2,
            interval_ms: None,
            hot: S::PerRumor::with_limit(limits.rumors),
            sealed: 0,
            forgotten: 0,
            rounds: 0,
            timers: [None; Timer::ALL.len()],
            last_push: None,
            last_change: Instant::ZERO,
            first_digest_ms: FIRST_DIGEST_MS,
        }
    }

    /// Changes fanout and interval at once, timers that run included.
    pub fn configure(&mut self, fanout: u8, interval_ms: Option<u32>, now: Instant) {
        self.fanout = fanout;
        self.interval_ms = interval_ms;
        for (timer, lane) in [(Timer::Push, Lane::Push), (Timer::Tick, Lane::Tick), (Timer::AntiEntropy, Lane::Push)] {
            let latest = now.plus_ms(self.interval(lane));
            if let Some(at) = &mut self.timers[timer as usize] {
                *at = (*at).min(latest);
            }
        }
    }

    /// Takes note of this node's digest: when it has changed, nobody else is known to hold it.
    pub fn refresh(&mut self, sum: u64) {
        self.agreement.refresh(self.me, sum);
    }

    /// The first message after `init` has arrived: peers may be spoken to.
    pub fn start(&mut self, now: Instant) {
        self.last_change = now;
        if self.has_peers() {
            self.set(Timer::FirstDigest, now.plus_ms(FIRST_DIGEST_MS));
        }
    }

    /// The number of rounds run so far: pushes, ticks and exchanges of digests.
    #[must_use]
    pub fn rounds(&self) -> u64 {
        self.rounds
    }

    /// Rumors that were forgotten because too many waited.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Whether all members are known to hold this node's state.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.agreement.is_complete()
    }

    /// The rumors of the push under way.
    #[must_use]
    pub fn hot(&self) -> &[Hot] {
        &self.hot[..self.sealed]
    }

    fn has_peers(&self) -> bool {
        self.agreement.nodes() > 1
    }

    /// An entry was applied here: a local change, or news from `source`.
    #[inline]
    pub fn news(&mut self, lane: Lane, dot: Dot, source: Option<NodeIndex>, now: Instant) {
        if !self.has_peers() {
            return;
        }
        self.last_change = now;
        match lane {
            Lane::Push => {
                self.add_hot(dot, source);
                if self.timers[Timer::Push as usize].is_none() {
                    let interval = self.interval(Lane::Push);
                    self.set(Timer::Push, self.last_push.map_or(now, |last| last.plus_ms(interval).max(now)));
                }
                if self.timers[Timer::AntiEntropy as usize].is_none() {
                    self.arm_anti_entropy(now);
                }
            }
            Lane::Tick => self.arm_tick(now),
        }
    }

    fn add_hot(&mut self, dot: Dot, source: Option<NodeIndex>) {
        let Dot { row, seq } = dot;
        let waiting = self.hot.len() - self.sealed;
        if waiting > 0
            && let Some(last) = self.hot.last_mut()
            && last.row == row
            && last.source == source
            && last.to + 1 == seq
        {
            last.to = seq;
            return;
        }
        if self.hot.room() == 0 {
            // The oldest is forgotten; anti-entropy repairs.
            self.hot.rotate_left(1);
            self.hot.truncate(self.hot.limit() - 1);
            self.sealed = self.sealed.saturating_sub(1);
            self.forgotten += 1;
        }
        let _ = self.hot.push(Hot { row, from: seq - 1, to: seq, source });
    }

    fn arm_tick(&mut self, now: Instant) {
        if self.timers[Timer::Tick as usize].is_none() {
            let at = now.plus_ms(self.interval(Lane::Tick));
            self.set(Timer::Tick, at);
        }
    }

    /// Makes sure that digests are exchanged soon: see [`Rumor::pause_ms`].
    fn arm_anti_entropy(&mut self, now: Instant) {
        let pause = self.pause_ms(Lane::Push, now);
        let at = now.plus_ms(self.jittered(pause));
        let armed = self.timers[Timer::AntiEntropy as usize];
        self.set(Timer::AntiEntropy, armed.map_or(at, |armed| armed.min(at)));
    }

    /// Time between two exchanges of digests. While there is news, [`BUSY_INTERVALS`]: pushes bring most of it. Then one
    /// interval, and ever more the longer nothing changes: who still differs then cannot take what is missing, or is not
    /// there.
    fn pause_ms(&self, lane: Lane, now: Instant) -> u64 {
        let interval = self.interval(lane);
        let quiet = now.ms_since(self.last_change);
        if lane == Lane::Push && quiet < 2 * interval {
            return BUSY_INTERVALS * interval;
        }
        interval.max((quiet / QUIET_SHARE).min(LONGEST_MS))
    }

    /// A message from a peer was merged.
    pub fn heard(&mut self, heard: Heard, sum: u64, now: Instant) {
        self.refresh(sum);
        let Heard { from, lane, equal, peer_settled, lacking, want } = heard;
        let answer = Pending { lane: Some(lane), rumors: false, delta: true, want: Want::Nothing, burst: BURST };
        if equal {
            self.agreement.insert(from);
            let peer_may_settle = self.is_settled() && !peer_settled;
            if want != Want::Nothing || peer_may_settle {
                self.peers.want_to_send(from, answer);
            }
            self.settle();
            return;
        }
        if want != Want::Nothing {
            let want = if lacking { Want::Gap } else { Want::Nothing };
            self.peers.want_to_send(from, Pending { want, ..answer });
        }
        match lane {
            Lane::Push => self.arm_anti_entropy(now),
            Lane::Tick => self.arm_tick(now),
        }
    }

    /// A peer began a new life: whatever it was known to hold is void.
    pub fn reborn(&mut self, peer: NodeIndex, now: Instant) {
        self.agreement.remove(peer);
        self.last_change = now;
    }

    /// Stops all timers when there is nobody left to tell anything. True when that is so.
    pub fn settle(&mut self) -> bool {
        let settled = self.is_settled();
        if settled {
            for timer in [Timer::Push, Timer::Tick, Timer::AntiEntropy] {
                self.timers[timer as usize] = None;
            }
            if self.peers.first().is_none() {
                self.hot.clear();
                self.sealed = 0;
            }
        }
        settled
    }

    /// When the next timer is due.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Wakeup> {
        let due = Timer::ALL.into_iter().filter_map(|why| Some(Wakeup { at: self.timers[why as usize]?, why }));
        due.min_by_key(|wakeup| wakeup.at)
    }

    /// Runs the timers that are due, each once. `sum` is this node's digest in short.
    pub fn timeout(&mut self, sum: u64, now: Instant) {
        self.refresh(sum);
        for timer in Timer::ALL {
            if self.timers[timer as usize].is_none_or(|at| at > now) {
                continue;
            }
            self.timers[timer as usize] = None;
            match timer {
                Timer::Push => self.push(now),
                Timer::Tick => self.tick(sum, now),
                Timer::AntiEntropy => self.anti_entropy(sum, now),
                Timer::FirstDigest => self.first_digest(now),
            }
        }
    }

    /// A push of all waiting rumors to `fanout` random peers that lack some of them.
    fn push(&mut self, now: Instant) {
        if self.hot.is_empty() {
            return;
        }
        self.rounds += 1;
        self.last_push = Some(now);
        self.sealed = self.hot.len();
        let longest = self.longest_ms(now);
        let mut chosen = 0;
        let mut draw = Draw::default();
        for _ in 0..usize::from(self.fanout) + SPARE_DRAWS {
            let Some(peer) = self.sampler.draw(&mut draw, &mut self.rng) else {
                break;
            };
            if self.peers.next_push(peer, longest) <= now && self.lacks_hot(peer) {
                let want = if self.peers.unheard(peer) >= 2 { Want::Reply } else { Want::Nothing };
                let why = Pending { lane: Some(Lane::Push), rumors: true, delta: false, want, burst: BURST };
                self.peers.want_to_send(peer, why);
                chosen += 1;
                if chosen == self.fanout {
                    break;
                }
            }
        }
        if self.peers.first().is_none() {
            self.drop_sealed();
        }
    }

    /// Whether a peer is not known to hold every waiting rumor.
    #[must_use]
    pub fn lacks_hot(&self, peer: NodeIndex) -> bool {
        if self.agreement.contains(peer) {
            return false;
        }
        let vector = self.peers.vector(peer).unwrap_or(&[]);
        self.hot[..self.sealed].iter().any(|hot| is_news_to(hot, peer, vector))
    }

    /// The send queue has run empty: the rumors of the push under way have been told.
    pub fn drop_sealed(&mut self) {
        let told = core::mem::take(&mut self.sealed);
        self.hot.rotate_left(told);
        self.hot.truncate(self.hot.len() - told);
    }

    /// One tick of the counter.
    fn tick(&mut self, sum: u64, now: Instant) {
        if self.settle() {
            return;
        }
        self.rounds += 1;
        let pause = self.pause_ms(Lane::Tick, now);
        let mut next = now.plus_ms(LONGEST_MS);
        let longest = self.longest_ms(now);
        let mut chosen = 0;
        let mut draw = Draw::default();
        while let Some(peer) = self.sampler.draw(&mut draw, &mut self.rng) {
            if self.agreement.contains(peer) {
                continue;
            }
            let at = self.peers.next_digest(peer, sum, longest);
            if at > now {
                next = next.min(at);
                continue;
            }
            if chosen == self.fanout {
                next = now;
                break;
            }
            let want = if self.peers.unheard(peer) >= 1 { Want::Reply } else { Want::Nothing };
            let why = Pending { lane: Some(Lane::Tick), rumors: false, delta: false, want, burst: 0 };
            self.peers.want_to_send(peer, why);
            next = next.min(now.plus_ms(REPEAT_TICK_MS));
            chosen += 1;
        }
        self.set(Timer::Tick, next.max(now.plus_ms(pause)));
    }

    /// One exchange of digests with a peer that is not known to hold this node's state.
    fn anti_entropy(&mut self, sum: u64, now: Instant) {
        if self.settle() {
            return;
        }
        let longest = self.longest_ms(now);
        let mut earliest = now.plus_ms(LONGEST_MS);
        let mut draw = Draw::default();
        let mut asked = false;
        while let Some(peer) = self.sampler.draw(&mut draw, &mut self.rng) {
            if self.agreement.contains(peer) {
                continue;
            }
            let at = self.peers.next_digest(peer, sum, longest);
            if at <= now {
                self.ask(peer);
                asked = true;
                break;
            }
            earliest = earliest.min(at);
        }
        let pause = self.pause_ms(Lane::Push, now);
        let next = now.plus_ms(self.jittered(pause));
        self.set(Timer::AntiEntropy, if asked { next } else { next.max(earliest) });
    }

    fn ask(&mut self, peer: NodeIndex) {
        self.rounds += 1;
        let why = Pending { lane: Some(Lane::Push), rumors: false, delta: false, want: Want::Reply, burst: 0 };
        self.peers.want_to_send(peer, why);
    }

    /// Once per life a node that nobody has spoken to sends a digest; until somebody is heard, at growing intervals.
    fn first_digest(&mut self, now: Instant) {
        if self.peers.any_heard() {
            return;
        }
        if let Some(peer) = self.sampler.draw(&mut Draw::default(), &mut self.rng) {
            self.ask(peer);
            self.first_digest_ms = (2 * self.first_digest_ms).min(LONGEST_MS);
            self.set(Timer::FirstDigest, now.plus_ms(self.first_digest_ms));
        }
    }

    /// What the next round would do, at once: `fanout` random peers are chosen, and each gets what it lacks. Gives the
    /// number of peers chosen and of messages that will leave.
    pub fn round_now(&mut self, sum: u64, rows: &Rows<S>, now: Instant) -> (u64, u64) {
        self.refresh(sum);
        self.rounds += 1;
        self.last_push = Some(now);
        self.sealed = self.hot.len();
        self.timers[Timer::Push as usize] = None;
        let mut draw = Draw::default();
        let (mut chosen, mut sent) = (0, 0);
        while chosen < u64::from(self.fanout)
            && let Some(peer) = self.sampler.draw(&mut draw, &mut self.rng)
        {
            chosen += 1;
            if self.lacks(peer, rows) {
                let why = Pending { lane: None, rumors: true, delta: true, want: Want::Nothing, burst: 0 };
                self.peers.want_to_send(peer, why);
                sent += 1;
            }
        }
        if self.peers.first().is_none() {
            self.drop_sealed();
        }
        (chosen, sent)
    }

    /// Whether a peer is not known to hold everything this node holds.
    #[must_use]
    pub fn lacks(&self, peer: NodeIndex, rows: &Rows<S>) -> bool {
        let vector = self.peers.vector(peer).unwrap_or(&[]);
        let known = |row: RowId| vector.get(row.at()).copied().unwrap_or(0);
        !self.agreement.contains(peer) && rows.iter().any(|(id, row)| row.highest() > known(id))
    }

    /// This node's own changes, of `own` so far, that every member is known to hold. O(peers).
    #[must_use]
    pub fn everybody_has(&self, own: u64) -> u64 {
        let nodes = (0..self.agreement.nodes() as u32).map(NodeIndex);
        let acked = |peer| {
            if self.agreement.contains(peer) { own } else { self.peers.own_acked(peer) }
        };
        nodes.filter(|node| *node != self.me).map(acked).min().unwrap_or(own)
    }

    /// The last push: everything that waits leaves now, and no timer runs any more.
    pub fn finish(&mut self, sum: u64, now: Instant) {
        self.refresh(sum);
        let tick = self.timers[Timer::Tick as usize].is_some();
        if self.timers[Timer::Push as usize].is_some() {
            self.push(now);
        }
        if tick {
            self.tick(sum, now);
        }
        self.timers = [None; Timer::ALL.len()];
    }

    fn set(&mut self, timer: Timer, at: Instant) {
        self.timers[timer as usize] = Some(at);
    }

    fn interval(&self, lane: Lane) -> u64 {
        u64::from(self.interval_ms.unwrap_or(lane.default_interval_ms()))
    }

    /// `ms` give or take a quarter.
    fn jittered(&mut self, ms: u64) -> u64 {
        let spread = u32::try_from(ms / 2).unwrap_or(u32::MAX);
        (ms - ms / 4 + u64::from(below(&mut self.rng, spread + 1))).max(1)
    }

    /// The longest time between two messages to a silent peer: as long as it has been quiet, so that the times double,
    /// between one second and thirty.
    fn longest_ms(&self, now: Instant) -> u64 {
        now.ms_since(self.last_change).clamp(LONGEST_BUSY_MS, LONGEST_MS)
    }
}

/// As long as the peers' own pause before they are sent the same digest again.
const REPEAT_TICK_MS: u64 = 500;

/// Whether a rumor is news to a peer: it did not come from there, and the peer is not known to hold it.
#[must_use]
pub fn is_news_to(hot: &Hot, peer: NodeIndex, vector: &[u64]) -> bool {
    hot.source != Some(peer) && vector.get(hot.row.at()).is_none_or(|known| *known < hot.to)
}
