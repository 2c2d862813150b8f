//! The table of the cluster's members, and the names of their rows.

use super::hash::{hash_bytes, mix2};
use super::sort::heap_sort;
use super::{NodeIndex, json_len};
use crate::storage::{Buf, INCARNATION_MAX, Storage};

/// Why a list of node ids was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotACluster {
    /// There are more ids than the storage has room for.
    TooMany,
    /// An id is empty or longer than the bound, or it ends in `@` and digits, as the name of a row does.
    BadId,
    /// An id is listed twice.
    Twice,
    /// This node's own id is not among them.
    Absent,
}

/// The place of the bytes of an id.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    len: u16,
}

/// The ids of the cluster's members, sorted by their bytes. An id is found in O(log n).
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
    /// The first fault of the list. The table is empty then.
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
    /// The id cannot be that of a node, or there is no room for it. [`Members::clear`] has to be called then.
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
    /// The ids do not form a cluster. [`Members::clear`] has to be called then.
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

    /// Number of members, this node included.
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

    /// A hash of all ids. It is equal on all nodes that have the same members.
    #[must_use]
    pub fn fingerprint(&self) -> u32 {
        self.fingerprint
    }

    /// The id of a member; empty for an index beyond the table.
    #[must_use]
    pub fn id(&self, node: NodeIndex) -> &str {
        self.spans.get(node.at()).and_then(|span| core::str::from_utf8(self.text(span)).ok()).unwrap_or("")
    }

    /// The id of a member as bytes. It is not checked again to be UTF-8.
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

    /// Node and incarnation of the name of a row: `"n1"` is incarnation 0 of node `n1`, and `"n1@k"` is its incarnation
    /// k.
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

/// The texts before and after the last `@`.
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

/// Whether a string can be the id of a node: it is not empty, has at most `max` bytes in JSON, and does not end like
/// the name of a row.
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
}
