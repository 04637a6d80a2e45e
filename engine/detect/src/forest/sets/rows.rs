//! Sets of rows, and counters of what happens to each.

use super::vectors::Vectors;
use super::window::ROWS;

/// A set of up to 32 `WORDS` rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rows<const WORDS: usize = { ROWS / 32 }>(pub(super) [u32; WORDS]);

impl<const WORDS: usize> Rows<WORDS> {
    pub(super) const NONE: Self = Self([0; WORDS]);

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

    #[inline(always)]
    pub(super) fn insert(&mut self, row: usize) {
        self.0[row / 32] |= 1 << (row % 32);
    }

    #[cfg(test)]
    pub(super) fn contains(&self, row: usize) -> bool {
        self.0[row / 32] >> (row % 32) & 1 == 1
    }

    #[inline(always)]
    pub(super) fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
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
#[derive(Clone, Copy, Debug)]
pub(super) struct Counters<const BITS: usize, const WORDS: usize = { ROWS / 32 }>([Rows<WORDS>; BITS]);

impl<const BITS: usize, const WORDS: usize> Counters<BITS, WORDS> {
    pub(super) const ZERO: Self = Self([Rows::NONE; BITS]);

    /// Adds one for each of the rows.
    #[inline(always)]
    pub(super) fn count(&mut self, vectors: impl Vectors, rows: &Rows<WORDS>) {
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

    /// Adds one for each of nine sets that a row is in: three adders first, so that what is added to every plane is a number of
    /// four bits, and no branch.
    #[inline(always)]
    pub(super) fn count_nine(&mut self, sets: &[Rows<WORDS>; 9]) {
        // A closure that is called more than once is not compiled into its caller, whose instructions it needs.
        let (a, d) = full(&sets[0], &sets[1], &sets[2]);
        let (b, e) = full(&sets[3], &sets[4], &sets[5]);
        let (c, f) = full(&sets[6], &sets[7], &sets[8]);
        let (ones, g) = full(&a, &b, &c);
        let (h, i) = full(&d, &e, &f);
        let (twos, j) = half(&g, &h);
        let (fours, eights) = half(&i, &j);
        let (low, high) = self.0.split_at_mut(4);
        let mut carry = Rows::NONE;
        for (plane, bit) in low.iter_mut().zip([ones, twos, fours, eights]) {
            (*plane, carry) = full(plane, &bit, &carry);
        }
        for plane in high {
            (*plane, carry) = half(plane, &carry);
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

/// Adds three bits for each row: the lower and the higher bit of the sum.
#[inline(always)]
fn full<const WORDS: usize>(a: &Rows<WORDS>, b: &Rows<WORDS>, c: &Rows<WORDS>) -> (Rows<WORDS>, Rows<WORDS>) {
    let odd = a.with(b, |a, b| a ^ b);
    let both = a.and(b);
    (odd.with(c, |a, b| a ^ b), both.with(&odd.and(c), |a, b| a | b))
}

/// Adds two bits for each row.
#[inline(always)]
fn half<const WORDS: usize>(a: &Rows<WORDS>, b: &Rows<WORDS>) -> (Rows<WORDS>, Rows<WORDS>) {
    (a.with(b, |a, b| a ^ b), a.and(b))
}

#[cfg(test)]
mod tests {
    use super::super::vectors::Best;
    use super::*;
    use phalanx_core::{Purpose, Streams, Tick};

    fn check(vectors: impl Vectors) {
        let (mut counters, mut expected) = (Counters::<7, { ROWS / 32 }>::ZERO, [0u64; ROWS]);
        let mut rng = Streams::from_seed(32).stream(Purpose::Model, 0, Tick(0));
        for _ in 0..127 {
            let mut rows = Rows::<{ ROWS / 32 }>::NONE;
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
