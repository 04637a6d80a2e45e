//! How well a detector ranks rows, and the bar it has to beat.

use phalanx_detect::{average_precision, roc_auc};
use serde::Serialize;

use super::timing::{cpu_time, median};
use super::{EvaluationError, NamedDetector, Split};
use crate::statistics;

/// Mean and sample standard deviation over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Undefined where the figure is.
    pub mean: Option<f64>,
    /// Undefined below two seeds.
    pub sd: Option<f64>,
}

/// How well a detector ranked the rows of a split, over seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quality {
    /// Area under the ROC curve; .5 is chance.
    pub roc_auc: Spread,
    /// Average precision; the prevalence is chance.
    pub average_precision: Spread,
    /// See [`tpr_at_one_percent_fpr`]; .01 is chance.
    pub tpr_at_1_percent_fpr: Spread,
    /// Median processor time of a fit.
    pub fit_ms: f64,
    /// Median of rows scored per second of processor time.
    pub rows_per_s: f64,
    /// Seeds that the figures are over; 1 if the second gave the same model, so that there is nothing to vary.
    pub seeds: u32,
}

impl Quality {
    /// Fits and scores with the seeds from 1 to `seeds`.
    ///
    /// # Errors
    /// If the detector refuses its parameters.
    pub fn measure(detector: &NamedDetector, split: &Split, seeds: u32) -> Result<Self, EvaluationError> {
        let mut figures = [const { Vec::new() }; 3];
        let (mut fit_ms, mut rows_per_s) = (Vec::new(), Vec::new());
        let mut scores = Vec::new();
        let mut first = None;
        for seed in 1..=u64::from(seeds) {
            let start = cpu_time();
            let mut fitted = detector.fit(split, seed)?;
            fit_ms.push((cpu_time() - start).as_secs_f64() * 1e3);
            if seed == 2 && first == Some(fitted.digest()) {
                break;
            }
            first.get_or_insert_with(|| fitted.digest());
            let start = cpu_time();
            fitted.score(&split.test, &mut scores).map_err(|problem| detector.refused(problem))?;
            rows_per_s.push(split.test_rows() as f64 / (cpu_time() - start).as_secs_f64());
            let found =
                [roc_auc, average_precision, tpr_at_one_percent_fpr].map(|f| f(&scores, &split.anomalous));
            figures.iter_mut().zip(found).for_each(|(figure, found)| figure.extend(found));
        }
        // Precision needs no benign rows, but with one kind of rows alone there is nothing to rank.
        let one_kind = figures[0].is_empty();
        let [roc_auc, average_precision, tpr_at_1_percent_fpr] = figures.map(|values| {
            let spread = statistics::Spread::of(if one_kind { &[] } else { &values[..] });
            let (mean, sd) = (spread.mean, spread.sd);
            Spread { mean, sd }
        });
        Ok(Self {
            roc_auc,
            average_precision,
            tpr_at_1_percent_fpr,
            fit_ms: median(&fit_ms),
            seeds: rows_per_s.len() as u32,
            rows_per_s: median(&rows_per_s),
        })
    }
}

/// Greatest share of anomalous rows that a threshold flags which flags at most 1 % of the benign rows.
///
/// A threshold does not part tied rows: there is no interpolation, so that many equal scores cost what they would in
/// use. `None` unless both kinds are present.
///
/// # Panics
/// If the slices differ in length.
#[must_use]
pub fn tpr_at_one_percent_fpr(scores: &[f64], anomalous: &[bool]) -> Option<f64> {
    assert_eq!(scores.len(), anomalous.len(), "every score needs one truth");
    let positive = anomalous.iter().filter(|anomalous| **anomalous).count();
    let negative = anomalous.len() - positive;
    if positive == 0 || negative == 0 {
        return None;
    }
    let mut ranked: Vec<(f64, bool)> = scores.iter().copied().zip(anomalous.iter().copied()).collect();
    ranked.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let (mut flagged, mut false_alarms, mut best) = (0, 0, 0);
    for tied in ranked.chunk_by(|a, b| a.0 == b.0) {
        let found = tied.iter().filter(|(_, anomalous)| *anomalous).count();
        flagged += found;
        false_alarms += tied.len() - found;
        if 100 * false_alarms > negative {
            break;
        }
        best = flagged;
    }
    Some(best as f64 / positive as f64)
}

/// Which end of a feature is the anomalous one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Great values.
    High,
    /// Small values.
    Low,
}

/// The feature that ranks the rows best by itself. It was chosen with the labels, which no detector sees.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BestFeature {
    /// Its name.
    pub name: String,
    /// Which end is anomalous.
    pub direction: Direction,
    /// ROC-AUC of the feature as a score.
    pub roc_auc: f64,
    /// Average precision of the feature as a score.
    pub average_precision: f64,
    /// See [`tpr_at_one_percent_fpr`].
    pub tpr_at_1_percent_fpr: f64,
}

impl BestFeature {
    /// Of the rows to score; the first of equal ones. `None` unless both kinds of rows are present.
    #[must_use]
    pub fn of(split: &Split) -> Option<Self> {
        let width = split.features.len();
        let mut best: Option<(f64, Direction, Vec<f64>)> = None;
        let mut name = "";
        for (i, feature) in split.features.iter().enumerate() {
            let values: Vec<f64> = split.test.iter().skip(i).step_by(width).map(|x| f64::from(*x)).collect();
            let high = roc_auc(&values, &split.anomalous)?;
            let (auc, direction) =
                if high >= 0.5 { (high, Direction::High) } else { (1.0 - high, Direction::Low) };
            if best.as_ref().is_none_or(|(least, ..)| auc > *least) {
                best = Some((auc, direction, values));
                name = feature;
            }
        }
        let (roc_auc, direction, mut scores) = best?;
        if direction == Direction::Low {
            scores.iter_mut().for_each(|score| *score = -*score);
        }
        Some(Self {
            name: name.to_owned(),
            direction,
            roc_auc,
            average_precision: average_precision(&scores, &split.anomalous)?,
            tpr_at_1_percent_fpr: tpr_at_one_percent_fpr(&scores, &split.anomalous)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const T: bool = true;
    const F: bool = false;

    /// 200 benign rows scored 0 to 199, so that two false alarms are 1 %.
    fn with_benign(anomalies: &[f64]) -> (Vec<f64>, Vec<bool>) {
        let scores: Vec<f64> = (0..200).map(f64::from).chain(anomalies.iter().copied()).collect();
        let anomalous = (0..scores.len()).map(|i| i >= 200).collect();
        (scores, anomalous)
    }

    #[test]
    fn tpr_by_hand() {
        let check = |anomalies: &[f64], expected: f64| {
            let (scores, anomalous) = with_benign(anomalies);
            assert_eq!(tpr_at_one_percent_fpr(&scores, &anomalous), Some(expected), "{anomalies:?}");
        };
        check(&[500.0, 400.0], 1.0);
        check(&[-1.0, -2.0], 0.0);
        // 199 and 198 may be false alarms, 197 is one too many.
        check(&[500.0, 198.5, 197.5, 196.5], 0.75);
        // Tied with a benign row that may be flagged, and with one that may not.
        check(&[198.0, 197.0], 0.5);
        check(&[197.0, 197.0], 0.0);
    }

    #[test]
    fn ties_are_flagged_together_or_not_at_all() {
        // One threshold flags everything or nothing; nothing is what 1 % allows.
        assert_eq!(tpr_at_one_percent_fpr(&[1.0; 6], &[T, F, F, T, F, F]), Some(0.0));
        assert_eq!(tpr_at_one_percent_fpr(&[2.0, 2.0, 1.0, 1.0], &[T, T, F, F]), Some(1.0));
        assert_eq!(tpr_at_one_percent_fpr(&[0.0, -0.0], &[T, F]), Some(0.0));
    }

    proptest! {
        /// The definition, word by word: over all thresholds, none among them.
        #[test]
        fn tpr_is_the_best_of_all_thresholds(rows in prop::collection::vec((0..40u8, prop::bool::weighted(0.2)), 1..400)) {
            let scores: Vec<f64> = rows.iter().map(|(score, _)| f64::from(*score)).collect();
            let anomalous: Vec<bool> = rows.iter().map(|(_, anomalous)| *anomalous).collect();
            let share = |kind: bool, threshold: f64| {
                let of_kind = || scores.iter().zip(&anomalous).filter(|(_, anomalous)| **anomalous == kind);
                of_kind().filter(|(score, _)| **score >= threshold).count() as f64 / of_kind().count() as f64
            };
            let thresholds = (0..=40u8).map(f64::from).filter(|threshold| share(false, *threshold) <= 0.01);
            let expected = thresholds.map(|threshold| share(true, threshold)).reduce(f64::max);
            let expected = expected.filter(|rate| !rate.is_nan());
            prop_assert_eq!(tpr_at_one_percent_fpr(&scores, &anomalous), expected);
        }
    }

    #[test]
    fn one_kind_alone_has_no_rates() {
        for anomalous in [vec![], vec![T, T], vec![F, F]] {
            assert_eq!(tpr_at_one_percent_fpr(&vec![1.0; anomalous.len()], &anomalous), None);
        }
    }

    fn split(features: &[&str], test: &[f32], anomalous: &[bool]) -> Split {
        Split::unsupervised(features, test, anomalous)
    }

    #[test]
    fn the_best_feature_may_be_low() {
        // `a` orders 3 of 4 pairs rightly; `b` is low on every anomaly, but for one tie of a half.
        let rows = [1.0, 9.0, 4.0, 9.0, 2.0, 3.0, 5.0, 9.0];
        let best = BestFeature::of(&split(&["a", "b"], &rows, &[F, F, T, T])).unwrap();
        assert_eq!((best.name.as_str(), best.direction, best.roc_auc), ("a", Direction::High, 0.75));
        let rows = [1.0, 9.0, 4.0, 9.0, 2.0, 3.0, 3.0, 4.0];
        let best = BestFeature::of(&split(&["a", "b"], &rows, &[F, F, T, T])).unwrap();
        assert_eq!((best.name.as_str(), best.direction, best.roc_auc), ("b", Direction::Low, 1.0));
        assert_eq!((best.average_precision, best.tpr_at_1_percent_fpr), (1.0, 1.0));
        assert_eq!(BestFeature::of(&split(&["a"], &[1.0, 2.0], &[F, F])), None);
    }

    #[test]
    fn a_detector_without_randomness_is_measured_once() {
        let rows: Vec<f32> = (0..64u16).map(|i| f32::from(i * 37 % 61)).collect();
        let anomalous: Vec<bool> = rows.iter().map(|x| *x > 57.0).collect();
        let split = split(&["a"], &rows, &anomalous);
        let measure = |name: &str| Quality::measure(&name.parse().unwrap(), &split, 4).unwrap();
        let ecod = measure("ecod");
        assert_eq!((ecod.seeds, ecod.roc_auc.sd), (1, None));
        let forest = measure("isolation_forest:trees=5");
        assert_eq!(forest.seeds, 4);
        assert!(forest.roc_auc.sd.is_some() && forest.rows_per_s > 0.0);
    }

    #[test]
    fn one_kind_of_rows_leaves_figures_undefined() {
        for anomalous in [[F, F], [T, T]] {
            let quality =
                Quality::measure(&"ecod".parse().unwrap(), &split(&["a"], &[1.0, 2.0], &anomalous), 2)
                    .unwrap();
            let none = Spread { mean: None, sd: None };
            assert_eq!([quality.roc_auc, quality.average_precision, quality.tpr_at_1_percent_fpr], [none; 3]);
        }
    }
}
