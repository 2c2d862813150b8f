//! The hand-tuned path: faster ways to do what the rest of [`crate::wire`] does. They only save time.
//!
//! This folder owns the layouts of earlier lines, the integers that are kept while a line is checked, the line that is
//! written as one block, the counter that is kept as text, and functions that read, write, compare and copy in whole
//! words. It never knows what a request does or what a node holds. The meaning of a line and the bytes of an answer are
//! decided elsewhere, and are the same without this folder.
//!
//! Other code uses only the names in the list below. Without the feature `fast` the file `absent` has the same names;
//! behind each of them is the plain way, or nothing. So no other code asks whether the feature is on, except in
//! attributes about inlining.
//!
//! | name | how it saves time |
//! |---|---|
//! | [`Predictor`] | a line that looks like an earlier one is compared with it, not scanned |
//! | [`Tape`], [`Kept`] | integers among the entries of a message between nodes are read once, not twice |
//! | [`Block`] | an answer that only acknowledges is written with a few moves of bytes |
//! | [`Serial`] | the number of a message is kept as text, since the next number mostly differs in one digit |
//! | [`short_integer`], [`digits`] | integers are read and written eight digits at a time |
//! | [`same`], [`copy`] | short slices of bytes are compared and copied without a call |

#[cfg(not(feature = "fast"))]
mod absent;
#[cfg(feature = "fast")]
mod block;
#[cfg(feature = "fast")]
mod bytes;
#[cfg(feature = "fast")]
mod integer;
#[cfg(feature = "fast")]
mod predict;
#[cfg(feature = "fast")]
mod serial;
#[cfg(feature = "fast")]
mod shape;
#[cfg(feature = "fast")]
mod tape;

#[cfg(not(feature = "fast"))]
pub use absent::{Block, Predictor, Serial};
#[cfg(not(feature = "fast"))]
pub(crate) use absent::{Kept, Tape, copy, digits, same, short_integer};

#[cfg(feature = "fast")]
pub use {block::Block, predict::Predictor, serial::Serial};
#[cfg(feature = "fast")]
pub(crate) use {
    bytes::{copy, same},
    integer::{digits, short_integer},
    tape::{Kept, Tape},
};
