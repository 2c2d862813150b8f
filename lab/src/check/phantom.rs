//! No value is shown that nobody wrote, nor one whose write failed, nor one before it was asked for.
//!
//! A write of unknown outcome may show up.

use std::collections::BTreeMap;

use super::Found;
use super::view::{View, count, examples};
use crate::history::{Answer, Call, Micro, Op};
use crate::settings::Micros;
use crate::workload::set::sets::{for_each_bit, prefix};

pub(crate) fn check(view: &View<'_>) -> Found {
    let mut never = Vec::new();
    let mut failed = Vec::new();
    let mut early = Vec::new();
    sets(view, &mut never, &mut failed, &mut early);
    registers(view, &mut never, &mut failed, &mut early);
    let mut found = Found::default();
    for (list, what) in [
        (never, "that nobody ever wrote"),
        (failed, "whose write had failed"),
        (early, "before anybody had asked to write it"),
    ] {
        if !list.is_empty() {
            found.invalid(format!("{} a value {what}: {}.", shows(list.len()), examples(list)));
        }
    }
    found
}

fn shows(n: usize) -> String {
    format!("{} {}", count(n, "read"), if n == 1 { "shows" } else { "show" })
}

fn sets(view: &View<'_>, never: &mut Vec<String>, failed: &mut Vec<String>, early: &mut Vec<String>) {
    let sets = &view.sets;
    let says = |value: i64, read: usize| {
        let read = &sets.reads[read];
        format!("{value} by {} at {}", view.node(read.node), view.time(read.completed_us))
    };
    never.extend(sets.strangers.iter().map(|&(read, value)| says(value, read)));
    let suspects: Vec<usize> = (0..sets.elements.len()).filter(|&element| !sets.elements[element].possible).collect();
    for read in 0..sets.reads.len() {
        let shown = suspects.iter().filter(|&&element| sets.shows(read, element));
        failed.extend(shown.map(|&element| says(sets.elements[element].value, read)));
        let asked = sets.asked_before_end_of(&sets.reads[read]);
        for (place, word) in sets.row(read).iter().enumerate() {
            for_each_bit(place, word & !prefix(place, asked), |element| {
                // At the very same time the order is not known.
                if sets.elements[element].invoked_us > sets.reads[read].completed_us {
                    early.push(says(sets.elements[element].value, read));
                }
            });
        }
    }
}

/// Earliest invocation of a write of a value to a key, and whether it may have happened.
type Writes = BTreeMap<(u64, i64), (Micros, bool)>;

fn registers(view: &View<'_>, never: &mut Vec<String>, failed: &mut Vec<String>, early: &mut Vec<String>) {
    let mut writes = Writes::new();
    for op in &view.history.ops {
        for_each_write(op, |key, value| {
            let write = writes.entry((key, value)).or_insert((op.invoked_us, false));
            write.1 |= op.may_have_happened();
        });
    }
    for op in &view.history.ops {
        for_each_read(op, |key, value| {
            let says = || format!("k{key}={value} by {} at {}", view.node(op.node), view.time(op.completed_us));
            match writes.get(&(key, value)) {
                None => never.push(says()),
                // Transactions say so as G1a, and their model may allow it.
                Some((_, false)) if matches!(op.call, Call::Txn(_)) => {}
                Some((_, false)) => failed.push(says()),
                Some(&(invoked_us, true)) if invoked_us > op.completed_us => early.push(says()),
                Some((_, true)) => {}
            }
        });
    }
}

fn for_each_write(op: &Op, mut each: impl FnMut(u64, i64)) {
    match &op.call {
        Call::Write { key, value } => each(*key, *value),
        Call::Txn(micros) => {
            for micro in micros {
                match micro {
                    Micro::Write(key, value) => each(*key, *value),
                    Micro::Read(..) => {}
                }
            }
        }
        Call::Echo(_) | Call::Generate | Call::Add(_) | Call::Increment(_) | Call::Read | Call::KvRead(_) => {}
    }
}

fn for_each_read(op: &Op, mut each: impl FnMut(u64, i64)) {
    match (&op.call, op.answer()) {
        (Call::KvRead(key), Some(Answer::Value(value, _))) => each(*key, *value),
        (Call::Txn(_), Some(Answer::Txn(micros))) => {
            for micro in micros {
                match micro {
                    Micro::Read(key, Some(value)) => each(*key, *value),
                    Micro::Read(_, None) | Micro::Write(..) => {}
                }
            }
        }
        (_, _) => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::Run;
    use crate::history::{Answer, Call, Micro};
    use crate::judgement::Validity;
    use crate::settings::Workload;

    #[test]
    fn a_value_of_unknown_outcome_may_appear() {
        let mut run = Run::new(Workload::Broadcast, 1);
        run.info(0, 100, Call::Add(7));
        run.read(0, 200, 201, &[7]);
        run.is_silent("phantom");
    }

    #[test]
    fn a_value_that_nobody_added_is_invalid() {
        let mut run = Run::new(Workload::Broadcast, 1);
        run.add(0, 100, 101, 7);
        run.read(0, 200, 201, &[7, 99]);
        run.finds("phantom", Validity::Invalid, &["nobody ever wrote", "99 by n0 at 0.20 s"]);
    }

    #[test]
    fn a_value_whose_add_failed_is_invalid() {
        let mut run = Run::new(Workload::Broadcast, 1);
        run.fail(0, 100, Call::Add(7));
        run.read(0, 200, 201, &[7]);
        run.finds("phantom", Validity::Invalid, &["whose write had failed", "7 by n0"]);
    }

    #[test]
    fn a_value_shown_before_it_was_added_is_invalid() {
        let mut run = Run::new(Workload::Broadcast, 1);
        run.read(0, 100, 101, &[7]);
        run.add(0, 200, 201, 7);
        run.finds("phantom", Validity::Invalid, &["before anybody had asked", "7 by n0 at 0.10 s"]);
    }

    #[test]
    fn a_key_that_shows_what_nobody_wrote_to_it_is_invalid() {
        let mut run = Run::new(Workload::Kv, 1);
        run.ok(0, 100, 101, Call::Write { key: 1, value: 5 }, Answer::Stamp(10));
        run.ok(0, 200, 201, Call::KvRead(2), Answer::Value(5, 10));
        run.finds("phantom", Validity::Invalid, &["k2=5 by n0"]);
    }

    #[test]
    fn a_key_that_shows_a_refused_write_is_invalid() {
        let mut run = Run::new(Workload::Kv, 1);
        run.fail(0, 100, Call::Write { key: 1, value: 5 });
        run.ok(0, 200, 201, Call::KvRead(1), Answer::Value(5, 10));
        run.finds("phantom", Validity::Invalid, &["had failed", "k1=5 by n0"]);
    }

    #[test]
    fn a_transaction_that_reads_what_nobody_wrote_is_invalid() {
        let mut run = Run::new(Workload::TxnRwRegister, 1);
        run.ok(0, 100, 101, Call::Txn(vec![Micro::Read(3, None)]), Answer::Txn(vec![Micro::Read(3, Some(9))]));
        run.finds("phantom", Validity::Invalid, &["k3=9 by n0"]);
    }
}
