//! Adaptive windowing of Bifet and Gavaldà ("Learning from Time-Changing Data with Adaptive Windowing", SDM 2007).
//!
//! The window grows while its mean may be constant. As soon as some split of it leaves two parts whose means differ by
//! more than chance allows, the oldest rows go, until no split does.
//!
//! # Memory
//! An exponential histogram (their ADWIN2): buckets of 1, 2, 4, … values, at most [`BUCKETS`] of a size. Only splits
//! between buckets are tried, so a window of n values takes `O(log n)` memory and time.

use phalanx_core::AgentMix;
use serde::{Deserialize, Serialize};

use super::DriftDetector;
use crate::DetectError;
use crate::detector::{check_parameter, finish};
use crate::state;

/// Most buckets of one size: M of the paper, which uses 5.
const BUCKETS: usize = 5;

/// Splits are tried each time this many values have come: the interval of the authors' implementation in MOA.
const INTERVAL: u64 = 32;

/// Least number of values on either side of a split; as MOA.
const PART_MIN: u64 = 5;

/// Consecutive values: their number, mean and sum of squared deviations from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Bucket {
    count: u64,
    mean: f64,
    squares: f64,
}

impl Bucket {
    /// Both together (Chan, Golub & LeVeque 1979).
    fn merge(self, other: Self) -> Self {
        let count = self.count + other.count;
        if count == 0 {
            return Self::default();
        }
        let share = other.count as f64 / count as f64;
        let apart = other.mean - self.mean;
        let between = apart * apart * (self.count as f64 * share);
        Self { count, mean: self.mean + apart * share, squares: self.squares + other.squares + between }
    }
}

/// A window over a stream that shrinks when the mean changes.
///
/// ```
/// use phalanx_detect::{Adwin, DriftDetector};
/// let mut window = Adwin::new(0.002)?;
/// let calm = (0..1000).filter(|i| window.update(f64::from(i % 2))).count();
/// let after = (0..1000).position(|i| window.update(f64::from(i % 2) + 1.0));
/// assert_eq!(calm, 0);
/// assert!(after.is_some_and(|delay| delay < 100));
/// assert!(window.len() < 1000);
/// # Ok::<(), phalanx_detect::DetectError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adwin {
    delta: f64,
    /// Buckets of `2^i` values at `i`, oldest first; larger ones are older.
    levels: Vec<Vec<Bucket>>,
    /// Values taken.
    seen: u64,
}

impl Default for Adwin {
    /// A δ of 0.002, the authors' and river's.
    fn default() -> Self {
        Self { delta: 0.002, levels: Vec::new(), seen: 0 }
    }
}

impl Adwin {
    /// An empty window. `delta` bounds the chance that a stationary window is cut.
    ///
    /// # Errors
    /// `delta` outside `(0, 1)`.
    pub fn new(delta: f64) -> Result<Self, DetectError> {
        check_parameter(delta > 0.0 && delta < 1.0, "delta", "greater than 0 and less than 1")?;
        Ok(Self { delta, ..Self::default() })
    }

    /// Values in the window.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.oldest_first().map(|bucket| bucket.count).sum()
    }

    /// Whether the window holds no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Mean of the window, `None` if it is empty.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let all = self.total();
        (all.count > 0).then_some(all.mean)
    }

    fn oldest_first(&self) -> impl Iterator<Item = &Bucket> {
        self.levels.iter().rev().flatten()
    }

    /// All buckets together. Added up anew each time: no rounding error outlives its bucket.
    fn total(&self) -> Bucket {
        self.oldest_first().fold(Bucket::default(), |sum, bucket| sum.merge(*bucket))
    }

    fn insert(&mut self, value: f64) {
        let mut carried = Some(Bucket { count: 1, mean: value, squares: 0.0 });
        for level in 0.. {
            let Some(bucket) = carried.take() else { break };
            if self.levels.len() == level {
                self.levels.push(Vec::with_capacity(BUCKETS + 1));
            }
            let buckets = &mut self.levels[level];
            buckets.push(bucket);
            if buckets.len() > BUCKETS {
                carried = Some(buckets[0].merge(buckets[1]));
                buckets.drain(..2);
            }
        }
    }

    /// Whether some split leaves two parts whose means differ by more than ε of theorem 3.1, with `δ' = δ / ln n`.
    fn splits(&self) -> bool {
        let all = self.total();
        let count = all.count as f64;
        let confidence = libm::log(2.0 * libm::log(count) / self.delta);
        let variance = all.squares / count;
        let mut old = Bucket::default();
        for bucket in self.oldest_first() {
            old = old.merge(*bucket);
            let rest = all.count - old.count;
            if rest < PART_MIN {
                break;
            }
            if old.count < PART_MIN {
                continue;
            }
            let inverse = 1.0 / old.count as f64 + 1.0 / rest as f64;
            let epsilon = (2.0 * inverse * variance * confidence).sqrt() + 2.0 / 3.0 * inverse * confidence;
            // The mean of the rest follows from the mean of all: the parts differ by n / n₁ of (old - all).
            if (old.mean - all.mean).abs() * (count / rest as f64) > epsilon {
                return true;
            }
        }
        false
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.levels.last_mut() {
            oldest.remove(0);
            if oldest.is_empty() {
                self.levels.pop();
            }
        }
        // A level between may have been empty, too.
        while self.levels.last().is_some_and(Vec::is_empty) {
            self.levels.pop();
        }
    }
}

impl DriftDetector for Adwin {
    fn update(&mut self, value: f64) -> bool {
        if !value.is_finite() {
            return false;
        }
        self.insert(value);
        self.seen += 1;
        let mut changed = false;
        if self.seen.is_multiple_of(INTERVAL) {
            while self.splits() {
                self.drop_oldest();
                changed = true;
            }
        }
        changed
    }

    fn digest(&self) -> u64 {
        let mut mix = AgentMix::new(0);
        mix.float(self.delta);
        mix.word(self.seen);
        for bucket in self.oldest_first() {
            mix.word(bucket.count);
            mix.float(bucket.mean);
            mix.float(bucket.squares);
        }
        finish(mix)
    }

    fn save(&self) -> Vec<u8> {
        state::save(self)
    }
}

impl Adwin {
    /// Whether every field is one that a fit gives.
    fn is_sound(&self) -> bool {
        let sound = |(level, buckets): (usize, &Vec<Bucket>)| {
            buckets.len() <= BUCKETS && buckets.iter().all(|bucket| bucket.count == 1 << level)
        };
        // 2^48 values at 5 buckets a size: beyond any stream, and far from overflow.
        Self::new(self.delta).is_ok()
            && self.levels.len() <= 48
            && self.levels.iter().enumerate().all(sound)
            && self.levels.last().is_none_or(|oldest| !oldest.is_empty())
            && self.len() <= self.seen
    }
}

state::plain_state!(Adwin, Adwin, "DriftDetector::save");

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_core::{Purpose, Stream, Streams, Tick};

    fn stream(seed: u64) -> Stream {
        Streams::from_seed(seed).stream(Purpose::Model, 0, Tick(0))
    }

    #[test]
    fn buckets_hold_the_window() {
        let mut rng = stream(1);
        let mut window = Adwin::default();
        let values: Vec<f64> = (0..5000).map(|_| rng.uniform()).collect();
        for value in &values {
            window.insert(*value);
            for (level, buckets) in window.levels.iter().enumerate() {
                assert!(buckets.len() <= BUCKETS && buckets.iter().all(|b| b.count == 1 << level));
            }
        }
        let all = window.total();
        let mean = phalanx_core::maths::mean(&values).unwrap();
        let squares: Vec<f64> = values.iter().map(|v| (v - mean) * (v - mean)).collect();
        assert_eq!(all.count, 5000);
        assert!((all.mean - mean).abs() < 1e-12);
        assert!((all.squares / phalanx_core::maths::sum(&squares) - 1.0).abs() < 1e-10);
        assert!(window.levels.len() < 12, "memory grows with the logarithm");
    }

    #[test]
    fn false_alarms_are_rarer_than_delta() {
        // The theorem bounds the chance of a cut at each check by δ; the union over splits makes it far less.
        let check = |draw: &dyn Fn(&mut Stream) -> f64| {
            let mut alarms = 0;
            for seed in 0..10 {
                let (mut rng, mut window) = (stream(seed), Adwin::default());
                alarms += (0..20_000).filter(|_| window.update(draw(&mut rng))).count();
            }
            let checks = 200_000.0 / INTERVAL as f64;
            assert!(alarms as f64 <= 0.002 * checks, "{alarms} alarms in {checks} checks");
        };
        check(&Stream::uniform);
        check(&|rng| f64::from(u8::from(rng.bernoulli(0.05))));
        check(&|rng| rng.beta(2.0, 8.0));
        check(&|_| 0.3);
    }

    /// The rows after a change by which theorem 3.1 promises a cut: twice ε must fit into the shift.
    fn promised(before: f64, variance: f64, shift: f64) -> u64 {
        let fits = |after: &u64| {
            let (n0, n1) = (before, *after as f64);
            let n = n0 + n1;
            let confidence = (2.0 * libm::log(n) / 0.002).max(1.0);
            let confidence = libm::log(confidence);
            let spread = variance + n0 * n1 / (n * n) * shift * shift;
            let inverse = 1.0 / n0 + 1.0 / n1;
            2.0 * ((2.0 * inverse * spread * confidence).sqrt() + 2.0 / 3.0 * inverse * confidence) < shift
        };
        (1..100_000).find(fits).expect("a shift that can be found")
    }

    #[test]
    fn shifts_are_found_in_time_and_the_window_shrinks() {
        for (shift, seed) in [(0.1, 1), (0.2, 2), (0.4, 3), (0.4, 4)] {
            let (mut rng, mut window) = (stream(seed), Adwin::default());
            assert!((0..4000).all(|_| !window.update(0.5 * rng.uniform())));
            assert_eq!(window.len(), 4000);
            let delay = (1..).find(|_| window.update(0.5 * rng.uniform() + shift)).unwrap();
            // Checks come every 32 values.
            let limit = promised(4000.0, 0.25 / 12.0, shift) + INTERVAL;
            assert!(delay <= limit, "a shift of {shift} took {delay} rows, promised were {limit}");
            (0..500).for_each(|_| {
                window.update(0.5 * rng.uniform() + shift);
            });
            let (length, mean) = (window.len(), window.mean().unwrap());
            let old = length.saturating_sub(delay + 500);
            assert!(old <= 200, "{old} of 4000 old values are left 500 after a shift of {shift} was found");
            assert!((mean - 0.25 - shift).abs() < 0.05, "the window's mean is {mean}");
        }
    }

    #[test]
    fn extremes_are_survived() {
        let mut window = Adwin::default();
        for _ in 0..100 {
            for value in [1e300, -1e300, 1e-300, f64::MAX, f64::MIN, f64::NAN, f64::INFINITY] {
                window.update(value);
            }
        }
        assert!(window.len() <= 500);
        for delta in [0.0, 1.0, -1.0, f64::NAN] {
            assert!(Adwin::new(delta).is_err());
        }
        assert!(Adwin::default().is_empty() && Adwin::default().mean().is_none());
    }
}
