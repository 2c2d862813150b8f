//! A gossip node as a state machine: no I/O, no clock, no threads, no allocator.
//!
//! # The model in three minutes
//!
//! A cluster is a fixed list of nodes. Each holds a full copy of three data types: a *broadcast set*, a *PN-counter* and
//! a *last-writer-wins map*. A local change gets a *dot* (node, incarnation, sequence number) and is applied at once; an
//! *entry* carries it to the others. Merging entries is commutative, associative and idempotent, so lost, repeated and
//! reordered messages cannot make two nodes disagree for good ([`replicated`]).
//!
//! What a node has seen is its *version vector*: per node and life the contiguous frontier it has applied. Together
//! with a fingerprint of the state it is the node's *digest* ([`causality`]). What to send to a peer is the state minus
//! the peer's digest; there is no queue per peer.
//!
//! News is pushed to `fanout` random peers (*rumor mongering*); digests find and repair what that missed
//! (*anti-entropy*); and when every member is known to hold the same, the node falls silent ([`gossip`]).
//!
//! # How data flows
//!
//! ```text
//!             line in                                             line out
//!                |                                                    ^
//!        wire: decode (borrows)                                wire: encode
//!                |                                                    |
//!   Node::handle_line ---- service: requests ----> Reply ----> Node::poll_transmit
//!                |               |                                    ^
//!                |          replicated: update, merge                 | state as it is now
//!                |               |                                    |
//!                `------ gossip: who is told what, and when ----> intents (peer, reason)
//!                                ^
//!   Node::handle_timeout --------'   <---- Node::poll_timeout: when, and why
//! ```
//!
//! Three rules: decoding touches no state; handlers write no messages; encoding changes no state of the store. A change
//! that is superseded before its message leaves is never sent.
//!
//! # Driving a node
//!
//! Call [`Node::handle_line`] and [`Node::handle_timeout`]; after each, poll [`Node::poll_transmit`] until it gives
//! `None`, then ask [`Node::poll_timeout`] when to come back. `examples/two_nodes.rs` is the whole loop in 40 lines.
//!
//! # Map
//!
//! | module | owns |
//! |---|---|
//! | [`node`] | the order of operations |
//! | [`service`] | the client protocol: request, operation, reply |
//! | [`wire`] | bytes to messages and back |
//! | [`replicated`] | data types and how they merge |
//! | [`gossip`] | peers, fanout, rumor mongering, anti-entropy, timers |
//! | [`causality`] | dots, version vectors, digests, hybrid logical clocks |
//! | [`storage`] | containers and capacities: fixed, or on the heap |
//! | [`config`], [`stats`], [`time`], [`id`], [`output`] | what their names say |

#![no_std]

#[cfg(test)]
extern crate std;

pub mod causality;
pub mod config;
pub mod gossip;
pub mod id;
pub mod node;
pub mod output;
pub mod replicated;
pub mod service;
pub mod stats;
pub mod storage;
pub mod time;
pub mod wire;

pub use config::{Config, ConfigError, Strategy, Workload};
pub use id::{NodeIndex, Value};
pub use node::{Event, JoinError, Member, Node, Rejected, UpdateError};
pub use output::{Sink, SinkFull, Timer, Transmit, Wakeup};
pub use replicated::Change;
pub use stats::{Skipped, Stats};
pub use time::{Instant, Now};
