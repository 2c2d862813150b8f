//! The counters: `g-counter` and `pn-counter`.

pub(crate) mod sums;
