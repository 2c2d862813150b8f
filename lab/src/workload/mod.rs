//! What clients ask of the nodes. Everything that the lab knows of a data type is in the file or folder of that data type:
//! the names of its workloads, how calls are drawn, requests, replies, checkers, and a model of a system that is right.
//!
//! A new data type is such a file, a variant of [`Workload`], and the line of [`Workload::data_type`] that the compiler then
//! asks for. No other part of the lab matches on a workload.

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

/// All data types that a node holds, for a simulation: what no client writes has to stay as it was, too.
pub(crate) fn inside(nodes: usize) -> Vec<Box<dyn Inside>> {
    vec![Box::new(set::inside::Grows::new(nodes)), Box::new(counter::inside::Bounded::new(nodes)), Box::new(kv::Kv)]
}

impl Workload {
    /// The data type that it is about.
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

    /// Whether nodes replicate anything for it, so that there is a state to compare in the end.
    #[must_use]
    pub fn is_replicated(self) -> bool {
        self.data_type().is_replicated()
    }

    /// Whether each value is followed from node to node, so that it is known when it was where.
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

    use super::*;

    #[test]
    fn a_workload_is_called_the_same_by_its_data_type_and_on_the_command_line() {
        for workload in Workload::value_variants() {
            let value = workload.to_possible_value();
            assert_eq!(value.as_ref().map(clap::builder::PossibleValue::get_name), Some(workload.name()));
        }
    }
}
