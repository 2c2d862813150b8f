//! `rumormill-lab sweep`.

use std::ffi::OsString;
use std::time::Instant;

use clap::Args;

use super::options::RunOptions;
use super::sim::program;
use super::test::{new_folder, print, width};
use super::{End, this_command};
use crate::settings::{FaultKind, Planned, SECOND, Scheduled, Settings, Workload};
use crate::sim::{self, Program, Simulated};
use crate::sweep::{self, Cell, Condition, Sweep};

/// Most runs of a sweep.
const RUNS_MAX: u64 = 1_000_000;
/// Nodes of the counter whose replicas are drawn, at most: more lines cannot be told apart.
const COUNTER_NODES_MAX: usize = 9;

#[derive(Clone, Debug, Args)]
#[command(mut_arg("node_count", |arg| arg.default_value("25")), mut_arg("rate", |arg| arg.default_value("100")))]
#[command(mut_arg("latency", |arg| arg.default_value("100")), mut_arg("time_limit", |arg| arg.default_value("20")))]
pub(super) struct Options {
    #[command(flatten)]
    run: RunOptions,

    /// Peers that a round goes to, each 1 to 255
    #[arg(long, value_delimiter = ',', default_value = "1,2,3,5", value_name = "PEERS,…",
        value_parser = clap::value_parser!(u8).range(1..=255))]
    fanouts: Vec<u8>,

    /// Milliseconds between two rounds, each 1 to 60000
    #[arg(long, value_delimiter = ',', default_value = "50,100,200,400,800", value_name = "MS,…",
        value_parser = clap::value_parser!(u32).range(1..=60_000))]
    intervals_ms: Vec<u32>,

    /// Strategies of the node, by the names that its --strategy knows
    #[arg(long, value_delimiter = ',', default_value = "rumor", value_name = "NAME,…")]
    strategies: Vec<String>,

    /// Runs of each setting, with seeds from --seed upwards, 1 to 100000
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    seeds: u64,

    /// Threads [default: one per core]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,

    /// Leave out the runs with partitions
    #[arg(long)]
    calm_only: bool,

    /// Leave out the runs without partitions
    #[arg(long, conflicts_with = "calm_only")]
    partition_only: bool,

    /// Further options of the built-in node
    #[arg(last = true, value_name = "ARG")]
    args: Vec<OsString>,
}

pub(super) fn run(options: &Options) -> Result<End, String> {
    let mut settings = options.run.settings()?;
    // How long nodes talk is a figure here: a slow setting is not wrong.
    settings.ignore.push("silence".to_owned());
    if !settings.faults.schedule.is_empty() {
        return Err(
            "--schedule fixes all faults; sweep runs every setting calm and under partition, see --nemesis".into()
        );
    }
    if !settings.workload.is_replicated() {
        return Err(format!("--workload {} replicates nothing that could be tuned", settings.workload.name()));
    }
    let cells = cells(options, &settings)?;
    let runs = (cells.len() as u64).saturating_mul(options.seeds);
    if runs > RUNS_MAX {
        return Err(format!("these are {runs} runs; at most {RUNS_MAX} are made at once"));
    }
    let started = Instant::now();
    let jobs = options.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let bar = progress(runs);
    let points = sweep::run(&settings, &cells, (options.seeds, jobs), &|| bar.inc(1));
    bar.finish_and_clear();
    let points = points?;
    let counter = counter(options, &settings)?;
    let took = started.elapsed().as_secs_f64();
    let sweep = Sweep { counter: Some(counter), settings, seeds: options.seeds, command: this_command(), points };
    let folder = new_folder(&options.run.results, &sweep.settings)?;
    sweep::write_folder(&folder, &sweep).map_err(|error| format!("{}: {error}", folder.display()))?;
    print(&sweep::screen(&sweep, width()))?;
    let page = folder.join("sweep.html");
    print(&format!("{runs} runs in {took:.1} s, {:.1} runs/s\nReport: {}\n", runs as f64 / took, page.display()))?;
    let valid = sweep.points.iter().all(|point| point.valid == point.runs);
    Ok(if valid { End::Valid } else { End::Invalid })
}

/// Every fanout with every interval, strategy and condition; each as often as once, and a strategy for which the fanout has
/// no meaning with the first one only.
fn cells(options: &Options, settings: &Settings) -> Result<Vec<(Cell, Program)>, String> {
    let asked_partition = settings.faults.kinds.contains(&FaultKind::Partition);
    let conditions: &[Condition] = match (options.calm_only, options.partition_only || asked_partition) {
        (true, true) => return Err("--calm-only leaves nothing of --nemesis partition".into()),
        (true, false) => &[Condition::Calm],
        (false, true) => &[Condition::Partition],
        (false, false) => &[Condition::Calm, Condition::Partition],
    };
    let mut cells: Vec<(Cell, Program)> = Vec::new();
    for strategy in &options.strategies {
        let several = sweep::has_fanout(strategy);
        for fanout in options.fanouts.iter().take(if several { usize::MAX } else { 1 }) {
            for interval_ms in &options.intervals_ms {
                let program = node(options, settings, (strategy, *fanout, *interval_ms))?;
                for condition in conditions {
                    let cell = Cell {
                        strategy: strategy.clone(),
                        fanout: *fanout,
                        interval_ms: *interval_ms,
                        condition: *condition,
                    };
                    if !cells.iter().any(|(other, _)| *other == cell) {
                        cells.push((cell, program.clone()));
                    }
                }
            }
        }
    }
    Ok(cells)
}

/// The node with these choices, by its own options: what it does not know, it says itself.
fn node(
    options: &Options,
    settings: &Settings,
    (strategy, fanout, interval_ms): (&str, u8, u32),
) -> Result<Program, String> {
    let given = |name: &str| options.args.iter().any(|arg| arg.to_string_lossy().starts_with(name));
    for (name, ours) in
        [("--fanout", "--fanouts"), ("--gossip-interval-ms", "--intervals-ms"), ("--strategy", "--strategies")]
    {
        if given(name) {
            return Err(format!("{name} after `--` would be the same for all runs; {ours} takes a list"));
        }
    }
    let mut args = options.args.clone();
    for (name, value) in [
        ("--strategy", strategy.to_owned()),
        ("--fanout", fanout.to_string()),
        ("--gossip-interval-ms", interval_ms.to_string()),
    ] {
        args.extend([name.into(), value.into()]);
    }
    program(settings, &args)
}

/// A counter whose nodes are cut in two for a third of the time: for the plot of its replicas.
fn counter(options: &Options, common: &Settings) -> Result<(String, Simulated), String> {
    let nodes = common.nodes.min(COUNTER_NODES_MAX);
    let time_limit_us = common.time_limit_us.min(20 * SECOND);
    let cut: Vec<usize> = (0..nodes / 2).collect();
    let at = |third: u64, what: Planned| Scheduled { at_us: third * time_limit_us / 3, what };
    let mut settings = Settings {
        workload: Workload::PnCounter,
        nodes,
        concurrency: nodes,
        writers: 0,
        rate: common.rate.min(50.0),
        time_limit_us,
        ..common.clone()
    };
    settings.faults.schedule = vec![at(1, Planned::Isolate(cut)), at(2, Planned::Heal)];
    let strategy = options.strategies.first().map_or("rumor", String::as_str);
    let mut args = options.args.clone();
    args.extend(["--strategy".into(), strategy.into()]);
    let mut program = program(&settings, &args)?;
    program.config.workload = Some(settings.workload.of_node());
    let shown = format!(
        "strategy {strategy}, fanout {}, every {} ms; {} of {nodes} nodes are cut off for a third of the time",
        program.config.fanout,
        program.config.gossip_interval_ms.unwrap_or(100),
        nodes / 2,
    );
    let done = sim::run(settings, &program).map_err(|error| format!("the built-in node: {error}"))?;
    Ok((shown, done))
}

fn progress(runs: u64) -> indicatif::ProgressBar {
    // Nothing is drawn when stderr is no terminal.
    let bar = indicatif::ProgressBar::with_draw_target(Some(runs), indicatif::ProgressDrawTarget::stderr());
    if let Ok(style) = indicatif::ProgressStyle::with_template("{bar:30} {pos} of {len} runs, {eta} left") {
        bar.set_style(style);
    }
    bar
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn parsed(args: &str) -> Options {
        Line::try_parse_from(std::iter::once("sweep").chain(args.split_whitespace())).unwrap().options
    }

    /// What the command says to these options before it runs anything.
    fn refusal(args: &str) -> String {
        let options = parsed(args);
        let settings = options.run.settings().unwrap();
        cells(&options, &settings).err().or_else(|| run(&options).err()).unwrap()
    }

    #[test]
    fn without_options_it_is_the_setting_that_others_published_for() {
        let settings = parsed("").run.settings().unwrap();
        assert!(sweep::floors::is_standard(&settings), "{settings:?}");
        assert_eq!(cells(&parsed(""), &settings).unwrap().len(), 4 * 5 * 2);
        assert_eq!(parsed("--node-count 7").run.settings().unwrap().nodes, 7);
    }

    #[test]
    fn an_unknown_strategy_gets_the_sentence_of_the_node() {
        let said = refusal("--strategies rumor,whisper");
        assert!(said.contains("invalid value 'whisper' for '--strategy"), "{said}");
    }

    #[test]
    fn wrong_options_get_a_sentence() {
        assert!(refusal("-- --fanout 3").contains("--fanouts takes a list"));
        assert!(refusal("--calm-only --nemesis partition").contains("leaves nothing"));
        assert!(refusal("--seeds 100000 --fanouts 1,2,3,4,5,6").contains("at most 1000000"));
        assert!(refusal("-w echo").contains("replicates nothing"));
        let no_fanout = Line::try_parse_from(["sweep", "--fanouts", "0"]).unwrap_err().to_string();
        assert!(no_fanout.contains("0 is not in 1..=255"), "{no_fanout}");
    }

    #[test]
    fn each_setting_is_run_once_under_the_conditions_that_were_asked_for() {
        let count = |args: &str| {
            let options = parsed(args);
            cells(&options, &options.run.settings().unwrap()).unwrap().len()
        };
        assert_eq!(count("--fanouts 2,2 --intervals-ms 100"), 2);
        assert_eq!(count("--fanouts 2 --intervals-ms 100 --calm-only"), 1);
        assert_eq!(count("--fanouts 2 --intervals-ms 100 --partition-only"), 1);
        assert_eq!(count("--fanouts 2 --intervals-ms 100 --nemesis partition,loss"), 1);
        assert_eq!(count("--fanouts 2 --intervals-ms 100 --nemesis loss"), 2);
        // The fanout has no meaning for a relay.
        assert_eq!(count("--fanouts 1,2,3 --intervals-ms 100 --calm-only --strategies rumor,relay"), 4);
    }
}
