//! Conformal p-values: how often does benign traffic look at least this strange?
//!
//! Scores of benign rows that the detector was *not* fitted to are kept; a new row's p-value is its rank among them
//! (Vovk 2005; Bates, Candès, Lei, Romano, Sesia 2023). If the row is benign, too, all ranks are equally likely,
//! whatever the detector and the distribution are. So flagging at `p ≤ α` flags at most a share α of benign rows, on
//! average over calibration sets, for any number of calibration scores.

use serde::{Deserialize, Serialize};

use super::{ThresholdError, check_scores, check_share};

/// Benign scores to rank others among.
///
/// ```
/// use phalanx_detect::Conformal;
/// let benign = Conformal::fit(&[0.1, 0.2, 0.3, 0.4])?;
/// assert_eq!(benign.p_value(0.35), 0.4);
/// assert_eq!(benign.p_value(0.9), 0.2);
/// # Ok::<(), phalanx_detect::ThresholdError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conformal {
    ascending: Vec<f64>,
}

impl Conformal {
    /// Keeps the scores of benign rows, none of which the detector was fitted to.
    ///
    /// # Errors
    /// No scores, or one that is not finite.
    pub fn fit(calibration: &[f64]) -> Result<Self, ThresholdError> {
        check_scores(calibration)?;
        let mut ascending = calibration.to_vec();
        ascending.sort_unstable_by(f64::total_cmp);
        Ok(Self { ascending })
    }

    /// `(1 + #{calibration ≥ score}) / (n + 1)`: never 0, since n scores cannot show that anything is rarer than that.
    /// A NaN has p-value 1.
    #[must_use]
    pub fn p_value(&self, score: f64) -> f64 {
        let reached = if score.is_nan() {
            self.ascending.len()
        } else {
            self.ascending.len() - self.ascending.partition_point(|benign| *benign < score)
        };
        self.share(reached)
    }

    /// The limit above which, strictly, scores have a p-value of `alpha` or less: one of the calibration scores, or an
    /// infinity. Infinite above if there are too few of them, fewer than `1 / alpha - 1`, to flag anything.
    ///
    /// # Errors
    /// `alpha` outside `[0, 1]`.
    pub fn cut(&self, alpha: f64) -> Result<f64, ThresholdError> {
        check_share(alpha, "alpha")?;
        // The number of calibration scores that may reach a flagged score; the float is only the first guess.
        let count = self.ascending.len();
        let mut spare = ((alpha * (count + 1) as f64) as usize).saturating_sub(2);
        if self.share(spare) > alpha {
            return Ok(f64::INFINITY);
        }
        while spare < count && self.share(spare + 1) <= alpha {
            spare += 1;
        }
        Ok(if spare == count { f64::NEG_INFINITY } else { self.ascending[count - 1 - spare] })
    }

    /// Whether these are scores as [`Self::fit`] keeps them.
    pub(super) fn is_sound(&self) -> bool {
        check_scores(&self.ascending).is_ok() && self.ascending.is_sorted_by(|a, b| a.total_cmp(b).is_le())
    }

    fn share(&self, reached: usize) -> f64 {
        (1 + reached) as f64 / (self.ascending.len() + 1) as f64
    }
}

/// Flags of a batch whose expected share of false ones is at most `alpha` (Benjamini & Hochberg 1995): the rows with
/// the k smallest p-values, for the largest k at which the k-th is at most `alpha · k / n`.
///
/// Conformal p-values of one calibration set depend on each other, in the way that the procedure allows for (Bates et
/// al. 2023, theorem 2). Clears `flags` and writes one a row; NaN is never flagged.
///
/// ```
/// let mut flags = Vec::new();
/// phalanx_detect::benjamini_hochberg(&[0.01, 0.04, 0.03, 0.9], 0.05, &mut flags);
/// assert_eq!(flags, [true, false, false, false]);
/// phalanx_detect::benjamini_hochberg(&[0.01, 0.03, 0.03, 0.9], 0.05, &mut flags);
/// assert_eq!(flags, [true, true, true, false]);
/// ```
pub fn benjamini_hochberg(p_values: &[f64], alpha: f64, flags: &mut Vec<bool>) {
    let mut ascending = p_values.to_vec();
    ascending.sort_unstable_by(f64::total_cmp);
    let count = ascending.len() as f64;
    let passes = |(rank, p): (usize, &f64)| *p <= alpha * ((rank + 1) as f64 / count);
    let last = ascending.iter().enumerate().rposition(passes);
    flags.clear();
    flags.extend(p_values.iter().map(|p| last.is_some_and(|last| *p <= ascending[last])));
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_core::{Purpose, Streams, Tick};

    #[test]
    fn a_cut_flags_exactly_the_small_p_values() {
        let mut rng = Streams::from_seed(3).stream(Purpose::Model, 0, Tick(0));
        for count in [1, 2, 9, 10, 99, 100, 999] {
            // Coarse values, so that ties are common.
            let scores: Vec<f64> = (0..count).map(|_| f64::from(rng.below(60)) / 60.0).collect();
            let conformal = Conformal::fit(&scores).unwrap();
            for alpha in [0.0, 0.001, 0.01, 0.05, 0.07, 0.1, 0.29, 0.5, 0.57, 0.999, 1.0] {
                let cut = conformal.cut(alpha).unwrap();
                for score in (-2..=62).map(|i| f64::from(i) / 60.0) {
                    let flagged = conformal.p_value(score) <= alpha;
                    assert_eq!(score > cut, flagged, "{score} of {count} at {alpha}: cut {cut}");
                }
            }
        }
    }

    #[test]
    fn too_few_scores_flag_nothing() {
        let of = |count: usize| Conformal::fit(&vec![0.5; count]).unwrap().cut(0.01).unwrap();
        assert_eq!((of(98), of(99)), (f64::INFINITY, 0.5));
    }

    #[test]
    fn benjamini_and_hochbergs_own_example() {
        // Their 15 p-values (1995, section 4.1): at .05 the four smallest are rejected.
        let p = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719,
            0.6528, 0.7590, 1.0,
        ];
        let mut flags = Vec::new();
        benjamini_hochberg(&p, 0.05, &mut flags);
        assert_eq!(flags.iter().filter(|flag| **flag).count(), 4);
        assert!(flags[..4].iter().all(|flag| *flag));
        let reversed: Vec<f64> = p.iter().rev().copied().collect();
        benjamini_hochberg(&reversed, 0.05, &mut flags);
        assert!(flags[11..].iter().all(|flag| *flag) && !flags[10]);
    }

    #[test]
    fn nothing_and_nan() {
        let mut flags = vec![true];
        benjamini_hochberg(&[], 0.05, &mut flags);
        assert!(flags.is_empty());
        benjamini_hochberg(&[f64::NAN, 0.0], 1.0, &mut flags);
        assert_eq!(flags, [false, true]);
        assert_eq!(Conformal::fit(&[0.5]).unwrap().p_value(f64::NAN), 1.0);
    }
}
