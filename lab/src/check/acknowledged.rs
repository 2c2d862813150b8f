//! Something was acknowledged, so there is something to judge.

use super::Found;
use super::view::View;
use crate::history::Phase;

pub(crate) fn check(view: &View<'_>) -> Found {
    let mut found = Found::default();
    let mut main = view.history.ops.iter().filter(|op| op.phase == Phase::Main).peekable();
    if main.peek().is_none() {
        found.unknown(
            "No operation was invoked. Did the nodes come up? Otherwise a longer time limit or a higher rate helps."
                .to_owned(),
        );
    } else if main.all(|op| op.answer().is_none()) {
        found.unknown(
            "No operation was acknowledged. Does the node answer requests of this workload, and does it flush after \
             each line?"
                .to_owned(),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::check::testing::Run;
    use crate::history::{Answer, Call};
    use crate::judgement::Validity;
    use crate::settings::Workload;

    #[test]
    fn one_acknowledgement_is_enough() {
        let mut run = Run::new(Workload::Echo, 1);
        run.info(0, 100, Call::Echo("a".into()));
        run.ok(0, 200, 201, Call::Echo("b".into()), Answer::Echo("b".into()));
        run.is_silent("acknowledged");
    }

    #[test]
    fn a_run_without_an_operation_is_unknown() {
        Run::new(Workload::Echo, 1).finds("acknowledged", Validity::Unknown, &["No operation was invoked"]);
    }

    #[test]
    fn a_run_without_an_acknowledgement_is_unknown() {
        let mut run = Run::new(Workload::Echo, 1);
        run.info(0, 100, Call::Echo("a".into()));
        run.finds("acknowledged", Validity::Unknown, &["No operation was acknowledged"]);
    }
}
