//! Short stretches of bytes, compared and copied in words that overlap: a call into the library costs more than the work.

use crate::output::{Sink, SinkFull};

/// A short text in a block of which all is initialised: a copy of the block's beginning is one of the text, whatever its
/// length. `N` is at most 255.
#[derive(Clone, Copy, Debug)]
pub struct Short<const N: usize> {
    block: [u8; N],
    len: u8,
}

impl<const N: usize> Default for Short<N> {
    fn default() -> Self {
        const { assert!(N <= u8::MAX as usize) };
        Self { block: [0; N], len: 0 }
    }
}

impl<const N: usize> Short<N> {
    /// The text.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.block.get(..self.len()).unwrap_or(&[])
    }

    /// Its length.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The block, whose first bytes are the text.
    #[inline]
    pub(super) fn block(&self) -> &[u8; N] {
        &self.block
    }

    /// The text, to be changed in place.
    #[inline]
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        let len = self.len();
        self.block.get_mut(..len).unwrap_or(&mut [])
    }

    /// Takes a copy of a text; false, and empty, when it is too long.
    pub fn assign(&mut self, text: &[u8]) -> bool {
        self.clear();
        self.put(text).is_ok()
    }

    /// Forgets the text.
    pub fn clear(&mut self) {
        self.len = 0;
    }
}

impl<const N: usize> Sink for Short<N> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), SinkFull> {
        let place = self.block.get_mut(usize::from(self.len)..).and_then(|room| room.get_mut(..bytes.len()));
        place.ok_or(SinkFull)?.copy_from_slice(bytes);
        self.len += bytes.len() as u8;
        Ok(())
    }
}

/// Whether two slices are the same.
#[inline]
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match a.len() {
        16.. => {
            let (a_blocks, b_blocks) = (a.as_chunks::<16>().0, b.as_chunks::<16>().0);
            let blocks = a_blocks.iter().zip(b_blocks).all(|(a, b)| u128::from_ne_bytes(*a) == u128::from_ne_bytes(*b));
            blocks && a.last_chunk::<16>() == b.last_chunk::<16>()
        }
        8..16 => a.first_chunk::<8>() == b.first_chunk::<8>() && a.last_chunk::<8>() == b.last_chunk::<8>(),
        4..8 => a.first_chunk::<4>() == b.first_chunk::<4>() && a.last_chunk::<4>() == b.last_chunk::<4>(),
        2..4 => a.first_chunk::<2>() == b.first_chunk::<2>() && a.last_chunk::<2>() == b.last_chunk::<2>(),
        0..2 => a.first() == b.first(),
    }
}

/// Copies a slice to one that is as long.
#[inline]
pub(crate) fn copy(to: &mut [u8], from: &[u8]) {
    match from.len() {
        16..33 => copy_ends::<16>(to, from),
        8..16 => copy_ends::<8>(to, from),
        4..8 => copy_ends::<4>(to, from),
        2..4 => copy_ends::<2>(to, from),
        _ => to.copy_from_slice(from),
    }
}

/// Copies from `N` to `2 * N` bytes.
#[inline]
fn copy_ends<const N: usize>(to: &mut [u8], from: &[u8]) {
    if let (Some(to), Some(from)) = (to.first_chunk_mut::<N>(), from.first_chunk::<N>()) {
        *to = *from;
    }
    if let (Some(to), Some(from)) = (to.last_chunk_mut::<N>(), from.last_chunk::<N>()) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_same_is_what_the_standard_library_calls_equal(
            a in prop::collection::vec(any::<u8>(), 0..70),
            at in any::<prop::sample::Index>(),
            bit in 0_u32..8,
        ) {
            let mut b = std::vec![0; a.len()];
            copy(&mut b, &a);
            prop_assert_eq!(&a, &b);
            prop_assert!(same(&a, &b));
            if !a.is_empty() {
                b[at.index(a.len())] ^= 1 << bit;
                prop_assert!(!same(&a, &b));
                prop_assert!(!same(&a, &b[1..]));
            }
        }
    }
}
