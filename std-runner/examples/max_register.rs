//! The process `rumormill` with a data type of your own: every option and request of the node, and `max_write` and `max_read`
//! besides. The data type is the one of the simulator's example.
//!
//! ```text
//! cargo run -p rumormill --example max_register
//! {"src":"c0","dest":"n1","body":{"type":"init","msg_id":1,"node_id":"n1","node_ids":["n1"]}}
//! {"src":"c1","dest":"n1","body":{"type":"max_write","msg_id":2,"value":7}}
//! {"src":"c1","dest":"n1","body":{"type":"max_read","msg_id":3}}
//! ```

use std::process::ExitCode;

use clap::Parser as _;
use rumormill::options::Options;
use rumormill_core::data_type::With;
use rumormill_core::storage::Heap;

#[path = "../../sim/examples/max_register.rs"]
#[expect(dead_code, reason = "the simulation belongs to the example of the simulator")]
mod simulated;

fn main() -> ExitCode {
    rumormill::run::<With<Heap, simulated::MaxRegister>>(&Options::parse())
}
