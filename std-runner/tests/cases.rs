//! The sample conversations of the exercise, in `tests/cases`, and the messages that have to follow those with several
//! nodes.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{Line, Node};

/// Every `NN.in.jsonl` with the `NN.expected.txt` beside it.
fn conversations() -> Vec<(PathBuf, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let folders = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let files = folders.flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    let mut inputs: Vec<PathBuf> = files.filter(|file| file.to_string_lossy().ends_with(".in.jsonl")).collect();
    inputs.sort();
    let read = |file: &Path| fs::read_to_string(file).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
    let expected_of = |input: &Path| input.to_string_lossy().replace(".in.jsonl", ".expected.txt");
    inputs
        .into_iter()
        .map(|input| {
            let (lines, expected) = (read(&input), read(Path::new(&expected_of(&input))));
            (input, lines, expected)
        })
        .collect()
}

fn number_of_nodes(conversation: &str) -> usize {
    let init: Value = serde_json::from_str(conversation.lines().next().unwrap()).unwrap();
    init["body"]["node_ids"].as_array().unwrap().len()
}

/// Feeds a whole conversation and returns all lines of the answer.
fn answers(conversation: &str) -> Vec<Line> {
    let mut node = Node::spawn(&[]);
    conversation.lines().for_each(|line| node.send(line));
    let finished = node.finish();
    assert!(finished.status.success(), "{:?}: {}", finished.status, finished.stderr);
    finished.rest
}

fn conversation(name: &str) -> String {
    let (_, lines, _) = conversations().into_iter().find(|(file, ..)| file.ends_with(name)).unwrap();
    lines
}

fn reply_to(lines: &[Line], msg_id: u64) -> &Line {
    lines.iter().find(|line| line.in_reply_to() == Some(msg_id)).unwrap_or_else(|| panic!("no reply in {lines:#?}"))
}

#[test]
fn every_sample_conversation_is_answered_with_the_expected_bytes() {
    let conversations = conversations();
    assert_eq!(conversations.len(), 8);
    for (file, lines, expected) in conversations {
        let mut node = Node::spawn(&[]);
        lines.lines().for_each(|line| node.send(line));
        let finished = node.finish();
        assert!(finished.status.success(), "{}: {:?}: {}", file.display(), finished.status, finished.stderr);
        let printed = String::from_utf8(finished.stdout).unwrap();
        if number_of_nodes(&lines) == 1 {
            assert_eq!(printed, expected, "{}", file.display());
        } else {
            assert!(printed.starts_with(&expected), "{}: {printed} does not begin with {expected}", file.display());
        }
    }
}

#[test]
fn a_broadcast_is_acknowledged_and_then_gossiped_to_both_peers() {
    let mut node = Node::spawn(&[]);
    conversation("gossip-fanout/01.in.jsonl").lines().for_each(|line| node.send(line));
    let expected = [
        r#"{"src": "n1", "dest": "c0", "body": {"type": "init_ok", "in_reply_to": 1, "msg_id": 0}}"#,
        r#"{"src": "n1", "dest": "c1", "body": {"type": "broadcast_ok", "in_reply_to": 2, "msg_id": 1}}"#,
    ];
    for expected in expected {
        assert_eq!(node.reply().text, expected);
        assert!(node.peer_lines.is_empty(), "gossip before the reply: {:#?}", node.peer_lines);
    }
    node.wait_for_peer_lines(2);
    assert_is_gossip_of_42_to_both_peers(&node.peer_lines[..2]);
}

#[test]
fn a_broadcast_right_before_the_end_of_input_still_reaches_both_peers() {
    let lines = answers(&conversation("gossip-fanout/01.in.jsonl"));
    assert_eq!(lines[1].kind(), "broadcast_ok");
    let gossip: Vec<Line> = lines.into_iter().filter(|line| line.in_reply_to().is_none()).collect();
    assert_is_gossip_of_42_to_both_peers(&gossip);
}

fn assert_is_gossip_of_42_to_both_peers(lines: &[Line]) {
    let mut peers: Vec<&str> = lines.iter().map(|line| &*line.dest).collect();
    peers.sort_unstable();
    assert_eq!(peers, ["n2", "n3"]);
    for line in lines {
        assert_eq!(&line.keys()[..2], ["type", "value"], "{}", line.text);
        assert_eq!((line.kind(), line.integer("value")), ("gossip", 42), "{}", line.text);
    }
}

#[test]
fn an_added_one_is_the_local_value_of_the_gossip_status() {
    let lines = answers(&conversation("gossip-counter/01.in.jsonl"));
    let added = reply_to(&lines, 2);
    assert_eq!(added.keys(), ["type", "in_reply_to", "msg_id"], "{}", added.text);
    assert_eq!(added.kind(), "add_ok");
    let status = reply_to(&lines, 3);
    let keys = ["type", "local_value", "gossip_rounds", "peers_synced", "convergence_ms", "in_reply_to", "msg_id"];
    assert_eq!(status.keys(), keys, "{}", status.text);
    assert_eq!(status.kind(), "gossip_status_ok");
    assert_eq!((status.integer("local_value"), status.integer("peers_synced")), (1, 0), "{}", status.text);
}

#[test]
fn a_replicated_ten_is_read_and_replicate_itself_is_not_answered() {
    let lines = answers(&conversation("gossip-counter/02.in.jsonl"));
    let read = reply_to(&lines, 3);
    assert_eq!(read.keys(), ["type", "value", "in_reply_to", "msg_id"], "{}", read.text);
    assert_eq!((read.kind(), read.integer("value")), ("read_ok", 10), "{}", read.text);
    let replies = lines.iter().filter(|line| line.in_reply_to().is_some()).count();
    assert_eq!(replies, 2, "{lines:#?}");
}

#[test]
fn a_reply_to_configure_is_followed_by_nothing_when_there_is_nothing_to_gossip() {
    let lines = answers(&conversation("tuning/01.in.jsonl"));
    assert_eq!(lines.len(), 2, "{lines:#?}");
}
