//! Hybrid logical clock in integer microseconds (Kulkarni et al., "Logical Physical Clocks", 2014). The logical part is
//! folded into the microseconds: a stamp is the wall time, or one more than the largest stamp seen if that is later.

/// A stamp lies further ahead of the local wall clock than the limit allows, and was refused. Nothing changed. (If such
/// stamps were taken, the writes of a node whose clock once ran ahead would win for ever.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockAhead;

/// A clock whose stamps never repeat and never go back on this node, and are later than every stamp that it has seen.
#[derive(Clone, Debug)]
pub struct HybridClock {
    last_us: u64,
    wall_us: Option<u64>,
    max_ahead_us: u64,
}

impl HybridClock {
    /// All stamps are below this number of microseconds, so that each fits into an `i64`.
    pub const STAMP_MAX_US: u64 = i64::MAX as u64;

    /// A clock that has seen nothing and refuses stamps more than `max_ahead_us` ahead of the wall clock.
    #[must_use]
    pub fn new(max_ahead_us: u64) -> Self {
        Self { last_us: 0, wall_us: None, max_ahead_us }
    }

    /// Takes the wall time of the present input, in microseconds. A device without a wall clock passes `None`.
    pub fn set_wall(&mut self, wall_us: Option<u64>) {
        self.wall_us = wall_us;
    }

    /// A new stamp in microseconds, or `None` if it would reach [`HybridClock::STAMP_MAX_US`].
    pub fn tick(&mut self) -> Option<u64> {
        let stamp = self.wall_us.unwrap_or(0).max(self.last_us + 1);
        if stamp >= Self::STAMP_MAX_US {
            // Peers refuse such a stamp, since their clocks could give no later one.
            return None;
        }
        self.last_us = stamp;
        Some(stamp)
    }

    /// The present time of this clock in microseconds. No stamp is used up.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.wall_us.unwrap_or(0).max(self.last_us)
    }

    /// Notes a stamp that another node gave: later stamps of this clock are larger.
    ///
    /// # Errors
    /// The stamp is too far ahead of the local wall clock; nothing changed.
    pub fn observe(&mut self, stamp_us: u64) -> Result<(), ClockAhead> {
        self.check(stamp_us)?;
        self.last_us = self.last_us.max(stamp_us);
        Ok(())
    }

    /// Checks whether [`HybridClock::observe`] would accept the stamp. The limit holds only for stamps that would move
    /// this clock: the stamp at which it stands was given out or accepted before.
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
