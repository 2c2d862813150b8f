//! The shape of a line: the range of values that each of its bytes may have.
//!
//! A number mostly has as many digits as the one before, and a client sends many requests. So most lines of a kind
//! differ only inside of holes that stay at their places. Each byte of such a line lies in a range: outside of holes it
//! is the same byte as before, and in a hole for a number it is a digit. One loop over all bytes checks that, whatever
//! the bytes mean.

use super::integer::last_of_eight;

/// Lines longer than this have no shape.
pub(super) const LINE: usize = 160;
const BLOCK: usize = 16;

/// A part of a line that has a shape.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    start: u8,
    end: u8,
}

impl Place {
    /// The place from `start` to `end`, which are at most [`LINE`].
    pub(super) fn new(start: usize, end: usize) -> Self {
        Self { start: start as u8, end: end as u8 }
    }

    pub(super) fn is_empty(self) -> bool {
        self.start == self.end
    }

    pub(super) fn len(self) -> usize {
        usize::from(self.end - self.start)
    }

    /// A place of the same length that begins at `start`.
    pub(super) fn moved_to(self, start: u8) -> Self {
        Self { start, end: start + (self.end - self.start) }
    }

    #[inline]
    pub(super) fn of(self, line: &[u8]) -> Option<&[u8]> {
        line.get(usize::from(self.start)..usize::from(self.end))
    }

    /// The integer of up to 18 digits that fills this place.
    #[inline]
    pub(super) fn integer(self, line: &[u8]) -> Option<i64> {
        let chars = line.get(..usize::from(self.end))?.last_chunk::<8>()?;
        match last_of_eight(u64::from_le_bytes(*chars), usize::from(self.end - self.start)) {
            Some(number) => Some(number.cast_signed()),
            None => self.unusual_integer(line),
        }
    }

    /// As [`Place::integer`], for integers of more than eight digits and negative ones.
    #[cold]
    fn unusual_integer(self, line: &[u8]) -> Option<i64> {
        let text = self.of(line)?;
        let magnitude = text.strip_prefix(b"-").unwrap_or(text);
        if !(1..=DIGITS_MAX).contains(&magnitude.len()) {
            return None;
        }
        let mut number = 0;
        for digit in magnitude {
            number = number * 10 + i64::from(digit.wrapping_sub(b'0'));
        }
        Some(if magnitude.len() < text.len() { -number } else { number })
    }
}

/// The longest integer that is read from a place, in digits. It cannot overflow an `i64`.
const DIGITS_MAX: usize = 18;

/// The length of the JSON integer of up to 18 digits at the start of `rest`, if there is one. The bytes after it are
/// not checked: they may be a fraction or an exponent.
pub(super) fn integer_len(rest: &[u8]) -> Option<usize> {
    let sign = usize::from(rest.first() == Some(&b'-'));
    let magnitude = rest.get(sign..)?;
    let digits = magnitude.iter().take(DIGITS_MAX + 1).take_while(|byte| byte.is_ascii_digit()).count();
    // The only integer that begins with a zero is a single zero without a sign.
    let canonical = magnitude.first() != Some(&b'0') || (digits == 1 && sign == 0);
    ((1..=DIGITS_MAX).contains(&digits) && canonical).then_some(sign + digits)
}

/// Whether a byte of a string is a character of ASCII by itself, without an escape.
#[inline]
pub(super) const fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e) && byte != b'"' && byte != b'\\'
}

/// The ranges of plain bytes.
const PLAIN: [(u8, u8); 3] = [(b' ', b'!'), (b'#', b'['), (b']', b'~')];

/// A line, and the range in which each byte of another line may lie.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// The length of the line in bytes; 0 while there is none.
    len: u8,
    lowest: [u8; LINE],
    highest: [u8; LINE],
}

impl Default for Shape {
    fn default() -> Self {
        Self { len: 0, lowest: [0; LINE], highest: [0; LINE] }
    }
}

impl Shape {
    /// Takes the shape of a line of up to [`LINE`] bytes. It has no holes yet.
    pub(super) fn take(&mut self, line: &[u8]) {
        let len = line.len();
        if let (Some(lowest), Some(highest)) = (self.lowest.get_mut(..len), self.highest.get_mut(..len)) {
            lowest.copy_from_slice(line);
            highest.copy_from_slice(line);
            self.len = len as u8;
        }
    }

    /// Makes a hole for any integer that has as many digits and the same sign as the one at this place.
    pub(super) fn open_integer(&mut self, place: Place) {
        let negative = self.literal(place).and_then(<[u8]>::first) == Some(&b'-');
        let first = usize::from(place.start) + usize::from(negative);
        for at in first..usize::from(place.end) {
            self.open(at, (b'0', b'9'));
        }
        // A number with zeros in front is no JSON, and a negative zero is no integer.
        if negative || first + 1 < usize::from(place.end) {
            self.open(first, (b'1', b'9'));
        }
    }

    /// Makes a hole for other plain text. Each byte may be any byte of the range in [`PLAIN`] in which it lies.
    pub(super) fn open_text(&mut self, place: Place) {
        for at in usize::from(place.start)..usize::from(place.end) {
            let here = self.lowest.get(at).copied().unwrap_or(0);
            if let Some(range) = PLAIN.into_iter().find(|(lowest, highest)| (*lowest..=*highest).contains(&here)) {
                self.open(at, range);
            }
        }
    }

    fn open(&mut self, at: usize, (lowest, highest): (u8, u8)) {
        if let (Some(low), Some(high)) = (self.lowest.get_mut(at), self.highest.get_mut(at)) {
            (*low, *high) = (lowest, highest);
        }
    }

    /// The text at a place outside of holes.
    #[inline]
    pub(super) fn literal(&self, place: Place) -> Option<&[u8]> {
        place.of(&self.lowest)
    }

    /// Whether a line has this shape.
    #[inline]
    pub(super) fn fits(&self, line: &[u8]) -> bool {
        let len = usize::from(self.len);
        if line.len() != len {
            return false;
        }
        let (Some(lowest), Some(highest)) = (self.lowest.get(..len), self.highest.get(..len)) else {
            return false;
        };
        let (Some(last), Some(lowest_last), Some(highest_last)) =
            (line.last_chunk::<BLOCK>(), lowest.last_chunk::<BLOCK>(), highest.last_chunk::<BLOCK>())
        else {
            return false;
        };
        let mut outside = [0; BLOCK];
        collect(&mut outside, last, lowest_last, highest_last);
        let ranges = lowest.as_chunks::<BLOCK>().0.iter().zip(highest.as_chunks::<BLOCK>().0);
        for (block, (lowest, highest)) in line.as_chunks::<BLOCK>().0.iter().zip(ranges) {
            collect(&mut outside, block, lowest, highest);
        }
        u128::from_ne_bytes(outside) == 0
    }
}

/// Collects in `outside` by how much each byte lies outside of its range: all zeros if none does.
#[inline]
fn collect(outside: &mut [u8; BLOCK], block: &[u8; BLOCK], lowest: &[u8; BLOCK], highest: &[u8; BLOCK]) {
    for (((outside, byte), lowest), highest) in outside.iter_mut().zip(block).zip(lowest).zip(highest) {
        *outside |= lowest.saturating_sub(*byte) | byte.saturating_sub(*highest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json::{Scanner, Token};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn integers_are_read_as_the_scanner_reads_them(text in "-?[0-9]{0,21}[,}.e ]?[0-9]{0,9}", before in " {0,9}") {
            let mut scanner = Scanner::new(text.as_bytes());
            let scanned = scanner.value(0);
            if let Some(len) = integer_len(text.as_bytes()) {
                let line = std::format!("{before}{text}");
                let int = Place::new(before.len(), before.len() + len).integer(line.as_bytes());
                if !matches!(text.as_bytes().get(len), Some(b'.' | b'e')) && before.len() + len >= 8 {
                    prop_assert_eq!(scanned.ok(), int.map(Token::Int));
                    prop_assert_eq!(scanner.position(), len);
                }
            } else if let Ok(Token::Int(int)) = scanned {
                prop_assert!(int.unsigned_abs() >= 10_u64.pow(18), "{}", int);
            }
        }
    }

    #[test]
    fn every_plain_byte_is_in_one_range() {
        for byte in 0..=u8::MAX {
            let ranges = PLAIN.into_iter().filter(|(lowest, highest)| (*lowest..=*highest).contains(&byte));
            assert_eq!(ranges.count(), usize::from(is_plain(byte)), "{byte}");
        }
    }
}
