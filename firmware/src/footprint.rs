//! How large things are, and how deep the stack was: for the table in docs/embedding.md.

use rumormill_core::Node;
use rumormill_core::causality::Causality;
use rumormill_core::gossip::Gossip;
use rumormill_core::replicated::{BroadcastSet, Counter, LwwMap};
use rumormill_core::service::Service;
use rumormill_core::storage::{Fixed, Small, Tiny};

use crate::board::host;

/// `Tiny` for eight nodes more, `Tiny` for 128 values more, and the same for `Small`.
type TinyNodes = Fixed<16, 1, 256, 64, 128, 4, 128, 192, 16, 512, 16, 32, 24, 16, 256>;
type TinyValues = Fixed<8, 1, 128, 32, 64, 4, 256, 384, 32, 1024, 16, 32, 24, 16, 256>;
type SmallNodes = Fixed<64, 1, 2048, 256, 512, 32, 4096, 6144, 256, 16384, 256, 512, 64, 64, 2048>;
type SmallValues = Fixed<32, 1, 1024, 128, 256, 32, 8192, 12288, 512, 32768, 256, 512, 64, 64, 2048>;

/// Says all of it, one number to a line.
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

/// Bytes of the stack that do not bear the colour with which cortex-m-rt painted it.
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
