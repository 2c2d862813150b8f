//! Compares the golden vectors of `WIRE.md` with the messages that nodes write.
#![allow(missing_docs, clippy::unwrap_used)]

use rumormill_core::storage::Heap;
use rumormill_core::{Config, Node, Now, Strategy};

use rumormill_sim::Machine as _;

struct Driven {
    node: Node<Heap>,
    now_ms: u64,
}

impl Driven {
    fn new(id: &str) -> Self {
        Self::with(id, Strategy::Rumor)
    }

    fn with(id: &str, strategy: Strategy) -> Self {
        let mut node = Node::new(Config { strategy, incarnation: 7, seed: 1, ..Config::default() }).unwrap();
        let init = format!(
            r#"{{"src":"c0","dest":"{id}","body":{{"type":"init","msg_id":1,"node_id":"{id}","node_ids":["n1","n2","n3"]}}}}"#
        );
        node.handle_line(Now::monotonic_ms(0), init.as_bytes()).unwrap();
        let mut driven = Self { node, now_ms: 0 };
        assert_eq!(driven.drain().len(), 1);
        driven
    }

    fn now(&self) -> Now {
        Now::monotonic_ms(self.now_ms)
    }

    /// Handles a line. Returns all messages that are sent then.
    fn line(&mut self, line: &str) -> Vec<String> {
        self.node.handle_line(self.now(), line.as_bytes()).unwrap();
        self.drain()
    }

    fn ask(&mut self, body: &str) -> Vec<String> {
        let lines = self.line(&format!(r#"{{"src":"c1","dest":"n1","body":{{{body},"msg_id":9}}}}"#));
        assert!(lines[0].contains("_ok"));
        lines[1..].to_vec()
    }

    fn drain(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let mut line = Vec::new();
            if self.node.poll_transmit(self.now(), &mut line).unwrap().is_none() {
                return lines;
            }
            lines.push(String::from_utf8(line).unwrap());
        }
    }

    /// Lets time pass until a message is sent.
    fn wait(&mut self) -> Vec<String> {
        loop {
            self.now_ms = self.node.poll_timeout().unwrap().at.as_micros().div_ceil(1_000);
            self.node.handle_timeout(self.now());
            let lines = self.drain();
            if !lines.is_empty() {
                return lines;
            }
        }
    }
}

fn golden(name: &str) -> String {
    let document = include_str!("../../WIRE.md");
    let block = document.split(&format!("```golden {name}\n")).nth(1).expect("a block of this name");
    block.split("```").next().unwrap().to_owned()
}

fn assert_golden(name: &str, lines: &[String]) {
    let written = lines.concat();
    assert!(golden(name) == written, "WIRE.md, golden {name}, should be:\n{written}");
}

#[test]
fn a_broadcast_is_pushed_as_the_document_shows() {
    let mut node = Driven::new("n1");
    assert_golden("broadcast", &node.ask(r#""type":"broadcast","message":42"#));
}

#[test]
fn a_counter_is_replicated_as_the_document_shows() {
    let mut node = Driven::new("n1");
    assert!(node.ask(r#""type":"add","delta":5"#).is_empty());
    assert!(node.ask(r#""type":"add","delta":-2"#).is_empty());
    assert_golden("counter", &node.wait());
}

#[test]
fn a_superseded_write_is_skipped_and_the_answer_says_who_agrees() {
    let mut node = Driven::new("n1");
    assert_eq!(node.ask(r#""type":"write","key":"k","value":"old""#).len(), 2);
    assert_eq!(node.ask(r#""type":"write","key":"k","value":"new""#).len(), 0);
    assert_eq!(node.wait().len(), 2, "the push of the second write");
    let asked = node.wait();
    assert_golden("write", &asked);
    let receiver = if asked[0].contains(r#""dest": "n2""#) { "n2" } else { "n3" };
    let mut peer = Driven::new(receiver);
    let answer = peer.line(&asked[0]);
    assert_golden("answer", &answer[..1]);
    assert_eq!(peer.node.digest(), node.node.digest());
}

/// Delivers those of the lines that are for `id`, at a moment. Returns what is sent then.
fn delivered(to: &mut Driven, at_ms: u64, lines: &[String], id: &str) -> Vec<String> {
    to.now_ms = at_ms;
    let dest = format!(r#""dest": "{id}""#);
    let mine: Vec<&String> = lines.iter().filter(|line| line.contains(&dest)).collect();
    mine.into_iter().flat_map(|line| to.line(line)).collect()
}

/// All messages from now on until no node has anything left to send, in their order. Each message takes 100 ms.
fn until_silent(nodes: &mut [Driven; 3], said: Vec<String>) -> Vec<(u64, String)> {
    let mut under_way: Vec<(u64, String)> = said.into_iter().map(|line| (100, line)).collect();
    let mut all = Vec::new();
    loop {
        let timers = nodes.iter().filter_map(|node| Some(node.node.poll_timeout()?.at.as_micros().div_ceil(1_000)));
        let Some(at_ms) = timers.chain(under_way.iter().map(|(at_ms, _)| *at_ms)).min() else { return all };
        assert!(at_ms < 20_000);
        let (due, later) = under_way.into_iter().partition(|(due_ms, _)| *due_ms <= at_ms);
        under_way = later;
        let due: Vec<String> = Vec::into_iter(due).map(|(_, line)| line).collect();
        for (node, id) in nodes.iter_mut().zip(["n1", "n2", "n3"]) {
            let mut lines = delivered(node, at_ms, &due, id);
            node.now_ms = at_ms;
            node.node.handle_timeout(node.now());
            lines.extend(node.drain());
            under_way.extend(lines.iter().map(|line| (at_ms + 100, line.clone())));
            all.extend(lines.into_iter().map(|line| (at_ms, line)));
        }
    }
}

#[test]
fn a_relay_gathers_scatters_and_ends_as_the_document_shows() {
    let mut nodes = ["n1", "n2", "n3"].map(|id| Driven::with(id, Strategy::Relay));
    let client = r#"{"src":"c1","dest":"n2","body":{"type":"broadcast","message":42,"msg_id":9}}"#;
    let uplink = nodes[1].line(client)[1..].to_vec();
    assert_golden("uplink", &uplink);
    let said = until_silent(&mut nodes, uplink);
    let at = |at_ms: u64| -> Vec<String> {
        said.iter().filter(|(said_ms, _)| *said_ms == at_ms).map(|(_, line)| line.clone()).collect()
    };
    let mut moments: Vec<u64> = said.iter().map(|(at_ms, _)| *at_ms).collect();
    moments.dedup();
    for (name, at_ms) in ["flush", "session", "view", "acknowledgement", "stable"].iter().zip(&moments) {
        assert_golden(name, &at(*at_ms));
    }
    assert_eq!(moments.len(), 5, "{said:?}");
    assert!(nodes.iter().all(|node| node.node.is_settled()));
}
