//! What is said about lines that cannot be answered: ten at once, then one a second.

use rumormill_core::wire::Malformed;
use rumormill_core::{Instant, Now, Rejected};

use crate::board::host;

/// Reports before the limit applies.
const BURST: u32 = 10;

/// Limits how often something is said.
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
    /// A line got no reply.
    pub(crate) fn rejected(&mut self, why: Rejected, now: Now) {
        let why = match why {
            Rejected::Malformed(Malformed::Syntax { .. }) => "not JSON",
            Rejected::Malformed(Malformed::TooDeep) => "nested too deeply",
            Rejected::Malformed(Malformed::NotAMessage) => "no message",
            Rejected::Unanswerable => "nobody to answer",
            Rejected::Misdelivered => "for another node",
            Rejected::Stranger => "from a stranger",
            Rejected::ReplyPending => "the reply before it was not sent",
        };
        self.say(why, now);
    }

    /// A line did not fit the memory.
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
