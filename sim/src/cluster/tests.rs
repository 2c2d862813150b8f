use rumormill_core::storage::{Heap, Small, Storage as _, Tiny};
use rumormill_core::{Change, Config, Member, Strategy, Value};

use super::*;
use crate::network::Delay;
use crate::state::State;
use crate::toy::{BYTES_MAX, REFUSED, Toy};

const MS: Micros = 1_000;

fn toys(links: Links) -> Cluster<Toy> {
    Cluster::new(3, links, 7, |_| Toy::default())
}

fn nodes(count: usize, links: Links, seed: u64) -> Cluster<Member<Tiny>> {
    Cluster::new(count, links, seed, |seat| seat.member(Config::default()))
}

fn broadcast(cluster: &mut Cluster<Member<Tiny>>, at: usize, value: i64) {
    let done = cluster.with(at, |node, now| node.update(now, Change::Broadcast(Value::Int(value))));
    assert!(done.is_ok_and(|dot| dot.is_some()));
}

// Tests with toys.

#[test]
fn messages_and_timers_happen_in_the_order_of_time_and_messages_first() {
    let mut cluster = toys(Links::default());
    cluster.with(0, |toy, _| {
        toy.say(1, "late");
        toy.due_us = Some(150 * MS);
    });
    cluster.with(2, |toy, _| toy.due_us = Some(100 * MS));
    let order: Vec<usize> = std::iter::from_fn(|| cluster.step(200 * MS)).collect();
    assert_eq!(order, [1, 2, 0]);
    assert_eq!(cluster.node(1).log(), [(100 * MS, "late")]);
    assert_eq!(cluster.node(2).log(), [(100 * MS, "timer")]);
    assert_eq!(cluster.node(0).log(), [(150 * MS, "timer")]);
    assert_eq!(cluster.now_us(), 150 * MS);
    assert!(cluster.is_silent());
}

#[test]
fn what_is_due_at_the_end_of_a_run_happens_and_what_is_due_later_does_not() {
    let mut cluster = toys(Links::default());
    cluster.with(0, |toy, _| toy.say(1, "now"));
    cluster.run_until(1);
    cluster.with(0, |toy, _| toy.say(1, "later"));
    cluster.run_for_ms(99);
    assert!(cluster.node(1).log().is_empty());
    cluster.run_until(100 * MS);
    assert_eq!(cluster.node(1).log(), [(100 * MS, "now")]);
    assert!(cluster.is_under_way() && !cluster.is_silent());
}

#[test]
fn a_node_that_stands_still_gets_what_waited_and_its_timers_when_it_goes_on() {
    let mut cluster = toys(Links::default());
    cluster.with(1, |toy, _| toy.due_us = Some(50 * MS));
    cluster.pause(1);
    cluster.with(0, |toy, _| toy.say(1, "one"));
    cluster.run_for_ms(30);
    cluster.with(2, |toy, _| toy.say(1, "two"));
    cluster.run_for_ms(1_000);
    assert_eq!(cluster.deliver(1, b"three"), Ok(None));
    assert!(cluster.node(1).log().is_empty() && !cluster.is_silent());
    cluster.resume(1);
    let at = 1_030 * MS;
    assert_eq!(cluster.node(1).log(), [(at, "one"), (at, "two"), (at, "three"), (at, "timer")]);
    assert!(cluster.is_silent());
}

#[test]
fn a_node_that_is_gone_gets_nothing_and_the_next_one_is_told_that_it_is_another_life() {
    let mut cluster = toys(Links::default());
    cluster.with(1, |toy, _| toy.due_us = Some(50 * MS));
    cluster.with(0, |toy, _| toy.say(1, "lost"));
    cluster.crash(1);
    assert_eq!(cluster.deliver(1, b"lost as well"), Ok(None));
    cluster.run_for_ms(200);
    assert_eq!((cluster.counts().to_dead, cluster.nodes().count()), (1, 2));
    let mut lives = Vec::new();
    for _ in 0..2 {
        cluster.start(1, |seat| {
            lives.push((seat.at, seat.id.to_owned(), seat.life, seat.now.at.as_micros()));
            Toy::default()
        });
    }
    assert_eq!(lives, [(1, "n1".to_owned(), 2, 200 * MS), (1, "n1".to_owned(), 3, 200 * MS)]);
    assert_eq!(cluster.try_start(1, |_| Err("no node")), Err("no node"));
    cluster.run_for_ms(200);
    assert!(cluster.node(1).log().is_empty());
}

#[test]
fn wall_clocks_are_ahead_or_missing_as_they_were_set() {
    let mut cluster = toys(Links::default());
    cluster.set_clock(1, Some(-5));
    cluster.set_clock(2, None);
    cluster.run_for_ms(1);
    (0..3).for_each(|at| assert_eq!(cluster.deliver(at, b"look"), Ok(None)));
    let walls: Vec<Option<u64>> = cluster.nodes().map(|toy| toy.happened[0].0.wall_us).collect();
    assert_eq!(walls, [Some(crate::EPOCH_US + MS), Some(crate::EPOCH_US + MS - 5), None]);
}

#[test]
fn a_message_goes_to_the_node_that_its_number_names_in_the_order_of_ids() {
    // Nodes number each other by the order of their ids, in which n10 comes before n2.
    let mut cluster = Cluster::vacant(["n2", "n10", "b"], Links::default(), 0);
    (0..3).for_each(|at| {
        cluster.start(at, |seat| {
            assert!(seat.ids().eq(["b", "n10", "n2"]));
            Toy::default()
        });
    });
    cluster.with(2, |toy, _| (1..3).for_each(|to| toy.say(to, if to == 1 { "n10" } else { "n2" })));
    cluster.run_for_ms(100);
    assert_eq!((cluster.node(0).log(), cluster.node(1).log()), (vec![(100 * MS, "n2")], vec![(100 * MS, "n10")]));
}

#[test]
fn a_reply_goes_to_whoever_handed_the_request_over() {
    let mut cluster = toys(Links::default());
    cluster.with(0, |toy, _| toy.outbox.push_back((Transmit::Reply, "nobody asked")));
    assert_eq!(cluster.deliver(0, b"a request\n"), Ok(None));
    cluster.nodes.with(0, 0, |toy, _| toy.outbox.push_back((Transmit::Reply, "an answer")));
    assert_eq!(cluster.deliver(0, b"a request\n"), Ok(Some("an answer".to_owned())));
    assert_eq!(cluster.node(0).log(), [(0, "a request"); 2]);
    assert!(cluster.deliver(0, REFUSED).is_err());
}

#[test]
fn messages_are_counted_and_listed() {
    let mut cluster = toys(Links { loss: 1.0, ..Links::default() });
    cluster.with(0, |toy, _| toy.say(1, "unlisted"));
    cluster.keep_log();
    cluster.run_for_ms(5);
    cluster.with(0, |toy, _| toy.say(2, "12"));
    assert_eq!(cluster.log(), [Sent { at_us: 5 * MS, from: 0, to: 2, bytes: 3 }]);
    assert_eq!((cluster.take_longest(), cluster.take_longest()), (9, 0));
    assert_eq!(cluster.last_sent_us(), 5 * MS);
    let counts = Counts { sent: 2, lost: 2, bytes: 12, ..Counts::default() };
    assert_eq!(*cluster.counts(), counts);
    assert_eq!(cluster.traffic()[0].sent, 2);
}

#[test]
#[should_panic(expected = "17 bytes, 16 are allowed: 0123456789abcdef")]
fn a_message_that_is_longer_than_it_may_be_ends_the_test() {
    assert_eq!(BYTES_MAX, 16);
    toys(Links::default()).with(0, |toy, _| toy.say(1, "0123456789abcdef"));
}

#[test]
#[should_panic(expected = "n1 refused (Stranger): refused")]
fn a_message_that_its_receiver_refuses_ends_the_test() {
    let mut cluster = toys(Links::default());
    cluster.with(0, |toy, _| toy.say(1, "refused"));
    cluster.run_for_ms(100);
}

#[test]
#[should_panic(expected = "not silent after 500 ms: at 500 ms\nn0: ")]
fn who_talks_for_ever_ends_the_test() {
    let mut cluster = toys(Links::default());
    cluster.with(0, |toy, _| toy.due_us = Some(u64::MAX));
    cluster.fall_silent(500);
}

#[test]
#[should_panic(expected = "two nodes of the cluster have one name")]
fn no_two_nodes_have_one_name() {
    drop(Cluster::<Toy>::vacant(["a", "b", "a"], Links::default(), 0));
}

// Tests with nodes.

#[test]
fn the_same_seed_gives_the_same_run_and_another_one_gives_another() {
    let run = |seed| {
        let delay = Delay::Exponential { mean_us: 50 * MS };
        let mut cluster = nodes(5, Links { delay, loss: 0.2, duplicates: 0.1, ..Links::default() }, seed);
        for value in 0..20 {
            broadcast(&mut cluster, value as usize % 5, value);
            cluster.run_for_ms(100);
        }
        (cluster.fingerprint(), *cluster.counts(), cluster.now_us())
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3).0, run(4).0);
}

#[test]
fn a_partition_keeps_values_apart_until_it_is_healed() {
    let mut cluster = nodes(5, Links::default(), 1);
    cluster.partition(&[0, 1]);
    broadcast(&mut cluster, 0, 1);
    broadcast(&mut cluster, 4, 2);
    cluster.run_for_ms(5_000);
    let held: Vec<usize> = cluster.nodes().map(|node| node.store().set.len()).collect();
    assert_eq!(held, [1; 5]);
    assert!(cluster.counts().cut > 0 && !cluster.is_converged());
    cluster.heal();
    assert!(cluster.converge(10_000) > 0);
    cluster.fall_silent(10_000);
    assert!(cluster.nodes().all(|node| node.is_settled() && State::of(node) == State::of(cluster.node(0))));
}

#[test]
fn a_mute_node_hears_and_is_not_heard() {
    let mut cluster = nodes(3, Links::default(), 1);
    cluster.mute(&[2]);
    broadcast(&mut cluster, 0, 1);
    broadcast(&mut cluster, 2, 2);
    cluster.run_for_ms(5_000);
    let held: Vec<usize> = cluster.nodes().map(|node| node.store().set.len()).collect();
    assert_eq!(held, [1, 1, 2]);
    cluster.cuts_mut().remove(2, 0);
    cluster.converge(10_000);
}

#[test]
fn nodes_of_several_storages_and_strategies_make_one_cluster() {
    let mut cluster = Cluster::<Box<dyn Machine>>::new(3, Links::default(), 1, |seat| match seat.at {
        0 => Box::new(seat.member::<Tiny>(Config::default())),
        1 => Box::new(seat.member::<Small>(Config { strategy: Strategy::Relay, ..Config::default() })),
        _ => Box::new(seat.member_with::<Heap>(Config::default(), Small::LIMITS)),
    });
    let request = br#"{"src":"c1","dest":"n0","body":{"type":"broadcast","message":1,"msg_id":1}}"#;
    let reply = cluster.deliver(0, request);
    assert!(reply.is_ok_and(|reply| reply.is_some_and(|reply| reply.contains("broadcast_ok"))));
    assert!(!cluster.is_converged());
    cluster.converge(10_000);
    cluster.fall_silent(10_000);
    assert!(cluster.nodes().all(|node| node.is_settled() && !node.summary().is_empty()));
}
