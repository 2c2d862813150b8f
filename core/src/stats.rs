//! The counters and gauges of a node.

/// Why a driver did not hand a line over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Skipped {
    /// It was longer than the driver's bound on lines.
    TooLong,
    /// It had waited while the process stood still, so its sender has given up.
    Stale,
}

/// Counters, which only grow, and a few gauges at the end. They begin with the process. The reply to `stats` has the
/// same names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Stats {
    /// Lines handled, good and bad.
    pub lines: u64,
    /// Lines that the driver skipped because they were longer than its bound. They do not count among `lines`.
    pub lines_too_long: u64,
    /// Lines that the driver dropped because they had waited while the process stood still. They do not count among
    /// `lines`.
    pub lines_stale: u64,
    /// Lines that were no message: not JSON, nested too deeply, or not an object with a body.
    pub malformed_lines: u64,
    /// Messages without a usable `src` or `msg_id`, which cannot be answered.
    pub unanswerable: u64,
    /// Messages for another node.
    pub misdelivered: u64,
    /// Replies, which are never answered.
    pub replies_received: u64,
    /// Node-to-node messages from ids outside of the cluster, or from this node itself.
    pub strangers: u64,
    /// Error replies.
    pub errors_sent: u64,
    /// `broadcast` requests of clients that were accepted.
    pub broadcasts_received: u64,
    /// `bench_write` requests that were accepted.
    pub bench_writes: u64,
    /// Node-to-node lines sent, one per target.
    pub gossip_messages_sent: u64,
    /// Node-to-node lines received from members.
    pub gossip_messages_received: u64,
    /// Rounds of gossip: pushes, ticks and exchanges of digests, or flushes and uplinks.
    pub gossip_rounds: u64,
    /// Entries from peers that were news.
    pub entries_applied: u64,
    /// Entries from peers that were known already, or superseded.
    pub entries_known: u64,
    /// Entries from peers that found a table full; they will be offered again.
    pub refused_full: u64,
    /// Entries from peers whose stamp is too far ahead of the local clock; they will be offered again.
    pub refused_clock_ahead: u64,
    /// Entries from peers that no data type can read.
    pub refused_unreadable: u64,
    /// Entries and rows from peers for which there is no row: the pool is exhausted, or the node is no member.
    pub refused_rows: u64,
    /// Entries from peers that were too far beyond the frontier of their row; they will be offered again.
    pub too_far_ahead: u64,
    /// Claims of peers about changes in this node's own row that this node has not made.
    pub impostors: u64,
    /// Messages from an older session of their sender than the newest known.
    pub old_sessions: u64,
    /// Sessions that a peer named and that were too far ahead of the wall clock.
    pub refused_sessions: u64,
    /// How often this node took a larger session, because its name was seen with a number above its own.
    pub sessions_taken: u64,
    /// Rumors forgotten because too many waited; anti-entropy repairs that.
    pub rumors_forgotten: u64,
    /// How often a repair began: a peer with the same version vector held another state, and was sent all entries.
    pub repairs: u64,
    /// Messages for which the caller's sink had no room.
    pub sink_full: u64,
    /// Members of the cluster, this node included; 0 before it is known. This and the following numbers are gauges.
    pub members: u64,
    /// Rows that this node has. A row is a node in one of its lives.
    pub rows: u64,
    /// 1 while every member is known to hold exactly this node's state, else 0.
    pub settled: u64,
}

impl Stats {
    /// Counts lines that the driver did not hand over.
    pub(crate) fn skipped(&mut self, why: Skipped, lines: u64) {
        *match why {
            Skipped::TooLong => &mut self.lines_too_long,
            Skipped::Stale => &mut self.lines_stale,
        } += lines;
    }

    /// The largest length of the numbers as compact JSON, in bytes.
    #[cfg(feature = "serde")]
    pub(crate) const JSON_BYTES_MAX: usize = 1_300;
}

#[cfg(all(test, feature = "serde"))]
mod tests {
    use super::*;

    #[test]
    fn the_largest_counts_fit_the_reply() {
        // All fields are 64-bit numbers, so each of them is one of the zeros.
        let fields = size_of::<Stats>() / size_of::<u64>();
        let written = std::format!("{:?}", serde_json::to_value(Stats::default()).expect("numbers"));
        assert_eq!(written.matches("Number(0)").count(), fields);
        let zeros = serde_json::to_string(&Stats::default()).expect("numbers").len();
        let most = zeros + fields * (std::format!("{}", u64::MAX).len() - 1);
        assert!(most <= Stats::JSON_BYTES_MAX, "{most} bytes");
        let stats = Stats { lines: 7, sink_full: 9, ..Stats::default() };
        let mut text = [0; Stats::JSON_BYTES_MAX];
        let len = serde_json_core::to_slice(&stats, &mut text).expect("room for all names");
        assert_eq!(std::str::from_utf8(&text[..len]).ok(), serde_json::to_string(&stats).ok().as_deref());
    }
}
