//! Wald's sequential test over voters of equal rates, exactly.

/// Bounds of the log-likelihood ratio: confirm from the first on, reject down to the second.
#[must_use]
pub fn bounds(alpha: f64, beta: f64) -> (f64, f64) {
    (libm::log((1.0 - beta) / alpha), libm::log(beta / (1.0 - alpha)))
}

/// What a vote adds to the log-likelihood ratio: yes, no.
#[must_use]
pub fn steps(tpr: f64, fpr: f64) -> (f64, f64) {
    (libm::log(tpr / fpr), libm::log((1.0 - tpr) / (1.0 - fpr)))
}

/// Mean number of voters asked, and probability of each decision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Course {
    /// Mean number of voters asked.
    pub asked: f64,
    /// Probability of confirming.
    pub confirm: f64,
    /// Probability of rejecting.
    pub reject: f64,
}

/// The test's exact course if voters say yes with probability `p`, by the distribution over the number of yes votes
/// that have not stopped it, until less than 1e-15 of it is left.
#[must_use]
pub fn course(alpha: f64, beta: f64, tpr: f64, fpr: f64, p: f64) -> Course {
    let (upper, lower) = bounds(alpha, beta);
    let (yes_step, no_step) = steps(tpr, fpr);
    let mut course = Course { asked: 0.0, confirm: 0.0, reject: 0.0 };
    // running[y]: probability of having asked `asked` voters, y of whom said yes, without a decision.
    let mut running = vec![1.0];
    loop {
        let left: f64 = running.iter().sum();
        if left < 1e-15 {
            return course;
        }
        course.asked += left;
        let asked = running.len();
        let mut next = vec![0.0; asked + 1];
        for (yes, mass) in running.iter().enumerate() {
            next[yes + 1] += mass * p;
            next[yes] += mass * (1.0 - p);
        }
        for (yes, mass) in next.iter_mut().enumerate() {
            let ratio = yes as f64 * yes_step + (asked - yes) as f64 * no_step;
            if ratio >= upper {
                course.confirm += std::mem::take(mass);
            } else if ratio <= lower {
                course.reject += std::mem::take(mass);
            }
        }
        running = next;
    }
}

/// Wald's approximation of the mean number of voters asked under a true and under a false report, which neglects how
/// far the last vote overshoots.
#[must_use]
pub fn wald_approximation(alpha: f64, beta: f64, tpr: f64, fpr: f64) -> (f64, f64) {
    let (upper, lower) = bounds(alpha, beta);
    let (yes_step, no_step) = steps(tpr, fpr);
    let drift = |p: f64| p * yes_step + (1.0 - p) * no_step;
    let on_true = ((1.0 - beta) * upper + beta * lower) / drift(tpr);
    let on_false = (alpha * upper + (1.0 - alpha) * lower) / drift(fpr);
    (on_true, on_false)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle O7.
    #[test]
    fn exact_courses() {
        let check = |tpr, fpr, on_true: (f64, f64), on_false: (f64, f64)| {
            let attack = course(0.01, 0.01, tpr, fpr, tpr);
            let benign = course(0.01, 0.01, tpr, fpr, fpr);
            assert!((attack.asked - on_true.0).abs() < 6e-4, "{attack:?}");
            assert!((benign.asked - on_false.0).abs() < 6e-4, "{benign:?}");
            assert!((attack.reject - on_true.1).abs() < 6e-6, "{attack:?}");
            assert!((benign.confirm - on_false.1).abs() < 6e-6, "{benign:?}");
        };
        check(0.9, 0.05, (2.479, 0.001_35), (3.318, 0.002_84));
        check(0.8, 0.2, (6.6148, 0.003_891), (6.6148, 0.003_891));
        check(0.7, 0.3, (14.8153, 0.006_158), (14.8153, 0.006_158));
        let (attack, benign) = wald_approximation(0.01, 0.01, 0.9, 0.05);
        assert!((attack - 1.895).abs() < 6e-4 && (benign - 2.258).abs() < 6e-4, "{attack} {benign}");
    }
}
