//! Fitted models as bytes: what a checkpoint keeps of detectors, thresholds and drift detectors.
//!
//! What is loaded scores, learns and digests as what was saved would have, bit for bit. Bytes that were changed or cut
//! off are refused by their checksum, and bytes that somebody made up by checks of what they say: nothing that loads
//! can panic later.
//!
//! # Encoding, version 2
//! ```text
//! "PHXM"  version: u16, little-endian  kind: u8  body  checksum: the first 16 bytes of BLAKE3 of all before
//! ```
//! The body is the model's fields in [postcard](https://postcard.jamesmunns.com/wire-format)'s format. Models inside
//! of models are byte strings in this encoding, at most [`DEPTH_MAX`] deep. Kinds are never renumbered; a change of any
//! body needs a new version.

use phalanx_core::digest128;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{
    Adwin, CalibratedDetector, Copod, Cusum, Detector, DriftDetector, Ecod, Ensemble, Ewma, ExtendedForest,
    HalfSpaceTrees, Hbos, IsolationForest, Knn, Loda, Mahalanobis, PageHinkley, Pca, RobustRandomCutForest,
    RuleDetector, StreamingDetector, TransformedDetector, ZScore,
};

const MAGIC: &[u8] = b"PHXM";
const VERSION: u16 = 2;
const HEAD: usize = MAGIC.len() + 3;
const CHECKSUM: usize = 16;

/// Models may lie this deep in each other: reading them must not exhaust the stack.
const DEPTH_MAX: u32 = 8;

/// Why bytes are not the state of a model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The first bytes are something else's.
    #[error("these bytes are not the state of a model; check what was read")]
    NotAState,
    /// Written by another version of this crate.
    #[error(
        "state of version {version}, where version 2 is read; fit the model again or take the matching program"
    )]
    Version {
        /// The version found.
        version: u16,
    },
    /// The checksum is not that of the bytes.
    #[error("the state's checksum differs: its {length} bytes were changed or cut off; take another copy")]
    Damaged {
        /// Bytes that there are.
        length: usize,
    },
    /// The state of another kind of model than was asked for.
    #[error("the state of {actual}, where that of {expected} is wanted; load it as what it is")]
    OtherKind {
        /// What was asked for.
        expected: &'static str,
        /// What it is.
        actual: &'static str,
    },
    /// A number that stands for no kind of model.
    #[error("model kind {kind} is not known; take the program that wrote it")]
    UnknownKind {
        /// The number.
        kind: u8,
    },
    /// Fields that no model of this kind could have.
    #[error(
        "this is no valid state of {kind}, although its checksum is right; save it again from a fitted model"
    )]
    Invalid {
        /// What it says it is.
        kind: &'static str,
    },
}

macro_rules! kinds {
    ($($kind:ident = $number:literal, $name:literal;)*) => {
        /// What a state is of, by its number in the bytes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Kind { $($kind = $number),* }

        impl Kind {
            fn of(number: u8) -> Result<Self, StateError> {
                match number {
                    $($number => Ok(Self::$kind),)*
                    kind => Err(StateError::UnknownKind { kind }),
                }
            }

            fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),* }
            }
        }
    };
}

kinds! {
    ZScore = 1, "z-scores";
    Ecod = 2, "ECOD";
    Copod = 3, "COPOD";
    Hbos = 4, "HBOS";
    Loda = 5, "LODA";
    Knn = 6, "nearest neighbours";
    Mahalanobis = 7, "Mahalanobis distance";
    Pca = 8, "principal components";
    Ensemble = 9, "an ensemble";
    IsolationForest = 10, "an isolation forest";
    ExtendedForest = 11, "an extended isolation forest";
    Rules = 12, "rules";
    Transformed = 13, "a detector of transformed rows";
    Calibrated = 14, "a calibrated detector";
    HalfSpaceTrees = 32, "half-space trees";
    RandomCutForest = 33, "a robust random cut forest";
    Ewma = 34, "moving averages";
    Cusum = 35, "cumulative sums";
    Adwin = 64, "ADWIN";
    PageHinkley = 65, "a Page-Hinkley test";
    Threshold = 96, "a threshold";
    Calibration = 97, "a calibration";
}

/// A model that can be saved.
pub(crate) trait State {
    const KIND: Kind;

    fn body(&self) -> Vec<u8>;
}

/// A model that can be read again.
pub(crate) trait Restore: State + Sized {
    /// The model of a body; `depth` models lie around it.
    fn read(body: &[u8], depth: u32) -> Result<Self, StateError>;
}

/// Implements [`State`], [`Restore`] and a public `load` for a type of plain fields with a method `is_sound`.
macro_rules! plain_state {
    ($type:ty, $kind:ident, $save:literal) => {
        impl crate::state::State for $type {
            const KIND: crate::state::Kind = crate::state::Kind::$kind;

            fn body(&self) -> Vec<u8> {
                crate::state::encode(self)
            }
        }

        impl crate::state::Restore for $type {
            fn read(body: &[u8], _depth: u32) -> Result<Self, crate::StateError> {
                crate::state::decode(body, <Self as crate::state::State>::KIND, Self::is_sound)
            }
        }

        impl $type {
            #[doc = concat!("Reads what [`", $save, "`] wrote.")]
            ///
            /// # Errors
            /// Bytes that are anything else.
            pub fn load(bytes: &[u8]) -> Result<Self, crate::StateError> {
                crate::state::load(bytes)
            }
        }
    };
}
pub(crate) use plain_state;

/// The encoding of a model.
pub(crate) fn save<S: State>(model: &S) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.push(S::KIND as u8);
    bytes.append(&mut model.body());
    let checksum = digest128(&bytes);
    bytes.extend(checksum);
    bytes
}

/// Reads a model of a known kind.
pub(crate) fn load<S: Restore>(bytes: &[u8]) -> Result<S, StateError> {
    match open(bytes)? {
        (kind, body) if kind == S::KIND => S::read(body, 0),
        (actual, _) => Err(StateError::OtherKind { expected: S::KIND.name(), actual: actual.name() }),
    }
}

/// Kind and body of an encoding.
fn open(bytes: &[u8]) -> Result<(Kind, &[u8]), StateError> {
    if !bytes.starts_with(MAGIC) {
        return Err(StateError::NotAState);
    }
    let damaged = StateError::Damaged { length: bytes.len() };
    if bytes.len() < HEAD + CHECKSUM {
        return Err(damaged);
    }
    let (all, checksum) = bytes.split_at(bytes.len() - CHECKSUM);
    let version = u16::from_le_bytes([all[4], all[5]]);
    if version != VERSION {
        return Err(StateError::Version { version });
    }
    if digest128(all) != checksum {
        return Err(damaged);
    }
    Ok((Kind::of(all[HEAD - 1])?, &all[HEAD..]))
}

pub(crate) fn encode(fields: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(fields).expect("a model is plain data in memory")
}

pub(crate) fn decode<T: DeserializeOwned>(
    body: &[u8],
    kind: Kind,
    is_sound: impl Fn(&T) -> bool,
) -> Result<T, StateError> {
    match postcard::take_from_bytes::<T>(body) {
        Ok((model, rest)) if rest.is_empty() && is_sound(&model) => Ok(model),
        _ => Err(invalid(kind)),
    }
}

pub(crate) fn invalid(kind: Kind) -> StateError {
    StateError::Invalid { kind: kind.name() }
}

/// The detector that [`Detector::save`] wrote, whichever of this crate's it is.
///
/// ```
/// use phalanx_detect::{Detector, ZScore, load_detector};
/// let fitted = ZScore::fit(&[1.0, 2.0, 6.0], 1)?;
/// let loaded = load_detector(&fitted.save()).expect("these bytes were just saved");
/// assert_eq!(loaded.digest(), fitted.digest());
/// # Ok::<(), phalanx_detect::DetectError>(())
/// ```
///
/// # Errors
/// Bytes that are anything else.
pub fn load_detector(bytes: &[u8]) -> Result<Box<dyn Detector>, StateError> {
    detector(bytes, 0)
}

/// The streaming detector that [`Detector::save`] wrote, ready to learn on.
///
/// # Errors
/// Bytes that are anything else.
pub fn load_streaming(bytes: &[u8]) -> Result<Box<dyn StreamingDetector>, StateError> {
    streaming(bytes, 0)
}

/// The drift detector that [`DriftDetector::save`] wrote.
///
/// # Errors
/// Bytes that are anything else.
pub fn load_drift(bytes: &[u8]) -> Result<Box<dyn DriftDetector>, StateError> {
    Ok(match open(bytes)? {
        (Kind::Adwin, body) => Box::new(Adwin::read(body, 0)?),
        (Kind::PageHinkley, body) => Box::new(PageHinkley::read(body, 0)?),
        (actual, _) => {
            return Err(StateError::OtherKind { expected: "a drift detector", actual: actual.name() });
        }
    })
}

/// A detector that lies `depth` models deep.
pub(crate) fn detector(bytes: &[u8], depth: u32) -> Result<Box<dyn Detector>, StateError> {
    let (kind, body) = open(bytes)?;
    if depth > DEPTH_MAX {
        return Err(invalid(kind));
    }
    Ok(match kind {
        Kind::ZScore => Box::new(ZScore::read(body, depth)?),
        Kind::Ecod => Box::new(Ecod::read(body, depth)?),
        Kind::Copod => Box::new(Copod::read(body, depth)?),
        Kind::Hbos => Box::new(Hbos::read(body, depth)?),
        Kind::Loda => Box::new(Loda::read(body, depth)?),
        Kind::Knn => Box::new(Knn::read(body, depth)?),
        Kind::Mahalanobis => Box::new(Mahalanobis::read(body, depth)?),
        Kind::Pca => Box::new(Pca::read(body, depth)?),
        Kind::Ensemble => Box::new(Ensemble::read(body, depth)?),
        Kind::IsolationForest => Box::new(IsolationForest::read(body, depth)?),
        Kind::ExtendedForest => Box::new(ExtendedForest::read(body, depth)?),
        Kind::Rules => Box::new(RuleDetector::read(body, depth)?),
        Kind::Transformed => Box::new(TransformedDetector::<Box<dyn Detector>>::read(body, depth)?),
        Kind::Calibrated => Box::new(CalibratedDetector::<Box<dyn Detector>>::read(body, depth)?),
        Kind::HalfSpaceTrees | Kind::RandomCutForest | Kind::Ewma | Kind::Cusum => streaming(bytes, depth)?,
        Kind::Adwin | Kind::PageHinkley | Kind::Threshold | Kind::Calibration => {
            return Err(StateError::OtherKind { expected: "a detector", actual: kind.name() });
        }
    })
}

/// A streaming detector that lies `depth` models deep.
pub(crate) fn streaming(bytes: &[u8], depth: u32) -> Result<Box<dyn StreamingDetector>, StateError> {
    let (kind, body) = open(bytes)?;
    if depth > DEPTH_MAX {
        return Err(invalid(kind));
    }
    Ok(match kind {
        Kind::HalfSpaceTrees => Box::new(HalfSpaceTrees::read(body, depth)?),
        Kind::RandomCutForest => Box::new(RobustRandomCutForest::read(body, depth)?),
        Kind::Ewma => Box::new(Ewma::read(body, depth)?),
        Kind::Cusum => Box::new(Cusum::read(body, depth)?),
        Kind::Transformed => Box::new(TransformedDetector::<Box<dyn StreamingDetector>>::read(body, depth)?),
        _ => return Err(StateError::OtherKind { expected: "a streaming detector", actual: kind.name() }),
    })
}
