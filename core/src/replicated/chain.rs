//! Entries of one row, linked in the order of their dots.
//!
//! The links lie inside the entries, so that walking "all of row r above s" needs no second table and no memory.

use core::cell::Cell;

use crate::causality::RowId;

/// No entry.
const NONE: u32 = u32::MAX;

/// The part of an entry that links it into the chain of its row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) seq: u64,
    pub(super) row: RowId,
    /// For the data type to use: the link would have four bytes of padding here.
    pub(super) note: u32,
    prev: u32,
    next: u32,
}

impl Link {
    pub(super) const fn new(row: RowId, seq: u64, note: u32) -> Self {
        Self { seq, row, note, prev: NONE, next: NONE }
    }
}

/// The link of an entry; beyond the table, where no chain leads, that of one that stands alone.
fn link_of<T: Linked>(items: &[T], at: u32) -> &Link {
    const ALONE: Link = Link::new(RowId(NONE), 0, 0);
    items.get(at as usize).map_or(&ALONE, Linked::link)
}

/// Changes the link of an entry.
fn relink<T: Linked>(items: &mut [T], at: u32, change: impl FnOnce(&mut Link)) {
    if let Some(item) = items.get_mut(at as usize) {
        change(item.link_mut());
    }
}

/// An entry that can be linked.
pub(super) trait Linked {
    fn link(&self) -> &Link;
    fn link_mut(&mut self) -> &mut Link;
}

/// The ends of one row's chain, and where the last search ended, which is where the next one is likely to begin.
#[derive(Clone, Debug)]
pub(super) struct Ends {
    head: u32,
    tail: u32,
    hint: Cell<u32>,
}

impl Ends {
    pub(super) const fn empty() -> Self {
        Self { head: NONE, tail: NONE, hint: Cell::new(NONE) }
    }

    /// The first entry above `after`.
    ///
    /// Walks from the head, the tail or the place of the last search, whichever is nearest in numbers: O(1) for pushes
    /// (near the tail) and for messages that continue each other (near the hint), O(entries of the row) at worst.
    pub(super) fn seek<T: Linked>(&self, items: &[T], row: RowId, after: u64) -> Option<u32> {
        let at = match self.last_up_to(items, row, after) {
            Some(last) => link_of(items, last).next,
            None => self.head,
        };
        if at == NONE {
            return None;
        }
        self.hint.set(at);
        Some(at)
    }

    /// The last entry up to `limit`. Same bound as [`Ends::seek`].
    pub(super) fn floor<T: Linked>(&self, items: &[T], row: RowId, limit: u64) -> Option<u32> {
        let at = self.last_up_to(items, row, limit)?;
        self.hint.set(at);
        Some(at)
    }

    /// The first entry.
    pub(super) fn head(&self) -> Option<u32> {
        (self.head != NONE).then_some(self.head)
    }

    /// Whether this is the last entry.
    pub(super) fn is_tail(&self, at: u32) -> bool {
        self.tail == at
    }

    /// Links the entry at `at` where its number belongs. Same bound as [`Ends::seek`].
    pub(super) fn insert<T: Linked>(&mut self, items: &mut [T], at: u32) {
        let Link { seq, row, .. } = *link_of(items, at);
        let prev = self.last_up_to(items, row, seq);
        self.insert_after(items, prev, at);
    }

    /// Links the entry at `at` behind `prev`, or before all others.
    pub(super) fn insert_after<T: Linked>(&mut self, items: &mut [T], prev: Option<u32>, at: u32) {
        let prev = prev.unwrap_or(NONE);
        let next = if prev == NONE { self.head } else { link_of(items, prev).next };
        relink(items, at, |link| (link.prev, link.next) = (prev, next));
        match prev {
            NONE => self.head = at,
            prev => relink(items, prev, |link| link.next = at),
        }
        match next {
            NONE => self.tail = at,
            next => relink(items, next, |link| link.prev = at),
        }
    }

    /// Takes the entry at `at` out of the chain.
    pub(super) fn remove<T: Linked>(&mut self, items: &mut [T], at: u32) {
        let Link { prev, next, .. } = *link_of(items, at);
        match prev {
            NONE => self.head = next,
            prev => relink(items, prev, |link| link.next = next),
        }
        match next {
            NONE => self.tail = prev,
            next => relink(items, next, |link| link.prev = prev),
        }
        if self.hint.get() == at {
            self.hint.set(NONE);
        }
    }

    fn last_up_to<T: Linked>(&self, items: &[T], row: RowId, limit: u64) -> Option<u32> {
        let seq = |at: u32| link_of(items, at).seq;
        if self.tail == NONE || seq(self.head) > limit {
            return None;
        }
        if seq(self.tail) <= limit {
            return Some(self.tail);
        }
        let mut at = self.nearest(items, row, limit);
        // Both walks end: at the head or before the tail, whose numbers were compared above.
        while seq(at) > limit {
            at = link_of(items, at).prev;
        }
        loop {
            let next = link_of(items, at).next;
            if next == NONE || seq(next) > limit {
                return Some(at);
            }
            at = next;
        }
    }

    fn nearest<T: Linked>(&self, items: &[T], row: RowId, limit: u64) -> u32 {
        let hint = self.hint.get();
        let usable = items.get(hint as usize).is_some_and(|item| item.link().row == row);
        let candidates = [self.head, self.tail, if usable { hint } else { self.head }];
        let distance = |at: u32| link_of(items, at).seq.abs_diff(limit);
        candidates.into_iter().min_by_key(|at| distance(*at)).unwrap_or(self.head)
    }
}

/// The entry after `at` in its chain.
pub(super) fn next<T: Linked>(items: &[T], at: u32) -> Option<u32> {
    let next = items.get(at as usize)?.link().next;
    (next != NONE).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Item(Link);

    impl Linked for Item {
        fn link(&self) -> &Link {
            &self.0
        }
        fn link_mut(&mut self) -> &mut Link {
            &mut self.0
        }
    }

    proptest! {
        #[test]
        fn a_chain_is_the_sorted_list_of_what_is_in_it(
            seqs in prop::collection::vec(1_u64..60, 1..40),
            removed in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
            searched in prop::collection::vec(0_u64..64, 1..20),
        ) {
            let row = RowId(0);
            let mut ends = Ends::empty();
            let mut items = std::vec::Vec::new();
            let mut model: std::vec::Vec<(u64, u32)> = std::vec::Vec::new();
            for (at, seq) in seqs.iter().enumerate() {
                items.push(Item(Link::new(row, *seq, 0)));
                ends.insert(&mut items, at as u32);
                model.push((*seq, at as u32));
            }
            model.sort_by_key(|item| item.0);
            for index in removed {
                if !model.is_empty() {
                    let (_, at) = model.remove(index.index(model.len()));
                    ends.remove(&mut items, at);
                }
            }
            for after in searched {
                let mut found = std::vec::Vec::new();
                let mut at = ends.seek(&items, row, after);
                while let Some(here) = at {
                    found.push(items[here as usize].link().seq);
                    at = next(&items, here);
                }
                let expected: std::vec::Vec<u64> = model.iter().map(|item| item.0).filter(|seq| *seq > after).collect();
                prop_assert_eq!(found, expected);
            }
        }
    }
}
