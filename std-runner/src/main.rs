//! `rumormill`: a gossip node that speaks the Maelstrom protocol.

use std::process::ExitCode;

use clap::Parser as _;
use rumormill::options::Options;

fn main() -> ExitCode {
    rumormill::main(&Options::parse())
}
