//! Counts of right and wrong flags.

use serde::{Deserialize, Serialize};

/// Confusion matrix of a binary detector.
///
/// Rates are `None` where their denominator is 0: nothing flagged has no precision, nothing anomalous no recall.
///
/// ```
/// use phalanx_detect::Confusion;
/// let mut confusion = Confusion::default();
/// confusion.add(true, true);
/// confusion.add(true, false);
/// assert_eq!((confusion.precision(), confusion.recall(), confusion.fpr()), (Some(0.5), Some(1.0), Some(1.0)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// Anomalous and flagged.
    pub true_positive: u64,
    /// Benign and flagged.
    pub false_positive: u64,
    /// Benign and not flagged.
    pub true_negative: u64,
    /// Anomalous and not flagged.
    pub false_negative: u64,
}

impl Confusion {
    /// Counts one row.
    pub fn add(&mut self, flagged: bool, anomalous: bool) {
        match (flagged, anomalous) {
            (true, true) => self.true_positive += 1,
            (true, false) => self.false_positive += 1,
            (false, false) => self.true_negative += 1,
            (false, true) => self.false_negative += 1,
        }
    }

    /// Adds the counts of another matrix. The order of merging does not matter.
    pub fn merge(&mut self, other: &Self) {
        self.true_positive += other.true_positive;
        self.false_positive += other.false_positive;
        self.true_negative += other.true_negative;
        self.false_negative += other.false_negative;
    }

    /// Rows counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.anomalous() + self.false_positive + self.true_negative
    }

    /// Anomalous rows counted.
    #[must_use]
    pub fn anomalous(&self) -> u64 {
        self.true_positive + self.false_negative
    }

    /// Flagged rows counted.
    #[must_use]
    pub fn flagged(&self) -> u64 {
        self.true_positive + self.false_positive
    }

    /// Share of flagged rows that are anomalous.
    #[must_use]
    pub fn precision(&self) -> Option<f64> {
        ratio(self.true_positive, self.flagged())
    }

    /// Share of anomalous rows that are flagged.
    #[must_use]
    pub fn recall(&self) -> Option<f64> {
        ratio(self.true_positive, self.anomalous())
    }

    /// Harmonic mean of precision and recall, `2 TP / (2 TP + FP + FN)`; defined unless nothing is flagged and
    /// nothing is anomalous.
    #[must_use]
    pub fn f1(&self) -> Option<f64> {
        ratio(2 * self.true_positive, self.flagged() + self.anomalous())
    }

    /// False-positive rate: share of benign rows that are flagged.
    #[must_use]
    pub fn fpr(&self) -> Option<f64> {
        ratio(self.false_positive, self.false_positive + self.true_negative)
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_of_a_worked_example() {
        let confusion =
            Confusion { true_positive: 8, false_positive: 2, true_negative: 86, false_negative: 4 };
        assert_eq!(confusion.precision(), Some(0.8));
        assert_eq!(confusion.recall(), Some(8.0 / 12.0));
        assert_eq!(confusion.f1(), Some(16.0 / 22.0));
        assert_eq!(confusion.fpr(), Some(2.0 / 88.0));
        assert_eq!(confusion.total(), 100);
    }

    #[test]
    fn undefined_is_none() {
        let mut confusion = Confusion::default();
        let rates = |c: &Confusion| [c.precision(), c.recall(), c.f1(), c.fpr()];
        assert_eq!(rates(&confusion), [None; 4]);
        confusion.add(false, false);
        assert_eq!(rates(&confusion), [None, None, None, Some(0.0)]);
        confusion.add(false, true);
        assert_eq!(rates(&confusion), [None, Some(0.0), Some(0.0), Some(0.0)]);
    }

    #[test]
    fn merging_is_counting_all() {
        let rows = [(true, true), (true, false), (false, true), (false, false), (true, true)];
        let count = |rows: &[(bool, bool)]| {
            let mut confusion = Confusion::default();
            rows.iter().for_each(|(flagged, anomalous)| confusion.add(*flagged, *anomalous));
            confusion
        };
        let mut merged = count(&rows[..2]);
        merged.merge(&count(&rows[2..]));
        assert_eq!(merged, count(&rows));
        assert_eq!(merged.total(), 5);
    }

    #[test]
    fn base_rate_fallacy() {
        // O14: TPR .99, FPR .01 and one anomaly in a thousand give a precision of .090164.
        let confusion =
            Confusion { true_positive: 99, false_positive: 999, true_negative: 98_901, false_negative: 1 };
        assert!((confusion.precision().unwrap() - 0.090_164).abs() < 5e-7);
        assert_eq!((confusion.recall(), confusion.fpr()), (Some(0.99), Some(0.01)));
    }
}
