//! Storage on the heap: capacities chosen at start, reserved then and never again.

extern crate alloc;

use alloc::vec;
use alloc::vec::Vec;
use core::ops::{Deref, DerefMut};

use super::{Buf, ID_BYTES_MAX, Index, Kept, Limits, Storage, TEXT_BYTES_MAX};

/// Storage whose capacities are chosen at start. What is reserved is not touched before it is used, so an idle node
/// of a million values stays small in memory.
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
        text_bytes: TEXT_BYTES_MAX,
        id_bytes: ID_BYTES_MAX,
        rumors: 1_024,
        payload_bytes: 64 << 10,
    };
    const ADJUSTABLE: bool = true;
    type PerNode<T> = HeapBuf<T>;
    type NodeBits = HeapBuf<u64>;
    type IdBytes = HeapBuf<u8>;
    type PerRow<T> = HeapBuf<T>;
    type PerCell<T> = HeapBuf<T>;
    type PerKnown<T> = HeapBuf<T>;
    type PerValue<T> = HeapBuf<T>;
    type ValueIndex = HeapIndex;
    type DenseBits = HeapBuf<u64>;
    type SetText = HeapBuf<u8>;
    type PerKey<T> = HeapBuf<T>;
    type KeyIndex = HeapIndex;
    type Text = heapless::String<TEXT_BYTES_MAX>;
    type PerRumor<T> = HeapBuf<T>;
    type Payload = HeapBuf<u8>;
    type Extra<T: Default> = Kept<T>;
}

/// A `Vec` that never grows beyond what it reserved when it was made.
#[derive(Clone, Debug)]
pub struct HeapBuf<T> {
    items: Vec<T>,
    limit: usize,
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

impl<T> Buf<T> for HeapBuf<T> {
    fn with_limit(limit: usize) -> Self {
        Self { items: Vec::with_capacity(limit), limit }
    }

    fn fill_to(&mut self, len: usize, item: T)
    where
        T: Clone,
    {
        // `vec!` of zeros asks the system for zeroed pages, which stay untouched. What was reserved was not touched either.
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

    fn extend_all(&mut self, items: &[T]) -> bool
    where
        T: Clone,
    {
        if items.len() > self.room() {
            return false;
        }
        self.items.extend_from_slice(items);
        true
    }
}

/// `hashbrown`'s table of slot numbers, with room for all of them from the start.
#[derive(Clone, Debug)]
pub struct HeapIndex {
    table: hashbrown::HashTable<u32>,
    limit: usize,
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
