//! A cluster of gossip nodes in virtual time, and the network between them. A test with it needs no process, no socket
//! and no clock.
//!
//! ```
//! use rumormill_core::storage::Tiny;
//! use rumormill_core::{Change, Config, Member, Value};
//! use rumormill_sim::{Cluster, Delay, Links};
//!
//! // Five nodes; a message takes up to 200 ms, one in ten is lost, and one in twenty arrives twice.
//! let delay = Delay::Uniform { least_us: 0, most_us: 200_000 };
//! let links = Links { delay, loss: 0.1, duplicates: 0.05, ..Links::default() };
//! let make = |seat: rumormill_sim::Seat<'_>| seat.member::<Tiny>(Config::default());
//! let mut cluster = Cluster::<Member<Tiny>>::new(5, links, 7, make);
//!
//! // Changes on both sides of a partition, and a node that loses its memory.
//! cluster.partition(&[3, 4]);
//! cluster.with(0, |node, now| node.update(now, Change::Broadcast(Value::Text("here")))).unwrap();
//! cluster.with(4, |node, now| node.update(now, Change::Broadcast(Value::Text("there")))).unwrap();
//! cluster.run_for_ms(2_000);
//! assert!(!cluster.is_converged());
//! cluster.start(1, make);
//!
//! // The links work again: all nodes come to hold the same state, know that, and fall silent.
//! cluster.heal();
//! cluster.links_mut().loss = 0.0;
//! let took_ms = cluster.converge(30_000);
//! cluster.fall_silent(60_000);
//! assert!(cluster.nodes().all(|node| node.is_settled() && node.store().set.len() == 2));
//! println!("equal after {took_ms} ms and {} messages", cluster.counts().sent);
//! ```
//!
//! There are three layers. Each can be used without the one above it. All of them are state machines: they are told the
//! time, and say when they have to be called again. So the same inputs give the same outputs.
//!
//! | type | owns | used by |
//! |---|---|---|
//! | [`Network`] | messages under way: delay, loss, copies, cuts, bandwidth, counts. It knows no node | the lab, tests with real processes |
//! | [`Nodes`] | nodes that start, pause and die, their clocks and timers. It knows no network | the lab, tests of one node |
//! | [`Cluster`] | both, and the loop that moves the time on | tests of clusters |
//!
//! Any type that implements [`Machine`] can be a node: [`rumormill_core::Member`] and [`rumormill_core::Node`] with any
//! storage, a `Box<dyn …>` if nodes of a cluster differ, or a node of your own.

mod cluster;
mod cuts;
mod joined;
mod machine;
mod network;
mod nodes;
mod seat;
mod state;
#[cfg(test)]
mod toy;

pub use cluster::{Cluster, Sent};
pub use cuts::Cuts;
pub use joined::Joined;
pub use machine::Machine;
pub use network::{Arrival, Counts, Delay, Delivery, Links, Network, Traffic};
pub use nodes::{Fate, Nodes, Stood};
pub use seat::Seat;
pub use state::State;

/// Microseconds of virtual time, since the start of a run.
pub type Micros = u64;

/// Wall time at the start of every run, in microseconds since 1970.
pub const EPOCH_US: u64 = 1_700_000_000_000_000;
