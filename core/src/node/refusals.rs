//! Which tables were found full: each is told to the driver once, so that a log can name it.

use crate::replicated::Bound;
use crate::storage::Limits;

/// The tables that were found full, one bit each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Refusals {
    seen: u8,
    told: u8,
    /// What the user's data type says of its table. It counts as one table, and the first text is told.
    own: Option<&'static &'static str>,
}

impl Refusals {
    /// A table was found full.
    #[inline]
    pub(super) fn note(&mut self, bound: Bound) {
        if let Bound::Own(text) = bound {
            self.own.get_or_insert(text);
        }
        self.seen |= bit(bound);
    }

    /// The next one that was not told before.
    pub(super) fn pop(&mut self, limits: &Limits) -> Option<Bound> {
        if self.seen == self.told {
            return None;
        }
        let next =
            all(limits, self.own.unwrap_or(&"")).into_iter().find(|bound| self.seen & !self.told & bit(*bound) != 0);
        self.told |= next.map_or(0, bit);
        next
    }
}

const fn bit(bound: Bound) -> u8 {
    match bound {
        Bound::Values(_) => 1,
        Bound::SetText(_) => 2,
        Bound::Keys(_) => 4,
        Bound::Nodes(_) => 8,
        Bound::Rows(_) => 16,
        Bound::StoreText(_) => 32,
        Bound::Own(_) => 64,
    }
}

/// All of them.
fn all(limits: &Limits, own: &'static &'static str) -> [Bound; 7] {
    [
        Bound::Values(limits.values),
        Bound::SetText(limits.set_text_bytes),
        Bound::Keys(limits.keys),
        Bound::Nodes(limits.nodes),
        Bound::Rows(limits.rows),
        Bound::StoreText(limits.store_text_bytes),
        Bound::Own(own),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Storage as _, Tiny};

    #[test]
    fn each_table_is_told_once_however_often_it_was_found_full() {
        let mut refusals = Refusals::default();
        assert_eq!(refusals.pop(&Tiny::LIMITS), None);
        for bound in all(&Tiny::LIMITS, &"full").into_iter().rev() {
            refusals.note(bound);
            refusals.note(bound);
            assert_eq!(refusals.pop(&Tiny::LIMITS), Some(bound));
            refusals.note(bound);
            assert_eq!(refusals.pop(&Tiny::LIMITS), None);
        }
    }

    #[test]
    fn tables_that_were_found_full_at_once_are_told_one_by_one() {
        let mut refusals = Refusals::default();
        all(&Tiny::LIMITS, &"full").into_iter().for_each(|bound| refusals.note(bound));
        let told: std::vec::Vec<Bound> = core::iter::from_fn(|| refusals.pop(&Tiny::LIMITS)).collect();
        assert_eq!(told, all(&Tiny::LIMITS, &"full"));
    }
}
