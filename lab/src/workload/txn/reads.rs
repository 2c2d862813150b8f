//! Checkers of what transactions show. In the end all nodes show the same values, and no read shows a value that nobody
//! wrote.

use std::collections::BTreeMap;

use crate::check::final_state::differing;
use crate::check::phantom::Phantoms;
use crate::check::view::View;
use crate::check::words::examples;
use crate::check::{Found, final_state, phantom};
use crate::history::{Answer, Call, Micro, Op};

pub(super) fn final_state(view: &View<'_>) -> Found {
    let mut found = Found::default();
    differ(view, &mut found);
    final_state::common(view, only_reads, &mut found);
    found
}

fn only_reads(call: &Call) -> bool {
    micros(call).iter().all(|micro| matches!(micro, Micro::Read(..)))
}

fn differ(view: &View<'_>, found: &mut Found) {
    let mut keys: BTreeMap<u64, Vec<(String, usize)>> = BTreeMap::new();
    for op in view.closing().filter(|op| only_reads(&op.call)) {
        let Some(Answer::Txn(micros)) = op.answer() else { continue };
        for micro in micros {
            if let Micro::Read(key, value) = micro {
                let value = value.map_or("no value".to_owned(), |value| value.to_string());
                keys.entry(*key).or_default().push((value, op.node));
            }
        }
    }
    let (differ, n, hint) = differing(view, keys);
    if !differ.is_empty() {
        let message = format!("In the end nodes showed different values for {n}{hint}: {}.", examples(differ));
        found.note(view.in_the_end(), message);
    }
}

pub(super) fn phantom(view: &View<'_>) -> Found {
    let written = |op: &Op| micros(&op.call).iter().filter_map(write).collect();
    let shown = |op: &Op| match op.answer() {
        Some(Answer::Txn(micros)) => micros.iter().filter_map(read).collect(),
        Some(_) | None => Vec::new(),
    };
    // A read of a value whose transaction failed is the anomaly G1a, which the consistency model may allow.
    Phantoms { failed: Vec::new(), ..phantom::under_keys(view, written, shown) }.told()
}

pub(super) fn write(micro: &Micro) -> Option<(u64, i64)> {
    match *micro {
        Micro::Write(key, value) => Some((key, value)),
        Micro::Read(..) => None,
    }
}

fn read(micro: &Micro) -> Option<(u64, i64)> {
    match *micro {
        Micro::Read(key, value) => value.map(|value| (key, value)),
        Micro::Write(..) => None,
    }
}

/// The reads and writes of a transaction.
pub(super) fn micros(call: &Call) -> &[Micro] {
    if let Call::Txn(micros) = call { micros } else { &[] }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::Run;
    use crate::history::{Answer, Call, Micro};
    use crate::judgement::Validity;
    use crate::settings::Workload;

    #[test]
    fn different_registers_are_invalid() {
        let mut run = Run::new(Workload::TxnRwRegister, 2);
        for (node, value) in [(0, Some(5)), (1, None)] {
            let look = Call::Txn(vec![Micro::Read(3, None)]);
            run.ok(node, 20_600, 20_601, look, Answer::Txn(vec![Micro::Read(3, value)]));
        }
        run.finds("final-state", Validity::Invalid, &["k3 is 5 at n0; no value at n1"]);
    }

    #[test]
    fn a_transaction_that_reads_what_nobody_wrote_is_invalid() {
        let mut run = Run::new(Workload::TxnRwRegister, 1);
        run.ok(0, 100, 101, Call::Txn(vec![Micro::Read(3, None)]), Answer::Txn(vec![Micro::Read(3, Some(9))]));
        run.finds("phantom", Validity::Invalid, &["k3=9 by n0"]);
    }
}
