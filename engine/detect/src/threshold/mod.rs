//! Where to draw the line between benign and flagged.
//!
//! A [`ThresholdPolicy`] is a rule; fitted to calibration scores it becomes a [`Threshold`], which flags. Which to take:
//!
//! | policy | calibration scores | promise |
//! |---|---|---|
//! | `Fixed` | none | none |
//! | `Quantile` | any, with the expected share of anomalies | flags that share of *them* |
//! | `Conformal` | benign, not fitted to | false-positive rate at most α, for any number of scores |
//! | `FalseDiscovery` | benign, not fitted to | expected share of false flags in a batch at most α |
//! | `PeaksOverThreshold` | benign, some hundreds | rates far below `1 / n`, if the tail is a regular one |

mod conformal;
mod peaks;

pub use conformal::{Conformal, benjamini_hochberg};

use phalanx_core::maths;
use serde::{Deserialize, Serialize};

use crate::state;

/// How a detector's threshold is set. A row is flagged if, and only if, its score is *greater* than the threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ThresholdPolicy {
    /// This threshold, whatever the training scores are.
    Fixed(f64),
    /// The `1 - contamination` quantile of the training scores, linearly interpolated. This is scikit-learn's
    /// `contamination`: there, `offset_ = percentile(score_samples, 100 · contamination)` over negated scores, and a
    /// row is an outlier if its score is strictly beyond the offset.
    Quantile {
        /// Expected share of anomalies among the training rows, in `[0, 1]`; scikit-learn allows `(0, 0.5]`.
        contamination: f64,
    },
    /// Split conformal: flags rows whose p-value among benign scores is at most `alpha`, see [`Conformal`].
    Conformal {
        /// Highest false-positive rate, in `[0, 1]`.
        alpha: f64,
    },
    /// Benjamini–Hochberg over the conformal p-values of each batch, see [`benjamini_hochberg`].
    FalseDiscovery {
        /// Highest expected share of false flags among the flags of a batch, in `[0, 1]`.
        alpha: f64,
    },
    /// The score that a fitted tail exceeds with probability `q`: SPOT's initial threshold (Siffer et al. 2017), see
    /// the source of `peaks.rs` for the estimator.
    PeaksOverThreshold {
        /// False-positive rate to aim at, in `(0, 1)`.
        q: f64,
        /// Quantile of the scores above which they count as peaks, in `[0, 1)`; SPOT takes 0.98.
        level: f64,
    },
}

/// Why a threshold could not be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThresholdError {
    /// The policy needs scores to calibrate on.
    #[error("there are no scores to set a threshold by; calibrate on at least one row")]
    NoScores,
    /// A score is a finite number.
    #[error("calibration score {index} is NaN or infinite; leave it out")]
    NotAScore {
        /// Position of the first such score, from 0.
        index: usize,
    },
    /// A parameter of the policy outside its range.
    #[error("`{name}` must be {range}; correct the policy")]
    Parameter {
        /// Field of the policy.
        name: &'static str,
        /// What it may be.
        range: &'static str,
    },
}

/// Fails unless there are scores, all of them finite.
fn check_scores(scores: &[f64]) -> Result<(), ThresholdError> {
    if scores.is_empty() {
        return Err(ThresholdError::NoScores);
    }
    match scores.iter().position(|score| !score.is_finite()) {
        Some(index) => Err(ThresholdError::NotAScore { index }),
        None => Ok(()),
    }
}

/// Fails unless the share lies in `[0, 1]`.
fn check_share(share: f64, name: &'static str) -> Result<(), ThresholdError> {
    check((0.0..=1.0).contains(&share), name, "0 to 1")
}

fn check(valid: bool, name: &'static str, range: &'static str) -> Result<(), ThresholdError> {
    if valid { Ok(()) } else { Err(ThresholdError::Parameter { name, range }) }
}

/// A policy fitted to calibration scores.
///
/// ```
/// use phalanx_detect::ThresholdPolicy;
/// let benign: Vec<f64> = (0..99).map(|i| f64::from(i) / 100.0).collect();
/// let threshold = ThresholdPolicy::Conformal { alpha: 0.02 }.fit(&benign)?;
/// let mut flags = Vec::new();
/// threshold.flag(&[0.5, 0.975, 0.99], &mut flags);
/// assert_eq!((threshold.cut(), flags), (0.97, vec![false, true, true]));
/// # Ok::<(), phalanx_detect::ThresholdError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    cut: f64,
    /// Set if flags depend on the batch.
    batch: Option<Box<FalseDiscovery>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct FalseDiscovery {
    benign: Conformal,
    alpha: f64,
}

impl Threshold {
    /// The limit for a score by itself: it is flagged if it is greater. May be infinite where nothing, or everything,
    /// is to be flagged.
    #[must_use]
    pub fn cut(&self) -> f64 {
        self.cut
    }

    /// Clears `flags` and writes one a score, of a batch that is judged together. NaN is never flagged.
    pub fn flag(&self, scores: &[f64], flags: &mut Vec<bool>) {
        if let Some(FalseDiscovery { benign, alpha }) = self.batch.as_deref() {
            let p_values: Vec<f64> = scores
                .iter()
                .map(|score| if score.is_nan() { f64::NAN } else { benign.p_value(*score) })
                .collect();
            benjamini_hochberg(&p_values, *alpha, flags);
        } else {
            flags.clear();
            flags.extend(scores.iter().map(|score| *score > self.cut));
        }
    }
}

impl Threshold {
    /// The bytes to save.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        state::save(self)
    }

    /// Whether every field is one that a fit gives.
    fn is_sound(&self) -> bool {
        let sound = |batch: &FalseDiscovery| batch.benign.is_sound() && (0.0..=1.0).contains(&batch.alpha);
        !self.cut.is_nan() && self.batch.as_deref().is_none_or(sound)
    }
}

state::plain_state!(Threshold, Threshold, "Self::save");

impl ThresholdPolicy {
    /// Sets the threshold by the scores of calibration rows.
    ///
    /// # Errors
    /// No scores where the policy needs some, a score that is not finite, or a parameter outside its range.
    pub fn fit(&self, calibration: &[f64]) -> Result<Threshold, ThresholdError> {
        let alone = |cut| Ok(Threshold { cut, batch: None });
        match *self {
            Self::Fixed(cut) => {
                check(!cut.is_nan(), "threshold", "a number")?;
                alone(cut)
            }
            Self::Quantile { contamination } => {
                check_share(contamination, "contamination")?;
                check_scores(calibration)?;
                let cut = quantile(&mut calibration.to_vec(), 1.0 - contamination);
                alone(cut.ok_or(ThresholdError::NoScores)?)
            }
            Self::Conformal { alpha } => alone(Conformal::fit(calibration)?.cut(alpha)?),
            Self::FalseDiscovery { alpha } => {
                let benign = Conformal::fit(calibration)?;
                let cut = benign.cut(alpha)?;
                Ok(Threshold { cut, batch: Some(Box::new(FalseDiscovery { benign, alpha })) })
            }
            Self::PeaksOverThreshold { q, level } => {
                check(q > 0.0 && q < 1.0, "q", "greater than 0 and less than 1")?;
                check((0.0..1.0).contains(&level), "level", "at least 0 and less than 1")?;
                check_scores(calibration)?;
                let mut ascending = calibration.to_vec();
                ascending.sort_unstable_by(f64::total_cmp);
                alone(peaks::cut(&ascending, q, level).ok_or(ThresholdError::NoScores)?)
            }
        }
    }

    /// The limit that this policy draws from `training_scores`, which it may reorder: [`Threshold::cut`] of
    /// [`Self::fit`], without the batch. `None` if it needs scores and there are none.
    ///
    /// For a quantile only the two order statistics that it lies between are selected, in linear time; the result is
    /// that of [`maths::quantile_sorted`] over the sorted scores, to the bit.
    ///
    /// # Panics
    /// If a parameter lies outside its range: a scenario is checked before it runs.
    ///
    /// ```
    /// use phalanx_detect::ThresholdPolicy;
    /// let policy = ThresholdPolicy::Quantile { contamination: 0.25 };
    /// assert_eq!(policy.threshold(&mut [0.4, 0.1, 0.3, 0.2, 0.5]), Some(0.4));
    /// assert_eq!(policy.threshold(&mut []), None);
    /// ```
    #[must_use]
    pub fn threshold(&self, training_scores: &mut [f64]) -> Option<f64> {
        match *self {
            Self::Fixed(threshold) => Some(threshold),
            Self::Quantile { contamination } => quantile(training_scores, 1.0 - contamination),
            _ => match self.fit(training_scores) {
                Ok(threshold) => Some(threshold.cut),
                Err(ThresholdError::NoScores) => None,
                Err(error) => panic!("{error}"),
            },
        }
    }
}

/// [`maths::quantile_sorted`] without sorting everything.
fn quantile(scores: &mut [f64], q: f64) -> Option<f64> {
    assert!((0.0..=1.0).contains(&q), "contamination is a share: set it between 0 and 1");
    let last = scores.len().checked_sub(1)?;
    let position = q * last as f64;
    let below = position as usize;
    let (_, low, above) = scores.select_nth_unstable_by(below, f64::total_cmp);
    let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(*low);
    // Two values whose own quantile is the one asked for: the same formula, kept in one place.
    maths::quantile_sorted(&[*low, high], position - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_core::{Purpose, Streams, Tick};

    #[test]
    fn selection_equals_sorting() {
        let mut rng = Streams::from_seed(3).stream(Purpose::Model, 0, Tick(0));
        for count in [1usize, 2, 3, 10, 999, 1000] {
            // Coarse values, so that ties are common.
            let scores: Vec<f64> = (0..count).map(|_| f64::from(rng.below(50)) / 50.0).collect();
            let mut sorted = scores.clone();
            sorted.sort_by(f64::total_cmp);
            for contamination in [0.0, 0.001, 0.05, 0.1, 0.5, 0.9999, 1.0] {
                let got = ThresholdPolicy::Quantile { contamination }.threshold(&mut scores.clone());
                let expected = maths::quantile_sorted(&sorted, 1.0 - contamination);
                assert_eq!(got.map(f64::to_bits), expected.map(f64::to_bits), "{count} at {contamination}");
            }
        }
    }

    #[test]
    fn contamination_flags_that_share() {
        let mut scores: Vec<f64> = (0..1000).map(|i| f64::from(i * 7919 % 1000) / 1000.0).collect();
        let threshold = ThresholdPolicy::Quantile { contamination: 0.05 }.threshold(&mut scores).unwrap();
        assert_eq!(scores.iter().filter(|s| **s > threshold).count(), 50);
        // numpy.percentile(-scores, 5) of the same scores is -0.94905.
        assert!((threshold - 0.949_05).abs() < 1e-12);
    }

    #[test]
    fn equal_scores_flag_nothing() {
        let threshold = ThresholdPolicy::Quantile { contamination: 0.05 }.threshold(&mut [0.5; 20]).unwrap();
        assert_eq!(threshold, 0.5);
    }

    #[test]
    fn fixed_needs_no_scores() {
        assert_eq!(ThresholdPolicy::Fixed(0.6).threshold(&mut []), Some(0.6));
    }

    #[test]
    fn fitting_and_the_plain_threshold_agree() {
        let mut rng = Streams::from_seed(4).stream(Purpose::Model, 0, Tick(0));
        let scores: Vec<f64> = (0..2000).map(|_| rng.uniform()).collect();
        for policy in [
            ThresholdPolicy::Fixed(0.7),
            ThresholdPolicy::Quantile { contamination: 0.03 },
            ThresholdPolicy::Conformal { alpha: 0.03 },
            ThresholdPolicy::FalseDiscovery { alpha: 0.03 },
            ThresholdPolicy::PeaksOverThreshold { q: 0.001, level: 0.9 },
        ] {
            let fitted = policy.fit(&scores).unwrap();
            assert_eq!(policy.threshold(&mut scores.clone()), Some(fitted.cut()), "{policy:?}");
            // A batch of one is judged by the cut.
            let mut flags = Vec::new();
            for score in [0.1, 0.5, 0.7, 0.97, 0.9999, 1.0, 2.0] {
                fitted.flag(&[score], &mut flags);
                assert_eq!(flags, [score > fitted.cut()], "{score} by {policy:?}");
            }
            fitted.flag(&[f64::NAN, f64::INFINITY], &mut flags);
            assert_eq!(flags, [false, true], "{policy:?}");
        }
    }

    #[test]
    fn broken_input_is_an_error() {
        let conformal = ThresholdPolicy::Conformal { alpha: 0.1 };
        assert_eq!(conformal.fit(&[]), Err(ThresholdError::NoScores));
        assert_eq!(conformal.threshold(&mut []), None);
        assert_eq!(conformal.fit(&[0.1, f64::NAN]), Err(ThresholdError::NotAScore { index: 1 }));
        for policy in [
            ThresholdPolicy::Fixed(f64::NAN),
            ThresholdPolicy::Quantile { contamination: 1.1 },
            ThresholdPolicy::Conformal { alpha: -0.1 },
            ThresholdPolicy::FalseDiscovery { alpha: f64::NAN },
            ThresholdPolicy::PeaksOverThreshold { q: 0.0, level: 0.98 },
            ThresholdPolicy::PeaksOverThreshold { q: 0.1, level: 1.0 },
        ] {
            assert!(matches!(policy.fit(&[0.5]), Err(ThresholdError::Parameter { .. })), "{policy:?}");
        }
    }
}
