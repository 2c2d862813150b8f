//! The log of lines that cannot be answered: one log line for each, but never more than a few per second.

use std::time::Instant;

/// How many log lines are written before the limit applies.
const BURST: u32 = 10;

/// Limits how often a rejected line is logged, and counts the others.
#[derive(Debug)]
pub struct RateLimit {
    allowed: u32,
    second: Instant,
    suppressed: u64,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { allowed: BURST, second: Instant::now(), suppressed: 0 }
    }
}

impl RateLimit {
    /// Logs that a line was rejected, unless too many were logged before: ten at once, then one per second.
    pub fn rejected(&mut self, why: &dyn std::fmt::Debug, line: &[u8]) {
        let now = Instant::now();
        if now.duration_since(self.second).as_secs() >= 1 {
            self.second = now;
            self.allowed = self.allowed.max(1);
        }
        if self.allowed == 0 {
            self.suppressed += 1;
            return;
        }
        self.allowed -= 1;
        let suppressed = std::mem::take(&mut self.suppressed);
        let shown = String::from_utf8_lossy(&line[..line.len().min(160)]);
        tracing::warn!(?why, suppressed, line = %shown, "line not answered");
    }
}
