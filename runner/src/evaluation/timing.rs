//! What detectors cost: processor time, of one thread, which a busy machine stretches far less than the clock.

use std::time::Duration;

use serde::Serialize;

use super::{EvaluationError, NamedDetector, Split};

/// Cost of one fit and of scoring all rows once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Processor time of the fit.
    pub fit: Duration,
    /// Processor time of the scores.
    pub score: Duration,
}

impl Sample {
    /// Fits with seed 1 and scores, each once and from nothing, allocations included.
    ///
    /// # Errors
    /// If the detector refuses its parameters.
    pub fn take(detector: &NamedDetector, split: &Split) -> Result<Self, EvaluationError> {
        let start = cpu_time();
        let mut fitted = detector.fit(split, 1)?;
        let fit_end = cpu_time();
        let mut scores = Vec::new();
        fitted.score(&split.test, &mut scores).map_err(|problem| detector.refused(problem))?;
        Ok(Self { fit: fit_end - start, score: cpu_time() - fit_end })
    }
}

/// The middle and the best of repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MedianAndBest {
    /// Half are better.
    pub median: f64,
    /// The one that was disturbed least.
    pub best: f64,
}

/// Speed over repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Timing {
    /// Processor time of a fit, in milliseconds.
    pub fit_ms: MedianAndBest,
    /// Rows scored per second of processor time.
    pub rows_per_s: MedianAndBest,
}

impl Timing {
    /// Of at least one sample, each of `rows` rows scored.
    #[must_use]
    pub fn of(samples: &[Sample], rows: usize) -> Self {
        let fit_ms: Vec<f64> = samples.iter().map(|sample| sample.fit.as_secs_f64() * 1e3).collect();
        let rows_per_s: Vec<f64> =
            samples.iter().map(|sample| rows as f64 / sample.score.as_secs_f64()).collect();
        let best = |better: fn(f64, f64) -> f64, values: &[f64]| values.iter().copied().reduce(better);
        Self {
            fit_ms: MedianAndBest {
                median: median(&fit_ms),
                best: best(f64::min, &fit_ms).expect("there is a sample"),
            },
            rows_per_s: MedianAndBest {
                median: median(&rows_per_s),
                best: best(f64::max, &rows_per_s).expect("there is a sample"),
            },
        }
    }
}

/// The middle value, or the mean of the two that are.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) { (sorted[middle - 1] + sorted[middle]) / 2.0 } else { sorted[middle] }
}

/// Processor time that this process has used, whichever its threads.
#[cfg(unix)]
pub(crate) fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// Where there is no such clock, time as it passes.
#[cfg(not(unix))]
pub(crate) fn cpu_time() -> Duration {
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_bests() {
        let sample =
            |fit, score| Sample { fit: Duration::from_millis(fit), score: Duration::from_millis(score) };
        let timing = Timing::of(&[sample(4, 100), sample(2, 200), sample(9, 50)], 1000);
        assert_eq!(timing.fit_ms, MedianAndBest { median: 4.0, best: 2.0 });
        assert_eq!(timing.rows_per_s, MedianAndBest { median: 10_000.0, best: 20_000.0 });
        assert_eq!(median(&[1.0, 4.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn processor_time_passes_with_work() {
        let start = cpu_time();
        let mut sum = 0u64;
        while cpu_time() == start {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(cpu_time() > start);
    }
}
