//! What a person sees: one screen, a folder of results, plots, one HTML page.

use std::io;
use std::path::Path;

use crate::history::History;
use crate::judgement::Judgement;
use crate::settings::Settings;
use crate::trace::Trace;

/// A run to report.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// What it was.
    pub settings: &'a Settings,
    /// The program under test, as given on the command line.
    pub program: &'a str,
    /// The whole command that repeats it.
    pub command: &'a str,
    /// What clients did and saw.
    pub history: &'a History,
    /// What else was seen.
    pub trace: &'a Trace,
    /// The result.
    pub judgement: &'a Judgement,
}

/// The screen at the end of a run, at most `width` characters wide; with colours when `colour`.
#[must_use]
pub fn screen(_run: &Run<'_>, _width: u16, _colour: bool) -> String {
    String::new()
}

/// Two or more runs side by side.
#[must_use]
pub fn compare(_runs: &[Run<'_>], _width: u16, _colour: bool) -> String {
    String::new()
}

/// Writes `results.json`, `history.jsonl`, the plots and `report.html` into a folder that exists.
///
/// # Errors
/// A file cannot be written; those before it stay.
pub fn write_folder(_folder: &Path, _run: &Run<'_>) -> io::Result<()> {
    Ok(())
}
