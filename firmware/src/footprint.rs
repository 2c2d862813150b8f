//! The sizes of types, and the depth of the stack: for the tables in docs/embedding.md.

use rumormill_core::causality::Causality;
use rumormill_core::gossip::Gossip;
use rumormill_core::replicated::{BroadcastSet, Counter, LwwMap};
use rumormill_core::service::Service;
use rumormill_core::storage::{Small, Storage, Tiny};
use rumormill_core::{Node, fixed_storage};

use crate::board::host;

fixed_storage! {
    /// `Tiny` for eight nodes more, with four rows each.
    struct TinyNodes { nodes: 16, rows: 64, ..Tiny::LIMITS }
}
fixed_storage! {
    /// `Tiny` for 128 values more.
    struct TinyValues { values: 256, set_text_bytes: 1_024, dense_values: 2_048, ..Tiny::LIMITS }
}
fixed_storage! {
    /// `Small` for 32 nodes more, with four rows each.
    struct SmallNodes { nodes: 64, rows: 256, ..Small::LIMITS }
}
fixed_storage! {
    /// `Small` for 4,096 values more.
    struct SmallValues { values: 8_192, set_text_bytes: 32_768, dense_values: 32_768, ..Small::LIMITS }
}

/// Writes all of them, one number per line.
pub(crate) fn say() {
    let tiny = size_of::<Node<Tiny>>();
    let small = size_of::<Node<Small>>();
    for (name, number) in [
        ("stack used", stack_used()),
        ("tiny node", tiny),
        ("tiny per node", (size_of::<Node<TinyNodes>>() - tiny) / 8),
        ("tiny per value", (size_of::<Node<TinyValues>>() - tiny) / 128),
        ("small node", small),
        ("small per node", (size_of::<Node<SmallNodes>>() - small) / 32),
        ("small per value", (size_of::<Node<SmallValues>>() - small) / 4_096),
        ("part set", size_of::<BroadcastSet<Tiny>>()),
        ("part counter", size_of::<Counter<Tiny>>()),
        ("part map", size_of::<LwwMap<Tiny>>()),
        ("part causality", size_of::<Causality<Tiny>>()),
        ("part gossip", size_of::<Gossip<Tiny>>()),
        ("part service", size_of::<Service<Tiny>>()),
    ] {
        host::say(name);
        host::say(": ");
        host::say_number(number as u32);
        host::say("\n");
    }
}

/// How many bytes of the stack no longer have the pattern that cortex-m-rt wrote at the start.
fn stack_used() -> usize {
    const COLOUR: u32 = 0xcccc_cccc;
    unsafe extern "C" {
        static _stack_start: u32;
        static _stack_end: u32;
    }
    let (top, bottom) = (&raw const _stack_start as usize, &raw const _stack_end as usize);
    // SAFETY: the words lie in the memory of the stack, and are only read.
    let is_painted = |at: &usize| unsafe { core::ptr::read_volatile(*at as *const u32) } == COLOUR;
    let clean = (bottom..top).step_by(4).take_while(is_painted).count();
    top - bottom - 4 * clean
}
