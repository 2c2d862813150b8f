use super::*;

fn program() -> Program {
    Program::default()
}

fn case(nodes: usize, fanout: u8, seed: u64) -> Case {
    Case { nodes, fanout, seed, latency_us: SECOND / 10, interval_ms: 200 }
}

#[test]
fn push_alone_reaches_the_share_that_theory_gives() {
    let (nodes, clusters) = (600, 5);
    for fanout in [2, 3, 5] {
        let runs: Vec<Spreading> =
            (0..clusters).map(|seed| spread(case(nodes, fanout, seed), &program()).unwrap()).collect();
        let mean = runs.iter().map(Spreading::share).sum::<f64>() / clusters as f64;
        let theory = theory::final_share(f64::from(fanout));
        let tolerance = theory::tolerance(f64::from(fanout), nodes, clusters as usize);
        assert!(
            (mean - theory).abs() < tolerance,
            "seeds 0 to {}, K = {fanout}: {mean} against {theory}, tolerance {tolerance}",
            clusters - 1
        );
    }
}

#[test]
fn each_node_reached_pushes_once_and_in_whole_rounds() {
    let run = spread(case(300, 3, 1), &program()).unwrap();
    let reached = *run.reached.last().unwrap() as u64;
    // The last nodes to learn it find few peers that are not known to have it.
    assert!(
        (290 * reached / 100..=3 * reached).contains(&run.push_messages),
        "seed 1: {}, {reached}",
        run.push_messages
    );
    assert_eq!(run.reached[0], 1);
    assert!(run.reached[1] == 4 && run.reached.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", run.reached);
}

#[test]
fn anti_entropy_brings_the_value_to_every_node_and_then_all_are_silent() {
    for fanout in [1, 2] {
        let run = spread(case(200, fanout, 3), &program()).unwrap();
        assert!(run.share() < 1.0 && run.all_us().is_some(), "seed 3, K = {fanout}");
        assert!(run.silent_us.is_some(), "seed 3, K = {fanout}");
        assert!(run.push_messages <= run.messages_until_all && run.messages_until_all <= run.messages_until_silent);
    }
}

#[test]
fn rounds_grow_with_the_logarithm_of_the_nodes() {
    let rounds = |nodes: usize| {
        let all: usize = (0..4).map(|seed| spread(case(nodes, 2, seed), &program()).unwrap().rounds_until(0.9)).sum();
        all as f64 / 4.0
    };
    let (small, middle, large) = (rounds(50), rounds(200), rounds(800));
    let (first, second) = (middle - small, large - middle);
    // Four times the nodes, the same number of rounds more: about two at K = 2.
    assert!((0.5..=4.0).contains(&first) && (0.5..=4.0).contains(&second), "seeds 0 to 3: {small}, {middle}, {large}");
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_the_json_can_be_read_back() {
    let measure = || groups((0..2).map(|seed| spread(case(60, 2, seed), &program()).unwrap()).collect());
    let (a, b) = (measure(), measure());
    let text = json(&a, "command").unwrap();
    assert_eq!(text, json(&b, "command").unwrap());
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let read: Vec<Group> = serde_json::from_value(document["groups"].clone()).unwrap();
    assert_eq!(read, a);
    assert!(is_as_expected(&a));
    let mut lost = a.clone();
    lost[0].runs[0].arrivals_us.pop();
    assert!(!is_as_expected(&lost) && screen(&lost, 100).contains("never"));
    let lines: Vec<String> = csv(&a).lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 1 + a.len());
    assert!(lines.iter().all(|line| line.split(',').count() == lines[0].split(',').count()));
    let share: f64 = lines[1].split(',').nth(3).unwrap().parse().unwrap();
    assert_eq!(share, a[0].spread(|run| Some(run.share())).unwrap().mean);
    assert!(sheets(&a).iter().all(|sheet| sheet.standalone().is_ok()));
}
