//! The sink for a node's bytes, and the time at which a node has to be called.

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

/// The caller's writer. A node writes one message at a time, in one or more pieces.
pub trait Sink {
    /// Whether the sink lends memory: see [`Sink::room`].
    const LENDS: bool = false;

    /// Free memory after the bytes that the sink holds, of any length. If it is long enough, a message is written there
    /// directly, and [`Sink::take`] says how many bytes it has. Then the message need not be gathered elsewhere and
    /// copied.
    fn room(&mut self) -> &mut [u8] {
        &mut []
    }

    /// Appends the first `len` bytes of the room, which has at least that length.
    fn take(&mut self, _len: usize) {}

    /// Appends all of `bytes`.
    ///
    /// # Errors
    /// The sink is full. The message is lost then, and the caller has to discard the part of it that the sink holds.
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
// The enum is exhaustive: a driver that does not know a variant would lose the message.
pub enum Transmit {
    /// The message is a reply. It goes to the sender of the line that was handled last.
    Reply,
    /// The message goes to this peer.
    Gossip(NodeIndex),
}

/// The timers of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Timer {
    /// The next push of rumors.
    Push,
    /// The next tick of the counter.
    Tick,
    /// The next exchange of digests.
    AntiEntropy,
    /// The next action of strategy `relay`: an uplink, flush, acknowledgement, question or probe.
    Relay,
    /// The moment at which the node speaks by itself, or takes a larger session.
    Session,
}

impl Timer {
    /// All timers.
    pub const ALL: [Self; 5] = [Self::Push, Self::Tick, Self::AntiEntropy, Self::Relay, Self::Session];
}

/// When and why [`Member::handle_timeout`](crate::Member::handle_timeout) has to be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wakeup {
    /// The moment. A call before it does nothing. A late call is allowed: each timer that was due runs once then.
    pub at: Instant,
    /// What is due.
    pub why: Timer,
}
