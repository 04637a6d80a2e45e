//! The normaliser `c(n)`: what an unsuccessful search in a binary search tree costs on average.

use libm::log;

/// One cut in the fixed point that leaves are stored in. Paths are shorter than 32 + c(2^32) < 256, so 24 bits after
/// the point fit a `u32`, and leave an error of 3e-8 of a cut.
const ONE: f64 = 16_777_216.0;

/// Euler's constant γ.
const EULER: f64 = 0.577_215_664_901_532_9;

/// From here on, four terms of the asymptotic series of H(n) are exact to the last bit or two.
const SERIES_FROM: u32 = 256;

/// Average path length of an unsuccessful search among `n` points, `c(n) = 2 H(n-1) - 2 (n-1) / n` (eq. 1 of the
/// paper), with `c(0) = c(1) = 0` and `c(2) = 1`.
///
/// `H` is the exact harmonic number. The paper and scikit-learn put `ln(n-1) + γ` in its place, which is off by
/// `1 / 2n`: 0.04 % at 256 points, but 28 % at 3, and leaves of few points are where credits are given. The exact
/// form is the true mean depth of a random search tree at every `n`: c(3) = 5/3, c(4) = 13/6, c(256) = 10.248690.
///
/// ```
/// use phalanx_detect::average_path_length;
/// assert_eq!(average_path_length(2), 1.0);
/// assert!((average_path_length(3) - 5.0 / 3.0).abs() < 1e-15);
/// ```
#[must_use]
pub fn average_path_length(n: u32) -> f64 {
    if n < 2 {
        return 0.0;
    }
    from_harmonic(n, harmonic(n - 1))
}

/// [`average_path_length`] in fixed point: the credit of a leaf of `n` points.
pub(crate) fn credit(n: usize) -> u32 {
    (average_path_length(n as u32) * ONE + 0.5) as u32
}

/// [`credit`] of every count up to `size`, at one addition each.
pub(crate) fn credits(size: usize) -> Vec<u32> {
    let mut harmonic = 0.0;
    let next = |n: usize| {
        if n < 2 || n > SERIES_FROM as usize {
            return credit(n);
        }
        harmonic += 1.0 / (n - 1) as f64;
        (from_harmonic(n as u32, harmonic) * ONE + 0.5) as u32
    };
    (0..=size).map(next).collect()
}

fn from_harmonic(n: u32, harmonic: f64) -> f64 {
    2.0 * harmonic - 2.0 * f64::from(n - 1) / f64::from(n)
}

/// H(n) = 1 + 1/2 + … + 1/n: the sum itself where it is short, else `ln n + γ + 1/2n - 1/12n² + 1/120n⁴`.
fn harmonic(n: u32) -> f64 {
    if n < SERIES_FROM {
        return (1..=n).fold(0.0, |sum, k| sum + 1.0 / f64::from(k));
    }
    let n = f64::from(n);
    let square = n * n;
    log(n) + EULER + 1.0 / (2.0 * n) - 1.0 / (12.0 * square) + 1.0 / (120.0 * square * square)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the paper and scikit-learn compute.
    fn approximate(n: u32) -> f64 {
        from_harmonic(n, log(f64::from(n - 1)) + EULER)
    }

    #[test]
    fn both_columns_of_the_oracle() {
        let check = |c: f64, expected: f64| assert!((c - expected).abs() < 5e-7, "{c} against {expected}");
        check(average_path_length(256), 10.248_690);
        check(average_path_length(3), 5.0 / 3.0);
        check(average_path_length(4), 13.0 / 6.0);
        check(approximate(256), 10.244_771);
        check(approximate(100), 8.364_671);
        check(approximate(3), 1.207_392);
        assert_eq!([0, 1, 2].map(average_path_length), [0.0, 0.0, 1.0]);
    }

    #[test]
    fn scores_of_the_papers_figure() {
        // O13 takes c from the second column: E[h] = 0, 1, 4, 8, c.
        let c = approximate(256);
        for (depth, score) in [(0.0, 1.0), (1.0, 0.934_58), (4.0, 0.762_90), (8.0, 0.582_01), (c, 0.5)] {
            assert!((libm::exp2(-depth / c) - score).abs() < 5e-6, "{depth}");
        }
    }

    #[test]
    fn the_series_continues_the_sum() {
        let mut sum = 0.0;
        for n in 1..5000 {
            sum += 1.0 / f64::from(n);
            assert!((harmonic(n) - sum).abs() < 1e-13, "H({n})");
        }
        assert!(average_path_length(u32::MAX) < 44.0);
    }

    #[test]
    fn credits_of_all_are_those_of_each() {
        assert!(credits(2000).into_iter().enumerate().all(|(n, got)| got == credit(n)));
        assert_eq!(credits(0), [0]);
    }

    #[test]
    fn credits_are_rounded_to_24_bits() {
        assert_eq!([0, 1, 2, 3].map(credit), [0, 0, 1 << 24, 27_962_027]);
        assert!((f64::from(credit(1000)) / ONE - average_path_length(1000)).abs() < 3e-8);
    }
}
