//! One tick, from top to bottom, in the order in which data flows.
//!
//! ```text
//! (connect →) observe → detect → report → deliver → vote → decide → commit → adapt → measure
//! ```
//!
//! Each phase is one system over all agents. Systems run one after the other on the calling thread
//! (`SingleThreadedExecutor`, and any two that would run in an unstated order are an error); inside a phase,
//! agents are independent of each other and run in parallel in the run's own pool. Whatever crosses from one agent
//! to another goes through [`crate::mail`] or [`crate::board`], which put it in an order of their own.

use bevy_ecs::schedule::{
    IntoScheduleConfigs, LogLevel, Schedule, ScheduleBuildSettings, ScheduleLabel, SingleThreadedExecutor,
};

use crate::phase::{adapt, commit, connect, decide, deliver, detect, measure, observe, report, vote};

/// The schedule of a tick.
#[derive(ScheduleLabel, Clone, Debug, PartialEq, Eq, Hash)]
struct OneTick;

/// Builds the schedule that [`crate::Simulation::step`] runs once a tick.
pub(crate) fn schedule() -> Schedule {
    let mut schedule = Schedule::new(OneTick);
    schedule.set_executor(SingleThreadedExecutor::new());
    schedule.set_build_settings(ScheduleBuildSettings {
        ambiguity_detection: LogLevel::Error,
        ..Default::default()
    });
    schedule.add_systems(
        (
            // Links and agents that fail, fail for the whole tick.
            connect::connect,
            // Attackers choose what they send; every agent sees its own batch of flows, good and bad.
            observe::attack,
            observe::observe,
            // The agent's detector scores the batch and its threshold flags; its blacklist blocks.
            detect::detect,
            // Flagged flows that belong together become signatures. Liars invent some and withhold others.
            report::report,
            // Reports leave for the other agents, and those that are due now arrive.
            deliver::deliver,
            // Whoever has received a signature judges it by its own data and model, and answers. Liars lie.
            vote::vote,
            // The votes that have arrived are tallied: confirmed, rejected, or undecided at the deadline. Reputation
            // follows from who agreed with the outcome.
            decide::decide,
            // Decisions are put on record for the ledger, and the news of confirmed ones leaves.
            commit::commit,
            // News arrives: confirmed indicators are blacklisted, old ones dropped; probes that got through infect;
            // windows move on and models are refitted when due.
            adapt::adapt,
            // Truth is opened, for the first and only time: confusion, time to detect, fingerprint.
            measure::measure,
        )
            .chain(),
    );
    schedule
}
