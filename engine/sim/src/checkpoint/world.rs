//! The parts of a world, in the order in which a checkpoint holds them.

use bevy_ecs::world::World;
use phalanx_core::AgentId;

use super::{Malformed, Reader, Saved, State, Writer};
use crate::agent::{
    Batch, Blacklist, Detector, Encounters, Host, Identity, Inbox, Infection, Model, Outbox, Region,
};
use crate::board::Board;
use crate::evidence::Evidence;
use crate::known::Known;
use crate::mail::Mail;
use crate::plan::{Now, Plan};
use crate::population::Owners;
use crate::standing::Standings;
use crate::tally::Tally;
use crate::traffic::Siege;

/// All components of an agent. Who it is and where never changes, and an outbox is empty between ticks.
type Agent<'w> = (
    (&'w Identity, &'w Host, &'w Region, &'w Outbox),
    (&'w mut Detector, &'w mut Model, &'w mut Batch, &'w mut Evidence, &'w mut Inbox),
    (&'w mut Blacklist, &'w mut Infection, &'w mut Encounters),
);

/// Resources that ticks change, in the order in which they are saved. Not among them: `Plan` (but for its voting rule,
/// if that is a plugin), `Source`, `Populations`, `Owners` and `Commons`, which never change; `Overlay`, which follows
/// from the tick; `Tracing` and `PlantedBug`, which are no part of a run.
macro_rules! resources {
    ($world:ident, |$resource:ident| $with:expr) => {{
        resources!(@each $world, $resource, $with; Tally, Mail, Board, Known, Standings, Siege);
    }};
    (@each $world:ident, $resource:ident, $with:expr; $($type:ty),+) => {
        $({
            let $resource = &mut *$world.resource_mut::<$type>();
            $with
        })+
    };
}

/// Appends everything that ticks have changed.
pub(crate) fn save(world: &mut World, out: &mut Writer) {
    world.resource::<Now>().0.save(out);
    resources!(world, |resource| State::save_state(resource, out));
    world.resource::<Plan>().plugins.rule.as_ref().map(|rule| rule.save()).save(out);
    let mut query = world.query::<Agent<'_>>();
    world.resource_scope(|world, owners: bevy_ecs::change_detection::Mut<'_, Owners>| {
        let mut agents: Vec<_> = query.iter_mut(world).collect();
        agents.sort_by_key(|agent| agent.0.0.0);
        out.plain(&(agents.len() as u64));
        for ((identity, _, _, outbox), (detector, model, batch, evidence, inbox), (list, worm, met)) in
            &agents
        {
            assert!(outbox.reports.is_empty() && outbox.votes.is_empty(), "a tick posts what it has to say");
            if owners.of(identity.0) == identity.0 {
                detector.save_state(out);
            }
            model.save_state(out);
            batch.save_state(out);
            evidence.save_state(out);
            inbox.save_state(out);
            list.save_state(out);
            worm.save_state(out);
            met.save_state(out);
        }
    });
}

/// Takes over what [`save`] appended.
pub(crate) fn restore(world: &mut World, input: &mut Reader<'_>) -> Result<(), Malformed> {
    world.resource_mut::<Now>().0 = Saved::load(input)?;
    resources!(world, |resource| State::restore_state(resource, input)?);
    let rule: Option<Vec<u8>> = Saved::load(input)?;
    match (&world.resource::<Plan>().plugins.rule, rule) {
        (None, None) => {}
        (Some(rule), Some(bytes)) if rule.restore(&bytes) => {}
        _ => return Err(Malformed("the state of the voting rule's plugin")),
    }
    let mut query = world.query::<Agent<'_>>();
    world.resource_scope(|world, owners: bevy_ecs::change_detection::Mut<'_, Owners>| {
        let mut agents: Vec<_> = query.iter_mut(world).collect();
        agents.sort_by_key(|agent| agent.0.0.0);
        if input.plain::<u64>()? != agents.len() as u64 {
            return Err(Malformed("the number of agents"));
        }
        let is_owner = |agent: AgentId| owners.of(agent) == agent;
        for ((identity, ..), (detector, model, batch, evidence, inbox), (list, worm, met)) in &mut agents {
            if is_owner(identity.0) {
                detector.restore_state(input)?;
            }
            model.restore_state(input)?;
            batch.restore_state(input)?;
            evidence.restore_state(input)?;
            inbox.restore_state(input)?;
            list.restore_state(input)?;
            worm.restore_state(input)?;
            met.restore_state(input)?;
        }
        for index in 0..agents.len() {
            let agent = agents[index].0.0.0;
            if !is_owner(agent) {
                *agents[index].1.0 = agents[owners.of(agent).index()].1.0.share();
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use crate::scenario::Scenario;
    use crate::{Simulation, TrafficInput};

    /// A component or resource that is added has to be saved, or to be named as one that need not be. Bevy's own are
    /// among those that are counted.
    #[test]
    fn nothing_is_forgotten() {
        let mut simulation = Simulation::new(&Scenario::default(), TrafficInput::Generated, 1).unwrap();
        simulation.step();
        let count = simulation.world.components().len();
        assert_eq!(
            count, 37,
            "look through `Agent` and `resources!` and add what is new, then correct the number"
        );
    }
}
