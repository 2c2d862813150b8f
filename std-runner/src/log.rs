//! Standard error, which never holds up the node.
//!
//! A thread of its own writes the log, from a queue of bounded length: a pipe that nobody reads, or a terminal that was
//! halted, stops that thread and nothing else. A line that finds the queue full is dropped and counted, and the number of
//! them stands in the log where they are missing. The thread begins with the first line.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

/// Lines that can wait. A few hundred bytes each.
const QUEUE: usize = 256;

/// How long the end of the process waits for the last lines.
const PATIENCE: Duration = Duration::from_millis(500);

/// What the thread is told.
enum Message {
    Line(Vec<u8>),
    /// Say so when everything before was written.
    Done(SyncSender<()>),
}

#[derive(Default)]
struct Shared {
    queue: OnceLock<Option<SyncSender<Message>>>,
    dropped: AtomicU64,
}

/// The log. Clones write to the same one.
#[derive(Clone, Default)]
pub struct Log(Arc<Shared>);

impl Log {
    /// Hands a line over to be written, or drops it.
    fn write(&self, line: &[u8]) {
        let queue = self.0.queue.get_or_init(|| start(Arc::clone(&self.0), io::stderr()));
        let taken = queue.as_ref().is_some_and(|queue| queue.try_send(Message::Line(line.to_vec())).is_ok());
        self.0.dropped.fetch_add(u64::from(!taken), Ordering::Relaxed);
    }

    /// Waits until everything was written, for half a second at most.
    pub fn finish(&self) {
        let Some(Some(queue)) = self.0.queue.get() else { return };
        let deadline = Instant::now() + PATIENCE;
        let (done, written) = sync_channel(1);
        let mut message = Message::Done(done);
        loop {
            match queue.try_send(message) {
                Ok(()) => break,
                Err(TrySendError::Full(back)) if Instant::now() < deadline => message = back,
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => return,
            }
            thread::sleep(Duration::from_millis(1));
        }
        let _ = written.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

/// Starts the thread. `None` when there can be none: then all lines are dropped.
fn start(shared: Arc<Shared>, to: impl Write + Send + 'static) -> Option<SyncSender<Message>> {
    let (queue, messages) = sync_channel(QUEUE);
    let thread = thread::Builder::new().name("log".into());
    thread.spawn(move || write_all(&messages, &shared.dropped, to)).ok()?;
    Some(queue)
}

fn write_all(messages: &Receiver<Message>, dropped: &AtomicU64, mut to: impl Write) {
    // Standard error may be closed, and there is nothing else to say it to.
    for message in messages {
        match message {
            Message::Line(line) => {
                let _ = to.write_all(&line);
            }
            Message::Done(done) => {
                let _ = done.try_send(());
            }
        }
        let lines = dropped.swap(0, Ordering::Relaxed);
        if lines > 0 {
            let _ = writeln!(to, "{lines} log lines dropped: standard error did not take them");
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
    use std::sync::Mutex;
    use std::sync::mpsc::Sender;

    /// Takes nothing before it is told to go on.
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
        let (goes_on, go_on) = std::sync::mpsc::channel();
        let (begun, is_begun) = std::sync::mpsc::channel();
        let written = Arc::new(Mutex::new(String::new()));
        let halted = Halted { go_on, begun, written: Arc::clone(&written) };
        log.0.queue.get_or_init(|| start(Arc::clone(&log.0), halted));
        log.write(b"0\n");
        is_begun.recv().unwrap();
        let lines = 3 * QUEUE as u64;
        (1..=lines).for_each(|line| log.write(format!("{line}\n").as_bytes()));
        let before = Instant::now();
        log.finish();
        assert!(before.elapsed() < 4 * PATIENCE, "a halted log holds up the end");
        drop(goes_on);
        log.finish();
        log.write(b"last\n");
        log.finish();
        let written = written.lock().unwrap();
        let kept: Vec<String> = (0..=QUEUE as u64).map(|line| line.to_string()).collect();
        let dropped = lines - QUEUE as u64;
        let mut expected =
            vec![kept[0].clone(), format!("{dropped} log lines dropped: standard error did not take them")];
        expected.extend_from_slice(&kept[1..]);
        expected.push("last".into());
        assert_eq!(written.lines().collect::<Vec<_>>(), expected);
    }
}
