//! Half-space trees (Tan, Ting & Liu, IJCAI 2011): random cuts, drawn before any row is seen, and counts of how many rows
//! of the last window fell on either side. What falls where few did is unusual.
//!
//! Smaller than the native detector of the same name and simpler: cuts lie in the middle of a side that is drawn
//! uniformly, as in the paper, and ranges come from the rows of `fit`.

/// Cuts between root and leaf.
const HEIGHT: usize = 6;
const LEAVES: usize = 1 << HEIGHT;
/// Columns that a byte can name, so that no read of a row has to be checked.
pub const COLUMNS_MAX: usize = 256;
/// What the range exceeds that of the first rows by, at either end, as a share of it.
const MARGIN: f32 = 0.25;

/// How many trees, and rows a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Size {
    pub trees: usize,
    pub window: u32,
}

/// A tree's cuts, a heap from slot 1 on.
type Cuts = [Cut; LEAVES];

/// What a row is compared with: one of its columns, and a value.
#[derive(Clone, Copy, Debug, Default)]
struct Cut {
    column: u8,
    at: f32,
}

/// The trees and what they have counted.
#[derive(Clone, Debug)]
pub struct HalfSpaceTrees {
    size: Size,
    seed: u64,
    /// Lowest and highest value of every column, with the margin.
    low: Vec<f32>,
    high: Vec<f32>,
    /// Cuts of every tree; they follow from seed and ranges.
    cuts: Vec<Cuts>,
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
        let mut trees = Self {
            size,
            seed,
            low: vec![0.0; columns],
            high: vec![1.0; columns],
            cuts: Vec::new(),
            masses: vec![[0; LEAVES]; size.trees],
            latest: vec![[0; LEAVES]; size.trees],
            filled: 0,
            warm: false,
        };
        trees.cut();
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
        self.cut();
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
        let mut wide = [0.0; COLUMNS_MAX];
        for row in rows.chunks_exact(self.low.len()) {
            wide[..row.len()].copy_from_slice(row);
            for (cuts, latest) in self.cuts.iter().zip(&mut self.latest) {
                latest[leaf(cuts, &wide)] += 1;
            }
            self.filled += 1;
            if self.filled == self.size.window {
                self.turn();
            }
        }
    }

    /// 1 - mass / the greatest possible mass.
    pub fn score(&self, rows: &[f32]) -> Vec<f32> {
        let most = self.size.trees as f64 * f64::from(self.size.window) * (1u64 << HEIGHT) as f64;
        let mut wide = [0.0; COLUMNS_MAX];
        let score = |row: &[f32]| {
            if !self.warm {
                return 0.0;
            }
            wide[..row.len()].copy_from_slice(row);
            let trees = self.cuts.iter().zip(&self.masses);
            let mass: u64 = trees.map(|(cuts, masses)| u64::from(masses[leaf(cuts, &wide)])).sum();
            let share = mass as f64 / most;
            (1.0 - if share < 1.0 { share } else { 1.0 }) as f32
        };
        rows.chunks_exact(self.low.len()).map(score).collect()
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
        self.cut();
        Some(())
    }

    /// Draws all cuts: for every node a column, and the middle of what is left of its range.
    fn cut(&mut self) {
        let mut bits = self.seed;
        let tree = |_| {
            let mut cuts = [Cut::default(); LEAVES];
            let mut sides: Vec<(f32, f32)> =
                self.low.iter().copied().zip(self.high.iter().copied()).collect();
            cut_node(&mut cuts, 1, &mut sides, &mut bits);
            cuts
        };
        self.cuts = (0..self.size.trees).map(tree).collect();
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

/// The leaf that a row falls into.
fn leaf(cuts: &Cuts, row: &[f32; COLUMNS_MAX]) -> usize {
    let mut node = 1;
    for _ in 0..HEIGHT {
        let Cut { column, at } = cuts[node];
        node = 2 * node + usize::from(row[usize::from(column)] > at);
    }
    node - LEAVES
}

fn cut_node(cuts: &mut Cuts, node: usize, sides: &mut [(f32, f32)], bits: &mut u64) {
    if node >= cuts.len() {
        return;
    }
    let column = (split_mix(bits) % sides.len() as u64) as usize;
    let whole = sides[column];
    let at = whole.0 * 0.5 + whole.1 * 0.5;
    cuts[node] = Cut { column: column as u8, at };
    sides[column].1 = at;
    cut_node(cuts, 2 * node, sides, bits);
    sides[column] = (at, whole.1);
    cut_node(cuts, 2 * node + 1, sides, bits);
    sides[column] = whole;
}

/// SplitMix64 (Steele, Lea & Flood 2014).
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
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
}
