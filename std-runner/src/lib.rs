//! The node as a process: lines in on stdin, lines out on stdout, logs on stderr.
//!
//! One thread, no async runtime: it waits for input or for the next timer, whichever is first. Everything a node *does*
//! is in `rumormill-core`; here is what a state machine without I/O needs around it.

pub mod input;
pub mod options;
pub mod output;
pub mod process;
pub mod report;
