//! Features on a common scale, for the detectors that measure distances.

use phalanx_core::{AgentMix, maths};
use serde::{Deserialize, Serialize};

use crate::detector::column;

/// What a detector does to a feature before it looks at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Scaling {
    /// Nothing.
    None,
    /// The training range becomes `[0, 1]`, as scikit-learn's `MinMaxScaler`.
    MinMax,
    /// The training rows get mean 0 and population standard deviation 1, as scikit-learn's `StandardScaler`.
    #[default]
    Standard,
    /// The training median becomes 0, and 1 is what a standard deviation would be of a normal feature with the same
    /// interquartile range: outliers among the training rows do not move it. A feature whose middle half is one value
    /// is divided by its standard deviation.
    Robust,
}

/// Interquartile range of the standard normal distribution.
const NORMAL_QUARTILES: f64 = 1.348_979_500_392_163_4;

/// Scaled values end here, so that sums of their squares stay finite in an `f32` up to 10^8 features.
const VALUE_MAX: f64 = 1e15;

/// A fitted scaling: `(x - offset) · factor`. A feature that did not vary in training has factor 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scaler {
    features: Vec<Affine>,
}

/// The scaling of one feature.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Affine {
    pub(crate) offset: f64,
    pub(crate) factor: f64,
}

impl Scaler {
    /// Fits to at least one row.
    pub(crate) fn fit(scaling: Scaling, rows: &[f32], width: usize) -> Self {
        let fit = |feature| Affine::fit(scaling, column(rows, width, feature).map(f64::from).collect());
        Self { features: (0..width).map(fit).collect() }
    }

    /// Writes the scaled values of one row.
    pub(crate) fn scale(&self, row: &[f32], out: &mut [f64]) {
        for ((affine, value), out) in self.features.iter().zip(row).zip(out) {
            *out = affine.apply(f64::from(*value));
        }
    }

    /// All rows scaled and rounded to `f32`, row-major as they came.
    pub(crate) fn scaled(&self, rows: &[f32]) -> Vec<f32> {
        let affine = self.features.iter().cycle();
        rows.iter().zip(affine).map(|(value, affine)| affine.apply(f64::from(*value)) as f32).collect()
    }

    /// Whether this is a scaling of `width` features.
    pub(crate) fn is_sound(&self, width: usize) -> bool {
        let valid = |a: &Affine| a.offset.is_finite() && a.factor.is_finite() && a.factor > 0.0;
        self.features.len() == width && self.features.iter().all(valid)
    }

    pub(crate) fn digest(&self, mix: &mut AgentMix) {
        for affine in &self.features {
            mix.float(affine.offset);
            mix.float(affine.factor);
        }
    }
}

impl Affine {
    /// Fits to at least one value.
    pub(crate) fn fit(scaling: Scaling, values: Vec<f64>) -> Self {
        let (offset, spread) = match scaling {
            Scaling::None => (0.0, 1.0),
            Scaling::MinMax => {
                let (low, high) = range(&values);
                (low, high - low)
            }
            Scaling::Standard => moments(values),
            Scaling::Robust => quartiles(values),
        };
        Self { offset, factor: if spread > 0.0 { 1.0 / spread } else { 1.0 } }
    }

    pub(crate) fn apply(self, value: f64) -> f64 {
        ((value - self.offset) * self.factor).clamp(-VALUE_MAX, VALUE_MAX)
    }
}

/// Least and greatest of at least one value.
pub(crate) fn range(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)))
}

/// A range with an inside: around a single value half a unit each way as in NumPy, or more where half a unit would
/// be lost in rounding.
pub(crate) fn widen((low, high): (f64, f64)) -> (f64, f64) {
    let pad = if low == high { (low.abs() * 1e-9).max(0.5) } else { 0.0 };
    (low - pad, high + pad)
}

/// Mean and population standard deviation of at least one value, summed from the first value as
/// [`crate::ZScore::fit`] does, so that equal values have a deviation of exactly 0.
pub(crate) fn moments(mut values: Vec<f64>) -> (f64, f64) {
    let (origin, count) = (values[0], values.len() as f64);
    values.iter_mut().for_each(|v| *v -= origin);
    let shift = maths::sum(&values) / count;
    values.iter_mut().for_each(|v| *v = (*v - shift) * (*v - shift));
    (origin + shift, (maths::sum(&values) / count).sqrt())
}

/// Median, and the deviation that the quartiles of at least one value suggest.
fn quartiles(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_unstable_by(f64::total_cmp);
    let at = |q| maths::quantile_sorted(&values, q).expect("there is a value");
    let (median, range) = (at(0.5), at(0.75) - at(0.25));
    (median, if range > 0.0 { range / NORMAL_QUARTILES } else { moments(values).1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(scaling: Scaling, expected: &[f32]) {
        // A column that varies and one that does not.
        let rows = [1.0, 5.0, 3.0, 5.0];
        let scaler = Scaler::fit(scaling, &rows, 2);
        assert_eq!(scaler.scaled(&[1.0, 5.0, 2.0, 7.0]), expected, "{scaling:?}");
    }

    #[test]
    fn scales_by_hand() {
        check(Scaling::None, &[1.0, 5.0, 2.0, 7.0]);
        check(Scaling::MinMax, &[0.0, 0.0, 0.5, 2.0]);
        check(Scaling::Standard, &[-1.0, 0.0, 0.0, 2.0]);
    }

    #[test]
    fn robust_scales_ignore_outliers() {
        let fit = |values: &[f64]| Affine::fit(Scaling::Robust, values.to_vec());
        let calm = fit(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!((calm.offset, calm.factor), (3.0, NORMAL_QUARTILES / 2.0));
        assert_eq!(fit(&[1.0, 2.0, 3.0, 4.0, 1e9]), calm);
        // Mostly zeros: the standard deviation of 0, 0, 0, 0, 5 is 2. All zeros: nothing to divide by.
        assert_eq!(fit(&[0.0, 0.0, 0.0, 0.0, 5.0]), Affine { offset: 0.0, factor: 0.5 });
        assert_eq!(fit(&[0.0; 5]), Affine { offset: 0.0, factor: 1.0 });
    }

    #[test]
    fn extremes_end_at_the_limit() {
        let scaler = Scaler::fit(Scaling::MinMax, &[0.0, f32::from_bits(1)], 1);
        assert_eq!(scaler.scaled(&[f32::MAX, f32::MIN, 0.0]), [1e15, -1e15, 0.0]);
        let wide = Scaler::fit(Scaling::Standard, &[f32::MAX, f32::MIN], 1);
        assert_eq!(wide.scaled(&[f32::MAX, f32::MIN]), [1.0, -1.0]);
    }
}
