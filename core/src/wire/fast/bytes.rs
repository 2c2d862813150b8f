//! Short slices of bytes are compared and copied here in words that overlap. A call into the library would cost more
//! than the work itself.

/// Whether two slices are the same.
#[inline]
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match a.len() {
        16.. => {
            let (a_blocks, b_blocks) = (a.as_chunks::<16>().0, b.as_chunks::<16>().0);
            let blocks = a_blocks.iter().zip(b_blocks).all(|(a, b)| u128::from_ne_bytes(*a) == u128::from_ne_bytes(*b));
            blocks && a.last_chunk::<16>() == b.last_chunk::<16>()
        }
        8..16 => a.first_chunk::<8>() == b.first_chunk::<8>() && a.last_chunk::<8>() == b.last_chunk::<8>(),
        4..8 => a.first_chunk::<4>() == b.first_chunk::<4>() && a.last_chunk::<4>() == b.last_chunk::<4>(),
        2..4 => a.first_chunk::<2>() == b.first_chunk::<2>() && a.last_chunk::<2>() == b.last_chunk::<2>(),
        0..2 => a.first() == b.first(),
    }
}

/// Copies a slice to another one of the same length.
#[inline]
pub(crate) fn copy(to: &mut [u8], from: &[u8]) {
    match from.len() {
        16..33 => copy_ends::<16>(to, from),
        8..16 => copy_ends::<8>(to, from),
        4..8 => copy_ends::<4>(to, from),
        2..4 => copy_ends::<2>(to, from),
        _ => to.copy_from_slice(from),
    }
}

/// Copies from `N` to `2 * N` bytes.
#[inline]
fn copy_ends<const N: usize>(to: &mut [u8], from: &[u8]) {
    if let (Some(to), Some(from)) = (to.first_chunk_mut::<N>(), from.first_chunk::<N>()) {
        *to = *from;
    }
    if let (Some(to), Some(from)) = (to.last_chunk_mut::<N>(), from.last_chunk::<N>()) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_same_is_what_the_standard_library_calls_equal(
            a in prop::collection::vec(any::<u8>(), 0..70),
            at in any::<prop::sample::Index>(),
            bit in 0_u32..8,
        ) {
            let mut b = std::vec![0; a.len()];
            copy(&mut b, &a);
            prop_assert_eq!(&a, &b);
            prop_assert!(same(&a, &b));
            if !a.is_empty() {
                b[at.index(a.len())] ^= 1 << bit;
                prop_assert!(!same(&a, &b));
                prop_assert!(!same(&a, &b[1..]));
            }
        }
    }
}
