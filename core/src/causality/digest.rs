//! The short form of a digest: what two nodes compare to know that they hold the same.

/// Version vector and state, each as an order-independent hash. Two nodes with equal sums hold the same state.
///
/// The vector alone is not enough: equal vectors with different state happen (entries merged out of order whose author
/// died, superseded entries whose successor never came), and call for repair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sum {
    /// Hash of all frontiers.
    pub vector: u64,
    /// Fingerprint of the state of all data types.
    pub state: u64,
}

impl Sum {
    /// 64 bits to remember a peer's sum by.
    #[must_use]
    pub const fn short(&self) -> u64 {
        crate::id::mix2(self.vector, self.state)
    }
}
