//! Splits bytes into lines, in the memory of one line.

use crate::board::{Byte, Uart};

/// The next part of the input.
pub(crate) enum Next<'a> {
    /// A line, without its newline.
    Line(&'a [u8]),
    /// A line longer than the memory has ended. It was skipped.
    TooLong,
    /// No line is complete at present.
    Nothing,
    /// The end of input.
    End,
}

/// The line that is being read.
pub(crate) struct Lines<const BYTES: usize> {
    line: heapless::Vec<u8, BYTES>,
    /// The line is complete, so the next byte begins another one.
    complete: bool,
    too_long: bool,
}

impl<const BYTES: usize> Lines<BYTES> {
    pub(crate) const fn new() -> Self {
        Self { line: heapless::Vec::new(), complete: false, too_long: false }
    }

    /// Takes bytes until a line is complete or there are no more at present.
    pub(crate) fn next(&mut self, uart: &mut Uart) -> Next<'_> {
        loop {
            let byte = uart.read();
            if byte != Byte::NoneYet && core::mem::take(&mut self.complete) {
                self.line.clear();
                self.too_long = false;
            }
            match byte {
                Byte::NoneYet => return Next::Nothing,
                Byte::Is(b'\n') => break,
                Byte::Is(byte) => self.too_long |= self.line.push(byte).is_err(),
                Byte::End if self.line.is_empty() => return Next::End,
                // The last line has no newline. The next read of the UART gives the end again.
                Byte::End => break,
            }
        }
        self.complete = true;
        if self.too_long { Next::TooLong } else { Next::Line(&self.line) }
    }
}
