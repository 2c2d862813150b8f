//! The hand-tuned path: other ways to do what the rest of [`crate::wire`] does, which only save time.
//!
//! It owns the layouts of earlier lines, the integers that are kept while a line is checked, the line that is written as one block,
//! the counter that is kept as text, and what is read, written, compared and copied in whole words. It must never know what a
//! request does or what a node holds: what a line means and which bytes an answer has is decided elsewhere, and is the same without
//! this folder.
//!
//! The door is the list of names below. Without the feature `fast` the door is the file `absent`: the same names, and behind each
//! of them the plain way or nothing at all. So the code outside does not ask whether the feature is on, but for what it inlines.
//!
//! | name | what it saves |
//! |---|---|
//! | [`Predictor`] | a line that looks like one before it is compared with that one, not scanned |
//! | [`Tape`], [`Kept`] | the integers among the entries of a message between nodes are read once |
//! | [`Block`] | an answer that only acknowledges is a few moves of bytes |
//! | [`Serial`] | the number of a message is kept as text; the next one mostly differs in one digit |
//! | [`short_integer`], [`digits`] | integers are read and written eight digits at a time |
//! | [`same`], [`copy`] | short stretches of bytes are compared and copied without a call |

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
