//! Storage on the heap. Its capacities are chosen at the start, and all memory is reserved then.

extern crate alloc;

use alloc::vec;
use alloc::vec::Vec;
use core::ops::{Deref, DerefMut};

use super::arena::{Arena, HeapScratch};
use super::{Buf, ID_BYTES_MAX, Index, Limits, Storage};

/// Storage for a server: its capacities are chosen at the start.
///
/// By default it has room for 256 nodes, 2,048 rows, 1,048,576 values with 16 MiB of strings, 65,536 keys with 32 MiB
/// of strings, and strings of 256 bytes. [`Member::join_with_limits`](crate::Member::join_with_limits) takes other
/// capacities. Memory that is reserved is not touched before it is used, so a node with room for a million values that
/// holds few of them takes little.
#[derive(Clone, Copy, Debug)]
pub struct Heap;

impl Storage for Heap {
    const LIMITS: Limits = Limits {
        nodes: 256,
        rows: 2_048,
        known_peers: 256,
        values: 1 << 20,
        set_text_bytes: 16 << 20,
        dense_values: 8 << 20,
        keys: 1 << 16,
        text_bytes: 256,
        store_text_bytes: 32 << 20,
        id_bytes: ID_BYTES_MAX,
        rumors: 1_024,
        events: 1_024,
        payload_bytes: 64 << 10,
    };
    const ADJUSTABLE: bool = true;
    type PerNode<T: Clone> = HeapBuf<T>;
    type NodeBits = HeapBuf<u64>;
    type IdBytes = HeapBuf<u8>;
    type PerRow<T: Clone> = HeapBuf<T>;
    type PerCell<T: Clone> = HeapBuf<T>;
    type PerKnown<T: Clone> = HeapBuf<T>;
    type PerValue<T: Clone> = HeapBuf<T>;
    type ValueIndex = HeapIndex;
    type DenseBits = HeapBuf<u64>;
    type SetText = HeapBuf<u8>;
    type PerKey<T: Clone> = HeapBuf<T>;
    type KeyIndex = HeapIndex;
    type Texts = Arena;
    type Scratch = HeapScratch;
    type PerRumor<T: Clone> = HeapBuf<T>;
    type PerEvent<T: Clone> = HeapBuf<T>;
    type Payload = HeapBuf<u8>;
    type Own = ();
}

/// A `Vec` that never grows beyond the memory that it reserved when it was made.
#[derive(Debug)]
pub struct HeapBuf<T> {
    items: Vec<T>,
    limit: usize,
}

impl<T: Clone> Clone for HeapBuf<T> {
    /// The clone of a `Vec` has room only for the items in it. This clone reserves as much as the original did.
    fn clone(&self) -> Self {
        let mut items = Vec::with_capacity(self.limit);
        items.extend_from_slice(&self.items);
        Self { items, limit: self.limit }
    }
}

impl<T> Deref for HeapBuf<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<T> DerefMut for HeapBuf<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.items
    }
}

impl<T: Clone> Buf<T> for HeapBuf<T> {
    fn with_limit(limit: usize) -> Self {
        Self { items: Vec::with_capacity(limit), limit }
    }

    fn fill_to(&mut self, len: usize, item: T) {
        // `vec!` of zeros gets zeroed pages from the system, which stay untouched. The memory that it replaces was not
        // touched either.
        self.items = vec![item; len.min(self.limit)];
    }

    fn limit(&self) -> usize {
        self.limit
    }

    #[inline(always)]
    fn push(&mut self, item: T) -> Result<(), T> {
        if self.items.len() == self.limit {
            return Err(item);
        }
        self.items.push(item);
        Ok(())
    }

    fn truncate(&mut self, len: usize) {
        self.items.truncate(len);
    }

    fn extend_all(&mut self, items: &[T]) -> bool {
        if items.len() > self.room() {
            return false;
        }
        self.items.extend_from_slice(items);
        true
    }
}

/// A table of slot numbers (`hashbrown`), with room for all slots from the start.
#[derive(Debug)]
pub struct HeapIndex {
    table: hashbrown::HashTable<u32>,
    limit: usize,
}

impl Clone for HeapIndex {
    /// The clone of a `HashTable` has as many places as the original, unless that was made without any.
    fn clone(&self) -> Self {
        let clone = Self { table: self.table.clone(), limit: self.limit };
        debug_assert!(clone.table.capacity() >= self.limit, "a cloned index has room for all its slots");
        clone
    }
}

impl Index for HeapIndex {
    fn with_limit(limit: usize) -> Self {
        Self { table: hashbrown::HashTable::with_capacity(limit), limit }
    }

    fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        self.table.find(hash, |&slot| is_it(slot)).copied()
    }

    fn insert(&mut self, hash: u64, slot: u32, hash_of: impl Fn(u32) -> u64) -> bool {
        if self.table.len() == self.limit {
            return false;
        }
        self.table.insert_unique(hash, slot, |&other| hash_of(other));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::mix2;

    #[test]
    fn a_cloned_buffer_reserves_as_much_as_the_original_did() {
        let mut buf = HeapBuf::with_limit(1_000);
        buf.push(7_u64).unwrap();
        let mut clone = buf.clone();
        let reserved = clone.items.capacity();
        assert!(reserved >= 1_000 && *clone == [7]);
        while clone.push(8).is_ok() {}
        assert_eq!((clone.len(), clone.items.capacity(), buf.len()), (1_000, reserved, 1));
    }

    #[test]
    fn a_cloned_index_has_room_for_as_many_slots_as_the_original() {
        let hash = |slot| mix2(1, u64::from(slot));
        let mut index = HeapIndex::with_limit(1_000);
        assert!(index.insert(hash(0), 0, hash));
        let mut clone = index.clone();
        let reserved = clone.table.capacity();
        assert!((1..1_000).all(|slot| clone.insert(hash(slot), slot, hash)));
        assert!(!clone.insert(hash(1_000), 1_000, hash));
        assert_eq!(clone.table.capacity(), reserved);
        assert!((0..1_000).all(|slot| clone.find(hash(slot), |found| found == slot) == Some(slot)));
        assert_eq!(index.find(hash(1), |found| found == 1), None);
    }
}
