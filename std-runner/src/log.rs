//! The log on standard error. It never holds up the node.
//!
//! A thread of its own writes the log, from a buffer of bounded length. A pipe that nobody reads, or a terminal that
//! was halted, stops only that thread. A line that does not fit is dropped and counted, and the log has the number of
//! dropped lines at the place where they are missing. The thread starts with the first line. Nothing is allocated after
//! that.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// How many bytes can wait while as many are being written.
const ROOM: usize = 64 << 10;

/// How long the process waits at its end for the last lines to be written.
const PATIENCE: Duration = Duration::from_millis(500);

#[derive(Default, Debug)]
struct Queue {
    waiting: Vec<u8>,
    /// How many lines did not fit, after those that wait.
    dropped: u64,
    /// Whether the thread is writing.
    is_writing: bool,
}

#[derive(Default, Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// Signalled when a line waits, or when all were written.
    changed: Condvar,
    /// Whether there is a thread. Without one all lines are dropped.
    thread: OnceLock<bool>,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // No panic can leave the queue half changed, so a poisoned lock is used all the same.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes all lines that wait, again and again.
    fn write_all(&self, mut to: impl Write) {
        let mut lines = Vec::with_capacity(ROOM);
        loop {
            let mut queue = self.queue();
            queue.is_writing = false;
            self.changed.notify_all();
            while queue.waiting.is_empty() && queue.dropped == 0 {
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
            std::mem::swap(&mut queue.waiting, &mut lines);
            let dropped = std::mem::take(&mut queue.dropped);
            queue.is_writing = true;
            drop(queue);
            // Standard error may be closed, and there is no other place to report to.
            let _ = to.write_all(&lines);
            lines.clear();
            if dropped > 0 {
                let _ = writeln!(to, "{dropped} log lines dropped: standard error did not take them");
            }
        }
    }
}

/// The log. Clones write to the same log.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Shared>);

impl Log {
    /// Hands a line to the thread, or drops it if there is no room.
    fn write(&self, line: &[u8]) {
        let has_thread = *self.0.thread.get_or_init(|| self.start(io::stderr()));
        let mut queue = self.0.queue();
        if has_thread && queue.dropped == 0 && queue.waiting.len() + line.len() <= ROOM {
            queue.waiting.extend_from_slice(line);
        } else {
            queue.dropped += 1;
        }
        self.0.changed.notify_all();
    }

    /// Starts the thread. False if the system gives none.
    fn start(&self, to: impl Write + Send + 'static) -> bool {
        self.0.queue().waiting.reserve_exact(ROOM);
        let shared = Arc::clone(&self.0);
        thread::Builder::new().name("log".into()).spawn(move || shared.write_all(to)).is_ok()
    }

    /// Waits until everything was written, at most half a second.
    pub fn finish(&self) {
        if self.0.thread.get() == Some(&true) {
            let is_busy = |queue: &mut Queue| queue.is_writing || !queue.waiting.is_empty() || queue.dropped > 0;
            // The process ends whether everything was written or not.
            let _ = self.0.changed.wait_timeout_while(self.0.queue(), PATIENCE, is_busy);
        }
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

/// Takes one line, which `tracing` writes in one piece.
#[derive(Debug)]
pub struct Line<'a>(&'a Log);

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Instant;

    /// A writer that takes nothing before it is told to.
    struct Halted {
        go_on: Receiver<()>,
        begun: Sender<()>,
        written: Arc<Mutex<String>>,
    }

    impl Write for Halted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.begun.send(());
            let _ = self.go_on.recv();
            self.written.lock().unwrap().push_str(std::str::from_utf8(bytes).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_counted_where_it_is_missing() {
        let log = Log::default();
        let (goes_on, go_on) = channel();
        let (begun, is_begun) = channel();
        let written = Arc::new(Mutex::new(String::new()));
        let halted = Halted { go_on, begun, written: Arc::clone(&written) };
        assert!(*log.0.thread.get_or_init(|| log.start(halted)));
        log.write(b"first\n");
        is_begun.recv().unwrap();
        // Three times as many lines of 64 bytes as there is room for.
        let fitting = ROOM / 64;
        (0..3 * fitting).for_each(|line| log.write(format!("{line:063}\n").as_bytes()));
        let before = Instant::now();
        log.finish();
        assert!(before.elapsed() < 4 * PATIENCE, "a halted log holds up the end");
        drop(goes_on);
        log.finish();
        log.write(b"last\n");
        log.finish();
        let mut expected = vec!["first".to_owned()];
        expected.extend((0..fitting).map(|line| format!("{line:063}")));
        expected.push(format!("{} log lines dropped: standard error did not take them", 2 * fitting));
        expected.push("last".to_owned());
        assert_eq!(written.lock().unwrap().lines().collect::<Vec<_>>(), expected);
    }
}
