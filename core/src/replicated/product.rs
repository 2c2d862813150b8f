//! What a product holds beside the set, the counter and the map: nothing, or a data type of a user.

use super::{At, Lane, Merged, Refused, Replicated};
use crate::causality::{Causality, Dot, Entry, RowId, Tag};
use crate::storage::{Limits, Storage};

/// A storage whose data type of the user, if it has one, can be replicated. Everything that can be is one; there is
/// nothing to implement.
///
/// [`Heap`](crate::storage::Heap) and what [`fixed_storage!`](crate::fixed_storage) declares have none, which is `()`.
/// [`With`](crate::storage::With) has one.
pub trait Product: Storage<Own: Replicated<Self>> {}

impl<S: Storage<Own: Replicated<Self>>> Product for S {}

/// No data type: no entry is its own, and it takes no memory.
impl<S: Storage> Replicated<S> for () {
    const LANE: Lane = Lane::Push;

    #[inline(always)]
    fn unfilled(_: &Limits) -> Self {}

    #[inline(always)]
    fn owns(_: Tag) -> bool {
        false
    }

    #[inline(always)]
    fn merge(&mut self, _: &mut Causality<S>, _: Dot, _: &Entry<'_>) -> Result<Merged, Refused> {
        Err(Refused::Unreadable)
    }

    #[inline(always)]
    fn covers(&self, _: &Causality<S>, _: Dot, _: &Entry<'_>) -> bool {
        true
    }

    #[inline(always)]
    fn seek(&self, _: RowId, _: u64) -> Option<At> {
        None
    }

    #[inline(always)]
    fn next(&self, _: At) -> Option<At> {
        None
    }

    #[inline(always)]
    fn seq(&self, _: At) -> u64 {
        debug_assert!(false, "it has no entry, so nobody has the place of one");
        u64::MAX
    }

    #[inline(always)]
    fn entry<'a>(&'a self, _: At, _: &'a Causality<S>) -> Entry<'a> {
        debug_assert!(false, "it has no entry, so nobody has the place of one");
        Entry::NOTHING
    }

    #[inline(always)]
    fn fingerprint(&self) -> u64 {
        0
    }
}
