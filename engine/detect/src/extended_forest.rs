//! The extended isolation forest of Hariri, Carrasco Kind and Brunner ("Extended Isolation Forest", TKDE 2019,
//! arXiv 1811.02141): cuts at any angle.
//!
//! Cuts along one feature at a time leave bands of low scores beside a cluster, where no row ever was. Hyperplanes of
//! random direction through a random point of the node's box do not.

use phalanx_core::{AgentMix, Stream, maths};
use serde::{Deserialize, Serialize};

use crate::detector::{check_finite, check_parameter, column, finish, row_count, training_rows};
use crate::lent::lend;
use crate::scaling::{Scaler, moments};
use crate::state;
use crate::{DetectError, Detector, Scaling, average_path_length};

/// Parameters of an [`ExtendedForest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ExtendedForestConfig {
    /// Number of trees, at least 1.
    pub trees: u32,
    /// Rows that each tree grows from, drawn without replacement; all of them where there are fewer. At least 1.
    pub sample: u32,
    /// Features that a cut combines, less one: 0 gives the cuts of the plain forest, `width - 1` any angle. Higher
    /// values mean as many as there are features.
    pub level: u32,
    /// Scaling of the features: a cut weighs features of large numbers most, unless they are standardised here or
    /// `per_node`.
    pub scaling: Scaling,
    /// Whether weights are divided by the features' standard deviations among the rows of the node, so that a cut is
    /// as oblique deep in a tree as at its root, however skewed a feature is (Liu, Ting & Zhou 2010; isotree's
    /// `standardize_data`).
    pub per_node: bool,
    /// How often each feature is drawn.
    pub draw: FeatureDraw,
    /// Where a cut passes.
    pub intercept: Intercept,
}

/// Where the cuts of an [`ExtendedForest`] pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Intercept {
    /// Through a point drawn uniformly in the box of the node's rows, as in the authors' program. The box is wider than
    /// the rows, so a cut may leave one side empty: a row that falls there in scoring is isolated at once.
    Box,
    /// Uniformly between the smallest and the greatest weighted sum of the node's rows, as in isotree: both sides keep
    /// a row, and cuts near the ends are as frequent as in the middle.
    #[default]
    Projection,
}

/// Which features the cuts of an [`ExtendedForest`] prefer, among those that vary in a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum FeatureDraw {
    /// None.
    #[default]
    Even,
    /// Those with heavy tails, in proportion to `ln(1 + kurtosis)` over the training rows: from 1.0 for a uniform
    /// feature and 1.4 for a normal one to 7 for one where a row in a thousand lies far out. Outliers *are* heavy
    /// tails, so cuts go where they can isolate something (isotree has the idea as `weigh_by_kurt`).
    Kurtosis,
}

impl Default for ExtendedForestConfig {
    fn default() -> Self {
        Self {
            trees: 100,
            sample: 256,
            level: 1,
            scaling: Scaling::None,
            per_node: true,
            draw: FeatureDraw::Even,
            intercept: Intercept::Projection,
        }
    }
}

/// A fitted extended isolation forest; scores are those of [`crate::IsolationForest`], eq. 2 of Liu et al. 2008.
///
/// A cut draws `level + 1` of the features that vary in its node, standard normal weights for them, and where it passes
/// ([`Intercept`]).
///
/// ```
/// use phalanx_core::{Purpose, Streams, Tick};
/// use phalanx_detect::{Detector, ExtendedForest, ExtendedForestConfig};
///
/// let mut rng = Streams::from_seed(7).stream(Purpose::Model, 0, Tick(0));
/// let rows: Vec<f32> = (0..200).map(|_| rng.normal() as f32).chain([8.0, 8.0]).collect();
/// let forest = ExtendedForest::fit(&rows, 2, &ExtendedForestConfig::default(), &mut rng)?;
/// let mut scores = Vec::new();
/// forest.score(&rows, &mut scores)?;
/// assert!(scores[..100].iter().all(|s| *s < scores[100]));
/// # Ok::<(), phalanx_detect::DetectError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExtendedForest {
    scaler: Scaler,
    width: usize,
    /// Path length of an average point of a tree's sample, in units of [`CUT`].
    average: f64,
    /// Features a cut combines.
    terms: usize,
    /// Steps of every descent: those that end early stay in their leaf.
    height: u32,
    roots: Vec<u32>,
    nodes: Vec<Node>,
    /// Path lengths in units of [`CUT`], whole numbers; 0 at inner nodes.
    paths: Vec<f64>,
    /// `terms` weighted features a node.
    weights: Vec<Term>,
}

/// One cut in the whole numbers that path lengths are kept in: their sums are exact, in any order.
const CUT: f64 = 16_777_216.0;

/// A path of `depth` cuts to a leaf of `count` rows.
fn path_length(depth: u32, count: usize) -> f64 {
    ((f64::from(depth) + average_path_length(count as u32)) * CUT).round()
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Node {
    /// Rows whose weighted sum exceeds it go right. Infinite in a leaf: nothing exceeds it.
    value: f64,
    /// The left child; the right one follows it. A leaf is its own child, so that descent needs no branch.
    child: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Term {
    feature: u32,
    weight: f32,
}

impl ExtendedForest {
    /// Grows a forest from `rows`: row-major, `n × width`.
    ///
    /// # Errors
    /// No rows, no features, a ragged length, a value that is not finite, or a parameter outside its range.
    pub fn fit(
        rows: &[f32],
        width: usize,
        config: &ExtendedForestConfig,
        rng: &mut Stream,
    ) -> Result<Self, DetectError> {
        check_parameter((1..=1 << 16).contains(&config.trees), "trees", "between 1 and 2^16")?;
        check_parameter((1..=1 << 16).contains(&config.sample), "sample", "between 1 and 2^16")?;
        let count = training_rows(rows, width)?;
        if u32::try_from(rows.len()).is_err() {
            return Err(DetectError::TooLarge { length: rows.len() });
        }
        let sample = count.min(config.sample as usize);
        let mut grower = Grower {
            forest: Self {
                scaler: Scaler::fit(config.scaling, rows, width),
                width,
                average: path_length(0, sample),
                terms: (config.level as usize).min(width - 1) + 1,
                height: sample.next_power_of_two().trailing_zeros(),
                roots: Vec::new(),
                nodes: Vec::new(),
                paths: Vec::new(),
                weights: Vec::new(),
            },
            scaled: vec![0.0; sample * width],
            draw: (0..width).map(|feature| config.draw.weight(rows, width, feature)).collect(),
            per_node: config.per_node,
            intercept: config.intercept,
            ranges: Vec::new(),
            varying: Vec::new(),
            spreads: Vec::new(),
        };
        let mut pool: Vec<u32> = (0..count as u32).collect();
        let mut members: Vec<u32> = (0..sample as u32).collect();
        for _ in 0..config.trees {
            for i in 0..sample {
                pool.swap(i, i + rng.below((count - i) as u32) as usize);
                let row = &rows[pool[i] as usize * width..][..width];
                grower.forest.scaler.scale(row, &mut grower.scaled[i * width..][..width]);
            }
            let root = grower.push();
            grower.forest.roots.push(root);
            grower.grow(root, 0, &mut members, rng);
        }
        Ok(grower.forest)
    }

    /// Number of trees.
    #[must_use]
    pub fn trees(&self) -> usize {
        self.roots.len()
    }

    /// Sum over the trees of the path lengths of up to [`BLOCK`] scaled rows.
    fn add_paths(&self, scaled: &[f64], sums: &mut [f64; BLOCK]) {
        let one = self.weights.as_chunks::<1>().0;
        let two = self.weights.as_chunks::<2>().0;
        for root in &self.roots {
            let mut at = [*root; BLOCK];
            // The usual numbers of terms are known when the inner loop is compiled.
            match self.terms {
                1 => self.descend(scaled, &mut at, |node, row| weighted(&one[node], row)),
                2 => self.descend(scaled, &mut at, |node, row| weighted(&two[node], row)),
                n => self.descend(scaled, &mut at, |node, row| weighted(&self.weights[node * n..][..n], row)),
            }
            sums.iter_mut().zip(at).for_each(|(sum, leaf)| *sum += self.paths[leaf as usize]);
        }
    }

    /// Takes all rows down a tree side by side: while one waits for its node, others move.
    #[inline]
    fn descend(&self, scaled: &[f64], at: &mut [u32; BLOCK], sum: impl Fn(usize, &[f64]) -> f64) {
        for _ in 0..self.height {
            for (at, row) in at.iter_mut().zip(scaled.chunks_exact(self.width)) {
                let node = self.nodes[*at as usize];
                *at = node.child + u32::from(sum(*at as usize, row) > node.value);
            }
        }
    }
}

/// Rows that walk a tree together while it stays in the cache.
const BLOCK: usize = 64;

#[inline]
fn weighted(terms: &[Term], row: &[f64]) -> f64 {
    terms.iter().fold(0.0, |sum, term| sum + f64::from(term.weight) * row[term.feature as usize])
}

/// What growing needs besides the forest itself.
struct Grower {
    forest: ExtendedForest,
    /// The tree's sample.
    scaled: Vec<f64>,
    /// Weight of each feature in a draw.
    draw: Vec<f64>,
    per_node: bool,
    intercept: Intercept,
    /// Ranges of all features in the current node.
    ranges: Vec<(f64, f64)>,
    /// Features that vary there, with their ranges.
    varying: Vec<(u32, f64, f64)>,
    /// Standard deviations there of the features of a cut.
    spreads: Vec<f64>,
}

impl FeatureDraw {
    fn weight(self, rows: &[f32], width: usize, feature: usize) -> f64 {
        match self {
            Self::Even => 1.0,
            Self::Kurtosis => libm::log1p(kurtosis(column(rows, width, feature).map(f64::from).collect())),
        }
    }
}

/// Fourth central moment over the squared second one, at least 1; 1 of equal values.
fn kurtosis(mut values: Vec<f64>) -> f64 {
    let (mean, sd) = moments(values.clone());
    if sd == 0.0 {
        return 1.0;
    }
    values.iter_mut().for_each(|x| {
        let square = (*x - mean) * (*x - mean) / (sd * sd);
        *x = square * square;
    });
    maths::sum(&values) / values.len() as f64
}

impl Grower {
    fn push(&mut self) -> u32 {
        let forest = &mut self.forest;
        let node = forest.nodes.len() as u32;
        forest.nodes.push(Node { value: f64::INFINITY, child: node });
        forest.paths.push(0.0);
        forest.weights.resize(forest.nodes.len() * forest.terms, Term::default());
        node
    }

    fn grow(&mut self, node: u32, depth: u32, members: &mut [u32], rng: &mut Stream) {
        if depth < self.forest.height && members.len() > 1 {
            self.find_varying(members);
        } else {
            self.varying.clear();
        }
        if self.varying.is_empty() {
            self.forest.paths[node as usize] = path_length(depth, members.len());
            return;
        }
        let value = self.draw_cut(node as usize, members, rng);
        let (width, terms) = (self.forest.width, self.forest.terms);
        let cut = &self.forest.weights[node as usize * terms..][..terms];
        let right = |row: u32| weighted(cut, &self.scaled[row as usize * width..][..width]) > value;
        let mut middle = 0;
        for i in 0..members.len() {
            if !right(members[i]) {
                members.swap(i, middle);
                middle += 1;
            }
        }
        let child = self.push();
        self.push();
        self.forest.nodes[node as usize] = Node { value, child };
        let (left, right) = members.split_at_mut(middle);
        self.grow(child, depth + 1, left, rng);
        self.grow(child + 1, depth + 1, right, rng);
    }

    fn find_varying(&mut self, members: &[u32]) {
        let width = self.forest.width;
        self.ranges.clear();
        self.ranges.resize(width, (f64::INFINITY, f64::NEG_INFINITY));
        for row in members {
            for (range, x) in self.ranges.iter_mut().zip(&self.scaled[*row as usize * width..][..width]) {
                range.0 = if *x < range.0 { *x } else { range.0 };
                range.1 = if *x > range.1 { *x } else { range.1 };
            }
        }
        self.varying.clear();
        let ranges = self.ranges.iter().enumerate().filter(|(_, (low, high))| low < high);
        self.varying.extend(ranges.map(|(feature, (low, high))| (feature as u32, *low, *high)));
    }

    /// Draws a node's weights and returns the weighted sum at which it is cut.
    fn draw_cut(&mut self, node: usize, members: &[u32], rng: &mut Stream) -> f64 {
        let terms = self.forest.terms;
        let used = terms.min(self.varying.len());
        let mut places = [0.0; 2];
        let mut many = Vec::new();
        let places = if used <= 2 {
            &mut places[..used]
        } else {
            many.resize(used, 0.0);
            &mut many[..]
        };
        for (i, place) in places.iter_mut().enumerate() {
            let other = i + self.pick(i, rng);
            self.varying.swap(i, other);
            let (feature, low, high) = self.varying[i];
            let weight = rng.normal() as f32;
            self.forest.weights[node * terms + i] = Term { feature, weight };
            if self.intercept == Intercept::Box {
                *place = low + (high - low) * rng.uniform();
            }
        }
        let cut = &mut self.forest.weights[node * terms..][..used];
        if self.per_node && used > 1 {
            self.spreads.clear();
            let width = self.forest.width;
            let column =
                |feature: u32| members.iter().map(move |row| *row as usize * width + feature as usize);
            for term in &*cut {
                let values = column(term.feature).map(|at| self.scaled[at]).collect();
                self.spreads.push(moments(values).1);
            }
            // Relative to the least: a cut is the same at any common factor, and this one cannot overflow.
            let least = self.spreads.iter().copied().fold(f64::INFINITY, f64::min);
            for (term, spread) in cut.iter_mut().zip(&self.spreads) {
                term.weight = (f64::from(term.weight) * (least / spread)) as f32;
            }
        }
        match self.intercept {
            Intercept::Box => cut
                .iter()
                .zip(places)
                .fold(0.0, |value, (term, place)| value + f64::from(term.weight) * *place),
            Intercept::Projection => {
                let width = self.forest.width;
                let sums =
                    members.iter().map(|row| weighted(cut, &self.scaled[*row as usize * width..][..width]));
                let (low, high) = sums.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), sum| {
                    (if sum < low { sum } else { low }, if sum > high { sum } else { high })
                });
                let value = low + (high - low) * rng.uniform();
                // Rounding must not send all rows one way.
                if value < high { value } else { low }
            }
        }
    }

    /// Place of a weighted draw among the varying features from `start` on.
    fn pick(&self, start: usize, rng: &mut Stream) -> usize {
        let weights = || self.varying[start..].iter().map(|(feature, ..)| self.draw[*feature as usize]);
        let mut left = rng.uniform() * weights().fold(0.0, |sum, weight| sum + weight);
        // Rounding may leave a rest past the last weight: the last feature then.
        let passed = weights().position(|weight| {
            left -= weight;
            left < 0.0
        });
        passed.unwrap_or(self.varying.len() - start - 1)
    }
}

impl Detector for ExtendedForest {
    fn width(&self) -> usize {
        self.width
    }

    /// Rows that cannot be told apart score 0.5, as in [`crate::IsolationForest`].
    fn score(&self, rows: &[f32], scores: &mut Vec<f64>) -> Result<(), DetectError> {
        scores.clear();
        row_count(rows, self.width)?;
        check_finite(rows, self.width)?;
        let mut scaled = lend(0.0, BLOCK.min(rows.len() / self.width) * self.width);
        for block in rows.chunks(BLOCK * self.width) {
            let count = block.len() / self.width;
            for (row, out) in block.chunks_exact(self.width).zip(scaled.chunks_exact_mut(self.width)) {
                self.scaler.scale(row, out);
            }
            let mut paths = [0.0; BLOCK];
            self.add_paths(&scaled[..count * self.width], &mut paths);
            let average = self.average * self.trees() as f64;
            let depth = |sum: &f64| if average > 0.0 { sum / average } else { 1.0 };
            scores.extend(paths[..count].iter().map(|sum| libm::exp2(-depth(sum))));
        }
        Ok(())
    }

    fn digest(&self) -> u64 {
        let mut mix = AgentMix::new(self.width as u32);
        self.scaler.digest(&mut mix);
        mix.float(self.average);
        self.roots.iter().for_each(|root| mix.word(u64::from(*root)));
        for node in &self.nodes {
            mix.float(node.value);
            mix.word(u64::from(node.child));
        }
        self.paths.iter().for_each(|path| mix.float(*path));
        for term in &self.weights {
            mix.word(u64::from(term.feature) << 32 | u64::from(term.weight.to_bits()));
        }
        finish(mix)
    }

    fn save(&self) -> Vec<u8> {
        state::save(self)
    }
}

impl ExtendedForest {
    /// Whether every field is one that a fit gives.
    fn is_sound(&self) -> bool {
        let count = self.nodes.len();
        // Rows never leave a leaf: nothing exceeds infinity.
        let inside = |node: &Node| {
            (node.child as usize) < count - usize::from(node.value != f64::INFINITY) && !node.value.is_nan()
        };
        self.width > 0
            && self.scaler.is_sound(self.width)
            && (1..=self.width).contains(&self.terms)
            && self.height <= 16
            && self.average.is_finite()
            && !self.roots.is_empty()
            && self.roots.iter().all(|root| (*root as usize) < count)
            && self.nodes.iter().all(inside)
            && self.paths.len() == count
            && self.paths.iter().all(|path| path.is_finite() && *path >= 0.0)
            && Some(self.weights.len()) == count.checked_mul(self.terms)
            && self.weights.iter().all(|term| (term.feature as usize) < self.width && term.weight.is_finite())
    }
}

state::plain_state!(ExtendedForest, ExtendedForest, "Detector::save");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use phalanx_core::{Purpose, Streams, Tick};

    fn fit(rows: &[f32], width: usize, config: ExtendedForestConfig) -> Result<ExtendedForest, DetectError> {
        let mut rng = Streams::from_seed(1).stream(Purpose::Model, 0, Tick(0));
        ExtendedForest::fit(rows, width, &config, &mut rng)
    }

    fn scores(forest: &ExtendedForest, rows: &[f32]) -> Vec<f64> {
        let mut scores = Vec::new();
        forest.score(rows, &mut scores).unwrap();
        scores
    }

    /// No scaling of any kind.
    fn plain() -> ExtendedForestConfig {
        ExtendedForestConfig { scaling: Scaling::None, per_node: false, ..ExtendedForestConfig::default() }
    }

    #[test]
    fn level_0_is_the_plain_forest() {
        // Three points on a line, all in every tree: a cut falls left of 1/4 with probability 1/4. See
        // `tests/oracles.rs`; four standard errors of 20,000 trees are 0.014 of a path.
        let rows = [0.0, 0.25, 1.0];
        let c = average_path_length(3);
        for intercept in [Intercept::Box, Intercept::Projection] {
            let config = ExtendedForestConfig { trees: 20_000, sample: 3, level: 0, intercept, ..plain() };
            let paths: Vec<f64> =
                scores(&fit(&rows, 1, config).unwrap(), &rows).iter().map(|s| -libm::log2(*s) * c).collect();
            for (path, expected) in paths.iter().zip([1.75, 2.0, 1.25]) {
                assert!((path - expected).abs() < 0.014, "{intercept:?}: {paths:?}");
            }
        }
    }

    #[test]
    fn oblique_cuts_of_a_square() {
        // Corners of a square: whatever the angle, all four corners are alike.
        let rows = [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0];
        for intercept in [Intercept::Box, Intercept::Projection] {
            let config = ExtendedForestConfig { trees: 20_000, sample: 4, level: 1, intercept, ..plain() };
            let scores = scores(&fit(&rows, 2, config).unwrap(), &rows);
            assert!(scores.iter().all(|s| (s - scores[0]).abs() < 0.01), "{intercept:?}: {scores:?}");
        }
    }

    #[test]
    fn between_extreme_sums_both_sides_keep_a_row() {
        // Through the box of these rows pass cuts that leave all of them on one side; between their sums none does.
        let rows: Vec<f32> = (0..64).flat_map(|i| [i as f32, i as f32]).collect();
        let unreached_leaves = |intercept| {
            let config = ExtendedForestConfig { trees: 50, sample: 64, level: 1, intercept, ..plain() };
            let forest = fit(&rows, 2, config).unwrap();
            let scaled: Vec<f64> = rows.iter().map(|x| f64::from(*x)).collect();
            let mut leaves: BTreeSet<u32> =
                (0..forest.nodes.len() as u32).filter(|i| forest.nodes[*i as usize].child == *i).collect();
            for root in &forest.roots {
                let mut at = [*root; BLOCK];
                forest.descend(&scaled, &mut at, |node, row| weighted(&forest.weights[node * 2..][..2], row));
                at.iter().for_each(|leaf| _ = leaves.remove(leaf));
            }
            leaves.len()
        };
        assert!(unreached_leaves(Intercept::Box) > 0);
        assert_eq!(unreached_leaves(Intercept::Projection), 0);
    }

    #[test]
    fn heavy_tails_draw_cuts() {
        // A fair coin has kurtosis 1, one that shows heads once in 100 has (p³ + q³) / pq.
        let coin = |heads: usize| (0..200).map(|i| if i < heads { 1.0 } else { 0.0 }).collect::<Vec<f64>>();
        assert!((kurtosis(coin(100)) - 1.0).abs() < 1e-12);
        let (p, q) = (0.01, 0.99);
        assert!((kurtosis(coin(2)) - (p * p * p + q * q * q) / (p * q)).abs() < 1e-9);
        assert_eq!((kurtosis(vec![3.0; 4]), kurtosis(vec![0.0, 1e-45])), (1.0, 1.0));

        // Roots of trees that see both coins cut the rare one with probability ln 99.02 / (ln 99.02 + ln 2).
        let rows: Vec<f32> = coin(100).iter().zip(coin(2)).flat_map(|(a, b)| [*a as f32, b as f32]).collect();
        let config = ExtendedForestConfig {
            trees: 10_000,
            sample: 200,
            level: 0,
            draw: FeatureDraw::Kurtosis,
            ..plain()
        };
        let forest = fit(&rows, 2, config).unwrap();
        let rare = forest.roots.iter().filter(|root| forest.weights[**root as usize].feature == 1).count();
        let expected = libm::log(99.02) / (libm::log(99.02) + libm::log(2.0));
        assert!((rare as f64 / 10_000.0 - expected).abs() < 0.014, "{rare} against {expected}");
    }

    #[test]
    fn what_cannot_be_told_apart_scores_a_half() {
        for (rows, width) in [(vec![3.0], 1), (vec![3.0, 4.0], 2), (vec![3.0; 500], 5)] {
            let forest = fit(&rows, width, ExtendedForestConfig::default()).unwrap();
            assert_eq!(scores(&forest, &vec![99.0; width]), [0.5]);
        }
    }

    #[test]
    fn parameters_have_ranges() {
        let config = ExtendedForestConfig::default();
        assert!(fit(&[1.0], 1, ExtendedForestConfig { trees: 0, ..config }).is_err());
        assert!(fit(&[1.0], 1, ExtendedForestConfig { sample: 0, ..config }).is_err());
        let wide = fit(&[1.0, 2.0, 5.0], 1, ExtendedForestConfig { level: u32::MAX, ..config }).unwrap();
        assert_eq!((wide.terms, wide.trees()), (1, 100));
    }
}
