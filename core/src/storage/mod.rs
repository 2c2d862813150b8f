//! The containers and capacities a node is built on.
//!
//! A [`Storage`] names one container per *class of capacity* (per node, per row, per value, …). So the bounds of all
//! tables of a node are in one place. There are two kinds. A storage that [`fixed_storage!`](crate::fixed_storage)
//! declares keeps everything inside the node and needs no allocator. [`Heap`] (feature `alloc`) takes its capacities at
//! the start and reserves all memory then.

#[cfg(feature = "alloc")]
mod arena;
#[doc(hidden)]
pub mod fixed;
#[cfg(feature = "alloc")]
mod heap;
mod text;
mod with;

use core::ops::{Deref, DerefMut};

#[cfg(feature = "alloc")]
pub use arena::{Arena, HeapScratch, HeapText, Span};
pub use fixed::{FixedIndex, Small, Tiny};
#[cfg(feature = "alloc")]
pub use heap::{Heap, HeapBuf, HeapIndex};
pub use text::{Owners, Scratch, TEXTS, Text, Texts, longest_text};
pub use with::With;

/// The longest node or client id that any storage accepts, in bytes of its JSON form without quotes.
pub const ID_BYTES_MAX: usize = 64;

/// The largest incarnation, 2^53 − 1. Every JSON library reads integers up to it exactly, microseconds of a wall clock
/// reach it in the year 2255, and the name of a row stays short.
pub const INCARNATION_MAX: u64 = (1 << 53) - 1;

/// The longest string value or key that any storage accepts, in bytes of its JSON form without quotes.
pub const TEXT_BYTES_MAX: usize = 1 << 16;

/// The capacities of one node. [`Storage::LIMITS`] gives the defaults of a storage; only [`Heap`] can take others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Limits {
    /// Nodes of the cluster, this node included.
    pub nodes: usize,
    /// Rows over all nodes. A row is a node in one of its lives. All rows are one pool, in which each of n nodes is
    /// guaranteed `max(1, rows / 2 / n)`. A node takes a row for its own life, and one for each other life of which it
    /// has applied a change; it never gives a row back. A cluster in which few nodes write can do with fewer rows than
    /// nodes.
    pub rows: usize,
    /// Peers whose version vector is kept. Of other peers only the last digest in short is kept.
    pub known_peers: usize,
    /// Values in the broadcast set.
    pub values: usize,
    /// Bytes of all strings in the broadcast set together.
    pub set_text_bytes: usize,
    /// Integers from 0 below this number are kept in a bitmap, all other values in a hash table.
    pub dense_values: usize,
    /// Keys of the key-value store.
    pub keys: usize,
    /// Bytes of one string value or key in JSON, without the quotes.
    pub text_bytes: usize,
    /// Bytes of all strings in the key-value store together, keys and values, without escapes. On fixed storage it
    /// follows from `keys` and `text_bytes`.
    pub store_text_bytes: usize,
    /// Bytes of a node or client id in JSON, without the quotes.
    pub id_bytes: usize,
    /// Ranges of new dots that wait for their push.
    pub rumors: usize,
    /// Events that can wait to be polled, if [`Config::events`](crate::Config::events) is on. With 0 every event is
    /// missed, and counted.
    pub events: usize,
    /// Bytes of the payload of a reply to `echo`, `txn`, or a request of a user's data type.
    pub payload_bytes: usize,
}

impl Limits {
    /// The smallest capacities. In [`fixed_storage!`](crate::fixed_storage) they stand for tables that are not used.
    pub const LEAST: Self = Self {
        nodes: 1,
        rows: 1,
        known_peers: 1,
        values: 1,
        set_text_bytes: 0,
        dense_values: 0,
        keys: 1,
        text_bytes: 8,
        store_text_bytes: 0,
        id_bytes: 2,
        rumors: 1,
        events: 0,
        payload_bytes: 64,
    };
    /// The largest capacities.
    pub const MOST: Self = Self {
        nodes: MILLION,
        rows: 16 * MILLION,
        known_peers: MILLION,
        values: 1_024 * MILLION,
        set_text_bytes: 2_048 * MILLION,
        // More than 32 bits can count. There the bound is `usize::MAX`.
        dense_values: MILLION.saturating_mul(16_384),
        keys: 16 * MILLION,
        text_bytes: TEXT_BYTES_MAX,
        store_text_bytes: 2_048 * MILLION,
        id_bytes: ID_BYTES_MAX,
        rumors: MILLION,
        events: MILLION,
        payload_bytes: 1_024 * MILLION,
    };

    /// The first capacity that is outside of its bounds: its name, the smallest and the largest value.
    #[must_use]
    pub const fn first_outside(&self) -> Option<(&'static str, usize, usize)> {
        macro_rules! check {
            ($($name:ident,)+) => {
                // All capacities are named here, so a new one does not compile without a check.
                let Self { $($name,)+ } = *self;
                $(
                    if $name < Self::LEAST.$name || $name > Self::MOST.$name {
                        return Some((stringify!($name), Self::LEAST.$name, Self::MOST.$name));
                    }
                )+
            };
        }
        check! {
            nodes, rows, known_peers, values, set_text_bytes, dense_values, keys, text_bytes, store_text_bytes, id_bytes, rumors, events, payload_bytes,
        }
        None
    }
}

const MILLION: usize = 1 << 20;

/// A bounded sequence: a slice that can grow up to the limit with which it was made. A clone has the same limit and
/// reserves as much memory.
pub trait Buf<T: Clone>: Clone + Deref<Target = [T]> + DerefMut {
    /// An empty buffer for `limit` items. A fixed buffer takes the smaller of `limit` and its own size.
    fn with_limit(limit: usize) -> Self;
    /// Fills an empty buffer with `len` copies of `item`, or as many as fit. It is called once the buffer is where it
    /// stays in memory: a value with filled buffers would be copied on its way there.
    fn fill_to(&mut self, len: usize, item: T);
    /// How many items fit.
    fn limit(&self) -> usize;
    /// Appends `item`, or gives it back if the buffer is full.
    ///
    /// # Errors
    /// The item itself; nothing changed.
    fn push(&mut self, item: T) -> Result<(), T>;
    /// Drops all items beyond the first `len`.
    fn truncate(&mut self, len: usize);
    /// Appends all of `items`, or none if they do not fit. True if they were appended.
    fn extend_all(&mut self, items: &[T]) -> bool;
    /// Drops all items.
    fn clear(&mut self) {
        self.truncate(0);
    }
    /// How many more items fit.
    fn room(&self) -> usize {
        self.limit() - self.len()
    }
}

/// A hash index over the slots of another table: it keeps slot numbers, and the caller keeps the keys. Slots are never
/// removed. Their numbers are below twice the limit. A clone has room for as many slots.
pub trait Index: Clone {
    /// An empty index for `limit` slots.
    fn with_limit(limit: usize) -> Self;
    /// The slot with this hash for which `is_it` holds.
    fn find(&self, hash: u64, is_it: impl FnMut(u32) -> bool) -> Option<u32>;
    /// Adds a slot that is not in the index yet. `false` if the index is full.
    fn insert(&mut self, hash: u64, slot: u32, hash_of: impl Fn(u32) -> u64) -> bool;
}

/// The storage of a node: one container per class of capacity.
pub trait Storage: Clone + 'static {
    /// The default capacities of the storage.
    const LIMITS: Limits;
    /// Whether a node can have other capacities than [`Storage::LIMITS`].
    const ADJUSTABLE: bool;
    /// One item per node.
    type PerNode<T: Clone>: Buf<T>;
    /// One bit per node.
    type NodeBits: Buf<u64>;
    /// The bytes of all node ids.
    type IdBytes: Buf<u8>;
    /// One item per row.
    type PerRow<T: Clone>: Buf<T>;
    /// Two items per row: the cells of a PN-counter.
    type PerCell<T: Clone>: Buf<T>;
    /// One item per peer whose version vector is kept.
    type PerKnown<T: Clone>: Buf<T>;
    /// One item per value of the set.
    type PerValue<T: Clone>: Buf<T>;
    /// Index of the values that the bitmap cannot hold.
    type ValueIndex: Index;
    /// One bit per dense value.
    type DenseBits: Buf<u64>;
    /// The bytes of all strings in the set.
    type SetText: Buf<u8>;
    /// One item per key of the store.
    type PerKey<T: Clone>: Buf<T>;
    /// Index of the keys.
    type KeyIndex: Index;
    /// The strings of the store, its keys and values.
    type Texts: Texts;
    /// The strings of a request or entry while it is read.
    type Scratch: Scratch;
    /// One item per waiting rumor.
    type PerRumor<T: Clone>: Buf<T>;
    /// One item per waiting event.
    type PerEvent<T: Clone>: Buf<T>;
    /// The payload of a reply to `echo`, `txn`, or a request of a user's data type.
    type Payload: Buf<u8>;
    /// The data type of a user that a node holds besides the set, the counter and the map. `()` is no data type.
    /// [`With`] has one.
    type Own: Clone;
}
