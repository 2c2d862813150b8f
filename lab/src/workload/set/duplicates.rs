//! No reply lists a value twice.

use super::sets::sets;
use crate::check::Found;
use crate::check::view::View;
use crate::check::words::{count, examples};

pub(crate) fn check(view: &View<'_>) -> Found {
    let mut found = Found::default();
    let sets = sets(view);
    let repeated = &sets.repeated;
    if !repeated.is_empty() {
        let list = examples(repeated.iter().map(|&(read, value)| {
            let read = &sets.reads[read];
            format!("{value} by {} at {}", view.node(read.node), view.time(read.completed_us))
        }));
        found.invalid(format!(
            "A reply listed a value that it had listed already, {}: {list}.",
            count(repeated.len(), "time")
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::check::testing::Run;
    use crate::judgement::Validity;
    use crate::settings::Workload;

    #[test]
    fn a_value_in_two_replies_is_no_duplicate() {
        let mut run = Run::new(Workload::GSet, 2);
        run.add(0, 100, 101, 7);
        run.end(&[7]);
        run.passes();
    }

    #[test]
    fn a_value_twice_in_one_reply_is_invalid() {
        let mut run = Run::new(Workload::GSet, 2);
        run.add(0, 100, 101, 7);
        run.add(0, 110, 111, 8);
        run.read(1, 200, 201, &[7, 8, 7]);
        run.finds("duplicates", Validity::Invalid, &["7 by n1 at 0.20 s", "1 time"]);
    }

    #[test]
    fn a_value_that_nobody_added_can_be_a_duplicate_too() {
        let mut run = Run::new(Workload::GSet, 1);
        run.read(0, 200, 201, &[99, 98, 99]);
        run.finds("duplicates", Validity::Invalid, &["99 by n0"]);
    }
}
