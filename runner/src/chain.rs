//! A run's ledger: on disk, or only its size and root.
//!
//! Most campaigns need the root alone. It takes hashing every entry and nothing else: no database, and no signature a
//! tick, of which only the last would be looked at.

use phalanx_core::Tick;
use phalanx_ledger::merkle::{Frontier, leaf_hash};
use phalanx_ledger::{Entry, Ledger, LedgerKey, SledStore};

use crate::error::RunnerError;
use crate::record::{LedgerRecord, hex};

/// Where a run's entries go.
#[derive(Debug)]
pub enum Chain {
    /// Into a ledger on disk.
    Stored(Box<Ledger<SledStore>>),
    /// Into the root of a tree that is not kept.
    Root(Frontier, Vec<u8>),
}

impl Chain {
    /// A chain that keeps its root only, with the genesis entry that the ledger on disk would begin with.
    #[must_use]
    pub fn root_only(scenario_digest: [u8; 32], seed: u64) -> Self {
        let mut chain = Self::Root(Frontier::new(), Vec::new());
        let genesis = Entry::Genesis {
            scenario_digest,
            engine_version: env!("CARGO_PKG_VERSION").to_owned(),
            seed,
            verifying_key: LedgerKey::from_seed(seed).verifying_key(),
        };
        chain.append(Tick(0), &[genesis]).expect("hashing does not fail");
        chain
    }

    /// A new ledger in `store`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn stored(store: SledStore, scenario_digest: [u8; 32], seed: u64) -> Result<Self, RunnerError> {
        let key = LedgerKey::from_seed(seed);
        let ledger = Ledger::create(store, key, scenario_digest, env!("CARGO_PKG_VERSION"), seed)?;
        Ok(Self::Stored(Box::new(ledger)))
    }

    /// Appends what a tick brought.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn append(&mut self, tick: Tick, entries: &[Entry]) -> Result<(), RunnerError> {
        match self {
            Self::Stored(ledger) => ledger.append_tick(tick, entries)?,
            Self::Root(frontier, bytes) => {
                for entry in entries {
                    bytes.clear();
                    entry.encode(bytes);
                    frontier.push(leaf_hash(bytes));
                }
            }
        }
        Ok(())
    }

    /// Root of all entries so far.
    #[must_use]
    pub fn root(&self) -> [u8; 32] {
        match self {
            Self::Stored(ledger) => ledger.head().root,
            Self::Root(frontier, _) => frontier.root(),
        }
    }

    /// Ends it.
    ///
    /// # Errors
    /// If the last entries cannot be made durable.
    pub fn finish(self) -> Result<LedgerRecord, RunnerError> {
        let (entries, root) = match self {
            Self::Stored(ledger) => {
                let head = ledger.finish()?;
                (head.size, head.root)
            }
            Self::Root(frontier, _) => (frontier.size(), frontier.root()),
        };
        Ok(LedgerRecord { entries: Some(entries), root: Some(hex(&root)) })
    }
}
