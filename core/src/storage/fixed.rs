//! Storage inside the node: heapless containers whose capacities are constants. No allocator is needed.
//!
//! Items that are public here and not exported by [`storage`](crate::storage) are for the macro
//! [`fixed_storage!`](crate::fixed_storage).

pub use super::text::longest_text;
pub use heapless::{String, Vec};

use super::{Buf, ID_BYTES_MAX, Index, Limits, Owners, Scratch, TEXTS, Text, Texts};

/// Declares a storage whose capacities are compile-time constants, by their names in
/// [`Limits`](crate::storage::Limits).
///
/// All sizes that follow from these are derived: cells, words of bits, places of hash tables, bytes of all ids. A
/// number that is not possible is a compile error, with a sentence that says why. Each capacity is named, or taken from
/// other limits as in `..Tiny::LIMITS`. A device takes `..Limits::LEAST` for tables that it does not use.
///
/// ```
/// use rumormill_core::storage::{Limits, Storage, Tiny};
/// use rumormill_core::{Config, Node, fixed_storage};
///
/// fixed_storage! {
///     /// For a lamp post: 16 nodes that say little.
///     pub struct LampPost {
///         nodes: 16,
///         rows: 48,
///         known_peers: 4,
///         values: 32,
///         set_text_bytes: 128,
///         dense_values: 64,
///         keys: 4,
///         text_bytes: 16,
///         id_bytes: 8,
///         rumors: 8,
///         events: 16,
///         payload_bytes: 128,
///     }
/// }
/// fixed_storage! {
///     /// As `Tiny`, for more nodes.
///     struct Street { nodes: 32, rows: 96, ..Tiny::LIMITS }
/// }
/// fixed_storage! {
///     /// A meter counts and does nothing else.
///     struct Meter { nodes: 8, rows: 16, id_bytes: 8, rumors: 8, ..Limits::LEAST }
/// }
///
/// let node = Node::<LampPost>::new(Config { max_message_bytes: 1024, ..Config::default() }).unwrap();
/// assert_eq!((node.limits().nodes, LampPost::LIMITS.id_bytes), (16, 8));
/// assert_eq!((Street::LIMITS.nodes, Street::LIMITS.values), (32, 128));
/// assert!(size_of::<Node<Meter>>() < size_of::<Node<Tiny>>());
/// ```
///
/// A node needs a row for its present life:
///
/// ```compile_fail,E0080
/// # use rumormill_core::{fixed_storage, storage::{Storage, Tiny}};
/// fixed_storage! { struct TooFewRows { nodes: 40, ..Tiny::LIMITS } }
/// ```
///
/// A capacity that is left out does not compile:
///
/// ```compile_fail,E0063
/// # use rumormill_core::{fixed_storage, storage::Storage};
/// fixed_storage! { struct Forgetful { nodes: 8, rows: 16, known_peers: 4 } }
/// ```
///
/// After the capacities, `impl { … }` takes further items for the implementation of
/// [`Storage`](crate::storage::Storage).
#[macro_export]
macro_rules! fixed_storage {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident { $($capacities:tt)* }
        $(impl { $($item:tt)* })?
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug)]
        $visibility struct $name;

        impl $crate::storage::Storage for $name {
            const LIMITS: $crate::storage::Limits = $crate::storage::fixed::checked($crate::storage::Limits {
                // This capacity is derived, so it is not named by the user.
                store_text_bytes: 0,
                $($capacities)*
            });
            const ADJUSTABLE: bool = false;
            type PerNode<T: Clone> = $crate::storage::fixed::Vec<T, { Self::LIMITS.nodes }>;
            type NodeBits = $crate::storage::fixed::Vec<u64, { Self::LIMITS.nodes.div_ceil(64) }>;
            type IdBytes = $crate::storage::fixed::Vec<u8, { Self::LIMITS.nodes * Self::LIMITS.id_bytes }>;
            type PerRow<T: Clone> = $crate::storage::fixed::Vec<T, { Self::LIMITS.rows }>;
            type PerCell<T: Clone> = $crate::storage::fixed::Vec<T, { 2 * Self::LIMITS.rows }>;
            type PerKnown<T: Clone> = $crate::storage::fixed::Vec<T, { Self::LIMITS.known_peers }>;
            type PerValue<T: Clone> = $crate::storage::fixed::Vec<T, { Self::LIMITS.values }>;
            type ValueIndex = $crate::storage::fixed::Table<
                { $crate::storage::fixed::places(Self::LIMITS.values) },
                { $crate::storage::fixed::is_wide(Self::LIMITS.values) },
            >;
            type DenseBits = $crate::storage::fixed::Vec<u64, { Self::LIMITS.dense_values / 64 }>;
            type SetText = $crate::storage::fixed::Vec<u8, { Self::LIMITS.set_text_bytes }>;
            type PerKey<T: Clone> = $crate::storage::fixed::Vec<T, { Self::LIMITS.keys }>;
            type KeyIndex = $crate::storage::fixed::Table<
                { $crate::storage::fixed::places(Self::LIMITS.keys) },
                { $crate::storage::fixed::is_wide(Self::LIMITS.keys) },
            >;
            type Texts = $crate::storage::fixed::InPlace<{ Self::LIMITS.text_bytes }>;
            type Scratch = $crate::storage::fixed::OnStack<{ $crate::storage::fixed::longest_text(&Self::LIMITS) }>;
            type PerRumor<T: Clone> = $crate::storage::fixed::Vec<T, { Self::LIMITS.rumors }>;
            type PerEvent<T: Clone> = $crate::storage::fixed::Vec<T, { Self::LIMITS.events }>;
            type Payload = $crate::storage::fixed::Vec<u8, { Self::LIMITS.payload_bytes }>;
            type Own = ();
            $($($item)*)?
        }

        // With this constant a wrong number is an error even if the storage is not used.
        const _: $crate::storage::Limits = <$name as $crate::storage::Storage>::LIMITS;
    };
}

fixed_storage! {
    /// For a sensor: 8 nodes, 128 values, 16 keys, strings of 24 bytes. A node takes 23,184 bytes on a 64-bit machine,
    /// and 784 more with the feature `fast`, as `core/tests/sizes.rs` asserts.
    ///
    /// Its 32 rows guarantee two lives to each of 8 nodes; the other 16 rows go to the nodes that take them first. So
    /// one node alone can have 18 lives. In a cluster of 3 nodes each is guaranteed 5 lives.
    pub struct Tiny {
        nodes: 8,
        rows: 32,
        known_peers: 4,
        values: 128,
        set_text_bytes: 512,
        dense_values: 1_024,
        keys: 16,
        text_bytes: 24,
        id_bytes: 16,
        rumors: 16,
        events: 32,
        payload_bytes: 256,
    }
}

fixed_storage! {
    /// For a gateway: 32 nodes, 4,096 values, 256 keys, strings of 64 bytes. A node takes 302,304 bytes on a 64-bit
    /// machine, and 784 more with the feature `fast`, as `core/tests/sizes.rs` asserts.
    ///
    /// Its 128 rows guarantee two lives to each of 32 nodes; the other 64 rows go to the nodes that take them first. In
    /// a cluster of 5 nodes each is guaranteed 12 lives.
    pub struct Small {
        nodes: 32,
        rows: 128,
        known_peers: 32,
        values: 4_096,
        set_text_bytes: 16_384,
        dense_values: 16_384,
        keys: 256,
        text_bytes: 64,
        id_bytes: 32,
        rumors: 64,
        events: 32,
        payload_bytes: 2_048,
    }
}

/// The longest string value or key on fixed storage, in bytes of its JSON form without quotes. Strings are held in
/// place and on the stack, so they have to be short.
const TEXT_BYTES_MAX: usize = 256;

/// Checks the capacities of a storage while it is compiled, and derives `store_text_bytes`.
#[must_use]
pub const fn checked(limits: Limits) -> Limits {
    assert!(limits.nodes >= 1, "nodes: there is at least one, the node itself");
    assert!(
        limits.rows >= limits.nodes,
        "rows: each node needs a row for its present life, so there are at least as many rows as nodes"
    );
    assert!(limits.known_peers >= 1, "known_peers: the vector of at least one peer is kept");
    assert!(limits.known_peers <= limits.nodes, "known_peers: there are no more peers than nodes");
    assert!(limits.values >= 1, "values: the set has room for at least one value");
    assert!(
        limits.dense_values.is_multiple_of(64),
        "dense_values: the bitmap is made of words of 64 bits, so this is a multiple of 64"
    );
    assert!(limits.keys >= 1, "keys: the store has room for at least one key");
    assert!(
        limits.text_bytes >= Limits::LEAST.text_bytes && limits.text_bytes <= TEXT_BYTES_MAX,
        "text_bytes: must be from 8 to 256; longer strings need the storage on the heap"
    );
    assert!(
        limits.id_bytes >= Limits::LEAST.id_bytes && limits.id_bytes <= ID_BYTES_MAX,
        "id_bytes: must be from 2 to 64"
    );
    assert!(limits.rumors >= 1, "rumors: at least one rumor can wait");
    assert!(
        limits.payload_bytes >= Limits::LEAST.payload_bytes,
        "payload_bytes: a reply has room for at least 64 bytes"
    );
    let limits = Limits { store_text_bytes: 2 * limits.keys * limits.text_bytes, ..limits };
    assert!(limits.first_outside().is_none(), "a capacity is above the one in `Limits::MOST`");
    limits
}

/// The places of a hash table: one and a half times the number of items, which keeps a search short.
#[must_use]
pub const fn places(items: usize) -> usize {
    items + items.div_ceil(2)
}

/// Whether the slot numbers of `items` items need more than 16 bits. They are below twice the number of items.
#[must_use]
pub const fn is_wide(items: usize) -> bool {
    2 * items > u16::VACANT as usize
}

impl<T: Clone, const N: usize> Buf<T> for heapless::Vec<T, N> {
    // This is inlined so that the buffer is made where it stays in memory.
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
    fn as_str(&self) -> &str {
        Self::as_str(self)
    }

    fn push(&mut self, char: char) -> bool {
        Self::push(self, char).is_ok()
    }

    fn clear(&mut self) {
        Self::clear(self);
    }
}

/// Strings that are held in place, each with room for `N` bytes.
#[derive(Clone, Copy, Debug)]
pub struct InPlace<const N: usize>;

impl<const N: usize> Texts for InPlace<N> {
    type Handle = heapless::String<N>;
    const SHARED: bool = false;

    #[inline(always)]
    fn with_limits(_limits: &Limits) -> Self {
        Self
    }

    fn limit(&self) -> usize {
        usize::MAX
    }

    fn room(&self) -> usize {
        usize::MAX
    }

    #[inline(always)]
    fn make_room(&mut self, _bytes: usize, _freed: usize, _owners: &mut (impl Owners<Self::Handle> + ?Sized)) -> bool {
        true
    }

    #[inline(always)]
    fn append(&mut self, text: &str, _owner: u32) -> Option<Self::Handle> {
        heapless::String::try_from(text).ok()
    }

    #[inline(always)]
    fn release(&mut self, _handle: &Self::Handle) {}

    #[inline(always)]
    fn get<'t>(&'t self, handle: &'t Self::Handle) -> &'t str {
        handle
    }

    #[inline(always)]
    fn is(&self, handle: &Self::Handle, text: &str) -> bool {
        handle == text
    }
}

/// Strings that lie on the stack while they are read, each with room for `N` bytes.
#[derive(Clone, Copy, Debug)]
pub struct OnStack<const N: usize>;

/// The strings that are lent.
#[derive(Debug, Default)]
pub struct Lent<const N: usize>([heapless::String<N>; TEXTS]);

impl<const N: usize> AsMut<[heapless::String<N>; TEXTS]> for Lent<N> {
    #[inline(always)]
    fn as_mut(&mut self) -> &mut [heapless::String<N>; TEXTS] {
        &mut self.0
    }
}

impl<const N: usize> Scratch for OnStack<N> {
    type Text = heapless::String<N>;
    type Lent = Lent<N>;

    #[inline(always)]
    fn with_limits(_limits: &Limits) -> Self {
        Self
    }

    #[inline(always)]
    fn lend(&mut self) -> Self::Lent {
        Lent::default()
    }

    #[inline(always)]
    fn give_back(&mut self, _lent: Self::Lent) {}
}

/// A hash table with open addressing and linear probing over `N` places. A search looks at `N` places at most, and at
/// few while the table is not nearly full.
#[derive(Clone, Debug)]
pub struct FixedIndex<const N: usize, P = u16> {
    places: [P; N],
}

/// A table whose places have as many bits as its slot numbers need.
pub type Table<const N: usize, const WIDE: bool> = FixedIndex<N, <Width<WIDE> as Choose>::Place>;

/// A place of a table: a slot number, or none.
pub trait Place: Copy + PartialEq + Into<u32> + TryFrom<u32> + 'static {
    /// No slot.
    const VACANT: Self;
}

impl Place for u16 {
    const VACANT: Self = Self::MAX;
}

impl Place for u32 {
    const VACANT: Self = Self::MAX;
}

/// Whether places have 32 bits, or 16.
#[derive(Clone, Copy, Debug)]
pub struct Width<const WIDE: bool>;

/// Chooses the integer for a width of places.
pub trait Choose {
    /// An integer of that many bits.
    type Place: Place;
}

impl Choose for Width<false> {
    type Place = u16;
}

impl Choose for Width<true> {
    type Place = u32;
}

impl<const N: usize, P: Place> Index for FixedIndex<N, P> {
    #[inline(always)]
    fn with_limit(_limit: usize) -> Self {
        Self { places: [P::VACANT; N] }
    }

    fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        for place in probe(&self.places, hash) {
            if *place == P::VACANT {
                return None;
            }
            let slot = (*place).into();
            if is_it(slot) {
                return Some(slot);
            }
        }
        None
    }

    fn insert(&mut self, hash: u64, slot: u32, _hash_of: impl Fn(u32) -> u64) -> bool {
        let Some(slot) = P::try_from(slot).ok().filter(|slot| *slot != P::VACANT) else {
            return false;
        };
        let Some((before, after)) = self.places.split_at_mut_checked(start::<N>(hash)) else {
            return false;
        };
        match after.iter_mut().chain(before).find(|place| **place == P::VACANT) {
            Some(place) => *place = slot,
            None => return false,
        }
        true
    }
}

fn start<const N: usize>(hash: u64) -> usize {
    ((u128::from(hash) * N as u128) >> 64) as usize
}

/// All places, beginning with the one where a search for `hash` begins.
fn probe<const N: usize, P>(places: &[P; N], hash: u64) -> impl Iterator<Item = &P> {
    let (before, after) = places.split_at_checked(start::<N>(hash)).unwrap_or((places, &[]));
    after.iter().chain(before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::mix2;
    use crate::storage::Storage;
    use std::boxed::Box;

    fixed_storage! {
        /// Has more values than 16 bits can number.
        struct Wide { values: 40_000, dense_values: 0, ..Small::LIMITS }
    }

    #[test]
    fn an_index_takes_every_slot_of_a_storage_whose_slots_need_more_than_16_bits() {
        let hash = |slot| mix2(1, u64::from(slot));
        let mut index = Box::new(<Wide as Storage>::ValueIndex::with_limit(40_000));
        let slots = || (0..80_000).step_by(2).map(|slot| slot + 1);
        assert!(slots().all(|slot| index.insert(hash(slot), slot, hash)));
        assert!(slots().all(|slot| index.find(hash(slot), |found| found == slot) == Some(slot)));
        assert_eq!(index.find(hash(0), |found| found == 0), None);
    }

    #[test]
    fn sizes_that_follow_from_others_are_derived() {
        fixed_storage! {
            struct Odd { nodes: 65, rows: 70, values: 3, keys: 5, id_bytes: 7, ..Small::LIMITS }
            impl {}
        }
        assert_eq!(size_of::<<Odd as Storage>::NodeBits>(), size_of::<heapless::Vec<u64, 2>>());
        assert_eq!(size_of::<<Odd as Storage>::IdBytes>(), size_of::<heapless::Vec<u8, 455>>());
        assert_eq!(size_of::<<Odd as Storage>::PerCell<u64>>(), size_of::<heapless::Vec<u64, 140>>());
        assert_eq!(Odd::LIMITS.store_text_bytes, 2 * 5 * 64);
        assert_eq!(size_of::<<Odd as Storage>::ValueIndex>(), 2 * 5);
        assert_eq!(size_of::<<Odd as Storage>::KeyIndex>(), 2 * 8);
    }
}
