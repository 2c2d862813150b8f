//! Enough of the operations succeed.

use super::Found;
use super::view::View;

#[allow(clippy::cast_precision_loss)]
pub(crate) fn check(view: &View<'_>) -> Found {
    let mut found = Found::default();
    let Some(wanted) = view.settings.availability else { return found };
    let all = view.history.counted().count();
    let ok = view.history.counted().filter(|op| op.answer().is_some()).count();
    if all == 0 {
        found.unknown("No operation was invoked, so availability is not known.".to_owned());
    } else if (ok as f64) < wanted * all as f64 - 1e-9 {
        let share = 100.0 * ok as f64 / all as f64;
        let wanted = 100.0 * wanted;
        found.invalid(format!("{ok} of {all} operations succeeded, {share:.2} %; {wanted:.2} % were wanted."));
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::check::testing::Run;
    use crate::history::Call;
    use crate::judgement::Validity;
    use crate::settings::Workload;

    fn half(wanted: Option<f64>) -> Run {
        let mut run = Run::new(Workload::Broadcast, 1);
        run.settings.availability = wanted;
        run.add(0, 100, 101, 7);
        run.info(0, 200, Call::Add(8));
        run
    }

    #[test]
    fn without_a_wish_anything_is_available_enough() {
        half(None).is_silent("availability");
    }

    #[test]
    fn exactly_the_wanted_share_is_enough() {
        half(Some(0.5)).is_silent("availability");
    }

    #[test]
    fn less_than_the_wanted_share_is_invalid() {
        half(Some(0.51)).finds("availability", Validity::Invalid, &["1 of 2", "50.00 %", "51.00 %"]);
    }
}
