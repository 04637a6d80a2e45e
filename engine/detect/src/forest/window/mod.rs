//! Growing trees and scoring the rows they grow from in one go, for windows of up to 1,024 rows.
//!
//! An agent that refits to its window scores every row of it, too, for its threshold. Both ask the same question of each
//! node, which rows lie on which side of a cut, and a window is small enough to answer it with bits: one for each row, in
//! two registers of AVX-512. Columns are sorted once a fit. Then the rows up to any threshold are known as a set, looked up
//! by the rank of the threshold, and a cut splits all rows of a node, sampled or not, with four instructions. No row is
//! moved, and none walks down a tree.
//!
//! - A node's range of a feature is the least and greatest *rank* among its sampled rows: 16 bits instead of 32.
//! - Nodes of a level are cut together, step by step, so that the processor works on several while it waits for one.
//! - How deep rows lie is counted in vertical counters, one bit of each count in a set: adding a set of rows to the counts
//!   of all takes a few instructions. Leaves of n sampled rows give the same credit, so there is a counter for each n.
//!
//! Trees and sums are those of [`super::grow`] and [`super::descend`], bit by bit. Measured on a Zen 5, 100 trees of 256 of
//! 300, 700 and 1,000 rows of 4 features: 257, 286 and 313 µs; grown and scored the plain way 629, 779 and 872.
//!
//! # What did not help
//! - Nodes in depth-first order, as plain growing does: each waits for the cut of its parent, 527 µs for 700 rows.
//! - A branch for whether a child is a leaf: it is mispredicted every fourth time.
//! - Binary search for the rank of a threshold: ten steps, half of them mispredicted, a quarter of the whole. Two
//!   comparisons with 64 pivots and 16 values have no branch.
//! - Sorting columns by their bytes: no faster than the standard library.

mod column;
mod rows;

use pulp::x86::V4;

use super::draws::{Draws, TreeDigest};
use super::grow::between;
use super::{Node, key};
use column::Column;
use rows::{Counters, Rows};

/// Rows of a window, at most.
const ROWS: usize = 1024;
/// Features, at most: a column is 136 KiB, and all of them should fit the second-level cache.
const WIDTH: usize = 16;
/// Slots of a tree, at most.
const SLOTS: usize = 256;
/// Values in a vector of floats.
const LANES: usize = 16;
/// Trees that are counted before counters are emptied. A row is in one leaf a tree, so seven bits hold a credit's count.
const TREES: usize = 127;
/// Bits of a count of credits.
const CREDIT_BITS: usize = 7;
/// Bits of a count of steps: at most nine a tree.
const STEP_BITS: usize = 11;
const _: () = assert!(TREES < 1 << CREDIT_BITS && TREES * 9 < 1 << STEP_BITS);

/// A node that is under way, or a leaf.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// Its rows, sampled or not.
    rows: Rows,
    slot: u32,
    /// How many of them are in the sample.
    count: u32,
    /// The features that are known not to vary in the sampled ones.
    constant: u32,
}

impl Part {
    const EMPTY: Self = Self { rows: Rows::NONE, slot: 0, count: 0, constant: 0 };
}

/// How a node is cut.
#[derive(Clone, Copy, Debug, Default)]
struct Cut {
    feature: usize,
    low: f32,
    high: f32,
    bits: u32,
    rank: usize,
}

/// The parts of a level, those of the next, and leaves.
type Parts = [[Part; SLOTS]; 3];

/// Where leaves are.
const ENDS: usize = 2;

/// A window, its columns sorted, and memory for growing trees from it.
#[derive(Clone, Debug)]
pub(super) struct RankedWindow {
    simd: V4,
    rows: usize,
    width: usize,
    /// Of the window at hand the first `width`.
    columns: Vec<Column>,
    order: Vec<u64>,
    parts: Box<Parts>,
    cuts: Vec<Cut>,
    trees: usize,
    steps: Counters<STEP_BITS>,
    /// By number of sampled rows in a leaf, from three on: what counts those leaves, and whether it has counted any.
    credits: Vec<(Counters<CREDIT_BITS>, bool)>,
    sums: Vec<u64>,
}

impl RankedWindow {
    /// Where the machine has the instructions.
    pub(super) fn new() -> Option<Self> {
        Some(Self {
            simd: V4::try_new()?,
            rows: 0,
            width: 0,
            columns: Vec::new(),
            order: Vec::new(),
            parts: Box::new([[Part::EMPTY; SLOTS]; 3]),
            cuts: vec![Cut::default(); SLOTS / 2],
            trees: 0,
            steps: Counters::ZERO,
            credits: vec![(Counters::ZERO, false); SLOTS + 1],
            sums: Vec::new(),
        })
    }

    /// Whether it can take in so many rows, and sorting them pays.
    pub(super) fn takes(rows: usize, width: usize, sample: usize) -> bool {
        (64..=ROWS).contains(&rows) && (1..=WIDTH).contains(&width) && sample <= SLOTS
    }

    /// Takes in rows that [`Self::takes`], all of them finite.
    pub(super) fn fill(&mut self, rows: &[f32], width: usize) {
        (self.rows, self.width) = (rows.len() / width, width);
        if self.columns.len() < width {
            self.columns.resize(width, Column::EMPTY);
        }
        for (feature, column) in self.columns[..width].iter_mut().enumerate() {
            column.fill(rows.iter().skip(feature).step_by(width).copied(), &mut self.order);
        }
        self.sums.clear();
        self.sums.resize(ROWS, 0);
    }

    /// Grows a tree from `sample` of the rows, as [`super::grow`] does, into `nodes`, all of which send rows left, and as many
    /// `leaves`. Adds up the paths of all rows and returns the tree's digest.
    pub(super) fn grow(
        &mut self,
        nodes: &mut [Node],
        leaves: &mut [u32],
        sample: usize,
        draws: Draws,
        credits: &[u32],
    ) -> u64 {
        if self.trees == TREES {
            self.flush(credits);
        }
        self.trees += 1;
        let simd = self.simd;
        simd.vectorize(Growing { window: self, nodes, leaves, sample, draws, credits })
    }

    /// The sums of path lengths over all trees since [`Self::fill`], by row.
    pub(super) fn take_sums(&mut self, credits: &[u32]) -> &[u64] {
        self.flush(credits);
        &self.sums[..self.rows]
    }

    /// Empties the counters into the sums.
    fn flush(&mut self, credits: &[u32]) {
        let simd = self.simd;
        simd.vectorize(Flushing { window: self, credits });
    }
}

/// See [`RankedWindow::grow`].
struct Growing<'a> {
    window: &'a mut RankedWindow,
    nodes: &'a mut [Node],
    leaves: &'a mut [u32],
    sample: usize,
    draws: Draws,
    credits: &'a [u32],
}

impl pulp::NullaryFnOnce for Growing<'_> {
    type Output = u64;

    #[inline(always)]
    fn call(self) -> u64 {
        let Self { window, nodes, leaves, sample, draws, credits } = self;
        let RankedWindow { simd, rows, width, columns, parts, cuts, steps, .. } = window;
        let (simd, rows, columns) = (*simd, *rows, &columns[..*width]);
        let (slots, vectors) = (leaves.len(), rows.div_ceil(32));
        let height = slots.trailing_zeros();
        let mut digest = TreeDigest::default();
        let sampled = draw(simd, draws, rows, sample);
        // Where the parts of the level are, how many, and how many leaves there are.
        let (mut level, mut count, mut ends) = (0, 1, 0);
        parts[level][0] = Part { rows: Rows::first(rows), slot: 1, count: sample as u32, constant: 0 };
        if sample <= 2 {
            parts[ENDS][0] = parts[level][0];
            (count, ends) = (0, 1);
        }
        while count > 0 {
            // Rows that are still on their way; parts that no feature cuts end here, and leave their place to the next.
            let (mut under_way, mut kept) = (Rows::NONE, 0);
            for i in 0..count {
                let part = &mut parts[level][i];
                if let Some(cut) = range(simd, columns, &sampled, part, draws, vectors) {
                    under_way = under_way.with(&part.rows, |a, b| a | b);
                    cuts[kept] = cut;
                    if kept < i {
                        parts[level][kept] = *part;
                    }
                    kept += 1;
                } else {
                    parts[ENDS][ends] = *part;
                    ends += 1;
                }
            }
            steps.count(simd, &under_way);
            for (part, cut) in parts[level][..kept].iter().zip(&mut cuts[..kept]) {
                let threshold = between(cut.low, cut.high, cut.bits);
                let node = Node { key: key(threshold), feature: cut.feature as u32 };
                nodes[part.slot as usize] = node;
                digest.cut(part.slot, node.key, node.feature);
                cut.rank = columns[cut.feature].rank_of(simd, threshold);
            }
            let next = 1 - level;
            count = 0;
            for (i, cut) in cuts[..kept].iter().enumerate() {
                let Part { rows, slot, count: size, constant } = parts[level][i];
                let before = &columns[cut.feature].before[cut.rank];
                let (below, above) = (rows.and(before), rows.without(before));
                let left = below.and(&sampled).count();
                for (rows, slot, size) in [(below, 2 * slot, left), (above, 2 * slot + 1, size - left)] {
                    // Without a branch, which would be mispredicted often.
                    let is_end = size <= 2 || slot as usize >= slots;
                    let (to, at) = if is_end { (ENDS, ends) } else { (next, count) };
                    parts[to][at % SLOTS] = Part { rows, slot, count: size, constant };
                    ends += usize::from(is_end);
                    count += usize::from(!is_end);
                }
            }
            level = next;
        }
        // Rows in leaves of two, whose credit is a step.
        let mut pairs = Rows::NONE;
        for end in &parts[ENDS][..ends] {
            let depth = end.slot.ilog2();
            let path = (depth << 24) + credits[end.count as usize];
            leaves[((end.slot as usize) << (height - depth)) - slots] = path;
            digest.leaf(end.slot, path);
            match end.count {
                0 | 1 => {}
                2 => pairs = pairs.with(&end.rows, |a, b| a | b),
                count => {
                    let (counters, any) = &mut window.credits[count as usize];
                    counters.count(simd, &end.rows);
                    *any = true;
                }
            }
        }
        window.steps.count(simd, &pairs);
        digest.finish()
    }
}

/// The feature to cut a part by, as in [`super::grow`], and its range in the sampled rows.
#[inline(always)]
fn range(
    simd: V4,
    columns: &[Column],
    sampled: &Rows,
    part: &mut Part,
    draws: Draws,
    vectors: usize,
) -> Option<Cut> {
    let rows = part.rows.and(sampled);
    for attempt in 0.. {
        if part.constant.count_ones() as usize == columns.len() {
            break;
        }
        let (feature, bits) = draws.cut(part.slot, attempt, columns.len() as u32);
        let feature = feature as usize;
        if part.constant >> feature & 1 == 1 {
            continue;
        }
        let (least, greatest) = columns[feature].range(simd, &rows, vectors);
        let sorted = &columns[feature].sorted;
        let (low, high) = (sorted[least % ROWS], sorted[greatest % ROWS]);
        if low < high {
            return Some(Cut { feature, low, high, bits, rank: 0 });
        }
        part.constant |= 1 << feature;
    }
    None
}

/// The rows that [`super::grow::FitScratch::draw`] draws.
#[inline(always)]
fn draw(simd: V4, draws: Draws, rows: usize, sample: usize) -> Rows {
    if sample == rows {
        return Rows::first(rows);
    }
    // Bytes, not bits: a draw need not wait for the one before, which may have set another bit of its word.
    let mut drawn = [0u8; ROWS];
    let mut picks = [0; SLOTS];
    let lasts = rows - sample..rows;
    for (pick, last) in picks.iter_mut().zip(lasts.clone()) {
        *pick = draws.row(last, last + 1) as u16;
    }
    for (pick, last) in picks.iter().zip(lasts) {
        let row = usize::from(*pick) % ROWS;
        drawn[if drawn[row] == 0 { row } else { last % ROWS }] = 1;
    }
    let mut set = Rows::NONE;
    for (words, drawn) in set.0.as_chunks_mut::<2>().0.iter_mut().zip(drawn.as_chunks::<64>().0) {
        let drawn = pulp::cast(*drawn);
        let bits = simd.avx512bw._mm512_test_epi8_mask(drawn, drawn);
        *words = [bits as u32, (bits >> 32) as u32];
    }
    set
}

/// See [`RankedWindow::flush`].
struct Flushing<'a> {
    window: &'a mut RankedWindow,
    credits: &'a [u32],
}

impl pulp::NullaryFnOnce for Flushing<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let RankedWindow { simd, rows, steps, credits: counters, sums, trees, .. } = self.window;
        let sums = &mut sums.as_chunks_mut::<32>().0[..rows.div_ceil(32)];
        steps.add_to(*simd, sums, 1 << 24);
        *steps = Counters::ZERO;
        for ((counters, any), credit) in counters.iter_mut().zip(self.credits).filter(|((_, any), _)| *any) {
            counters.add_to(*simd, sums, *credit);
            *counters = Counters::ZERO;
            *any = false;
        }
        *trees = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FitScratch, ForestConfig, IsolationForest};
    use phalanx_core::{Purpose, Stream, Streams, Tick};

    fn stream() -> Stream {
        Streams::from_seed(31).stream(Purpose::Model, 0, Tick(0))
    }

    /// Both ways to a forest and its sums give the same, in one scratch after the other.
    fn check(rows: &[f32], width: usize, config: ForestConfig, scratch: &mut FitScratch, what: &str) {
        let mut expected = Vec::new();
        let plain = IsolationForest::fit(rows, width, &config, &mut stream(), scratch).unwrap();
        plain.path_sums(rows, &mut expected).unwrap();
        let (mut sums, mut rng) = (vec![7], stream());
        let mut forest =
            IsolationForest::fit_with_sums(rows, width, &config, &mut sums, &mut rng, scratch).unwrap();
        assert_eq!(forest, plain, "{what}");
        assert_eq!(sums, expected, "{what}");
        forest.refit_with_sums(rows, &mut sums, &mut rng, scratch).unwrap();
        forest.path_sums(rows, &mut expected).unwrap();
        assert_eq!(sums, expected, "again, {what}");
    }

    #[test]
    fn windows_give_the_trees_and_sums_of_plain_growing() {
        if RankedWindow::new().is_none() {
            return println!("skipped: no AVX-512, so that there is one way only");
        }
        let mut rng = stream();
        let mut scratch = FitScratch::default();
        for width in [1, 2, 4, WIDTH, WIDTH + 1] {
            for count in [1, 2, 63, 64, 65, 100, 256, 257, 700, ROWS - 1, ROWS, ROWS + 1] {
                let normal: Vec<f32> = (0..count * width).map(|_| rng.normal() as f32).collect();
                // Two values each, so that many rows are the same; zeros of both signs do not vary.
                let values = [-2.0, 1.5, -0.0, 0.0_f32];
                let mut coarse = |i: usize| values[if i % width > 2 { 2 } else { 0 } + rng.below(2) as usize];
                let coarse: Vec<f32> = (0..count * width).map(&mut coarse).collect();
                let same = vec![3.5; count * width];
                for (rows, kind) in [(&normal, "normal"), (&coarse, "coarse"), (&same, "same")] {
                    for sample in [1, 2, 3, 8, 100, 129, 256, 257] {
                        let what = format!("{count} {kind} rows of {width}, sample {sample}");
                        check(rows, width, ForestConfig { trees: 3, sample }, &mut scratch, &what);
                    }
                }
            }
        }
        let rows: Vec<f32> = (0..500 * 3).map(|_| rng.normal() as f32).collect();
        let many = ForestConfig { trees: 2 * TREES as u32 + 3, sample: 256 };
        check(&rows, 3, many, &mut scratch, "more trees than counters hold");
    }
}
