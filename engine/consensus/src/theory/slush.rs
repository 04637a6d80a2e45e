//! Slush as a birth-and-death chain: one random node at a time polls `k` of the others.

use super::counts::hypergeometric_at_least;

/// Where the chain ends, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Absorption {
    /// Probability that all nodes end up with the colour.
    pub all: f64,
    /// Mean number of single steps until all nodes agree.
    pub steps: f64,
}

/// The exact chain: of `n` nodes, `start` hold the colour; a step draws a node, which samples `k` of the others and
/// flips if at least `alpha` of them hold the other colour.
///
/// # Panics
/// If `k` exceeds the other nodes or `start` all nodes, or if some mixed state can never be left.
#[must_use]
pub fn absorption(n: u32, k: u32, alpha: u32, start: u32) -> Absorption {
    assert!(k < n && start <= n, "k others are sampled, and start of n hold the colour");
    if start == 0 || start == n {
        return Absorption { all: f64::from(u8::from(start == n)), steps: 0.0 };
    }
    let share = |count: u32| f64::from(count) / f64::from(n);
    let gain: Vec<f64> = (1..n).map(|i| share(n - i) * hypergeometric_at_least(n - 1, i, k, alpha)).collect();
    let loss: Vec<f64> = (1..n).map(|i| share(i) * hypergeometric_at_least(n - 1, n - i, k, alpha)).collect();
    assert!(gain.iter().zip(&loss).all(|(g, l)| g + l > 0.0), "a mixed state is never left: lower alpha");
    // (gain + loss) x_i - loss x_(i-1) - gain x_(i+1) = right side, with the ends known.
    let last = gain.len() - 1;
    let mut to_all = vec![0.0; gain.len()];
    to_all[last] = gain[last];
    let at = start as usize - 1;
    Absorption { all: solve(&gain, &loss, to_all)[at], steps: solve(&gain, &loss, vec![1.0; gain.len()])[at] }
}

/// Thomas's algorithm; the matrix is weakly diagonally dominant, so that no pivoting is needed.
fn solve(gain: &[f64], loss: &[f64], mut right: Vec<f64>) -> Vec<f64> {
    let mut above = vec![0.0; gain.len()];
    for i in 0..gain.len() {
        let (below, carried, known) =
            if i == 0 { (0.0, 0.0, 0.0) } else { (loss[i], above[i - 1], right[i - 1]) };
        let pivot = gain[i] + loss[i] - below * carried;
        above[i] = gain[i] / pivot;
        right[i] = (right[i] + below * known) / pivot;
    }
    for i in (0..gain.len() - 1).rev() {
        right[i] += above[i] * right[i + 1];
    }
    right
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle O5.
    #[test]
    fn published_chains() {
        let check = |n, k, alpha, start, all: f64, steps: f64| {
            let exact = absorption(n, k, alpha, start);
            assert!((exact.all - all).abs() < 1e-6, "{exact:?} against {all}");
            assert!((exact.steps - steps).abs() < 1e-3, "{exact:?} against {steps}");
        };
        check(50, 5, 3, 30, 0.917_632, 233.730);
        check(50, 5, 3, 25, 0.5, 270.934);
        check(100, 10, 8, 55, 0.993_324, 705.743);
        check(20, 1, 1, 6, 0.3, 222.925);
    }
}
