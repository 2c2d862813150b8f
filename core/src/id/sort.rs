//! Sorting without the standard library's code.

/// Sorts in place in O(n log n) (Williams, "Algorithm 232: Heapsort", 1964). Equal items may change their order. The
/// standard library's sort would be a good part of the program on a small device, for a list that is sorted once.
pub(crate) fn heap_sort<T>(items: &mut [T], is_less: impl Fn(&T, &T) -> bool) {
    let len = items.len();
    (0..len / 2).rev().for_each(|root| sift_down(items, root, &is_less));
    for end in (1..len).rev() {
        if let Ok([first, last]) = items.get_disjoint_mut([0, end]) {
            core::mem::swap(first, last);
        }
        sift_down(items.get_mut(..end).unwrap_or(&mut []), 0, &is_less);
    }
}

/// Moves an item down until no item below it is larger. The items below it are a heap already.
fn sift_down<T>(items: &mut [T], mut at: usize, is_less: &impl Fn(&T, &T) -> bool) {
    // The loop is bounded by the depth of the heap.
    while let Some(left) = items.get(2 * at + 1) {
        let right_is_larger = items.get(2 * at + 2).is_some_and(|right| is_less(left, right));
        let child = 2 * at + 1 + usize::from(right_is_larger);
        match items.get_disjoint_mut([at, child]) {
            Ok([item, larger]) if is_less(item, larger) => core::mem::swap(item, larger),
            Ok(_) | Err(_) => return,
        }
        at = child;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_every_length_are_sorted_whatever_their_order() {
        for len in 0..200_u32 {
            for factor in [0, 1, 7, 199, 0x9e37_79b9] {
                let mut items: std::vec::Vec<u32> = (0..len).map(|at| at.wrapping_mul(factor) % 211).collect();
                let mut expected = items.clone();
                expected.sort_unstable();
                heap_sort(&mut items, |a, b| a < b);
                assert_eq!(items, expected);
            }
        }
    }
}
