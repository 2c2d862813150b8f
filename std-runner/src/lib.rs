//! The node as a process: lines in on stdin, lines out on stdout, logs on stderr.
//!
//! There is one thread and no async runtime. It waits for input or for the next timer, whichever comes first. A second
//! thread writes the log, once there is something to log. The rules of a node are all in `rumormill-core`; this crate
//! has only the I/O that the state machine needs.

pub mod input;
pub mod log;
pub mod options;
pub mod output;
pub mod process;
pub mod report;
pub mod standstill;

use std::process::ExitCode;

use rumormill_core::data_type::Application;
use rumormill_core::storage::Heap;

/// Runs a node with these options until stdin ends or stdout is closed: the whole program.
#[must_use]
pub fn main(options: &options::Options) -> ExitCode {
    run::<Heap>(options)
}

/// As [`main`], with another storage: `With<Heap, MyType>` is a node that holds a data type of yours besides, and answers the
/// requests of that type. The storage has to take capacities of choice, as [`Heap`] does.
#[must_use]
pub fn run<S: Application>(options: &options::Options) -> ExitCode {
    let node = match options.node::<S>() {
        Ok(node) => node,
        Err(error) => {
            // Standard error may be closed, and there is no other place to report to.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("error: {error}\n").as_bytes());
            return ExitCode::from(2);
        }
    };
    let log = options.start_log();
    let code = match process::run(node, options.max_line_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    };
    log.finish();
    code
}
