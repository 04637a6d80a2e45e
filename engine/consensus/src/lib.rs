//! Collective decisions: plain data in, decision out.
//!
//! *It is* the voting rules and protocols behind one trait ([`VotingRule`], registry [`Rule`]), the trust that
//! weighs voters, and the closed forms that both have to reproduce.
//! *It is not* a network or an agent: who is asked, what they answer and when it arrives is the caller's business,
//! which enters through a [`Poll`] and, for protocols of several rounds, an [`Exchange`].
//!
//! ```
//! use phalanx_consensus::{Ballot, Memory, Poll, Rule, Silence, Standing, Verdict, VotingRule};
//!
//! // Five eligible voters, simple majority: three yes decide, whatever the other two say.
//! let ballots: Vec<Ballot> = [true, false, true, true].iter().zip(0..).map(|(yes, id)| Ballot::plain(id, *yes)).collect();
//! let standings = [Standing::default(); 4];
//! let memory = Memory::default();
//! let poll = |cast: usize| Poll {
//!     eligible: 5,
//!     eligible_trust: 2.5,
//!     quorum: 0.5,
//!     ballots: &ballots[..cast],
//!     standings: &standings[..cast],
//!     prior: 0.5,
//!     expired: false,
//!     author: 5,
//!     attempt: 0,
//!     memory: &memory,
//! };
//! assert_eq!(Rule::Majority.decide(&poll(3), &mut Silence), Verdict::Open);
//! assert_eq!(Rule::Majority.decide(&poll(4), &mut Silence), Verdict::Confirm);
//! ```

mod committee;
mod exchange;
pub mod fusion;
mod hosted;
mod memory;
mod poll;
mod protocol;
mod quorum;
mod reputation;
mod rules;
mod setting;
pub mod theory;
pub mod trials;
mod trust;

pub use committee::Lottery;
pub use exchange::{Exchange, Letter, Said, Silence};
pub use hosted::HostedRule;
pub use memory::{Estimate, Memory, PastPoll};
pub use poll::{Ballot, Poll, Standing};
pub use quorum::{Quorum, Tally, Verdict};
pub use reputation::BetaReputation;
pub use rules::*;
pub use setting::BadSetting;
pub use trust::*;
