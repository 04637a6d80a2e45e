//! Polls of the Snow family.

use super::counts::hypergeometric_at_least;

/// Probability that a poll of `k` out of `total` nodes, `holders` of which say the colour, finds it `alpha` times.
#[must_use]
pub fn poll_success(total: u32, holders: u32, k: u32, alpha: u32) -> f64 {
    hypergeometric_at_least(total, holders, k, alpha)
}

/// Mean number of polls until `beta` have succeeded in a row, each with probability `success`.
#[must_use]
pub fn polls_to_run(success: f64, beta: u32) -> f64 {
    let run = power(success, beta);
    (1.0 - run) / ((1.0 - success) * run)
}

/// Probability that `beta` polls in a row find the colour, at the metastable point where the correct nodes are split
/// evenly and a share `byzantine` of all says whatever suits the poller: a node decides for a colour that it should
/// not.
#[must_use]
pub fn metastable_failure(total: u32, byzantine: f64, k: u32, alpha: u32, beta: u32) -> f64 {
    let holders = f64::from(total) * (1.0 + byzantine) / 2.0;
    power(poll_success(total, (holders + 0.5) as u32, k, alpha), beta)
}

/// `x^n` by repeated multiplication in a fixed order.
fn power(x: f64, n: u32) -> f64 {
    (0..n).fold(1.0, |product, _| product * x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle O5.
    #[test]
    fn polls_and_runs() {
        let check = |k, alpha, share: f64, expected: f64| {
            let measured = poll_success(2000, (2000.0 * share) as u32, k, alpha);
            assert!((measured - expected).abs() < 1e-6, "{share}: {measured}");
        };
        check(20, 15, 0.5, 0.020_197);
        check(20, 15, 0.6, 0.124_382);
        check(20, 15, 0.7, 0.415_696);
        check(20, 15, 0.8, 0.805_197);
        check(10, 8, 0.5, 0.054_248);
        check(10, 8, 0.8, 0.677_951);
        for (success, expected) in [(0.9, 72.2526), (0.95, 35.7902), (0.8, 428.681)] {
            let measured = polls_to_run(success, 20);
            assert!((measured - expected).abs() < 1e-4 * expected, "{success}: {measured}");
        }
        for (byzantine, expected) in [(0.0, 1.3e-34), (0.2, 7.9e-19), (0.3, 5.7e-13)] {
            let measured = metastable_failure(2000, byzantine, 20, 15, 20);
            assert!((measured - expected).abs() < 0.05 * expected, "{byzantine}: {measured}");
        }
    }
}
