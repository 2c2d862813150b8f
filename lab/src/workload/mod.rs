//! The data types that the lab knows. Everything about a data type is in its own file or folder: the names of its
//! workloads, calls, requests, replies, checkers, and a model of a correct node.
//!
//! To add a data type is to write such a file, to add a variant to [`Workload`], to add the line to
//! [`Workload::data_type`] that the compiler then asks for, and to add its rules to [`inside`]. No other part of the lab
//! matches on a workload.

mod counter;
mod data_type;
mod echo;
mod fields;
mod inside;
mod kv;
#[cfg(test)]
mod model;
mod set;
mod txn;
mod unique_ids;

use crate::history::Call;
use crate::settings::Workload;

use data_type::DataType;
pub(crate) use data_type::{Calls, Effect, Wrong};
pub(crate) use fields::Fields;
pub(crate) use inside::Inside;

/// The rules of all data types inside of a node. A simulation checks all of them in every run, because a data type that
/// no client writes to has to stay empty.
pub(crate) fn inside(nodes: usize) -> Vec<Box<dyn Inside>> {
    vec![Box::new(set::inside::Grows::new(nodes)), Box::new(counter::inside::Bounded::new(nodes)), Box::new(kv::Kv)]
}

impl Workload {
    /// The data type of the workload.
    pub(crate) fn data_type(self) -> &'static dyn DataType {
        match self {
            Self::Broadcast => &set::BROADCAST,
            Self::GSet => &set::G_SET,
            Self::GCounter => &counter::G_COUNTER,
            Self::PnCounter => &counter::PN_COUNTER,
            Self::UniqueIds => &unique_ids::UniqueIds,
            Self::Echo => &echo::Echo,
            Self::TxnRwRegister => &txn::Txn,
            Self::Kv => &kv::Kv,
        }
    }

    /// The name as on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.data_type().name()
    }

    /// The same workload as the built-in node knows it.
    #[must_use]
    pub fn of_node(self) -> rumormill_core::Workload {
        self.data_type().of_node()
    }

    /// Whether nodes replicate a state. If so, the lab waits for them in the end and compares what they hold.
    #[must_use]
    pub fn is_replicated(self) -> bool {
        self.data_type().is_replicated()
    }

    /// Whether the bench follows each value from node to node, so that it knows when the value was where.
    #[must_use]
    pub fn follows_values(self) -> bool {
        self.data_type().follows_values()
    }

    /// The type of a request on the wire.
    #[must_use]
    pub fn request(self, call: &Call) -> &'static str {
        self.data_type().request(call)
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;
    use rumormill_core::storage::Heap;
    use rumormill_core::{Change, Config, Member, Now, Store, Value};

    use super::*;
    use crate::history::History;
    use crate::settings::Settings;

    #[test]
    fn a_workload_is_called_the_same_by_its_data_type_and_on_the_command_line() {
        for workload in Workload::value_variants() {
            let value = workload.to_possible_value();
            assert_eq!(value.as_ref().map(clap::builder::PossibleValue::get_name), Some(workload.name()));
        }
    }

    #[test]
    fn a_simulation_looks_into_every_data_type_that_a_node_holds() {
        let now = Now::monotonic_ms(0);
        let member = || Member::<Heap>::join(Config::default(), "n0", ["n0"], now).unwrap_or_else(|e| panic!("{e}"));
        // All data types are named here, so a new one does not compile without a change of it below.
        let Store { set: _, counter: _, map: _, own: () } = member().store();
        let write = Change::Write { key: Value::Int(1), value: Value::Int(2) };
        for change in [Change::Broadcast(Value::Int(1)), Change::Add(1), write] {
            let seen = |member: &Member<Heap>| -> Vec<_> {
                let look = |mut inside: Box<dyn Inside>| {
                    let look = inside.look(0, member, &Settings::default(), &History::default());
                    (inside.bytes(member), look.total)
                };
                inside(1).into_iter().map(look).collect()
            };
            let mut member = member();
            let before = seen(&member);
            assert!(member.update(now, change).is_ok());
            assert_ne!(seen(&member), before, "{change:?}");
        }
    }
}
