//! The screen at the end of a run: everything that matters in about 40 lines.

use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Table, presets};

use super::limits::{Limit, Verdict, by_difference, limits};
use super::text::{bytes, count, cut, ms, pack, percent, printable, ratio, wrap};
use super::{Run, facts};
use crate::judgement::{Finding, Quantiles, Validity};

/// The most findings below the verdict.
const MOST_FINDINGS: usize = 5;

/// The most slow values that are listed.
const MOST_SLOW: usize = 4;

/// The width of the names at the left.
const NAMES: usize = 11;

/// The screen at the end of a run, at most `width` characters wide; with colours when `colour`.
///
/// It is meant for 60 columns and more. Narrower screens get 40.
#[must_use]
pub fn screen(run: &Run<'_>, width: u16, colour: bool) -> String {
    let mut page = Page { width: usize::from(width.max(40)), colour, lines: Vec::new() };
    verdict(&mut page, run);
    operations(&mut page, run);
    values(&mut page, run);
    network(&mut page, run);
    against_limits(&mut page, run);
    faults(&mut page, run);
    let slow: Vec<String> = run.judgement.slowest.iter().take(MOST_SLOW).map(facts::slow).collect();
    page.list("slowest", &slow);
    page.lines.join("\n") + "\n"
}

/// Colours that every terminal has.
#[derive(Clone, Copy)]
pub(super) enum Paint {
    Plain,
    Bold,
    Dim,
    Good,
    Bad,
    Unsure,
}

impl Paint {
    pub(super) fn of(validity: Validity) -> Self {
        match validity {
            Validity::Valid => Self::Good,
            Validity::Unknown => Self::Unsure,
            Validity::Invalid => Self::Bad,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Good => "1;32",
            Self::Bad => "1;31",
            Self::Unsure => "1;33",
        }
    }
}

/// Lines so far.
struct Page {
    width: usize,
    colour: bool,
    lines: Vec<String>,
}

impl Page {
    fn paint(&self, text: &str, paint: Paint) -> String {
        match paint {
            Paint::Plain => text.to_owned(),
            _ if self.colour && !text.is_empty() => format!("\x1b[{}m{text}\x1b[0m", paint.code()),
            _ => text.to_owned(),
        }
    }

    /// A paragraph with a name at its left. If it has more lines than this, it is cut and gets a mark.
    fn entry(&mut self, name: &str, paint: Paint, text: &str, most: usize) {
        let indent = NAMES.max(name.chars().count() + 1);
        let mut lines = wrap(text, self.width - indent);
        if lines.len() > most {
            lines.truncate(most);
            if let Some(last) = lines.last_mut() {
                *last = cut(&format!("{last} …"), self.width - indent);
            }
        }
        for (i, line) in lines.iter().enumerate() {
            let left = if i == 0 { name } else { "" };
            let gap = " ".repeat(indent - left.chars().count());
            self.lines.push(format!("{}{gap}{line}", self.paint(left, paint)));
        }
    }

    /// Parts after a name, in as few lines as possible.
    fn list(&mut self, name: &str, parts: &[String]) {
        let lines = pack(parts, self.width - NAMES);
        for (i, line) in lines.iter().enumerate() {
            self.entry(if i == 0 { name } else { "" }, Paint::Bold, line, 1);
        }
    }

    fn gap(&mut self) {
        self.lines.push(String::new());
    }

    /// A table without lines.
    fn table(&mut self, header: &[&str], rows: Vec<Vec<Cell>>) {
        let mut table = plain_table(self.width as u16, self.colour);
        let title = |(i, text): (usize, &&str)| {
            let cell = Cell::new(text).add_attribute(comfy_table::Attribute::Bold);
            if i == 0 { cell } else { cell.set_alignment(CellAlignment::Right) }
        };
        table.set_header(header.iter().enumerate().map(title).collect::<Vec<_>>());
        for row in rows {
            table.add_row(row);
        }
        if let Some(first) = table.column_mut(0) {
            first.set_padding((0, 1));
        }
        self.lines.extend(table.lines().map(|line| line.trim_end().to_owned()));
    }
}

/// A table that is as wide as its content, and never wider than asked.
pub(super) fn plain_table(width: u16, colour: bool) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    table.force_no_tty();
    if colour {
        table.enforce_styling();
    }
    table
}

fn right(text: impl ToString) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

/// A count that should be 0.
fn wrong(n: usize) -> Cell {
    let cell = right(count(n));
    if n > 0 { cell.fg(Color::Yellow) } else { cell }
}

fn verdict(page: &mut Page, run: &Run<'_>) {
    let validity = run.judgement.validity;
    let (reason, others) = facts::reason(run);
    page.entry(facts::word(validity), Paint::of(validity), &reason, 3);
    page.entry("", Paint::Plain, &printable(&facts::settings(run)), 2);
    page.entry("", Paint::Plain, &printable(run.program), 1);
    let shown: Vec<_> = others.iter().take(MOST_FINDINGS).map(|finding| (mark(run, finding), finding)).collect();
    let names = shown.iter().map(|((sign, _), finding)| format!("{sign} {}", finding.checker));
    let names: Vec<String> = names.collect();
    let widest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(NAMES - 1);
    for (((_, paint), finding), name) in shown.into_iter().zip(names) {
        page.entry(&format!("{name:<widest$}"), paint, &printable(&finding.message), 2);
    }
    if others.len() > MOST_FINDINGS {
        page.entry("", Paint::Plain, &format!("… and {} more, see report", others.len() - MOST_FINDINGS), 1);
    }
    if run.trace.complaints_total > 0 {
        let text = format!("{} times nodes broke the protocol", count(run.trace.complaints_total as usize));
        page.entry("protocol", Paint::Bold, &text, 1);
    }
}

/// A sign for how bad a finding is.
fn mark(run: &Run<'_>, finding: &Finding) -> (&'static str, Paint) {
    match finding.validity {
        _ if facts::ignored(run, finding) => ("(ignored)", Paint::Dim),
        Validity::Valid => ("·", Paint::Dim),
        Validity::Unknown => ("?", Paint::Unsure),
        Validity::Invalid => ("✗", Paint::Bad),
    }
}

fn operations(page: &mut Page, run: &Run<'_>) {
    let judgement = run.judgement;
    if judgement.operations.is_empty() {
        return;
    }
    page.gap();
    let row = |op: &crate::judgement::OpCount| {
        let latency = |value| if op.latency.count > 0 { right(ms(value)) } else { right("–") };
        vec![
            Cell::new(printable(&op.kind)),
            right(count(op.ok)),
            wrong(op.fail),
            wrong(op.info),
            latency(op.latency.median),
            latency(op.latency.p99),
            latency(op.latency.max),
        ]
    };
    let header = ["operation", "ok", "fail", "unknown", "median", "p99", "max"];
    page.table(&header, judgement.operations.iter().map(row).collect());
}

fn values(page: &mut Page, run: &Run<'_>) {
    let Some(set) = &run.judgement.set else { return };
    page.gap();
    let row = |name: &str, q: &Quantiles| {
        let cell = |value| if q.count > 0 { right(ms(value)) } else { right("–") };
        vec![Cell::new(name), cell(q.median), cell(q.p95), cell(q.p99), cell(q.max)]
    };
    let rows = vec![row("stable (Maelstrom)", &set.stable_latency_ms), row("true (last node)", &set.true_latency_ms)];
    page.table(&["latency of values", "0.5", "0.95", "0.99", "1"], rows);
    let mut parts = vec![format!("{} acknowledged of {}", count(set.acknowledged), count(set.attempted))];
    let named = facts::values(set).into_iter().filter(|(what, n)| *n > 0 || matches!(*what, "lost" | "never read"));
    parts.extend(named.map(|(what, n)| format!("{} {what}", count(n))));
    page.list("values", &parts);
}

fn network(page: &mut Page, run: &Run<'_>) {
    let judgement = run.judgement;
    if judgement.invocations == 0 {
        return;
    }
    page.gap();
    let mut parts = vec![
        format!("{} messages/op", ratio(judgement.messages_per_op)),
        format!("{}/op", bytes(judgement.bytes_per_op)),
    ];
    if judgement.messages_per_op > 0.0 {
        parts.push(format!("busiest node sent {}", percent(judgement.busiest_node_share)));
        parts.push(format!("worst second of a node {}", count(judgement.worst_second as usize)));
        parts.push(format!("to one peer {}", count(judgement.worst_link_second as usize)));
    }
    page.list("network", &parts);
    if let Some(stale) = facts::stale_reads(run) {
        page.list("reads", &[format!("{stale} were stale")]);
    }
    let mut after: Vec<String> = facts::silence(run).into_iter().collect();
    after.extend(judgement.converged_ms.map(|latency| format!("all equal after {}", ms(latency))));
    after.extend(facts::catch_up(run).map(|text| format!("caught up: {text}")));
    page.list("afterwards", &after);
}

fn against_limits(page: &mut Page, run: &Run<'_>) {
    let limits = limits(run);
    if limits.is_empty() {
        return;
    }
    page.gap();
    let held: Vec<&Limit> = limits.iter().filter(|limit| !limit.is_about_other_settings()).collect();
    let name_width = held.iter().map(|limit| limit.name.chars().count()).max().unwrap_or(0) + 1;
    for limit in held {
        let paint = if limit.verdict == Verdict::Passed { Paint::Good } else { Paint::Bad };
        let word = format!("{:<11}", limit.word());
        let room = page.width.saturating_sub(name_width + 11);
        for (i, line) in pack(&limit.details(), room).iter().enumerate() {
            let (name, word) = if i == 0 { (limit.name, word.as_str()) } else { ("", "           ") };
            page.lines.push(format!("{name:<name_width$}{}{line}", page.paint(word, paint)));
        }
    }
    // The report says which settings each limit is for.
    let others = by_difference(&limits);
    let names: Vec<&str> =
        others.iter().flat_map(|(_, names)| names).map(|name| name.trim_start_matches("target: ")).collect();
    if !names.is_empty() {
        page.entry("limits", Paint::Bold, &format!("not for these settings: {}", names.join(", ")), 2);
    }
}

fn faults(page: &mut Page, run: &Run<'_>) {
    if run.judgement.invocations == 0 && run.trace.faults.is_empty() {
        return;
    }
    page.gap();
    let mut parts = facts::faults(run);
    parts.extend(facts::dropped(run));
    page.list("faults", &parts);
}
