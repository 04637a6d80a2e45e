//! Mahalanobis distance: z-scores that know which features move together.

use nalgebra::Cholesky;
use serde::{Deserialize, Serialize};

use crate::covariance::{Directions, products};
use crate::detector::{RawScorer, check_parameter, mapped_scores, raw_scores, training_rows, unit_log};
use crate::scaling::Scaler;
use crate::state;
use crate::{DetectError, Detector, Scaling};

/// Parameters of a [`Mahalanobis`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MahalanobisConfig {
    /// Added to the diagonal of the correlation matrix, in `[1e-9, 1e9]`. It bounds how much a combination of features
    /// that did not vary in training can count: by at most `1 / √ridge` for a standard deviation.
    pub ridge: f64,
}

impl Default for MahalanobisConfig {
    fn default() -> Self {
        Self { ridge: 1e-3 }
    }
}

/// Mahalanobis distance to the training mean, `√(zᵀ (R + ridge · I)⁻¹ z)`, with `z` the standardised row and `R` the
/// correlation matrix of the training rows.
///
/// Fitting takes `rows × width² + width³` steps, scoring `width² / 2` a row.
///
/// Standardising first makes the ridge mean the same for every unit. The score is `u / (1 + u)` with
/// `u = ln(1 + distance)`, which keeps any two distances apart.
///
/// ```
/// use phalanx_detect::{Detector, Mahalanobis, MahalanobisConfig};
/// // Two features that rise together: (1, -1) is stranger than (2, 2).
/// let rows = [-1.0, -1.0, 0.0, 0.0, 1.0, 1.0];
/// let detector = Mahalanobis::fit(&rows, 2, &MahalanobisConfig::default())?;
/// let distance = detector.distance(&[1.0, -1.0, 2.0, 2.0])?;
/// assert!(distance[0] > 10.0 * distance[1]);
/// # Ok::<(), phalanx_detect::DetectError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mahalanobis {
    /// Inverse of the lower Cholesky factor; its product with a standardised row has the distance as norm.
    whiten: Directions,
}

impl Mahalanobis {
    /// Takes means, deviations and correlations of `rows`: row-major, `n × width`.
    ///
    /// # Errors
    /// No rows, no features, a ragged length, a value that is not finite, or a parameter outside its range.
    pub fn fit(rows: &[f32], width: usize, config: &MahalanobisConfig) -> Result<Self, DetectError> {
        check_parameter((1e-9..=1e9).contains(&config.ridge), "ridge", "between 1e-9 and 1e9")?;
        training_rows(rows, width)?;
        let scaler = Scaler::fit(Scaling::Standard, rows, width);
        let correlations = products(&scaler, rows, width);
        // Rounding may leave an eigenvalue below -ridge if there are very many features; a larger ridge mends that.
        let mut ridge = config.ridge;
        let factor = loop {
            let mut ridged = correlations.clone();
            (0..width).for_each(|i| ridged[(i, i)] += ridge);
            match Cholesky::new(ridged) {
                Some(factor) => break factor.unpack(),
                None => ridge *= 10.0,
            }
        };
        let mut whiten = vec![0.0; width * width];
        for column in 0..width {
            // Forward substitution against a unit vector gives a column of the inverse.
            for i in column..width {
                let unit = if i == column { 1.0 } else { 0.0 };
                let known = (column..i).fold(0.0, |sum, k| sum + factor[(i, k)] * whiten[k * width + column]);
                whiten[i * width + column] = (unit - known) / factor[(i, i)];
            }
        }
        Ok(Self { whiten: Directions { scaler, width, lines: whiten } })
    }

    /// Distance of every row to the training mean, in standard deviations.
    ///
    /// # Errors
    /// A ragged length or a value that is not finite.
    pub fn distance(&self, rows: &[f32]) -> Result<Vec<f64>, DetectError> {
        raw_scores(self, rows)
    }
}

impl RawScorer for Mahalanobis {
    fn raw_into(&self, rows: &[f32], raw: &mut Vec<f64>) -> Result<(), DetectError> {
        // A triangle: the i-th direction ends with feature i.
        self.whiten.norms(rows, raw, |i| i + 1);
        Ok(())
    }
}

impl Detector for Mahalanobis {
    fn width(&self) -> usize {
        self.whiten.width
    }

    fn score(&self, rows: &[f32], scores: &mut Vec<f64>) -> Result<(), DetectError> {
        mapped_scores(self, rows, scores, unit_log)
    }

    fn digest(&self) -> u64 {
        self.whiten.digest()
    }

    fn save(&self) -> Vec<u8> {
        state::save(self)
    }
}

impl Mahalanobis {
    /// Whether every field is one that a fit gives.
    fn is_sound(&self) -> bool {
        let Directions { width, lines, .. } = &self.whiten;
        self.whiten.is_sound() && lines.len() == width * width
    }
}

state::plain_state!(Mahalanobis, Mahalanobis, "Detector::save");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_correlated_features_by_hand() {
        let rows = [1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, 1.0];
        let detector = Mahalanobis::fit(&rows, 2, &MahalanobisConfig { ridge: 1e-9 }).unwrap();
        // x has mean 0 and deviation 1, y has mean 1/2 and deviation √3/2; r = E[xy] / sd_y = (1/2) / (√3/2) = 1/√3.
        let r = 1.0 / 3f64.sqrt();
        for (x, y) in [(1.0f32, 0.5f32), (0.0, 2.0), (-3.0, 1.25)] {
            let (zx, zy) = (f64::from(x), (f64::from(y) - 0.5) / (0.75f64).sqrt());
            let expected = ((zx * zx - 2.0 * r * zx * zy + zy * zy) / (1.0 - r * r)).sqrt();
            let got = detector.distance(&[x, y]).unwrap()[0];
            assert!((got - expected).abs() < 1e-6 * (1.0 + expected), "{got} against {expected}");
        }
    }

    #[test]
    fn alone_a_feature_is_a_z_score() {
        let detector = Mahalanobis::fit(&[-2.0, 2.0], 1, &MahalanobisConfig { ridge: 1e-9 }).unwrap();
        assert!((detector.distance(&[6.0]).unwrap()[0] - 3.0).abs() < 1e-8);
    }

    #[test]
    fn what_never_varied_is_held_by_the_ridge() {
        // A constant feature: one unit off is 1/√ridge.
        let detector = Mahalanobis::fit(&[7.0; 5], 1, &MahalanobisConfig { ridge: 1e-4 }).unwrap();
        let distance = detector.distance(&[7.0, 8.0, f32::MAX]).unwrap();
        assert_eq!(distance[0], 0.0);
        assert!((distance[1] - 100.0).abs() < 1e-9 && distance[2] > 1e16);
        // Copies of a feature.
        let rows: Vec<f32> = (0..20u8).flat_map(|i| [f32::from(i); 30]).collect();
        let copies = Mahalanobis::fit(&rows, 30, &MahalanobisConfig { ridge: 1e-9 }).unwrap();
        assert!(copies.distance(&[9.5; 30]).unwrap()[0] < 1e-6);
    }

    #[test]
    fn the_ridge_has_a_range() {
        for ridge in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Mahalanobis::fit(&[1.0], 1, &MahalanobisConfig { ridge }).is_err());
        }
    }
}
