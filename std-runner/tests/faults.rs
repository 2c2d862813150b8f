//! Faults that were seen in real runs, and similar ones: each of these inputs was once answered wrongly.

#![allow(clippy::unwrap_used)]

mod support;

use std::io::{Read as _, Write as _};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use support::bad_lines::{BAD_INITS, LONG};
use support::{Node, PATIENCE, command};

#[test]
fn own_writes_are_taken_with_a_limit_of_nothing() {
    let mut node = Node::start(1, &["--max-clock-ahead-ms", "0"]);
    // All requests are sent at once, so that they have the same wall time.
    let mut lines = String::new();
    for round in 0..50 {
        for fields in [
            format!(r#""type":"write","key":"k","value":{round}"#),
            format!(r#""type":"bench_write","key":"k","value":{round}"#),
            format!(r#""type":"txn","txn":[["w","k",{round}],["w","l",{round}]]"#),
            r#""type":"kv_read","key":"k""#.to_owned(),
        ] {
            lines.push_str(&node.request(&fields).0);
            lines.push('\n');
        }
    }
    node.send_bytes(lines.as_bytes());
    let mut last = 0.0;
    for _ in 0..200 {
        let reply = node.reply();
        assert_ne!(reply.kind(), "error", "{}", reply.text);
        if reply.kind() == "kv_read_ok" {
            let stamp = reply.field("ts").as_f64().unwrap();
            assert!(stamp > last, "{} after {last}", reply.text);
            last = stamp;
        }
    }
    // The limit still holds for stamps of others.
    let far = format!(r#""type":"kv_merge","entries":{{"m":{{"value":1,"ts":{}}}}}"#, last + 10.0);
    node.expect_error(&far, 12, &["entries"]);
    node.finish_in_peace();
}

#[test]
fn a_message_whose_in_reply_to_is_null_is_no_reply() {
    let mut node = Node::start(2, &[]);
    node.send(r#"{"src":"n2","dest":"n1","body":{"type":"gossip","value":5,"msg_id":null,"in_reply_to":null}}"#);
    node.send(r#"{"src":"n2","dest":"n1","body":{"in_reply_to":null,"type":"gossip","value":6}}"#);
    node.expect(r#""type":"read","in_reply_to":null"#, r#""type": "read_ok", "messages": [5, 6]"#);
    node.expect(r#""in_reply_to":null,"type":"echo","echo":null"#, r#""type": "echo_ok", "echo": null"#);
    // Any other value makes the message a reply.
    for value in ["0", "-1", "\"x\"", "[]", "{}", "true", "1.5"] {
        node.send(&format!(
            r#"{{"src":"c1","dest":"n1","body":{{"type":"echo","echo":1,"msg_id":9,"in_reply_to":{value}}}}}"#
        ));
        node.still_answers();
    }
    node.finish_in_peace();
}

#[test]
fn an_optional_field_that_is_null_is_absent() {
    let mut node = Node::start(2, &[]);
    for (fields, reply) in [
        (r#""type":"configure","fanout":3,"gossip_interval_ms":null"#, r#""type": "configure_ok""#),
        (r#""type":"configure","fanout":null,"gossip_interval_ms":300,"strategy":null"#, r#""type": "configure_ok""#),
        (r#""type":"add","element":null,"delta":5"#, r#""type": "add_ok""#),
        (r#""type":"read""#, r#""type": "read_ok", "value": 5"#),
        (r#""type":"add","delta":null,"element":"a""#, r#""type": "add_ok""#),
        (r#""type":"read""#, r#""type": "read_ok", "value": ["a"]"#),
    ] {
        node.expect(fields, reply);
    }
    for (fields, needles) in [
        (r#""type":"configure","fanout":null"#, &["fanout"][..]),
        (r#""type":"configure","fanout":null,"gossip_interval_ms":null,"strategy":null"#, &["gossip_interval_ms"]),
        (r#""type":"add","delta":null,"element":null"#, &["element", "delta"]),
        (r#""type":"configure","fanout":null,"fanout":3"#, &["fanout"]),
        (r#""type":"broadcast","message":null"#, &["message"]),
        (r#""type":"write","key":"k","value":null"#, &["value"]),
    ] {
        node.expect_error(fields, 12, needles);
    }
    // A message of another implementation. Its fields have no meaning in this one.
    let nothing = [
        "inc", "sum", "agree", "digest", "data", "want", "ord", "echoed", "relay", "flush", "full", "stable", "old",
        "turn",
    ];
    let nulls: String = nothing.iter().map(|name| format!(r#""{name}":null,"#)).collect();
    node.send(&format!(r#"{{"src":"n2","dest":"n1","body":{{{nulls}"type":"gossip","value":7}}}}"#));
    node.send(&format!(
        r#"{{"src":"n2","dest":"n1","body":{{{nulls}"type":"replicate","p_counters":{{"n2":4}},"n_counters":{{}}}}}}"#
    ));
    node.expect(r#""type":"read""#, r#""type": "read_ok", "value": ["a", 7]"#);
    assert_eq!(node.ask(r#""type":"gossip_status""#).integer("local_value"), 9);
    node.finish_in_peace();
}

#[test]
fn a_message_of_this_implementation_whose_optional_fields_are_null_is_read_without_them() {
    // The peer is ahead, so it is asked for the missing entries, unless it has just sent entries that were refused.
    let ahead = r#""type":"gossip","inc":1,"sum":"00000000000000010000000000000001","digest":{"n2@1":3}"#;
    let told = |nulls: &str| {
        let mut node = Node::start(2, &["--incarnation", "1", "--seed", "1"]);
        node.send(&format!(r#"{{"src":"n2","dest":"n1","body":{{{ahead}{nulls}}}}}"#));
        let line = node.next_line(Duration::from_secs(3)).map(|line| line.text);
        node.finish_in_peace();
        line
    };
    let asked = told("");
    assert!(asked.is_some(), "the node asks for what it lacks");
    let nulls: String =
        ["value", "agree", "data", "want", "ord", "echoed", "relay", "flush", "full", "stable", "old", "turn"]
            .map(|name| format!(r#","{name}":null"#))
            .concat();
    assert_eq!(told(&nulls), asked);
}

#[test]
fn a_second_init_is_held_to_the_rules_of_the_first() {
    let mut node = Node::start(3, &[]);
    for ids in [
        r#"["n2","n2"]"#,
        r#"["n1","n2","n2"]"#,
        r#"["n1","n2","n3","n1"]"#,
        r#"["n1","n2","n3","x","y","x"]"#,
        r#"["n1","n\u0031","n2"]"#,
        r#"["x","y"]"#,
        r#"["n2","n3"]"#,
        r#"["n1","n2","n3",""]"#,
        r#"["n1","n2","n3","n4@7"]"#,
    ] {
        node.expect_error(&format!(r#""type":"init","node_id":"n1","node_ids":{ids}"#), 12, &["node_id"]);
        node.still_answers();
    }
    node.expect_error(r#""type":"init","node_id":"n9","node_ids":["n1","n2","n3"]"#, 12, &["node_id"]);
    for (fields, field) in BAD_INITS {
        node.expect_error(&fields.replace(LONG, &"x".repeat(1_000)), 12, &[field]);
    }
    let many: Vec<String> = (0..2_000).map(|at| format!("n{at}")).collect();
    for ids in [
        r#"["n1"]"#.to_owned(),
        r#"["n1","n2","x"]"#.to_owned(),
        r#"["n1","n2","n3","x"]"#.to_owned(),
        format!("{many:?}"),
    ] {
        node.expect_error(&format!(r#""type":"init","node_id":"n1","node_ids":{ids}"#), 22, &[]);
    }
    node.expect_error(r#""type":"init","node_id":"n2","node_ids":["n1","n2","n3"]"#, 22, &[]);
    node.expect(r#""type":"init","node_id":"n1","node_ids":["n3","n1","n2"]"#, r#""type": "init_ok""#);
    node.finish_in_peace();
}

#[test]
fn what_is_refused_does_not_decide_what_read_means() {
    let messages = r#""type": "read_ok", "messages": [7]"#;
    let mut node = Node::start(2, &["--max-values", "1"]);
    node.expect(r#""type":"add","delta":9223372036854775807"#, r#""type": "add_ok""#);
    node.expect(r#""type":"broadcast","message":7"#, r#""type": "broadcast_ok""#);
    for (fields, code) in [
        (r#""type":"add","delta":1"#, 12),
        (r#""type":"add","delta":1.5"#, 12),
        (r#""type":"add","element":8"#, 11),
        (r#""type":"add","element":1.5"#, 12),
        (r#""type":"add","element":1,"delta":1"#, 12),
        (r#""type":"add","element":1,"element":2"#, 12),
    ] {
        node.expect_error(fields, code, &[]);
        node.expect(r#""type":"read""#, messages);
    }
    node.finish_in_peace();

    let mut node = Node::start(1, &[]);
    node.expect(r#""type":"add","delta":9223372036854775807"#, r#""type": "add_ok""#);
    for (fields, code) in [
        (r#""type":"broadcast","message":1.5"#, 12),
        (r#""type":"broadcast""#, 12),
        (r#""type":"topology","topology":[]"#, 12),
        (r#""type":"topology","topology":{"n1":[5]}"#, 12),
    ] {
        node.expect_error(fields, code, &[]);
        node.expect(r#""type":"read""#, r#""type": "read_ok", "value": 9223372036854775807"#);
    }
    node.finish_in_peace();
}

#[test]
fn what_a_peer_says_in_vain_does_not_decide_what_read_means() {
    let mut node = Node::start(2, &[]);
    for body in [
        r#""type":"replicate","p_counters":{},"n_counters":{}"#,
        r#""type":"replicate","p_counters":{"n9":5},"n_counters":{}"#,
        r#""type":"replicate","p_counters":{"n1":-1},"n_counters":{}"#,
    ] {
        node.send(&format!(r#"{{"src":"n2","dest":"n1","body":{{{body}}}}}"#));
        node.expect(r#""type":"read""#, r#""type": "read_ok", "messages": []"#);
    }
    node.send(r#"{"src":"n2","dest":"n1","body":{"type":"replicate","p_counters":{"n2":5},"n_counters":{}}}"#);
    node.expect(r#""type":"read""#, r#""type": "read_ok", "value": 5"#);
    node.finish_in_peace();
}

#[test]
fn stats_are_the_counters_of_the_node_by_name() {
    let mut node = Node::start(1, &["--max-line-bytes", "2048"]);
    node.send_bytes(b"no json\n");
    node.send_bytes(&[b'x'; 5_000]);
    node.send_bytes(b"\n");
    node.expect_error(r#""type":"frobnicate""#, 10, &[]);
    node.expect(r#""type":"broadcast","message":1"#, r#""type": "broadcast_ok""#);
    let reply = node.ask(r#""type":"stats""#);
    assert_eq!(reply.keys(), ["type", "stats", "in_reply_to", "msg_id"]);
    assert_eq!(reply.kind(), "stats_ok");
    let stats = reply.field("stats").as_object().unwrap();
    for (name, number) in
        [("lines", 5), ("malformed_lines", 1), ("lines_too_long", 1), ("errors_sent", 1), ("broadcasts_received", 1)]
    {
        assert_eq!(stats[name], number, "{name} in {}", reply.text);
    }
    assert!(stats.values().all(serde_json::Value::is_u64), "{}", reply.text);
    assert!(reply.text.contains(r#""stats": {"lines":5,"#), "compact: {}", reply.text);
    node.finish_in_peace();
}

#[test]
fn each_table_that_is_full_is_named_once_on_stderr() {
    let mut node = Node::start(2, &["--max-values", "2", "--max-keys", "1", "--incarnation", "1"]);
    for round in 0..50 {
        for value in 0..4 {
            node.ask(&format!(r#""type":"broadcast","message":{value}"#));
            node.ask(&format!(r#""type":"write","key":{value},"value":{round}"#));
        }
        let seq = round + 1;
        node.send(&format!(
            r#"{{"src":"n2","dest":"n1","body":{{"type":"gossip","inc":1,"data":[["n2@1",{round},{}]],"digest":{{"n2@1":{seq}}}}}}}"#,
            100 + round
        ));
    }
    node.still_answers();
    let finished = node.finish();
    let named = |needle: &str| finished.stderr.lines().filter(|line| line.contains(needle)).count();
    assert_eq!((named("2 values"), named("1 keys")), (1, 1), "{}", finished.stderr);
    assert!(finished.stderr.lines().filter(|line| line.contains("refused")).all(|line| line.contains("WARN")));
}

/// The session in an id that the node generates.
fn session(node: &mut Node) -> u64 {
    let reply = node.ask(r#""type":"generate""#);
    let id = reply.string("id");
    id.split('-').nth(1).unwrap_or_else(|| panic!("{id}")).parse().unwrap()
}

#[test]
fn a_session_is_the_wall_clock_in_microseconds_unless_it_is_given() {
    let now_us = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64;
    let before = now_us();
    let mut node = Node::start(1, &[]);
    let (session_us, after) = (session(&mut node), now_us());
    assert!((before..=after).contains(&session_us), "{session_us} is not between {before} and {after}");
    node.finish_in_peace();
    for given in ["0", "7", "9007199254740991"] {
        let mut node = Node::start(1, &["--incarnation", given]);
        assert_eq!(session(&mut node).to_string(), given);
        node.finish_in_peace();
    }
    for wrong in ["9007199254740992", "-1", "1.5", "18446744073709551616"] {
        let output = command().args([&format!("--incarnation={wrong}")]).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{wrong}: {stderr}");
        assert!(stderr.contains("--incarnation"), "{wrong}: {stderr}");
    }
}

/// Starts a node whose stderr is a full pipe.
fn with_full_stderr(args: &[&str]) -> (Child, std::io::PipeReader) {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut filler = writer.try_clone().unwrap();
    let (filled, is_filled) = mpsc::channel();
    // The thread blocks in the write that finds no more room, until the test reads.
    thread::spawn(move || {
        for _ in 0..1 << 20 {
            if filler.write_all(&[b'.'; 256]).is_err() || filled.send(()).is_err() {
                return;
            }
        }
    });
    while is_filled.recv_timeout(Duration::from_millis(300)).is_ok() {}
    let child =
        command().args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::from(writer)).spawn().unwrap();
    (child, reader)
}

/// Sends lines and waits until the same number was printed.
#[track_caller]
fn exchange(child: &mut Child, lines: &str, expected: usize) -> Vec<String> {
    let stdin = child.stdin.as_mut().unwrap();
    stdin.write_all(lines.as_bytes()).unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let (sender, printed) = mpsc::channel();
    let reader = thread::spawn(move || {
        let mut text = String::new();
        let mut byte = [0];
        let mut count = 0;
        while count < expected && stdout.read(&mut byte).unwrap() == 1 {
            count += usize::from(byte[0] == b'\n');
            text.push(char::from(byte[0]));
        }
        sender.send(text).unwrap();
        stdout
    });
    let Ok(text) = printed.recv_timeout(PATIENCE) else {
        child.kill().unwrap();
        panic!("no answer to {lines}");
    };
    child.stdout = Some(reader.join().unwrap());
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_stderr_that_nobody_reads_does_not_hold_up_the_node() {
    for level in ["warn", "trace"] {
        let (mut child, mut stderr) = with_full_stderr(&["--log", level]);
        let init = r#"{"src":"c0","dest":"n1","body":{"type":"init","msg_id":1,"node_id":"n1","node_ids":["n1"]}}"#;
        let echo = r#"{"src":"c1","dest":"n1","body":{"type":"echo","echo":1,"msg_id":2}}"#;
        exchange(&mut child, &format!("bad\n{init}\n"), 1);
        for _ in 0..3 {
            thread::sleep(Duration::from_millis(1_100));
            let bad = "bad\n".repeat(1_000);
            exchange(&mut child, &format!("{bad}{echo}\n{bad}"), 1);
        }
        // The full pipe does not keep the process from ending either.
        drop(child.stdin.take());
        let status = support::wait_for_exit(&mut child, PATIENCE);
        if status.is_none() {
            child.kill().unwrap();
        }
        assert_eq!(status.and_then(|status| status.code()), Some(0), "--log {level}");
        let mut read = [0; 4];
        stderr.read_exact(&mut read).unwrap();
        assert_eq!(&read, b"....", "nobody had read");
    }
}

#[test]
fn log_lines_that_waited_are_written_when_somebody_reads() {
    let (mut child, mut stderr) = with_full_stderr(&[]);
    let init = r#"{"src":"c0","dest":"n1","body":{"type":"init","msg_id":1,"node_id":"n1","node_ids":["n1"]}}"#;
    let echo = r#"{"src":"c1","dest":"n1","body":{"type":"echo","echo":1,"msg_id":2}}"#;
    exchange(&mut child, &format!("first\n{init}\n"), 1);
    exchange(&mut child, &format!("second\n{echo}\n"), 1);
    let reading = thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stderr.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    exchange(&mut child, &format!("third\n{echo}\n"), 1);
    drop(child.stdin.take());
    assert!(support::wait_for_exit(&mut child, PATIENCE).is_some());
    drop(child);
    let text = reading.join().unwrap();
    let lines: Vec<&str> = ["first", "second", "third"].into_iter().filter(|line| text.contains(line)).collect();
    assert_eq!(lines, ["first", "second", "third"]);
}
