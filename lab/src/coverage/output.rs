//! The result on screen, as CSV and JSON, and as a page. The same measurement gives the same bytes.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;

use super::{Group, Spreading, plots, theory};
use crate::report::page::{Page, table as html_table};
use crate::report::text::{NONE, count, escape, plural, ratio, wrap};
use crate::sweep::Spread;

/// The parts of the final share for which rounds are reported.
const PARTS: [f64; 3] = [0.5, 0.9, 0.99];

const COLUMNS: [&str; 8] = [
    "nodes",
    "K",
    "push alone\n%",
    "theory\n%",
    "rounds to\n50/90/99 %",
    "log2 n",
    "msgs/node: push/\nall/silent",
    "s: all/\nworst/silent",
];

const LEGEND: &str = "push alone: share of the nodes that pushes bring the value to, mean and range of the runs (> where \
     they still went on when anti-entropy begins); theory: the solution of p = 1 − e^(−Kp), give or take one standard \
     deviation of a run. rounds: until that part of what push reaches was reached; a round is one delay. msgs/node: \
     messages of push alone; with anti-entropy until the last node had the value; until all were silent. all: until the \
     last node had it, with anti-entropy, mean; worst run; until the last message, worst run. At K = 1 theory knows a \
     chain that ends where it meets itself (in brackets); this node's messages carry who has the value, so that its \
     chain goes on.";

/// A line of the table.
fn row(group: &Group) -> Vec<String> {
    let nodes = group.nodes as f64;
    let show = |spread: Option<Spread>, digits: usize| {
        spread.map_or_else(|| NONE.to_owned(), |spread| format!("{:.digits$}", spread.mean))
    };
    let cut = if group.runs.iter().any(|run| run.push_cut_short) { "> " } else { "" };
    let share = group.spread(|run| Some(100.0 * run.share()));
    let share = share.map_or_else(|| NONE.to_owned(), |s| format!("{cut}{:.1} ({:.1}–{:.1})", s.mean, s.min, s.max));
    let rounds = PARTS.map(|part| {
        let rounds = group.spread(|run| Some(run.rounds_until(part) as f64));
        show(rounds, usize::from(rounds.is_some_and(|rounds| rounds.mean < 100.0)))
    });
    let per_node = |figure: fn(&Spreading) -> u64| {
        let spread = group.spread(|run| Some(figure(run) as f64 / nodes));
        spread.map_or_else(|| NONE.to_owned(), |spread| ratio(spread.mean))
    };
    let messages = [
        per_node(|run| run.push_messages),
        per_node(|run| run.messages_until_all),
        per_node(|run| run.messages_until_silent),
    ];
    let seconds = |us: Option<u64>| us.map(|us| us as f64 / 1e6);
    let all = group.spread(|run| seconds(run.all_us()));
    let silent =
        group.spread(|run| seconds(run.silent_us)).map_or_else(|| NONE.to_owned(), |s| format!("{:.0}", s.max));
    vec![
        count(group.nodes),
        group.fanout.to_string(),
        share,
        expected(group),
        rounds.join("/"),
        format!("{:.1}", nodes.log2()),
        messages.join("/"),
        all.map_or_else(|| "never".to_owned(), |s| format!("{:.1}/{:.1}/{silent}", s.mean, s.max)),
    ]
}

/// The expectation of the theory: a share or, for K = 1, a chain that ends early.
fn expected(group: &Group) -> String {
    let fanout = f64::from(group.fanout);
    if group.fanout > 1 {
        let deviation = theory::deviation(fanout, group.nodes);
        format!("{:.1} ± {:.1}", 100.0 * theory::final_share(fanout), 100.0 * deviation)
    } else {
        format!("0 ({:.1})", 100.0 * theory::chain(group.nodes) / group.nodes as f64)
    }
}

/// The table, at this width.
#[must_use]
pub fn screen(groups: &[Group], width: u16) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(COLUMNS);
    for group in groups {
        table.add_row(row(group).into_iter().map(|text| Cell::new(text).set_alignment(CellAlignment::Right)));
    }
    format!(
        "{table}\n{}\n\n{}\n",
        wrap(LEGEND, usize::from(width)).join("\n"),
        wrap(&verdict(groups), usize::from(width)).join("\n")
    )
}

/// Whether measurement and theory agree, and anti-entropy brought every value to every node.
#[must_use]
pub fn is_as_expected(groups: &[Group]) -> bool {
    let is_near = |group: &Group| {
        let (fanout, share) = (f64::from(group.fanout), group.spread(|run| Some(run.share())));
        let off = share.map_or(0.0, |share| (share.mean - theory::final_share(fanout)).abs());
        group.fanout <= 1 || off <= theory::tolerance(fanout, group.nodes, group.runs.len())
    };
    groups.iter().all(|group| is_near(group) && group.runs.iter().all(|run| run.all_us().is_some()))
}

/// Whether measurement and theory agree, in a sentence.
fn verdict(groups: &[Group]) -> String {
    if groups.iter().flat_map(|group| &group.runs).any(|run| run.all_us().is_none()) {
        return "Some values never reached all nodes, anti-entropy or not: see the table.".to_owned();
    }
    let mut outside = Vec::new();
    let (mut held, mut largest) = (0, 0.0f64);
    for group in groups.iter().filter(|group| group.fanout > 1) {
        let fanout = f64::from(group.fanout);
        let Some(share) = group.spread(|run| Some(run.share())) else { continue };
        let off = (share.mean - theory::final_share(fanout)).abs();
        let tolerance = theory::tolerance(fanout, group.nodes, group.runs.len());
        largest = largest.max(off);
        held += 1;
        if off > tolerance {
            outside.push(format!("n = {}, K = {} by {:.2} %", group.nodes, group.fanout, 100.0 * off));
        }
    }
    if held == 0 {
        return "No fanout above 1: theory gives no share to compare with.".to_owned();
    }
    if outside.is_empty() {
        return format!(
            "Measured shares agree with p = 1 − e^(−Kp): the largest difference of a mean is {:.2} percentage points, \
             which chance and the size of the clusters explain.",
            100.0 * largest
        );
    }
    format!(
        "Measured shares lie further from p = 1 − e^(−Kp) than chance and their size explain: {}.",
        outside.join(", ")
    )
}

/// One line for each size and fanout.
#[must_use]
pub fn csv(groups: &[Group]) -> String {
    let mut out = "nodes,fanout,runs,share_mean,share_min,share_max,share_theory,rounds_50,rounds_90,rounds_99,log2_nodes,\
                   push_messages_per_node,messages_per_node_until_all,messages_per_node_until_silent,all_s_mean,all_s_max,\
                   silent_s_max\n"
        .to_owned();
    for group in groups {
        let nodes = group.nodes as f64;
        let mean = |spread: Option<Spread>| spread.map_or_else(String::new, |spread| spread.mean.to_string());
        let share = group.spread(|run| Some(run.share())).unwrap_or(Spread { mean: 0.0, min: 0.0, max: 0.0 });
        let theory = theory::final_share(f64::from(group.fanout));
        // To write to a string cannot fail.
        let _ = write!(
            out,
            "{},{},{},{},{},{},{theory}",
            group.nodes,
            group.fanout,
            group.runs.len(),
            share.mean,
            share.min,
            share.max
        );
        for part in PARTS {
            let _ = write!(out, ",{}", mean(group.spread(|run| Some(run.rounds_until(part) as f64))));
        }
        let all = group.spread(|run| run.all_us().map(|us| us as f64 / 1e6));
        let silent = group.spread(|run| run.silent_us.map(|us| us as f64 / 1e6));
        let worst = |spread: Option<Spread>| spread.map_or_else(String::new, |spread| spread.max.to_string());
        let _ = writeln!(
            out,
            ",{},{},{},{},{},{},{}",
            nodes.log2(),
            mean(group.spread(|run| Some(run.push_messages as f64 / nodes))),
            mean(group.spread(|run| Some(run.messages_until_all as f64 / nodes))),
            mean(group.spread(|run| Some(run.messages_until_silent as f64 / nodes))),
            mean(all),
            worst(all),
            worst(silent),
        );
    }
    out
}

#[derive(Serialize)]
struct Document<'a> {
    command: &'a str,
    groups: &'a [Group],
}

/// Everything, as one JSON document.
///
/// # Errors
/// No input causes one.
pub fn json(groups: &[Group], command: &str) -> io::Result<String> {
    Ok(serde_json::to_string(&Document { command, groups })? + "\n")
}

/// Writes `coverage.csv`, `coverage.json`, the plots and `coverage.html` into a folder that exists.
///
/// # Errors
/// A file cannot be written. The files before it stay.
pub fn write_folder(folder: &Path, groups: &[Group], command: &str) -> io::Result<()> {
    std::fs::write(folder.join("coverage.csv"), csv(groups))?;
    std::fs::write(folder.join("coverage.json"), json(groups, command)?)?;
    let sheets = plots::sheets(groups);
    for sheet in &sheets {
        std::fs::write(folder.join(format!("{}.svg", sheet.name)), sheet.standalone()?)?;
    }
    let runs: usize = groups.iter().map(|group| group.runs.len()).sum();
    let mut page = Page::new("How a value spreads through a large cluster");
    page.html(&format!(
        "<header class=\"verdict {}\">\n<h1>How a value spreads through a large cluster</h1>\n<p>{}</p>\n<p class=\"small\">{}, \
         simulated.</p>\n</header>\n<h2>Plots</h2>\n",
        if is_as_expected(groups) { "good" } else { "bad" },
        escape(&verdict(groups)),
        plural(runs, "value"),
    ));
    page.figures(&sheets)?;
    let rows: Vec<Vec<String>> = groups.iter().map(row).collect();
    let columns = COLUMNS.map(|name| format!("#{name}"));
    page.html("<h2>Figures</h2>\n<div class=\"card\">\n");
    page.html(&html_table(&columns.iter().map(String::as_str).collect::<Vec<_>>(), &rows));
    page.html(&format!("<p class=\"small\">{LEGEND}</p>\n</div>\n<h2>Repeat it</h2>\n<div class=\"card\">\n"));
    page.html(&format!("<pre><code>{}</code></pre>\n</div>\n", escape(command)));
    std::fs::write(folder.join("coverage.html"), page.end())
}
