//! A read shows no value that nobody wrote, none whose write failed, and none before its write was invoked. It may show
//! a value whose write has an unknown outcome.

use std::collections::BTreeMap;

use super::view::View;
use super::words::{count, examples};
use super::{Checker, Found};
use crate::history::Op;
use crate::settings::Micros;

/// The checker of a data type.
pub(crate) const fn checker(run: fn(&View<'_>) -> Found) -> Checker {
    Checker { name: "phantom", meaning: "no value is shown that nobody wrote", run }
}

/// Reads that show a value which they must not show. Each read is described in words.
#[derive(Debug, Default)]
pub(crate) struct Phantoms {
    /// A value that nobody ever wrote.
    pub(crate) never: Vec<String>,
    /// A value whose write had failed.
    pub(crate) failed: Vec<String>,
    /// A value that nobody had asked to write yet.
    pub(crate) early: Vec<String>,
}

impl Phantoms {
    /// The findings for these reads.
    pub(crate) fn told(self) -> Found {
        let mut found = Found::default();
        for (list, what) in [
            (self.never, "that nobody ever wrote"),
            (self.failed, "whose write had failed"),
            (self.early, "before anybody had asked to write it"),
        ] {
            if !list.is_empty() {
                found.invalid(format!("{} a value {what}: {}.", shows(list.len()), examples(list)));
            }
        }
        found
    }
}

fn shows(n: usize) -> String {
    format!("{} {}", count(n, "read"), if n == 1 { "shows" } else { "show" })
}

/// Pairs of a key and a value.
type Entries = Vec<(u64, i64)>;

/// The phantoms of a data type that writes values under keys. `written` gives the pairs that an operation writes,
/// `shown` those that its answer shows.
pub(crate) fn under_keys(
    view: &View<'_>,
    written: impl Fn(&Op) -> Entries,
    shown: impl Fn(&Op) -> Entries,
) -> Phantoms {
    // For each pair: the earliest invocation of a write, and whether a write may have happened.
    let mut writes: BTreeMap<(u64, i64), (Micros, bool)> = BTreeMap::new();
    for op in &view.history.ops {
        for entry in written(op) {
            let write = writes.entry(entry).or_insert((op.invoked_us, false));
            write.1 |= op.may_have_happened();
        }
    }
    let mut phantoms = Phantoms::default();
    for op in &view.history.ops {
        for (key, value) in shown(op) {
            let says = || format!("k{key}={value} by {} at {}", view.node(op.node), view.time(op.completed_us));
            match writes.get(&(key, value)) {
                None => phantoms.never.push(says()),
                Some((_, false)) => phantoms.failed.push(says()),
                Some(&(invoked_us, true)) if invoked_us > op.completed_us => phantoms.early.push(says()),
                Some((_, true)) => {}
            }
        }
    }
    phantoms
}
