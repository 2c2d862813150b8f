//! A replicated system that is right by construction, run at random: no checker may call it invalid.
//!
//! Nodes gossip their whole state in one moment. Operations overlap, are refused, or lose their reply, and one process may
//! be killed. Time goes in milliseconds.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::testing::Run;
use crate::history::{Answer, Call, Micro, Outcome};
use crate::judgement::Validity;
use crate::settings::Workload;
use crate::trace::NEVER;

const NODES: usize = 3;
const KEYS: u64 = 2;

/// What a node remembers.
#[derive(Clone, Default)]
struct Memory {
    /// Operations whose effect has come here.
    seen: BTreeSet<usize>,
    /// Values in the order of their arrival.
    values: Vec<i64>,
    /// Increments by operation.
    deltas: BTreeMap<usize, i64>,
    /// Stamp, node and value by key.
    keys: BTreeMap<u64, (u64, usize, i64)>,
    clock: u64,
}

impl Memory {
    fn merge(&mut self, other: &Self) {
        self.seen.extend(&other.seen);
        let new = other.values.iter().filter(|value| !self.values.contains(value)).copied();
        self.values.extend(new.collect::<Vec<_>>());
        self.deltas.extend(&other.deltas);
        for (key, entry) in &other.keys {
            let mine = self.keys.entry(*key).or_insert(*entry);
            *mine = (*mine).max(*entry);
        }
        self.clock = self.clock.max(other.clock);
    }

    fn stamp(&mut self, wall: u64) -> u64 {
        self.clock = wall.max(self.clock + 1);
        self.clock
    }

    /// Carries out a request.
    fn answer(&mut self, op: usize, node: usize, wall: u64, call: &Call) -> Answer {
        self.seen.insert(op);
        match call {
            Call::Add(value) => {
                self.values.push(*value);
                Answer::Done
            }
            Call::Increment(delta) => {
                self.deltas.insert(op, *delta);
                Answer::Done
            }
            Call::Read if self.deltas.is_empty() && self.keys.is_empty() => {
                Answer::Elements(self.values.clone().into())
            }
            Call::Read => Answer::Total(self.deltas.values().sum()),
            Call::Write { key, value } => {
                let stamp = self.stamp(wall);
                self.keys.insert(*key, (stamp, node, *value));
                Answer::Stamp(stamp)
            }
            Call::KvRead(key) => self.keys.get(key).map_or(Answer::Missing, |&(stamp, _, v)| Answer::Value(v, stamp)),
            Call::Txn(micros) => {
                let mut own = BTreeMap::new();
                let fill = |micro: &Micro| match *micro {
                    Micro::Read(key, _) => {
                        Micro::Read(key, own.get(&key).or(self.keys.get(&key).map(|(_, _, value)| value)).copied())
                    }
                    Micro::Write(key, value) => {
                        own.insert(key, value);
                        Micro::Write(key, value)
                    }
                };
                let filled = micros.iter().map(fill).collect();
                let stamp = self.stamp(wall);
                self.keys.extend(own.into_iter().map(|(key, value)| (key, (stamp, node, value))));
                Answer::Txn(filled)
            }
            Call::Echo(_) | Call::Generate => unreachable!("not replicated"),
        }
    }
}

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
struct Step {
    kind: u8,
    node: usize,
    other: usize,
    delay: u64,
    length: u64,
    number: i64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0_u8..20, 0..NODES, 0..NODES, 0_u64..30, 0_u64..30, 0_i64..5)
        .prop_map(|(kind, node, other, delay, length, number)| Step { kind, node, other, delay, length, number });
    proptest::collection::vec(step, 1..80)
}

fn call(workload: Workload, step: Step, index: usize) -> Call {
    let (write, value, key) = (step.kind & 1 == 0, index as i64 * 10, step.number as u64 % KEYS);
    match (workload, write) {
        (Workload::Broadcast, true) => Call::Add(value),
        (Workload::GCounter, true) => Call::Increment(step.number),
        (Workload::PnCounter, true) => Call::Increment(step.number - 3),
        (Workload::Kv, true) => Call::Write { key, value },
        (Workload::Kv, false) => Call::KvRead(key),
        (Workload::TxnRwRegister, _) => {
            let mut micros = vec![Micro::Read(key, None), Micro::Write(key, value), Micro::Write(key, value + 1)];
            micros.extend([Micro::Read(key, None), Micro::Read(1 - key, None), Micro::Write(1 - key, value + 2)]);
            micros.truncate(step.other * 3);
            Call::Txn(micros)
        }
        _ => Call::Read,
    }
}

/// Lets the system run. `kill` is a process and a time.
fn run(workload: Workload, steps: &[Step], kill: Option<(usize, u64)>) -> Run {
    let mut run = Run::new(workload, NODES);
    let mut nodes: Vec<Memory> = vec![Memory::default(); NODES];
    let empty = |memory: &mut Memory| {
        *memory = Memory::default();
        // So that an empty counter answers with a number, and an empty store is not taken for a set.
        memory.deltas.extend((workload != Workload::Broadcast).then_some((usize::MAX, 0)));
    };
    nodes.iter_mut().for_each(empty);
    // Requests take effect in the order of time, and may be invoked in another.
    let mut events: Vec<(u64, usize)> =
        steps.iter().enumerate().map(|(i, step)| (i as u64 * 5 + step.delay, i)).collect();
    events.sort_unstable();
    let mut outcomes: BTreeMap<usize, Outcome> = BTreeMap::new();
    let mut arrivals: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    let mut done: Option<(usize, u64)> = None;
    for &(at, i) in &events {
        let Step { kind, node, other, .. } = steps[i];
        if let Some((victim, when)) = kill.filter(|&(_, when)| when <= at && done.is_none()) {
            let others: BTreeSet<usize> = (0..NODES).filter(|&node| node != victim).flatten_seen(&nodes).collect();
            let unsent: Vec<usize> = nodes[victim].seen.difference(&others).copied().collect();
            run.kill(victim, when, &unsent, &[]);
            empty(&mut nodes[victim]);
            done = Some((victim, when));
        }
        let down = done.is_some_and(|(victim, when)| victim == node && i as u64 * 5 <= when + 1000);
        if kind >= 12 {
            let from = nodes[node].clone();
            nodes[other].merge(&from);
        } else if kind == 11 {
            outcomes.insert(i, Outcome::Fail { code: 11, text: String::new() });
        } else if down {
            outcomes.insert(i, Outcome::Info { why: String::new() });
        } else {
            // Half of the nodes have a clock that is behind.
            let answer = nodes[node].answer(i, node, at * 1000 / (1 + node as u64 % 2), &call(workload, steps[i], i));
            let lost = kind == 10;
            outcomes.insert(i, if lost { Outcome::Info { why: String::new() } } else { Outcome::Ok { answer } });
        }
        for (node, memory) in nodes.iter().enumerate() {
            for op in &memory.seen {
                let times = arrivals.entry(*op).or_insert_with(|| vec![NEVER; NODES]);
                times[node] = times[node].min(at * 1000);
            }
        }
    }
    finish(&mut run, workload, steps, nodes, &outcomes, arrivals);
    run
}

/// Seen operations of several nodes.
trait FlattenSeen: Iterator<Item = usize> + Sized {
    fn flatten_seen(self, nodes: &[Memory]) -> impl Iterator<Item = usize> {
        self.flat_map(|node| nodes[node].seen.iter().copied())
    }
}

impl<I: Iterator<Item = usize>> FlattenSeen for I {}

/// Writes the history down, lets all nodes agree, and reads them.
fn finish(
    run: &mut Run,
    workload: Workload,
    steps: &[Step],
    mut nodes: Vec<Memory>,
    outcomes: &BTreeMap<usize, Outcome>,
    mut arrivals: BTreeMap<usize, Vec<u64>>,
) {
    // Places of the operations in the history, which has no gossip in it.
    let mut places = BTreeMap::new();
    for (i, outcome) in outcomes {
        let Step { node, delay, length, .. } = steps[*i];
        let (from, call) = (*i as u64 * 5, call(workload, steps[*i], *i));
        if let Call::Add(value) = call {
            let times = arrivals.remove(i).unwrap_or(vec![NEVER; NODES]);
            run.trace.arrivals.insert(value, times);
        }
        places.insert(*i, run.op(node, from, from + delay + length, call, outcome.clone()));
    }
    for death in &mut run.trace.deaths {
        death.unsent = death.unsent.iter().filter_map(|i| places.get(i).copied()).collect();
    }
    for _ in 0..NODES {
        for node in 0..NODES {
            let from = nodes[node].clone();
            nodes[(node + 1) % NODES].merge(&from);
        }
    }
    for (node, memory) in nodes.iter_mut().enumerate() {
        let looks = match workload {
            Workload::Kv => (0..KEYS).map(Call::KvRead).collect(),
            Workload::TxnRwRegister => vec![Call::Txn((0..KEYS).map(|key| Micro::Read(key, None)).collect())],
            _ => vec![Call::Read],
        };
        for look in looks {
            let answer = memory.answer(usize::MAX, node, 0, &look);
            if let Answer::Elements(values) = &answer {
                for value in &values.to_vec() {
                    let first = &mut run.trace.arrivals.get_mut(value).unwrap()[node];
                    *first = (*first).min(20_001_000);
                }
            }
            run.ok(node, 20_000, 20_001, look, answer);
        }
    }
}

/// Makes one final answer of a node a wrong one. False where there is nothing that could be wrong.
fn corrupt(run: &mut Run, node: usize) -> bool {
    let last = run.history.ops.iter_mut().rev().find(|op| op.node == node && op.invoked_us >= 20_000_000);
    let Some(Outcome::Ok { answer }) = last.map(|op| &mut op.outcome) else { return false };
    match answer {
        Answer::Elements(values) => {
            let mut list = values.to_vec();
            let is_wrong = list.pop().is_some();
            *values = list.into();
            return is_wrong;
        }
        Answer::Total(total) => *total += 1,
        Answer::Value(_, stamp) => *stamp += 1,
        Answer::Txn(micros) => {
            let Some(Micro::Read(_, value)) = micros.last_mut() else { return false };
            *value = value.is_none().then_some(-1);
        }
        Answer::Missing => *answer = Answer::Value(-1, 1),
        Answer::Done | Answer::Echo(_) | Answer::Id(_) | Answer::Stamp(_) => return false,
    }
    true
}

fn workloads() -> impl Strategy<Value = Workload> {
    prop_oneof![
        Just(Workload::Broadcast),
        Just(Workload::GCounter),
        Just(Workload::PnCounter),
        Just(Workload::Kv),
        Just(Workload::TxnRwRegister),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn a_right_system_is_never_invalid(
        steps in steps(),
        workload in workloads(),
        kill in proptest::option::of((0..NODES, 0_u64..400)),
    ) {
        let run = run(workload, &steps, kill);
        let judgement = run.judge();
        prop_assert_ne!(judgement.validity, Validity::Invalid, "{:#?}\n{:#?}", judgement.findings, run.history);
    }

    #[test]
    fn a_node_that_is_wrong_in_the_end_is_always_invalid(
        steps in steps(),
        workload in workloads(),
        kill in proptest::option::of((0..NODES, 0_u64..400)),
        node in 0..NODES,
    ) {
        let mut run = run(workload, &steps, kill);
        if corrupt(&mut run, node) {
            prop_assert_eq!(run.judge().validity, Validity::Invalid, "{:#?}", run.history);
        }
    }
}
