//! How fast a peer is handed the entries that it lacks: at most a window of bytes, or one longer entry, may be under
//! way to it.
//!
//! Entries are under way until the peer's digest shows that they have arrived. The window grows while they arrive
//! quickly and shrinks when they do not (slow start: Jacobson, "Congestion avoidance and control", 1988). So the bytes
//! under way to a peer are bounded, whatever it asks for and however often. A peer that cannot take an entry is offered
//! it at growing intervals.

use crate::causality::RowId;
use crate::time::Instant;

/// The window at first, in bytes.
const WINDOW_FIRST: u32 = 64 << 10;
/// The smallest and the largest window, in bytes.
const WINDOW_LEAST: u32 = 16 << 10;
const WINDOW_MOST: u32 = 8 << 20;
/// How many messages with entries may be under way, whatever their size.
const MESSAGES_MOST: u16 = 16;
/// A window that arrives within this time makes the window grow, in milliseconds.
const QUICK_MS: u32 = 500;
/// A window that takes longer than this makes it shrink, in milliseconds.
const SLOW_MS: u32 = 2_000;
/// How long the first window is expected to take, in milliseconds.
const FIRST_MS: u32 = 300;
/// How long a window may take beyond three times the expected time, in milliseconds.
const SLACK_MS: u64 = 1_000;
/// The longest pause between two offers of entries that do not arrive, in milliseconds.
const LONGEST_MS: u64 = 30_000;
/// The pause after a burst, for each of its messages, in milliseconds: nothing more is handed over before it ends.
const PAUSE_MS: u64 = 100;

/// What is under way to one peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filling {
    /// The last dot that was sent and is not known to have arrived.
    goal: Option<(RowId, u64)>,
    /// When the first and the last of the messages under way were sent.
    since: Instant,
    at: Instant,
    bytes: u32,
    messages: u16,
    window: u32,
    expected_ms: u32,
    /// How many times in a row a whole window did not arrive.
    tries: u8,
    /// Before this moment there is no burst, and nothing is handed over.
    paused_until: Instant,
}

impl Filling {
    /// Nothing is under way.
    pub(super) const NEW: Self = Self {
        goal: None,
        since: Instant::ZERO,
        at: Instant::ZERO,
        bytes: 0,
        messages: 0,
        window: WINDOW_FIRST,
        expected_ms: FIRST_MS,
        tries: 0,
        paused_until: Instant::ZERO,
    };

    pub(super) fn goal(&self) -> Option<(RowId, u64)> {
        self.goal
    }

    /// How many bytes may be under way.
    pub(super) fn window(&self) -> usize {
        self.window as usize
    }

    fn is_full(&self) -> bool {
        self.goal.is_some() && (self.bytes >= self.window || self.messages >= MESSAGES_MOST)
    }

    fn is_overdue(&self, now: Instant) -> bool {
        now.ms_since(self.at) >= self.patience_ms()
    }

    /// Whether more may be sent.
    pub(super) fn may_go_on(&self, now: Instant) -> bool {
        self.may_burst(now) && (!self.is_full() || self.is_overdue(now))
    }

    /// Whether a burst, several messages at once, may be sent.
    pub(super) fn may_burst(&self, now: Instant) -> bool {
        self.paused_until <= now
    }

    /// `messages` were sent at once.
    pub(super) fn burst(&mut self, messages: u8, now: Instant) {
        if messages > 1 {
            self.paused_until = now.plus_ms(PAUSE_MS * u64::from(messages));
        }
    }

    /// A window that has not arrived after this time counts as lost, in milliseconds.
    fn patience_ms(&self) -> u64 {
        ((3 * u64::from(self.expected_ms) + SLACK_MS) << self.tries.min(6)).min(LONGEST_MS)
    }

    /// Entries of `bytes` bytes were sent in `messages` messages at once. The last entry has the dot `last`.
    pub(super) fn sent(&mut self, last: (RowId, u64), bytes: usize, messages: u8, now: Instant) {
        if self.goal.is_some() && self.is_overdue(now) {
            if self.is_full() {
                self.tries = self.tries.saturating_add(1);
                self.window = (self.window / 2).max(WINDOW_LEAST);
            }
            self.goal = None;
        }
        if self.goal.is_none() {
            (self.since, self.bytes, self.messages) = (now, 0, 0);
        }
        self.bytes = self.bytes.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        self.messages = self.messages.saturating_add(messages.into());
        (self.goal, self.at) = (Some(last), now);
    }

    /// All that was under way has arrived.
    pub(super) fn arrived(&mut self, now: Instant) {
        if self.bytes >= self.window / 2 {
            let took_ms = u32::try_from(now.ms_since(self.since)).unwrap_or(u32::MAX);
            self.expected_ms = took_ms.min(LONGEST_MS as u32);
            if took_ms < QUICK_MS && self.window < WINDOW_MOST {
                self.window *= 2;
                self.expected_ms *= 2;
            } else if took_ms > SLOW_MS {
                self.window = (self.window / 2).max(WINDOW_LEAST);
            }
        }
        self.done();
    }

    /// The peer holds all that it was sent.
    pub(super) fn done(&mut self) {
        (self.goal, self.bytes, self.messages, self.tries) = (None, 0, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAST: (RowId, u64) = (RowId(0), 9);
    const MS: fn(u64) -> Instant = Instant::from_millis;
    const WINDOW: usize = WINDOW_FIRST as usize;

    #[test]
    fn what_arrives_quickly_makes_the_window_grow_and_what_is_slow_does_not() {
        let mut filling = Filling::NEW;
        filling.sent(LAST, WINDOW, 1, MS(0));
        assert!(!filling.may_go_on(MS(100)), "a window is under way");
        filling.arrived(MS(100));
        assert!(filling.may_go_on(MS(100)));
        assert_eq!(filling.window(), 2 * WINDOW);
        filling.sent(LAST, 2 * WINDOW, 1, MS(100));
        filling.arrived(MS(1_100));
        assert_eq!(filling.window(), 2 * WINDOW);
        filling.sent(LAST, 2 * WINDOW, 1, MS(1_100));
        filling.arrived(MS(4_000));
        assert_eq!(filling.window(), WINDOW);
    }

    #[test]
    fn what_is_less_than_a_window_holds_up_nothing_and_tells_nothing_about_it() {
        let mut filling = Filling::NEW;
        for ms in 0..10 {
            assert!(filling.may_go_on(MS(ms)));
            filling.sent(LAST, 100, 1, MS(ms));
        }
        filling.arrived(MS(20));
        assert_eq!(filling.window(), WINDOW);
        (0..16).for_each(|ms| filling.sent(LAST, 1, 1, MS(ms)));
        assert!(!filling.may_go_on(MS(16)), "so many messages are under way");
    }

    #[test]
    fn what_does_not_arrive_is_offered_ever_more_rarely() {
        let mut filling = Filling::NEW;
        let mut now = 0;
        let mut pauses = std::vec::Vec::new();
        for _ in 0..8 {
            filling.sent(LAST, WINDOW, 1, MS(now));
            let pause = (0..).find(|ms| filling.may_go_on(MS(now + ms))).unwrap();
            pauses.push(pause);
            now += pause;
        }
        assert_eq!(pauses, [1_900, 3_800, 7_600, 15_200, 30_000, 30_000, 30_000, 30_000]);
        filling.done();
        filling.sent(LAST, WINDOW, 1, MS(now));
        assert!(filling.may_go_on(MS(now + 1_900)), "the pauses begin anew");
    }

    #[test]
    fn what_was_lost_is_not_under_way_any_more() {
        let mut filling = Filling::NEW;
        filling.sent(LAST, WINDOW - 1, 1, MS(0));
        filling.sent(LAST, 100, 1, MS(60_000));
        assert!(filling.may_go_on(MS(60_001)), "a hundred bytes are under way");
    }

    #[test]
    fn after_several_messages_at_once_there_is_a_pause() {
        let mut filling = Filling::NEW;
        filling.burst(1, MS(0));
        assert!(filling.may_go_on(MS(0)));
        filling.burst(4, MS(0));
        assert!(!filling.may_go_on(MS(399)) && !filling.may_burst(MS(399)));
        assert!(filling.may_go_on(MS(400)));
    }

    /// The window after `bytes` of it have arrived `took_ms` after they were sent.
    fn after(filling: &mut Filling, bytes: usize, took_ms: u64) -> usize {
        filling.sent(LAST, bytes, 1, MS(0));
        filling.arrived(MS(took_ms));
        filling.window()
    }

    #[test]
    fn the_window_is_64_kib_at_first_and_stays_between_16_kib_and_8_mib() {
        let mut filling = Filling::NEW;
        assert_eq!(filling.window(), 65_536);
        let grown: std::vec::Vec<usize> = (0..9)
            .map(|_| {
                let window = filling.window();
                after(&mut filling, window, 499)
            })
            .collect();
        assert_eq!(grown[..6], [1 << 17, 1 << 18, 1 << 19, 1 << 20, 1 << 21, 1 << 22]);
        assert_eq!(grown[6..], [8_388_608; 3]);
        let shrunk: std::vec::Vec<usize> = (0..11)
            .map(|_| {
                let window = filling.window();
                after(&mut filling, window, 2_001)
            })
            .collect();
        assert_eq!(shrunk[7..], [1 << 15, 16_384, 16_384, 16_384]);
    }

    #[test]
    fn only_what_fills_half_of_the_window_and_is_quick_or_slow_changes_it() {
        for (bytes, took_ms, factor) in [
            (WINDOW / 2, 499, 4),
            (WINDOW / 2 - 1, 499, 2),
            (WINDOW, 500, 2),
            (WINDOW, 2_000, 2),
            (WINDOW, 2_001, 1),
            (WINDOW / 2 - 1, 2_001, 2),
        ] {
            let mut filling = Filling::NEW;
            assert_eq!(2 * after(&mut filling, bytes, took_ms), factor * WINDOW, "{bytes} {took_ms}");
        }
    }

    #[test]
    fn a_window_may_take_three_times_as_long_as_the_last_one_and_a_second() {
        // A window that grows is expected to take twice as long.
        for (took_ms, patience_ms) in [(100, 1_600), (400, 3_400), (500, 2_500), (1_000, 4_000), (60_000, 30_000)] {
            let mut filling = Filling::NEW;
            let window = after(&mut filling, WINDOW, took_ms);
            filling.sent(LAST, window, 1, MS(100_000));
            assert!(!filling.may_go_on(MS(100_000 + patience_ms - 1)), "{took_ms}");
            assert!(filling.may_go_on(MS(100_000 + patience_ms)), "{took_ms}");
        }
    }

    #[test]
    fn a_window_that_does_not_arrive_is_halved() {
        let mut filling = Filling::NEW;
        let windows = [0, 100_000, 200_000, 300_000].map(|ms| {
            let window = filling.window();
            filling.sent(LAST, window, 1, MS(ms));
            filling.window()
        });
        assert_eq!(windows, [WINDOW, WINDOW / 2, WINDOW / 4, WINDOW / 4]);
    }
}
