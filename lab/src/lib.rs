//! A test bench for gossip nodes that speak the Maelstrom protocol on stdin and stdout: does it converge, how fast, at
//! what cost, and what happens when the network breaks?
//!
//! ```text
//!   settings --> bench: clients, nemesis, network  <--lines-->  nodes: processes (real time)
//!                  |  a state machine without I/O                      or in process (virtual time)
//!                  v
//!         history + trace --> judge: general checkers and those of the data type --> judgement
//!                                                                                      |
//!                                                                                      v
//!                                                               report: screen, JSON, plots, HTML
//! ```
//!
//! A run is one [`bench::Bench`]. It is told the time and what nodes print, and says what to deliver to which node, which
//! node to kill, and when to come back. [`process`] drives it with real processes, [`sim`] with nodes in virtual time.
//!
//! | module | owns |
//! |---|---|
//! | [`settings`] | what a run is |
//! | `workload` | all that is known of each data type: calls, requests, replies, checkers, a model |
//! | [`mod@bench`] | phases of a run, when clients call, which reply belongs to which request |
//! | [`net`] | the network emulator of `rumormill-sim`, as a run has it |
//! | [`fault`] | when which fault happens |
//! | [`history`], [`trace`] | what was seen |
//! | [`check`] | general checkers, and the tools for those of data types |
//! | [`mod@judge`] | which checkers judge a run, and in which order |
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
