//! Exhaustive exploration: within bounds, everything that can happen to a few nodes of the code that ships.
//!
//! A *state* is the nodes, the messages in flight, and the faults and writes left (`world`). A *step* leads from one
//! state to the next: a message in flight arrives, is lost or arrives twice; a timer fires; a client writes; a node
//! crashes and starts again, dies, or is cut off ([`Step`]). Safety is checked after every step, and at every leaf of
//! the search all faults end and the nodes run on fairly, until all are equal, settled and silent, or ten minutes of
//! virtual time are over (`fair`).
//!
//! Nodes use a fixed storage of a few KB, so that a copy costs little. They have the same rules and options as others,
//! and smaller capacities. A sample of trails is run again on the heap and has to give the same lines.
//!
//! # What counts as the same state
//!
//! A node is a function of its inputs and their times. So their hash (`hash`, 128 bits) stands for everything that
//! decides what the node will do: what it knows of peers, its timers, its random numbers, and not only its values. Two
//! states are the same if they have the same inputs and clocks of all nodes, the same messages in flight, the same
//! faults and writes left, and the same inputs of all sessions that are over. So two steps at different nodes lead to
//! the same state in either order, and two copies of a message are one choice. States that differ only in the names of
//! nodes are not merged, because names decide ranks and random numbers.
//!
//! # Time
//!
//! See [`Clocks`].

mod contents;
mod fair;
mod hash;
mod life;
mod observe;
mod packet;
mod recipe;
mod search;
mod step;
mod trail;
mod violation;
mod visited;
mod world;

use std::time::Duration;

use rumormill_core::gossip::Rule;
use rumormill_core::storage::{Heap, Limits, Storage as _};
use rumormill_core::{Config, ConfigError, fixed_storage};

pub use contents::Kind;
pub use search::{Progress, run, run_with};
pub use step::{Parcel, Step};
pub use trail::{Replayed, Trail, replay};
pub use violation::Violation;

/// Most nodes of a search.
pub const NODES_MAX: usize = 4;
/// Most writes of a search.
pub const WRITES_MAX: usize = 8;

fixed_storage! {
    /// The storage of a search. It is small, because every step copies a node.
    pub struct Few {
        nodes: NODES_MAX,
        rows: 12,
        known_peers: 4,
        values: WRITES_MAX,
        set_text_bytes: 8,
        dense_values: 64,
        keys: 2,
        text_bytes: 8,
        id_bytes: 4,
        rumors: 4,
        events: 0,
        payload_bytes: 64,
    }
}

fixed_storage! {
    /// The storage of a node with room for one value and one key.
    pub struct Fewer { values: 1, keys: 1, ..Few::LIMITS }
}

/// Capacities for a trail that is run on the heap. They differ from those of the search, so that behaviour that depends
/// on capacities is seen.
const HEAP_LIMITS: Limits = Limits {
    nodes: 16,
    rows: 128,
    known_peers: 16,
    values: 256,
    set_text_bytes: 1_024,
    dense_values: 1_024,
    keys: 64,
    rumors: 64,
    payload_bytes: 1_024,
    ..Heap::LIMITS
};

/// Which strategies the nodes have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Strategies {
    /// All of them `rumor`.
    #[default]
    Rumor,
    /// All of them `relay`.
    Relay,
    /// n0 and n2 `relay`, the others `rumor`.
    Mixed,
}

/// How time passes. Messages take as long as they like in either case.
///
/// With one clock for all, only the first timer of all nodes can fire. Every such trail can happen, but trails are
/// missing in which a node was suspended while the others went on. Clocks of their own add these: the timer of any node
/// may fire next, and moves the clock of that node only. A machine that is suspended has such a clock, because its
/// monotonic clock stands still. The order of steps at different nodes then leaves no trace in their times, so many
/// more states are the same, and the search goes deeper. This is why clocks of their own are the default.
///
/// Wall clocks move as monotonic clocks do. A node that restarts keeps its clocks. In the fair run at a leaf all clocks
/// move together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Clocks {
    /// Each node has its own, which moves when its timer fires.
    #[default]
    Own,
    /// One for all: only the first timer of any node can fire.
    Shared,
}

/// How far the search goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All trails of so many steps.
    Depth(u8),
    /// All trails with so many *detours*, which are steps other than the fair one. In the fair step the oldest message
    /// arrives or, with none in flight, the first timer fires. Such trails end when all nodes are silent, so few
    /// detours reach states that are many steps from the start, such as a crash after all nodes were settled. (This is
    /// the delay-bounded scheduling of Emmi, Qadeer and Rakamarić, 2011.)
    Detours(u8),
}

/// A search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Nodes, 2 to [`NODES_MAX`].
    pub nodes: usize,
    /// Their strategies.
    pub strategies: Strategies,
    /// Writes that may happen, in any order and at any node, at most [`WRITES_MAX`].
    pub writes: Vec<Kind>,
    /// Messages that may be lost.
    pub losses: u8,
    /// Messages that may arrive twice.
    pub duplicates: u8,
    /// Crashes after which the node has a larger session.
    pub crashes: u8,
    /// Crashes after which the node has a smaller session.
    pub crashes_behind: u8,
    /// Nodes that die and do not come back. The other nodes have to be the same in the end. They are not settled, and
    /// go on looking for the dead ones.
    pub deaths: u8,
    /// Nodes that are cut off from all others, until they are healed or the faults end.
    pub cuts: u8,
    /// A node with room for one value and one key. The other nodes have to be the same in the end. While the small node
    /// lacks something, no node is settled or silent.
    pub small: Option<u8>,
    /// The steps that are taken before the search begins. They use up no writes and no faults.
    pub from: Vec<Step>,
    /// Peers that a round of gossip goes to.
    pub fanout: u8,
    /// Milliseconds between rounds; `None` for the default.
    pub interval_ms: Option<u32>,
    /// Bytes of a message; `None` for the default.
    pub max_message_bytes: Option<usize>,
    /// Seed of all nodes.
    pub seed: u64,
    /// Whether a client sends something to each node right after `init`, as Maelstrom does.
    pub greeted: bool,
    /// Whether it does not matter if nodes are settled. All of them have to be equal and silent in the end in any case.
    pub lenient: bool,
    /// How time passes.
    pub clocks: Clocks,
    /// Seconds of virtual time after the faults end, within which all have to be the same, settled and silent.
    pub recovery_s: u32,
    /// How far the search goes.
    pub reach: Reach,
    /// In a search by detours a trail ends when a clock has reached so many seconds, because nodes never fall silent
    /// while one of them is away.
    pub time_limit_s: u32,
    /// Rules that are switched off in every node.
    pub without: Vec<Rule>,
    /// Threads; 0 for one per core.
    pub jobs: usize,
    /// Stop after so many steps.
    pub max_states: u64,
    /// Stop after this time.
    pub max_time: Duration,
    /// Stop when the tables of known states take so many bytes.
    pub max_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: 3,
            strategies: Strategies::Rumor,
            writes: vec![Kind::Set, Kind::Set],
            losses: 0,
            duplicates: 0,
            crashes: 1,
            crashes_behind: 0,
            deaths: 0,
            cuts: 0,
            small: None,
            from: Vec::new(),
            fanout: Config::default().fanout,
            interval_ms: None,
            max_message_bytes: None,
            seed: 0,
            greeted: false,
            lenient: false,
            clocks: Clocks::Own,
            recovery_s: 600,
            reach: Reach::Depth(6),
            time_limit_s: 60,
            without: Vec::new(),
            jobs: 0,
            max_states: u64::MAX,
            max_time: Duration::MAX,
            max_bytes: 2 << 30,
        }
    }
}

impl Options {
    /// # Errors
    /// What is wrong with these choices, in a sentence.
    pub fn check(&self) -> Result<(), String> {
        if !(2..=NODES_MAX).contains(&self.nodes) {
            return Err(format!("nodes must be from 2 to {NODES_MAX}, not {}", self.nodes));
        }
        if self.writes.len() > WRITES_MAX {
            return Err(format!("there can be {WRITES_MAX} writes at most, not {}", self.writes.len()));
        }
        if let Some(small) = self.small.filter(|small| usize::from(*small) >= self.nodes) {
            return Err(format!("there is no n{small} among {} nodes", self.nodes));
        }
        let node = |error: ConfigError| format!("the node: {error}");
        recipe::Recipe::new(self, Few::LIMITS).map_err(node)?;
        recipe::Recipe::new(self, HEAP_LIMITS).map(drop).map_err(node)
    }

    fn left(&self) -> world::Left {
        let count = |kind: Kind| self.writes.iter().filter(|other| **other == kind).count() as u8;
        world::Left {
            writes: Kind::ALL.map(count),
            losses: self.losses,
            duplicates: self.duplicates,
            crashes: self.crashes,
            crashes_behind: self.crashes_behind,
            deaths: self.deaths,
            cuts: self.cuts,
        }
    }
}

/// A violation, and how to get there.
#[derive(Clone, Debug)]
pub struct Found {
    /// What is wrong.
    pub violation: Violation,
    /// How to get there, shortened.
    pub trail: Trail,
    /// Steps of the trail as it was found.
    pub found_steps: usize,
    /// Depth, or number of detours, of the search that found it.
    pub found_reach: u8,
    /// Time until it was found.
    pub found_after: Duration,
    /// Whether the same trail breaks the same rule on the heap.
    pub on_heap: bool,
}

/// Why a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The search has seen everything within its reach.
    Complete,
    /// A rule was broken.
    Violated,
    /// It reached the bound on the number of states.
    States,
    /// It reached the bound on time.
    Time,
    /// It reached the bound on memory.
    Memory,
}

/// What a search was.
#[derive(Clone, Debug)]
pub struct Report {
    /// Why it ended.
    pub ended: Ended,
    /// What it had done by then.
    pub progress: Progress,
    /// Threads.
    pub jobs: usize,
    /// The first violation.
    pub found: Option<Found>,
    /// A trail that gives other lines on the heap than on the fixed storage, and what differs.
    pub other_on_heap: Option<Trail>,
}

/// The name of a rule of the core that can be switched off, as its variant is called.
#[must_use]
pub fn rule_name(rule: Rule) -> String {
    format!("{rule:?}")
}

/// The rule of a name. Case and hyphens do not count.
///
/// # Errors
/// The names there are.
pub fn rule_named(name: &str) -> Result<Rule, String> {
    let plain = |name: &str| name.replace(['-', '_'], "").to_ascii_lowercase();
    let found = Rule::ALL.into_iter().find(|rule| plain(&rule_name(*rule)) == plain(name));
    found.ok_or_else(|| {
        let names: Vec<String> = Rule::ALL.into_iter().map(rule_name).collect();
        format!("\"{name}\" is no rule; rules are {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rumormill_core::Node;

    #[test]
    fn a_node_of_a_search_is_a_few_kilobytes() {
        let size = size_of::<Node<Few>>();
        assert!(size <= 10 << 10, "{size} bytes");
    }

    #[test]
    fn rules_are_found_by_their_names() {
        assert!(Rule::ALL.into_iter().all(|rule| rule_named(&rule_name(rule)) == Ok(rule)));
        assert_eq!(rule_named("stable-word"), Ok(Rule::StableWord));
        assert!(rule_named("nothing").is_err_and(|error| error.contains("StableWord")));
    }
}
