//! The nodes as seen from outside: who is up, who holds what, and what would die with whom.

use std::collections::{BTreeMap, HashMap};

use crate::history::{Answer, Call, Micro, Op};
use crate::settings::{Micros, Settings, Workload};
use crate::trace::{Death, NEVER};

use super::observe::{Rows, Seen};

/// One process life: its place in the list of all lives.
type LifeId = usize;

/// What a message between nodes was seen to carry.
#[derive(Clone, Debug, Default)]
pub(super) struct Carried {
    /// Values of the set.
    values: Vec<i64>,
    /// Of these lives the first so many changes.
    changes: Vec<(LifeId, usize)>,
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
    /// The present process life, or the last.
    life: LifeId,
    /// Lines handed to this life.
    lines: u64,
    /// When it was last stopped, or went on after that: `None` if it never was.
    stopped_us: Option<Micros>,
    /// How many changes of each life it is known to have: those of the lives it has heard of.
    knows: HashMap<LifeId, usize>,
}

/// What one process life changed.
#[derive(Clone, Debug, Default)]
struct Life {
    /// Acknowledged operations that changed something, in order.
    changes: Vec<usize>,
    /// How many of them some message has carried away.
    sent: usize,
}

/// One value that was added.
#[derive(Clone, Debug)]
struct Watched {
    /// The operation that added it.
    op: usize,
    /// When each node first held it.
    at: Vec<Micros>,
    /// Who holds it now.
    holders: Vec<bool>,
    sent: bool,
}

/// All nodes.
#[derive(Debug)]
pub(super) struct Cluster {
    members: Vec<Member>,
    up: usize,
    is_set: bool,
    watched: BTreeMap<i64, Watched>,
    lives: Vec<Life>,
    /// Lives by the name that a node gives them in its messages.
    named: HashMap<(usize, u64), LifeId>,
}

impl Cluster {
    pub(super) fn new(settings: &Settings) -> Self {
        let member =
            |node| Member { state: State::Down, life: node, lines: 0, stopped_us: None, knows: HashMap::new() };
        Self {
            members: (0..settings.nodes).map(member).collect(),
            up: 0,
            is_set: matches!(settings.workload, Workload::Broadcast | Workload::GSet),
            watched: BTreeMap::new(),
            lives: vec![Life::default(); settings.nodes],
            named: HashMap::new(),
        }
    }

    pub(super) fn is_up(&self, node: usize) -> bool {
        self.members[node].state == State::Up
    }

    pub(super) fn is_down(&self, node: usize) -> bool {
        self.members[node].state == State::Down
    }

    /// The number of a node's present process life.
    pub(super) fn life(&self, node: usize) -> LifeId {
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
        let life = self.lives.len();
        self.lives.push(Life::default());
        let member = &mut self.members[node];
        member.state = State::Starting;
        member.life = life;
        member.lines = 0;
        member.knows.clear();
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

    /// A value was invoked by an operation: from now on it is known whose it is.
    pub(super) fn watch(&mut self, value: i64, op: usize) {
        if self.is_set {
            let nodes = self.members.len();
            let unseen = || Watched { op, at: vec![NEVER; nodes], holders: vec![false; nodes], sent: false };
            self.watched.entry(value).or_insert_with(unseen);
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
            for (life, count) in &carried.changes {
                let known = member.knows.entry(*life).or_default();
                *known = (*known).max(*count);
            }
            carried.values.iter().for_each(|value| self.holds(to, *value, now));
        }
        true
    }

    /// A message leaves a node.
    pub(super) fn sends(&mut self, from: usize, seen: Seen) -> Carried {
        for value in &seen.values {
            if let Some(watched) = self.watched.get_mut(value) {
                watched.sent = true;
            }
        }
        let member = &self.members[from];
        if let Some(incarnation) = seen.incarnation {
            self.named.insert((from, incarnation), member.life);
        }
        if self.is_set {
            return Carried { values: seen.values, changes: Vec::new() };
        }
        let known = |life: LifeId| member.knows.get(&life).copied().unwrap_or(0);
        let changes: Vec<(LifeId, usize)> = match seen.rows {
            Rows::Unknown => member.knows.iter().map(|(life, count)| (*life, *count)).collect(),
            Rows::Named(rows) => {
                rows.iter().filter_map(|name| self.named.get(name)).map(|life| (*life, known(*life))).collect()
            }
        };
        for (life, count) in &changes {
            let life = &mut self.lives[*life];
            life.sent = life.sent.max(*count);
        }
        Carried { values: seen.values, changes }
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
            Call::Txn(txn) => txn.iter().any(|micro| matches!(micro, Micro::Write(..))),
            Call::Echo(_) | Call::Generate | Call::Read | Call::KvRead(_) => false,
        };
        if changes {
            let member = &mut self.members[op.node];
            let life = &mut self.lives[member.life];
            life.changes.push(op.index);
            member.knows.insert(member.life, life.changes.len());
        }
        if let Answer::Elements(values) = answer {
            values.iter().for_each(|value| self.holds(op.node, *value, now));
        }
    }

    fn holds(&mut self, node: usize, value: i64, now: Micros) {
        if let Some(watched) = self.watched.get_mut(&value) {
            watched.at[node] = watched.at[node].min(now);
            watched.holders[node] = true;
        }
    }

    /// The process is gone. What no other process is known to hold is named, whoever acknowledged it.
    pub(super) fn kill(&mut self, node: usize, now: Micros) -> Death {
        self.up -= usize::from(self.is_up(node));
        self.members[node].state = State::Down;
        let mut death = Death { at_us: now, node, ..Death::default() };
        for watched in self.watched.values_mut() {
            if std::mem::take(&mut watched.holders[node]) && !watched.holders.contains(&true) {
                let list = if watched.sent { &mut death.undelivered } else { &mut death.unsent };
                list.push(watched.op);
            }
        }
        if !self.is_set {
            self.lose_changes(node, &mut death);
        }
        death.unsent.sort_unstable();
        death.undelivered.sort_unstable();
        death
    }

    fn lose_changes(&mut self, node: usize, death: &mut Death) {
        let knows = std::mem::take(&mut self.members[node].knows);
        for (life, count) in knows {
            let alive = self.members.iter().filter(|other| other.state != State::Down);
            let elsewhere = alive.filter_map(|other| other.knows.get(&life)).max().copied().unwrap_or(0);
            let Life { changes, sent } = &self.lives[life];
            for (place, op) in changes.iter().enumerate().take(count).skip(elsewhere) {
                let list = if place < *sent { &mut death.undelivered } else { &mut death.unsent };
                list.push(*op);
            }
        }
    }

    /// When which value was first held where.
    pub(super) fn take_arrivals(&mut self) -> BTreeMap<i64, Vec<Micros>> {
        std::mem::take(&mut self.watched).into_iter().map(|(value, watched)| (value, watched.at)).collect()
    }
}
