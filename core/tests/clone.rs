//! A cloned node is independent of the original: the same inputs give the same outputs, and inputs of one do not change
//! the other.

#![cfg(feature = "alloc")]
#![allow(missing_docs, clippy::unwrap_used)]

use rumormill_core::data_type::Application;
use rumormill_core::storage::{Heap, Small, Tiny};
use rumormill_core::{Change, Config, Node, Now, Strategy, Value};

use rumormill_sim::{Joined as _, Machine as _};

/// The messages of a node while it runs `rounds` timers.
fn lines<S: Application>(node: &mut Node<S>, from_ms: u64, rounds: u64) -> Vec<u8> {
    let mut out = Vec::new();
    for round in 0..rounds {
        let now = Now::monotonic_ms(from_ms + 100 * round);
        node.handle_timeout(now);
        while node.poll_transmit(now, &mut out).unwrap().is_some() {}
    }
    out
}

fn say_the_same<S: Application>(strategy: Strategy) {
    let mut node = Node::<S>::new(Config { strategy, seed: 7, ..Config::default() }).unwrap();
    node.join("n0", ["n0", "n1", "n2"], Now::monotonic_ms(0)).unwrap();
    node.update(Now::monotonic_ms(1), Change::Broadcast(Value::Int(5))).unwrap();
    node.update(Now::monotonic_ms(1), Change::Broadcast(Value::Text("five"))).unwrap();
    lines(&mut node, 2, 3);
    node.update(Now::monotonic_ms(400), Change::Add(3)).unwrap();
    let mut clone = node.clone();
    let untouched = node.clone();
    assert!(clone.update(Now::monotonic_ms(500), Change::Broadcast(Value::Int(6))).unwrap().is_some());
    assert_eq!((clone.store().set.len(), node.store().set.len()), (3, 2));
    assert!(node.update(Now::monotonic_ms(500), Change::Broadcast(Value::Int(6))).unwrap().is_some());
    let said = lines(&mut node, 500, 50);
    assert!(!said.is_empty());
    assert_eq!(lines(&mut clone, 500, 50), said);
    assert_eq!((clone.digest(), clone.stats()), (node.digest(), node.stats()));
    assert_ne!(untouched.digest(), node.digest());
}

#[test]
fn a_cloned_node_says_what_the_original_says_and_neither_touches_the_other() {
    for strategy in Strategy::ALL {
        say_the_same::<Tiny>(strategy);
        say_the_same::<Small>(strategy);
        say_the_same::<Heap>(strategy);
    }
}
