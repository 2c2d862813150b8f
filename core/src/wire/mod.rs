//! Bytes to messages and back. Each input, valid or not, has a defined result; no state is touched.
//!
//! A line is scanned once, strictly, by a scanner that neither recurses nor copies ([`json`]). The result is a
//! [`Message`]: the envelope and the fields of the body by name, still borrowed from the line. Lines of a kind look
//! alike, so the [`Predictor`] tries the layout of an earlier line before the scanner. The predictor, and all other
//! code that only saves time, is in the folder `fast`; a build without the feature `fast` leaves it out. `WIRE.md`
//! specifies the messages between nodes.

mod body;
mod chunks;
mod double;
mod encode;
mod fast;
mod field;
pub mod gossip;
mod iter;
pub mod json;
mod message;
mod names;
mod short;

pub use body::{Body, Duplicate};
pub use chunks::{Chunk, Chunks, Item, RawEntry, SEQ_MAX, Scratch};
pub use encode::{Count, Out, length};
pub(crate) use fast::same;
pub use fast::{Block, Predictor, Serial};
pub use field::{BadField, Scalar, Why, integer};
pub use iter::{Items, Pairs};
pub use json::{Malformed, Str, Token};
pub use message::Message;
pub use names::{Key, Kind};
pub use short::Short;
