//! What a person can rely on in everything that is shown.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::plot::{Axis, Colour, Layer, Mark, Moment, Panel, Sheet};
use super::testing::{self, Sample, assert_well_formed};
use super::{compare, plot, screen, write_folder, write_messages};
use crate::judgement::Validity;
use crate::settings::Settings;
use crate::trace::{FaultChange, FaultEvent};

/// A folder that goes away with its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rumormill-lab-report-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn samples() -> Vec<(&'static str, Sample)> {
    vec![
        ("quiet", testing::quiet_run()),
        ("faulty", testing::faulty_run()),
        ("invalid", testing::invalid_run()),
        ("counter", testing::counter_run()),
        ("echo", testing::echo_run()),
        ("empty", testing::empty_run()),
    ]
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|e| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap())).collect()
}

fn written(name: &str, sample: &Sample) -> BTreeMap<String, Vec<u8>> {
    let folder = Folder::new(name);
    write_folder(&folder.0, &sample.run()).unwrap();
    files(&folder.0)
}

fn page(name: &str, sample: &Sample) -> String {
    String::from_utf8(written(name, sample).remove("report.html").unwrap()).unwrap()
}

#[test]
fn the_first_line_is_the_verdict_with_its_reason() {
    let first = |sample: &Sample| screen(&sample.run(), 200, false).lines().next().unwrap().to_owned();
    assert!(
        first(&testing::quiet_run()).starts_with("VALID      everything that was checked holds (protocol, set-full,")
    );
    assert!(first(&testing::invalid_run()).starts_with("INVALID    3 values were lost: 17 (acknowledged by n3"));
    assert!(first(&testing::empty_run()).starts_with("COULD NOT JUDGE No operation was invoked"));
}

#[test]
fn the_screen_says_how_many_findings_it_leaves_out() {
    assert!(screen(&testing::invalid_run().run(), 100, false).contains("… and 24 more, see report"));
}

#[test]
fn a_finding_that_is_ignored_is_shown_and_does_not_give_the_reason() {
    let mut sample = testing::invalid_run();
    sample.settings.ignore = vec!["set-full".to_owned()];
    let text = screen(&sample.run(), 300, false);
    assert!(text.starts_with("INVALID    n1 ended with other values"), "{text}");
    sample.judgement.validity = Validity::Valid;
    let text = screen(&sample.run(), 300, false);
    assert!(text.starts_with("VALID      everything that was checked holds, but for 4 ignored findings"), "{text}");
}

#[test]
fn the_screen_has_the_figures() {
    let text = screen(&testing::faulty_run().run(), 100, false);
    for part in ["3.00 messages/op", "busiest node sent 52.0 %", "3 partitions (11.50 s)", "1 kill (1.80 s)", "0 lost"]
    {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert!(text.contains("caught up: median 771 ms, worst 1,340 ms after 3 heals"), "{text}");
}

#[test]
fn no_line_is_wider_than_asked_and_a_screen_fits() {
    for (name, sample) in samples() {
        for width in [60, 80, 100, 140] {
            let text = screen(&sample.run(), width, false);
            let side = compare(&[sample.run(), sample.run()], width, false);
            for line in text.lines().chain(side.lines()) {
                assert!(line.chars().count() <= usize::from(width), "{name} at {width}: {line}");
            }
            assert!(width < 100 || text.lines().count() <= 42, "{name}: {} lines", text.lines().count());
        }
    }
}

#[test]
fn colours_are_there_only_when_asked_for_and_nodes_cannot_send_any() {
    let sample = testing::invalid_run();
    assert!(!screen(&sample.run(), 100, false).contains('\x1b'));
    let colourful = screen(&sample.run(), 100, true);
    assert!(colourful.starts_with("\x1b[1;31mINVALID\x1b[0m"));
    assert!(!colourful.contains("\x1b[31m\\\"nowhere"));
}

#[test]
fn programs_are_compared_column_by_column() {
    let (quiet, faulty) = (testing::quiet_run(), testing::faulty_run());
    let text = compare(&[quiet.run(), faulty.run()], 100, false);
    let line = |name: &str| text.lines().find(|line| line.trim_start().starts_with(name)).unwrap().to_owned();
    assert_eq!(line("messages/op").split_whitespace().collect::<Vec<_>>(), ["messages/op", "0.95", "3.00"]);
    assert_eq!(line("verdict").split_whitespace().collect::<Vec<_>>(), ["verdict", "VALID", "VALID"]);
    assert_eq!(compare(&[], 100, false), "");
}

#[test]
fn a_folder_holds_what_there_is_to_show_and_nothing_empty() {
    let names = |sample: &Sample, name: &str| written(name, sample).into_keys().collect::<Vec<_>>();
    let all = [
        "convergence.svg",
        "coverage.svg",
        "history.jsonl",
        "latency.svg",
        "messages.svg",
        "report.html",
        "results.json",
    ];
    assert_eq!(names(&testing::faulty_run(), "names-set"), all);
    let counter = ["convergence.svg", "history.jsonl", "latency.svg", "messages.svg", "report.html", "results.json"];
    assert_eq!(names(&testing::counter_run(), "names-counter"), counter);
    assert_eq!(
        names(&testing::echo_run(), "names-echo"),
        ["history.jsonl", "latency.svg", "report.html", "results.json"]
    );
    assert_eq!(names(&testing::empty_run(), "names-empty"), ["history.jsonl", "report.html", "results.json"]);
}

#[test]
fn every_document_is_well_formed_and_asks_for_nothing_from_elsewhere() {
    for (name, sample) in samples() {
        for (file, bytes) in written(&format!("form-{name}"), &sample) {
            let text = String::from_utf8(bytes).unwrap();
            if file.ends_with(".svg") || file.ends_with(".html") {
                assert_well_formed(&text);
            }
            if file.ends_with(".html") {
                for outside in ["http:", "https:", "src=", "url(", "@import", "<script"] {
                    assert!(!text.contains(outside), "{name}/{file} has {outside}");
                }
            }
        }
    }
}

#[test]
fn what_nodes_print_cannot_become_part_of_the_page() {
    let page = page("escape", &testing::invalid_run());
    assert!(page.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; more"));
    assert!(page.contains("&lt;script&gt;alert(0)&lt;/script&gt; &amp; ·[2J"));
    assert!(page.contains("n3 lacks 17 &amp; &lt;23&gt;"));
}

#[test]
fn labels_of_faults_are_escaped_in_plots() {
    let mut sample = testing::faulty_run();
    sample.trace.faults[6].label = "<b> & \u{1b}: n1".to_owned();
    let files = written("labels", &sample);
    let svg = String::from_utf8(files["latency.svg"].clone()).unwrap();
    assert_well_formed(&svg);
    assert!(svg.contains("&lt;b&gt; &amp; ·"));
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let sample = testing::invalid_run();
    assert!(written("same-a", &sample) == written("same-b", &sample));
}

#[test]
fn results_and_history_can_be_read_back() {
    let sample = testing::faulty_run();
    let files = written("json", &sample);
    let results: serde_json::Value = serde_json::from_slice(&files["results.json"]).unwrap();
    assert_eq!(results["judgement"]["validity"], "valid");
    assert_eq!(results["settings"]["nodes"], 25);
    assert_eq!(results["net"]["peer_sent"], 6000);
    assert_eq!(results["faults"].as_array().unwrap().len(), sample.trace.faults.len());
    let history = String::from_utf8(files["history.jsonl"].clone()).unwrap();
    let ops: Vec<serde_json::Value> = history.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(ops.len(), sample.history.ops.len());
    assert_eq!((&ops[0]["f"], &ops[0]["value"], &ops[0]["type"]), (&"add".into(), &0.into(), &"ok".into()));
}

#[test]
fn messages_are_written_one_per_line() {
    let folder = Folder::new("messages");
    let sample = testing::quiet_run();
    let path = folder.0.join("messages.csv");
    write_messages(&path, &sample.trace).unwrap();
    let text = fs::read_to_string(path).unwrap();
    assert_eq!(text.lines().next(), Some("sent_us,from,to,bytes"));
    assert_eq!(text.lines().count(), 1 + sample.trace.messages.len());
}

#[test]
fn a_long_run_is_thinned_out_and_says_so() {
    let page = page("long", &testing::long_run(100_000));
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    assert!(page.contains(" of 100,000 are shown"));
    assert_well_formed(&page);
}

#[test]
fn thousands_of_faults_fit_too() {
    let mut sample = testing::faulty_run();
    sample.trace.faults = (0..9000)
        .map(|i: usize| FaultEvent {
            at_us: i as u64 * 2200,
            what: if i.is_multiple_of(2) {
                FaultChange::Kill { node: i % 25 }
            } else {
                FaultChange::Restart { node: (i - 1) % 25 }
            },
            label: "a kill & a <restart>".to_owned(),
        })
        .collect();
    let page = page("faults", &sample);
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    assert_well_formed(&page);
}

#[test]
fn a_thousand_nodes_fit_too() {
    let page = page("wide", &testing::wide_run());
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
}

#[test]
fn hostile_figures_do_no_harm() {
    let mut sample = testing::faulty_run();
    sample.settings = Settings { rate: f64::NAN, nodes: 0, ..sample.settings };
    sample.judgement.messages_per_op = f64::INFINITY;
    sample.judgement.catch_up_ms = vec![f64::NAN];
    sample.trace.healed_us = 0;
    sample.trace.end_us = 0;
    assert_well_formed(&page("hostile", &sample));
    assert!(!screen(&sample.run(), 0, true).is_empty());
    assert!(!plot::sheets(&sample.run()).is_empty());
}

/// A plot that has nothing to do with runs, from the parts alone.
fn floors() -> Sheet {
    let floor = |d: f64| 25.0 / (100.0 * (d / 1000.0 - 0.1 + 1.0 / 48.0));
    let curve: Vec<_> = (6..50).map(|i| f64::from(i) * 50.0).map(|d| (d, floor(d))).collect();
    let wide: Vec<_> = curve.iter().map(|(x, y)| (*x, *y, y * 2.0)).collect();
    let points = |at: &[(f64, f64)], i: usize| {
        let marks = Layer::marks(at.to_vec(), Colour::SERIES[i]).shaped(Mark::SERIES[i % Mark::SERIES.len()]);
        marks.large().named(["relay", "rumor", "another program", "a third one"][i])
    };
    Sheet::new("floors", "Messages per operation against latency", Axis::linear("max latency, ms", 0.0, 2500.0))
        .caption("Nearer to the line is better.")
        .moments(vec![Moment { at: 600.0, label: "3d".to_owned() }, Moment { at: 2000.0, label: "3e".to_owned() }])
        .panel(
            Panel::new(Axis::log("messages per operation", 0.1, 40.0))
                .layer(Layer::band(&wide, Colour::Green).named("within twice the floor"))
                .layer(Layer::line(curve, Colour::Ink).dashed().named("floor of any design"))
                .layer(points(&[(597.0, 0.94), (1816.0, 0.35)], 0))
                .layer(points(&[(1500.0, 7.0)], 1))
                .layer(points(&[(678.0, 1.99), (1087.0, 1.92)], 2))
                .layer(points(&[(207.0, 22.0)], 3))
                .threshold(30.0, "limit of 3d")
                .note(597.0, 0.94, "460 ms")
                .note(1816.0, 0.35, "1,750 ms"),
        )
}

#[test]
fn plots_of_other_things_can_be_built_from_the_parts() {
    let sheet = floors();
    let alone = sheet.standalone().unwrap();
    assert_well_formed(&alone);
    for text in ["limit of 3d", "460 ms", "floor of any design", "max latency, ms", "prefers-color-scheme"] {
        assert!(alone.contains(text), "{text}");
    }
    for inline in sheet.inline().unwrap() {
        assert_well_formed(&inline);
        assert!(!inline.contains("xmlns"), "a page needs none");
    }
}

#[test]
fn a_sheet_without_panels_or_points_is_empty_and_no_panic() {
    let sheet = Sheet::new("empty", "Empty", Axis::linear("x", 0.0, 0.0));
    assert_well_formed(&sheet.standalone().unwrap());
    let layer = Layer::line(vec![(f64::NAN, f64::INFINITY)], Colour::Blue);
    let sheet = sheet.panel(Panel::new(Axis::up_to("y", f64::NAN)).layer(layer));
    assert_well_formed(&sheet.standalone().unwrap());
}
