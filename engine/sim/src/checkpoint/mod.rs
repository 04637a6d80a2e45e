//! The state of a simulation between two ticks as bytes, so that a run goes on in another process.
//!
//! Randomness is addressed by (purpose, subject, tick), so no stream has a position to keep. What a scenario's world is
//! built with (graph, populations, targets, owners of models, what models were fitted to at first) is built again; what
//! ticks have changed since is here. What one phase leaves for another phase of the same tick is not: between ticks
//! nobody will read it.
//!
//! # What whoever adds state has to do
//! Every resource and component that ticks change is [`State`], written beside its type by [`state!`] or [`saved!`]. Both
//! take the type apart without `..`, so a field that is added does not compile until it says which of the two it is:
//! kept, or found again. A new resource or component has to be named in [`world`]; `tests::nothing_is_forgotten` counts
//! them. A change of any body needs a new [`VERSION`]. That nothing is missing is tested by running on: over shipped and
//! drawn scenarios, a restored run gives the fingerprints and figures of one that was never interrupted.
//!
//! # Encoding, version 2
//! ```text
//! "PHXC"  version: u16, little-endian  engine version: length u8, text  genesis: 32 bytes  body
//! checksum: the first 16 bytes of BLAKE3 of all before
//! ```
//! `genesis` is the fingerprint that the run began with: it holds scenario, seed and engine version. The body is
//! [postcard](https://postcard.jamesmunns.com/wire-format)'s encoding of the fields in the order of [`world`]. A signature
//! is written where it is first met, and from then on as a number: agents share most of them.

mod codec;
mod world;

pub(crate) use codec::{Malformed, Reader, Saved, State, Writer, saved, state};
pub(crate) use world::{restore, save};

use phalanx_core::{Fingerprint, digest128};

const MAGIC: &[u8] = b"PHXC";
const VERSION: u16 = 2;
const ENGINE: &str = env!("CARGO_PKG_VERSION");
const CHECKSUM: usize = 16;

/// Why bytes are not a checkpoint of this simulation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The first bytes are something else's.
    #[error("this is no checkpoint of a simulation")]
    NotACheckpoint,
    /// Written in another encoding.
    #[error("a checkpoint of format {found}, where format {VERSION} is read")]
    Version {
        /// The format found.
        found: u16,
    },
    /// The checksum is not that of the bytes.
    #[error("the checksum of its {length} bytes differs: they were changed or cut off")]
    Damaged {
        /// Bytes that there are.
        length: usize,
    },
    /// Written by another version of the engine, which would have gone on differently.
    #[error("written by engine {found}, and this is engine {ENGINE}")]
    Engine {
        /// The version found.
        found: String,
    },
    /// Of another scenario, seed or data.
    #[error("of another run: scenario, seed, data or plugins differ")]
    OtherRun,
    /// The checksum is right, the contents are not.
    #[error("the checksum is right, but its {part} cannot be read")]
    Malformed {
        /// Which part.
        part: &'static str,
    },
}

/// Puts head and checksum around a body.
pub(crate) fn seal(genesis: Fingerprint, body: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.push(ENGINE.len() as u8);
    bytes.extend(ENGINE.as_bytes());
    bytes.extend(genesis.0);
    bytes.extend(body);
    bytes.extend(digest128(&bytes));
    bytes
}

/// The body of a checkpoint of the run that began with `genesis`.
pub(crate) fn open(bytes: &[u8], genesis: Fingerprint) -> Result<&[u8], CheckpointError> {
    let damaged = CheckpointError::Damaged { length: bytes.len() };
    let rest = bytes.strip_prefix(MAGIC).ok_or(CheckpointError::NotACheckpoint)?;
    let (version, _) = rest.split_first_chunk().ok_or_else(|| damaged.clone())?;
    let found = u16::from_le_bytes(*version);
    if found != VERSION {
        return Err(CheckpointError::Version { found });
    }
    let (all, checksum) =
        bytes.len().checked_sub(CHECKSUM).map(|end| bytes.split_at(end)).ok_or_else(|| damaged.clone())?;
    if digest128(all) != checksum {
        return Err(damaged);
    }
    let rest = all.get(MAGIC.len() + 2..).ok_or_else(|| damaged.clone())?;
    let (length, rest) = rest.split_first().ok_or_else(|| damaged.clone())?;
    let (engine, rest) = rest.split_at_checked(usize::from(*length)).ok_or_else(|| damaged.clone())?;
    if engine != ENGINE.as_bytes() {
        return Err(CheckpointError::Engine { found: String::from_utf8_lossy(engine).into_owned() });
    }
    let (began, body) = rest.split_first_chunk::<32>().ok_or(damaged)?;
    if *began != genesis.0 {
        return Err(CheckpointError::OtherRun);
    }
    Ok(body)
}
