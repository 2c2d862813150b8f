//! Counts stale reads: reads of the main phase that lacked something which some node had acknowledged before the read
//! was invoked.
//!
//! It never finds anything wrong, because reads may be stale under eventual consistency. What died with a killed
//! process does not make a read stale. Each data type defines what a read has to show.

use super::view::View;
use super::{Checker, Figures, Found};

/// The checker of a data type.
pub(crate) const fn checker(run: fn(&View<'_>) -> Found) -> Checker {
    Checker {
        name: "staleness",
        meaning: "counts reads that lack a change which was acknowledged before; never fails",
        run,
    }
}

/// The figures: the number of reads, and the number of stale ones among them.
pub(crate) fn told((reads, stale): (usize, usize)) -> Found {
    Found { figures: Figures::Reads { reads, stale }, ..Found::default() }
}
