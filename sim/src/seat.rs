//! A place in a cluster, and the facts that a node needs to take it.

use rumormill_core::data_type::Application;
use rumormill_core::storage::Limits;
use rumormill_core::{Config, Member, Now};

/// The names of a cluster, and their order.
#[derive(Clone, Debug)]
pub(crate) struct Roster {
    ids: Vec<String>,
    /// Seats in the order of their ids, in which nodes number each other.
    by_rank: Vec<usize>,
}

impl Roster {
    pub(crate) fn new(ids: Vec<String>) -> Self {
        let mut by_rank: Vec<usize> = (0..ids.len()).collect();
        by_rank.sort_by(|one, other| ids[*one].cmp(&ids[*other]));
        let is_unlike = |pair: &[usize]| ids[pair[0]] != ids[pair[1]];
        assert!(by_rank.windows(2).all(is_unlike), "two nodes of the cluster have one name");
        Self { ids, by_rank }
    }

    pub(crate) fn ids(&self) -> &[String] {
        &self.ids
    }

    /// The seat of the member with this number inside of nodes.
    pub(crate) fn of_rank(&self, rank: usize) -> usize {
        self.by_rank[rank]
    }
}

/// A place in a [`crate::Cluster`] that a node is made for.
#[derive(Clone, Copy, Debug)]
pub struct Seat<'a> {
    /// Its number, from 0.
    pub at: usize,
    /// Its name.
    pub id: &'a str,
    /// How many nodes have started here, this one included.
    pub life: u64,
    /// A seed for the node, which differs from those of the others.
    pub seed: u64,
    /// The time.
    pub now: Now,
    pub(crate) roster: &'a Roster,
}

impl<'a> Seat<'a> {
    /// The names of all members, this one among them.
    pub fn ids(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        let Roster { ids, by_rank } = self.roster;
        // The ids come in the order in which nodes keep them, so that no node has to sort thousands of names.
        by_rank.iter().map(move |at| ids[*at].as_str())
    }

    /// This configuration, with the life of this seat and its seed.
    #[must_use]
    pub fn config(&self, config: Config) -> Config {
        Config { incarnation: self.life, seed: self.seed, ..config }
    }

    /// A member of the cluster with this configuration.
    ///
    /// # Panics
    /// The configuration is out of its bounds, or the storage has no room for the cluster.
    #[must_use]
    pub fn member<S: Application>(&self, config: Config) -> Member<S> {
        self.member_with(config, S::LIMITS)
    }

    /// The same with other capacities than those of the storage.
    ///
    /// # Panics
    /// The configuration or a capacity is out of its bounds, or there is no room for the cluster.
    #[must_use]
    pub fn member_with<S: Application>(&self, config: Config, limits: Limits) -> Member<S> {
        let joined = Member::join_with_limits(self.config(config), limits, self.id, self.ids(), self.now);
        joined.unwrap_or_else(|why| panic!("{} cannot join: {why}", self.id))
    }
}
