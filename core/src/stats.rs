//! What a node counts about itself.

/// Counters of one process life. All only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// Lines handled, good and bad.
    pub lines: u64,
    /// Lines that were no message: not JSON, nested too deeply, no envelope.
    pub malformed_lines: u64,
    /// Messages without a usable `src` or `msg_id`, which cannot be answered.
    pub unanswerable: u64,
    /// Messages for another node.
    pub misdelivered: u64,
    /// Answers, which are never answered.
    pub replies_received: u64,
    /// Node-to-node messages from ids outside of the cluster, or from this node itself.
    pub strangers: u64,
    /// Error replies.
    pub errors_sent: u64,
    /// Client `broadcast` requests taken.
    pub broadcasts_received: u64,
    /// `bench_write` requests taken.
    pub bench_writes: u64,
    /// Node-to-node lines sent, one per target.
    pub gossip_messages_sent: u64,
    /// Node-to-node lines received from members.
    pub gossip_messages_received: u64,
    /// Rounds of gossip run: pushes, ticks and exchanges of digests.
    pub gossip_rounds: u64,
    /// Entries from peers that were news.
    pub entries_applied: u64,
    /// Entries from peers that were known or superseded.
    pub entries_known: u64,
    /// Entries from peers that found a table full; they will be offered again.
    pub refused_full: u64,
    /// Entries from peers stamped too far ahead of the local clock; they will be offered again.
    pub refused_clock_ahead: u64,
    /// Entries from peers that no data type can read.
    pub refused_unreadable: u64,
    /// Entries and rows from peers of one life too many, or of no member.
    pub refused_rows: u64,
    /// Entries from peers that were too far beyond the frontier of their row; they will be offered again.
    pub too_far_ahead: u64,
    /// Claims to changes of this very life of this node.
    pub impostors: u64,
    /// Messages of an older life of their sender than the newest known.
    pub old_lives: u64,
    /// Rumors forgotten because too many waited; anti-entropy repairs that.
    pub rumors_forgotten: u64,
    /// Times that a peer with the same version vector held different state, and was sent everything.
    pub repairs: u64,
    /// Messages that the caller's sink did not take.
    pub sink_full: u64,
}
