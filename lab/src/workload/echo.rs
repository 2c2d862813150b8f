//! `echo`: clients send a text and get it back.

use rand_xorshift::XorShiftRng;
use rumormill_core::Workload;

use super::data_type::{Calls, DataType, Effect, Wrong};
use super::fields::Fields;
use crate::check::view::View;
use crate::check::words::{examples, were};
use crate::check::{Checker, Found};
use crate::history::{Answer, Call};
use crate::settings::{Settings, ValueKind};

/// A text that comes back. Nodes replicate nothing.
#[derive(Debug)]
pub(crate) struct Echo;

impl DataType for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }

    fn of_node(&self) -> Workload {
        Workload::Echo
    }

    fn is_replicated(&self) -> bool {
        false
    }

    fn calls(&self, _: &Settings) -> Box<dyn Calls> {
        Box::new(Texts { next: 0 })
    }

    fn effect(&self, _: &Call) -> Effect {
        Effect::None
    }

    fn request(&self, _: &Call) -> &'static str {
        "echo"
    }

    fn fields(&self, call: &Call, _: ValueKind) -> String {
        let Call::Echo(text) = call else { return String::new() };
        format!(r#","echo":{}"#, serde_json::Value::from(text.as_str()))
    }

    fn keys(&self, _: &Call) -> &'static [&'static str] {
        &["echo"]
    }

    fn answer(&self, _: &Call, reply: &Fields<'_>, _: &Settings) -> Result<Answer, Wrong> {
        let text = reply.text("echo").ok_or(Wrong { key: "echo", wanted: "a string" })?;
        Ok(Answer::Echo(text.into_owned()))
    }

    fn checkers(&self) -> &'static [Checker] {
        &[Checker { name: "echo", meaning: "every echo is the value that was sent", run: check }]
    }
}

/// Texts differ by a number, and have characters that need escapes.
#[derive(Debug)]
struct Texts {
    next: u64,
}

impl Calls for Texts {
    fn draw(&mut self, _: &mut XorShiftRng, _: bool) -> Call {
        let number = self.next;
        self.next += 1;
        Call::Echo(format!("Please echo {number} \"\u{e9}\u{1f600}\""))
    }

    fn inspection(&self) -> Vec<Call> {
        Vec::new()
    }
}

/// Every echo is the value that was sent.
fn check(view: &View<'_>) -> Found {
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
