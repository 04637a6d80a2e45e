//! The simulated world: a scenario becomes agents, agents go through the phases of a tick, a tick gives a record.
//!
//! *It is* the bevy world of agents ([`Simulation`]), the scenario's words ([`scenario`]), traffic, network and
//! adversaries. *It is not* a program: it does no IO and never sees a clock, a database or a plugin's runtime. The
//! caller hands it traffic and receives one [`TickRecord`] a tick.
//!
//! Reading order: `tick.rs` tells a tick from top to bottom; `phase/` has one file a phase; `agent.rs` says what an
//! agent is made of.
//!
//! ```
//! use phalanx_sim::scenario::{Positive, Scenario};
//! use phalanx_sim::{Simulation, TrafficInput};
//!
//! let scenario = Scenario { agents: Positive::new(5), ticks: Positive::new(3), ..Scenario::default() };
//! let run = |threads| {
//!     let mut simulation = Simulation::new(&scenario, TrafficInput::Generated, threads).unwrap();
//!     (0..3).map(|_| simulation.step().fingerprint).collect::<Vec<_>>()
//! };
//! assert_eq!(run(1), run(4), "the number of threads changes nothing");
//! ```

mod adversary;
pub mod ageing;
mod agent;
mod blacklist;
mod board;
mod checkpoint;
mod curves;
mod distribution;
mod evidence;
mod footprint;
mod known;
mod learn;
mod mail;
pub mod network;
mod opinion;
mod overlay;
mod packed;
mod phase;
mod plan;
mod pool;
mod population;
mod protocol;
pub mod record;
mod rumours;
pub mod scenario;
mod scorer;
mod simulation;
mod spare;
mod stages;
mod standing;
pub mod summary;
mod tally;
mod tick;
mod trace;
mod traffic;
mod warning;
mod window;

use phalanx_core::{FlowBatch, Schema};

pub use checkpoint::CheckpointError;
pub use curves::Curves;
pub use footprint::Footprint;
pub use plan::Plugins;
pub use pool::Pool;
pub use record::{TickCounts, TickRecord, TrustChange};
pub use simulation::Simulation;
pub use trace::{PhaseTrace, TRACED_FIELDS};
pub use traffic::TrafficGenerator;

/// Traffic that the caller brings, because the engine does no IO.
#[derive(Debug)]
pub enum TrafficInput {
    /// None: the scenario's traffic is generated.
    Generated,
    /// Records read from a capture.
    Replay(Replay),
}

/// Records of a capture, divided over the agents.
#[derive(Debug)]
pub struct Replay {
    /// Columns of all batches.
    pub schema: Schema,
    /// Names of the labels that truths refer to.
    pub labels: Vec<String>,
    /// Benign training flows, one batch an agent.
    pub train: Vec<FlowBatch>,
    /// Flows to replay, one batch an agent.
    pub shards: Vec<FlowBatch>,
    /// Starts of the flows to replay in microseconds, ascending, one list an agent: they are then replayed by time,
    /// and early warnings are counted. Empty to spread every agent's flows evenly over the ticks.
    pub starts_us: Vec<Vec<i64>>,
    /// Names of the agents, such as those of their sensors' logs; may be empty.
    pub names: Vec<String>,
}

/// Why a simulation cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// Two values of the scenario contradict each other.
    #[error("{}: {}", .0.path, .0.message)]
    Contradiction(#[from] scenario::Contradiction),
    /// The caller's traffic does not fit the scenario.
    #[error("{0}")]
    Traffic(String),
    /// The scenario names a plugin that the caller did not bring, or the other way round.
    #[error("{0}")]
    Plugin(String),
    /// The run's thread pool could not be started.
    #[error("cannot start the run's threads: {0}; give --threads 1")]
    Threads(String),
}
