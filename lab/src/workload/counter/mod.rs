//! The counters: `g-counter` and `pn-counter`. Clients add to a number, and read it.

pub(crate) mod inside;
mod reads;
mod sums;

use std::ops::Range;

use rand::RngExt as _;
use rand_xorshift::XorShiftRng;
use rumormill_core::Workload;

#[cfg(test)]
use super::data_type::Done;
use super::data_type::{Calls, DataType, Effect, Wrong};
use super::fields::Fields;
use crate::check::{Checker, final_state, monotonic, staleness};
use crate::history::{Answer, Call};
use crate::settings::{Settings, ValueKind};

/// Maelstrom's grow-only counter.
pub(crate) static G_COUNTER: Counter =
    Counter { name: "g-counter", of_node: Workload::GCounter, deltas: 0..5, only_grows: true };

/// Maelstrom's PN-counter.
pub(crate) static PN_COUNTER: Counter =
    Counter { name: "pn-counter", of_node: Workload::PnCounter, deltas: -5..5, only_grows: false };

/// A counter, and the numbers that clients add to it.
#[derive(Debug)]
pub(crate) struct Counter {
    name: &'static str,
    of_node: Workload,
    deltas: Range<i64>,
    /// Whether a node may never show less than before.
    only_grows: bool,
}

impl DataType for Counter {
    fn name(&self) -> &'static str {
        self.name
    }

    fn of_node(&self) -> Workload {
        self.of_node
    }

    fn calls(&self, _: &Settings) -> Box<dyn Calls> {
        Box::new(Increments { deltas: self.deltas.clone() })
    }

    fn final_read(&self) -> Option<Call> {
        Some(Call::Read)
    }

    fn effect(&self, call: &Call) -> Effect {
        let Call::Increment(delta) = call else { return Effect::Shows };
        if *delta == 0 { Effect::None } else { Effect::Changes }
    }

    fn request(&self, call: &Call) -> &'static str {
        if matches!(call, Call::Increment(_)) { "add" } else { "read" }
    }

    fn fields(&self, call: &Call, _: ValueKind) -> String {
        if let Call::Increment(delta) = call { format!(r#","delta":{delta}"#) } else { String::new() }
    }

    fn keys(&self, call: &Call) -> &'static [&'static str] {
        if matches!(call, Call::Increment(_)) { &[] } else { &["value"] }
    }

    fn answer(&self, call: &Call, reply: &Fields<'_>, _: &Settings) -> Result<Answer, Wrong> {
        if matches!(call, Call::Increment(_)) {
            return Ok(Answer::Done);
        }
        reply.int("value").map(Answer::Total).ok_or(Wrong { key: "value", wanted: "an integer" })
    }

    fn checkers(&self) -> &'static [Checker] {
        const SUMS: Checker = Checker { name: "counter", meaning: "every total is a possible sum", run: sums::check };
        const FINAL_STATE: Checker = final_state::checker(reads::final_state);
        if self.only_grows {
            const { &[FINAL_STATE, monotonic::checker(reads::monotonic), SUMS] }
        } else {
            const { &[FINAL_STATE, SUMS] }
        }
    }

    fn statistics(&self) -> &'static [Checker] {
        const { &[staleness::checker(reads::staleness)] }
    }

    #[cfg(test)]
    fn model(&self, seen: &[Done], done: &Done) -> Answer {
        if matches!(done.call, Call::Increment(_)) {
            return Answer::Done;
        }
        let deltas = seen.iter().map(|done| if let Call::Increment(delta) = done.call { delta } else { 0 });
        Answer::Total(deltas.sum())
    }

    #[cfg(test)]
    fn corrupted(&self, answer: &Answer) -> Option<Answer> {
        if let Answer::Total(total) = answer { Some(Answer::Total(total + 1)) } else { None }
    }
}

#[derive(Debug)]
struct Increments {
    deltas: Range<i64>,
}

impl Calls for Increments {
    fn draw(&mut self, rng: &mut XorShiftRng, is_write: bool) -> Call {
        if is_write { Call::Increment(rng.random_range(self.deltas.clone())) } else { Call::Read }
    }

    fn inspection(&self) -> Vec<Call> {
        vec![Call::Read]
    }
}
