//! A balanced k-d tree whose leaves are blocks that the compiler scans with vector instructions.

use serde::{Deserialize, Serialize};

use crate::lent::{Lent, lend};

/// Rows a leaf has room for.
const LANES: usize = 16;

/// Columns after which a leaf is left if all its partial sums are too large.
const STRIDE: usize = 8;

/// A complete binary tree over the reference rows. The children of slot `i` are `2i` and `2i + 1`; slot 1 is the root.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tree {
    width: usize,
    rows: usize,
    /// Inner nodes; slot 0 is unused. Leaf `l` is the child that slot `inner.len() + l` would be.
    inner: Vec<Split>,
    /// `LANES × width` values a leaf, column after column. Lanes without a row hold infinities.
    leaves: Vec<f32>,
}

/// Rows left of a split have values up to its threshold, rows right of it have values from there on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Split {
    feature: u32,
    threshold: f32,
}

impl Tree {
    /// Builds the tree over at least one finite row; `rows` is row-major.
    pub(crate) fn build(rows: &[f32], width: usize) -> Self {
        let count = rows.len() / width;
        let leaf_count = count.div_ceil(LANES).next_power_of_two();
        let mut tree = Self {
            width,
            rows: count,
            inner: vec![Split::default(); leaf_count],
            leaves: vec![f32::INFINITY; leaf_count * LANES * width],
        };
        let mut members: Vec<u32> = (0..count as u32).collect();
        tree.grow(1, &mut members, rows);
        tree
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Whether this is the shape of a tree of rows of `width` features, and its numbers are ones.
    pub(crate) fn is_sound(&self, width: usize) -> bool {
        let slots = self.inner.len().checked_mul(LANES);
        self.width == width
            && self.inner.len().is_power_of_two()
            && slots.is_some_and(|slots| (1..=slots).contains(&self.rows))
            && slots.and_then(|slots| slots.checked_mul(width)) == Some(self.leaves.len())
            && self.inner.iter().all(|s| (s.feature as usize) < width && s.threshold.is_finite())
            && self.leaves.iter().all(|x| !x.is_nan())
    }

    /// A search for the `neighbours`-th nearest row, to be used for many queries.
    pub(crate) fn search(&self, neighbours: usize) -> Search<'_> {
        Search {
            tree: self,
            // A computed square may lie below the exact one by half a unit in the last place per operation; nodes are
            // skipped only if they are farther by more than that, so that rounding cannot hide a neighbour.
            slack: 1.0 - (self.width + 8) as f64 / 8_388_608.0,
            nearest: lend(f32::INFINITY, neighbours.min(self.rows)),
            offsets: lend(0.0, self.width),
        }
    }

    fn grow(&mut self, slot: usize, members: &mut [u32], rows: &[f32]) {
        if slot >= self.inner.len() {
            let leaf = slot - self.inner.len();
            let block = &mut self.leaves[leaf * LANES * self.width..][..LANES * self.width];
            for (lane, row) in members.iter().enumerate() {
                for feature in 0..self.width {
                    block[feature * LANES + lane] = rows[*row as usize * self.width + feature];
                }
            }
            return;
        }
        let width = self.width;
        let value = |row: u32, feature: usize| rows[row as usize * width + feature];
        let feature = widest(members, rows, width);
        // The row number decides between equal values: the halves are then the same sets whatever algorithm selects.
        let middle = members.len() / 2;
        let threshold = if members.len() > 1 {
            let order = |a: &u32, b: &u32| value(*a, feature).total_cmp(&value(*b, feature)).then(a.cmp(b));
            let (_, median, _) = members.select_nth_unstable_by(middle, order);
            value(*median, feature)
        } else {
            0.0
        };
        self.inner[slot] = Split { feature: feature as u32, threshold };
        let (left, right) = members.split_at_mut(middle);
        self.grow(2 * slot, left, rows);
        self.grow(2 * slot + 1, right, rows);
    }
}

/// The feature with the greatest variance among `members`, the first of equals. Not the one with the greatest range:
/// that would be any one-hot column of a category that occurs once.
fn widest(members: &[u32], rows: &[f32], width: usize) -> usize {
    let count = members.len() as f64;
    let Some(first) = members.first() else { return 0 };
    let origin = &rows[*first as usize * width..][..width];
    let mut sums = vec![(0.0f64, 0.0f64); width];
    for row in members {
        let row = &rows[*row as usize * width..][..width];
        for ((sum, x), origin) in sums.iter_mut().zip(row).zip(origin) {
            let d = f64::from(*x) - f64::from(*origin);
            *sum = (sum.0 + d, sum.1 + d * d);
        }
    }
    let variance = |(sum, squares): (f64, f64)| squares - sum * (sum / count);
    let mut best = (0, f64::NEG_INFINITY);
    for (feature, sums) in sums.into_iter().enumerate() {
        if variance(sums) > best.1 {
            best = (feature, variance(sums));
        }
    }
    best.0
}

/// Buffers of a search.
#[derive(Debug)]
pub(crate) struct Search<'a> {
    tree: &'a Tree,
    slack: f64,
    /// The smallest squares so far, ascending.
    nearest: Lent<f32>,
    /// Distance from the query to the current node's cell, feature by feature.
    offsets: Lent<f32>,
}

impl Search<'_> {
    /// Square of the distance to the k-th nearest row.
    pub(crate) fn square_of(&mut self, query: &[f32]) -> f32 {
        self.nearest.fill(f32::INFINITY);
        self.visit(1, 0.0, query);
        self.worst()
    }

    fn worst(&self) -> f32 {
        *self.nearest.last().expect("at least one neighbour is wanted")
    }

    /// Looks below `slot`, whose cell is at least `bound` (a square) away (Arya & Mount 1993, incremental distance).
    fn visit(&mut self, slot: usize, bound: f64, query: &[f32]) {
        let tree = self.tree;
        if slot >= tree.inner.len() {
            let size = LANES * tree.width;
            self.scan(&tree.leaves[(slot - tree.inner.len()) * size..][..size], query);
            return;
        }
        let Split { feature, threshold } = tree.inner[slot];
        let offset = query[feature as usize] - threshold;
        let near = 2 * slot + usize::from(offset > 0.0);
        self.visit(near, bound, query);
        let before = self.offsets[feature as usize];
        let square = |x: f32| f64::from(x) * f64::from(x);
        let far = bound - square(before) + square(offset);
        if far * self.slack < f64::from(self.worst()) {
            self.offsets[feature as usize] = offset;
            self.visit(near ^ 1, far, query);
            self.offsets[feature as usize] = before;
        }
    }

    /// Squares of all rows of a leaf, side by side; features in their order, so that a row's square has one value.
    fn scan(&mut self, block: &[f32], query: &[f32]) {
        let mut squares = [0.0f32; LANES];
        let worst = self.worst();
        for (columns, query) in block.chunks(STRIDE * LANES).zip(query.chunks(STRIDE)) {
            for (column, q) in columns.chunks_exact(LANES).zip(query) {
                for (square, x) in squares.iter_mut().zip(column) {
                    let d = q - x;
                    *square += d * d;
                }
            }
            if squares.iter().all(|square| *square >= worst) {
                return;
            }
        }
        for square in squares {
            if square < self.worst() {
                let place = self.nearest.partition_point(|x| *x <= square);
                self.nearest.pop();
                self.nearest.insert(place, square);
            }
        }
    }
}
