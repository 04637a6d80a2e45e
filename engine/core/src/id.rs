//! Newtypes for the two integers that everything is keyed by: the logical time and the agent.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Logical time: the number of a simulation step, counted from 0. The engine has no other clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tick(pub u64);

impl Tick {
    /// The tick `ticks` later.
    #[must_use]
    pub fn after(self, ticks: u64) -> Self {
        Self(self.0 + ticks)
    }

    /// Ticks passed since `earlier`; 0 if `earlier` lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// An agent's number, `0..agents`. It never changes during a run and orders everything that has to be ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AgentId(pub u32);

impl AgentId {
    /// The id as an index into a table with one row per agent.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
