//! Lines of a few short pieces, which are written into one block.
//!
//! All pieces together are shorter than the block. So each piece is written with a few moves of a size that the
//! compiler knows; the bytes of a move that are not part of its piece are overwritten by the next one. Where the
//! compiler can prove that a piece fits, there is no check.

use super::super::short::Short;
use super::integer::digits;
use super::serial::Serial;

/// Bytes of a block: more than four [`Short`] texts and the literals between them take.
const BLOCK: usize = 1_024;

/// How many bytes are moved for a short text of up to this length.
const MOVE: usize = 32;

/// Writes a line into a block. Only the bytes that [`Block::finish`] reports are the line.
pub struct Block<'b> {
    block: &'b mut [u8; BLOCK],
    len: usize,
    full: bool,
}

names_itself!(impl[] Block<'_>, "Block");

impl<'b> Block<'b> {
    /// Writes to the start of `room`, if that is long enough for a block.
    #[inline]
    pub fn within(room: &'b mut [u8]) -> Option<Self> {
        Some(Self { block: room.first_chunk_mut()?, len: 0, full: false })
    }

    /// The length of the line in bytes, or `None` if a piece did not fit.
    #[must_use]
    #[inline]
    pub fn finish(self) -> Option<usize> {
        (!self.full).then_some(self.len)
    }

    /// Writes all of `text`, which is JSON already.
    #[inline(always)]
    pub fn literal<const N: usize>(&mut self, text: &[u8; N]) {
        self.piece(text, N);
    }

    /// Writes a text that is JSON already.
    #[inline(always)]
    pub fn short<const N: usize>(&mut self, text: &Short<N>) {
        match text.block.first_chunk::<MOVE>() {
            Some(start) if text.len() <= MOVE => self.piece(start, text.len()),
            _ => self.piece(&text.block, text.len()),
        }
    }

    /// Writes an integer of up to eight digits. A longer one counts as a piece that does not fit.
    #[inline(always)]
    pub fn unsigned(&mut self, int: u64) {
        match digits(int) {
            Some((digits, count)) => self.piece(&digits, count),
            None => self.full = true,
        }
    }

    /// Writes the number of a message.
    #[inline(always)]
    pub fn serial(&mut self, serial: &Serial) {
        self.short(serial.text());
    }

    /// Writes the first `len` bytes of `bytes`.
    #[inline(always)]
    fn piece<const N: usize>(&mut self, bytes: &[u8; N], len: usize) {
        match self.block.get_mut(self.len..).and_then(<[u8]>::first_chunk_mut::<N>) {
            Some(place) => {
                *place = *bytes;
                self.len += len;
            }
            None => self.full = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::integer::EIGHT_DIGITS;
    use super::*;
    use proptest::prelude::*;

    fn short(text: &str) -> Short<128> {
        let mut short = Short::default();
        assert!(short.assign(text.as_bytes()));
        short
    }

    proptest! {
        #[test]
        fn pieces_come_out_in_order(pieces in prop::collection::vec(("[ -~]{0,128}", 0..EIGHT_DIGITS, 0_u32..9), 0..7)) {
            let mut bytes = [0; BLOCK];
            let mut block = Block::within(&mut bytes).unwrap();
            let mut expected = std::string::String::new();
            for (text, int, scale) in pieces {
                let int = int / 10_u64.pow(scale);
                block.short(&short(&text));
                block.literal(b"\", ");
                block.unsigned(int);
                expected += &std::format!("{text}\", {int}");
            }
            let len = block.finish();
            prop_assert_eq!(len.map(|len| &bytes[..len]), Some(expected.as_bytes()));
        }
    }

    #[test]
    fn a_room_that_is_too_small_for_a_block_gets_none() {
        assert!(Block::within(&mut [0; BLOCK - 1]).is_none());
    }

    #[test]
    fn a_line_that_may_not_fit_and_a_long_integer_are_left_to_others() {
        let mut bytes = [0; BLOCK];
        let mut block = Block::within(&mut bytes).unwrap();
        (0..8).for_each(|_| block.short(&short(&"x".repeat(128))));
        assert_eq!(block.finish(), Some(BLOCK));
        let mut block = Block::within(&mut bytes).unwrap();
        (0..9).for_each(|_| block.short(&short(&"x".repeat(127))));
        assert_eq!(block.finish(), None);
        let mut block = Block::within(&mut bytes).unwrap();
        block.unsigned(EIGHT_DIGITS);
        assert_eq!(block.finish(), None);
    }
}
