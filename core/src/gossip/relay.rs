//! Strategy `relay`: one node, the relay, gathers changes from all and sends them to all. Any node can be the relay.
//!
//! - The *relay* of a node is the lowest-ranked member that it does not suspect, itself included. A node that is its
//!   own relay is a *root*. A node sends up to its relay (*uplink*), and down (*flush*) to its *children*, the peers
//!   whose latest message named it as their relay. A root sends down to all peers that it does not suspect.
//! - Flushes are an interval apart. Uplinks are timed to arrive just before a flush. Both carry acknowledgements.
//! - *Suspicion*: a peer that does not acknowledge entries is asked, and then suspected. Probes and random digests find
//!   out when it can be reached again.
//! - *Silence*: a node that knows that all members hold its state says so once to each peer that it sends down to. Then
//!   no node has anything left to say. A new session asks until it knows that.
//!
//! The parts: `tree` has the rules of a cluster without faults, `watch` those that faults need, `quiet` those for the
//! end of traffic.

mod link;
mod quiet;
mod snapshots;
mod tree;
mod watch;

use super::common::{Assumed, Began, Common, Control, Heard, Hot, SOURCE_MS, Scheduler, Sent};
use super::peers::{Pending, Want};
use super::rule::{Rule, Rules};
use crate::causality::{RowId, Rows};
use crate::id::NodeIndex;
use crate::output::{Timer, Wakeup};
use crate::replicated::Lane;
use crate::storage::{Buf, Limits, Storage};
use crate::time::Instant;

use link::{Link, NEVER, Path, after, since};
use snapshots::{Aged, Snapshots};

/// Milliseconds between two flushes, unless the configuration has a value.
const INTERVAL_MS: u32 = 460;
/// How much longer than an interval the acknowledgement of a flush may take, in microseconds.
const PATIENCE_US: u64 = 1_000_000;
/// How long a node waits after the first message that follows `init` before it asks a peer for anything, in
/// microseconds.
const FIRST_ASK_US: u64 = 1_000_000;
/// `SOURCE_MS`, in microseconds.
const SOURCE_US: u64 = SOURCE_MS * 1_000;
/// The longest pause between two attempts of any kind, in microseconds.
const LONGEST_US: u64 = 30_000_000;
/// A root hands the first rank on after this many flushes.
const FLUSHES_PER_TURN: u32 = 64;
/// How many messages may be sent at once, when one after the other is cut.
const BURST: u8 = 6;

/// The scheduler of strategy `relay`.
#[derive(Clone)]
pub(super) struct Relay<S: Storage> {
    links: S::PerNode<Link>,
    snapshots: Snapshots<S>,
    aged: Aged<S>,
    me: NodeIndex,
    interval_us: u64,
    /// How often the first rank was handed on.
    turn: u32,
    /// The first rank was handed on just now: the change of relay that follows is planned.
    handed_on: bool,
    /// This node's relay: for a root it is the node itself.
    relay: NodeIndex,
    uplink: Uplink,
    flush: Flush,
    watch: Watch,
    quiet: Quiet,
    /// The round trip over all peers. It stands for that of peers without samples.
    path: Path,
    /// When [`Relay::look`] has to run because something happened.
    look_at: Instant,
    /// A lower bound of the deadlines of all links: before it no link has to be looked at.
    links_at: Instant,
    /// When a new session asks a peer for what it lacks, and the pause before it asks again.
    ask_at: Instant,
    ask_pause_us: u64,
    rounds: u64,
    rules: Rules,
    finished: bool,
}

/// Messages up to the relay.
#[derive(Clone)]
struct Uplink {
    /// When the next message to the relay leaves.
    slot: Instant,
    /// Whether there may be something to send up.
    dirty: bool,
    /// The relay is new: the uplink does not wait for its flush.
    urgent: bool,
    /// When the last flush of the relay came.
    down_at: Option<Instant>,
    /// The time from that flush to its next one, as the relay said.
    next_us: u64,
}

/// Messages down to children, or from a root to all.
#[derive(Clone)]
struct Flush {
    /// When the next flush leaves.
    at: Instant,
    /// Whether some peer may lack something.
    dirty: bool,
    last: Option<Instant>,
    /// Flushes since this node became the root.
    count: u32,
}

/// Suspected peers, and when they are probed.
#[derive(Clone)]
struct Watch {
    suspects: usize,
    last_suspicion: Instant,
    probe_at: Instant,
    probe_pause_us: u64,
    /// The peer that was probed last.
    cursor: u32,
    /// When all suspects were probed at once.
    all_at: Instant,
    /// All suspects are to be probed at once again, as soon as that is allowed.
    all_wanted: bool,
    digest_at: Instant,
    digest_pause_us: u64,
}

/// Knowledge about the end of traffic.
#[derive(Clone)]
struct Quiet {
    last_change: Instant,
    stable: bool,
    /// Some peer may have to be told that all members agree.
    tell: bool,
    ask_at: Instant,
    ask_pause_us: u64,
}

impl<S: Storage> Relay<S> {
    /// A scheduler for a cluster of `nodes`, to which nothing has happened yet. [`Relay::fill`] has to follow.
    #[must_use]
    #[inline(always)]
    pub(super) fn unfilled(nodes: usize, me: NodeIndex, limits: &Limits, rules: Rules) -> Self {
        Self {
            links: S::PerNode::with_limit(nodes),
            snapshots: Snapshots::new(limits.rows),
            aged: Aged::new(limits.rows),
            me,
            interval_us: u64::from(INTERVAL_MS) * 1_000,
            turn: 0,
            handed_on: false,
            relay: NodeIndex(0),
            uplink: Uplink { slot: NEVER, dirty: false, urgent: false, down_at: None, next_us: 0 },
            flush: Flush { at: NEVER, dirty: false, last: None, count: 0 },
            watch: Watch {
                suspects: 0,
                last_suspicion: Instant::ZERO,
                probe_at: NEVER,
                probe_pause_us: 0,
                cursor: 0,
                all_at: Instant::ZERO,
                all_wanted: false,
                digest_at: NEVER,
                digest_pause_us: 0,
            },
            quiet: Quiet { last_change: Instant::ZERO, stable: false, tell: false, ask_at: NEVER, ask_pause_us: 0 },
            path: Path::default(),
            look_at: NEVER,
            links_at: NEVER,
            ask_at: NEVER,
            ask_pause_us: FIRST_ASK_US,
            rounds: 0,
            rules,
            finished: false,
        }
    }

    /// Fills the table of peers. Called once the node is where it stays in memory.
    pub(super) fn fill(&mut self, nodes: usize) {
        self.links.fill_to(nodes, Link::STRANGER);
    }

    /// Switches a rule off.
    pub(super) fn switch_off(&mut self, rule: Rule) {
        self.rules.switch_off(rule);
    }

    fn keeps(&self, rule: Rule) -> bool {
        self.rules.keeps(rule)
    }

    fn nodes(&self) -> u32 {
        self.links.len() as u32
    }

    fn peers(&self) -> impl Iterator<Item = NodeIndex> + use<S> {
        let me = self.me;
        (0..self.nodes()).map(NodeIndex).filter(move |peer| *peer != me)
    }

    fn link(&self, peer: NodeIndex) -> &Link {
        &self.links[peer.at()]
    }

    fn link_mut(&mut self, peer: NodeIndex) -> &mut Link {
        &mut self.links[peer.at()]
    }

    /// The round trip to a peer.
    fn path(&self, peer: NodeIndex) -> Path {
        let path = self.link(peer).path;
        if path.is_measured() { path } else { self.path }
    }

    /// How long the acknowledgement of a flush may take, in microseconds.
    fn acknowledged_us(&self) -> u64 {
        self.interval_us + PATIENCE_US
    }

    fn is_root(&self) -> bool {
        self.relay == self.me
    }

    /// Looks at what has happened, and decides what follows. O(1) if there is nothing to decide.
    fn look(&mut self, common: &mut Common<S>, rows: &Rows<S>, now: Instant) {
        self.look_at = NEVER;
        self.choose_relay(common, now);
        self.aged.keep(rows, self.old_us(), now);
        self.look_down(common, rows, now);
        self.look_up(common, rows, now);
        self.look_for_suspects(common, now);
        self.look_for_silence(common, now);
    }

    /// Queues a message without entries.
    fn write(common: &mut Common<S>, to: NodeIndex, want: Want) {
        common.peers.want_to_send(to, Pending { want, lane: Some(Lane::Push), ..Pending::default() });
    }

    /// Queues a message with all that the peer is believed to lack.
    fn write_full(common: &mut Common<S>, to: NodeIndex, want: Want) {
        let why = Pending { want, lane: Some(Lane::Push), delta: true, burst: BURST, ..Pending::default() };
        common.peers.want_to_send(to, why);
    }

    /// Whether a peer is believed to lack an entry, or only the session of some member. O(rows).
    fn lacks(&self, common: &Common<S>, rows: &Rows<S>, peer: NodeIndex) -> bool {
        if common.peers.is_untold(peer, common.view_name()) {
            return true;
        }
        let sum = common.agreement.sum();
        if common.agreement.contains(peer) || self.snapshots.is_of(self.link(peer).snapshot, sum) {
            return false;
        }
        let assumed = self.assumed_of(common, peer);
        let vector = common.peers.vector(peer).unwrap_or(&[]);
        let shown = |id: RowId| vector.get(id.at()).copied().unwrap_or(0);
        rows.iter().any(|(id, row)| row.frontier > shown(id) && row.frontier > assumed.frontier(peer, id, row))
    }

    fn assumed_of(&self, common: &Common<S>, peer: NodeIndex) -> Assumed<'_> {
        Assumed {
            frontiers: self.snapshots.frontiers(),
            at: self.snapshots.place(self.link(peer).snapshot),
            life: common.peers.life(peer),
        }
    }

    /// A new session asks random peers that do not agree with it for what it lacks, at growing intervals, until it is
    /// settled. It does not ask while it is in touch with its relay, which knows of it and sends what it lacks, nor
    /// while it sends random digests, which ask as well.
    fn ask_anybody(&mut self, common: &mut Common<S>, now: Instant) {
        self.ask_at = NEVER;
        if common.is_settled() {
            return;
        }
        if !self.is_in_touch(now) && self.watch.digest_at == NEVER && common.source(now).is_none() {
            let mut draw = super::fanout::Draw::default();
            while let Some(peer) = common.draw(&mut draw) {
                if !common.agreement.contains(peer) {
                    Self::write(common, peer, Want::Gap);
                    break;
                }
            }
            self.ask_pause_us = (2 * self.ask_pause_us).min(LONGEST_US);
        }
        self.ask_at = after(now, self.ask_pause_us);
    }

    /// Whether this node exchanges messages with its relay, or is about to; for a root, with any peer.
    fn is_in_touch(&self, now: Instant) -> bool {
        // A peer that has nothing else to say answers within the time for an acknowledgement.
        let lately = |link: &Link| link.heard_ord > 0 && since(now, link.heard_at) <= 2 * self.acknowledged_us();
        if self.is_root() {
            return self.flush.at != NEVER || self.links.iter().any(lately);
        }
        self.uplink.slot != NEVER || lately(self.link(self.relay))
    }

    fn timers(&self) -> [Instant; 8] {
        [
            self.look_at,
            self.links_at,
            self.ask_at,
            self.uplink.slot,
            self.flush.at,
            self.watch.probe_at,
            self.watch.digest_at,
            self.quiet.ask_at,
        ]
    }
}

impl<S: Storage> Scheduler<S> for Relay<S> {
    fn start(&mut self, common: &mut Common<S>, began: Began, now: Instant) {
        self.reconfigured(common, now);
        if !common.has_peers() {
            return;
        }
        self.no_longer_stable(now);
        self.ask_at = if began == Began::ByItself { now } else { after(now, FIRST_ASK_US) };
        if began == Began::Replaced {
            self.changed(common, now);
        }
    }

    fn reconfigured(&mut self, common: &Common<S>, now: Instant) {
        self.interval_us = u64::from(common.chosen_interval().unwrap_or(INTERVAL_MS)) * 1_000;
        let latest = after(now, self.interval_us);
        for timer in [&mut self.uplink.slot, &mut self.flush.at] {
            if *timer != NEVER {
                *timer = latest.min(*timer);
            }
        }
    }

    #[inline]
    fn news(&mut self, common: &mut Common<S>, _: Lane, _: Hot, now: Instant) {
        // If the scheduler is to look already, nothing is left to arrange.
        let arranged = !self.quiet.stable && now <= self.quiet.last_change && self.look_at != NEVER;
        if !arranged && common.has_peers() {
            self.changed(common, now);
        }
    }

    fn heard(&mut self, common: &mut Common<S>, heard: Heard, rows: &Rows<S>, now: Instant) {
        if !self.keeps(Rule::Asking) {
            self.ask_at = NEVER;
        }
        if heard.news && heard.cut {
            common.handed_over(heard.from, now);
        }
        if heard.newest {
            let unfit = heard.refuses && self.keeps(Rule::FitRelay);
            self.link_mut(heard.from).unfit = unfit;
        }
        self.clear_suspicion(common, heard.from, now);
        self.hear_control(common, &heard, rows, now);
        // The relay is chosen before the message is read further: its word `stable` counts only from the relay.
        self.choose_relay(common, now);
        self.hear_data(&heard, now);
        self.hear_stable(common, &heard);
        self.hear_gaps(common, &heard, rows, now);
        self.hear_questions(common, &heard, now);
        self.look(common, rows, now);
    }

    fn view_changed(&mut self, common: &mut Common<S>, member: NodeIndex, now: Instant) {
        if member == common.me() {
            // Echoes that were meant for the session before do not count any more.
            self.links.iter_mut().for_each(Link::forget_echoes);
            self.changed(common, now);
        } else {
            self.link_mut(member).reborn();
            self.flush.dirty = true;
            self.uplink.dirty = true;
            self.no_longer_stable(now);
        }
        self.look_at = now;
    }

    #[inline]
    fn next_timeout(&self) -> Option<Wakeup> {
        let at = self.timers().into_iter().min().filter(|at| *at != NEVER && !self.finished)?;
        Some(Wakeup { at, why: Timer::Relay })
    }

    #[inline]
    fn is_due(&self, now: Instant) -> bool {
        !self.finished && self.timers().into_iter().any(|at| at <= now)
    }

    fn timeout(&mut self, common: &mut Common<S>, rows: &Rows<S>, now: Instant) {
        if self.links_at <= now {
            self.links_due(common, rows, now);
        }
        if self.ask_at <= now {
            self.ask_anybody(common, now);
        }
        if self.watch.probe_at <= now {
            self.probe(common, now);
        }
        if self.watch.digest_at <= now {
            self.random_digest(common, now);
        }
        if self.quiet.ask_at <= now {
            self.ask_for_silence(common, now);
        }
        self.look(common, rows, now);
    }

    fn settle(&mut self, common: &Common<S>) -> bool {
        common.is_settled()
    }

    fn round_now(&mut self, common: &mut Common<S>, rows: &Rows<S>, now: Instant) -> (u64, u64) {
        let mut chosen = 0;
        let mut sent = 0;
        for peer in self.peers() {
            if self.is_target(peer) || peer == self.relay {
                chosen += 1;
                sent += u64::from(self.lacks(common, rows, peer));
            }
        }
        self.leave_now(common, rows, now);
        (chosen, sent)
    }

    fn finish(&mut self, common: &mut Common<S>, rows: &Rows<S>, now: Instant) {
        self.leave_now(common, rows, now);
        self.finished = true;
    }

    fn patience_us(&self, peer: NodeIndex) -> u64 {
        let path = self.path(peer);
        path.rtt_us() + 2 * path.var_us()
    }

    fn control(&self, to: NodeIndex, now: Instant) -> Option<Control> {
        let link = self.link(to);
        let next_flush = self.flush.last.map_or(NEVER, |last| after(last, self.interval_us));
        let flush_ms = u32::try_from(since(next_flush, now).saturating_add(500) / 1_000).unwrap_or(u32::MAX);
        Some(Control {
            ord: link.next_ord(),
            echoed: link.echo(now),
            relay: Some(self.relay),
            flush_ms: link.flushed.then_some(flush_ms),
            stable: self.quiet.stable && self.is_target(to),
            old: link.random,
            turn: self.turn,
        })
    }

    fn assumed(&self, common: &Common<S>, peer: NodeIndex) -> Option<Assumed<'_>> {
        Some(self.assumed_of(common, peer))
    }

    fn old_frontier(&self, row: RowId) -> u64 {
        self.aged.frontier(row)
    }

    fn sent(&mut self, _: &mut Common<S>, sent: Sent, sum: u64, rows: &Rows<S>, now: Instant) {
        let Sent { to, data, full, want } = sent;
        let snapshot = if full { self.snapshots.take(sum, rows) } else { 0 };
        let hold_us = if want == Want::Nothing { self.hold_us(to) } else { 0 };
        let deadline = after(now, hold_us + self.path(to).rto_us());
        let watched = self.is_watched(to);
        let told = self.quiet.stable && self.is_target(to);
        let link = self.link_mut(to);
        link.leaves(now);
        link.ack_due = NEVER;
        link.unanswered = false;
        link.flushed = false;
        link.random = false;
        link.told |= told;
        if full {
            link.snapshot = snapshot;
        }
        if data {
            link.data_ord = link.sent_ord;
            link.data_at = now;
        }
        if watched && (data || want != Want::Nothing) && link.deadline == NEVER {
            link.deadline = deadline;
            link.awaited_ord = link.sent_ord;
        }
        self.links_at = self.links_at.min(self.link(to).deadline);
        if to == self.relay && full {
            self.uplink.slot = NEVER;
            self.uplink.urgent = false;
        }
    }

    fn rounds(&self) -> u64 {
        self.rounds
    }
}

#[cfg(test)]
mod tests;
