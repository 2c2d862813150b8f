//! What the lab asks of a data type: everything about it that no other part of the lab knows.

use std::fmt;

use rand_xorshift::XorShiftRng;

use super::fields::Fields;
use crate::check::Checker;
use crate::history::{Answer, Call};
use crate::settings::{Settings, ValueKind};

/// A data type as one workload uses it: what clients ask, what the lines say, and who judges it.
///
/// A data type is only ever given calls that its own [`Calls`] have drawn, and answers that it has read itself.
pub(crate) trait DataType: Sync {
    /// The name of the workload on the command line.
    fn name(&self) -> &'static str;

    /// The workload as the built-in node knows it.
    fn of_node(&self) -> rumormill_core::Workload;

    /// Whether nodes replicate anything, so that there is a state to compare in the end.
    fn is_replicated(&self) -> bool {
        true
    }

    /// Whether a run follows each value from node to node. It can where every value is added once, by [`Call::Add`], and
    /// stands in messages and in [`Answer::Elements`] as it was added.
    fn follows_values(&self) -> bool {
        false
    }

    /// Whether nodes are sent `topology` after `init`.
    fn is_told_topology(&self) -> bool {
        false
    }

    /// The calls of one run.
    fn calls(&self, settings: &Settings) -> Box<dyn Calls>;

    /// Requests that give the first node the values that it begins with: the type of each, and its fields with a comma
    /// before each.
    fn preload(&self, _settings: &Settings) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// What every client asks once in the end, as under Maelstrom. `None` for nothing.
    fn final_read(&self) -> Option<Call> {
        None
    }

    /// What a call does to the state.
    fn effect(&self, call: &Call) -> Effect;

    /// The type of the request. The reply to it has the same type with `_ok` behind.
    fn request(&self, call: &Call) -> &'static str;

    /// The other fields of the request, with a comma before each.
    fn fields(&self, call: &Call, values: ValueKind) -> String;

    /// The keys of the reply beside those that every reply has.
    fn keys(&self, call: &Call) -> &'static [&'static str];

    /// What a reply says. It has exactly the keys of [`DataType::keys`].
    fn answer(&self, call: &Call, reply: &Fields<'_>, settings: &Settings) -> Result<Answer, Wrong>;

    /// The answer that an error of this code is, where it is one and not a failure.
    fn answer_of_error(&self, _call: &Call, _code: i64) -> Option<Answer> {
        None
    }

    /// The checkers of the data type, in the order in which their findings are listed.
    fn checkers(&self) -> &'static [Checker];

    /// Checkers that only count and demand nothing. They come last.
    fn statistics(&self) -> &'static [Checker] {
        &[]
    }

    /// What a node of a system that is right answers to the call of `done`, when it has seen these operations before, in
    /// this order.
    #[cfg(test)]
    fn model(&self, _seen: &[Done], _done: &Done) -> Answer {
        unreachable!("nothing is replicated")
    }

    /// Another answer, which is wrong in the end wherever this one is right. `None` where there is none.
    #[cfg(test)]
    fn corrupted(&self, _answer: &Answer) -> Option<Answer> {
        None
    }
}

/// The calls of one run: all clients draw from the same numbers and keys.
pub(crate) trait Calls: fmt::Debug {
    /// The next call.
    fn draw(&mut self, rng: &mut XorShiftRng, is_write: bool) -> Call;

    /// What the lab asks a node that no client has read in the end, so that it sees everything that was written.
    fn inspection(&self) -> Vec<Call>;
}

/// An operation that took effect.
#[cfg(test)]
#[derive(Clone, Debug)]
pub(crate) struct Done {
    /// Its number.
    pub(crate) op: usize,
    /// The node that carried it out.
    pub(crate) node: usize,
    /// What was asked.
    pub(crate) call: Call,
    /// When, by the clock of that node; later than everything that it had seen.
    pub(crate) stamp: u64,
}

/// What a call does to the state of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It shows the state, or a part of it, and changes nothing.
    Shows,
    /// It changes the state.
    Changes,
    /// Neither.
    None,
}

/// A reply that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// The key whose value is wrong.
    pub(crate) key: &'static str,
    /// What the value should have been.
    pub(crate) wanted: &'static str,
}
