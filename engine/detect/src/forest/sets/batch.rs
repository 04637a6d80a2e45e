//! Scoring some dozens of rows: each cut splits all of them at once.
//!
//! As in [`super::window`], rows are ranked by every feature, the rows up to any threshold are known as a set, looked up by
//! the rank of the threshold, and a cut turns the set of rows that come to it into two. That is some forty instructions a cut
//! without a branch, however many rows there are; a walk takes ten for each row and level.

use std::cell::Cell;

use super::super::path_length::credits;
use super::super::tree::{HEIGHT, NODES, Node, TreeSlice, halves, key};
use super::rows::{Counters, Rows};
use super::vectors::{Best, Vectors};
use super::window::{CREDIT_BITS, LANES, STEP_BITS, TREES};

/// Rows that are scored together.
pub(in super::super) const ROWS: usize = 128;
/// Rows from which on it pays.
const ROWS_MIN: usize = 48;
/// Trees from which on it pays to rank rows.
const TREES_MIN: usize = 16;
/// Features, at most: all columns should fit the second-level cache.
const WIDTH: usize = 64;
const WORDS: usize = ROWS / 32;

/// Whether so many rows are scored faster like this than by walks.
pub(in super::super) fn takes(trees: usize, rows: usize, width: usize, height: u32) -> bool {
    trees >= TREES_MIN && rows >= ROWS_MIN && width <= WIDTH && height <= HEIGHT
}

/// A feature of the batch, sorted.
#[derive(Clone, Debug)]
struct Column {
    /// Keys in ascending order as signed integers, behind them the greatest there is.
    sorted: [i32; ROWS],
    /// The first of each block, but for the first block, which takes in what is below all keys.
    blocks: [i32; ROWS / LANES],
    /// By rank: the rows before it.
    before: [Rows<WORDS>; ROWS + 1],
}

/// A key as an integer that is compared with its sign.
#[inline(always)]
fn signed(key: u32) -> i32 {
    (key ^ 1 << 31).cast_signed()
}

impl Column {
    const EMPTY: Self =
        Self { sorted: [i32::MAX; ROWS], blocks: [i32::MAX; ROWS / LANES], before: [Rows::NONE; ROWS + 1] };

    fn fill(&mut self, values: impl Iterator<Item = f32>) {
        let (mut order, mut count) = ([0u64; ROWS], 0);
        for (row, value) in values.enumerate() {
            order[row] = u64::from(key(value)) << 32 | row as u64;
            count = row + 1;
        }
        let order = &mut order[..count];
        order.sort_unstable();
        let mut before = Rows::NONE;
        for (rank, entry) in order.iter().enumerate() {
            self.sorted[rank] = signed((entry >> 32) as u32);
            self.before[rank] = before;
            before.insert(*entry as usize % ROWS);
        }
        self.before[count] = before;
        self.sorted[count..].fill(i32::MAX);
        for (block, keys) in self.blocks.iter_mut().zip(self.sorted.chunks_exact(LANES)) {
            *block = keys[0];
        }
        self.blocks[0] = i32::MIN;
    }

    /// The rows whose key is at most that of a threshold.
    #[inline(always)]
    fn up_to(&self, vectors: impl Vectors, key: u32) -> &Rows<WORDS> {
        let key = signed(key);
        let block = (vectors.numbers_up_to_8(key, &self.blocks) - 1) % (ROWS / LANES);
        let within = vectors.numbers_up_to(key, &self.sorted.as_chunks().0[block]);
        &self.before[block * LANES + within]
    }
}

/// Memory for scoring batches.
pub(in super::super) struct Batch {
    best: Best,
    /// The rows that were scored last. Agents who vote on the same centroids score them one after the other, each by a forest
    /// of its own, and find them ranked.
    rows: Vec<f32>,
    /// Of these rows as many as they are wide.
    columns: Vec<Column>,
    width: usize,
    /// By node of the tree at hand: the rows that come to it.
    sets: [Rows<WORDS>; NODES],
    steps: Counters<STEP_BITS, WORDS>,
    /// By number of sampled rows in a leaf, from three on: what counts those leaves, and whether it has counted any.
    counters: Vec<(Counters<CREDIT_BITS, WORDS>, bool)>,
    credits: Vec<u32>,
}

impl Batch {
    /// Where the machine has the instructions.
    fn new() -> Option<Self> {
        Best::detect().next().map(Self::with)
    }

    /// One for each kind of instructions that the machine has.
    #[cfg(test)]
    pub(in super::super) fn every() -> impl Iterator<Item = Self> {
        Best::detect().map(Self::with)
    }

    fn with(best: Best) -> Self {
        Self {
            best,
            rows: Vec::new(),
            columns: Vec::new(),
            width: 0,
            sets: [Rows::NONE; NODES],
            steps: Counters::ZERO,
            counters: vec![(Counters::ZERO, false); NODES / 2 + 1],
            credits: credits(NODES / 2),
        }
    }

    /// Ranks rows by every feature.
    fn rank(&mut self, rows: &[f32], width: usize) {
        self.width = width;
        self.rows.clear();
        self.rows.extend_from_slice(rows);
        if self.columns.len() < width {
            self.columns.resize(width, Column::EMPTY);
        }
        for (feature, column) in self.columns[..width].iter_mut().enumerate() {
            column.fill(rows.iter().skip(feature).step_by(width).copied());
        }
    }

    /// Hands the sums of up to [`ROWS`] rows to `done`.
    pub(in super::super) fn path_sums(
        &mut self,
        trees: TreeSlice<'_>,
        rows: &[f32],
        width: usize,
        done: impl FnMut(u64),
    ) {
        let count = rows.len() / width;
        if self.width != width || self.rows != rows {
            self.rank(rows, width);
        }
        let mut sums = [0; ROWS];
        match self.best {
            Best::Avx512(vectors) => {
                vectors.run(Scoring { vectors, batch: self, trees, count, sums: &mut sums });
            }
            Best::Avx2(vectors) => {
                vectors.run(Scoring { vectors, batch: self, trees, count, sums: &mut sums });
            }
        }
        sums[..count].iter().copied().for_each(done);
    }
}

thread_local!(static SPARE: Cell<Option<Box<Batch>>> = const { Cell::new(None) });

/// This thread's memory for batches, where the machine has the instructions. To be given back by [`keep`].
pub(in super::super) fn lend() -> Option<Box<Batch>> {
    SPARE.take().or_else(|| Batch::new().map(Box::new))
}

pub(in super::super) fn keep(batch: Box<Batch>) {
    SPARE.set(Some(batch));
}

/// See [`Batch::path_sums`].
struct Scoring<'a, V> {
    vectors: V,
    batch: &'a mut Batch,
    trees: TreeSlice<'a>,
    count: usize,
    sums: &'a mut [u64; ROWS],
}

impl<V: Vectors> pulp::NullaryFnOnce for Scoring<'_, V> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { vectors, batch, trees, count, sums } = self;
        let all = Rows::first(count);
        let mut since = 0;
        for tree in trees.iter() {
            batch.count(vectors, tree, &all);
            since += 1;
            if since == TREES {
                batch.flush(vectors, sums);
                since = 0;
            }
        }
        batch.flush(vectors, sums);
    }
}

impl Batch {
    /// Counts the paths of all rows in a tree.
    #[inline(always)]
    fn count(&mut self, vectors: impl Vectors, tree: &[Node], all: &Rows<WORDS>) {
        let (cuts, leaves) = halves(tree);
        let Self { columns, sets, steps, counters, .. } = self;
        sets[0] = *all;
        // The rows that are cut at each level. Within a level no row is cut twice, so that exclusive or is as good as or, and the
        // levels so far need not be forgotten: `cut_to` is what they and this one come to.
        let mut cut_to = [Rows::NONE; 2 * HEIGHT as usize];
        let (mut now, mut level, mut level_end, mut made) = (Rows::NONE, 1, 1, 1);
        for (place, cut) in cuts.iter().enumerate() {
            let (left, right) = (cut.left as usize, cut.right as usize);
            let set = sets[place % NODES];
            let before = columns[cut.feature as usize].up_to(vectors, cut.key);
            sets[left % NODES] = set.and(before);
            sets[right % NODES] = set.without(before);
            made += usize::from(left < cuts.len()) + usize::from(right < cuts.len());
            now = now.with(&set, |a, b| a ^ b);
            cut_to[level % cut_to.len()] = now;
            // Cuts of a level follow each other, and where they end is known when the level above is done.
            let is_last = place + 1 == level_end;
            level += usize::from(is_last);
            level_end = if is_last { made } else { level_end };
        }
        let mut counted = [Rows::NONE; HEIGHT as usize + 1];
        for (i, counted) in counted[..HEIGHT as usize].iter_mut().enumerate() {
            // Below the last level none is cut.
            let [to, above] = [i + 1, i].map(|i| &cut_to[i.min(level - 1) % cut_to.len()]);
            *counted = to.with(above, |a, b| a ^ b);
        }
        let (large, rest) = by_size(leaves);
        let mut sets = sets[cuts.len()..].iter();
        for (leaf, set) in large.iter().zip(&mut sets) {
            let (counters, any) = &mut counters[leaf.right as usize];
            counters.count(vectors, set);
            *any = true;
        }
        // Rows in leaves of two, whose credit is a step.
        let pairs = &mut counted[HEIGHT as usize];
        rest.iter().zip(sets).for_each(|(_, set)| *pairs = pairs.with(set, |a, b| a | b));
        steps.count_nine(&counted);
    }

    /// Empties the counters into the sums.
    #[inline(always)]
    fn flush(&mut self, vectors: impl Vectors, sums: &mut [u64; ROWS]) {
        let sums = sums.as_chunks_mut::<32>().0;
        self.steps.add_to(vectors, sums, 1 << 24);
        self.steps = Counters::ZERO;
        let used = self.counters.iter_mut().zip(&self.credits).filter(|((_, any), _)| *any);
        for ((counters, any), credit) in used {
            counters.add_to(vectors, sums, *credit);
            (*counters, *any) = (Counters::ZERO, false);
        }
    }
}

/// Leaves of three rows and more, and those of two.
#[inline(always)]
fn by_size(leaves: &[Node]) -> (&[Node], &[Node]) {
    let larger_than = |leaves: &[Node], size: u32| leaves.iter().take_while(|leaf| leaf.right > size).count();
    let (large, rest) = leaves.split_at(larger_than(leaves, 2));
    (large, &rest[..larger_than(rest, 1)])
}
