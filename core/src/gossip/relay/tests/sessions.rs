//! Tests: what a new session of this node or of a peer changes.

use super::*;

#[test]
fn a_new_session_asks_whoever_does_not_agree_until_it_is_settled() {
    let mut bench = bench(9, 8, &[]);
    (0..9).filter(|peer| *peer != 5).for_each(|peer| bench.common.agreement.insert(NodeIndex(peer)));
    let asked = asking(&bench.run(5_000), Want::Gap);
    assert_eq!((times(&asked), receivers(&asked)), (std::vec![1_000, 3_000], std::vec![5, 5]));
    bench.common.agreement.insert(NodeIndex(5));
    assert!(bench.run(60_000).is_empty());
}

#[test]
fn a_new_session_goes_on_asking_although_somebody_was_heard() {
    for (off, asks) in [(&[][..], true), (&[Rule::Asking][..], false)] {
        let mut bench = bench(5, 2, off);
        bench.run(100);
        let heard = next(&bench, 4);
        bench.hear(heard);
        assert_eq!(!asking(&bench.run(2_000), Want::Gap).is_empty(), asks, "{off:?}");
    }
}

#[test]
fn a_new_session_that_is_in_touch_with_its_relay_asks_nobody_else() {
    let mut bench = bench(5, 2, &[]);
    bench.run(100);
    let heard = next(&bench, 0);
    bench.hear(heard);
    assert!(asking(&bench.run(2_500), Want::Gap).is_empty());
}

#[test]
fn a_new_session_that_is_handed_over_what_it_lacks_in_parts_asks_nobody_else() {
    let mut bench = bench(5, 2, &[]);
    bench.shows(4, 0, 5);
    let part = Heard { behind: true, data: true, news: true, cut: true, ..next(&bench, 4) };
    bench.hear(part);
    bench.common.agreement.insert(NodeIndex(4));
    let asked = asking(&bench.run(4_900), Want::Gap);
    assert!(asked.iter().all(|question| question.to == 4), "{asked:?}");
}

#[test]
fn a_node_that_speaks_by_itself_asks_at_once() {
    let mut bench = bench(5, 2, &[]);
    bench.scheduler.start(&mut bench.common, crate::gossip::common::Began::ByItself, bench.now);
    assert_eq!(times(&asking(&bench.run(10), Want::Gap)), [0]);
}

#[test]
fn a_newer_session_of_a_peer_is_sent_everything_again() {
    let mut bench = bench(2, 0, &[]);
    bench.write();
    run_with(&mut bench, &[1], T);
    assert!(bench.run(T).is_empty());
    bench.common.learn_session(NodeIndex(1), SESSION + 1);
    bench.scheduler.view_changed(&mut bench.common, NodeIndex(1), bench.now);
    let again = bench.run(T);
    assert!(again[0].to == 1 && again[0].data);
    let control = again[0].control.unwrap();
    assert_eq!((control.echoed, control.ord), (None, 2), "ordinals go on, echoes do not");
}

#[test]
fn a_view_that_a_peer_was_not_told_is_a_reason_to_write_to_it() {
    let mut bench = bench(3, 0, &[]);
    bench.write();
    run_with(&mut bench, &[1, 2], 2 * T);
    bench.common.learn_session(NodeIndex(2), SESSION + 1);
    bench.scheduler.view_changed(&mut bench.common, NodeIndex(2), bench.now);
    let written = bench.run(T);
    assert_eq!(receivers(&written), [1, 2]);
    assert!(!to(&written, 1)[0].data, "it lacks nothing else");
}

#[test]
fn after_a_larger_session_no_answer_to_the_former_one_is_waited_for() {
    let mut bench = bench(2, 0, &[]);
    bench.write();
    bench.run(A);
    let me = bench.common.me();
    bench.scheduler.view_changed(&mut bench.common, me, bench.now);
    bench.run(2 * RTO + 10);
    assert!(!is_suspected(&bench, 1));
    assert_eq!(bench.scheduler.link(NodeIndex(1)).deadline, NEVER);
}
