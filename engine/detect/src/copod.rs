//! COPOD: tail probabilities of every feature, the tail chosen by the feature's skew.

use phalanx_core::{AgentMix, maths};
use serde::{Deserialize, Serialize};

use crate::detector::{RawScorer, column, finish, mapped_scores, raw_scores, training_rows, unit};
use crate::ecod::surprises;
use crate::state;
use crate::tails::Tails;
use crate::{DetectError, Detector};

/// COPOD (Li, Zhao, Botta, Ionescu, Hu: "COPOD", ICDM 2020), scored against the training rows only.
///
/// With `l` and `r` as in [`crate::Ecod`], a feature contributes `max(skewed, (-ln l - ln r) / 2)`, where `skewed` is
/// `-ln l` for a feature skewed to the left, `-ln r` for one skewed to the right and their sum without skew: the
/// formulas of PyOD. There `decision_function` pools the rows to be scored with the training rows, skewness and all;
/// here skewness is that of the training rows, and a row counts itself once, as it does in a pool of one.
///
/// The score is `raw / (1 + raw)`; see [`crate::Ecod`].
///
/// ```
/// use phalanx_detect::{Copod, Detector};
/// // Skewed to the right: large values count, small ones only half.
/// let detector = Copod::fit(&[1.0, 1.0, 1.0, 2.0, 9.0], 1)?;
/// let mut scores = Vec::new();
/// detector.score(&[0.0, 1.0, 20.0], &mut scores)?;
/// assert!(scores[2] > scores[0] && scores[0] > scores[1]);
/// # Ok::<(), phalanx_detect::DetectError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Copod {
    features: Vec<(Tails, Skew)>,
}

/// Which side the long tail of a feature is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Skew {
    Left,
    None,
    Right,
}

impl Copod {
    /// Learns `rows`: row-major, `n × width`.
    ///
    /// # Errors
    /// No rows, no features, a ragged length, or a value that is not finite.
    pub fn fit(rows: &[f32], width: usize) -> Result<Self, DetectError> {
        training_rows(rows, width)?;
        let fit = |feature| {
            let values: Vec<f64> = column(rows, width, feature).map(f64::from).collect();
            (Tails::of(column(rows, width, feature)), Skew::of(values))
        };
        Ok(Self { features: (0..width).map(fit).collect() })
    }

    /// The sum of every row's contributions, in nats.
    ///
    /// # Errors
    /// A ragged length or a value that is not finite.
    pub fn raw_score(&self, rows: &[f32]) -> Result<Vec<f64>, DetectError> {
        raw_scores(self, rows)
    }
}

impl RawScorer for Copod {
    fn raw_into(&self, rows: &[f32], raw: &mut Vec<f64>) -> Result<(), DetectError> {
        let width = self.width();
        let share = 1.0 / (self.features[0].0.count() + 1) as f64;
        surprises(rows, width, raw, |surprises, block| {
            for (feature, (tails, skew)) in self.features.iter().enumerate() {
                for (surprise, x) in surprises.iter_mut().zip(column(block, width, feature)) {
                    let (at_most, at_least) = tails.counts(x);
                    surprise.add(skew.weigh((at_most + 1) as f64 * share, (at_least + 1) as f64 * share));
                }
            }
        });
        Ok(())
    }
}

impl Skew {
    /// Sign of the third central moment.
    fn of(mut values: Vec<f64>) -> Self {
        let origin = values[0];
        values.iter_mut().for_each(|v| *v -= origin);
        let mean = maths::sum(&values) / values.len() as f64;
        values.iter_mut().for_each(|v| *v = (*v - mean) * (*v - mean) * (*v - mean));
        let third = maths::sum(&values);
        if third < 0.0 {
            Self::Left
        } else if third > 0.0 {
            Self::Right
        } else {
            Self::None
        }
    }

    /// The probability whose `-ln` is the feature's contribution: the smaller of the skewed one and the geometric
    /// mean of both.
    fn weigh(self, left: f64, right: f64) -> f64 {
        let skewed = match self {
            Self::Left => left,
            Self::Right => right,
            Self::None => return left * right,
        };
        skewed.min((left * right).sqrt())
    }
}

impl Detector for Copod {
    fn width(&self) -> usize {
        self.features.len()
    }

    fn score(&self, rows: &[f32], scores: &mut Vec<f64>) -> Result<(), DetectError> {
        mapped_scores(self, rows, scores, unit)
    }

    fn digest(&self) -> u64 {
        let mut mix = AgentMix::new(0);
        for (tails, skew) in &self.features {
            tails.digest(&mut mix);
            mix.word(*skew as u64);
        }
        finish(mix)
    }

    fn save(&self) -> Vec<u8> {
        state::save(self)
    }
}

impl Copod {
    /// Whether every field is one that a fit gives.
    fn is_sound(&self) -> bool {
        let count = self.features.first().map_or(0, |(tails, _)| tails.count());
        count > 0 && self.features.iter().all(|(tails, _)| tails.is_sound() && tails.count() == count)
    }
}

state::plain_state!(Copod, Copod, "Detector::save");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contributions_by_hand() {
        // n = 3: 0 0 3 is skewed to the right, its negative to the left, 0 1 2 is not skewed.
        let rows = [0.0, 0.0, 0.0, 0.0, -0.0, 1.0, 3.0, -3.0, 2.0];
        let detector = Copod::fit(&rows, 3).unwrap();
        let skews: Vec<_> = detector.features.iter().map(|(_, skew)| *skew).collect();
        assert_eq!(skews, [Skew::Right, Skew::Left, Skew::None]);

        let contribution = |feature: usize, x: f32| {
            let mut row = [0.0, 0.0, 1.0];
            let base = detector.raw_score(&row).unwrap()[0];
            row[feature] = x;
            detector.raw_score(&row).unwrap()[0] - base
        };
        // At rest: l r = 3/4 · 1 twice under a root (r = 1, l = 1 alone would give 0), and 3/4 · 3/4.
        let root = 0.75f64.sqrt();
        let check = |feature, x, probability: f64, rest: f64| {
            let expected = -libm::log(probability) + libm::log(rest);
            assert!((contribution(feature, x) - expected).abs() < 1e-14, "feature {feature} at {x}");
        };
        check(0, 3.0, 0.5, root);
        check(0, 4.0, 0.25, root);
        check(0, -1.0, 0.25f64.sqrt(), root);
        check(1, -4.0, 0.25, root);
        check(1, 1.0, 0.25f64.sqrt(), root);
        check(2, 9.0, 0.25, 0.5625);
    }

    #[test]
    fn a_constant_feature_says_nothing_at_its_value() {
        let detector = Copod::fit(&[0.1; 7], 1).unwrap();
        let raw = detector.raw_score(&[0.1, 0.2]).unwrap();
        assert_eq!(raw[0], 0.0);
        assert!((raw[1] - libm::log(8.0)).abs() < 1e-14);
    }

    #[test]
    fn the_skew_of_extremes_is_finite() {
        let detector = Copod::fit(&[f32::MAX, f32::MIN, f32::MAX], 1).unwrap();
        assert_eq!(detector.features[0].1, Skew::Left);
    }
}
