//! The faults that are in force: which further faults would make no sense, and how all of them are taken back.

use std::collections::BTreeSet;

use super::Fault;
use crate::settings::{PartitionKind, Planned};

/// Faults in force.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    nodes: usize,
    cut: bool,
    killed: BTreeSet<usize>,
    paused: BTreeSet<usize>,
    loss: f64,
    duplicate: f64,
}

impl Standing {
    pub(super) fn new(nodes: usize) -> Self {
        Self { nodes, cut: false, killed: BTreeSet::new(), paused: BTreeSet::new(), loss: 0.0, duplicate: 0.0 }
    }

    pub(super) fn nodes(&self) -> usize {
        self.nodes
    }

    /// Nodes that are neither killed nor paused.
    pub(super) fn up(&self) -> impl Iterator<Item = usize> {
        (0..self.nodes).filter(|&node| self.is_up(node))
    }

    pub(super) fn is_up(&self, node: usize) -> bool {
        node < self.nodes && !self.killed.contains(&node) && !self.paused.contains(&node)
    }

    /// Notes a fault, unless it makes no sense.
    ///
    /// # Errors
    /// Why it makes no sense. Nothing has changed then.
    pub(super) fn apply(&mut self, what: &Planned) -> Result<(), String> {
        self.check_names(what)?;
        match *what {
            Planned::Partition(..) | Planned::Isolate(_) | Planned::Cut(..) => self.cut = true,
            Planned::Heal => self.cut = false,
            Planned::Kill(node) => {
                self.check_up(node)?;
                self.killed.insert(node);
            }
            Planned::Pause(node) => {
                self.check_up(node)?;
                self.paused.insert(node);
            }
            Planned::Restart(node) => {
                if !self.killed.remove(&node) {
                    return Err(format!("n{node} was not killed, so it cannot be started again"));
                }
            }
            Planned::Resume(node) => {
                if !self.paused.remove(&node) {
                    return Err(format!("n{node} is not paused, so it cannot go on"));
                }
            }
            Planned::Loss(rate) => self.loss = rate,
            Planned::Duplicate(rate) => self.duplicate = rate,
            Planned::Clock(..) | Planned::Configure(..) => {}
        }
        Ok(())
    }

    /// The faults that end everything that is in force, each of them once.
    pub(super) fn take_back(&mut self) -> Vec<Fault> {
        let Self { cut, killed, paused, loss, duplicate, .. } = std::mem::replace(self, Self::new(self.nodes));
        let weather = [cut.then_some(Fault::Heal), ends(loss, Fault::Loss), ends(duplicate, Fault::Duplicate)];
        let processes = paused.into_iter().map(Fault::Resume).chain(killed.into_iter().map(Fault::Restart));
        weather.into_iter().flatten().chain(processes).collect()
    }

    fn check_up(&self, node: usize) -> Result<(), String> {
        if self.killed.contains(&node) {
            return Err(format!("n{node} is dead; only 'restart n{node}' can come before this"));
        }
        if self.paused.contains(&node) {
            return Err(format!("n{node} is paused; 'resume n{node}' has to come before this"));
        }
        Ok(())
    }

    /// Whether the nodes and rates of a fault are possible at all, whatever is in force.
    fn check_names(&self, what: &Planned) -> Result<(), String> {
        match what {
            Planned::Partition(PartitionKind::MajoritiesRing, Some(_)) => {
                Err("majorities-ring cuts off no side, so it takes no node".to_owned())
            }
            Planned::Partition(_, victim) => {
                victim.map_or(Ok(()), |node| self.check_node(node))?;
                self.check_links()
            }
            Planned::Isolate(nodes) => self.check_side(nodes),
            Planned::Cut(from, to) => {
                self.check_node(*from)?;
                self.check_node(*to)?;
                if from == to { Err(format!("a node always hears itself: n{from}")) } else { Ok(()) }
            }
            Planned::Heal => Ok(()),
            Planned::Kill(node)
            | Planned::Restart(node)
            | Planned::Pause(node)
            | Planned::Resume(node)
            | Planned::Clock(node, _) => self.check_node(*node),
            Planned::Configure(node, _) => node.map_or(Ok(()), |node| self.check_node(node)),
            Planned::Loss(rate) | Planned::Duplicate(rate) => {
                let allowed = (0.0..=1.0).contains(rate);
                if allowed { Ok(()) } else { Err(format!("{rate} is no share; shares are from 0 to 1")) }
            }
        }
    }

    fn check_side(&self, side: &[usize]) -> Result<(), String> {
        for (at, &node) in side.iter().enumerate() {
            self.check_node(node)?;
            if side[..at].contains(&node) {
                return Err(format!("n{node} is named twice"));
            }
        }
        if side.is_empty() {
            return Err("at least one node is needed".to_owned());
        }
        self.check_links()?;
        if side.len() == self.nodes { Err("no node is left to be cut off from".to_owned()) } else { Ok(()) }
    }

    fn check_links(&self) -> Result<(), String> {
        if self.nodes < 2 { Err("a single node has no links to cut".to_owned()) } else { Ok(()) }
    }

    fn check_node(&self, node: usize) -> Result<(), String> {
        match self.nodes {
            nodes if node < nodes => Ok(()),
            0 | 1 => Err(format!("n{node} is no node; the only one is n0")),
            nodes => Err(format!("n{node} is no node; nodes are n0 to n{}", nodes - 1)),
        }
    }
}

fn ends(rate: f64, fault: fn(f64) -> Fault) -> Option<Fault> {
    (rate > 0.0).then(|| fault(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_force_is_taken_back_once() {
        let mut standing = Standing::new(5);
        let faults = [
            Planned::Kill(3),
            Planned::Kill(1),
            Planned::Pause(2),
            Planned::Pause(0),
            Planned::Resume(0),
            Planned::Cut(0, 4),
            Planned::Loss(0.5),
            Planned::Duplicate(0.5),
            Planned::Duplicate(0.0),
        ];
        for what in &faults {
            assert_eq!(standing.apply(what), Ok(()));
        }
        let back = [Fault::Heal, Fault::Loss(0.0), Fault::Resume(2), Fault::Restart(1), Fault::Restart(3)];
        assert_eq!(standing.take_back(), back);
        assert_eq!(standing.take_back(), []);
        assert_eq!(standing.up().count(), 5);
    }

    #[test]
    fn what_is_healed_is_not_healed_again() {
        let mut standing = Standing::new(5);
        for what in [Planned::Cut(0, 4), Planned::Heal] {
            assert_eq!(standing.apply(&what), Ok(()));
        }
        assert_eq!(standing.take_back(), []);
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_changes_nothing() {
        let mut standing = Standing::new(3);
        for what in [Planned::Kill(0), Planned::Pause(1)] {
            assert_eq!(standing.apply(&what), Ok(()));
        }
        let senseless = [
            (Planned::Kill(0), "n0 is dead"),
            (Planned::Pause(0), "n0 is dead"),
            (Planned::Kill(1), "n1 is paused"),
            (Planned::Pause(1), "n1 is paused"),
            (Planned::Restart(1), "n1 was not killed"),
            (Planned::Resume(0), "n0 is not paused"),
            (Planned::Kill(3), "nodes are n0 to n2"),
            (Planned::Cut(1, 1), "hears itself"),
            (Planned::Isolate(vec![]), "at least one node"),
            (Planned::Isolate(vec![1, 1]), "named twice"),
            (Planned::Isolate(vec![0, 1, 2]), "no node is left"),
            (Planned::Partition(PartitionKind::MajoritiesRing, Some(0)), "takes no node"),
            (Planned::Partition(PartitionKind::One, Some(3)), "nodes are n0 to n2"),
            (Planned::Loss(1.5), "from 0 to 1"),
            (Planned::Duplicate(f64::NAN), "from 0 to 1"),
        ];
        for (what, why) in senseless {
            let said = standing.apply(&what).expect_err("this makes no sense");
            assert!(said.contains(why), "{what:?}: {said}");
        }
        assert_eq!(standing.take_back(), [Fault::Resume(1), Fault::Restart(0)]);
    }

    #[test]
    fn a_single_node_has_no_links_to_cut() {
        let mut standing = Standing::new(1);
        for what in [Planned::Partition(PartitionKind::One, None), Planned::Isolate(vec![0])] {
            assert_eq!(standing.apply(&what), Err("a single node has no links to cut".to_owned()));
        }
        assert_eq!(standing.apply(&Planned::Cut(0, 1)), Err("n1 is no node; the only one is n0".to_owned()));
    }
}
