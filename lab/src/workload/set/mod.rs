//! The set: `broadcast` and `g-set`. Clients add values, each of them once, and read all of them.

mod convergence;
mod duplicates;
pub(crate) mod inside;
mod reads;
mod set_full;
#[cfg(test)]
mod set_full_tests;
mod sets;

use rand_xorshift::XorShiftRng;
use rumormill_core::Workload;

#[cfg(test)]
use super::data_type::Done;
use super::data_type::{Calls, DataType, Effect, Wrong};
use super::fields::Fields;
use crate::check::{Checker, final_state, monotonic, phantom, staleness};
use crate::history::{Answer, Call};
use crate::settings::{Settings, ValueKind};

/// The most values of one request `gossip_sync`.
const PRELOADED_AT_ONCE: usize = 10_000;

/// Maelstrom's broadcast.
pub(crate) static BROADCAST: Set = Set {
    name: "broadcast",
    of_node: Workload::Broadcast,
    add: "broadcast",
    element: "message",
    list: &["messages"],
    is_told_topology: true,
};

/// Maelstrom's grow-only set.
pub(crate) static G_SET: Set = Set {
    name: "g-set",
    of_node: Workload::GSet,
    add: "add",
    element: "element",
    list: &["value"],
    is_told_topology: false,
};

/// A set, and the names in its messages.
#[derive(Debug)]
pub(crate) struct Set {
    name: &'static str,
    of_node: Workload,
    /// The request that adds a value.
    add: &'static str,
    /// The key of that value.
    element: &'static str,
    /// The only key of a reply to a read. It lists the values.
    list: &'static [&'static str; 1],
    is_told_topology: bool,
}

impl DataType for Set {
    fn name(&self) -> &'static str {
        self.name
    }

    fn of_node(&self) -> Workload {
        self.of_node
    }

    fn follows_values(&self) -> bool {
        true
    }

    fn is_told_topology(&self) -> bool {
        self.is_told_topology
    }

    fn calls(&self, settings: &Settings) -> Box<dyn Calls> {
        Box::new(Adds { next: settings.preload as i64 })
    }

    fn preload(&self, settings: &Settings) -> Vec<(&'static str, String)> {
        let values: Vec<usize> = (0..settings.preload).collect();
        let requests = values.chunks(PRELOADED_AT_ONCE).map(|values| {
            let values: Vec<String> = values.iter().map(|value| settings.values.json(*value as i64)).collect();
            ("gossip_sync", format!(r#","messages":[{}]"#, values.join(",")))
        });
        requests.collect()
    }

    fn final_read(&self) -> Option<Call> {
        Some(Call::Read)
    }

    fn effect(&self, call: &Call) -> Effect {
        if matches!(call, Call::Add(_)) { Effect::Changes } else { Effect::Shows }
    }

    fn request(&self, call: &Call) -> &'static str {
        if matches!(call, Call::Add(_)) { self.add } else { "read" }
    }

    fn fields(&self, call: &Call, values: ValueKind) -> String {
        let Call::Add(value) = call else { return String::new() };
        format!(r#","{}":{}"#, self.element, values.json(*value))
    }

    fn keys(&self, call: &Call) -> &'static [&'static str] {
        if matches!(call, Call::Add(_)) { &[] } else { self.list }
    }

    fn answer(&self, call: &Call, reply: &Fields<'_>, settings: &Settings) -> Result<Answer, Wrong> {
        if matches!(call, Call::Add(_)) {
            return Ok(Answer::Done);
        }
        let [key] = *self.list;
        let values = elements(reply.raw(key), settings).ok_or(Wrong { key, wanted: settings.values.list() })?;
        Ok(Answer::Elements(values.into()))
    }

    fn checkers(&self) -> &'static [Checker] {
        const {
            &[
                Checker {
                    name: "set-full",
                    meaning: "Maelstrom's set-full: no element that was known is missing later",
                    run: set_full::check,
                },
                final_state::checker(reads::final_state),
                Checker {
                    name: "convergence",
                    meaning: "in the end every acknowledged value is at every node",
                    run: convergence::check,
                },
                phantom::checker(reads::phantom),
                Checker { name: "duplicates", meaning: "no reply lists a value twice", run: duplicates::check },
                monotonic::checker(reads::monotonic),
            ]
        }
    }

    fn statistics(&self) -> &'static [Checker] {
        const { &[staleness::checker(reads::staleness)] }
    }

    #[cfg(test)]
    fn model(&self, seen: &[Done], done: &Done) -> Answer {
        if matches!(done.call, Call::Add(_)) {
            return Answer::Done;
        }
        let values = seen.iter().filter_map(|done| if let Call::Add(value) = done.call { Some(value) } else { None });
        Answer::Elements(values.collect::<Vec<_>>().into())
    }

    #[cfg(test)]
    fn corrupted(&self, answer: &Answer) -> Option<Answer> {
        let Answer::Elements(values) = answer else { return None };
        let mut values = values.to_vec();
        values.pop().map(|_| Answer::Elements(values.into()))
    }
}

/// The values of a list, without those that the first node began with.
fn elements(raw: &str, settings: &Settings) -> Option<Vec<i64>> {
    let mut elements: Vec<i64> = if settings.values == ValueKind::Int {
        serde_json::from_str(raw).ok()?
    } else {
        let list: Vec<serde_json::Value> = serde_json::from_str(raw).ok()?;
        list.iter().map(|value| settings.values.read(value)).collect::<Option<_>>()?
    };
    if settings.preload > 0 {
        elements.retain(|value| !settings.is_preloaded(*value));
    }
    Some(elements)
}

/// Clients add integers in order. The first one is the first that no node begins with.
#[derive(Debug)]
struct Adds {
    next: i64,
}

impl Calls for Adds {
    fn draw(&mut self, _: &mut XorShiftRng, is_write: bool) -> Call {
        if !is_write {
            return Call::Read;
        }
        let value = self.next;
        self.next += 1;
        Call::Add(value)
    }

    fn inspection(&self) -> Vec<Call> {
        vec![Call::Read]
    }
}
