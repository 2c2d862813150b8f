//! No node forgets what it has shown: while its process lives, a later read shows at least as much as an earlier one.
//!
//! A read is later when it was invoked after the earlier one had completed. A process that was killed starts from
//! nothing. A read during which its process ended is not compared. Each data type defines which of two reads shows
//! less.

use std::collections::BTreeMap;

use super::view::View;
use super::words::{count, examples};
use super::{Checker, Found};
use crate::history::Op;

/// The checker of a data type. Its function ends with [`told`].
pub(crate) const fn checker(run: fn(&View<'_>) -> Found) -> Checker {
    Checker { name: "monotonic", meaning: "no node forgets what it has shown, while its process lives", run }
}

/// The finding for these reads: each of them showed less than an earlier read of the same process.
pub(crate) fn told(broken: Vec<String>) -> Found {
    let mut found = Found::default();
    if !broken.is_empty() {
        let what = count(broken.len(), "read");
        found.invalid(format!("{what} showed less than the same process had shown before: {}.", examples(broken)));
    }
    found
}

/// The acknowledged operations of one process life, sorted twice: by invocation and by completion.
struct Life<'a> {
    invoked: Vec<&'a Op>,
    completed: Vec<&'a Op>,
}

/// Calls `each` with every operation of a process life, in order of invocation. Before that it calls `past` with all
/// operations that had completed by then.
pub(crate) fn replay<'a, K: Ord, S: Default>(
    view: &View<'a>,
    relevant: impl Fn(&'a Op) -> Option<K>,
    mut past: impl FnMut(&mut S, &'a Op),
    mut each: impl FnMut(&S, &'a Op),
) {
    let mut lives: BTreeMap<(usize, usize, K), Life<'a>> = BTreeMap::new();
    for op in view.history.ops.iter().filter(|op| op.answer().is_some()) {
        let (Some(key), Some(life)) = (relevant(op), view.lives.life(op.node, op.invoked_us, op.completed_us)) else {
            continue;
        };
        let life = lives.entry((op.node, life, key)).or_insert_with(|| Life { invoked: vec![], completed: vec![] });
        life.invoked.push(op);
        life.completed.push(op);
    }
    for mut life in lives.into_values() {
        life.completed.sort_by_key(|op| op.completed_us);
        let mut state = S::default();
        let mut done = life.completed.into_iter().peekable();
        for op in life.invoked {
            while let Some(before) = done.next_if(|before| before.completed_us < op.invoked_us) {
                past(&mut state, before);
            }
            each(&state, op);
        }
    }
}
