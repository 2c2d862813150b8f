//! Names: nodes, clients, values, and the hash that makes fingerprints of them.
//!
//! Owns the table of the cluster's members. Must never know what members say to each other.

use crate::storage::{Buf, ID_BYTES_MAX, INCARNATION_MAX, Storage};

/// A node or client id, held in place.
pub type Id = heapless::String<ID_BYTES_MAX>;

/// A member of the cluster: its rank among all node ids in the order of their bytes, so the same on every node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIndex(pub u32);

impl NodeIndex {
    /// The rank as an index into tables with one entry per node.
    #[must_use]
    pub const fn at(self) -> usize {
        self.0 as usize
    }
}

/// A broadcast value, set element, stored value or key: an integer or a string, and the two are distinct.
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

    /// A hash for the tables of one process. Who does not know `key` cannot choose values that collide, so that no peer
    /// makes a search long.
    #[must_use]
    pub fn keyed_hash(&self, key: u64) -> u64 {
        match self {
            Self::Int(int) => mix2(key, int.cast_unsigned()),
            Self::Text(text) => hash_bytes_from(key, text.as_bytes()),
        }
    }
}

/// Bytes of `text` in JSON without the quotes: what the bounds on strings and ids count, so that a bound on a string
/// is a bound on what it takes in a message.
#[must_use]
pub fn json_len(text: &str) -> usize {
    text.bytes().map(|byte| escaped_len(byte) as usize).sum()
}

/// Bytes of JSON that `byte`, as part of a string, takes.
#[must_use]
pub(crate) const fn escaped_len(byte: u8) -> u8 {
    match byte {
        b'"' | b'\\' | 0x08 | 0x09 | 0x0a | 0x0c | 0x0d => 2,
        0..=0x1f => 6,
        _ => 1,
    }
}

/// Scrambles 64 bits so that each bit of the result depends on each bit of `x` (the finalizer of `SplitMix64`).
#[must_use]
pub const fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Hash of two words where the order counts.
#[must_use]
pub const fn mix2(a: u64, b: u64) -> u64 {
    mix(mix(a).wrapping_add(b).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// Hash of a string of bytes, eight at a time.
#[must_use]
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    hash_bytes_from(0, bytes)
}

fn hash_bytes_from(key: u64, bytes: &[u8]) -> u64 {
    let mut hash = key ^ 0x243f_6a88_85a3_08d3 ^ bytes.len() as u64;
    for chunk in bytes.chunks(8) {
        let word = chunk.first_chunk().copied().unwrap_or_else(|| {
            let mut word = [0; 8];
            word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            word
        });
        hash = mix2(hash, u64::from_le_bytes(word));
    }
    hash
}

/// Why a list of node ids is not a cluster. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotACluster {
    /// More ids than the storage has room for.
    TooMany,
    /// An id is empty, longer than the bound, or ends in `@` and digits, which is how rows of past lives are written.
    BadId,
    /// An id is listed twice.
    Twice,
    /// This node's own id is not among them.
    Absent,
}

/// Where the bytes of an id lie.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    len: u16,
}

/// The ids of the cluster's members, sorted by their bytes. Ids are found in O(log n).
#[derive(Clone)]
pub struct Members<S: Storage> {
    bytes: S::IdBytes,
    spans: S::PerNode<Span>,
    id_bytes: usize,
    me: NodeIndex,
    fingerprint: u32,
}

impl<S: Storage> core::fmt::Debug for Members<S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<S: Storage> Members<S> {
    /// An empty cluster with room for `nodes` ids of `id_bytes` bytes.
    #[inline(always)]
    #[must_use]
    pub fn new(nodes: usize, id_bytes: usize) -> Self {
        Self {
            bytes: S::IdBytes::with_limit(nodes.saturating_mul(id_bytes)),
            spans: S::PerNode::with_limit(nodes),
            id_bytes,
            me: NodeIndex(0),
            fingerprint: 0,
        }
    }

    /// Sets the members, once. O(n log n).
    ///
    /// # Errors
    /// What is wrong with the list; the table is then empty again.
    pub fn set<'a>(&mut self, me: &str, ids: impl Iterator<Item = &'a str>) -> Result<(), NotACluster> {
        self.clear();
        let done = self.fill(me, ids);
        if done.is_err() {
            self.clear();
        }
        done
    }

    fn fill<'a>(&mut self, me: &str, ids: impl Iterator<Item = &'a str>) -> Result<(), NotACluster> {
        for id in ids {
            self.add(id)?;
        }
        self.finish(me)
    }

    /// Adds one id to the table under construction.
    ///
    /// # Errors
    /// The id is unfit or does not fit; call [`Members::clear`] then.
    pub fn add(&mut self, id: &str) -> Result<(), NotACluster> {
        if !is_fit(id, self.id_bytes) {
            return Err(NotACluster::BadId);
        }
        let span = Span { start: self.bytes.len() as u32, len: id.len() as u16 };
        if !self.bytes.extend_all(id.as_bytes()) || self.spans.push(span).is_err() {
            return Err(NotACluster::TooMany);
        }
        Ok(())
    }

    /// Sorts the ids that were added and looks up this node's own.
    ///
    /// # Errors
    /// The ids do not form a cluster; call [`Members::clear`] then.
    pub fn finish(&mut self, me: &str) -> Result<(), NotACluster> {
        let Self { bytes, spans, .. } = self;
        heap_sort(spans, |a, b| bytes_of(bytes, a) < bytes_of(bytes, b));
        if spans.iter().zip(spans.iter().skip(1)).any(|(a, b)| bytes_of(bytes, a) == bytes_of(bytes, b)) {
            return Err(NotACluster::Twice);
        }
        self.me = self.find(me).ok_or(NotACluster::Absent)?;
        let hash = self.iter().fold(0, |hash, id| mix2(hash, hash_bytes(id.as_bytes())));
        self.fingerprint = hash as u32;
        Ok(())
    }

    /// Forgets all ids.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
    }

    /// Number of members, own included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether the cluster is not known yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// This node.
    #[must_use]
    pub fn me(&self) -> NodeIndex {
        self.me
    }

    /// A hash of all ids, equal on all nodes that were given the same members.
    #[must_use]
    pub fn fingerprint(&self) -> u32 {
        self.fingerprint
    }

    /// The id of a member; empty for an index beyond the table.
    #[must_use]
    pub fn id(&self, node: NodeIndex) -> &str {
        self.spans.get(node.at()).and_then(|span| core::str::from_utf8(self.text(span)).ok()).unwrap_or("")
    }

    /// The id of a member as bytes, without checking again that they are UTF-8.
    #[must_use]
    #[inline]
    pub(crate) fn id_bytes(&self, node: NodeIndex) -> &[u8] {
        self.spans.get(node.at()).map_or(&[], |span| self.text(span))
    }

    /// All ids, in the order of their bytes.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|at| self.id(NodeIndex(at as u32)))
    }

    /// The member with this id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<NodeIndex> {
        let found = self.spans.binary_search_by(|span| self.text(span).cmp(id.as_bytes())).ok()?;
        Some(NodeIndex(found as u32))
    }

    /// The row a name stands for: `"n1"` is incarnation 0 of node `n1`, `"n1@k"` its incarnation k.
    #[must_use]
    pub fn find_row(&self, name: &str) -> Option<(NodeIndex, u64)> {
        match split_row(name) {
            Some((id, incarnation)) => Some((self.find(id)?, incarnation)),
            None => Some((self.find(name)?, 0)),
        }
    }

    fn text(&self, span: &Span) -> &[u8] {
        bytes_of(&self.bytes, span)
    }
}

fn bytes_of<'a>(bytes: &'a [u8], span: &Span) -> &'a [u8] {
    let start = span.start as usize;
    bytes.get(start..start + usize::from(span.len)).unwrap_or(&[])
}

/// Sorts in place in O(n log n), not keeping the order of equal items (Williams, "Algorithm 232: Heapsort", 1964). The
/// standard library's way is a good part of the program on a small device, for a list that is sorted once.
pub(crate) fn heap_sort<T>(items: &mut [T], is_less: impl Fn(&T, &T) -> bool) {
    let len = items.len();
    (0..len / 2).rev().for_each(|root| sift_down(items, root, &is_less));
    for end in (1..len).rev() {
        if let Ok([first, last]) = items.get_disjoint_mut([0, end]) {
            core::mem::swap(first, last);
        }
        sift_down(items.get_mut(..end).unwrap_or(&mut []), 0, &is_less);
    }
}

/// Moves an item down until none below it is larger. What is below it is a heap already.
fn sift_down<T>(items: &mut [T], mut at: usize, is_less: &impl Fn(&T, &T) -> bool) {
    // Bounded by the depth of the heap.
    while let Some(left) = items.get(2 * at + 1) {
        let right_is_larger = items.get(2 * at + 2).is_some_and(|right| is_less(left, right));
        let child = 2 * at + 1 + usize::from(right_is_larger);
        match items.get_disjoint_mut([at, child]) {
            Ok([item, larger]) if is_less(item, larger) => core::mem::swap(item, larger),
            Ok(_) | Err(_) => return,
        }
        at = child;
    }
}

/// What stands before and after the last `@`.
fn split_last(name: &str) -> Option<(&str, &str)> {
    let at = name.bytes().rposition(|byte| byte == b'@')?;
    Some((name.get(..at)?, name.get(at + 1..)?))
}

fn split_row(name: &str) -> Option<(&str, u64)> {
    let (id, incarnation) = split_last(name)?;
    let canonical = incarnation.bytes().all(|byte| byte.is_ascii_digit()) && !incarnation.starts_with('0');
    let incarnation = incarnation.parse().ok().filter(|incarnation| canonical && *incarnation <= INCARNATION_MAX)?;
    Some((id, incarnation))
}

/// Whether a string can be the id of a node: not empty, at most `max` bytes as JSON prints it, and no name of a row.
#[must_use]
pub(crate) fn is_fit(id: &str, max: usize) -> bool {
    !id.is_empty() && json_len(id) <= max && !ends_like_a_row(id)
}

fn ends_like_a_row(id: &str) -> bool {
    split_last(id).is_some_and(|(_, tail)| tail.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Tiny;

    #[test]
    fn lists_of_every_length_are_sorted_whatever_their_order() {
        for len in 0..200_u32 {
            for factor in [0, 1, 7, 199, 0x9e37_79b9] {
                let mut items: std::vec::Vec<u32> = (0..len).map(|at| at.wrapping_mul(factor) % 211).collect();
                let mut expected = items.clone();
                expected.sort_unstable();
                heap_sort(&mut items, |a, b| a < b);
                assert_eq!(items, expected);
            }
        }
    }

    #[test]
    fn members_are_found_by_id_and_by_row_name() {
        let mut members = Members::<Tiny>::new(8, 64);
        members.set("n2", ["n10", "n2", "n1"].into_iter()).unwrap();
        assert_eq!(members.iter().collect::<std::vec::Vec<_>>(), ["n1", "n10", "n2"]);
        assert_eq!(members.me(), NodeIndex(2));
        assert_eq!(members.find_row("n10"), Some((NodeIndex(1), 0)));
        assert_eq!(members.find_row("n10@77"), Some((NodeIndex(1), 77)));
        assert_eq!(members.find_row("n10@077"), None);
        assert_eq!(members.find_row("n3"), None);
    }

    #[test]
    fn lists_that_are_no_cluster_leave_the_table_empty() {
        let mut members = Members::<Tiny>::new(8, 16);
        for (me, ids, why) in [
            ("a", &["a", "b", "a"][..], NotACluster::Twice),
            ("c", &["a", "b"], NotACluster::Absent),
            ("a", &["a", ""], NotACluster::BadId),
            ("a", &["a", "b@5"], NotACluster::BadId),
            ("a", &["a", "bbbbbbbbbbbbbbbbb"], NotACluster::BadId),
            ("a", &["a", "b", "c", "d", "e", "f", "g", "h", "i"], NotACluster::TooMany),
        ] {
            assert_eq!(members.set(me, ids.iter().copied()), Err(why));
            assert!(members.is_empty());
        }
    }

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
