//! The loop around the state machine.

use rumormill_core::data_type::Application;
use std::io;
use std::time::{Duration, Instant as Clock, SystemTime, UNIX_EPOCH};

use rumormill_core::{Instant, Node, Now, Skipped};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::FileType;
use rustix::io::Errno;

use crate::input::{BLOCK, Lines, Next};
use crate::output::Output;
use crate::report::RateLimit;
use crate::standstill::{BEAT, Doing, Standstill};

/// The output is written when it has this many bytes, even within a block of input.
const FLUSH: usize = 256 << 10;

/// A pipe with this many bytes counts as full: its writer may have more lines that waited as long.
const FULL_PIPE: u64 = 60 << 10;
/// If the writer of a full pipe pauses for this long, the lines that it writes afterwards count as new.
const DROP_PAUSE: Duration = Duration::from_millis(10);
/// Input is dropped for at most this time.
const DROP_AT_MOST: Duration = Duration::from_millis(100);

/// Drives a node on stdin and stdout until stdin ends or stdout is closed.
///
/// It reads large blocks, handles all complete lines of a block, and writes once per block. At the end of input a last
/// line without a newline is handled, and rumors that wait for their push are sent once. After a standstill (see
/// [`crate::standstill`]) lines that waited are dropped.
///
/// # Errors
/// Reading or writing failed. A closed stdout is no error.
pub fn run<S: Application>(node: Node<S>, max_line: usize) -> io::Result<()> {
    let session = node.session();
    let mut process = Process {
        node,
        lines: Lines::new(max_line),
        out: Output::default(),
        started: Clock::now(),
        limit: RateLimit::default(),
        standstill: Standstill::watch(),
        clients_wait: !is_file(),
        session,
        more_is_likely: false,
    };
    match process.until_end() {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

struct Process<S: Application> {
    node: Node<S>,
    lines: Lines,
    out: Output,
    started: Clock,
    limit: RateLimit,
    standstill: Standstill,
    /// Whether clients may be waiting for answers: the input is no regular file.
    clients_wait: bool,
    /// The number of the session that was logged last.
    session: u64,
    /// The last block was large, so the next one has probably arrived.
    more_is_likely: bool,
}

impl<S: Application> Process<S> {
    fn until_end(&mut self) -> io::Result<()> {
        loop {
            if !self.wait_and_read()? {
                return self.end();
            }
            let now = self.now();
            self.handle_lines(now)?;
            self.node.handle_timeout(now);
            self.transmit(now)?;
            self.flush()?;
            self.name_refusals();
            self.name_session()?;
        }
    }

    /// Logs that the node had to take a larger session.
    ///
    /// # Errors
    /// There is no larger number, so the process has to end.
    fn name_session(&mut self) -> io::Result<()> {
        if self.node.is_name_used_up() {
            return Err(io::Error::other(
                "a peer knows this node with the largest possible session number, so no message of this process would be \
                 believed: give the node another id",
            ));
        }
        let session = self.node.session();
        if session != self.session {
            tracing::warn!(
                session,
                before = self.session,
                "a larger session of this node is known: did its clock go back, or does another process have its id?"
            );
            self.session = session;
        }
        Ok(())
    }

    /// Waits until there is input, a timer is due, or it is time to look at the clock; then reads the input that there
    /// is. False at the end of input.
    fn wait_and_read(&mut self) -> io::Result<bool> {
        let wakeup = self.node.poll_timeout();
        if wakeup.is_none() && self.more_is_likely {
            // The read itself waits if there is no input. That saves a call per block.
            let goes_on = self.read()?;
            if self.stood_still(Doing::Blocked) {
                self.drop_what_waited();
            }
            return Ok(goes_on);
        }
        let until_timer = wakeup.map_or(BEAT, |wakeup| {
            Duration::from_micros(wakeup.at.as_micros().saturating_sub(self.monotonic().as_micros()))
        });
        let is_ready = wait_for_input(until_timer.min(BEAT))?;
        if self.stood_still(Doing::Waiting) {
            self.drop_what_waited();
            return Ok(true);
        }
        if is_ready { self.read() } else { Ok(true) }
    }

    /// Whether there was a standstill since the last look, so that lines that waited are too late. Before `init` no
    /// client waits for an answer.
    fn stood_still(&mut self, doing: Doing) -> bool {
        self.standstill.look(doing) && self.clients_wait && self.node.member().is_some()
    }

    /// Reads a block. False at the end of input.
    fn read(&mut self) -> io::Result<bool> {
        self.more_is_likely = false;
        match rustix::io::read(rustix::stdio::stdin(), self.lines.room()) {
            Ok(0) => return Ok(false),
            Ok(count) => {
                self.lines.filled(count);
                self.more_is_likely = count >= BLOCK / 4;
            }
            // Another process that has this stdin open may have made it non-blocking, and may have read it.
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(true)
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
                Next::TooLong => self.too_long(),
                Next::Stale => {}
                Next::More => return Ok(()),
            }
            self.transmit(now)?;
        }
    }

    fn too_long(&mut self) {
        self.node.skipped(Skipped::TooLong, 1);
        self.limit.rejected(&Skipped::TooLong, b"");
    }

    /// Polls all messages that wait, into the output buffer.
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

    /// Writes the output. After a standstill a line that was begun is written to its end, and the others are dropped.
    fn flush(&mut self) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let (mut written, mut end) = (0, self.out.len());
        if self.stood_still(Doing::Handling) {
            end = self.drop_what_is_late(written);
        }
        while written < end {
            written += write(&self.out.bytes()[written..end])?;
            if self.stood_still(Doing::Blocked) {
                end = self.drop_what_is_late(written);
            }
        }
        self.out.clear();
        Ok(())
    }

    /// After a standstill: drops output lines that were not begun, and input lines that wait. Returns the byte at which
    /// the output now ends.
    #[cold]
    fn drop_what_is_late(&mut self, written: usize) -> usize {
        let end = self.end_of_line(written);
        let late = memchr::memchr_iter(b'\n', &self.out.bytes()[end..]).count() as u64;
        self.node.skipped(Skipped::Stale, late);
        self.drop_what_waited();
        end
    }

    /// The end of the line that was begun, when the output before `written` was written. Between two lines that is
    /// `written` itself.
    fn end_of_line(&self, written: usize) -> usize {
        let out = self.out.bytes();
        if written == 0 || out[written - 1] == b'\n' {
            return written;
        }
        memchr::memchr(b'\n', &out[written..]).map_or(out.len(), |at| written + at + 1)
    }

    /// After a standstill: drops the lines that are readable already.
    #[cold]
    fn drop_what_waited(&mut self) {
        let stdin = rustix::stdio::stdin();
        let since = Clock::now();
        let mut lines = self.lines.discard();
        let mut was_full = false;
        while since.elapsed() < DROP_AT_MOST {
            if was_full {
                // The result does not matter: the number of readable bytes is looked at next.
                let _ = wait_for_input(DROP_PAUSE);
            }
            let readable = rustix::io::ioctl_fionread(stdin).unwrap_or(0);
            if readable == 0 {
                break;
            }
            was_full |= readable >= FULL_PIPE;
            let room = self.lines.room();
            let len = usize::try_from(readable).map_or(room.len(), |readable| readable.min(room.len()));
            match rustix::io::read(stdin, &mut room[..len]) {
                Ok(count) => self.lines.filled(count),
                // The next read reports the error.
                Err(_) => break,
            }
            lines += self.lines.discard();
        }
        self.node.skipped(Skipped::Stale, lines);
        tracing::warn!(lines, "the process stood still for more than 4 s: dropped the lines that waited meanwhile");
    }

    /// Logs each table that was found full, once.
    fn name_refusals(&mut self) {
        while let Some(bound) = self.node.poll_refusal() {
            tracing::warn!("refused for lack of room (reported only once): {bound}");
        }
    }

    /// Handles the end of input: the last line, and one push of all rumors that wait. No timer runs any more.
    fn end(&mut self) -> io::Result<()> {
        let now = self.now();
        match self.lines.rest() {
            Next::Line(line) => {
                if let Err(why) = self.node.handle_line(now, line) {
                    self.limit.rejected(&why, line);
                }
            }
            Next::TooLong => self.too_long(),
            Next::Stale | Next::More => {}
        }
        self.transmit(now)?;
        self.node.finish(now);
        self.transmit(now)?;
        self.name_refusals();
        tracing::info!(stats = ?self.node.stats(), "end of input");
        self.flush()
    }

    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { at: self.monotonic(), wall_us: Some(wall.as_micros() as u64) }
    }

    fn monotonic(&self) -> Instant {
        Instant::from_micros(self.started.elapsed().as_micros() as u64)
    }
}

/// Whether stdin is a regular file.
fn is_file() -> bool {
    rustix::fs::fstat(rustix::stdio::stdin()).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_file())
}

/// Waits for input. True if there is some, or if it has ended.
fn wait_for_input(at_most: Duration) -> io::Result<bool> {
    let stdin = rustix::stdio::stdin();
    let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
    let timeout = Timespec { tv_sec: at_most.as_secs() as i64, tv_nsec: i64::from(at_most.subsec_nanos()) };
    match poll(&mut fds, Some(&timeout)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Writes some of the bytes to stdout, and waits until that is possible. Returns how many were written.
fn write(bytes: &[u8]) -> io::Result<usize> {
    match rustix::io::write(rustix::stdio::stdout(), bytes) {
        Ok(count) => Ok(count),
        Err(Errno::INTR) => Ok(0),
        Err(Errno::AGAIN) => {
            let stdout = rustix::stdio::stdout();
            let mut fds = [PollFd::new(&stdout, PollFlags::OUT)];
            match poll(&mut fds, None) {
                Ok(_) | Err(Errno::INTR) => Ok(0),
                Err(error) => Err(error.into()),
            }
        }
        Err(error) => Err(error.into()),
    }
}
