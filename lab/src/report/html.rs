//! The page of a run: one file that needs no other file. Every text from outside goes through `escape`.

use std::fmt::Write;
use std::io;

use super::limits::{Limit, Verdict, by_difference, limits};
use super::plot::{Sheet, theme};
use super::text::{NONE, bytes, count, cut, escape, ms, ms_or_none, percent, plural, ratio, seconds};
use super::timeline::{intervals, kind_name};
use super::{Run, facts};
use crate::judgement::{Finding, Quantiles, Validity};

const STYLE: &str = include_str!("report.css");

/// The number of findings that are shown at once. The others unfold.
const FIRST_FINDINGS: usize = 8;

/// The most rows of a list that may be long.
const MOST_ROWS: usize = 100;

/// The most characters of one text from outside.
const MOST_TEXT: usize = 2000;

/// The page with these plots.
pub(super) fn page(run: &Run<'_>, sheets: &[Sheet]) -> io::Result<String> {
    let mut out = String::new();
    let word = facts::word(run.judgement.validity);
    let title = format!("{word}: {}", facts::settings(run));
    out.push_str("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n");
    out.push_str("<link rel=\"icon\" href=\"data:,\"/>\n");
    let rules = theme::dark_rules();
    add(&mut out, format_args!("<title>{}</title>\n", escape(&title)));
    add(&mut out, format_args!("<style>\n{STYLE}@media (prefers-color-scheme: dark) {{ {rules} }}\n</style>\n"));
    out.push_str("</head>\n<body>\n<main>\n");
    verdict(&mut out, run);
    tiles(&mut out, run);
    limits_table(&mut out, run);
    plots(&mut out, sheets)?;
    operations(&mut out, run);
    values(&mut out, run);
    slowest(&mut out, run);
    faults(&mut out, run);
    misdeeds(&mut out, run);
    repeat(&mut out, run);
    out.push_str("</main>\n</body>\n</html>\n");
    Ok(out)
}

/// To write to a string cannot fail.
fn add(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

fn class(validity: Validity) -> &'static str {
    match validity {
        Validity::Valid => "good",
        Validity::Unknown => "unsure",
        Validity::Invalid => "bad",
    }
}

/// A text from outside, bounded and safe.
fn safe(text: &str) -> String {
    escape(&cut(text, MOST_TEXT))
}

fn verdict(out: &mut String, run: &Run<'_>) {
    let validity = run.judgement.validity;
    let (reason, others) = facts::reason(run);
    add(out, format_args!("<header class=\"verdict {}\">\n", class(validity)));
    add(out, format_args!("<h1>{}</h1>\n<p>{}</p>\n", facts::word(validity), safe(&reason)));
    add(out, format_args!("<p class=\"small\">{}</p>\n", escape(&facts::settings(run))));
    add(out, format_args!("<p class=\"small\"><code>{}</code></p>\n</header>\n", safe(run.program)));
    if others.is_empty() && run.trace.diverged.is_empty() {
        return;
    }
    let title = if validity == Validity::Invalid { "What else was found" } else { "What was found" };
    add(out, format_args!("<h2>{title}</h2>\n<div class=\"card\">\n"));
    let (first, rest) = others.split_at(others.len().min(FIRST_FINDINGS));
    findings(out, run, first);
    if !rest.is_empty() {
        add(out, format_args!("<details><summary>and {} more</summary>\n", count(rest.len())));
        findings(out, run, rest);
        out.push_str("</details>\n");
    }
    for line in run.trace.diverged.iter().take(MOST_ROWS) {
        add(out, format_args!("<p class=\"small\">In the end: {}</p>\n", safe(line)));
    }
    out.push_str("</div>\n");
}

fn findings(out: &mut String, run: &Run<'_>, findings: &[&Finding]) {
    if findings.is_empty() {
        return;
    }
    out.push_str("<ul class=\"findings\">\n");
    for finding in findings {
        let word = match finding.validity {
            _ if facts::ignored(run, finding) => "ignored",
            Validity::Valid => "remark",
            Validity::Unknown => "not judged",
            Validity::Invalid => "wrong",
        };
        let class = if facts::ignored(run, finding) { "" } else { class(finding.validity) };
        let name = escape(finding.checker);
        add(out, format_args!("<li><b class=\"{class}\">{name}, {word}:</b> {}</li>\n", safe(&finding.message)));
    }
    out.push_str("</ul>\n");
}

fn tile(out: &mut String, name: &str, figure: &str, meaning: &str) {
    let (name, figure, meaning) = (escape(name), escape(figure), escape(meaning));
    add(out, format_args!("<div class=\"tile\"><dt>{name}</dt><dd class=\"figure\">{figure}</dd>"));
    add(out, format_args!("<dd class=\"meaning\">{meaning}</dd></div>\n"));
}

fn tiles(out: &mut String, run: &Run<'_>) {
    let judgement = run.judgement;
    if judgement.invocations == 0 {
        return;
    }
    out.push_str("<dl class=\"tiles\">\n");
    let unknown: usize = judgement.operations.iter().map(|op| op.info).sum();
    let failed: usize = judgement.operations.iter().map(|op| op.fail).sum();
    let ended = format!("{} failed, {} with unknown outcome", count(failed), count(unknown));
    tile(out, "Operations", &count(judgement.invocations), &ended);
    if judgement.messages_per_op > 0.0 {
        let sent = format!(
            "{} between nodes, for each operation of a client",
            plural(run.trace.net.peer_sent as usize, "message")
        );
        tile(out, "Messages per operation", &ratio(judgement.messages_per_op), &sent);
        tile(out, "Bytes per operation", &bytes(judgement.bytes_per_op), "between nodes");
    }
    if judgement.set.is_none() {
        for op in &judgement.operations {
            tile_of(out, &format!("Latency of {}", op.kind), &op.latency, "until the client has its answer");
        }
    }
    if let Some(set) = &judgement.set {
        tile_of(out, "Stable latency", &set.stable_latency_ms, "until no read lacks a value, as Maelstrom sees it");
        tile_of(out, "True latency", &set.true_latency_ms, "until the last node has a value");
        let died = set.died_unsent.len() + set.died_undelivered.len();
        let apart = if died > 0 {
            format!("{} more died with a killed node", count(died))
        } else {
            "acknowledged, then missing".to_owned()
        };
        tile(out, "Lost values", &count(set.lost.len()), &apart);
    }
    if let Some(stale) = facts::stale_reads(run) {
        let share = percent(super::text::share(judgement.stale_reads, judgement.reads));
        let of = stale.split_once('(').map_or("", |(_, of)| of.trim_end_matches(')'));
        tile(out, "Stale reads", &share, &format!("{of} lacked something acknowledged before"));
    }
    if facts::silence(run).is_some() {
        let figure = judgement.last_message_ms.map_or_else(|| "at once".to_owned(), ms);
        tile(out, "Silent after", &figure, "last message between nodes after the load and all faults ended");
        let second = format!("of all messages; {} in its worst second", count(judgement.worst_second as usize));
        tile(out, "Busiest node", &percent(judgement.busiest_node_share), &second);
    }
    if let Some(converged) = judgement.converged_ms {
        tile(out, "All equal after", &ms(converged), "same state everywhere, counted from the last operation or heal");
    }
    if let Some(worst) = judgement.catch_up_ms.iter().copied().reduce(f64::max) {
        let heals = plural(judgement.catch_up_ms.len(), "heal");
        tile(
            out,
            "Slowest catch-up",
            &ms(worst),
            &format!("until everything known before was everywhere, over {heals}"),
        );
    }
    out.push_str("</dl>\n");
}

/// A tile with the median of a latency.
fn tile_of(out: &mut String, name: &str, q: &Quantiles, meaning: &str) {
    let figure = if q.count > 0 { ms(q.median) } else { NONE.to_owned() };
    let most = if q.count > 0 { format!("median, at most {}: ", ms(q.max)) } else { String::new() };
    tile(out, name, &figure, &format!("{most}{meaning}"));
}

/// A table; on a phone each row becomes a paragraph whose cells carry the name of their column. Columns whose name
/// begins with `#` are numbers.
fn table(out: &mut String, columns: &[&str], rows: &[Vec<String>]) {
    out.push_str("<div class=\"scroll\">\n<table>\n<thead><tr>");
    let number = |column: &str| column.starts_with('#');
    for column in columns {
        let class = if number(column) { " class=\"n\"" } else { "" };
        add(out, format_args!("<th{class}>{}</th>", escape(column.trim_start_matches('#'))));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for (column, cell) in columns.iter().zip(row) {
            let class = match cell {
                _ if number(column) => " class=\"n\"",
                cell if cell.chars().count() > 40 => " class=\"long\"",
                _ => "",
            };
            let name = escape(column.trim_start_matches('#'));
            add(out, format_args!("<td{class} data-name=\"{name}\">{}</td>", safe(cell)));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table>\n</div>\n");
}

fn limits_table(out: &mut String, run: &Run<'_>) {
    let limits = limits(run);
    if limits.is_empty() {
        return;
    }
    out.push_str("<h2>Limits</h2>\n<div class=\"card\">\n");
    let row = |limit: &Limit| {
        let sign = if limit.verdict == Verdict::Passed { '✓' } else { '✗' };
        vec![limit.name.to_owned(), format!("{sign} {}", limit.word()), limit.details().join(" · ")]
    };
    let held = limits.iter().filter(|limit| !limit.is_about_other_settings());
    let rows: Vec<_> = held.map(row).collect();
    if !rows.is_empty() {
        table(out, &["limit", "verdict", "why"], &rows);
    }
    for (why, names) in by_difference(&limits) {
        let names = names.join(", ");
        add(
            out,
            format_args!(
                "<p class=\"small\">Not comparable: {}, because settings differ: {}.</p>\n",
                escape(&names),
                escape(&why)
            ),
        );
    }
    out.push_str("</div>\n");
}

fn plots(out: &mut String, sheets: &[Sheet]) -> io::Result<()> {
    if sheets.is_empty() {
        return Ok(());
    }
    out.push_str("<h2>Plots</h2>\n");
    for sheet in sheets {
        let [wide, narrow] = sheet.inline()?;
        let (title, caption) = (escape(&sheet.title), escape(&sheet.caption));
        add(out, format_args!("<figure class=\"card\">\n<h3>{title}</h3>\n<figcaption>{caption}</figcaption>\n"));
        add(out, format_args!("{wide}\n{narrow}\n</figure>\n"));
    }
    Ok(())
}

fn operations(out: &mut String, run: &Run<'_>) {
    if run.judgement.operations.is_empty() {
        return;
    }
    out.push_str("<h2>Operations</h2>\n<div class=\"card\">\n");
    let row = |op: &crate::judgement::OpCount| {
        let mut row = vec![op.kind.clone(), count(op.ok), count(op.fail), count(op.info)];
        row.extend(quantiles(&op.latency));
        row
    };
    let rows: Vec<_> = run.judgement.operations.iter().map(row).collect();
    table(out, &["operation", "#ok", "#failed", "#unknown", "#min", "#median", "#95 %", "#99 %", "#max"], &rows);
    out.push_str("</div>\n");
}

fn quantiles(q: &Quantiles) -> Vec<String> {
    let text = |value| if q.count > 0 { ms(value) } else { NONE.to_owned() };
    [q.min, q.median, q.p95, q.p99, q.max].map(text).to_vec()
}

fn values(out: &mut String, run: &Run<'_>) {
    let Some(set) = &run.judgement.set else { return };
    out.push_str("<h2>Values</h2>\n<div class=\"card\">\n");
    let row = |name: &str, q: &Quantiles| {
        let mut row = vec![name.to_owned(), count(q.count)];
        row.extend(quantiles(q));
        row
    };
    let rows = [
        row("stable, as Maelstrom computes it", &set.stable_latency_ms),
        row("true, until the last node has it", &set.true_latency_ms),
    ];
    table(out, &["latency", "#values", "#min", "#median", "#95 %", "#99 %", "#max"], &rows);
    let mut parts = vec![format!("{} acknowledged of {}", count(set.acknowledged), count(set.attempted))];
    parts.extend(facts::values(set).into_iter().map(|(what, n)| format!("{} {what}", count(n))));
    add(out, format_args!("<p class=\"small\">{}.</p>\n", escape(&parts.join(", "))));
    let lists = [
        ("Lost", &set.lost),
        ("Never read", &set.never_read),
        ("Died with a killed node, unsent", &set.died_unsent),
        ("Died with a killed node, undelivered", &set.died_undelivered),
    ];
    for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        let mut text: Vec<String> = list.iter().take(MOST_ROWS).map(ToString::to_string).collect();
        if list.len() > MOST_ROWS {
            text.push(format!("… and {} more", count(list.len() - MOST_ROWS)));
        }
        add(out, format_args!("<p class=\"small\">{name}: {}</p>\n", text.join(", ")));
    }
    out.push_str("</div>\n");
}

fn slowest(out: &mut String, run: &Run<'_>) {
    if run.judgement.slowest.is_empty() {
        return;
    }
    out.push_str("<h2>Slowest values</h2>\n<div class=\"card\">\n");
    let row = |slow: &crate::judgement::Slow| {
        vec![
            slow.value.to_string(),
            format!("n{}", slow.node),
            seconds(slow.acknowledged_us),
            slow.latency_ms.map_or_else(|| "never seen there".to_owned(), |_| ms_or_none(slow.latency_ms)),
            format!("n{}", slow.last_node),
        ]
    };
    let rows: Vec<_> = run.judgement.slowest.iter().take(MOST_ROWS).map(row).collect();
    table(out, &["#value", "acknowledged by", "#at", "#last node after", "last node"], &rows);
    out.push_str("</div>\n");
}

fn faults(out: &mut String, run: &Run<'_>) {
    let all = intervals(run.trace);
    out.push_str("<h2>Faults</h2>\n<div class=\"card\">\n");
    add(out, format_args!("<p>{}</p>\n", escape(&facts::faults(run).join(" · "))));
    if let Some(dropped) = facts::dropped(run) {
        add(out, format_args!("<p class=\"small\">{}</p>\n", escape(&dropped)));
    }
    if !all.is_empty() {
        let row = |i: &super::timeline::Interval| {
            vec![
                seconds(i.from_us),
                seconds(i.until_us),
                seconds(i.until_us - i.from_us),
                kind_name(i.kind).to_owned(),
                cut(&i.label, 300),
            ]
        };
        let rows: Vec<_> = all.iter().take(MOST_ROWS).map(row).collect();
        table(out, &["#from", "#until", "#lasted", "fault", "what"], &rows);
        left_out(out, all.len());
    }
    if !run.trace.deaths.is_empty() {
        out.push_str("<h3>What died with killed nodes</h3>\n");
        let row = |death: &crate::trace::Death| {
            let (unsent, undelivered) = (count(death.unsent.len()), count(death.undelivered.len()));
            vec![seconds(death.at_us), format!("n{}", death.node), unsent, undelivered]
        };
        let rows: Vec<_> = run.trace.deaths.iter().take(MOST_ROWS).map(row).collect();
        table(out, &["#at", "node", "#acknowledged, unsent", "#sent, not delivered"], &rows);
    }
    out.push_str("</div>\n");
}

fn left_out(out: &mut String, rows: usize) {
    if rows > MOST_ROWS {
        add(out, format_args!("<p class=\"small\">… and {} more.</p>\n", count(rows - MOST_ROWS)));
    }
}

fn misdeeds(out: &mut String, run: &Run<'_>) {
    if run.trace.complaints_total == 0 {
        return;
    }
    out.push_str("<h2>What nodes did wrong</h2>\n<div class=\"card\">\n");
    let total = count(run.trace.complaints_total as usize);
    add(out, format_args!("<details><summary>{total} times; the first ones</summary>\n"));
    let row = |complaint: &crate::trace::Complaint| {
        let what = serde_json::to_value(complaint.what).ok();
        let what = what.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().replace('-', " ");
        vec![seconds(complaint.at_us), format!("n{}", complaint.node), what, cut(&complaint.detail, 400)]
    };
    let rows: Vec<_> = run.trace.complaints.iter().take(MOST_ROWS).map(row).collect();
    table(out, &["#at", "node", "what", "detail"], &rows);
    out.push_str("</details>\n</div>\n");
}

fn repeat(out: &mut String, run: &Run<'_>) {
    out.push_str("<h2>Repeat it</h2>\n<div class=\"card\">\n");
    add(out, format_args!("<pre><code>{}</code></pre>\n", safe(run.command)));
    let settings = serde_json::to_string_pretty(run.settings).unwrap_or_default();
    let lines: Vec<String> = settings.lines().map(escape).collect();
    out.push_str("<details><summary>all settings</summary>\n<pre><code>");
    out.push_str(&lines.join("\n"));
    out.push_str("</code></pre>\n</details>\n</div>\n");
    out.push_str(
        "<p class=\"small\">Figures and operations are also in results.json and history.jsonl beside this page.</p>\n",
    );
}
