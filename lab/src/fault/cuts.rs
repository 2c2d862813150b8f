//! Which links carry nothing.

/// Directed links that are cut.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cuts(std::collections::BTreeSet<(usize, usize)>);

impl Cuts {
    /// Whether nothing passes from `from` to `to`.
    #[must_use]
    pub fn is_cut(&self, from: usize, to: usize) -> bool {
        self.0.contains(&(from, to))
    }

    /// Directed links that are cut.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl Cuts {
    /// Cuts one direction of one link.
    pub fn add_link(&mut self, from: usize, to: usize) {
        self.0.insert((from, to));
    }

    /// All links work.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Cuts what `other` cuts, beside what is cut already.
    pub fn merge(&mut self, other: &Self) {
        self.0.extend(&other.0);
    }
}
