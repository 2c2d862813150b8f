//! Notices that the process stood still: it was stopped, or got no processor.
//!
//! The clients of requests that waited meanwhile have given up, and an answer that comes too late mutes a node in
//! Maelstrom. A process does not learn that it was stopped, only that it goes on (`SIGCONT`). So the loop looks at the
//! clock at least once per [`BEAT`]. A look that comes much later than the one before shows how long the process stood
//! still.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The longest wait for input.
pub const BEAT: Duration = Duration::from_millis(500);

/// A longer time between two looks is a standstill. A stop may begin up to one [`BEAT`] after the last look at the
/// clock, so half of that is added to 4 s: stops of more than 4.25 s are always noticed, and stops of less than 3.75 s
/// never count.
const LIMIT: Duration = Duration::from_millis(4_250);

/// What the process was doing since the last look at the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Waiting for input, for at most one [`BEAT`].
    Waiting,
    /// Handling lines and timers.
    Handling,
    /// Reading or writing, which may take as long as the other side does not write or read. So only a stop counts as a
    /// standstill.
    Blocked,
}

/// The last look at the clock, and whether the signal came that a stopped process gets when it goes on.
#[derive(Debug)]
pub struct Standstill {
    looked: Instant,
    continued: Arc<AtomicBool>,
}

impl Standstill {
    /// Begins to watch. If the signal cannot be watched, a stop during a blocked read or write is not noticed.
    #[must_use]
    pub fn watch() -> Self {
        let continued = Arc::new(AtomicBool::new(false));
        if let Err(error) = signal_hook::flag::register(signal_hook::consts::SIGCONT, Arc::clone(&continued)) {
            tracing::warn!(%error, "cannot listen for SIGCONT");
        }
        Self { looked: Instant::now(), continued }
    }

    /// Looks at the clock. True if the process stood still since the last look.
    pub fn look(&mut self, doing: Doing) -> bool {
        let gone = std::mem::replace(&mut self.looked, Instant::now()).elapsed();
        let continued = self.continued.swap(false, Ordering::Relaxed);
        is_standstill(doing, gone, continued)
    }
}

fn is_standstill(doing: Doing, gone: Duration, continued: bool) -> bool {
    gone > LIMIT
        && match doing {
            Doing::Waiting | Doing::Handling => true,
            Doing::Blocked => continued,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Doing; 3] = [Doing::Waiting, Doing::Handling, Doing::Blocked];

    #[test]
    fn what_takes_as_long_as_it_may_is_no_standstill() {
        for doing in ALL {
            for continued in [false, true] {
                assert!(!is_standstill(doing, BEAT, continued), "{doing:?}");
                assert!(!is_standstill(doing, LIMIT, continued), "{doing:?}");
            }
        }
    }

    #[test]
    fn a_stop_is_a_standstill_whatever_it_interrupted() {
        for doing in ALL {
            assert!(is_standstill(doing, Duration::from_secs(5), true), "{doing:?}");
        }
    }

    #[test]
    fn a_reader_that_takes_its_time_is_no_standstill() {
        assert!(!is_standstill(Doing::Blocked, Duration::from_secs(60), false));
    }

    #[test]
    fn each_look_begins_a_new_time() {
        let mut standstill = Standstill::watch();
        standstill.looked -= Duration::from_secs(10);
        assert!(standstill.look(Doing::Waiting));
        assert!(!standstill.look(Doing::Waiting));
    }
}
