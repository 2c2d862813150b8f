//! Strategy `rumor`: changes are pushed to a few random peers, exchanges of digests repair what the pushes missed, then
//! there is silence.
//!
//! - *Push* (rumor mongering): each new dot goes to `fanout` random peers, once. The first push after a quiet interval
//!   leaves at once. Under load rumors are gathered, and a push leaves once per interval.
//! - *Tick*: while some peers are not known to hold this node's counter, `fanout` of them get it in each interval.
//! - *Anti-entropy*: while some peers are not known to hold this node's state in this node's view, one of them is sent
//!   the digest and asked for its own, and each of the two sends what the other lacks. This happens in every fifth
//!   interval under load, and in the next interval once there is no more news. So a new session asks until it is
//!   settled, whichever peers it has heard.
//! - *Silence*: when all members are known to hold this digest in this view, no timer runs. A silent node answers peers
//!   that are not silent.

use super::common::{Began, Common, Heard, Hot, SOURCE_MS, Scheduler, is_news_to};
use super::fanout::Draw;
use super::peers::{Pending, Want};
use super::rule::Rule;
use crate::causality::Rows;
use crate::id::NodeIndex;
use crate::output::{Timer, Wakeup};
use crate::replicated::Lane;
use crate::storage::{Buf, Limits, Storage};
use crate::time::Instant;

/// How many messages may be sent at once if the answer to a peer does not fit into one.
const BURST: u8 = 6;
/// Under load digests are exchanged once in this many intervals.
const BUSY_INTERVALS: u64 = 5;
/// Without news the pause between two exchanges of digests is the time since the last change, divided by this.
const QUIET_SHARE: u64 = 8;
/// The longest time between two exchanges of digests, in milliseconds.
const LONGEST_MS: u64 = 30_000;
/// A tick looks again after this time, in milliseconds, whether a peer that was sent this digest needs it once more.
/// Equal to `REPEAT_MS` of the peers.
const REPEAT_TICK_MS: u64 = 500;
/// How many peers beyond the fanout a push may draw in search of those that lack something. The bound keeps a round at
/// O(fanout).
const SPARE_DRAWS: usize = 32;

/// The scheduler of strategy `rumor`.
#[derive(Clone)]
pub(super) struct Rumor<S: Storage> {
    hot: S::PerRumor<Hot>,
    /// The first `sealed` elements of `hot` belong to the push under way.
    sealed: usize,
    forgotten: u64,
    rounds: u64,
    timers: [Option<Instant>; Timer::ALL.len()],
    last_push: Option<Instant>,
    last_tick: Option<Instant>,
    last_change: Instant,
    started: bool,
}

impl<S: Storage> Rumor<S> {
    /// A scheduler to which nothing has happened yet.
    #[must_use]
    #[inline(always)]
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            hot: S::PerRumor::with_limit(limits.rumors),
            sealed: 0,
            forgotten: 0,
            rounds: 0,
            timers: [None; Timer::ALL.len()],
            last_push: None,
            last_tick: None,
            last_change: Instant::ZERO,
            started: false,
        }
    }
}

impl<S: Storage> Scheduler<S> for Rumor<S> {
    fn reconfigured(&mut self, common: &Common<S>, now: Instant) {
        for (timer, lane) in [(Timer::Push, Lane::Push), (Timer::Tick, Lane::Tick), (Timer::AntiEntropy, Lane::Push)] {
            let latest = now.plus_ms(common.interval(lane));
            if let Some(at) = &mut self.timers[timer as usize] {
                *at = (*at).min(latest);
            }
        }
    }

    fn start(&mut self, common: &mut Common<S>, began: Began, now: Instant) {
        self.last_change = now;
        self.started = true;
        self.arm_anti_entropy(common, now);
        match began {
            Began::Heard => {}
            Began::ByItself if common.has_peers() => self.set(Timer::AntiEntropy, now),
            Began::ByItself => {}
            Began::Replaced => self.arm_tick(common, now),
        }
    }

    fn rounds(&self) -> u64 {
        self.rounds
    }

    fn forgotten(&self) -> u64 {
        self.forgotten
    }

    fn hot(&self) -> &[Hot] {
        self.hot.get(..self.sealed).unwrap_or(&self.hot)
    }

    #[inline]
    fn news(&mut self, common: &mut Common<S>, lane: Lane, hot: Hot, now: Instant) {
        if !common.has_peers() {
            return;
        }
        self.last_change = now;
        match lane {
            Lane::Push => {
                if !self.extends_hot(hot) {
                    self.add_hot(hot);
                }
                if self.timers[Timer::Push as usize].is_none() {
                    let interval = common.interval(Lane::Push);
                    self.set(Timer::Push, self.last_push.map_or(now, |last| last.plus_ms(interval).max(now)));
                }
            }
            Lane::Tick => {
                // The next tick is an interval after the last one, and never in the moment of a change.
                let interval = common.interval(Lane::Tick);
                let at = self.last_tick.map(|last| last.plus_ms(interval)).filter(|at| *at > now);
                let at = at.unwrap_or_else(|| now.plus_ms(interval));
                let armed = self.timers[Timer::Tick as usize];
                self.set(Timer::Tick, armed.map_or(at, |armed| armed.min(at)));
            }
        }
        if self.timers[Timer::AntiEntropy as usize].is_none() {
            self.arm_anti_entropy(common, now);
        }
    }

    fn heard(&mut self, common: &mut Common<S>, heard: Heard, _: &Rows<S>, now: Instant) {
        let Heard { from, lane, equal, same_view, peer_settled, lacking, want, .. } = heard;
        if heard.news && heard.cut && common.handed_over(from, now) && common.keeps(Rule::Window) {
            self.forget_handed(from);
        }
        let answer = Pending { lane: Some(lane), rumors: false, delta: true, want: Want::Nothing, burst: BURST };
        if equal && same_view {
            // The peer is told once that all agree. If it still does not know, it will ask.
            let peer_may_settle = common.is_settled() && !peer_settled && !common.peers.was_sent(from, common.key());
            if want != Want::Nothing || peer_may_settle {
                common.peers.want_to_send(from, answer);
            }
            if !self.settle(common) {
                self.go_on_asking(common, now);
            }
            return;
        }
        if want != Want::Nothing {
            let elsewhere = common.source(now).is_some_and(|source| source != from) && common.keeps(Rule::Window);
            // Two nodes that are full lack each other's entries for ever. If each answered the other's question with a
            // question of its own, they would talk without a pause. So a message that asks for entries and brings no
            // news is not answered with a question.
            let gains = want == Want::Reply || heard.news;
            let want = if lacking && gains && !elsewhere { Want::Gap } else { Want::Nothing };
            common.peers.want_to_send(from, Pending { want, ..answer });
        }
        if !equal && lane == Lane::Tick {
            self.arm_tick(common, now);
        }
        if !equal || common.keeps(Rule::Asking) {
            self.arm_anti_entropy(common, now);
        }
    }

    fn view_changed(&mut self, common: &mut Common<S>, member: NodeIndex, now: Instant) {
        self.last_change = now;
        if member == common.me() {
            self.arm_anti_entropy(common, now);
        } else {
            self.go_on_asking(common, now);
        }
    }

    fn settle(&mut self, common: &Common<S>) -> bool {
        let settled = common.is_settled();
        if settled {
            for timer in [Timer::Push, Timer::Tick, Timer::AntiEntropy] {
                self.timers[timer as usize] = None;
            }
            if common.peers.first().is_none() {
                self.hot.clear();
                self.sealed = 0;
            }
        }
        settled
    }

    fn next_timeout(&self) -> Option<Wakeup> {
        let due = Timer::ALL.into_iter().filter_map(|why| Some(Wakeup { at: self.timers[why as usize]?, why }));
        due.min_by_key(|wakeup| wakeup.at)
    }

    #[inline]
    fn is_due(&self, now: Instant) -> bool {
        self.timers.iter().flatten().any(|at| *at <= now)
    }

    fn timeout(&mut self, common: &mut Common<S>, _: &Rows<S>, now: Instant) {
        for timer in Timer::ALL {
            if self.timers[timer as usize].is_none_or(|at| at > now) {
                continue;
            }
            self.timers[timer as usize] = None;
            match timer {
                Timer::Push => self.push(common, now),
                Timer::Tick => self.tick(common, now),
                Timer::AntiEntropy => self.anti_entropy(common, now),
                // This scheduler does not have these timers.
                Timer::Relay | Timer::Session => {}
            }
        }
    }

    fn all_sent(&mut self) {
        let told = core::mem::take(&mut self.sealed);
        self.hot.rotate_left(told);
        self.hot.truncate(self.hot.len() - told);
    }

    fn round_now(&mut self, common: &mut Common<S>, rows: &Rows<S>, now: Instant) -> (u64, u64) {
        self.rounds += 1;
        self.last_push = Some(now);
        self.sealed = self.hot.len();
        self.timers[Timer::Push as usize] = None;
        let mut draw = Draw::default();
        let (mut chosen, mut sent) = (0, 0);
        while chosen < u64::from(common.fanout)
            && let Some(peer) = common.draw(&mut draw)
        {
            chosen += 1;
            if common.lacks(peer, rows) {
                let why = Pending { lane: None, rumors: true, delta: true, want: Want::Nothing, burst: 0 };
                common.peers.want_to_send(peer, why);
                sent += 1;
            }
        }
        if common.peers.first().is_none() {
            self.all_sent();
        }
        (chosen, sent)
    }

    fn finish(&mut self, common: &mut Common<S>, _: &Rows<S>, now: Instant) {
        let tick = self.timers[Timer::Tick as usize].is_some();
        if self.timers[Timer::Push as usize].is_some() {
            self.push(common, now);
        }
        if tick {
            self.tick(common, now);
        }
        self.timers = [None; Timer::ALL.len()];
    }
}

impl<S: Storage> Rumor<S> {
    /// Whether a range follows the newest rumor directly. Then that rumor, which waits already, is made longer.
    #[inline]
    fn extends_hot(&mut self, hot: Hot) -> bool {
        let waiting = self.hot.len() > self.sealed;
        if waiting
            && let Some(last) = self.hot.last_mut()
            && last.row == hot.row
            && last.to == hot.from
            && last.source == hot.source
        {
            last.to = hot.to;
            return true;
        }
        false
    }

    fn add_hot(&mut self, hot: Hot) {
        if self.hot.room() == 0 {
            // The oldest is forgotten; anti-entropy repairs.
            self.hot.rotate_left(1);
            self.hot.truncate(self.hot.limit() - 1);
            self.sealed = self.sealed.saturating_sub(1);
            self.forgotten += 1;
        }
        let _ = self.hot.push(hot);
    }

    /// Forgets rumors that came from a peer which hands over, in parts, what this node lacked. These entries are old:
    /// other nodes that lack them ask for them, as this node does.
    fn forget_handed(&mut self, from: NodeIndex) {
        let mut kept = self.sealed;
        for at in self.sealed..self.hot.len() {
            let Some(hot) = self.hot.get(at).copied().filter(|hot| hot.source != Some(from)) else { continue };
            if let Some(place) = self.hot.get_mut(kept) {
                *place = hot;
            }
            kept += 1;
        }
        self.hot.truncate(kept);
    }

    fn arm_tick(&mut self, common: &Common<S>, now: Instant) {
        if self.timers[Timer::Tick as usize].is_none() {
            let at = now.plus_ms(common.interval(Lane::Tick));
            self.set(Timer::Tick, at);
        }
    }

    /// Makes sure that a node which is not settled goes on exchanging digests.
    fn go_on_asking(&mut self, common: &mut Common<S>, now: Instant) {
        if self.started && common.keeps(Rule::Asking) {
            self.arm_anti_entropy(common, now);
        } else {
            self.timers[Timer::AntiEntropy as usize] = None;
        }
    }

    /// Makes sure that digests are exchanged soon: see [`Rumor::pause_ms`].
    fn arm_anti_entropy(&mut self, common: &mut Common<S>, now: Instant) {
        if !common.has_peers() {
            return;
        }
        let pause = self.pause_ms(common, Lane::Push, now);
        let at = now.plus_ms(common.jittered(pause));
        let armed = self.timers[Timer::AntiEntropy as usize];
        self.set(Timer::AntiEntropy, armed.map_or(at, |armed| armed.min(at)));
    }

    /// Time between two exchanges of digests, in milliseconds. While there is news it is [`BUSY_INTERVALS`] intervals,
    /// since pushes bring most of it. Then it is one interval, and grows with the time since the last change: a peer
    /// that still differs then cannot take what it lacks, or cannot be reached.
    fn pause_ms(&self, common: &Common<S>, lane: Lane, now: Instant) -> u64 {
        let interval = common.interval(lane);
        let quiet = now.ms_since(self.last_change);
        if lane == Lane::Push && quiet < 2 * interval {
            return BUSY_INTERVALS * interval;
        }
        interval.max((quiet / QUIET_SHARE).min(LONGEST_MS))
    }

    /// Pushes all waiting rumors to `fanout` random peers that lack some of them.
    fn push(&mut self, common: &mut Common<S>, now: Instant) {
        if self.hot.is_empty() {
            return;
        }
        self.rounds += 1;
        self.last_push = Some(now);
        self.sealed = self.hot.len();
        let mut chosen = 0;
        let mut draw = Draw::default();
        for _ in 0..usize::from(common.fanout) + SPARE_DRAWS {
            let Some(peer) = common.draw(&mut draw) else {
                break;
            };
            if common.peers.next_push(peer, self.last_change) <= now && self.lacks_hot(common, peer) {
                let want = if common.peers.unheard(peer) >= 2 { Want::Reply } else { Want::Nothing };
                let why = Pending { lane: Some(Lane::Push), rumors: true, delta: false, want, burst: BURST };
                common.peers.want_to_send(peer, why);
                chosen += 1;
                if chosen == common.fanout {
                    break;
                }
            }
        }
        if common.peers.first().is_none() {
            self.all_sent();
        }
    }

    /// Whether a peer is not known to hold all rumors of this push.
    #[must_use]
    fn lacks_hot(&self, common: &Common<S>, peer: NodeIndex) -> bool {
        if common.agreement.contains(peer) {
            return false;
        }
        let vector = common.peers.vector(peer).unwrap_or(&[]);
        self.hot[..self.sealed].iter().any(|hot| is_news_to(hot, peer, vector))
    }

    /// Runs one tick: `fanout` random peers that are not known to hold this node's counter get it.
    fn tick(&mut self, common: &mut Common<S>, now: Instant) {
        if self.settle(common) {
            return;
        }
        self.rounds += 1;
        self.last_tick = Some(now);
        let pause = self.pause_ms(common, Lane::Tick, now);
        let mut next = now.plus_ms(LONGEST_MS);
        let mut chosen = 0;
        let mut draw = Draw::default();
        while let Some(peer) = common.draw(&mut draw) {
            if common.agreement.contains(peer) {
                continue;
            }
            let digest_at = common.peers.next_digest(peer, common.key(), self.last_change);
            // A message that it was sent less than an interval ago held the counter as well.
            let spaced_at =
                common.peers.sent_at(peer).map_or(Instant::ZERO, |at| at.plus_ms(common.interval(Lane::Tick)));
            let at = digest_at.max(spaced_at);
            if at > now {
                next = next.min(at);
                continue;
            }
            if chosen == common.fanout {
                next = now;
                break;
            }
            let want = if common.peers.unheard(peer) >= 1 { Want::Reply } else { Want::Nothing };
            let why = Pending { lane: Some(Lane::Tick), rumors: false, delta: false, want, burst: 0 };
            common.peers.want_to_send(peer, why);
            next = next.min(now.plus_ms(REPEAT_TICK_MS));
            chosen += 1;
        }
        self.set(Timer::Tick, next.max(now.plus_ms(pause)));
    }

    /// One exchange of digests with a peer that is not known to hold this node's state.
    fn anti_entropy(&mut self, common: &mut Common<S>, now: Instant) {
        if self.settle(common) {
            return;
        }
        let mut earliest = now.plus_ms(LONGEST_MS);
        let mut draw = Draw::default();
        let mut asked = false;
        if let Some(source) = common.source(now).filter(|_| common.keeps(Rule::Window)) {
            self.ask(common, source);
            let next = now.plus_ms(common.jittered(SOURCE_MS / 4));
            self.set(Timer::AntiEntropy, next);
            return;
        }
        while let Some(peer) = common.draw(&mut draw) {
            if common.agreement.contains(peer) {
                continue;
            }
            let at = common.peers.next_digest(peer, common.key(), self.last_change);
            if at <= now {
                self.ask(common, peer);
                asked = true;
                break;
            }
            earliest = earliest.min(at);
        }
        let pause = self.pause_ms(common, Lane::Push, now);
        let next = now.plus_ms(common.jittered(pause));
        self.set(Timer::AntiEntropy, if asked { next } else { next.max(earliest) });
    }

    fn ask(&mut self, common: &mut Common<S>, peer: NodeIndex) {
        self.rounds += 1;
        let why = Pending { lane: Some(Lane::Push), rumors: false, delta: false, want: Want::Reply, burst: 0 };
        common.peers.want_to_send(peer, why);
    }

    fn set(&mut self, timer: Timer, at: Instant) {
        self.timers[timer as usize] = Some(at);
    }
}

#[cfg(test)]
mod tests;
