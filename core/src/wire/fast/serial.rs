//! A number that only counts up, and its text.

use super::super::encode::Out;
use super::super::short::Short;
use crate::output::Sink;

/// A number that only counts up. It is kept as text as well, since the next number mostly differs in one digit.
#[derive(Clone, Copy, Debug)]
pub struct Serial {
    number: u64,
    text: Short<{ Serial::DIGITS }>,
}

impl Default for Serial {
    fn default() -> Self {
        let mut serial = Self { number: 0, text: Short::default() };
        serial.spell();
        serial
    }
}

impl Serial {
    /// Digits of the largest number.
    const DIGITS: usize = 20;

    /// The number.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Its digits.
    #[inline]
    pub(super) fn text(&self) -> &Short<{ Serial::DIGITS }> {
        &self.text
    }

    /// Writes the number.
    #[inline]
    pub fn write<W: Sink>(&self, out: &mut Out<'_, W>) {
        out.short(self.text.bytes());
    }

    /// Moves on to the next number, and from the largest to 0. O(digits), mostly O(1).
    #[inline]
    pub fn advance(&mut self) {
        self.number = self.number.wrapping_add(1);
        if self.number > 0 {
            let len = self.text.len();
            for digit in self.text.block.get_mut(..len).unwrap_or(&mut []).iter_mut().rev() {
                if *digit < b'9' {
                    *digit += 1;
                    return;
                }
                *digit = b'0';
            }
        }
        // All digits were 9, or the number is 0: the text has another length.
        self.spell();
    }

    #[cold]
    fn spell(&mut self) {
        self.text.clear();
        let mut out = Out::new(&mut self.text);
        out.unsigned(self.number);
        // There is room for the largest number.
        let _ = out.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_counts_as_the_standard_library_writes() {
        let mut serial = Serial::default();
        for number in 0..12_345_u64 {
            assert_eq!((serial.number(), serial.text().bytes()), (number, std::format!("{number}").as_bytes()));
            serial.advance();
        }
        let mut last = Serial { number: u64::MAX - 1, ..serial };
        last.spell();
        last.advance();
        assert_eq!(last.text().bytes(), std::format!("{}", u64::MAX).as_bytes());
        last.advance();
        assert_eq!((last.number(), last.text().bytes()), (0, &b"0"[..]));
    }
}
