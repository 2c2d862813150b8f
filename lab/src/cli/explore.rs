//! `rumormill-lab explore`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use rumormill_core::gossip::Rule;

use super::End;
use super::test::print;
use crate::explore::{
    self, Clocks, Ended, Found, Kind, Progress, Reach, Replayed, Report, Strategies, Trail, replay, rule_named,
};

#[derive(Clone, Debug, Args)]
pub(super) struct Options {
    /// Number of nodes, 2 to 4; they are called n0, n1, …
    #[arg(long, default_value_t = 3, value_name = "N")]
    nodes: usize,

    /// The strategy of the nodes; with `mixed`, n0 and n2 have `relay` and the others `rumor`
    #[arg(long, value_enum, default_value = "rumor")]
    strategy: Strategies,

    /// Writes that clients may make, at any node and any time, at most 8; `none` for none
    #[arg(long, value_delimiter = ',', default_value = "set,set", value_name = "KIND,…", value_parser = kind)]
    writes: Vec<Option<Kind>>,

    /// Messages that may be lost
    #[arg(long, default_value_t = 0, value_name = "N")]
    losses: u8,

    /// Messages that may arrive twice
    #[arg(long, default_value_t = 0, value_name = "N")]
    duplicates: u8,

    /// Nodes that may crash, and come back at once with an empty memory and a larger number
    #[arg(long, default_value_t = 1, value_name = "N")]
    crashes: u8,

    /// Nodes that may crash, and come back with a smaller number: their wall clock was set back
    #[arg(long, default_value_t = 0, value_name = "N")]
    crashes_behind: u8,

    /// Nodes that may die and not come back
    #[arg(long, default_value_t = 0, value_name = "N")]
    deaths: u8,

    /// Nodes that may be cut off from all others, until they are healed or the faults end
    #[arg(long, default_value_t = 0, value_name = "N")]
    cuts: u8,

    /// A node with room for one value and one key only, such as n0
    #[arg(long, value_name = "NODE", value_parser = node_named)]
    small: Option<u8>,

    /// Take the steps in a file first, and search from there. The file says how the nodes are made. Of the other
    /// options, only writes, faults, bounds and rules switched off count
    #[arg(long, value_name = "FILE", conflicts_with = "trail")]
    from: Option<PathBuf>,

    /// Peers that a round of gossip goes to, 1 to 255
    #[arg(long, default_value_t = 2, value_name = "PEERS", value_parser = clap::value_parser!(u8).range(1..))]
    fanout: u8,

    /// Milliseconds between two rounds of gossip, 1 to 60000 [default: that of each data type]
    #[arg(long, value_name = "MS")]
    interval_ms: Option<u32>,

    /// Bytes of a message between nodes [default: 1048576]
    #[arg(long, value_name = "BYTES")]
    max_message_bytes: Option<usize>,

    /// Decides every random choice of the nodes
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,

    /// A client sends something to each node right after `init`, as Maelstrom does
    #[arg(long)]
    greeted: bool,

    /// Do not check whether nodes are settled, only what they hold
    #[arg(long, hide = true)]
    lenient: bool,

    /// Whether each node has a clock of its own, which moves when its timer fires, or all clocks move together
    #[arg(long, value_enum, default_value = "own")]
    clocks: Clocks,

    /// Steps of a trail, 1 to 250
    #[arg(long, default_value_t = 6, value_name = "STEPS", value_parser = clap::value_parser!(u8).range(1..=250))]
    depth: u8,

    /// Instead of --depth: steps other than the fair one, 0 to 250. In the fair step the oldest message arrives or,
    /// with none in flight, the first timer fires
    #[arg(long, value_name = "N", conflicts_with = "depth", value_parser = clap::value_parser!(u8).range(0..=250))]
    detours: Option<u8>,

    /// With --detours: a trail ends when a clock has reached so many seconds of virtual time
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    time_limit: u32,

    /// Seconds of virtual time after the faults end within which all nodes have to be the same, settled and silent
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    recovery: u32,

    /// Stop after so many steps
    #[arg(long, value_name = "N")]
    max_states: Option<u64>,

    /// Stop after so many seconds
    #[arg(long, value_name = "SECONDS")]
    max_seconds: Option<u64>,

    /// Stop when the tables of known states take so much memory
    #[arg(long, default_value_t = 2_048, value_name = "MB")]
    max_memory_mb: usize,

    /// Threads [default: one per core]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,

    /// Run the trail in a file, as this command prints it, and show every line that nodes send; other options do not
    /// count
    #[arg(long, value_name = "FILE")]
    trail: Option<PathBuf>,

    /// Write the trail of a violation to a file as well
    #[arg(long, value_name = "FILE")]
    trail_out: Option<PathBuf>,

    /// Switch off a rule of the node, to see what it is for
    #[arg(long, hide = true, value_name = "RULE", value_parser = rule_named)]
    without: Vec<Rule>,
}

fn node_named(text: &str) -> Result<u8, String> {
    text.strip_prefix('n').and_then(|at| at.parse().ok()).ok_or_else(|| "a node is n0, n1, …".to_owned())
}

fn kind(text: &str) -> Result<Option<Kind>, String> {
    if text == "none" {
        return Ok(None);
    }
    let found = Kind::ALL.into_iter().find(|kind| kind.name() == text);
    found.map(Some).ok_or_else(|| "a write is set, counter or store".to_owned())
}

/// How often a line says how far the search is where stderr is no terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

pub(super) fn run(options: &Options) -> Result<End, String> {
    match &options.trail {
        Some(file) => run_trail(file),
        None => search(options),
    }
}

fn read(file: &Path) -> Result<Trail, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    text.parse().map_err(|error| format!("{}: {error}", file.display()))
}

fn run_trail(file: &Path) -> Result<End, String> {
    let trail = read(file)?;
    let run = |on_heap| replay(&trail, on_heap).map_err(|error| format!("the node: {error}"));
    let (few, heap) = (run(false)?, run(true)?);
    print(&few.told)?;
    for step in &few.skipped {
        print(&format!("\"{step}\" cannot be taken where it stands, and was left out.\n"))?;
    }
    let verdict = |done: &Replayed| match &done.violation {
        Some(violation) => format!("{violation}."),
        None => "No rule is broken.".to_owned(),
    };
    print(&format!("{}\n", verdict(&few)))?;
    match few.lines == heap.lines {
        true => print("On the heap the nodes say the same.\n")?,
        false => print(&format!("On the heap the nodes say something else: {}\n", verdict(&heap)))?,
    }
    let is_valid = few.violation.is_none() && heap.violation.is_none() && few.lines == heap.lines;
    Ok(if is_valid { End::Valid } else { End::Invalid })
}

/// The choices of the command line, and those of the file that the search begins with.
fn choices(options: &Options) -> Result<explore::Options, String> {
    let choices = explore::Options {
        nodes: options.nodes,
        strategies: options.strategy,
        writes: options.writes.iter().copied().flatten().collect(),
        losses: options.losses,
        duplicates: options.duplicates,
        crashes: options.crashes,
        crashes_behind: options.crashes_behind,
        deaths: options.deaths,
        cuts: options.cuts,
        small: options.small,
        from: Vec::new(),
        fanout: options.fanout,
        interval_ms: options.interval_ms,
        max_message_bytes: options.max_message_bytes,
        seed: options.seed,
        greeted: options.greeted,
        lenient: options.lenient,
        clocks: options.clocks,
        reach: options.detours.map_or(Reach::Depth(options.depth), Reach::Detours),
        time_limit_s: options.time_limit,
        recovery_s: options.recovery,
        without: options.without.clone(),
        jobs: options.jobs.unwrap_or(0),
        max_states: options.max_states.unwrap_or(u64::MAX),
        max_time: options.max_seconds.map_or(Duration::MAX, Duration::from_secs),
        max_bytes: options.max_memory_mb.saturating_mul(1 << 20),
    };
    let Some(file) = &options.from else { return Ok(choices) };
    let Trail { options: of_file, steps } = read(file)?;
    Ok(explore::Options {
        nodes: of_file.nodes,
        strategies: of_file.strategies,
        small: of_file.small,
        fanout: of_file.fanout,
        interval_ms: of_file.interval_ms,
        max_message_bytes: of_file.max_message_bytes,
        seed: of_file.seed,
        greeted: of_file.greeted,
        lenient: of_file.lenient,
        clocks: of_file.clocks,
        without: of_file.without.into_iter().chain(choices.without).collect(),
        from: steps,
        ..choices
    })
}

fn search(options: &Options) -> Result<End, String> {
    let choices = choices(options)?;
    let bar = indicatif::ProgressBar::with_draw_target(None, indicatif::ProgressDrawTarget::stderr())
        .with_style(indicatif::ProgressStyle::default_spinner());
    let mut told = Instant::now();
    let report = explore::run_with(&choices, &mut |progress| {
        if !bar.is_hidden() {
            bar.set_message(line(progress, choices.reach));
            bar.tick();
        } else if told.elapsed() >= PLAIN_EVERY {
            told = Instant::now();
            eprintln!("{}", line(progress, choices.reach));
        }
    })?;
    bar.finish_and_clear();
    print(&tell(&report, choices.reach))?;
    if let (Some(found), Some(file)) = (&report.found, &options.trail_out) {
        std::fs::write(file, found.trail.to_string()).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let is_valid = report.found.is_none() && report.other_on_heap.is_none();
    Ok(if is_valid { End::Valid } else { End::Invalid })
}

/// "depth 7" or "3 detours".
fn within(reach: Reach, number: u8) -> String {
    match reach {
        Reach::Depth(_) => format!("depth {number}"),
        Reach::Detours(_) if number == 1 => "1 detour".to_owned(),
        Reach::Detours(_) => format!("{number} detours"),
    }
}

fn line(progress: &Progress, reach: Reach) -> String {
    let Progress { states, distinct, leaves, leaf_steps, share, elapsed, bytes, .. } = progress;
    let seconds = elapsed.as_secs_f64();
    format!(
        "{}: {:.1} %, {states} states, {distinct} differ, {leaves} leaves, {:.0} steps/s, {} MB, {seconds:.0} s",
        within(reach, progress.reach),
        100.0 * share,
        (states + leaf_steps) as f64 / seconds.max(1e-9),
        bytes >> 20,
    )
}

/// Processor time of this process so far, in seconds; `None` where the system does not tell.
fn processor_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in parentheses, is the only field that may have blanks. Times are in hundredths.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

fn tell(report: &Report, reach: Reach) -> String {
    let Report { ended, progress, jobs, found, other_on_heap } = report;
    let mut text = String::new();
    if let Some(found) = found {
        tell_found(&mut text, found, reach);
    }
    if let Some(trail) = other_on_heap {
        let _ = writeln!(text, "This trail gives other lines on the heap:\n\n{trail}");
    }
    let so_far = format!("{:.1} % of {}", 100.0 * progress.share, within(reach, progress.reach));
    let so_far = match progress.complete {
        0 => so_far,
        complete => {
            // The first pass is that of depth 1, or of no detours.
            let last = complete - u8::from(matches!(reach, Reach::Detours(_)));
            format!("all of {} and {so_far}", within(reach, last))
        }
    };
    let _ = match ended {
        Ended::Complete => writeln!(text, "No rule is broken within {}.", within(reach, progress.reach)),
        Ended::Violated => writeln!(text, "A rule is broken. Searched: {so_far}."),
        Ended::States => writeln!(text, "No rule is broken so far. The bound on states is reached: {so_far}."),
        Ended::Time => writeln!(text, "No rule is broken so far. Time is over: {so_far}."),
        Ended::Memory => writeln!(text, "No rule is broken so far. The bound on memory is reached: {so_far}."),
    };
    let Progress { states, distinct, leaves, leaf_steps, handled, sampled, elapsed, bytes, .. } = progress;
    let seconds = elapsed.as_secs_f64();
    let steps = (states + leaf_steps) as f64;
    let by_processor = processor_seconds().filter(|seconds| *seconds > 0.0);
    let by_processor =
        by_processor.map_or(String::new(), |seconds| format!(" ({:.0} per second of processor time)", steps / seconds));
    let _ = writeln!(
        text,
        "{states} states reached, {distinct} differ, and {leaves} leaves that differ with {leaf_steps} steps of fair runs, in \
         {seconds:.1} s on {jobs} threads: {:.0} states and steps per second and thread{by_processor}. Nodes \
         handled {handled} inputs, the other steps were remembered. {} MB of known states. {sampled} \
         trails gave the same lines on the heap.",
        steps / seconds.max(1e-9) / *jobs as f64,
        bytes >> 20,
    );
    text
}

fn tell_found(text: &mut String, found: &Found, reach: Reach) {
    let Found { violation, trail, found_steps, found_reach, found_after, on_heap } = found;
    let _ = writeln!(
        text,
        "{violation}.\n\nFound after {:.2} s within {}, in a trail of {found_steps} steps; the shortest part of it that breaks \
         the same rule has {}. {} Run it again with --trail FILE:\n\n{trail}",
        found_after.as_secs_f64(),
        within(reach, *found_reach),
        trail.steps.len(),
        if *on_heap { "On the heap it does the same." } else { "On the heap it does not!" },
    );
}
