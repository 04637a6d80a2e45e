//! Mahalanobis distance: z-scores that know which features move together.

use nalgebra::Cholesky;
use phalanx_core::AgentMix;

use crate::covariance::products;
use crate::detector::{check_finite, check_parameter, finish, row_count, training_rows, unit_log};
use crate::scaling::Scaler;
use crate::{DetectError, Detector, Scaling};

/// Parameters of a [`Mahalanobis`].
#[derive(Clone, Copy, Debug, PartialEq)]
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
#[derive(Clone, Debug, PartialEq)]
pub struct Mahalanobis {
    scaler: Scaler,
    width: usize,
    /// Inverse of the lower Cholesky factor, row-major; its product with a standardised row has the distance as norm.
    whiten: Vec<f64>,
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
        Ok(Self { scaler, width, whiten })
    }

    /// Distance of every row to the training mean, in standard deviations.
    ///
    /// # Errors
    /// A ragged length or a value that is not finite.
    pub fn distance(&self, rows: &[f32]) -> Result<Vec<f64>, DetectError> {
        let mut distances = Vec::new();
        self.score_with(rows, &mut distances, |distance| distance)?;
        Ok(distances)
    }

    fn score_with(
        &self,
        rows: &[f32],
        scores: &mut Vec<f64>,
        map: impl Fn(f64) -> f64,
    ) -> Result<(), DetectError> {
        scores.clear();
        row_count(rows, self.width)?;
        check_finite(rows, self.width)?;
        let mut scaled = vec![0.0; self.width];
        scores.extend(rows.chunks_exact(self.width).map(|row| {
            self.scaler.scale(row, &mut scaled);
            let lines = self.whiten.chunks_exact(self.width).enumerate();
            map(sum_of_squares(lines.map(|(i, line)| dot(&line[..=i], &scaled[..=i]))).sqrt())
        }));
        Ok(())
    }
}

/// Four running sums: a fixed order that does not wait for each addition.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0f64; 4];
    let (fours_a, fours_b) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest = fours_a.remainder().iter().zip(fours_b.remainder()).fold(0.0, |sum, (x, y)| sum + x * y);
    for (x, y) in fours_a.zip(fours_b) {
        for lane in 0..4 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

pub(crate) fn sum_of_squares(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |sum, x| sum + x * x)
}

impl Detector for Mahalanobis {
    fn width(&self) -> usize {
        self.width
    }

    fn score(&self, rows: &[f32], scores: &mut Vec<f64>) -> Result<(), DetectError> {
        self.score_with(rows, scores, unit_log)
    }

    fn digest(&self) -> u64 {
        let mut mix = AgentMix::new(self.width as u32);
        self.scaler.digest(&mut mix);
        self.whiten.iter().for_each(|x| mix.float(*x));
        finish(mix)
    }
}

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
