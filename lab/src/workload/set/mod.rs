//! The set: `broadcast` and `g-set`.

pub(crate) mod convergence;
pub(crate) mod duplicates;
pub(crate) mod set_full;
#[cfg(test)]
mod set_full_tests;
pub(crate) mod sets;
