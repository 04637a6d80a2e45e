//! Half-space trees of Tan, Ting and Liu ("Fast Anomaly Detection for Streaming Data", IJCAI 2011).
//!
//! Trees of fixed height cut the work space at random, before any row is seen; what they learn is only how many rows
//! of a window fall into each region. The masses of the last full window score the rows of the current one, which are
//! counted aside and take over when their window is full. Learning a row is one walk down each tree and one count.
//!
//! # Choices
//! - A region is a leaf number, so only leaves count; masses of inner regions are added up once a window.
//! - What a leaf scores is fixed for a window: `Σ mass · 2^depth` down to the first region with less than a tenth of
//!   the window (the paper's size limit). So scoring is a walk and one look-up, in integers.
//! - Cuts are those of river 0.26: a side is drawn in proportion to its length in the region at hand and cut uniformly
//!   in its middle 70 %. The paper halves sides, drawn uniformly, of a randomly shifted range that is three times as
//!   wide as the data on average.
//! - The work range is that of each feature in the first window and a quarter of it more at either end, since the
//!   first window will not hold the extremes. Against no margin that is worth .01 to .1 of ROC-AUC on six of the ten
//!   ADBench sets and costs .007 at most. Rows beyond the range fall into the outermost regions.

use phalanx_core::{AgentMix, Stream};
use serde::{Deserialize, Serialize};

use super::StreamingDetector;
use crate::detector::{check_finite, check_parameter, finish, row_count};
use crate::lent::lend;
use crate::state;
use crate::{DetectError, Detector};

/// Rows that walk a tree together while it is in the cache.
const BLOCK: usize = 256;

/// Share of a side that is never cut, at either end.
const PADDING: f64 = 0.15;

/// What the work range exceeds the first window's by at either end, as a share of it.
const MARGIN: f64 = 0.25;

/// Size of the trees. The defaults are the paper's trees and window with river's height.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HalfSpaceConfig {
    /// Number of trees, at least 1; `trees · 2^height` is at most 2^24.
    pub trees: u32,
    /// Cuts between the root and a leaf, 1 to 16.
    pub height: u32,
    /// Rows a window, 1 to 2^24.
    pub window: u32,
}

impl Default for HalfSpaceConfig {
    fn default() -> Self {
        Self { trees: 25, height: 8, window: 250 }
    }
}

impl HalfSpaceConfig {
    fn check(&self) -> Result<(), DetectError> {
        if self.trees == 0 {
            return Err(DetectError::NoTrees);
        }
        check_parameter((1..=16).contains(&self.height), "height", "1 to 16")?;
        check_parameter((1..=1 << 24).contains(&self.window), "window", "1 to 2^24")?;
        let leaves = u64::from(self.trees) << self.height;
        check_parameter(leaves <= 1 << 24, "trees", "few enough for 2^24 leaves in all")
    }

    fn leaves(&self) -> usize {
        1 << self.height
    }

    /// Mass of a row whose path holds the whole window in all trees.
    fn mass_max(&self) -> f64 {
        let path = (2 << self.height) - 1;
        (u64::from(self.trees) * u64::from(self.window) * path) as f64
    }
}

/// Rows whose feature is greater go right.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Cut<T> {
    feature: u32,
    at: T,
}

/// Half-space trees over a stream.
///
/// Until the first window is full nothing is known and every score is 0. After that, `score = 1 - Σ mass · 2^depth /
/// (trees · window · (2^(height + 1) - 1))`, as river normalises it.
///
/// ```
/// use phalanx_core::{Purpose, Streams, Tick};
/// use phalanx_detect::{Detector, HalfSpaceConfig, HalfSpaceTrees, StreamingDetector};
///
/// let mut draws = Streams::from_seed(7).stream(Purpose::Model, 0, Tick(0));
/// let mut trees = HalfSpaceTrees::new(1, &HalfSpaceConfig::default(), &mut draws)?;
/// let mut rows: Vec<f32> = (0..250).map(|i| (i * i % 83) as f32).collect();
/// rows[100] = 1000.0;
/// trees.update(&rows)?;
/// let mut scores = Vec::new();
/// trees.score(&[40.0, 1000.0], &mut scores)?;
/// assert!(scores[0] < scores[1]);
/// # Ok::<(), phalanx_detect::DetectError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HalfSpaceTrees {
    width: usize,
    config: HalfSpaceConfig,
    /// Cuts of the unit cube: `2^height` slots a tree, a heap from slot 1 on.
    unit: Vec<Cut<f64>>,
    /// The same cuts of the work range; none while it is unknown.
    cuts: Vec<Cut<f32>>,
    /// Rows of the current window in each leaf, `2^height` a tree.
    latest: Vec<u32>,
    /// What each leaf adds to a row's mass, from the last full window.
    masses: Vec<u64>,
    /// The rows of the first window, kept until they define the work range.
    first: Vec<f32>,
    /// Rows counted in the current window.
    filled: u32,
}

impl HalfSpaceTrees {
    /// Draws the trees; they know nothing yet.
    ///
    /// # Errors
    /// No features, or a configuration outside its limits.
    pub fn new(width: usize, config: &HalfSpaceConfig, rng: &mut Stream) -> Result<Self, DetectError> {
        config.check()?;
        if width == 0 {
            return Err(DetectError::NoFeatures);
        }
        let slots = config.trees as usize * config.leaves();
        let mut unit = Vec::with_capacity(slots);
        let mut sides = vec![(0.0, 1.0); width];
        for _ in 0..config.trees {
            let start = unit.len();
            unit.resize(start + config.leaves(), Cut { feature: 0, at: 0.0 });
            cut_unit_cube(&mut unit[start..], 1, &mut sides, rng);
        }
        Ok(Self {
            width,
            config: *config,
            unit,
            cuts: Vec::new(),
            latest: vec![0; slots],
            masses: Vec::new(),
            first: Vec::new(),
            filled: 0,
        })
    }

    /// [`Self::new`], then [`StreamingDetector::update`].
    ///
    /// # Errors
    /// As both.
    pub fn fit(
        rows: &[f32],
        width: usize,
        config: &HalfSpaceConfig,
        rng: &mut Stream,
    ) -> Result<Self, DetectError> {
        let mut trees = Self::new(width, config, rng)?;
        trees.update(rows)?;
        Ok(trees)
    }

    /// Whether a window has been filled, so that scores mean something.
    #[must_use]
    pub fn is_warm(&self) -> bool {
        !self.masses.is_empty()
    }

    /// Forgets the stream and its ranges, keeps the trees: the next window defines the work range anew. What to do when
    /// the stream has drifted out of it.
    pub fn reset(&mut self) {
        self.cuts.clear();
        self.masses.clear();
        self.first.clear();
        self.latest.fill(0);
        self.filled = 0;
    }

    /// Rows until the current window is full.
    fn missing(&self) -> usize {
        (self.config.window - self.filled) as usize
    }

    /// Learns from rows that fit into the current window.
    fn learn(&mut self, rows: &[f32]) {
        self.filled += (rows.len() / self.width) as u32;
        let full = self.filled == self.config.window;
        if self.cuts.is_empty() {
            self.first.extend_from_slice(rows);
            if !full {
                return;
            }
            let first = std::mem::take(&mut self.first);
            self.cuts = stretch(&self.unit, &first, self.width);
            self.count(&first);
        } else {
            self.count(rows);
        }
        if full {
            self.turn_over();
        }
    }

    fn count(&mut self, rows: &[f32]) {
        let leaves = self.config.leaves();
        for (cuts, latest) in self.cuts.chunks_exact(leaves).zip(self.latest.chunks_exact_mut(leaves)) {
            for row in rows.chunks_exact(self.width) {
                latest[leaf(cuts, self.config.height, row)] += 1;
            }
        }
    }

    /// Scores a block of rows that fits into the current window, and learns it.
    fn score_and_count(&mut self, block: &[f32], scores: &mut Vec<f64>) {
        let (leaves, height, most) = (self.config.leaves(), self.config.height, self.config.mass_max());
        let mut sums = [0u64; BLOCK];
        let sums = &mut sums[..block.len() / self.width];
        let cuts = self.cuts.chunks_exact(leaves);
        let counts = self.masses.chunks_exact(leaves).zip(self.latest.chunks_exact_mut(leaves));
        for (cuts, (masses, latest)) in cuts.zip(counts) {
            for (sum, row) in sums.iter_mut().zip(block.chunks_exact(self.width)) {
                let leaf = leaf(cuts, height, row);
                *sum += masses[leaf];
                latest[leaf] += 1;
            }
        }
        scores.extend(sums.iter().map(|sum| 1.0 - *sum as f64 / most));
        self.filled += sums.len() as u32;
        if self.filled == self.config.window {
            self.turn_over();
        }
    }

    /// Makes the window that is now full the one to score by.
    fn turn_over(&mut self) {
        let leaves = self.config.leaves();
        self.masses.resize(self.latest.len(), 0);
        let mut regions = lend(0u32, 2 * leaves);
        for (latest, masses) in self.latest.chunks_exact(leaves).zip(self.masses.chunks_exact_mut(leaves)) {
            regions[leaves..].copy_from_slice(latest);
            for slot in (1..leaves).rev() {
                regions[slot] = regions[2 * slot] + regions[2 * slot + 1];
            }
            spread(&regions, 1, 0, 0, self.config.window, masses);
        }
        self.latest.fill(0);
        self.filled = 0;
    }
}

/// Cuts the region of `slot` and all below it; `sides` is that region.
fn cut_unit_cube(tree: &mut [Cut<f64>], slot: usize, sides: &mut [(f64, f64)], rng: &mut Stream) {
    if slot >= tree.len() {
        return;
    }
    let lengths = sides.iter().map(|(low, high)| high - low);
    let mut left = rng.uniform() * lengths.clone().fold(0.0, |sum, length| sum + length);
    let mut feature = sides.len() - 1;
    for (i, length) in lengths.enumerate() {
        if left < length {
            feature = i;
            break;
        }
        left -= length;
    }
    let (low, high) = sides[feature];
    let at = low + (PADDING + (1.0 - 2.0 * PADDING) * rng.uniform()) * (high - low);
    tree[slot] = Cut { feature: feature as u32, at };
    sides[feature] = (low, at);
    cut_unit_cube(tree, 2 * slot, sides, rng);
    sides[feature] = (at, high);
    cut_unit_cube(tree, 2 * slot + 1, sides, rng);
    sides[feature] = (low, high);
}

/// Maps cuts of the unit cube to the ranges of `rows`.
fn stretch(unit: &[Cut<f64>], rows: &[f32], width: usize) -> Vec<Cut<f32>> {
    let mut ranges: Vec<(f64, f64)> = rows[..width].iter().map(|x| (f64::from(*x), f64::from(*x))).collect();
    for row in rows.chunks_exact(width) {
        for (range, value) in ranges.iter_mut().zip(row) {
            *range = (range.0.min(f64::from(*value)), range.1.max(f64::from(*value)));
        }
    }
    let stretched = unit.iter().map(|cut| {
        let (low, high) = ranges[cut.feature as usize];
        let at = low + (cut.at * (1.0 + 2.0 * MARGIN) - MARGIN) * (high - low);
        Cut { feature: cut.feature, at: at as f32 }
    });
    stretched.collect()
}

fn leaf(cuts: &[Cut<f32>], height: u32, row: &[f32]) -> usize {
    let mut slot = 1;
    for _ in 0..height {
        let cut = cuts[slot];
        slot = 2 * slot + usize::from(row[cut.feature as usize] > cut.at);
    }
    slot - cuts.len()
}

/// Writes the mass of every leaf below `slot`, where `above` is what the regions above it add.
fn spread(regions: &[u32], slot: usize, depth: u32, above: u64, window: u32, masses: &mut [u64]) {
    let mass = above + (u64::from(regions[slot]) << depth);
    let leaves = masses.len();
    if slot >= leaves {
        masses[slot - leaves] = mass;
    } else if u64::from(regions[slot]) * 10 < u64::from(window) {
        let below = leaves >> depth;
        let from = slot * below - leaves;
        masses[from..from + below].fill(mass);
    } else {
        spread(regions, 2 * slot, depth + 1, mass, window, masses);
        spread(regions, 2 * slot + 1, depth + 1, mass, window, masses);
    }
}

impl Detector for HalfSpaceTrees {
    fn width(&self) -> usize {
        self.width
    }

    fn score(&self, rows: &[f32], scores: &mut Vec<f64>) -> Result<(), DetectError> {
        scores.clear();
        let count = row_count(rows, self.width)?;
        check_finite(rows, self.width)?;
        if !self.is_warm() {
            scores.resize(count, 0.0);
            return Ok(());
        }
        let leaves = self.config.leaves();
        let most = self.config.mass_max();
        let mut sums = [0u64; BLOCK];
        for block in rows.chunks(BLOCK * self.width) {
            let sums = &mut sums[..block.len() / self.width];
            sums.fill(0);
            for (cuts, masses) in self.cuts.chunks_exact(leaves).zip(self.masses.chunks_exact(leaves)) {
                for (sum, row) in sums.iter_mut().zip(block.chunks_exact(self.width)) {
                    *sum += masses[leaf(cuts, self.config.height, row)];
                }
            }
            scores.extend(sums.iter().map(|sum| 1.0 - *sum as f64 / most));
        }
        Ok(())
    }

    fn digest(&self) -> u64 {
        let mut mix = AgentMix::new(0);
        mix.word(u64::from(self.config.window) << 32 | u64::from(self.filled));
        for cut in &self.unit {
            mix.word(u64::from(cut.feature));
            mix.float(cut.at);
        }
        // The work range is in the cuts; they differ from the unit cuts once it is known.
        self.cuts.iter().for_each(|cut| mix.float(f64::from(cut.at)));
        self.masses.iter().for_each(|mass| mix.word(*mass));
        self.latest.iter().for_each(|count| mix.word(u64::from(*count)));
        self.first.iter().for_each(|value| mix.float(f64::from(*value)));
        finish(mix)
    }

    fn save(&self) -> Vec<u8> {
        state::save(self)
    }
}

impl StreamingDetector for HalfSpaceTrees {
    fn update(&mut self, rows: &[f32]) -> Result<(), DetectError> {
        row_count(rows, self.width)?;
        check_finite(rows, self.width)?;
        let mut rest = rows;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(self.missing() * self.width));
            self.learn(now);
            rest = later;
        }
        Ok(())
    }

    /// Masses change only between windows, so the rows of one window are scored together, and one walk down a tree both
    /// scores and counts a row.
    fn score_then_update(&mut self, rows: &[f32], scores: &mut Vec<f64>) -> Result<(), DetectError> {
        scores.clear();
        row_count(rows, self.width)?;
        check_finite(rows, self.width)?;
        let mut rest = rows;
        while !rest.is_empty() {
            let most = self.missing().min(BLOCK) * self.width;
            let (now, later) = rest.split_at(rest.len().min(most));
            if self.is_warm() {
                self.score_and_count(now, scores);
            } else {
                scores.resize(scores.len() + now.len() / self.width, 0.0);
                self.learn(now);
            }
            rest = later;
        }
        Ok(())
    }
}

impl HalfSpaceTrees {
    /// Whether every field is one that a fit gives.
    fn is_sound(&self) -> bool {
        if self.config.check().is_err() || self.width == 0 {
            return false;
        }
        let slots = self.config.trees as usize * self.config.leaves();
        let window = self.config.window;
        let none_or_all = |length: usize| length == 0 || length == slots;
        let mass_max = u64::from(window) * ((2 << self.config.height) - 1);
        let counted = |latest: &[u32]| latest.iter().map(|count| u64::from(*count)).sum::<u64>();
        // Rows of the first window are kept; those of later ones are counted in every tree.
        let (kept, count) =
            if self.cuts.is_empty() { (self.filled as usize, 0) } else { (0, u64::from(self.filled)) };
        self.filled < window
            && (self.unit.len(), self.latest.len()) == (slots, slots)
            && none_or_all(self.cuts.len())
            && self.masses.len() == self.cuts.len()
            && self.unit.iter().all(|cut| (cut.feature as usize) < self.width && cut.at.is_finite())
            && self.cuts.iter().all(|cut| (cut.feature as usize) < self.width)
            && self.latest.chunks_exact(self.config.leaves()).all(|latest| counted(latest) == count)
            && self.masses.iter().all(|mass| *mass <= mass_max)
            && row_count(&self.first, self.width) == Ok(kept)
            && check_finite(&self.first, self.width).is_ok()
    }
}

state::plain_state!(HalfSpaceTrees, HalfSpaceTrees, "Detector::save");

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_core::{Purpose, Streams, Tick};

    fn stream(seed: u64) -> Stream {
        Streams::from_seed(seed).stream(Purpose::Model, 0, Tick(0))
    }

    fn scores(trees: &HalfSpaceTrees, rows: &[f32]) -> Vec<f64> {
        let mut scores = vec![9.9];
        trees.score(rows, &mut scores).unwrap();
        scores
    }

    #[test]
    fn a_tree_of_one_cut_worked_out() {
        // The cut lies between 0 and 1 unless within a 40th of either. Root mass 4, left 3, right 1, window 4: neither is below a
        // tenth. Left: 4 + 2 · 3 = 10 of at most 4 · 3 = 12; right: 4 + 2 · 1 = 6.
        let config = HalfSpaceConfig { trees: 1, height: 1, window: 4 };
        let trees = HalfSpaceTrees::fit(&[0.0, 1.0, 0.0, 0.0], 1, &config, &mut stream(1)).unwrap();
        assert_eq!(scores(&trees, &[0.0, 1.0, -9.0, 9.0]), [1.0 - 10.0 / 12.0, 0.5, 1.0 - 10.0 / 12.0, 0.5]);
    }

    #[test]
    fn thin_regions_are_not_entered() {
        // Regions 1: 40 rows, 2: 39, 3: 1 (less than 4). Below 3 nothing is added; below 2 its halves are.
        let mut regions = [0u32, 40, 39, 1, 39, 0, 0, 1];
        let mut masses = [0u64; 4];
        spread(&regions, 1, 0, 0, 40, &mut masses);
        assert_eq!(masses, [40 + 78 + 156, 40 + 78, 42, 42]);
        regions[3] = 4;
        spread(&regions, 1, 0, 0, 40, &mut masses);
        assert_eq!(masses[2..], [48, 52]);
    }

    #[test]
    fn cold_trees_score_nothing() {
        let mut trees = HalfSpaceTrees::new(1, &HalfSpaceConfig::default(), &mut stream(1)).unwrap();
        trees.update(&[1.0; 249]).unwrap();
        assert_eq!((trees.is_warm(), scores(&trees, &[1.0, 5.0])), (false, vec![0.0, 0.0]));
        trees.update(&[1.0]).unwrap();
        assert!(trees.is_warm());
        let scores = scores(&trees, &[1.0, 5.0]);
        assert!(scores[0] == 0.0 && scores[1] > 0.9, "a constant feature knows its value: {scores:?}");
    }

    #[test]
    fn windows_forget() {
        let mut trees = HalfSpaceTrees::fit(
            &[0.0, 10.0],
            1,
            &HalfSpaceConfig { window: 2, ..HalfSpaceConfig::default() },
            &mut stream(1),
        )
        .unwrap();
        trees.update(&[1.0; 2]).unwrap();
        let before = scores(&trees, &[1.0, 9.0]);
        trees.update(&[9.0; 2]).unwrap();
        let after = scores(&trees, &[1.0, 9.0]);
        assert!(before[0] < before[1] && after[0] > after[1], "{before:?} {after:?}");
    }

    #[test]
    fn a_reset_is_a_new_start() {
        let rows: Vec<f32> = (0..1200).map(|i| (i * 7919 % 1000) as f32).collect();
        let fresh = HalfSpaceTrees::new(2, &HalfSpaceConfig::default(), &mut stream(1)).unwrap();
        let mut trees = fresh.clone();
        trees.update(&rows).unwrap();
        trees.reset();
        assert_eq!(trees, fresh);
    }

    #[test]
    fn configurations_are_checked() {
        let check = |config: HalfSpaceConfig| HalfSpaceTrees::new(1, &config, &mut stream(1)).is_err();
        let fine = HalfSpaceConfig::default();
        assert!(!check(fine));
        assert!(check(HalfSpaceConfig { trees: 0, ..fine }));
        assert!(check(HalfSpaceConfig { height: 0, ..fine }));
        assert!(check(HalfSpaceConfig { height: 17, ..fine }));
        assert!(check(HalfSpaceConfig { window: 0, ..fine }));
        assert_eq!(HalfSpaceTrees::new(0, &fine, &mut stream(1)), Err(DetectError::NoFeatures));
    }
}
