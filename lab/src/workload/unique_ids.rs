//! `unique-ids`: clients ask for ids.

use rand_xorshift::XorShiftRng;
use rumormill_core::Workload;

use super::data_type::{Calls, DataType, Effect, Wrong};
use super::fields::Fields;
use crate::check::view::View;
use crate::check::words::{examples, were};
use crate::check::{Checker, Found};
use crate::history::{Answer, Call, Op, Scalar};
use crate::settings::{Settings, ValueKind};

/// Ids that differ. Nodes replicate nothing.
#[derive(Debug)]
pub(crate) struct UniqueIds;

impl DataType for UniqueIds {
    fn name(&self) -> &'static str {
        "unique-ids"
    }

    fn of_node(&self) -> Workload {
        Workload::UniqueIds
    }

    fn is_replicated(&self) -> bool {
        false
    }

    fn calls(&self, _: &Settings) -> Box<dyn Calls> {
        Box::new(Generates)
    }

    fn effect(&self, _: &Call) -> Effect {
        Effect::None
    }

    fn request(&self, _: &Call) -> &'static str {
        "generate"
    }

    fn fields(&self, _: &Call, _: ValueKind) -> String {
        String::new()
    }

    fn keys(&self, _: &Call) -> &'static [&'static str] {
        &["id"]
    }

    fn answer(&self, _: &Call, reply: &Fields<'_>, _: &Settings) -> Result<Answer, Wrong> {
        let text = reply.text("id").map(|text| Scalar::Text(text.into_owned()));
        let id = text.or_else(|| reply.int("id").map(Scalar::Int));
        id.map(Answer::Id).ok_or(Wrong { key: "id", wanted: "a string or an integer" })
    }

    fn checkers(&self) -> &'static [Checker] {
        &[Checker { name: "unique-ids", meaning: "all ids differ and are of one kind", run: check }]
    }
}

#[derive(Debug)]
struct Generates;

impl Calls for Generates {
    fn draw(&mut self, _: &mut XorShiftRng, _: bool) -> Call {
        Call::Generate
    }

    fn inspection(&self) -> Vec<Call> {
        Vec::new()
    }
}

/// All ids differ, and they are either all integers or all strings.
fn check(view: &View<'_>) -> Found {
    let mut found = Found::default();
    let mut ids: Vec<(&Scalar, &Op)> = Vec::new();
    for op in &view.history.ops {
        if let Some(Answer::Id(id)) = op.answer() {
            ids.push((id, op));
        }
    }
    ids.sort_by_key(|&(id, op)| (id, op.index));
    let same: Vec<String> = ids
        .windows(2)
        .filter(|pair| pair[0].0 == pair[1].0)
        .map(|pair| {
            let [(id, first), (_, second)] = [pair[0], pair[1]];
            let (a, b) = (view.node(first.node), view.node(second.node));
            format!(
                "{} (by {a} at {} and by {b} at {})",
                show(id),
                view.time(first.completed_us),
                view.time(second.completed_us)
            )
        })
        .collect();
    if !same.is_empty() {
        found.invalid(format!("{} given again: {}.", were(same.len(), "id"), examples(same)));
    }
    let number = ids.iter().find(|(id, _)| matches!(id, Scalar::Int(_)));
    let text = ids.iter().find(|(id, _)| matches!(id, Scalar::Text(_)));
    if let (Some((a, first)), Some((b, second))) = (number, text) {
        found.invalid(format!(
            "Ids are of two kinds, integers and strings: {} by {} and {} by {}.",
            show(a),
            view.node(first.node),
            show(b),
            view.node(second.node)
        ));
    }
    found
}

fn show(id: &Scalar) -> String {
    match id {
        Scalar::Int(id) => id.to_string(),
        Scalar::Text(id) => format!("{id:?}"),
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::Run;
    use crate::history::{Answer, Call, Scalar};
    use crate::judgement::Validity;
    use crate::settings::Workload;

    fn run(ids: &[Scalar]) -> Run {
        let mut run = Run::new(Workload::UniqueIds, ids.len());
        for (node, id) in ids.iter().enumerate() {
            run.ok(node, 100, 101, Call::Generate, Answer::Id(id.clone()));
        }
        run
    }

    fn text(id: &str) -> Scalar {
        Scalar::Text(id.to_owned())
    }

    #[test]
    fn different_ids_pass() {
        run(&[text("a"), text("b")]).passes();
        run(&[Scalar::Int(1), Scalar::Int(2)]).passes();
    }

    #[test]
    fn an_id_given_twice_is_invalid_and_both_givers_are_named() {
        let run = run(&[text("a"), text("b"), text("a")]);
        run.finds("unique-ids", Validity::Invalid, &["1 id was given again", "\"a\"", "n0", "n2"]);
    }

    #[test]
    fn ids_of_two_kinds_are_invalid_even_when_they_look_different() {
        run(&[text("1"), Scalar::Int(1)]).finds("unique-ids", Validity::Invalid, &["two kinds", "\"1\" by n0"]);
    }
}
