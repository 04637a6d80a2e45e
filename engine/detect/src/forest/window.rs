//! Growing trees and scoring the rows they grow from in one go, for windows of up to 1,024 rows.
//!
//! An agent that refits to its window scores every row of it, too, for its threshold. Both ask the same question of each
//! node, which rows lie on which side of a cut, and a window is small enough to answer it with bits: one for each row, in two
//! registers of AVX-512. Columns are sorted once a fit. Then the rows up to any threshold are known as a set, looked up by
//! the rank of the threshold, and a cut splits all rows of a node, sampled or not, with four instructions. No row is moved,
//! and none walks down a tree.
//!
//! - A node's range of a feature is the least and greatest *rank* among its sampled rows: 16 bits instead of 32.
//! - Nodes of a level are cut together, step by step, so that the processor works on several while it waits for one.
//! - How deep rows lie is counted in vertical counters, one bit of each count in a set: adding a set of rows to the counts of all
//!   takes a few instructions. Leaves of n sampled rows give the same credit, so there is a counter for each n.
//!
//! Trees and sums are those of [`super::grow`] and [`super::descend`], bit by bit. Measured on a Zen 5, 100 trees of 256 rows
//! of 4 features: see docs/performance.md.

use std::arch::x86_64::__m512i;

use pulp::x86::V4;

use super::draws::{Draws, TreeDigest};
use super::grow::between;
use super::{Node, key};

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

/// A set of rows.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
struct Rows([u32; ROWS / 32]);

impl Rows {
    const NONE: Self = Self([0; ROWS / 32]);

    fn insert(&mut self, row: usize) {
        self.0[row / 32] |= 1 << (row % 32);
    }

    #[cfg(test)]
    fn contains(&self, row: usize) -> bool {
        self.0[row / 32] >> (row % 32) & 1 == 1
    }

    #[inline(always)]
    fn with(&self, other: &Self, combine: impl Fn(u32, u32) -> u32) -> Self {
        let mut rows = Self::NONE;
        for ((out, a), b) in rows.0.iter_mut().zip(&self.0).zip(&other.0) {
            *out = combine(*a, *b);
        }
        rows
    }

    #[inline(always)]
    fn and(&self, other: &Self) -> Self {
        self.with(other, |a, b| a & b)
    }

    #[inline(always)]
    fn without(&self, other: &Self) -> Self {
        self.with(other, |a, b| a & !b)
    }

    #[inline(always)]
    fn count(&self) -> u32 {
        let words: [u64; ROWS / 64] = pulp::cast(self.0);
        words.iter().map(|word| word.count_ones()).sum()
    }

    #[inline(always)]
    fn is_empty(&self, simd: V4) -> bool {
        let [low, high] = self.0.as_chunks::<16>().0 else { unreachable!("there are two halves") };
        let any = simd.avx512f._mm512_or_si512(pulp::cast(*low), pulp::cast(*high));
        simd.avx512f._mm512_test_epi32_mask(any, any) == 0
    }
}

/// One number a row, less than `2^BITS`: set b holds bit b of each.
#[derive(Clone, Debug)]
struct Counters<const BITS: usize>([Rows; BITS]);

impl<const BITS: usize> Counters<BITS> {
    const ZERO: Self = Self([Rows::NONE; BITS]);

    /// Adds one for each of the rows.
    #[inline(always)]
    fn count(&mut self, simd: V4, rows: &Rows) {
        let mut carry = *rows;
        for plane in &mut self.0 {
            let next = plane.and(&carry);
            *plane = plane.with(&carry, |a, b| a ^ b);
            carry = next;
            if carry.is_empty(simd) {
                break;
            }
        }
    }

    /// Adds the numbers times `weight` to the sums, of 32 rows each.
    #[inline(always)]
    fn add_to(&self, simd: V4, sums: &mut [[u64; 32]], weight: u32) {
        for (word, sums) in sums.iter_mut().enumerate() {
            let mut numbers = [0u16; 32];
            for (bit, plane) in self.0.iter().enumerate() {
                let one = pulp::cast([1u16 << bit; 32]);
                let old = pulp::cast(numbers);
                numbers = pulp::cast(simd.avx512bw._mm512_mask_add_epi16(old, plane.0[word], old, one));
            }
            for (sum, number) in sums.iter_mut().zip(numbers) {
                *sum += u64::from(number) * u64::from(weight);
            }
        }
    }
}

/// A feature of the window.
#[derive(Clone, Debug)]
struct Column {
    /// Its values in ascending order, then infinities.
    sorted: [f32; ROWS],
    /// Every [`LANES`]-th of them.
    pivots: [f32; ROWS / LANES],
    /// By row: its place in that order.
    rank: [u16; ROWS],
    /// By rank: the rows before it.
    before: [Rows; ROWS + 1],
}

impl Column {
    const EMPTY: Self = Self {
        sorted: [f32::INFINITY; ROWS],
        pivots: [f32::INFINITY; ROWS / LANES],
        rank: [0; ROWS],
        before: [Rows::NONE; ROWS + 1],
    };

    /// Sorts the values, of which there are at most [`ROWS`].
    fn fill(&mut self, values: impl Iterator<Item = f32>, order: &mut [Vec<u64>; 2]) {
        let [sorted, spare] = order;
        sorted.clear();
        sorted.extend(values.enumerate().map(|(row, value)| u64::from(key(value)) << 32 | row as u64));
        sort_by_key(sorted, spare);
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
    fn rank_of(&self, simd: V4, threshold: f32) -> usize {
        let mut blocks = 0;
        for pivots in self.pivots.as_chunks().0 {
            blocks += up_to(simd, threshold, pivots);
        }
        let block = (blocks - 1) % (ROWS / LANES);
        block * LANES + up_to(simd, threshold, &self.sorted.as_chunks().0[block])
    }

    /// The least and the greatest rank among the rows, of which there must be one, in the first `vectors` × 32 rows.
    #[inline(always)]
    fn range(&self, simd: V4, rows: &Rows, vectors: usize) -> (usize, usize) {
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

/// Sorts by the upper half of the entries, one byte after the other.
fn sort_by_key(entries: &mut Vec<u64>, spare: &mut Vec<u64>) {
    spare.clear();
    spare.resize(entries.len(), 0);
    let mut places = [[0u32; 256]; 4];
    let digit = |entry: u64, byte: usize| (entry >> (32 + 8 * byte)) as usize & 255;
    for entry in &*entries {
        (0..4).for_each(|byte| places[byte][digit(*entry, byte)] += 1);
    }
    for (byte, places) in places.iter_mut().enumerate() {
        let mut next = 0;
        for place in places.iter_mut() {
            next += std::mem::replace(place, next);
        }
        for entry in &*entries {
            let place = &mut places[digit(*entry, byte)];
            spare[*place as usize] = *entry;
            *place += 1;
        }
        std::mem::swap(entries, spare);
    }
}

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
    columns: Vec<Column>,
    order: [Vec<u64>; 2],
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
            columns: Vec::new(),
            order: Default::default(),
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
        self.rows = rows.len() / width;
        if self.columns.len() < width {
            self.columns.resize(width, Column::EMPTY);
        }
        for (feature, column) in self.columns[..width].iter_mut().enumerate() {
            column.fill(rows.iter().skip(feature).step_by(width).copied(), &mut self.order);
        }
        self.sums.clear();
        self.sums.resize(ROWS, 0);
    }

    /// Grows a tree of `height` from `sample` of the rows, as [`super::grow`] does, and adds up the paths of all rows.
    pub(super) fn grow(
        &mut self,
        nodes: &mut [Node],
        leaves: &mut [u32],
        width: usize,
        sample: usize,
        draws: Draws,
        credits: &[u32],
    ) -> u64 {
        if self.trees == TREES {
            self.flush(credits);
        }
        self.trees += 1;
        let simd = self.simd;
        simd.vectorize(Growing { window: self, nodes, leaves, width, sample, draws, credits })
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
    width: usize,
    sample: usize,
    draws: Draws,
    credits: &'a [u32],
}

impl pulp::NullaryFnOnce for Growing<'_> {
    type Output = u64;

    #[inline(always)]
    fn call(self) -> u64 {
        let Self { window, nodes, leaves, width, sample, draws, credits } = self;
        let RankedWindow { simd, rows, columns, parts, cuts, steps, .. } = window;
        let (simd, rows, columns) = (*simd, *rows, &columns[..width]);
        let (slots, vectors) = (leaves.len(), rows.div_ceil(32));
        let height = slots.trailing_zeros();
        let mut digest = TreeDigest::default();
        let sampled = draw(simd, draws, rows, sample);
        // Where the parts of the level are, how many, and how many leaves there are.
        let (mut level, mut count, mut ends) = (0, 1, 0);
        parts[level][0] = Part { rows: first(rows), slot: 1, count: sample as u32, constant: 0 };
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

/// The first `count` rows.
#[inline(always)]
fn first(count: usize) -> Rows {
    let mut rows = Rows::NONE;
    rows.0[..count / 32].fill(u32::MAX);
    if let Some(part) = rows.0.get_mut(count / 32) {
        *part = (1 << (count % 32)) - 1;
    }
    rows
}

/// The rows that [`super::grow::FitScratch::draw`] draws.
#[inline(always)]
fn draw(simd: V4, draws: Draws, rows: usize, sample: usize) -> Rows {
    if sample == rows {
        return first(rows);
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

    #[test]
    fn extremes_are_ranked() {
        let Some(mut window) = RankedWindow::new() else { return println!("skipped: no AVX-512") };
        let mut rows: Vec<f32> = (0..64).map(|i| i as f32).collect();
        rows[..6].copy_from_slice(&[f32::MAX, f32::MIN, -0.0, f32::from_bits(1), -f32::from_bits(1), 0.0]);
        window.fill(&rows, 1);
        let column = &window.columns[0];
        let mut sorted = rows.clone();
        sorted.sort_by(f32::total_cmp);
        assert_eq!(column.sorted[..64], sorted);
        for threshold in &sorted {
            let expected = rows.iter().filter(|value| *value <= threshold).count();
            assert_eq!(column.rank_of(window.simd, *threshold), expected);
            let before = &column.before[expected];
            assert!((0..64).all(|row| before.contains(row) == (rows[row] <= *threshold)));
        }
    }

    #[test]
    fn counters_count() {
        let Some(window) = RankedWindow::new() else { return println!("skipped: no AVX-512") };
        let (mut counters, mut expected, mut rng) = (Counters::<7>::ZERO, [0u64; ROWS], stream());
        for _ in 0..127 {
            let mut rows = Rows::NONE;
            (0..ROWS).filter(|_| rng.below(2) == 0).for_each(|row| rows.insert(row));
            (0..ROWS).filter(|row| rows.contains(*row)).for_each(|row| expected[row] += 5);
            counters.count(window.simd, &rows);
        }
        let mut sums = [0; ROWS];
        counters.add_to(window.simd, sums.as_chunks_mut().0, 5);
        assert_eq!(sums, expected);
    }
}
