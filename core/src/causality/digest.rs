//! The short form of a digest, which two nodes compare to know whether they hold the same state.

/// Version vector and state, each as a hash that does not depend on order. Two nodes with equal sums hold the same
/// state.
///
/// The vector alone is not enough. Two nodes can have equal vectors and different states: an entry was merged out of
/// order and its author died, or an entry was superseded and its successor never came. Then a repair is needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sum {
    /// Hash of all frontiers.
    pub vector: u64,
    /// Fingerprint of the state of all data types.
    pub state: u64,
}

impl Sum {
    /// The digest in short: 64 bits that stand for the sum.
    #[must_use]
    pub const fn short(&self) -> u64 {
        crate::id::mix2(self.vector, self.state)
    }
}
