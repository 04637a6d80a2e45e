//! Collective decisions: plain data in, decision out.
//!
//! *It is* the tally of weighted votes under a [`Quorum`] and the [`BetaReputation`] that weighs voters.
//! *It is not* a network or an agent: who is asked, what they answer and when it arrives is the caller's business.
//!
//! ```
//! use phalanx_consensus::{Quorum, Tally, Verdict};
//!
//! // Five eligible voters, simple majority: three yes decide, whatever the other two say.
//! let majority = Quorum::new(0.5);
//! let mut tally = Tally::new(5.0);
//! for vote in [true, false, true] {
//!     tally.add(vote, 1.0);
//! }
//! assert_eq!(majority.verdict(&tally), Verdict::Open);
//! tally.add(true, 1.0);
//! assert_eq!(majority.verdict(&tally), Verdict::Confirm);
//! ```

mod quorum;
mod reputation;

pub use quorum::{Quorum, Tally, Verdict};
pub use reputation::BetaReputation;
