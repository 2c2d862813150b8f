//! Sets of small numbers as rows of bits, 64 in a word.

/// Whether a bit is set.
pub(crate) fn has(row: &[u64], bit: usize) -> bool {
    row[bit / 64] >> (bit % 64) & 1 == 1
}

/// Calls `each` with every bit of a word, counted from the beginning of its row.
pub(crate) fn for_each_bit(word_number: usize, mut word: u64, mut each: impl FnMut(usize)) {
    while word != 0 {
        each(word_number * 64 + word.trailing_zeros() as usize);
        word &= word - 1;
    }
}

/// The bits of one word that lie below `len`, counted from the beginning of the row.
pub(crate) fn prefix(word_number: usize, len: usize) -> u64 {
    match len.saturating_sub(word_number * 64) {
        0 => 0,
        n @ 1..=63 => (1 << n) - 1,
        _ => u64::MAX,
    }
}
