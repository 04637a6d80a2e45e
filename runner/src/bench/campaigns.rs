//! Campaigns of small runs beside the same simulations alone: what planning, journal, series and results add to a run.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use phalanx_sim::scenario::{Positive, Study};
use phalanx_sim::{Pool, Simulation};

use super::{Figure, figure};
use crate::batch::journal::Journal;
use crate::batch::{Batch, OnError, Options, results};
use crate::campaign::Campaign;
use crate::error::RunnerError;
use crate::evaluation::cpu_time;
use crate::output::OutFolder;
use crate::progress::ProgressMode;
use crate::scenario::load;

/// A campaign of replicates of one scenario.
#[derive(Clone, Copy, Debug)]
pub struct Replicates {
    /// Its name.
    pub name: &'static str,
    text: &'static str,
    runs: u32,
    /// Whether two runs at once are compared with one.
    pub jobs: bool,
}

/// All campaigns, of 25 agents × 50 ticks. Simulations of the first are so cheap that what a campaign adds to them does
/// not drown in the noise. What many runs leave by default is what these leave: series and figures.
pub const CAMPAIGNS: [Replicates; 2] = [
    Replicates {
        name: "campaign, overhead",
        text: "(agents: 25, ticks: 50, detector: ZScore, traffic: Synthetic(flows: 2), \
               record: (ledger: Never, events: Never))",
        runs: 64,
        jobs: false,
    },
    Replicates {
        name: "campaign, usual runs",
        text: "(agents: 25, ticks: 50, record: (ledger: Never, events: Never))",
        runs: 16,
        jobs: true,
    },
];

/// A folder that goes with its value.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, RunnerError> {
        let path = std::env::temp_dir().join(format!("phalanx-bench-{}", std::process::id()));
        fs::create_dir_all(&path).map_err(RunnerError::io("create the folder", &path))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left lies in the folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Replicates {
    /// Processor time that a campaign adds to a run, in microseconds, and that of a run without it.
    ///
    /// # Errors
    /// If the folder for temporary files cannot be written.
    pub fn measure(&self, rounds: usize) -> Result<[Figure; 2], RunnerError> {
        let scratch = Scratch::new()?;
        let campaign = self.campaign(&scratch)?;
        let a_run = |spent: Duration| spent.as_secs_f64() * 1e6 / f64::from(self.runs);
        let (mut added, mut alone) = (Vec::new(), Vec::new());
        for round in 0..=rounds {
            let simulations = cpu(|| simulate(&campaign))?;
            let all = cpu(|| run(&campaign, &scratch, 1))?;
            // The first round warms up.
            if round > 0 {
                alone.push(a_run(simulations));
                added.push(a_run(all) - a_run(simulations));
            }
        }
        Ok([figure(self.name, "us/run", &added), figure(self.name, "us/run, alone", &alone)])
    }

    /// How many times faster two runs at once are than one, on the clock, in turns.
    ///
    /// # Errors
    /// As [`Self::measure`].
    pub fn measure_jobs(&self, rounds: usize) -> Result<Figure, RunnerError> {
        let scratch = Scratch::new()?;
        let campaign = self.campaign(&scratch)?;
        let clock = |jobs| {
            let start = Instant::now();
            run(&campaign, &scratch, jobs)?;
            Ok::<_, RunnerError>(start.elapsed().as_secs_f64())
        };
        let taken: Vec<f64> =
            (0..rounds).map(|_| Ok(clock(1)? / clock(2)?)).collect::<Result<_, RunnerError>>()?;
        let best = taken.iter().copied().fold(0.0, f64::max);
        Ok(Figure { best, ..figure(self.name, "x, -j 2", &taken) })
    }

    fn campaign(&self, scratch: &Scratch) -> Result<Arc<Campaign>, RunnerError> {
        let file = scratch.0.join("campaign.ron");
        fs::write(&file, self.text).map_err(RunnerError::io("write", &file))?;
        let loaded = load(&file, &[])?;
        let study = Study { replicates: Positive::new(self.runs), ..loaded.scenario.study.clone() };
        Ok(Arc::new(Campaign::new(loaded, study, &scratch.0)?))
    }
}

fn cpu(work: impl FnOnce() -> Result<(), RunnerError>) -> Result<Duration, RunnerError> {
    let start = cpu_time();
    work()?;
    Ok(cpu_time() - start)
}

/// The campaign's simulations one after another, and nothing else.
fn simulate(campaign: &Arc<Campaign>) -> Result<(), RunnerError> {
    let (campaign, numbering) = (Arc::clone(campaign), campaign.numbering()?);
    // As a worker does it: a thread is its own pool.
    let thread = std::thread::spawn(move || {
        let pool = Pool::of_this_thread().map_err(|error| RunnerError::Simulation(Box::new(error)))?;
        for run in (0..numbering.len()).map(|run| numbering.run(run)) {
            let job = campaign.job(run.configuration)?;
            let mut simulation: Simulation = job.build(campaign.seed(&run), &pool)?;
            (0..job.loaded().scenario.ticks.get()).for_each(|_| _ = simulation.step());
            let _ = (simulation.summary(), simulation.curves());
        }
        Ok(())
    });
    thread.join().expect("shipped simulations do not panic")
}

/// The campaign as `runner run` does it, from the empty folder to the results.
fn run(campaign: &Arc<Campaign>, scratch: &Scratch, jobs: usize) -> Result<(), RunnerError> {
    let folder = OutFolder::create_numbered(&scratch.0, "out")?;
    let path = folder.path().to_owned();
    let options = Options {
        jobs,
        threads: 1,
        timeout: None,
        memory: None,
        checkpoint_every: None,
        on_error: OnError::Stop,
        mode: Some(ProgressMode::None),
    };
    let journal = Journal::create(folder.path())?;
    let mut batch = Batch::new(Arc::clone(campaign), folder, journal, None, options)?;
    batch.run(None)?;
    results::write(batch.folder(), &batch.journal(), batch.numbering(), campaign.len())?;
    drop(batch);
    fs::remove_dir_all(&path).map_err(RunnerError::io("remove the folder", &path))
}
