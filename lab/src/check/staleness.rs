//! Counts the reads of the main phase that lacked something that had been acknowledged anywhere before they were invoked.
//!
//! A count and no demand: under eventual consistency reads may be stale. What died with a killed process is not missed.
//! Each data type says what a read has to show.

use super::view::View;
use super::{Checker, Figures, Found};

/// The checker of a data type.
pub(crate) const fn checker(run: fn(&View<'_>) -> Found) -> Checker {
    Checker { name: "staleness", meaning: "counts reads that lack what was acknowledged before; never fails", run }
}

/// So many reads, and so many stale ones among them.
pub(crate) fn told((reads, stale): (usize, usize)) -> Found {
    Found { figures: Figures::Reads { reads, stale }, ..Found::default() }
}
