//! The end of a script: what has to hold after two nodes have talked undisturbed.

use rumormill_sim::{Joined as _, Machine as _, State};

use super::world::World;
use rumormill_core::data_type::Application;

/// How many timers may run until two nodes agree. With eight members, six of which are silent, it takes a few dozen.
const WAKEUPS_MAX: usize = 2_000;
/// Nodes that cannot agree send few messages after this time without news.
const UNREST_MS: u64 = 60_000;
/// The messages are counted during this time after it.
const REST_MS: u64 = 30_000;
/// The largest number of messages per second then: there may be a burst now and then.
const PER_SECOND_MAX: u64 = 8;

impl<S: Application> World<S> {
    /// If no line was forged and no table was full, the two nodes come to hold the same state. If there are no other
    /// nodes, they also know it and fall silent. In any case they come to rest.
    pub(super) fn converge(mut self) {
        self.setup.lost = 0;
        self.room = usize::MAX;
        self.settle();
        if self.setup.uninitialised {
            return;
        }
        for _ in 0..WAKEUPS_MAX {
            if self.forged || self.is_refusing() {
                return self.check_rest();
            }
            let equal = self.first.one.digest() == self.second.one.digest();
            if equal && self.setup.nodes > 2 {
                return self.compare();
            }
            if !self.wake() {
                assert!(equal, "both nodes are silent and do not hold the same");
                assert!(self.first.one.is_settled() && self.second.one.is_settled());
                return self.compare();
            }
        }
        panic!("{:?}\n{:?}\nno end", self.first.one.stats(), self.second.one.stats());
    }

    /// Whether an entry of a peer did not fit, or was not taken yet.
    fn is_refusing(&self) -> bool {
        [self.first.one.stats(), self.second.one.stats()]
            .iter()
            .any(|stats| stats.refused_full + stats.refused_rows + stats.refused_clock_ahead > 0)
    }

    /// Two nodes that can never agree do not send messages all the time.
    fn check_rest(mut self) {
        let started_us = self.now_us;
        while self.now_us < started_us + UNREST_MS * 1_000 {
            if !self.wake() {
                return;
            }
        }
        let (sent, rested_us) = (self.sent, self.now_us);
        while self.now_us < rested_us + REST_MS * 1_000 {
            if !self.wake() {
                return;
            }
        }
        let (messages, seconds) = (self.sent - sent, (self.now_us - rested_us) / 1_000_000);
        assert!(messages <= PER_SECOND_MAX * seconds, "{messages} messages in {seconds} s");
    }

    /// Both nodes hold the same state, and not only equal digests.
    fn compare(&self) {
        assert_eq!(State::of(self.first.one.joined()), State::of(self.second.one.joined()));
    }
}
