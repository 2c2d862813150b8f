//! `rumormill`: a gossip node that speaks the Maelstrom protocol.

use std::process::ExitCode;

use clap::Parser as _;
use rumormill::options::Options;
use rumormill::process;

fn main() -> ExitCode {
    let options = Options::parse();
    let node = match options.node() {
        Ok(node) => node,
        Err(error) => {
            // Standard error may be closed, and there is nothing else to say it to.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("error: {error}\n").as_bytes());
            return ExitCode::from(2);
        }
    };
    options.start_log();
    match process::run(node, options.max_line_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}
