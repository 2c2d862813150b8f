//! Every total is a possible sum.
//!
//! A total in the end is the sum of all acknowledged increments, with or without each increment whose outcome is
//! unknown or that may have died with a killed process. A total of the main phase may be anything between the least and
//! the largest sum that was asked for by then, because a node may have heard of any part of it.

use crate::check::Found;
use crate::check::bits::has;
use crate::check::view::View;
use crate::check::words::{count, examples};
use crate::history::{Answer, Call, Op, Outcome, Phase};
use crate::settings::Micros;

pub(crate) fn check(view: &View<'_>) -> Found {
    let mut found = Found::default();
    let totals: Vec<(&Op, i64)> = view
        .history
        .ops
        .iter()
        .filter_map(|op| match op.answer() {
            Some(Answer::Total(total)) => Some((op, *total)),
            Some(_) | None => None,
        })
        .collect();
    ends(view, &totals, &mut found);
    between(view, &totals, &mut found);
    found
}

/// Totals after the main phase.
fn ends(view: &View<'_>, totals: &[(&Op, i64)], found: &mut Found) {
    let sums = Sums::new(view);
    let last: Vec<_> = totals.iter().filter(|(op, _)| op.phase != Phase::Main).collect();
    if sums.acknowledged == 0 {
        found.unknown("No increment was acknowledged: does the node answer? A longer time limit may help.".to_owned());
    } else if last.is_empty() {
        found.unknown("No final read was acknowledged, so the sum is not known.".to_owned());
    }
    let wrong = last.iter().filter(|(_, total)| !sums.allow(i128::from(*total)));
    let wrong: Vec<String> = wrong.map(|(op, total)| says(view, op, *total)).collect();
    if !wrong.is_empty() {
        let n = count(wrong.len(), "final read");
        let (sum, hint) = (sums.describe(), view.quiet_hint());
        let message = format!("{n} showed an impossible sum: {}; {sum}{hint}.", examples(wrong));
        found.note(view.in_the_end(), message);
    }
    if sums.died > 0 {
        found.remark(format!(
            "{} may have died with a killed process before any message with them had arrived; sums with and without \
             them are allowed.",
            count(sums.died, "acknowledged increment")
        ));
    }
}

/// Totals of the main phase.
fn between(view: &View<'_>, totals: &[(&Op, i64)], found: &mut Found) {
    let asked = Asked::new(view);
    let mut wrong = Vec::new();
    for (op, total) in totals.iter().filter(|(op, _)| op.phase == Phase::Main) {
        let (least, most) = asked.until(op.completed_us);
        if !(least..=most).contains(&i128::from(*total)) {
            wrong.push(format!("{}, possible was {least} to {most}", says(view, op, *total)));
        }
    }
    if !wrong.is_empty() {
        let n = count(wrong.len(), "read");
        found.invalid(format!("{n} showed a total beyond everything that had been asked for: {}.", examples(wrong)));
    }
}

fn says(view: &View<'_>, op: &Op, total: i64) -> String {
    format!("{total} by {} at {}", view.node(op.node), view.time(op.completed_us))
}

/// The delta of an increment that was not refused.
pub(crate) fn increment(op: &Op) -> Option<i128> {
    match op.call {
        Call::Increment(delta) if op.may_have_happened() => Some(i128::from(delta)),
        _ => None,
    }
}

/// The sums that were possible at each time, from the increments that were invoked by then.
pub(crate) struct Asked {
    /// A time, the sum of all negative increments until then, and the sum of all positive ones.
    sums: Vec<(Micros, i128, i128)>,
}

impl Asked {
    pub(crate) fn new(view: &View<'_>) -> Self {
        let (mut least, mut most) = (0, 0);
        let sums = view.history.ops.iter().filter_map(|op| {
            let delta = increment(op)?;
            least += delta.min(0);
            most += delta.max(0);
            Some((op.invoked_us, least, most))
        });
        Self { sums: sums.collect() }
    }

    /// The least and the most that a node can show at this time.
    pub(crate) fn until(&self, at: Micros) -> (i128, i128) {
        let n = self.sums.partition_point(|&(invoked_us, ..)| invoked_us <= at);
        n.checked_sub(1).map_or((0, 0), |last| (self.sums[last].1, self.sums[last].2))
    }
}

/// The sums that are possible in the end.
struct Sums {
    acknowledged: usize,
    died: usize,
    certain: i128,
    optional: Subsets,
}

impl Sums {
    fn new(view: &View<'_>) -> Self {
        let (mut acknowledged, mut died, mut certain) = (0, 0, 0);
        let mut optional = Vec::new();
        for op in &view.history.ops {
            let Some(delta) = increment(op) else { continue };
            match (&op.outcome, view.died(op)) {
                (Outcome::Ok { .. }, None) => {
                    acknowledged += 1;
                    certain += delta;
                }
                (Outcome::Ok { .. }, Some(_)) => {
                    acknowledged += 1;
                    died += 1;
                    optional.push(delta);
                }
                (Outcome::Info { .. } | Outcome::Fail { .. }, _) => optional.push(delta),
            }
        }
        Self { acknowledged, died, certain, optional: Subsets::new(&optional) }
    }

    fn allow(&self, total: i128) -> bool {
        self.optional.contain(total - self.certain)
    }

    fn describe(&self) -> String {
        let certain = self.certain;
        if self.optional.least == self.optional.most {
            return format!("the acknowledged increments make {certain}");
        }
        let (least, most) = (certain + self.optional.least, certain + self.optional.most);
        format!("the certain increments make {certain}, with the uncertain ones a sum between {least} and {most}")
    }
}

/// The sums of all subsets of some numbers.
pub(crate) struct Subsets {
    least: i128,
    most: i128,
    /// Bit i says that `least + i` is a sum. `None` when there are too many sums; then every number in between passes.
    exact: Option<Vec<u64>>,
}

impl Subsets {
    /// The widest range that is computed exactly. It takes 8 KiB, and a run with small deltas stays far below it.
    const WIDEST: i128 = 1 << 16;
    /// The most words that are shifted for all numbers together.
    const WORK: usize = 1 << 21;

    pub(crate) fn new(numbers: &[i128]) -> Self {
        let least: i128 = numbers.iter().map(|&n| n.min(0)).sum();
        let most: i128 = numbers.iter().map(|&n| n.max(0)).sum();
        let width = usize::try_from((most - least + 1).min(Self::WIDEST + 1)).unwrap_or(usize::MAX);
        let words = width.div_ceil(64);
        if most - least >= Self::WIDEST || words * numbers.len() > Self::WORK {
            return Self { least, most, exact: None };
        }
        let mut exact = vec![0; words];
        // The least sum has all negative numbers. To leave one of them out raises the sum by its amount, just as to
        // take a positive number in does.
        exact[0] = 1;
        for &number in numbers {
            or_shifted(&mut exact, usize::try_from(number.unsigned_abs()).unwrap_or(usize::MAX));
        }
        Self { least, most, exact: Some(exact) }
    }

    pub(crate) fn contain(&self, sum: i128) -> bool {
        if !(self.least..=self.most).contains(&sum) {
            return false;
        }
        match (&self.exact, usize::try_from(sum - self.least)) {
            (Some(bits), Ok(place)) => has(bits, place),
            (Some(_) | None, _) => true,
        }
    }
}

/// `bits |= bits << by`
fn or_shifted(bits: &mut [u64], by: usize) {
    let (words, rest) = (by / 64, by % 64);
    for place in (words..bits.len()).rev() {
        let mut word = bits[place - words] << rest;
        if rest > 0 && place > words {
            word |= bits[place - words - 1] >> (64 - rest);
        }
        bits[place] |= word;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Subsets;
    use crate::check::testing::Run;
    use crate::history::Call;
    use crate::judgement::Validity;
    use crate::settings::Workload;

    fn run() -> Run {
        let mut run = Run::new(Workload::PnCounter, 2);
        run.increment(0, 100, 4);
        run.increment(1, 110, -1);
        run
    }

    #[test]
    fn the_sum_of_all_acknowledged_increments_passes() {
        let mut run = run();
        run.fail(0, 200, Call::Increment(2));
        run.total(1, 210, 211, 4);
        run.total(1, 220, 221, -1);
        run.end_total(3);
        run.passes();
    }

    #[test]
    fn another_final_sum_is_invalid() {
        let mut run = run();
        run.end_total(4);
        run.finds("counter", Validity::Invalid, &["4 by n0", "2 final reads", "make 3"]);
    }

    #[test]
    fn a_refused_increment_must_not_count() {
        let mut run = run();
        run.fail(0, 200, Call::Increment(2));
        run.end_total(5);
        run.finds("counter", Validity::Invalid, &["5 by n0"]);
    }

    #[test]
    fn an_increment_of_unknown_outcome_may_count_or_not_but_not_in_part() {
        for (total, valid) in [(3, true), (5, true), (4, false), (6, false), (2, false)] {
            let mut run = run();
            run.info(0, 200, Call::Increment(2));
            run.end_total(total);
            if valid {
                run.is_silent("counter");
            } else {
                run.finds("counter", Validity::Invalid, &["between 3 and 5"]);
            }
        }
    }

    #[test]
    fn an_increment_that_died_with_a_process_may_count_or_not() {
        for total in [-1, 3] {
            let mut run = run();
            run.kill(0, 300, &[0], &[]);
            run.end_total(total);
            run.finds("counter", Validity::Valid, &["1 acknowledged increment may have died"]);
        }
    }

    #[test]
    fn a_total_of_the_main_phase_beyond_everything_asked_for_is_invalid() {
        let mut run = run();
        run.total(1, 105, 108, 5);
        run.total(1, 105, 109, -1);
        run.total(1, 105, 110, -1);
        run.end_total(3);
        run.finds("counter", Validity::Invalid, &["2 reads", "5 by n1", "possible was 0 to 4"]);
    }

    #[test]
    fn a_run_without_final_reads_is_unknown() {
        run().finds("counter", Validity::Unknown, &["No final read"]);
    }

    #[test]
    fn with_too_much_uncertainty_every_sum_in_between_passes() {
        let subsets = Subsets::new(&[i128::from(i64::MAX), -5, i128::from(i64::MIN)]);
        assert!(subsets.contain(17) && subsets.contain(i128::from(i64::MIN) - 5));
        assert!(!subsets.contain(i128::from(i64::MIN) - 6));
    }

    proptest! {
        #[test]
        fn sums_of_subsets_are_what_trying_all_of_them_gives(numbers in proptest::collection::vec(-70_i128..70, 0..10)) {
            let all: Vec<i128> = (0_u32..1 << numbers.len())
                .map(|pick| numbers.iter().enumerate().filter(|(i, _)| pick >> i & 1 == 1).map(|(_, n)| n).sum())
                .collect();
            let subsets = Subsets::new(&numbers);
            for sum in -800..800 {
                prop_assert_eq!(subsets.contain(sum), all.contains(&sum), "{}", sum);
            }
        }
    }
}
