//! Whole simulations, without ledger and output.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use phalanx_sim::scenario::{Detector, Positive, Scenario};
use phalanx_sim::{Footprint, Simulation, TrafficInput};

use super::{Figure, figure};
use crate::evaluation::cpu_time;
use crate::scenario::ron_options;
use crate::terminal::Style;

/// A scenario of the standard set.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// Its name.
    pub name: &'static str,
    text: &'static str,
    /// Agents and ticks, where the scenario's own would take too long.
    size: Option<(u32, u32)>,
    /// Trees that a refit replaces, of the isolation forest, if other than the scenario's own.
    refresh: Option<u32>,
    /// Whether two threads are compared with one.
    pub threads: bool,
}

const fn world(name: &'static str, text: &'static str, size: Option<(u32, u32)>, threads: bool) -> World {
    World { name, text, size, refresh: None, threads }
}

const CLASSIC: &str = include_str!("../../../scenarios/classic.ron");
const MILLION: &str = include_str!("../../../scenarios/million.ron");

/// All worlds.
pub const WORLDS: [World; 7] = [
    world("edge", include_str!("../../../scenarios/edge.ron"), None, false),
    world("classic", CLASSIC, None, false),
    World { refresh: Some(4), ..world("classic, refresh", CLASSIC, Some((100, 20)), false) },
    world("production", include_str!("../../../scenarios/production.ron"), Some((200, 30)), true),
    million("million, 1 thousand", 1_000, 40, false),
    million("million, 10 thousand", 10_000, 20, true),
    million("million, 100 thousand", 100_000, 6, false),
];

/// The world of `million.ron` with so many agents and ticks.
#[must_use]
pub const fn million(name: &'static str, agents: u32, ticks: u32, threads: bool) -> World {
    world(name, MILLION, Some((agents, ticks)), threads)
}

/// Time of each phase of a run, in the order in which they ran.
#[derive(Clone, Debug, Default)]
pub struct Phases(Vec<(&'static str, Duration)>);

impl World {
    fn scenario(&self) -> Scenario {
        let mut scenario: Scenario = ron_options().from_str(self.text).expect("shipped scenarios are tested");
        if let Some((agents, ticks)) = self.size {
            scenario.agents = Positive::new(agents);
            scenario.ticks = Positive::new(ticks);
        }
        if let (Some(trees), Detector::IsolationForest { refresh, .. }) =
            (self.refresh, &mut scenario.detector)
        {
            *refresh = trees;
        }
        scenario
    }

    fn simulation(&self, scenario: &Scenario, threads: usize) -> Simulation {
        Simulation::new(scenario, TrafficInput::Generated, threads).expect("shipped scenarios are tested")
    }

    /// Processor time of an agent-tick on one thread, in microseconds, without the first models; and the bytes that an agent
    /// keeps in the end, without models.
    #[must_use]
    pub fn measure(&self, rounds: usize) -> [Figure; 2] {
        let scenario = self.scenario();
        let ticks = scenario.ticks.get();
        let mut kept = Vec::new();
        let taken: Vec<f64> = (0..rounds)
            .map(|_| {
                let mut simulation = self.simulation(&scenario, 1);
                let start = cpu_time();
                (0..ticks).for_each(|_| _ = simulation.step());
                let spent = cpu_time() - start;
                let Footprint { agents, state, flows, windows } = simulation.footprint();
                kept.push((state + flows + windows) as f64 / agents as f64);
                spent.as_secs_f64() * 1e6 / (f64::from(scenario.agents.get()) * f64::from(ticks))
            })
            .collect();
        [figure(self.name, "us/agent-tick", &taken), figure(self.name, "B/agent", &kept)]
    }

    /// How many times faster two threads are than one, on the clock, in turns.
    #[must_use]
    pub fn measure_threads(&self, rounds: usize) -> Figure {
        let scenario = self.scenario();
        let clock = |threads| {
            let mut simulation = self.simulation(&scenario, threads);
            let start = Instant::now();
            (0..scenario.ticks.get()).for_each(|_| _ = simulation.step());
            start.elapsed().as_secs_f64()
        };
        let taken: Vec<f64> = (0..rounds).map(|_| clock(1) / clock(2)).collect();
        let best = taken.iter().copied().fold(0.0, f64::max);
        Figure { best, ..figure(self.name, "x, 2 threads", &taken) }
    }

    /// Where the time goes on one thread, by phase.
    #[must_use]
    pub fn phases(&self) -> Phases {
        let scenario = self.scenario();
        let mut simulation = self.simulation(&scenario, 1);
        let spent: Arc<Mutex<(Duration, Phases)>> = Arc::default();
        let hook = Arc::clone(&spent);
        simulation.call_after_phases(move |phase| {
            let (last, Phases(phases)) = &mut *hook.lock().unwrap_or_else(PoisonError::into_inner);
            let now = cpu_time();
            let took = now - *last;
            *last = now;
            match phases.iter_mut().find(|(name, _)| *name == phase) {
                Some((_, total)) => *total += took,
                None => phases.push((phase, took)),
            }
        });
        // What a tick does outside its phases: the schedule, the fingerprint, the record.
        let mut rest = Duration::ZERO;
        for _ in 0..scenario.ticks.get() {
            spent.lock().unwrap_or_else(PoisonError::into_inner).0 = cpu_time();
            simulation.step();
            rest += cpu_time() - spent.lock().unwrap_or_else(PoisonError::into_inner).0;
        }
        let mut phases = std::mem::take(&mut spent.lock().unwrap_or_else(PoisonError::into_inner).1);
        phases.0.push(("rest", rest));
        phases
    }
}

impl Phases {
    /// Each phase with its share of the time, which add up to 1.
    #[must_use]
    pub fn shares(&self) -> Vec<(&'static str, f64)> {
        let total = self.0.iter().map(|(_, time)| time.as_secs_f64()).fold(0.0, |a, b| a + b);
        self.0.iter().map(|(name, time)| (*name, time.as_secs_f64() / total)).collect()
    }
}

/// A line a phase, a column a world, in per cent.
#[must_use]
pub fn phase_table(worlds: &[(&str, Phases)], style: Style) -> String {
    let mut names: Vec<&str> = Vec::new();
    let mut shares: BTreeMap<(usize, &str), f64> = BTreeMap::new();
    for (column, (_, phases)) in worlds.iter().enumerate() {
        for (name, share) in phases.shares() {
            if !names.contains(&name) {
                names.push(name);
            }
            shares.insert((column, name), share);
        }
    }
    let width = |world: &str| world.len().max(7) + 2;
    let head: String =
        worlds.iter().map(|(world, _)| format!("{world:>width$}", width = width(world))).collect();
    let mut text = style.dim(&format!("{:12}{head}", "% of a tick")) + "\n";
    for name in names {
        text += &format!("{name:12}");
        for (column, (world, _)) in worlds.iter().enumerate() {
            let share = shares.get(&(column, name)).copied().unwrap_or(0.0);
            text += &format!("{:>width$.1}", 100.0 * share, width = width(world));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worlds_are_those_that_are_shipped() {
        for world in WORLDS {
            let scenario = world.scenario();
            assert!(scenario.agents.get() >= 25, "{}", world.name);
        }
    }

    #[test]
    fn phases_add_up_and_come_in_order() {
        let small = World { size: Some((25, 3)), ..WORLDS[0] };
        let phases = small.phases();
        let names: Vec<&str> = phases.shares().iter().map(|(name, _)| *name).collect();
        let expected = [
            "connect", "observe", "detect", "report", "deliver", "vote", "decide", "commit", "adapt",
            "measure", "rest",
        ];
        assert_eq!(names, expected);
        let sum = phases.shares().iter().map(|(_, share)| share).fold(0.0, |a, b| a + b);
        assert!((sum - 1.0).abs() < 1e-9, "{sum}");
        let text = phase_table(&[("edge", phases)], Style::plain());
        assert_eq!(text.lines().count(), 12, "{text}");
    }
}
