//! ECOD: how far out is each feature of a row, by the training rows' own distribution?

use phalanx_core::AgentMix;
use serde::{Deserialize, Serialize};

use crate::detector::{
    RawScorer, checked_rows, column, finish, mapped_scores, raw_scores, same_width, training_rows, unit,
};
use crate::lent::lend;
use crate::state;
use crate::tails::{Surprise, Tails};
use crate::{DetectError, Detector};

/// Inductive ECOD (after Li, Zhao, Hu, Botta, Ionescu, Chen: "ECOD", TKDE 2022): empirical tail probabilities of
/// every feature, multiplied as if features were independent.
///
/// A row's raw score is `Σ_j -ln min(l_j, r_j)` with `l_j = (#{training ≤ x_j} + 1) / (n + 1)` and
/// `r_j = (#{training ≥ x_j} + 1) / (n + 1)`. PyOD's `ECOD` pools the rows to be scored with the training rows, so
/// that a score depends on the batch it came in; here it depends on the row and the training rows alone. Where both
/// are the same rows the two agree but for the `+ 1`.
///
/// There is no seed and no parameter. The model is a multiset of values per feature, so it learns row by row
/// ([`Self::add`]) and models of several agents merge to the model of all their rows ([`Self::merge`]), bit for bit.
///
/// The score is `raw / (1 + raw)`. A raw score is at most `width · ln(n + 1)`, so scores stay apart whose raw scores
/// differ by 1e-9 or more, up to 100 features.
///
/// ```
/// use phalanx_detect::{Detector, Ecod};
/// let detector = Ecod::fit(&[1.0, 2.0, 3.0], 1)?;
/// // 0 is below everything: l = 1/4. 2 is in the middle: l = r = 3/4.
/// let raw = detector.raw_score(&[0.0, 2.0])?;
/// assert!((raw[0] - 4f64.ln()).abs() < 1e-15 && (raw[1] - (4.0f64 / 3.0).ln()).abs() < 1e-15);
/// # Ok::<(), phalanx_detect::DetectError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ecod {
    features: Vec<Tails>,
}

impl Ecod {
    /// Learns `rows`: row-major, `n × width`.
    ///
    /// # Errors
    /// No rows, no features, a ragged length, or a value that is not finite.
    pub fn fit(rows: &[f32], width: usize) -> Result<Self, DetectError> {
        training_rows(rows, width)?;
        Ok(Self { features: (0..width).map(|feature| Tails::of(column(rows, width, feature))).collect() })
    }

    /// Learns more rows: the result is that of [`Self::fit`] on all of them. No rows change nothing.
    ///
    /// # Errors
    /// A ragged length or a value that is not finite; the model is then unchanged.
    pub fn add(&mut self, rows: &[f32]) -> Result<(), DetectError> {
        let width = self.width();
        checked_rows(rows, width)?;
        for (feature, tails) in self.features.iter_mut().enumerate() {
            tails.merge(&Tails::of(column(rows, width, feature)));
        }
        Ok(())
    }

    /// Learns the rows that `other` has learnt: the result is that of [`Self::fit`] on the union.
    ///
    /// # Errors
    /// [`DetectError::WidthDiffers`]; the model is then unchanged.
    pub fn merge(&mut self, other: &Self) -> Result<(), DetectError> {
        same_width(self.width(), other.width())?;
        for (tails, others) in self.features.iter_mut().zip(&other.features) {
            tails.merge(others);
        }
        Ok(())
    }

    /// Rows learnt so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.features[0].count()
    }

    /// `Σ_j -ln min(l_j, r_j)` of every row, in nats.
    ///
    /// # Errors
    /// A ragged length or a value that is not finite.
    pub fn raw_score(&self, rows: &[f32]) -> Result<Vec<f64>, DetectError> {
        raw_scores(self, rows)
    }
}

impl RawScorer for Ecod {
    fn raw_into(&self, rows: &[f32], raw: &mut Vec<f64>) -> Result<(), DetectError> {
        let width = self.width();
        let share = 1.0 / (self.rows() + 1) as f64;
        surprises(rows, width, raw, |surprises, block| {
            for (feature, tails) in self.features.iter().enumerate() {
                for (surprise, x) in surprises.iter_mut().zip(column(block, width, feature)) {
                    let (at_most, at_least) = tails.counts(x);
                    surprise.add((at_most.min(at_least) + 1) as f64 * share);
                }
            }
        });
        Ok(())
    }
}

/// Runs `add` over blocks of rows, feature by feature inside: the values of a feature then stay in the cache.
pub(crate) fn surprises(
    rows: &[f32],
    width: usize,
    nats: &mut Vec<f64>,
    add: impl Fn(&mut [Surprise], &[f32]),
) {
    const BLOCK: usize = 512;
    let mut surprises = lend(Surprise::NONE, 0);
    for block in rows.chunks(BLOCK * width) {
        surprises.clear();
        surprises.resize(block.len() / width, Surprise::NONE);
        add(&mut surprises, block);
        nats.extend(surprises.iter().map(|surprise| surprise.nats()));
    }
}

impl Detector for Ecod {
    fn width(&self) -> usize {
        self.features.len()
    }

    fn score(&self, rows: &[f32], scores: &mut Vec<f64>) -> Result<(), DetectError> {
        mapped_scores(self, rows, scores, unit)
    }

    fn digest(&self) -> u64 {
        let mut mix = AgentMix::new(0);
        self.features.iter().for_each(|tails| tails.digest(&mut mix));
        finish(mix)
    }

    fn save(&self) -> Vec<u8> {
        state::save(self)
    }
}

impl Ecod {
    /// Whether every field is one that a fit gives.
    fn is_sound(&self) -> bool {
        let count = self.features.first().map_or(0, Tails::count);
        count > 0 && self.features.iter().all(|tails| tails.is_sound() && tails.count() == count)
    }
}

state::plain_state!(Ecod, Ecod, "Detector::save");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_by_hand() {
        // n = 4. Feature 0 holds 0 0 1 2, feature 1 is constant.
        let rows = [0.0, 9.0, 0.0, 9.0, 1.0, 9.0, 2.0, 9.0];
        let detector = Ecod::fit(&rows, 2).unwrap();
        let raw = detector.raw_score(&[0.0, 9.0, 1.5, 9.0, 5.0, 8.0]).unwrap();
        // 0: l = 3/5, r = 1. 1.5: l = 4/5, r = 2/5. 5: r = 1/5. 9: both 1. 8: l = 1/5.
        let expected = [0.6f64, 0.4, 0.04].map(|p| -libm::log(p));
        for (raw, expected) in raw.iter().zip(expected) {
            assert!((raw - expected).abs() < 1e-15, "{raw} {expected}");
        }
        let mut scores = Vec::new();
        detector.score(&[5.0, 8.0], &mut scores).unwrap();
        assert_eq!(scores, [raw[2] / (1.0 + raw[2])]);
    }

    #[test]
    fn parts_are_as_good_as_the_whole() {
        let rows: Vec<f32> = (0..90u16).map(|i| f32::from(i * 37 % 23)).collect();
        let whole = Ecod::fit(&rows, 3).unwrap();
        let mut grown = Ecod::fit(&rows[..30], 3).unwrap();
        grown.add(&rows[30..60]).unwrap();
        grown.add(&[]).unwrap();
        grown.merge(&Ecod::fit(&rows[60..], 3).unwrap()).unwrap();
        assert_eq!((&grown, grown.digest(), grown.rows()), (&whole, whole.digest(), 30));
    }

    #[test]
    fn broken_input_changes_nothing() {
        let mut detector = Ecod::fit(&[1.0, 2.0], 2).unwrap();
        let before = detector.clone();
        assert_eq!(detector.add(&[1.0]), Err(DetectError::Ragged { length: 1, width: 2 }));
        assert_eq!(detector.add(&[1.0, f32::NAN]), Err(DetectError::NotFinite { row: 0, column: 1 }));
        let narrow = Ecod::fit(&[1.0], 1).unwrap();
        assert_eq!(detector.merge(&narrow), Err(DetectError::WidthDiffers { expected: 2, actual: 1 }));
        assert_eq!(detector, before);
        assert_eq!(Ecod::fit(&[], 2), Err(DetectError::NoRows));
    }
}
