//! Real processes that gossip: all reach the same state, and then fall silent.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Cluster, Node};

/// Every node has to have everything within this time after the last acknowledgement. The bound is generous: it only
/// keeps a test from hanging.
const CONVERGED_WITHIN: Duration = Duration::from_secs(30);
/// If no line comes for this long, the conversation counts as ended.
const QUIET: Duration = Duration::from_secs(2);
/// The conversation has to end within this time.
const SILENT_WITHIN: Duration = Duration::from_secs(60);
/// After its end no node may send anything for this long.
const SILENCE: Duration = Duration::from_secs(10);

/// Clusters under load take turns, so that the times that are printed can be compared. Silent clusters may overlap.
static LOAD: Mutex<()> = Mutex::new(());

struct Workload {
    name: &'static str,
    load: fn(&Cluster),
    /// Says what is not yet as it should be.
    check: fn(&Cluster) -> Result<(), String>,
    /// What has to hold once all nodes are silent.
    epilogue: fn(&Cluster),
}

const WORKLOADS: [Workload; 4] = [
    Workload { name: "broadcast", load: broadcast, check: all_have_all_messages, epilogue: no_more },
    Workload { name: "g-set", load: add_elements, check: all_have_all_elements, epilogue: no_more },
    Workload { name: "pn-counter", load: increment, check: all_count_to_1000, epilogue: all_know_all_are_in_step },
    Workload { name: "kv", load: write, check: all_stores_are_equal, epilogue: no_more },
];

const VALUES: usize = 200;
const INCREMENTS: usize = 1_000;
const KEYS: usize = 20;

fn value(n: usize) -> Value {
    if n.is_multiple_of(3) { json!(format!("value {n}")) } else { json!(n) }
}

fn broadcast(cluster: &Cluster) {
    cluster.ask_all(r#""type":"topology","topology":{}"#);
    for n in 0..VALUES {
        let reply = cluster.ask(n % cluster.len(), &format!(r#""type":"broadcast","message":{}"#, value(n)));
        assert_eq!(reply.kind(), "broadcast_ok", "{}", reply.text);
    }
}

fn add_elements(cluster: &Cluster) {
    for n in 0..VALUES {
        let reply = cluster.ask(n % cluster.len(), &format!(r#""type":"add","element":{}"#, value(n)));
        assert_eq!(reply.kind(), "add_ok", "{}", reply.text);
    }
}

fn increment(cluster: &Cluster) {
    for n in 0..INCREMENTS {
        let reply = cluster.ask(n % cluster.len(), r#""type":"add","delta":1"#);
        assert_eq!(reply.kind(), "add_ok", "{}", reply.text);
    }
}

/// Every key is written at several nodes, at some of them at the same moment.
fn write(cluster: &Cluster) {
    for round in 0..VALUES / cluster.len() {
        let fields = |node: usize| {
            let key = (3 * round + node / 3) % KEYS;
            let key = if key.is_multiple_of(2) { json!(key) } else { json!(format!("key {key}")) };
            format!(r#""type":"bench_write","key":{key},"value":"{round} of {node}""#)
        };
        let requests: Vec<u64> = (0..cluster.len()).map(|node| cluster.post(node, &fields(node))).collect();
        for request in requests {
            let reply = cluster.wait(request);
            assert_eq!(reply.kind(), "bench_write_ok", "{}", reply.text);
        }
    }
}

fn all_have_all_messages(cluster: &Cluster) -> Result<(), String> {
    all_have_all_values(cluster, "messages")
}

fn all_have_all_elements(cluster: &Cluster) -> Result<(), String> {
    all_have_all_values(cluster, "value")
}

fn all_have_all_values(cluster: &Cluster, field: &str) -> Result<(), String> {
    let expected: BTreeSet<String> = (0..VALUES).map(|n| value(n).to_string()).collect();
    for reply in cluster.ask_all(r#""type":"read""#) {
        let read = reply.field(field).as_array().unwrap_or_else(|| panic!("no list in {}", reply.text));
        let distinct: BTreeSet<String> = read.iter().map(Value::to_string).collect();
        assert_eq!(distinct.len(), read.len(), "a value twice: {}", reply.text);
        assert!(distinct.is_subset(&expected), "a value nobody added: {}", reply.text);
        if distinct != expected {
            return Err(format!("{} has {} of {VALUES} values", reply.src, read.len()));
        }
    }
    Ok(())
}

fn all_count_to_1000(cluster: &Cluster) -> Result<(), String> {
    for reply in cluster.ask_all(r#""type":"read""#) {
        let read = reply.integer("value");
        assert!(read <= 1_000, "counted too far: {}", reply.text);
        if read != 1_000 {
            return Err(format!("{} has counted to {read}", reply.src));
        }
    }
    Ok(())
}

fn all_stores_are_equal(cluster: &Cluster) -> Result<(), String> {
    for key in 0..KEYS {
        let key = if key.is_multiple_of(2) { json!(key) } else { json!(format!("key {key}")) };
        let replies = cluster.ask_all(&format!(r#""type":"kv_read","key":{key}"#));
        let stored: BTreeSet<String> = replies
            .iter()
            .map(|reply| match reply.kind() {
                "kv_read_ok" => format!("{} at {}", reply.field("value"), reply.raw("ts")),
                _ => format!("nothing but {} {}", reply.field("code"), reply.field("text")),
            })
            .collect();
        if stored.len() != 1 || stored.iter().any(|stored| stored.starts_with("nothing")) {
            return Err(format!("{key} is {stored:?}"));
        }
    }
    Ok(())
}

fn no_more(_: &Cluster) {}

/// When all nodes are silent, every node knows that every peer has its state.
fn all_know_all_are_in_step(cluster: &Cluster) {
    let others = i64::try_from(cluster.len() - 1).unwrap();
    let statuses = cluster.ask_all(r#""type":"gossip_status""#);
    for status in &statuses {
        assert_eq!(status.integer("peers_synced"), others, "{}", status.text);
        assert_eq!(status.integer("local_value"), 1_000, "{}", status.text);
        assert!(status.integer("convergence_ms") < 60_000, "{}", status.text);
    }
    // `convergence_ms` no longer grows.
    thread::sleep(Duration::from_millis(50));
    for (before, after) in statuses.iter().zip(cluster.ask_all(r#""type":"gossip_status""#)) {
        assert_eq!(before.field("convergence_ms"), after.field("convergence_ms"), "{}", after.text);
    }
}

/// Starts, loads and waits until all nodes agree.
fn converged(workload: &Workload, nodes: usize, delay: Duration) -> Cluster {
    let _turn = LOAD.lock().unwrap_or_else(PoisonError::into_inner);
    let cluster = Cluster::start(nodes, &["--workload", workload.name], delay);
    (workload.load)(&cluster);
    let acknowledged = Instant::now();
    while let Err(missing) = (workload.check)(&cluster) {
        let waited = acknowledged.elapsed();
        assert!(waited < CONVERGED_WITHIN, "{} on {nodes} nodes after {waited:?}: {missing}", workload.name);
        thread::sleep(Duration::from_millis(5));
    }
    eprintln!(
        "{} on {nodes} nodes, delay {delay:?}: {:.1?} from the last acknowledgement until all are equal",
        workload.name,
        acknowledged.elapsed()
    );
    cluster
}

fn falls_silent_for_good(workload: &Workload, cluster: Cluster) {
    let name = format!("{} on {} nodes", workload.name, cluster.len());
    let waiting = Instant::now();
    assert!(cluster.wait_until_silent(QUIET, SILENT_WITHIN), "{name}: still talking after {SILENT_WITHIN:?}");
    let lines = cluster.peer_lines();
    eprintln!("{name}: {lines} lines between nodes, silent {:.1?} after all were equal", waiting.elapsed());
    let more = cluster.lines_during(SILENCE);
    assert_eq!(more, 0, "{name}: {more} lines in the {SILENCE:?} after {QUIET:?} of silence");
    (workload.check)(&cluster).unwrap_or_else(|missing| panic!("{name}: {missing}"));
    (workload.epilogue)(&cluster);
    cluster.finish();
}

/// Runs one workload after the other, and waits for the silence of all of them at the same time.
fn all_workloads_converge_and_fall_silent(nodes: usize, delay: Duration) {
    thread::scope(|scope| {
        for workload in &WORKLOADS {
            scope.spawn(move || falls_silent_for_good(workload, converged(workload, nodes, delay)));
        }
    });
}

#[test]
fn five_nodes_converge_and_fall_silent_in_every_workload() {
    all_workloads_converge_and_fall_silent(5, Duration::ZERO);
}

#[test]
fn twenty_five_nodes_converge_and_fall_silent_in_every_workload() {
    all_workloads_converge_and_fall_silent(25, Duration::ZERO);
}

#[test]
fn five_nodes_converge_and_fall_silent_over_a_slow_network() {
    all_workloads_converge_and_fall_silent(5, Duration::from_millis(100));
}

#[test]
fn two_nodes_converge_and_fall_silent_in_every_workload() {
    all_workloads_converge_and_fall_silent(2, Duration::ZERO);
}

#[test]
fn nothing_goes_to_a_peer_before_the_first_message_that_follows_init() {
    let cluster = Cluster::start(5, &[], Duration::ZERO);
    assert_eq!(cluster.lines_during(Duration::from_millis(2_500)), 0);
    assert_eq!(cluster.peer_lines(), 0);
    cluster.finish();
}

#[test]
fn a_node_that_has_heard_no_peer_looks_for_one_about_a_second_after_the_first_message() {
    let mut node = Node::start(3, &[]);
    thread::sleep(Duration::from_millis(500));
    let asked = Instant::now();
    node.still_answers();
    assert!(node.peer_lines.is_empty(), "{:?}", node.peer_lines);
    node.wait_for_peer_lines(1);
    let waited = asked.elapsed();
    // Five push intervals, minus up to a quarter.
    assert!(waited >= Duration::from_millis(750), "after {waited:?}: {}", node.peer_lines[0].text);
    node.finish_in_peace();
}

#[test]
fn strings_of_65536_bytes_go_from_process_to_process_through_both_strategies() {
    // Both strings have the largest allowed length. The second one is written in a form that is twelve times as long as
    // its text.
    let (plain, quotes) = ("a".repeat(65_536), "\"".repeat(32_768));
    let escaped = format!("\"{}\"", "\\u0022".repeat(32_768));
    for strategy in ["rumor", "relay"] {
        let args = ["--strategy", strategy, "--max-text-bytes", "65536", "--max-store-text-bytes", "300000"];
        let cluster = Cluster::start(3, &args, Duration::from_millis(10));
        for (fields, kind) in [
            (format!(r#""type":"write","key":{},"value":{escaped}"#, json!(plain)), "write_ok"),
            (format!(r#""type":"broadcast","message":{escaped}"#), "broadcast_ok"),
            (format!(r#""type":"broadcast","message":{}"#, json!(plain)), "broadcast_ok"),
        ] {
            assert_eq!(cluster.ask(0, &fields).kind(), kind);
        }
        // There are so many writes that the room for strings is used many times over.
        for n in 0..40 {
            let fields = format!(r#""type":"write","key":1,"value":{}"#, json!(format!("{n}{}", &plain[2..])));
            assert_eq!(cluster.ask(n % 3, &fields).kind(), "write_ok");
        }
        assert!(cluster.wait_until_silent(QUIET, SILENT_WITHIN), "{strategy}: still talking");
        let read = cluster.ask_all(r#""type":"kv_read","key":1"#);
        assert!(read.iter().all(|line| line.string("value") == format!("39{}", &plain[2..])), "{strategy}");
        let read = cluster.ask_all(&format!(r#""type":"kv_read","key":{}"#, json!(plain)));
        assert!(read.iter().all(|line| line.string("value") == quotes), "{strategy}");
        for line in cluster.ask_all(r#""type":"read""#) {
            assert_eq!(line.body["messages"], json!([quotes, plain]), "{strategy}");
        }
        cluster.finish();
    }
}
