//! Agents' state after every phase, field by field, for finding out where two runs part.
//!
//! Nothing of this is in the schedule of an ordinary run.

use bevy_ecs::resource::Resource;
use bevy_ecs::schedule::{IntoScheduleConfigs, Schedule};
use bevy_ecs::system::{Query, Res};
use bevy_ecs::world::World;
use phalanx_core::{AgentId, AgentMix, Tick, digest128};

use crate::agent::{Batch, Blacklist, Detector, Encounters, Identity, Inbox, Infection, Model, Outbox};
use crate::evidence::Evidence;
use crate::phase::{adapt, commit, connect, decide, deliver, detect, measure, observe, report, vote};
use crate::plan::Now;
use crate::standing::Standings;

/// Names of the traced fields.
pub const TRACED_FIELDS: [&str; 17] = [
    "batch.flows",
    "batch.scores",
    "batch.flagged",
    "batch.blocked",
    "detector",
    "threshold",
    "model.window",
    "model.drift",
    "evidence",
    "outbox.reports",
    "outbox.votes",
    "inbox.reports",
    "inbox.confirmed",
    "blacklist",
    "trust",
    "infection",
    "encounters",
];

/// The state of all agents after a phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhaseTrace {
    /// Which phase.
    pub phase: &'static str,
    /// A digest of each of [`TRACED_FIELDS`], by agent.
    pub agents: Vec<[u64; TRACED_FIELDS.len()]>,
}

/// Traces of the tick that is running.
#[derive(Resource, Debug, Default)]
pub(crate) struct Tracing(pub(crate) Vec<PhaseTrace>);

/// A planted bug, for the test of who looks for bugs: one flag of one agent is wrong in one tick.
#[derive(Resource, Clone, Copy, Debug)]
pub(crate) struct PlantedBug {
    pub(crate) tick: Tick,
    pub(crate) agent: AgentId,
}

/// Adds a look at all agents behind every phase.
pub(crate) fn watch(schedule: &mut Schedule) {
    behind_phases(schedule, |phase| {
        move |world: &mut World| {
            if phase == "detect" {
                world.run_system_cached(misbehave).expect("the system needs nothing that may be missing");
            }
            let agents = look(world);
            world.resource_mut::<Tracing>().0.push(PhaseTrace { phase, agents });
        }
    });
}

/// Whoever wants to know when a phase has ended, by its name.
pub(crate) type PhaseHook = Box<dyn FnMut(&'static str) + Send + Sync>;

#[derive(Resource)]
pub(crate) struct Hook(pub(crate) PhaseHook);

/// Calls the world's [`Hook`] behind every phase.
pub(crate) fn call(schedule: &mut Schedule) {
    behind_phases(schedule, |phase| move |world: &mut World| (world.resource_mut::<Hook>().0)(phase));
}

fn behind_phases<F>(schedule: &mut Schedule, system: impl Fn(&'static str) -> F)
where
    F: FnMut(&mut World) + Send + Sync + 'static,
{
    schedule.add_systems((
        system("connect").after(connect::connect).before(observe::attack),
        system("observe").after(observe::observe).before(detect::detect),
        system("detect").after(detect::detect).before(report::report),
        system("report").after(report::report).before(deliver::deliver),
        system("deliver").after(deliver::deliver).before(vote::vote),
        system("vote").after(vote::vote).before(decide::decide),
        system("decide").after(decide::decide).before(commit::commit),
        system("commit").after(commit::commit).before(adapt::adapt),
        system("adapt").after(adapt::adapt).before(measure::measure),
        system("measure").after(measure::measure),
    ));
}

fn look(world: &mut World) -> Vec<[u64; TRACED_FIELDS.len()]> {
    let mut query = world.query::<(
        &Identity,
        &Batch,
        &Detector,
        &Model,
        &Evidence,
        &Outbox,
        &Inbox,
        &Blacklist,
        &Infection,
        &Encounters,
    )>();
    let standings = world.resource::<Standings>();
    let mut rows: Vec<(AgentId, [u64; TRACED_FIELDS.len()])> = query
        .iter(world)
        .map(
            |(
                identity,
                batch,
                detector,
                model,
                evidence,
                outbox,
                inbox,
                blacklist,
                infection,
                encounters,
            )| {
                let mut listed = AgentMix::new(0);
                blacklist.mix(&mut listed);
                let fields = [
                    text(&batch.flows),
                    text(&batch.scores),
                    text(&batch.flagged),
                    text(&batch.blocked),
                    detector.scorer.detector().digest(),
                    detector.threshold.cut().to_bits(),
                    text(&model.window),
                    model.drift.as_ref().map_or(0, |drift| drift.digest()) ^ u64::from(model.relearn),
                    text(evidence),
                    text(&outbox.reports),
                    text(&outbox.votes),
                    text(&inbox.reports),
                    text(&inbox.confirmed),
                    listed.finish() as u64,
                    standings.trust(identity.0).to_bits(),
                    text(&infection.0),
                    text(&encounters.0),
                ];
                (identity.0, fields)
            },
        )
        .collect();
    rows.sort_by_key(|(agent, _)| *agent);
    rows.into_iter().map(|(_, fields)| fields).collect()
}

/// A digest of everything that a value shows. Slow, and complete without another list of fields to keep.
fn text(value: &impl std::fmt::Debug) -> u64 {
    let digest = digest128(format!("{value:?}").as_bytes());
    let (head, _) = digest.split_first_chunk().expect("a digest has 16 bytes");
    u64::from_le_bytes(*head)
}

#[expect(clippy::needless_pass_by_value, reason = "bevy hands systems their parameters by value")]
fn misbehave(bug: Option<Res<PlantedBug>>, now: Res<Now>, mut agents: Query<(&Identity, &mut Batch)>) {
    let Some(bug) = bug.filter(|bug| bug.tick == now.0) else { return };
    for (identity, mut batch) in &mut agents {
        if identity.0 == bug.agent
            && let Some(flag) = batch.flagged.first_mut()
        {
            *flag = !*flag;
        }
    }
}
