//! The loop around the state machine.

use std::io;
use std::time::{Instant as Clock, SystemTime, UNIX_EPOCH};

use rumormill_core::storage::Storage;
use rumormill_core::{Instant, Node, Now};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::input::{Lines, Next};
use crate::output::Output;
use crate::report::RateLimit;

/// Bytes of output after which it is written even though the batch goes on.
const FLUSH: usize = 256 << 10;

/// Drives a node on stdin and stdout until stdin ends or stdout is closed.
///
/// Reads large blocks, handles all complete lines of a block, and writes once per block. At the end of input an
/// unterminated last line is handled, and what waits for its push is sent once.
///
/// # Errors
/// Reading or writing failed. A closed stdout is no error.
pub fn run<S: Storage>(node: Node<S>, max_line: usize) -> io::Result<()> {
    let mut process = Process {
        node,
        lines: Lines::new(max_line),
        out: Output::default(),
        started: Clock::now(),
        limit: RateLimit::default(),
        too_long: 0,
        read_waits: true,
    };
    match process.until_end() {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

struct Process<S: Storage> {
    node: Node<S>,
    lines: Lines,
    out: Output,
    started: Clock,
    limit: RateLimit,
    too_long: u64,
    /// Whether a read waits for input. It does unless somebody else who has our stdin open has made it non-blocking.
    read_waits: bool,
}

impl<S: Storage> Process<S> {
    fn until_end(&mut self) -> io::Result<()> {
        let mut now = self.now();
        loop {
            if self.wait(now)? {
                let count = match rustix::io::read(rustix::stdio::stdin(), self.lines.room()) {
                    Ok(0) => break,
                    Ok(count) => count,
                    Err(Errno::INTR) => 0,
                    Err(Errno::AGAIN) => {
                        self.read_waits = false;
                        0
                    }
                    Err(error) => return Err(error.into()),
                };
                self.lines.filled(count);
            }
            now = self.now();
            self.handle_lines(now)?;
            self.node.handle_timeout(now);
            self.transmit(now)?;
            self.flush()?;
        }
        self.end()
    }

    /// Waits for input or for the next timer, whichever is first. True when there is input to be read; when no timer runs,
    /// the read may do the waiting.
    fn wait(&self, now: Now) -> io::Result<bool> {
        let wakeup = self.node.poll_timeout();
        if wakeup.is_none() && self.read_waits {
            return Ok(true);
        }
        let timeout = wakeup.map(|wakeup| {
            let us = wakeup.at.as_micros().saturating_sub(now.at.as_micros());
            Timespec { tv_sec: (us / 1_000_000) as i64, tv_nsec: (us % 1_000_000 * 1_000) as i64 }
        });
        let stdin = rustix::stdio::stdin();
        let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    #[inline]
    fn handle_lines(&mut self, now: Now) -> io::Result<()> {
        loop {
            match self.lines.next_line() {
                Next::Line(line) => {
                    if let Err(why) = self.node.handle_line(now, line) {
                        self.limit.rejected(&why, line);
                    }
                }
                Next::TooLong => {
                    self.too_long += 1;
                    self.limit.rejected(&"TooLong", b"");
                }
                Next::More => return Ok(()),
            }
            self.transmit(now)?;
        }
    }

    /// Polls everything that waits to be sent into the output buffer.
    #[inline]
    fn transmit(&mut self, now: Now) -> io::Result<()> {
        // The output takes everything.
        while let Ok(Some(_)) = self.node.poll_transmit(now, &mut self.out) {
            if self.out.len() > FLUSH {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut rest = self.out.bytes();
        while !rest.is_empty() {
            match rustix::io::write(rustix::stdio::stdout(), rest) {
                Ok(count) => rest = &rest[count..],
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    let stdout = rustix::stdio::stdout();
                    let mut fds = [PollFd::new(&stdout, PollFlags::OUT)];
                    match poll(&mut fds, None) {
                        Ok(_) | Err(Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.out.clear();
        Ok(())
    }

    /// The end of input: the last line, one push of what waits, and no timers any more.
    fn end(&mut self) -> io::Result<()> {
        let now = self.now();
        match self.lines.rest() {
            Next::Line(line) => {
                if let Err(why) = self.node.handle_line(now, line) {
                    self.limit.rejected(&why, line);
                }
            }
            Next::TooLong => self.too_long += 1,
            Next::More => {}
        }
        self.transmit(now)?;
        self.node.finish(now);
        self.transmit(now)?;
        tracing::info!(too_long = self.too_long, stats = ?self.node.stats(), "end of input");
        self.flush()
    }

    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now {
            at: Instant::from_micros(self.started.elapsed().as_micros() as u64),
            wall_us: Some(wall.as_micros() as u64),
        }
    }
}
