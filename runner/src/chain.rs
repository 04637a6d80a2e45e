//! A run's ledger: on disk, or only its size and root.
//!
//! Most campaigns need the root alone. It takes hashing every entry and nothing else: no database, and no signature a
//! tick, of which only the last would be looked at.

use phalanx_core::Tick;
use phalanx_ledger::merkle::{Frontier, leaf_hash};
use phalanx_ledger::{AgentKeys, Entry, Head, Ledger, LedgerError, LedgerKey, SledStore, Tail};
use phalanx_sim::scenario::Scenario;
use phalanx_sim::{Simulation, TickRecord};
use serde::{Deserialize, Serialize};

use crate::entries::Additions;
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

/// Where a chain was when a checkpoint was taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Continued {
    /// Of a ledger on disk.
    Stored {
        /// Its head, as `Head::to_bytes` writes it.
        head: Vec<u8>,
        /// Number of entries.
        size: u64,
        /// Roots of the full subtrees, largest first: a replay needs no more of it.
        peaks: Vec<[u8; 32]>,
    },
    /// What is left of one that is not kept.
    Root {
        /// Number of entries.
        size: u64,
        /// Roots of the full subtrees, largest first.
        peaks: Vec<[u8; 32]>,
    },
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
            self.push(entry);
        }
    }

    fn append_head(&mut self, tick: Tick) {
        let entry = LedgerKey::from_seed(self.seed).head_entry(&self.frontier, tick);
        self.push(&entry);
    }

    fn push(&mut self, entry: &Entry) {
        self.bytes.clear();
        entry.encode(&mut self.bytes);
        self.frontier.push(leaf_hash(&self.bytes));
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

    /// How far it is, to be continued from there. A ledger on disk is made durable first.
    ///
    /// # Errors
    /// If it cannot be made durable.
    pub fn pause(&mut self) -> Result<Continued, RunnerError> {
        Ok(match self {
            Self::Stored(ledger) => {
                ledger.sync()?;
                let (head, peaks) = (ledger.head().to_bytes().to_vec(), ledger.peaks().to_vec());
                Continued::Stored { head, size: ledger.len(), peaks }
            }
            Self::Root(root) => {
                Continued::Root { size: root.frontier.size(), peaks: root.frontier.peaks().to_vec() }
            }
        })
    }

    /// The root alone of whatever chain [`Self::pause`] left; `signing` is the number of agents that sign. None if it is no
    /// root.
    #[must_use]
    pub fn root_continued(
        scenario_digest: [u8; 32],
        seed: u64,
        signing: Option<u32>,
        paused: &Continued,
    ) -> Option<Self> {
        let (Continued::Root { size, peaks } | Continued::Stored { size, peaks, .. }) = paused;
        let frontier = Frontier::from_parts(*size, peaks.clone())?;
        let mut chain = Self::root_only(scenario_digest, seed);
        if let Some(agents) = signing {
            chain.enrol(agents).ok()?;
        }
        if let Self::Root(root) = &mut chain {
            root.frontier = frontier;
        }
        Some(chain)
    }

    /// The ledger on disk that [`Self::pause`] left. What was appended since stays, and is compared with what comes.
    ///
    /// # Errors
    /// If the store does not hold what it held then.
    pub fn stored_continued(store: SledStore, seed: u64, paused: &Continued) -> Result<Self, LedgerError> {
        let Continued::Stored { head, .. } = paused else { return Err(LedgerError::Empty) };
        let head = Head::from_bytes(head).map_err(|_| LedgerError::Empty)?;
        let ledger = Ledger::resume_at(store, LedgerKey::from_seed(seed), &head, Tail::Compare)?;
        Ok(Self::Stored(Box::new(ledger)))
    }

    /// Appends what the tick brought that the simulation just stepped through, and tells the simulation the root.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn advance(
        &mut self,
        scenario: &Scenario,
        simulation: &mut Simulation,
        record: &TickRecord,
    ) -> Result<(), RunnerError> {
        let additions = Additions::of(scenario, simulation, record);
        match self {
            Self::Stored(ledger) => additions.append(record.tick, ledger)?,
            Self::Root(root) => {
                root.append(record.tick, &additions.entries);
                if additions.with_head {
                    root.append_head(record.tick);
                }
            }
        }
        simulation.witness(self.root());
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
