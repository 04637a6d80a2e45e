//! A feature of a window, sorted.

use std::arch::x86_64::__m512i;

use pulp::x86::V4;

use super::super::key;
use super::rows::Rows;
use super::{LANES, ROWS};

/// A feature of the window.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// Its values in ascending order, then infinities.
    pub(super) sorted: [f32; ROWS],
    /// Every [`LANES`]-th of them.
    pub(super) pivots: [f32; ROWS / LANES],
    /// By row: its place in that order.
    pub(super) rank: [u16; ROWS],
    /// By rank: the rows before it.
    pub(super) before: [Rows; ROWS + 1],
}

impl Column {
    pub(super) const EMPTY: Self = Self {
        sorted: [f32::INFINITY; ROWS],
        pivots: [f32::INFINITY; ROWS / LANES],
        rank: [0; ROWS],
        before: [Rows::NONE; ROWS + 1],
    };

    /// Takes in the values, of which there are at most [`ROWS`]; `sorted` is room for them.
    pub(super) fn fill(&mut self, values: impl Iterator<Item = f32>, sorted: &mut Vec<u64>) {
        sorted.clear();
        sorted.extend(values.enumerate().map(|(row, value)| u64::from(key(value)) << 32 | row as u64));
        sorted.sort_unstable();
        let mut before = Rows::NONE;
        for (rank, entry) in sorted.iter().enumerate() {
            let row = *entry as u32 as usize;
            self.sorted[rank] = value_of((*entry >> 32) as u32);
            self.rank[row] = rank as u16;
            self.before[rank] = before;
            before.insert(row);
        }
        self.before[sorted.len()] = before;
        self.sorted[sorted.len()..].fill(f32::INFINITY);
        for (pivot, values) in self.pivots.iter_mut().zip(self.sorted.chunks_exact(LANES)) {
            *pivot = values[0];
        }
    }

    /// How many values there are up to a finite `threshold`, of which there must be one.
    #[inline(always)]
    pub(super) fn rank_of(&self, simd: V4, threshold: f32) -> usize {
        let mut blocks = 0;
        for pivots in self.pivots.as_chunks().0 {
            blocks += up_to(simd, threshold, pivots);
        }
        let block = (blocks - 1) % (ROWS / LANES);
        block * LANES + up_to(simd, threshold, &self.sorted.as_chunks().0[block])
    }

    /// The least and the greatest rank among the rows, of which there must be one, in the first `vectors` × 32 rows.
    #[inline(always)]
    pub(super) fn range(&self, simd: V4, rows: &Rows, vectors: usize) -> (usize, usize) {
        let (wide, narrow) = (simd.avx512f, simd.avx512bw);
        let ones = wide._mm512_set1_epi32(-1);
        let (mut least, mut greatest) = (ones, wide._mm512_setzero_si512());
        let ranks = self.rank.as_chunks::<32>().0;
        for (ranks, rows) in ranks.iter().zip(&rows.0).take(vectors) {
            let ranks = pulp::cast(*ranks);
            least = narrow._mm512_mask_min_epu16(least, *rows, least, ranks);
            greatest = narrow._mm512_mask_max_epu16(greatest, *rows, greatest, ranks);
        }
        let greatest = !least_lane(simd, wide._mm512_andnot_si512(greatest, ones));
        (usize::from(least_lane(simd, least)), usize::from(greatest))
    }
}

/// How many of the values are at most the threshold.
#[inline(always)]
fn up_to(simd: V4, threshold: f32, values: &[f32; LANES]) -> usize {
    const LESS_OR_EQUAL: i32 = 18;
    let threshold = simd.avx512f._mm512_set1_ps(threshold);
    let mask = simd.avx512f._mm512_cmp_ps_mask::<LESS_OR_EQUAL>(pulp::cast(*values), threshold);
    mask.count_ones() as usize
}

/// The least of 32 numbers of 16 bits.
#[inline(always)]
fn least_lane(simd: V4, lanes: __m512i) -> u16 {
    let half = simd.avx2._mm256_min_epu16(
        simd.avx512f._mm512_castsi512_si256(lanes),
        simd.avx512f._mm512_extracti64x4_epi64::<1>(lanes),
    );
    let quarter = simd
        .sse4_1
        ._mm_min_epu16(simd.avx._mm256_castsi256_si128(half), simd.avx2._mm256_extracti128_si256::<1>(half));
    simd.sse2._mm_cvtsi128_si32(simd.sse4_1._mm_minpos_epu16(quarter)) as u16
}

/// The float that [`key`] made an integer of; both zeros are `0.0`.
fn value_of(key: u32) -> f32 {
    let bits = if key >> 31 == 1 { key ^ 1 << 31 } else { !key };
    f32::from_bits(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_are_ranked() {
        let Some(simd) = V4::try_new() else { return println!("skipped: no AVX-512") };
        let mut rows: Vec<f32> = (0..64).map(|i| i as f32).collect();
        rows[..6].copy_from_slice(&[f32::MAX, f32::MIN, -0.0, f32::from_bits(1), -f32::from_bits(1), 0.0]);
        let mut column = Box::new(Column::EMPTY);
        column.fill(rows.iter().copied(), &mut Vec::new());
        let mut sorted = rows.clone();
        sorted.sort_by(f32::total_cmp);
        assert_eq!(column.sorted[..64], sorted);
        for threshold in &sorted {
            let expected = rows.iter().filter(|value| *value <= threshold).count();
            assert_eq!(column.rank_of(simd, *threshold), expected);
            let before = &column.before[expected];
            assert!((0..64).all(|row| before.contains(row) == (rows[row] <= *threshold)));
        }
    }
}
