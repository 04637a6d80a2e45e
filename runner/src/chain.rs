//! A run's ledger: on disk, or only its size and root.
//!
//! Most campaigns need the root alone. It takes hashing every entry and nothing else: no database, and no signature a
//! tick, of which only the last would be looked at.

use phalanx_core::Tick;
use phalanx_ledger::merkle::{Frontier, leaf_hash};
use phalanx_ledger::{AgentKeys, Entry, Ledger, LedgerKey, SledStore};

use crate::error::RunnerError;
use crate::record::{LedgerRecord, hex};

/// Where a run's entries go.
#[derive(Debug)]
pub enum Chain {
    /// Into a ledger on disk.
    Stored(Box<Ledger<SledStore>>),
    /// Into the root of a tree that is not kept.
    Root(Box<Root>),
}

/// What is left of a ledger that is not kept.
#[derive(Debug)]
pub struct Root {
    seed: u64,
    frontier: Frontier,
    /// Where entries are encoded.
    bytes: Vec<u8>,
    /// Keys of the agents, if they sign.
    signers: Option<AgentKeys>,
}

impl Root {
    fn append(&mut self, tick: Tick, entries: &[Entry]) {
        let signed = self.signers.as_mut().map(|keys| keys.sign_all(tick, entries));
        for entry in signed.as_deref().unwrap_or(entries) {
            self.bytes.clear();
            entry.encode(&mut self.bytes);
            self.frontier.push(leaf_hash(&self.bytes));
        }
    }
}

impl Chain {
    /// A chain that keeps its root only, with the genesis entry that the ledger on disk would begin with.
    #[must_use]
    pub fn root_only(scenario_digest: [u8; 32], seed: u64) -> Self {
        let mut root = Root { seed, frontier: Frontier::new(), bytes: Vec::new(), signers: None };
        let genesis = Entry::Genesis {
            scenario_digest,
            engine_version: env!("CARGO_PKG_VERSION").to_owned(),
            seed,
            verifying_key: LedgerKey::from_seed(seed).verifying_key(),
        };
        root.append(Tick(0), &[genesis]);
        Self::Root(Box::new(root))
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

    /// Lets agents `0..agents` sign from now on; to be called before the first tick.
    ///
    /// # Errors
    /// If their keys cannot be written.
    pub fn enrol(&mut self, agents: u32) -> Result<(), RunnerError> {
        match self {
            Self::Stored(ledger) => ledger.enrol(agents)?,
            Self::Root(root) => {
                // Genesis is the only entry, so its hash is the root.
                let mut signers = AgentKeys::new(root.seed, root.frontier.root());
                root.append(Tick(0), &signers.entries(agents));
                root.signers = Some(signers);
            }
        }
        Ok(())
    }

    /// Appends what a tick brought.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn append(&mut self, tick: Tick, entries: &[Entry]) -> Result<(), RunnerError> {
        match self {
            Self::Stored(ledger) => ledger.append_tick(tick, entries)?,
            Self::Root(root) => root.append(tick, entries),
        }
        Ok(())
    }

    /// Root of all entries so far.
    #[must_use]
    pub fn root(&self) -> [u8; 32] {
        match self {
            Self::Stored(ledger) => ledger.head().root,
            Self::Root(root) => root.frontier.root(),
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
            Self::Root(root) => (root.frontier.size(), root.frontier.root()),
        };
        Ok(LedgerRecord { entries: Some(entries), root: Some(hex(&root)) })
    }
}
