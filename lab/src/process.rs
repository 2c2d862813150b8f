//! Runs nodes as processes in real time. They may be any program that speaks the protocol on stdin and stdout.
//!
//! Each process has a thread that reads its stdout and one that writes its stdin, so a node that is stopped or slow
//! holds up no other node. Its stderr goes to a file. All processes are killed when the run ends, however it ends.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::bench::{Action, Bench, Progress};
use crate::history::History;
use crate::settings::{Micros, Settings};
use crate::trace::Trace;

/// The most lines of all nodes that wait for the lab. If there are so many, nodes have to wait.
const WAITING_LINES: usize = 65_536;
/// A line that is longer than this is cut, and is then malformed.
const LINE_MAX: u64 = 64 << 20;
/// The longest wait between two looks at the clock.
const TICK: Duration = Duration::from_millis(100);
/// The most bytes of a node's log that a complaint quotes.
const QUOTED: i64 = 400;

/// The program under test.
#[derive(Clone, Debug)]
pub struct Program {
    /// The program that is executed.
    pub path: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Nodes that run another program.
    pub others: Vec<(usize, Self)>,
}

impl Program {
    /// The program of a node. If several were given for it, the last one counts.
    #[must_use]
    pub fn of(&self, node: usize) -> &Self {
        self.others.iter().rev().find(|(other, _)| *other == node).map_or(self, |(_, program)| program)
    }
}

/// Where logs and progress go during a run.
pub struct Output<'a> {
    /// Folder for `n0.log`, `n1.log`, …: what nodes print on stderr. It exists.
    pub logs: &'a Path,
    /// Whether what nodes print on stderr is shown as well.
    pub show_stderr: bool,
    /// Where every message is written as it is delivered or printed, if that is wanted.
    pub messages: Option<&'a mut dyn io::Write>,
    /// Called about ten times a second.
    pub progress: &'a mut dyn FnMut(&Progress),
}

impl std::fmt::Debug for Output<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output").field("logs", &self.logs).finish_non_exhaustive()
    }
}

struct Line {
    node: usize,
    life: u64,
    /// `None` at the end of stdout.
    text: Option<Vec<u8>>,
}

struct Life {
    child: Child,
    number: u64,
    stdin: Sender<Vec<u8>>,
}

struct Processes<'a, 'b> {
    program: &'a Program,
    output: &'a mut Output<'b>,
    lives: Vec<Option<Life>>,
    to_lab: SyncSender<Line>,
    next_life: u64,
}

/// Runs a test with real processes to its end.
///
/// # Errors
/// The program cannot be started, or a log cannot be written. Processes that were started are gone.
pub fn run(settings: Settings, program: &Program, output: &mut Output<'_>) -> io::Result<(Settings, History, Trace)> {
    let (to_lab, from_nodes) = mpsc::sync_channel(WAITING_LINES);
    let nodes = settings.nodes;
    let mut bench = Bench::new(settings);
    let lives = (0..nodes).map(|_| None).collect();
    let mut processes = Processes { program, output, lives, to_lab, next_life: 0 };
    processes.run(&mut bench, &from_nodes)?;
    drop(processes);
    Ok(bench.finish())
}

impl Processes<'_, '_> {
    fn run(&mut self, bench: &mut Bench, from_nodes: &Receiver<Line>) -> io::Result<()> {
        let started = Instant::now();
        let now = || started.elapsed().as_micros() as Micros;
        let mut shown = Instant::now();
        while let Some(due) = bench.poll_timeout() {
            bench.handle_timeout(now());
            self.act(bench, now())?;
            if shown.elapsed() >= TICK {
                shown = Instant::now();
                (self.output.progress)(&bench.progress());
            }
            let due = bench.poll_timeout().unwrap_or(due);
            let wait = Duration::from_micros(due.saturating_sub(now())).min(TICK);
            // The lab itself holds a sender, so the only error is that nothing came.
            let first = from_nodes.recv_timeout(wait).ok();
            for line in first.into_iter().chain(from_nodes.try_iter().take(WAITING_LINES)) {
                self.take(bench, now(), &line)?;
            }
        }
        (self.output.progress)(&bench.progress());
        Ok(())
    }

    fn act(&mut self, bench: &mut Bench, now: Micros) -> io::Result<()> {
        while let Some(action) = bench.poll_action() {
            match action {
                Action::Start(node) => self.start(node, bench.settings())?,
                Action::Kill(node) => {
                    self.kill(node);
                }
                Action::Pause(node) => self.signal(node, Signal::STOP),
                Action::Resume(node) => self.signal(node, Signal::CONT),
                // `test` takes no plan with such a jump.
                Action::Clock(..) => {}
                Action::Deliver(node, mut line) => {
                    self.note_message(now, "->", node, &line)?;
                    line.push(b'\n');
                    if let Some(life) = &self.lives[node] {
                        // The writer ends with its process, which is noticed by the end of stdout.
                        let _ = life.stdin.send(line);
                    }
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, bench: &mut Bench, now: Micros, line: &Line) -> io::Result<()> {
        if self.lives[line.node].as_ref().is_none_or(|life| life.number != line.life) {
            return Ok(());
        }
        match &line.text {
            Some(text) => {
                self.note_message(now, "<-", line.node, text)?;
                bench.handle_line(now, line.node, text);
            }
            None => {
                let how = self.end_of(line.node);
                bench.handle_exit(now, line.node, &how);
            }
        }
        self.act(bench, now)
    }

    fn note_message(&mut self, now: Micros, direction: &str, node: usize, line: &[u8]) -> io::Result<()> {
        let Some(messages) = &mut self.output.messages else { return Ok(()) };
        write!(messages, "{:>12.6} {direction} n{node} ", now as f64 / 1e6)?;
        messages.write_all(line)?;
        messages.write_all(b"\n")
    }

    fn start(&mut self, node: usize, settings: &Settings) -> io::Result<()> {
        self.kill(node);
        let log = OpenOptions::new().create(true).append(true).open(self.log(node))?;
        let program = self.program.of(node);
        let mut child = Command::new(&program.path)
            .args(&program.args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(if self.output.show_stderr { Stdio::piped() } else { Stdio::from(log.try_clone()?) })
            .spawn()?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("a process without pipes"));
        };
        self.next_life += 1;
        let (number, to_lab) = (self.next_life, self.to_lab.clone());
        thread::spawn(move || read_lines(stdout, node, number, &to_lab));
        let (to_stdin, lines) = mpsc::channel();
        thread::spawn(move || write_lines(stdin, &lines));
        if let Some(stderr) = child.stderr.take() {
            let id = settings.id(node);
            thread::spawn(move || show_stderr(stderr, log, &id));
        }
        self.lives[node] = Some(Life { child, number, stdin: to_stdin });
        Ok(())
    }

    fn log(&self, node: usize) -> PathBuf {
        self.output.logs.join(format!("n{node}.log"))
    }

    fn kill(&mut self, node: usize) -> Option<ExitStatus> {
        let mut life = self.lives[node].take()?;
        // It may be gone already, and then there is nothing to kill.
        let _ = life.child.kill();
        life.child.wait().ok()
    }

    fn signal(&mut self, node: usize, signal: Signal) {
        if let Some(pid) = self.lives[node].as_ref().and_then(|life| Pid::from_raw(life.child.id() as i32)) {
            // As for `kill`.
            let _ = kill_process(pid, signal);
        }
    }

    /// A process closed its stdout. Says how it ended, and the last lines of its log.
    fn end_of(&mut self, node: usize) -> String {
        let ended = self.lives[node].as_mut().and_then(|life| wait_a_little(&mut life.child));
        let how = match ended {
            None => "it closed its stdout and lives on".to_owned(),
            Some(status) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("with status {code}"),
                (None, Some(signal)) => format!("by signal {signal}"),
                (None, None) => "nobody knows how".to_owned(),
            },
        };
        self.kill(node);
        match last_words(&self.log(node)) {
            Some(words) if !words.is_empty() => format!("{how}; the last on its stderr: {words}"),
            _ => format!("{how}; nothing on its stderr"),
        }
    }
}

impl Drop for Processes<'_, '_> {
    fn drop(&mut self) {
        (0..self.lives.len()).for_each(|node| {
            self.kill(node);
        });
    }
}

fn wait_a_little(child: &mut Child) -> Option<ExitStatus> {
    let until = Instant::now() + Duration::from_millis(500);
    while Instant::now() < until {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(2));
    }
    None
}

fn last_words(log: &Path) -> Option<String> {
    let mut file = File::open(log).ok()?;
    let length = i64::try_from(fs::metadata(log).ok()?.len()).ok()?;
    file.seek(SeekFrom::End(-length.min(QUOTED))).ok()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim().to_owned())
}

fn read_lines(stdout: ChildStdout, node: usize, life: u64, to_lab: &SyncSender<Line>) {
    let mut stdout = BufReader::with_capacity(64 << 10, stdout);
    loop {
        let mut text = Vec::new();
        let read = (&mut stdout).take(LINE_MAX).read_until(b'\n', &mut text);
        let is_end = !matches!(read, Ok(count) if count > 0);
        if text.last() == Some(&b'\n') {
            text.pop();
        } else if !is_end && text.len() < LINE_MAX as usize {
            // Without its newline a line does not count, as under Maelstrom.
            continue;
        }
        let text = (!is_end).then_some(text);
        if to_lab.send(Line { node, life, text }).is_err() || is_end {
            return;
        }
    }
}

fn write_lines(mut stdin: ChildStdin, lines: &Receiver<Vec<u8>>) {
    while let Ok(line) = lines.recv() {
        if stdin.write_all(&line).is_err() {
            return;
        }
    }
}

fn show_stderr(stderr: std::process::ChildStderr, mut log: File, id: &str) {
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        // Nothing can be done about a log that cannot be written.
        let _ = writeln!(log, "{line}");
        eprintln!("{id}: {line}");
    }
}
