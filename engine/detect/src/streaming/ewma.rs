//! Exponentially weighted moving average per feature (Roberts 1959): small shifts add up, old rows fade.

use phalanx_core::AgentMix;
use serde::{Deserialize, Serialize};

use super::chart::SIGMAS_MAX;
use super::{Baseline, StreamingDetector};
use crate::detector::{RawScorer, check_parameter, checked_rows, finish, mapped_scores, unit};
use crate::state;
use crate::{DetectError, Detector};

/// Memory of the average.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EwmaConfig {
    /// Weight of the newest row, in `(0, 1]`. 1 forgets everything: the plain Shewhart chart.
    pub lambda: f64,
}

impl Default for EwmaConfig {
    /// 0.2, in the middle of what Montgomery (2009, ch. 9) recommends.
    fn default() -> Self {
        Self { lambda: 0.2 }
    }
}

/// Moving averages of standardised features: `Z ← (1 - λ) Z + λ z`.
///
/// A row's score says where the averages would be after it: with `d` the largest `|Z| / sd(Z)` over the features,
/// `score = d / (1 + d)`. The deviation is the exact one for the rows seen so far, `λ / (2 - λ) · (1 - (1 - λ)^2t)`
/// (Montgomery 2009, eq. 9.25), so that the first rows are not over-trusted. "3 sigma" is 0.75, as for
/// [`ZScore`](crate::ZScore).
///
/// ```
/// use phalanx_detect::{Baseline, Detector, Ewma, EwmaConfig, StreamingDetector};
/// let mut chart = Ewma::new(vec![Baseline { mean: 10.0, sd: 2.0 }], EwmaConfig { lambda: 0.5 })?;
/// let mut scores = Vec::new();
/// chart.score_then_update(&[14.0; 6], &mut scores)?;
/// assert_eq!(scores[0], 2.0 / 3.0);
/// assert!(scores.is_sorted() && scores[5] > 0.75, "two sigmas do not alarm once, but do if they stay");
/// # Ok::<(), phalanx_detect::DetectError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ewma {
    config: EwmaConfig,
    baselines: Vec<Baseline>,
    averages: Vec<f64>,
    /// `(1 - λ)^2t` after t rows.
    faded: f64,
}

impl Ewma {
    /// A chart for known baselines.
    ///
    /// # Errors
    /// No features, a baseline that is not finite, a weight outside `(0, 1]`.
    pub fn new(baselines: Vec<Baseline>, config: EwmaConfig) -> Result<Self, DetectError> {
        Baseline::check(&baselines)?;
        let valid = config.lambda > 0.0 && config.lambda <= 1.0;
        check_parameter(valid, "lambda", "greater than 0 and at most 1")?;
        let averages = vec![0.0; baselines.len()];
        Ok(Self { config, baselines, averages, faded: 1.0 })
    }

    /// Takes the baselines from rows. The chart starts at them: the rows themselves are not averaged.
    ///
    /// # Errors
    /// No rows, no features, a ragged length, a value that is not finite, a weight outside `(0, 1]`.
    pub fn fit(rows: &[f32], width: usize, config: EwmaConfig) -> Result<Self, DetectError> {
        Self::new(Baseline::of(rows, width)?, config)
    }

    /// Forgets the stream, keeps the baselines: what to do once an alarm has been dealt with.
    pub fn reset(&mut self) {
        self.averages.fill(0.0);
        self.faded = 1.0;
    }

    fn next(&self, feature: usize, value: f32) -> f64 {
        let lambda = self.config.lambda;
        (1.0 - lambda) * self.averages[feature] + lambda * self.baselines[feature].sigmas(value)
    }

    fn next_faded(&self) -> f64 {
        let keep = 1.0 - self.config.lambda;
        self.faded * (keep * keep)
    }
}

impl RawScorer for Ewma {
    fn raw_into(&self, rows: &[f32], raw: &mut Vec<f64>) -> Result<(), DetectError> {
        let lambda = self.config.lambda;
        let sd = (lambda / (2.0 - lambda) * (1.0 - self.next_faded())).sqrt();
        raw.extend(rows.chunks_exact(self.width()).map(|row| {
            let far = row.iter().enumerate().map(|(i, value)| self.next(i, *value).abs());
            far.fold(0.0, f64::max) / sd
        }));
        Ok(())
    }
}

impl Detector for Ewma {
    fn width(&self) -> usize {
        self.baselines.len()
    }

    fn score(&self, rows: &[f32], scores: &mut Vec<f64>) -> Result<(), DetectError> {
        mapped_scores(self, rows, scores, unit)
    }

    fn digest(&self) -> u64 {
        let mut mix = AgentMix::new(0);
        mix.float(self.config.lambda);
        mix.float(self.faded);
        for (baseline, average) in self.baselines.iter().zip(&self.averages) {
            mix.float(baseline.mean);
            mix.float(baseline.sd);
            mix.float(*average);
        }
        finish(mix)
    }

    fn save(&self) -> Vec<u8> {
        state::save(self)
    }
}

impl StreamingDetector for Ewma {
    fn update(&mut self, rows: &[f32]) -> Result<(), DetectError> {
        let width = self.width();
        checked_rows(rows, width)?;
        for row in rows.chunks_exact(width) {
            for (i, value) in row.iter().enumerate() {
                self.averages[i] = self.next(i, *value);
            }
            self.faded = self.next_faded();
        }
        Ok(())
    }
}

impl Ewma {
    /// Whether every field is one that a fit gives.
    fn is_sound(&self) -> bool {
        Self::new(self.baselines.clone(), self.config).is_ok()
            && self.averages.len() == self.baselines.len()
            && self.averages.iter().all(|average| average.abs() <= 2.0 * SIGMAS_MAX)
            && (0.0..=1.0).contains(&self.faded)
    }
}

state::plain_state!(Ewma, Ewma, "Detector::save");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_and_limits_worked_out() {
        // λ = 1/2: averages of 4, 0 are 2, 1; their deviations √(1/3 · (1 - 1/4)) = 1/2, then √(1/3 · 15/16).
        let mut chart = Ewma::new(vec![Baseline { mean: 0.0, sd: 1.0 }], EwmaConfig { lambda: 0.5 }).unwrap();
        let mut scores = Vec::new();
        chart.score_then_update(&[4.0, 0.0], &mut scores).unwrap();
        let second = 1.0 / (5.0f64 / 16.0).sqrt();
        assert!((scores[0] - 4.0 / 5.0).abs() < 1e-15 && (scores[1] - second / (1.0 + second)).abs() < 1e-15);
        chart.reset();
        chart.score(&[4.0], &mut scores).unwrap();
        assert_eq!(scores, [0.8]);
    }

    #[test]
    fn the_worst_feature_counts_and_extremes_fade() {
        let mut chart = Ewma::fit(&[1.0, 5.0, 3.0, 5.0], 2, EwmaConfig::default()).unwrap();
        let mut scores = Vec::new();
        chart.score_then_update(&[2.0, f32::MAX, 2.0, 5.0], &mut scores).unwrap();
        assert!(scores.iter().all(|s| *s > 0.999_999 && *s < 1.0), "{scores:?}");
        chart.score_then_update(&[2.0, 5.0].repeat(200), &mut scores).unwrap();
        assert!(scores[199] < 1e-6, "{}", scores[199]);
    }

    #[test]
    fn weights_are_checked() {
        for lambda in [0.0, -1.0, 1.5, f64::NAN] {
            assert!(Ewma::fit(&[1.0], 1, EwmaConfig { lambda }).is_err(), "{lambda}");
        }
    }
}
