//! Detectors that learn from every row as it passes, in bounded memory.
//!
//! A batch detector is fitted once and then only read; these keep learning, so that what they call normal follows the
//! stream. A row should be scored *before* it is learnt from (Gama 2013 calls that prequential): see
//! [`StreamingDetector::score_then_update`].
//!
//! | detector | finds | rows a second, scored and learnt |
//! |---|---|---|
//! | [`HalfSpaceTrees`] | rows where the last window had few | 3.7 million |
//! | [`RobustRandomCutForest`] | rows that would stand apart in the last window, alone or in a clump | 57,000 (3 features), 35,000 (10) |
//! | [`Ewma`] | features whose recent mean is off | 20 million (3 features), 14 million (10) |
//! | [`Cusum`] | lasting shifts of a known size, soonest | 47 million (3 features), 17 million (10) |
//!
//! One thread of the machine of `benches/streaming.rs`, release build, default sizes.

mod chart;
mod cusum;
mod ewma;
mod half_space;
mod random_cut;

pub use chart::Baseline;
pub use cusum::{Cusum, CusumConfig, Side};
pub use ewma::{Ewma, EwmaConfig};
pub use half_space::{HalfSpaceConfig, HalfSpaceTrees};
pub use random_cut::{RandomCutConfig, RobustRandomCutForest};

use crate::detector::{check_finite, row_count};
use crate::lent::lend;
use crate::{DetectError, Detector};

/// A detector that can learn from one more row.
pub trait StreamingDetector: Detector {
    /// Learns from the rows, in their order; feeding them one by one gives the same model as feeding them at once.
    ///
    /// # Errors
    /// A ragged length or a value that is not finite; the model is then unchanged.
    fn update(&mut self, rows: &[f32]) -> Result<(), DetectError>;

    /// Scores every row as it was seen by the model of the rows before it, then learns from it.
    ///
    /// # Errors
    /// As [`Self::update`]; `scores` is then empty.
    fn score_then_update(&mut self, rows: &[f32], scores: &mut Vec<f64>) -> Result<(), DetectError> {
        scores.clear();
        let width = self.width();
        row_count(rows, width)?;
        check_finite(rows, width)?;
        let mut one = lend(0.0, 1);
        for row in rows.chunks_exact(width) {
            self.score(row, &mut one)?;
            scores.extend_from_slice(&one);
            self.update(row)?;
        }
        Ok(())
    }
}

impl<D: StreamingDetector + ?Sized> StreamingDetector for Box<D> {
    fn update(&mut self, rows: &[f32]) -> Result<(), DetectError> {
        (**self).update(rows)
    }

    fn score_then_update(&mut self, rows: &[f32], scores: &mut Vec<f64>) -> Result<(), DetectError> {
        (**self).score_then_update(rows, scores)
    }
}
