//! The command line.

mod coverage;
mod explore;
mod options;
mod sim;
mod sweep;
mod test;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A test bench for gossip nodes: real processes or simulated ones, faults, checkers, plots. Nothing else needs to be
/// installed.
#[derive(Debug, Parser)]
#[command(name = "rumormill-lab", version, max_term_width = 110)]
struct Lab {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Tests real node processes in real time: any program that speaks the Maelstrom protocol on stdin and stdout
    ///
    /// Exit status: 0 valid, 1 invalid, 2 could not judge. The options are named as Maelstrom's.
    Test(test::Options),
    /// Tests the built-in node in virtual time: thousands of runs, the same for the same seed
    ///
    /// Exit status: 0 all valid, 1 some invalid, 2 could not judge.
    Sim(sim::Options),
    /// Tries fanouts, intervals and strategies of the built-in node in virtual time: how long until all agree, how many
    /// messages per operation, how often is a read stale
    ///
    /// Without options: 25 nodes, 100 operations per second, 100 ms between nodes, 20 s, each setting calm and under
    /// partition. Exit status: 0 all runs valid, 1 some invalid, 2 could not judge.
    Sweep(Box<sweep::Options>),
    /// Measures how one value spreads through large simulated clusters, against the theory of rumor mongering
    ///
    /// Without options: 100 and 1,000 nodes, some seconds. 10,000 nodes are some minutes and up to 14 GB of memory.
    /// Exit status: 0 as theory says, and every value reached every node; 1 not so; 2 could not measure.
    Coverage(coverage::Options),
    /// Tries everything that can happen to two to four built-in nodes: every order of messages, timers, writes and faults
    ///
    /// Without options: three nodes, two writes to the set, one crash, six steps. Exit status: 0 no rule was broken, 1 one was,
    /// and the trail that leads there is printed, 2 could not search.
    Explore(Box<explore::Options>),
    /// Runs one built-in node on stdin and stdout, as `rumormill` does
    Node(Box<rumormill::options::Options>),
}

/// The checked-out result of a command: what the process ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Valid,
    Unknown,
    Invalid,
}

impl From<End> for ExitCode {
    fn from(end: End) -> Self {
        match end {
            End::Valid => Self::SUCCESS,
            End::Invalid => Self::from(1),
            End::Unknown => Self::from(2),
        }
    }
}

impl From<crate::judgement::Validity> for End {
    fn from(validity: crate::judgement::Validity) -> Self {
        match validity {
            crate::judgement::Validity::Valid => Self::Valid,
            crate::judgement::Validity::Unknown => Self::Unknown,
            crate::judgement::Validity::Invalid => Self::Invalid,
        }
    }
}

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    let done = match Lab::parse().command {
        Subcommands::Test(options) => test::run(&options),
        Subcommands::Sim(options) => sim::run(&options),
        Subcommands::Sweep(options) => sweep::run(&options),
        Subcommands::Coverage(options) => coverage::run(&options),
        Subcommands::Explore(options) => explore::run(&options),
        Subcommands::Node(options) => return rumormill::main(&options),
    };
    match done {
        Ok(end) => end.into(),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// The options of the built-in node, from what follows `--`.
fn node_options(args: &[OsString]) -> Result<rumormill::options::Options, String> {
    let name = OsString::from("rumormill-lab [OPTIONS] --");
    rumormill::options::Options::try_parse_from(std::iter::once(name).chain(args.iter().cloned()))
        .map_err(|error| format!("what follows `--` goes to the built-in node: {error}"))
}

/// This command as it was given, so that it can be repeated.
fn this_command() -> String {
    let quoted = |word: String| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
        if !word.is_empty() && word.chars().all(plain) { word } else { format!("'{}'", word.replace('\'', "'\\''")) }
    };
    let words = std::env::args().skip(1).map(quoted);
    std::iter::once("rumormill-lab".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}
