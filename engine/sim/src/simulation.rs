//! The simulation as its caller sees it: built from a scenario, stepped tick by tick, summed up.

use bevy_ecs::schedule::Schedule;
use bevy_ecs::world::World;
use phalanx_core::{AgentId, Fingerprint, Tick};

use crate::adversary::Populations;
use crate::agent::{Encounter, Encounters, Identity, Infection};
use crate::board::Board;
use crate::checkpoint::{self, CheckpointError, Malformed, Reader, Writer};
use crate::curves::{Curves, SLICES};
use crate::distribution::Distribution;
use crate::footprint::Footprint;
use crate::known::Known;
use crate::mail::Mail;
use crate::network::Fabric;
use crate::opinion::Opinions;
use crate::overlay::{Eclipsed, Overlay};
use crate::phase::Room;
use crate::plan::{Now, Plan, Plugins};
use crate::record::TickRecord;
use crate::scenario::{self, Scenario, Traffic};
use crate::standing::Standings;
use crate::summary::{CampaignSummary, Summary, TimeToDetect};
use crate::tally::Tally;
use crate::trace::{self, PhaseTrace, PlantedBug, Tracing};
use crate::traffic::{Clock, Siege, Source};
use crate::{Pool, SimError, TrafficInput, population, scorer, stages, tick};

/// A running simulation.
pub struct Simulation {
    pub(crate) world: World,
    schedule: Schedule,
    pool: Pool,
}

impl std::fmt::Debug for Simulation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulation").field("tick", &self.tick()).finish_non_exhaustive()
    }
}

impl Simulation {
    /// Builds the world of a scenario; `threads` is the size of the run's own pool and changes no result.
    ///
    /// # Errors
    /// If the scenario contradicts itself, the caller's traffic does not fit it, or threads cannot be started.
    pub fn new(scenario: &Scenario, input: TrafficInput, threads: usize) -> Result<Self, SimError> {
        Self::on(&Pool::new(threads)?, scenario, input)
    }

    /// Builds the world of a scenario on threads that are there already; they change no result.
    ///
    /// # Errors
    /// If the scenario contradicts itself, or the caller's traffic does not fit it.
    pub fn on(pool: &Pool, scenario: &Scenario, input: TrafficInput) -> Result<Self, SimError> {
        Self::with_plugins(pool, scenario, input, Plugins::default())
    }

    /// As [`Self::on`], for scenarios that name plugins.
    ///
    /// # Errors
    /// As [`Self::on`], and if the plugins are not those that the scenario names.
    pub fn with_plugins(
        pool: &Pool,
        scenario: &Scenario,
        input: TrafficInput,
        plugins: Plugins,
    ) -> Result<Self, SimError> {
        scenario.check()?;
        check_plugins(scenario, &plugins)?;
        let source = source(scenario, input)?;
        let plan = Plan::new(scenario, &source, plugins);
        check_rules(&plan)?;
        if let Some(factory) = &plan.plugins.detector {
            factory.try_out(&plan.schema).map_err(|error| scenario::Contradiction {
                path: "detector.plugin.config".to_owned(),
                message: error.to_string(),
            })?;
        }
        let mut world = World::new();
        let Fabric { graph, links, presence, gossip, .. } = Fabric::new(&plan.scenario, &plan.streams);
        let overlay = Overlay { graph, presence, gossip };
        pool.install(|| population::spawn(&mut world, &plan, &source, &overlay.graph))?;
        let eclipsed = Eclipsed::draw(world.resource::<Populations>(), plan.agents, &plan.streams);
        let genesis = genesis(&plan);
        let mut tally = Tally::new(genesis, plan.campaigns.len());
        let asked = matches!(&scenario.traffic, Traffic::Capture(capture) if capture.second_opinions);
        tally.opinions = asked.then(Opinions::default);
        world.insert_resource(tally);
        let hosts = || population::draw_sites(&plan, &source).into_iter().map(|site| site.host).collect();
        world.insert_resource(Siege::new(&plan.actions, plan.agents, &plan.streams, hosts));
        world.insert_resource(Mail::new(links, eclipsed));
        world.insert_resource(overlay);
        world.insert_resource(Board::new(genesis.0));
        world.insert_resource(Known::default());
        world.insert_resource(Room::default());
        world.insert_resource(Now::default());
        world.insert_resource(source);
        world.insert_resource(plan);
        Ok(Self { world, schedule: tick::schedule(), pool: pool.clone() })
    }

    /// The tick that the next [`Self::step`] runs.
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.world.resource::<Now>().0
    }

    /// Goes on with these threads: whoever steps a simulation that another thread built need not wake that thread's pool.
    pub fn move_to(&mut self, pool: &Pool) {
        self.pool = pool.clone();
    }

    /// Runs one tick.
    pub fn step(&mut self) -> TickRecord {
        let now = self.tick();
        let Self { world, schedule, pool } = self;
        pool.install(|| schedule.run(world));
        world.resource_mut::<Now>().0 = now.after(1);
        let record = world.resource_mut::<Tally>().close(now);
        world.resource_mut::<Board>().head = record.fingerprint.0;
        record
    }

    /// Tells the simulation the root of the ledger after the last tick. It draws the committees of the next; without it,
    /// the fingerprint does.
    pub fn witness(&mut self, root: [u8; 32]) {
        self.world.resource_mut::<Board>().head = root;
    }

    /// The run's figures so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let end = self.tick();
        let names = self.world.resource::<Plan>().campaigns.clone();
        let plan = self.world.resource::<Plan>();
        let worms: Vec<bool> = plan.actions.iter().map(|a| a.kind == scenario::CampaignKind::Worm).collect();
        let mut agents: Vec<(Identity, Vec<Encounter>, Infection)> = self
            .world
            .try_query::<(&Identity, &Encounters, &Infection)>()
            .expect("agents with all their components were spawned by `new`")
            .iter(&self.world)
            .map(|(identity, encounters, infection)| (*identity, encounters.0.clone(), *infection))
            .collect();
        agents.sort_by_key(|row| row.0.0);
        let mut summary = Summary {
            time_to_detect: time_to_detect(agents.iter().flat_map(|row| &row.1), end),
            campaigns: names
                .into_iter()
                .enumerate()
                .map(|(index, name)| CampaignSummary {
                    name,
                    agents: agents.iter().filter_map(|row| with(&row.1, index)).count() as u64,
                    infected: worms.get(index).copied().unwrap_or(false).then(|| {
                        agents
                            .iter()
                            .filter(|row| row.2.0.is_some_and(|(c, _)| usize::from(c) == index))
                            .count() as u64
                    }),
                    time_to_detect: time_to_detect(agents.iter().filter_map(|row| with(&row.1, index)), end),
                    ..CampaignSummary::default()
                })
                .collect(),
            ..Summary::default()
        };
        let mean_trust = |honest: bool| {
            let (standings, populations) =
                (self.world.resource::<Standings>(), self.world.resource::<Populations>());
            let of: Vec<f64> = agents
                .iter()
                .filter(|row| populations.of(row.0.0).is_honest() == honest)
                .map(|row| standings.trust(row.0.0))
                .collect();
            phalanx_core::maths::mean(&of)
        };
        summary.trust.separation =
            mean_trust(true).zip(mean_trust(false)).map(|(honest, liars)| honest - liars);
        let tally = self.world.resource::<Tally>();
        tally.summarise(&mut summary);
        let encounters: Vec<&[Encounter]> = agents.iter().map(|row| row.1.as_slice()).collect();
        summary.campaigns =
            stages::gather(summary.campaigns, &plan.scenario.campaigns, &plan.actions, &encounters, end);
        let plugins = &self.world.resource::<Plan>().plugins;
        summary.plugins = (plugins.detector.is_some() || plugins.rule.is_some()).then(|| tally.plugins());
        summary.opinions = tally.opinions.as_ref().map(Opinions::summary);
        let source = self.world.resource::<Source>();
        if agents.first().is_some_and(|row| source.starts_us(row.0.0, Tick(0)).is_some()) {
            summary.warnings = Some(tally.warnings.summary(source.names()));
        }
        summary
    }
}

/// Checkpoints.
impl Simulation {
    /// All that [`Self::restored`] needs to go on from here, between two ticks. About as large as the agents' windows
    /// and models in memory.
    #[must_use]
    pub fn save(&mut self) -> Vec<u8> {
        let mut out = Writer::default();
        checkpoint::save(&mut self.world, &mut out);
        checkpoint::seal(genesis(self.world.resource::<Plan>()), &out.into_bytes())
    }

    /// Goes on from what [`Self::save`] gave, with the same bits as if nothing had happened in between. This simulation
    /// has to be built as that was, from the same scenario, seed, traffic and plugins; the number of threads may differ.
    ///
    /// # Errors
    /// Bytes that were changed, or are a checkpoint of another run or of another version.
    pub fn restored(mut self, bytes: &[u8]) -> Result<Self, CheckpointError> {
        let body = checkpoint::open(bytes, genesis(self.world.resource::<Plan>()))?;
        let mut input = Reader::new(body);
        checkpoint::restore(&mut self.world, &mut input)
            .map_err(|Malformed(part)| CheckpointError::Malformed { part })?;
        if !input.is_at_end() {
            return Err(CheckpointError::Malformed { part: "end" });
        }
        Ok(self)
    }
}

/// Traces.
impl Simulation {
    /// From the next tick on, [`Self::traces`] holds the state of agents after every phase. Slow.
    pub fn trace(&mut self) {
        self.world.insert_resource(Tracing::default());
        self.schedule = tick::schedule();
        trace::watch(&mut self.schedule);
    }

    /// Takes the traces of the ticks since they were last taken, in order. None without [`Self::trace`].
    pub fn traces(&mut self) -> Vec<PhaseTrace> {
        self.world.get_resource_mut::<Tracing>().map(|mut t| std::mem::take(&mut t.0)).unwrap_or_default()
    }

    /// From the next tick on, calls `hook` with the name of each phase when it has ended, on the thread of the pool that
    /// runs the tick; replaces an earlier hook and [`Self::trace`]. The simulation itself sees no clock: this is how a
    /// caller that has one finds out where the time goes.
    pub fn call_after_phases(&mut self, hook: impl FnMut(&'static str) + Send + Sync + 'static) {
        self.world.insert_resource(trace::Hook(Box::new(hook)));
        self.schedule = tick::schedule();
        trace::call(&mut self.schedule);
    }

    /// Plants a bug in a traced run: the first flag of an agent is wrong in one tick. Only for the test of whoever
    /// looks for bugs.
    #[doc(hidden)]
    pub fn plant_bug(&mut self, tick: Tick, agent: AgentId) {
        self.world.insert_resource(PlantedBug { tick, agent });
    }
}

impl Simulation {
    /// What agents keep in memory now.
    #[must_use]
    pub fn footprint(&self) -> Footprint {
        Footprint::of(&self.world)
    }

    /// What the run looks like so far when it is drawn.
    #[must_use]
    pub fn curves(&self) -> Curves {
        let (mut alone, mut shared) = (Distribution::default(), Distribution::default());
        let mut pairs = 0;
        let mut agents = self.world.try_query::<&Encounters>().expect("agents were spawned by `new`");
        for encounter in agents.iter(&self.world).flat_map(|encounters| &encounters.0) {
            pairs += 1;
            encounter.local.into_iter().for_each(|tick| alone.add(tick.since(encounter.contact)));
            encounter.shared.into_iter().for_each(|tick| shared.add(tick.since(encounter.contact)));
        }
        Curves {
            operating: self.world.resource::<Tally>().operating_points(SLICES),
            alone: alone.counts(),
            shared: shared.counts(),
            pairs,
        }
    }
}

/// The fingerprint before the first tick.
fn genesis(plan: &Plan) -> Fingerprint {
    Fingerprint::genesis(format!("{}\n{}", env!("CARGO_PKG_VERSION"), plan.scenario.identity()).as_bytes())
}

fn check_plugins(scenario: &Scenario, plugins: &Plugins) -> Result<(), SimError> {
    let named =
        [matches!(scenario.detector, scenario::Detector::Plugin(_)), scenario.consensus.plugin.is_some()];
    let brought = [plugins.detector.is_some(), plugins.rule.is_some()];
    for ((named, brought), place) in named.into_iter().zip(brought).zip(["detector", "consensus.plugin"]) {
        if named != brought {
            let problem =
                if named { "names a plugin, which has to be loaded first" } else { "names no plugin" };
            return Err(SimError::Plugin(format!("the scenario's {place} {problem}")));
        }
    }
    Ok(())
}

/// Rules may only name features that the traffic has.
fn check_rules(plan: &Plan) -> Result<(), SimError> {
    let scenario::Detector::Rules(rules) = &plan.scenario.detector else { return Ok(()) };
    for written in rules {
        if let Err(unknown) = scorer::rule(written, &plan.schema) {
            let known: Vec<&str> = plan.schema.features().iter().map(|f| f.name.as_str()).collect();
            return Err(SimError::Contradiction(scenario::Contradiction {
                path: "detector.rules".to_owned(),
                message: format!("no feature `{unknown}`: the traffic has {}", known.join(", ")),
            }));
        }
    }
    Ok(())
}

fn source(scenario: &Scenario, input: TrafficInput) -> Result<Source, SimError> {
    let agents = scenario.agents.get() as usize;
    match (&scenario.traffic, input) {
        (Traffic::Synthetic(synthetic), TrafficInput::Generated) => Ok(Source::synthetic(synthetic)),
        (Traffic::Gaussian(gaussian), TrafficInput::Generated) => Ok(Source::gaussian(gaussian)),
        (Traffic::Capture(_), TrafficInput::Replay(records)) => {
            if records.shards.len() != agents || records.train.len() != agents {
                return Err(SimError::Traffic(format!(
                    "the capture is divided over {} agents, the scenario has {agents}",
                    records.shards.len()
                )));
            }
            if !records.starts_us.is_empty() {
                let fits = |(starts, shard): (&Vec<i64>, &phalanx_core::FlowBatch)| {
                    starts.len() == shard.rows() && starts.is_sorted()
                };
                if records.starts_us.len() != agents
                    || !records.starts_us.iter().zip(&records.shards).all(fits)
                {
                    return Err(SimError::Traffic("every flow needs a start, in ascending order".to_owned()));
                }
            }
            let clock = Clock::new(&records, u64::from(scenario.ticks.get()));
            Ok(Source::Replay { records, clock })
        }
        (Traffic::Capture(_), TrafficInput::Generated) => {
            Err(SimError::Traffic("a capture scenario needs its records read first".to_owned()))
        }
        (_, TrafficInput::Replay(_)) => {
            Err(SimError::Traffic("records were given to a scenario that generates its traffic".to_owned()))
        }
    }
}

/// The contact with a campaign, if there was one.
fn with(encounters: &[Encounter], campaign: usize) -> Option<&Encounter> {
    let at = encounters.binary_search_by_key(&campaign, |e| usize::from(e.campaign)).ok()?;
    Some(&encounters[at])
}

pub(crate) fn time_to_detect<'a>(encounters: impl Iterator<Item = &'a Encounter>, end: Tick) -> TimeToDetect {
    let (mut local, mut shared) = (Distribution::default(), Distribution::default());
    let mut gains = Vec::new();
    for encounter in encounters {
        let alone = encounter.local.unwrap_or(end).since(encounter.contact);
        let together = encounter.shared.unwrap_or(end).since(encounter.contact);
        local.add(alone);
        shared.add(together);
        gains.push(alone as f64 - together as f64);
    }
    TimeToDetect {
        local_median: local.quantile(0.5),
        local_p95: local.quantile(0.95),
        shared_median: shared.quantile(0.5),
        shared_p95: shared.quantile(0.95),
        gain: phalanx_core::maths::mean(&gains),
    }
}
