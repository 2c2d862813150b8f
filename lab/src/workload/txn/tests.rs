//! Tests of the anomalies, one by one, and of the search for cycles.

use proptest::prelude::*;

use super::cycle::{Edge, Why, cycles, show};
use crate::check::testing::Run;
use crate::history::{Answer, Call, Micro, Outcome};
use crate::judgement::Validity;
use crate::settings::{Consistency, Workload};

fn r(key: u64, value: i64) -> Micro {
    Micro::Read(key, Some(value))
}

fn nil(key: u64) -> Micro {
    Micro::Read(key, None)
}

fn w(key: u64, value: i64) -> Micro {
    Micro::Write(key, value)
}

/// The call that belongs to an answer.
fn asked(answer: &[Micro]) -> Call {
    let blank = |micro: &Micro| match micro {
        Micro::Read(key, _) => nil(*key),
        Micro::Write(..) => micro.clone(),
    };
    Call::Txn(answer.iter().map(blank).collect())
}

/// Transactions T0, T1, … that were acknowledged with these answers.
fn run(answers: &[&[Micro]]) -> Run {
    let mut run = Run::new(Workload::TxnRwRegister, 1);
    for (answer, at) in answers.iter().zip((100..).step_by(10)) {
        run.ok(0, at, at + 5, asked(answer), Answer::Txn(answer.to_vec()));
    }
    run
}

#[test]
fn transactions_one_after_the_other_pass() {
    let run = run(&[&[nil(1), w(1, 1)], &[r(1, 1), w(1, 2), r(1, 2), w(2, 1)], &[r(1, 2), r(2, 1), r(1, 2)]]);
    run.is_silent("txn");
    run.is_silent("phantom");
}

#[test]
fn reads_of_old_values_are_no_anomaly_of_these_models() {
    run(&[&[w(1, 1), w(2, 1)], &[r(1, 1), nil(2)], &[nil(1), w(1, 2)]]).is_silent("txn");
}

#[test]
fn g0_a_circle_of_overwrites_is_invalid_in_both_models() {
    for consistency in [Consistency::ReadUncommitted, Consistency::ReadCommitted] {
        // T2 overwrites T0 on k1 and is overwritten by it on k2.
        let mut run = run(&[&[w(1, 1), r(2, 2), w(2, 3)], &[w(3, 1)], &[r(1, 1), w(1, 2), w(2, 2)]]);
        run.settings.consistency = consistency;
        // And not as G1c once more.
        let circle = "T0 -ww k1: 1 before 2-> T2 -ww k2: 2 before 3-> T0";
        run.finds("txn", Validity::Invalid, &["G0, circles", "1 time", circle]);
    }
}

#[test]
fn overwrites_in_one_direction_are_no_circle() {
    run(&[&[w(1, 1), w(2, 1)], &[r(1, 1), w(1, 2), r(2, 1), w(2, 2)], &[r(1, 2), w(1, 3)]]).is_silent("txn");
}

#[test]
fn g1a_a_read_of_a_failed_write_is_invalid() {
    let mut run = run(&[&[r(1, 9)]]);
    run.fail(0, 50, asked(&[w(1, 9)]));
    run.finds("txn", Validity::Invalid, &["G1a", "T0 read k1=9 of T1"]);
    run.settings.consistency = Consistency::ReadUncommitted;
    run.finds("txn", Validity::Valid, &["G1a", "allows"]);
}

#[test]
fn a_read_of_a_write_of_unknown_outcome_is_right() {
    let mut run = run(&[&[r(1, 9)]]);
    run.op(0, 50, 5050, asked(&[w(1, 9)]), Outcome::Info { why: String::new() });
    run.is_silent("txn");
}

#[test]
fn g1b_a_read_of_an_intermediate_write_is_invalid() {
    let run = run(&[&[w(1, 1), w(1, 2)], &[r(1, 1)]]);
    run.finds("txn", Validity::Invalid, &["G1b", "T1 read k1=1 of T0"]);
}

#[test]
fn a_transaction_may_read_its_own_intermediate_write() {
    run(&[&[w(1, 1), r(1, 1), w(1, 2)]]).is_silent("txn");
}

#[test]
fn g1c_a_circle_of_reads_is_invalid_and_its_shortest_form_is_shown() {
    let mut run = run(&[&[w(1, 1), r(2, 1)], &[w(2, 1), r(1, 1)]]);
    run.finds("txn", Validity::Invalid, &["G1c, circles", "1 time", "T0 -wr k1=1-> T1 -wr k2=1-> T0"]);
    run.settings.consistency = Consistency::ReadUncommitted;
    run.finds("txn", Validity::Valid, &["G1c"]);
}

#[test]
fn g1c_a_circle_of_a_read_and_an_overwrite_is_invalid() {
    let run = run(&[&[w(1, 1), r(2, 1)], &[r(1, 1), w(1, 2), w(2, 1)]]);
    run.finds("txn", Validity::Invalid, &["G1c", "-> T0", "-> T1"]);
}

#[test]
fn an_unanswered_transaction_closes_no_circle_because_its_reads_are_not_known() {
    let mut run = run(&[&[w(1, 1), r(2, 1)]]);
    run.op(0, 50, 5050, asked(&[w(2, 1), r(1, 1)]), Outcome::Info { why: String::new() });
    run.is_silent("txn");
}

#[test]
fn a_transaction_that_does_not_read_its_own_write_is_invalid_in_both_models() {
    for consistency in [Consistency::ReadUncommitted, Consistency::ReadCommitted] {
        let mut run = run(&[&[w(1, 1)], &[w(1, 2), r(1, 1)]]);
        run.settings.consistency = consistency;
        run.finds("txn", Validity::Invalid, &["own writes", "T1 wrote k1=2 and then read 1"]);
    }
}

#[test]
fn a_transaction_that_reads_what_it_writes_later_is_invalid() {
    run(&[&[r(1, 1), w(1, 1)]]).finds("txn", Validity::Invalid, &["T0 read k1=1 before it wrote it"]);
}

#[test]
fn two_reads_of_a_key_that_differ_are_a_remark() {
    let run = run(&[&[w(1, 1)], &[nil(1), r(1, 1)]]);
    run.finds("txn", Validity::Valid, &["T1 read k1 as nothing and as 1"]);
}

#[test]
fn an_answer_to_another_transaction_is_invalid() {
    for answer in [vec![r(1, 1)], vec![r(1, 1), w(2, 3)], vec![w(2, 2), nil(1)], vec![nil(1), w(2, 2), nil(1)]] {
        let mut run = Run::new(Workload::TxnRwRegister, 1);
        run.ok(0, 100, 101, Call::Txn(vec![nil(1), w(2, 2)]), Answer::Txn(answer));
        run.finds("txn", Validity::Invalid, &["another transaction", "T0"]);
    }
}

#[test]
fn a_value_that_was_written_twice_tells_nothing() {
    run(&[&[w(1, 1)], &[w(1, 1), r(2, 1)], &[w(2, 1), r(1, 1)]]).is_silent("txn");
}

#[test]
fn of_the_circles_through_the_same_transactions_the_shortest_is_shown() {
    let edge = |from, to| Edge { from, to, key: 0, why: Why::WriteRead(0) };
    let found = cycles(4, &[edge(0, 1), edge(1, 2), edge(2, 3), edge(3, 0), edge(3, 2)], |_| true);
    assert_eq!(found.iter().map(|cycle| show(cycle)).collect::<Vec<_>>(), ["T2 -wr k0=0-> T3 -wr k0=0-> T2"]);
}

#[test]
fn a_long_chain_needs_no_deep_stack() {
    let n = 200_000;
    let edge = |from: usize| Edge { from, to: (from + 1) % n, key: 0, why: Why::WriteRead(0) };
    let chain: Vec<Edge> = (0..n - 1).map(edge).collect();
    assert!(cycles(n, &chain, |_| true).is_empty());
}

/// Whether a node reaches another over any edges, by trying.
fn reaches(nodes: usize, edges: &[Edge], from: usize, to: usize) -> bool {
    let mut seen = vec![false; nodes];
    seen[from] = true;
    for _ in 0..nodes {
        for edge in edges {
            seen[edge.to] |= seen[edge.from];
        }
    }
    seen[to]
}

proptest! {
    #[test]
    fn a_cycle_is_found_exactly_where_one_closes_through_a_needed_edge(
        pairs in proptest::collection::vec((0_usize..8, 0_usize..8, any::<bool>()), 0..20),
    ) {
        let edges: Vec<Edge> = pairs
            .into_iter()
            .filter(|(from, to, _)| from != to)
            .map(|(from, to, read)| {
                let why = if read { Why::WriteRead(0) } else { Why::WriteWrite(0, 1) };
                Edge { from, to, key: 0, why }
            })
            .collect();
        let needed = |edge: &Edge| edge.why == Why::WriteRead(0);
        let found = cycles(8, &edges, needed);
        let exists = edges.iter().any(|edge| needed(edge) && reaches(8, &edges, edge.to, edge.from));
        prop_assert_eq!(!found.is_empty(), exists);
        for cycle in found {
            prop_assert!(cycle.iter().any(needed), "{}", show(&cycle));
            prop_assert!(cycle.iter().all(|edge| edges.contains(edge)));
            for (edge, next) in cycle.iter().zip(cycle.iter().cycle().skip(1)) {
                prop_assert_eq!(edge.to, next.from);
            }
        }
    }
}
