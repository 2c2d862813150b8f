//! Names and values: ids of nodes and clients, members, hashes. `members.rs` has the table of the cluster's members,
//! `hash.rs` the hash of names and values.
//!
//! This module never knows what members send to each other.

mod hash;
mod members;
mod sort;

use crate::storage::ID_BYTES_MAX;

use hash::hash_bytes_from;
pub use hash::{hash_bytes, mix, mix2};
pub(crate) use members::is_fit;
pub use members::{Members, NotACluster};
pub(crate) use sort::heap_sort;

/// A node or client id, held in place.
pub type Id = heapless::String<ID_BYTES_MAX>;

/// A member of the cluster: its rank among all node ids, sorted by their bytes. It is the same on every node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIndex(pub u32);

impl NodeIndex {
    /// The rank as an index into tables with one entry per node.
    #[must_use]
    pub const fn at(self) -> usize {
        self.0 as usize
    }
}

/// A broadcast value, set element, stored value or key: an integer or a string. The integer 1 and the string "1" are
/// distinct.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value<'a> {
    /// A 64-bit signed integer.
    Int(i64),
    /// A string, without its JSON quotes and escapes.
    Text(&'a str),
}

impl Value<'_> {
    /// A hash that is the same on every platform and in every version that shares the wire format.
    #[must_use]
    pub fn hash(&self) -> u64 {
        match self {
            Self::Int(int) => mix(int.cast_unsigned() ^ 0x9e6c_63d0_876a_3f6b),
            Self::Text(text) => hash_bytes(text.as_bytes()),
        }
    }

    /// A hash for the tables of one process. A peer that does not know `key` cannot choose values that collide, and so
    /// cannot make a search long.
    #[must_use]
    pub fn keyed_hash(&self, key: u64) -> u64 {
        match self {
            Self::Int(int) => mix2(key, int.cast_unsigned()),
            Self::Text(text) => hash_bytes_from(key, text.as_bytes()),
        }
    }
}

/// The bytes of `text` in JSON, without the quotes. The bounds on strings and ids count these bytes, so a bound on a
/// string also bounds its part of a message.
#[must_use]
pub fn json_len(text: &str) -> usize {
    text.bytes().map(|byte| escaped_len(byte) as usize).sum()
}

/// The bytes that `byte`, as part of a string, takes in JSON.
#[must_use]
pub(crate) const fn escaped_len(byte: u8) -> u8 {
    match byte {
        b'"' | b'\\' | 0x08 | 0x09 | 0x0a | 0x0c | 0x0d => 2,
        0..=0x1f => 6,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_chosen_to_collide_do_not_in_a_table_with_a_key() {
        let crowded = |hash: u64| hash >> 52 == 0;
        let ints = (0..1 << 21).map(Value::Int).filter(|value| crowded(value.hash()));
        let texts: std::vec::Vec<_> = (0..1 << 21).map(|at| std::format!("{at}")).collect();
        let texts = texts.iter().map(|text| Value::Text(text)).filter(|value| crowded(value.hash()));
        let values: std::vec::Vec<_> = ints.chain(texts).collect();
        assert!(values.len() > 900);
        for key in [1, 2, u64::MAX] {
            let places: std::collections::BTreeSet<_> =
                values.iter().map(|value| value.keyed_hash(key) >> 52).collect();
            assert!(places.len() > 700, "{} of 4,096 places", places.len());
        }
    }

    #[test]
    fn json_len_counts_escapes() {
        assert_eq!(json_len("aä\"\n\u{1}"), 1 + 2 + 2 + 2 + 6);
    }
}
