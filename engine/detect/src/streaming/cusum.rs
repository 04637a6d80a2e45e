//! Cumulative sums per feature (Page 1954): the fastest test for a shift of known size.

use phalanx_core::AgentMix;
use serde::{Deserialize, Serialize};

use super::{Baseline, StreamingDetector};
use crate::detector::{RawScorer, check_parameter, checked_rows, finish, mapped_scores, unit};
use crate::state;
use crate::{DetectError, Detector};

/// Which shifts count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    /// Means that rise.
    Upper,
    /// Means that fall.
    Lower,
    /// Either, by two sums: twice the false alarms.
    #[default]
    Both,
}

/// Sensitivity of the sums.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CusumConfig {
    /// Half of the shift to find, in standard deviations; not negative. Deviations below it are forgiven.
    pub slack: f64,
    /// Which shifts count.
    pub side: Side,
}

impl Default for CusumConfig {
    /// A slack of ½, tuned to shifts of one sigma.
    fn default() -> Self {
        Self { slack: 0.5, side: Side::Both }
    }
}

/// Sums of what standardised features exceed the slack by: `S ← max(0, S + z - k)`, and the mirror image.
///
/// A row's score says where the sums would be after it: with `S` the largest over the features, `score = S / (1 + S)`,
/// so the usual limit h = 4 is 0.8 and h = 5 is 5/6. One-sided with k = ½, h = 4 has a false alarm every 335 rows and
/// finds a one-sigma shift after 8.4; h = 5 every 931 and after 10.4 (Montgomery 2009, table 9.4).
///
/// A sum that has run away stays away until the deviations fall below the slack for long: [`Self::reset`] it once an
/// alarm has been dealt with.
///
/// ```
/// use phalanx_detect::{Baseline, Cusum, CusumConfig, StreamingDetector};
/// let mut chart = Cusum::new(vec![Baseline { mean: 10.0, sd: 2.0 }], CusumConfig::default())?;
/// let mut scores = Vec::new();
/// chart.score_then_update(&[13.0, 13.0, 13.0, 10.0], &mut scores)?;
/// assert_eq!(scores, [1.0 / 2.0, 2.0 / 3.0, 3.0 / 4.0, 2.5 / 3.5]);
/// # Ok::<(), phalanx_detect::DetectError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cusum {
    config: CusumConfig,
    baselines: Vec<Baseline>,
    /// Upper and lower sum of each feature.
    sums: Vec<[f64; 2]>,
}

impl Cusum {
    /// A chart for known baselines.
    ///
    /// # Errors
    /// No features, a baseline that is not finite, a slack that is negative or not finite.
    pub fn new(baselines: Vec<Baseline>, config: CusumConfig) -> Result<Self, DetectError> {
        Baseline::check(&baselines)?;
        check_parameter(config.slack >= 0.0 && config.slack.is_finite(), "slack", "finite and not negative")?;
        let sums = vec![[0.0; 2]; baselines.len()];
        Ok(Self { config, baselines, sums })
    }

    /// Takes the baselines from rows. The chart starts at them: the rows themselves are not summed.
    ///
    /// # Errors
    /// No rows, no features, a ragged length, a value that is not finite, a slack that is negative or not finite.
    pub fn fit(rows: &[f32], width: usize, config: CusumConfig) -> Result<Self, DetectError> {
        Self::new(Baseline::of(rows, width)?, config)
    }

    /// Forgets the stream, keeps the baselines.
    pub fn reset(&mut self) {
        self.sums.fill([0.0; 2]);
    }

    fn next(&self, feature: usize, value: f32) -> [f64; 2] {
        let z = self.baselines[feature].sigmas(value);
        let [upper, lower] = self.sums[feature];
        let sum =
            |used: bool, sum: f64, z: f64| if used { (sum + z - self.config.slack).max(0.0) } else { 0.0 };
        [sum(self.config.side != Side::Lower, upper, z), sum(self.config.side != Side::Upper, lower, -z)]
    }
}

impl RawScorer for Cusum {
    fn raw_into(&self, rows: &[f32], raw: &mut Vec<f64>) -> Result<(), DetectError> {
        raw.extend(rows.chunks_exact(self.width()).map(|row| {
            let sums = row.iter().enumerate().flat_map(|(i, value)| self.next(i, *value));
            sums.fold(0.0, f64::max)
        }));
        Ok(())
    }
}

impl Detector for Cusum {
    fn width(&self) -> usize {
        self.baselines.len()
    }

    fn score(&self, rows: &[f32], scores: &mut Vec<f64>) -> Result<(), DetectError> {
        mapped_scores(self, rows, scores, unit)
    }

    fn digest(&self) -> u64 {
        let mut mix = AgentMix::new(0);
        mix.float(self.config.slack);
        mix.word(self.config.side as u64);
        for (baseline, [upper, lower]) in self.baselines.iter().zip(&self.sums) {
            [baseline.mean, baseline.sd, *upper, *lower].into_iter().for_each(|value| mix.float(value));
        }
        finish(mix)
    }

    fn save(&self) -> Vec<u8> {
        state::save(self)
    }
}

impl StreamingDetector for Cusum {
    fn update(&mut self, rows: &[f32]) -> Result<(), DetectError> {
        let width = self.width();
        checked_rows(rows, width)?;
        for row in rows.chunks_exact(width) {
            for (i, value) in row.iter().enumerate() {
                self.sums[i] = self.next(i, *value);
            }
        }
        Ok(())
    }
}

impl Cusum {
    /// Whether every field is one that a fit gives.
    fn is_sound(&self) -> bool {
        Self::new(self.baselines.clone(), self.config).is_ok()
            && self.sums.len() == self.baselines.len()
            && self.sums.as_flattened().iter().all(|sum| sum.is_finite() && *sum >= 0.0)
    }
}

state::plain_state!(Cusum, Cusum, "Detector::save");

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(side: Side) -> Cusum {
        Cusum::new(vec![Baseline { mean: 0.0, sd: 1.0 }], CusumConfig { slack: 0.5, side }).unwrap()
    }

    #[test]
    fn sides() {
        let last = |side, row: f32| {
            let mut scores = Vec::new();
            chart(side).score_then_update(&[row; 8], &mut scores).unwrap();
            scores[7]
        };
        // Eight rows one sigma off leave a sum of 4.
        assert_eq!([last(Side::Upper, 1.0), last(Side::Lower, 1.0), last(Side::Both, 1.0)], [0.8, 0.0, 0.8]);
        assert_eq!(
            [last(Side::Upper, -1.0), last(Side::Lower, -1.0), last(Side::Both, -1.0)],
            [0.0, 0.8, 0.8]
        );
    }

    #[test]
    fn a_constant_feature_that_moves_both_ways() {
        let mut chart = Cusum::fit(&[5.0, 5.0], 1, CusumConfig::default()).unwrap();
        let mut scores = Vec::new();
        chart.score_then_update(&[5.0, 6.0, 4.0, 4.0, 5.0], &mut scores).unwrap();
        assert!(scores[0] == 0.0 && scores.iter().all(|s| (0.0..=1.0).contains(s)), "{scores:?}");
        chart.reset();
        chart.score(&[5.0], &mut scores).unwrap();
        assert_eq!(scores, [0.0]);
    }

    #[test]
    fn slacks_are_checked() {
        for slack in [-0.1, f64::NAN, f64::INFINITY] {
            assert!(
                Cusum::fit(&[1.0], 1, CusumConfig { slack, ..CusumConfig::default() }).is_err(),
                "{slack}"
            );
        }
    }
}
