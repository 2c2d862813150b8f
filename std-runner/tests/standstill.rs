//! A process that is stopped and goes on, as with a pause of the lab. Requests that waited for more than 4 s are not
//! answered, since their clients have given up and a late answer mutes a node in Maelstrom. Requests that come
//! afterwards are answered.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use support::{Line, Node, command};

/// A stop that is longer than requests may wait.
const LONG_STOP: Duration = Duration::from_millis(5_200);
/// A stop that is shorter than that.
const SHORT_STOP: Duration = Duration::from_millis(2_500);

fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args([name, &pid.to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Runs the test for all cases at the same time, since most of it is waiting.
fn for_each_at_once<T: Send>(cases: impl IntoIterator<Item = T>, test: impl Fn(T) + Sync) {
    thread::scope(|scope| cases.into_iter().for_each(|case| drop(scope.spawn(|| test(case)))));
}

/// Stops the process for a while. `meanwhile` runs right after it has stopped.
fn stop(node: &mut Node, how_long: Duration, meanwhile: impl FnOnce(&mut Node)) {
    signal(node.pid(), "-STOP");
    let until = Instant::now() + how_long;
    meanwhile(node);
    thread::sleep(until.saturating_duration_since(Instant::now()));
    signal(node.pid(), "-CONT");
}

/// Broadcasts a value, without waiting for the answer.
fn broadcast(node: &mut Node, value: u32) -> u64 {
    let (line, msg_id) = node.request(&format!(r#""type":"broadcast","message":{value}"#));
    node.send(&line);
    msg_id
}

fn broadcast_three(node: &mut Node) {
    for value in 0..3 {
        broadcast(node, value);
    }
}

fn stale(node: &mut Node) -> u64 {
    node.ask(r#""type":"stats""#).field("stats")["lines_stale"].as_u64().unwrap()
}

/// All lines of the node until it is silent for a second.
fn replies_until_silence(node: &mut Node) -> Vec<Line> {
    let mut replies = Vec::new();
    while let Some(line) = node.next_line(Duration::from_secs(1)) {
        if line.in_reply_to().is_some() {
            replies.push(line);
        }
    }
    replies
}

#[test]
fn an_idle_node_without_timers_drops_what_waited_and_answers_what_comes_then() {
    let mut node = Node::start(1, &[]);
    node.still_answers();
    stop(&mut node, LONG_STOP, broadcast_three);
    thread::sleep(Duration::from_millis(300));
    node.expect(r#""type":"read""#, r#""type": "read_ok", "messages": []"#);
    assert_eq!(stale(&mut node), 3);
    let finished = node.finish();
    assert!(finished.status.success() && finished.rest.is_empty(), "{finished:?}");
    assert_eq!(finished.stderr.matches("stood still").count(), 1, "{}", finished.stderr);
}

#[test]
fn a_node_with_timers_drops_what_waited_and_answers_what_comes_then() {
    for_each_at_once([&[][..], &["--strategy", "relay"]], |args| {
        let mut node = Node::start(3, args);
        // Its peers do not answer, so timers run.
        node.expect(r#""type":"broadcast","message":7"#, r#""type": "broadcast_ok""#);
        stop(&mut node, LONG_STOP, |node| {
            node.send(r#"{"src":"n2","dest":"n1","body":{"type":"gossip","value":8}}"#);
            broadcast_three(node);
        });
        thread::sleep(Duration::from_millis(300));
        node.expect(r#""type":"read""#, r#""type": "read_ok", "messages": [7]"#);
        assert_eq!(stale(&mut node), 4);
        node.finish_in_peace();
    });
}

#[test]
fn a_short_stop_drops_nothing() {
    for_each_at_once([1, 3], |nodes| {
        let mut node = Node::start(nodes, &[]);
        node.still_answers();
        // The process is idle for longer than requests may wait, and then stopped for less.
        thread::sleep(Duration::from_secs(5));
        let mut asked = Vec::new();
        stop(&mut node, SHORT_STOP, |node| asked = (0..3).map(|value| broadcast(node, value)).collect());
        for msg_id in asked {
            assert_eq!(node.reply().in_reply_to(), Some(msg_id));
        }
        assert_eq!(stale(&mut node), 0);
        node.finish_in_peace();
    });
}

#[test]
fn a_node_that_was_idle_for_long_answers_at_once() {
    let mut node = Node::start(1, &[]);
    node.still_answers();
    thread::sleep(Duration::from_secs(9));
    node.still_answers();
    // The signal alone is no standstill.
    signal(node.pid(), "-CONT");
    thread::sleep(Duration::from_secs(5));
    signal(node.pid(), "-CONT");
    node.still_answers();
    assert_eq!(stale(&mut node), 0);
    node.finish_in_peace();
}

#[test]
fn under_load_nothing_is_answered_that_was_asked_before_the_end_of_a_long_stop() {
    for_each_at_once([1, 3], |nodes| {
        let mut node = Node::start(nodes, &[]);
        let mut value = 0;
        let mut load = |node: &mut Node, lines: u32| {
            let ids: Vec<u64> = (value..value + lines).map(|value| broadcast(node, value)).collect();
            value += lines;
            ids
        };
        let mut before = Vec::new();
        for _ in 0..20 {
            before.extend(load(&mut node, 5));
            thread::sleep(Duration::from_millis(10));
        }
        let answered = replies_until_silence(&mut node).len();
        assert_eq!(answered, before.len());
        let mut during = Vec::new();
        stop(&mut node, LONG_STOP, |node| {
            for _ in 0..40 {
                during.extend(load(node, 10));
                thread::sleep(Duration::from_millis(50));
            }
        });
        thread::sleep(Duration::from_millis(300));
        let after = load(&mut node, 50);
        let answered: Vec<u64> = replies_until_silence(&mut node).iter().filter_map(Line::in_reply_to).collect();
        assert_eq!(answered, after, "{nodes} nodes");
        assert_eq!(stale(&mut node), during.len() as u64);
        node.finish_in_peace();
    });
}

#[test]
fn more_than_a_pipe_holds_is_dropped_to_its_end() {
    let mut node = Node::start(1, &[]);
    node.still_answers();
    signal(node.pid(), "-STOP");
    let pid = node.pid();
    let resume = thread::spawn(move || {
        thread::sleep(LONG_STOP);
        signal(pid, "-CONT");
    });
    // A pipe holds 64 KiB. The rest waits in the writer, which is this test.
    let lines = 5_000;
    for value in 0..lines {
        broadcast(&mut node, value);
    }
    resume.join().unwrap();
    thread::sleep(Duration::from_millis(300));
    let answered = replies_until_silence(&mut node).len();
    assert_eq!((answered, stale(&mut node)), (0, u64::from(lines)));
    node.finish_in_peace();
}

#[test]
fn a_line_that_was_cut_in_two_by_a_stop_is_dropped_as_a_whole() {
    let mut node = Node::start(1, &[]);
    let (line, _) = node.request(r#""type":"broadcast","message":5"#);
    let (first, second) = line.split_at(40);
    node.send_bytes(first.as_bytes());
    thread::sleep(Duration::from_millis(100));
    stop(&mut node, LONG_STOP, |_| {});
    thread::sleep(Duration::from_millis(300));
    node.send_bytes(second.as_bytes());
    node.send_bytes(b"\n");
    node.expect(r#""type":"read""#, r#""type": "read_ok", "messages": []"#);
    assert_eq!(stale(&mut node), 1);
    node.finish_in_peace();
}

#[test]
fn an_init_that_waited_is_answered() {
    let mut node = Node::spawn(&[]);
    thread::sleep(Duration::from_millis(300));
    let (line, _) = node.request(r#""type":"init","node_id":"n1","node_ids":["n1"]"#);
    stop(&mut node, LONG_STOP, |node| node.send(&line));
    assert_eq!(node.reply().kind(), "init_ok");
    node.still_answers();
    node.finish_in_peace();
}

/// Requests whose answers do not fit the pipe.
const REQUESTS: u64 = 3_000;

/// Sends more requests than can be answered while nobody reads, for longer than requests may wait. Then reads, and
/// sends one more. Returns the requests that were answered.
fn answered_to_a_slow_reader(is_stopped: bool) -> Vec<u64> {
    let mut child = command().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (mut stdin, stdout, pid) = (child.stdin.take().unwrap(), child.stdout.take().unwrap(), child.id());
    let init = r#"{"src":"c0","dest":"n1","body":{"type":"init","msg_id":0,"node_id":"n1","node_ids":["n1"]}}"#;
    let echo = |msg_id: u64| {
        let payload = "x".repeat(100);
        format!(r#"{{"src":"c1","dest":"n1","body":{{"type":"echo","echo":"{payload}","msg_id":{msg_id}}}}}"#) + "\n"
    };
    writeln!(stdin, "{init}").unwrap();
    let asking = thread::spawn(move || {
        (1..=REQUESTS).for_each(|msg_id| stdin.write_all(echo(msg_id).as_bytes()).unwrap());
        stdin
    });
    // This is long enough for the node to block in its write.
    thread::sleep(Duration::from_millis(500));
    if is_stopped {
        signal(pid, "-STOP");
    }
    thread::sleep(LONG_STOP);
    if is_stopped {
        signal(pid, "-CONT");
        thread::sleep(Duration::from_millis(300));
    }
    let reading = thread::spawn(move || {
        let mut answered = Vec::new();
        for line in BufReader::new(stdout).lines() {
            let line: serde_json::Value = serde_json::from_str(&line.unwrap()).expect("a whole line");
            answered.push(line["body"]["in_reply_to"].as_u64().unwrap());
        }
        answered
    });
    let mut stdin = asking.join().unwrap();
    thread::sleep(Duration::from_millis(500));
    stdin.write_all(echo(REQUESTS + 1).as_bytes()).unwrap();
    drop(stdin);
    let answered = reading.join().unwrap();
    assert!(child.wait().unwrap().success());
    answered
}

#[test]
fn a_reader_that_takes_its_time_gets_all_answers() {
    assert_eq!(answered_to_a_slow_reader(false), (0..=REQUESTS + 1).collect::<Vec<_>>());
}

#[test]
fn a_stop_while_nobody_reads_drops_what_is_not_written() {
    let mut answered = answered_to_a_slow_reader(true);
    assert_eq!(answered.pop(), Some(REQUESTS + 1), "what comes afterwards is answered");
    // Replies that fit the pipe were written before the stop. A line that was begun is written to its end.
    let fitting = answered.len() as u64;
    assert!(fitting < REQUESTS / 2, "{fitting} answers");
    assert_eq!(answered, (0..fitting).collect::<Vec<_>>());
}
