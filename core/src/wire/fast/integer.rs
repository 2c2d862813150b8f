//! Digits to integers and back, eight digits at a time.

const ONES: u64 = 0x0101_0101_0101_0101;
const ASCII: u64 = 0x30 * ONES;
pub(super) const EIGHT_DIGITS: u64 = 100_000_000;

/// The integer at the start of `chars`, and the number of its digits, if it has one to seven digits and no sign. `None`
/// for any other value, for a fraction, and if fewer than eight characters are left.
#[inline]
pub(crate) fn short_integer(chars: &[u8]) -> Option<(i64, usize)> {
    let eight = chars.first_chunk::<8>()?;
    let (number, count) = up_to_eight(u64::from_le_bytes(*eight));
    let canonical = (count == 1 || eight[0] != b'0') && (1..8).contains(&count);
    if !canonical || matches!(eight[count], b'.' | b'e' | b'E') {
        return None;
    }
    Some((number.cast_signed(), count))
}

/// The text of an integer of up to eight digits, and how many of the eight characters are its digits. `None` for a
/// longer one.
#[inline]
pub(crate) const fn digits(int: u64) -> Option<([u8; 8], usize)> {
    if int >= EIGHT_DIGITS {
        return None;
    }
    let digits = eight_digits(int);
    // A zero has one digit.
    let zeros = ((digits | 1 << 56).trailing_zeros() / 8) as usize;
    Some((((digits | ASCII) >> (8 * zeros)).to_le_bytes(), 8 - zeros))
}

/// The eight decimal digits of an integer below 10^8, one in each byte, the first one in the lowest byte. All lanes of
/// a word are divided by 100 and by 10 at once, by multiplication.
#[inline]
const fn eight_digits(int: u64) -> u64 {
    let fours = (int / 10_000) | ((int % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let pairs = hundreds | ((fours - 100 * hundreds) << 16);
    let tens = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | ((pairs - 10 * tens) << 8)
}

/// The number that the leading digits of eight characters make, and how many digits there are. The first character is
/// in the lowest byte. All digits are converted at once in one word (Langdale and Lemire, "Parsing gigabytes of JSON
/// per second", 2019).
#[inline]
fn up_to_eight(chars: u64) -> (u64, usize) {
    let digits = chars ^ ASCII;
    // The high bit of each byte that is above 9, and of some after the first such one.
    let others = ((digits & (0x7f * ONES)).wrapping_add(0x76 * ONES) | digits) & (0x80 * ONES);
    let count = (others.trailing_zeros() / 8) as usize;
    if count == 0 {
        return (0, 0);
    }
    // The digits are moved to the end of the word, with zeros before them.
    (number(digits << (64 - 8 * count)), count)
}

/// The number that the last `len` of eight characters make. The first character is in the lowest byte. `None` unless
/// they are one to eight digits.
#[inline]
pub(super) fn last_of_eight(chars: u64, len: usize) -> Option<u64> {
    if !(1..9).contains(&len) {
        return None;
    }
    let digits = (chars ^ ASCII) & (u64::MAX << (64 - 8 * len));
    // The high bit of each byte is masked out before the addition, so no carry goes into the next byte.
    let others = (((digits & (0x7f * ONES)) + 0x76 * ONES) | digits) & (0x80 * ONES);
    (others == 0).then(|| number(digits))
}

/// The number that eight decimal digits make, the first one in the lowest byte.
#[inline]
fn number(digits: u64) -> u64 {
    let pairs = (digits.wrapping_mul(10).wrapping_add(digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100).wrapping_add(pairs >> 16)) & 0x0000_ffff_0000_ffff;
    (fours.wrapping_mul(10_000).wrapping_add(fours >> 32)) & 0xffff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_that_the_standard_library_writes() {
        for int in 0..20_000 {
            let int = int * 4_999;
            assert_eq!(eight_digits(int).to_le_bytes().map(|digit| digit + b'0'), std::format!("{int:08}").as_bytes());
            let (text, count) = digits(int).unwrap();
            assert_eq!(&text[..count], std::format!("{int}").as_bytes());
        }
        assert_eq!(digits(EIGHT_DIGITS), None);
    }

    #[test]
    fn as_many_characters_as_are_asked_for_are_read_if_they_are_digits() {
        for (chars, len, expected) in [
            (b"x,:12345", 5, Some(12_345)),
            (b"00000000", 8, Some(0)),
            (b"98765432", 8, Some(98_765_432)),
            (b"98765432", 1, Some(2)),
            (b"1234567/", 1, None),
            (b"1234567:", 1, None),
            (b"12-45678", 6, None),
            (b"1\xb0345678", 7, None),
            (b"12345678", 0, None),
            (b"12345678", 9, None),
        ] {
            assert_eq!(last_of_eight(u64::from_le_bytes(*chars), len), expected);
        }
    }
}
