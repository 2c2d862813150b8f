//! The bench for tests of one rule: one scheduler, and neighbours that exist only as messages.
//!
//! Time passes when a test says so. Each message that the scheduler queues is written at once, and the test gets a list
//! of them.

use rand_core::SeedableRng;
use rand_xorshift::XorShiftRng;
use std::format;
use std::string::String;
use std::vec::Vec;

use super::common::{Began, Common, Control, Heard, Hot, Scheduler, Sent};
use super::peers::{Peers, Want};
use super::rule::Rule;
use crate::causality::{Dot, RowId, Rows};
use crate::id::{Members, NodeIndex};
use crate::replicated::Lane;
use crate::storage::{Small, Storage};
use crate::time::Instant;

/// The session in which every node begins.
pub(super) const SESSION: u64 = 1;

/// One scheduler and what it works with.
pub(super) struct Bench<T> {
    pub(super) scheduler: T,
    pub(super) common: Common<Small>,
    pub(super) rows: Rows<Small>,
    pub(super) now: Instant,
    /// The digest in short: a new number for each state.
    pub(super) sum: u64,
}

/// A message as it was queued and written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    pub(super) at_ms: u64,
    pub(super) to: u32,
    pub(super) lane: Option<Lane>,
    pub(super) want: Want,
    /// Whether it carries waiting rumors.
    pub(super) rumors: bool,
    /// Whether it is to hold all that the peer lacks.
    pub(super) full: bool,
    /// Whether there was anything that the peer was not known to hold.
    pub(super) data: bool,
    pub(super) control: Option<Control>,
}

/// A message that shows another state in the same view, and nothing else.
pub(super) const fn message(from: u32) -> Heard {
    Heard {
        from: NodeIndex(from),
        lane: Lane::Push,
        equal: false,
        same_view: true,
        newest: true,
        refuses: false,
        news: false,
        cut: false,
        peer_settled: false,
        lacking: false,
        want: Want::Nothing,
        data: false,
        behind: false,
        long_behind: false,
        lives: false,
        unknown: false,
        full: false,
        control: None,
    }
}

pub(super) fn members(nodes: usize, me: u32) -> Members<Small> {
    let ids: Vec<String> = (0..nodes).map(|node| format!("n{node:02}")).collect();
    let mut members = Members::new(Small::LIMITS.nodes, Small::LIMITS.id_bytes);
    members.set(&ids[me as usize], ids.iter().map(String::as_str)).unwrap();
    members
}

/// The `Common` of a node, all of whose peers are in their first session. The rules in `off` are switched off.
pub(super) fn common(nodes: usize, me: u32, off: &[Rule]) -> Common<Small> {
    let rng = XorShiftRng::seed_from_u64(1);
    let mut common = Common::unfilled(nodes, NodeIndex(me), &Small::LIMITS, rng, SESSION);
    common.fill(&members(nodes, me), &Small::LIMITS);
    off.iter().for_each(|rule| common.rules.switch_off(*rule));
    for peer in (0..nodes as u32).map(NodeIndex) {
        common.learn_session(peer, SESSION);
    }
    common
}

pub(super) fn peers(nodes: usize) -> Peers<Small> {
    let mut peers = Peers::unfilled(nodes, &Small::LIMITS);
    peers.fill(nodes, &Small::LIMITS);
    peers
}

/// A table in which every node has the row of its first session: the row of node k is row k.
pub(super) fn rows(nodes: usize) -> Rows<Small> {
    let mut rows = Rows::new(Small::LIMITS.rows);
    rows.set_nodes(nodes);
    for node in 0..nodes as u32 {
        rows.find_or_add(NodeIndex(node), SESSION, &format!("n{node:02}")).unwrap();
    }
    rows
}

impl<T: Scheduler<Small>> Bench<T> {
    pub(super) fn new(nodes: usize, me: u32, off: &[Rule], make: impl FnOnce(&Common<Small>) -> T) -> Self {
        let mut common = common(nodes, me, off);
        common.refresh(1);
        let now = Instant::from_millis(1_000_000);
        Self { scheduler: make(&common), common, rows: rows(nodes), now, sum: 1 }
    }

    /// Milliseconds since the beginning.
    pub(super) fn ms(&self) -> u64 {
        self.now.ms_since(Instant::from_millis(1_000_000))
    }

    pub(super) fn start(&mut self) {
        self.scheduler.start(&mut self.common, Began::Heard, self.now);
    }

    /// Node `of` makes a change: this node itself, or a peer (`source` says who told this node of it).
    pub(super) fn change(&mut self, of: u32, source: Option<u32>, lane: Lane) {
        let row = RowId(of);
        let seq = self.rows.get(row).frontier + 1;
        self.rows.mark(Dot { row, seq });
        self.sum += 1;
        self.common.refresh(self.sum);
        let hot = Hot::dot(Dot { row, seq }, source.map(NodeIndex));
        self.scheduler.news(&mut self.common, lane, hot, self.now);
    }

    /// A client changes something here.
    pub(super) fn write(&mut self) {
        self.change(self.common.me().0, None, Lane::Push);
    }

    /// A peer shows that it holds all dots of a row up to `frontier`.
    pub(super) fn shows(&mut self, peer: u32, row: u32, frontier: u64) {
        self.common.peers.learn(NodeIndex(peer), RowId(row), frontier);
    }

    /// A message arrives, and is taken in as a node does it. Returns what is written at once.
    pub(super) fn hear(&mut self, heard: Heard) -> Vec<Message> {
        let from = heard.from;
        let view = self.common.view_name();
        self.common.peers.hear(from, self.now);
        self.common.peers.remember(from);
        if heard.same_view {
            self.common.peers.showed_view(from, view, (view, self.common.view.version()), 0, self.now);
        }
        if heard.equal && heard.same_view {
            self.common.agreement.insert(from);
            self.common.peers.learn_all(from, &self.rows);
        } else if heard.newest {
            self.common.agreement.remove(from);
        }
        if heard.equal && heard.same_view && heard.peer_settled {
            self.common.agreement.join_all();
        }
        self.scheduler.heard(&mut self.common, heard, &self.rows, self.now);
        self.drain()
    }

    /// `ms` pass, and timers run. Returns what is written until then.
    pub(super) fn run(&mut self, ms: u64) -> Vec<Message> {
        let end = self.now.plus_ms(ms);
        let mut written = self.drain();
        let mut steps = 0;
        while let Some(due) = self.scheduler.next_timeout().filter(|due| due.at <= end) {
            steps += 1;
            assert!(steps < 100_000, "a timer that is always due: {due:?}");
            self.now = self.now.max(due.at);
            self.scheduler.timeout(&mut self.common, &self.rows, self.now);
            written.extend(self.drain());
        }
        self.now = end;
        written
    }

    /// Writes what is queued.
    pub(super) fn drain(&mut self) -> Vec<Message> {
        let mut written = Vec::new();
        while let Some((to, why)) = self.common.peers.first() {
            let vector = self.common.peers.vector(to).unwrap_or(&[]);
            let assumed = self.scheduler.assumed(&self.common, to);
            let lacks = self.rows.iter().any(|(id, row)| {
                row.frontier > vector.get(id.at()).copied().unwrap_or(0)
                    && assumed.is_none_or(|assumed| row.frontier > assumed.frontier(to, id, row))
            });
            let data = lacks && (why.rumors || why.delta);
            let control = self.scheduler.control(to, self.now);
            let Self { common, scheduler, rows, now, sum, .. } = self;
            common.peers.told_view(to, common.view_name(), *now);
            common.peers.sent(to, common.key(), *now);
            scheduler.sent(common, Sent { to, data, full: why.delta, want: why.want }, *sum, rows, *now);
            if common.peers.done() {
                scheduler.all_sent();
            }
            written.push(Message {
                at_ms: self.ms(),
                to: to.0,
                lane: why.lane,
                want: why.want,
                rumors: why.rumors,
                full: why.delta,
                data,
                control,
            });
        }
        written
    }
}

/// The receivers of messages, sorted.
pub(super) fn receivers(messages: &[Message]) -> Vec<u32> {
    let mut receivers: Vec<u32> = messages.iter().map(|message| message.to).collect();
    receivers.sort_unstable();
    receivers
}

/// When messages left, in milliseconds since the beginning.
pub(super) fn times(messages: &[Message]) -> Vec<u64> {
    messages.iter().map(|message| message.at_ms).collect()
}
