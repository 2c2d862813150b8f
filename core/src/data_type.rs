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
//! The example `max_register.rs` of `rumormill-sim` in the repository has requests besides. Here is the smallest type there is:
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
pub use crate::service::{Application, Fields, Replied, Request, RequestContext, RequestError, Requests, Texts};
pub use crate::storage::With;
