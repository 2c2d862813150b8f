//! The nodes as seen from outside: who is up, who holds which value, and what would die with whom.

use std::collections::BTreeMap;

use crate::history::{Answer, Call, History, Op};
use crate::settings::{Micros, Settings, Workload};
use crate::trace::{Death, NEVER};

/// What a message between nodes was seen to carry.
#[derive(Clone, Debug, Default)]
pub(super) struct Carried {
    /// Values of the set.
    pub values: Vec<i64>,
    /// The sender's life, and how many of its acknowledged operations it had when it sent its own changes; `None` when
    /// the message holds no change of the sender's own.
    pub own: Option<(u32, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Down,
    Starting,
    Up,
}

#[derive(Clone, Debug)]
struct Member {
    state: State,
    /// Number of this process life.
    life: u32,
    /// Lines handed to this life.
    lines: u64,
    /// When it was last stopped, or went on after that: `None` if it never was.
    stopped_us: Option<Micros>,
    /// Operations that this life has acknowledged and that changed something, in order.
    acknowledged: Vec<usize>,
    /// How many of them a message has carried away, and how many of them arrived somewhere.
    sent: usize,
    safe: usize,
}

/// One value that was added: when each node first held it.
#[derive(Clone, Debug)]
struct Watched {
    at: Vec<Micros>,
    sent: bool,
}

/// All nodes.
#[derive(Debug)]
pub(super) struct Cluster {
    members: Vec<Member>,
    up: usize,
    is_set: bool,
    watched: BTreeMap<i64, Watched>,
}

impl Cluster {
    pub(super) fn new(settings: &Settings) -> Self {
        let member = Member { state: State::Down, life: 0, lines: 0, stopped_us: None, acknowledged: Vec::new(), sent: 0, safe: 0 };
        Self {
            members: vec![member; settings.nodes],
            up: 0,
            is_set: matches!(settings.workload, Workload::Broadcast | Workload::GSet),
            watched: BTreeMap::new(),
        }
    }

    pub(super) fn is_up(&self, node: usize) -> bool {
        self.members[node].state == State::Up
    }

    pub(super) fn is_down(&self, node: usize) -> bool {
        self.members[node].state == State::Down
    }

    /// The number of a node's present process life.
    pub(super) fn life(&self, node: usize) -> u32 {
        self.members[node].life
    }

    pub(super) fn up_count(&self) -> usize {
        self.up
    }

    /// Whether the set is what is replicated.
    pub(super) fn is_set(&self) -> bool {
        self.is_set
    }

    /// A new process life begins.
    pub(super) fn start(&mut self, node: usize) {
        let member = &mut self.members[node];
        member.state = State::Starting;
        member.life += 1;
        member.lines = 0;
        member.acknowledged.clear();
        (member.sent, member.safe) = (0, 0);
    }

    /// The node has been introduced.
    pub(super) fn set_up(&mut self, node: usize) {
        if self.members[node].state == State::Starting {
            self.members[node].state = State::Up;
            self.up += 1;
        }
    }

    /// The node is stopped, or goes on.
    pub(super) fn stop_or_go(&mut self, node: usize, now: Micros) {
        self.members[node].stopped_us = Some(now);
    }

    /// Whether the node was stopped at some time since `since`, so that it cannot be blamed for being late.
    pub(super) fn was_stopped_since(&self, node: usize, since: Micros) -> bool {
        self.members[node].stopped_us.is_some_and(|at| at >= since)
    }

    /// Whether a node has been handed anything after `init` in this life.
    pub(super) fn may_talk(&self, node: usize) -> bool {
        self.members[node].lines >= 2
    }

    /// A value was invoked: from now on it is known whose it is.
    pub(super) fn watch(&mut self, value: i64) {
        if self.is_set {
            let nodes = self.members.len();
            self.watched.entry(value).or_insert_with(|| Watched { at: vec![NEVER; nodes], sent: false });
        }
    }

    /// Whether a value was invoked.
    pub(super) fn is_watched(&self, value: i64) -> bool {
        self.watched.contains_key(&value)
    }

    /// A message arrives at a node. False when nobody is there to take it: a process that is down, or a peer's message
    /// before `init` was answered.
    pub(super) fn deliver(&mut self, to: usize, from: Option<usize>, carried: Option<&Carried>, now: Micros) -> bool {
        let member = &mut self.members[to];
        if member.state == State::Down || from.is_some() && member.state == State::Starting {
            return false;
        }
        member.lines += 1;
        if let Some(carried) = carried {
            for value in &carried.values {
                self.holds(to, *value, now);
            }
            if let (Some(from), Some((life, count))) = (from, carried.own) {
                let sender = &mut self.members[from];
                if sender.life == life {
                    sender.safe = sender.safe.max(count);
                }
            }
        }
        true
    }

    /// A message leaves a node.
    pub(super) fn sends(&mut self, from: usize, values: Vec<i64>, has_own: bool) -> Carried {
        for value in &values {
            if let Some(watched) = self.watched.get_mut(value) {
                watched.sent = true;
            }
        }
        let member = &mut self.members[from];
        let own = has_own.then_some((member.life, member.acknowledged.len()));
        if has_own {
            member.sent = member.acknowledged.len();
        }
        Carried { values, own }
    }

    /// What an acknowledgement tells about who holds what.
    pub(super) fn acknowledged(&mut self, op: &Op, answer: &Answer, now: Micros) {
        let changes = match &op.call {
            Call::Add(value) => {
                self.holds(op.node, *value, now);
                true
            }
            Call::Increment(delta) => *delta != 0,
            Call::Write { .. } => true,
            Call::Txn(txn) => txn.iter().any(|micro| matches!(micro, crate::history::Micro::Write(..))),
            Call::Echo(_) | Call::Generate | Call::Read | Call::KvRead(_) => false,
        };
        if changes {
            self.members[op.node].acknowledged.push(op.index);
        }
        if let Answer::Elements(values) = answer {
            values.iter().for_each(|value| self.holds(op.node, *value, now));
        }
    }

    fn holds(&mut self, node: usize, value: i64, now: Micros) {
        if let Some(watched) = self.watched.get_mut(&value) {
            let at = &mut watched.at[node];
            *at = (*at).min(now);
        }
    }

    /// The process is gone. What nobody else is known to have had is named; a value that it held has to arrive anew.
    pub(super) fn kill(&mut self, node: usize, now: Micros, history: &History) -> Death {
        let member = &mut self.members[node];
        self.up -= usize::from(member.state == State::Up);
        member.state = State::Down;
        let mut death = Death { at_us: now, node, ..Death::default() };
        for (place, index) in member.acknowledged.iter().enumerate() {
            let (sent, safe) = match &history.ops[*index].call {
                Call::Add(value) if self.is_set => match self.watched.get(value) {
                    Some(watched) => {
                        let elsewhere = watched.at.iter().enumerate().any(|(other, at)| other != node && *at != NEVER);
                        (watched.sent, elsewhere)
                    }
                    None => (true, true),
                },
                _ => (place < member.sent, place < member.safe),
            };
            match (sent, safe) {
                (_, true) => {}
                (true, false) => death.undelivered.push(*index),
                (false, false) => death.unsent.push(*index),
            }
        }
        death
    }

    /// When which value was first held where.
    pub(super) fn take_arrivals(&mut self) -> BTreeMap<i64, Vec<Micros>> {
        std::mem::take(&mut self.watched).into_iter().map(|(value, watched)| (value, watched.at)).collect()
    }
}
