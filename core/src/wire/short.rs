//! Short texts that are kept in place: ids as JSON prints them, and the text before them.

use super::encode::Out;
use super::fast::same;
use super::json::Str;
use crate::id::{Id, json_len};
use crate::output::{Sink, SinkFull};

/// A short text at the beginning of a block of `N` bytes, all of which are initialised. So a copy of the whole block,
/// whose size the compiler knows, copies the text whatever its length. `N` is at most 255.
#[derive(Clone, Copy, Debug)]
pub struct Short<const N: usize> {
    pub(super) block: [u8; N],
    pub(super) len: u8,
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

    /// Takes a copy of a text. False if it is too long; then this text is empty.
    pub fn assign(&mut self, text: &[u8]) -> bool {
        self.clear();
        self.put(text).is_ok()
    }

    /// Takes an id, as JSON prints it. False if it is empty or longer than `max` bytes; the contents are then
    /// undefined.
    #[cfg_attr(feature = "fast", inline(always))]
    pub fn assign_id(&mut self, id: &Str<'_>, max: usize) -> bool {
        if id.is_escaped() {
            return self.assign_escaped(id, max);
        }
        // An id that was read without escapes is also written without escapes.
        let raw = id.raw();
        // The id is mostly the same as in the line before.
        (!raw.is_empty() && same(raw, self.bytes())) || self.assign_plain(raw, max)
    }

    #[inline(never)]
    fn assign_plain(&mut self, raw: &[u8], max: usize) -> bool {
        self.clear();
        !raw.is_empty() && raw.len() <= max && self.assign(raw)
    }

    #[cold]
    fn assign_escaped(&mut self, id: &Str<'_>, max: usize) -> bool {
        self.clear();
        let mut scratch = Id::new();
        let Some(text) = id.unescape(&mut scratch).filter(|text| !text.is_empty() && json_len(text) <= max) else {
            return false;
        };
        let mut out = Out::new(self);
        out.escaped(text);
        out.finish().is_ok()
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
