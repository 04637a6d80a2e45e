//! HBOS: how dense is the histogram of each feature where a row's value lies?

use phalanx_core::AgentMix;
use serde::{Deserialize, Serialize};

use crate::detector::{
    RawScorer, check_finite, check_parameter, checked_rows, column, finish, mapped_scores, raw_scores,
    same_width, training_rows, unit,
};
use crate::scaling::widen;
use crate::state;
use crate::{DetectError, Detector};

/// Parameters of a [`Hbos`]; the defaults are PyOD's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HbosConfig {
    /// Bins of equal width a feature, at least 1.
    pub bins: u32,
    /// Added to every density, so that an empty bin has a logarithm. In `(0, 1)`.
    pub alpha: f64,
    /// Values outside the histogram by at most this share of a bin count as in the nearest bin; farther ones score
    /// as the emptiest bin does. In `[0, 1]`.
    pub tolerance: f64,
}

impl Default for HbosConfig {
    fn default() -> Self {
        Self { bins: 10, alpha: 0.1, tolerance: 0.5 }
    }
}

impl HbosConfig {
    fn check(&self) -> Result<(), DetectError> {
        check_parameter((1..=1 << 20).contains(&self.bins), "bins", "between 1 and 2^20")?;
        check_parameter(self.alpha > 0.0 && self.alpha < 1.0, "alpha", "between 0 and 1, exclusive")?;
        check_parameter((0.0..=1.0).contains(&self.tolerance), "tolerance", "between 0 and 1")
    }
}

/// Histogram-based outlier score with static bins (Goldstein & Dengel 2012), by the formulas of PyOD 3.6.
///
/// A row's raw score is `-Σ_j log2(density_j(x_j) + alpha)`, densities in units of the feature. So a feature's
/// weight depends on its unit: a range of thousands makes every density vanish beside `alpha`. Scale features first
/// if that is not wanted; the default follows the reference.
///
/// Histograms over the same ranges add up, so agents that agree on ranges ([`Self::over`]) share counts instead of
/// rows: [`Self::add`] and [`Self::merge`]. Values beyond an agreed range count in the outermost bin.
///
/// The raw score is the distance above its own least possible value, `-Σ_j log2(densest_j + alpha)`, so that it is
/// never negative; the score is `raw / (1 + raw)`.
///
/// ```
/// use phalanx_detect::{Detector, Hbos, HbosConfig};
/// let config = HbosConfig { bins: 2, ..HbosConfig::default() };
/// let detector = Hbos::fit(&[0.0, 0.1, 0.2, 1.0], 1, &config)?;
/// // Densities 3/4 · 2 and 1/4 · 2.
/// let raw = detector.raw_score(&[0.3, 0.9])?;
/// assert_eq!(raw[0], 0.0);
/// assert!((raw[1] - (1.6f64 / 0.6).log2()).abs() < 1e-12);
/// # Ok::<(), phalanx_detect::DetectError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hbos {
    config: HbosConfig,
    features: Vec<Bins>,
}

/// One feature's histogram, with the contribution of each bin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Bins {
    low: f64,
    high: f64,
    counts: Vec<u64>,
    /// `log2` of the densest bin's term over this bin's, at least 0.
    surprise: Vec<f64>,
    /// The greatest of them, for values outside.
    emptiest: f64,
}

impl Hbos {
    /// Counts `rows` (row-major, `n × width`) in bins between each feature's least and greatest value. A constant
    /// feature `c` gets the range `[c - 0.5, c + 0.5]` as in NumPy, or a wider one where `c` is too large for that.
    ///
    /// # Errors
    /// No rows, no features, a ragged length, a value that is not finite, or a parameter outside its range.
    pub fn fit(rows: &[f32], width: usize, config: &HbosConfig) -> Result<Self, DetectError> {
        training_rows(rows, width)?;
        let range = |feature| {
            let least_greatest = |(low, high): (f32, f32), x: f32| (low.min(x), high.max(x));
            column(rows, width, feature).fold((f32::INFINITY, f32::NEG_INFINITY), least_greatest)
        };
        let ranges: Vec<(f32, f32)> = (0..width).map(range).collect();
        let mut detector = Self::over(&ranges, config)?;
        detector.add(rows)?;
        Ok(detector)
    }

    /// Empty histograms over one range a feature. Until rows are added, every bin is as empty as the next.
    ///
    /// # Errors
    /// No ranges, an end that is not finite (named as in row 0 the lower, in row 1 the upper), or a parameter
    /// outside its range.
    pub fn over(ranges: &[(f32, f32)], config: &HbosConfig) -> Result<Self, DetectError> {
        config.check()?;
        if ranges.is_empty() {
            return Err(DetectError::NoFeatures);
        }
        let ends: Vec<f32> = ranges.iter().map(|r| r.0).chain(ranges.iter().map(|r| r.1)).collect();
        check_finite(&ends, ranges.len())?;
        check_parameter(ranges.iter().all(|(low, high)| low <= high), "ranges", "ordered: low, then high")?;
        let bins = |(low, high): &(f32, f32)| {
            let (low, high) = widen((f64::from(*low), f64::from(*high)));
            let count = config.bins as usize;
            Bins { low, high, counts: vec![0; count], surprise: vec![0.0; count], emptiest: 0.0 }
        };
        Ok(Self { config: *config, features: ranges.iter().map(bins).collect() })
    }

    /// Counts more rows in the same bins. No rows change nothing.
    ///
    /// # Errors
    /// A ragged length or a value that is not finite; the model is then unchanged.
    pub fn add(&mut self, rows: &[f32]) -> Result<(), DetectError> {
        let width = self.width();
        checked_rows(rows, width)?;
        for (feature, bins) in self.features.iter_mut().enumerate() {
            for x in column(rows, width, feature) {
                let bin = bins.place(f64::from(x)).clamp(0.0, (bins.counts.len() - 1) as f64);
                bins.counts[bin as usize] += 1;
            }
            bins.weigh(self.config.alpha);
        }
        Ok(())
    }

    /// Adds the counts of `other`: the result is that of adding both their rows to one model.
    ///
    /// # Errors
    /// [`DetectError::WidthDiffers`], or [`DetectError::BinsDiffer`] unless configuration and ranges are the same; the
    /// model is then unchanged.
    pub fn merge(&mut self, other: &Self) -> Result<(), DetectError> {
        same_width(self.width(), other.width())?;
        let same = |(a, b): (&Bins, &Bins)| (a.low, a.high) == (b.low, b.high);
        if self.config != other.config || !self.features.iter().zip(&other.features).all(same) {
            return Err(DetectError::BinsDiffer);
        }
        for (bins, others) in self.features.iter_mut().zip(&other.features) {
            bins.counts.iter_mut().zip(&others.counts).for_each(|(count, other)| *count += other);
            bins.weigh(self.config.alpha);
        }
        Ok(())
    }

    /// `Σ_j log2((densest_j + alpha) / (density_j(x_j) + alpha))` of every row, in bits.
    ///
    /// # Errors
    /// A ragged length or a value that is not finite.
    pub fn raw_score(&self, rows: &[f32]) -> Result<Vec<f64>, DetectError> {
        raw_scores(self, rows)
    }
}

impl RawScorer for Hbos {
    fn raw_into(&self, rows: &[f32], raw: &mut Vec<f64>) -> Result<(), DetectError> {
        raw.extend(rows.chunks_exact(self.width()).map(|row| {
            let surprises =
                self.features.iter().zip(row).map(|(bins, x)| bins.surprise(*x, self.config.tolerance));
            surprises.fold(0.0, |sum, surprise| sum + surprise)
        }));
        Ok(())
    }
}

impl Bins {
    /// Bin of a value, as a number that may lie outside; the upper end belongs to the last bin.
    fn place(&self, x: f64) -> f64 {
        let bins = self.counts.len() as f64;
        if x == self.high { bins - 1.0 } else { ((x - self.low) / (self.high - self.low) * bins).floor() }
    }

    fn surprise(&self, x: f32, tolerance: f64) -> f64 {
        let x = f64::from(x);
        let bins = self.counts.len();
        let reach = tolerance * (self.high - self.low) / bins as f64;
        if x < self.low - reach || x > self.high + reach {
            return self.emptiest;
        }
        self.surprise[self.place(x).clamp(0.0, (bins - 1) as f64) as usize]
    }

    /// Whether adding rows gives these bins: contributions are those of the counts.
    fn is_sound(&self, config: &HbosConfig) -> bool {
        let total = self.counts.iter().try_fold(0u64, |sum, count| sum.checked_add(*count));
        let shaped = self.counts.len() == config.bins as usize && self.surprise.len() == self.counts.len();
        if !shaped || total.is_none() || !(self.low < self.high && (self.high - self.low).is_finite()) {
            return false;
        }
        let mut again = self.clone();
        if total > Some(0) {
            again.weigh(config.alpha);
        }
        again == *self
    }

    /// Sets contributions from counts.
    fn weigh(&mut self, alpha: f64) {
        let total = self.counts.iter().sum::<u64>().max(1) as f64;
        let bin_width = (self.high - self.low) / self.counts.len() as f64;
        let term = |count: u64| libm::log2(count as f64 / total / bin_width + alpha);
        let densest = term(self.counts.iter().copied().max().unwrap_or(0));
        for (surprise, count) in self.surprise.iter_mut().zip(&self.counts) {
            *surprise = densest - term(*count);
        }
        self.emptiest = self.surprise.iter().fold(0.0, |far, s| if *s > far { *s } else { far });
    }
}

impl Detector for Hbos {
    fn width(&self) -> usize {
        self.features.len()
    }

    fn score(&self, rows: &[f32], scores: &mut Vec<f64>) -> Result<(), DetectError> {
        mapped_scores(self, rows, scores, unit)
    }

    fn digest(&self) -> u64 {
        let mut mix = AgentMix::new(self.config.bins);
        mix.float(self.config.alpha);
        mix.float(self.config.tolerance);
        for bins in &self.features {
            mix.float(bins.low);
            mix.float(bins.high);
            bins.counts.iter().for_each(|count| mix.word(*count));
        }
        finish(mix)
    }

    fn save(&self) -> Vec<u8> {
        state::save(self)
    }
}

impl Hbos {
    /// Whether every field is one that a fit gives.
    fn is_sound(&self) -> bool {
        self.config.check().is_ok()
            && !self.features.is_empty()
            && self.features.iter().all(|bins| bins.is_sound(&self.config))
    }
}

state::plain_state!(Hbos, Hbos, "Detector::save");

#[cfg(test)]
mod tests {
    use super::*;

    /// Bins of width 1 from 0 to 4 that hold 1, 4, 0 and 3 values.
    const VALUES: [f32; 8] = [0.0, 1.0, 1.2, 1.5, 1.9, 3.0, 3.5, 4.0];

    fn fit() -> Hbos {
        Hbos::fit(&VALUES, 1, &HbosConfig { bins: 4, ..HbosConfig::default() }).unwrap()
    }

    #[test]
    fn densities_by_hand() {
        let detector = fit();
        assert_eq!(detector.features[0].counts, [1, 4, 0, 3]);
        let check = |x: f32, density: f64| {
            let raw = detector.raw_score(&[x]).unwrap()[0];
            let expected = libm::log2(0.6 / (density + 0.1));
            assert!((raw - expected).abs() < 1e-12, "{x}: {raw} against {expected}");
        };
        check(0.5, 0.125);
        check(1.0, 0.5);
        check(2.5, 0.0);
        check(4.0, 0.375);
        // Within half a bin outside as in the nearest bin, then as in the emptiest.
        check(4.5, 0.375);
        check(-0.5, 0.125);
        check(4.6, 0.0);
        check(-9.0, 0.0);
    }

    #[test]
    fn counts_over_agreed_ranges_add_up() {
        let config = HbosConfig { bins: 4, ..HbosConfig::default() };
        let mut left = Hbos::over(&[(0.0, 4.0)], &config).unwrap();
        let mut right = left.clone();
        left.add(&VALUES[..3]).unwrap();
        right.add(&VALUES[3..]).unwrap();
        left.merge(&right).unwrap();
        assert_eq!((&left, left.digest()), (&fit(), fit().digest()));

        right.add(&[100.0, -100.0]).unwrap();
        assert_eq!(right.features[0].counts, [1, 2, 0, 4]);
        let other = Hbos::over(&[(0.0, 5.0)], &config).unwrap();
        assert_eq!(left.merge(&other), Err(DetectError::BinsDiffer));
    }

    #[test]
    fn a_constant_feature_has_a_bin_of_its_own() {
        let detector = Hbos::fit(&[7.0; 5], 1, &HbosConfig::default()).unwrap();
        let raw = detector.raw_score(&[7.0, 7.2, 9.0]).unwrap();
        assert_eq!(raw[0], 0.0);
        assert!((raw[1] - libm::log2(101.0)).abs() < 1e-12 && raw[1] == raw[2]);
    }

    #[test]
    fn parameters_have_ranges() {
        let with =
            |bins, alpha, tolerance| Hbos::fit(&[1.0], 1, &HbosConfig { bins, alpha, tolerance }).map(|_| ());
        assert_eq!(with(1, 0.5, 0.0), Ok(()));
        for (bins, alpha, tolerance) in
            [(0, 0.5, 0.5), (1, 0.0, 0.5), (1, 1.0, 0.5), (1, f64::NAN, 0.5), (1, 0.5, 2.0)]
        {
            assert!(matches!(with(bins, alpha, tolerance), Err(DetectError::Parameter { .. })));
        }
        let nan = Hbos::over(&[(0.0, f32::NAN)], &HbosConfig::default());
        assert_eq!(nan, Err(DetectError::NotFinite { row: 1, column: 0 }));
    }
}
