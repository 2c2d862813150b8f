//! What a node counts about itself.

/// Why a driver did not hand a line over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Skipped {
    /// It was longer than the driver's bound on lines.
    TooLong,
    /// It had waited while the process stood still, so that its sender has given up.
    Stale,
}

/// Counters of one process life, which only grow, and a few gauges at the end. Their names are those in the reply to `stats`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Stats {
    /// Lines handled, good and bad.
    pub lines: u64,
    /// Lines that the driver skipped because they were longer than its bound. They do not count among `lines`.
    pub lines_too_long: u64,
    /// Lines that the driver dropped because they had waited while the process stood still. They do not count among `lines`.
    pub lines_stale: u64,
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
    /// Messages of an older session of their sender than the newest known.
    pub old_sessions: u64,
    /// Sessions that were named and lie further ahead of the wall clock than they may.
    pub refused_sessions: u64,
    /// Times that this node took a larger session, because its name was seen with a number above its own.
    pub sessions_taken: u64,
    /// Rumors forgotten because too many waited; anti-entropy repairs that.
    pub rumors_forgotten: u64,
    /// Times that a peer with the same version vector held different state, and was sent everything.
    pub repairs: u64,
    /// Messages that the caller's sink did not take.
    pub sink_full: u64,
    /// Members of the cluster, own node included; 0 before it is known. A gauge, as what follows.
    pub members: u64,
    /// Rows, each a node in one of its lives, of which something is held.
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

    /// Bytes of the counts as compact JSON, at most.
    #[cfg(feature = "serde")]
    pub(crate) const JSON_BYTES_MAX: usize = 1_300;
}

#[cfg(all(test, feature = "serde"))]
mod tests {
    use super::*;

    #[test]
    fn the_largest_counts_fit_the_reply() {
        // Nothing but 64-bit counts, so the largest is all ones.
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
