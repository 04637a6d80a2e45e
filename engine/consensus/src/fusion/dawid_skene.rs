//! Truth and the raters' error rates from their labels alone, by expectation and maximisation (Dawid & Skene 1979).

/// One label: rater `rater` found item `item` to be of class `class`. A rater may label an item more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// Item, `0..items`.
    pub item: u32,
    /// Rater, `0..raters`.
    pub rater: u32,
    /// Class, `0..classes`.
    pub class: u32,
}

/// Shape of the problem and when to stop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Problem {
    /// Items.
    pub items: usize,
    /// Raters.
    pub raters: usize,
    /// Classes.
    pub classes: usize,
    /// Stops once the sums of the changes of the marginals and of the error rates both stay below this.
    pub tolerance: f64,
    /// Stops after so many iterations at the latest.
    pub iterations_max: u32,
    /// Items of each class taken as given before the first one; and labels that every rater is taken to have given
    /// rightly to each class, and again wrongly, shared among the others. Keeps rates off 0 and 1 where labels are
    /// few. 0 is the paper.
    pub smoothing: f64,
}

/// What is known beforehand. Without any: shares of labels as first posterior, and the problem's smoothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hints {
    /// First posterior, `items × classes`.
    pub start: Option<Vec<f64>>,
    /// Labels of each rater taken as given before the first one, in the shape of [`Solution::rates`].
    pub counts: Option<Vec<f64>>,
}

/// What came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// Probability of each class, `classes`.
    pub marginals: Vec<f64>,
    /// `P(label l | class j)` of rater k at `(k · classes + j) · classes + l`.
    pub rates: Vec<f64>,
    /// Probability of each item's class, `items × classes`.
    pub posterior: Vec<f64>,
    /// Log-likelihood of all labels after each iteration, before smoothing.
    pub log_likelihood: Vec<f64>,
}

impl Solution {
    /// `P(label | class)` of a rater.
    #[must_use]
    pub fn rate(&self, rater: usize, class: usize, label: usize) -> f64 {
        let classes = self.marginals.len();
        self.rates[(rater * classes + class) * classes + label]
    }

    /// The likeliest class of an item; of several the lowest.
    #[must_use]
    pub fn class(&self, item: usize) -> usize {
        let classes = self.marginals.len();
        likeliest(&self.posterior[item * classes..(item + 1) * classes])
    }
}

/// Index of the largest value; of several the lowest.
fn likeliest(values: &[f64]) -> usize {
    (0..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

/// The class that most labels of an item say; of several the lowest.
#[must_use]
pub fn plurality(problem: &Problem, labels: &[Label], item: u32) -> usize {
    let mut counts = vec![0.0; problem.classes];
    labels.iter().filter(|l| l.item == item).for_each(|l| counts[l.class as usize] += 1.0);
    likeliest(&counts)
}

/// Runs the iteration until it settles. An item without labels gets the marginals.
///
/// # Panics
/// If a label or a hint does not have the shape of the problem.
#[must_use]
pub fn solve(problem: &Problem, labels: &[Label], hints: Hints) -> Solution {
    let Problem { items, raters, classes, .. } = *problem;
    let counts = hints.counts.unwrap_or_else(|| even_counts(problem));
    let mut solution = Solution {
        marginals: vec![0.0; classes],
        rates: vec![0.0; raters * classes * classes],
        posterior: hints.start.unwrap_or_else(|| shares(problem, labels)),
        log_likelihood: Vec::new(),
    };
    assert!(
        counts.len() == solution.rates.len() && solution.posterior.len() == items * classes,
        "shape of hints"
    );
    for iteration in 0..problem.iterations_max {
        let (marginals, rates) = maximise(problem, labels, &counts, &solution.posterior);
        let change = |old: &[f64], new: &[f64]| old.iter().zip(new).map(|(a, b)| (a - b).abs()).sum::<f64>();
        let done = iteration > 0
            && change(&solution.marginals, &marginals) < problem.tolerance
            && change(&solution.rates, &rates) < problem.tolerance;
        solution.marginals = marginals;
        solution.rates = rates;
        let fit = expect(problem, labels, &mut solution);
        solution.log_likelihood.push(fit);
        if done {
            break;
        }
    }
    solution
}

/// Share of each class among the labels of each item.
fn shares(problem: &Problem, labels: &[Label]) -> Vec<f64> {
    let classes = problem.classes;
    let mut posterior = vec![0.0; problem.items * classes];
    for label in labels {
        posterior[label.item as usize * classes + label.class as usize] += 1.0;
    }
    for row in posterior.chunks_exact_mut(classes) {
        let all: f64 = row.iter().sum();
        let even = 1.0 / classes as f64;
        row.iter_mut().for_each(|p| *p = if all > 0.0 { *p / all } else { even });
    }
    posterior
}

/// The problem's smoothing, for every rater.
fn even_counts(problem: &Problem) -> Vec<f64> {
    let Problem { raters, classes, smoothing, .. } = *problem;
    let wrong = if classes > 1 { smoothing / (classes - 1) as f64 } else { 0.0 };
    let mut counts = vec![wrong; raters * classes * classes];
    for (at, row) in counts.chunks_exact_mut(classes).enumerate() {
        row[at % classes] = smoothing;
    }
    counts
}

/// Marginals and error rates that make the posterior likeliest.
fn maximise(problem: &Problem, labels: &[Label], counts: &[f64], posterior: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let Problem { items, classes, smoothing, .. } = *problem;
    let mut marginals = vec![smoothing; classes];
    for row in posterior.chunks_exact(classes) {
        marginals.iter_mut().zip(row).for_each(|(sum, p)| *sum += p);
    }
    let all = items as f64 + smoothing * classes as f64;
    marginals.iter_mut().for_each(|sum| *sum /= all);

    let mut rates = counts.to_vec();
    for label in labels {
        for class in 0..classes {
            let at = (label.rater as usize * classes + class) * classes + label.class as usize;
            rates[at] += posterior[label.item as usize * classes + class];
        }
    }
    for row in rates.chunks_exact_mut(classes) {
        let sum: f64 = row.iter().sum();
        if sum > 0.0 {
            row.iter_mut().for_each(|rate| *rate /= sum);
        }
    }
    (marginals, rates)
}

/// Replaces the posterior by the one that marginals and rates imply; returns the log-likelihood of the labels.
fn expect(problem: &Problem, labels: &[Label], solution: &mut Solution) -> f64 {
    let classes = problem.classes;
    let logs: Vec<f64> = solution.rates.iter().map(|rate| libm::log(*rate)).collect();
    for row in solution.posterior.chunks_exact_mut(classes) {
        row.iter_mut().zip(&solution.marginals).for_each(|(p, marginal)| *p = libm::log(*marginal));
    }
    for label in labels {
        for class in 0..classes {
            let at = (label.rater as usize * classes + class) * classes + label.class as usize;
            solution.posterior[label.item as usize * classes + class] += logs[at];
        }
    }
    let mut log_likelihood = 0.0;
    for row in solution.posterior.chunks_exact_mut(classes) {
        let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if most == f64::NEG_INFINITY {
            // No class explains the labels, which only rates of exactly 0 can bring about.
            row.copy_from_slice(&solution.marginals);
            log_likelihood = f64::NEG_INFINITY;
            continue;
        }
        row.iter_mut().for_each(|p| *p = libm::exp(*p - most));
        let sum: f64 = row.iter().sum();
        row.iter_mut().for_each(|p| *p /= sum);
        log_likelihood += most + libm::log(sum);
    }
    log_likelihood
}
