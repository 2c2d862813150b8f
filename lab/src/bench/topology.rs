//! Who is whose neighbour, as `topology` tells it.

use crate::settings::{Settings, Topology};

/// Above this many nodes each is told its own neighbours only.
const WHOLE_MAX: usize = 256;

/// The neighbours of one node.
pub(super) fn neighbours(topology: Topology, nodes: usize, node: usize) -> Vec<usize> {
    let mut found: Vec<usize> = match topology {
        Topology::Total => (0..nodes).filter(|other| *other != node).collect(),
        Topology::Line => [node.wrapping_sub(1), node + 1].into_iter().collect(),
        Topology::Grid => grid(nodes, node),
        Topology::Tree2 => tree(2, node),
        Topology::Tree3 => tree(3, node),
        Topology::Tree4 => tree(4, node),
    };
    found.retain(|other| *other < nodes);
    found.sort_unstable();
    found
}

fn grid(nodes: usize, node: usize) -> Vec<usize> {
    let side = (1..=nodes).find(|side| side * side >= nodes).unwrap_or(1);
    let column = node % side;
    let mut found = vec![node.wrapping_sub(side), node + side];
    if column > 0 {
        found.push(node - 1);
    }
    if column + 1 < side {
        found.push(node + 1);
    }
    found
}

fn tree(arity: usize, node: usize) -> Vec<usize> {
    let mut found: Vec<usize> = (1..=arity).map(|child| node * arity + child).collect();
    if node > 0 {
        found.push((node - 1) / arity);
    }
    found
}

/// The `topology` field for one node.
pub(super) fn json(settings: &Settings, node: usize) -> String {
    let told = if settings.nodes > WHOLE_MAX { node..node + 1 } else { 0..settings.nodes };
    let rows: Vec<String> = told
        .map(|node| {
            let ids: Vec<String> = neighbours(settings.topology, settings.nodes, node)
                .into_iter()
                .map(|other| format!("\"{}\"", settings.id(other)))
                .collect();
            format!("\"{}\":[{}]", settings.id(node), ids.join(","))
        })
        .collect();
    format!("{{{}}}", rows.join(","))
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn neighbours_are_mutual_and_reach_everyone_in_every_topology() {
        for topology in Topology::value_variants() {
            for nodes in 1..40 {
                let mut reached = vec![false; nodes];
                let mut stack = vec![0];
                while let Some(node) = stack.pop() {
                    if std::mem::replace(&mut reached[node], true) {
                        continue;
                    }
                    for other in neighbours(*topology, nodes, node) {
                        assert!(neighbours(*topology, nodes, other).contains(&node), "{topology:?} {nodes}");
                        stack.push(other);
                    }
                }
                assert!(reached.iter().all(|reached| *reached), "{topology:?} of {nodes}");
            }
        }
    }
}
