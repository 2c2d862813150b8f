//! Sinks with little room. One of them lends memory.

use rumormill_core::output::{Sink, SinkFull};

/// A sink with room for `room` bytes.
pub(super) struct Bounded {
    pub(super) bytes: Vec<u8>,
    pub(super) room: usize,
}

impl Sink for Bounded {
    fn put(&mut self, bytes: &[u8]) -> Result<(), SinkFull> {
        let fits = self.bytes.len() + bytes.len() <= self.room;
        if fits {
            self.bytes.extend_from_slice(bytes);
        }
        if fits { Ok(()) } else { Err(SinkFull) }
    }
}

/// As [`Bounded`], with memory to lend.
pub(super) struct Lending {
    memory: Vec<u8>,
    len: usize,
    room: usize,
}

impl Lending {
    /// How many bytes are lent at most: enough for a reply that is written in one block, but not for long messages.
    const LENT: usize = 1_500;

    pub(super) fn new(room: usize) -> Self {
        Self { memory: vec![0; Self::LENT.min(room)], len: 0, room }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.memory[..self.len]
    }
}

impl Sink for Lending {
    const LENDS: bool = true;

    fn room(&mut self) -> &mut [u8] {
        &mut self.memory[self.len..]
    }

    fn take(&mut self, len: usize) {
        self.len += len;
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), SinkFull> {
        if self.len + bytes.len() > self.room {
            return Err(SinkFull);
        }
        self.memory.truncate(self.len);
        self.memory.extend_from_slice(bytes);
        self.len = self.memory.len();
        self.memory.resize(self.len.saturating_add(Self::LENT).min(self.room), 0);
        Ok(())
    }
}
