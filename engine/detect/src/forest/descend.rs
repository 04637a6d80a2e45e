//! Scoring: the sum of a row's path lengths. There are three ways to the same integers.
//!
//! - A few rows *walk*, one tree at a time. A step is a load of a node, a load of a feature and a comparison, each waiting for
//!   the one before. So a group of rows steps together: their chains are independent and fill each other's waits.
//! - Some dozens to hundreds are split as *sets* (`sets/batch.rs`), on machines with AVX2 or AVX-512.
//! - Larger batches run *programs* that trees are compiled to (`program.rs`), on the same machines.
//!
//! Measured on a Zen 4, 100 trees of 256 rows with 4 features: 8 rows walk in 5.7 µs and 30 in 21, 100 are split as sets in 37.

use prefetch_index::prefetch_index;

#[cfg(all(feature = "simd", target_arch = "x86_64"))]
use super::program::{Compiler, Lanes, Program};
#[cfg(all(feature = "simd", target_arch = "x86_64"))]
use super::sets::batch;
use super::tree::{HEIGHT, NODES, Node, TreeSlice, key};

/// Rows that are turned into keys together; their share of the first-level cache leaves room for a tree.
const BLOCK: usize = 32;

/// Rows that step together. Eight places fit the registers.
const GROUP: usize = 8;

/// How many trees ahead of the walk memory is asked for.
const AHEAD: usize = 2;

/// Hands the sum of a row's path lengths over the trees to `done`, row after row, in fixed point.
pub(crate) fn path_sums(
    trees: TreeSlice<'_>,
    height: u32,
    rows: &[f32],
    width: usize,
    done: impl FnMut(u64),
) {
    #[cfg(all(feature = "simd", target_arch = "x86_64"))]
    if let Some((lanes, programs)) = compiled(trees, height, rows.len() / width, width) {
        let mut done = done;
        return lanes.path_sums(&programs, rows, width, &mut |sums| sums.iter().for_each(|sum| done(*sum)));
    }
    #[cfg(all(feature = "simd", target_arch = "x86_64"))]
    if batch::takes(trees.len(), rows.len() / width, width, height)
        && let Some(mut batch) = batch::lend()
    {
        let mut done = done;
        rows.chunks(batch::ROWS * width).for_each(|rows| batch.path_sums(trees, rows, width, &mut done));
        return batch::keep(batch);
    }
    walked_sums(trees, height, rows, width, done);
}

/// A forest as programs, if this machine runs them faster than walks, and the batch is worth it.
#[cfg(all(feature = "simd", target_arch = "x86_64"))]
fn compiled(trees: TreeSlice<'_>, height: u32, rows: usize, width: usize) -> Option<(Lanes, Vec<Program>)> {
    let lanes = Lanes::detect().next()?;
    if rows < lanes.rows_min() || height > HEIGHT || width > 256 {
        return None;
    }
    if trees.nodes().len() / 2 > lanes.operations_max() * trees.len() {
        return None;
    }
    let mut compiler = Compiler::new();
    Some((lanes, trees.iter().map(|tree| compiler.compile(tree)).collect()))
}

/// Path sums by walks.
fn walked_sums(trees: TreeSlice<'_>, height: u32, rows: &[f32], width: usize, done: impl FnMut(u64)) {
    match width {
        0..16 => narrow_sums::<16>(trees, height, rows, width, done),
        16..64 => narrow_sums::<64>(trees, height, rows, width, done),
        64..256 => narrow_sums::<256>(trees, height, rows, width, done),
        _ => wide_sums(trees, height, rows, width, done),
    }
}

/// Path sums for rows of any width.
fn wide_sums(trees: TreeSlice<'_>, height: u32, rows: &[f32], width: usize, mut done: impl FnMut(u64)) {
    // The last column, which stays 0, is that of leaves.
    let mut keys = vec![0; BLOCK * (width + 1)];
    for block in rows.chunks(BLOCK * width) {
        let count = block.len() / width;
        for (keys, row) in keys.chunks_exact_mut(width + 1).zip(block.chunks_exact(width)) {
            keys.iter_mut().zip(row).for_each(|(out, value)| *out = key(*value));
        }
        let mut sums = [0; BLOCK];
        for tree in trees.iter() {
            for first in (0..count).step_by(GROUP) {
                let keys = |row: usize, feature: u32| keys[(first + row) * (width + 1) + feature as usize];
                walk(|place| &tree[place as usize], height, keys, &mut sums[first..]);
            }
        }
        sums[..count].iter().for_each(|sum| done(*sum));
    }
}

/// Path sums for rows of fewer than `W` features; `W` is a power of two.
fn narrow_sums<const W: usize>(
    trees: TreeSlice<'_>,
    height: u32,
    rows: &[f32],
    width: usize,
    mut done: impl FnMut(u64),
) {
    // Keys by row; the one behind the last feature, which stays 0, is that of leaves.
    let mut block = [[0; W]; BLOCK];
    for (number, values) in rows.chunks(BLOCK * width).enumerate() {
        let count = values.len() / width;
        for (keys, row) in block.iter_mut().zip(values.chunks_exact(width)) {
            keys.iter_mut().zip(row).for_each(|(out, value)| *out = key(*value));
        }
        let mut sums = [0; BLOCK];
        // The first block fetches each tree once; then all are in the cache.
        let mut ahead = trees.iter().skip(AHEAD);
        for tree in trees.with_rest() {
            if number == 0 {
                ahead.next().into_iter().for_each(fetch);
            }
            for first in (0..count).step_by(GROUP) {
                let keys: &[[u32; W]; GROUP] =
                    block[first..].first_chunk().expect("a block has whole groups");
                // An index that the compiler can see to be below `W`. It changes nothing.
                let key_of = |row: usize, feature: u32| keys[row][feature as usize & (W - 1)];
                // So can places, of all but the last trees of a forest.
                match tree.first_chunk::<NODES>() {
                    Some(tree) if height <= HEIGHT => {
                        walk(|place| &tree[place as usize & (NODES - 1)], height, key_of, &mut sums[first..]);
                    }
                    _ => walk(|place| &tree[place as usize], height, key_of, &mut sums[first..]),
                }
            }
        }
        sums[..count].iter().for_each(|sum| done(*sum));
    }
}

/// Asks for a tree that will be walked soon. Agents score few rows at a time, each by trees that went out of the cache
/// since its last turn; waiting for each node when it is reached took most of the time: 60 µs instead of 10 for one row,
/// 126 instead of 53 for a hundred. Trees that are in the cache take the same with and without.
fn fetch(tree: &[Node]) {
    const LINE: usize = 64;
    (0..tree.len()).step_by(LINE / size_of::<Node>()).for_each(|place| prefetch_index(tree, place));
}

/// Walks a group of rows down one tree and adds up the lengths of their paths. `key_of` a row's feature is 0 for the feature of
/// leaves.
#[inline(always)]
fn walk<'a>(
    node_at: impl Fn(u32) -> &'a Node,
    height: u32,
    key_of: impl Fn(usize, u32) -> u32,
    sums: &mut [u64],
) {
    let mut places = [0u32; GROUP];
    for _ in 0..height {
        for (row, place) in places.iter_mut().enumerate() {
            let node = node_at(*place);
            let right = usize::from(key_of(row, node.feature) > node.key);
            *place = [node.left, node.right][right];
        }
    }
    for (place, sum) in places.iter().zip(sums) {
        *sum += u64::from(node_at(*place).key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forest::path_length::credit;
    #[cfg(all(feature = "simd", target_arch = "x86_64"))]
    use crate::forest::sets::batch::Batch;
    use crate::{FitScratch, ForestConfig, IsolationForest};
    use phalanx_core::{Purpose, Streams, Tick};

    /// A forest, walked a row and a tree at a time.
    fn plain(forest: &IsolationForest, rows: &[f32]) -> Vec<u64> {
        let path = |tree: &[Node], row: &[f32]| {
            let mut node = tree[0];
            while (node.feature as usize) < forest.width {
                let right = key(row[node.feature as usize]) > node.key;
                node = tree[if right { node.right } else { node.left } as usize];
            }
            u64::from(node.key)
        };
        let trees = forest.trees.get(0..forest.trees());
        rows.chunks(forest.width).map(|row| trees.iter().map(|tree| path(tree, row)).sum()).collect()
    }

    /// Every way to the sums that this machine has.
    fn check(forest: &IsolationForest, rows: &[f32], what: &str) {
        let IsolationForest { trees, height, width, .. } = forest;
        let trees = trees.get(0..trees.len());
        let expected = plain(forest, rows);
        let mut sums = Vec::new();
        walked_sums(trees, *height, rows, *width, |s| sums.push(s));
        assert_eq!(sums, expected, "walks, {what}");
        #[cfg(all(feature = "simd", target_arch = "x86_64"))]
        for lanes in Lanes::detect().filter(|_| *height <= HEIGHT && *width <= 256) {
            let mut compiler = Compiler::new();
            let programs: Vec<Program> = trees.iter().map(|tree| compiler.compile(tree)).collect();
            sums.clear();
            lanes.path_sums(&programs, rows, *width, &mut |block| sums.extend(block));
            assert_eq!(sums, expected, "{lanes:?}, {what}");
        }
        #[cfg(all(feature = "simd", target_arch = "x86_64"))]
        for mut batch in Batch::every().filter(|_| batch::takes(usize::MAX, usize::MAX, *width, *height)) {
            sums.clear();
            rows.chunks(batch::ROWS * width)
                .for_each(|rows| batch.path_sums(trees, rows, *width, |s| sums.push(s)));
            assert_eq!(sums, expected, "sets, {what}");
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
        // Trees without an end before their last level: as many operations and registers as there can be.
        let mut full = forest.clone();
        full.trees.clear();
        for tree in 0..1000 {
            full.trees.push(|nodes| {
                let number = |i: u32| i + 31 * tree;
                nodes.extend((0..255).map(|i| {
                    let key = key((number(i) * 31 % 2311) as f32);
                    Node { key, feature: number(i) % 9, left: 2 * i + 1, right: 2 * i + 2 }
                }));
                nodes.extend((255..511).map(|i| {
                    let count = 3 + number(i) % 254;
                    Node::leaf(i as usize, 9, (8 << 24) + credit(count as usize), count)
                }));
                0
            });
        }
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
        path_sums(forest.trees.get(0..100), forest.height, &rows, 3, |s| sums.push(s));
        assert_eq!(sums, plain(&forest, &rows));
    }
}
