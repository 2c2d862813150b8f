//! Cycles of dependencies between transactions. It knows no anomaly.

use std::collections::VecDeque;

/// One transaction has to come before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) key: u64,
    pub(super) why: Why,
}

/// Why it has to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The second read this value of the first.
    WriteRead(i64),
    /// The first transaction wrote the first value, and the second overwrote it with the second value.
    WriteWrite(i64, i64),
}

/// The most cycles that are tried in each component, so that a run with one huge component is judged in bounded time.
/// The shortest of them is shown.
const TRIES: usize = 64;

/// One short cycle for each strongly connected component that has a `needed` edge.
pub(super) fn cycles(nodes: usize, edges: &[Edge], needed: impl Fn(&Edge) -> bool) -> Vec<Vec<Edge>> {
    let graph = Graph::new(nodes, edges);
    let component = graph.components();
    let mut best: Vec<Option<Vec<Edge>>> = vec![None; nodes];
    let mut tries = vec![0; nodes];
    for edge in edges.iter().filter(|edge| needed(edge)) {
        let circle = component[edge.from];
        if component[edge.to] != circle || tries[circle] >= TRIES {
            continue;
        }
        tries[circle] += 1;
        let mut cycle = vec![*edge];
        cycle.extend(graph.path(edge.to, edge.from, &component));
        if best[circle].as_ref().is_none_or(|best| cycle.len() < best.len()) {
            best[circle] = Some(cycle);
        }
    }
    best.into_iter().flatten().map(from_the_first).collect()
}

/// `T12 -wr k3=7-> T40 -ww k3: 7 before 9-> T12`
pub(super) fn show(cycle: &[Edge]) -> String {
    let mut text = cycle.first().map_or(String::new(), |edge| format!("T{}", edge.from));
    for Edge { to, key, why, .. } in cycle {
        text += &match why {
            Why::WriteRead(value) => format!(" -wr k{key}={value}-> T{to}"),
            Why::WriteWrite(first, second) => format!(" -ww k{key}: {first} before {second}-> T{to}"),
        };
    }
    text
}

/// The same cycle, told from its earliest transaction.
fn from_the_first(mut cycle: Vec<Edge>) -> Vec<Edge> {
    let first = (0..cycle.len()).min_by_key(|&place| cycle[place].from);
    cycle.rotate_left(first.unwrap_or(0));
    cycle
}

/// Edges by the transaction that comes first.
struct Graph<'a> {
    out: Vec<Vec<&'a Edge>>,
}

impl<'a> Graph<'a> {
    fn new(nodes: usize, edges: &'a [Edge]) -> Self {
        let mut out = vec![Vec::new(); nodes];
        for edge in edges {
            out[edge.from].push(edge);
        }
        Self { out }
    }

    /// The strongly connected component of each node, by Tarjan's algorithm. The stack is a list, because a chain of a
    /// thousand transactions must not be a thousand calls deep.
    fn components(&self) -> Vec<usize> {
        const NEW: usize = usize::MAX;
        let nodes = self.out.len();
        let (mut index, mut low) = (vec![NEW; nodes], vec![0; nodes]);
        let mut component = vec![NEW; nodes];
        let (mut next_index, mut next_component) = (0, 0);
        let mut open: Vec<usize> = Vec::new();
        let mut calls: Vec<(usize, usize)> = Vec::new();
        for root in 0..nodes {
            if index[root] != NEW {
                continue;
            }
            calls.push((root, 0));
            while let Some((node, done)) = calls.pop() {
                if done == 0 {
                    (index[node], low[node]) = (next_index, next_index);
                    next_index += 1;
                    open.push(node);
                }
                if let Some(edge) = self.out[node].get(done) {
                    calls.push((node, done + 1));
                    if index[edge.to] == NEW {
                        calls.push((edge.to, 0));
                    } else if component[edge.to] == NEW {
                        low[node] = low[node].min(index[edge.to]);
                    }
                    continue;
                }
                if low[node] == index[node] {
                    while let Some(member) = open.pop() {
                        component[member] = next_component;
                        if member == node {
                            break;
                        }
                    }
                    next_component += 1;
                }
                if let Some(&(parent, _)) = calls.last() {
                    low[parent] = low[parent].min(low[node]);
                }
            }
        }
        component
    }

    /// A shortest path within one component, by breadth-first search. It is empty if both ends are the same, or if
    /// there is no path.
    fn path(&self, from: usize, to: usize, component: &[usize]) -> Vec<Edge> {
        let mut came: Vec<Option<&Edge>> = vec![None; self.out.len()];
        let mut queue = VecDeque::from([from]);
        while let Some(node) = queue.pop_front() {
            if node == to {
                break;
            }
            for edge in &self.out[node] {
                if edge.to != from && came[edge.to].is_none() && component[edge.to] == component[from] {
                    came[edge.to] = Some(edge);
                    queue.push_back(edge.to);
                }
            }
        }
        let mut path = Vec::new();
        let mut at = to;
        while at != from {
            let Some(edge) = came[at] else { return Vec::new() };
            path.push(*edge);
            at = edge.from;
        }
        path.reverse();
        path
    }
}
