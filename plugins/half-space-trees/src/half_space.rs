//! Half-space trees (Tan, Ting & Liu, IJCAI 2011): random cuts, drawn before any row is seen, and counts of how many rows
//! of the last window fell on either side. What falls where few did is unusual.
//!
//! Smaller than the native detector of the same name and simpler: cuts lie in the middle of a side that is drawn
//! uniformly, as in the paper, and ranges come from the rows of `fit`.
//!
//! A walk down a tree is slow in WebAssembly: every step computes a 32-bit address twice. But all cuts of a column halve
//! its range again and again, so that a value is told by the one of 64 parts that it lies in, a byte (`parts.rs`). 16 rows
//! of bytes are compared with a cut by one instruction, and there are few different cuts (`grove.rs`).

#[path = "grove.rs"]
mod grove;
#[path = "parts.rs"]
mod parts;

pub use grove::COLUMNS_MAX;
use grove::{Grove, LANES, LEAVES, MANY, ROOM, VECTOR, plant, weigh};
use parts::{HEIGHT, Parts};

/// What the range exceeds that of the first rows by, at either end, as a share of it.
const MARGIN: f32 = 0.25;
/// How many trees, and rows a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Size {
    pub trees: usize,
    pub window: u32,
}

/// The trees and what they have counted.
#[derive(Clone, Debug)]
pub struct HalfSpaceTrees {
    size: Size,
    /// Lowest and highest value of every column, with the margin.
    low: Vec<f32>,
    high: Vec<f32>,
    /// Parts of every column, which follow from the ranges, and the trees' cuts, which follow from the seed.
    parts: Parts,
    groves: Vec<Grove>,
    /// What each leaf of each tree adds to a row's mass, from the last full window.
    masses: Vec<[u32; LEAVES]>,
    /// Rows of the current window in each leaf of each tree.
    latest: Vec<[u32; LEAVES]>,
    filled: u32,
    warm: bool,
}

impl HalfSpaceTrees {
    /// Knows nothing: every score is 0. `columns` are at most [`COLUMNS_MAX`].
    pub fn new(size: Size, columns: usize, seed: u64) -> Self {
        assert!(columns <= COLUMNS_MAX, "a column is named by a byte");
        let mut trees = Self {
            size,
            low: vec![0.0; columns],
            high: vec![1.0; columns],
            parts: Parts::default(),
            groves: plant(size.trees, columns, seed),
            masses: vec![[0; LEAVES]; size.trees],
            latest: vec![[0; LEAVES]; size.trees],
            filled: 0,
            warm: false,
        };
        trees.parts = Parts::new(&trees.low, &trees.high);
        trees
    }

    /// Begins anew with the ranges of these rows, and learns from them.
    pub fn fit(&mut self, rows: &[f32]) {
        let columns = self.low.len();
        for i in 0..columns {
            let (mut low, mut high) = (f32::MAX, f32::MIN);
            for value in rows.iter().skip(i).step_by(columns) {
                low = if *value < low { *value } else { low };
                high = if *value > high { *value } else { high };
            }
            // Halves, so that the range of the greatest floats is still one.
            let margin = (high * 0.5 - low * 0.5) * (2.0 * MARGIN);
            self.low[i] = (low - margin).max(f32::MIN);
            self.high[i] = (high + margin).min(f32::MAX);
        }
        self.parts = Parts::new(&self.low, &self.high);
        self.masses.fill([0; LEAVES]);
        self.latest.fill([0; LEAVES]);
        (self.filled, self.warm) = (0, false);
        self.update(rows);
        // What came in before the first window was full is better than nothing.
        if !self.warm && self.filled > 0 {
            self.turn();
        }
    }

    /// Learns from rows as they pass.
    pub fn update(&mut self, rows: &[f32]) {
        let columns = self.low.len();
        let mut rest = rows;
        ROOM.with_borrow_mut(|room| {
            while !rest.is_empty() {
                // No further than the window reaches.
                let most = (rest.len() / columns).min((self.size.window - self.filled) as usize);
                let vectors = vectors(most);
                let count = most.min(vectors * VECTOR);
                let (now, later) = rest.split_at(count * columns);
                self.place(now, &mut room.block);
                let mut latest = &mut self.latest[..];
                for grove in &self.groves {
                    grove.find(room, vectors);
                    let latest = latest.split_off_mut(..grove.len()).expect("all trees");
                    for (leaves, latest) in room.leaves.iter().zip(latest) {
                        leaves[..count].iter().for_each(|leaf| latest[usize::from(*leaf) % LEAVES] += 1);
                    }
                }
                self.filled += count as u32;
                if self.filled == self.size.window {
                    self.turn();
                }
                rest = later;
            }
        });
    }

    /// 1 - mass / the greatest possible mass.
    pub fn score(&self, rows: &[f32]) -> Vec<f32> {
        let columns = self.low.len();
        if !self.warm {
            return vec![0.0; rows.len() / columns];
        }
        let most = self.size.trees as f64 * f64::from(self.size.window) * (1u64 << HEIGHT) as f64;
        let mut scores = Vec::with_capacity(rows.len() / columns);
        ROOM.with_borrow_mut(|room| {
            let mut rest = rows;
            while !rest.is_empty() {
                let left = rest.len() / columns;
                let vectors = vectors(left);
                let count = left.min(vectors * VECTOR);
                let (now, later) = rest.split_at(count * columns);
                self.place(now, &mut room.block);
                // 256 trees of 65,536 rows at a depth of 6 weigh 2^30 at most.
                let mut masses = [0u32; LANES];
                let mut weights = &self.masses[..];
                for grove in &self.groves {
                    grove.find(room, vectors);
                    let weights = weights.split_off(..grove.len()).expect("all trees");
                    weigh(&room.leaves, weights, &mut masses[..vectors * VECTOR]);
                }
                let score = |mass: &u32| {
                    let share = f64::from(*mass) / most;
                    (1.0 - if share < 1.0 { share } else { 1.0 }) as f32
                };
                scores.extend(masses[..count].iter().map(score));
                rest = later;
            }
        });
        scores
    }

    /// Writes down the part that every value of up to [`LANES`] rows lies in.
    fn place(&self, rows: &[f32], block: &mut grove::Block) {
        let columns = self.low.len();
        for (i, rows) in rows.chunks(parts::TOGETHER * columns).enumerate() {
            // The last one fills up what there are too few for.
            let row = |i: usize| &rows[(i * columns).min(rows.len() - columns)..][..columns];
            self.parts.place(std::array::from_fn(row), block, i * parts::TOGETHER);
        }
    }

    /// Ranges, counts, and how full the window is; the cuts follow from the ranges.
    pub fn save(&self) -> Vec<u8> {
        let mut state = Vec::with_capacity(8 + self.low.len() * 8 + self.masses.len() * LEAVES * 8);
        state.extend(self.filled.to_le_bytes());
        state.extend(u32::from(self.warm).to_le_bytes());
        state.extend(self.low.iter().chain(&self.high).flat_map(|value| value.to_le_bytes()));
        let counts = self.masses.iter().chain(&self.latest).flatten();
        state.extend(counts.flat_map(|count| count.to_le_bytes()));
        state
    }

    /// Takes over what [`Self::save`] gave; `None` if it cannot have.
    pub fn load(&mut self, state: &[u8]) -> Option<()> {
        let (columns, leaves) = (self.low.len(), self.masses.len() * LEAVES);
        if state.len() != 8 + 8 * columns + 8 * leaves {
            return None;
        }
        let words: Vec<u32> = state
            .chunks_exact(4)
            .map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
            .collect();
        let (head, rest) = words.split_at(2);
        let (ranges, counts) = rest.split_at(2 * columns);
        let ranges: Vec<f32> = ranges.iter().map(|word| f32::from_bits(*word)).collect();
        let (low, high) = ranges.split_at(columns);
        let (masses, latest) = counts.split_at(leaves);
        // A leaf of the last window cannot weigh more than all its rows at the full depth.
        let heaviest = u64::from(self.size.window) << HEIGHT;
        let fine = head[0] < self.size.window
            && head[1] < 2
            && low.iter().zip(high).all(|(low, high)| low.is_finite() && high.is_finite() && low <= high)
            && masses.iter().all(|mass| u64::from(*mass) <= heaviest)
            && latest
                .chunks_exact(LEAVES)
                .all(|tree| tree.iter().map(|count| u64::from(*count)).sum::<u64>() == u64::from(head[0]));
        if !fine {
            return None;
        }
        (self.filled, self.warm) = (head[0], head[1] == 1);
        self.low.copy_from_slice(low);
        self.high.copy_from_slice(high);
        self.masses.copy_from_slice(masses.as_chunks().0);
        self.latest.copy_from_slice(latest.as_chunks().0);
        self.parts = Parts::new(&self.low, &self.high);
        Some(())
    }

    /// The window is full: its counts become masses. A leaf's is that of the first region on its path with less than a
    /// tenth of the window, times 2^depth (the paper's size limit).
    fn turn(&mut self) {
        let limit = self.size.window / 10;
        for (latest, masses) in self.latest.iter().zip(&mut self.masses) {
            let mut counts = [0u32; 2 * LEAVES];
            counts[LEAVES..].copy_from_slice(latest);
            for node in (1..LEAVES).rev() {
                counts[node] = counts[2 * node] + counts[2 * node + 1];
            }
            for leaf in 0..LEAVES {
                let (mut depth, mut node) = (0, 1);
                while counts[node] >= limit && depth < HEIGHT {
                    depth += 1;
                    node = (LEAVES + leaf) >> (HEIGHT - depth);
                }
                masses[leaf] = counts[node] << depth;
            }
        }
        self.latest.fill([0; LEAVES]);
        (self.filled, self.warm) = (0, true);
    }
}

/// How many vectors of so many rows go through the trees together.
fn vectors(rows: usize) -> usize {
    if rows > (MANY - 1) * VECTOR { MANY } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_falls_where_few_did_is_unusual() {
        let mut trees = HalfSpaceTrees::new(Size { trees: 20, window: 64 }, 2, 7);
        let usual: Vec<f32> = (0..64).flat_map(|i| [i as f32 % 8.0, 100.0]).collect();
        trees.fit(&[&usual[..], &[40.0, 0.0]].concat());
        let scores = trees.score(&[3.0, 100.0, 40.0, 0.0]);
        assert!(scores[1] > scores[0], "{scores:?}");
        let mut loaded = HalfSpaceTrees::new(Size { trees: 20, window: 64 }, 2, 7);
        loaded.load(&trees.save()).unwrap();
        assert_eq!(loaded.score(&usual), trees.score(&usual));
        assert!(loaded.load(&trees.save()[1..]).is_none());
    }

    /// The definition: a walk from the root, comparing values with the middle of what is left of a side.
    fn defined(row: &[f32], sides: &mut [(f32, f32)], column: impl Fn(usize) -> usize) -> usize {
        let mut node = 1;
        for _ in 0..HEIGHT {
            let column = column(node);
            let (low, high) = sides[column];
            let at = low * 0.5 + high * 0.5;
            let right = row[column] > at;
            sides[column] = if right { (at, high) } else { (low, at) };
            node = 2 * node + usize::from(right);
        }
        node - LEAVES
    }

    #[test]
    fn rows_fall_where_a_walk_leads() {
        let mut bits = 5;
        let mut unit = move || (grove::split_mix(&mut bits) >> 40) as f32 / (1 << 24) as f32;
        let shapes =
            [(1, 1.0), (3, 1e-38), (5, 0.0), (7, f32::MAX), (16, 250.0), (16, 0.0), (35, 1e30), (256, 2.0)];
        for (columns, scale) in shapes {
            let mut trees = HalfSpaceTrees::new(Size { trees: 75, window: 50 }, columns, 11);
            trees.fit(
                &(0..40 * columns)
                    .map(|i| (unit() + (i % columns) as f32) * scale / columns as f32)
                    .collect::<Vec<_>>(),
            );
            let spread = |(i, value): (usize, f32)| {
                (value * 1.6 - 0.3 + (i % columns) as f32) * scale / columns as f32
            };
            let mut rows: Vec<f32> = (0..100 * columns).map(|i| spread((i, unit()))).collect();
            // On a bound, beside it, and far out.
            for (i, value) in rows.iter_mut().enumerate().step_by(3) {
                let bound = trees.parts.column(i % columns).bounds[1 + i % (parts::PARTS - 1)];
                *value = [bound, bound.next_up(), bound.next_down(), f32::MAX, f32::MIN][i % 5];
            }
            rows.iter_mut().for_each(|value| *value = value.clamp(f32::MIN, f32::MAX));
            assert_eq!(trees.groves.iter().map(Grove::len).sum::<usize>(), 75);
            let blocks = [LANES, LANES - 14, VECTOR, 3, 1]
                .map(|count| rows.chunks_exact(count * columns))
                .into_iter()
                .flatten();
            ROOM.with_borrow_mut(|room| {
                for rows in blocks {
                    trees.place(rows, &mut room.block);
                    for grove in &trees.groves {
                        grove.find(room, vectors(rows.len() / columns));
                        for (tree, leaves) in room.leaves.iter().enumerate().take(grove.len()) {
                            for (row, leaf) in rows.chunks(columns).zip(leaves) {
                                let mut sides: Vec<_> =
                                    trees.low.iter().copied().zip(trees.high.iter().copied()).collect();
                                let expected = defined(row, &mut sides, |node| grove.column(tree, node));
                                assert_eq!(usize::from(*leaf), expected, "{row:?}");
                            }
                        }
                    }
                }
            });
        }
    }
}
