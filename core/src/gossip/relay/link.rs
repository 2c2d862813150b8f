//! What strategy `relay` remembers about one peer: messages and their echoes, delays, deadlines.

use crate::gossip::common::Echo;
use crate::id::NodeIndex;
use crate::time::Instant;

/// A deadline that is not set.
pub(super) const NEVER: Instant = Instant::from_micros(u64::MAX);
/// The round trip that is assumed before one was measured, in microseconds.
const FIRST_RTT_US: u64 = 300_000;
/// The time that is added wherever an answer is expected, in microseconds.
const SLACK_US: u64 = 100_000;

/// This point and `us` microseconds more.
pub(super) const fn after(at: Instant, us: u64) -> Instant {
    Instant::from_micros(at.as_micros().saturating_add(us))
}

/// Microseconds from `earlier` to `now`.
pub(super) const fn since(now: Instant, earlier: Instant) -> u64 {
    now.as_micros().saturating_sub(earlier.as_micros())
}

/// A sample longer than this many times [`Path::rto_us`] counts as a standstill of a process, unless all samples have
/// been so long for [`STANDSTILL_MS`], in milliseconds.
const STANDSTILL: u64 = 4;
const STANDSTILL_MS: u32 = 2_000;
/// A first sample above this counts as a standstill as well, in microseconds.
const FIRST_MOST_US: u64 = 5_000_000;
/// The departures of this many latest messages are remembered: of more than can be under way before the round trip is
/// known.
const TIMED: usize = 8;
/// A departure is kept in 32 bits, in units of 2^4 microseconds. It wraps after 19 hours.
const TIMED_SHIFT: u32 = 4;
/// After a pause this long without a message, earlier departures are forgotten, in microseconds. `TIMED` such pauses
/// fit into the 19 hours, so no departure that wrapped is used.
const TIMED_US: u64 = 3_600_000_000;

/// The smoothed round trip to a peer and its mean deviation, in microseconds (Jacobson, "Congestion avoidance and
/// control", 1988).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Path {
    rtt_us: u32,
    var_us: u32,
    /// When the first came of the samples in a row that were taken for a standstill, in milliseconds; 0 for none.
    standstill_ms: u32,
}

impl Path {
    pub(super) fn is_measured(self) -> bool {
        self.rtt_us > 0
    }

    pub(super) fn rtt_us(self) -> u64 {
        if self.is_measured() { u64::from(self.rtt_us) } else { FIRST_RTT_US }
    }

    pub(super) fn var_us(self) -> u64 {
        if self.is_measured() { u64::from(self.var_us) } else { FIRST_RTT_US / 16 }
    }

    /// The time after which an answer is overdue, in microseconds.
    pub(super) fn rto_us(self) -> u64 {
        self.rtt_us() + 4 * self.var_us() + SLACK_US
    }

    /// Takes a sample of the round trip. True if it counts. A sample that is far longer than expected is taken for a
    /// standstill of a process and does not count, unless all samples have been so long for [`STANDSTILL_MS`]. (That
    /// there are many of them proves nothing: a process that goes on after a standstill reads many messages at once,
    /// and all their echoes are as old as the standstill.)
    pub(super) fn sample(&mut self, sample_us: u64, now: Instant) -> bool {
        let most_us = if self.is_measured() { STANDSTILL * self.rto_us() } else { FIRST_MOST_US };
        let since_ms = core::mem::take(&mut self.standstill_ms);
        if sample_us > most_us {
            let now_ms = ((now.as_micros() / 1_000) as u32).max(1);
            if since_ms == 0 || now_ms.wrapping_sub(since_ms) < STANDSTILL_MS {
                self.standstill_ms = if since_ms == 0 { now_ms } else { since_ms };
                return false;
            }
            (self.rtt_us, self.var_us) = (0, 0);
        }
        let sample = i64::try_from(sample_us.clamp(1, 60_000_000)).unwrap_or(1);
        if self.is_measured() {
            let (rtt, var) = (i64::from(self.rtt_us), i64::from(self.var_us));
            self.var_us = (var + ((sample - rtt).abs() - var) / 4) as u32;
            self.rtt_us = (rtt + (sample - rtt) / 8).max(1) as u32;
        } else {
            self.rtt_us = sample as u32;
            self.var_us = (sample / 16) as u32;
        }
        true
    }
}

/// What is remembered about one peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    /// When the last message left.
    pub(super) sent_at: Instant,
    /// When the message with the highest ordinal arrived.
    pub(super) heard_at: Instant,
    /// When the last message with entries left.
    pub(super) data_at: Instant,
    /// When the peer is asked for an answer, or suspected if it was asked before.
    pub(super) deadline: Instant,
    /// When this node has to acknowledge entries.
    pub(super) ack_due: Instant,
    /// When this node asks the peer for entries that it lacks.
    pub(super) gap_due: Instant,
    /// When the peer was last sent entries that it had asked for, or had lacked for long.
    pub(super) filled_at: Instant,
    /// Ordinal of the last message to the peer.
    pub(super) sent_ord: u32,
    /// Highest ordinal received.
    pub(super) heard_ord: u32,
    /// Ordinal of the last message with entries, until it is echoed; then 0.
    pub(super) data_ord: u32,
    /// The ordinal whose echo has to come before the deadline.
    pub(super) awaited_ord: u32,
    /// The number of the snapshot that the peer was sent in full; 0 for none.
    pub(super) snapshot: u32,
    /// The relay that its latest message named.
    pub(super) relay: Option<NodeIndex>,
    pub(super) path: Path,
    /// When the latest messages left. The place of a message is its ordinal modulo `TIMED`.
    timed: [u32; TIMED],
    /// Departures of messages before this ordinal are not known.
    timed_from: u32,
    /// From when on entries that were sent may be taken for lost again.
    pub(super) refill_at: Instant,
    /// How many times in a row entries were taken for lost.
    pub(super) refills: u8,
    /// How many times in a row this node has asked for a gap.
    pub(super) gap_tries: u8,
    /// The peer was asked for an answer when the deadline passed.
    pub(super) asked: bool,
    /// The peer did not answer, and counts as unreachable.
    pub(super) suspected: bool,
    /// The peer sent entries, and has not been written to since.
    pub(super) unanswered: bool,
    /// The message that waits is part of a flush.
    pub(super) flushed: bool,
    /// The message that waits is a random digest.
    pub(super) random: bool,
    /// The peer refuses entries, so it is no relay.
    pub(super) unfit: bool,
    /// The peer has rows of which this node has no entry.
    pub(super) unknown: bool,
    /// The peer was told that all members agree.
    pub(super) told: bool,
    /// Its messages have no ordinals: the peer uses another strategy.
    pub(super) unordered: bool,
}

impl Link {
    pub(super) const STRANGER: Self = Self {
        sent_at: Instant::ZERO,
        heard_at: Instant::ZERO,
        data_at: Instant::ZERO,
        deadline: NEVER,
        ack_due: NEVER,
        gap_due: NEVER,
        filled_at: Instant::ZERO,
        sent_ord: 0,
        heard_ord: 0,
        data_ord: 0,
        awaited_ord: 0,
        snapshot: 0,
        relay: None,
        path: Path { rtt_us: 0, var_us: 0, standstill_ms: 0 },
        timed: [0; TIMED],
        timed_from: 1,
        refill_at: Instant::ZERO,
        refills: 0,
        gap_tries: 0,
        asked: false,
        suspected: false,
        unanswered: false,
        flushed: false,
        random: false,
        unfit: false,
        unknown: false,
        told: false,
        unordered: false,
    };

    /// The earliest of its deadlines.
    pub(super) fn next(&self) -> Instant {
        self.deadline.min(self.ack_due).min(self.gap_due)
    }

    /// The acknowledgement that this node owes.
    pub(super) fn echo(&self, now: Instant) -> Option<Echo> {
        let held_ms = u32::try_from(since(now, self.heard_at) / 1_000).unwrap_or(u32::MAX);
        (self.heard_ord > 0).then_some(Echo { ord: self.heard_ord, held_ms })
    }

    /// Takes an echo. The message that it acknowledges is no longer waited for; entries that were sent since are waited
    /// for during another `patience_us`. Returns a sample of the round trip, in microseconds, if the departure of the
    /// message is remembered.
    pub(super) fn echoed(&mut self, echo: Echo, acknowledges: bool, now: Instant, patience_us: u64) -> Option<u64> {
        if echo.ord > self.sent_ord {
            return None;
        }
        if echo.ord >= self.data_ord {
            self.data_ord = 0;
        }
        if self.deadline != NEVER && echo.ord >= self.awaited_ord && acknowledges {
            self.asked = false;
            self.deadline = NEVER;
            if self.data_ord > 0 {
                self.awaited_ord = self.data_ord;
                self.deadline = after(self.data_at.max(now), patience_us);
            }
        }
        self.since_departure(echo.ord, now)?.checked_sub(u64::from(echo.held_ms) * 1_000)
    }

    /// How long ago the message with this ordinal left, in microseconds, if that is remembered.
    fn since_departure(&self, ord: u32, now: Instant) -> Option<u64> {
        let is_known = ord >= self.timed_from
            && self.sent_ord.checked_sub(ord).is_some_and(|age| (age as usize) < TIMED)
            && since(now, self.sent_at) <= TIMED_US;
        is_known.then(|| u64::from(departure(now).wrapping_sub(self.timed[ord as usize % TIMED])) << TIMED_SHIFT)
    }

    /// The ordinal of the next message to the peer.
    pub(super) fn next_ord(&self) -> u32 {
        self.sent_ord.saturating_add(1)
    }

    /// A message leaves, and takes the next ordinal.
    pub(super) fn leaves(&mut self, now: Instant) {
        if since(now, self.sent_at) > TIMED_US {
            self.timed_from = self.next_ord();
        }
        self.sent_ord = self.next_ord();
        self.sent_at = now;
        self.timed[self.sent_ord as usize % TIMED] = departure(now);
    }

    /// Whether entries that were sent may be taken for lost now, and sent once more. The intervals grow from `least_us`
    /// to 30 s while that shows no effect.
    pub(super) fn refill(&mut self, least_us: u64, now: Instant) -> bool {
        if now < self.refill_at {
            return false;
        }
        self.refill_at = after(now, (least_us << self.refills.min(6)).min(30_000_000));
        self.refills = self.refills.saturating_add(1);
        self.snapshot = 0;
        true
    }

    /// Forgets the echoes that this node's former session waited for.
    pub(super) fn forget_echoes(&mut self) {
        self.deadline = NEVER;
        self.data_ord = 0;
        self.asked = false;
        self.timed_from = self.next_ord();
    }

    /// Whether the last entries may still be under way to the peer, or their echo on its way back.
    pub(super) fn in_flight(&self, path: Path, now: Instant) -> bool {
        self.data_ord > 0 && since(now, self.data_at) <= path.rtt_us() + 2 * path.var_us()
    }

    /// The peer is taken for unreachable. It is no longer assumed to hold what it was sent, and is owed no
    /// acknowledgement.
    pub(super) fn suspect(&mut self) {
        self.deadline = NEVER;
        self.ack_due = NEVER;
        self.gap_due = NEVER;
        self.data_ord = 0;
        self.snapshot = 0;
        self.asked = false;
        self.suspected = true;
        self.unanswered = false;
    }

    /// The peer began a new session. Its ordinals, round trip and suspicion stay.
    pub(super) fn reborn(&mut self) {
        let Self { sent_at, sent_ord, path, suspected, .. } = *self;
        *self = Self { sent_at, sent_ord, timed_from: self.next_ord(), path, suspected, ..Self::STRANGER };
    }
}

/// `now` in units of 2^4 microseconds, in 32 bits.
const fn departure(now: Instant) -> u32 {
    (now.as_micros() >> TIMED_SHIFT) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Instant = Instant::from_millis;

    fn measured(rtt_ms: u64) -> Path {
        let mut path = Path::default();
        (0..40).for_each(|_| assert!(path.sample(rtt_ms * 1_000, MS(0))));
        path
    }

    #[test]
    fn before_any_sample_a_long_round_trip_is_assumed() {
        let path = Path::default();
        assert_eq!((path.rtt_us(), path.var_us(), path.rto_us()), (300_000, 18_750, 475_000));
    }

    #[test]
    fn samples_are_smoothed() {
        let mut path = measured(200);
        assert!(path.rtt_us() == 200_000 && path.var_us() < 10);
        path.sample(280_000, MS(0));
        assert_eq!(path.rtt_us(), 210_000);
        assert!((19_990..20_010).contains(&path.var_us()));
    }

    #[test]
    fn a_standstill_is_no_sample_of_the_round_trip() {
        let mut path = measured(200);
        (0..9).for_each(|ms| assert!(!path.sample(15_000_000, MS(1_000 + ms)), "the echoes that waited are many"));
        assert_eq!(path.rtt_us(), 200_000);
        assert!(path.sample(200_000, MS(1_100)));
        assert!(!path.sample(15_000_000, MS(3_100)), "only those in a row are counted");
        assert_eq!(path.rtt_us(), 200_000);
    }

    #[test]
    fn what_takes_long_for_a_while_is_the_round_trip() {
        let mut path = measured(200);
        assert!(!path.sample(15_000_000, MS(1_000)) && !path.sample(15_000_000, MS(2_999)));
        assert!(path.sample(15_000_000, MS(3_000)));
        assert_eq!(path.rtt_us(), 15_000_000);
        path.sample(15_800_000, MS(3_100));
        assert_eq!(path.rtt_us(), 15_100_000, "from then on samples are smoothed again");
    }

    #[test]
    fn a_first_sample_of_more_than_five_seconds_is_a_standstill() {
        let mut path = Path::default();
        path.sample(5_000_001, MS(1));
        assert!(!path.is_measured());
        path.sample(5_000_000, MS(1));
        assert_eq!(path.rtt_us(), 5_000_000);
    }

    /// A link to which two messages with entries left, at 0 and 100 ms.
    fn link() -> Link {
        let mut link = Link { deadline: MS(900), awaited_ord: 1, ..Link::STRANGER };
        for (ord, ms) in [(1, 0), (2, 100)] {
            link.leaves(MS(ms));
            (link.data_ord, link.data_at) = (ord, MS(ms));
        }
        link
    }

    #[test]
    fn an_echo_gives_the_time_without_that_in_which_the_peer_held_it() {
        let sample = |ord| link().echoed(Echo { ord, held_ms: 50 }, true, MS(350), 0);
        assert_eq!([sample(1), sample(2)], [Some(300_000), Some(200_000)]);
    }

    #[test]
    fn the_latest_eight_departures_are_known_unless_there_was_a_pause_of_an_hour() {
        let sample = |link: &mut Link, ord, ms| link.echoed(Echo { ord, held_ms: 0 }, true, MS(ms), 0);
        let mut link = Link::STRANGER;
        (1..=9).for_each(|ord| link.leaves(MS(100 * ord)));
        let samples = [1, 2, 9].map(|ord| sample(&mut link, ord, 1_000));
        assert_eq!(samples, [None, Some(800_000), Some(100_000)]);
        let hour = 3_600_000;
        assert_eq!(sample(&mut link, 9, 900 + hour), Some(hour * 1_000));
        assert_eq!(sample(&mut link, 9, 901 + hour), None);
        let mut other = link;
        other.leaves(MS(900 + hour));
        assert!(sample(&mut other, 9, 901 + hour).is_some(), "a pause of an hour is not too long");
        link.leaves(MS(1_000 + hour));
        let samples = [9, 10].map(|ord| sample(&mut link, ord, 1_200 + hour));
        assert_eq!(samples, [None, Some(200_000)]);
        // A new session of either side waits for nothing that was sent before.
        link.forget_echoes();
        assert_eq!(sample(&mut link, 10, 1_200 + hour), None);
        link.leaves(MS(1_300 + hour));
        link.reborn();
        assert_eq!(sample(&mut link, 11, 1_400 + hour), None);
    }

    #[test]
    fn an_echo_of_what_was_never_sent_is_ignored() {
        let mut link = link();
        assert_eq!(link.echoed(Echo { ord: 3, held_ms: 0 }, true, MS(200), 0), None);
        assert_eq!((link.deadline, link.data_ord), (MS(900), 2));
    }

    #[test]
    fn an_echo_of_an_earlier_message_begins_to_wait_for_the_later_one() {
        let mut link = link();
        link.echoed(Echo { ord: 1, held_ms: 0 }, true, MS(200), 700_000);
        assert_eq!((link.deadline, link.awaited_ord, link.data_ord), (MS(900), 2, 2));
        link.echoed(Echo { ord: 1, held_ms: 0 }, true, MS(300), 700_000);
        assert_eq!(link.deadline, MS(900), "the same echo again changes nothing");
        link.echoed(Echo { ord: 2, held_ms: 0 }, true, MS(300), 700_000);
        assert_eq!((link.deadline, link.data_ord), (NEVER, 0));
    }

    #[test]
    fn entries_are_under_way_for_a_round_trip_and_two_deviations() {
        let link = link();
        assert!(link.in_flight(Path::default(), MS(437)) && !link.in_flight(Path::default(), MS(438)));
    }

    #[test]
    fn a_suspect_is_owed_nothing_and_assumed_to_hold_nothing() {
        let mut link = Link { snapshot: 3, unanswered: true, ack_due: MS(1), gap_due: MS(1), ..link() };
        link.suspect();
        assert_eq!((link.next(), link.snapshot, link.unanswered, link.suspected), (NEVER, 0, false, true));
    }

    #[test]
    fn a_new_session_of_a_peer_keeps_ordinals_and_round_trip_and_nothing_else() {
        let mut link = Link { heard_ord: 9, snapshot: 3, told: true, unfit: true, path: measured(200), ..link() };
        link.reborn();
        assert_eq!((link.sent_ord, link.sent_at, link.path.rtt_us()), (2, MS(100), 200_000));
        assert_eq!((link.heard_ord, link.snapshot, link.told, link.unfit, link.next()), (0, 0, false, false, NEVER));
    }

    #[test]
    fn a_sample_of_up_to_four_times_what_is_overdue_counts() {
        let most = 4 * measured(200).rto_us();
        assert!(measured(200).sample(most, MS(0)));
        assert!(!measured(200).sample(most + 1, MS(0)));
    }

    #[test]
    fn after_the_first_sample_the_deviation_is_a_sixteenth_of_it() {
        let mut path = Path::default();
        path.sample(160_000, MS(0));
        assert_eq!((path.rtt_us(), path.var_us(), path.rto_us()), (160_000, 10_000, 300_000));
    }

    #[test]
    fn where_no_entries_were_sent_none_are_under_way() {
        let link = Link { data_at: MS(100), ..Link::STRANGER };
        assert!(!link.in_flight(Path::default(), MS(100)));
    }
}
