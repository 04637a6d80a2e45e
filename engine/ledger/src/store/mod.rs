//! Where entries lie: the contract of a store, and its two implementors.
//!
//! A store keeps records and one head. It hashes nothing and trusts nothing: whether its contents are the
//! ledger that was written is [`crate::verify`]'s to say.

pub mod backend;
mod database;
mod durability;
pub(crate) mod layout;
mod memory;
mod parts;
mod sled_store;

pub(crate) use database::{io_error, sync_path};

pub use durability::Durability;
pub use layout::{ENTRY_BYTES_MAX, VALUE_BYTES_MAX};
pub use memory::MemoryStore;
pub use sled_store::SledStore;

use std::io;
use std::ops::{ControlFlow, Range};
use std::path::PathBuf;

use crate::batch::{Record, StoredHead, TickBatch};
use crate::head::Head;
use crate::merkle::Frontier;

/// Takes keys and values, one pair after the other, until it breaks.
pub type PairVisitor<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// Where a part of a stored ledger begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joint {
    /// The frontier of the entries before it, as the part has it.
    pub before: Frontier,
    /// The part's folder.
    pub path: PathBuf,
}

/// Shows the records of one ledger and its head. Indices from 0 without gaps.
pub trait LedgerReader: Send {
    /// The head of the newest batch, `None` before the first.
    ///
    /// # Errors
    /// If it cannot be read or is not what [`LedgerStore::commit`] wrote.
    fn head(&self) -> Result<Option<StoredHead>, StoreError>;

    /// The head that [`LedgerStore::finish`] noted apart from the records, if it noted one.
    ///
    /// # Errors
    /// If there is a note that cannot be read.
    fn noted_head(&self) -> Result<Option<Head>, StoreError> {
        Ok(None)
    }

    /// Shows the records whose index lies in `range`, ascending, until there are no more or the visitor
    /// breaks.
    ///
    /// # Errors
    /// If a record cannot be read or is not framed as [`LedgerStore::commit`] framed it.
    fn scan(
        &self,
        range: Range<u64>,
        visit: &mut dyn FnMut(Record<'_>) -> ControlFlow<()>,
    ) -> Result<(), StoreError>;

    /// The encoding of one entry, `None` past the end.
    ///
    /// # Errors
    /// As [`LedgerReader::scan`].
    fn get(&self, index: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let mut found = None;
        let end = index.saturating_add(1);
        self.scan(index..end, &mut |record| {
            found = Some(record.bytes.to_vec());
            ControlFlow::Break(())
        })?;
        Ok(found)
    }

    /// What lies under a key. Readers of other things than keys and values have none.
    ///
    /// # Errors
    /// If it cannot be read.
    fn value(&self, _key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(None)
    }

    /// Shows the pairs whose key lies from `from` up to `to`, in the order of their keys, until the visitor
    /// breaks. Of a ledger in several parts, part after part.
    ///
    /// # Errors
    /// If they cannot be read.
    fn values(&self, _from: &[u8], _to: &[u8], _visit: &mut PairVisitor<'_>) -> Result<(), StoreError> {
        Ok(())
    }

    /// What the part says of itself that begins with this entry; `None` for the first, and where none begins.
    ///
    /// # Errors
    /// If the part cannot be read.
    fn joint(&self, _index: u64) -> Result<Option<Joint>, StoreError> {
        Ok(None)
    }

    /// Number of pairs that are neither entries nor the head, in the part that has this entry.
    ///
    /// # Errors
    /// If it cannot be read.
    fn others(&self, _index: u64) -> Result<u64, StoreError> {
        let mut count = 0;
        for (from, to) in layout::OTHERS {
            self.values(from, to, &mut |_, _| {
                count += 1;
                ControlFlow::Continue(())
            })?;
        }
        Ok(count)
    }
}

/// Keeps the records of one ledger and its head. One writer.
pub trait LedgerStore: LedgerReader {
    /// Stores a batch, all its pairs or none. When it will survive a power cut is the store's policy; at the
    /// latest after [`LedgerStore::sync`].
    ///
    /// # Errors
    /// If the batch does not continue what is stored, or cannot be written. Nothing of it is stored in the
    /// first case; in the second, drop the store and open it again.
    fn commit(&mut self, batch: &TickBatch) -> Result<(), StoreError>;

    /// Sets the ledger back to an earlier head of it, and returns once that survives a power cut.
    ///
    /// # Errors
    /// If the store cannot be written.
    fn rewind(&mut self, to: &StoredHead) -> Result<(), StoreError>;

    /// Returns once everything committed survives a power cut.
    ///
    /// # Errors
    /// If the device or the store says no.
    fn sync(&mut self) -> Result<(), StoreError>;

    /// Ends the writing: [`LedgerStore::sync`], and whatever else lets a reader tell a whole ledger from one
    /// that lost its tail.
    ///
    /// # Errors
    /// As [`LedgerStore::sync`].
    fn finish(&mut self) -> Result<(), StoreError> {
        self.sync()
    }
}

impl<S: LedgerReader + ?Sized> LedgerReader for Box<S> {
    fn head(&self) -> Result<Option<StoredHead>, StoreError> {
        (**self).head()
    }

    fn noted_head(&self) -> Result<Option<Head>, StoreError> {
        (**self).noted_head()
    }

    fn scan(
        &self,
        range: Range<u64>,
        visit: &mut dyn FnMut(Record<'_>) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        (**self).scan(range, visit)
    }

    fn get(&self, index: u64) -> Result<Option<Vec<u8>>, StoreError> {
        (**self).get(index)
    }

    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        (**self).value(key)
    }

    fn values(&self, from: &[u8], to: &[u8], visit: &mut PairVisitor<'_>) -> Result<(), StoreError> {
        (**self).values(from, to, visit)
    }

    fn joint(&self, index: u64) -> Result<Option<Joint>, StoreError> {
        (**self).joint(index)
    }

    fn others(&self, index: u64) -> Result<u64, StoreError> {
        (**self).others(index)
    }
}

impl<S: LedgerStore + ?Sized> LedgerStore for Box<S> {
    fn commit(&mut self, batch: &TickBatch) -> Result<(), StoreError> {
        (**self).commit(batch)
    }

    fn rewind(&mut self, to: &StoredHead) -> Result<(), StoreError> {
        (**self).rewind(to)
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        (**self).sync()
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        (**self).finish()
    }
}

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system said no.
    #[error("cannot {action} {}: check the path, its permissions and the free space", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// Another process, or another store in this one, has the ledger open.
    #[error(
        "ledger {} is in use by another writer; wait until that run ends, or give this one another folder",
        path.display()
    )]
    Locked {
        /// The ledger's folder.
        path: PathBuf,
    },
    /// A new ledger was to be made in a folder that holds something.
    #[error("{} is not empty; choose another folder for the ledger or remove this one", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// There is no ledger at this path.
    #[error("{} is not a ledger ({reason}); give the folder that a run wrote its ledger to", path.display())]
    NotALedger {
        /// The path that was given.
        path: PathBuf,
        /// What is missing.
        reason: &'static str,
    },
    /// The files are damaged so that the database cannot read them.
    #[error(
        "ledger {} is damaged ({reason}); restore its folder from a copy, or run the scenario again with the same \
         seed to make it anew",
        path.display()
    )]
    Corrupt {
        /// The ledger's folder.
        path: PathBuf,
        /// What the database found.
        reason: String,
    },
    /// A part of a ledger of several is missing, damaged, or another one.
    #[error(
        "{}, the part of the ledger that begins with entry {index}, {problem}; restore that folder from a copy, or run \
         the scenario again with the same seed",
        path.display()
    )]
    Part {
        /// Its first entry.
        index: u64,
        /// Its folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The stored head is not one that a commit wrote.
    #[error(
        "the stored head is malformed ({problem}); restore the ledger from a copy, or run the scenario again with \
         the same seed"
    )]
    MalformedHead {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A bundle of entries is not one that a commit wrote.
    #[error(
        "the stored bundle with entry {index} is malformed ({problem}); restore the ledger from a copy, or run the \
         scenario again with the same seed"
    )]
    MalformedBundle {
        /// Index of the first entry that cannot be read.
        index: u64,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A batch starts elsewhere than where the stored entries end.
    #[error(
        "the batch starts at entry {batch} but {stored} entries are stored; open the ledger again to \
         continue it"
    )]
    StaleBatch {
        /// Where the batch starts.
        batch: u64,
        /// Number of entries stored.
        stored: u64,
    },
    /// An entry is larger than a value may be.
    #[error("entry {index} takes {bytes} bytes and an entry may take {ENTRY_BYTES_MAX}; use fewer features")]
    EntryTooLarge {
        /// Index that the entry would have had.
        index: u64,
        /// Length of its encoding.
        bytes: usize,
    },
    /// The database moved values into files that it never syncs.
    #[error(
        "ledger {} holds {count} blob files, which a power cut would lose; report this with the scenario",
        path.display()
    )]
    Blobs {
        /// The ledger's folder.
        path: PathBuf,
        /// Number of such files.
        count: usize,
    },
}

impl StoreError {
    /// Whether the stored bytes are wrong, rather than the call or the machine.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Corrupt { .. }
                | Self::Part { .. }
                | Self::MalformedHead { .. }
                | Self::MalformedBundle { .. }
        )
    }
}
