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
//! The example `max_register.rs` of `rumormill-sim` in the repository has requests besides, and that of `rumormill` makes a
//! process of it. Here is the smallest type there is:
//!
//! ```
//! use rumormill_core::data_type::*;
//! use rumormill_core::storage::{Limits, Storage, Tiny};
//! use rumormill_core::{Change, Config, Member, Now};
//!
//! /// A flag that somebody raised. Nobody can lower it.
//! #[derive(Clone, Default)]
//! struct Flag {
//!     raised_by: Option<Dot>,
//! }
//!
//! const RAISE: Entry<'static> = Entry::one(Tag(b'f'), Arg::Int(1));
//!
//! impl<S: Storage> Replicated<S> for Flag {
//!     const LANE: Lane = Lane::Push;
//!     fn unfilled(_: &Limits) -> Self {
//!         Self::default()
//!     }
//!     fn owns(tag: Tag) -> bool {
//!         tag == RAISE.tag
//!     }
//!     fn merge(&mut self, _: &mut Causality<S>, dot: Dot, entry: &Entry<'_>) -> Result<Merged, Refused> {
//!         if *entry != RAISE {
//!             return Err(Refused::Unreadable);
//!         }
//!         if self.raised_by.is_some() {
//!             return Ok(Merged::Superseded);
//!         }
//!         self.raised_by = Some(dot);
//!         Ok(Merged::Applied)
//!     }
//!     fn covers(&self, _: &Causality<S>, _: Dot, entry: &Entry<'_>) -> bool {
//!         *entry != RAISE || self.raised_by.is_some()
//!     }
//!     fn seek(&self, row: RowId, after: u64) -> Option<At> {
//!         self.raised_by.filter(|dot| dot.row == row && dot.seq > after).map(|_| At::slot(0))
//!     }
//!     fn next(&self, _: At) -> Option<At> {
//!         None
//!     }
//!     fn seq(&self, _: At) -> u64 {
//!         self.raised_by.map_or(0, |dot| dot.seq)
//!     }
//!     fn entry<'a>(&'a self, _: At, _: &'a Causality<S>) -> Entry<'a> {
//!         RAISE
//!     }
//!     fn fingerprint(&self) -> u64 {
//!         self.raised_by.map_or(0, |_| mix2(1, 1))
//!     }
//! }
//!
//! impl<S: Product<Own = Self>> Requests<S> for Flag {}
//!
//! let now = Now::monotonic_ms(0);
//! let config = Config { incarnation: 1, max_message_bytes: 1_024, ..Config::default() };
//! let mut ann = Member::<With<Tiny, Flag>>::join(config, "ann", ["ann", "bob"], now)?;
//! assert!(ann.update(now, Change::Entry(RAISE))?.is_some());
//! assert!(ann.update(now, Change::Entry(RAISE))?.is_none(), "it is raised already");
//! assert!(ann.store().own.raised_by.is_some());
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
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
//! A state has to keep these laws, or nodes will differ, or will never fall silent. Debug builds check some of them.
//!
//! - Merging is commutative, associative and idempotent.
//! - An entry that [`Replicated::merge`] calls [`Merged::Applied`] is in the state under its dot until another entry
//!   supersedes it; that other entry is then in the state under its own dot. [`Merged::Superseded`] changes nothing.
//! - [`Replicated::covers`] is true exactly if [`Replicated::merge`] would give [`Merged::Superseded`], and for an entry that cannot be
//!   read. Otherwise a node takes the echo of its own change for the change of somebody else.
//! - An entry that was refused changed nothing.
//! - Two states have equal fingerprints if, and only if, they are equal. Make them with [`mix2`], so that they differ in all
//!   bits. The fingerprint of the empty state is 0. A [`RowId`] is no part of a fingerprint, because each node numbers rows
//!   in its own way. A dot is none either, unless all nodes keep the same one of several dots.
//! - An entry has a tag of its own: a character of printable ASCII, but not `"`, `\` and `!`. `p` and `n` belong to the counter, `w` to
//!   the store, and [`Tag::BARE`] to the set.
//! - An entry has room in every message: each string has at most [`Limits::text_bytes`](crate::storage::Limits::text_bytes) bytes as JSON prints it, and the whole is
//!   not longer than the write of a key and a value that are as long as that. A longer entry is refused where it is made.
//! - An integer above the range of `i64` is made with [`Arg::unsigned`].
//! - Work and memory have bounds: a peer chooses what it sends. A table that is full gives [`Refused::Full`] with [`Bound::Own`].
//!
//! All members of a cluster have to know the data type before one of them uses it. A member that does not know it refuses the entries
//! and says so. It then takes no later change of that row either, the cluster does not settle, and the entries are offered
//! again for ever, at pauses that grow to 30 s.
//!
//! # What it cannot do
//!
//! - A node has one data type of a user. Two are one that holds both, with two tags.
//! - Capacities are constants of the type, or those of [`Storage`](crate::storage::Storage): a table in one of its containers is a field of
//!   `MyType<S>`, and the storage of the node `With<S, MyType<S>>`.
//! - There are no stamps: last-writer-wins is what the store is for.
//! - Requests have integers and strings, no lists. Replies have lists of values, and no objects inside.

pub use crate::causality::{Arg, Causality, Dot, Entry, RowId, Tag};
pub use crate::id::mix2;
pub use crate::replicated::{Applied, At, Bound, Ends, Lane, Link, Linked, Merged, Product, Refused, Replicated};
pub use crate::service::{Application, Fields, Replied, Request, RequestContext, RequestError, Requests, Strings};
pub use crate::storage::With;
