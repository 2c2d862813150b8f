//! Checkers of what reads of a counter show. In the end all nodes show the same total. A counter that only grows never
//! shows less than before. Stale reads are counted.

use super::sums::{Asked, increment};
use crate::check::final_state::disagreement;
use crate::check::monotonic::replay;
use crate::check::view::View;
use crate::check::{Found, final_state, monotonic, staleness};
use crate::history::{Answer, Call, Op, Phase};
use crate::settings::Micros;

pub(super) fn final_state(view: &View<'_>) -> Found {
    let mut found = Found::default();
    differ(view, &mut found);
    final_state::common(view, |call| matches!(call, Call::Read), &mut found);
    found
}

fn differ(view: &View<'_>, found: &mut Found) {
    let totals = view.closing().filter_map(|op| match op.answer() {
        Some(Answer::Total(total)) => Some((total.to_string(), op.node)),
        Some(_) | None => None,
    });
    if let Some(who) = disagreement(view, totals) {
        let message = format!("In the end nodes showed different totals{}: {who}.", view.quiet_hint());
        found.note(view.in_the_end(), message);
    }
}

pub(super) fn monotonic(view: &View<'_>) -> Found {
    monotonic::told(fallen(view))
}

/// Reads that show less than an earlier read of the same process.
fn fallen(view: &View<'_>) -> Vec<String> {
    let total = |op: &Op| match op.answer() {
        Some(Answer::Total(total)) => Some(*total),
        Some(_) | None => None,
    };
    let mut broken = Vec::new();
    replay(
        view,
        |op| total(op).map(|_| ()),
        |most: &mut Option<i64>, op| *most = (*most).max(total(op)),
        |most, op| {
            if let (Some(most), Some(now)) = (*most, total(op))
                && now < most
            {
                let (node, at) = (view.node(op.node), view.time(op.completed_us));
                broken.push(format!("{node} showed {now} at {at} after {most}"));
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
    let asked = Asked::new(view);
    // The completion of each acknowledged increment, and its delta.
    let mut acknowledged: Vec<(Micros, i128)> = Vec::new();
    for op in view.history.ops.iter().filter(|op| op.answer().is_some() && view.died(op).is_none()) {
        acknowledged.extend(increment(op).map(|delta| (op.completed_us, delta)));
    }
    acknowledged.sort_unstable();
    let (mut least, mut most) = (0, 0);
    let sums: Vec<(Micros, i128, i128)> = acknowledged
        .into_iter()
        .map(|(at, delta)| {
            least += delta.min(0);
            most += delta.max(0);
            (at, least, most)
        })
        .collect();
    let (mut reads, mut stale) = (0, 0);
    for op in view.history.ops.iter().filter(|op| op.phase == Phase::Main) {
        let Some(&Answer::Total(total)) = op.answer() else { continue };
        let before = sums.partition_point(|&(at, ..)| at < op.invoked_us);
        let (lowering, raising) = before.checked_sub(1).map_or((0, 0), |last| (sums[last].1, sums[last].2));
        let (least, most) = asked.until(op.completed_us);
        // A total has to include what was acknowledged, and may include whatever else was asked for.
        let possible = least + raising..=most + lowering;
        reads += 1;
        stale += usize::from(!possible.contains(&i128::from(total)));
    }
    (reads, stale)
}

#[cfg(test)]
mod tests {
    use crate::check::testing::Run;
    use crate::history::Call;
    use crate::judgement::Validity;
    use crate::settings::Workload;

    #[test]
    fn different_totals_are_invalid_and_told_by_node() {
        let mut run = Run::new(Workload::PnCounter, 3);
        for (node, total) in [(0, 41), (1, 40), (2, 41)] {
            run.total(node, 20_000, 20_001, total);
        }
        run.finds("final-state", Validity::Invalid, &["41 at n0, n2; 40 at n1"]);
    }

    #[test]
    fn a_grow_only_counter_that_goes_back_is_invalid() {
        let mut run = Run::new(Workload::GCounter, 1);
        run.increment(0, 100, 3);
        run.total(0, 200, 201, 3);
        run.total(0, 300, 301, 2);
        run.end_total(3);
        run.finds("monotonic", Validity::Invalid, &["n0 showed 2 at 0.30 s after 3"]);
    }

    fn counts(run: &Run) -> (usize, usize) {
        let judgement = run.judge();
        (judgement.reads, judgement.stale_reads)
    }

    #[test]
    fn a_total_is_stale_when_it_cannot_include_what_was_acknowledged_before() {
        let mut run = Run::new(Workload::PnCounter, 1);
        run.increment(0, 100, 4);
        run.info(0, 150, Call::Increment(-3));
        run.total(0, 200, 201, 4);
        run.total(0, 210, 211, 1);
        run.total(0, 220, 221, 0);
        run.total(0, 230, 231, 5);
        assert_eq!(counts(&run), (4, 2));
    }
}
