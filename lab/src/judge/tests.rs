//! The judgement as a whole.

use clap::ValueEnum as _;

use super::checkers;
use crate::check::testing::Run;
use crate::history::Call;
use crate::judgement::Validity;
use crate::settings::Workload;

#[test]
fn an_empty_run_is_unknown_in_every_workload() {
    for &workload in Workload::value_variants() {
        let judgement = Run::new(workload, 3).judge();
        assert_eq!(judgement.validity, Validity::Unknown, "{workload:?}");
    }
}

#[test]
fn a_name_belongs_to_one_checker_of_a_workload_and_means_the_same_in_all() {
    for &workload in Workload::value_variants() {
        let of_workload = workload.checkers();
        for checker in &of_workload {
            assert_eq!(of_workload.iter().filter(|other| other.name == checker.name).count(), 1, "{}", checker.name);
            assert!(checkers().iter().any(|other| (other.name, other.meaning) == (checker.name, checker.meaning)));
        }
    }
}

#[test]
fn a_good_run_of_a_set_passes_and_names_what_was_checked() {
    let mut run = Run::new(Workload::Broadcast, 3);
    run.add(0, 100, 101, 7);
    run.read(0, 200, 201, &[7]);
    run.end(&[7]);
    run.passes();
    let passed = run.judge().passed;
    assert!(passed.contains(&"set-full") && passed.contains(&"silence") && !passed.contains(&"txn"));
}

#[test]
fn the_worst_findings_come_first() {
    let mut run = Run::new(Workload::Broadcast, 2);
    run.info(0, 100, Call::Add(7));
    run.read(0, 20_000, 20_001, &[99]);
    run.read(1, 20_000, 20_001, &[99]);
    let findings = run.judge().findings;
    let order: Vec<_> = findings.iter().map(|finding| (finding.checker, finding.validity)).collect();
    assert_eq!(order[0], ("phantom", Validity::Invalid));
    assert!(order[1..].iter().all(|&(_, validity)| validity == Validity::Unknown) && order.len() > 1);
}

#[test]
fn a_difference_in_the_end_of_a_quiet_time_that_is_too_short_could_not_be_judged() {
    let mut run = Run::new(Workload::Broadcast, 2);
    run.info(0, 100, Call::Add(7));
    run.read(0, 20_000, 20_001, &[7]);
    run.read(1, 20_000, 20_001, &[]);
    let hint = "could not be judged: after the last operation, nodes may need 3.0 s, and the quiet time was 2.5 s";
    assert!(!run.findings("final-state")[0].message.contains("judged"));
    assert_eq!(run.judge().validity, Validity::Invalid);
    run.trace.final_us = 12_500_000;
    run.finds("final-state", Validity::Unknown, &[hint, "--recovery 4 is enough"]);
    run.finds("set-full", Validity::Unknown, &[]);
}

#[test]
fn a_complaint_of_an_ignored_checker_is_shown_and_does_not_count() {
    let mut run = Run::new(Workload::Broadcast, 2);
    run.add(0, 100, 101, 7);
    run.end(&[7, 7]);
    assert_eq!(run.judge().validity, Validity::Invalid);
    run.settings.ignore.push("duplicates".to_owned());
    let judgement = run.judge();
    assert_eq!(judgement.validity, Validity::Valid);
    assert_eq!(judgement.findings.len(), 1);
}
