//! The judgement as a whole.

use super::CHECKERS;
use super::testing::Run;
use crate::judgement::Validity;
use crate::settings::Workload;

#[test]
fn an_empty_run_is_unknown_in_every_workload() {
    for workload in [
        Workload::Broadcast,
        Workload::GSet,
        Workload::GCounter,
        Workload::PnCounter,
        Workload::UniqueIds,
        Workload::Echo,
        Workload::TxnRwRegister,
        Workload::Kv,
    ] {
        let judgement = Run::new(workload, 3).judge();
        assert_eq!(judgement.validity, Validity::Unknown, "{workload:?}");
    }
}

#[test]
fn names_of_checkers_are_unique() {
    let mut names: Vec<_> = CHECKERS.iter().map(|checker| checker.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), CHECKERS.len());
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
