//! What control charts measure against.

use serde::{Deserialize, Serialize};

use crate::detector::check_parameter;
use crate::{DetectError, ZScore};

/// Deviations beyond this many sigmas count as this many: a chart keeps sums, and infinity would never leave them.
pub(super) const SIGMAS_MAX: f64 = 1e9;

/// Mean and standard deviation that a process has while nothing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Mean, finite.
    pub mean: f64,
    /// Standard deviation, finite and not negative. 0 for a feature that never varies: any other value is then
    /// infinitely far off, which charts count as 1e9 sigmas.
    pub sd: f64,
}

impl Baseline {
    /// The baselines of every feature of `rows`, as [`ZScore::fit`] takes them.
    pub(super) fn of(rows: &[f32], width: usize) -> Result<Vec<Self>, DetectError> {
        let moments = ZScore::fit(rows, width)?;
        Ok((0..width).map(|i| Self { mean: moments.mean(i), sd: moments.sd(i) }).collect())
    }

    pub(super) fn check(baselines: &[Self]) -> Result<(), DetectError> {
        if baselines.is_empty() {
            return Err(DetectError::NoFeatures);
        }
        check_parameter(baselines.iter().all(|b| b.mean.is_finite()), "mean", "finite")?;
        let valid = |sd: f64| sd.is_finite() && sd >= 0.0;
        check_parameter(baselines.iter().all(|b| valid(b.sd)), "sd", "finite and not negative")
    }

    /// Deviation from the mean in standard deviations.
    pub(super) fn sigmas(self, value: f32) -> f64 {
        let off = f64::from(value) - self.mean;
        if off == 0.0 { 0.0 } else { (off / self.sd).clamp(-SIGMAS_MAX, SIGMAS_MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sigmas_are_finite() {
        let flat = Baseline { mean: 1.0, sd: 0.0 };
        assert_eq!([flat.sigmas(1.0), flat.sigmas(2.0), flat.sigmas(-2.0)], [0.0, 1e9, -1e9]);
        let wide = Baseline { mean: 0.0, sd: 1e-300 };
        assert_eq!(wide.sigmas(f32::MAX), 1e9);
    }

    #[test]
    fn baselines_are_checked() {
        assert_eq!(Baseline::check(&[]), Err(DetectError::NoFeatures));
        assert!(Baseline::check(&[Baseline { mean: 0.0, sd: 0.0 }]).is_ok());
        assert!(Baseline::check(&[Baseline { mean: f64::NAN, sd: 1.0 }]).is_err());
        assert!(Baseline::check(&[Baseline { mean: 0.0, sd: -1.0 }]).is_err());
        assert!(Baseline::check(&[Baseline { mean: 0.0, sd: f64::INFINITY }]).is_err());
    }
}
