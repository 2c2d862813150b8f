//! What every scheduler works with, and the interface behind which a scheduler stands.

use rand_xorshift::XorShiftRng;

use super::agreement::Agreement;
use super::fanout::{Draw, Sampler, below};
use super::peers::{Peers, Session, Want};
use super::rule::{Rule, Rules};
use super::session::Own;
use super::view::View;
use crate::causality::{Dot, Row, RowId, Rows};
use crate::id::{Members, NodeIndex, mix2};
use crate::output::Wakeup;
use crate::replicated::Lane;
use crate::storage::{Limits, Storage};
use crate::time::Instant;

/// A range of new dots of one row that waits for its push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hot {
    /// The row.
    pub row: RowId,
    /// The range begins after this dot.
    pub from: u64,
    /// The last dot of the range.
    pub to: u64,
    /// The peer that sent it; `None` for a local change.
    pub source: Option<NodeIndex>,
}

impl Hot {
    /// A single change.
    #[must_use]
    pub const fn dot(dot: Dot, source: Option<NodeIndex>) -> Self {
        Self { row: dot.row, from: dot.seq - 1, to: dot.seq, source }
    }
}

/// An acknowledgement: the highest ordinal that was received, and how long ago that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo {
    /// The ordinal.
    pub ord: u32,
    /// Milliseconds from the receipt of that message to the message that carries this echo.
    pub held_ms: u32,
}

/// The part of a header that a scheduler with a relay writes and reads. It is about messages, not about state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// Ordinal of the message among those from its sender to its receiver.
    pub ord: u32,
    /// The newest message that the sender has from the receiver's present session.
    pub echoed: Option<Echo>,
    /// The sender's relay.
    pub relay: Option<NodeIndex>,
    /// Time until the sender's next flush, in milliseconds. Only a message of a flush has it.
    pub flush_ms: Option<u32>,
    /// The sender knows that all members hold its state.
    pub stable: bool,
    /// When written: the sender's vector some time ago is to be added. When read: it was in the message.
    pub old: bool,
    /// How often the first rank was handed on to the next node.
    pub turn: u32,
}

/// A message as it was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// To whom.
    pub to: NodeIndex,
    /// Whether it holds entries.
    pub data: bool,
    /// Whether it is the last of the messages that together hold all that the peer was believed to lack. If something
    /// did not fit, the message says so, and the peer asks for it.
    pub full: bool,
    /// What it asks for.
    pub want: Want,
}

/// What a message from a peer showed, after its entries were merged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    /// The peer.
    pub from: NodeIndex,
    /// The lane of the message.
    pub lane: Lane,
    /// Whether both hold the same state now.
    pub equal: bool,
    /// Whether both have the same view.
    pub same_view: bool,
    /// Whether the message is newer than all that came before it from its sender.
    pub newest: bool,
    /// Whether the sender has to refuse some entries.
    pub refuses: bool,
    /// Whether entries in the message were news here.
    pub news: bool,
    /// Whether the message was cut: more follows when this node has answered.
    pub cut: bool,
    /// Whether the peer knows that all members hold its state.
    pub peer_settled: bool,
    /// Whether the peer has dots that this node lacks and may get by asking.
    pub lacking: bool,
    /// What the peer asks for.
    pub want: Want,
    /// Whether the message held entries.
    pub data: bool,
    /// Whether the peer's digest has dots that this node lacks, whether or not this node can take them.
    pub behind: bool,
    /// Whether the peer has had some of these dots for long.
    pub long_behind: bool,
    /// Whether the message named sessions.
    pub lives: bool,
    /// Whether the peer has rows of which this node has no entry.
    pub unknown: bool,
    /// Whether the message held all that the peer believes this node lacks.
    pub full: bool,
    /// The part of the header that is about messages, if the peer uses strategy `relay`.
    pub control: Option<Control>,
}

/// After a peer has handed over a part of what this node lacks, no other peer is asked for the rest during this time,
/// in milliseconds.
pub(super) const SOURCE_MS: u64 = 5_000;
/// During this time after a refusal a node says that it refuses entries, in milliseconds.
const REFUSED_MS: u64 = 60_000;

/// Whether a rumor is news to a peer: the peer did not send it, and is not known to hold it.
#[must_use]
pub(super) fn is_news_to(hot: &Hot, peer: NodeIndex, vector: &[u64]) -> bool {
    hot.source != Some(peer) && vector.get(hot.row.at()).is_none_or(|known| *known < hot.to)
}

/// Knowledge, randomness and choices that do not depend on the strategy.
#[derive(Clone)]
pub(super) struct Common<S: Storage> {
    /// What is known about each peer, and why to write to it next.
    pub peers: Peers<S>,
    /// Who is known to hold this node's state.
    pub agreement: Agreement<S>,
    /// The members and their newest sessions.
    pub view: View<S>,
    /// This node's session and life.
    pub own: Own,
    /// When an entry of a peer was last refused; `None` once this node has all that some peer has.
    refused_at: Option<Instant>,
    /// The peer that hands over, in parts, what this node lacks; and when the last part came.
    pub(super) source: Option<(NodeIndex, Instant)>,
    pub(super) rules: Rules,
    /// How many peers a round of gossip goes to.
    pub fanout: u8,
    interval_ms: Option<u32>,
    me: NodeIndex,
    sampler: Sampler<S>,
    rng: XorShiftRng,
}

impl<S: Storage> Common<S> {
    /// For a cluster of `nodes`, of which nothing is known yet. This node begins `session`. [`Common::fill`] has to
    /// follow.
    #[must_use]
    #[inline(always)]
    pub(super) fn unfilled(nodes: usize, me: NodeIndex, limits: &Limits, rng: XorShiftRng, session: u64) -> Self {
        Self {
            view: View::unfilled(nodes),
            own: Own::new(session),
            refused_at: None,
            source: None,
            rules: Rules::default(),
            peers: Peers::unfilled(nodes, limits),
            agreement: Agreement::unfilled(nodes, 0),
            fanout: 2,
            interval_ms: None,
            me,
            sampler: Sampler::unfilled(nodes),
            rng,
        }
    }

    /// Fills the tables that are never empty. Called once the node is where it stays in memory.
    pub(super) fn fill(&mut self, members: &Members<S>, limits: &Limits) {
        let nodes = self.agreement.nodes();
        self.view.fill(members);
        self.view.learn(self.me, self.own.session());
        self.peers.fill(nodes, limits);
        self.agreement.fill(self.me);
        self.sampler.fill(nodes, self.me);
    }

    /// Changes fanout and interval.
    pub(super) fn configure(&mut self, fanout: u8, interval_ms: Option<u32>) {
        (self.fanout, self.interval_ms) = (fanout, interval_ms);
    }

    /// Notes this node's digest in short. If the digest or the view has changed, no peer is known to agree any more.
    pub(super) fn refresh(&mut self, sum: u64) {
        self.agreement.refresh(self.me, sum, self.view_name());
    }

    /// The name of the view in which members agree.
    #[must_use]
    pub(super) fn view_name(&self) -> u64 {
        if self.rules.keeps(Rule::Views) { self.view.name() } else { 1 }
    }

    /// Whether a rule is in force.
    #[must_use]
    pub(super) fn keeps(&self, rule: Rule) -> bool {
        self.rules.keeps(rule)
    }

    /// Notes a session of a peer that a message named. True if it is newer than the one known.
    pub(super) fn learn_session(&mut self, peer: NodeIndex, session: u64) -> bool {
        let newer = peer != self.me && self.view.learn(peer, session);
        if newer {
            self.peers.begin_session(peer, session);
        }
        newer
    }

    /// Notes that a message came from a session of a peer.
    pub(super) fn meet(&mut self, peer: NodeIndex, session: u64, now: Instant) -> Session {
        if self.view.session(peer).is_some_and(|known| session < known) {
            return Session::Old;
        }
        let met = if self.learn_session(peer, session) { Session::New } else { Session::Present };
        self.peers.hear(peer, now);
        met
    }

    /// Whether a peer is not known to have this node's view.
    #[must_use]
    pub(super) fn lacks_view(&self, peer: NodeIndex) -> bool {
        self.peers.lacks_view(peer, self.view_name())
    }

    /// A peer has handed over a part of what this node lacks. The first peer that does so is the source: this node asks
    /// it for the rest, and no other peer takes its place meanwhile. True if `from` is the source.
    pub(super) fn handed_over(&mut self, from: NodeIndex, now: Instant) -> bool {
        let goes_on = self.source(now).is_none_or(|source| source == from);
        if goes_on {
            self.source = Some((from, now));
        }
        goes_on
    }

    /// The peer that hands over, in parts, what this node lacks.
    pub(super) fn source(&self, now: Instant) -> Option<NodeIndex> {
        self.source.filter(|(_, at)| now.ms_since(*at) < SOURCE_MS).map(|(source, _)| source)
    }

    /// A message was learned from: `refused` says whether an entry of it was refused, `complete` whether both states
    /// are equal now.
    pub(super) fn note_refusals(&mut self, refused: bool, complete: bool, now: Instant) {
        if refused {
            self.refused_at = Some(now);
        } else if complete {
            self.refused_at = None;
        }
    }

    /// Whether this node refused an entry lately. Peers offer an entry again more often than once a minute, so a node
    /// that still refuses is seen to.
    #[must_use]
    pub(super) fn refuses(&self, now: Instant) -> bool {
        self.refused_at.is_some_and(|at| now.ms_since(at) < REFUSED_MS)
    }

    /// 64 bits that stand for this node's digest and view, as [`Common::refresh`] last saw them.
    #[must_use]
    pub(super) fn key(&self) -> u64 {
        mix2(self.agreement.sum(), self.agreement.view())
    }

    /// Whether all members are known to hold this node's state.
    #[must_use]
    pub(super) fn is_settled(&self) -> bool {
        self.agreement.is_complete()
    }

    /// Whether the cluster has other members.
    #[must_use]
    pub(super) fn has_peers(&self) -> bool {
        self.agreement.nodes() > 1
    }

    /// Draws the next random peer.
    pub(super) fn draw(&mut self, drawn: &mut Draw) -> Option<NodeIndex> {
        self.sampler.draw(drawn, &mut self.rng)
    }

    /// Milliseconds between two rounds, if the configuration has a value.
    #[must_use]
    pub(super) fn chosen_interval(&self) -> Option<u32> {
        self.interval_ms
    }

    /// This node.
    #[must_use]
    pub(super) fn me(&self) -> NodeIndex {
        self.me
    }

    /// Milliseconds between two rounds of a lane.
    #[must_use]
    pub(super) fn interval(&self, lane: Lane) -> u64 {
        u64::from(self.interval_ms.unwrap_or(lane.default_interval_ms()))
    }

    /// `ms`, more or less by up to a quarter.
    pub(super) fn jittered(&mut self, ms: u64) -> u64 {
        let spread = u32::try_from(ms / 2).unwrap_or(u32::MAX - 1);
        (ms - ms / 4 + u64::from(below(&mut self.rng, spread + 1))).max(1)
    }

    /// Whether a peer is not known to hold everything this node holds.
    #[must_use]
    pub(super) fn lacks(&self, peer: NodeIndex, rows: &Rows<S>) -> bool {
        let vector = self.peers.vector(peer).unwrap_or(&[]);
        let known = |row: RowId| vector.get(row.at()).copied().unwrap_or(0);
        !self.agreement.contains(peer) && rows.iter().any(|(id, row)| row.highest() > known(id))
    }

    /// How many of this node's own changes every member is known to hold; `own` have been made so far. O(peers).
    #[must_use]
    pub(super) fn everybody_has(&self, own: u64) -> u64 {
        let nodes = (0..self.agreement.nodes() as u32).map(NodeIndex);
        let acked = |peer| {
            if self.agreement.contains(peer) { own } else { self.peers.own_acked(peer) }
        };
        nodes.filter(|node| *node != self.me).map(acked).min().unwrap_or(own)
    }
}

/// What a peer is assumed to hold because this node sent it: a snapshot of this node's version vector.
#[derive(Clone, Copy, Debug)]
pub(super) struct Assumed<'a> {
    /// For each row, its frontier in each snapshot.
    pub frontiers: &'a [[u64; SNAPSHOTS]],
    /// Which of the snapshots; `None` if nothing is assumed.
    pub at: Option<usize>,
    /// The peer's present life. The peer holds all changes that it made in it.
    pub life: Option<u64>,
}

/// How many snapshots of the version vector a scheduler keeps.
pub(super) const SNAPSHOTS: usize = 4;

impl Assumed<'_> {
    /// The frontier up to which the peer is assumed to hold a row.
    #[must_use]
    pub(super) fn frontier(&self, peer: NodeIndex, id: RowId, row: &Row) -> u64 {
        if row.node == peer && Some(row.incarnation) == self.life {
            return u64::MAX;
        }
        self.at.and_then(|at| self.frontiers.get(id.at())?.get(at).copied()).unwrap_or(0)
    }
}

/// A strategy. It is told what happened, and marks peers in [`Common::peers`] with reasons to write to them. It sees no
/// entry and writes no byte.
pub(super) trait Scheduler<S: Storage> {
    /// The scheduler is in charge of a node from now on, and may write to peers.
    fn start(&mut self, common: &mut Common<S>, began: Began, now: Instant);
    /// Fanout or interval changed. Timers that run are shortened at once.
    fn reconfigured(&mut self, common: &Common<S>, now: Instant);
    /// State or vector changed, by a local change or by an entry of a peer. Others may lack these dots. O(1).
    fn news(&mut self, common: &mut Common<S>, lane: Lane, hot: Hot, now: Instant);
    /// A message from a peer was merged. O(1) for `rumor`; O(rows) for `relay`, which compares vectors.
    fn heard(&mut self, common: &mut Common<S>, heard: Heard, rows: &Rows<S>, now: Instant);
    /// A newer session of a member became known, so the view has changed. The member may be this node.
    fn view_changed(&mut self, common: &mut Common<S>, member: NodeIndex, now: Instant);
    /// When the next timer is due.
    fn next_timeout(&self) -> Option<Wakeup>;
    /// Runs the timers that are due, each once. O(peers), and O(peers * rows) for the flush of a relay.
    fn timeout(&mut self, common: &mut Common<S>, rows: &Rows<S>, now: Instant);
    /// Stops all timers if all members are known to hold this node's state. True if they are.
    fn settle(&mut self, common: &Common<S>) -> bool;
    /// Does at once what the next round would do: `fanout` random peers are chosen, and each is sent what it lacks.
    /// Returns the number of peers chosen and the number of messages that will leave.
    fn round_now(&mut self, common: &mut Common<S>, rows: &Rows<S>, now: Instant) -> (u64, u64);
    /// The input has ended. Everything that waits leaves now, once, and no timer runs any more.
    fn finish(&mut self, common: &mut Common<S>, rows: &Rows<S>, now: Instant);
    /// How many rounds have run.
    fn rounds(&self) -> u64;

    // Functions with a default, which a strategy need not implement.

    /// Whether a timer is due. It is called for every line, so a scheduler that can answer faster than with
    /// [`Scheduler::next_timeout`] does so here.
    #[inline]
    fn is_due(&self, now: Instant) -> bool {
        self.next_timeout().is_some_and(|wakeup| wakeup.at <= now)
    }
    /// The rumors of the push under way, for a strategy that sends some entries before all others.
    /// A strategy that neither has these nor makes assumptions is stuck with a peer that is full: what the peer refuses
    /// is offered first in each message, and the newer changes that make room for it never leave.
    fn hot(&self) -> &[Hot] {
        &[]
    }
    /// All messages to the peers that were marked have been written.
    fn all_sent(&mut self) {}
    /// How many rumors were forgotten because too many waited.
    fn forgotten(&self) -> u64 {
        0
    }
    /// A message was written.
    fn sent(&mut self, common: &mut Common<S>, sent: Sent, sum: u64, rows: &Rows<S>, now: Instant) {
        let _ = (common, sent, sum, rows, now);
    }
    /// A message that shows no effect within this time counts as lost, in microseconds.
    fn patience_us(&self, peer: NodeIndex) -> u64 {
        let _ = peer;
        500_000
    }
    /// The part of the header of a message to a peer that is about messages, not about state.
    fn control(&self, to: NodeIndex, now: Instant) -> Option<Control> {
        let _ = (to, now);
        None
    }
    /// What a peer is assumed to hold because this node sent it, beyond what the peer has shown. `None` if the strategy
    /// never assumes anything: then a push also carries what else the peer lacks.
    fn assumed(&self, common: &Common<S>, peer: NodeIndex) -> Option<Assumed<'_>> {
        let _ = (common, peer);
        None
    }
    /// This node's frontier of a row some time ago.
    fn old_frontier(&self, row: RowId) -> u64 {
        let _ = row;
        0
    }
}

/// Why a scheduler starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Began {
    /// The first message after `init` has arrived.
    Heard,
    /// No message came for a long time, so the node speaks by itself.
    ByItself,
    /// The strategy of a running node was changed. Each peer may lack anything that the node holds.
    Replaced,
}

#[cfg(test)]
mod tests;
