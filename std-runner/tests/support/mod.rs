//! Real `rumormill` processes for tests: one alone ([`Node`]), or several wired together ([`Cluster`]).
//!
//! Every line that a process prints goes through [`Check`], whatever the test is about, since one malformed line mutes
//! a node in Maelstrom for the rest of a run.

#![allow(dead_code, unused_imports, unreachable_pub, clippy::unwrap_used)]

pub mod bad_lines;
mod cluster;
mod node;

pub use cluster::Cluster;
pub use node::{Finished, Node, without_thousands_separators};

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

/// How long a test waits for anything that has to happen. The bound is generous, because a test only waits so long if
/// it fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The program under test, with nothing in its environment that would change its options.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rumormill"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RUMORMILL_") {
            command.env_remove(name);
        }
    }
    command
}

/// Node ids `n1` … `n<count>`.
pub fn node_ids(count: usize) -> Vec<String> {
    (1..=count).map(|n| format!("n{n}")).collect()
}

/// One line of a node that passed [`Check`].
#[derive(Clone, Debug)]
pub struct Line {
    pub text: String,
    pub src: String,
    pub dest: String,
    pub body: Map<String, Value>,
}

impl Line {
    pub fn kind(&self) -> &str {
        self.body["type"].as_str().unwrap_or_default()
    }

    /// The request this line answers; a line between nodes answers none.
    pub fn in_reply_to(&self) -> Option<u64> {
        self.body.get("in_reply_to").and_then(Value::as_u64)
    }

    pub fn keys(&self) -> Vec<&str> {
        self.body.keys().map(String::as_str).collect()
    }

    #[track_caller]
    pub fn field(&self, name: &str) -> &Value {
        self.body.get(name).unwrap_or_else(|| panic!("no `{name}` in {}", self.text))
    }

    #[track_caller]
    pub fn integer(&self, name: &str) -> i64 {
        self.field(name).as_i64().unwrap_or_else(|| panic!("`{name}` is no integer in {}", self.text))
    }

    #[track_caller]
    pub fn string(&self, name: &str) -> &str {
        self.field(name).as_str().unwrap_or_else(|| panic!("`{name}` is no string in {}", self.text))
    }

    /// The bytes of a top-level field as they were printed, for fields whose text matters.
    #[track_caller]
    pub fn raw(&self, name: &str) -> &str {
        let start = format!("\"{name}\": ");
        let from = self.text.find(&start).unwrap_or_else(|| panic!("no `{name}` in {}", self.text)) + start.len();
        let rest = &self.text[from..];
        &rest[..rest.find([',', '}']).unwrap_or(rest.len())]
    }
}

/// The rules for every line of one process, and the `msg_id` that the next line has to have.
#[derive(Debug)]
pub struct Check {
    /// Names that the process may use as `src`: its own, and before `init` those that requests gave it.
    pub sources: BTreeSet<String>,
    /// Names that a line may go to: clients that have sent a request, and the nodes of the cluster.
    pub known: BTreeSet<String>,
    next_msg_id: u64,
}

impl Check {
    pub fn new(id: &str) -> Self {
        Self { sources: BTreeSet::from([id.to_owned()]), known: ["c0", "c1"].map(str::to_owned).into(), next_msg_id: 0 }
    }

    /// Notes the names in a request that is about to be sent.
    pub fn sending(&mut self, line: &str) {
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            return;
        };
        if let Some(src) = message["src"].as_str() {
            self.known.insert(src.to_owned());
        }
        if message["body"]["type"] == "init" {
            let ids = message["body"]["node_ids"].as_array();
            self.known.extend(ids.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
        }
    }

    /// Checks one line, newline included.
    pub fn line(&mut self, raw: &[u8]) -> Result<Line, String> {
        let text = std::str::from_utf8(raw).map_err(|e| format!("{e} in {:?}", String::from_utf8_lossy(raw)))?;
        let Some(text) = text.strip_suffix('\n') else {
            return Err(format!("the last line has no newline: {text:?}"));
        };
        self.text(text).map_err(|why| format!("{why}: {text}"))
    }

    fn text(&mut self, text: &str) -> Result<Line, String> {
        let mut message: Map<String, Value> = serde_json::from_str(text).map_err(|e| e.to_string())?;
        // The counters have no white space, inside the usual reply.
        let counters =
            text.split_once("\"stats\": {").and_then(|(_, rest)| rest.split_once('}')).map_or("", |(all, _)| all);
        if !separators_are_canonical(&text.replacen(counters, "", usize::from(!counters.is_empty()))) {
            return Err("separators are not `, ` and `: `".into());
        }
        if message.keys().ne(["src", "dest", "body"]) {
            return Err("envelope keys are not src, dest, body".into());
        }
        let Some(Value::Object(body)) = message.remove("body") else {
            return Err("`body` is no object".into());
        };
        let [src, dest] = ["src", "dest"].map(|key| message[key].as_str().unwrap_or_default().to_owned());
        if !self.sources.contains(&src) {
            return Err(format!("`src` is not one of {:?}", self.sources));
        }
        if !self.known.contains(&dest) || self.sources.contains(&dest) {
            return Err(format!("`dest` is not one of {:?}", self.known));
        }
        if body.keys().next().is_none_or(|key| key != "type") || !body["type"].is_string() {
            return Err("the body does not begin with `type`".into());
        }
        if body.keys().next_back().is_none_or(|key| key != "msg_id") {
            return Err("the body does not end with `msg_id`".into());
        }
        if body.contains_key("in_reply_to") && body.keys().nth_back(1).is_none_or(|key| key != "in_reply_to") {
            return Err("`in_reply_to` is not right before `msg_id`".into());
        }
        if body["msg_id"].as_u64() != Some(self.next_msg_id) {
            return Err(format!("`msg_id` is not {}", self.next_msg_id));
        }
        self.next_msg_id += 1;
        Ok(Line { text: text.to_owned(), src, dest, body })
    }
}

/// Whether there is one space after every comma and colon outside of strings, and no other white space.
fn separators_are_canonical(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (mut in_string, mut at) = (false, 0);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            b',' | b':' if !in_string => {
                if bytes.get(at + 1) != Some(&b' ') {
                    return false;
                }
                at += 1;
            }
            b' ' | b'\t' | b'\r' | b'\n' if !in_string => return false,
            _ => {}
        }
        at += 1;
    }
    true
}

/// Lines of a pipe, newline included, read by a thread so that a test can wait for them with a limit.
fn lines_of(pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || for_each_line(pipe, |line| sender.send(line).is_ok()));
    receiver
}

fn for_each_line(pipe: impl Read, mut wanted: impl FnMut(Vec<u8>) -> bool) {
    let mut pipe = BufReader::new(pipe);
    loop {
        let mut line = Vec::new();
        match pipe.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                if !wanted(line) {
                    return;
                }
            }
        }
    }
}

/// All bytes of a pipe until it is closed.
fn all_of(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The exit status, unless the process is still there after `patience`.
pub fn wait_for_exit(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(status) = child.try_wait().expect("the child can be waited for") {
            return Some(status);
        }
        if Instant::now() > deadline {
            return None;
        }
        thread::sleep(Duration::from_millis(5));
    }
}
