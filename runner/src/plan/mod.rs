//! Which runs there are, in which order they are numbered, and the seed of each.
//!
//! Factors and a design give configurations; conditions choose among them; every configuration is run in replicates.
//! Runs are numbered replicate by replicate, so that more replicates go to the end: an extended campaign is numbered
//! like one that was planned with as many from the start. Nothing is stored a run; a run is computed from its number.

pub mod condition;
pub mod design;
pub mod error;
pub mod levels;
mod sample;
pub mod study;
pub mod until;

use std::ops::Range;

use phalanx_sim::scenario::SeedScheme;

pub use design::Configurations;
pub use error::PlanError;

/// How a replicate's seed follows from the root seed, as the manifest states it.
pub const SEED_FORMULA: &str = "common: seed(root, 0) = root; seed(root, k) = first 8 bytes, little-endian, of \
                                BLAKE3-derive_key(\"phalanx 2026 replicate seed\", LE64(root) || LE64(k)); \
                                independent: with configurations that have parameters P (as JSON in runs.csv), \
                                seed(root, k, P) = the same of LE64(root) || LE64(k) || P";

/// Runs of a campaign at most: their numbers have 32 bits.
const RUNS_MAX: u64 = u32::MAX as u64 - 1;

/// One run of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedRun {
    /// Position in the plan.
    pub run_id: u32,
    /// Number of its configuration.
    pub configuration: u32,
    /// Number of the replicate, from 0.
    pub rep: u32,
}

impl PlannedRun {
    /// The only run of a scenario without a study.
    pub const FIRST: Self = Self { run_id: 0, configuration: 0, rep: 0 };
}

/// The seed of a replicate. It depends on the root, the replicate and, in an independent scheme, the parameters
/// alone, never on the order of runs.
#[must_use]
pub fn replicate_seed(scheme: SeedScheme, root: u64, rep: u32, params: &str) -> u64 {
    let params = match scheme {
        SeedScheme::Common if rep == 0 => return root,
        SeedScheme::Common => "",
        SeedScheme::Independent => params,
    };
    let mut input = [root.to_le_bytes(), u64::from(rep).to_le_bytes()].concat();
    input.extend_from_slice(params.as_bytes());
    let key = blake3::derive_key("phalanx 2026 replicate seed", &input);
    let (first, _) = key.split_first_chunk().expect("a key has 32 bytes");
    u64::from_le_bytes(*first)
}

/// Replicates `reps` of some configurations.
#[derive(Clone, Debug)]
struct Round {
    first_run: u32,
    reps: Range<u32>,
    // None: all.
    of: Option<Vec<u32>>,
}

/// The numbering of runs.
#[derive(Clone, Debug)]
pub struct Numbering {
    configurations: u32,
    rounds: Vec<Round>,
    runs: u32,
}

impl Numbering {
    /// So many replicates of all configurations.
    ///
    /// # Errors
    /// If they are more than can be numbered.
    pub fn new(configurations: u32, reps: u32) -> Result<Self, PlanError> {
        let mut numbering = Self { configurations, rounds: Vec::new(), runs: 0 };
        numbering.add(0..reps, None)?;
        Ok(numbering)
    }

    /// Appends a round: replicates `reps` of some, or all, configurations.
    ///
    /// # Errors
    /// If runs are more than can be numbered.
    pub fn add(&mut self, reps: Range<u32>, of: Option<Vec<u32>>) -> Result<(), PlanError> {
        let wide = of.as_ref().map_or(self.configurations as usize, Vec::len) as u64;
        let total = u64::from(self.runs) + wide * u64::from(reps.end - reps.start);
        if total > RUNS_MAX {
            return Err(PlanError::TooMany { what: format!("{total} runs"), most: RUNS_MAX });
        }
        self.rounds.push(Round { first_run: self.runs, reps, of });
        self.runs = total as u32;
        Ok(())
    }

    /// Number of runs.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.runs
    }

    /// Whether there are no runs: never.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs == 0
    }

    /// The run of that number.
    #[must_use]
    pub fn run(&self, run_id: u32) -> PlannedRun {
        let after = self.rounds.partition_point(|round| round.first_run <= run_id);
        let round = &self.rounds[after - 1];
        let wide = round.of.as_ref().map_or(self.configurations, |of| of.len() as u32);
        let (rep, column) = ((run_id - round.first_run) / wide, (run_id - round.first_run) % wide);
        let configuration = round.of.as_ref().map_or(column, |of| of[column as usize]);
        PlannedRun { run_id, configuration, rep: round.reps.start + rep }
    }

    /// Runs of a configuration, by replicate.
    #[must_use]
    pub fn runs_of(&self, configuration: u32) -> Vec<u32> {
        let mut runs = Vec::new();
        for round in &self.rounds {
            let (wide, column) = match &round.of {
                None => (self.configurations, Some(configuration)),
                Some(of) => (of.len() as u32, of.binary_search(&configuration).ok().map(|i| i as u32)),
            };
            let Some(column) = column else { continue };
            runs.extend((0..round.reps.end - round.reps.start).map(|k| round.first_run + k * wide + column));
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_follow_from_root_and_replicate() {
        let common = |rep| replicate_seed(SeedScheme::Common, 42, rep, "{\"a\":1}");
        assert_eq!(common(0), 42);
        // Pinned: a change of the formula changes every study.
        assert_eq!(common(1), 13_816_130_955_602_810_729);
        let own = |params| replicate_seed(SeedScheme::Independent, 42, 0, params);
        assert_ne!(own("{\"a\":1}"), own("{\"a\":2}"));
        let mut seeds: Vec<u64> = (0..1000).map(common).collect();
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 1000);
    }

    #[test]
    fn more_replicates_go_to_the_end() {
        let mut grown = Numbering::new(3, 2).unwrap();
        let planned = Numbering::new(3, 4).unwrap();
        grown.add(2..4, None).unwrap();
        let all = |numbering: &Numbering| (0..numbering.len()).map(|i| numbering.run(i)).collect::<Vec<_>>();
        assert_eq!(all(&grown), all(&planned));
        grown.add(4..6, Some(vec![0, 2])).unwrap();
        assert_eq!(grown.run(14), PlannedRun { run_id: 14, configuration: 0, rep: 5 });
        assert_eq!(grown.runs_of(2), [2, 5, 8, 11, 13, 15]);
        for configuration in 0..3 {
            for run in grown.runs_of(configuration) {
                assert_eq!(grown.run(run).configuration, configuration);
            }
        }
        assert!(Numbering::new(u32::MAX, 2).is_err());
    }
}
