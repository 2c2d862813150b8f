//! Random runs of a replicated system that is correct by construction. No checker may call such a run invalid. If one
//! final answer is changed, some checker has to.
//!
//! When a node gossips, the receiver gets all operations that the sender has seen, at once. Operations overlap, are
//! refused, or lose their reply, and one process may be killed. The data type decides what a node answers
//! ([`DataType::model`]). Times are in milliseconds.

use std::collections::{BTreeMap, BTreeSet};

use clap::ValueEnum as _;
use proptest::prelude::*;
use rand::SeedableRng as _;
use rand_xorshift::XorShiftRng;

use super::data_type::{Calls, DataType, Done};
use crate::check::testing::Run;
use crate::history::{Call, Outcome};
use crate::judgement::Validity;
use crate::settings::{Settings, Workload};
use crate::trace::NEVER;

const NODES: usize = 3;
const KEYS: u64 = 2;

/// What a node remembers.
#[derive(Clone, Default)]
struct Memory {
    /// The operations that have reached the node, in the order of their arrival.
    seen: Vec<Done>,
    /// The numbers of these operations.
    ops: BTreeSet<usize>,
    clock: u64,
}

impl Memory {
    fn merge(&mut self, other: &Self) {
        for done in &other.seen {
            if self.ops.insert(done.op) {
                self.seen.push(done.clone());
            }
        }
        self.clock = self.clock.max(other.clock);
    }

    fn stamp(&mut self, wall: u64) -> u64 {
        self.clock = wall.max(self.clock + 1);
        self.clock
    }

    /// Notes an operation that the node has carried out.
    fn note(&mut self, done: Done) {
        self.ops.insert(done.op);
        self.seen.push(done);
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
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0_u8..20, 0..NODES, 0..NODES, 0_u64..30, 0_u64..30)
        .prop_map(|(kind, node, other, delay, length)| Step { kind, node, other, delay, length });
    proptest::collection::vec(step, 1..80)
}

/// A run in the making.
struct System {
    data_type: &'static dyn DataType,
    run: Run,
    nodes: Vec<Memory>,
    steps: Vec<Step>,
    /// A call for each step, which is used if the step is an operation.
    calls: Vec<Call>,
    /// The calls with which the lab reads every node in the end.
    looks: Vec<Call>,
    outcomes: BTreeMap<usize, Outcome>,
    /// When each operation reached each node.
    arrivals: BTreeMap<usize, Vec<u64>>,
}

/// Runs the system. `kill` is a process and the time at which it is killed.
fn run(workload: Workload, steps: Vec<Step>, seed: u64, kill: Option<(usize, u64)>) -> Run {
    let settings = Settings { keys: KEYS, ..Settings::default() };
    let mut drawn: Box<dyn Calls> = workload.data_type().calls(&settings);
    let mut rng = XorShiftRng::seed_from_u64(seed);
    let calls = steps.iter().map(|step| drawn.draw(&mut rng, step.kind & 1 == 0)).collect();
    let mut system = System {
        data_type: workload.data_type(),
        run: Run::new(workload, NODES),
        nodes: vec![Memory::default(); NODES],
        steps,
        calls,
        looks: drawn.inspection(),
        outcomes: BTreeMap::new(),
        arrivals: BTreeMap::new(),
    };
    system.load(kill);
    system.write_down();
    system.agree();
    system.run
}

impl System {
    /// Carries out the steps in the order of time. Requests may be invoked in another order.
    fn load(&mut self, kill: Option<(usize, u64)>) {
        let mut events: Vec<(u64, usize)> =
            self.steps.iter().enumerate().map(|(i, step)| (i as u64 * 5 + step.delay, i)).collect();
        events.sort_unstable();
        let mut dead: Option<(usize, u64)> = None;
        for (at, i) in events {
            if let Some((victim, when)) = kill.filter(|&(_, when)| when <= at && dead.is_none()) {
                self.kill(victim, when);
                dead = Some((victim, when));
            }
            let is_down = |node| dead.is_some_and(|(victim, when)| victim == node && i as u64 * 5 <= when + 1000);
            self.step(at, i, is_down(self.steps[i].node));
            for (node, memory) in self.nodes.iter().enumerate() {
                for op in &memory.ops {
                    let times = self.arrivals.entry(*op).or_insert_with(|| vec![NEVER; NODES]);
                    times[node] = times[node].min(at * 1000);
                }
            }
        }
    }

    fn kill(&mut self, victim: usize, when: u64) {
        let memory = std::mem::take(&mut self.nodes[victim]);
        let elsewhere: BTreeSet<usize> = self.nodes.iter().flat_map(|memory| memory.ops.iter().copied()).collect();
        let unsent: Vec<usize> = memory.ops.difference(&elsewhere).copied().collect();
        self.run.kill(victim, when, &unsent, &[]);
    }

    fn step(&mut self, at: u64, i: usize, is_down: bool) {
        let Step { kind, node, other, .. } = self.steps[i];
        let unknown = || Outcome::Info { why: String::new() };
        if kind >= 12 {
            let from = self.nodes[node].clone();
            self.nodes[other].merge(&from);
        } else if kind == 11 {
            self.outcomes.insert(i, Outcome::Fail { code: 11, text: String::new() });
        } else if is_down {
            self.outcomes.insert(i, unknown());
        } else {
            // The clocks of half of the nodes are behind.
            let stamp = self.nodes[node].stamp(at * 1000 / (1 + node as u64 % 2));
            let done = Done { op: i, node, call: self.calls[i].clone(), stamp };
            let answer = self.data_type.model(&self.nodes[node].seen, &done);
            self.nodes[node].note(done);
            let is_lost = kind == 10;
            self.outcomes.insert(i, if is_lost { unknown() } else { Outcome::Ok { answer } });
        }
    }

    /// Writes the operations into the history. Gossip is left out.
    fn write_down(&mut self) {
        let mut places = BTreeMap::new();
        for (i, outcome) in &self.outcomes {
            let Step { node, delay, length, .. } = self.steps[*i];
            let (from, call) = (*i as u64 * 5, self.calls[*i].clone());
            if let Call::Add(value) = call {
                let times = self.arrivals.remove(i).unwrap_or(vec![NEVER; NODES]);
                self.run.trace.arrivals.insert(value, times);
            }
            places.insert(*i, self.run.op(node, from, from + delay + length, call, outcome.clone()));
        }
        for death in &mut self.run.trace.deaths {
            death.unsent = death.unsent.iter().filter_map(|i| places.get(i).copied()).collect();
        }
    }

    /// Lets all nodes agree, and reads each of them.
    fn agree(&mut self) {
        for _ in 0..NODES {
            for node in 0..NODES {
                let from = self.nodes[node].clone();
                self.nodes[(node + 1) % NODES].merge(&from);
            }
        }
        for (node, memory) in self.nodes.iter_mut().enumerate() {
            for look in &self.looks {
                let done = Done { op: usize::MAX, node, call: look.clone(), stamp: memory.stamp(0) };
                let answer = self.data_type.model(&memory.seen, &done);
                for shown in &memory.seen {
                    if let Some(times) = as_value(shown).and_then(|value| self.run.trace.arrivals.get_mut(&value)) {
                        times[node] = times[node].min(20_001_000);
                    }
                }
                self.run.ok(node, 20_000, 20_001, done.call, answer);
            }
        }
    }
}

/// The value that an operation adds.
fn as_value(done: &Done) -> Option<i64> {
    if let Call::Add(value) = done.call { Some(value) } else { None }
}

/// Changes one final answer of a node to a wrong one. False if no answer of it could be wrong.
fn corrupt(run: &mut Run, node: usize) -> bool {
    let data_type = run.settings.workload.data_type();
    let last = run.history.ops.iter_mut().rev().find(|op| op.node == node && op.invoked_us >= 20_000_000);
    let Some(Outcome::Ok { answer }) = last.map(|op| &mut op.outcome) else { return false };
    let Some(wrong) = data_type.corrupted(answer) else { return false };
    *answer = wrong;
    true
}

/// Workloads whose nodes replicate a state.
fn workloads() -> impl Strategy<Value = Workload> {
    let all = Workload::value_variants().iter().copied();
    proptest::sample::select(all.filter(|workload| workload.is_replicated()).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn a_right_system_is_never_invalid(
        steps in steps(),
        seed in any::<u64>(),
        workload in workloads(),
        kill in proptest::option::of((0..NODES, 0_u64..400)),
    ) {
        let run = run(workload, steps, seed, kill);
        let judgement = run.judge();
        prop_assert_ne!(judgement.validity, Validity::Invalid, "{:#?}\n{:#?}", judgement.findings, run.history);
    }

    #[test]
    fn a_node_that_is_wrong_in_the_end_is_always_invalid(
        steps in steps(),
        seed in any::<u64>(),
        workload in workloads(),
        kill in proptest::option::of((0..NODES, 0_u64..400)),
        node in 0..NODES,
    ) {
        let mut run = run(workload, steps, seed, kill);
        if corrupt(&mut run, node) {
            prop_assert_eq!(run.judge().validity, Validity::Invalid, "{:#?}", run.history);
        }
    }
}
