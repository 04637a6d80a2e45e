//! What a detector is: rows in, scores out.

use std::fmt;

/// A fitted model that says how unusual a row is.
///
/// Objects are shared between agents and threads, so scoring takes `&self` and keeps no state.
pub trait Detector: Send + Sync + fmt::Debug {
    /// Features a row.
    fn width(&self) -> usize;

    /// Clears `scores` and writes one score a row: in `[0, 1]`, higher is more anomalous.
    ///
    /// `rows` is row-major, `n × width`; no rows give no scores. A row's score depends on that row alone, not on
    /// the batch it came in.
    ///
    /// # Errors
    /// [`DetectError::Ragged`] and [`DetectError::NotFinite`]; `scores` is then empty.
    fn score(&self, rows: &[f32], scores: &mut Vec<f64>) -> Result<(), DetectError>;

    /// Digest of the fitted model, for fingerprints: equal models have equal digests on every machine.
    fn digest(&self) -> u64;
}

/// Why rows could not be learnt from or scored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DetectError {
    /// There is nothing to fit a model to.
    #[error("cannot fit a detector to no rows; warm it up with at least one")]
    NoRows,
    /// Rows of no features carry no information.
    #[error("rows have no features; give a width of at least 1")]
    NoFeatures,
    /// The slice is not a whole number of rows.
    #[error("{length} values are not whole rows of {width} features; check the width")]
    Ragged {
        /// Values in the slice.
        length: usize,
        /// Features a row.
        width: usize,
    },
    /// A value is NaN or infinite.
    #[error("value in row {row}, column {column} is NaN or infinite; clean or clip it first")]
    NotFinite {
        /// Row of the first such value, from 0.
        row: usize,
        /// Its column, from 0.
        column: usize,
    },
    /// A forest of no trees has no opinion.
    #[error("a forest needs at least one tree; set `trees` to 1 or more")]
    NoTrees,
    /// Trees cannot grow from no rows.
    #[error("a tree needs a sample of at least one row; set `sample` to 1 or more")]
    NoSample,
    /// Positions in the slice no longer fit 32 bits.
    #[error("{length} training values exceed the limit of 2^32 - 1; fit to a part of the rows")]
    TooLarge {
        /// Values in the slice.
        length: usize,
    },
}

/// Number of rows in `rows`.
pub(crate) fn row_count(rows: &[f32], width: usize) -> Result<usize, DetectError> {
    if width == 0 {
        return Err(DetectError::NoFeatures);
    }
    if !rows.len().is_multiple_of(width) {
        return Err(DetectError::Ragged { length: rows.len(), width });
    }
    Ok(rows.len() / width)
}

/// Fails at the first NaN or infinity.
///
/// The common case is one branch-free pass that the compiler turns into vector instructions: a float is not finite
/// exactly if all bits of its exponent are set.
pub(crate) fn check_finite(rows: &[f32], width: usize) -> Result<(), DetectError> {
    const EXPONENT: u32 = 0x7F80_0000;
    let broken = |value: &f32| value.to_bits() & EXPONENT == EXPONENT;
    for (i, chunk) in rows.chunks(1024).enumerate() {
        if chunk.iter().fold(false, |any, value| any | broken(value)) {
            let position = i * 1024 + chunk.iter().position(broken).expect("the chunk holds a broken value");
            return Err(DetectError::NotFinite { row: position / width, column: position % width });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_broken_value_is_named() {
        let mut rows = vec![1.0f32; 5000];
        assert_eq!(check_finite(&rows, 4), Ok(()));
        for broken in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            rows[4999] = f32::NAN;
            rows[2051] = broken;
            assert_eq!(check_finite(&rows, 4), Err(DetectError::NotFinite { row: 512, column: 3 }));
        }
        for fine in [f32::MAX, f32::MIN, f32::MIN_POSITIVE, f32::from_bits(1), -0.0] {
            assert_eq!(check_finite(&[fine], 1), Ok(()));
        }
    }

    #[test]
    fn shapes_are_checked() {
        assert_eq!(row_count(&[0.0; 6], 3), Ok(2));
        assert_eq!(row_count(&[], 3), Ok(0));
        assert_eq!(row_count(&[0.0; 7], 3), Err(DetectError::Ragged { length: 7, width: 3 }));
        assert_eq!(row_count(&[0.0; 7], 0), Err(DetectError::NoFeatures));
    }
}
