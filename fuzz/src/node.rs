//! Two nodes of one cluster under a script: lines, gossip, time, loss, a restart.
//!
//! Each node runs twice: on fixed storage and on the heap, with the same capacities, so one run shows both that the same
//! inputs give the same outputs and that the storage makes no difference. What has to hold after every input is in
//! `pair.rs` and `answers.rs`; what has to hold in the end, when no line was forged, in `end.rs`.

mod answers;
mod end;
mod pair;
mod sinks;
mod world;

use rumormill_core::storage::{Heap, Limits, Storage as _, Tiny};

use crate::script::Setup;
use world::World;

/// The smallest tables that are of any use.
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
