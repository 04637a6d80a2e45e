//! The vocabulary of Phalanx: what every other crate of the engine speaks.
//!
//! *It is* the newtypes ([`Tick`], [`AgentId`]), the shape of traffic ([`Schema`], [`FlowBatch`]), what agents
//! say to each other ([`Signature`], [`Indicator`], [`Vote`], [`Decision`]), the counter-based random streams
//! ([`Streams`]) with their samplers, and the digests that make two runs comparable ([`Fingerprint`]).
//! *It is not* a simulation, a detector or a rule: nothing here decides anything, and nothing here does IO.
//!
//! ```
//! use phalanx_core::{Purpose, Streams, Tick};
//!
//! // One stream per (purpose, agent), positioned by the tick: the draws of agent 7 at tick 3
//! // do not depend on how many other agents, purposes or threads there are.
//! let streams = Streams::from_seed(42);
//! let mut a = streams.stream(Purpose::Traffic, 7, Tick(3));
//! let mut b = streams.stream(Purpose::Traffic, 7, Tick(3));
//! assert_eq!(a.normal().to_bits(), b.normal().to_bits());
//! ```

mod alias;
mod batch;
pub mod calendar;
mod digest;
mod elementary;
mod id;
pub mod maths;
mod plugin;
mod sample;
mod schema;
mod signature;
mod stream;
mod vote;

pub use alias::AliasTable;
pub use batch::{Direction, FlowBatch, FlowKey, Protocol, Truth};
pub use digest::{AgentMix, Fingerprint, TickDigest, digest128};
pub use id::{AgentId, Tick};
pub use plugin::{FaultKind, PluginEvent, PluginHappening, PluginSlot};
pub use sample::Zipf;
pub use schema::{Feature, Schema, Unit};
pub use signature::{Indicator, Prefix, Signature, SignatureId};
pub use stream::{Purpose, Stream, Streams};
pub use vote::{Decision, Outcome, Share16, Vote};
