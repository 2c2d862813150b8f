//! What a data type has to tell the lab. No other part of the lab knows any of it.

use std::fmt;

use rand_xorshift::XorShiftRng;

use super::fields::Fields;
use crate::check::Checker;
use crate::history::{Answer, Call};
use crate::settings::{Settings, ValueKind};

/// A data type, as one workload uses it: calls of clients, requests and replies, and checkers.
///
/// The lab hands a data type only calls that were drawn from its own [`Calls`], and answers that it has read itself.
pub(crate) trait DataType: Sync {
    /// The name of the workload on the command line.
    fn name(&self) -> &'static str;

    /// The workload as the built-in node knows it.
    fn of_node(&self) -> rumormill_core::Workload;

    /// Whether nodes replicate a state. If so, the lab waits for them in the end and compares what they hold.
    fn is_replicated(&self) -> bool {
        true
    }

    /// Whether the bench follows each value from node to node. Each value then has to be added once, by [`Call::Add`],
    /// and messages and [`Answer::Elements`] have to show it as it was added.
    fn follows_values(&self) -> bool {
        false
    }

    /// Whether the lab sends nodes `topology` after `init`.
    fn is_told_topology(&self) -> bool {
        false
    }

    /// The calls of one run.
    fn calls(&self, settings: &Settings) -> Box<dyn Calls>;

    /// Requests that give the first node the values that it begins with. Each is a type and its fields, with a comma
    /// before each field.
    fn preload(&self, _settings: &Settings) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// The call that every client makes once in the end, as under Maelstrom. `None` if it makes none.
    fn final_read(&self) -> Option<Call> {
        None
    }

    /// What a call does to the state.
    fn effect(&self, call: &Call) -> Effect;

    /// The type of the request. The type of its reply is the same with `_ok` at the end.
    fn request(&self, call: &Call) -> &'static str;

    /// The other fields of the request, with a comma before each field.
    fn fields(&self, call: &Call, values: ValueKind) -> String;

    /// The keys of the reply, without the keys that every reply has.
    fn keys(&self, call: &Call) -> &'static [&'static str];

    /// Reads a reply. The lab has checked before that the reply has exactly the keys of [`DataType::keys`].
    fn answer(&self, call: &Call, reply: &Fields<'_>, settings: &Settings) -> Result<Answer, Wrong>;

    /// The answer that an error stands for. `None` if an error of this code is a failure.
    fn answer_of_error(&self, _call: &Call, _code: i64) -> Option<Answer> {
        None
    }

    /// The checkers of the data type, in the order in which their findings are listed.
    fn checkers(&self) -> &'static [Checker];

    /// Checkers that only count and find nothing wrong. They come last.
    fn statistics(&self) -> &'static [Checker] {
        &[]
    }

    /// The answer of a correct node to the call of `done`. `seen` are the operations that have reached the node before,
    /// in the order of their arrival.
    #[cfg(test)]
    fn model(&self, _seen: &[Done], _done: &Done) -> Answer {
        unreachable!("nothing is replicated")
    }

    /// An answer that is wrong in the end of a run in which `answer` is right. `None` if there is none.
    #[cfg(test)]
    fn corrupted(&self, _answer: &Answer) -> Option<Answer> {
        None
    }
}

/// The calls of one run. All clients draw from the same numbers and keys.
pub(crate) trait Calls: fmt::Debug {
    /// The next call.
    fn draw(&mut self, rng: &mut XorShiftRng, is_write: bool) -> Call;

    /// Calls with which the lab reads the whole state of a node in the end, where no client has done so.
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
    /// The time by the clock of that node. It is later than the stamps of all operations that the node had seen.
    pub(crate) stamp: u64,
}

/// What a call does to the state of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It shows the state or a part of it, and changes nothing.
    Shows,
    /// It changes the state.
    Changes,
    /// It does neither.
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
