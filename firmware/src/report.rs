//! Reports of lines that cannot be answered: ten at once, then one per second.

use rumormill_core::{Instant, Now, Rejected};

use crate::board::host;

/// How many reports are written before the limit applies.
const BURST: u32 = 10;

/// Limits how often a line is reported.
pub(crate) struct Report {
    allowed: u32,
    second: Instant,
}

impl Default for Report {
    fn default() -> Self {
        Self { allowed: BURST, second: Instant::ZERO }
    }
}

impl Report {
    /// Reports a line that got no reply.
    pub(crate) fn rejected(&mut self, why: Rejected, now: Now) {
        self.say(why.reason(), now);
    }

    /// Reports a line that did not fit the memory.
    pub(crate) fn too_long(&mut self, now: Now) {
        self.say("too long", now);
    }

    fn say(&mut self, why: &str, now: Now) {
        if now.at.ms_since(self.second) >= 1_000 {
            self.second = now.at;
            self.allowed = self.allowed.max(1);
        }
        if self.allowed > 0 {
            self.allowed -= 1;
            host::say("line not answered: ");
            host::say(why);
            host::say("\n");
        }
    }
}
