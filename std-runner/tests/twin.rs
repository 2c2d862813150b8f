//! Compares a program that claims to be the same node with the process: the same lines in, the same bytes out.
//!
//! `RUMORMILL_TWIN` names the program, for instance `firmware/node`. `RUMORMILL_OTHER_BUILD` names another build of the
//! process, for instance one without the feature `fast`. Without both variables the process is compared with itself,
//! which shows that the comparison is fair. The process gets the capacities of the twin: profile `tiny`, and lines of
//! 1,024 bytes. Parts of the output that depend on the time are left out. So are requests whose stamp lies in the
//! future, which a node without a wall clock cannot know.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use support::bad_lines::{
    BAD_FIELDS, BAD_INITS, EVERY_REQUEST, KNOWN_KEYS_TWICE, LONG, NOBODY_TO_ANSWER, NOT_A_LINE, NOT_A_VALUE, NOT_UTF8,
    UNKNOWN_KEYS_TWICE, UNSUPPORTED_VALUES, VALUE_PLACES,
};
use support::command;

/// The longest line that both take, in bytes.
const LINE_BYTES: usize = 1_024;
/// Options that make two nodes do the same at different times.
const SAME: [&str; 6] = ["--incarnation", "7", "--seed", "7", "--gossip-interval-ms", "60000"];
/// Capacities of the twin, for the process.
const CAPACITIES: [&str; 6] = ["--capacity-profile", "tiny", "--max-line-bytes", "1024", "--max-message-bytes", "1024"];

fn process() -> Command {
    with_capacities(command())
}

fn twin() -> Command {
    let named = |variable| std::env::var_os(variable).map(Command::new);
    named("RUMORMILL_TWIN").or_else(|| named("RUMORMILL_OTHER_BUILD").map(with_capacities)).unwrap_or_else(process)
}

fn with_capacities(mut process: Command) -> Command {
    process.args(CAPACITIES);
    process
}

/// The output of the program for this input. It has to end when its input ends, with status 0.
fn answers(mut program: Command, args: &[&str], input: &[u8]) -> String {
    let mut child =
        program.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut printed = String::new();
    thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).unwrap());
        stdout.read_to_string(&mut printed).unwrap();
    });
    let status = child.wait().unwrap();
    assert!(status.success(), "{program:?}: {status:?} after {printed}");
    printed
}

/// Removes the numbers that depend on the time: stamps, and how long this node's last change has been waiting.
fn timeless(text: &str) -> String {
    ["\"ts\": ", "\"convergence_ms\": "].iter().fold(text.to_owned(), |text, key| without(&text, key))
}

/// Removes the number after every `key`.
fn without(text: &str, key: &str) -> String {
    let mut pieces = text.split(key);
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |done, piece| {
        let end = piece.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(piece.len());
        done + key + "_" + &piece[end..]
    })
}

/// Compares line by line, so that a failure shows the first difference.
#[track_caller]
fn assert_same(expected: &str, answered: &str, what: &str) {
    for (number, (expected, answered)) in expected.lines().zip(answered.lines()).enumerate() {
        assert_eq!(expected, answered, "{what}: line {} of process and twin", number + 1);
    }
    assert_eq!(expected.lines().count(), answered.lines().count(), "{what}: lines of process and twin");
}

/// Both print the same bytes, except for stamps. Returns them.
#[track_caller]
fn assert_same_bytes(args: &[&str], input: &[u8], what: &str) -> String {
    let args = [args, &SAME].concat();
    let [expected, answered] = [process(), twin()].map(|program| timeless(&answers(program, &args, input)));
    assert_same(&expected, &answered, what);
    answered
}

/// Lines for one node `n1`, its `init` first. Requests are numbered.
struct Session {
    lines: Vec<u8>,
    requests: u32,
}

impl Session {
    fn new() -> Self {
        Self { lines: Vec::new(), requests: 0 }
    }

    fn of(nodes: usize) -> Self {
        let mut session = Self::new();
        let ids = support::node_ids(nodes);
        session.ask(&format!(r#""type":"init","node_id":"n1","node_ids":{ids:?}"#));
        session
    }

    fn line(&mut self, line: impl AsRef<[u8]>) {
        self.lines.extend_from_slice(line.as_ref());
        self.lines.push(b'\n');
    }

    fn request(&mut self, fields: &str) -> String {
        self.requests += 1;
        format!(r#"{{"src":"c1","dest":"n1","body":{{{fields},"msg_id":{}}}}}"#, self.requests)
    }

    fn ask(&mut self, fields: &str) {
        let line = self.request(fields);
        self.line(line);
    }

    /// A line that may get no answer, and then a request that gets one.
    fn abuse(&mut self, line: impl AsRef<[u8]>) {
        self.line(line);
        self.ask(r#""type":"echo","echo":"still here""#);
    }

    /// Reads of the whole state, and of the counters.
    fn look(&mut self) {
        for fields in [
            r#""type":"digest_sync","remote_digest":"x","remote_messages":[]"#,
            r#""type":"digest""#,
            r#""type":"bench_report""#,
            r#""type":"bench_stats""#,
            r#""type":"gossip_status""#,
            r#""type":"gossip_stats""#,
            r#""type":"generate""#,
        ] {
            self.ask(fields);
        }
    }
}

/// A line that is not too long, with a string that is longer than any bound.
fn with_long_strings(template: &str) -> String {
    template.replace(LONG, &"x".repeat(300))
}

#[test]
fn the_sample_conversations_get_the_same_bytes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut conversations = 0;
    for folder in fs::read_dir(root).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let file = file.unwrap().path().display().to_string();
            let Some(name) = file.strip_suffix(".in.jsonl") else { continue };
            let printed = assert_same_bytes(&[], &fs::read(&file).unwrap(), name);
            let expected = timeless(&fs::read_to_string(format!("{name}.expected.txt")).unwrap());
            assert!(printed.starts_with(&expected), "{name}: {printed} does not begin with {expected}");
            conversations += 1;
        }
    }
    assert_eq!(conversations, 8);
}

#[test]
fn bad_requests_get_the_same_errors() {
    let mut session = Session::of(1);
    for (fields, _) in BAD_FIELDS {
        // Only a node with a wall clock knows that this is the future.
        if !fields.contains("99999999999.0") {
            let line = session.request(&with_long_strings(fields));
            session.abuse(line);
        }
    }
    for (template, _) in VALUE_PLACES {
        for value in UNSUPPORTED_VALUES {
            let line = session.request(&with_long_strings(&template.replace("VALUE", value)));
            session.abuse(line);
        }
    }
    for (fields, _) in KNOWN_KEYS_TWICE.iter().chain(UNKNOWN_KEYS_TWICE) {
        let line = session.request(fields);
        session.abuse(line);
    }
    session.look();
    assert_same_bytes(&[], &session.lines, "bad requests");
}

#[test]
fn what_comes_before_init_and_bad_inits_get_the_same_errors() {
    let mut session = Session::new();
    for fields in EVERY_REQUEST {
        session.ask(fields);
    }
    session.line(r#"{"src":"c1","dest":"n7","body":{"type":"read","msg_id":900}}"#);
    session.line(r#"{"src":"n2","dest":"n1","body":{"type":"gossip","value":1}}"#);
    for (fields, _) in BAD_INITS {
        session.ask(&with_long_strings(fields));
    }
    for nodes in [9, 8] {
        session.ask(&format!(r#""type":"init","node_id":"n1","node_ids":{:?}"#, support::node_ids(nodes)));
    }
    session.look();
    assert_same_bytes(&[], &session.lines, "before init");
}

#[test]
fn lines_that_are_no_messages_are_met_with_the_same_silence() {
    let mut session = Session::of(1);
    let good = r#"{"src":"c1","dest":"n1","body":{"type":"echo","echo":[-1.5e3,"\n\u00e9",null],"msg_id":900}}"#;
    for bad in NOT_A_VALUE {
        session.abuse(format!(r#"{{"src":"c1","dest":"n1","body":{{"type":"echo","msg_id":900,"echo":{bad}}}}}"#));
        session
            .abuse(format!(r#"{{"q":{bad},"src":"c1","dest":"n1","body":{{"type":"echo","msg_id":900,"echo":1}}}}"#));
    }
    for line in NOT_A_LINE {
        session.abuse(line.replace("GOOD", good));
    }
    for line in NOBODY_TO_ANSWER {
        session.abuse(with_long_strings(line));
    }
    for bad in NOT_UTF8 {
        session.abuse([br#"{"src":"c1","dest":"n1","body":{"type":"echo","msg_id":9,"q":""#, *bad, br#""}}"#].concat());
        session.abuse(bad);
    }
    for end in 0..good.len() {
        session.abuse(&good.as_bytes()[..end]);
    }
    for control in 0..=b' ' {
        session.abuse([&[control], good.as_bytes()].concat());
        session.abuse([control, control]);
    }
    session.look();
    assert_same_bytes(&[], &session.lines, "no messages");
}

#[test]
fn deep_nesting_is_met_with_the_same_silence() {
    let mut session = Session::of(1);
    for depth in [1, 2, 28, 29, 30, 31, 32, 33, 34, 64, 150, 400, 10_000, 100_000] {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}"), ("[[", "],0]")] {
            for value in [format!("{}1{}", open.repeat(depth), close.repeat(depth)), open.repeat(depth)] {
                session
                    .abuse(format!(r#"{{"src":"c1","dest":"n1","body":{{"type":"echo","msg_id":9,"echo":{value}}}}}"#));
                session.abuse(format!(r#"{{"q":{value},"src":"c1","dest":"n1","body":{{"type":"read","msg_id":9}}}}"#));
                // A line beyond the bound on lines would be skipped in any form.
                if depth < LINE_BYTES {
                    session.abuse(value);
                } else {
                    break;
                }
            }
        }
    }
    session.look();
    assert_same_bytes(&[], &session.lines, "nesting");
}

#[test]
fn lines_up_to_the_bound_are_answered_and_longer_ones_are_not() {
    let mut session = Session::of(1);
    for length in [1_000, 1_023, 1_024, 1_025, 1_026, 2_047, 2_048, 2_049, 4_096, 300_000, 1_024] {
        let line = session.request(r#""type":"echo","echo":"padded","pad":"PAD""#);
        let missing = length - (line.len() - "PAD".len());
        session.abuse(line.replace("PAD", &"x".repeat(missing)));
    }
    // The last line is not terminated.
    let line = session.request(r#""type":"echo","echo":"last""#);
    session.lines.extend_from_slice(line.as_bytes());
    let printed = assert_same_bytes(&[], &session.lines, "long lines");
    assert_eq!(printed.matches(r#""padded""#).count(), 4, "{printed}");
    assert!(printed.lines().next_back().is_some_and(|line| line.contains(r#""last""#)), "{printed}");

    session.line("x".repeat(LINE_BYTES));
    assert_same_bytes(&[], &session.lines, "an endless last line");
}

#[test]
fn every_capacity_of_the_profile_ends_at_the_same_item() {
    let mut session = Session::of(3);
    for bytes in [22, 23, 24, 25, 26] {
        session.ask(&format!(r#""type":"broadcast","message":"{}""#, "v".repeat(bytes)));
        session.ask(&format!(r#""type":"write","key":"{}","value":1"#, "k".repeat(bytes)));
        session
            .line(format!(r#"{{"src":"{}","dest":"n1","body":{{"type":"read","msg_id":9}}}}"#, "c".repeat(bytes - 9)));
    }
    for bytes in 240..=256 {
        session.ask(&format!(r#""type":"echo","echo":"{}""#, "e".repeat(bytes)));
    }
    for number in 0..30 {
        session.ask(&format!(r#""type":"write","key":{number},"value":"v{number}""#));
        session.ask(&format!(r#""type":"broadcast","message":"a string of 24 bytes {number:03}""#));
    }
    for number in (0..3_000).step_by(19) {
        session.ask(&format!(r#""type":"broadcast","message":{number}"#));
        session.ask(&format!(r#""type":"add","delta":{}"#, number - 1_000));
    }
    session.ask(r#""type":"gossip_sync","messages":[1,2,3]"#);
    session.ask(r#""type":"txn","txn":[["w","new",1],["r",1,null],["w",2,3]]"#);
    session.ask(r#""type":"txn","txn":[["r",1,null],["w",2,"new"],["r",2,null]]"#);
    session.ask(r#""type":"read""#);
    let printed = assert_same_replies(&[], &session, "capacities");
    assert!(printed.contains("128") && printed.contains(r#""code": 11"#), "{printed}");
}

#[test]
fn every_workload_reads_and_adds_alike() {
    // The program of RUMORMILL_TWIN is a device, whose core was built without `serde`: it answers `stats` with an
    // error.
    let is_device = std::env::var_os("RUMORMILL_TWIN").is_some();
    let is_asked = |fields: &&&str| !(is_device && **fields == r#""type":"stats""#);
    let workloads = ["broadcast", "g-set", "g-counter", "pn-counter", "kv", "echo", "unique-ids", "txn-rw-register"];
    for workload in workloads {
        let mut session = Session::of(1);
        for fields in EVERY_REQUEST.iter().filter(is_asked) {
            session.ask(fields);
        }
        session.ask(r#""type":"add","delta":-5"#);
        session.ask(r#""type":"read""#);
        session.look();
        assert_same_bytes(&["--workload", workload], &session.lines, workload);
    }
    for strategy in ["rumor", "relay"] {
        let mut session = Session::of(1);
        session.ask(r#""type":"broadcast","message":1"#);
        session.ask(r#""type":"configure","strategy":"relay"#);
        session.look();
        assert_same_bytes(&["--strategy", strategy], &session.lines, strategy);
    }
}

/// Both give the same replies, whatever they send to peers between them. Returns the replies of the twin.
#[track_caller]
fn assert_same_replies(args: &[&str], session: &Session, what: &str) -> String {
    let args = [args, &SAME].concat();
    let [expected, answered] = [process(), twin()].map(|program| {
        let printed = without(&timeless(&answers(program, &args, &session.lines)), "\"msg_id\": ");
        let replies: Vec<&str> = printed.lines().filter(|line| line.contains("\"in_reply_to\"")).collect();
        replies.join("\n")
    });
    assert_same(&expected, &answered, what);
    answered
}

/// The number of lines of the long run.
const LINES: u32 = 100_000;

#[test]
fn a_hundred_thousand_lines_are_answered_alike_without_a_reset() {
    let mut session = Session::of(2);
    for number in 0..LINES {
        let value = number / 16 % 128;
        match number % 16 {
            0 => session.ask(&format!(r#""type":"broadcast","message":{value}"#)),
            1 => session.ask(&format!(r#""type":"add","delta":{}"#, i64::from(number % 100) - 50)),
            2 => session.ask(&format!(r#""type":"bench_write","key":{},"value":{number}"#, number % 15)),
            3 => session.ask(&format!(r#""type":"kv_read","key":{}"#, number % 20)),
            4 => session.line(format!(r#"{{"src":"n2","dest":"n1","body":{{"type":"gossip","value":{value}}}}}"#)),
            5 => session.line(r#"{"src":"n2","dest":"n1","body":{"type":"gossip","sum":"00","digest":{"#),
            6 if number % 800 == 6 => session.ask(r#""type":"digest""#),
            7 if number % 800 == 7 => session.ask(r#""type":"read""#),
            8 => session.ask(r#""type":"generate""#),
            _ => session.line(r#"{"src":"n2","dest":"n1","body":{}}"#),
        }
    }
    session.ask(r#""type":"digest""#);
    let printed = assert_same_replies(&["--workload", "pn-counter"], &session, "a long run");
    assert!(!printed.contains(r#""error""#) || !printed.contains("not initialised"), "{}", printed.len());
}
