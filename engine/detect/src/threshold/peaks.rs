//! Peaks over threshold: how far must a score lie out to be rarer than anything seen?
//!
//! Beyond a high threshold `t`, the excesses of almost any distribution approach a generalised Pareto distribution
//! (Balkema & de Haan 1974, Pickands 1975), `P(Y > y) = (1 + ξ y / σ)^(-1/ξ)`. Fitted to the peaks it gives quantiles
//! beyond the largest score; SPOT (Siffer, Fouque, Termier, Largouët, KDD 2017) sets thresholds that way.
//!
//! # Choice of estimator
//! SPOT maximises the likelihood by Grimshaw's root search. Here the parameters come from probability-weighted moments
//! (Hosking & Wallis 1987): two sums and no search, so there is nothing that fails to converge, and below some 500
//! peaks their errors are smaller than those of maximum likelihood for `-0.2 < ξ < 0.4` (their section 5). Where the
//! estimated end of the distribution falls short of the largest peak, ξ is raised until it does not (the hybrid
//! estimator of Dupuis & Tsao 1998).

use phalanx_core::maths;

/// Fewer peaks than this are not fitted.
pub(super) const PEAKS_MIN: usize = 10;

/// A generalised Pareto distribution of excesses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pareto {
    shape: f64,
    scale: f64,
}

impl Pareto {
    /// Probability-weighted moments of ascending positive excesses. `None` of fewer than two, or if all are equal.
    fn fit(ascending: &[f64]) -> Option<Self> {
        let count = ascending.len() as f64;
        let mean = maths::mean(ascending)?;
        let weighted: Vec<f64> = ascending
            .iter()
            .enumerate()
            .map(|(i, y)| y * ((count - 1.0 - i as f64) / (count - 1.0)))
            .collect();
        // Twice the moment of weight 1 - F; what remains of the mean is half of Gini's mean difference.
        let doubled = 2.0 * maths::sum(&weighted) / count;
        let gini = mean - doubled;
        let largest = *ascending.last()?;
        // Rounding leaves a trace of what is 0 for equal peaks. A single peak has NaN for a weight.
        if gini.is_nan() || gini <= 1e-12 * mean {
            return None;
        }
        let scale = mean * (doubled / gini);
        let shape = (2.0 - mean / gini).max(-scale / largest);
        Some(Self { shape, scale })
    }

    /// The excess that is exceeded with this probability.
    fn exceeded_with(self, probability: f64) -> f64 {
        let log = libm::log(probability);
        // σ/ξ (p^-ξ - 1), continued to -σ ln p at ξ = 0.
        if self.shape.abs() < 1e-9 {
            -self.scale * log
        } else {
            self.scale * (libm::expm1(-self.shape * log) / self.shape)
        }
    }
}

/// The value that scores exceed with probability `q`, by the tail above their `level` quantile.
///
/// Ordinary quantiles where there is nothing to extrapolate: if `q` is not in the tail, or if there are fewer than
/// [`PEAKS_MIN`] peaks or all of them are equal.
pub(super) fn cut(ascending: &[f64], q: f64, level: f64) -> Option<f64> {
    let start = maths::quantile_sorted(ascending, level)?;
    let first = ascending.partition_point(|score| *score <= start);
    let peaks: Vec<f64> = ascending[first..].iter().map(|score| score - start).collect();
    let share = peaks.len() as f64 / ascending.len() as f64;
    let fitted = if peaks.len() < PEAKS_MIN || q >= share { None } else { Pareto::fit(&peaks) };
    match fitted {
        Some(pareto) => Some(start + pareto.exceeded_with(q / share)),
        None => maths::quantile_sorted(ascending, 1.0 - q),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_core::{Purpose, Streams, Tick};

    #[test]
    fn moments_worked_out() {
        // 1, 2, 3: mean 2, weighted moment (1 + 2/2 + 0) / 3 = 2/3. So ξ = 2 - 2 / (2 - 4/3) = -1, σ = 4: uniform
        // up to 4, which is indeed the unbiased guess.
        let pareto = Pareto::fit(&[1.0, 2.0, 3.0]).unwrap();
        assert!((pareto.shape + 1.0).abs() < 1e-12 && (pareto.scale - 4.0).abs() < 1e-12, "{pareto:?}");
        assert!((pareto.exceeded_with(0.25) - 3.0).abs() < 1e-12);
        assert_eq!(Pareto::fit(&[]), None);
        assert_eq!(Pareto::fit(&[1.0]), None);
        assert_eq!(Pareto::fit(&[0.3; 12]), None);
    }

    #[test]
    fn the_end_is_not_below_the_largest_peak() {
        let peaks = [0.1, 0.8, 0.85, 0.9, 0.95, 1.0];
        let pareto = Pareto::fit(&peaks).unwrap();
        assert!(pareto.exceeded_with(1e-12) >= 1.0 - 1e-9, "{pareto:?}");
    }

    #[test]
    fn parameters_are_recovered() {
        let mut rng = Streams::from_seed(6).stream(Purpose::Model, 0, Tick(0));
        for shape in [-0.4, -0.1, 0.0, 0.2, 0.3] {
            let truth = Pareto { shape, scale: 2.0 };
            let mut peaks: Vec<f64> = (0..40_000).map(|_| truth.exceeded_with(rng.uniform_open())).collect();
            peaks.sort_unstable_by(f64::total_cmp);
            let got = Pareto::fit(&peaks).unwrap();
            // Standard errors are below .012 and .025 (Hosking & Wallis 1987, table 2, at n = 40,000).
            assert!((got.shape - shape).abs() < 0.04 && (got.scale - 2.0).abs() < 0.08, "{shape}: {got:?}");
        }
    }

    #[test]
    fn rare_quantiles_of_known_tails() {
        let mut rng = Streams::from_seed(7).stream(Purpose::Model, 0, Tick(0));
        // 5,000 scores say where one in 100,000 lies: -ln q for the exponential, √(-2 ln q) for the Rayleigh tail.
        let quantile = |draw: &mut dyn FnMut() -> f64| {
            let mut scores: Vec<f64> = (0..5000).map(|_| draw()).collect();
            scores.sort_unstable_by(f64::total_cmp);
            cut(&scores, 1e-5, 0.95).unwrap()
        };
        let exponential = quantile(&mut || rng.exponential(1.0));
        assert!((exponential / 11.51 - 1.0).abs() < 0.25, "{exponential}");
        let rayleigh = quantile(&mut || (2.0 * rng.exponential(1.0)).sqrt());
        assert!((rayleigh / 4.80 - 1.0).abs() < 0.15, "{rayleigh}");
    }

    #[test]
    fn plain_quantiles_where_there_is_no_tail() {
        let scores: Vec<f64> = (0..100).map(f64::from).collect();
        assert_eq!(cut(&scores, 0.5, 0.9), Some(49.5));
        assert_eq!(cut(&scores, 0.01, 0.98), maths::quantile_sorted(&scores, 0.99));
        assert_eq!(cut(&[0.5; 1000], 1e-4, 0.98), Some(0.5));
        assert_eq!(cut(&[], 0.1, 0.9), None);
    }
}
