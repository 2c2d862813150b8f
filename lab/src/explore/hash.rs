//! Hashes of 128 bits, so that two different states are not taken for one. With 10^9 states the chance is below 10^-18.
//!
//! The hash is fast and has no key, because everything that is hashed comes from this program. Each half of it takes
//! every word by multiplication and folding of the product, as wyhash does, with constants of its own.

/// Odd constants with about as many ones as zeros.
const KEYS: [u64; 4] = [0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb, 0xd6e8_feb8_6659_fd93];

/// Adds a word to a hash. The order of words counts.
#[must_use]
pub(super) fn word(hash: u128, word: u64) -> u128 {
    let (high, low) = ((hash >> 64) as u64, hash as u64);
    let high = fold(high ^ word ^ KEYS[0], KEYS[1]).wrapping_add(low.rotate_left(23));
    let low = fold(low ^ word.rotate_left(32) ^ KEYS[2], KEYS[3]).wrapping_add(word);
    u128::from(high) << 64 | u128::from(low)
}

/// Adds bytes and their number to a hash.
#[must_use]
pub(super) fn bytes(hash: u128, bytes: &[u8]) -> u128 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut hash = word(hash, bytes.len() as u64);
    for chunk in words {
        hash = word(hash, u64::from_le_bytes(*chunk));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    word(hash, u64::from_le_bytes(last))
}

/// Spreads the hash of a part over all bits. Such hashes may be added where the order of the parts does not count.
#[must_use]
pub(super) fn part(hash: u128, kind: u64) -> u128 {
    word(word(hash, kind), (hash >> 64) as u64)
}

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product >> 64) as u64 ^ product as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_differ_in_one_place_or_in_length_have_different_hashes() {
        let mut seen = std::collections::HashSet::new();
        for len in 0..40 {
            let mut text = vec![0_u8; len];
            assert!(seen.insert(bytes(0, &text)));
            for at in 0..len {
                text[at] = 1;
                assert!(seen.insert(bytes(0, &text)));
                text[at] = 0;
            }
        }
        // Neither half is constant, and the halves differ.
        let halves: std::collections::HashSet<u64> = seen.iter().flat_map(|h| [*h as u64, (*h >> 64) as u64]).collect();
        assert_eq!(halves.len(), 2 * seen.len());
    }
}
