//! Scores that agents can compare.
//!
//! A score of .6 is rare for one agent's model and common for another's, and a cut-off set on local data does not carry
//! over: of agents that each see other services, local 99th percentiles flag 1.5 to 26 % of the others' benign flows. What can
//! be compared is the *tail rank*: the share of benign rows, drawn from everybody's traffic, that score at least as
//! high. A [`Calibration`] holds the benign scores of one model as counts, so agents can take a model's scores over
//! their own benign rows and add the counts up; no row leaves its agent.

use std::collections::BTreeMap;

use phalanx_core::AgentMix;
use serde::{Deserialize, Serialize};

use crate::detector::finish;
use crate::state::{self, Kind, Restore, State};
use crate::{DetectError, Detector, StateError};

/// Mantissa bits of a bin: 2^11 bins for each halving of the distance from 0 or 1.
const MANTISSA_BITS: u32 = 11;

/// Benign scores in bins that merge.
///
/// Bins are as fine as the tails need: scores up to one half are binned by their first 11 mantissa bits, scores
/// above by those of their distance from 1. So the bins next to 0 and 1 are as narrow as a float allows, those at one
/// half are 1/8192 wide, and a distance from either end is known to 2^-11 of itself. Only bins in use take memory, 16
/// bytes each. Counts are integers: merging in any order gives the same bits.
///
/// ```
/// use phalanx_detect::Calibration;
/// let mut shared = Calibration::default();
/// shared.add_all(&[0.1, 0.2, 0.3]);
/// let mut other = Calibration::default();
/// other.add_all(&[0.5, 0.6, 0.7, 0.8, 0.9, 0.95]);
/// shared.merge(&other);
/// assert_eq!((shared.count(), shared.tail(0.85)), (9, 0.3));
/// assert_eq!(shared.calibrated(0.85), 0.7);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calibration {
    bins: BTreeMap<u64, u64>,
    count: u64,
}

impl Calibration {
    /// Counts the score of a benign row. Scores outside `[0, 1]` count as the nearest end; a NaN is no score and is
    /// not counted.
    pub fn add(&mut self, score: f64) {
        if !score.is_nan() {
            *self.bins.entry(bin(score)).or_default() += 1;
            self.count += 1;
        }
    }

    /// [`Self::add`] of each.
    pub fn add_all(&mut self, scores: &[f64]) {
        scores.iter().for_each(|score| self.add(*score));
    }

    /// Adds the counts of another calibration of the same model. The order of merging does not matter.
    pub fn merge(&mut self, other: &Self) {
        for (bin, count) in &other.bins {
            *self.bins.entry(*bin).or_default() += count;
        }
        self.count += other.count;
    }

    /// Scores counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Share of benign rows that score as high, `(1 + #{benign ≥ score}) / (n + 1)`: a conformal p-value, in `(0, 1]`,
    /// in which scores of one bin count as equal. A NaN has 1.
    #[must_use]
    pub fn tail(&self, score: f64) -> f64 {
        let reached =
            if score.is_nan() { self.count } else { self.bins.range(bin(score)..).map(|(_, n)| n).sum() };
        self.share(reached)
    }

    fn share(&self, reached: u64) -> f64 {
        (1 + reached) as f64 / (self.count + 1) as f64
    }

    /// A score that means the same for every model: `1 - tail`, in `[0, 1)`. At a nominal false-positive rate α, flag
    /// what is at least `1 - α`, or better, what scores above [`Self::cut`].
    #[must_use]
    pub fn calibrated(&self, score: f64) -> f64 {
        1.0 - self.tail(score)
    }

    /// The limit above which, strictly, uncalibrated scores have a tail of `alpha` or less. Infinite if there are too
    /// few benign scores to call anything that rare; -1 if everything is.
    #[must_use]
    pub fn cut(&self, alpha: f64) -> f64 {
        // Written so that a NaN cuts nothing off.
        let rare = |reached: u64| self.share(reached) <= alpha;
        if !rare(0) {
            return f64::INFINITY;
        }
        let mut reached = 0;
        for (bin, count) in self.bins.iter().rev() {
            reached += count;
            if !rare(reached) {
                return upper_end(*bin);
            }
        }
        -1.0
    }

    /// Digest of the counts, for fingerprints.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut mix = AgentMix::new(0);
        for (bin, count) in &self.bins {
            mix.word(*bin);
            mix.word(*count);
        }
        finish(mix)
    }
}

/// Bins of scores up to one half; those above are mirrored.
const HALF: u64 = 0.5f64.to_bits() >> (52 - MANTISSA_BITS);

/// The bin of a score; a higher score is in no lower bin.
fn bin(score: f64) -> u64 {
    let truncated = |x: f64| x.to_bits() >> (52 - MANTISSA_BITS);
    if score <= 0.0 {
        0
    } else if score <= 0.5 {
        truncated(score)
    } else {
        // Exact: both operands are within a factor of 2 of each other. At 1, and beyond, nothing is left.
        2 * HALF - if score < 1.0 { truncated(1.0 - score) } else { 0 }
    }
}

/// The greatest score of a bin.
fn upper_end(bin: u64) -> f64 {
    let least = |bin: u64| f64::from_bits(bin << (52 - MANTISSA_BITS));
    if bin < HALF {
        least(bin + 1).next_down()
    } else if bin == HALF {
        // One half has a bin of its own, between the two halves.
        0.5
    } else {
        1.0 - least(2 * HALF - bin)
    }
}

/// A detector whose scores are calibrated: what it writes is [`Calibration::calibrated`] of the inner one's.
#[derive(Clone, Debug)]
pub struct CalibratedDetector<D> {
    detector: D,
    calibration: Calibration,
    /// Bins in ascending order, each with the benign scores in it and above: a row's tail is one search.
    reached: Vec<(u64, u64)>,
}

impl<D: Detector> CalibratedDetector<D> {
    /// Joins a fitted model and the benign scores of that model.
    #[must_use]
    pub fn new(detector: D, calibration: Calibration) -> Self {
        let mut reached: Vec<(u64, u64)> = calibration.bins.iter().rev().map(|(bin, n)| (*bin, *n)).collect();
        let mut sum = 0;
        for (_, count) in &mut reached {
            sum += *count;
            *count = sum;
        }
        reached.reverse();
        Self { detector, calibration, reached }
    }

    fn calibrated(&self, score: f64) -> f64 {
        let bin = bin(score);
        let first = self.reached.partition_point(|(other, _)| *other < bin);
        1.0 - self.calibration.share(self.reached.get(first).map_or(0, |(_, reached)| *reached))
    }
}

impl<D: Detector> Detector for CalibratedDetector<D> {
    fn width(&self) -> usize {
        self.detector.width()
    }

    fn score(&self, rows: &[f32], scores: &mut Vec<f64>) -> Result<(), DetectError> {
        self.detector.score(rows, scores)?;
        scores.iter_mut().for_each(|score| *score = self.calibrated(*score));
        Ok(())
    }

    fn digest(&self) -> u64 {
        let mut mix = AgentMix::new(0);
        mix.word(self.detector.digest());
        mix.word(self.calibration.digest());
        finish(mix)
    }

    fn save(&self) -> Vec<u8> {
        state::save(self)
    }
}

impl Calibration {
    /// The bytes to save.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        state::save(self)
    }

    /// Whether the counts are of bins that there are and add up.
    fn is_sound(&self) -> bool {
        let sum = self.bins.values().try_fold(0u64, |sum, count| sum.checked_add(*count));
        sum == Some(self.count)
            && self.count < u64::MAX
            && self.bins.iter().all(|(bin, count)| *bin <= 2 * HALF && *count > 0)
    }
}

state::plain_state!(Calibration, Calibration, "Self::save");

impl<D: Detector> State for CalibratedDetector<D> {
    const KIND: Kind = Kind::Calibrated;

    fn body(&self) -> Vec<u8> {
        state::encode(&(self.detector.save(), &self.calibration))
    }
}

impl Restore for CalibratedDetector<Box<dyn Detector>> {
    fn read(body: &[u8], depth: u32) -> Result<Self, StateError> {
        let sound = |parts: &(Vec<u8>, Calibration)| parts.1.is_sound();
        let (detector, calibration) = state::decode(body, Self::KIND, sound)?;
        Ok(Self::new(state::detector(&detector, depth + 1)?, calibration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FitScratch, ForestConfig, IsolationForest, ThresholdPolicy};
    use phalanx_core::{Purpose, Stream, Streams, Tick};
    use std::sync::Arc;

    fn stream(seed: u64) -> Stream {
        Streams::from_seed(seed).stream(Purpose::Model, 0, Tick(0))
    }

    #[test]
    fn bins_keep_the_order_and_know_their_end() {
        let mut scores =
            vec![0.0, f64::from_bits(1), 1e-300, 0.25, 0.5f64.next_down(), 0.5, 0.5f64.next_up(), 1.0];
        scores.push(1.0f64.next_down());
        let mut rng = stream(1);
        scores.extend((0..5000).map(|_| rng.uniform()));
        scores.extend((0..2000).map(|_| libm::exp(-40.0 * rng.uniform())));
        scores.extend((0..2000).map(|_| 1.0 - libm::exp(-40.0 * rng.uniform())));
        scores.sort_unstable_by(f64::total_cmp);
        assert!(scores.is_sorted_by_key(|score| bin(*score)));
        for score in &scores {
            let end = upper_end(bin(*score));
            assert!(*score <= end && bin(end) == bin(*score), "{score} is above the end {end} of its bin");
            assert!(bin(end.next_up()) > bin(end) || end == 1.0, "{end} is not the end of its bin");
            let room = (end - score) / score.min(1.0 - end).max(f64::MIN_POSITIVE);
            assert!(room < 0.002 || *score < 1e-300, "{score} to {end}");
        }
        assert_eq!((bin(-3.0), bin(7.0)), (bin(0.0), bin(1.0)));
    }

    #[test]
    fn a_cut_is_where_the_tail_is_rare() {
        let mut rng = stream(2);
        let mut calibration = Calibration::default();
        (0..5000).for_each(|_| calibration.add(rng.beta(20.0, 20.0)));
        for alpha in [0.0001, 0.001, 0.01, 0.1, 0.5, 0.999] {
            let cut = calibration.cut(alpha);
            for _ in 0..2000 {
                let score = rng.beta(20.0, 20.0);
                assert_eq!(score > cut, calibration.tail(score) <= alpha, "{score} at {alpha}, cut {cut}");
            }
        }
        assert_eq!((calibration.cut(1.0), calibration.cut(0.0)), (-1.0, f64::INFINITY));
        assert_eq!(Calibration::default().cut(0.01), f64::INFINITY);
        assert_eq!((Calibration::default().tail(0.3), calibration.tail(f64::NAN)), (1.0, 1.0));
    }

    #[test]
    fn merging_is_counting_all() {
        let mut rng = stream(3);
        let scores: Vec<f64> = (0..999).map(|_| rng.uniform()).collect();
        let of = |scores: &[f64]| {
            let mut calibration = Calibration::default();
            calibration.add_all(scores);
            calibration
        };
        let (mut left, mut right) = (of(&scores[..300]), of(&scores[300..]));
        let all = of(&scores);
        left.merge(&right);
        right.merge(&of(&scores[..300]));
        assert_eq!((&left, left.digest()), (&all, right.digest()));
        assert_eq!(right, all);
    }

    /// Rows of a service: two of six features are round a centre of its own.
    fn service(number: u32, count: usize, rng: &mut Stream) -> Vec<f32> {
        let row = |rng: &mut Stream| {
            let mut row: [f32; 6] = std::array::from_fn(|_| rng.normal() as f32);
            row[number as usize] += 1.5;
            row[(number as usize + 1) % 6] -= 1.5;
            row
        };
        (0..count).flat_map(|_| row(rng)).collect()
    }

    #[test]
    fn local_cut_offs_do_not_carry_over_and_calibrated_ones_do() {
        // baselines.md §5 in small: every agent sees one service, and judges flows of all six.
        let mut rng = stream(4);
        let train: Vec<Vec<f32>> = (0..6).map(|i| service(i, 2000, &mut rng)).collect();
        let held_out: Vec<Vec<f32>> = (0..6).map(|i| service(i, 2000, &mut rng)).collect();
        let test: Vec<f32> = (0..6).flat_map(|i| service(i, 2000, &mut rng)).collect();
        let (mut local, mut calibrated) = (0, 0);
        for rows in &train {
            let forest =
                IsolationForest::fit(rows, 6, &ForestConfig::default(), &mut rng, &mut FitScratch::default())
                    .unwrap();
            let mut scores = Vec::new();
            let mut shared = Calibration::default();
            for others in &held_out {
                forest.score(others, &mut scores).unwrap();
                let mut theirs = Calibration::default();
                theirs.add_all(&scores);
                shared.merge(&theirs);
            }
            forest.score(rows, &mut scores).unwrap();
            let own = ThresholdPolicy::Quantile { contamination: 0.01 }.threshold(&mut scores).unwrap();
            let common = shared.cut(0.01);
            forest.score(&test, &mut scores).unwrap();
            local += scores.iter().filter(|score| **score > own).count();
            calibrated += scores.iter().filter(|score| **score > common).count();
        }
        let rate = |flagged: usize| flagged as f64 / (6.0 * 12_000.0);
        assert!(rate(local) > 0.05, "local cut-offs flag {} of benign rows", rate(local));
        // Six cuts of 12,000 scores each, judged by 12,000: a standard deviation of .0005.
        assert!((rate(calibrated) - 0.01).abs() < 0.002, "calibrated cut-offs flag {}", rate(calibrated));
    }

    #[test]
    fn a_calibrated_detector_writes_tails() {
        let rows: Vec<f32> = (0..1000).map(|i| i as f32).collect();
        let detector = Arc::new(crate::ZScore::fit(&rows, 1).unwrap());
        let mut scores = Vec::new();
        detector.score(&rows, &mut scores).unwrap();
        let mut calibration = Calibration::default();
        calibration.add_all(&scores);
        let calibrated = CalibratedDetector::new(detector.clone(), calibration.clone());
        let expected: Vec<f64> = scores.iter().map(|score| calibration.calibrated(*score)).collect();
        calibrated.score(&rows, &mut scores).unwrap();
        assert_eq!(scores, expected);
        let flagged = scores.iter().filter(|score| **score >= 0.99).count();
        assert!((8..=10).contains(&flagged), "{flagged} of 1000 at a nominal 1 %");
        assert_ne!(calibrated.digest(), detector.digest());
    }
}
