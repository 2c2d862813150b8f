//! Digits to integers, eight at a time.

const ONES: u64 = 0x0101_0101_0101_0101;
const ASCII: u64 = 0x30 * ONES;

/// The number that the leading digits of eight characters make, the first one lowest, and how many there are: all at once
/// in one word (Langdale and Lemire, "Parsing gigabytes of JSON per second", 2019).
#[inline]
pub(in crate::wire) fn up_to_eight(chars: u64) -> (u64, usize) {
    let digits = chars ^ ASCII;
    // The high bit of each byte that is above 9, and of some after the first such one.
    let others = ((digits & (0x7f * ONES)).wrapping_add(0x76 * ONES) | digits) & (0x80 * ONES);
    let count = (others.trailing_zeros() / 8) as usize;
    if count == 0 {
        return (0, 0);
    }
    // Digits to the end, zeros before them.
    (number(digits << (64 - 8 * count)), count)
}

/// The number that the last `len` of eight characters make, the first one lowest. `None` unless they are from one to eight
/// digits.
#[inline]
pub(in crate::wire) fn last_of_eight(chars: u64, len: usize) -> Option<u64> {
    if !(1..9).contains(&len) {
        return None;
    }
    let digits = (chars ^ ASCII) & (u64::MAX << (64 - 8 * len));
    // No carry crosses a byte whose high bit is clear.
    let others = (((digits & (0x7f * ONES)) + 0x76 * ONES) | digits) & (0x80 * ONES);
    (others == 0).then(|| number(digits))
}

/// The number of eight decimal digits, the first one lowest.
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
