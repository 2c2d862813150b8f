//! What a data type of one's own is made of.
//!
//! A node holds a set, a counter and a key-value store. A program can put a data type of its own beside them, without a
//! change of this crate. Gossip, repair, events, silence and the bounds on messages are then those of the built-in types.
//!
//! 1. Implement [`Replicated`] for the state: how two states join. The laws are below.
//! 2. Implement [`Requests`]: what clients may ask. A type without requests takes the trait as it is.
//! 3. Name the storage [`With<Tiny, MyType>`](With), or `With<Heap, MyType>`, where a node is made.
//! 4. Make changes with [`Change::Entry`](crate::Change::Entry), read the state from [`Store::own`](crate::Store::own), and learn of changes from
//!    [`Applied::Other`].
//!
//! The example `max_register.rs` of `rumormill-sim` in the repository is such a type, with requests, on 100 lines.
//!
//! # How a change travels
//!
//! A change is an [`Entry`]: a [`Tag`] that says which data type reads it, and up to [`Entry::ARGS_MAX`] integers and
//! strings. A node gives each of its changes the next number in its [row](RowId); row and number are the [`Dot`] of the
//! change. What a peer lacks is read from the state: all entries of a row above a number, in the order of their numbers.
//! So a state has to find its entries by [`Dot`], with [`Replicated::seek`] and [`Replicated::next`]. A type with few entries can
//! look at each; one with many keeps a tree for each row, which is [`Ends`] over items that are [`Linked`].
//!
//! # Laws
//!
//! A state has to keep them, or nodes will differ, or never fall silent:
//!
//! - Merging is commutative, associative and idempotent.
//! - An entry that [`Replicated::merge`] calls [`Merged::Applied`] is in the state under its dot until another entry
//!   supersedes it; that other entry is then in the state under its own dot. [`Merged::Superseded`] changes nothing.
//! - Whatever was refused changed nothing.
//! - Two states have equal fingerprints if, and only if, they are equal. Make them with [`mix2`], so that they differ all over.
//! - Tag [`Tag::BARE`] belongs to the set, `p` and `n` to the counter, and `w` to the store. Another byte of printable
//!   ASCII, but for `"` and `\`, can be the tag of an own type. All members of a cluster have to know it: one that does not refuses the entries,
//!   says so to its peers, and is offered them again.
//! - Work and memory have bounds: a peer chooses what it sends.

pub use crate::causality::{Arg, Causality, Dot, Entry, RowId, Tag};
pub use crate::id::mix2;
pub use crate::replicated::{Applied, At, Bound, Ends, Lane, Link, Linked, Merged, Product, Refused, Replicated};
pub use crate::service::{Application, Desk, Fields, Replied, Request, RequestError, Requests, Texts};
pub use crate::storage::With;
