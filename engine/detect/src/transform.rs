//! What is done to a row before a detector sees it, as part of the model.
//!
//! A model fitted to logarithms and standardised columns is only good for rows that went the same way. So what was
//! learnt of the columns travels with the model: [`Transform::encode`] and [`Transform::decode`], and
//! [`TransformedDetector`], which takes raw rows.
//!
//! Logarithms are worth .007 to .21 of ROC-AUC on byte, packet and rate columns of network data (the forests of NSL-KDD and
//! CICIDS2017), which span many powers of ten.
//!
//! # Encoding, version 1, little-endian
//! ```text
//! "PHXT"  version: u16  columns: u32  column…
//! column: 0 | 1   offset: f64  factor: f64        a number as it is | its logarithm, then (x - offset) · factor
//!         2       count: u32   code: f32 …        categories, ascending
//! ```
//! Nothing follows. One transform has one encoding, and what is decoded encodes to the same bytes.

use phalanx_core::AgentMix;

use crate::detector::{check_finite, column, finish, row_count, same_width, training_rows};
use crate::scaling::Affine;
use crate::state::{self, Kind, Restore, State};
use crate::{DetectError, Detector, Scaling, StateError, StreamingDetector};

const MAGIC: [u8; 4] = *b"PHXT";
const VERSION: u16 = 1;

/// Rows that are transformed at once while they are scored.
const BLOCK: usize = 1024;

/// What a raw column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// A number that is used as it is: shares, flags, counts of few.
    Linear,
    /// A number of which the logarithm is used, `sign(x) · ln(1 + |x|)`: bytes, packets, rates, durations.
    Log1p,
    /// The code of a category: one flag for each that was there in training, and for others none.
    Category,
}

/// A fitted column.
#[derive(Clone, Debug, PartialEq)]
enum Column {
    Linear(Affine),
    Log1p(Affine),
    /// Codes in ascending order.
    Category(Vec<f32>),
}

/// What was learnt of the columns of raw rows.
///
/// ```
/// use phalanx_detect::{ColumnKind, Scaling, Transform};
/// // Bytes, and the code of a protocol.
/// let rows = [0.0, 6.0, 1e3, 17.0, 1e6, 6.0];
/// let transform = Transform::fit(&rows, &[ColumnKind::Log1p, ColumnKind::Category], Scaling::None)?;
/// assert_eq!(transform.apply(&[0.0, 17.0, -1.0, 1.0])?, [0.0, 0.0, 1.0, -std::f32::consts::LN_2, 0.0, 0.0]);
/// assert_eq!(Transform::decode(&transform.encode()), Ok(transform));
/// # Ok::<(), phalanx_detect::DetectError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Transform {
    columns: Vec<Column>,
}

/// Why bytes are not a transform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransformError {
    /// The first bytes are something else's.
    #[error("these bytes are not a transform; check the file")]
    NotATransform,
    /// Written by another version.
    #[error(
        "transform of version {version}, where version 1 is read; fit the model again or take the matching program"
    )]
    Version {
        /// The version found.
        version: u16,
    },
    /// The bytes end early.
    #[error("the transform ends within byte {length}; it was cut off")]
    Truncated {
        /// Bytes that there are.
        length: usize,
    },
    /// Bytes follow the transform.
    #[error("the transform ends at byte {end} of {length}; what follows is not part of it")]
    Trailing {
        /// Where it ends.
        end: usize,
        /// Bytes that there are.
        length: usize,
    },
    /// A column that no fit would give, or not in these bytes.
    #[error("column {column} of the transform is not valid; the bytes were changed")]
    Column {
        /// Its position, from 0.
        column: usize,
    },
}

impl Transform {
    /// Learns offsets and scales of numbers, and which categories there are.
    ///
    /// `rows` is row-major with one column for each of `kinds`.
    ///
    /// # Errors
    /// No rows, no columns, a ragged length, or a value that is not finite.
    pub fn fit(rows: &[f32], kinds: &[ColumnKind], scaling: Scaling) -> Result<Self, DetectError> {
        let width = kinds.len();
        training_rows(rows, width)?;
        let affine = |values: Vec<f64>| {
            let Affine { offset, factor } = Affine::fit(scaling, values);
            // No negative zero, so that equal transforms have equal bytes.
            Affine { offset: offset + 0.0, factor }
        };
        let fit = |(i, kind): (usize, &ColumnKind)| {
            let values = || column(rows, width, i);
            match kind {
                ColumnKind::Linear => Column::Linear(affine(values().map(f64::from).collect())),
                ColumnKind::Log1p => Column::Log1p(affine(values().map(signed_log1p).collect())),
                ColumnKind::Category => {
                    let mut codes: Vec<f32> = values().map(|code| code + 0.0).collect();
                    codes.sort_unstable_by(f32::total_cmp);
                    codes.dedup();
                    Column::Category(codes)
                }
            }
        };
        Ok(Self { columns: kinds.iter().enumerate().map(fit).collect() })
    }

    /// Columns of a raw row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// Columns of a transformed row: one for each number and one for each category.
    #[must_use]
    pub fn width_out(&self) -> usize {
        let width = |column: &Column| if let Column::Category(codes) = column { codes.len() } else { 1 };
        self.columns.iter().map(width).sum()
    }

    /// The transformed rows: columns in the order of the raw ones, the flags of a category's codes in ascending order
    /// in its place. Numbers end at ±1e15, so they are finite.
    ///
    /// # Errors
    /// A ragged length, or a value that is not finite.
    pub fn apply(&self, rows: &[f32]) -> Result<Vec<f32>, DetectError> {
        let count = row_count(rows, self.width())?;
        check_finite(rows, self.width())?;
        let mut out = Vec::with_capacity(count * self.width_out());
        self.append(rows, &mut out);
        Ok(out)
    }

    /// Appends transformed rows, which are finite and whole.
    fn append(&self, rows: &[f32], out: &mut Vec<f32>) {
        for row in rows.chunks_exact(self.width()) {
            for (column, value) in self.columns.iter().zip(row) {
                match column {
                    Column::Linear(affine) => out.push(affine.apply(f64::from(*value)) as f32),
                    Column::Log1p(affine) => out.push(affine.apply(signed_log1p(*value)) as f32),
                    Column::Category(codes) => {
                        out.extend(codes.iter().map(|code| f32::from(u8::from(code == value))));
                    }
                }
            }
        }
    }

    /// Digest of what was learnt, for fingerprints.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut mix = AgentMix::new(0);
        for bytes in self.encode().chunks(8) {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            mix.word(u64::from_le_bytes(word));
        }
        finish(mix)
    }

    /// The bytes to save with a model; the format is at the head of this module.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend((self.columns.len() as u32).to_le_bytes());
        for column in &self.columns {
            match column {
                Column::Linear(affine) | Column::Log1p(affine) => {
                    bytes.push(u8::from(matches!(column, Column::Log1p(_))));
                    bytes.extend(affine.offset.to_le_bytes());
                    bytes.extend(affine.factor.to_le_bytes());
                }
                Column::Category(codes) => {
                    bytes.push(2);
                    bytes.extend((codes.len() as u32).to_le_bytes());
                    codes.iter().for_each(|code| bytes.extend(code.to_le_bytes()));
                }
            }
        }
        bytes
    }

    /// Reads [`Self::encode`]'s bytes.
    ///
    /// # Errors
    /// Anything else than the encoding of a transform that rows could have given.
    pub fn decode(bytes: &[u8]) -> Result<Self, TransformError> {
        let mut reader = Reader { bytes, at: 0 };
        if bytes.get(..MAGIC.len()) != Some(&MAGIC) {
            return Err(TransformError::NotATransform);
        }
        reader.at = MAGIC.len();
        let version = u16::from_le_bytes(reader.take()?);
        if version != VERSION {
            return Err(TransformError::Version { version });
        }
        let count = u32::from_le_bytes(reader.take()?) as usize;
        // Memory follows what is read, not what a count claims.
        let mut columns = Vec::new();
        for i in 0..count {
            columns.push(reader.column()?.ok_or(TransformError::Column { column: i })?);
        }
        if columns.is_empty() {
            return Err(TransformError::Column { column: 0 });
        }
        if reader.at < bytes.len() {
            return Err(TransformError::Trailing { end: reader.at, length: bytes.len() });
        }
        Ok(Self { columns })
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], TransformError> {
        let taken = self.bytes[self.at..]
            .first_chunk()
            .ok_or(TransformError::Truncated { length: self.bytes.len() })?;
        self.at += N;
        Ok(*taken)
    }

    /// The next column; `None` if no fit would give it.
    fn column(&mut self) -> Result<Option<Column>, TransformError> {
        let tag = u8::from_le_bytes(self.take()?);
        if tag == 2 {
            let count = u32::from_le_bytes(self.take()?);
            let mut codes = Vec::new();
            for _ in 0..count {
                codes.push(f32::from_le_bytes(self.take()?));
            }
            let valid = |code: &f32| code.is_finite() && (*code != 0.0 || code.is_sign_positive());
            let ascending = codes.iter().all(valid) && codes.is_sorted_by(|a, b| a < b);
            return Ok((ascending && !codes.is_empty()).then_some(Column::Category(codes)));
        }
        let affine =
            Affine { offset: f64::from_le_bytes(self.take()?), factor: f64::from_le_bytes(self.take()?) };
        let Affine { offset, factor } = affine;
        let valid = offset.is_finite()
            && (offset != 0.0 || offset.is_sign_positive())
            && factor.is_finite()
            && factor > 0.0;
        Ok(match tag {
            0 if valid => Some(Column::Linear(affine)),
            1 if valid => Some(Column::Log1p(affine)),
            _ => None,
        })
    }
}

fn signed_log1p(value: f32) -> f64 {
    let size = libm::log1p(f64::from(value.abs()));
    if value < 0.0 { -size } else { size }
}

/// A detector of transformed rows that takes raw ones.
///
/// ```
/// use phalanx_detect::{ColumnKind, Detector, Scaling, Transform, TransformedDetector, ZScore};
/// let rows: Vec<f32> = (1..100).map(|i| (i * i * i) as f32).collect();
/// let transform = Transform::fit(&rows, &[ColumnKind::Log1p], Scaling::Standard)?;
/// let detector = ZScore::fit(&transform.apply(&rows)?, transform.width_out())?;
/// let detector = TransformedDetector::new(transform, detector)?;
/// let mut scores = Vec::new();
/// detector.score(&[1e5, 1e12], &mut scores)?;
/// assert!(scores[0] < 0.75 && scores[1] > 0.75);
/// # Ok::<(), phalanx_detect::DetectError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TransformedDetector<D> {
    transform: Transform,
    detector: D,
}

impl<D: Detector> TransformedDetector<D> {
    /// Joins a transform and a detector of what it gives.
    ///
    /// # Errors
    /// [`DetectError::WidthDiffers`] if the detector expects rows of another width.
    pub fn new(transform: Transform, detector: D) -> Result<Self, DetectError> {
        same_width(detector.width(), transform.width_out())?;
        Ok(Self { transform, detector })
    }

    /// What rows go through.
    #[must_use]
    pub fn transform(&self) -> &Transform {
        &self.transform
    }

    /// What sees them then.
    #[must_use]
    pub fn detector(&self) -> &D {
        &self.detector
    }
}

impl<D: Detector> Detector for TransformedDetector<D> {
    fn width(&self) -> usize {
        self.transform.width()
    }

    fn score(&self, rows: &[f32], scores: &mut Vec<f64>) -> Result<(), DetectError> {
        scores.clear();
        row_count(rows, self.width())?;
        check_finite(rows, self.width())?;
        let (mut block, mut part) = (Vec::new(), Vec::new());
        for rows in rows.chunks(BLOCK * self.width()) {
            block.clear();
            self.transform.append(rows, &mut block);
            self.detector.score(&block, &mut part)?;
            scores.extend_from_slice(&part);
        }
        Ok(())
    }

    fn digest(&self) -> u64 {
        let mut mix = AgentMix::new(0);
        mix.word(self.transform.digest());
        mix.word(self.detector.digest());
        finish(mix)
    }

    fn save(&self) -> Vec<u8> {
        state::save(self)
    }
}

impl<D: StreamingDetector> StreamingDetector for TransformedDetector<D> {
    fn update(&mut self, rows: &[f32]) -> Result<(), DetectError> {
        self.detector.update(&self.transform.apply(rows)?)
    }

    fn score_then_update(&mut self, rows: &[f32], scores: &mut Vec<f64>) -> Result<(), DetectError> {
        scores.clear();
        self.detector.score_then_update(&self.transform.apply(rows)?, scores)
    }
}

impl<D: Detector> State for TransformedDetector<D> {
    const KIND: Kind = Kind::Transformed;

    fn body(&self) -> Vec<u8> {
        state::encode(&(self.transform.encode(), self.detector.save()))
    }
}

impl Restore for TransformedDetector<Box<dyn Detector>> {
    fn read(body: &[u8], depth: u32) -> Result<Self, StateError> {
        read_parts(body, |detector| state::detector(detector, depth + 1))
    }
}

impl Restore for TransformedDetector<Box<dyn StreamingDetector>> {
    fn read(body: &[u8], depth: u32) -> Result<Self, StateError> {
        read_parts(body, |detector| state::streaming(detector, depth + 1))
    }
}

fn read_parts<D: Detector>(
    body: &[u8],
    read: impl FnOnce(&[u8]) -> Result<D, StateError>,
) -> Result<TransformedDetector<D>, StateError> {
    let (transform, detector): (Vec<u8>, Vec<u8>) = state::decode(body, Kind::Transformed, |_| true)?;
    let invalid = || state::invalid(Kind::Transformed);
    let transform = Transform::decode(&transform).map_err(|_| invalid())?;
    TransformedDetector::new(transform, read(&detector)?).map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ewma, EwmaConfig, ZScore};

    const KINDS: [ColumnKind; 3] = [ColumnKind::Linear, ColumnKind::Log1p, ColumnKind::Category];

    fn fitted() -> Transform {
        let rows = [1.0, 0.0, 5.0, 3.0, 7.0, -2.0, 5.0, 63.0, 5.0];
        Transform::fit(&rows, &KINDS, Scaling::Standard).unwrap()
    }

    #[test]
    fn columns_worked_out() {
        let transform = fitted();
        assert_eq!((transform.width(), transform.width_out()), (3, 4));
        // 1, 3, 5 have mean 3 and deviation √(8/3); ln 1, ln 8, ln 64 have mean ln 8 and deviation ln 8 · √(2/3).
        let sd = (8.0f64 / 3.0).sqrt();
        let z = (1.5f64).sqrt();
        let out = transform.apply(&[3.0, 63.0, -2.0, 5.0, -7.0, 6.0]).unwrap();
        let expected = [0.0, z as f32, 1.0, 0.0, (2.0 / sd) as f32, -2.0 * z as f32, 0.0, 0.0];
        let close = out.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(close && out.len() == 8, "{out:?} against {expected:?}");
    }

    #[test]
    fn the_encoding_is_pinned() {
        let transform = Transform::fit(
            &[0.5, -0.0, 0.5, 1.0],
            &[ColumnKind::Linear, ColumnKind::Category],
            Scaling::Standard,
        );
        let transform = transform.unwrap();
        let mut expected = b"PHXT\x01\x00\x02\x00\x00\x00".to_vec();
        expected.extend(b"\x00\x00\x00\x00\x00\x00\x00\xe0\x3f\x00\x00\x00\x00\x00\x00\xf0\x3f");
        expected.extend(b"\x02\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x3f");
        assert_eq!(transform.encode(), expected);
        assert_eq!(Transform::decode(&expected), Ok(transform));
    }

    #[test]
    fn garbage_is_refused() {
        let bytes = fitted().encode();
        let check =
            |bytes: &[u8], expected: TransformError| assert_eq!(Transform::decode(bytes), Err(expected));
        check(b"", TransformError::NotATransform);
        check(b"PHXF\x01\0", TransformError::NotATransform);
        for length in 4..bytes.len() {
            check(&bytes[..length], TransformError::Truncated { length });
        }
        let mut longer = bytes.clone();
        longer.push(0);
        check(&longer, TransformError::Trailing { end: bytes.len(), length: bytes.len() + 1 });
        let changed = |at: usize, new: &[u8]| {
            let mut bytes = bytes.clone();
            bytes[at..at + new.len()].copy_from_slice(new);
            bytes
        };
        check(&changed(4, &[2, 0]), TransformError::Version { version: 2 });
        check(&changed(6, &[0; 4]), TransformError::Column { column: 0 });
        check(&changed(10, &[3]), TransformError::Column { column: 0 });
        check(&changed(11, &f64::NAN.to_le_bytes()), TransformError::Column { column: 0 });
        check(&changed(11, &(-0.0f64).to_le_bytes()), TransformError::Column { column: 0 });
        check(&changed(19, &(-1.0f64).to_le_bytes()), TransformError::Column { column: 0 });
        let codes = bytes.len() - 8;
        check(&changed(codes, &5.0f32.to_le_bytes()), TransformError::Column { column: 2 });
        check(&changed(codes, &f32::INFINITY.to_le_bytes()), TransformError::Column { column: 2 });
        check(
            &changed(codes - 4, &u32::MAX.to_le_bytes()),
            TransformError::Truncated { length: bytes.len() },
        );
    }

    #[test]
    fn scoring_is_the_detectors_of_transformed_rows() {
        let transform = fitted();
        let rows: Vec<f32> = (0..3 * 2500).map(|i| (i * 7919 % 100) as f32).collect();
        let inner = transform.apply(&rows).unwrap();
        let detector = ZScore::fit(&inner, 4).unwrap();
        let (mut expected, mut scores) = (Vec::new(), Vec::new());
        detector.score(&inner, &mut expected).unwrap();
        let joined = TransformedDetector::new(transform.clone(), detector.clone()).unwrap();
        joined.score(&rows, &mut scores).unwrap();
        assert_eq!(scores, expected);
        assert_eq!(joined.score(&rows[..4], &mut scores), Err(DetectError::Ragged { length: 4, width: 3 }));
        assert_eq!((joined.width(), scores.len()), (3, 0));
        assert_ne!(joined.digest(), detector.digest());
        let narrow = ZScore::fit(&rows, 3).unwrap();
        let error = DetectError::WidthDiffers { expected: 3, actual: 4 };
        assert_eq!(TransformedDetector::new(transform, narrow).err(), Some(error));
    }

    #[test]
    fn streams_go_through_it() {
        let transform = fitted();
        let rows: Vec<f32> = (0..300).map(|i| (i * 7919 % 100) as f32).collect();
        let inner = transform.apply(&rows).unwrap();
        let mut plain = Ewma::fit(&inner, 4, EwmaConfig::default()).unwrap();
        let mut joined = TransformedDetector::new(transform, plain.clone()).unwrap();
        let (mut expected, mut scores) = (Vec::new(), Vec::new());
        plain.score_then_update(&inner, &mut expected).unwrap();
        joined.score_then_update(&rows, &mut scores).unwrap();
        assert_eq!((scores, joined.detector()), (expected, &plain));
    }

    #[test]
    fn extremes_stay_finite() {
        let rows = [f32::MAX, f32::MIN, f32::MAX, f32::from_bits(1), f32::MAX, f32::MIN];
        for scaling in [Scaling::None, Scaling::MinMax, Scaling::Standard, Scaling::Robust] {
            let transform = Transform::fit(&rows, &KINDS[..2], scaling).unwrap();
            assert!(transform.apply(&rows).unwrap().iter().all(|x| x.is_finite()), "{scaling:?}");
            assert_eq!(Transform::decode(&transform.encode()), Ok(transform), "{scaling:?}");
        }
    }
}
