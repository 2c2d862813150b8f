//! The store: `kv`.

pub(crate) mod lww;
