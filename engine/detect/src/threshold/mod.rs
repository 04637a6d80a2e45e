//! Where to draw the line between benign and flagged.

use phalanx_core::maths;

/// How a detector's threshold is set. A row is flagged if, and only if, its score is *greater* than the threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ThresholdPolicy {
    /// This threshold, whatever the training scores are.
    Fixed(f64),
    /// The `1 - contamination` quantile of the training scores, linearly interpolated. This is scikit-learn's
    /// `contamination`: there, `offset_ = percentile(score_samples, 100 · contamination)` over negated scores, and a
    /// row is an outlier if its score is strictly beyond the offset.
    Quantile {
        /// Expected share of anomalies among the training rows, in `[0, 1]`; scikit-learn allows `(0, 0.5]`.
        contamination: f64,
    },
}

impl ThresholdPolicy {
    /// The threshold that this policy draws from `training_scores`, which it may reorder. `None` if it needs scores and
    /// there are none.
    ///
    /// Only the two order statistics that the quantile lies between are selected, in linear time; the result is that
    /// of [`maths::quantile_sorted`] over the sorted scores, to the bit.
    ///
    /// # Panics
    /// If `contamination` lies outside `[0, 1]`: a scenario is checked before it runs.
    ///
    /// ```
    /// use phalanx_detect::ThresholdPolicy;
    /// let policy = ThresholdPolicy::Quantile { contamination: 0.25 };
    /// assert_eq!(policy.threshold(&mut [0.4, 0.1, 0.3, 0.2, 0.5]), Some(0.4));
    /// assert_eq!(policy.threshold(&mut []), None);
    /// ```
    #[must_use]
    pub fn threshold(&self, training_scores: &mut [f64]) -> Option<f64> {
        match *self {
            Self::Fixed(threshold) => Some(threshold),
            Self::Quantile { contamination } => quantile(training_scores, 1.0 - contamination),
        }
    }
}

/// [`maths::quantile_sorted`] without sorting everything.
fn quantile(scores: &mut [f64], q: f64) -> Option<f64> {
    assert!((0.0..=1.0).contains(&q), "contamination is a share: set it between 0 and 1");
    let last = scores.len().checked_sub(1)?;
    let position = q * last as f64;
    let below = position as usize;
    let (_, low, above) = scores.select_nth_unstable_by(below, f64::total_cmp);
    let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(*low);
    // Two values whose own quantile is the one asked for: the same formula, kept in one place.
    maths::quantile_sorted(&[*low, high], position - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_core::{Purpose, Streams, Tick};

    #[test]
    fn selection_equals_sorting() {
        let mut rng = Streams::from_seed(3).stream(Purpose::Model, 0, Tick(0));
        for count in [1usize, 2, 3, 10, 999, 1000] {
            // Coarse values, so that ties are common.
            let scores: Vec<f64> = (0..count).map(|_| f64::from(rng.below(50)) / 50.0).collect();
            let mut sorted = scores.clone();
            sorted.sort_by(f64::total_cmp);
            for contamination in [0.0, 0.001, 0.05, 0.1, 0.5, 0.9999, 1.0] {
                let got = ThresholdPolicy::Quantile { contamination }.threshold(&mut scores.clone());
                let expected = maths::quantile_sorted(&sorted, 1.0 - contamination);
                assert_eq!(got.map(f64::to_bits), expected.map(f64::to_bits), "{count} at {contamination}");
            }
        }
    }

    #[test]
    fn contamination_flags_that_share() {
        let mut scores: Vec<f64> = (0..1000).map(|i| f64::from(i * 7919 % 1000) / 1000.0).collect();
        let threshold = ThresholdPolicy::Quantile { contamination: 0.05 }.threshold(&mut scores).unwrap();
        assert_eq!(scores.iter().filter(|s| **s > threshold).count(), 50);
        // numpy.percentile(-scores, 5) of the same scores is -0.94905.
        assert!((threshold - 0.949_05).abs() < 1e-12);
    }

    #[test]
    fn equal_scores_flag_nothing() {
        let threshold = ThresholdPolicy::Quantile { contamination: 0.05 }.threshold(&mut [0.5; 20]).unwrap();
        assert_eq!(threshold, 0.5);
    }

    #[test]
    fn fixed_needs_no_scores() {
        assert_eq!(ThresholdPolicy::Fixed(0.6).threshold(&mut []), Some(0.6));
    }
}
