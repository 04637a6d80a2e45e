//! The ledger while it grows: one batch a tick, a signed head after each.

use phalanx_core::Tick;

use crate::batch::{StoredHead, TickBatch};
use crate::edge::Edge;
use crate::entry::Entry;
use crate::head::{Head, LedgerKey};
use crate::merkle::{Hash, leaf_hash};
use crate::statement::AgentKeys;
use crate::store::{LedgerStore, StoreError};
use crate::verify::VerifyFailure;
use crate::wire::DecodeError;

/// An append-only ledger over a store. It holds the head and the right edge of the tree, so O(log n) memory.
#[derive(Debug)]
pub struct Ledger<S> {
    pub(crate) store: S,
    pub(crate) key: LedgerKey,
    pub(crate) head: Head,
    pub(crate) edge: Edge,
    /// Keys of the agents, if their reports are signed.
    pub(crate) signers: Option<AgentKeys>,
    /// The head of the entries that are in the store already, while what is appended is compared with them.
    pub(crate) surviving: Option<StoredHead>,
    /// Whether a batch was not stored, so that the edge is ahead of the store.
    failed: bool,
}

impl<S: LedgerStore> Ledger<S> {
    /// Starts a ledger in an empty store: writes the genesis entry, at tick 0.
    ///
    /// # Errors
    /// If the store holds a ledger already or cannot be written.
    pub fn create(
        store: S,
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
        let edge = Edge::new();
        let head = key.sign(edge.frontier(), Tick(0));
        let mut ledger = Self { store, key, head, edge, signers: None, surviving: None, failed: false };
        ledger.commit(Tick(0), &[genesis], false)?;
        Ok(ledger)
    }

    pub(crate) fn over(store: S, key: LedgerKey, head: Head, edge: Edge) -> Self {
        Self { store, key, head, edge, signers: None, surviving: None, failed: false }
    }

    /// Writes the public keys of agents `0..agents` into the ledger, directly behind genesis. From then on
    /// each report is followed by its author's statement, and ballots are signed by their voters.
    ///
    /// # Errors
    /// If there are entries behind genesis, or the store cannot be written.
    pub fn enrol(&mut self, agents: u32) -> Result<(), LedgerError> {
        if self.len() != 1 {
            return Err(LedgerError::NotEmpty { size: self.len() });
        }
        let bytes = self.store.get(0)?.ok_or(LedgerError::Empty)?;
        let genesis = Entry::decode(&bytes).map_err(|source| LedgerError::Decode { index: 0, source })?;
        let Entry::Genesis { seed, .. } = genesis else { return Err(VerifyFailure::NoGenesis.into()) };
        let mut signers = AgentKeys::new(seed, leaf_hash(&bytes));
        self.commit(Tick(0), &signers.entries(agents), false)?;
        self.signers = Some(signers);
        Ok(())
    }

    /// Appends what a tick brought, in this order, as one atomic batch. Of an empty tick nothing is written.
    /// Entries must be of this tick; a report may be of an earlier one.
    ///
    /// # Errors
    /// If the tick lies before the head's, an entry is a second genesis, of a wrong tick or too large: then
    /// nothing changed. If the store cannot write, or the entries are not those that survived
    /// ([`Ledger::resume_at`]): then drop the ledger, and verify and resume it.
    pub fn append_tick(&mut self, tick: Tick, entries: &[Entry]) -> Result<(), LedgerError> {
        if entries.is_empty() {
            return Ok(());
        }
        self.check(tick, entries)?;
        self.commit(tick, entries, false)
    }

    /// As [`Ledger::append_tick`], and behind the entries the signed head of all there are, as an entry: whoever
    /// holds a later head can be shown what the ledger was at this tick. It is written of an empty tick too.
    ///
    /// # Errors
    /// As [`Ledger::append_tick`].
    pub fn append_tick_with_head(&mut self, tick: Tick, entries: &[Entry]) -> Result<(), LedgerError> {
        self.check(tick, entries)?;
        self.commit(tick, entries, true)
    }

    fn check(&self, tick: Tick, entries: &[Entry]) -> Result<(), LedgerError> {
        let newest = self.head.tick;
        if tick < newest {
            return Err(LedgerError::TickBackwards { tick, newest });
        }
        for entry in entries {
            if matches!(entry, Entry::Genesis { .. }) {
                return Err(LedgerError::SecondGenesis);
            }
            if matches!(entry, Entry::Keys { .. }) {
                return Err(LedgerError::LateKeys);
            }
            let may_be_late = matches!(entry, Entry::Reported { .. });
            if let Some(entry_tick) = entry.tick().filter(|t| *t > tick || (*t < tick && !may_be_late)) {
                return Err(LedgerError::WrongTick { entry_tick, tick });
            }
        }
        Ok(())
    }

    fn commit(&mut self, tick: Tick, entries: &[Entry], with_head: bool) -> Result<(), LedgerError> {
        if self.failed {
            return Err(LedgerError::Failed);
        }
        let signed = self.signers.as_mut().map(|keys| keys.sign_all(tick, entries));
        let entries = signed.as_deref().unwrap_or(entries);
        let build = if with_head { TickBatch::with_head } else { TickBatch::new };
        let batch = build(&mut self.edge, tick, entries, &self.key)?;
        let stored = match &self.surviving {
            Some(surviving) => crate::resume::compare(&self.store, surviving, &batch),
            None => self.store.commit(&batch).map_err(LedgerError::from),
        };
        self.failed = stored.is_err();
        stored?;
        self.head = batch.stored_head().head;
        if self.surviving.as_ref().is_some_and(|surviving| surviving.head.size == self.head.size) {
            self.surviving = None;
        }
        Ok(())
    }

    /// The newest head.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Number of entries, genesis included.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.head.size
    }

    /// Never: a ledger has its genesis entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Root of the tree over all entries.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.head.root
    }

    /// Roots of the tree's full subtrees, largest first: all that is needed to go on with its root elsewhere.
    #[must_use]
    pub fn peaks(&self) -> &[Hash] {
        self.edge.frontier().peaks()
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
    /// If the store cannot sync, or holds entries that were there before and have not come again.
    pub fn finish(mut self) -> Result<Head, LedgerError> {
        if let Some(surviving) = &self.surviving {
            let (index, size) = (self.head.size, surviving.head.size);
            return Err(LedgerError::Diverged { index, size });
        }
        self.store.finish()?;
        tracing::debug!(entries = self.len(), tick = %self.head.tick, "ledger finished");
        Ok(self.head)
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
    /// Agents' keys were to be appended behind other entries.
    #[error("keys of agents stand directly behind genesis; enrol the agents before the first tick")]
    LateKeys,
    /// An earlier batch was not stored.
    #[error("an earlier tick was not stored, so nothing can follow it; verify the ledger and resume it")]
    Failed,
    /// What was appended again is not what the store holds.
    #[error(
        "entry {index} of the {size} that are stored does not come again; the scenario, its data or the engine is not \
         that of the interrupted run, so resume with those or start anew"
    )]
    Diverged {
        /// The first entry that differs, or is missing.
        index: u64,
        /// Number of entries stored.
        size: u64,
    },
    /// An entry that was asked for does not exist.
    #[error("there is no entry {index}; the ledger has {size} entries, numbered from 0")]
    OutOfRange {
        /// The entry that was asked for.
        index: u64,
        /// Number of entries.
        size: u64,
    },
    /// A size that was asked for is none that the ledger ever had.
    #[error("the ledger never had {size} entries as part of {of}; give sizes with 0 < M <= N <= its size")]
    NoSuchSize {
        /// The smaller size that was asked for.
        size: u64,
        /// The larger one.
        of: u64,
    },
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
            Self::Mismatch(_) | Self::Decode { .. } | Self::Diverged { .. } => true,
            Self::Store(error) => error.is_damage(),
            _ => false,
        }
    }
}
