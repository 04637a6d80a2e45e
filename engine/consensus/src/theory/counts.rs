//! Probabilities of counts: binomial, hypergeometric and Poisson, with their tails.
//!
//! Single probabilities come from log-gamma, tails are sums from the small end, so that the tiny ones keep their
//! relative precision (about 1e-11 at a few thousand draws).

/// `ln C(n, k)`.
#[must_use]
pub fn ln_choose(n: u32, k: u32) -> f64 {
    let ln_factorial = |x: u32| libm::lgamma(f64::from(x) + 1.0);
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
}

/// `P[Bin(n, p) = k]`.
#[must_use]
pub fn binomial(n: u32, k: u32, p: f64) -> f64 {
    if k > n {
        return 0.0;
    }
    if p <= 0.0 || p >= 1.0 {
        return f64::from(u8::from(k == if p <= 0.0 { 0 } else { n }));
    }
    let (hits, misses) = (f64::from(k), f64::from(n - k));
    libm::exp(ln_choose(n, k) + hits * libm::log(p) + misses * libm::log1p(-p))
}

/// `P[Bin(n, p) >= least]`.
#[must_use]
pub fn binomial_at_least(n: u32, least: u32, p: f64) -> f64 {
    (least..=n).rev().map(|k| binomial(n, k, p)).sum()
}

/// `P[k of m drawn are marked]`, `m` drawn without replacement from `total`, of which `marked` are.
#[must_use]
pub fn hypergeometric(total: u32, marked: u32, m: u32, k: u32) -> f64 {
    if k > m || k > marked || m - k > total - marked {
        return 0.0;
    }
    libm::exp(ln_choose(marked, k) + ln_choose(total - marked, m - k) - ln_choose(total, m))
}

/// `P[at least t of m drawn are marked]`: the failure of a committee, the success of a poll.
#[must_use]
pub fn hypergeometric_at_least(total: u32, marked: u32, m: u32, t: u32) -> f64 {
    (t..=m).rev().map(|k| hypergeometric(total, marked, m, k)).sum()
}

/// `P[Poisson(mean) = k]`.
#[must_use]
pub fn poisson(mean: f64, k: u32) -> f64 {
    libm::exp(f64::from(k) * libm::log(mean) - mean - libm::lgamma(f64::from(k) + 1.0))
}

/// `P[Poisson(mean) <= most]`.
#[must_use]
pub fn poisson_at_most(mean: f64, most: u32) -> f64 {
    (0..=most).map(|k| poisson(mean, k)).sum()
}

/// Both ways in which an Algorand committee of expected size `tau` fails, of whose members `h` are honest and
/// `threshold · tau` votes decide: too few honest members for progress, and enough bad ones to help half of the
/// honest ones to a second decision (Gilad et al. 2017, §7.5).
#[must_use]
pub fn sortition_failure(tau: f64, threshold: f64, h: f64) -> (f64, f64) {
    let needed = threshold * tau;
    let good = h * tau;
    let bad = tau - good;
    let stall = poisson_at_most(good, needed as u32);
    // P[good / 2 + bad > needed], over the number of bad members; beyond 20 deviations nothing is left.
    let most = (bad + 20.0 * bad.sqrt() + 20.0) as u32;
    let fork = (0..=most)
        .rev()
        .map(|b| {
            let good_needed = 2.0 * (needed - f64::from(b));
            poisson(bad, b) * poisson_above(good, good_needed)
        })
        .sum();
    (stall, fork)
}

/// `P[Poisson(mean) > bound]`, summed from the far end.
fn poisson_above(mean: f64, bound: f64) -> f64 {
    if bound < 0.0 {
        return 1.0;
    }
    let first = bound as u32 + 1;
    let last = (mean + 30.0 * mean.sqrt()) as u32 + 30;
    if first > last { 0.0 } else { (first..=last).rev().map(|k| poisson(mean, k)).sum() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(measured: f64, exact: f64, relative: f64) {
        assert!((measured - exact).abs() <= relative * exact.abs(), "{measured} against {exact}");
    }

    /// Oracle O4.
    #[test]
    fn committees_fail_as_published() {
        for (total, bad, m, t, expected) in [
            (100, 20, 10, 5, 0.025_465),
            (100, 30, 21, 11, 0.014_018),
            (1000, 200, 50, 17, 0.012_331),
            (4000, 1333, 250, 125, 1.365_5e-8),
        ] {
            close(hypergeometric_at_least(total, bad, m, t), expected, 1e-4);
        }
        let (stall, fork) = sortition_failure(2000.0, 0.685, 0.8);
        close(stall, 2.06e-9, 5e-3);
        close(fork, 2.15e-9, 5e-3);
        assert!(stall + fork < 5e-9, "the paper's bound");
    }

    #[test]
    fn tails_are_whole() {
        close(binomial_at_least(40, 0, 0.3), 1.0, 1e-12);
        close(hypergeometric_at_least(60, 20, 15, 0), 1.0, 1e-12);
        assert_eq!(binomial_at_least(5, 6, 0.5), 0.0);
        assert_eq!((binomial(3, 0, 0.0), binomial(3, 3, 1.0), binomial(3, 2, 1.0)), (1.0, 1.0, 0.0));
        // Fewer good ones than a draw needs: some bad ones are certain.
        close(hypergeometric_at_least(10, 8, 5, 3), 1.0, 1e-12);
    }
}
