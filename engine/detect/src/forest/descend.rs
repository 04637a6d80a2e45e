//! Scoring: blocks of rows walk all trees, one tree at a time. Large batches on machines with AVX2 or AVX-512 take
//! another way to the same sums, see `program.rs`.
//!
//! A step is a load of a node, a load of a feature and a comparison, each waiting for the one before. So a group of
//! rows steps together: their chains are independent and fill each other's waits. [`deep`] is the same walk as
//! [`walk`], for the usual shape of a forest: its sizes are constants, so that the compiler drops all bounds checks
//! and address arithmetic, and the three levels at the top, where all rows share seven nodes, are compared in vector
//! registers. Measured by `benches/forest.rs` (100 trees of 256 rows, 4 or 10 features): 1.7 M rows/s a core with all
//! rows of a block stepping together, 2.75 M with [`deep`].
//!
//! What did not help: 16 rows in a register of AVX-512, nodes and leaves of a level in tables that are permuted by where rows
//! are (100 rows of 4 features: 32 µs, walks 37; of 10 features: 46).

use prefetch_index::prefetch_index;

#[cfg(all(feature = "simd", target_arch = "x86_64"))]
use super::program::{Compiler, Lanes, Program};
use super::{Node, key};

/// Rows that are turned into keys together; their share of the first-level cache leaves room for a tree.
const BLOCK: usize = 32;

/// Rows that step together. Eight slots fit the registers.
const GROUP: usize = 8;

/// How many trees ahead of the walk memory is asked for.
const AHEAD: usize = 2;

/// Slots of a tree that grew from 129 to 256 rows, the default of the paper.
const SLOTS: usize = 256;

/// Slots of a tree that grew from 65 to 128 rows.
const HALF: usize = SLOTS / 2;

/// Hands the sum of a row's path lengths over all trees to `done`, row after row, in fixed point.
pub(crate) fn path_sums(
    nodes: &[Node],
    leaves: &[u32],
    height: u32,
    rows: &[f32],
    width: usize,
    done: impl FnMut(u64),
) {
    #[cfg(all(feature = "simd", target_arch = "x86_64"))]
    if let Some((lanes, programs)) = compiled(nodes, leaves, height, rows.len() / width, width) {
        let mut done = done;
        return lanes.path_sums(&programs, rows, width, &mut |sums| sums.iter().for_each(|sum| done(*sum)));
    }
    walked_sums(nodes, leaves, height, rows, width, done);
}

/// A forest as programs, if this machine runs them faster than walks, and the batch is worth it.
#[cfg(all(feature = "simd", target_arch = "x86_64"))]
fn compiled(
    nodes: &[Node],
    leaves: &[u32],
    height: u32,
    rows: usize,
    width: usize,
) -> Option<(Lanes, Vec<Program>)> {
    let slots = 1 << height;
    let lanes = Lanes::detect().next()?;
    if rows < lanes.rows_min() || slots > SLOTS || width > 256 {
        return None;
    }
    let cuts = nodes.iter().filter(|node| **node != Node::PASS).count();
    if cuts > lanes.operations_max() * (nodes.len() / slots) {
        return None;
    }
    let trees = nodes.chunks_exact(slots).zip(leaves.chunks_exact(slots));
    let mut compiler = Compiler::new();
    Some((lanes, trees.map(|(nodes, leaves)| compiler.compile(nodes, leaves)).collect()))
}

/// Path sums by walks.
fn walked_sums(
    nodes: &[Node],
    leaves: &[u32],
    height: u32,
    rows: &[f32],
    width: usize,
    done: impl FnMut(u64),
) {
    match (1 << height, width) {
        (SLOTS, ..=16) => deep_sums::<SLOTS, 16>(nodes, leaves, rows, width, done),
        (SLOTS, ..=64) => deep_sums::<SLOTS, 64>(nodes, leaves, rows, width, done),
        (SLOTS, ..=256) => deep_sums::<SLOTS, 256>(nodes, leaves, rows, width, done),
        (HALF, ..=16) => deep_sums::<HALF, 16>(nodes, leaves, rows, width, done),
        (HALF, ..=64) => deep_sums::<HALF, 64>(nodes, leaves, rows, width, done),
        _ => walk_sums(nodes, leaves, height, rows, width, done),
    }
}

/// Path sums for any shape of forest.
fn walk_sums(
    nodes: &[Node],
    leaves: &[u32],
    height: u32,
    rows: &[f32],
    width: usize,
    mut done: impl FnMut(u64),
) {
    let slots = 1 << height;
    let mut columns = vec![[0; BLOCK]; width];
    for block in rows.chunks(BLOCK * width) {
        let count = block.len() / width;
        for (r, row) in block.chunks_exact(width).enumerate() {
            for (column, value) in columns.iter_mut().zip(row) {
                column[r] = key(*value);
            }
        }
        let mut sums = [0; BLOCK];
        for (nodes, leaves) in nodes.chunks_exact(slots).zip(leaves.chunks_exact(slots)) {
            for group in 0..count.div_ceil(GROUP) {
                walk(nodes, leaves, height, &columns, group * GROUP, &mut sums);
            }
        }
        sums[..count].iter().for_each(|sum| done(*sum));
    }
}

/// Walks rows `first..first + GROUP` of a block down one tree of any size.
fn walk(
    nodes: &[Node],
    leaves: &[u32],
    height: u32,
    columns: &[[u32; BLOCK]],
    first: usize,
    sums: &mut [u64; BLOCK],
) {
    let mut slots = [1; GROUP];
    for _ in 0..height {
        for (i, slot) in slots.iter_mut().enumerate() {
            let node = nodes[*slot];
            *slot = 2 * *slot + usize::from(columns[node.feature as usize][first + i] > node.key);
        }
    }
    for (slot, sum) in slots.iter().zip(&mut sums[first..]) {
        *sum += u64::from(leaves[*slot - leaves.len()]);
    }
}

/// The keys of a block of rows that are at most `W` features wide; `W` is a power of two.
struct Block<const W: usize> {
    /// By row, for the lower levels, where rows have parted.
    rows: [[u32; W]; BLOCK],
    /// By feature, for the upper levels, where rows are compared with one node side by side.
    columns: [[u32; BLOCK]; W],
}

impl<const W: usize> Block<W> {
    /// An index below `W` that the compiler can see to be one. It changes nothing: features are below the width.
    fn index(feature: u32) -> usize {
        feature as usize & (W - 1)
    }
}

/// Path sums for trees of `S` slots, 128 or 256, and rows of at most `W` features.
fn deep_sums<const S: usize, const W: usize>(
    nodes: &[Node],
    leaves: &[u32],
    rows: &[f32],
    width: usize,
    mut done: impl FnMut(u64),
) {
    let (trees, leaves) = (nodes.as_chunks::<S>().0, leaves.as_chunks::<S>().0);
    let mut block = Block::<W> { rows: [[0; W]; BLOCK], columns: [[0; BLOCK]; W] };
    // The first block fetches each tree once; then all are in the cache. Asking for the block's number instead of the next
    // tree's makes the compiler take the loop apart, which costs a quarter.
    let mut next = AHEAD;
    for values in rows.chunks(BLOCK * width) {
        let count = values.len() / width;
        for (r, row) in values.chunks_exact(width).enumerate() {
            for (feature, value) in row.iter().enumerate() {
                let key = key(*value);
                block.rows[r][feature] = key;
                block.columns[feature][r] = key;
            }
        }
        let mut sums = [0; BLOCK];
        for (tree, (nodes, ends)) in trees.iter().zip(leaves).enumerate() {
            if next < trees.len() && tree + AHEAD == next {
                fetch(&trees[next], &leaves[next]);
                next += 1;
            }
            deep(nodes, ends, &block, count.div_ceil(GROUP), &mut sums);
        }
        sums[..count].iter().for_each(|sum| done(*sum));
    }
}

/// Asks for a tree that will be walked soon. Agents score few rows at a time, each by trees that went out of the cache
/// since its last turn; waiting for each node when it is reached took most of the time: 60 µs instead of 10 for one row,
/// 126 instead of 53 for a hundred. Trees that are in the cache take the same with and without.
fn fetch<const S: usize>(nodes: &[Node; S], leaves: &[u32; S]) {
    const LINE: usize = 64;
    (0..S).step_by(LINE / size_of::<Node>()).for_each(|slot| prefetch_index(nodes, slot));
    (0..S).step_by(LINE / size_of::<u32>()).for_each(|slot| prefetch_index(leaves, slot));
}

/// Walks the first `groups` groups of a block down one tree. Slots are bytes: the last step leaves out the bit that all leaves
/// of 256 have, and the mask the one of 128.
fn deep<const S: usize, const W: usize>(
    nodes: &[Node; S],
    leaves: &[u32; S],
    block: &Block<W>,
    groups: usize,
    sums: &mut [u64; BLOCK],
) {
    let mut top = [0; BLOCK];
    if groups == 1 {
        fourth_level(nodes, block, top.first_chunk_mut::<GROUP>().expect("a block has groups"));
    } else {
        fourth_level(nodes, block, &mut top);
    }
    for group in 0..groups {
        let first = group * GROUP;
        let mut slots = [0u8; GROUP];
        for (i, slot) in slots.iter_mut().enumerate() {
            *slot = top[first + i] as u8;
        }
        for _ in 3..S.trailing_zeros() {
            for (i, slot) in slots.iter_mut().enumerate() {
                let node = nodes[usize::from(*slot) & (S - 1)];
                let right = block.rows[first + i][Block::<W>::index(node.feature)] > node.key;
                *slot = *slot << 1 | u8::from(right);
            }
        }
        for (i, slot) in slots.iter().enumerate() {
            sums[first + i] += u64::from(leaves[usize::from(*slot) & (S - 1)]);
        }
    }
}

/// The slots, 8 to 15, that the first `N` rows of a block are in after three steps.
///
/// All seven nodes are compared with every row; masks, all ones for "right", choose between the answers.
fn fourth_level<const S: usize, const W: usize, const N: usize>(
    nodes: &[Node; S],
    block: &Block<W>,
    top: &mut [u32; N],
) {
    // Vector units of 2003 compare signed integers only.
    let signed = |key: u32| (key ^ 1 << 31).cast_signed();
    let cut = |slot: usize, r: usize| {
        let node = nodes[slot];
        -i32::from(signed(block.columns[Block::<W>::index(node.feature)][r]) > signed(node.key))
    };
    let choose = |right: i32, if_right: i32, if_left: i32| (right & if_right) | (!right & if_left);
    for (r, slot) in top.iter_mut().enumerate() {
        let first = cut(1, r);
        let second = choose(first, cut(3, r), cut(2, r));
        let below_left = choose(second, cut(5, r), cut(4, r));
        let below_right = choose(second, cut(7, r), cut(6, r));
        let third = choose(first, below_right, below_left);
        *slot = (8 - 4 * first - 2 * second - third).cast_unsigned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FitScratch, ForestConfig, IsolationForest};
    use phalanx_core::{Purpose, Streams, Tick};

    /// A forest, walked a row and a tree at a time.
    fn plain(forest: &IsolationForest, rows: &[f32]) -> Vec<u64> {
        let slots = 1 << forest.height;
        let path = |tree: usize, row: &[f32]| {
            let mut slot = 1;
            while slot < slots {
                let node = forest.nodes[tree * slots + slot];
                slot = 2 * slot + usize::from(key(row[node.feature as usize]) > node.key);
            }
            u64::from(forest.leaves[tree * slots + slot - slots])
        };
        rows.chunks(forest.width).map(|row| (0..forest.trees()).map(|tree| path(tree, row)).sum()).collect()
    }

    /// Every way to the sums that this machine has.
    fn check(forest: &IsolationForest, rows: &[f32], what: &str) {
        let IsolationForest { nodes, leaves, height, width, .. } = forest;
        let expected = plain(forest, rows);
        let mut sums = Vec::new();
        walked_sums(nodes, leaves, *height, rows, *width, |s| sums.push(s));
        assert_eq!(sums, expected, "walks, {what}");
        #[cfg(all(feature = "simd", target_arch = "x86_64"))]
        for lanes in Lanes::detect().filter(|_| 1 << height <= SLOTS && *width <= 256) {
            let trees = nodes.chunks_exact(1 << height).zip(leaves.chunks_exact(1 << height));
            let mut compiler = Compiler::new();
            let programs: Vec<Program> =
                trees.map(|(nodes, leaves)| compiler.compile(nodes, leaves)).collect();
            sums.clear();
            lanes.path_sums(&programs, rows, *width, &mut |block| sums.extend(block));
            assert_eq!(sums, expected, "{lanes:?}, {what}");
        }
    }

    #[test]
    fn every_way_ends_in_the_same_leaf() {
        let mut rng = Streams::from_seed(9).stream(Purpose::Model, 0, Tick(0));
        for width in [1usize, 4, 10, 16, 17, 64, 65, 256, 257] {
            for sample in [1u32, 2, 3, 8, 64, 65, 128, 129, 256, 257] {
                let rows: Vec<f32> = (0..300 * width).map(|_| rng.normal() as f32).collect();
                let config = ForestConfig { trees: 3, sample };
                let forest =
                    IsolationForest::fit(&rows, width, &config, &mut rng, &mut FitScratch::default())
                        .unwrap();
                for count in [1, 7, 8, 9, 31, 32, 33, 127, 128, 129, 300] {
                    let what = format!("width {width}, sample {sample}, {count} rows");
                    check(&forest, &rows[..count * width], &what);
                }
            }
        }
    }

    #[test]
    fn full_trees_and_sums_beyond_32_bits() {
        // Evenly spread rows give bushy trees; a thousand of them add up to more than 2^32 in fixed point.
        let rows: Vec<f32> = (0..256 * 9).map(|i| (i * 7919 % 2311) as f32).collect();
        let mut rng = Streams::from_seed(3).stream(Purpose::Model, 0, Tick(0));
        let config = ForestConfig { trees: 1000, sample: 256 };
        let forest = IsolationForest::fit(&rows, 9, &config, &mut rng, &mut FitScratch::default()).unwrap();
        assert!(plain(&forest, &rows)[0] > 1 << 32);
        check(&forest, &rows, "1000 trees");
        // A heap without an end before its last level: as many operations and registers as there can be.
        let mut full = forest.clone();
        full.nodes.iter_mut().enumerate().for_each(|(i, node)| {
            *node = Node { key: key((i * 31 % 2311) as f32), feature: (i % 9) as u32 };
        });
        full.leaves.iter_mut().enumerate().for_each(|(i, leaf)| *leaf = (i as u32).wrapping_mul(0x9E37_79B9));
        check(&full, &rows, "full trees");
    }

    #[test]
    fn large_batches_score_as_small_ones() {
        let mut rng = Streams::from_seed(4).stream(Purpose::Model, 0, Tick(0));
        let rows: Vec<f32> = (0..5000 * 3).map(|_| rng.normal() as f32).collect();
        let forest =
            IsolationForest::fit(&rows, 3, &ForestConfig::default(), &mut rng, &mut FitScratch::default())
                .unwrap();
        let mut sums = Vec::new();
        path_sums(&forest.nodes, &forest.leaves, forest.height, &rows, 3, |s| sums.push(s));
        assert_eq!(sums, plain(&forest, &rows));
    }
}
