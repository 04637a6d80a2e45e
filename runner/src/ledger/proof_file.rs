//! Proofs as JSON: everything that a verifier needs but a head that it trusts.

use phalanx_ledger::merkle::{Hash, leaf_hash, verify_consistency, verify_inclusion};
use phalanx_ledger::{Entry, Head};
use serde::{Deserialize, Serialize};

use super::head_file::{HeadJson, unhex, unhex_any};

/// A proof as it is written to a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "proof", rename_all = "lowercase", deny_unknown_fields)]
pub enum Proof {
    /// An entry is in the ledger.
    Inclusion {
        /// Number of the entry.
        index: u64,
        /// Number of entries of the tree.
        size: u64,
        /// The entry's bytes.
        entry: String,
        /// Hashes from the leaf to the root, deepest first.
        path: Vec<String>,
        /// The head that it was made for.
        head: HeadJson,
    },
    /// A smaller ledger is the beginning of a larger one.
    Consistency {
        /// Number of entries of the smaller.
        old_size: u64,
        /// Number of entries of the larger.
        size: u64,
        /// Root of the smaller.
        old_root: String,
        /// Hashes, deepest first.
        path: Vec<String>,
        /// The head that it was made for.
        head: HeadJson,
    },
}

/// What a proof that holds shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    /// This entry has this number.
    Entry(u64, Box<Entry>),
    /// The first so many entries, with this root, are the beginning.
    Prefix(u64, Hash),
}

/// Why a proof does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// It is not written as a proof is.
    #[error("the proof is malformed: {0}; make it again with `runner ledger prove`")]
    Malformed(String),
    /// It was made for another size than the head's.
    #[error("the proof is for {proof} entries and the head counts {head}; make one with `--size {head}`")]
    OtherSize {
        /// Size by the proof.
        proof: u64,
        /// Size by the head.
        head: u64,
    },
    /// Its hashes do not lead to the head's root.
    #[error("the proof does not hold: its hashes do not lead to the root of the head")]
    Refuted,
    /// The head is not signed by the key that comes with it.
    #[error("the head is not signed by the key that comes with it")]
    Signature,
}

impl ProofError {
    /// Whether the input is unusable, rather than a proof that fails.
    #[must_use]
    pub fn is_bad_input(&self) -> bool {
        matches!(self, Self::Malformed(_) | Self::OtherSize { .. })
    }
}

impl Proof {
    /// The head that the proof names itself. It proves nothing to somebody who does not trust the sender.
    #[must_use]
    pub fn head(&self) -> &HeadJson {
        match self {
            Self::Inclusion { head, .. } | Self::Consistency { head, .. } => head,
        }
    }

    /// Whether the proof holds under a head, with its key if that is known.
    ///
    /// # Errors
    /// Why it does not.
    pub fn check(&self, head: &Head, key: Option<&[u8; 32]>) -> Result<Shown, ProofError> {
        if key.is_some_and(|key| !head.is_signed_by(key)) {
            return Err(ProofError::Signature);
        }
        let hashes = |path: &[String]| {
            let path: Result<Vec<Hash>, String> = path.iter().map(|hash| unhex("path", hash)).collect();
            path.map_err(ProofError::Malformed)
        };
        let size_is = |size: u64| {
            if size == head.size {
                Ok(())
            } else {
                Err(ProofError::OtherSize { proof: size, head: head.size })
            }
        };
        match self {
            Self::Inclusion { index, size, entry, path, .. } => {
                size_is(*size)?;
                let bytes = unhex_any("entry", entry).map_err(ProofError::Malformed)?;
                if !verify_inclusion(&leaf_hash(&bytes), *index, *size, &hashes(path)?, &head.root) {
                    return Err(ProofError::Refuted);
                }
                let entry =
                    Entry::decode(&bytes).map_err(|error| ProofError::Malformed(error.to_string()))?;
                Ok(Shown::Entry(*index, Box::new(entry)))
            }
            Self::Consistency { old_size, size, old_root, path, .. } => {
                size_is(*size)?;
                let old_root = unhex("old_root", old_root).map_err(ProofError::Malformed)?;
                if verify_consistency(*old_size, &old_root, *size, &head.root, &hashes(path)?) {
                    Ok(Shown::Prefix(*old_size, old_root))
                } else {
                    Err(ProofError::Refuted)
                }
            }
        }
    }
}
