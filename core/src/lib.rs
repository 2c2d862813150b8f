//! A gossip node as a state machine: no I/O, no clock, no threads, no allocator.
//!
//! # The model in three minutes
//!
//! A cluster is a fixed list of nodes. Each holds a full copy of three data types: a *broadcast set*, a *PN-counter* and
//! a *last-writer-wins map*. A local change gets a *dot* (node, incarnation, sequence number) and is applied at once; an
//! *entry* carries it to the others. Merging entries is commutative, associative and idempotent, so lost, repeated and
//! reordered messages cannot make two nodes disagree for good.
//!
//! What a node has seen is its *version vector*: per node and life the contiguous frontier it has applied. Together
//! with a fingerprint of the state it is the node's *digest*. What to send to a peer is the state minus the peer's digest;
//! there is no queue per peer.
//!
//! News is pushed to `fanout` random peers (*rumor mongering*); digests find and repair what that missed
//! (*anti-entropy*); and when every member is known to hold the same, the node falls silent. (Demers et al., "Epidemic algorithms for
//! replicated database maintenance", 1987.)
//!
//! # Two nodes
//!
//! ```
//! use rumormill_core::storage::Tiny;
//! use rumormill_core::{Change, Config, Member, Now, Transmit, Value};
//!
//! // A real program reads its clocks; here time is a number that moves on.
//! let mut now = Now::monotonic_ms(0);
//! let config = Config { incarnation: 1, max_message_bytes: 1_024, ..Config::default() };
//! let join = |me| Member::<Tiny>::join(config, me, ["ann", "bob"], now);
//! let (mut ann, mut bob) = (join("ann")?, join("bob")?);
//!
//! ann.update(now, Change::Broadcast(Value::Text("hello")))?;
//! bob.update(now, Change::Add(42))?;
//!
//! while !(ann.is_settled() && bob.is_settled()) {
//!     // What one has to say is handed to the other. A real program sends it over a network.
//!     let mut line = Vec::new();
//!     while let Some(Transmit::Gossip(_)) = ann.poll_transmit(now, &mut line)? {
//!         bob.handle_line(now, line.trim_ascii_end())?;
//!         line.clear();
//!     }
//!     while let Some(Transmit::Gossip(_)) = bob.poll_transmit(now, &mut line)? {
//!         ann.handle_line(now, line.trim_ascii_end())?;
//!         line.clear();
//!     }
//!     // Then nothing happens until a timer is due.
//!     let timers = [ann.poll_timeout(), bob.poll_timeout()];
//!     if let Some(at) = timers.into_iter().flatten().map(|wakeup| wakeup.at).min() {
//!         now.at = now.at.max(at);
//!         ann.handle_timeout(now);
//!         bob.handle_timeout(now);
//!     }
//! }
//! for member in [&ann, &bob] {
//!     assert!(member.store().set.contains(Value::Text("hello")));
//!     assert_eq!(member.store().counter.value(), 42);
//! }
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # Driving a node
//!
//! 1. Call [`Member::handle_line`] for each message that arrives, [`Member::handle_timeout`] when the time of
//!    [`Member::poll_timeout`] has come, and [`Member::update`] for each change of your own.
//! 2. After each of these, call [`Member::poll_transmit`] until it gives `None`, and send each message to the peer that it names.
//! 3. Ask [`Member::poll_timeout`] when to come back at the latest.
//! 4. Where [`Config::events`] is on, [`Member::poll_event`] says what changed and by whom.
//!
//! The example `service.rs` in the repository is a whole program: three nodes that gossip over UDP.
//!
//! Messages may be lost, repeated and reordered: the node does not need a reliable transport. A message is one line of JSON of at most
//! [`Config::max_message_bytes`]. Each start of a process needs an [`Config::incarnation`] above those of all starts before it, or else
//! the node has to find out from its peers that it needs one.
//!
//! [`Node`] is a node that waits for `init` and then becomes a member: the form for the Maelstrom protocol.
//!
//! Which storage: [`Heap`](storage::Heap) on a server (feature `alloc`), [`Tiny`](storage::Tiny), [`Small`](storage::Small) or one that
//! [`fixed_storage!`] declares on a device.
//!
//! # Words
//!
//! A *row* is a node in one of its lives: what the version vector counts. A *life* begins with a memory that is empty; a *session* with each
//! start of the process. Without a disk the two begin together, under the number of [`Config::incarnation`]. A *stamp* is a time in
//! microseconds since 1970 on the hybrid clock of a node.
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
//! # Names
//!
//! | for | names |
//! |---|---|
//! | a node | [`Member`], [`Node`], [`Config`] with [`Strategy`] and [`Workload`] |
//! | its capacities | [`storage`]: [`Storage`](storage::Storage), [`Limits`](storage::Limits), [`fixed_storage!`] |
//! | inputs | [`Now`], [`Instant`], [`Change`], [`Value`] |
//! | outputs | [`Sink`], [`Transmit`], [`NodeIndex`], [`Wakeup`], [`Timer`], [`Event`], [`Applied`], [`Bound`] |
//! | what it holds and how it stands | [`Store`] with [`BroadcastSet`], [`Counter`] and [`LwwMap`]; [`Sum`], [`Stats`] with [`Skipped`] |
//! | a data type of your own | [`data_type`]: [`Replicated`](data_type::Replicated), [`Requests`](data_type::Requests), [`With`](data_type::With) |
//! | errors | [`ConfigError`], [`JoinError`], [`UpdateError`], [`Rejected`], [`Malformed`], [`SinkFull`] |
//!
//! # Features
//!
//! | feature | on by default | gives |
//! |---|---|---|
//! | `fast` | yes | ways of reading and writing lines that only save time, for 784 bytes in each node and 3.6 KB of code |
//! | `serde` | yes | `Serialize` for [`Config`], [`Limits`](storage::Limits) and [`Stats`], and the request `stats` |
//! | `alloc` | no | [`Heap`](storage::Heap): storage whose capacities are chosen at start |
//!
//! # Inside
//!
//! | module | owns |
//! |---|---|
//! | `node` | the order of operations |
//! | `service` | the client protocol: request, change, reply |
//! | `wire` | bytes to messages and back |
//! | `replicated` | data types and how they merge; local changes |
//! | `gossip` | peers, fanout, rumor mongering, anti-entropy, relay, timers |
//! | `causality` | dots, version vectors, digests, hybrid logical clocks |
//! | `storage` | containers and capacities: fixed, or on the heap |
//! | `config`, `stats`, `time`, `id`, `output` | what their names say |
//! | `data_type` | nothing: it shows what a data type of a user is made of |
//!
//! These modules are open to the tests and tools of this project and hidden here, but for [`storage`] and [`data_type`]: their names may change in any
//! version.

#![no_std]

#[cfg(test)]
extern crate std;

/// `Debug` for what is too large, or borrows too much, to be shown: its name.
macro_rules! names_itself {
    ($(#[$attribute:meta])* impl[$($generics:tt)*] $type:ty, $name:literal) => {
        $(#[$attribute])*
        impl<$($generics)*> core::fmt::Debug for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_struct($name).finish_non_exhaustive()
            }
        }
    };
}

#[doc(hidden)]
pub mod causality;
#[doc(hidden)]
pub mod config;
pub mod data_type;
#[doc(hidden)]
pub mod gossip;
#[doc(hidden)]
pub mod id;
#[doc(hidden)]
pub mod node;
#[doc(hidden)]
pub mod output;
#[doc(hidden)]
pub mod replicated;
#[doc(hidden)]
pub mod service;
#[doc(hidden)]
pub mod stats;
pub mod storage;
#[doc(hidden)]
pub mod time;
#[doc(hidden)]
pub mod wire;

#[doc(inline)]
pub use causality::{Dot, Sum};
#[doc(inline)]
pub use config::{Config, ConfigError, Strategy, Workload};
#[doc(inline)]
pub use id::{NodeIndex, Value};
#[doc(inline)]
pub use node::{Event, JoinError, Member, Node, Rejected, UpdateError};
#[doc(inline)]
pub use output::{Sink, SinkFull, Timer, Transmit, Wakeup};
#[doc(inline)]
pub use replicated::{Applied, Bound, BroadcastSet, Change, Counter, LwwMap, Store};
#[doc(inline)]
pub use stats::{Skipped, Stats};
#[doc(inline)]
pub use time::{Instant, Now};
#[doc(inline)]
pub use wire::Malformed;
