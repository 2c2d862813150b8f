//! `rumormill-lab sim`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use clap::Args;
use rumormill_core::storage::{Heap, Limits, Storage as _};

use super::options::{RunOptions, command_options, node_for};
use super::test::{is_coloured, new_folder, print, width};
use super::{End, node_options, this_command};
use crate::judge;
use crate::judgement::{Judgement, Validity};
use crate::report::{self, Run};
use crate::settings::Settings;
use crate::sim::{self, Program, Simulated};

#[derive(Clone, Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    run: RunOptions,

    /// Runs, with seeds from --seed upwards, 1 to 100000000
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    seeds: u64,

    /// Threads [default: one per core]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,

    /// Look for a smaller run that fails in the same way as the first that fails
    #[arg(long)]
    shrink: bool,

    /// Also write the counts of all runs to a file, one name and number a line; for campaigns
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,

    /// Runs that cannot be judged do not fail the command. Such runs occur when processes are killed and nothing that
    /// was written survives
    #[arg(long)]
    unjudged_ok: bool,

    /// Options of the built-in node
    #[arg(last = true, value_name = "ARG")]
    args: Vec<OsString>,
}

pub(super) fn run(options: &Options) -> Result<End, String> {
    let settings = options.run.settings()?;
    let mut program = program(&settings, &options.args)?;
    let mut settings = options.run.with_interval(settings, program.config.gossip_interval_ms)?;
    for (node, args) in node_for(&options.run.node_for, &options.args, settings.nodes)? {
        let other = self::program(&settings, &args)?;
        settings = options.run.with_interval(settings, other.config.gossip_interval_ms)?;
        let limits = other.limits.unwrap_or_else(|| sim::limits_for(&settings));
        program.others.push((node, other.config, limits));
    }
    settings.storm_above.get_or_insert(0);
    if options.seeds == 1 && options.summary.is_none() {
        return one(options, settings, &program);
    }
    many(options, &settings, &program)
}

/// The node that is simulated, from the arguments after `--`.
pub(super) fn program(settings: &Settings, args: &[OsString]) -> Result<Program, String> {
    let node = node_options(args)?;
    let mut config = node.config();
    config.workload.get_or_insert(settings.workload.of_node());
    let limits = chosen(settings, &node.limits());
    Ok(Program { config, limits: (limits != sim::limits_for(settings)).then_some(limits), others: Vec::new() })
}

/// Capacities: those that were chosen, and as much as the run needs for all others.
fn chosen(settings: &Settings, given: &Limits) -> Limits {
    let (shipped, enough) = (Heap::LIMITS, sim::limits_for(settings));
    let either = |given: usize, shipped: usize, enough: usize| if given == shipped { enough } else { given };
    Limits {
        nodes: either(given.nodes, shipped.nodes, enough.nodes),
        rows: either(given.rows, shipped.rows, enough.rows),
        known_peers: either(given.known_peers, shipped.known_peers, enough.known_peers),
        values: either(given.values, shipped.values, enough.values),
        set_text_bytes: either(given.set_text_bytes, shipped.set_text_bytes, enough.set_text_bytes),
        dense_values: either(given.dense_values, shipped.dense_values, enough.dense_values),
        keys: either(given.keys, shipped.keys, enough.keys),
        store_text_bytes: either(given.store_text_bytes, shipped.store_text_bytes, enough.store_text_bytes),
        payload_bytes: either(given.payload_bytes, shipped.payload_bytes, enough.payload_bytes),
        ..*given
    }
}

fn simulate(settings: Settings, program: &Program) -> Result<(Simulated, Judgement), String> {
    let done = sim::run(settings, program).map_err(|error| format!("the built-in node: {error}"))?;
    let judgement = judge::judge(&done.settings, &done.history, &done.trace);
    Ok((done, judgement))
}

fn one(options: &Options, settings: Settings, program: &Program) -> Result<End, String> {
    let folder = new_folder(&options.run.results, &settings)?;
    let started = Instant::now();
    let (done, judgement) = simulate(settings, program)?;
    let took = started.elapsed().as_secs_f64();
    let command = this_command();
    let run = Run {
        settings: &done.settings,
        program: "rumormill, simulated",
        command: &command,
        history: &done.history,
        trace: &done.trace,
        judgement: &judgement,
    };
    report::write_folder(&folder, &run).map_err(|error| format!("{}: {error}", folder.display()))?;
    print(&report::screen(&run, width(), is_coloured()))?;
    let virtual_s = done.trace.end_us as f64 / 1e6;
    print(&format!(
        "Simulated {virtual_s:.1} s in {took:.2} s: {} steps, {:.0} steps/s{}\nReport: {}\n",
        done.steps,
        done.steps as f64 / took,
        memory(done.settings.nodes),
        folder.join("report.html").display(),
    ))?;
    Ok(judgement.validity.into())
}

/// The peak memory of this process, in all and per node. Empty if the system does not tell.
pub(super) fn memory(nodes: usize) -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak_kb = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
    match peak_kb {
        Some(kb) => format!(", {:.0} MB at most, {:.1} kB per node", kb as f64 / 1e3, kb as f64 / nodes as f64),
        None => String::new(),
    }
}

/// What is kept of each of many runs.
struct Kept {
    seed: u64,
    validity: Validity,
    reason: Option<(String, String)>,
    /// Checkers that found something wrong.
    wrong: Vec<&'static str>,
    figures: [f64; FIGURES.len()],
    ops: usize,
    steps: u64,
}

const FIGURES: [&str; 13] = [
    "messages per operation",
    "stable latency, median, ms",
    "stable latency, max, ms",
    "true latency, median, ms",
    "true latency, max, ms",
    "converged after load and faults, ms",
    "last message after load and faults, ms",
    "caught up after a heal, the slowest, ms",
    "messages of a node in its worst second",
    "messages of a node to one peer in the worst second",
    "kB delivered to the node that got most",
    "of these, per byte of the state",
    "share of the busiest node",
];

impl Kept {
    /// Whether nodes differed in the end.
    fn differs(&self) -> bool {
        self.wrong.iter().any(|name| ["final-state", "convergence"].contains(name))
    }

    /// Whether nodes talked for too long.
    fn talks(&self) -> bool {
        self.wrong.contains(&"silence")
    }

    /// Whether a node flooded another.
    fn storms(&self) -> bool {
        self.wrong.contains(&"storm")
    }

    fn of(done: &Simulated, judgement: &Judgement) -> Self {
        let set = judgement.set.as_ref();
        let worst = judgement.findings.iter().find(|finding| finding.validity == judgement.validity);
        Self {
            seed: done.settings.seed,
            validity: judgement.validity,
            reason: worst.map(|finding| (finding.checker.to_owned(), finding.message.clone())),
            wrong: judgement
                .findings
                .iter()
                .filter(|finding| {
                    finding.validity == Validity::Invalid
                        && !done.settings.ignore.iter().any(|name| name == finding.checker)
                })
                .map(|finding| finding.checker)
                .collect(),
            figures: [
                judgement.messages_per_op,
                set.map_or(f64::NAN, |set| set.stable_latency_ms.median),
                set.map_or(f64::NAN, |set| set.stable_latency_ms.max),
                set.map_or(f64::NAN, |set| set.true_latency_ms.median),
                set.map_or(f64::NAN, |set| set.true_latency_ms.max),
                judgement.converged_ms.unwrap_or(f64::NAN),
                judgement.last_message_ms.unwrap_or(f64::NAN),
                judgement.catch_up_ms.iter().copied().reduce(f64::max).unwrap_or(f64::NAN),
                judgement.worst_second as f64,
                judgement.worst_link_second as f64,
                judgement.delivered_bytes_max as f64 / 1e3,
                match judgement.state_bytes {
                    0 => f64::NAN,
                    bytes => judgement.delivered_bytes_max as f64 / bytes as f64,
                },
                judgement.busiest_node_share,
            ],
            ops: judgement.invocations,
            steps: done.steps,
        }
    }
}

fn many(options: &Options, settings: &Settings, program: &Program) -> Result<End, String> {
    let started = Instant::now();
    let next = AtomicU64::new(0);
    let kept: Mutex<Vec<Kept>> = Mutex::new(Vec::new());
    let failure: Mutex<Option<String>> = Mutex::new(None);
    let jobs = options.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1);
    let bar = indicatif::ProgressBar::with_draw_target(Some(options.seeds), indicatif::ProgressDrawTarget::stderr());
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= options.seeds {
                        return;
                    }
                    let settings = Settings { seed: options.run.seed.wrapping_add(at), ..settings.clone() };
                    match simulate(settings, program) {
                        Ok((done, judgement)) => {
                            kept.lock().unwrap_or_else(PoisonError::into_inner).push(Kept::of(&done, &judgement));
                        }
                        Err(error) => {
                            *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                            return;
                        }
                    }
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let mut kept = kept.into_inner().unwrap_or_else(PoisonError::into_inner);
    kept.sort_by_key(|kept| kept.seed);
    let took = started.elapsed().as_secs_f64();
    print(&summary(&kept, took))?;
    if let Some(path) = &options.summary {
        write_counts(path, &kept, took)?;
    }
    if options.shrink
        && let Some(failing) = kept.iter().find(|kept| kept.validity != Validity::Valid)
    {
        shrink(options, &Settings { seed: failing.seed, ..settings.clone() }, program, failing)?;
    }
    let counts = |kept: &&Kept| !(options.unjudged_ok && kept.validity == Validity::Unknown);
    Ok(kept.iter().filter(counts).map(|kept| End::from(kept.validity)).max().unwrap_or(End::Unknown))
}

/// Whether a run is counted.
type Counted = fn(&Kept) -> bool;

/// Counts for campaigns: what was found wrong, each with the first seed.
fn write_counts(path: &Path, kept: &[Kept], took: f64) -> Result<(), String> {
    use std::fmt::Write as _;
    let rows: [(&str, Counted); 6] = [
        ("invalid", |kept| kept.validity == Validity::Invalid),
        ("unknown", |kept| kept.validity == Validity::Unknown),
        ("differ", Kept::differs),
        ("talk", Kept::talks),
        ("storm", Kept::storms),
        ("other", |kept| !kept.wrong.is_empty() && !kept.differs() && !kept.talks() && !kept.storms()),
    ];
    let mut text = format!("runs {}\nseconds {took:.2}\n", kept.len());
    for (name, is_so) in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name} {}", kept.iter().filter(|kept| is_so(kept)).count());
        if let Some(first) = kept.iter().find(|kept| is_so(kept)) {
            let _ = writeln!(text, "seed-{name} {}", first.seed);
        }
    }
    std::fs::write(path, text).map_err(|error| format!("--summary {}: {error}", path.display()))
}

/// Failing seeds that are listed.
const LISTED: usize = 10;

fn summary(kept: &[Kept], took: f64) -> String {
    use std::fmt::Write as _;
    let invalid: Vec<&Kept> = kept.iter().filter(|kept| kept.validity == Validity::Invalid).collect();
    let unknown: Vec<&Kept> = kept.iter().filter(|kept| kept.validity == Validity::Unknown).collect();
    let ops: usize = kept.iter().map(|kept| kept.ops).sum();
    let steps: u64 = kept.iter().map(|kept| kept.steps).sum();
    let mut text = format!(
        "{} runs: {} valid, {} invalid, {} could not be judged\n{ops} operations, {steps} steps in {took:.1} s: {:.0} runs/s, {:.0} steps/s\n",
        kept.len(),
        kept.len() - invalid.len() - unknown.len(),
        invalid.len(),
        unknown.len(),
        kept.len() as f64 / took,
        steps as f64 / took,
    );
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["", "median", "mean", "95 %", "worst", "seed of the worst"]);
    for (at, name) in FIGURES.iter().enumerate() {
        let mut found: Vec<(f64, u64)> =
            kept.iter().map(|kept| (kept.figures[at], kept.seed)).filter(|(figure, _)| !figure.is_nan()).collect();
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        let Some(worst) = found.last() else { continue };
        let digits = if at == 0 || at + 3 > FIGURES.len() { 3 } else { 0 };
        let show = |value: f64| format!("{value:.digits$}");
        let at_share = |share: f64| found[((found.len() as f64 * share) as usize).min(found.len() - 1)].0;
        let mean = found.iter().map(|(figure, _)| figure).sum::<f64>() / found.len() as f64;
        table.add_row([
            (*name).to_owned(),
            show(at_share(0.5)),
            show(mean),
            show(at_share(0.95)),
            show(worst.0),
            worst.1.to_string(),
        ]);
    }
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{table}");
    for failing in invalid.iter().chain(&unknown).take(LISTED) {
        let (checker, message) = failing.reason.clone().unwrap_or_default();
        let _ = writeln!(text, "seed {}: {checker}: {message}\n  {}", failing.seed, replay(failing.seed));
    }
    let more = (invalid.len() + unknown.len()).saturating_sub(LISTED);
    if more > 0 {
        let _ = writeln!(text, "… and {more} more");
    }
    text
}

/// The command that repeats one seed of this one.
fn replay(seed: u64) -> String {
    let mut words: Vec<String> = Vec::new();
    let command = this_command();
    let mut given = command.split(' ');
    while let Some(word) = given.next() {
        match word {
            "--seeds" | "--seed" | "--jobs" | "--summary" => drop(given.next()),
            "--shrink" => {}
            _ if ["--seeds=", "--seed=", "--jobs=", "--summary="].iter().any(|prefix| word.starts_with(prefix)) => {}
            "--" => {
                words.extend([format!("--seed {seed}"), word.to_owned()]);
                words.extend(given.map(str::to_owned));
                return words.join(" ");
            }
            _ => words.push(word.to_owned()),
        }
    }
    words.push(format!("--seed {seed}"));
    words.join(" ")
}

/// Looks for a smaller run that is found wrong by the same checker: fewer faults, less time, fewer nodes, fewer
/// operations.
fn shrink(options: &Options, settings: &Settings, program: &Program, failing: &Kept) -> Result<(), String> {
    let Some((checker, _)) = &failing.reason else { return Ok(()) };
    let fails = |settings: &Settings| -> Result<bool, String> {
        let (_, judgement) = simulate(settings.clone(), program)?;
        Ok(judgement.findings.iter().any(|finding| finding.checker == checker && finding.validity == failing.validity))
    };
    let mut best = settings.clone();
    // Every turn makes the run smaller, and each part can be halved or dropped a bounded number of times.
    while let Some(smaller) = candidates(&best).into_iter().find_map(|candidate| match fails(&candidate) {
        Ok(true) => Some(Ok(candidate)),
        Ok(false) => None,
        Err(error) => Some(Err(error)),
    }) {
        best = smaller?;
    }
    let mut command = format!("rumormill-lab sim {}", command_options(&best));
    options.run.node_for.iter().for_each(|text| command.push_str(&format!(" --node-for '{text}'")));
    if !options.args.is_empty() {
        let args: Vec<_> = options.args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
        command.push_str(&format!(" -- {}", args.join(" ")));
    }
    print(&format!("Smallest run found that fails in the same way ({checker}):\n  {command}\n"))
}

fn candidates(settings: &Settings) -> Vec<Settings> {
    let mut found = Vec::new();
    for at in 0..settings.faults.kinds.len() {
        let mut fewer = settings.clone();
        fewer.faults.kinds.remove(at);
        found.push(fewer);
    }
    if settings.time_limit_us > 500_000 {
        found.push(Settings { time_limit_us: settings.time_limit_us / 2, ..settings.clone() });
        found.push(Settings { time_limit_us: settings.time_limit_us * 3 / 4, ..settings.clone() });
    }
    if settings.rate > 1.0 {
        found.push(Settings { rate: settings.rate / 2.0, ..settings.clone() });
    }
    for fewer in [settings.nodes / 2, settings.nodes - 1] {
        if fewer >= 2 && settings.faults.schedule.is_empty() && settings.clocks_us.is_empty() {
            let concurrency = settings.concurrency.min(fewer);
            found.push(Settings { nodes: fewer, concurrency, ..settings.clone() });
        }
    }
    found
}
