//! Threshold-free metrics: area under the ROC curve and average precision, exact.
//!
//! Both walk the scores from the highest down, one *step* for each distinct score: tied rows are flagged together or
//! not at all, so they share a step. [`Steps`] does the counting for exact scores and for histograms alike.

/// Area under the ROC curve: the probability that an anomalous row scores higher than a benign one, ties counting
/// half (Mann & Whitney 1947). `None` unless both kinds are present.
///
/// ```
/// use phalanx_detect::roc_auc;
/// assert_eq!(roc_auc(&[0.9, 0.5, 0.5, 0.1], &[true, true, false, false]), Some(0.875));
/// ```
///
/// # Panics
/// If the slices differ in length, or a score is NaN.
#[must_use]
pub fn roc_auc(scores: &[f64], anomalous: &[bool]) -> Option<f64> {
    walk(scores, anomalous).roc_auc()
}

/// Average precision: the sum over steps of (recall gained) × (precision reached), without interpolation, as
/// scikit-learn's `average_precision_score`. `None` if no row is anomalous.
///
/// ```
/// use phalanx_detect::average_precision;
/// assert_eq!(average_precision(&[0.9, 0.8, 0.7, 0.6], &[true, false, true, false]), Some((1.0 + 2.0 / 3.0) / 2.0));
/// ```
///
/// # Panics
/// If the slices differ in length, or a score is NaN.
#[must_use]
pub fn average_precision(scores: &[f64], anomalous: &[bool]) -> Option<f64> {
    walk(scores, anomalous).average_precision()
}

fn walk(scores: &[f64], anomalous: &[bool]) -> Steps {
    assert_eq!(scores.len(), anomalous.len(), "every score needs one truth");
    assert!(scores.iter().all(|score| !score.is_nan()), "a score that is NaN has no rank");
    let mut ranked: Vec<(f64, bool)> = scores.iter().copied().zip(anomalous.iter().copied()).collect();
    ranked.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let mut steps = Steps::default();
    // `==` and not `total_cmp` decides what is tied: both zeros are one score, and they sort side by side.
    for tied in ranked.chunk_by(|a, b| a.0 == b.0) {
        let positive = tied.iter().filter(|(_, anomalous)| *anomalous).count() as u64;
        steps.add(tied.len() as u64 - positive, positive);
    }
    steps
}

/// Running sums over groups of tied rows, from the highest score down.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Steps {
    benign: u64,
    anomalous: u64,
    /// Twice the number of (benign, anomalous) pairs in which the benign row ranks higher, ties counting 1.
    inversions: u128,
    /// Sum of (anomalous rows of the step) × (precision after it).
    precision: f64,
}

impl Steps {
    /// Adds the next lower group of tied rows.
    pub(crate) fn add(&mut self, benign: u64, anomalous: u64) {
        self.inversions += u128::from(anomalous) * (2 * u128::from(self.benign) + u128::from(benign));
        self.benign += benign;
        self.anomalous += anomalous;
        if anomalous > 0 {
            let flagged = (self.benign + self.anomalous) as f64;
            self.precision += anomalous as f64 * (self.anomalous as f64 / flagged);
        }
    }

    pub(crate) fn roc_auc(&self) -> Option<f64> {
        let pairs = 2 * u128::from(self.benign) * u128::from(self.anomalous);
        (pairs > 0).then(|| (pairs - self.inversions) as f64 / pairs as f64)
    }

    pub(crate) fn average_precision(&self) -> Option<f64> {
        (self.anomalous > 0).then(|| self.precision / self.anomalous as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: bool = true;
    const F: bool = false;

    fn check(scores: &[f64], anomalous: &[bool], auc: Option<f64>, precision: Option<f64>) {
        let close = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() < 1e-12,
            (a, b) => a == b,
        };
        let got = (roc_auc(scores, anomalous), average_precision(scores, anomalous));
        assert!(close(got.0, auc) && close(got.1, precision), "{scores:?} {anomalous:?}: {got:?}");
    }

    #[test]
    fn hand_worked_cases() {
        check(&[0.9, 0.8, 0.2, 0.1], &[T, T, F, F], Some(1.0), Some(1.0));
        check(&[0.1, 0.2, 0.8, 0.9], &[T, T, F, F], Some(0.0), Some((1.0 / 3.0 + 2.0 / 4.0) / 2.0));
        // The example of scikit-learn's documentation: AUC .75, average precision .83.
        check(&[0.1, 0.4, 0.35, 0.8], &[F, F, T, T], Some(0.75), Some(5.0 / 6.0));
    }

    #[test]
    fn ties_share_a_step() {
        // Pairs: (.9 beats both), (.5 ties one, beats the other): 3.5 of 4. AP: step .9 gives 1/2 at precision 1,
        // step .5 gives 1/2 at precision 2/3.
        check(&[0.9, 0.5, 0.5, 0.1], &[T, T, F, F], Some(0.875), Some(0.5 + 0.5 * 2.0 / 3.0));
        check(&[0.5; 5], &[T, F, F, T, F], Some(0.5), Some(0.4));
        check(&[0.0, -0.0], &[T, F], Some(0.5), Some(0.5));
    }

    #[test]
    fn one_kind_alone() {
        check(&[], &[], None, None);
        check(&[0.3, 0.4], &[F, F], None, None);
        check(&[0.3, 0.4], &[T, T], None, Some(1.0));
    }

    #[test]
    fn infinities_rank_too() {
        check(&[f64::INFINITY, 1.0, f64::NEG_INFINITY], &[T, F, T], Some(0.5), Some((1.0 + 2.0 / 3.0) / 2.0));
    }
}
