//! `rumormill-lab test`.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::options::{RunOptions, node_for, node_number};
use super::{End, node_options, this_command};
use crate::bench::Progress;
use crate::history::History;
use crate::judge;
use crate::judgement::Judgement;
use crate::process::{self, Output, Program};
use crate::report::{self, Run};
use crate::settings::{Planned, Settings};
use crate::trace::Trace;

/// Steps of the progress bar.
const BAR: u64 = 1_000;
/// The name of the built-in node.
const BUILT_IN: &str = "rumormill";

#[derive(Clone, Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    run: RunOptions,

    /// The program under test; the arguments after `--` are for it [default: the built-in node]
    #[arg(long, value_name = "PATH")]
    bin: Option<PathBuf>,

    /// Another program for some of the nodes, in the first run only: their names, and the command with its arguments,
    /// as "n3,n4=firmware/node --workload broadcast". Can be given several times
    #[arg(long, value_name = "NODES=COMMAND")]
    bin_for: Vec<String>,

    /// Another program for the same run, without arguments. Its result is shown beside that of the first; "rumormill"
    /// is the built-in node. Can be given several times
    #[arg(long, value_name = "PATH")]
    compare: Vec<PathBuf>,

    /// Milliseconds between two rounds of the program that --bin names, 1 to 3600000. With longer rounds, nodes may
    /// talk and differ longer in the end. It is known for the built-in node [default: 460]
    #[arg(long, value_name = "MS", requires = "bin", value_parser = clap::value_parser!(u32).range(1..=3_600_000))]
    interval: Option<u32>,

    /// Show what nodes print on stderr; it is kept in the results in any case
    #[arg(long)]
    log_stderr: bool,

    /// Write every message that nodes get and print to messages.log in the results
    #[arg(long)]
    log_net_send: bool,

    /// Arguments of the program under test
    #[arg(last = true, value_name = "ARG")]
    args: Vec<OsString>,
}

/// A program that was put through a run.
struct Tested {
    name: String,
    settings: Settings,
    history: History,
    trace: Trace,
    judgement: Judgement,
    folder: PathBuf,
}

pub(super) fn run(options: &Options) -> Result<End, String> {
    let mut settings = options.run.settings()?;
    let jumps = settings.faults.schedule.iter().any(|event| matches!(event.what, Planned::Clock(..)));
    if jumps || !settings.clocks_us.is_empty() {
        return Err(
            "--clock and a schedule with clocks that jump are for `sim`: a process has the clock of its machine"
                .to_owned(),
        );
    }
    if options.bin.is_some() && !options.run.node_for.is_empty() {
        return Err("--node-for is for the built-in node; --bin-for names other programs".to_owned());
    }
    let mut programs = vec![match &options.bin {
        None => {
            let interval_ms = node_options(&options.args)?.config().gossip_interval_ms;
            settings = options.run.with_interval(settings, interval_ms)?;
            let (mut name, mut first) = built_in(&settings, &options.args)?;
            for (node, args) in node_for(&options.run.node_for, &options.args, settings.nodes)? {
                let interval_ms = node_options(&args)?.config().gossip_interval_ms;
                settings = options.run.with_interval(settings, interval_ms)?;
                first.others.push((node, built_in(&settings, &args)?.1));
            }
            options.run.node_for.iter().for_each(|text| name.push_str(&format!(", {text}")));
            (name, first)
        }
        Some(path) => {
            settings = options.run.with_interval(settings, options.interval)?;
            (path.display().to_string(), program(path, options.args.clone())?)
        }
    }];
    if let Some((name, first)) = programs.first_mut() {
        for text in &options.bin_for {
            name.push_str(&format!(", {text}"));
            first.others.extend(others(text, settings.nodes)?);
        }
    }
    for path in &options.compare {
        programs.push(if path.as_os_str() == BUILT_IN {
            built_in(&settings, &[])?
        } else {
            (path.display().to_string(), program(path, Vec::new())?)
        });
    }
    let mut all: Vec<Tested> = Vec::new();
    for (name, program) in &programs {
        let tested = test(options, settings.clone(), name, program)?;
        show(&tested, &options.run.results)?;
        all.push(tested);
    }
    if all.len() > 1 {
        let command = this_command();
        let runs: Vec<Run<'_>> = all.iter().map(|tested| tested.run(&command)).collect();
        print(&report::compare(&runs, width(), is_coloured()))?;
    }
    Ok(all.iter().map(|tested| End::from(tested.judgement.validity)).max().unwrap_or(End::Unknown))
}

impl Tested {
    fn run<'a>(&'a self, command: &'a str) -> Run<'a> {
        Run {
            settings: &self.settings,
            program: &self.name,
            command,
            history: &self.history,
            trace: &self.trace,
            judgement: &self.judgement,
        }
    }
}

/// The node in this very executable.
fn built_in(settings: &Settings, args: &[OsString]) -> Result<(String, Program), String> {
    // A mistake in them is reported once here, and not by 25 processes.
    node_options(args)?;
    let path = std::env::current_exe().map_err(|error| format!("this executable cannot be found again: {error}"))?;
    let given = |name: &str| args.iter().any(|arg| arg.to_string_lossy().starts_with(name));
    let mut all = vec![OsString::from("node")];
    if !given("--workload") && !given("-w") {
        all.extend(["--workload".into(), settings.workload.of_node().name().into()]);
    }
    if settings.nodes > 256 && !given("--max-nodes") {
        all.extend(["--max-nodes".into(), settings.nodes.to_string().into()]);
    }
    all.extend(args.iter().cloned());
    let shown: Vec<_> = args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let name = std::iter::once(BUILT_IN.to_owned()).chain(shown).collect::<Vec<_>>().join(" ");
    Ok((name, Program { path, args: all, others: Vec::new() }))
}

fn program(path: &Path, args: Vec<OsString>) -> Result<Program, String> {
    Ok(Program { path: find(path)?, args, others: Vec::new() })
}

/// What `--bin-for` says, for a cluster of `nodes`.
fn others(text: &str, nodes: usize) -> Result<Vec<(usize, Program)>, String> {
    let wrong = || {
        let last = nodes - 1;
        format!("--bin-for must be nodes from n0 to n{last}, \"=\" and a command, as n0,n{last}=PATH, not {text}")
    };
    let (names, command) = text.split_once('=').ok_or_else(wrong)?;
    let mut words = command.split_whitespace();
    let path = words.next().ok_or_else(wrong)?;
    let program = program(Path::new(path), words.map(OsString::from).collect())?;
    names
        .split(',')
        .map(|name| Some((node_number(name, nodes)?, program.clone())))
        .collect::<Option<_>>()
        .ok_or_else(wrong)
}

/// A program that is there and can be executed. A bare name is looked for in the present folder first, then in the
/// path.
fn find(path: &Path) -> Result<PathBuf, String> {
    use std::os::unix::fs::PermissionsExt as _;
    let found = if path.exists() {
        fs::canonicalize(path).map_err(|error| format!("{}: {error}", path.display()))?
    } else {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let is_bare = path.components().count() == 1;
        std::env::split_paths(&folders)
            .map(|folder| folder.join(path))
            .find(|found| is_bare && found.is_file())
            .ok_or_else(|| format!("there is no program {}; build it first, or give its path", path.display()))?
    };
    let is_executable = fs::metadata(&found).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0);
    if is_executable { Ok(found) } else { Err(format!("{} cannot be executed; chmod +x may help", path.display())) }
}

fn test(options: &Options, settings: Settings, name: &str, program: &Program) -> Result<Tested, String> {
    let folder = new_folder(&options.run.results, &settings)?;
    let failed = |error: io::Error| format!("{}: {error}", folder.display());
    let logs = folder.join("nodes");
    fs::create_dir(&logs).map_err(failed)?;
    let mut messages = match options.log_net_send {
        true => Some(BufWriter::new(File::create(folder.join("messages.log")).map_err(failed)?)),
        false => None,
    };
    let bar = progress_bar(name);
    let mut output = Output {
        logs: &logs,
        show_stderr: options.log_stderr,
        messages: messages.as_mut().map(|messages| messages as &mut dyn io::Write),
        progress: &mut |progress| show_progress(&bar, progress),
    };
    let done = process::run(settings, program, &mut output);
    bar.finish_and_clear();
    let (settings, history, trace) = done.map_err(|error| format!("{name} could not be run: {error}"))?;
    if let Some(messages) = &mut messages {
        messages.flush().map_err(failed)?;
    }
    let judgement = judge::judge(&settings, &history, &trace);
    Ok(Tested { name: name.to_owned(), settings, history, trace, judgement, folder })
}

fn show(tested: &Tested, results: &Path) -> Result<(), String> {
    let command = this_command();
    let run = tested.run(&command);
    report::write_folder(&tested.folder, &run).map_err(|error| format!("{}: {error}", tested.folder.display()))?;
    let latest = results.join("latest");
    // The link is a convenience. Without it nothing is missing.
    let _ = fs::remove_file(&latest);
    if let Some(name) = tested.folder.file_name() {
        let _ = std::os::unix::fs::symlink(name, &latest);
    }
    print(&report::screen(&run, width(), is_coloured()))?;
    print(&format!("Report: {}\n", tested.folder.join("report.html").display()))
}

/// Prints; a closed stdout is no error.
pub(super) fn print(text: &str) -> Result<(), String> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!("stdout: {error}")),
        Ok(()) | Err(_) => Ok(()),
    }
}

pub(super) fn is_coloured() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

pub(super) fn width() -> u16 {
    comfy_table::Table::new().width().unwrap_or(100).clamp(60, 120)
}

/// A folder of its own for each run: `broadcast-20251121-031500`, with a number behind it where that is taken.
pub(super) fn new_folder(results: &Path, settings: &Settings) -> Result<PathBuf, String> {
    let failed = |error: io::Error| format!("results cannot be written to {}: {error}", results.display());
    fs::create_dir_all(results).map_err(failed)?;
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let name = format!("{}-{}", settings.workload.name(), date(since_1970));
    // Bounded by the runs that can begin in one second.
    for number in 1..10_000 {
        let folder = if number == 1 { results.join(&name) } else { results.join(format!("{name}-{number}")) };
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Err(format!("{} is full of runs of this second", results.display()))
}

/// Seconds since 1970 as `20251121-031500`, UTC (days to civil date as in Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms").
fn date(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}")
}

fn progress_bar(name: &str) -> ProgressBar {
    // Nothing is drawn when stderr is no terminal.
    let bar = ProgressBar::with_draw_target(Some(BAR), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:24} {msg}") {
        bar.set_style(style);
    }
    bar.set_prefix(name.chars().take(30).collect::<String>());
    bar
}

fn show_progress(bar: &ProgressBar, progress: &Progress) {
    bar.set_position((progress.share * BAR as f64) as u64);
    let per_op = progress.messages as f64 / (progress.invoked.max(1)) as f64;
    let complaints = match progress.complaints {
        0 => String::new(),
        count => format!(", {count} complaints"),
    };
    bar.set_message(format!(
        "{}: {} operations, {} acknowledged, {per_op:.2} msgs/op{complaints}",
        progress.stage, progress.invoked, progress.acknowledged
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "19700101-000000");
        assert_eq!(date(951_782_400), "20000229-000000");
        assert_eq!(date(1_700_000_000), "20231114-221320");
        assert_eq!(date(4_102_444_799), "20991231-235959");
    }
}
