//! What happens to plugins, as far as it goes on record: faults, and the circuit breaker that answers them.

use crate::{AgentId, Tick};

/// What a plugin stands in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PluginSlot {
    /// An agent's detector.
    Detector,
    /// The voting rule.
    Voting,
}

/// How a call to a plugin failed. Numbers are part of ledgers: append, never renumber.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum FaultKind {
    /// It used up the fuel of a call.
    Fuel = 1,
    /// It asked for more memory than it may have.
    Memory = 2,
    /// Its calls went too deep.
    Stack = 3,
    /// It trapped: unreachable code, an access outside its memory, a division by zero.
    Trap = 4,
    /// Its answer breaks the contract: a wrong number of scores, NaN, a state that is too large.
    Answer = 5,
    /// It answered with an error.
    Refused = 6,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PluginHappening {
    /// A call failed.
    Fault(FaultKind),
    /// After several faults in a row the breaker opened: the plugin is not asked until it has cooled down.
    Opened,
    /// It has cooled down: the next call is a trial.
    HalfOpened,
    /// The trial went well: the plugin is in use again.
    Closed,
}

/// One event of one plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PluginEvent {
    /// When.
    pub tick: Tick,
    /// What the plugin stands in for.
    pub slot: PluginSlot,
    /// Whose detector; none for the voting rule.
    pub agent: Option<AgentId>,
    /// What happened.
    pub happening: PluginHappening,
}
