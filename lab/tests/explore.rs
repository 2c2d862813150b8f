//! Exhaustive exploration: what is right is found right, what is wrong is found, and a trail leads there again.
#![allow(missing_docs, clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use clap::ValueEnum as _;
use rumormill_core::Strategy;
use rumormill_core::gossip::Rule;
use rumormill_lab::explore::{
    Clocks, Ended, Found, Kind, Options, Reach, Report, Step, Strategies, Trail, Violation, replay, run,
};

/// Two writes and no faults.
fn calm() -> Options {
    Options { crashes: 0, reach: Reach::Depth(5), ..Options::default() }
}

/// One write, one loss, strategy `relay`.
fn relay() -> Options {
    let writes = vec![Kind::Set];
    Options {
        strategies: Strategies::Relay,
        clocks: Clocks::Shared,
        writes,
        losses: 1,
        reach: Reach::Detours(2),
        ..calm()
    }
}

/// A crash, with agreement that belongs to names: a node may stay empty for ever. Only what nodes hold counts.
fn crash() -> Options {
    let without = vec![Rule::Views];
    Options { crashes: 1, greeted: true, lenient: true, without, reach: Reach::Depth(6), ..calm() }
}

#[track_caller]
fn assert_complete(options: &Options) -> Report {
    let report = run(options).unwrap();
    assert!(report.found.is_none(), "{:?}", report.found);
    assert_eq!(report.ended, Ended::Complete);
    let progress = report.progress;
    assert!(progress.share > 0.999 && progress.share < 1.001, "{progress:?}");
    assert!(progress.sampled > 0 && progress.leaves > 0, "{progress:?}");
    report
}

#[test]
fn every_strategy_can_be_explored() {
    for strategy in Strategy::ALL {
        assert!(Strategies::from_str(strategy.name(), false).is_ok(), "{strategy:?}");
    }
}

#[test]
fn small_spaces_are_searched_to_the_end_without_a_violation() {
    assert_complete(&calm());
    assert_complete(&relay());
    for strategies in [Strategies::Rumor, Strategies::Relay, Strategies::Mixed] {
        assert_complete(&Options { strategies, crashes: 1, reach: Reach::Depth(4), ..calm() });
        assert_complete(&Options { strategies, greeted: true, crashes_behind: 1, reach: Reach::Depth(4), ..calm() });
    }
    let writes = Kind::ALL.to_vec();
    let two = Options { nodes: 2, writes, losses: 1, duplicates: 1, reach: Reach::Depth(5), ..calm() };
    assert_complete(&two);
    assert_complete(&Options { clocks: Clocks::Shared, reach: Reach::Depth(6), ..two });
    assert_complete(&Options { nodes: 4, fanout: 1, reach: Reach::Depth(4), ..calm() });
    assert_complete(&Options { losses: 1, duplicates: 1, reach: Reach::Detours(2), ..calm() });
}

#[test]
fn the_same_states_are_found_whatever_the_number_of_threads() {
    let distinct = |jobs| assert_complete(&Options { jobs, reach: Reach::Depth(4), ..calm() }).progress.distinct;
    assert_eq!(distinct(1), distinct(3));
}

#[test]
fn a_crash_that_leaves_a_node_empty_and_silent_is_found_at_once_and_its_trail_is_short() {
    let report = run(&crash()).unwrap();
    assert_eq!(report.ended, Ended::Violated);
    let found = report.found.unwrap();
    assert!(matches!(found.violation, Violation::Differ { silent: true, .. }), "{:?}", found.violation);
    assert!(found.trail.steps.len() <= 4 && found.found_reach <= 4, "{found:?}");
    assert!(found.trail.steps.iter().any(|step| matches!(step, Step::Crash(_))), "{}", found.trail);
    assert!(found.on_heap);
}

/// Runs a search with a rule and without it: with it nothing is found, without it something is, and only without it.
#[track_caller]
fn assert_missed(rule: Rule, options: &Options) -> Violation {
    let report = run(options).unwrap();
    assert_eq!((report.ended, report.found.is_none()), (Ended::Complete, true), "{rule:?}: {:?}", report.found);
    let found = run(&Options { without: vec![rule], ..options.clone() }).unwrap().found;
    let Found { trail, violation, .. } = found.unwrap_or_else(|| panic!("nothing is found without {rule:?}"));
    assert_eq!(replay(&trail, true).unwrap().violation, Some(violation.clone()));
    // The trail is none of a violation when the rule is in force.
    let with_it = Trail { options: Options { without: Vec::new(), ..trail.options }, steps: trail.steps };
    assert_eq!(replay(&with_it, false).unwrap().violation, None, "{rule:?}");
    violation
}

/// All clocks alike, and clients that speak to every node at once: a trail without detours ends when all are settled.
fn detours(strategies: Strategies, detours: u8) -> Options {
    let reach = Reach::Detours(detours);
    Options { strategies, clocks: Clocks::Shared, greeted: true, writes: vec![Kind::Set], reach, ..calm() }
}

#[test]
fn rules_about_sessions_are_missed_when_they_are_switched_off() {
    let rumor = Options { crashes: 1, reach: Reach::Depth(3), ..calm() };
    let behind = Options { crashes: 0, crashes_behind: 1, reach: Reach::Detours(1), ..calm() };
    assert_missed(Rule::Views, &rumor);
    assert_missed(Rule::Views, &Options { strategies: Strategies::Relay, ..rumor.clone() });
    assert_missed(Rule::Asking, &rumor);
    assert_missed(Rule::Asking, &Options { crashes: 1, ..detours(Strategies::Mixed, 1) });
    assert_missed(Rule::HigherSession, &behind);
    assert_missed(Rule::HigherSession, &Options { strategies: Strategies::Relay, ..behind });
}

#[test]
fn the_rule_that_who_shows_something_else_does_not_agree_is_missed_when_it_is_switched_off() {
    let rumor = Options { writes: vec![Kind::Set], reach: Reach::Detours(3), ..calm() };
    let relay = Options { nodes: 2, strategies: Strategies::Relay, greeted: true, ..rumor.clone() };
    for options in [rumor, relay] {
        let violation = assert_missed(Rule::ShowsAnother, &options);
        assert!(matches!(violation, Violation::Overruled { .. }), "{violation}");
    }
}

#[test]
fn the_rule_that_every_change_is_news_is_missed_when_it_is_switched_off() {
    let rumor = Options { nodes: 2, writes: vec![Kind::Store; 2], crashes: 1, reach: Reach::Depth(6), ..calm() };
    // The relay needs two steps more to come to rest before the late message: so the first steps are given.
    let from = vec![Step::Write(Kind::Store, 1), Step::Crash(1), Step::Write(Kind::Store, 1)];
    let (strategies, writes) = (Strategies::Relay, Vec::new());
    let relay = Options { strategies, writes, crashes: 0, from: from.clone(), ..rumor.clone() };
    for options in [rumor, relay] {
        let violation = assert_missed(Rule::EveryChange, &options);
        assert!(matches!(violation, Violation::Differ { silent: true, .. }), "{violation}");
    }
}

#[test]
fn the_rule_that_only_all_members_make_a_state_stable_is_missed_when_it_is_switched_off() {
    let cut = Options { cuts: 1, time_limit_s: 30, ..detours(Strategies::Relay, 2) };
    let violation = assert_missed(Rule::StableByAll, &cut);
    assert!(matches!(violation, Violation::Unsettled { silent: true, .. }), "{violation}");
}

/// As the protocol tells it: said without the member that was cut off, and then the relay dies.
#[test]
fn without_that_rule_a_member_that_was_cut_off_lacks_a_value_for_ever_when_the_relay_dies() {
    let without = vec![Rule::StableByAll];
    let dies =
        Options { cuts: 1, deaths: 1, lenient: true, time_limit_s: 30, without, ..detours(Strategies::Relay, 3) };
    let Found { violation, trail, .. } = run(&dies).unwrap().found.unwrap();
    assert!(matches!(violation, Violation::Differ { silent: true, .. }), "{violation}");
    assert!(trail.steps.iter().any(|step| matches!(step, Step::Kill(_))), "{trail}");
    let with_it = Trail { options: Options { without: Vec::new(), ..trail.options }, steps: trail.steps };
    assert_eq!(replay(&with_it, false).unwrap().violation, None);
}

#[test]
fn the_rule_that_a_full_node_is_nobodys_relay_is_missed_when_it_is_switched_off() {
    let writes = vec![Kind::Set; 2];
    let small = Options { small: Some(0), recovery_s: 60, writes, ..detours(Strategies::Relay, 2) };
    let violation = assert_missed(Rule::FitRelay, &small);
    assert!(matches!(violation, Violation::Differ { .. }), "{violation}");
}

#[test]
fn with_deaths_cuts_and_small_nodes_those_that_can_be_the_same_are() {
    for strategies in [Strategies::Rumor, Strategies::Relay, Strategies::Mixed] {
        let lost =
            Options { strategies, deaths: 1, cuts: 1, writes: vec![Kind::Set], reach: Reach::Depth(4), ..calm() };
        assert_complete(&lost);
        let writes = vec![Kind::Set, Kind::Store];
        assert_complete(&Options { strategies, small: Some(0), crashes: 1, writes, reach: Reach::Depth(4), ..calm() });
    }
}

#[test]
fn a_trail_read_from_its_text_breaks_the_same_rule_again_on_either_storage() {
    let found = run(&crash()).unwrap().found.unwrap();
    let trail: Trail = found.trail.to_string().parse().unwrap();
    let (few, heap) = (replay(&trail, false).unwrap(), replay(&trail, true).unwrap());
    assert_eq!(few.violation, Some(found.violation));
    assert_eq!((&few.violation, few.lines), (&heap.violation, heap.lines));
    assert_eq!((few.broken_at, few.skipped), (None, Vec::new()));
    assert!(few.told.contains("heal") && few.told.contains("\"gossip\""), "{}", few.told);
    // It cannot be shortened further: without any one of its steps the rule holds.
    for at in 0..trail.steps.len() {
        let mut shorter = trail.clone();
        shorter.steps.remove(at);
        assert_ne!(replay(&shorter, false).unwrap().violation, few.violation, "{shorter}");
    }
}

#[test]
fn a_search_ends_at_the_bounds_it_is_given() {
    let deep = Options { reach: Reach::Depth(30), ..calm() };
    let report = run(&Options { max_states: 20_000, ..deep.clone() }).unwrap();
    assert_eq!((report.ended, report.found.is_none()), (Ended::States, true));
    assert!(report.progress.complete >= 2 && report.progress.share < 1.0, "{:?}", report.progress);
    let report = run(&Options { max_time: Duration::from_millis(300), ..deep.clone() }).unwrap();
    assert_eq!(report.ended, Ended::Time);
    assert!(report.progress.elapsed < Duration::from_secs(5), "{:?}", report.progress);
    let report = run(&Options { max_bytes: 3_000_000, ..deep }).unwrap();
    assert_eq!(report.ended, Ended::Memory);
}

#[test]
fn the_command_says_what_it_found_and_runs_its_trail_again() {
    let lab = |args: &[&str]| {
        let done = Command::new(env!("CARGO_BIN_EXE_rumormill-lab")).arg("explore").args(args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (done.status.code(), text(done.stdout), text(done.stderr))
    };
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("crash.trail").display().to_string();
    let calm = ["--greeted", "--depth", "4"];
    let (status, out, err) = lab(&[&calm[..], &["--crashes", "0"]].concat());
    assert_eq!(status, Some(0), "{out}{err}");
    assert!(out.contains("No rule is broken within depth 4") && out.contains("per second"), "{out}");
    let (status, out, err) = lab(&[&calm[..], &["--lenient", "--without", "views", "--trail-out", &file]].concat());
    assert_eq!(status, Some(1), "{out}{err}");
    assert!(out.contains("after the heal nodes differ") && out.contains("\ncrash n"), "{out}");
    let (status, out, err) = lab(&["--trail", &file]);
    assert_eq!(status, Some(1), "{out}{err}");
    assert!(out.contains("after the heal nodes differ") && out.contains("On the heap the nodes say the same"), "{out}");
    let (status, out, err) = lab(&["--from", &file, "--crashes", "0", "--writes", "none", "--depth", "1"]);
    assert_eq!(status, Some(1), "{out}{err}");
    let (status, out, err) = lab(&["--small", "n1", "--depth", "2", "--crashes", "0", "--cuts", "1", "--deaths", "1"]);
    assert_eq!(status, Some(0), "{out}{err}");
    for (args, said) in [
        (&["--nodes", "5"][..], "from 2 to 4"),
        (&["--small", "n3"], "no n3"),
        (&["--small", "3"], "n0, n1"),
        (&["--from", "/there/is/no/such/file"], "/there/is/no/such/file"),
        (&["--writes", "set,map"], "set, counter or store"),
        (&["--max-message-bytes", "10"], "max_message_bytes"),
        (&["--without", "nothing"], "Probes"),
        (&["--trail", "/there/is/no/such/file"], "/there/is/no/such/file"),
    ] {
        let (status, out, err) = lab(args);
        assert_eq!((status, out.as_str()), (Some(2), ""), "{args:?}: {err}");
        assert!(err.contains(said), "{args:?} does not say {said:?}: {err}");
    }
}
