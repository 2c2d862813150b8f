//! Tests: configuration while a node runs, rounds on command, and the end of input.

use super::*;

#[test]
fn a_shorter_interval_shortens_timers_that_run() {
    let mut bench = bench(2, 0, &[]);
    bench.write();
    bench.run(0);
    bench.write();
    bench.run(0);
    bench.common.configure(2, Some(50));
    bench.scheduler.reconfigured(&bench.common, bench.now);
    assert_eq!(times(&bench.run(60)), [50]);
}

#[test]
fn a_round_on_command_sends_what_is_lacking_and_nothing_else() {
    let mut bench = bench(5, 2, &[]);
    let now = bench.now;
    assert_eq!(bench.scheduler.round_now(&mut bench.common, &bench.rows, now), (1, 0));
    assert!(bench.drain().is_empty());
    bench.write();
    assert_eq!(bench.scheduler.round_now(&mut bench.common, &bench.rows, now), (1, 1));
    assert_eq!(receivers(&bench.drain()), [0]);
}

#[test]
fn at_the_end_of_input_what_waits_leaves_once_and_no_timer_runs() {
    let mut bench = bench(3, 0, &[]);
    bench.write();
    bench.run(0);
    bench.write();
    let now = bench.now;
    bench.scheduler.finish(&mut bench.common, &bench.rows, now);
    assert_eq!(receivers(&bench.drain()), [1, 2]);
    assert_eq!(bench.scheduler.next_timeout(), None);
    assert!(!bench.scheduler.is_due(NEVER));
}
