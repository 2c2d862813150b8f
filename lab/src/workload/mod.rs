//! What clients ask of the nodes, by data type.

pub(crate) mod counter;
pub(crate) mod echo;
pub(crate) mod kv;
pub(crate) mod set;
pub(crate) mod txn;
pub(crate) mod unique_ids;
