//! Every echo is the value that was sent.

use crate::check::Found;
use crate::check::view::{View, examples, were};
use crate::history::{Answer, Call};

pub(crate) fn check(view: &View<'_>) -> Found {
    let mut found = Found::default();
    let wrong: Vec<String> = view
        .history
        .ops
        .iter()
        .filter_map(|op| match (&op.call, op.answer()) {
            (Call::Echo(_), Some(Answer::Echo(back))) if op.call == Call::Echo(back.clone()) => None,
            (Call::Echo(sent), Some(answer)) => {
                let back =
                    if let Answer::Echo(back) = answer { format!("{back:?}") } else { "something else".to_owned() };
                Some(format!(
                    "{} got {sent:?} and sent back {back} at {}",
                    view.node(op.node),
                    view.time(op.completed_us)
                ))
            }
            (_, _) => None,
        })
        .collect();
    if !wrong.is_empty() {
        found.invalid(format!("{} not what had been sent: {}.", were(wrong.len(), "echo"), examples(wrong)));
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
    fn the_same_value_back_passes() {
        let mut run = Run::new(Workload::Echo, 1);
        run.ok(0, 100, 101, Call::Echo("a".into()), Answer::Echo("a".into()));
        run.info(0, 200, Call::Echo("b".into()));
        run.passes();
    }

    #[test]
    fn another_value_back_is_invalid() {
        let mut run = Run::new(Workload::Echo, 1);
        run.ok(0, 4210, 4211, Call::Echo("a".into()), Answer::Echo("b".into()));
        run.finds("echo", Validity::Invalid, &["n0 got \"a\" and sent back \"b\" at 4.21 s"]);
    }
}
