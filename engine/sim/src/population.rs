//! Who takes part: roles, regions and liars are drawn, first models fitted, entities spawned.

use std::collections::BTreeMap;

use bevy_ecs::resource::Resource;
use bevy_ecs::world::World;
use phalanx_core::{AgentId, FlowBatch, FlowKey, Purpose, Tick};
use phalanx_detect::DetectError;
use rayon::prelude::*;

use crate::SimError;
use crate::adversary::{Behaviour, Member, Populations};
use crate::agent::{
    Batch, Blacklist, Detector, Encounters, Host, Identity, Inbox, Infection, Model, Outbox, PathSums, Region,
};
use crate::evidence::Evidence;
use crate::learn::{self, Commons, Lesson};
use crate::network::Graph;
use crate::plan::Plan;
use crate::scenario::{Adversary, AdversaryKind, Contradiction, Owner, Placement, Threshold, Traffic};
use crate::spare::Spare;
use crate::standing::Standings;
use crate::traffic::{Address, Role, Site, Source};
use crate::window::Window;

/// Spawns all agents in the order of their ids. Models are fitted in parallel; each from its own stream.
pub(crate) fn spawn(world: &mut World, plan: &Plan, source: &Source, graph: &Graph) -> Result<(), SimError> {
    let sites = draw_sites(plan, source);
    let behaviours = draw_behaviours(plan, &sites, graph);
    let owners = Owners::new(plan, &sites);
    let windows = sites
        .par_iter()
        .map(|site| warm_up(plan, source, *site, owners.is_shared()))
        .collect::<Result<Vec<_>, _>>()?;
    let commons = draw_commons(plan, &windows);
    let count = plan.scenario.model.warm_up_flows.get() as usize;
    let spare = Spare::<learn::Scratch>::default();
    let mut detectors: Vec<Option<Result<Detector, DetectError>>> = sites
        .par_iter()
        .zip(&windows)
        .map_init(
            || spare.lend(),
            |scratch, (site, window)| {
                let owner = owners.of(site.agent) == site.agent;
                owner.then(|| {
                    let pool = owners.pool(site.agent).map(|pool| {
                        let flows: Vec<FlowBatch> = pool
                            .iter()
                            .map(|member| source.warm_up(sites[member.index()], count, false, &plan.streams))
                            .collect();
                        pooled(
                            plan.width,
                            flows.iter().map(|batch| (batch.features(), batch.keys().iter().copied())),
                        )
                    });
                    let window = pool.as_ref().unwrap_or(window);
                    Lesson { plan, commons: &commons, agent: site.agent, since: Tick(0), window }.fit(scratch)
                })
            },
        )
        .collect();
    for agent in sites.iter().map(|site| site.agent) {
        let owner = owners.of(agent);
        if owner != agent {
            let Some(Ok(shared)) = &detectors[owner.index()] else { continue };
            detectors[agent.index()] = Some(Ok(shared.share()));
        }
    }
    world.insert_resource(commons);
    world.insert_resource(owners);
    let victims = |adversary: &Adversary| draw_victims(plan, &behaviours, adversary);
    let populations =
        Populations::new(plan.scenario.seed, &plan.scenario.adversaries, behaviours.clone(), victims);
    let standings = Standings::new(&plan.scenario.trust, &populations, plan.agents)
        .map_err(|bad| Contradiction { path: format!("trust.{}", bad.field), message: bad.problem })?;
    world.insert_resource(populations);
    world.insert_resource(standings);
    for (index, (detector, window)) in detectors.into_iter().zip(windows).enumerate() {
        let Site { host, region, .. } = sites[index];
        let detector = detector.expect("owners come before those who share with them").map_err(|e| {
            SimError::Traffic(format!("agent {index} cannot learn from its training flows: {e}"))
        })?;
        let model =
            Model { window, sums: PathSums::default(), drift: learn::drift(&plan.scenario), relearn: 0 };
        world.spawn((
            (Identity(AgentId(index as u32)), host, region),
            (detector, model, Batch { flows: FlowBatch::new(plan.width), ..Batch::default() }),
            (Evidence::default(), Outbox::default(), Inbox::default(), Blacklist::default()),
            (Infection::default(), Encounters::default()),
        ));
    }
    Ok(())
}

/// Where every agent watches, in the order of agents.
pub(crate) fn draw_sites(plan: &Plan, source: &Source) -> Vec<Site> {
    (0..plan.agents)
        .map(|agent| {
            let (host, region) = draw_home(plan, source, agent);
            Site { agent: AgentId(agent), host, region }
        })
        .collect()
}

fn draw_home(plan: &Plan, source: &Source, agent: u32) -> (Host, Region) {
    let (Traffic::Synthetic(synthetic), Source::Synthetic(hosts)) = (&plan.scenario.traffic, source) else {
        return (Host { role: Role::Workstation, address: 0 }, Region(0));
    };
    let regions = synthetic.regions.get();
    let region = (agent % regions) as u16;
    let role = hosts.draw_role(&mut plan.streams.stream(Purpose::Placement, agent, Tick(0)));
    (Host { role, address: Address::host(region, regions, agent / regions) }, Region(region))
}

/// Populations are disjoint and exact: a fraction of 0.2 of 25 agents is 5 liars, whatever the seed.
fn draw_behaviours(plan: &Plan, sites: &[Site], graph: &Graph) -> Vec<Behaviour> {
    let mut order: Vec<u32> = (0..plan.agents).collect();
    plan.streams.stream(Purpose::Placement, LIARS, Tick(0)).shuffle(&mut order);
    let mut behaviours = vec![Behaviour::default(); plan.agents as usize];
    let adversaries = &plan.scenario.adversaries;
    // Populations that ask for particular agents take theirs before the random ones, so that they cannot collide.
    let (random, particular): (Vec<_>, Vec<_>) =
        (0..adversaries.len()).partition(|i| adversaries[*i].placement == Placement::Random);
    let mut lowest = 0..plan.agents;
    let mut shuffled = order.iter().copied();
    for index in particular.into_iter().chain(random) {
        let adversary = &adversaries[index];
        let count = (adversary.fraction.get() * f64::from(plan.agents)).round() as usize;
        let mut members = Vec::with_capacity(count);
        let free = |agent: &u32| behaviours[*agent as usize].is_honest();
        // Rounding several fractions up can ask for one agent more than there are.
        match adversary.placement {
            Placement::First => members.extend(lowest.by_ref().filter(free).take(count)),
            Placement::Random => members.extend(shuffled.by_ref().filter(free).take(count)),
            Placement::Region { region } => {
                let inside = |agent: &u32| sites[*agent as usize].region.0 == region;
                members.extend(order.iter().copied().filter(inside).filter(free).take(count));
            }
            Placement::Central => {
                let mut central: Vec<u32> = (0..plan.agents).filter(free).collect();
                central.sort_by_key(|agent| std::cmp::Reverse(graph.degree(*agent)));
                members.extend(central.into_iter().take(count));
            }
        }
        members.sort_unstable();
        for identities in members.chunks(adversary.identities.get() as usize) {
            let controller = AgentId(identities[0]);
            for agent in identities {
                behaviours[*agent as usize] =
                    Behaviour(Some(Member { population: index as u16, controller }));
            }
        }
    }
    behaviours
}

/// Victims are drawn from the honest, or from everybody where nobody is.
fn draw_victims(plan: &Plan, behaviours: &[Behaviour], adversary: &Adversary) -> Vec<AgentId> {
    let (AdversaryKind::Slander { victims } | AdversaryKind::Eclipse { victims, .. }) = adversary.kind else {
        return Vec::new();
    };
    let mut honest: Vec<AgentId> =
        (0..plan.agents).map(AgentId).filter(|agent| behaviours[agent.index()].is_honest()).collect();
    plan.streams.stream(Purpose::Placement, VICTIMS, Tick(0)).shuffle(&mut honest);
    honest.truncate(victims.get() as usize);
    honest
}

/// The placement streams that draw liars and victims; agents' own and campaigns' lie elsewhere.
const LIARS: u32 = (1 << 31) - 1;
const VICTIMS: u32 = (1 << 31) - 2;

/// The flows that an agent first learns from. Whoever shares a model needs them for its own judgement only, so that a few
/// will do.
fn warm_up(plan: &Plan, source: &Source, site: Site, shares: bool) -> Result<Window, SimError> {
    let model = &plan.scenario.model;
    let most = if shares { model.window_flows.min(model.warm_up_flows) } else { model.warm_up_flows };
    let flows = source.warm_up(site, most.get() as usize, shares, &plan.streams);
    if flows.is_empty() {
        return Err(SimError::Traffic(format!(
            "agent {} has no benign flows to learn from: use fewer agents, a larger alpha, or split: Iid",
            site.agent
        )));
    }
    let mut window = Window::new(plan.width, plan.scenario.model.window_flows.get() as usize);
    for i in 0..flows.rows() {
        window.push(flows.row(i), flows.keys()[i], true);
    }
    Ok(window)
}

/// Flows that a shared threshold is calibrated on, at most.
const COMMONS_ROWS: usize = 4096;

/// As many flows from every agent, evenly spaced over its window; from fewer agents where there are too many.
fn draw_commons(plan: &Plan, windows: &[Window]) -> Commons {
    if !matches!(plan.scenario.threshold, Threshold::SharedQuantile { .. }) {
        return Commons::default();
    }
    let stride = windows.len().div_ceil(COMMONS_ROWS);
    let each = (COMMONS_ROWS / windows.len()).max(1);
    let mut rows = Vec::new();
    for window in windows.iter().step_by(stride) {
        let have = window.len();
        (0..each.min(have)).for_each(|k| rows.extend_from_slice(window.row(k * have / each.min(have))));
    }
    Commons(rows)
}

/// Agents whose flows a shared model is fitted to, at most.
const POOL_AGENTS: usize = 64;

/// One window of the flows of several agents.
pub(crate) fn pooled<'a, K: ExactSizeIterator<Item = FlowKey>>(
    width: usize,
    parts: impl Iterator<Item = (&'a [f32], K)>,
) -> Window {
    let parts: Vec<_> = parts.collect();
    let capacity = parts.iter().map(|(_, keys)| keys.len()).sum::<usize>().max(1);
    let mut window = Window::new(width, capacity);
    for (features, keys) in parts {
        for (row, key) in features.chunks_exact(width).zip(keys) {
            window.push(row, key, true);
        }
    }
    window
}

/// Whose detector each agent uses: its own, or that of the first agent of its role, which is then fitted to the flows of
/// several agents of the role.
#[derive(Resource, Debug)]
pub(crate) struct Owners {
    owner: Vec<AgentId>,
    /// By owner of a shared model: the agents whose flows it learns from.
    pools: BTreeMap<AgentId, Vec<AgentId>>,
}

impl Owners {
    fn new(plan: &Plan, sites: &[Site]) -> Self {
        let of = |site: &Site| match plan.scenario.model.owner {
            Owner::Agent => site.agent,
            Owner::Role => {
                sites
                    .iter()
                    .find(|other| other.host.role == site.host.role)
                    .expect("an agent has its own role at least")
                    .agent
            }
        };
        let owner: Vec<AgentId> = sites.iter().map(of).collect();
        let mut pools: BTreeMap<AgentId, Vec<AgentId>> = BTreeMap::new();
        if plan.scenario.model.owner == Owner::Role {
            for (agent, owner) in owner.iter().enumerate() {
                pools.entry(*owner).or_default().push(AgentId(agent as u32));
            }
            for pool in pools.values_mut() {
                let stride = pool.len().div_ceil(POOL_AGENTS);
                *pool = pool.iter().copied().step_by(stride).collect();
            }
        }
        Self { owner, pools }
    }

    /// Whose detector this agent uses.
    pub(crate) fn of(&self, agent: AgentId) -> AgentId {
        self.owner[agent.index()]
    }

    /// Whether agents share models at all.
    pub(crate) fn is_shared(&self) -> bool {
        !self.pools.is_empty()
    }

    /// The agents whose flows the shared model of this owner learns from.
    pub(crate) fn pool(&self, owner: AgentId) -> Option<&[AgentId]> {
        self.pools.get(&owner).map(Vec::as_slice)
    }
}
