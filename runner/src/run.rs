//! One run: build the simulation, step it to its last tick, write the ledger.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use phalanx_core::{Fingerprint, Signature};
use phalanx_ledger::{Entry, Ledger, LedgerKey, LedgerStore};
use phalanx_sim::scenario::Scenario;
use phalanx_sim::summary::Summary;
use phalanx_sim::{SimError, Simulation, TickRecord};

use crate::error::RunnerError;
use crate::plan::PlannedRun;
use crate::record::{LedgerRecord, RunRecord, Status, Timing, hex};
use crate::scenario::Loaded;
use crate::size::peak_rss_bytes;
use crate::traffic::Source;

/// Set by Ctrl-C; runs end at their next tick.
pub static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// A scenario whose traffic is open, so that runs of it differ in their seed alone.
#[derive(Debug)]
pub struct Job<'a> {
    loaded: &'a Loaded,
    source: Source,
    digest: [u8; 32],
    threads: usize,
}

/// How a run ended.
#[derive(Debug)]
pub enum Ended {
    /// At its last tick.
    Finished(Box<Finished>),
    /// By Ctrl-C.
    Interrupted,
    /// By a panic; the payload's text.
    Panicked(String),
}

/// What a run that reached its last tick leaves.
#[derive(Debug)]
pub struct Finished {
    summary: Summary,
    fingerprint: Fingerprint,
    ledger: LedgerRecord,
}

impl<'a> Job<'a> {
    /// Opens the scenario's traffic; `threads` is the size of a run's own pool.
    ///
    /// # Errors
    /// If a file is missing or its map is wrong.
    pub fn open(loaded: &'a Loaded, threads: usize) -> Result<Self, RunnerError> {
        let source = Source::open(&loaded.scenario)?;
        let digest = loaded.digest(&source.digests());
        Ok(Self { loaded, source, digest, threads })
    }

    /// The traffic's source.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Identity of scenario and data, as the ledger's genesis holds it.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Threads of a run's pool.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Builds the world of a run.
    ///
    /// # Errors
    /// If the traffic cannot be read, or does not fit the scenario.
    pub fn build(&self, run: &PlannedRun) -> Result<Simulation, RunnerError> {
        let input = self.source.input(run.seed)?;
        let scenario = Scenario { seed: run.seed, ..self.loaded.portable(&self.source.digests()) };
        Simulation::new(&scenario, input, self.threads).map_err(|error| match error {
            SimError::Contradiction(contradiction) => self.loaded.contradiction(contradiction).into(),
            other => RunnerError::Simulation(Box::new(other)),
        })
    }

    /// Runs to the last tick. `observe` sees every tick's record, after it is in the ledger.
    ///
    /// # Errors
    /// If the ledger cannot be written, or `observe` fails. A panic is not an error but a way to end.
    pub fn drive<S: LedgerStore>(
        &self,
        run: &PlannedRun,
        mut simulation: Simulation,
        store: S,
        mut observe: impl FnMut(&TickRecord) -> Result<(), RunnerError>,
    ) -> Result<Ended, RunnerError> {
        let ticks = u64::from(self.loaded.scenario.ticks.get());
        let key = LedgerKey::from_seed(run.seed);
        let mut ledger = Ledger::create(store, key, self.digest, env!("CARGO_PKG_VERSION"), run.seed)?;
        let stepping = move || {
            let mut fingerprint = Fingerprint::default();
            for tick in 0..ticks {
                if INTERRUPTED.load(Ordering::Relaxed) {
                    return Ok(Ended::Interrupted);
                }
                let record = simulation.step();
                fingerprint = record.fingerprint;
                let entries = entries(&record, tick + 1 == ticks);
                ledger.append_tick(record.tick, &entries)?;
                observe(&record)?;
            }
            let summary = simulation.summary();
            let head = ledger.finish()?;
            let ledger = LedgerRecord { entries: Some(head.size), root: Some(hex(&head.root)) };
            Ok(Ended::Finished(Box::new(Finished { summary, fingerprint, ledger })))
        };
        // Everything that a panic could leave half done is owned by the closure and dropped with it.
        catch_unwind(AssertUnwindSafe(stepping)).unwrap_or_else(|panic| Ok(Ended::Panicked(text_of(&*panic))))
    }

    /// The record of a run that has not ended.
    #[must_use]
    pub fn blank_record(&self, run: &PlannedRun) -> RunRecord {
        RunRecord {
            run_id: run.run_id,
            scenario: self.loaded.name.clone(),
            seed: run.seed,
            rep: run.rep,
            params: self.loaded.params.clone(),
            status: Status::Failed,
            agents: self.loaded.scenario.agents.get(),
            ticks: self.loaded.scenario.ticks.get(),
            fingerprint: None,
            ledger: LedgerRecord::default(),
            detection: None,
            signatures: None,
            time_to_detect: None,
            consensus: None,
            network: None,
            trust: None,
            sharing: None,
            campaigns: Vec::new(),
            timing: None,
        }
    }

    /// The record of a run that began at `start`.
    #[must_use]
    pub fn record(&self, run: &PlannedRun, ended: Ended, start: Instant) -> RunRecord {
        let wall_s = start.elapsed().as_secs_f64();
        let mut record = self.blank_record(run);
        let agent_ticks = f64::from(record.agents) * f64::from(record.ticks);
        let mut speed = None;
        match ended {
            Ended::Finished(finished) => {
                let Finished { summary, fingerprint, ledger } = *finished;
                record.complete(summary, fingerprint.to_string(), ledger);
                speed = (wall_s > 0.0).then(|| agent_ticks / wall_s);
            }
            Ended::Interrupted => record.status = Status::Interrupted,
            Ended::Panicked(_) => record.status = Status::Failed,
        }
        record.timing = Some(Timing {
            wall_s,
            agent_ticks_per_s: speed,
            peak_rss_bytes: peak_rss_bytes(),
            threads: self.threads,
        });
        record
    }
}

/// What a tick adds to the ledger: reports, decisions, and after the last tick the fingerprint.
fn entries(record: &TickRecord, last: bool) -> Vec<Entry> {
    let reported = record.reported.iter().map(|signature| reported(signature));
    let decided = record.decisions.iter().cloned().map(Entry::Decided);
    let fingerprint =
        last.then_some(Entry::Fingerprint { tick: record.tick, fingerprint: record.fingerprint.0 });
    reported.chain(decided).chain(fingerprint).collect()
}

fn reported(signature: &Signature) -> Entry {
    Entry::Reported {
        id: signature.id,
        indicator: signature.indicator,
        support: signature.support,
        confidence: signature.confidence,
        centroid: signature.centroid.clone(),
        evidence: signature.evidence,
    }
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_ledger::MemoryStore;

    fn drive(observe: impl FnMut(&TickRecord) -> Result<(), RunnerError>) -> RunRecord {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tiny.ron");
        std::fs::write(&file, "(agents: 2, ticks: 3)").unwrap();
        let loaded = crate::scenario::load(&file, &[]).unwrap();
        let job = Job::open(&loaded, 1).unwrap();
        let run = PlannedRun { run_id: 0, seed: 1, rep: 0 };
        let simulation = job.build(&run).unwrap();
        let ended = job.drive(&run, simulation, MemoryStore::new(), observe).unwrap();
        job.record(&run, ended, Instant::now())
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
        let table = crate::table::Table::of(&[failed, fine.clone()]);
        assert_eq!(table.columns, crate::table::Table::of(&[fine]).columns);
        let f1 = table.columns.iter().position(|c| c == "detection.flows").unwrap();
        assert!(table.rows[0][f1].is_null() && table.rows[1][f1].is_number());
    }

    #[test]
    fn a_panic_is_reported_by_its_text() {
        assert_eq!(text_of(&"static"), "static");
        assert_eq!(text_of(&"owned".to_owned()), "owned");
        assert_eq!(text_of(&7), "a panic without a message");
    }
}
