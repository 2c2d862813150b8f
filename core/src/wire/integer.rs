//! Digits to integers, eight at a time.

/// Powers of ten.
pub(super) const POWERS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// The number that the leading digits of eight characters make, the first one lowest, and how many there are: all at once
/// in one word (Langdale and Lemire, "Parsing gigabytes of JSON per second", 2019).
#[inline]
pub(super) fn up_to_eight(chars: u64) -> (u64, usize) {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let digits = chars ^ (0x30 * ONES);
    // The high bit of each byte that is above 9, and of some after the first such one.
    let others = ((digits & (0x7f * ONES)).wrapping_add(0x76 * ONES) | digits) & (0x80 * ONES);
    let count = (others.trailing_zeros() / 8) as usize;
    if count == 0 {
        return (0, 0);
    }
    // Digits to the end, zeros before them.
    let digits = digits << (64 - 8 * count);
    let pairs = (digits.wrapping_mul(10).wrapping_add(digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100).wrapping_add(pairs >> 16)) & 0x0000_ffff_0000_ffff;
    let eight = (fours.wrapping_mul(10_000).wrapping_add(fours >> 32)) & 0xffff_ffff;
    (eight, count)
}
