//! Baseline "usual": a broadcast node in Rust, in the style of tutorials.
//!
//! It owns the set of one node. Messages are owned, the envelope is flattened around an internally tagged enum, input
//! comes from `stdin().lines()`, and each reply is a string that is written and flushed on its own. Nothing in it is
//! slow on purpose. Each part is the first one that the documentation of serde and of the standard library suggests,
//! and all of it is easy to read.
//!
//! It is not a cluster member. It merges `gossip` from peers but sends none, takes integers only,
//! and bounds nothing. A line it does not understand, an unknown `type` included, is logged and
//! skipped.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

fn main() -> io::Result<()> {
    let mut node = Node::default();
    let mut stdout = io::stdout().lock();
    for line in io::stdin().lines() {
        let request: Message = match serde_json::from_str(&line?) {
            Ok(request) => request,
            Err(error) => {
                eprintln!("line skipped: {error}");
                continue;
            }
        };
        if let Some(reply) = node.handle(request) {
            writeln!(stdout, "{}", serde_json::to_string(&reply)?)?;
            stdout.flush()?;
        }
    }
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Message {
    src: String,
    dest: String,
    body: Body,
}

#[derive(Serialize, Deserialize)]
struct Body {
    #[serde(flatten)]
    payload: Payload,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_reply_to: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    msg_id: Option<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Payload {
    Init { node_id: String, node_ids: Vec<String> },
    InitOk,
    Topology { topology: HashMap<String, Vec<String>> },
    TopologyOk,
    Echo { echo: serde_json::Value },
    EchoOk { echo: serde_json::Value },
    Broadcast { message: i64 },
    BroadcastOk,
    Read,
    ReadOk { messages: Vec<i64> },
    Gossip { messages: Vec<i64> },
}

#[derive(Default)]
struct Node {
    id: String,
    peers: Vec<String>,
    neighbours: Vec<String>,
    messages: HashSet<i64>,
    next_msg_id: u64,
}

impl Node {
    fn handle(&mut self, request: Message) -> Option<Message> {
        let payload = match request.body.payload {
            Payload::Init { node_id, node_ids } => {
                self.peers = node_ids.into_iter().filter(|id| *id != node_id).collect();
                self.id = node_id;
                eprintln!("{} with {} peers", self.id, self.peers.len());
                Payload::InitOk
            }
            Payload::Topology { mut topology } => {
                self.neighbours = topology.remove(&self.id).unwrap_or_default();
                eprintln!("{} with {} neighbours", self.id, self.neighbours.len());
                Payload::TopologyOk
            }
            Payload::Echo { echo } => Payload::EchoOk { echo },
            Payload::Broadcast { message } => {
                self.messages.insert(message);
                Payload::BroadcastOk
            }
            Payload::Read => Payload::ReadOk { messages: self.messages.iter().copied().collect() },
            Payload::Gossip { messages } => {
                self.messages.extend(messages);
                return None;
            }
            Payload::InitOk
            | Payload::TopologyOk
            | Payload::EchoOk { .. }
            | Payload::BroadcastOk
            | Payload::ReadOk { .. } => return None,
        };
        let msg_id = self.next_msg_id;
        self.next_msg_id += 1;
        Some(Message {
            src: self.id.clone(),
            dest: request.src,
            body: Body { payload, in_reply_to: request.body.msg_id, msg_id: Some(msg_id) },
        })
    }
}
