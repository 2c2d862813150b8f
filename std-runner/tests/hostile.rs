//! Input of excessive size, the end of input and output, and the command line.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::HashSet;
use std::io::Write;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use support::{Line, Node, PATIENCE, command, wait_for_exit};

const MIB: usize = 1 << 20;

/// How much the memory of a node may grow during hostile input, in KiB.
const GROWTH_KIB: u64 = 16 * 1_024;

/// `VmRSS` or `VmHWM` of a process in KiB.
#[cfg(target_os = "linux")]
fn memory_kib(pid: u32, row: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(row)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Runs `attack`. Afterwards the next line is answered, and memory has grown by at most [`GROWTH_KIB`].
#[cfg(target_os = "linux")]
fn survives(name: &str, node: &mut Node, attack: impl FnOnce(&mut Node)) {
    node.still_answers();
    let (rss_before, peak_before) = (memory_kib(node.pid(), "VmRSS:"), memory_kib(node.pid(), "VmHWM:"));
    let started = Instant::now();
    attack(node);
    node.still_answers();
    let took = started.elapsed();
    let (rss, peak) = (memory_kib(node.pid(), "VmRSS:"), memory_kib(node.pid(), "VmHWM:"));
    eprintln!("{name}: {took:.1?}, RSS {rss_before} to {rss} KiB, peak {peak_before} to {peak} KiB");
    assert!(rss < rss_before + GROWTH_KIB, "{name}: RSS from {rss_before} to {rss} KiB");
    assert!(peak < peak_before.max(rss_before) + GROWTH_KIB, "{name}: peak from {peak_before} to {peak} KiB");
}

#[test]
#[cfg(target_os = "linux")]
fn a_gigabyte_on_one_line_is_skipped_in_bounded_memory() {
    for (name, start, filler) in [
        ("1 GiB of an endless string", r#"{"src":"c1","dest":"n1","body":{"type":"echo","msg_id":1,"echo":""#, b'x'),
        ("1 GiB of brackets", "", b'['),
    ] {
        let mut node = Node::start(1, &[]);
        survives(name, &mut node, |node| {
            node.send_bytes(start.as_bytes());
            let chunk = vec![filler; MIB];
            for _ in 0..1_024 {
                node.send_bytes(&chunk);
            }
            node.send_bytes(b"\n");
        });
        node.finish_in_peace();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_hundred_thousand_opening_brackets_are_survived() {
    let mut node = Node::start(1, &[]);
    let deep = "[".repeat(100_000);
    for (name, line) in [
        ("100,000 brackets", deep.clone()),
        ("100,000 braces", r#"{"a":"#.repeat(100_000)),
        (
            "100,000 brackets in an echo",
            format!(r#"{{"src":"c1","dest":"n1","body":{{"msg_id":1,"type":"echo","echo":{deep}"#),
        ),
        ("100,000 brackets in front", format!(r#"{{"x":{deep}"#)),
    ] {
        survives(name, &mut node, |node| {
            node.send_bytes(line.as_bytes());
            node.send_bytes(b"\n");
        });
    }
    node.finish_in_peace();
}

/// An echo request with many unknown keys before all others.
fn echo_with_unknown_keys(node: &mut Node, count: usize) -> String {
    let unknown: String = (0..count).map(|n| format!(r#""k{n}":{n},"#)).collect();
    node.request(&format!(r#"{unknown}"type":"echo","echo":"many keys""#)).0
}

#[test]
#[cfg(target_os = "linux")]
fn a_hundred_thousand_unknown_keys_are_skipped_and_the_request_is_answered() {
    let mut node = Node::start(1, &[]);
    let line = echo_with_unknown_keys(&mut node, 100_000);
    assert!(line.len() < 4 * MIB);
    survives("100,000 unknown keys", &mut node, |node| {
        node.send_bytes(line.as_bytes());
        node.send_bytes(b"\n");
        let reply = node.reply();
        assert_eq!((reply.kind(), reply.string("echo")), ("echo_ok", "many keys"), "{}", reply.text);
    });
    node.finish_in_peace();
}

#[test]
#[cfg(target_os = "linux")]
fn a_million_unknown_keys_are_longer_than_a_line_may_be_and_are_not_answered() {
    let mut node = Node::start(1, &[]);
    let line = echo_with_unknown_keys(&mut node, 1_000_000);
    assert!(line.len() > 4 * MIB);
    survives("1,000,000 unknown keys", &mut node, |node| {
        node.send_bytes(line.as_bytes());
        node.send_bytes(b"\n");
    });
    node.finish_in_peace();
}

#[test]
#[cfg(target_os = "linux")]
fn a_million_bad_lines_are_survived() {
    let mut node = Node::start(1, &[]);
    survives("1,000,000 bad lines", &mut node, |node| {
        let lines = "{\"src\":\"c1\"\n\n{}\n\u{0}\n".repeat(10_000);
        for _ in 0..25 {
            node.send_bytes(lines.as_bytes());
        }
    });
    node.finish_in_peace();
}

#[test]
fn requests_that_come_byte_by_byte_or_all_at_once_are_answered_alike() {
    let mut node = Node::start(1, &[]);
    let (line, _) = node.request(r#""type":"echo","echo":"slow é 😀""#);
    for byte in line.as_bytes() {
        node.send_bytes(&[*byte]);
    }
    node.send_bytes(b"\n");
    assert_eq!(node.reply().string("echo"), "slow é 😀");

    let mut together = String::new();
    let mut expected = Vec::new();
    for n in 0..5_000 {
        let (line, msg_id) = node.request(&format!(r#""type":"echo","echo":{n}"#));
        together += &line;
        together.push('\n');
        expected.push((n, msg_id));
    }
    node.send_bytes(together.as_bytes());
    for (n, msg_id) in expected {
        let reply = node.reply();
        assert_eq!((reply.integer("echo"), reply.in_reply_to()), (n, Some(msg_id)), "{}", reply.text);
    }
    node.finish_in_peace();
}

#[test]
fn an_unterminated_last_line_is_handled() {
    let mut node = Node::start(1, &[]);
    let (line, msg_id) = node.request(r#""type":"echo","echo":"last words""#);
    node.send_bytes(line.as_bytes());
    let finished = node.finish();
    assert!(finished.status.success(), "{finished:?}");
    assert_eq!(finished.rest.len(), 1, "{finished:?}");
    let reply = &finished.rest[0];
    assert_eq!((reply.string("echo"), reply.in_reply_to()), ("last words", Some(msg_id)), "{}", reply.text);
}

#[test]
fn an_unterminated_last_line_that_is_no_message_is_dropped() {
    let long = "[".repeat(5 * MIB);
    for last in [r#"{"src":"c1","dest":"n1","body":{"type":"echo""#, "word", " ", "\\", &long] {
        let mut node = Node::start(1, &[]);
        node.send_bytes(last.as_bytes());
        let finished = node.finish();
        assert!(finished.status.success() && finished.rest.is_empty(), "{:?}", finished.status);
        assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
    }
}

#[test]
fn a_node_that_is_told_nothing_says_nothing_and_ends_with_status_0() {
    let finished = Node::spawn(&[]).finish();
    assert!(finished.status.success() && finished.stdout.is_empty(), "{finished:?}");
}

#[test]
fn all_queued_requests_are_answered_before_the_end() {
    let mut node = Node::start(1, &[]);
    let requests: Vec<u64> = (0..3_000)
        .map(|n| {
            let (line, msg_id) = node.request(&format!(r#""type":"broadcast","message":{n}"#));
            node.send_bytes(format!("{line}\n").as_bytes());
            msg_id
        })
        .collect();
    let finished = node.finish();
    assert!(finished.status.success(), "{finished:?}");
    let answered: Vec<u64> = finished.rest.iter().filter_map(Line::in_reply_to).collect();
    assert_eq!(answered, requests);
}

#[test]
fn waiting_rumors_are_pushed_once_at_the_end_of_input() {
    // The first value is pushed at once. The others would wait for a minute.
    let mut node = Node::start(3, &["--gossip-interval-ms", "60000"]);
    node.ask(r#""type":"broadcast","message":"first""#);
    node.wait_for_peer_lines(2);
    node.ask(r#""type":"broadcast","message":"second""#);
    node.ask(r#""type":"broadcast","message":"third""#);
    let waiting = |line: &Line| ["second", "third"].iter().all(|value| !line.text.contains(value));
    assert!(node.peer_lines.iter().all(waiting), "{:#?}", node.peer_lines);
    let closing = Instant::now();
    let finished = node.finish();
    assert!(finished.status.success(), "{finished:?}");
    assert!(closing.elapsed() < Duration::from_secs(20), "ended after {:?}", closing.elapsed());
    for value in [r#""second""#, r#""third""#] {
        let carrying: Vec<&str> =
            finished.rest.iter().filter(|line| line.text.contains(value)).map(|line| &*line.dest).collect();
        assert_eq!(carrying.len(), 2, "{value}: {:#?}", finished.rest);
        assert_eq!(HashSet::from_iter(carrying), HashSet::from(["n2", "n3"]), "{value}");
    }
}

#[test]
fn a_waiting_change_of_the_counter_is_pushed_at_the_end_of_input() {
    let mut node = Node::start(3, &["--workload", "pn-counter", "--gossip-interval-ms", "60000"]);
    node.ask(r#""type":"add","delta":5"#);
    let finished = node.finish();
    assert!(finished.status.success(), "{finished:?}");
    let dests: Vec<&str> = finished.rest.iter().filter(|l| l.kind() == "replicate").map(|l| &*l.dest).collect();
    assert_eq!(dests.len(), 2, "{:#?}", finished.rest);
    assert_eq!(HashSet::from_iter(dests), HashSet::from(["n2", "n3"]));
}

#[test]
fn a_closed_stdout_ends_the_node_quietly() {
    let mut child = command().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    let init = r#"{"src":"c0","dest":"n1","body":{"type":"init","msg_id":1,"node_id":"n1","node_ids":["n1","n2"]}}"#;
    // The pipe may be closed already: the node is expected to close it.
    let _ = stdin.write_all(format!("{init}\n").as_bytes());
    for msg_id in 2..100 {
        let line = format!(r#"{{"src":"c1","dest":"n1","body":{{"type":"broadcast","message":1,"msg_id":{msg_id}}}}}"#);
        let _ = stdin.write_all(format!("{line}\n").as_bytes());
    }
    // The input stays open.
    let status = wait_for_exit(&mut child, PATIENCE);
    if status.is_none() {
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(status.and_then(|status| status.code()), Some(0), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    drop(stdin);
}

#[test]
fn a_closed_stderr_does_not_stop_the_node() {
    let mut child = command()
        .args(["--log", "debug"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    let mut stdin = child.stdin.take().unwrap();
    let init = r#"{"src":"c0","dest":"n1","body":{"type":"init","msg_id":1,"node_id":"n1","node_ids":["n1"]}}"#;
    let echo = r#"{"src":"c1","dest":"n1","body":{"type":"echo","echo":1,"msg_id":2}}"#;
    stdin.write_all(format!("word\n{init}\nword\n[\n{echo}\n").as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{:?}", output.status);
    assert_eq!(output.stdout.split(|byte| *byte == b'\n').count(), 3, "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn the_most_talkative_log_leaves_stdout_alone() {
    let mut node = Node::start(3, &["--log", "trace"]);
    node.ask(r#""type":"broadcast","message":1"#);
    node.send_bytes(b"word\n\n[[[\n\xff\n");
    node.still_answers();
    node.finish_in_peace();
}

/// Every option, its environment variable, and the words that `--help` has to have beside its name.
const OPTIONS: &[(&str, &str, &[&str])] = &[
    (
        "--workload",
        "RUMORMILL_WORKLOAD",
        &["broadcast", "g-set", "g-counter", "pn-counter", "kv", "echo", "unique-ids", "txn-rw-register"],
    ),
    ("--strategy", "RUMORMILL_STRATEGY", &["default", "rumor"]),
    ("--fanout", "RUMORMILL_FANOUT", &["default", "2", "1", "255"]),
    ("--gossip-interval-ms", "RUMORMILL_GOSSIP_INTERVAL_MS", &["200", "100", "1", "60000"]),
    ("--seed", "RUMORMILL_SEED", &[]),
    ("--incarnation", "RUMORMILL_INCARNATION", &["default", "microseconds", "0", "9007199254740991"]),
    ("--capacity-profile", "RUMORMILL_CAPACITY_PROFILE", &["default"]),
    ("--max-values", "RUMORMILL_MAX_VALUES", &["default"]),
    ("--max-keys", "RUMORMILL_MAX_KEYS", &["default"]),
    ("--max-text-bytes", "RUMORMILL_MAX_TEXT_BYTES", &["default", "8", "65536", "256"]),
    ("--max-store-text-bytes", "RUMORMILL_MAX_STORE_TEXT_BYTES", &["default", "33554432", "512"]),
    ("--max-nodes", "RUMORMILL_MAX_NODES", &["default"]),
    ("--max-message-bytes", "RUMORMILL_MAX_MESSAGE_BYTES", &["default"]),
    ("--max-line-bytes", "RUMORMILL_MAX_LINE_BYTES", &["default", "4194304"]),
    ("--log", "RUMORMILL_LOG", &["default"]),
];

fn run(args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = command();
    command.args(args).envs(env.iter().copied()).stdin(Stdio::null());
    command.output().unwrap()
}

/// Writes `60,000` and `60_000` as `60000`.
fn plain_numbers(text: &[u8]) -> String {
    support::without_thousands_separators(&String::from_utf8_lossy(text))
}

/// The part of the help text that belongs to one option: from its name to the next one's.
fn section<'a>(help: &'a str, option: &str) -> Option<String> {
    // A list of possible values has dashes too, but not before a letter.
    let is_option = |line: &&'a str| {
        let name = line.trim_start().strip_prefix('-').map(|name| name.strip_prefix('-').unwrap_or(name));
        name.is_some_and(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()))
    };
    let is_this_one =
        |line: &&'a str| is_option(line) && line.split([' ', '=', ',', '<', '[']).any(|word| word == option);
    let mut lines = help.lines().skip_while(|line| !is_this_one(line));
    let first = lines.next()?;
    Some(std::iter::once(first).chain(lines.take_while(|line| !is_option(line))).collect::<Vec<_>>().join("\n"))
}

#[test]
fn help_names_every_option_with_its_default_its_bounds_and_its_variable() {
    let output = run(&["--help"], &[]);
    assert!(output.status.success(), "{:?}", output.status);
    let help = plain_numbers(&output.stdout);
    for (option, variable, needles) in OPTIONS {
        let section = section(&help, option).unwrap_or_else(|| panic!("{option} is not in {help}"));
        for needle in [variable].into_iter().chain(*needles) {
            assert!(section.to_lowercase().contains(&needle.to_lowercase()), "`{needle}` is not in: {section}");
        }
    }
}

/// Values that are refused, for each option, and the words that the error has to contain.
const WRONG_VALUES: &[(&str, &str, &[&str])] = &[
    ("--fanout", "0", &["fanout", "1", "255"]),
    ("--fanout", "256", &["fanout", "1", "255"]),
    ("--fanout", "-1", &["fanout"]),
    ("--fanout", "two", &["fanout"]),
    ("--fanout", "", &["fanout"]),
    ("--gossip-interval-ms", "0", &["gossip-interval-ms", "1", "60000"]),
    ("--gossip-interval-ms", "70000", &["gossip-interval-ms", "1", "60000"]),
    ("--gossip-interval-ms", "1.5", &["gossip-interval-ms"]),
    ("--workload", "nope", &["workload", "broadcast", "pn-counter", "txn-rw-register"]),
    ("--workload", "Broadcast", &["workload", "broadcast"]),
    ("--strategy", "nope", &["strategy", "rumor"]),
    ("--seed", "nope", &["seed"]),
    ("--incarnation", "nope", &["incarnation"]),
    ("--incarnation", "-1", &["incarnation"]),
    ("--capacity-profile", "nope", &["capacity-profile"]),
    ("--max-values", "nope", &["max-values"]),
    ("--max-values", "-1", &["max-values"]),
    ("--max-keys", "nope", &["max-keys"]),
    ("--max-text-bytes", "7", &["max-text-bytes", "8", "65536"]),
    ("--max-text-bytes", "65537", &["max-text-bytes", "8", "65536"]),
    ("--max-store-text-bytes", "3000000000", &["max-store-text-bytes", "0", "2147483648"]),
    ("--max-nodes", "0", &["max-nodes", "1"]),
    ("--max-nodes", "nope", &["max-nodes"]),
    ("--max-message-bytes", "10", &["max-message-bytes"]),
    ("--max-message-bytes", "nope", &["max-message-bytes"]),
    ("--max-line-bytes", "0", &["max-line-bytes"]),
    ("--max-line-bytes", "nope", &["max-line-bytes"]),
];

#[track_caller]
fn assert_refused(output: &Output, needles: &[&str], how: &str) {
    let stderr = plain_numbers(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{how}: {stderr}");
    assert!(output.stdout.is_empty(), "{how}: {}", String::from_utf8_lossy(&output.stdout));
    assert!(!stderr.contains("panicked"), "{how}: {stderr}");
    for needle in needles {
        assert!(stderr.contains(needle), "{how}: `{needle}` is not in {stderr}");
    }
}

#[test]
fn a_wrong_value_of_an_option_ends_with_status_2_and_a_sentence_on_stderr() {
    for (option, value, needles) in WRONG_VALUES {
        let argument = format!("{option}={value}");
        assert_refused(&run(&[&argument], &[]), needles, &argument);
    }
    assert_refused(&run(&["--nope"], &[]), &["--nope"], "--nope");
    assert_refused(&run(&["nope"], &[]), &["nope"], "nope");
    assert_refused(&run(&["--fanout"], &[]), &["fanout"], "--fanout without a value");
}

#[test]
fn a_message_limit_that_is_too_low_is_refused_with_one_that_is_not() {
    let stderr = plain_numbers(&run(&["--max-message-bytes", "10"], &[]).stderr);
    let numbers = stderr.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse::<u64>().ok());
    let accepted = |number: u64| run(&[&format!("--max-message-bytes={number}")], &[]).status.success();
    assert!(numbers.filter(|number| *number > 10).any(accepted), "no number that would be accepted is in {stderr}");
}

#[test]
fn a_wrong_value_of_an_environment_variable_is_refused_like_that_of_its_option() {
    for (option, value, needles) in WRONG_VALUES {
        // An empty variable may also count as unset.
        if value.is_empty() {
            continue;
        }
        let (_, variable, _) = OPTIONS.iter().find(|(name, ..)| name == option).unwrap();
        assert_refused(&run(&[], &[(variable, value)]), needles, &format!("{variable}={value}"));
    }
}

#[test]
fn options_are_taken_from_the_environment_and_the_command_line_comes_first() {
    let contacted = |args: &[&str], env: &[(&str, &str)]| {
        let mut node = Node::spawn_with_env(args, env);
        node.init(9);
        node.ask(r#""type":"gossip_round""#).integer("peers_contacted")
    };
    assert_eq!(contacted(&[], &[("RUMORMILL_FANOUT", "5")]), 5);
    assert_eq!(contacted(&["--fanout", "3"], &[("RUMORMILL_FANOUT", "5")]), 3);

    let mut counter = Node::spawn_with_env(&[], &[("RUMORMILL_WORKLOAD", "pn-counter")]);
    counter.init(1);
    counter.expect(r#""type":"read""#, r#""type": "read_ok", "value": 0"#);

    let mut small = Node::spawn_with_env(
        &[],
        &[("RUMORMILL_MAX_VALUES", "1"), ("RUMORMILL_MAX_KEYS", "1"), ("RUMORMILL_MAX_NODES", "3")],
    );
    small.expect_error(r#""type":"init","node_id":"n1","node_ids":["n1","n2","n3","n4","n5"]"#, 11, &["3"]);
    small.init(2);
    small.expect(r#""type":"broadcast","message":7"#, r#""type": "broadcast_ok""#);
    small.expect_error(r#""type":"broadcast","message":8"#, 11, &["1"]);
    small.ask(r#""type":"write","key":"k","value":7"#).field("ts");
    small.expect_error(r#""type":"write","key":"l","value":7"#, 11, &["1"]);

    let mut short = Node::spawn_with_env(&[], &[("RUMORMILL_MAX_LINE_BYTES", "65536")]);
    short.init(1);
    let (line, _) = short.request(&format!(r#""type":"echo","echo":1,"pad":"{}""#, "x".repeat(70_000)));
    short.send(&line);
    short.still_answers();

    let id = || {
        let env = [("RUMORMILL_SEED", "7"), ("RUMORMILL_INCARNATION", "3"), ("RUMORMILL_LOG", "debug")];
        let mut node = Node::spawn_with_env(&[], &env);
        node.init(1);
        node.ask(r#""type":"generate""#).string("id").to_owned()
    };
    assert_eq!(id(), id());
}

#[test]
fn every_option_is_accepted_together_with_all_others() {
    let mut node = Node::start(
        2,
        &[
            "--workload=broadcast",
            "--strategy=rumor",
            "--fanout=255",
            "--gossip-interval-ms=60000",
            "--seed=18446744073709551615",
            "--incarnation=1",
            "--max-values=1000",
            "--max-keys=1000",
            "--max-text-bytes=10000",
            "--max-store-text-bytes=100000",
            "--max-nodes=100",
            "--max-message-bytes=65536",
            "--max-line-bytes=131072",
            "--log=warn",
        ],
    );
    node.still_answers();
    node.finish_in_peace();
}
