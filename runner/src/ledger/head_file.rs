//! Heads in files: what somebody keeps to check a ledger against later.

use std::fs;
use std::path::Path;

use phalanx_core::Tick;
use phalanx_ledger::{Entry, Head, LedgerReader};
use serde::{Deserialize, Serialize};

use super::source;
use crate::error::RunnerError;
use crate::record::hex;

/// A head as JSON, with the key that it is signed by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadJson {
    /// Number of entries.
    pub size: u64,
    /// Root over them, hex digits.
    pub root: String,
    /// Tick of the newest.
    pub tick: u64,
    /// Signature, hex digits.
    pub signature: String,
    /// Key, hex digits. A file `head` beside a ledger does not name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifying_key: Option<String>,
}

impl HeadJson {
    /// A head and its key.
    #[must_use]
    pub fn new(head: &Head, key: Option<[u8; 32]>) -> Self {
        Self {
            size: head.size,
            root: hex(&head.root),
            tick: head.tick.0,
            signature: hex(&head.signature),
            verifying_key: key.map(|key| hex(&key)),
        }
    }

    /// The head and its key.
    ///
    /// # Errors
    /// Which field is no hex digits of the right length.
    pub fn parse(&self) -> Result<(Head, Option<[u8; 32]>), String> {
        let head = Head {
            size: self.size,
            root: unhex("root", &self.root)?,
            tick: Tick(self.tick),
            signature: unhex("signature", &self.signature)?,
        };
        Ok((head, self.verifying_key.as_ref().map(|key| unhex("verifying_key", key)).transpose()?))
    }
}

/// Hex digits of exactly `N` bytes.
///
/// # Errors
/// If they are not that.
pub fn unhex<const N: usize>(field: &str, text: &str) -> Result<[u8; N], String> {
    let bytes = unhex_any(field, text)?;
    let len = bytes.len();
    bytes.try_into().map_err(|_| format!("`{field}` has {len} bytes and needs {N}"))
}

/// Hex digits of any number of bytes.
///
/// # Errors
/// If they are not that.
pub fn unhex_any(field: &str, text: &str) -> Result<Vec<u8>, String> {
    let digit = |byte: u8| char::from(byte).to_digit(16).filter(|_| !byte.is_ascii_uppercase());
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [a, b] => Some((digit(*a)? * 16 + digit(*b)?) as u8),
        _ => None,
    });
    pairs
        .collect::<Option<_>>()
        .ok_or_else(|| format!("`{field}` is not pairs of hex digits, in small letters"))
}

/// Reads a head from its 113 bytes, as they lie beside a finished ledger, from JSON, or from a ledger.
///
/// # Errors
/// If it is none of them.
pub fn read(path: &Path) -> Result<(Head, Option<[u8; 32]>), RunnerError> {
    let bad = |reason: String| RunnerError::LedgerFile { what: "head", path: path.to_owned(), reason };
    if path.is_dir() || phalanx_ledger::SealedLedger::is_sealed(path) {
        let reader = source::open(path)?;
        return of_ledger(&*reader, path);
    }
    let bytes = fs::read(path).map_err(RunnerError::io("read the head in", path))?;
    if bytes.len() == Head::BYTES {
        return Head::from_bytes(&bytes).map(|head| (head, None)).map_err(|error| bad(error.to_string()));
    }
    let json: HeadJson = serde_json::from_slice(&bytes).map_err(|error| {
        bad(format!("it is neither the {} bytes of a file `head` nor a head as JSON: {error}", Head::BYTES))
    })?;
    json.parse().map_err(bad)
}

/// The head of a ledger, and the key that its genesis names.
///
/// # Errors
/// If it cannot be read.
pub fn of_ledger(reader: &dyn LedgerReader, path: &Path) -> Result<(Head, Option<[u8; 32]>), RunnerError> {
    let read = || {
        let stored = reader.head()?;
        Ok::<_, phalanx_ledger::LedgerError>(stored.zip(reader.get(0)?))
    };
    let none = || RunnerError::NoLedger { path: path.to_owned() };
    let (stored, genesis) = read().map_err(|error| source::of_path(error, path))?.ok_or_else(none)?;
    let key = match Entry::decode(&genesis) {
        Ok(Entry::Genesis { verifying_key, .. }) => Some(verifying_key),
        _ => None,
    };
    Ok((stored.head, key))
}
