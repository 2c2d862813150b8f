//! The files of a run. The logs of nodes are not among them: `process` writes those.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::Serialize;

use super::{Run, html, plot};
use crate::judgement::Judgement;
use crate::settings::{Micros, Settings};
use crate::trace::{Complaint, Death, FaultEvent, NetCounts, Trace};

/// `results.json`.
#[derive(Serialize)]
struct Results<'a> {
    program: &'a str,
    command: &'a str,
    settings: &'a Settings,
    judgement: &'a Judgement,
    net: &'a NetCounts,
    sent_bytes: &'a [u64],
    delivered_bytes: &'a [u64],
    times: Times,
    faults: &'a [FaultEvent],
    deaths: &'a [Death],
    complaints_total: u64,
    complaints: &'a [Complaint],
    diverged: &'a [String],
}

/// The phases of a run.
#[derive(Serialize)]
struct Times {
    main_from_us: Micros,
    main_until_us: Micros,
    healed_us: Micros,
    final_us: Micros,
    end_us: Micros,
    converged_us: Option<Micros>,
}

/// Writes `results.json`, `history.jsonl`, the plots and `report.html` into a folder that exists.
///
/// Plots without data are left out. The same run gives the same bytes.
///
/// # Errors
/// A file cannot be written. The files before it stay.
pub fn write_folder(folder: &Path, run: &Run<'_>) -> io::Result<()> {
    write_results(&folder.join("results.json"), run)?;
    write_history(&folder.join("history.jsonl"), run)?;
    let sheets = plot::sheets(run);
    for sheet in &sheets {
        fs::write(folder.join(format!("{}.svg", sheet.name)), sheet.standalone()?)?;
    }
    fs::write(folder.join("report.html"), html::page(run, &sheets)?)
}

/// Writes all messages between nodes as comma-separated values.
///
/// # Errors
/// The file cannot be written.
pub fn write_messages(path: &Path, trace: &Trace) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(file, "sent_us,from,to,bytes")?;
    for message in &trace.messages {
        writeln!(file, "{},n{},n{},{}", message.sent_us, message.from, message.to, message.bytes)?;
    }
    file.flush()
}

fn write_results(path: &Path, run: &Run<'_>) -> io::Result<()> {
    let trace = run.trace;
    let results = Results {
        program: run.program,
        command: run.command,
        settings: run.settings,
        judgement: run.judgement,
        net: &trace.net,
        sent_bytes: &trace.sent_bytes,
        delivered_bytes: &trace.delivered_bytes,
        times: Times {
            main_from_us: trace.main_from_us,
            main_until_us: trace.main_until_us,
            healed_us: trace.healed_us,
            final_us: trace.final_us,
            end_us: trace.end_us,
            converged_us: trace.converged_us,
        },
        faults: &trace.faults,
        deaths: &trace.deaths,
        complaints_total: trace.complaints_total,
        complaints: &trace.complaints,
        diverged: &trace.diverged,
    };
    let mut file = BufWriter::new(File::create(path)?);
    serde_json::to_writer_pretty(&mut file, &results)?;
    writeln!(file)?;
    file.flush()
}

fn write_history(path: &Path, run: &Run<'_>) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for op in &run.history.ops {
        serde_json::to_writer(&mut file, op)?;
        writeln!(file)?;
    }
    file.flush()
}
