//! The sizes of types where pointers have 32 bits. A node is one value in static memory, so its size matters to users:
//! a change of it stops the build here, with both numbers, so that a review sees it. `core/tests/sizes.rs` does the
//! same for 64 bits.

use rumormill_core::gossip::{Gossip, Hot};
use rumormill_core::replicated::{Replica, Store};
use rumormill_core::service::{Reply, Service};
use rumormill_core::storage::{Small, Tiny};
use rumormill_core::wire::{Message, Token};
use rumormill_core::{Config, Node, Stats};

macro_rules! sizes {
    ($($type:ty: $size:expr,)+) => {
        $(const _: [(); $size] = [(); size_of::<$type>()];)+
    };
}

sizes! {
    Node<Tiny>: 22_664,
    Node<Small>: 297_944,
    Replica<Tiny>: 12_064,
    Store<Tiny>: 10_080,
    Gossip<Tiny>: 6_832,
    Service<Tiny>: 2_224,
    Reply: 256,
    Config: 40,
    Stats: 248,
    Hot: 32,
    Token<'_>: 16,
    Message<'_>: 992,
}
