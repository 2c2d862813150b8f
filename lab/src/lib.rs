//! A test bench for gossip nodes that speak the Maelstrom protocol on stdin and stdout: does it converge, how fast, at
//! what cost, and what happens when the network breaks?
//!
//! ```text
//!   settings --> bench: clients, nemesis, network  <--lines-->  nodes: processes (real time)
//!                  |  a state machine without I/O                      or in process (virtual time)
//!                  v
//!         history + trace --> check --> judgement --> report: screen, JSON, plots, HTML
//! ```
//!
//! One [`bench::Bench`] for both: it is told the time and what nodes print, and says what to deliver to whom, whom to
//! kill, and when to come back. [`process`] drives it with real processes, [`sim`] with nodes in virtual time.
//!
//! | module | owns |
//! |---|---|
//! | [`settings`] | what a run is |
//! | [`mod@bench`] | phases of a run, clients, what they ask and how replies are read |
//! | [`net`] | the network emulator of `rumormill-sim`, as a run has it |
//! | [`fault`] | when which fault happens |
//! | [`history`], [`trace`] | what was seen |
//! | [`check`] | whether that is right, and the figures |
//! | [`judgement`] | the result |
//! | [`report`] | what a person sees |
//! | [`sweep`] | many settings of the node against each other |
//! | [`explore`] | everything that can happen to a few nodes, exhaustively |
//! | [`coverage`] | how a value spreads through a large cluster, against the theory |

pub mod bench;
pub mod check;
pub mod cli;
pub mod coverage;
pub mod explore;
pub mod fault;
pub mod history;
pub mod judge;
pub mod judgement;
pub mod net;
pub mod process;
pub mod report;
pub mod settings;
pub mod sim;
pub mod sweep;
pub mod trace;
mod workload;
