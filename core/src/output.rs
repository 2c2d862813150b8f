//! Where bytes go, and when a node is to be called.

use crate::id::NodeIndex;
use crate::time::Instant;

/// The sink took no more bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SinkFull;

impl core::fmt::Display for SinkFull {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the sink took no more bytes")
    }
}

impl core::error::Error for SinkFull {}

/// The caller's writer. A node writes one message at a time, in several pieces.
pub trait Sink {
    /// Whether the sink has memory to lend, see [`Sink::room`].
    const LENDS: bool = false;

    /// Memory behind what the sink holds, of any length. When there is enough of it, a message is written there at once,
    /// and [`Sink::take`] says how much of it: that saves gathering the message elsewhere and copying it.
    fn room(&mut self) -> &mut [u8] {
        &mut []
    }

    /// Appends the first `len` bytes of the room, which is that long at least.
    fn take(&mut self, _len: usize) {}

    /// Appends all of `bytes`.
    ///
    /// # Errors
    /// The sink is full. The message is lost then, and what the sink holds of it is to be discarded.
    fn put(&mut self, bytes: &[u8]) -> Result<(), SinkFull>;
}

impl<const N: usize> Sink for heapless::Vec<u8, N> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), SinkFull> {
        self.extend_from_slice(bytes).map_err(|_| SinkFull)
    }
}

#[cfg(feature = "alloc")]
mod on_heap {
    extern crate alloc;

    impl super::Sink for alloc::vec::Vec<u8> {
        #[inline]
        fn put(&mut self, bytes: &[u8]) -> Result<(), super::SinkFull> {
            self.extend_from_slice(bytes);
            Ok(())
        }
    }
}

/// A message that [`Member::poll_transmit`](crate::Member::poll_transmit) wrote, newline included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
// Exhaustive: a driver that does not know where a message goes would lose it.
pub enum Transmit {
    /// To the sender of the line that was handled last. Only requests of clients have replies: peers' messages have none.
    Reply,
    /// To a peer, of the node's own accord.
    Gossip(NodeIndex),
}

/// The timers of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Timer {
    /// The next push of what is new.
    Push,
    /// The next tick of the counter.
    Tick,
    /// The next exchange of digests.
    AntiEntropy,
    /// Whatever is next under strategy `relay`: uplink, flush, acknowledgement, question, probe.
    Relay,
    /// The node begins to speak by itself, or takes a larger session.
    Session,
}

impl Timer {
    /// All timers.
    pub const ALL: [Self; 5] = [Self::Push, Self::Tick, Self::AntiEntropy, Self::Relay, Self::Session];
}

/// When to call [`Member::handle_timeout`](crate::Member::handle_timeout).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wakeup {
    /// The moment. A call before it does nothing. A late call is allowed: what was due happens then, once.
    pub at: Instant,
    /// What is due.
    pub why: Timer,
}
