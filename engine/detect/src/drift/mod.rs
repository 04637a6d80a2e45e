//! Has the stream changed, so that a model of its past should be fitted anew?
//!
//! Feed what should be stationary, such as the scores of the rows that pass or whether each was flagged. [`Adwin`] has
//! no scale to set and keeps the part of the stream that still holds; [`PageHinkley`] is six numbers and as fast as a
//! sum, but its threshold is in the units of the stream.

mod adwin;
mod page_hinkley;

pub use adwin::Adwin;
pub use page_hinkley::{PageHinkley, PageHinkleyConfig};

use std::fmt;

/// Watches the mean of a stream.
pub trait DriftDetector: Send + Sync + fmt::Debug {
    /// Takes the next value; whether the mean has just been found to have changed. One change may be reported by several
    /// updates. Values that are not finite are ignored.
    fn update(&mut self, value: f64) -> bool;

    /// Digest of the state, for fingerprints: equal states have equal digests on every machine.
    fn digest(&self) -> u64;

    /// The whole state as bytes, for checkpoints, which [`load_drift`](crate::load_drift) reads.
    fn save(&self) -> Vec<u8>;
}
