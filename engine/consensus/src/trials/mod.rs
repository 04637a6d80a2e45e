//! Monte-Carlo experiments: a seed in, an estimate with its standard error out.
//!
//! Tests and the self test run the same code, and compare what it measures with [`crate::theory`].

pub mod agreement;
pub mod averaging;
pub mod committee;
pub mod fides;
pub mod jury;
pub mod snow;
mod world;

use phalanx_core::{Purpose, Stream, Streams, Tick};

pub use world::{Lie, World};

/// An estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Mean.
    pub mean: f64,
    /// Standard error of the mean.
    pub standard_error: f64,
    /// Runs that it rests on.
    pub runs: u32,
}

impl Measured {
    /// Mean of samples.
    #[must_use]
    pub fn of(samples: &[f64]) -> Self {
        let count = samples.len() as f64;
        let mean = samples.iter().sum::<f64>() / count;
        let squares = samples.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>();
        let standard_error = (squares / (count - 1.0).max(1.0) / count).sqrt();
        Self { mean, standard_error, runs: samples.len() as u32 }
    }

    /// Share of runs that hit.
    #[must_use]
    pub fn share(hits: u32, runs: u32) -> Self {
        let mean = f64::from(hits) / f64::from(runs);
        Self { mean, standard_error: (mean * (1.0 - mean) / f64::from(runs)).sqrt(), runs }
    }

    /// Whether this share is what an event of probability `exact` gives, within four standard errors of that.
    #[must_use]
    pub fn is_share(&self, exact: f64) -> bool {
        let expected = (exact * (1.0 - exact) / f64::from(self.runs)).sqrt();
        // A run more or less is no miss, however rare the event.
        (self.mean - exact).abs() <= 4.0 * expected + 1.0 / f64::from(self.runs)
    }

    /// Whether the mean lies within four standard errors of `exact`.
    #[must_use]
    pub fn is_mean(&self, exact: f64) -> bool {
        (self.mean - exact).abs() <= 4.0 * self.standard_error
    }
}

/// The randomness of one experiment.
pub(crate) fn stream(seed: u64, subject: u32) -> Stream {
    Streams::from_seed(seed).stream(Purpose::Adversary, subject, Tick(0))
}
