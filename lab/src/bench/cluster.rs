//! The nodes as seen from outside: which are up, what each of them holds, and what would be lost with each of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::history::{Answer, Call, Elements, Op};
use crate::settings::{Micros, Settings, Workload};
use crate::trace::{Death, NEVER};
use crate::workload::Effect;

use super::observe::{Rows, Seen, Stretch};

/// A process that was stopped for about four seconds drops what waited for it meanwhile. It drops nothing if it was
/// stopped for less than this.
const MAY_DROP_US: Micros = 3_750_000;

/// One process life: its place in the list of all lives.
type LifeId = usize;

/// What a message between nodes was seen to carry.
#[derive(Clone, Debug, Default)]
pub(super) struct Carried {
    /// Values that are followed.
    values: Vec<i64>,
    /// Stretches of changes, each with the life that made them.
    stretches: Vec<(LifeId, Stretch)>,
    /// If stretches cannot be seen: for each life how many of its acknowledged operations, from the first.
    counts: Vec<(LifeId, usize)>,
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
    /// The present process life, or the last one of a node that is down.
    life: LifeId,
    /// Lines handed to this life.
    lines: u64,
    /// When the first of these lines was handed over.
    first_us: Micros,
    /// Whether the lab has stopped reading what this life prints.
    muted: bool,
    /// The longest list of values that this life has shown.
    listed: Option<Elements>,
    /// Since when the process is stopped, if it is.
    paused_us: Option<Micros>,
    /// What the messages carry that wait for a stopped process. It is not known yet whether the process will read them.
    waiting: Vec<Arc<Carried>>,
    /// When the process was last stopped or went on. `None` if it was never stopped.
    stopped_us: Option<Micros>,
    /// For each life that the node has heard of: which of its changes the node is known to have.
    knows: HashMap<LifeId, Known>,
}

/// Which changes of a life a node is known to have.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// The number of changes from the first one without a gap, as the life numbers them. Changes beyond a gap do not
    /// count.
    seq: u64,
    /// The last of these changes that reached the node itself. Those after it were superseded by something that the
    /// node may not have.
    shown: u64,
    /// If the numbers cannot be seen: how many of the acknowledged operations, from the first.
    count: usize,
}

/// What one process life changed.
#[derive(Clone, Debug, Default)]
struct Life {
    /// Its acknowledged operations that changed something, in order.
    changes: Vec<usize>,
    /// How many of these operations, from the first, some message has carried away.
    sent: usize,
    /// What the messages of this life have said: the number of its latest change, with the operations acknowledged by
    /// then.
    marks: Vec<(u64, usize)>,
}

impl Life {
    /// How many acknowledged operations are among the first `seq` changes, as far as the messages of the life have
    /// said.
    fn count(&self, seq: u64) -> usize {
        let after = self.marks.partition_point(|(mark, _)| *mark <= seq);
        after.checked_sub(1).map_or(0, |at| self.marks[at].1)
    }

    fn acknowledged_to(&self, known: Known) -> usize {
        known.count.max(self.count(known.shown))
    }
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

/// A node may speak by itself after this time, counted from `init`. By then every node of a run is up.
const ALL_UP_US: Micros = 12_000_000;

/// All nodes.
#[derive(Debug)]
pub(super) struct Cluster {
    members: Vec<Member>,
    up: usize,
    workload: Workload,
    /// Whether values are followed from node to node.
    follows: bool,
    watched: BTreeMap<i64, Watched>,
    lives: Vec<Life>,
    /// Lives by the name that a node gives them in its messages.
    named: HashMap<(usize, u64), LifeId>,
}

impl Cluster {
    pub(super) fn new(settings: &Settings) -> Self {
        let member = |node| Member {
            state: State::Down,
            life: node,
            lines: 0,
            first_us: 0,
            muted: false,
            listed: None,
            paused_us: None,
            waiting: Vec::new(),
            stopped_us: None,
            knows: HashMap::new(),
        };
        Self {
            members: (0..settings.nodes).map(member).collect(),
            up: 0,
            workload: settings.workload,
            follows: settings.workload.data_type().follows_values(),
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

    /// Whether values are followed from node to node.
    pub(super) fn follows_values(&self) -> bool {
        self.follows
    }

    /// A new process life begins.
    pub(super) fn start(&mut self, node: usize) {
        let life = self.lives.len();
        self.lives.push(Life::default());
        let member = &mut self.members[node];
        member.state = State::Starting;
        member.life = life;
        member.lines = 0;
        member.muted = false;
        member.listed = None;
        member.knows.clear();
    }

    /// The node has been introduced.
    pub(super) fn set_up(&mut self, node: usize) {
        if self.members[node].state == State::Starting {
            self.members[node].state = State::Up;
            self.up += 1;
        }
    }

    /// The lab stops reading what the present life prints.
    pub(super) fn mute(&mut self, node: usize) {
        self.members[node].muted = true;
    }

    /// Whether the lab has stopped reading what the present life prints.
    pub(super) fn is_muted(&self, node: usize) -> bool {
        self.members[node].muted
    }

    /// The node is stopped.
    pub(super) fn pause(&mut self, node: usize, now: Micros) {
        self.members[node].stopped_us = Some(now);
        self.members[node].paused_us = Some(now);
    }

    /// The node goes on. If it was stopped for long, it may have dropped what waited, so it does not count as having
    /// it.
    pub(super) fn resume(&mut self, node: usize, now: Micros) {
        let member = &mut self.members[node];
        member.stopped_us = Some(now);
        let stood_us = now - member.paused_us.take().unwrap_or(now);
        let waiting = std::mem::take(&mut member.waiting);
        if stood_us < MAY_DROP_US {
            waiting.iter().for_each(|carried| self.takes(node, carried, now));
        }
    }

    /// Whether the node was stopped at some time since `since`, so that it cannot be blamed for being late.
    pub(super) fn was_stopped_since(&self, node: usize, since: Micros) -> bool {
        self.members[node].stopped_us.is_some_and(|at| at >= since)
    }

    /// Whether a node may speak to its peers. It may after it was handed a line beyond `init` in this life, or when
    /// enough time has passed since `init`.
    pub(super) fn may_talk(&self, node: usize, now: Micros) -> bool {
        let Member { lines, first_us, .. } = self.members[node];
        lines >= 2 || (lines == 1 && now >= first_us + ALL_UP_US)
    }

    /// An operation that adds a value is invoked. From now on the value is followed.
    pub(super) fn watch(&mut self, value: i64, op: usize) {
        if self.follows {
            let nodes = self.members.len();
            let unseen = || Watched { op, at: vec![NEVER; nodes], holders: vec![false; nodes], sent: false };
            self.watched.entry(value).or_insert_with(unseen);
        }
    }

    /// A message arrives at a node. It is false if the node cannot take it: its process is down, or the message is from
    /// a peer and the node has not answered `init` yet.
    pub(super) fn deliver(
        &mut self,
        to: usize,
        from: Option<usize>,
        carried: Option<&Arc<Carried>>,
        now: Micros,
    ) -> bool {
        let member = &mut self.members[to];
        if member.state == State::Down || from.is_some() && member.state == State::Starting {
            return false;
        }
        member.lines += 1;
        if member.lines == 1 {
            member.first_us = now;
        }
        match carried {
            Some(carried) if member.paused_us.is_some() => member.waiting.push(Arc::clone(carried)),
            Some(carried) => self.takes(to, carried, now),
            None => {}
        }
        true
    }

    /// A node reads what a message carries.
    fn takes(&mut self, to: usize, carried: &Carried, now: Micros) {
        let member = &mut self.members[to];
        for (life, stretch) in &carried.stretches {
            let known = member.knows.entry(*life).or_default();
            if known.seq >= stretch.from {
                known.seq = known.seq.max(stretch.to);
                known.shown = known.shown.max(stretch.shown);
            }
        }
        for (life, count) in &carried.counts {
            let known = member.knows.entry(*life).or_default();
            known.count = known.count.max(*count);
        }
        carried.values.iter().for_each(|value| self.holds(to, *value, now));
    }

    /// A message leaves a node.
    pub(super) fn sends(&mut self, from: usize, seen: Seen) -> Carried {
        for value in &seen.values {
            if let Some(watched) = self.watched.get_mut(value) {
                watched.sent = true;
            }
        }
        let member = &self.members[from];
        let own = &mut self.lives[member.life];
        if let Some(incarnation) = seen.incarnation {
            self.named.insert((from, incarnation), member.life);
        }
        if let Some(seq) = seen.own_seq.filter(|seq| own.marks.last().is_none_or(|(last, _)| last < seq)) {
            own.marks.push((seq, own.changes.len()));
        }
        let mut carried = Carried { values: seen.values, ..Carried::default() };
        if self.follows {
            return carried;
        }
        match seen.rows {
            Rows::Unknown => {
                carried.counts = member.knows.iter().map(|(life, known)| (*life, known.count)).collect();
            }
            Rows::Named(rows) => {
                let known = rows.iter().filter_map(|row| Some((*self.named.get(&(row.node, row.incarnation))?, *row)));
                carried.stretches = known.collect();
            }
        }
        for (life, count) in &carried.counts {
            self.lives[*life].sent = self.lives[*life].sent.max(*count);
        }
        for (life, stretch) in &carried.stretches {
            let life = &mut self.lives[*life];
            life.sent = life.sent.max(life.count(stretch.shown));
        }
        carried
    }

    /// A node listed its values. Returns the list, in shared memory with earlier lists of this life, and how many of
    /// its values those had.
    pub(super) fn listed(&mut self, node: usize, values: Elements) -> (Elements, usize) {
        let member = &mut self.members[node];
        let Some(before) = &member.listed else {
            member.listed = Some(values.clone());
            return (values, 0);
        };
        let values = values.after(before);
        let known = if values.shares_with(before) { before.len().min(values.len()) } else { 0 };
        if known == 0 || values.len() > before.len() {
            member.listed = Some(values.clone());
        }
        (values, known)
    }

    /// Notes what an acknowledgement tells about the values and changes that a node holds.
    pub(super) fn acknowledged(&mut self, op: &Op, answer: &Answer, known: usize, now: Micros) {
        if let Call::Add(value) = op.call {
            self.holds(op.node, value, now);
        }
        if self.workload.data_type().effect(&op.call) == Effect::Changes {
            let member = &mut self.members[op.node];
            let life = &mut self.lives[member.life];
            life.changes.push(op.index);
            member.knows.entry(member.life).or_default().count = life.changes.len();
        }
        if let Answer::Elements(values) = answer {
            let news = values.with(|values| values[known.min(values.len())..].to_vec());
            news.into_iter().for_each(|value| self.holds(op.node, value, now));
        }
    }

    fn holds(&mut self, node: usize, value: i64, now: Micros) {
        if let Some(watched) = self.watched.get_mut(&value) {
            watched.at[node] = watched.at[node].min(now);
            watched.holders[node] = true;
        }
    }

    /// The process is gone. The death names all operations that no other process is known to hold, whichever node had
    /// acknowledged them.
    pub(super) fn kill(&mut self, node: usize, now: Micros) -> Death {
        self.up -= usize::from(self.is_up(node));
        self.members[node].state = State::Down;
        self.members[node].paused_us = None;
        self.members[node].waiting.clear();
        let mut death = Death { at_us: now, node, ..Death::default() };
        for watched in self.watched.values_mut() {
            if std::mem::take(&mut watched.holders[node]) && !watched.holders.contains(&true) {
                let list = if watched.sent { &mut death.undelivered } else { &mut death.unsent };
                list.push(watched.op);
            }
        }
        if !self.follows {
            self.lose_changes(node, &mut death);
        }
        death.unsent.sort_unstable();
        death.undelivered.sort_unstable();
        death
    }

    fn lose_changes(&mut self, node: usize, death: &mut Death) {
        let knows = std::mem::take(&mut self.members[node].knows);
        for (at, known) in knows {
            let life = &self.lives[at];
            let alive = self.members.iter().filter(|other| other.state != State::Down);
            let elsewhere = alive.filter_map(|other| other.knows.get(&at)).map(|known| life.acknowledged_to(*known));
            let (here, elsewhere) = (life.acknowledged_to(known), elsewhere.max().unwrap_or(0));
            for (place, op) in life.changes.iter().enumerate().take(here).skip(elsewhere) {
                let list = if place < life.sent { &mut death.undelivered } else { &mut death.unsent };
                list.push(*op);
            }
        }
    }

    /// When each value was first held by each node.
    pub(super) fn take_arrivals(&mut self) -> BTreeMap<i64, Vec<Micros>> {
        std::mem::take(&mut self.watched).into_iter().map(|(value, watched)| (value, watched.at)).collect()
    }
}
