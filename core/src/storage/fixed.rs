//! Storage inside the node: heapless containers with const capacities, no allocator.

use core::marker::PhantomData;

use super::{Buf, ID_BYTES_MAX, Index, Limits, Storage, Text};

/// Storage whose capacities are compile-time constants.
///
/// `CELLS` must be `2 * ROWS` and `NODE_WORDS`, `DENSE_WORDS` count words of 64 bits; the assertion in
/// [`Storage::LIMITS`] refuses to compile anything else. `VALUE_SLOTS` and `KEY_SLOTS` are the sizes of the hash
/// tables: half as much again as the items keeps a search short.
#[derive(Clone, Copy, Debug)]
pub struct Fixed<
    const NODES: usize,
    const NODE_WORDS: usize,
    const ID_BYTES: usize,
    const ROWS: usize,
    const CELLS: usize,
    const KNOWN: usize,
    const VALUES: usize,
    const VALUE_SLOTS: usize,
    const DENSE_WORDS: usize,
    const SET_TEXT: usize,
    const KEYS: usize,
    const KEY_SLOTS: usize,
    const TEXT: usize,
    const RUMORS: usize,
    const PAYLOAD: usize,
>(PhantomData<()>);

/// For a sensor: 8 nodes, 128 values, 16 keys, strings of 24 bytes. A node takes 23,392 bytes on a 64-bit machine, and
/// 784 more with the feature `fast`, as `core/tests/sizes.rs` asserts.
///
/// Its 32 rows guarantee two lives to each of 8 nodes, and 16 are for whoever comes first: 18 changes of memory are told apart
/// if one node has them all. In a cluster of 3 each is guaranteed 5.
pub type Tiny = Fixed<8, 1, 128, 32, 64, 4, 128, 192, 16, 512, 16, 32, 24, 16, 256>;

/// For a gateway: 32 nodes, 4,096 values, 256 keys, strings of 64 bytes. A node takes 306,592 bytes on a 64-bit machine,
/// and 784 more with the feature `fast`, as `core/tests/sizes.rs` asserts.
///
/// Its 128 rows guarantee two lives to each of 32 nodes, and 64 are for whoever comes first. In a cluster of 5 each is
/// guaranteed 12.
pub type Small = Fixed<32, 1, 1024, 128, 256, 32, 4096, 6144, 256, 16384, 256, 512, 64, 64, 2048>;

impl<
    const NODES: usize,
    const NODE_WORDS: usize,
    const ID_BYTES: usize,
    const ROWS: usize,
    const CELLS: usize,
    const KNOWN: usize,
    const VALUES: usize,
    const VALUE_SLOTS: usize,
    const DENSE_WORDS: usize,
    const SET_TEXT: usize,
    const KEYS: usize,
    const KEY_SLOTS: usize,
    const TEXT: usize,
    const RUMORS: usize,
    const PAYLOAD: usize,
> Storage
    for Fixed<
        NODES,
        NODE_WORDS,
        ID_BYTES,
        ROWS,
        CELLS,
        KNOWN,
        VALUES,
        VALUE_SLOTS,
        DENSE_WORDS,
        SET_TEXT,
        KEYS,
        KEY_SLOTS,
        TEXT,
        RUMORS,
        PAYLOAD,
    >
{
    const LIMITS: Limits = {
        assert!(CELLS == 2 * ROWS, "a PN-counter has two cells per row");
        assert!(NODE_WORDS * 64 >= NODES, "one bit per node");
        assert!(KNOWN >= 1 && KNOWN <= NODES, "at least the peer heard last is known in detail");
        assert!(ROWS >= NODES, "every node needs a row for its present life");
        assert!(VALUE_SLOTS >= VALUES && KEY_SLOTS >= KEYS, "an index holds all items");
        assert!(VALUES < u16::MAX as usize && KEYS < u16::MAX as usize, "places are counted in 16 bits");
        assert!(TEXT >= 8 && TEXT <= super::TEXT_BYTES_MAX, "strings of 8 to 256 bytes");
        Limits {
            nodes: NODES,
            rows: ROWS,
            known_peers: KNOWN,
            values: VALUES,
            set_text_bytes: SET_TEXT,
            dense_values: DENSE_WORDS * 64,
            keys: KEYS,
            text_bytes: TEXT,
            id_bytes: if ID_BYTES / NODES < ID_BYTES_MAX { ID_BYTES / NODES } else { ID_BYTES_MAX },
            rumors: RUMORS,
            payload_bytes: PAYLOAD,
        }
    };
    const ADJUSTABLE: bool = false;
    type PerNode<T: Clone> = heapless::Vec<T, NODES>;
    type NodeBits = heapless::Vec<u64, NODE_WORDS>;
    type IdBytes = heapless::Vec<u8, ID_BYTES>;
    type PerRow<T: Clone> = heapless::Vec<T, ROWS>;
    type PerCell<T: Clone> = heapless::Vec<T, CELLS>;
    type PerKnown<T: Clone> = heapless::Vec<T, KNOWN>;
    type PerValue<T: Clone> = heapless::Vec<T, VALUES>;
    type ValueIndex = FixedIndex<VALUE_SLOTS>;
    type DenseBits = heapless::Vec<u64, DENSE_WORDS>;
    type SetText = heapless::Vec<u8, SET_TEXT>;
    type PerKey<T: Clone> = heapless::Vec<T, KEYS>;
    type KeyIndex = FixedIndex<KEY_SLOTS>;
    type Text = heapless::String<TEXT>;
    type PerRumor<T: Clone> = heapless::Vec<T, RUMORS>;
    type Payload = heapless::Vec<u8, PAYLOAD>;
}

impl<T: Clone, const N: usize> Buf<T> for heapless::Vec<T, N> {
    // Inlined, it is made where it is to stay.
    #[inline(always)]
    fn with_limit(_limit: usize) -> Self {
        Self::new()
    }

    fn fill_to(&mut self, len: usize, item: T) {
        let _ = self.resize(len.min(N), item);
    }

    fn limit(&self) -> usize {
        N
    }

    fn push(&mut self, item: T) -> Result<(), T> {
        Self::push(self, item)
    }

    fn truncate(&mut self, len: usize) {
        Self::truncate(self, len);
    }

    fn extend_all(&mut self, items: &[T]) -> bool {
        self.extend_from_slice(items).is_ok()
    }
}

impl<const N: usize> Text for heapless::String<N> {
    const LIMIT: usize = N;

    fn as_str(&self) -> &str {
        Self::as_str(self)
    }

    fn assign(&mut self, text: &str) -> bool {
        if text.len() > N {
            return false;
        }
        self.clear();
        self.push_str(text).is_ok()
    }
}

/// Open addressing with linear probing over `N` slots. A search looks at `N` slots at most, and at few of them while
/// the table is not nearly full.
#[derive(Clone, Debug)]
pub struct FixedIndex<const N: usize> {
    slots: [u16; N],
}

/// No slot. So there are 65,534 items at most, in tables of as many slots.
const VACANT: u16 = u16::MAX;

impl<const N: usize> Index for FixedIndex<N> {
    #[inline(always)]
    fn with_limit(_limit: usize) -> Self {
        Self { slots: [VACANT; N] }
    }

    fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        for slot in probe(&self.slots, hash) {
            if *slot == VACANT {
                return None;
            }
            if is_it(u32::from(*slot)) {
                return Some(u32::from(*slot));
            }
        }
        None
    }

    fn insert(&mut self, hash: u64, slot: u32, _hash_of: impl Fn(u32) -> u64) -> bool {
        let Some(slot) = u16::try_from(slot).ok().filter(|slot| *slot != VACANT) else {
            return false;
        };
        let Some((before, after)) = self.slots.split_at_mut_checked(start::<N>(hash)) else {
            return false;
        };
        match after.iter_mut().chain(before).find(|place| **place == VACANT) {
            Some(place) => *place = slot,
            None => return false,
        }
        true
    }
}

fn start<const N: usize>(hash: u64) -> usize {
    ((u128::from(hash) * N as u128) >> 64) as usize
}

/// All slots, from the one where a search for `hash` begins.
fn probe<const N: usize>(slots: &[u16; N], hash: u64) -> impl Iterator<Item = &u16> {
    let (before, after) = slots.split_at_checked(start::<N>(hash)).unwrap_or((slots, &[]));
    after.iter().chain(before)
}
