//! Growing one tree: draw a sample, cut it up, write down how deep its points lie.

use prefetch_index::prefetch_index;

use super::draws::{Draws, TreeDigest};
use super::path_length::credits;
#[cfg(all(feature = "simd", target_arch = "x86_64"))]
use super::sets::window::RankedWindow;
use super::tree::{Node, Trees, arrange, key};

/// Memory that fitting needs, kept between fits so that refits do not allocate. It carries no state from one fit to
/// the next: a fresh one gives the same forest.
#[derive(Clone, Debug, Default)]
pub struct FitScratch {
    /// One bit a row: already in the sample. All zero between trees.
    drawn: Vec<u64>,
    /// Where in the data each sampled row starts.
    sample: Vec<u32>,
    /// Values of one feature in the node that is being split.
    values: Vec<f32>,
    /// Where [`partition`] writes the rows of a node; its children write back to `sample`, and so on.
    parted: Vec<u32>,
    /// By feature: whether it is known not to vary in the node.
    is_constant: Vec<bool>,
    /// Those that are, in the order in which it was found.
    constant: Vec<u32>,
    /// Path length credit of a leaf that holds so many points.
    credits: Vec<u32>,
    /// The tree under way, in the order in which it grows, and what puts it in order.
    drafts: Vec<Node>,
    order: Vec<u32>,
    /// Trees that will take the place of others.
    pub(super) fresh: Trees,
    /// What grows trees of windows, once it was needed.
    #[cfg(all(feature = "simd", target_arch = "x86_64"))]
    window: Option<Box<RankedWindow>>,
    rows: usize,
    width: usize,
    size: usize,
}

impl FitScratch {
    /// Makes room for trees of `size` rows drawn from `rows` rows of `width` features.
    pub(crate) fn prepare(&mut self, rows: usize, width: usize, size: usize) {
        (self.rows, self.width, self.size) = (rows, width, size);
        self.drawn.resize(self.drawn.len().max(rows.div_ceil(64)), 0);
        self.values.resize(size, 0.0);
        self.parted.resize(size, 0);
        if self.credits.len() <= size {
            self.credits = credits(size);
        }
    }

    /// Path length credits of leaves of up to so many points as trees have.
    #[cfg(all(feature = "simd", target_arch = "x86_64"))]
    pub(super) fn credits(&self) -> &[u32] {
        &self.credits
    }

    /// What grows trees from `sample` of so many rows and sums up the paths of all, if this machine can and it pays. To be
    /// given back by [`Self::keep`].
    #[cfg(all(feature = "simd", target_arch = "x86_64"))]
    pub(super) fn window(&mut self, rows: usize, width: usize, sample: usize) -> Option<Box<RankedWindow>> {
        if !RankedWindow::takes(rows, width, sample) {
            return None;
        }
        self.window.take().or_else(|| RankedWindow::new().map(Box::new))
    }

    #[cfg(all(feature = "simd", target_arch = "x86_64"))]
    pub(super) fn keep(&mut self, window: Box<RankedWindow>) {
        self.window = Some(window);
    }

    /// A uniform sample of rows without replacement by Floyd's method (Bentley & Floyd 1987): one draw a row and
    /// no shuffle of all rows. The order is not uniform, and a tree does not depend on it.
    pub(super) fn draw(&mut self, rows: &[f32], draws: Draws) {
        self.sample.clear();
        if self.size == self.rows {
            self.sample.extend(0..self.rows as u32);
        } else {
            for last in self.rows - self.size..self.rows {
                let row = draws.row(last, last + 1);
                let taken = self.drawn[row / 64] >> (row % 64) & 1 == 1;
                let row = if taken { last } else { row };
                self.drawn[row / 64] |= 1 << (row % 64);
                self.sample.push(row as u32);
                prefetch_index(rows, row * self.width);
                prefetch_index(rows, (row + 1) * self.width - 1);
            }
            self.sample.iter().for_each(|row| self.drawn[*row as usize / 64] = 0);
        }
        // `check` made sure that positions fit 32 bits.
        self.sample.iter_mut().for_each(|row| *row *= self.width as u32);
    }

    /// Whether all values of the sampled rows are finite.
    pub(crate) fn is_sample_finite(&self, rows: &[f32]) -> bool {
        let finite = |values: &[f32]| values.iter().fold(true, |finite, value| finite & value.is_finite());
        self.sample.iter().fold(true, |all, start| all & finite(&rows[*start as usize..][..self.width]))
    }
}

/// Grows a tree of at most `height` steps from the sample that was drawn, appends it to `nodes` and returns its digest.
pub(super) fn grow_tree(
    nodes: &mut Vec<Node>,
    height: u32,
    rows: &[f32],
    draws: Draws,
    scratch: &mut FitScratch,
) -> u64 {
    scratch.is_constant.clear();
    scratch.is_constant.resize(scratch.width, false);
    scratch.constant.clear();
    scratch.drafts.clear();
    let mut tree = Tree {
        drafts: &mut scratch.drafts,
        height,
        rows,
        draws,
        values: &mut scratch.values,
        is_constant: &mut scratch.is_constant,
        constant: &mut scratch.constant,
        credits: &scratch.credits,
        digest: TreeDigest::default(),
    };
    tree.grow(&mut scratch.sample, &mut scratch.parted[..scratch.size], 1, 0);
    let digest = tree.digest.finish();
    arrange(&scratch.drafts, scratch.width, &mut scratch.order, nodes);
    digest
}

/// A tree under way.
struct Tree<'a> {
    drafts: &'a mut Vec<Node>,
    height: u32,
    rows: &'a [f32],
    draws: Draws,
    values: &'a mut [f32],
    is_constant: &'a mut [bool],
    constant: &'a mut Vec<u32>,
    credits: &'a [u32],
    digest: TreeDigest,
}

impl Tree<'_> {
    /// Grows the subtree of `sample`, with as much room in `spare`, and returns the place of its draft. `slot` names the
    /// subtree as in a heap: the children of slot i are 2i and 2i + 1.
    ///
    /// Two points need no cut of their own: it would put both one step deeper, which is the credit of a leaf of two.
    fn grow(&mut self, sample: &mut [u32], spare: &mut [u32], slot: usize, depth: u32) -> u32 {
        let count = sample.len();
        if count <= 2 || depth == self.height {
            return self.leaf(slot, depth, count);
        }
        let known = self.constant.len();
        let Some((feature, low, high, bits)) = self.varying(sample, slot) else {
            self.forget(known);
            return self.leaf(slot, depth, count);
        };
        let threshold = between(low, high, bits);
        let node = Node { key: key(threshold), feature, left: 0, right: 0 };
        let place = self.drafts.len();
        self.drafts.push(node);
        self.digest.cut(slot as u32, node.key, feature);

        let values = &self.values[..count];
        let (left, right) = if depth + 1 == self.height || count == 3 {
            let left = values.iter().filter(|value| **value <= threshold).count();
            (self.leaf(2 * slot, depth + 1, left), self.leaf(2 * slot + 1, depth + 1, count - left))
        } else {
            let left = partition(sample, values, threshold, spare);
            let (below, above) = spare.split_at_mut(left);
            let (spare_below, spare_above) = sample.split_at_mut(left);
            let left = self.grow(below, spare_below, 2 * slot, depth + 1);
            (left, self.grow(above, spare_above, 2 * slot + 1, depth + 1))
        };
        (self.drafts[place].left, self.drafts[place].right) = (left, right);
        self.forget(known);
        place as u32
    }

    /// The feature to cut, its smallest and largest value in the sample, which are left in `values`, and the bits for the
    /// threshold; nothing if no feature varies.
    ///
    /// Features are drawn until one varies, as in scikit-learn's ExtraTree. Those that do not vary here do not vary further
    /// down, so they are remembered there.
    fn varying(&mut self, sample: &[u32], slot: usize) -> Option<(u32, f32, f32, u32)> {
        let width = self.is_constant.len();
        for attempt in 0.. {
            if self.constant.len() == width {
                break;
            }
            let (feature, bits) = self.draws.cut(slot as u32, attempt, width as u32);
            if self.is_constant[feature as usize] {
                continue;
            }
            let (low, high) = gather(self.rows, sample, feature, self.values);
            if low < high {
                return Some((feature, low, high, bits));
            }
            self.is_constant[feature as usize] = true;
            self.constant.push(feature);
        }
        None
    }

    /// Forgets all features found constant but the first `known`.
    fn forget(&mut self, known: usize) {
        self.constant.drain(known..).for_each(|feature| self.is_constant[feature as usize] = false);
    }

    /// Ends a path at a leaf of `count` points.
    fn leaf(&mut self, slot: usize, depth: u32, count: usize) -> u32 {
        let path = (depth << 24) + self.credits[count];
        self.digest.leaf(slot as u32, path);
        let place = self.drafts.len();
        self.drafts.push(Node::leaf(place, self.is_constant.len(), path, count as u32));
        place as u32
    }
}

/// Copies one feature of the sampled rows to the front of `values`; returns its smallest and largest value.
///
/// Most nodes are small, and the ends of short loops are what the processor mispredicts: they get one loop, not three.
fn gather(rows: &[f32], sample: &[u32], feature: u32, values: &mut [f32]) -> (f32, f32) {
    const SMALL: usize = 16;
    let values = &mut values[..sample.len()];
    let at = |start: u32| rows[(start + feature) as usize];
    if sample.len() < SMALL {
        let (mut low, mut high) = (at(sample[0]), at(sample[0]));
        for (value, start) in values.iter_mut().zip(sample) {
            *value = at(*start);
            low = smaller(*value, low);
            high = larger(*value, high);
        }
        return (low, high);
    }
    for (value, start) in values.iter_mut().zip(sample) {
        *value = at(*start);
    }
    extremes(values)
}

/// The minimum of two numbers. Unlike `f32::min` it need not care for NaN, which makes it a single instruction.
fn smaller(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// The maximum of two numbers, see [`smaller`].
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// Smallest and largest of finite values, at least one, in eight lanes: no order of comparison changes the result.
fn extremes(values: &[f32]) -> (f32, f32) {
    const LANES: usize = 8;
    let (mut low, mut high) = ([values[0]; LANES], [values[0]; LANES]);
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            low[lane] = smaller(chunk[lane], low[lane]);
            high[lane] = larger(chunk[lane], high[lane]);
        }
    }
    for (lane, value) in rest.iter().enumerate() {
        low[lane] = smaller(*value, low[lane]);
        high[lane] = larger(*value, high[lane]);
    }
    (low.into_iter().fold(low[0], smaller), high.into_iter().fold(high[0], larger))
}

/// A threshold in `[low, high)`, uniform up to rounding, for `low < high`. The range is taken in double precision,
/// where that of two finite floats cannot overflow; a threshold that rounds up to `high` becomes `low`, so both
/// sides of the cut keep a point.
pub(super) fn between(low: f32, high: f32, bits: u32) -> f32 {
    let (from, to) = (f64::from(low), f64::from(high));
    let threshold = (from + (to - from) * (f64::from(bits) * (1.0 / 4_294_967_296.0))) as f32;
    if threshold < high { threshold } else { low }
}

/// Writes the rows with values up to the threshold to the front of `parted`, the others to its end; returns how many
/// are in front. Without a branch: every row is written to both places, and one of them is written again. Nothing that
/// was written is read, as it is where rows are swapped in place.
fn partition(sample: &[u32], values: &[f32], threshold: f32, parted: &mut [u32]) -> usize {
    let parted = &mut parted[..sample.len()];
    let mut left = 0;
    for (i, (row, value)) in sample.iter().zip(values).enumerate() {
        parted[left] = *row;
        parted[sample.len() - 1 - (i - left)] = *row;
        left += usize::from(*value <= threshold);
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_core::{Purpose, Stream, Streams, Tick};

    fn stream() -> Stream {
        Streams::from_seed(11).stream(Purpose::Model, 0, Tick(0))
    }

    #[test]
    fn a_sample_is_uniform_and_without_replacement() {
        let (rows, size, draws) = (10, 4, 20_000);
        let (mut scratch, mut rng) = (FitScratch::default(), stream());
        scratch.prepare(rows, 3, size);
        let mut counts = [0u32; 10];
        for _ in 0..draws {
            scratch.draw(&[0.0; 30], Draws::new(rng.bits64()));
            let mut sample = scratch.sample.clone();
            sample.sort_unstable();
            sample.dedup();
            assert_eq!(sample.len(), size, "drawn twice");
            assert!(scratch.drawn.iter().all(|word| *word == 0));
            sample.iter().for_each(|start| counts[*start as usize / 3] += 1);
        }
        // Each row is in a sample with p = 0.4: 8000 times, standard deviation 69.
        assert!(counts.iter().all(|n| n.abs_diff(8000) < 350), "{counts:?}");
    }

    #[test]
    fn a_threshold_leaves_a_point_on_both_sides() {
        let check = |low: f32, high: f32| {
            for bits in [0, 1, 1 << 31, u32::MAX - 1, u32::MAX] {
                let t = between(low, high, bits);
                assert!(low <= t && t < high, "{low:e} {high:e} {bits}: {t:e}");
            }
        };
        check(f32::MIN, f32::MAX);
        check(0.0, f32::from_bits(1));
        check(-f32::from_bits(1), f32::from_bits(1));
        check(-f32::from_bits(1), 0.0);
        check(1.0, 1.0 + f32::EPSILON);
        check(f32::MAX.next_down(), f32::MAX);
        check(f32::MIN, f32::MIN.next_up());
        let mut rng = stream();
        let mut finite = || loop {
            let value = f32::from_bits(rng.bits32());
            if value.is_finite() {
                return value;
            }
        };
        for _ in 0..100_000 {
            let (a, b) = (finite(), finite());
            if a != b {
                check(smaller(a, b), larger(a, b));
            }
        }
    }

    #[test]
    fn partition_and_extremes_agree_with_sorting() {
        let mut rng = stream();
        for count in 1..70u32 {
            let values: Vec<f32> = (0..count).map(|_| rng.normal() as f32).collect();
            let mut sorted = values.clone();
            sorted.sort_by(f32::total_cmp);
            assert_eq!(extremes(&values), (sorted[0], sorted[count as usize - 1]));
            let sample: Vec<u32> = (0..count).collect();
            let mut gathered = vec![0.0; count as usize];
            assert_eq!(gather(&values, &sample, 0, &mut gathered), extremes(&values));
            assert_eq!(gathered, values);

            let mut parted = vec![0; count as usize];
            let left = partition(&sample, &values, 0.1, &mut parted);
            assert!(parted[..left].iter().all(|i| values[*i as usize] <= 0.1));
            assert!(parted[left..].iter().all(|i| values[*i as usize] > 0.1));
            parted.sort_unstable();
            assert_eq!(parted, sample, "a row was lost");
        }
    }
}
