//! Time from SysTick: milliseconds since the start.

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;
use rumormill_core::Now;

/// Clock of the core after reset, without the PLL.
const CORE_HZ: u32 = 12_000_000;

/// Milliseconds since the start, modulo 2^32.
static MILLIS: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    // Only this handler writes it.
    MILLIS.store(MILLIS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// The clock of the board. It has to be read at least every 49 days, or it misses that the counter wrapped.
pub(crate) struct Clock {
    millis: u64,
    _timer: SYST,
}

impl Clock {
    pub(super) fn start(mut timer: SYST) -> Self {
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(CORE_HZ / 1_000 - 1);
        timer.clear_current();
        timer.enable_counter();
        timer.enable_interrupt();
        Self { millis: 0, _timer: timer }
    }

    /// The present moment. The board does not know the time of day.
    pub(crate) fn now(&mut self) -> Now {
        let ticks = MILLIS.load(Ordering::Relaxed).wrapping_sub(self.millis as u32);
        self.millis += u64::from(ticks);
        Now::monotonic_ms(self.millis)
    }
}
