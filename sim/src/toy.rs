//! The smallest possible node: it notes what happens to it, and sends what it is told to send. It shows all that the
//! simulator needs to know of a node.

use std::collections::VecDeque;

use rumormill_core::causality::Sum;
use rumormill_core::{Instant, NodeIndex, Now, Rejected, Transmit};

use crate::machine::Machine;

/// Lines that the toy refuses.
pub(crate) const REFUSED: &[u8] = b"refused";
/// The largest number of bytes that its messages may have.
pub(crate) const BYTES_MAX: usize = 16;

#[derive(Clone, Debug, Default)]
pub(crate) struct Toy {
    /// Lines and timers, in their order.
    pub(crate) happened: Vec<(Now, String)>,
    pub(crate) outbox: VecDeque<(Transmit, &'static str)>,
    /// When its timer is due, in microseconds.
    pub(crate) due_us: Option<u64>,
}

impl Toy {
    /// What happened, and at which microsecond.
    pub(crate) fn log(&self) -> Vec<(u64, &str)> {
        self.happened.iter().map(|(now, what)| (now.at.as_micros(), what.as_str())).collect()
    }

    /// Gives it a message for a peer.
    pub(crate) fn say(&mut self, to: u32, what: &'static str) {
        self.outbox.push_back((Transmit::Gossip(NodeIndex(to)), what));
    }
}

impl Machine for Toy {
    fn handle_line(&mut self, now: Now, line: &[u8]) -> Result<(), Rejected> {
        if line == REFUSED {
            return Err(Rejected::Stranger);
        }
        self.happened.push((now, String::from_utf8_lossy(line).into_owned()));
        Ok(())
    }

    fn handle_timeout(&mut self, now: Now) {
        if self.due_us.is_some_and(|due| due <= now.at.as_micros()) {
            self.due_us = None;
            self.happened.push((now, "timer".to_owned()));
        }
    }

    fn poll_transmit(&mut self, _: Now, line: &mut Vec<u8>) -> Option<Transmit> {
        let (to, what) = self.outbox.pop_front()?;
        line.extend_from_slice(what.as_bytes());
        line.push(b'\n');
        Some(to)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.due_us.map(Instant::from_micros)
    }

    fn digest(&self) -> Sum {
        Sum { vector: 0, state: self.happened.len() as u64 }
    }

    fn is_settled(&self) -> bool {
        self.happened.is_empty()
    }

    fn max_message_bytes(&self) -> usize {
        BYTES_MAX
    }
}
