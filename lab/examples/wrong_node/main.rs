//! A node that is wrong on purpose: right but for one defect, so that one can see whether the lab finds it.
//!
//! ```text
//! cargo run --example wrong_node -- --list
//! rumormill-lab test --workload broadcast --bin target/debug/examples/wrong_node -- --defect phantom-value
//! ```
//!
//! [`node::WrongNode`] is a state machine and knows neither stdin nor the clock, so a simulator can drive it as well.

mod defects;
mod naive;
mod node;

use std::io::{self, BufRead as _, Write as _};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant as Clock, SystemTime, UNIX_EPOCH};

use clap::Parser;
use rumormill_core::{Instant, Now};

use self::defects::Defect;
use self::node::{Output, WrongNode};

/// A gossip node that is right but for one defect.
#[derive(Parser)]
struct Options {
    /// What is wrong with it
    #[arg(long, required_unless_present = "list")]
    defect: Option<Defect>,

    /// One time in so many, or after so many, as the defect says [default: depends on the defect]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    every: Option<u64>,

    /// What a bare read means: broadcast, g-set, g-counter, pn-counter, kv [default: depends on the defect]
    #[arg(long)]
    workload: Option<String>,

    /// Prints all defects: name, workload, checker expected to find it, and what it does, with tabs between
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let Some(defect) = options.defect.filter(|_| !options.list) else {
        print!("{}", defects::list());
        return ExitCode::SUCCESS;
    };
    let facts = defect.facts();
    let workload = options.workload.as_deref().unwrap_or(facts.workload);
    let started = Clock::now();
    let life = now(started).wall_us.unwrap_or_default() / 1_000;
    let Some(node) = WrongNode::new(defect, options.every.unwrap_or(facts.every), workload, life) else {
        eprintln!("error: '{workload}' is no workload");
        return ExitCode::from(2);
    };
    // A closed stdout ends the process quietly.
    run(node, &lines(), started).unwrap_or(ExitCode::SUCCESS)
}

/// Drives the node until the end of input, or until it wants to end.
fn run(mut node: WrongNode, lines: &Receiver<String>, started: Clock) -> io::Result<ExitCode> {
    let mut stdout = io::stdout().lock();
    loop {
        while let Some(output) = node.poll_output() {
            match output {
                Output::Line(line) => writeln!(stdout, "{line}")?,
                Output::Exit(status) => return Ok(ExitCode::from(status)),
            }
        }
        stdout.flush()?;
        match next(lines, node.poll_timeout(), now(started)) {
            Ok(line) => node.handle_line(now(started), &line),
            Err(RecvTimeoutError::Timeout) => node.handle_timeout(now(started)),
            Err(RecvTimeoutError::Disconnected) => return Ok(ExitCode::SUCCESS),
        }
    }
}

/// The next line, unless a timer is due before it comes.
fn next(lines: &Receiver<String>, due: Option<Instant>, now: Now) -> Result<String, RecvTimeoutError> {
    match due {
        Some(due) => lines.recv_timeout(Duration::from_micros(due.as_micros().saturating_sub(now.at.as_micros()))),
        None => lines.recv().map_err(|_| RecvTimeoutError::Disconnected),
    }
}

/// Lines of stdin, read by a thread of its own.
fn lines() -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn now(started: Clock) -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { at: Instant::from_micros(started.elapsed().as_micros() as u64), wall_us: Some(wall.as_micros() as u64) }
}
