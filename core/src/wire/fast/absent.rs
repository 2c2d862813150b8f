//! The names of the fast path in a build without it. Behind each of them is the plain way, or nothing.

use core::convert::Infallible;
use core::marker::PhantomData;

use super::super::encode::Out;
use super::super::json::{Malformed, Scanner, Token};
use super::super::message::Message;
use super::super::short::Short;
use crate::output::Sink;

/// A predictor that remembers nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Predictor(());

impl Predictor {
    /// Reads a line into `message`. O(length of the line).
    ///
    /// # Errors
    /// As [`Message::decode`].
    pub fn decode<'a>(&mut self, line: &'a [u8], message: &mut Message<'a>) -> Result<(), Malformed> {
        message.decode(line)
    }
}

/// A tape that keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tape;

impl Tape {
    pub(crate) const fn new() -> Self {
        Self
    }

    /// Reads a value as [`Scanner::value`] does.
    pub(crate) fn value<'a>(&mut self, scanner: &mut Scanner<'a>, depth: u32) -> Result<Token<'a>, Malformed> {
        scanner.value(depth)
    }

    pub(crate) const fn kept(&self) -> Kept<'_> {
        Kept(PhantomData)
    }
}

/// Nothing was kept.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Kept<'t>(PhantomData<&'t ()>);

impl Kept<'_> {
    pub(crate) const fn next(&mut self) -> Option<i64> {
        None
    }

    pub(crate) const fn begin(&mut self, _at: usize) -> Option<usize> {
        None
    }
}

/// A block that cannot exist: every line is written piece by piece.
#[derive(Debug)]
pub struct Block<'b>(Infallible, PhantomData<&'b ()>);

impl<'b> Block<'b> {
    /// Always `None`.
    pub const fn within(_room: &'b mut [u8]) -> Option<Self> {
        None
    }

    /// Never called.
    #[must_use]
    pub const fn finish(self) -> Option<usize> {
        match self.0 {}
    }

    /// Never called.
    pub const fn literal<const N: usize>(&mut self, _text: &[u8; N]) {
        match self.0 {}
    }

    /// Never called.
    pub const fn short<const N: usize>(&mut self, _text: &Short<N>) {
        match self.0 {}
    }

    /// Never called.
    pub const fn unsigned(&mut self, _int: u64) {
        match self.0 {}
    }

    /// Never called.
    pub const fn serial(&mut self, _serial: &Serial) {
        match self.0 {}
    }
}

/// A number that only counts up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Serial {
    number: u64,
}

impl Serial {
    /// The number.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Moves on to the next number, and from the largest to 0.
    pub const fn advance(&mut self) {
        self.number = self.number.wrapping_add(1);
    }

    /// Writes the number.
    pub fn write<W: Sink>(&self, out: &mut Out<'_, W>) {
        out.unsigned(self.number);
    }
}

/// Whether two slices are the same.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    a == b
}

/// Copies a slice to another one of the same length.
pub(crate) fn copy(to: &mut [u8], from: &[u8]) {
    // Unlike `copy_from_slice`, this leaves no check of the lengths and no panic in a small program.
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}

/// Always `None`: the caller reads the integer in the plain way.
pub(crate) const fn short_integer(_chars: &[u8]) -> Option<(i64, usize)> {
    None
}

/// Always `None`: the caller writes the integer in the plain way.
pub(crate) const fn digits(_int: u64) -> Option<([u8; 8], usize)> {
    None
}
