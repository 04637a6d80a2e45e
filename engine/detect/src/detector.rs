//! What a detector is: rows in, scores out.

use std::fmt;
use std::sync::Arc;

use phalanx_core::AgentMix;

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

    /// The whole state as bytes, for checkpoints: what is made of them again scores, learns and digests alike.
    ///
    /// Those of this crate's detectors are read by [`load_detector`](crate::load_detector),
    /// [`load_streaming`](crate::load_streaming) or the type's own `load`; whoever implements this trait elsewhere
    /// reads its own.
    fn save(&self) -> Vec<u8>;
}

impl<D: Detector + ?Sized> Detector for Arc<D> {
    fn width(&self) -> usize {
        (**self).width()
    }

    fn score(&self, rows: &[f32], scores: &mut Vec<f64>) -> Result<(), DetectError> {
        (**self).score(rows, scores)
    }

    fn digest(&self) -> u64 {
        (**self).digest()
    }

    fn save(&self) -> Vec<u8> {
        (**self).save()
    }
}

impl<D: Detector + ?Sized> Detector for Box<D> {
    fn width(&self) -> usize {
        (**self).width()
    }

    fn score(&self, rows: &[f32], scores: &mut Vec<f64>) -> Result<(), DetectError> {
        (**self).score(rows, scores)
    }

    fn digest(&self) -> u64 {
        (**self).digest()
    }

    fn save(&self) -> Vec<u8> {
        (**self).save()
    }
}

/// A detector whose scores are a map of raw ones: all it has to say is how these are computed.
pub(crate) trait RawScorer: Detector {
    /// Writes one raw score a row to `raw`, which comes empty. The rows are whole and finite.
    ///
    /// # Errors
    /// Only of other detectors that are asked; `raw` is then empty.
    fn raw_into(&self, rows: &[f32], raw: &mut Vec<f64>) -> Result<(), DetectError>;
}

/// Raw scores of rows that are still to be checked.
pub(crate) fn raw_scores(scorer: &impl RawScorer, rows: &[f32]) -> Result<Vec<f64>, DetectError> {
    let mut raw = Vec::new();
    mapped_scores(scorer, rows, &mut raw, |raw| raw)?;
    Ok(raw)
}

/// [`Detector::score`]: checks the rows and maps their raw scores.
pub(crate) fn mapped_scores(
    scorer: &impl RawScorer,
    rows: &[f32],
    scores: &mut Vec<f64>,
    map: impl Fn(f64) -> f64,
) -> Result<(), DetectError> {
    scores.clear();
    checked_rows(rows, scorer.width())?;
    scorer.raw_into(rows, scores)?;
    scores.iter_mut().for_each(|score| *score = map(*score));
    Ok(())
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
    /// A configuration value outside its range.
    #[error("`{name}` must be {range}; correct the configuration")]
    Parameter {
        /// Field of the configuration.
        name: &'static str,
        /// What it may be.
        range: &'static str,
    },
    /// Positions in the slice no longer fit 32 bits.
    #[error("{length} training values exceed the limit of 2^32 - 1; fit to a part of the rows")]
    TooLarge {
        /// Values in the slice.
        length: usize,
    },
    /// Two models, or a model and its configuration, speak of different numbers of features.
    #[error("{actual} features where the model has {expected}; give both the same schema")]
    WidthDiffers {
        /// Features a row of the model that is kept.
        expected: usize,
        /// Features a row of what was given.
        actual: usize,
    },
    /// Histograms over different edges have no common counts.
    #[error("the models count over different bins; fit both over the same ranges and configuration")]
    BinsDiffer,
    /// There is no detector of that name.
    #[error("no detector is called `{name}`{}; known are {}", suggestion(nearest.as_ref()), list(known))]
    UnknownDetector {
        /// What was asked for.
        name: String,
        /// The known name that is spelt most like it, if one is close.
        nearest: Option<&'static str>,
        /// All known names.
        known: &'static [&'static str],
    },
    /// A plugin failed, or is not asked because it has failed before.
    #[error("the plugin cannot answer: {why}")]
    Unavailable {
        /// What is wrong with it.
        why: String,
    },
    /// The detector has no parameter of that name.
    #[error("`{detector}` has no parameter `{name}`; it has {}", list(known))]
    UnknownParameter {
        /// Name of the detector.
        detector: &'static str,
        /// What was asked for.
        name: String,
        /// All parameters it has.
        known: &'static [&'static str],
    },
    /// A parameter's text is not of its type.
    #[error("`{name}` cannot be `{value}`; give {expected}")]
    ParameterText {
        /// The parameter's name.
        name: String,
        /// The text.
        value: String,
        /// What would do.
        expected: &'static str,
    },
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn suggestion(nearest: Option<&&'static str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!(", did you mean `{nearest}`?"))
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

/// Number of rows in `rows`, whose values are all finite.
pub(crate) fn checked_rows(rows: &[f32], width: usize) -> Result<usize, DetectError> {
    let count = row_count(rows, width)?;
    check_finite(rows, width)?;
    Ok(count)
}

/// Number of rows to learn from: at least one, and all values finite.
pub(crate) fn training_rows(rows: &[f32], width: usize) -> Result<usize, DetectError> {
    let count = row_count(rows, width)?;
    if count == 0 {
        return Err(DetectError::NoRows);
    }
    check_finite(rows, width)?;
    Ok(count)
}

/// Fails unless two models have as many features.
pub(crate) fn same_width(expected: usize, actual: usize) -> Result<(), DetectError> {
    if expected == actual { Ok(()) } else { Err(DetectError::WidthDiffers { expected, actual }) }
}

/// Fails with the parameter's name unless `valid`.
pub(crate) fn check_parameter(
    valid: bool,
    name: &'static str,
    range: &'static str,
) -> Result<(), DetectError> {
    if valid { Ok(()) } else { Err(DetectError::Parameter { name, range }) }
}

/// The values of one feature, row after row.
pub(crate) fn column(rows: &[f32], width: usize, feature: usize) -> impl Iterator<Item = f32> {
    rows.iter().skip(feature).step_by(width).copied()
}

/// Maps `[0, ∞]` to `[0, 1]`: `x / (1 + x)`.
///
/// Strictly increasing in the reals. In an `f64` values stay apart that differ by more than `2^-52 (1 + x)²`.
pub(crate) fn unit(x: f64) -> f64 {
    if x == f64::INFINITY { 1.0 } else { x / (1.0 + x) }
}

/// Maps `[0, ∞]` to `[0, 1]` for values that may be astronomic, such as distances: [`unit`] of `ln(1 + x)`.
///
/// Values stay apart that differ by 1e-9 of themselves, up to the greatest float.
pub(crate) fn unit_log(x: f64) -> f64 {
    unit(libm::log1p(x))
}

/// A digest of 64 bits.
pub(crate) fn finish(mix: AgentMix) -> u64 {
    let digest = mix.finish();
    digest as u64 ^ (digest >> 64) as u64
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
