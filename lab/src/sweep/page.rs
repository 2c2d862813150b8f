//! The page of a sweep: one file that needs nothing else.

use std::io;

use super::{Condition, Sweep, spots, table};
use crate::report::page::{Page, table as html_table};
use crate::report::plot::Sheet;
use crate::report::text::{escape, plural};

/// The page with these plots.
pub(super) fn page(sweep: &Sweep, sheets: &[Sheet]) -> io::Result<String> {
    let s = &sweep.settings;
    let setting = format!(
        "{} on {}, {} operations per second for {} s, {} ms between nodes; {} of each setting",
        s.workload.name(),
        plural(s.nodes, "node"),
        s.rate,
        s.time_limit_us as f64 / 1e6,
        s.latency_us as f64 / 1e3,
        plural(usize::try_from(sweep.seeds).unwrap_or(usize::MAX), "run"),
    );
    let mut page = Page::new("Which setting costs what");
    let mark = if sweep.points.iter().all(|point| point.valid == point.runs) { "good" } else { "bad" };
    let runs: usize = sweep.points.iter().map(|point| point.runs).sum();
    let valid: usize = sweep.points.iter().map(|point| point.valid).sum();
    page.html(&format!(
        "<header class=\"verdict {mark}\">\n<h1>Which setting costs what</h1>\n<p>{}</p>\n<p class=\"small\">{valid} of {} simulated runs are valid.</p>\n</header>\n",
        escape(&setting),
        plural(runs, "run").trim_end_matches(" runs").trim_end_matches(" run"),
    ));
    page.html("<h2>Sweet spots</h2>\n<div class=\"card\">\n");
    let row = |spot: &super::Spot| {
        let name = spot.point.map_or_else(|| "–".to_owned(), |at| table::name(sweep, &sweep.points[at]));
        vec![spot.question.clone(), name, spot.answer.clone()]
    };
    let rows: Vec<_> = spots(sweep).iter().map(row).collect();
    page.html(&html_table(&["question", "setting", "figures"], &rows));
    page.html("</div>\n<h2>Plots</h2>\n");
    page.figures(sheets)?;
    for condition in [Condition::Calm, Condition::Partition] {
        let columns = table::columns(sweep, condition);
        let rows: Vec<Vec<String>> = sweep
            .of(condition)
            .map(|(_, point)| columns.iter().map(|(_, show)| show(point)).chain([table::marks(sweep, point)]).collect())
            .collect();
        if rows.is_empty() {
            continue;
        }
        let names: Vec<String> = columns
            .iter()
            .map(|(name, _)| format!("#{}", name.replace("-\n", "")))
            .chain(["best".to_owned()])
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        page.html(&format!("<h2>{}</h2>\n<div class=\"card\">\n", escape(&table::title(sweep, condition))));
        page.html(&html_table(&names, &rows));
        page.html(&format!("<p class=\"small\">{}</p>\n</div>\n", table::LEGEND));
    }
    page.html(&format!(
        "<h2>Repeat it</h2>\n<div class=\"card\">\n<pre><code>{}</code></pre>\n</div>\n<p class=\"small\">The figures of \
         this page are in sweep.csv and sweep.json beside it.</p>\n",
        escape(&sweep.command)
    ));
    Ok(page.end())
}
