//! Growing trees and scoring the rows they grow from in one go, for windows of up to 1,024 rows.
//!
//! An agent that refits to its window scores every row of it, too, for its threshold. Both ask the same question of each
//! node, which rows lie on which side of a cut, and a window is small enough to answer it with bits: one for each row, in
//! two registers of AVX-512 or four of AVX2. Columns are sorted once a fit. Then the rows up to any threshold are known as a
//! set, looked up by the rank of the threshold, and a cut splits all rows of a node, sampled or not, with four
//! instructions. No row is moved, and none walks down a tree.
//!
//! - A node's range of a feature is the least and greatest *rank* among its sampled rows: 16 bits instead of 32. The ranks
//!   of a tree's sample are brought together first, so that a node looks at 256 of them and not at all of the window.
//! - Nodes of a level are cut together, step by step, so that the processor works on several while it waits for one.
//! - How deep rows lie is counted in vertical counters, one bit of each count in a set: adding a set of rows to the counts
//!   of all takes a few instructions. Leaves of n sampled rows give the same credit, so there is a counter for each n.
//!
//! Trees and sums are those of [`super::super::grow`] and [`super::super::descend`], bit by bit. Measured on a Zen 5, 100 trees of 256 of
//! 300, 700 and 1,000 rows of 4 features: 257, 286 and 313 µs with AVX-512; grown and scored the plain way 629, 779 and 872.
//! On a Zen 3, which has AVX2 alone, 1,000 rows take 0.69 instead of 1.60 ms.
//!
//! # What did not help
//! - Nodes in depth-first order, as plain growing does: each waits for the cut of its parent, 527 µs for 700 rows.
//! - A branch for whether a child is a leaf: it is mispredicted every fourth time.
//! - Binary search for the rank of a threshold: ten steps, half of them mispredicted, a quarter of the whole. Two
//!   comparisons with 64 pivots and 16 values have no branch.
//! - Sorting columns by their bytes: no faster than the standard library.

use super::super::draws::{Draws, TreeDigest};
use super::super::grow::between;
use super::super::tree::{KINDS, Node, key, kind_of_leaf};
use super::column::Column;
use super::rows::{Counters, Rows};
use super::sample::{RowRanks, Sample, Sampled, TOGETHER};
use super::vectors::{Best, Vectors};

/// Rows of a window, at most.
pub(super) const ROWS: usize = 1024;
/// Features, at most: a column is 136 KiB, and all of them should fit the second-level cache.
const WIDTH: usize = 16;
/// Slots of a tree, at most.
pub(super) const SLOTS: usize = 256;
/// Values in a vector of floats.
pub(super) const LANES: usize = 16;
/// Trees that are counted before counters are emptied. A row is in one leaf a tree, so seven bits hold a credit's count.
pub(super) const TREES: usize = 127;
/// Bits of a count of credits.
pub(super) const CREDIT_BITS: usize = 7;
/// Bits of a count of steps: at most nine a tree.
pub(super) const STEP_BITS: usize = 11;
const _: () = assert!(TREES < 1 << CREDIT_BITS && TREES * 9 < 1 << STEP_BITS);

/// A node that is under way, or a leaf.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Part {
    /// Its rows, sampled or not.
    rows: Rows,
    /// Those in the sample, and how many they are.
    sampled: Sampled,
    count: u32,
    slot: u32,
    /// The features that are known not to vary in the sampled ones.
    constant: u32,
}

impl Part {
    const EMPTY: Self = Self { rows: Rows::NONE, sampled: Sampled::NONE, count: 0, slot: 0, constant: 0 };
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

/// Parts of a tree, at most.
const PARTS: usize = 2 * SLOTS;

/// Places of parts.
struct List {
    places: [u16; SLOTS],
    count: usize,
}

impl List {
    const EMPTY: Self = Self { places: [0; SLOTS], count: 0 };

    /// Adds one, if it is wanted, without a branch, which would be mispredicted often.
    #[inline(always)]
    fn push(&mut self, place: usize, wanted: bool) {
        self.places[self.count % SLOTS] = place as u16;
        self.count += usize::from(wanted);
    }

    #[inline(always)]
    fn iter(&self) -> impl Iterator<Item = usize> {
        self.places[..self.count].iter().map(|place| usize::from(*place) % PARTS)
    }
}

/// A window, its columns sorted, and memory for growing trees from it.
#[derive(Clone, Debug)]
pub(in super::super) struct RankedWindow {
    best: Best,
    rows: usize,
    width: usize,
    /// Of the window at hand the first `width`.
    columns: Vec<Column>,
    order: Vec<u64>,
    /// By four features each, the ranks of rows.
    ranks: Vec<RowRanks>,
    sample: Sample,
    parts: Box<[Part; PARTS]>,
    cuts: Vec<Cut>,
    /// The tree under way.
    tree: Box<[Node; PARTS]>,
    trees: usize,
    steps: Counters<STEP_BITS>,
    /// By number of sampled rows in a leaf, from three on: what counts those leaves, and whether it has counted any.
    credits: Vec<(Counters<CREDIT_BITS>, bool)>,
    sums: Vec<u64>,
}

impl RankedWindow {
    /// Where the machine has the instructions.
    pub(in super::super) fn new() -> Option<Self> {
        Best::detect().next().map(Self::with)
    }

    fn with(best: Best) -> Self {
        Self {
            best,
            rows: 0,
            width: 0,
            columns: Vec::new(),
            order: Vec::new(),
            ranks: Vec::new(),
            sample: Sample::new(),
            parts: Box::new([Part::EMPTY; PARTS]),
            cuts: vec![Cut::default(); SLOTS / 2],
            tree: Box::new([Node::leaf(0, 0, 0, 0); PARTS]),
            trees: 0,
            steps: Counters::ZERO,
            credits: vec![(Counters::ZERO, false); SLOTS + 1],
            sums: Vec::new(),
        }
    }

    /// Whether it can take in so many rows, and sorting them pays.
    pub(in super::super) fn takes(rows: usize, width: usize, sample: usize) -> bool {
        (64..=ROWS).contains(&rows) && (1..=WIDTH).contains(&width) && sample <= SLOTS
    }

    /// Takes in rows that [`Self::takes`], all of them finite.
    pub(in super::super) fn fill(&mut self, rows: &[f32], width: usize) {
        (self.rows, self.width) = (rows.len() / width, width);
        if self.columns.len() < width {
            self.columns.resize(width, Column::EMPTY);
            self.ranks.resize(width.div_ceil(TOGETHER), RowRanks::NONE);
        }
        for (feature, column) in self.columns[..width].iter_mut().enumerate() {
            let ranks = &mut self.ranks[feature / TOGETHER].0;
            column.fill(rows.iter().skip(feature).step_by(width).copied(), &mut self.order, |row, rank| {
                ranks[row][feature % TOGETHER] = rank;
            });
        }
        self.sums.clear();
        self.sums.resize(ROWS, 0);
    }

    /// Grows a tree from `sample` of the rows, as [`super::super::grow`] does, and appends it to `nodes`. Adds up the paths of all rows
    /// and returns the tree's digest.
    pub(in super::super) fn grow(
        &mut self,
        nodes: &mut Vec<Node>,
        sample: usize,
        draws: Draws,
        credits: &[u32],
    ) -> u64 {
        if self.trees == TREES {
            self.flush(credits);
        }
        self.trees += 1;
        let (size, digest) = match self.best {
            Best::Avx512(vectors) => Growing { vectors, window: self, sample, draws, credits }.run(),
            Best::Avx2(vectors) => Growing { vectors, window: self, sample, draws, credits }.run(),
        };
        nodes.extend_from_slice(&self.tree[..size]);
        digest
    }

    /// The sums of path lengths over all trees since [`Self::fill`], by row.
    pub(in super::super) fn take_sums(&mut self, credits: &[u32]) -> &[u64] {
        self.flush(credits);
        &self.sums[..self.rows]
    }

    /// Empties the counters into the sums.
    fn flush(&mut self, credits: &[u32]) {
        match self.best {
            Best::Avx512(vectors) => vectors.run(Flushing { vectors, window: self, credits }),
            Best::Avx2(vectors) => vectors.run(Flushing { vectors, window: self, credits }),
        }
    }
}

/// See [`RankedWindow::grow`].
struct Growing<'a, V> {
    vectors: V,
    window: &'a mut RankedWindow,
    sample: usize,
    draws: Draws,
    credits: &'a [u32],
}

impl<V: Vectors> Growing<'_, V> {
    /// How many nodes the tree has, and its digest.
    fn run(self) -> (usize, u64) {
        match self.sample.div_ceil(32) {
            ..=4 => self.vectors.run(Sized::<V, 4>(self)),
            _ => self.vectors.run(Sized::<V, 8>(self)),
        }
    }
}

/// A sample of up to 32 `N` rows.
struct Sized<'a, V, const N: usize>(Growing<'a, V>);

impl<V: Vectors, const N: usize> pulp::NullaryFnOnce for Sized<'_, V, N> {
    type Output = (usize, u64);

    #[inline(always)]
    fn call(self) -> (usize, u64) {
        let Growing { vectors, window, sample: size, draws, credits } = self.0;
        let RankedWindow { rows, width, columns, ranks, sample, parts, cuts, tree, steps, .. } = window;
        let (rows, width, columns) = (*rows, *width, &columns[..*width]);
        let slots = size.next_power_of_two();
        let mut digest = TreeDigest::default();
        sample.draw(draws, ranks, width, rows, size);
        // Parts of the level, and leaves, by their places among all parts.
        let (mut level, mut ends) = (List::EMPTY, List::EMPTY);
        let (rows, sampled) = (Rows::first(rows), sample.all(vectors));
        parts[0] = Part { rows, sampled, count: size as u32, slot: 1, constant: 0 };
        let mut made = 1;
        // What kind of node each part becomes, and how many are cut.
        let (mut kinds, mut cut_count) = ([0u8; PARTS], 0);
        kinds[0] = kind_of_leaf(size as u32) as u8;
        level.push(0, size > 2);
        ends.push(0, size <= 2);
        while level.count > 0 {
            // Rows that are still on their way; parts that no feature cuts end here.
            let (mut under_way, mut kept) = (Rows::NONE, List::EMPTY);
            for place in level.iter() {
                let part = &mut parts[place];
                let Some(cut) = range::<N>(vectors, columns, sample, part, draws) else {
                    ends.push(place, true);
                    continue;
                };
                under_way = under_way.with(&part.rows, |a, b| a | b);
                cuts[kept.count % (SLOTS / 2)] = cut;
                kept.push(place, true);
                kinds[place] = 0;
            }
            steps.count(vectors, &under_way);
            // Children are made in the order of their parents: a part's place is its number from the top down, level by level.
            for ((place, cut), child) in kept.iter().zip(&mut *cuts).zip((made as u32..).step_by(2)) {
                let threshold = between(cut.low, cut.high, cut.bits);
                let node =
                    Node { key: key(threshold), feature: cut.feature as u32, left: child, right: child };
                tree[cut_count % PARTS] = node;
                cut_count += 1;
                digest.cut(parts[place].slot, node.key, node.feature);
                cut.rank = columns[cut.feature].rank_of(vectors, threshold);
            }
            level.count = 0;
            for (place, cut) in kept.iter().zip(&*cuts) {
                let (old, new) = parts.split_at_mut(made);
                let (part, [left, right, ..]) = (&old[place], new) else {
                    unreachable!("{PARTS} are enough")
                };
                let before = &columns[cut.feature].before[cut.rank];
                let drawn = vectors.below::<N>(sample.ranks(cut.feature), cut.rank as u16);
                left.sampled = part.sampled.with(&drawn, |a, b| a & b);
                right.sampled = part.sampled.with(&drawn, |a, b| a & !b);
                left.rows = part.rows.and(before);
                right.rows = part.rows.without(before);
                left.count = left.sampled.count();
                right.count = part.count - left.count;
                (left.slot, right.slot) = (2 * part.slot, 2 * part.slot + 1);
                (left.constant, right.constant) = (part.constant, part.constant);
                for part in [left, right] {
                    kinds[made % PARTS] = kind_of_leaf(part.count) as u8;
                    let is_end = part.count <= 2 || part.slot as usize >= slots;
                    ends.push(made, is_end);
                    level.push(made, !is_end);
                    made += 1;
                }
            }
        }
        let places = Places::of(&kinds, made, cut_count);
        for cut in &mut tree[..cut_count] {
            let left = cut.left as usize;
            (cut.left, cut.right) = (places.at[left % PARTS].into(), places.at[(left + 1) % PARTS].into());
        }
        let mut end_at = [0u16; PARTS];
        for part in ends.iter() {
            let end = &parts[part];
            let path = (end.slot.ilog2() << 24) + credits[end.count as usize];
            let place = usize::from(places.at[part]) % PARTS;
            tree[place] = Node::leaf(place, width, path, end.count);
            digest.leaf(end.slot, path);
            end_at[place] = part as u16;
        }
        let [_, large_at, pairs_at, singles_at] = places.starts;
        for part in &end_at[large_at..pairs_at] {
            let end = &parts[usize::from(*part) % PARTS];
            let (counters, any) = &mut window.credits[end.count as usize];
            counters.count(vectors, &end.rows);
            *any = true;
        }
        // Rows in leaves of two, whose credit is a step.
        let mut pairs = Rows::NONE;
        for part in &end_at[pairs_at..singles_at] {
            pairs = pairs.with(&parts[usize::from(*part) % PARTS].rows, |a, b| a | b);
        }
        window.steps.count(vectors, &pairs);
        (made, digest.finish())
    }
}

/// Where parts go in a tree, which is ordered by kind.
struct Places {
    /// By kind, where it begins.
    starts: [usize; KINDS],
    /// By part.
    at: [u16; PARTS],
}

impl Places {
    /// Of the first `made` parts, of which so many are cut.
    #[inline(always)]
    fn of(kinds: &[u8; PARTS], made: usize, cuts: usize) -> Self {
        // Numbers of 16 bits in a word, by kind.
        let shift = |kind: u8| 16 * (kind % KINDS as u8);
        let counts = kinds[..made].iter().fold(0u64, |counts, kind| counts + (1 << shift(*kind)));
        let pairs = cuts + (counts >> 16) as u16 as usize;
        let singles = pairs + (counts >> 32) as u16 as usize;
        let mut next = (cuts as u64) << 16 | (pairs as u64) << 32 | (singles as u64) << 48;
        let mut at = [0; PARTS];
        for (place, kind) in at[..made].iter_mut().zip(kinds) {
            *place = (next >> shift(*kind)) as u16;
            next += 1 << shift(*kind);
        }
        Self { starts: [0, cuts, pairs, singles], at }
    }
}

/// The feature to cut a part by, as in [`super::super::grow`], and its range in the sampled rows.
#[inline(always)]
fn range<const N: usize>(
    vectors: impl Vectors,
    columns: &[Column],
    sample: &Sample,
    part: &mut Part,
    draws: Draws,
) -> Option<Cut> {
    for attempt in 0.. {
        if part.constant.count_ones() as usize == columns.len() {
            break;
        }
        let (feature, bits) = draws.cut(part.slot, attempt, columns.len() as u32);
        let feature = feature as usize;
        if part.constant >> feature & 1 == 1 {
            continue;
        }
        let (least, greatest) = vectors.range::<N>(sample.ranks(feature), &part.sampled);
        let sorted = &columns[feature].sorted;
        let (low, high) = (sorted[usize::from(least) % ROWS], sorted[usize::from(greatest) % ROWS]);
        if low < high {
            return Some(Cut { feature, low, high, bits, rank: 0 });
        }
        part.constant |= 1 << feature;
    }
    None
}

/// See [`RankedWindow::flush`].
struct Flushing<'a, V> {
    vectors: V,
    window: &'a mut RankedWindow,
    credits: &'a [u32],
}

impl<V: Vectors> pulp::NullaryFnOnce for Flushing<'_, V> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { vectors, window, credits } = self;
        let RankedWindow { rows, steps, credits: counters, sums, trees, .. } = window;
        let sums = &mut sums.as_chunks_mut::<32>().0[..rows.div_ceil(32)];
        steps.add_to(vectors, sums, 1 << 24);
        *steps = Counters::ZERO;
        for ((counters, any), credit) in counters.iter_mut().zip(credits).filter(|((_, any), _)| *any) {
            counters.add_to(vectors, sums, *credit);
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
        // Each kind of instructions that the machine has; without AVX2 there is but one way.
        for best in Best::detect() {
            let mut scratch = FitScratch::default();
            scratch.keep(Box::new(RankedWindow::with(best)));
            check_all(&mut scratch);
        }
    }

    fn check_all(scratch: &mut FitScratch) {
        let mut rng = stream();
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
                        check(rows, width, ForestConfig { trees: 3, sample }, scratch, &what);
                    }
                }
            }
        }
        let rows: Vec<f32> = (0..500 * 3).map(|_| rng.normal() as f32).collect();
        let many = ForestConfig { trees: 2 * TREES as u32 + 3, sample: 256 };
        check(&rows, 3, many, scratch, "more trees than counters hold");
    }
}
