//! This node's own session, and the life in which its dots are made.
//!
//! The driver gives the number of the session, which is larger at every start. If a clock went back, or if two
//! processes have one name, the number is not larger. Then the node sees its name with a larger number than its own,
//! and takes a number above that one. A life is the first session of a memory. Without a disk each session begins with
//! an empty memory, so the two numbers are equal; the code keeps them apart because they mean different things.

use crate::storage::INCARNATION_MAX;
use crate::time::Instant;

/// The pause before a session is taken a second time, in milliseconds. It doubles each time, up to the longest.
const PAUSE_FIRST_MS: u64 = 1_000;
const PAUSE_MOST_MS: u64 = 300_000;

/// This node's session and life.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own {
    session: u64,
    life: u64,
    /// The next session has to be above this number, and may be taken at this time.
    wanted: Option<(u64, Instant)>,
    taken_at: Option<Instant>,
    pause_ms: u64,
    exhausted: bool,
}

impl Own {
    /// A node in the session that the driver began.
    #[must_use]
    pub(super) const fn new(session: u64) -> Self {
        Self { session, life: session, wanted: None, taken_at: None, pause_ms: PAUSE_FIRST_MS, exhausted: false }
    }

    /// The number of this session, which is in every message.
    #[must_use]
    pub(super) const fn session(&self) -> u64 {
        self.session
    }

    /// The life in which dots are made.
    #[must_use]
    pub(super) const fn life(&self) -> u64 {
        self.life
    }

    /// Whether the next session would have to be above the highest possible number. Then the node cannot go on under
    /// its name.
    #[must_use]
    pub(super) const fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// This node's name was seen with the number `seen`, which this process did not take. So a session above it is
    /// wanted: the first time at once, then after 1 s, doubling up to 5 min.
    pub(super) fn want_above(&mut self, seen: u64, now: Instant) {
        let at = match self.wanted {
            Some((_, at)) => at,
            None => self.taken_at.map_or(now, |taken| taken.plus_ms(self.pause_ms).max(now)),
        };
        let above = self.wanted.map_or(seen, |(above, _)| above.max(seen)).max(self.session);
        self.wanted = Some((above, at));
    }

    /// When the next session is taken.
    #[must_use]
    pub(super) fn due(&self) -> Option<Instant> {
        self.wanted.map(|(_, at)| at)
    }

    /// Takes the session that is wanted, and a life of the same number. `None` if none is wanted, if its time has not
    /// come, or if no number is left.
    pub(super) fn take(&mut self, now: Instant) -> Option<u64> {
        let (above, at) = self.wanted.filter(|(_, at)| *at <= now)?;
        self.wanted = None;
        if above >= INCARNATION_MAX {
            self.exhausted = true;
            return None;
        }
        if self.taken_at.is_some() {
            self.pause_ms = (2 * self.pause_ms).min(PAUSE_MOST_MS);
        }
        self.taken_at = Some(at.max(now));
        (self.session, self.life) = (above + 1, above + 1);
        Some(self.session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Instant = Instant::from_millis;

    #[test]
    fn the_first_is_taken_at_once_and_further_ones_ever_more_rarely() {
        let mut own = Own::new(5);
        let mut now = 1_000;
        let mut pauses = std::vec::Vec::new();
        for _ in 0..12 {
            own.want_above(own.session() + 3, MS(now));
            let due = own.due().unwrap();
            assert!(due == MS(now) || own.take(MS(now)).is_none(), "not before its time");
            pauses.push(due.ms_since(MS(now)));
            now += pauses.last().unwrap();
            let before = own.session();
            assert_eq!(own.take(MS(now)), Some(before + 4));
        }
        assert_eq!(pauses, [0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000]);
    }

    #[test]
    fn one_above_the_highest_that_was_seen_is_taken() {
        let mut own = Own::new(5);
        own.want_above(9, MS(0));
        own.want_above(7, MS(0));
        assert_eq!((own.take(MS(0)), own.session(), own.life()), (Some(10), 10, 10));
        assert_eq!(own.take(MS(0)), None);
    }

    #[test]
    fn there_is_none_above_the_maximum() {
        let mut own = Own::new(5);
        own.want_above(INCARNATION_MAX, MS(0));
        assert_eq!((own.take(MS(0)), own.is_exhausted(), own.session()), (None, true, 5));
        assert_eq!(INCARNATION_MAX, (1 << 53) - 1, "what every implementation of JSON reads exactly");
    }
}
