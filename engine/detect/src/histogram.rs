//! Metrics of a run whose scores are too many to keep.

use serde::{Deserialize, Serialize};

use crate::curve::Steps;

/// Equal bins over `[0, 1]`.
const BINS: usize = 65_536;

/// Scores counted in 65,536 equal bins over `[0, 1]`, benign and anomalous apart: 1 MiB, however long the run.
///
/// [`Self::roc_auc`] and [`Self::average_precision`] are those of the exact functions, except that scores of one bin
/// count as ties. Counts are integers, so merging in any order gives the same bits.
///
/// ```
/// use phalanx_detect::ScoreHistogram;
/// let mut histogram = ScoreHistogram::default();
/// histogram.add(0.9, true);
/// histogram.add(0.2, false);
/// assert_eq!(histogram.roc_auc(), Some(1.0));
/// ```
/// Saved as its bins that are not empty, by position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<(u32, [u64; 2])>", try_from = "Vec<(u32, [u64; 2])>")]
pub struct ScoreHistogram {
    /// `[benign, anomalous]` a bin.
    bins: Box<[[u64; 2]]>,
}

impl From<ScoreHistogram> for Vec<(u32, [u64; 2])> {
    fn from(histogram: ScoreHistogram) -> Self {
        let filled = histogram.bins.iter().enumerate().filter(|(_, counts)| **counts != [0; 2]);
        filled.map(|(bin, counts)| (bin as u32, *counts)).collect()
    }
}

impl TryFrom<Vec<(u32, [u64; 2])>> for ScoreHistogram {
    type Error = String;

    fn try_from(filled: Vec<(u32, [u64; 2])>) -> Result<Self, String> {
        let mut histogram = Self::default();
        for (bin, counts) in filled {
            let place = histogram.bins.get_mut(bin as usize);
            *place.ok_or_else(|| format!("bin {bin} lies beyond the {BINS} that there are"))? = counts;
        }
        Ok(histogram)
    }
}

impl Default for ScoreHistogram {
    fn default() -> Self {
        Self { bins: vec![[0; 2]; BINS].into_boxed_slice() }
    }
}

impl ScoreHistogram {
    /// Counts one row. Scores outside `[0, 1]` count in the nearest bin.
    ///
    /// # Panics
    /// If the score is NaN: no detector writes one.
    pub fn add(&mut self, score: f64, anomalous: bool) {
        assert!(!score.is_nan(), "a score that is NaN has no rank");
        // The cast saturates, at 0 below and, with the minimum, at the last bin above.
        let bin = ((score * BINS as f64) as usize).min(BINS - 1);
        self.bins[bin][usize::from(anomalous)] += 1;
    }

    /// Adds the counts of another histogram. The order of merging does not matter.
    pub fn merge(&mut self, other: &Self) {
        for (bin, more) in self.bins.iter_mut().zip(&other.bins) {
            bin[0] += more[0];
            bin[1] += more[1];
        }
    }

    /// Rows counted: benign and anomalous.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        self.bins.iter().fold((0, 0), |sum, bin| (sum.0 + bin[0], sum.1 + bin[1]))
    }

    /// Area under the ROC curve, see [`crate::roc_auc`]. `None` unless both kinds were counted.
    #[must_use]
    pub fn roc_auc(&self) -> Option<f64> {
        self.steps().roc_auc()
    }

    /// Average precision, see [`crate::average_precision`]. `None` if no anomalous row was counted.
    #[must_use]
    pub fn average_precision(&self) -> Option<f64> {
        self.steps().average_precision()
    }

    /// Operating points from the strictest threshold to the laxest: benign and anomalous rows at or above each of some
    /// thresholds. At most `2 · count` points, so spread that neither share grows by more than `1 / count` between two
    /// unless a single bin does. For drawing ROC and precision–recall curves.
    #[must_use]
    pub fn operating_points(&self, count: u64) -> Vec<[u64; 2]> {
        let (benign, anomalous) = self.counts();
        let slice = |part: u64, whole: u64| (part * count).checked_div(whole).unwrap_or(0);
        let mut points: Vec<[u64; 2]> = Vec::new();
        let (mut sum, mut before) = ([0u64; 2], [0u64; 2]);
        for bin in self.bins.iter().rev().filter(|bin| bin[0] + bin[1] > 0) {
            sum = [sum[0] + bin[0], sum[1] + bin[1]];
            let at = [slice(sum[0], benign), slice(sum[1], anomalous)];
            if at != before {
                points.push(sum);
                before = at;
            }
        }
        if points.last().is_some_and(|last| *last != sum) {
            points.push(sum);
        }
        points
    }

    fn steps(&self) -> Steps {
        let mut steps = Steps::default();
        self.bins.iter().rev().for_each(|bin| steps.add(bin[0], bin[1]));
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{average_precision, roc_auc};
    use phalanx_core::{Purpose, Streams, Tick};

    #[test]
    fn close_to_the_exact_metrics() {
        let mut rng = Streams::from_seed(5).stream(Purpose::Model, 0, Tick(0));
        for share in [0.001, 0.05, 0.5] {
            let anomalous: Vec<bool> = (0..20_000).map(|_| rng.bernoulli(share)).collect();
            let score = |anomalous: &bool| if *anomalous { rng.beta(3.0, 2.0) } else { rng.beta(2.0, 3.0) };
            let scores: Vec<f64> = anomalous.iter().map(score).collect();
            let mut histogram = ScoreHistogram::default();
            scores.iter().zip(&anomalous).for_each(|(s, a)| histogram.add(*s, *a));
            let off = (histogram.roc_auc().unwrap() - roc_auc(&scores, &anomalous).unwrap()).abs();
            assert!(off < 1e-4, "ROC-AUC is off by {off} at a share of {share}");
            let exact = average_precision(&scores, &anomalous).unwrap();
            let off = (histogram.average_precision().unwrap() - exact).abs();
            assert!(off < 1e-4, "average precision is off by {off} at a share of {share}");
        }
    }

    #[test]
    fn operating_points_are_few_and_end_at_everything() {
        let mut histogram = ScoreHistogram::default();
        (0..1000).for_each(|i| histogram.add(f64::from(i) / 1000.0, i % 10 == 0));
        let points = histogram.operating_points(8);
        assert!(points.len() <= 16 && points.is_sorted());
        assert_eq!(points.last(), Some(&[900, 100]));
        assert!(ScoreHistogram::default().operating_points(8).is_empty());
    }

    #[test]
    fn distinct_bins_are_exact() {
        let rows = [(1.0, true), (0.75, false), (0.75, true), (0.5, true), (0.25, false), (0.0, false)];
        let mut histogram = ScoreHistogram::default();
        rows.iter().for_each(|(s, a)| histogram.add(*s, *a));
        let (scores, anomalous): (Vec<f64>, Vec<bool>) = rows.into_iter().unzip();
        assert_eq!(histogram.roc_auc(), roc_auc(&scores, &anomalous));
        assert_eq!(histogram.average_precision(), average_precision(&scores, &anomalous));
        assert_eq!(histogram.counts(), (3, 3));
    }

    #[test]
    fn merging_is_counting_all() {
        let (mut left, mut right, mut all) =
            (ScoreHistogram::default(), ScoreHistogram::default(), ScoreHistogram::default());
        for i in 0..1000u32 {
            let (score, anomalous) = (f64::from(i * 7919 % 1000) / 1000.0, i % 7 == 0);
            if i < 300 { &mut left } else { &mut right }.add(score, anomalous);
            all.add(score, anomalous);
        }
        left.merge(&right);
        assert_eq!(left, all);
    }

    #[test]
    fn the_ends_and_beyond() {
        let mut histogram = ScoreHistogram::default();
        for (score, anomalous) in
            [(-0.5, false), (0.0, false), (1.0, true), (1.5, true), (f64::INFINITY, true)]
        {
            histogram.add(score, anomalous);
        }
        assert_eq!((histogram.counts(), histogram.roc_auc()), ((2, 3), Some(1.0)));
        assert_eq!(ScoreHistogram::default().roc_auc(), None);
    }
}
