//! Transactions: `txn-rw-register`.

pub(crate) mod anomalies;
mod cycle;
#[cfg(test)]
mod tests;
