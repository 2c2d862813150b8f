//! The sizes of types. A node with fixed storage is one value in static memory, so its size matters to users.

#![cfg(target_pointer_width = "64")]

use rumormill_core::causality::{Causality, Dot, Entry, Row};
use rumormill_core::gossip::{Gossip, Hot};
use rumormill_core::replicated::{Replica, Store};
use rumormill_core::service::{Reply, Service};
use rumormill_core::storage::{Small, Tiny};
use rumormill_core::wire::{Message, Out, Predictor, Token};
use rumormill_core::{Config, Event, Node, Stats};

/// What the feature `fast` adds to a node: the layouts of earlier lines, and the text of a number.
const FAST: usize = if cfg!(feature = "fast") { 784 } else { 0 };

/// Compares the sizes of types with the expected ones, and reports all differences at once.
macro_rules! assert_sizes {
    ($($type:ty: $expected:expr,)+) => {
        let sizes = [$((stringify!($type), size_of::<$type>(), $expected)),+];
        let changed: Vec<_> = sizes.into_iter().filter(|(_, size, expected)| size != expected).collect();
        assert!(
            changed.is_empty(),
            "sizes changed (type, size, size in this test): {changed:?}. If that is deliberate, update the numbers \
             here and wherever the documentation states them"
        );
    };
}

#[test]
fn a_node_with_fixed_storage_takes_this_much_memory() {
    assert_sizes! {
        Node<Tiny>: 23_184 + FAST,
        Node<Small>: 302_304 + FAST,
    }
}

#[test]
fn the_parts_of_a_node_take_this_much_of_it() {
    assert_sizes! {
        Replica<Tiny>: 12_368,
        Store<Tiny>: 10_352,
        Causality<Tiny>: 1_992,
        Gossip<Tiny>: 6_928,
        Service<Tiny>: 2_232,
        Replica<Small>: 232_800,
        Store<Small>: 224_704,
        Causality<Small>: 8_072,
        Gossip<Small>: 54_416,
        Service<Small>: 13_432,
        Predictor: if cfg!(feature = "fast") { 760 } else { 0 },
        Config: 48,
        Stats: 248,
        Reply: 288,
    }
}

#[test]
fn what_there_are_many_of_and_what_lies_on_the_stack_is_this_large() {
    assert_sizes! {
        Dot: 16,
        Row: 48,
        Hot: 32,
        Event<'_>: 128,
        Entry<'_>: 104,
        Token<'_>: 24,
        Message<'_>: if cfg!(feature = "fast") { 2_072 } else { 1_344 },
        Out<'_, heapless::Vec<u8, 64>>: 288,
    }
}
