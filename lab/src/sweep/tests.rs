use rumormill_core::Config;

use super::*;
use crate::settings::{FaultKind, SECOND};
use crate::sim::Program;

fn settings() -> Settings {
    Settings { nodes: 5, rate: 20.0, time_limit_us: 3 * SECOND, latency_us: 50_000, seed: 7, ..Settings::default() }
}

fn cells() -> Vec<(Cell, Program)> {
    let mut cells = Vec::new();
    for (fanout, interval_ms) in [(1, 100), (3, 100), (3, 400)] {
        for condition in [Condition::Calm, Condition::Partition] {
            let config = Config { fanout, gossip_interval_ms: Some(interval_ms), ..Config::default() };
            let cell = Cell { strategy: "rumor".to_owned(), fanout, interval_ms, condition };
            cells.push((cell, Program { config, ..Program::default() }));
        }
    }
    cells
}

fn sweep(jobs: usize) -> Sweep {
    let points = run(&settings(), &cells(), (2, jobs), &|| {}).unwrap();
    Sweep { settings: settings(), seeds: 2, command: "rumormill-lab sweep".to_owned(), points, counter: None }
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let (one, three) = (sweep(1), sweep(3));
    assert_eq!(csv(&one), csv(&three));
    assert_eq!(json(&one).unwrap(), json(&three).unwrap());
    assert_eq!(screen(&one, 100), screen(&three, 100));
    let other =
        Sweep { points: run(&Settings { seed: 8, ..settings() }, &cells(), (2, 1), &|| {}).unwrap(), ..sweep(1) };
    assert_ne!(csv(&one), csv(&other));
}

#[test]
fn csv_and_json_can_be_read_back() {
    let sweep = sweep(2);
    let document: serde_json::Value = serde_json::from_str(&json(&sweep).unwrap()).unwrap();
    let points: Vec<Point> = serde_json::from_value(document["points"].clone()).unwrap();
    assert_eq!(points, sweep.points);
    assert_eq!(document["settings"]["nodes"], 5);

    let text = csv(&sweep);
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let names = lines.next().unwrap();
    let column = |line: &[&str], name: &str| line[names.iter().position(|other| *other == name).unwrap()].to_owned();
    for (line, point) in lines.zip(&sweep.points) {
        assert_eq!(line.len(), names.len());
        assert_eq!(column(&line, "fanout"), point.cell.fanout.to_string());
        assert_eq!(column(&line, "condition"), point.cell.condition.name());
        assert_eq!(column(&line, "messages_per_op_mean").parse::<f64>().unwrap(), point.messages_per_op.mean);
        assert_eq!(column(&line, "true_max_ms_max").parse::<f64>().ok(), point.true_max_ms.map(|spread| spread.max));
    }
    assert_eq!(text.lines().count(), 1 + sweep.points.len());
}

#[test]
fn points_have_figures_that_fit_together() {
    for point in &sweep(2).points {
        assert_eq!((point.runs, point.valid), (2, 2), "{point:?}");
        let (median, max) = (point.true_median_ms.unwrap(), point.true_max_ms.unwrap());
        assert!(median.mean <= max.max && median.min >= 50.0, "{point:?}");
        assert!(point.messages_per_op.min <= point.messages_per_op.mean);
        let reached: Vec<f64> = point.coverage_ms.iter().map(|ms| ms.unwrap()).collect();
        assert_eq!(reached.len(), 5);
        assert!(reached[0] == 0.0 && reached.windows(2).all(|pair| pair[0] <= pair[1]), "{reached:?}");
        // Little's law: what a read lacks is the writes of the time that a value needs to get to a node.
        assert!(point.lacking.unwrap().mean < 10.0 * (max.max / 1e3) + 1.0);
    }
}

#[test]
fn calm_cells_have_no_partition_and_others_have_one_whatever_was_asked_for() {
    let mut common = settings();
    common.faults.kinds = vec![FaultKind::Loss, FaultKind::Partition];
    let kinds = |condition| {
        let cell = Cell { strategy: "rumor".to_owned(), fanout: 1, interval_ms: 1, condition };
        cell.settings(&common, 3).faults.kinds
    };
    assert_eq!(kinds(Condition::Calm), [FaultKind::Loss]);
    assert_eq!(kinds(Condition::Partition), [FaultKind::Loss, FaultKind::Partition]);
}

#[test]
fn sweet_spots_are_points_that_no_other_beats_in_that_figure() {
    let sweep = sweep(2);
    let spots = spots(&sweep);
    // Nobody set limits for five nodes.
    assert!(spots.iter().all(|spot| !spot.question.contains("limits")), "{spots:?}");
    let fewest = spots.iter().find(|spot| spot.question == "fewest messages").unwrap();
    let chosen = &sweep.points[fewest.point.unwrap()];
    assert!(sweep.of(Condition::Calm).all(|(_, point)| point.messages_per_op.mean >= chosen.messages_per_op.mean));
    assert!(chosen.front_max && chosen.front_median);
    let fastest = spots.iter().find(|spot| spot.question == "fastest at worst").unwrap();
    let chosen = &sweep.points[fastest.point.unwrap()];
    assert!(sweep.of(Condition::Calm).all(|(_, point)| point.max_ms() >= chosen.max_ms()));
}

#[test]
fn every_plot_can_be_drawn_and_names_each_point() {
    let sweep = sweep(2);
    let sheets = sheets(&sweep);
    let names: Vec<&str> = sheets.iter().map(|sheet| sheet.name.as_str()).collect();
    assert_eq!(names, ["cost-max", "cost-median", "coverage", "stale"]);
    let svg = sheets[0].standalone().unwrap();
    assert!(["1/100", "3/100", "3/400", "floor of any design"].iter().all(|text| svg.contains(text)));
    assert!(sheets.iter().all(|sheet| sheet.inline().is_ok()));
    let page = page::page(&sweep, &sheets).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && !page.contains("http://localhost"));
}

#[test]
fn limits_are_kept_only_if_every_run_keeps_them() {
    let mut point = sweep(1).points[0].clone();
    let limits = floors::GLOMERS[0];
    assert!(spots::keeps(&point, &limits), "{point:?}");
    point.stable_max_ms = Some(Spread { mean: 500.0, min: 400.0, max: 600.0 });
    assert!(!spots::keeps(&point, &limits));
    point.stable_max_ms = None;
    assert!(!spots::keeps(&point, &limits), "a figure that does not exist keeps nothing");
}

#[test]
fn a_workload_without_sets_has_convergence_instead_of_latencies() {
    let settings = Settings { workload: crate::settings::Workload::PnCounter, ..settings() };
    let points = run(&settings, &cells()[..2], (1, 1), &|| {}).unwrap();
    assert!(points.iter().all(|point| point.true_max_ms.is_none() && point.max_ms().is_some()), "{points:?}");
    let sweep = Sweep { settings, seeds: 1, command: String::new(), points, counter: None };
    assert!(screen(&sweep, 100).contains("all equal"));
    assert!(sheets(&sweep).iter().any(|sheet| sheet.name == "cost-max"));
}
