//! How one value spreads through a large quiet cluster, against the theory of rumor mongering.
//!
//! Every node that learns the value pushes it once, to K random peers. That alone reaches a share of the nodes which
//! depends on K only; anti-entropy brings the rest. Both are shown, on the real node and without any change to it:
//!
//! - *push alone*: the interval is set so long ([`PUSH_INTERVAL_MS`]) that anti-entropy begins long after the last push.
//!   The first push of a node that has been quiet leaves at once, so a generation takes one delay of the network: a
//!   round.
//! - *with anti-entropy*: the same with the interval that is asked about, until every node has the value and all are
//!   silent.
//!
//! One value in each cluster, several clusters with different seeds: what anti-entropy of an earlier value still has to
//! say cannot be mistaken for a push.
//!
//! | module | owns |
//! |---|---|
//! | `cluster` | nodes, network and clock, and nothing else, so that 10,000 nodes are quick |
//! | [`theory`] | the final share, its scatter, and what they are derived from |
//! | `output` | the result on screen, as CSV and JSON, and the page |
//! | `plots` | coverage over rounds and over time |

mod cluster;
mod output;
mod plots;
#[cfg(test)]
mod tests;
pub mod theory;

use serde::{Deserialize, Serialize};

pub use output::{csv, is_as_expected, json, screen, write_folder};
pub use plots::sheets;

use crate::settings::{Micros, SECOND};
use crate::sim::Program;
use cluster::Cluster;

/// The longest interval that the node takes. Anti-entropy begins about five intervals after the first push, so all
/// pushes are over before it.
pub const PUSH_INTERVAL_MS: u32 = 60_000;
/// The value is broadcast this long after the start, when nodes have introduced themselves to each other.
const QUIET_US: Micros = 10 * SECOND;
/// A run ends after this time, even if not all nodes have the value and are silent.
const LONGEST_US: Micros = 600 * SECOND;

/// A cluster to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Number of nodes.
    pub nodes: usize,
    /// The K of the theory.
    pub fanout: u8,
    /// The seed of all random choices: where the value begins, and where each node pushes it.
    pub seed: u64,
    /// Delay between two nodes, constant: the length of a round.
    pub latency_us: Micros,
    /// Interval of the run with anti-entropy.
    pub interval_ms: u32,
}

/// One value in one cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spreading {
    /// The cluster.
    pub case: Case,
    /// Nodes that hold the value after each round of push alone, from round 0: the first is 1.
    pub reached: Vec<usize>,
    /// Messages of push alone.
    pub push_messages: u64,
    /// Whether pushes still went on when anti-entropy would have begun, so that `reached` is not the final figure.
    pub push_cut_short: bool,
    /// With anti-entropy: for each node in order the microseconds after which it held the value.
    pub arrivals_us: Vec<Micros>,
    /// With anti-entropy: messages until the last node had the value.
    pub messages_until_all: u64,
    /// With anti-entropy: messages until all were silent.
    pub messages_until_silent: u64,
    /// With anti-entropy: the time from the broadcast to the last message. `None` if nodes still talked in the end.
    pub silent_us: Option<Micros>,
    /// Lines and timers that nodes handled, in both runs.
    pub events: u64,
}

impl Spreading {
    /// Share of the nodes that push alone reached.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.reached.last().copied().unwrap_or(0) as f64 / self.case.nodes as f64
    }

    /// Rounds until a part of the nodes that push reaches in the end was reached.
    #[must_use]
    pub fn rounds_until(&self, part: f64) -> usize {
        let goal = part * self.reached.last().copied().unwrap_or(0) as f64;
        self.reached.iter().position(|reached| *reached as f64 >= goal).unwrap_or(0)
    }

    /// Microseconds until every node had the value. `None` if some node never got it.
    #[must_use]
    pub fn all_us(&self) -> Option<Micros> {
        self.arrivals_us.last().copied().filter(|_| self.arrivals_us.len() == self.case.nodes)
    }
}

/// Measures one case with a node that has these options; fanout, interval and seed are those of the case.
///
/// # Errors
/// A node cannot be made with these choices.
pub fn spread(case: Case, program: &Program) -> Result<Spreading, String> {
    let push = push_alone(case, program)?;
    let mut cluster = Cluster::new(case, case.interval_ms, program)?;
    cluster.run_until(QUIET_US);
    let from = cluster.broadcast();
    let before = cluster.messages();
    cluster.run_while(from + LONGEST_US, |cluster| cluster.reached() < case.nodes);
    let messages_until_all = cluster.messages() - before;
    cluster.run_while(from + LONGEST_US, |_| true);
    let silent_us = cluster.is_silent().then(|| cluster.last_message_us().saturating_sub(from));
    Ok(Spreading {
        case,
        reached: push.reached,
        push_messages: push.messages,
        push_cut_short: push.cut_short,
        arrivals_us: cluster.arrivals().iter().map(|at| at - from).collect(),
        messages_until_all,
        messages_until_silent: cluster.messages() - before,
        silent_us,
        events: push.events + cluster.events(),
    })
}

/// How far pushes got without anti-entropy.
struct Pushed {
    reached: Vec<usize>,
    messages: u64,
    cut_short: bool,
    events: u64,
}

fn push_alone(case: Case, program: &Program) -> Result<Pushed, String> {
    let mut cluster = Cluster::new(case, PUSH_INTERVAL_MS, program)?;
    cluster.run_until(QUIET_US);
    let from = cluster.broadcast();
    let before = cluster.messages();
    // Anti-entropy waits for more than three intervals.
    let least = from + 3 * Micros::from(PUSH_INTERVAL_MS) * 1_000;
    cluster.run_while(least, |_| true);
    let cut_short = cluster.is_under_way();
    let mut reached = Vec::new();
    for at in cluster.arrivals() {
        let round = usize::try_from((at - from).div_ceil(case.latency_us.max(1))).unwrap_or(0);
        if reached.len() <= round {
            reached.resize(round + 1, 0);
        }
        reached[round] += 1;
    }
    let mut sum = 0;
    for count in &mut reached {
        sum += *count;
        *count = sum;
    }
    Ok(Pushed { reached, messages: cluster.messages() - before, cut_short, events: cluster.events() })
}

/// All clusters of one size and fanout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Number of nodes.
    pub nodes: usize,
    /// The K of the theory.
    pub fanout: u8,
    /// One for each seed.
    pub runs: Vec<Spreading>,
}

/// Measurements in groups, in the order in which sizes and fanouts first appear.
#[must_use]
pub fn groups(runs: Vec<Spreading>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for run in runs {
        let (nodes, fanout) = (run.case.nodes, run.case.fanout);
        match groups.iter_mut().find(|group| (group.nodes, group.fanout) == (nodes, fanout)) {
            Some(group) => group.runs.push(run),
            None => groups.push(Group { nodes, fanout, runs: vec![run] }),
        }
    }
    groups
}

impl Group {
    /// Mean, least and most of a figure.
    #[must_use]
    pub fn spread(&self, figure: impl Fn(&Spreading) -> Option<f64>) -> Option<crate::sweep::Spread> {
        let all: Option<Vec<f64>> = self.runs.iter().map(figure).collect();
        all.and_then(|all| crate::sweep::Spread::of(&all))
    }
}
