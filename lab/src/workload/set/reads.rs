//! Checkers of what reads of a set show. In the end all nodes show the same values. A read shows no value that nobody
//! added, and all values of an earlier read. Stale reads are counted.

use std::collections::{BTreeMap, BTreeSet};

use super::sets::sets;
use crate::check::bits::{for_each_bit, prefix};
use crate::check::monotonic::replay;
use crate::check::phantom::Phantoms;
use crate::check::view::View;
use crate::check::words::{count, examples};
use crate::check::{Found, final_state, monotonic, staleness};
use crate::history::{Call, Op, Phase};
use crate::settings::Micros;

pub(super) fn final_state(view: &View<'_>) -> Found {
    let mut found = Found::default();
    differ(view, &mut found);
    final_state::common(view, |call| matches!(call, Call::Read), &mut found);
    found
}

fn differ(view: &View<'_>, found: &mut Found) {
    let sets = sets(view);
    let closing: Vec<usize> = (0..sets.reads.len()).filter(|&read| sets.reads[read].phase != Phase::Main).collect();
    let mut all = vec![0; sets.words()];
    for &read in &closing {
        all.iter_mut().zip(sets.row(read)).for_each(|(all, word)| *all |= word);
    }
    let mut strangers: BTreeMap<usize, BTreeSet<i64>> = BTreeMap::new();
    for &(read, value) in sets.strangers.iter().filter(|(read, _)| sets.reads[*read].phase != Phase::Main) {
        strangers.entry(read).or_default().insert(value);
    }
    let all_strangers: BTreeSet<i64> = strangers.values().flatten().copied().collect();
    let mut lacking: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
    for &read in &closing {
        let mut missing = Vec::new();
        for (place, (all, word)) in all.iter().zip(sets.row(read)).enumerate() {
            for_each_bit(place, all & !word, |element| missing.push(sets.elements[element].value));
        }
        let own = strangers.get(&read);
        missing.extend(all_strangers.iter().filter(|value| own.is_none_or(|own| !own.contains(value))));
        if !missing.is_empty() {
            lacking.insert(sets.reads[read].node, missing);
        }
    }
    if !lacking.is_empty() {
        let (n, hint) = (count(lacking.len(), "node"), view.quiet_hint());
        let list = examples(lacking.into_iter().map(|(node, values)| {
            let what = count(values.len(), "value");
            format!("{} lacked {what} ({})", view.node(node), examples(values.iter().map(i64::to_string)))
        }));
        found.note(view.in_the_end(), format!("In the end {n} lacked what others showed{hint}: {list}."));
    }
}

pub(super) fn phantom(view: &View<'_>) -> Found {
    let sets = sets(view);
    let mut phantoms = Phantoms::default();
    let says = |value: i64, read: usize| {
        let read = &sets.reads[read];
        format!("{value} by {} at {}", view.node(read.node), view.time(read.completed_us))
    };
    phantoms.never.extend(sets.strangers.iter().map(|&(read, value)| says(value, read)));
    let suspects: Vec<usize> = (0..sets.elements.len()).filter(|&element| !sets.elements[element].possible).collect();
    for read in 0..sets.reads.len() {
        let shown = suspects.iter().filter(|&&element| sets.shows(read, element));
        phantoms.failed.extend(shown.map(|&element| says(sets.elements[element].value, read)));
        let asked = sets.asked_before_end_of(&sets.reads[read]);
        for (place, word) in sets.row(read).iter().enumerate() {
            for_each_bit(place, word & !prefix(place, asked), |element| {
                // If both times are the same, the order is not known.
                if sets.elements[element].invoked_us > sets.reads[read].completed_us {
                    phantoms.early.push(says(sets.elements[element].value, read));
                }
            });
        }
    }
    phantoms.told()
}

pub(super) fn monotonic(view: &View<'_>) -> Found {
    monotonic::told(forgotten(view))
}

/// Reads that lack what an earlier read of the same process shows.
fn forgotten(view: &View<'_>) -> Vec<String> {
    let sets = sets(view);
    let numbers: BTreeMap<usize, usize> =
        sets.reads.iter().enumerate().map(|(number, read)| (read.op, number)).collect();
    let row = |op: &Op| numbers.get(&op.index).map_or(&[][..], |&read| sets.row(read));
    let mut broken = Vec::new();
    replay(
        view,
        |op| numbers.contains_key(&op.index).then_some(()),
        |shown: &mut Vec<u64>, op| {
            shown.resize(sets.words(), 0);
            shown.iter_mut().zip(row(op)).for_each(|(all, word)| *all |= word);
        },
        |shown, op| {
            let missing = shown.iter().zip(row(op)).enumerate().map(|(place, (all, word))| (place, all & !word));
            let mut values = Vec::new();
            for (place, word) in missing {
                for_each_bit(place, word, |element| values.push(sets.elements[element].value.to_string()));
            }
            if !values.is_empty() {
                let what = count(values.len(), "value");
                let (node, at) = (view.node(op.node), view.time(op.completed_us));
                broken.push(format!("{node} at {at} lacked {what} ({})", examples(values)));
            }
        },
    );
    broken
}

pub(super) fn staleness(view: &View<'_>) -> Found {
    staleness::told(stale(view))
}

/// How many reads there were, and how many of them were stale.
fn stale(view: &View<'_>) -> (usize, usize) {
    let sets = sets(view);
    let mut acknowledged: Vec<(Micros, usize)> = Vec::new();
    for (number, element) in sets.elements.iter().enumerate() {
        acknowledged
            .extend(element.acknowledged_us.filter(|_| sets.excused(view, number).is_none()).map(|at| (at, number)));
    }
    acknowledged.sort_unstable();
    let mut done = acknowledged.into_iter().peekable();
    let mut expected = vec![0_u64; sets.words()];
    let (mut reads, mut stale) = (0, 0);
    for (number, read) in sets.reads.iter().enumerate().filter(|(_, read)| read.phase == Phase::Main) {
        while let Some((_, element)) = done.next_if(|&(at, _)| at < read.invoked_us) {
            expected[element / 64] |= 1 << (element % 64);
        }
        reads += 1;
        stale += usize::from(expected.iter().zip(sets.row(number)).any(|(all, word)| all & !word != 0));
    }
    (reads, stale)
}

#[cfg(test)]
#[path = "reads_tests.rs"]
mod tests;
