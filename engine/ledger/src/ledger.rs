//! The ledger while it grows: one batch a tick, a signed head after each.

use phalanx_core::Tick;

use crate::batch::{StoredHead, TickBatch};
use crate::entry::Entry;
use crate::head::{Head, LedgerKey};
use crate::merkle::{Frontier, Hash};
use crate::store::{LedgerStore, StoreError};
use crate::verify::VerifyFailure;
use crate::wire::DecodeError;

/// An append-only ledger over a store. It holds the head and the frontier, so O(log n) memory.
#[derive(Debug)]
pub struct Ledger<S> {
    store: S,
    key: LedgerKey,
    stored: StoredHead,
}

impl<S: LedgerStore> Ledger<S> {
    /// Starts a ledger in an empty store: writes the genesis entry, at tick 0.
    ///
    /// # Errors
    /// If the store holds a ledger already or cannot be written.
    pub fn create(
        mut store: S,
        key: LedgerKey,
        scenario_digest: [u8; 32],
        engine_version: &str,
        seed: u64,
    ) -> Result<Self, LedgerError> {
        if let Some(stored) = store.head()? {
            return Err(LedgerError::NotEmpty { size: stored.head.size });
        }
        let genesis = Entry::Genesis {
            scenario_digest,
            engine_version: engine_version.to_owned(),
            seed,
            verifying_key: key.verifying_key(),
        };
        let batch = TickBatch::new(&Frontier::new(), Tick(0), &[genesis], &key);
        store.commit(&batch)?;
        Ok(Self { store, key, stored: batch.into_stored_head() })
    }

    /// Continues the ledger in a store, behind its newest head.
    ///
    /// It checks the head, not the entries before it: that is [`crate::verify`]'s work.
    ///
    /// # Errors
    /// If the store holds no ledger, its head does not hold together, another key signed it, or a later head
    /// was noted when the ledger was finished.
    pub fn resume(store: S, key: LedgerKey) -> Result<Self, LedgerError> {
        let stored = store.head()?.ok_or(LedgerError::Empty)?;
        if !stored.head.is_signed_by(&key.verifying_key()) {
            return Err(VerifyFailure::Signature.into());
        }
        if stored.frontier.root() != stored.head.root {
            return Err(VerifyFailure::Frontier.into());
        }
        if let Some(noted) = store.noted_head()?.filter(|noted| noted.size > stored.head.size) {
            return Err(VerifyFailure::RolledBack { size: stored.head.size, held: noted.size }.into());
        }
        Ok(Self { store, key, stored })
    }

    /// Appends what a tick brought, in this order, as one atomic batch. Of an empty tick nothing is written.
    /// Decisions and fingerprints must be of this tick; a report may be of an earlier one.
    ///
    /// # Errors
    /// If the tick lies before the head's, an entry is a second genesis, of a wrong tick or too large: then
    /// nothing changed. If the store cannot write: then drop the ledger, and verify and resume it.
    pub fn append_tick(&mut self, tick: Tick, entries: &[Entry]) -> Result<(), LedgerError> {
        if entries.is_empty() {
            return Ok(());
        }
        let newest = self.stored.head.tick;
        if tick < newest {
            return Err(LedgerError::TickBackwards { tick, newest });
        }
        for entry in entries {
            if matches!(entry, Entry::Genesis { .. }) {
                return Err(LedgerError::SecondGenesis);
            }
            let may_be_late = matches!(entry, Entry::Reported { .. });
            if let Some(entry_tick) = entry.tick().filter(|t| *t > tick || (*t < tick && !may_be_late)) {
                return Err(LedgerError::WrongTick { entry_tick, tick });
            }
        }
        let batch = TickBatch::new(&self.stored.frontier, tick, entries, &self.key);
        self.store.commit(&batch)?;
        self.stored = batch.into_stored_head();
        Ok(())
    }

    /// The newest head.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.stored.head
    }

    /// Number of entries, genesis included.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.stored.head.size
    }

    /// Never: a ledger has its genesis entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Root of the tree over all entries.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.stored.head.root
    }

    /// The store, for reading.
    #[must_use]
    pub fn store(&self) -> &S {
        &self.store
    }

    /// Makes everything appended so far survive a power cut, whatever the store's policy: for a checkpoint.
    ///
    /// # Errors
    /// If the store cannot sync.
    pub fn sync(&mut self) -> Result<(), LedgerError> {
        Ok(self.store.sync()?)
    }

    /// Syncs, notes the head apart from the entries, closes the store and hands out the last head: give it to
    /// somebody else.
    ///
    /// # Errors
    /// If the store cannot sync.
    pub fn finish(mut self) -> Result<Head, LedgerError> {
        self.store.finish()?;
        tracing::debug!(entries = self.len(), tick = %self.stored.head.tick, "ledger finished");
        Ok(self.stored.head)
    }
}

/// Why a ledger could not be written, read or verified.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The store did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger is not what was written.
    #[error(transparent)]
    Mismatch(#[from] VerifyFailure),
    /// The store holds no ledger.
    #[error("the store holds no entries; the run ended before its first tick, so run the scenario again")]
    Empty,
    /// The store holds a ledger already.
    #[error("the store holds a ledger of {size} entries; resume that one, or start in an empty store")]
    NotEmpty {
        /// Its number of entries.
        size: u64,
    },
    /// A tick came after a later one.
    #[error("tick {tick} cannot be appended behind tick {newest}; append ticks in order")]
    TickBackwards {
        /// The tick that was to be appended.
        tick: Tick,
        /// The newest tick in the ledger.
        newest: Tick,
    },
    /// An entry is of another tick than the one it was to be appended at.
    #[error(
        "an entry of tick {entry_tick} cannot be appended at tick {tick}; append decisions and fingerprints at their \
         own tick, and reports not before it"
    )]
    WrongTick {
        /// The tick that the entry names.
        entry_tick: Tick,
        /// The tick that it was to be appended at.
        tick: Tick,
    },
    /// A genesis entry was to be appended.
    #[error(
        "a ledger has one genesis entry, which its creation writes; start another ledger for another run"
    )]
    SecondGenesis,
    /// An entry that was asked for cannot be read.
    #[error("entry {index} cannot be read; verify the ledger")]
    Decode {
        /// Index of the entry.
        index: u64,
        /// What is wrong with its bytes.
        #[source]
        source: DecodeError,
    },
}

impl LedgerError {
    /// Whether the stored ledger is wrong (exit code 4), rather than the call, the path or the machine.
    #[must_use]
    pub fn is_mismatch(&self) -> bool {
        match self {
            Self::Mismatch(_) | Self::Decode { .. } => true,
            Self::Store(error) => error.is_damage(),
            _ => false,
        }
    }
}
