//! A line as one piece: where its holes lie, and how long they are.
//!
//! Numbers mostly have as many digits as the ones before and clients ask more than once, so most lines of a kind differ
//! only inside of holes that stay where they are. Such a line is compared in a few steps, whatever its keys and text.

use super::integer::last_of_eight;

/// Lines longer than this have no shape.
const LINE: usize = 128;
const BLOCK: usize = 16;

/// A part of a line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    pub(super) start: u8,
    pub(super) end: u8,
}

impl Place {
    /// From `start` to `end`, which are parts of a line that has a shape.
    pub(super) fn new(start: usize, end: usize) -> Self {
        Self { start: start as u8, end: end as u8 }
    }

    #[inline]
    pub(super) fn of<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        line.get(usize::from(self.start)..usize::from(self.end))
    }

    /// The integer of up to eight digits here, without a sign.
    #[inline]
    pub(super) fn integer(&self, line: &[u8]) -> Option<i64> {
        let len = usize::from(self.end).checked_sub(usize::from(self.start))?;
        let chars = line.get(..usize::from(self.end))?.last_chunk::<8>()?;
        let number = last_of_eight(u64::from_le_bytes(*chars), len)?;
        let canonical = len == 1 || chars.get(8 - len) != Some(&b'0');
        canonical.then_some(number.cast_signed())
    }
}

/// A line and its holes.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape<const HOLES: usize>
where
    [Place; HOLES]: Default,
{
    /// Length of the line; 0 while there is none.
    len: u8,
    /// Length of the last line that had another shape.
    missed: usize,
    pub(super) holes: [Place; HOLES],
    /// The line with zeros in its holes: there are none elsewhere in JSON.
    text: [[u8; BLOCK]; LINE / BLOCK],
    /// The last block of the line, which overlaps the one before.
    tail: [u8; BLOCK],
}

impl<const HOLES: usize> Shape<HOLES>
where
    [Place; HOLES]: Default,
{
    /// Whether a line has this shape and is the same outside of the holes.
    #[inline]
    pub(super) fn fits(&self, line: &[u8]) -> bool {
        let Some(tail) = line.last_chunk::<BLOCK>().filter(|_| line.len() == usize::from(self.len)) else {
            return false;
        };
        let mut differing = [0; BLOCK];
        collect(&mut differing, tail, &self.tail);
        for (block, text) in line.as_chunks::<BLOCK>().0.iter().zip(&self.text) {
            collect(&mut differing, block, text);
        }
        differing == [0; BLOCK]
    }

    /// Takes the shape of a line that had another one, unless it is the first with its length: where lengths take turns,
    /// that would be more work than it saves. Says whether it did. `starts` and `lens` are those of the stretches before the holes.
    pub(super) fn take(&mut self, line: &[u8], starts: &[usize; HOLES], lens: impl Iterator<Item = usize>) -> bool {
        if self.len != 0 && core::mem::replace(&mut self.missed, line.len()) != line.len() {
            return false;
        }
        self.len = 0;
        if line.len() < BLOCK || line.len() > LINE {
            return false;
        }
        self.len = line.len() as u8;
        let text = &mut self.text.as_flattened_mut()[..line.len()];
        text.fill(0);
        let ends = starts.iter().skip(1).copied().chain([line.len()]);
        for (((start, end), len), hole) in starts.iter().zip(ends).zip(lens).zip(&mut self.holes) {
            text[*start..start + len].copy_from_slice(&line[*start..start + len]);
            *hole = Place::new(start + len, end.max(start + len));
        }
        self.tail.copy_from_slice(&text[line.len() - BLOCK..]);
        true
    }
}

#[inline]
fn collect(differing: &mut [u8; BLOCK], block: &[u8; BLOCK], text: &[u8; BLOCK]) {
    for ((differing, block), text) in differing.iter_mut().zip(block).zip(text) {
        *differing |= if *text == 0 { 0 } else { block ^ text };
    }
}
