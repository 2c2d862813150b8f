//! Two nodes of one cluster run a script: lines, gossip, time, loss, a restart.
//!
//! Each node runs twice: on fixed storage and on the heap, with the same capacities. So one run shows that the same
//! inputs give the same outputs, and that the storage makes no difference. `pair.rs` and `answers.rs` check what has to
//! hold after every input. `end.rs` checks what has to hold in the end if no line was forged.

mod answers;
mod end;
mod pair;
mod sinks;
mod world;

use rumormill_core::storage::{Heap, Limits, Storage as _, Tiny};

use crate::script::Setup;
use world::World;

/// The smallest useful tables.
const SMALLEST: Limits = Limits {
    nodes: 8,
    rows: 10,
    known_peers: 1,
    values: 12,
    set_text_bytes: 40,
    dense_values: 64,
    keys: 3,
    text_bytes: 8,
    store_text_bytes: 24,
    id_bytes: 5,
    rumors: 2,
    events: 2,
    payload_bytes: 64,
};

/// Checks one script.
///
/// # Panics
/// When something does not hold.
pub fn check(script: &[u8]) {
    let setup = Setup::of(script);
    if setup.smallest {
        World::<Heap>::new(setup, SMALLEST).run(script);
    } else {
        World::<Tiny>::new(setup, Tiny::LIMITS).run(script);
    }
}
