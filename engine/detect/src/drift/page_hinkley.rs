//! The Page–Hinkley test (Page 1954, Hinkley 1971): cumulative deviations from the running mean.

use phalanx_core::AgentMix;
use serde::{Deserialize, Serialize};

use super::DriftDetector;
use crate::DetectError;
use crate::detector::{check_parameter, finish};
use crate::state;

/// Sensitivity of the test. The defaults are river's, for values in `[0, 1]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PageHinkleyConfig {
    /// Values to take before a change may be found; also those that the first mean is made of.
    pub warm_up: u32,
    /// Deviation from the mean that is forgiven at each value, in the units of the stream; not negative.
    pub slack: f64,
    /// Sum of deviations that is a change, in the units of the stream; greater than 0.
    pub threshold: f64,
    /// What is left of the sums after each value, in `(0, 1]`.
    pub keep: f64,
}

impl Default for PageHinkleyConfig {
    fn default() -> Self {
        Self { warm_up: 30, slack: 0.005, threshold: 50.0, keep: 0.9999 }
    }
}

/// Sums of deviations from the mean so far, upwards and downwards; a change is where one rises by the threshold above
/// its minimum. The test then starts anew.
///
/// A shift of `s` is found after about `threshold / (s - slack)` values. Each sum of a stationary stream with variance
/// `v` gives a false alarm about every `v / (2 slack²) · (e^x - 1) - threshold / slack` values, where
/// `x = 2 · slack · threshold / v` (hitting time of a reflected Brownian motion; a little rarer, since the sums fade).
///
/// ```
/// use phalanx_detect::{DriftDetector, PageHinkley, PageHinkleyConfig};
/// let mut test = PageHinkley::new(PageHinkleyConfig { threshold: 5.0, ..PageHinkleyConfig::default() })?;
/// assert!((0..1000).all(|i| !test.update(f64::from(i % 2))));
/// assert!((0..20).any(|_| test.update(1.0)));
/// # Ok::<(), phalanx_detect::DetectError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PageHinkley {
    config: PageHinkleyConfig,
    /// Values since the last change.
    count: u64,
    mean: f64,
    /// Excess of the upward and of the downward sum over its minimum.
    excess: [f64; 2],
}

impl PageHinkley {
    /// A test that has seen nothing.
    ///
    /// # Errors
    /// A parameter outside its range.
    pub fn new(config: PageHinkleyConfig) -> Result<Self, DetectError> {
        check_parameter(config.slack >= 0.0 && config.slack.is_finite(), "slack", "finite and not negative")?;
        check_parameter(
            config.threshold > 0.0 && config.threshold.is_finite(),
            "threshold",
            "finite and greater than 0",
        )?;
        check_parameter(config.keep > 0.0 && config.keep <= 1.0, "keep", "greater than 0 and at most 1")?;
        Ok(Self { config, count: 0, mean: 0.0, excess: [0.0; 2] })
    }
}

impl DriftDetector for PageHinkley {
    fn update(&mut self, value: f64) -> bool {
        if !value.is_finite() {
            return false;
        }
        self.count += 1;
        self.mean += (value / self.count as f64) - (self.mean / self.count as f64);
        if self.count <= u64::from(self.config.warm_up) {
            return false;
        }
        let PageHinkleyConfig { slack, threshold, keep, .. } = self.config;
        let deviation = value - self.mean;
        for (excess, deviation) in self.excess.iter_mut().zip([deviation, -deviation]) {
            // A sum less its minimum is a sum that is never let below 0.
            *excess = (keep * *excess + deviation - slack).max(0.0);
        }
        let changed = self.excess.iter().any(|excess| *excess > threshold);
        if changed {
            *self = Self { config: self.config, count: 0, mean: 0.0, excess: [0.0; 2] };
        }
        changed
    }

    fn digest(&self) -> u64 {
        let mut mix = AgentMix::new(0);
        let PageHinkleyConfig { warm_up, slack, threshold, keep } = self.config;
        mix.word(u64::from(warm_up));
        [slack, threshold, keep, self.mean].into_iter().for_each(|value| mix.float(value));
        mix.word(self.count);
        self.excess.iter().for_each(|value| mix.float(*value));
        finish(mix)
    }

    fn save(&self) -> Vec<u8> {
        state::save(self)
    }
}

impl PageHinkley {
    /// Whether every field is one that a fit gives.
    fn is_sound(&self) -> bool {
        Self::new(self.config).is_ok()
            && self.mean.is_finite()
            && self.excess.iter().all(|excess| excess.is_finite() && *excess >= 0.0)
    }
}

state::plain_state!(PageHinkley, PageHinkley, "DriftDetector::save");

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_core::{Purpose, Stream, Streams, Tick};

    fn stream(seed: u64) -> Stream {
        Streams::from_seed(seed).stream(Purpose::Model, 0, Tick(0))
    }

    fn test(threshold: f64) -> PageHinkley {
        PageHinkley::new(PageHinkleyConfig { threshold, ..PageHinkleyConfig::default() }).unwrap()
    }

    #[test]
    fn a_sum_worked_out() {
        // Thirty zeros, then ones: after the k-th of them the mean is k / (30 + k) and 1 less that and the slack is
        // added: 30/31 + 30/32 + 30/33 + … - .005 each. Four of them exceed 3, three do not.
        let mut test =
            PageHinkley::new(PageHinkleyConfig { threshold: 3.0, keep: 1.0, ..PageHinkleyConfig::default() })
                .unwrap();
        assert!((0..30).all(|_| !test.update(0.0)));
        assert_eq!((0..).position(|_| test.update(1.0)), Some(3));
        assert_eq!(test.count, 0);
    }

    #[test]
    fn false_alarms_are_as_rare_as_hits_of_a_brownian_motion() {
        for threshold in [3.0, 5.0, 50.0] {
            let run = |seed| {
                let (mut rng, mut test) = (stream(seed), test(threshold));
                (0..20_000).filter(|_| test.update(0.5 + 0.1 * rng.normal())).count()
            };
            let alarms = (0..10).map(run).sum::<usize>() as f64;
            let (slack, variance) = (0.005, 0.01);
            let x = 2.0 * slack * threshold / variance;
            let between = variance / (2.0 * slack * slack) * libm::expm1(x) - threshold / slack;
            let expected = 200_000.0 / (between / 2.0);
            assert!(alarms <= expected + 4.0 * expected.sqrt(), "{threshold}: {alarms} against {expected}");
            assert!(alarms >= expected / 3.0 - 1.0, "{threshold}: {alarms} against {expected}");
        }
    }

    #[test]
    fn shifts_either_way_are_found_in_time() {
        for shift in [0.2, -0.2, 0.4, -0.4] {
            let (mut rng, mut test) = (stream(3), test(10.0));
            assert!((0..5000).all(|_| !test.update(0.5 + 0.1 * rng.normal())));
            let delay = (1..).find(|_| test.update(0.5 + shift + 0.1 * rng.normal())).unwrap();
            let expected = 10.0 / (shift.abs() - 0.005);
            assert!((f64::from(delay) / expected - 1.0).abs() < 0.3, "{shift}: {delay} against {expected}");
        }
    }

    #[test]
    fn extremes_are_survived() {
        let mut test = test(50.0);
        for _ in 0..100 {
            for value in [f64::MAX, f64::MIN, 1e-300, f64::NAN, f64::INFINITY] {
                test.update(value);
                assert!(test.mean.is_finite() && test.excess.iter().all(|x| !x.is_nan()), "{test:?}");
            }
        }
        let default = PageHinkleyConfig::default();
        assert!(PageHinkley::new(PageHinkleyConfig { slack: -1.0, ..default }).is_err());
        assert!(PageHinkley::new(PageHinkleyConfig { threshold: 0.0, ..default }).is_err());
        assert!(PageHinkley::new(PageHinkleyConfig { keep: f64::NAN, ..default }).is_err());
    }
}
