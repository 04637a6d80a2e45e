//! The baseline: how many standard deviations is the farthest feature away from its mean?

use phalanx_core::{AgentMix, maths};
use serde::{Deserialize, Serialize};

use crate::detector::{check_finite, row_count};
use crate::state;
use crate::{DetectError, Detector};

/// Mean and standard deviation of every feature; a row's score comes from its largest |z|.
///
/// `score = z / (1 + z)` with `z = max_j |x_j - mean_j| / sd_j`. The map is strictly increasing and keeps far values
/// apart where a tail probability would not: `2 Φ(z) - 1` is 1.0 in double precision from z = 9 on, while here z = 9
/// gives 0.9 and z = 1e6 still differs from z = 1e6 + 1. A score back to z is `s / (1 - s)`; "3 sigma" is 0.75.
///
/// A feature that did not vary in training (sd 0) has z = 0 at its mean and z = ∞ (score 1) anywhere else. It follows
/// that the mean of equal values must be that value exactly, which it is: see [`Self::fit`].
///
/// ```
/// use phalanx_detect::{Detector, ZScore};
/// let detector = ZScore::fit(&[-1.0, 7.0, 1.0, 7.0], 2)?;
/// let mut scores = Vec::new();
/// detector.score(&[0.0, 7.0, 3.0, 7.0, 0.0, 7.5], &mut scores)?;
/// assert_eq!(scores, [0.0, 0.75, 1.0]);
/// # Ok::<(), phalanx_detect::DetectError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ZScore {
    features: Vec<Moments>,
}

/// What is known of one feature.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Moments {
    mean: f64,
    sd: f64,
}

impl ZScore {
    /// Takes mean and population standard deviation of every feature of `rows`: row-major, `n × width`.
    ///
    /// Deviations are summed from the first row's value, so that a large offset costs no precision and a constant
    /// feature has exactly its value as mean and exactly 0 as deviation.
    ///
    /// # Errors
    /// No rows, no features, a ragged length, or a value that is not finite.
    pub fn fit(rows: &[f32], width: usize) -> Result<Self, DetectError> {
        let count = row_count(rows, width)?;
        if count == 0 {
            return Err(DetectError::NoRows);
        }
        check_finite(rows, width)?;
        let features = (0..width).map(|column| {
            let origin = f64::from(rows[column]);
            let mut deviations: Vec<f64> =
                rows.chunks_exact(width).map(|row| f64::from(row[column]) - origin).collect();
            let shift = maths::sum(&deviations) / count as f64;
            deviations.iter_mut().for_each(|d| *d = (*d - shift) * (*d - shift));
            Moments { mean: origin + shift, sd: (maths::sum(&deviations) / count as f64).sqrt() }
        });
        Ok(Self { features: features.collect() })
    }

    /// Mean of a feature in training.
    ///
    /// # Panics
    /// If there is no such feature.
    #[must_use]
    pub fn mean(&self, feature: usize) -> f64 {
        self.features[feature].mean
    }

    /// Population standard deviation of a feature in training.
    ///
    /// # Panics
    /// If there is no such feature.
    #[must_use]
    pub fn sd(&self, feature: usize) -> f64 {
        self.features[feature].sd
    }
}

impl Moments {
    /// Distance from the mean in standard deviations; infinite off the mean of a feature that did not vary.
    fn distance(self, value: f32) -> f64 {
        let off = (f64::from(value) - self.mean).abs();
        if off == 0.0 { 0.0 } else { off / self.sd }
    }
}

impl Detector for ZScore {
    fn width(&self) -> usize {
        self.features.len()
    }

    fn score(&self, rows: &[f32], scores: &mut Vec<f64>) -> Result<(), DetectError> {
        scores.clear();
        let width = self.width();
        row_count(rows, width)?;
        check_finite(rows, width)?;
        scores.extend(rows.chunks_exact(width).map(|row| {
            let distances = self.features.iter().zip(row).map(|(moments, value)| moments.distance(*value));
            let z = distances.fold(0.0, |far: f64, z| if z > far { z } else { far });
            if z == f64::INFINITY { 1.0 } else { z / (1.0 + z) }
        }));
        Ok(())
    }

    fn digest(&self) -> u64 {
        let mut mix = AgentMix::new(0);
        for moments in &self.features {
            mix.float(moments.mean);
            mix.float(moments.sd);
        }
        let digest = mix.finish();
        digest as u64 ^ (digest >> 64) as u64
    }

    fn save(&self) -> Vec<u8> {
        state::save(self)
    }
}

impl ZScore {
    /// Whether every field is one that a fit gives.
    fn is_sound(&self) -> bool {
        let valid = |f: &Moments| f.mean.is_finite() && f.sd.is_finite() && f.sd >= 0.0;
        !self.features.is_empty() && self.features.iter().all(valid)
    }
}

state::plain_state!(ZScore, ZScore, "Detector::save");

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(detector: &ZScore, rows: &[f32]) -> Vec<f64> {
        let mut scores = vec![9.9];
        detector.score(rows, &mut scores).unwrap();
        scores
    }

    #[test]
    fn moments_are_those_of_the_textbook() {
        // Mean 5 and population sd 2: the classic example of eight numbers; shifted far away in the second column.
        let values = [2.0f32, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        let rows: Vec<f32> = values.iter().flat_map(|v| [*v, *v + 1_048_576.0]).collect();
        let detector = ZScore::fit(&rows, 2).unwrap();
        assert_eq!((detector.mean(0), detector.sd(0)), (5.0, 2.0));
        assert_eq!((detector.mean(1), detector.sd(1)), (1_048_581.0, 2.0));
        assert_eq!(scores(&detector, &[5.0, 1_048_581.0]), [0.0]);
        assert_eq!(scores(&detector, &[7.0, 1_048_581.0, 5.0, 1_048_577.0]), [0.5, 2.0 / 3.0]);
    }

    #[test]
    fn far_values_stay_apart() {
        let detector = ZScore::fit(&[-1.0, 1.0], 1).unwrap();
        let scores = scores(&detector, &[8.0, 9.0, 10.0, 1e6, 1e6 + 1.0]);
        assert!(scores.is_sorted_by(|a, b| a < b), "{scores:?}");
    }

    #[test]
    fn a_constant_feature_knows_only_itself() {
        let detector = ZScore::fit(&[0.1; 7], 1).unwrap();
        assert_eq!((detector.mean(0), detector.sd(0)), (f64::from(0.1f32), 0.0));
        assert_eq!(scores(&detector, &[0.1, 0.100_000_01, -5.0]), [0.0, 1.0, 1.0]);
    }

    #[test]
    fn extremes_do_not_overflow() {
        let detector = ZScore::fit(&[f32::MAX, f32::MIN, f32::MAX], 1).unwrap();
        assert!(scores(&detector, &[f32::MAX, f32::MIN, 0.0]).iter().all(|s| (0.0..=1.0).contains(s)));
        let tiny = ZScore::fit(&[0.0, f32::from_bits(1)], 1).unwrap();
        assert!(scores(&tiny, &[f32::MAX, f32::MIN, 0.0]).iter().all(|s| (0.0..=1.0).contains(s)));
    }

    #[test]
    fn broken_input_is_an_error() {
        assert_eq!(ZScore::fit(&[], 2), Err(DetectError::NoRows));
        assert_eq!(ZScore::fit(&[1.0], 2), Err(DetectError::Ragged { length: 1, width: 2 }));
        assert_eq!(ZScore::fit(&[1.0], 0), Err(DetectError::NoFeatures));
        assert_eq!(ZScore::fit(&[1.0, f32::NAN], 1), Err(DetectError::NotFinite { row: 1, column: 0 }));
        let detector = ZScore::fit(&[1.0, 2.0], 2).unwrap();
        let mut scores = vec![1.0];
        let error = detector.score(&[0.0, 0.0, 0.0, f32::INFINITY], &mut scores);
        assert_eq!((error, scores.len()), (Err(DetectError::NotFinite { row: 1, column: 1 }), 0));
    }

    #[test]
    fn digests_tell_models_apart() {
        let digest = |rows: &[f32], width| ZScore::fit(rows, width).unwrap().digest();
        assert_eq!(digest(&[1.0, 2.0], 1), digest(&[2.0, 1.0], 1));
        assert_ne!(digest(&[1.0, 2.0], 1), digest(&[1.0, 2.5], 1));
        assert_ne!(digest(&[1.0, 2.0], 1), digest(&[1.0, 2.0], 2));
    }
}
