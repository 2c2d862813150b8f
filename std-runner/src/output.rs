//! Messages that wait to be written to stdout.

use rumormill_core::{Sink, SinkFull};

/// How many bytes of output have memory from the start.
const START: usize = 512 << 10;
/// How much memory is kept after the output was written, in bytes.
const KEEP: usize = 4 << 20;

/// A buffer that takes everything. All of its memory is initialised, so that messages can be written into it directly.
#[derive(Debug)]
pub struct Output {
    memory: Vec<u8>,
    len: usize,
}

impl Default for Output {
    fn default() -> Self {
        Self { memory: vec![0; START], len: 0 }
    }
}

impl Output {
    /// The bytes that wait.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.memory[..self.len]
    }

    /// How many bytes wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Forgets the bytes that wait, because they were written.
    pub fn clear(&mut self) {
        self.len = 0;
        self.memory.truncate(KEEP);
        self.memory.shrink_to(KEEP);
    }
}

impl Sink for Output {
    const LENDS: bool = true;

    #[inline]
    fn room(&mut self) -> &mut [u8] {
        &mut self.memory[self.len..]
    }

    #[inline]
    fn take(&mut self, len: usize) {
        self.len += len;
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), SinkFull> {
        let end = self.len + bytes.len();
        if end > self.memory.len() {
            self.memory.resize(end.next_power_of_two().max(START), 0);
        }
        self.memory[self.len..end].copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_taken_and_memory_beyond_the_bound_is_given_back() {
        let mut output = Output::default();
        let mut expected = Vec::new();
        for len in [3, START, 5, 2 * KEEP] {
            let bytes = vec![len as u8; len];
            assert_eq!(output.put(&bytes), Ok(()));
            expected.extend_from_slice(&bytes);
            if let Some(room) = output.room().get_mut(..2) {
                room.copy_from_slice(b"ab");
                output.take(2);
                expected.extend_from_slice(b"ab");
            }
            assert!(output.bytes() == expected);
        }
        output.clear();
        assert!(output.is_empty() && output.memory.capacity() <= KEEP);
    }
}
