//! Builds histories by hand, for the tests of the checkers.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use crate::history::{Answer, Call, History, Op, Outcome, Phase};
use crate::judge::judge;
use crate::judgement::{Finding, Judgement, Validity};
use crate::settings::{Micros, SECOND, Settings, Workload};
use crate::trace::{Complaint, Death, FaultChange, FaultEvent, Misdeed, PeerMessage, Trace};

/// A run in the making. Times are in milliseconds.
pub(crate) struct Run {
    pub(crate) settings: Settings,
    pub(crate) history: History,
    pub(crate) trace: Trace,
}

impl Run {
    /// A run of 10 s with a quiet time of 10 s.
    pub(crate) fn new(workload: Workload, nodes: usize) -> Self {
        let settings = Settings { workload, nodes, ..Settings::default() };
        let trace = Trace {
            main_until_us: 10 * SECOND,
            healed_us: 10 * SECOND,
            final_us: 20 * SECOND,
            end_us: 21 * SECOND,
            ..Trace::default()
        };
        Self { settings, history: History::default(), trace }
    }

    /// An operation. Before 20 s it belongs to the main phase, before 20.5 s to the final reads, then to the
    /// inspection.
    pub(crate) fn op(&mut self, node: usize, from: Micros, until: Micros, call: Call, outcome: Outcome) -> usize {
        let phase = match from {
            0..20_000 => Phase::Main,
            20_000..20_500 => Phase::Final,
            _ => Phase::Inspection,
        };
        let index = self.history.ops.len();
        let (invoked_us, completed_us) = (from * 1000, until * 1000);
        self.history.ops.push(Op { index, client: node, node, phase, call, invoked_us, completed_us, outcome });
        index
    }

    pub(crate) fn ok(&mut self, node: usize, from: Micros, until: Micros, call: Call, answer: Answer) -> usize {
        self.op(node, from, until, call, Outcome::Ok { answer })
    }

    /// An operation that was certainly refused.
    pub(crate) fn fail(&mut self, node: usize, from: Micros, call: Call) -> usize {
        self.op(node, from, from + 1, call, Outcome::Fail { code: 11, text: "full".to_owned() })
    }

    /// An operation of unknown outcome.
    pub(crate) fn info(&mut self, node: usize, from: Micros, call: Call) -> usize {
        self.op(node, from, from + 5000, call, Outcome::Info { why: "no reply".to_owned() })
    }

    /// An acknowledged add that arrives everywhere in the next moment.
    pub(crate) fn add(&mut self, node: usize, from: Micros, until: Micros, value: i64) -> usize {
        self.trace.arrivals.insert(value, vec![until * 1000; self.settings.nodes]);
        self.ok(node, from, until, Call::Add(value), Answer::Done)
    }

    pub(crate) fn read(&mut self, node: usize, from: Micros, until: Micros, values: &[i64]) -> usize {
        self.ok(node, from, until, Call::Read, Answer::Elements(values.to_vec().into()))
    }

    /// Final reads of all nodes that show these values.
    pub(crate) fn end(&mut self, values: &[i64]) {
        for node in 0..self.settings.nodes {
            self.read(node, 20_000, 20_001, values);
        }
    }

    pub(crate) fn total(&mut self, node: usize, from: Micros, until: Micros, total: i64) -> usize {
        self.ok(node, from, until, Call::Read, Answer::Total(total))
    }

    pub(crate) fn increment(&mut self, node: usize, from: Micros, delta: i64) -> usize {
        self.ok(node, from, from + 1, Call::Increment(delta), Answer::Done)
    }

    /// Final reads of all nodes that show this total.
    pub(crate) fn end_total(&mut self, total: i64) {
        for node in 0..self.settings.nodes {
            self.total(node, 20_000, 20_001, total);
        }
    }

    pub(crate) fn fault(&mut self, at: Micros, what: FaultChange) {
        self.trace.faults.push(FaultEvent { at_us: at * 1000, what, label: String::new() });
    }

    /// A process is killed. It starts again 1 s later and speaks at once. The operations given may have died with it.
    pub(crate) fn kill(&mut self, node: usize, at: Micros, unsent: &[usize], undelivered: &[usize]) {
        self.fault(at, FaultChange::Kill { node });
        self.fault(at + 1000, FaultChange::Restart { node });
        self.message(at + 1000, node as u32);
        let (unsent, undelivered) = (unsent.to_vec(), undelivered.to_vec());
        self.trace.deaths.push(Death { at_us: at * 1000, node, unsent, undelivered });
    }

    pub(crate) fn complain(&mut self, at: Micros, node: usize, what: Misdeed, detail: &str) {
        self.trace.complaints.push(Complaint { at_us: at * 1000, node, what, detail: detail.to_owned() });
        self.trace.complaints_total += 1;
    }

    /// A message to the next node.
    pub(crate) fn message(&mut self, at: Micros, from: u32) {
        self.trace.messages.push(PeerMessage { sent_us: at * 1000, from, to: from + 1, bytes: 100 });
        self.trace.net.peer_sent += 1;
        self.trace.net.peer_bytes += 100;
    }

    pub(crate) fn judge(&self) -> Judgement {
        judge(&self.settings, &self.history, &self.trace)
    }

    /// What one checker finds.
    pub(crate) fn findings(&self, checker: &str) -> Vec<Finding> {
        let findings = self.judge().findings;
        findings.into_iter().filter(|finding| finding.checker == checker).collect()
    }

    /// The run is valid, and no checker has anything to say.
    #[track_caller]
    pub(crate) fn passes(&self) {
        let judgement = self.judge();
        assert!(judgement.findings.is_empty(), "{:#?}", judgement.findings);
        assert_eq!(judgement.validity, Validity::Valid);
    }

    /// A checker has nothing to say.
    #[track_caller]
    pub(crate) fn is_silent(&self, checker: &str) {
        let findings = self.findings(checker);
        assert!(findings.is_empty(), "{findings:#?}");
    }

    /// A checker finds exactly one thing, of this kind, and its message contains all of this.
    #[track_caller]
    pub(crate) fn finds(&self, checker: &str, validity: Validity, parts: &[&str]) {
        let findings = self.findings(checker);
        let [finding] = findings.as_slice() else { panic!("{checker} should find one thing: {findings:#?}") };
        assert_eq!(finding.validity, validity, "{}", finding.message);
        for part in parts {
            assert!(finding.message.contains(part), "{part:?} is not in {:?}", finding.message);
        }
    }
}

fn outcome(kind: u8, answer: Answer) -> Outcome {
    match kind {
        0 => Outcome::Info { why: String::new() },
        1 => Outcome::Fail { code: 11, text: String::new() },
        _ => Outcome::Ok { answer },
    }
}

prop_compose! {
    /// Adds and reads at three nodes, which may overlap. There are up to 70 elements, so rows have two words. Values
    /// are 0, `stride`, …
    pub(crate) fn histories()(
        stride in prop_oneof![Just(1_i64), Just(-3), Just(1_000_003)],
        ops in proptest::collection::vec((any::<bool>(), 0_u64..40, 0_u8..8, any::<u128>(), any::<bool>(), 0_usize..3), 0..140),
    ) -> History {
        let mut history = History::default();
        let mut next = 0;
        for (index, (add, length, kind, shown, inspect, node)) in ops.into_iter().enumerate() {
            let call = if add { Call::Add(next * stride) } else { Call::Read };
            next += i64::from(add);
            // A read shows some elements that were added, some that will be, and some that nobody adds.
            let values = (0..75).filter(|i| shown >> i & 1 == 1 && *i < next + 3).map(|i| i * stride).collect();
            let answer = if add { Answer::Done } else { Answer::Elements(Vec::into(values)) };
            // Invocations are at whole milliseconds. Completions are in between, and no two at the same time.
            let invoked_us = index as u64 * 1000;
            history.ops.push(Op {
                index,
                client: 0,
                node,
                phase: if inspect && !add { Phase::Inspection } else { Phase::Main },
                call,
                invoked_us,
                completed_us: invoked_us + length * 1000 + 1 + index as u64,
                outcome: outcome(kind, answer),
            });
        }
        history
    }
}
