//! Runs of several programs side by side.

use comfy_table::{Attribute, Cell, CellAlignment, Color, LineStyle, presets};

use super::screen::plain_table;
use super::text::{NONE, bytes, count, ms, ms_or_none, percent, printable, ratio, share, wrap};
use super::{Run, facts};
use crate::judgement::Validity;

/// A line of the comparison: a text for each run, and a figure for each run if less of it is better.
struct Line {
    name: &'static str,
    texts: Vec<String>,
    figures: Vec<Option<f64>>,
}

/// Two or more runs side by side, one column each, at most `width` characters wide. With `colour` the best figure of
/// each line is green.
#[must_use]
pub fn compare(runs: &[Run<'_>], width: u16, colour: bool) -> String {
    if runs.is_empty() {
        return String::new();
    }
    let width = width.max(40);
    let mut table = plain_table(width, colour);
    table.load_style(presets::NOTHING.header_separator(LineStyle::new('─', '─', '─', '─')));
    let room = (usize::from(width).saturating_sub(24) / runs.len()).max(8);
    let mut header = vec![Cell::new("")];
    for run in runs {
        header.push(
            Cell::new(two_lines(&printable(run.program), room - 2))
                .add_attribute(Attribute::Bold)
                .set_alignment(CellAlignment::Right),
        );
    }
    table.set_header(header);
    let (common, own) = settings(runs);
    if own.iter().any(|parts| !parts.is_empty()) {
        let cell = |parts: &Vec<String>| Cell::new(parts.join(", ")).set_alignment(CellAlignment::Right);
        table.add_row([Cell::new("settings")].into_iter().chain(own.iter().map(cell)));
    }
    table.add_row(validity(runs));
    for line in lines(runs) {
        if line.texts.iter().all(|text| text == NONE) {
            continue;
        }
        let best = line.figures.iter().flatten().copied().reduce(f64::min);
        let several = line.figures.iter().flatten().any(|figure| Some(*figure) != best);
        let mut row = vec![Cell::new(line.name)];
        for (text, figure) in line.texts.iter().zip(&line.figures) {
            let cell = Cell::new(text).set_alignment(CellAlignment::Right);
            row.push(if several && figure.is_some() && *figure == best { cell.fg(Color::Green) } else { cell });
        }
        table.add_row(row);
    }
    let mut text: String = table.lines().map(|line| line.trim_end().to_owned() + "\n").collect();
    for line in wrap(&common.join(" · "), usize::from(width)) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn validity(runs: &[Run<'_>]) -> Vec<Cell> {
    let mut row = vec![Cell::new("verdict")];
    for run in runs {
        let colour = match run.judgement.validity {
            Validity::Valid => Color::Green,
            Validity::Unknown => Color::Yellow,
            Validity::Invalid => Color::Red,
        };
        let cell = Cell::new(facts::word(run.judgement.validity)).fg(colour).add_attribute(Attribute::Bold);
        row.push(cell.set_alignment(CellAlignment::Right));
    }
    row
}

/// The parts of the settings that all runs share, and for each run its other parts.
fn settings(runs: &[Run<'_>]) -> (Vec<String>, Vec<Vec<String>>) {
    let parts = |run: &Run<'_>| -> Vec<String> { facts::settings(run).split(" · ").map(str::to_owned).collect() };
    let mut each: Vec<Vec<String>> = runs.iter().map(parts).collect();
    let mut common = each.first().cloned().unwrap_or_default();
    common.retain(|part| each.iter().all(|parts| parts.contains(part)));
    for parts in &mut each {
        parts.retain(|part| !common.contains(part));
    }
    (common, each)
}

fn lines(runs: &[Run<'_>]) -> Vec<Line> {
    let line = |name, value: &dyn Fn(&Run<'_>) -> Option<f64>, text: &dyn Fn(f64) -> String| {
        let figures: Vec<Option<f64>> = runs.iter().map(value).collect();
        let texts = figures.iter().map(|figure| figure.map_or_else(|| NONE.to_owned(), text)).collect();
        Line { name, texts, figures }
    };
    let talks = |run: &Run<'_>| run.judgement.messages_per_op > 0.0;
    let stable = |run: &Run<'_>| run.judgement.set.as_ref().map(|set| set.stable_latency_ms).filter(|q| q.count > 0);
    let real = |run: &Run<'_>| run.judgement.set.as_ref().map(|set| set.true_latency_ms).filter(|q| q.count > 0);
    let whole = |value: f64| count(value as usize);
    let mut lines = vec![
        line("findings", &|run| Some(run.judgement.findings.len() as f64), &whole),
        line("lost values", &|run| run.judgement.set.as_ref().map(|set| set.lost.len() as f64), &whole),
        line("messages/op", &|run| Some(run.judgement.messages_per_op), &ratio),
        line("bytes/op", &|run| Some(run.judgement.bytes_per_op), &bytes),
        line("stable, median", &|run| stable(run).map(|q| q.median), &ms),
        line("stable, max", &|run| stable(run).map(|q| q.max), &ms),
        line("true, median", &|run| real(run).map(|q| q.median), &ms),
        line("true, max", &|run| real(run).map(|q| q.max), &ms),
    ];
    let stale =
        |run: &Run<'_>| (run.judgement.reads > 0).then(|| share(run.judgement.stale_reads, run.judgement.reads));
    lines.extend([
        line("stale reads", &stale, &percent),
        line("busiest node sent", &|run| talks(run).then_some(run.judgement.busiest_node_share), &percent),
        line("slowest catch-up", &|run| run.judgement.catch_up_ms.iter().copied().reduce(f64::max), &ms),
        line("all equal after", &|run| run.judgement.converged_ms, &ms),
        silence(runs),
    ]);
    lines
}

fn silence(runs: &[Run<'_>]) -> Line {
    let figure =
        |run: &Run<'_>| (run.judgement.messages_per_op > 0.0).then(|| run.judgement.last_message_ms.unwrap_or(0.0));
    let figures: Vec<Option<f64>> = runs.iter().map(figure).collect();
    Line { name: "silent after", texts: figures.iter().map(|figure| ms_or_none(*figure)).collect(), figures }
}

/// A path on at most two lines: its folder, cut at the front, and its name. The end of a path says more than its
/// beginning.
fn two_lines(path: &str, width: usize) -> String {
    if path.chars().count() <= width {
        return path.to_owned();
    }
    match path.rsplit_once('/') {
        Some((folder, name)) => format!("{}/\n{}", end(folder, width - 1), end(name, width)),
        None => end(path, width),
    }
}

/// The last characters of a text.
fn end(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    std::iter::once('…').chain(text.chars().skip(length + 1 - most)).collect()
}
