//! The append-only Merkle ledger of a run, on sled; the only crate that names sled.
//!
//! *It is* what a run leaves behind for others to check: every report, every decision and the fingerprints,
//! as typed [`Entry`] lines with one canonical encoding. Each entry is a leaf of an RFC 6962 tree
//! ([`merkle`]); each tick's entries are stored in one atomic batch together with a [`Head`], the signed
//! statement of size and root. [`Ledger`] appends, [`verify`] reads everything back and names the first thing
//! that is wrong. A [`LedgerStore`] keeps the bytes: [`MemoryStore`] for runs without an output folder,
//! [`SledStore`] for the rest.
//!
//! *It is not* a consensus, a database of the run or a proof against its owner. The signing key is derived
//! from the run's seed, which everybody may know. The promise is: **any change to entries before a head that
//! somebody else holds is detected.** So hand the head of [`Ledger::finish`] to somebody.
//! `docs/ledger-format.md` draws all bytes and says what each durability policy promises.
//!
//! ```
//! use phalanx_core::{AgentId, Decision, Outcome, SignatureId, Tick};
//! use phalanx_ledger::{Entry, Ledger, LedgerKey, MemoryStore, verify};
//!
//! let (seed, scenario_digest) = (42, [7; 32]);
//! let store = MemoryStore::new();
//! let mut ledger = Ledger::create(store, LedgerKey::from_seed(seed), scenario_digest, "0.1.0", seed)?;
//!
//! let decision = Decision {
//!     signature: SignatureId { tick: Tick(2), author: AgentId(5), sequence: 0 },
//!     outcome: Outcome::Confirmed,
//!     tick: Tick(3),
//!     yes: 7,
//!     no: 1,
//!     eligible: 10,
//!     votes_digest: [1; 16],
//! };
//! ledger.append_tick(Tick(3), &[Entry::Decided(decision)])?;
//!
//! let report = verify(ledger.store())?;
//! assert_eq!((report.head.size, report.confirmed, report.seed), (2, 1, 42));
//! let head = ledger.finish()?; // for somebody else to keep
//! assert_eq!(head, report.head);
//! # Ok::<(), phalanx_ledger::LedgerError>(())
//! ```

mod batch;
mod edge;
mod entry;
mod head;
mod ledger;
pub mod merkle;
mod postings;
mod prove;
mod query;
mod resume;
mod seal;
mod statement;
mod store;
mod verify;
mod wire;
mod witness;

pub use batch::{Record, StoredHead, TickBatch};
pub use edge::Edge;
pub use entry::{Ballot, Entry, FaultAnswer, MembershipChange};
pub use head::{Head, LedgerKey};
pub use ledger::{Ledger, LedgerError};
pub use prove::Prover;
pub use query::{Query, entries};
pub use resume::Tail;
pub use seal::{Seal, SealedLedger, import, seal};
pub use statement::AgentKeys;
pub use store::backend;
pub use store::{
    Durability, ENTRY_BYTES_MAX, Joint, LedgerReader, LedgerStore, MemoryStore, PairVisitor, SledStore,
    StoreError, VALUE_BYTES_MAX,
};
pub use verify::{VerifyFailure, VerifyReport, verify, verify_dir, verify_held};
pub use wire::DecodeError;
pub use witness::{Gossip, compare_heads, witness};
