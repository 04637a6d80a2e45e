//! What verification can find, in words that say what to do next.

use phalanx_core::Tick;

use crate::wire::DecodeError;

/// What is wrong with a ledger: the first bad entry where it can be named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyFailure {
    /// There are entries but no head.
    #[error("the head is gone although entry 0 is there; restore the ledger from a copy")]
    NoHead,
    /// Entries are missing in the middle, or are there twice.
    #[error(
        "entry {expected} is not where it was written, entry {found} is; entries were dropped, inserted or \
         moved, restore the ledger from a copy"
    )]
    Gap {
        /// The index that comes next.
        expected: u64,
        /// The index that is there.
        found: u64,
    },
    /// Entries are missing at the end.
    #[error(
        "entry {index} is missing and the head counts {size}; entries were cut off, restore the ledger from \
         a copy"
    )]
    Missing {
        /// The first missing index.
        index: u64,
        /// Number of entries by the head.
        size: u64,
    },
    /// There are entries behind the head.
    #[error(
        "entry {index} lies behind the head, which counts {size}; entries were added or the head is an \
         older one, restore the ledger from a copy"
    )]
    Extra {
        /// The first index too many.
        index: u64,
        /// Number of entries by the head.
        size: u64,
    },
    /// An entry's bytes are not those that were written.
    #[error(
        "entry {index} was changed after it was written; restore the ledger from a copy, or run the \
         scenario again and compare"
    )]
    Altered {
        /// The entry.
        index: u64,
    },
    /// An entry's bytes are no entry.
    #[error("entry {index} is no entry ({reason})")]
    Undecodable {
        /// The entry.
        index: u64,
        /// What is wrong with its bytes.
        reason: DecodeError,
    },
    /// A bundle's framing is broken.
    #[error(
        "entry {index} cannot be read: its bundle is malformed ({problem}); restore the ledger from a copy"
    )]
    Malformed {
        /// The first entry that cannot be read.
        index: u64,
        /// What is wrong.
        problem: &'static str,
    },
    /// The head's framing is broken.
    #[error("the head cannot be read ({problem}); restore the ledger from a copy")]
    MalformedHead {
        /// What is wrong.
        problem: &'static str,
    },
    /// Entry 0 is something else than genesis.
    #[error(
        "entry 0 is not a genesis entry; the ledger's start was cut off or replaced, restore it from a copy"
    )]
    NoGenesis,
    /// There is a second genesis entry.
    #[error("entry {index} is a second genesis entry; two ledgers were joined, restore this one from a copy")]
    SecondGenesis {
        /// The entry.
        index: u64,
    },
    /// An entry's tick lies before that of one before it, or after the head's.
    #[error(
        "entry {index} is of tick {tick}, which cannot stand between ticks {earliest} and {latest}; entries \
         were moved, restore the ledger from a copy"
    )]
    TickOrder {
        /// The entry.
        index: u64,
        /// Its tick.
        tick: Tick,
        /// The newest tick before it.
        earliest: Tick,
        /// The head's tick.
        latest: Tick,
    },
    /// The head is not signed by the key that genesis names.
    #[error(
        "the head is not signed by the key that genesis names; the head was replaced, restore the ledger \
         from a copy"
    )]
    Signature,
    /// The entries do not hash to the head's root.
    #[error(
        "the entries do not hash to the root of the signed head; entries before {size} were changed \
         together with their checks, restore the ledger from a copy"
    )]
    Root {
        /// Number of entries that the root covers.
        size: u64,
    },
    /// The ledger ends before a head that was noted or held: it lost its end, or was set back to an older
    /// state.
    #[error(
        "the ledger ends at entry {size}, but a head of {held} entries was signed; its end was lost or cut \
         off, restore the ledger from a copy"
    )]
    RolledBack {
        /// Number of entries there are.
        size: u64,
        /// Number of entries by the other head.
        held: u64,
    },
    /// The entries are not those that a noted or held head was signed for.
    #[error(
        "the first {held} entries are not those of the head that was kept; the ledger was rewritten, trust \
         the copy that has that head"
    )]
    Rewritten {
        /// Number of entries by the other head.
        held: u64,
    },
    /// A noted or held head is not signed by the key that genesis names.
    #[error(
        "the kept head of {held} entries is not signed by the key that genesis names; it is damaged or of \
         another ledger"
    )]
    HeldSignature {
        /// Number of entries by the other head.
        held: u64,
    },
    /// The stored frontier is not that of the entries.
    #[error(
        "the stored frontier does not belong to the head; nothing may be appended, restore the ledger from \
         a copy"
    )]
    Frontier,
    /// A tile or postings are not those of the entries.
    #[error(
        "the hash tiles or postings that belong to the entries up to {index} are not what the entries say; the \
         entries themselves are whole: export them and import them into a new ledger"
    )]
    Derived {
        /// The entry that completed them, or the number of entries if there are tiles or postings too many.
        index: u64,
    },
    /// A report or a ballot is not signed although agents' keys stand in the ledger.
    #[error(
        "entry {index} is not signed by agent {agent} although agents sign in this ledger; it was forged"
    )]
    Unsigned {
        /// The entry.
        index: u64,
        /// Who should have signed.
        agent: phalanx_core::AgentId,
    },
    /// A signature of an agent does not hold.
    #[error("entry {index} holds a signature that is not by the agent that it names; it was forged")]
    Statement {
        /// The entry.
        index: u64,
    },
    /// A head that stands in the ledger is not that of the entries before it, or not signed by whom it names.
    #[error(
        "entry {index} holds a head that was not signed for the {index} entries before it; it was forged"
    )]
    HeadEntry {
        /// The entry.
        index: u64,
    },
    /// Keys of agents stand elsewhere than at the start, or are not of consecutive agents.
    #[error("entry {index} holds keys of agents, which belong directly behind genesis; it was forged")]
    Keys {
        /// The entry.
        index: u64,
    },
}

impl VerifyFailure {
    /// The first entry that is wrong, where the finding names one.
    #[must_use]
    pub fn index(&self) -> Option<u64> {
        match self {
            Self::Gap { expected: index, .. }
            | Self::Missing { index, .. }
            | Self::Extra { index, .. }
            | Self::Altered { index }
            | Self::Undecodable { index, .. }
            | Self::Malformed { index, .. }
            | Self::SecondGenesis { index }
            | Self::TickOrder { index, .. }
            | Self::Unsigned { index, .. }
            | Self::Statement { index }
            | Self::HeadEntry { index }
            | Self::Keys { index } => Some(*index),
            Self::NoGenesis => Some(0),
            Self::RolledBack { size, .. } => Some(*size),
            Self::NoHead
            | Self::MalformedHead { .. }
            | Self::Signature
            | Self::Root { .. }
            | Self::Rewritten { .. }
            | Self::HeldSignature { .. }
            | Self::Frontier
            | Self::Derived { .. } => None,
        }
    }
}
