//! One run: build the simulation, step it to its last tick, write the ledger.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use phalanx_core::{Fingerprint, PluginHappening};
use phalanx_sim::scenario::{Scenario, Signing};
use phalanx_sim::summary::Summary;
use phalanx_sim::{Curves, Pool, SimError, Simulation, TickRecord};

use crate::chain::Chain;
use crate::error::RunnerError;
use crate::plan::PlannedRun;
use crate::plugins;
use crate::record::{LedgerRecord, RunRecord, Status, Timing};
use crate::scenario::Loaded;
use crate::size::peak_rss_bytes;
use crate::traffic::Source;

/// Set by Ctrl-C; runs end at their next tick.
pub static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// A resolved scenario whose traffic is open, so that runs of it differ in their seed alone.
#[derive(Debug)]
pub struct Job {
    loaded: Loaded,
    portable: Scenario,
    source: Arc<Source>,
    digest: [u8; 32],
}

/// How a run ended.
#[derive(Debug)]
pub enum Ended {
    /// At its last tick.
    Finished(Box<Finished>),
    /// By Ctrl-C.
    Interrupted,
    /// By `--timeout`.
    TimedOut,
    /// By a panic; the payload's text.
    Panicked(String),
    /// By what the scenario says is to end it: a plugin's fault, in words.
    Aborted(String),
}

/// What a run that is driven shows on its way.
#[derive(Debug)]
pub enum Passed<'a> {
    /// A tick that has passed and is in the ledger.
    Tick(&'a TickRecord),
    /// The run between two ticks.
    Between(&'a mut Simulation, &'a mut Chain),
    /// The same, where it is stopped before its last tick.
    Stopping(&'a mut Simulation, &'a mut Chain),
}

/// What a run that reached its last tick leaves.
#[derive(Debug)]
pub struct Finished {
    summary: Summary,
    fingerprint: Fingerprint,
    ledger: LedgerRecord,
    curves: Curves,
}

impl Finished {
    /// What the run looks like when it is drawn.
    #[must_use]
    pub fn curves(&self) -> &Curves {
        &self.curves
    }
}

impl Job {
    /// Opens the scenario's traffic.
    ///
    /// # Errors
    /// If a file is missing or its map is wrong.
    pub fn open(loaded: Loaded) -> Result<Self, RunnerError> {
        let source = Arc::new(Source::open(&loaded.scenario)?);
        // A plugin that cannot be used is found out before anything runs; runs share what was compiled.
        plugins::load(&loaded.scenario, 0)?;
        Ok(Self::with_source(loaded, source))
    }

    /// With traffic that is open already, for a scenario of the same traffic and number of agents.
    #[must_use]
    pub fn with_source(loaded: Loaded, source: Arc<Source>) -> Self {
        let digests = source.digests();
        let (portable, digest) = (loaded.portable(&digests), loaded.digest(&digests));
        Self { loaded, portable, source, digest }
    }

    /// The scenario.
    #[must_use]
    pub fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// The traffic's source.
    #[must_use]
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Identity of scenario and data, as the ledger's genesis holds it.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Builds the world of a run.
    ///
    /// # Errors
    /// If the traffic cannot be read, or does not fit the scenario.
    pub fn build(&self, seed: u64, pool: &Pool) -> Result<Simulation, RunnerError> {
        let input = self.source.input(seed)?;
        let scenario = Scenario { seed, ..self.portable.clone() };
        let plugins = plugins::load(&self.loaded.scenario, seed)?;
        Simulation::with_plugins(pool, &scenario, input, plugins).map_err(|error| match error {
            SimError::Contradiction(contradiction) => self.loaded.contradiction(contradiction).into(),
            other => RunnerError::Simulation(Box::new(other)),
        })
    }

    /// Runs to the last tick, or until a tick ends more than `timeout` after `start`. `observe` sees every tick's
    /// record, after it is in the ledger.
    ///
    /// # Errors
    /// If the ledger cannot be written, or `observe` fails. A panic is not an error but a way to end.
    pub fn drive(
        &self,
        simulation: Simulation,
        chain: Chain,
        timeout: Option<(Instant, Duration)>,
        mut observe: impl FnMut(&TickRecord) -> Result<(), RunnerError>,
    ) -> Result<Ended, RunnerError> {
        self.drive_on(simulation, chain, timeout, |passed| match passed {
            Passed::Tick(record) => observe(record),
            Passed::Between(..) | Passed::Stopping(..) => Ok(()),
        })
    }

    /// How many agents sign what they report, if they do.
    #[must_use]
    pub fn signing(&self) -> Option<u32> {
        let scenario = &self.loaded.scenario;
        (scenario.ledger.signing == Signing::Ed25519).then(|| scenario.agents.get())
    }

    /// As [`Self::drive`], from whatever tick the simulation and its chain are at; `observe` also sees both of them
    /// between ticks, where a checkpoint can be taken.
    ///
    /// # Errors
    /// As [`Self::drive`].
    pub fn drive_on(
        &self,
        mut simulation: Simulation,
        mut chain: Chain,
        timeout: Option<(Instant, Duration)>,
        mut observe: impl FnMut(Passed<'_>) -> Result<(), RunnerError>,
    ) -> Result<Ended, RunnerError> {
        let ticks = u64::from(self.loaded.scenario.ticks.get());
        if let Some(agents) = self.signing().filter(|_| simulation.tick().0 == 0) {
            chain.enrol(agents)?;
        }
        let stepping = move || {
            let mut fingerprint = Fingerprint::default();
            for _ in simulation.tick().0..ticks {
                if INTERRUPTED.load(Ordering::Relaxed) {
                    observe(Passed::Stopping(&mut simulation, &mut chain))?;
                    return Ok(Ended::Interrupted);
                }
                if timeout.is_some_and(|(start, limit)| start.elapsed() > limit) {
                    observe(Passed::Stopping(&mut simulation, &mut chain))?;
                    return Ok(Ended::TimedOut);
                }
                let record = simulation.step();
                fingerprint = record.fingerprint;
                chain.advance(&self.loaded.scenario, &mut simulation, &record)?;
                observe(Passed::Tick(&record))?;
                if let Some(fault) = fatal(&self.loaded.scenario, &record) {
                    return Ok(Ended::Aborted(fault));
                }
                if simulation.tick().0 < ticks {
                    observe(Passed::Between(&mut simulation, &mut chain))?;
                }
            }
            let summary = simulation.summary();
            let ledger = chain.finish()?;
            let curves = simulation.curves();
            Ok(Ended::Finished(Box::new(Finished { summary, fingerprint, ledger, curves })))
        };
        // Everything that a panic could leave half done is owned by the closure and dropped with it.
        catch_unwind(AssertUnwindSafe(stepping)).unwrap_or_else(|panic| Ok(Ended::Panicked(text_of(&*panic))))
    }

    /// The record of a run that has not ended.
    #[must_use]
    pub fn blank_record(&self, run: &PlannedRun, seed: u64, status: Status) -> RunRecord {
        RunRecord {
            params: self.loaded.params.clone(),
            agents: self.loaded.scenario.agents.get(),
            ticks: self.loaded.scenario.ticks.get(),
            ..RunRecord::blank(&self.loaded.name, run, seed, status)
        }
    }

    /// The record of a run that began at `start`.
    #[must_use]
    pub fn record(
        &self,
        run: &PlannedRun,
        seed: u64,
        ended: Ended,
        start: Instant,
        threads: usize,
    ) -> RunRecord {
        let wall_s = start.elapsed().as_secs_f64();
        let mut record = self.blank_record(run, seed, Status::Failed);
        let agent_ticks = f64::from(record.agents) * f64::from(record.ticks);
        let mut speed = None;
        match ended {
            Ended::Finished(finished) => {
                let Finished { summary, fingerprint, ledger, .. } = *finished;
                record.complete(summary, fingerprint.to_string(), ledger);
                speed = (wall_s > 0.0).then(|| agent_ticks / wall_s);
            }
            Ended::Interrupted => record.status = Status::Interrupted,
            Ended::TimedOut => record.status = Status::Timeout,
            Ended::Panicked(_) | Ended::Aborted(_) => record.status = Status::Failed,
        }
        record.timing =
            Some(Timing { wall_s, agent_ticks_per_s: speed, peak_rss_bytes: peak_rss_bytes(), threads });
        record
    }
}

/// The fault at which the scenario wants the run to fail, in words.
fn fatal(scenario: &Scenario, record: &TickRecord) -> Option<String> {
    let fault = record.plugins.iter().find_map(|event| match event.happening {
        PluginHappening::Fault(kind) if plugins::aborts(scenario, event.slot) => Some((event, kind)),
        _ => None,
    });
    fault.map(|(event, kind)| {
        let whose = event
            .agent
            .map_or_else(|| "the voting rule's".to_owned(), |agent| format!("agent {}'s", agent.0));
        format!("tick {}: {whose} plugin failed ({kind:?}), and on_fault is Abort", event.tick.0)
    })
}

pub(crate) fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::hex;
    use phalanx_ledger::{Durability, SledStore, verify_dir};

    fn job(text: &str) -> Job {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tiny.ron");
        std::fs::write(&file, text).unwrap();
        Job::open(crate::scenario::load(&file, &[]).unwrap()).unwrap()
    }

    fn drive(observe: impl FnMut(&TickRecord) -> Result<(), RunnerError>) -> RunRecord {
        let job = job("(agents: 2, ticks: 3)");
        let simulation = job.build(1, &Pool::new(1).unwrap()).unwrap();
        let ended = job.drive(simulation, Chain::root_only(job.digest(), 1), None, observe).unwrap();
        job.record(&PlannedRun::FIRST, 1, ended, Instant::now(), 1)
    }

    #[test]
    fn the_root_alone_is_that_of_the_ledger() {
        let job = job(
            "(agents: 6, ticks: 8, campaigns: [(kind: PortScan, start: 1)], ledger: (signing: Ed25519, votes: true, \
             head_ticks: 3, checkpoint_ticks: 4, fingerprint_ticks: 2))",
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let drive = |chain, threads| {
            let simulation = job.build(9, &Pool::new(threads).unwrap()).unwrap();
            let ended = job.drive(simulation, chain, None, |_| Ok(())).unwrap();
            job.record(&PlannedRun::FIRST, 9, ended, Instant::now(), threads).ledger
        };
        let store = SledStore::create(&path, Durability::End).unwrap();
        let stored = drive(Chain::stored(store, job.digest(), 9).unwrap(), 2);
        let report = verify_dir(&path).unwrap();
        assert!(report.reported > 2 && report.statements > report.reported, "{report:?}");
        assert_eq!(stored.root, Some(hex(&report.head.root)));
        assert_eq!(stored.entries, Some(report.head.size));
        // Ticks 2 and 5, 3 and 7, 1, 3, 5 and 7.
        let count = |label| report.counts[label];
        assert_eq!((count("signed-head"), count("checkpoint"), count("fingerprint")), (2, 2, 4));
        assert_eq!(drive(Chain::root_only(job.digest(), 9), 1), stored);
    }

    /// Everything that ships, plugins and captures included, but for a world too large.
    #[test]
    fn shipped_scenarios_go_on_from_checkpoints() {
        let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios"));
        let files = [folder.to_owned(), folder.join("experiments")]
            .into_iter()
            .flat_map(|folder| std::fs::read_dir(folder).unwrap())
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|e| e == "ron") && !path.ends_with("million.ron"));
        let mut checked = std::collections::BTreeSet::new();
        for file in files {
            let loaded = crate::scenario::load(&file, &[]).unwrap();
            let is_capture = matches!(loaded.scenario.traffic, phalanx_sim::scenario::Traffic::Capture(_));
            let ticks = u64::from(loaded.scenario.ticks.get()).min(12);
            let agents = u64::from(loaded.scenario.agents.get()).min(24);
            let few =
                |path: &str, n: u64| crate::scenario::Override::from_flag(&format!("{path}={n}")).unwrap();
            let short = crate::scenario::load(&file, &[few("ticks", ticks), few("agents", agents)]);
            // Some say how many agents or ticks they need.
            let Ok(short) = short else { continue };
            let job = match Job::open(short) {
                Err(_) if is_capture => {
                    eprintln!("skipped {}: no data in ../shared/data", file.display());
                    continue;
                }
                job => job.unwrap(),
            };
            let (one, two) = (Pool::new(1).unwrap(), Pool::new(2).unwrap());
            let mut whole = job.build(5, &one).unwrap();
            let mut cut = job.build(5, &two).unwrap();
            for tick in 0..ticks {
                if tick == ticks / 2 {
                    let bytes = cut.save();
                    cut = job.build(5, &two).unwrap().restored(&bytes).unwrap();
                }
                let (whole, cut) = (whole.step(), cut.step());
                assert_eq!(format!("{whole:?}"), format!("{cut:?}"), "{}", file.display());
            }
            assert_eq!(whole.summary(), cut.summary(), "{}", file.display());
            checked.insert(file.file_stem().unwrap().to_string_lossy().into_owned());
        }
        assert!(checked.len() >= 12 && checked.contains("plugin"), "{checked:?}");
        println!("went on: {checked:?}");
    }

    #[test]
    fn a_run_out_of_time_says_so() {
        let job = job("(agents: 2, ticks: 3)");
        let simulation = job.build(1, &Pool::new(1).unwrap()).unwrap();
        let timeout = Some((Instant::now() - Duration::from_secs(9), Duration::from_secs(1)));
        let ended = job.drive(simulation, Chain::root_only([0; 32], 1), timeout, |_| Ok(())).unwrap();
        assert_eq!(job.record(&PlannedRun::FIRST, 1, ended, Instant::now(), 1).status, Status::Timeout);
    }

    #[test]
    fn a_run_that_panics_fails_without_taking_others_down() {
        let failed =
            drive(|tick| if tick.tick.0 == 1 { panic!("tick {} is too much", tick.tick) } else { Ok(()) });
        assert_eq!(failed.status, Status::Failed);
        assert_eq!((failed.fingerprint.as_deref(), failed.detection.as_ref()), (None, None));
        let fine = drive(|_| Ok(()));
        assert_eq!(fine.status, Status::Ok);

        // Its row has the columns of the others, and empty cells.
        let mut columns = crate::table::Columns::default();
        columns.add(&failed);
        columns.add(&fine);
        let mut fine_alone = crate::table::Columns::default();
        fine_alone.add(&fine);
        assert_eq!(columns, fine_alone);
        let f1 = columns.names().iter().position(|c| c == "detection.flows").unwrap();
        assert!(columns.row(&failed)[f1].is_null() && columns.row(&fine)[f1].is_number());
    }

    #[test]
    fn a_panic_is_reported_by_its_text() {
        assert_eq!(text_of(&"static"), "static");
        assert_eq!(text_of(&"owned".to_owned()), "owned");
        assert_eq!(text_of(&7), "a panic without a message");
    }
}
