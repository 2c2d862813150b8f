//! The hash of names and values. It is the same on every platform.

/// Scrambles 64 bits so that each bit of the result depends on each bit of `x` (the finalizer of `SplitMix64`).
#[must_use]
pub const fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Hash of two words. Their order counts.
#[must_use]
pub const fn mix2(a: u64, b: u64) -> u64 {
    mix(mix(a).wrapping_add(b).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// Hash of bytes, which are taken eight at a time.
#[must_use]
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    hash_bytes_from(0, bytes)
}

pub(super) fn hash_bytes_from(key: u64, bytes: &[u8]) -> u64 {
    let mut hash = key ^ 0x243f_6a88_85a3_08d3 ^ bytes.len() as u64;
    for chunk in bytes.chunks(8) {
        let word = chunk.first_chunk().copied().unwrap_or_else(|| {
            let mut word = [0; 8];
            word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            word
        });
        hash = mix2(hash, u64::from_le_bytes(word));
    }
    hash
}
