//! A feature of a window, sorted.

use super::super::tree::key;
use super::rows::Rows;
use super::vectors::Vectors;
use super::window::{LANES, ROWS};

/// How many blocks of [`LANES`] values there are to a region.
const BLOCKS: usize = 8;

/// A feature of the window.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct Column {
    /// By rank: the rows before it.
    pub(super) before: [Rows; ROWS + 1],
    /// Its values in ascending order, then infinities.
    pub(super) sorted: [f32; ROWS],
    /// The first of each block of [`LANES`] of them, and of each region of [`BLOCKS`] blocks.
    blocks: [f32; ROWS / LANES],
    regions: [f32; ROWS / LANES / BLOCKS],
}

impl Column {
    pub(super) const EMPTY: Self = Self {
        sorted: [f32::INFINITY; ROWS],
        blocks: [f32::INFINITY; ROWS / LANES],
        regions: [f32::INFINITY; ROWS / LANES / BLOCKS],
        before: [Rows::NONE; ROWS + 1],
    };

    /// Takes in the values, of which there are at most [`ROWS`], and tells the place of each among all, of a row. `sorted` is room
    /// for them.
    pub(super) fn fill(
        &mut self,
        values: impl Iterator<Item = f32>,
        sorted: &mut Vec<u64>,
        mut ranked: impl FnMut(usize, u16),
    ) {
        sorted.clear();
        sorted.extend(values.enumerate().map(|(row, value)| u64::from(key(value)) << 32 | row as u64));
        sorted.sort_unstable();
        let mut before = Rows::NONE;
        for (rank, entry) in sorted.iter().enumerate() {
            let row = *entry as u32 as usize;
            self.sorted[rank] = value_of((*entry >> 32) as u32);
            ranked(row, rank as u16);
            self.before[rank] = before;
            before.insert(row);
        }
        self.before[sorted.len()] = before;
        self.sorted[sorted.len()..].fill(f32::INFINITY);
        for (block, values) in self.blocks.iter_mut().zip(self.sorted.chunks_exact(LANES)) {
            *block = values[0];
        }
        for (region, blocks) in self.regions.iter_mut().zip(self.blocks.chunks_exact(BLOCKS)) {
            *region = blocks[0];
        }
    }

    /// How many values there are up to a finite `threshold`, of which there must be one. Without a branch.
    #[inline(always)]
    pub(super) fn rank_of(&self, vectors: impl Vectors, threshold: f32) -> usize {
        let region = (vectors.up_to_8(threshold, &self.regions) - 1) % self.regions.len();
        let block = vectors.up_to_8(threshold, &self.blocks.as_chunks().0[region]) - 1;
        let block = (region * BLOCKS + block) % self.blocks.len();
        block * LANES + vectors.up_to(threshold, &self.sorted.as_chunks().0[block])
    }
}

/// The float that [`key`] made an integer of; both zeros are `0.0`.
fn value_of(key: u32) -> f32 {
    let bits = if key >> 31 == 1 { key ^ 1 << 31 } else { !key };
    f32::from_bits(bits)
}

#[cfg(test)]
mod tests {
    use super::super::vectors::Best;
    use super::*;

    fn check(vectors: impl Vectors) {
        let mut rows: Vec<f32> = (0..700).map(|i| i as f32).collect();
        rows[..6].copy_from_slice(&[f32::MAX, f32::MIN, -0.0, f32::from_bits(1), -f32::from_bits(1), 0.0]);
        let mut column = Box::new(Column::EMPTY);
        column.fill(rows.iter().copied(), &mut Vec::new(), |_, _| {});
        let mut sorted = rows.clone();
        sorted.sort_by(f32::total_cmp);
        assert_eq!(column.sorted[..700], sorted);
        for threshold in &sorted {
            let expected = rows.iter().filter(|value| *value <= threshold).count();
            assert_eq!(column.rank_of(vectors, *threshold), expected);
            let before = &column.before[expected];
            assert!((0..700).all(|row| before.contains(row) == (rows[row] <= *threshold)));
        }
    }

    #[test]
    fn extremes_are_ranked() {
        for best in Best::detect() {
            match best {
                Best::Avx512(vectors) => check(vectors),
                Best::Avx2(vectors) => check(vectors),
            }
        }
    }
}
