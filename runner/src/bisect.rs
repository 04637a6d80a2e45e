//! Where two runs part: the first tick, then phase, agent and field.

use std::sync::atomic::Ordering;

use phalanx_core::{AgentId, Tick};
use phalanx_sim::scenario::Scenario;
use phalanx_sim::{PhaseTrace, Pool, Simulation, TRACED_FIELDS};

use crate::chain::Chain;
use crate::error::RunnerError;
use crate::run::{INTERRUPTED, Job};

/// One of two runs.
#[derive(Debug)]
pub struct Side<'a> {
    /// Its scenario.
    pub job: &'a Job,
    /// Its seed.
    pub seed: u64,
    /// Its threads.
    pub threads: usize,
    /// A bug to plant, for the test of this module.
    pub bug: Option<(Tick, AgentId)>,
}

/// Where two runs part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parting {
    /// First tick.
    pub tick: u64,
    /// First phase of it, if an agent's state differs after any.
    pub phase: Option<&'static str>,
    /// First agent.
    pub agent: Option<u32>,
    /// First of its fields.
    pub field: Option<&'static str>,
    /// Agents whose state differs after that phase.
    pub agents: usize,
}

struct Running {
    simulation: Simulation,
    chain: Chain,
    scenario: Scenario,
}

impl Running {
    fn start(side: &Side<'_>) -> Result<Self, RunnerError> {
        let pool = Pool::new(side.threads).map_err(|error| RunnerError::Simulation(Box::new(error)))?;
        let mut simulation = side.job.build(side.seed, &pool)?;
        if let Some((tick, agent)) = side.bug {
            simulation.trace();
            simulation.plant_bug(tick, agent);
        }
        let scenario = side.job.loaded().scenario.clone();
        let mut chain = Chain::root_only(side.job.digest(), side.seed);
        // Committees are drawn from the root, so it has to be that of a run.
        if let Some(agents) = side.job.signing() {
            chain.enrol(agents)?;
        }
        Ok(Self { simulation, chain, scenario })
    }

    /// One tick, as a run does it.
    fn step(&mut self) -> Result<[u8; 32], RunnerError> {
        if INTERRUPTED.load(Ordering::Relaxed) {
            return Err(RunnerError::Interrupted);
        }
        let record = self.simulation.step();
        self.chain.advance(&self.scenario, &mut self.simulation, &record)?;
        Ok(record.fingerprint.0)
    }
}

/// Runs both and compares. Fingerprints find the tick if both scenarios and seeds are the same; otherwise they differ
/// from the start, and agents' state is compared from the first tick on.
///
/// # Errors
/// If a run cannot be built, or Ctrl-C comes first.
pub fn part(a: &Side<'_>, b: &Side<'_>) -> Result<Option<Parting>, RunnerError> {
    let same = a.job.digest() == b.job.digest() && a.seed == b.seed;
    let ticks =
        u64::from(a.job.loaded().scenario.ticks.get()).min(u64::from(b.job.loaded().scenario.ticks.get()));
    let from = if same {
        let (mut left, mut right) = (Running::start(a)?, Running::start(b)?);
        let mut parted = None;
        for tick in 0..ticks {
            if left.step()? != right.step()? {
                parted = Some(tick);
                break;
            }
        }
        match parted {
            Some(tick) => tick,
            None => return Ok(None),
        }
    } else {
        0
    };
    let (mut left, mut right) = (Running::start(a)?, Running::start(b)?);
    for _ in 0..from {
        left.step()?;
        right.step()?;
    }
    for running in [&mut left, &mut right] {
        running.simulation.trace();
    }
    for tick in from..ticks {
        let fingerprints = (left.step()?, right.step()?);
        let traces = (left.simulation.traces(), right.simulation.traces());
        if let Some(parting) = first_difference(tick, &traces.0, &traces.1) {
            return Ok(Some(parting));
        }
        if same && fingerprints.0 != fingerprints.1 {
            return Ok(Some(Parting { tick, phase: None, agent: None, field: None, agents: 0 }));
        }
    }
    Ok(None)
}

fn first_difference(tick: u64, a: &[PhaseTrace], b: &[PhaseTrace]) -> Option<Parting> {
    a.iter().zip(b).find_map(|(x, y)| {
        let differs = |agent: &usize| x.agents.get(*agent) != y.agents.get(*agent);
        let agents = 0..x.agents.len().max(y.agents.len());
        let agent = agents.clone().find(differs)?;
        let field = match (x.agents.get(agent), y.agents.get(agent)) {
            (Some(x), Some(y)) => x.iter().zip(y).position(|(x, y)| x != y).map(|i| TRACED_FIELDS[i]),
            // Only one of the two has this agent.
            _ => None,
        };
        let agents = agents.filter(differs).count();
        Some(Parting { tick, phase: Some(x.phase), agent: Some(agent as u32), field, agents })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(text: &str) -> Job {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tiny.ron");
        std::fs::write(&file, text).unwrap();
        Job::open(crate::scenario::load(&file, &[]).unwrap()).unwrap()
    }

    const SMALL: &str = "(agents: 5, ticks: 9, traffic: Synthetic(flows: 8), detector: ZScore, \
                         campaigns: [(kind: PortScan, start: 1)])";

    #[test]
    fn a_planted_bug_is_found_to_the_field() {
        let job = job(SMALL);
        let side = |threads, bug| Side { job: &job, seed: 4, threads, bug };
        assert_eq!(part(&side(1, None), &side(3, None)).unwrap(), None, "threads change nothing");
        for (tick, agent) in [(0, 0), (6, 3)] {
            let bug = Some((Tick(tick), AgentId(agent)));
            let found = part(&side(2, None), &side(2, bug)).unwrap().expect("there is a bug");
            assert_eq!((found.tick, found.phase), (tick, Some("detect")));
            assert_eq!((found.agent, found.field, found.agents), (Some(agent), Some("batch.flagged"), 1));
        }
    }

    #[test]
    fn other_seeds_and_scenarios_part_where_their_worlds_do() {
        let (one, other) = (job(SMALL), job(&SMALL.replace("start: 1", "start: 4")));
        let side = |job, seed| Side { job, seed, threads: 1, bug: None };
        let seeds = part(&side(&one, 1), &side(&one, 2)).unwrap().unwrap();
        assert_eq!(seeds.tick, 0);
        let later = part(&side(&one, 1), &side(&other, 1)).unwrap().unwrap();
        assert_eq!((later.tick, later.phase, later.field), (1, Some("observe"), Some("batch.flows")));
    }
}
