//! An array that grows and never moves: segments of doubling size, made when first asked for.
//!
//! Owned here: [`Growing`]. Called by `names`, `stamp`, `page`, `statistics`: whatever is reached by a dense number from any core
//! without a lock. Always holds: a reference to an element stays good as long as the array; elements start as their default.
//! Left to others: what the elements are; they change only through atomics of their own.

use std::sync::OnceLock;

const FIRST: usize = 64;
const SEGMENTS: usize = 20;

/// See the module; holds up to [`Growing::LIMIT`] elements.
pub(crate) struct Growing<T> {
    segments: [OnceLock<Box<[T]>>; SEGMENTS],
}

impl<T> Default for Growing<T> {
    fn default() -> Growing<T> {
        Growing {
            segments: [const { OnceLock::new() }; SEGMENTS],
        }
    }
}

fn place(at: usize) -> (usize, usize) {
    let segment = (at / FIRST + 1).ilog2() as usize;
    (segment, at - FIRST * ((1 << segment) - 1))
}

impl<T: Default> Growing<T> {
    /// The number of elements there is room for, about 67 million.
    pub(crate) const LIMIT: usize = FIRST * ((1 << SEGMENTS) - 1);

    /// The element, if its segment has been made.
    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        let (segment, at) = place(at);
        Some(&self.segments.get(segment)?.get()?[at])
    }

    /// The element, its segment made if need be. `at` is below [`Growing::LIMIT`].
    pub(crate) fn get_or_make(&self, at: usize) -> &T {
        let (segment, at) = place(at);
        &self.segments[segment]
            .get_or_init(|| (0..FIRST << segment).map(|_| T::default()).collect())[at]
    }

    /// What an array takes, in bytes, of which the first `len` elements have been asked for.
    pub(crate) fn bytes_of(len: usize) -> usize {
        match len.checked_sub(1) {
            None => 0,
            Some(last) => FIRST * ((2 << place(last).0) - 1) * size_of::<T>(),
        }
    }

    /// All elements of the segments that have been made, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.segments
            .iter()
            .map_while(OnceLock::get)
            .flat_map(|segment| segment.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_lie_one_behind_the_other_without_overlap() {
        let mut last = (0, usize::MAX);
        for at in 0..100_000 {
            let (segment, offset) = place(at);
            assert!(offset < FIRST << segment);
            assert!(
                (segment, offset) == (last.0, last.1.wrapping_add(1))
                    || (segment, offset) == (last.0 + 1, 0)
            );
            last = (segment, offset);
        }
        assert_eq!(
            place(Growing::<u8>::LIMIT - 1),
            (SEGMENTS - 1, (FIRST << (SEGMENTS - 1)) - 1)
        );
    }
}
