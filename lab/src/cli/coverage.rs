//! `rumormill-lab coverage`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use clap::Args;

use super::sim::{memory, program};
use super::test::{new_folder, print, width};
use super::{End, this_command};
use crate::coverage::{self, Case, Spreading};
use crate::settings::{Settings, Workload};
use crate::sim::Program;

/// Most nodes of a cluster. Every node knows the names of all, so memory grows with the square.
const NODES_MAX: usize = 20_000;
/// From this many nodes on clusters are simulated one after the other: one fills the memory of a small machine.
const ALONE_FROM: usize = 5_000;

#[derive(Clone, Debug, Args)]
pub(super) struct Options {
    /// Sizes of the clusters, each 2 to 20000
    #[arg(long, value_delimiter = ',', default_value = "100,1000", value_name = "N,…")]
    node_counts: Vec<usize>,

    /// Peers that a node pushes a new value to: the K of the theory, each 1 to 255
    #[arg(long, value_delimiter = ',', default_value = "1,2,3,5", value_name = "PEERS,…",
        value_parser = clap::value_parser!(u8).range(1..=255))]
    fanouts: Vec<u8>,

    /// Clusters of each size and fanout, one value in each, with seeds from --seed upwards, 1 to 10000
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    seeds: u64,

    /// Delay of messages between nodes in milliseconds, 1 to 1000, always the same: the length of a round
    #[arg(long, default_value_t = 100, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=1_000))]
    latency: u64,

    /// Milliseconds between two rounds of gossip in the runs with anti-entropy, 1 to 60000
    #[arg(long, default_value_t = 200, value_name = "MS", value_parser = clap::value_parser!(u32).range(1..=60_000))]
    interval_ms: u32,

    /// Decides every random choice
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,

    /// Threads for clusters of less than 5000 nodes [default: one per core]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,

    /// Folder in which each measurement makes a folder of its own
    #[arg(long, default_value = "results", value_name = "FOLDER")]
    results: PathBuf,

    /// Further options of the built-in node
    #[arg(last = true, value_name = "ARG")]
    args: Vec<OsString>,
}

pub(super) fn run(options: &Options) -> Result<End, String> {
    if let Some(wrong) = options.node_counts.iter().find(|nodes| !(2..=NODES_MAX).contains(*nodes)) {
        return Err(format!("--node-counts must each be from 2 to {NODES_MAX}, not {wrong}"));
    }
    let settings = Settings { workload: Workload::Broadcast, ..Settings::default() };
    let program = program(&settings, &options.args)?;
    let cases = cases(options);
    let started = Instant::now();
    let bar =
        indicatif::ProgressBar::with_draw_target(Some(cases.len() as u64), indicatif::ProgressDrawTarget::stderr());
    let jobs = options.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1);
    let (small, large): (Vec<Case>, Vec<Case>) = cases.iter().partition(|case| case.nodes < ALONE_FROM);
    let mut runs = measure(&small, jobs, &program, &bar)?;
    runs.extend(measure(&large, 1, &program, &bar)?);
    bar.finish_and_clear();
    let took = started.elapsed().as_secs_f64();
    let events: u64 = runs.iter().map(|run| run.events).sum();
    let groups = coverage::groups(runs);
    let folder = new_folder(&options.results, &settings)?;
    coverage::write_folder(&folder, &groups, &this_command())
        .map_err(|error| format!("{}: {error}", folder.display()))?;
    print(&coverage::screen(&groups, width()))?;
    let largest = options.node_counts.iter().copied().max().unwrap_or(1);
    print(&format!(
        "{events} events (lines and timers that nodes handled) in {took:.1} s: {:.0} events/s{} of the largest cluster\nReport: {}\n",
        events as f64 / took,
        memory(largest),
        folder.join("coverage.html").display(),
    ))?;
    Ok(if coverage::is_as_expected(&groups) { End::Valid } else { End::Invalid })
}

/// Every size with every fanout and seed, each once.
fn cases(options: &Options) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let (latency_us, interval_ms) = (options.latency * 1_000, options.interval_ms);
    for nodes in &options.node_counts {
        for fanout in &options.fanouts {
            for at in 0..options.seeds {
                let seed = options.seed.wrapping_add(at);
                let case = Case { nodes: *nodes, fanout: *fanout, seed, latency_us, interval_ms };
                if !cases.contains(&case) {
                    cases.push(case);
                }
            }
        }
    }
    cases
}

/// Measures cases on several threads; the results come in the order of the cases.
fn measure(
    cases: &[Case],
    jobs: usize,
    program: &Program,
    bar: &indicatif::ProgressBar,
) -> Result<Vec<Spreading>, String> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Result<Spreading, String>)>> = Mutex::new(Vec::new());
    let work = || {
        // Ends when all cases are taken.
        while let Some((at, case)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, cases.get(at)?)))
        {
            let run = coverage::spread(*case, program);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((at, run));
            bar.inc(1);
        }
    };
    std::thread::scope(|scope| (0..jobs).for_each(|_| drop(scope.spawn(work))));
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, run)| run).collect()
}
