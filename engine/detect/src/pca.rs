//! Principal components: how much of a row do the directions miss that explain the training rows?

use nalgebra::SymmetricEigen;
use serde::{Deserialize, Serialize};

use crate::covariance::{Directions, products};
use crate::detector::{RawScorer, check_parameter, mapped_scores, raw_scores, training_rows, unit_log};
use crate::scaling::Scaler;
use crate::state;
use crate::{DetectError, Detector, Scaling};

/// Parameters of a [`Pca`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PcaConfig {
    /// Share of the variance that the kept components explain at least, in `[0, 1]`. One component is always left
    /// out, or there would be no error to speak of.
    pub explained: f64,
}

impl Default for PcaConfig {
    fn default() -> Self {
        Self { explained: 0.9 }
    }
}

/// Reconstruction error under principal components of the standardised features.
///
/// Fitting takes `rows × width²` and some `10 · width³` steps, scoring `width` for every component left out.
///
/// The error is the norm of what projection onto the kept components loses (Shyu et al. 2003 sum it weighted), taken
/// straight from the components that were left out: no difference of large numbers. The score is `u / (1 + u)` with
/// `u = ln(1 + error)`, which keeps any two errors apart.
///
/// Fitted to contaminated rows it is weak: outliers that pull a component towards them are reconstructed by it. Over the
/// ten ADBench sets, unsupervised, its mean ROC-AUC is .658, on each set that of scikit-learn 1.9.1 (`StandardScaler`,
/// `PCA`, norm of the reconstruction error) to four digits.
///
/// ```
/// use phalanx_detect::{Detector, Pca, PcaConfig};
/// // Two features that rise together: what is off the diagonal is lost.
/// let rows = [-1.0, -1.0, 0.0, 0.0, 1.0, 1.0];
/// let detector = Pca::fit(&rows, 2, &PcaConfig::default())?;
/// let error = detector.error(&[5.0, 5.0, 1.0, -1.0])?;
/// assert!(error[0] < 1e-12 && (error[1] - 3f64.sqrt()).abs() < 1e-12);
/// # Ok::<(), phalanx_detect::DetectError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pca {
    /// Components that were left out, one after the other.
    lost: Directions,
}

impl Pca {
    /// Finds the components of `rows`: row-major, `n × width`.
    ///
    /// # Errors
    /// No rows, no features, a ragged length, a value that is not finite, or a parameter outside its range.
    pub fn fit(rows: &[f32], width: usize, config: &PcaConfig) -> Result<Self, DetectError> {
        check_parameter((0.0..=1.0).contains(&config.explained), "explained", "between 0 and 1")?;
        training_rows(rows, width)?;
        let scaler = Scaler::fit(Scaling::Standard, rows, width);
        let eigen = SymmetricEigen::new(products(&scaler, rows, width));
        let mut order: Vec<usize> = (0..width).collect();
        order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
        let total = order.iter().fold(0.0, |sum, i| sum + eigen.eigenvalues[*i]);
        let (mut kept, mut explained) = (0, 0.0);
        while kept + 1 < width && explained < config.explained * total {
            explained += eigen.eigenvalues[order[kept]];
            kept += 1;
        }
        let lost = order[kept..]
            .iter()
            .flat_map(|i| eigen.eigenvectors.column(*i).iter().copied().collect::<Vec<_>>());
        Ok(Self { lost: Directions { lines: lost.collect(), scaler, width } })
    }

    /// Components that are kept.
    #[must_use]
    pub fn components(&self) -> usize {
        self.lost.width - self.lost.lines.len() / self.lost.width
    }

    /// Norm of what every row loses, in standard deviations of the features.
    ///
    /// # Errors
    /// A ragged length or a value that is not finite.
    pub fn error(&self, rows: &[f32]) -> Result<Vec<f64>, DetectError> {
        raw_scores(self, rows)
    }
}

impl RawScorer for Pca {
    fn raw_into(&self, rows: &[f32], raw: &mut Vec<f64>) -> Result<(), DetectError> {
        self.lost.norms(rows, raw, |_| self.lost.width);
        Ok(())
    }
}

impl Detector for Pca {
    fn width(&self) -> usize {
        self.lost.width
    }

    fn score(&self, rows: &[f32], scores: &mut Vec<f64>) -> Result<(), DetectError> {
        mapped_scores(self, rows, scores, unit_log)
    }

    fn digest(&self) -> u64 {
        self.lost.digest()
    }

    fn save(&self) -> Vec<u8> {
        state::save(self)
    }
}

impl Pca {
    /// Whether every field is one that a fit gives.
    fn is_sound(&self) -> bool {
        let Directions { width, lines, .. } = &self.lost;
        self.lost.is_sound() && !lines.is_empty() && lines.len() <= width * width
    }
}

state::plain_state!(Pca, Pca, "Detector::save");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plane_in_space_is_kept() {
        // x and y are independent, z is their sum: two components explain everything.
        let rows: Vec<f32> = [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)]
            .iter()
            .flat_map(|(x, y)| [*x, *y, x + y])
            .collect();
        let detector = Pca::fit(&rows, 3, &PcaConfig { explained: 0.999 }).unwrap();
        assert_eq!(detector.components(), 2);
        let error = detector.error(&[3.0, -2.0, 1.0, 0.0, 0.0, 2f32.sqrt()]).unwrap();
        // Standardised z is (x + y) / √2; the lost direction is (1, 1, -√2) / 2.
        assert!(error[0] < 1e-7, "{error:?}");
        assert!((error[1] - 2f64.sqrt() / 2.0).abs() < 1e-7, "{error:?}");
    }

    #[test]
    fn one_component_is_always_lost() {
        let detector = Pca::fit(&[-1.0, 1.0], 1, &PcaConfig { explained: 1.0 }).unwrap();
        assert_eq!((detector.components(), detector.error(&[3.0]).unwrap()), (0, vec![3.0]));
        let none = Pca::fit(&[7.0; 6], 2, &PcaConfig::default()).unwrap();
        assert_eq!(none.error(&[7.0, 7.0]).unwrap(), [0.0]);
        assert!(Pca::fit(&[1.0], 1, &PcaConfig { explained: 1.1 }).is_err());
    }
}
