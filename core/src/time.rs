//! Time as an argument: the core never asks what time it is.
//!
//! Timers run on a monotonic clock whose zero is the driver's choice. Stamps of the key-value store need wall time,
//! which a device may lack: it then takes its time from the stamps of its peers.

/// A point on the driver's monotonic clock, in microseconds since a moment of the driver's choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The moment from which the driver counts.
    pub const ZERO: Self = Self(0);

    /// The point `us` microseconds after the zero of the clock.
    #[must_use]
    pub const fn from_micros(us: u64) -> Self {
        Self(us)
    }

    /// The point `ms` milliseconds after the zero of the clock.
    #[must_use]
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms.saturating_mul(1_000))
    }

    /// Microseconds since the zero of the clock.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The point `ms` milliseconds after this one, or the largest one if that does not fit.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms.saturating_mul(1_000)))
    }

    /// Whole milliseconds from `earlier` to this point; 0 if `earlier` is later.
    #[must_use]
    pub const fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0) / 1_000
    }
}

/// The time of one input: both clocks, read together by the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Monotonic time, for timers. If it is earlier than that of the input before, it counts as equal to it.
    pub at: Instant,
    /// Wall time in microseconds since the Unix epoch, or `None` on a device without a clock.
    pub wall_us: Option<u64>,
}

impl Now {
    /// An input at `ms` milliseconds of monotonic time on a device without a wall clock.
    #[must_use]
    pub const fn monotonic_ms(ms: u64) -> Self {
        Self { at: Instant::from_millis(ms), wall_us: None }
    }
}
