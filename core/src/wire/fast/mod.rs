//! The hand-tuned path: what only saves time.

mod block;
mod integer;
mod predict;
mod shape;

pub use block::{BLOCK, Block};
pub use predict::Predictor;

pub(super) use integer::up_to_eight;
