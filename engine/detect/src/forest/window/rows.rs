//! Sets of rows, and counters of what happens to each.

use super::ROWS;
use super::vectors::Vectors;

/// A set of rows.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub(super) struct Rows(pub(super) [u32; ROWS / 32]);

impl Rows {
    pub(super) const NONE: Self = Self([0; ROWS / 32]);

    /// The first `count` rows.
    #[inline(always)]
    pub(super) fn first(count: usize) -> Self {
        let mut rows = Self::NONE;
        rows.0[..count / 32].fill(u32::MAX);
        if let Some(part) = rows.0.get_mut(count / 32) {
            *part = (1 << (count % 32)) - 1;
        }
        rows
    }

    pub(super) fn insert(&mut self, row: usize) {
        self.0[row / 32] |= 1 << (row % 32);
    }

    #[cfg(test)]
    pub(super) fn contains(&self, row: usize) -> bool {
        self.0[row / 32] >> (row % 32) & 1 == 1
    }

    #[inline(always)]
    pub(super) fn with(&self, other: &Self, combine: impl Fn(u32, u32) -> u32) -> Self {
        let mut rows = Self::NONE;
        for ((out, a), b) in rows.0.iter_mut().zip(&self.0).zip(&other.0) {
            *out = combine(*a, *b);
        }
        rows
    }

    #[inline(always)]
    pub(super) fn and(&self, other: &Self) -> Self {
        self.with(other, |a, b| a & b)
    }

    #[inline(always)]
    pub(super) fn without(&self, other: &Self) -> Self {
        self.with(other, |a, b| a & !b)
    }
}

/// One number a row, less than `2^BITS`: set b holds bit b of each.
#[derive(Clone, Debug)]
pub(super) struct Counters<const BITS: usize>([Rows; BITS]);

impl<const BITS: usize> Counters<BITS> {
    pub(super) const ZERO: Self = Self([Rows::NONE; BITS]);

    /// Adds one for each of the rows.
    #[inline(always)]
    pub(super) fn count(&mut self, vectors: impl Vectors, rows: &Rows) {
        let mut carry = *rows;
        for plane in &mut self.0 {
            let next = plane.and(&carry);
            *plane = plane.with(&carry, |a, b| a ^ b);
            carry = next;
            if vectors.is_empty(&carry) {
                break;
            }
        }
    }

    /// Adds the numbers times `weight` to the sums, of 32 rows each.
    #[inline(always)]
    pub(super) fn add_to(&self, vectors: impl Vectors, sums: &mut [[u64; 32]], weight: u32) {
        for (word, sums) in sums.iter_mut().enumerate() {
            let mut numbers = [0u16; 32];
            for (bit, plane) in self.0.iter().enumerate() {
                numbers = vectors.add_bit(numbers, plane.0[word], bit);
            }
            for (sum, number) in sums.iter_mut().zip(numbers) {
                *sum += u64::from(number) * u64::from(weight);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::vectors::Best;
    use super::*;
    use phalanx_core::{Purpose, Streams, Tick};

    fn check(vectors: impl Vectors) {
        let (mut counters, mut expected) = (Counters::<7>::ZERO, [0u64; ROWS]);
        let mut rng = Streams::from_seed(32).stream(Purpose::Model, 0, Tick(0));
        for _ in 0..127 {
            let mut rows = Rows::NONE;
            (0..ROWS).filter(|_| rng.below(2) == 0).for_each(|row| rows.insert(row));
            (0..ROWS).filter(|row| rows.contains(*row)).for_each(|row| expected[row] += 5);
            counters.count(vectors, &rows);
        }
        let mut sums = [0; ROWS];
        counters.add_to(vectors, sums.as_chunks_mut().0, 5);
        assert_eq!(sums, expected);
    }

    #[test]
    fn counters_count() {
        for best in Best::detect() {
            match best {
                Best::Avx512(vectors) => check(vectors),
                Best::Avx2(vectors) => check(vectors),
            }
        }
    }
}
