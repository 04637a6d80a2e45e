//! Closed forms and published figures, measured by simulation: `runner selftest`, and the tests.
//!
//! A `Check` is a quantity whose exact value is known, where that is from, and a way to measure it with the program's
//! own parts: rules decide polls, detectors score streams, rumours spread over graphs. [`run`] measures all of them,
//! each with a random stream of its own, so that results depend on the seed and the effort alone. A check misses if it
//! is further from the exact value than four standard errors and the check's own slack (what the published figure was
//! rounded by, or the tolerance that it states).

mod agreement;
mod committees;
mod detectors;
mod dynamics;
mod epidemics;
mod formats;
mod fusion;
mod graphs;
mod juries;
mod patients;
mod reputation;
mod table;
mod world;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use phalanx_core::{Purpose, Stream, Streams, Tick};
use serde::Serialize;

pub use table::table;

/// Standard errors that an estimate may be off by.
const ERRORS: f64 = 4.0;

/// How much is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// Under a minute.
    Quick,
    /// Ten times the repetitions, and the checks that are too long otherwise.
    Full,
}

/// What a measurement is given.
pub(crate) struct Trial {
    /// Its randomness.
    pub(crate) stream: Stream,
    /// Its randomness, for what draws by subject and tick.
    pub(crate) streams: Streams,
    effort: Effort,
}

impl Trial {
    /// Repetitions, where `quick` are enough to see a mistake.
    pub(crate) fn runs(&self, quick: u32) -> u32 {
        match self.effort {
            Effort::Quick => quick,
            Effort::Full => 10 * quick,
        }
    }

    /// Share of `quick` runs that hit.
    pub(crate) fn share(&mut self, quick: u32, mut hit: impl FnMut(&mut Stream) -> bool) -> Estimate {
        let runs = self.runs(quick);
        let hits = (0..runs).filter(|_| hit(&mut self.stream)).count();
        Estimate::share(hits as u64, u64::from(runs))
    }

    /// Mean of what `quick` runs give.
    pub(crate) fn mean(&mut self, quick: u32, mut value: impl FnMut(&mut Stream) -> f64) -> Estimate {
        let values: Vec<f64> = (0..self.runs(quick)).map(|_| value(&mut self.stream)).collect();
        Estimate::mean(&values)
    }
}

/// A measured value and its standard error, 0 if it was computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) value: f64,
    pub(crate) error: f64,
}

impl Estimate {
    /// Computed, not drawn.
    pub(crate) fn computed(value: f64) -> Self {
        Self { value, error: 0.0 }
    }

    /// Share of hits. Of no (or nothing but) hits the error is a quarter of a run, so that one is within four of them.
    pub(crate) fn share(hits: u64, runs: u64) -> Self {
        let value = hits as f64 / runs as f64;
        let error = (value * (1.0 - value) / runs as f64).sqrt().max(0.25 / runs as f64);
        Self { value, error }
    }

    /// Mean of independent values.
    pub(crate) fn mean(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let value = values.iter().sum::<f64>() / n;
        let squares = values.iter().map(|v| (v - value) * (v - value)).sum::<f64>();
        Self { value, error: (squares / (n - 1.0) / n).sqrt() }
    }
}

type Measure = Box<dyn Fn(&mut Trial) -> Estimate + Send + Sync>;

/// A quantity with a known value.
pub(crate) struct Check {
    id: &'static str,
    quantity: String,
    source: &'static str,
    exact: f64,
    slack: f64,
    long: bool,
    measure: Measure,
}

impl Check {
    /// A check of oracle `id`. `source` is where the exact value is from.
    pub(crate) fn new(
        id: &'static str,
        quantity: impl Into<String>,
        source: &'static str,
        exact: f64,
        measure: impl Fn(&mut Trial) -> Estimate + Send + Sync + 'static,
    ) -> Self {
        let measure = Box::new(measure);
        Self { id, quantity: quantity.into(), source, exact, slack: 1e-9, long: false, measure }
    }

    /// Also allows so much, beside sampling error.
    pub(crate) fn within(mut self, slack: f64) -> Self {
        self.slack = slack;
        self
    }

    /// Only with [`Effort::Full`].
    pub(crate) fn long(mut self) -> Self {
        self.long = true;
        self
    }

    fn run(&self, index: usize, seed: u64, effort: Effort) -> Finding {
        let streams = Streams::from_seed(seed ^ (index as u64) << 32);
        let stream = streams.stream(Purpose::SelfTest, 0, Tick(0));
        let Estimate { value, error } = (self.measure)(&mut Trial { stream, streams, effort });
        let tolerance = ERRORS * error + self.slack;
        // Written so that an undefined estimate misses.
        let ok = (value - self.exact).abs() <= tolerance;
        Finding {
            id: self.id,
            quantity: self.quantity.clone(),
            exact: self.exact,
            measured: value,
            standard_error: error,
            tolerance,
            verdict: if ok { Verdict::Ok } else { Verdict::Miss },
            source: self.source,
        }
    }
}

/// Whether the measured value is the exact one, as far as can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is.
    Ok,
    /// It is not.
    Miss,
}

/// What a check found.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Oracle, such as `O11`.
    pub id: &'static str,
    /// What was measured.
    pub quantity: String,
    /// Its known value.
    pub exact: f64,
    /// What came out.
    pub measured: f64,
    /// Its standard error; 0 if it was computed rather than drawn.
    pub standard_error: f64,
    /// How far off it may be.
    pub tolerance: f64,
    /// Whether it is within.
    pub verdict: Verdict,
    /// Where the known value is from.
    pub source: &'static str,
}

/// Findings of a selftest, in the order of the oracles.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Root of its randomness.
    pub seed: u64,
    /// What was spent.
    pub effort: Effort,
    /// All checks.
    pub checks: Vec<Finding>,
    /// How many missed.
    pub missed: usize,
}

/// All checks, by oracle.
fn checks() -> Vec<Check> {
    let groups = [
        reputation::checks(),
        juries::checks(),
        committees::checks(),
        fusion::checks(),
        epidemics::checks(),
        detectors::checks(),
        agreement::checks(),
        graphs::checks(),
        formats::checks(),
        dynamics::checks(),
    ];
    let mut all: Vec<Check> = groups.into_iter().flatten().collect();
    all.sort_by_key(|check| check.id[1..].parse::<u32>().expect("oracles are numbered"));
    all
}

/// Measures everything, on so many threads, and calls `progress` with the number of checks done and of all.
#[must_use]
pub fn run(seed: u64, effort: Effort, threads: usize, progress: impl FnMut(usize, usize)) -> Report {
    report(&checks(), seed, effort, threads, progress)
}

fn report(
    checks: &[Check],
    seed: u64,
    effort: Effort,
    threads: usize,
    mut progress: impl FnMut(usize, usize),
) -> Report {
    let chosen: Vec<&Check> = checks.iter().filter(|c| effort == Effort::Full || !c.long).collect();
    let next = AtomicUsize::new(0);
    let (send, receive) = mpsc::channel();
    let mut found: Vec<Option<Finding>> = chosen.iter().map(|_| None).collect();
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, chosen.len().max(1)) {
            let (send, next, chosen) = (send.clone(), &next, &chosen);
            scope.spawn(move || {
                while let Some(check) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // A check's place among all, so that the others' selection does not shift its draws.
                    let index =
                        checks.iter().position(|c| std::ptr::eq(c, *check)).expect("it is one of them");
                    let place = chosen.iter().position(|c| std::ptr::eq(*c, *check)).expect("it was chosen");
                    // The receiver outlives the threads.
                    let _ = send.send((place, check.run(index, seed, effort)));
                }
            });
        }
        drop(send);
        for (done, (place, finding)) in receive.iter().enumerate() {
            found[place] = Some(finding);
            progress(done + 1, chosen.len());
        }
    });
    let checks: Vec<Finding> = found.into_iter().map(|f| f.expect("every check is measured once")).collect();
    let missed = checks.iter().filter(|f| f.verdict == Verdict::Miss).count();
    Report { seed, effort, checks, missed }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coin(exact: f64) -> Check {
        Check::new("O0", "a coin", "by hand", exact, |trial| trial.share(10_000, |s| s.bernoulli(0.5)))
    }

    #[test]
    fn a_value_that_is_off_misses() {
        let checks = [coin(0.5), coin(0.53), coin(f64::NAN)];
        let found = report(&checks, 1, Effort::Quick, 2, |_, _| ());
        let verdicts: Vec<Verdict> = found.checks.iter().map(|f| f.verdict).collect();
        assert_eq!(verdicts, [Verdict::Ok, Verdict::Miss, Verdict::Miss]);
        assert_eq!(found.missed, 2);
        assert_eq!(crate::commands::selftest::exit_of(&found), crate::exit::Exit::Mismatch);
        assert!(table(&found, crate::terminal::Style::plain()).contains("MISS"));
        let good = report(&checks[..1], 1, Effort::Quick, 2, |_, _| ());
        assert_eq!(crate::commands::selftest::exit_of(&good), crate::exit::Exit::Ok);
    }

    #[test]
    fn threads_change_nothing() {
        let checks = [coin(0.5), coin(0.5).long(), coin(0.5)];
        let values = |threads| {
            let found = report(&checks, 7, Effort::Quick, threads, |_, _| ());
            found.checks.iter().map(|f| f.measured).collect::<Vec<_>>()
        };
        assert_eq!(values(1), values(4));
        assert_eq!(values(1).len(), 2, "long checks are for a full selftest");
        assert_ne!(values(1)[0], values(1)[1], "every check has a stream of its own");
    }
}
