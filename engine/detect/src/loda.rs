//! LODA: histograms of random sparse projections.

use phalanx_core::{AgentMix, Stream};
use serde::{Deserialize, Serialize};

use crate::detector::{RawScorer, check_parameter, finish, mapped_scores, raw_scores, training_rows, unit};
use crate::lent::lend;
use crate::scaling::{Scaler, range, widen};
use crate::state;
use crate::{DetectError, Detector, Scaling};

/// Parameters of a [`Loda`]; the defaults are PyOD's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LodaConfig {
    /// Random projections, at least 1.
    pub cuts: u32,
    /// Bins of equal width a projection, at least 1.
    pub bins: u32,
    /// Scaling of the features before they are projected.
    pub scaling: Scaling,
}

impl Default for LodaConfig {
    fn default() -> Self {
        Self { cuts: 100, bins: 10, scaling: Scaling::MinMax }
    }
}

/// Lightweight on-line detector of anomalies (Pevný 2016), fitted in one batch.
///
/// Each projection takes `⌊√width⌋` features with standard normal weights; a row's raw score is the mean over the
/// projections of `-ln p`, where `p` is the share of training rows in the row's bin, plus 1e-12 so that empty bins
/// have a logarithm. A projection outside the training range counts as in an empty bin.
///
/// PyOD looks a value up one bin too high (it searches the left edges and takes the place after the match), which
/// costs accuracy where densities fall off steeply; here a value scores by its own bin.
///
/// The score is `raw / (1 + raw)`; `raw` is at most `ln(1e12) + …`, about 28.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Loda {
    scaler: Scaler,
    width: usize,
    cuts: Vec<Cut>,
}

/// A projection and its histogram.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Cut {
    weights: Vec<(u32, f64)>,
    low: f64,
    high: f64,
    /// `-ln` of each bin's share.
    surprise: Vec<f64>,
    /// The same of an empty bin.
    empty: f64,
}

/// Share of an empty bin.
const EMPTY: f64 = 1e-12;

impl Loda {
    /// Draws projections and counts `rows` (row-major, `n × width`) along them.
    ///
    /// # Errors
    /// No rows, no features, a ragged length, a value that is not finite, or a parameter outside its range.
    pub fn fit(
        rows: &[f32],
        width: usize,
        config: &LodaConfig,
        rng: &mut Stream,
    ) -> Result<Self, DetectError> {
        check_parameter(config.cuts > 0, "cuts", "at least 1")?;
        check_parameter((1..=1 << 20).contains(&config.bins), "bins", "between 1 and 2^20")?;
        training_rows(rows, width)?;
        let scaler = Scaler::fit(config.scaling, rows, width);
        let mut scaled = vec![0.0; rows.len()];
        for (row, out) in rows.chunks_exact(width).zip(scaled.chunks_exact_mut(width)) {
            scaler.scale(row, out);
        }
        let mut features: Vec<u32> = (0..width as u32).collect();
        let cuts =
            (0..config.cuts).map(|_| Cut::fit(&scaled, width, config.bins, &mut features, rng)).collect();
        Ok(Self { scaler, width, cuts })
    }

    /// The mean over projections of `-ln p`, in nats.
    ///
    /// # Errors
    /// A ragged length or a value that is not finite.
    pub fn raw_score(&self, rows: &[f32]) -> Result<Vec<f64>, DetectError> {
        raw_scores(self, rows)
    }
}

impl RawScorer for Loda {
    fn raw_into(&self, rows: &[f32], raw: &mut Vec<f64>) -> Result<(), DetectError> {
        let mut scaled = lend(0.0, self.width);
        raw.extend(rows.chunks_exact(self.width).map(|row| {
            self.scaler.scale(row, &mut scaled);
            let sum = self.cuts.iter().fold(0.0, |sum, cut| sum + cut.surprise(cut.project(&scaled)));
            sum / self.cuts.len() as f64
        }));
        Ok(())
    }
}

impl Cut {
    /// `features` is any order of all features; it is left shuffled.
    fn fit(scaled: &[f64], width: usize, bins: u32, features: &mut [u32], rng: &mut Stream) -> Self {
        let chosen = ((width as f64).sqrt() as usize).max(1);
        let weights = (0..chosen)
            .map(|i| {
                features.swap(i, i + rng.below((width - i) as u32) as usize);
                (features[i], rng.normal())
            })
            .collect();
        let mut cut = Self { weights, low: 0.0, high: 0.0, surprise: Vec::new(), empty: 0.0 };
        let projected: Vec<f64> = scaled.chunks_exact(width).map(|row| cut.project(row)).collect();
        (cut.low, cut.high) = widen(range(&projected));
        let mut counts = vec![0u64; bins as usize];
        projected.iter().for_each(|x| counts[cut.bin(*x, bins as usize)] += 1);
        let total = projected.len() as f64 + EMPTY * f64::from(bins);
        cut.surprise = counts.iter().map(|count| -libm::log((*count as f64 + EMPTY) / total)).collect();
        cut.empty = -libm::log(EMPTY / total);
        cut
    }

    fn project(&self, scaled: &[f64]) -> f64 {
        self.weights.iter().fold(0.0, |sum, (feature, weight)| sum + weight * scaled[*feature as usize])
    }

    /// Bin of a projection that is in range.
    fn bin(&self, x: f64, bins: usize) -> usize {
        (((x - self.low) / (self.high - self.low) * bins as f64) as usize).min(bins - 1)
    }

    fn is_sound(&self, width: usize) -> bool {
        let finite = |x: &f64| x.is_finite();
        self.weights.iter().all(|(feature, weight)| (*feature as usize) < width && weight.is_finite())
            && !self.weights.is_empty()
            && self.low < self.high
            && (self.high - self.low).is_finite()
            && (1..=1 << 20).contains(&self.surprise.len())
            && self.surprise.iter().chain([&self.empty]).all(finite)
    }

    fn surprise(&self, x: f64) -> f64 {
        if x < self.low || x > self.high {
            self.empty
        } else {
            self.surprise[self.bin(x, self.surprise.len())]
        }
    }
}

impl Detector for Loda {
    fn width(&self) -> usize {
        self.width
    }

    fn score(&self, rows: &[f32], scores: &mut Vec<f64>) -> Result<(), DetectError> {
        mapped_scores(self, rows, scores, unit)
    }

    fn digest(&self) -> u64 {
        let mut mix = AgentMix::new(0);
        self.scaler.digest(&mut mix);
        for cut in &self.cuts {
            for (feature, weight) in &cut.weights {
                mix.word(u64::from(*feature));
                mix.float(*weight);
            }
            mix.float(cut.low);
            mix.float(cut.high);
            cut.surprise.iter().for_each(|surprise| mix.float(*surprise));
        }
        finish(mix)
    }

    fn save(&self) -> Vec<u8> {
        state::save(self)
    }
}

impl Loda {
    /// Whether every field is one that a fit gives.
    fn is_sound(&self) -> bool {
        let scaled = self.width > 0 && self.scaler.is_sound(self.width);
        scaled && !self.cuts.is_empty() && self.cuts.iter().all(|cut| cut.is_sound(self.width))
    }
}

state::plain_state!(Loda, Loda, "Detector::save");

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_core::{Purpose, Streams, Tick};

    fn fit(rows: &[f32], width: usize, config: &LodaConfig) -> Result<Loda, DetectError> {
        Loda::fit(rows, width, config, &mut Streams::from_seed(1).stream(Purpose::Model, 0, Tick(0)))
    }

    #[test]
    fn one_feature_is_a_plain_histogram() {
        // One feature: every projection is a multiple of it, so each histogram is that of the feature, perhaps
        // mirrored. Two bins hold 3 and 1 of 4 values, away from the edge between them.
        let config = LodaConfig { cuts: 7, bins: 2, ..LodaConfig::default() };
        let detector = fit(&[0.0, 0.1, 0.2, 1.0], 1, &config).unwrap();
        let raw = detector.raw_score(&[0.3, 0.9, 1.1]).unwrap();
        let expected = [-libm::log(0.75), -libm::log(0.25), -libm::log(EMPTY / 4.0)];
        for (raw, expected) in raw.iter().zip(expected) {
            assert!((raw - expected).abs() < 1e-9, "{raw} against {expected}");
        }
    }

    #[test]
    fn projections_are_sparse() {
        let rows: Vec<f32> = (0..170u16).map(|i| f32::from(i * 31 % 101)).collect();
        let detector = fit(&rows, 17, &LodaConfig::default()).unwrap();
        for cut in &detector.cuts {
            let mut features: Vec<u32> = cut.weights.iter().map(|(feature, _)| *feature).collect();
            features.sort_unstable();
            features.dedup();
            assert_eq!(features.len(), 4);
        }
    }

    #[test]
    fn constant_rows_are_ordinary() {
        let detector = fit(&[3.0; 12], 2, &LodaConfig::default()).unwrap();
        let raw = detector.raw_score(&[3.0, 3.0, 900.0, 3.0]).unwrap();
        assert!(raw[0].abs() < 1e-9 && raw[1] > 1.0, "{raw:?}");
    }

    #[test]
    fn parameters_have_ranges() {
        let config = LodaConfig::default();
        assert!(fit(&[1.0], 1, &LodaConfig { cuts: 0, ..config }).is_err());
        assert!(fit(&[1.0], 1, &LodaConfig { bins: 0, ..config }).is_err());
    }
}
