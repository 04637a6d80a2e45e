//! The network by itself: graphs, delays, faults and gossip as plain data, numbers in and numbers out.
//!
//! *It is* who may speak to whom ([`Graph`], [`topology`]), where agents are ([`region`]), what becomes of a message
//! ([`Links`]), who is up ([`Presence`]) and how rumours spread ([`Gossip`], [`Rumour`]). *It is not* the mail: it
//! holds no message and knows no agent's state. [`Fabric`] builds all of it from a scenario.
//!
//! Everything is a function of (seed, subject, tick), so a run that is resumed calls `go_to` and needs no history;
//! only rumours are state. `docs/network.md` says what each option means, with formulas and sources.

mod chain;
mod fabric;
mod gossip;
mod graph;
mod links;
pub mod measure;
mod node_set;
mod presence;
pub mod region;
pub mod topology;

pub use chain::{Chain, States};
pub use fabric::Fabric;
pub use gossip::{Calls, Gossip, Mode, Rumour, Telling, calls};
pub use graph::Graph;
pub use links::{Bursts, Cut, Fate, LinkPlan, Links};
pub use node_set::NodeSet;
pub use presence::{CrashPlan, Presence};
