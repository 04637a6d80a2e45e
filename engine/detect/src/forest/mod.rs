//! The isolation forest of Liu, Ting and Zhou ("Isolation Forest", ICDM 2008).
//!
//! A tree isolates points by random cuts; an anomaly needs few. The expected number of cuts `E[h(x)]` over the trees,
//! divided by what an average point of a sample needs, gives the score `2^(-E[h(x)] / c(ψ))` (eq. 2).
//!
//! # Layout
//! A tree is a list of nodes, cuts before leaves, and both from the top down (`tree.rs`): what is not there takes no memory,
//! and an agent's forest of 100 trees, 170 KB, is read from end to end when its turn comes.
//!
//! Leaves hold path lengths in fixed point, 24 bits after the point. Their sum over the trees is an integer: exact,
//! and the same in any order of trees or rows. There are three ways to it (`descend.rs`): a few rows walk, up to some
//! hundred are split by each cut as a set, and more have trees compiled.

mod descend;
mod draws;
mod grow;
mod path_length;
#[cfg(all(feature = "simd", target_arch = "x86_64"))]
mod program;
#[cfg(all(feature = "simd", target_arch = "x86_64"))]
mod sets;
#[cfg(test)]
mod tests;
mod tree;

use std::ops::Range;

use phalanx_core::{AgentMix, Stream};
use serde::{Deserialize, Serialize};

use crate::detector::{check_finite, row_count};
use crate::state;
use crate::{DetectError, Detector};

use draws::Draws;
use tree::Trees;

pub use grow::FitScratch;
pub use path_length::average_path_length;

/// Size of a forest. The defaults are the paper's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForestConfig {
    /// Number of trees, at least 1.
    pub trees: u32,
    /// Rows that each tree grows from, drawn without replacement; all of them where there are fewer. At least 1.
    pub sample: u32,
}

impl Default for ForestConfig {
    fn default() -> Self {
        Self { trees: 100, sample: 256 }
    }
}

impl ForestConfig {
    fn check(&self) -> Result<(), DetectError> {
        match self {
            Self { trees: 0, .. } => Err(DetectError::NoTrees),
            Self { sample: 0, .. } => Err(DetectError::NoSample),
            _ => Ok(()),
        }
    }
}

/// A fitted isolation forest.
///
/// ```
/// use phalanx_core::{Purpose, Streams, Tick};
/// use phalanx_detect::{Detector, FitScratch, ForestConfig, IsolationForest};
///
/// let rows: Vec<f32> = (0..100).map(|i| i as f32).chain([1000.0]).collect();
/// let mut rng = Streams::from_seed(7).stream(Purpose::Model, 0, Tick(0));
/// let forest =
///     IsolationForest::fit(&rows, 1, &ForestConfig::default(), &mut rng, &mut FitScratch::default())?;
/// let mut scores = Vec::new();
/// forest.score(&rows, &mut scores)?;
/// assert!(scores[..100].iter().all(|s| *s < scores[100]));
/// # Ok::<(), phalanx_detect::DetectError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IsolationForest {
    width: usize,
    config: ForestConfig,
    /// Rows that each tree grew from: the smaller of the configured sample and what there was.
    sample: usize,
    /// Path length of an average point of such a sample, in fixed point.
    average: u32,
    /// Steps of a descent, at most; `⌈log2 sample⌉`.
    height: u32,
    trees: Trees,
    /// The tree that [`Self::refresh`] replaces next.
    oldest: usize,
}

impl IsolationForest {
    /// Grows a forest from `rows`: row-major, `n × width`.
    ///
    /// A function of the rows, the configuration and the stream alone; `scratch` only saves allocations.
    ///
    /// Rows that no tree draws are not looked at, so a fit costs the same however many rows there are. All rows are
    /// checked for values that are not finite if there are no more of them than draws, trees × sample; else those
    /// that are drawn, so a broken value elsewhere has no part in the forest. [`Detector::score`] checks every row.
    ///
    /// # Errors
    /// No rows, no features, a ragged length, a value that is not finite in a row that is checked, no trees or no
    /// sample.
    pub fn fit(
        rows: &[f32],
        width: usize,
        config: &ForestConfig,
        rng: &mut Stream,
        scratch: &mut FitScratch,
    ) -> Result<Self, DetectError> {
        let mut forest = Self::unfitted(width, config);
        forest.refit(rows, rng, scratch)?;
        Ok(forest)
    }

    fn unfitted(width: usize, config: &ForestConfig) -> Self {
        Self { width, config: *config, sample: 0, average: 0, height: 0, trees: Trees::default(), oldest: 0 }
    }

    /// As [`Self::fit`], and clears `sums` and writes what [`Self::path_sums`] gives for `rows`, at a lower price for windows
    /// of up to 1,024 rows.
    ///
    /// # Errors
    /// As [`Self::fit`], and any value that is not finite.
    pub fn fit_with_sums(
        rows: &[f32],
        width: usize,
        config: &ForestConfig,
        sums: &mut Vec<u64>,
        rng: &mut Stream,
        scratch: &mut FitScratch,
    ) -> Result<Self, DetectError> {
        let mut forest = Self::unfitted(width, config);
        forest.refit_with_sums(rows, sums, rng, scratch)?;
        Ok(forest)
    }

    /// As [`Self::refit`], and writes the sums, as [`Self::fit_with_sums`].
    ///
    /// # Errors
    /// As [`Self::fit_with_sums`]; the forest is then unchanged.
    pub fn refit_with_sums(
        &mut self,
        rows: &[f32],
        sums: &mut Vec<u64>,
        rng: &mut Stream,
        scratch: &mut FitScratch,
    ) -> Result<(), DetectError> {
        let sample = self.check(rows)?;
        check_finite(rows, self.width)?;
        #[cfg(all(feature = "simd", target_arch = "x86_64"))]
        if let Some(mut window) = scratch.window(rows.len() / self.width, self.width, sample) {
            self.resize(sample);
            self.trees.reserve(self.config.trees as usize, sample);
            scratch.prepare(rows.len() / self.width, self.width, sample);
            window.fill(rows, self.width);
            for _ in 0..self.config.trees {
                let draws = Draws::new(rng.bits64());
                self.trees.push(|nodes| window.grow(nodes, sample, draws, scratch.credits()));
            }
            sums.clear();
            sums.extend_from_slice(window.take_sums(scratch.credits()));
            scratch.keep(window);
            return Ok(());
        }
        self.grow(self.config.trees, sample, rows, rng, scratch)?;
        self.path_sums(rows, sums)
    }

    /// Grows all trees anew, as [`Self::fit`] does with the same stream, in the memory that the forest has.
    ///
    /// # Errors
    /// As [`Self::fit`]; the forest is then unchanged.
    pub fn refit(
        &mut self,
        rows: &[f32],
        rng: &mut Stream,
        scratch: &mut FitScratch,
    ) -> Result<(), DetectError> {
        let sample = self.check(rows)?;
        self.grow(self.config.trees, sample, rows, rng, scratch)
    }

    /// Replaces the `count` oldest trees by trees grown from `rows`: a forest that follows its traffic at a fraction
    /// of the cost of [`Self::refit`]. All trees are replaced if `count` says so, or if the sample size changed
    /// because there were fewer rows than the configured sample before or now.
    ///
    /// # Errors
    /// As [`Self::fit`]; the forest is then unchanged.
    pub fn refresh(
        &mut self,
        rows: &[f32],
        count: u32,
        rng: &mut Stream,
        scratch: &mut FitScratch,
    ) -> Result<(), DetectError> {
        let sample = self.check(rows)?;
        let all = count >= self.config.trees || sample != self.sample;
        self.grow(if all { self.config.trees } else { count }, sample, rows, rng, scratch)
    }

    /// As [`Self::refresh`], and brings path sums up to date: those of `rows` in the forest as it was become those in
    /// the forest as it is, at the price of two walks through each tree that is replaced.
    ///
    /// `sums` is what [`Self::path_sums`] gives for `rows`, before and after.
    ///
    /// # Errors
    /// As [`Self::fit`]; the forest and the sums are then unchanged.
    ///
    /// # Panics
    /// If there is not one sum a row.
    pub fn refresh_with_sums(
        &mut self,
        rows: &[f32],
        sums: &mut Vec<u64>,
        count: u32,
        rng: &mut Stream,
        scratch: &mut FitScratch,
    ) -> Result<(), DetectError> {
        assert_eq!(rows.len(), sums.len() * self.width, "there is one sum a row");
        let (first, count, trees) = (self.oldest, count.min(self.config.trees), self.trees());
        if count as usize == trees || self.check(rows)? != self.sample {
            return self.refit_with_sums(rows, sums, rng, scratch);
        }
        check_finite(rows, self.width)?;
        // The trees from the oldest on, which may begin again at the front.
        let end = first + count as usize;
        let replaced = [first..end.min(trees), 0..end.saturating_sub(trees)];
        let add = |forest: &Self, sums: &mut [u64], sign: u64| {
            for trees in replaced.clone() {
                let mut sums = sums.iter_mut();
                forest.sum_paths(trees, rows, |path| {
                    let sum = sums.next().expect("there is one sum a row");
                    *sum = sum.wrapping_add(path.wrapping_mul(sign));
                });
            }
        };
        add(self, sums, u64::MAX);
        let refreshed = self.refresh(rows, count, rng, scratch);
        add(self, sums, 1);
        refreshed
    }

    /// Clears `sums` and writes the sum of each row's path lengths over all trees, in units of 2^-24 cuts: exact, and so
    /// the same in whatever order trees are added up.
    ///
    /// # Errors
    /// As [`Detector::score`].
    pub fn path_sums(&self, rows: &[f32], sums: &mut Vec<u64>) -> Result<(), DetectError> {
        sums.clear();
        row_count(rows, self.width)?;
        check_finite(rows, self.width)?;
        sums.reserve(rows.len() / self.width);
        self.sum_paths(0..self.trees(), rows, |sum| sums.push(sum));
        Ok(())
    }

    /// The score of a row with this path sum, by eq. 2 of the paper.
    #[must_use]
    pub fn score_of(&self, path_sum: u64) -> f64 {
        // Both sides of the fraction are whole numbers: a path of average length is exactly 1.
        let average = u64::from(self.average) * self.trees() as u64;
        let depth = if average > 0 { path_sum as f64 / average as f64 } else { 1.0 };
        libm::exp2(-depth)
    }

    fn sum_paths(&self, trees: Range<usize>, rows: &[f32], done: impl FnMut(u64)) {
        descend::path_sums(self.trees.get(trees), self.height, rows, self.width, done);
    }

    /// Number of trees.
    #[must_use]
    pub fn trees(&self) -> usize {
        self.trees.len()
    }

    /// Rows that each tree grew from: the configured sample, or all training rows if they were fewer.
    #[must_use]
    pub fn sample(&self) -> usize {
        self.sample
    }

    /// Sample size that `rows` allow, if they can be learnt from.
    fn check(&self, rows: &[f32]) -> Result<usize, DetectError> {
        self.config.check()?;
        let count = row_count(rows, self.width)?;
        if count == 0 {
            return Err(DetectError::NoRows);
        }
        if u32::try_from(rows.len()).is_err() {
            return Err(DetectError::TooLarge { length: rows.len() });
        }
        Ok(count.min(self.config.sample as usize))
    }

    /// Grows `count` trees in the place of the oldest, or of all. On an error the forest is what it was.
    fn grow(
        &mut self,
        count: u32,
        sample: usize,
        rows: &[f32],
        rng: &mut Stream,
        scratch: &mut FitScratch,
    ) -> Result<(), DetectError> {
        let row_count = rows.len() / self.width;
        let check_drawn = row_count > count as usize * sample;
        if !check_drawn {
            check_finite(rows, self.width)?;
        }
        scratch.prepare(row_count, self.width, sample);
        let mut fresh = std::mem::take(&mut scratch.fresh);
        fresh.clear();
        fresh.reserve(count as usize, sample);
        for _ in 0..count {
            let draws = Draws::new(rng.bits64());
            scratch.draw(rows, draws);
            if check_drawn && !scratch.is_sample_finite(rows) {
                return check_finite(rows, self.width);
            }
            fresh.push(|nodes| grow::grow_tree(nodes, height(sample), rows, draws, scratch));
        }
        if count == self.config.trees {
            self.resize(sample);
            std::mem::swap(&mut self.trees, &mut fresh);
        } else {
            self.oldest = self.trees.replace(self.oldest, &fresh);
        }
        scratch.fresh = fresh;
        Ok(())
    }

    /// Forgets all trees, for others of this sample.
    fn resize(&mut self, sample: usize) {
        self.sample = sample;
        self.average = path_length::credit(sample);
        self.height = height(sample);
        self.trees.clear();
        self.oldest = 0;
    }
}

/// The most steps down a tree that grows from so many rows.
fn height(sample: usize) -> u32 {
    sample.next_power_of_two().trailing_zeros()
}

impl Detector for IsolationForest {
    fn width(&self) -> usize {
        self.width
    }

    /// Scores by eq. 2 of the paper. A forest that grew from one row, or from rows that are all the same, gives every
    /// row 0.5, as scikit-learn does: nothing was learnt that could tell rows apart.
    fn score(&self, rows: &[f32], scores: &mut Vec<f64>) -> Result<(), DetectError> {
        scores.clear();
        row_count(rows, self.width)?;
        check_finite(rows, self.width)?;
        scores.reserve(rows.len() / self.width);
        self.sum_paths(0..self.trees(), rows, |sum| scores.push(self.score_of(sum)));
        Ok(())
    }

    fn digest(&self) -> u64 {
        let mut mix = AgentMix::new(0);
        [self.width, self.sample, self.trees(), self.oldest].iter().for_each(|n| mix.word(*n as u64));
        self.trees.digests().iter().for_each(|digest| mix.word(*digest));
        let digest = mix.finish();
        digest as u64 ^ (digest >> 64) as u64
    }

    fn save(&self) -> Vec<u8> {
        state::save(self)
    }
}

impl IsolationForest {
    /// Whether every field is one that a fit gives.
    fn is_sound(&self) -> bool {
        let trees = self.trees.len();
        self.config.check().is_ok()
            && self.width > 0
            && (1..=self.config.sample as usize).contains(&self.sample)
            && self.average == path_length::credit(self.sample)
            && self.height == height(self.sample)
            && trees == self.config.trees as usize
            && self.oldest < trees
            && self.trees.are_sound(self.width, self.sample, self.height)
    }
}

state::plain_state!(IsolationForest, IsolationForest, "Detector::save");
