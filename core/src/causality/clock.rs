//! Hybrid logical clock in integer microseconds (Kulkarni et al., "Logical Physical Clocks", 2014), with the logical
//! part folded into the microseconds: a stamp is the wall time, or one more than the largest stamp seen.

/// A stamp lies further ahead of the local wall clock than the limit. Nothing changed: a clock that ran ahead once
/// must not win for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockAhead;

/// Gives stamps that never repeat or go back on this node, and that are later than every stamp it has seen.
#[derive(Clone, Debug)]
pub struct HybridClock {
    last_us: u64,
    wall_us: Option<u64>,
    max_ahead_us: u64,
}

impl HybridClock {
    /// Stamps stay below this, in the range that prints as seconds with six decimals in an `i64` of microseconds.
    pub const STAMP_MAX_US: u64 = i64::MAX as u64;

    /// A clock that has seen nothing and refuses stamps more than `max_ahead_us` ahead of the wall clock.
    #[must_use]
    pub fn new(max_ahead_us: u64) -> Self {
        Self { last_us: 0, wall_us: None, max_ahead_us }
    }

    /// Takes the wall time of the present input. A device without a wall clock passes `None`.
    pub fn set_wall(&mut self, wall_us: Option<u64>) {
        self.wall_us = wall_us;
    }

    /// A new stamp, or `None` at the end of time.
    pub fn tick(&mut self) -> Option<u64> {
        let stamp = self.wall_us.unwrap_or(0).max(self.last_us + 1);
        if stamp >= Self::STAMP_MAX_US {
            // No peer would take it, since no clock could go on from there.
            return None;
        }
        self.last_us = stamp;
        Some(stamp)
    }

    /// The present moment on this clock, without taking a stamp.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.wall_us.unwrap_or(0).max(self.last_us)
    }

    /// Takes note of a stamp made elsewhere.
    ///
    /// # Errors
    /// The stamp is too far ahead of the local wall clock; nothing changed.
    pub fn observe(&mut self, stamp_us: u64) -> Result<(), ClockAhead> {
        self.check(stamp_us)?;
        self.last_us = self.last_us.max(stamp_us);
        Ok(())
    }

    /// Whether [`HybridClock::observe`] would accept the stamp. The limit is for stamps of others: the stamp at which this
    /// clock stands was given out or accepted before, and moves nothing.
    ///
    /// # Errors
    /// The stamp is too far ahead of the local wall clock.
    #[inline]
    pub fn check(&self, stamp_us: u64) -> Result<(), ClockAhead> {
        if stamp_us == self.last_us { Ok(()) } else { self.check_others(stamp_us) }
    }

    fn check_others(&self, stamp_us: u64) -> Result<(), ClockAhead> {
        let limit = self.wall_us.map_or(Self::STAMP_MAX_US, |wall| wall.saturating_add(self.max_ahead_us));
        if stamp_us > limit.min(Self::STAMP_MAX_US - 1) { Err(ClockAhead) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_grow_when_the_wall_clock_stands_still_or_goes_back() {
        let mut clock = HybridClock::new(1_000);
        clock.set_wall(Some(500));
        assert_eq!((clock.tick(), clock.tick()), (Some(500), Some(501)));
        clock.set_wall(Some(100));
        assert_eq!(clock.tick(), Some(502));
        clock.set_wall(Some(900));
        assert_eq!(clock.tick(), Some(900));
    }

    #[test]
    fn a_stamp_too_far_ahead_is_refused_and_does_not_move_the_clock() {
        let mut clock = HybridClock::new(1_000);
        clock.set_wall(Some(500));
        assert_eq!(clock.observe(1_501), Err(ClockAhead));
        assert_eq!(clock.tick(), Some(500));
        assert_eq!(clock.observe(1_500), Ok(()));
        assert_eq!(clock.tick(), Some(1_501));
    }

    #[test]
    fn the_limit_is_not_for_stamps_of_this_clock() {
        let mut clock = HybridClock::new(0);
        for wall_us in [100, 100, 100, 5, 0] {
            clock.set_wall(Some(wall_us));
            let stamp = clock.tick().unwrap();
            assert_eq!(clock.observe(stamp), Ok(()), "{stamp} at {wall_us}");
            assert_eq!(clock.check(stamp + 1), Err(ClockAhead), "another one, at {wall_us}");
        }
        assert_eq!(clock.read(), 104);
    }

    #[test]
    fn every_stamp_that_is_given_out_is_taken_by_others() {
        let mut clock = HybridClock::new(0);
        assert_eq!(clock.observe(HybridClock::STAMP_MAX_US - 2), Ok(()));
        let last = clock.tick().unwrap();
        assert_eq!(clock.tick(), None);
        assert_eq!(HybridClock::new(0).observe(last), Ok(()));
    }

    #[test]
    fn reading_the_clock_takes_no_stamp() {
        let mut clock = HybridClock::new(1_000);
        clock.set_wall(Some(500));
        assert_eq!((clock.read(), clock.read(), clock.tick()), (500, 500, Some(500)));
        assert_eq!((clock.observe(900), clock.read(), clock.tick()), (Ok(()), 900, Some(901)));
    }

    #[test]
    fn a_device_without_a_wall_clock_takes_its_time_from_its_peers() {
        let mut clock = HybridClock::new(1_000);
        assert_eq!(clock.observe(1_700_000_000_000_000), Ok(()));
        assert_eq!(clock.tick(), Some(1_700_000_000_000_001));
        assert_eq!(clock.observe(u64::MAX), Err(ClockAhead));
    }
}
