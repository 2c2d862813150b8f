//! How long a judgement takes. Prints and asserts nothing: `cargo test -p rumormill-lab timing -- --ignored --nocapture`.

use std::time::Instant;

use super::testing::Run;
use crate::history::{Answer, Call, Micro};
use crate::settings::Workload;

#[test]
#[ignore = "prints times"]
fn timing_of_a_judgement() {
    let sizes = [(25, 500, 500, 0), (25, 2000, 2000, 0), (10_000, 50, 50, 0), (25, 500, 500, 100_000)];
    for (nodes, values, reads, messages) in sizes {
        let run = set(nodes, values, reads, messages);
        time(&run, &format!("{nodes} nodes, {values} values, {reads} reads, {messages} messages"));
    }
    time(&registers(1000), "1,000 transactions");
    time(&counter(1000), "1,000 operations on a counter");
    time(&store(1000), "1,000 operations on a store");
}

fn time(run: &Run, what: &str) {
    const TIMES: u32 = 5;
    let start = Instant::now();
    for _ in 0..TIMES {
        assert_eq!(run.judge().findings.len(), 0, "{:?}", run.judge().findings);
    }
    println!("{what}: {:.2} ms", start.elapsed().as_secs_f64() * 1000.0 / f64::from(TIMES));
}

/// Values are added one after the other; each read shows all that were added two steps before, in a mixed order.
fn set(nodes: usize, values: usize, reads: usize, messages: u64) -> Run {
    let mut run = Run::new(Workload::Broadcast, nodes);
    let mut shown: Vec<i64> = Vec::new();
    for step in 0..values.max(reads) {
        let at = (step * 9000 / values.max(reads)) as u64;
        if step < values {
            run.add(step % nodes, at, at + 1, step as i64);
        }
        if step < reads {
            let all: Vec<i64> = (0..step.saturating_sub(1) as i64).rev().collect();
            run.read(step % nodes, at, at + 1, &all);
        }
    }
    shown.extend(0..values as i64);
    run.end(&shown);
    for i in 0..messages {
        run.message(i * 9000 / messages, (i % nodes as u64) as u32);
    }
    run
}

/// Each transaction reads and overwrites two of ten keys.
fn registers(n: usize) -> Run {
    let mut run = Run::new(Workload::TxnRwRegister, 5);
    let mut keys: [Option<i64>; 10] = [None; 10];
    for i in 0..n {
        let (a, b) = (i % 10, i * 7 % 9);
        let mut answer = Vec::new();
        for key in [a, b] {
            let value = (i * 10 + key) as i64;
            answer.push(Micro::Read(key as u64, keys[key]));
            answer.push(Micro::Write(key as u64, value));
            keys[key] = Some(value);
            if a == b {
                break;
            }
        }
        let asked = answer.iter().map(|micro| match micro {
            Micro::Read(key, _) => Micro::Read(*key, None),
            Micro::Write(key, value) => Micro::Write(*key, *value),
        });
        let call = Call::Txn(asked.collect());
        run.ok(i % 5, i as u64, i as u64 + 1, call, Answer::Txn(answer));
    }
    let look = (0..10).map(|key| Micro::Read(key, None)).collect();
    let end = (0..10).map(|key| Micro::Read(key, keys[key as usize])).collect();
    run.ok(0, 20_000, 20_001, Call::Txn(look), Answer::Txn(end));
    run
}

fn counter(n: usize) -> Run {
    let mut run = Run::new(Workload::PnCounter, 5);
    let mut sum = 0;
    for i in 0..n {
        let delta = (i % 10) as i64 - 5;
        run.increment(i % 5, i as u64 * 2, delta);
        sum += delta;
        run.total(i % 5, i as u64 * 2 + 1, i as u64 * 2 + 2, sum);
    }
    run.end_total(sum);
    run
}

fn store(n: usize) -> Run {
    let mut run = Run::new(Workload::Kv, 5);
    for i in 0..n as u64 {
        let (key, value) = (i % 10, i as i64);
        run.ok(i as usize % 5, i * 2, i * 2 + 1, Call::Write { key, value }, Answer::Stamp(i));
        run.ok(i as usize % 5, i * 2 + 1, i * 2 + 2, Call::KvRead(key), Answer::Value(value, i));
    }
    for node in 0..5 {
        for key in 0..10 {
            let last = n as u64 - 10 + key;
            run.ok(node, 20_600, 20_601, Call::KvRead(key), Answer::Value(last as i64, last));
        }
    }
    run
}
