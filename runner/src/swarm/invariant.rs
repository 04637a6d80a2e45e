//! What must hold of every run, whatever its scenario.

use std::collections::BTreeSet;

use phalanx_core::{SignatureId, Tick};
use phalanx_ledger::{Ledger, LedgerKey, MemoryStore, verify};
use phalanx_sim::scenario::{AdversaryKind, Scenario, Signing};
use phalanx_sim::{Pool, Simulation, TickRecord, TrafficInput};
use thiserror::Error;

use super::plugins;
use crate::entries::Additions;

/// An invariant that does not hold.
#[derive(Debug, Error)]
pub enum Broken {
    /// The run panicked.
    #[error("panicked: {0}")]
    Panicked(String),
    /// Another number of threads gave another result.
    #[error("tick {tick}: 1 and 2 threads give different fingerprints")]
    Threads {
        /// Where they part.
        tick: u64,
    },
    /// A run that was saved and restored went on differently.
    #[error("tick {tick}: resumed from a checkpoint at {saved}, the run goes on differently")]
    Resumed {
        /// Where they part.
        tick: u64,
        /// The tick before which it was saved.
        saved: u64,
    },
    /// Another number of threads, or a resumption, writes other entries.
    #[error("tick {tick}: {} gives other entries: {difference}", whose(*tick, *saved))]
    Entries {
        /// Where they part.
        tick: u64,
        /// The tick before which it was saved.
        saved: u64,
        /// The first entry that differs.
        difference: String,
    },
    /// A decision on what nobody reported, or a second decision.
    #[error("tick {tick}: a decision on {signature:?}, which is not open")]
    NotOpen {
        /// When.
        tick: u64,
        /// On what.
        signature: SignatureId,
    },
    /// More votes than voters.
    #[error("tick {tick}: {votes} votes of {eligible} who may vote")]
    Votes {
        /// When.
        tick: u64,
        /// Yes and no.
        votes: u64,
        /// Voters.
        eligible: u64,
    },
    /// More lost than sent.
    #[error("{lost} messages were lost of {sent}")]
    Lost {
        /// Lost.
        lost: u64,
        /// Sent.
        sent: u64,
    },
    /// Messages were lost without a fault that loses them.
    #[error("{lost} messages were lost although nothing loses messages")]
    LostWithoutFault {
        /// Lost.
        lost: u64,
    },
    /// Outcomes do not add up to reports.
    #[error("{reported} reports, but {outcomes} outcomes")]
    Outcomes {
        /// Reports.
        reported: u64,
        /// Confirmed, rejected, undecided and merged.
        outcomes: u64,
    },
    /// A share outside 0 to 1.
    #[error("{name} is {value}")]
    Share {
        /// Which.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// The ledger does not verify, or cannot be written.
    #[error("ledger: {0}")]
    Ledger(String),
    /// The simulation refuses a scenario that was checked.
    #[error("refused: {0}")]
    Refused(String),
}

/// Runs a scenario with one and two threads and checks both. Before some tick, the second is saved, and another goes on
/// in its place.
pub(super) fn check(scenario: &Scenario) -> Result<(), Broken> {
    let refused = |error: &dyn std::fmt::Display| Broken::Refused(error.to_string());
    let build = |threads| {
        let pool = Pool::new(threads).map_err(|error| refused(&error))?;
        let plugins = plugins::load(scenario).map_err(|error| refused(&error))?;
        Simulation::with_plugins(&pool, scenario, TrafficInput::Generated, plugins)
            .map_err(|error| refused(&error))
    };
    let (mut one, mut two) = (build(1)?, build(2)?);
    let ledger_error = |error: &dyn std::fmt::Display| Broken::Ledger(error.to_string());
    let key = LedgerKey::from_seed(scenario.seed);
    let mut ledger = Ledger::create(MemoryStore::new(), key, [0; 32], "swarm", scenario.seed)
        .map_err(|error| ledger_error(&error))?;
    if scenario.ledger.signing == Signing::Ed25519 {
        ledger.enrol(scenario.agents.get()).map_err(|error| ledger_error(&error))?;
    }
    let mut open = BTreeSet::new();
    let ticks = u64::from(scenario.ticks.get());
    // A run is saved between two of its ticks.
    let saved = 1 + scenario.seed % ticks.saturating_sub(1).max(1);
    for tick in 0..ticks {
        if tick == saved {
            let bytes = two.save();
            two = build(2)?.restored(&bytes).map_err(|error| Broken::Refused(error.to_string()))?;
        }
        let (record, other) = (one.step(), two.step());
        if record.fingerprint != other.fingerprint {
            return Err(if tick < saved {
                Broken::Threads { tick }
            } else {
                Broken::Resumed { tick, saved }
            });
        }
        decisions(&record, &mut open)?;
        let additions = Additions::of(scenario, &mut one, &record);
        additions.append(Tick(tick), &mut ledger).map_err(|error| ledger_error(&error))?;
        // What the threads and the resumption leave behind is compared too where the scenario writes it down.
        let others = Additions::of(scenario, &mut two, &other);
        if others.entries != additions.entries {
            let difference = difference(&additions.entries, &others.entries);
            return Err(Broken::Entries { tick, saved, difference });
        }
        one.witness(ledger.root());
        two.witness(ledger.root());
    }
    if one.summary() != two.summary() {
        return Err(Broken::Resumed { tick: ticks, saved });
    }
    verify(ledger.store()).map_err(|error| ledger_error(&error))?;
    figures(scenario, &one)
}

/// What may make two runs differ at a tick.
fn whose(tick: u64, saved: u64) -> String {
    if tick < saved {
        "another number of threads".to_owned()
    } else {
        format!("a run resumed at tick {saved}")
    }
}

/// The first entry that differs, as both have it.
fn difference<T: std::fmt::Debug + PartialEq>(one: &[T], two: &[T]) -> String {
    let at = (0..one.len().max(two.len())).find(|i| one.get(*i) != two.get(*i)).unwrap_or_default();
    let [one, two] =
        [one, two].map(|entries| entries.get(at).map_or("nothing".to_owned(), |e| format!("{e:?}")));
    format!("{one} became {two}")
}

fn decisions(record: &TickRecord, open: &mut BTreeSet<SignatureId>) -> Result<(), Broken> {
    let tick = record.tick.0;
    open.extend(record.reported.iter().map(|signature| signature.id));
    for decision in &record.decisions {
        if !open.remove(&decision.signature) {
            return Err(Broken::NotOpen { tick, signature: decision.signature });
        }
        let votes = u64::from(decision.yes) + u64::from(decision.no);
        let eligible = u64::from(decision.eligible);
        if votes > eligible {
            return Err(Broken::Votes { tick, votes, eligible });
        }
    }
    Ok(())
}

/// Whether nothing in a scenario may keep a message from whom it is for.
fn loses_nothing(scenario: &Scenario) -> bool {
    let network = &scenario.network;
    let links = network.loss.get() == 0.0 && network.bursts.is_none() && network.partitions.is_empty();
    let presence = network.churn.is_none() && network.crashes.is_empty();
    let liars = scenario.adversaries.iter().all(|a| !matches!(a.kind, AdversaryKind::Eclipse { .. }));
    !network.enabled || (links && presence && liars)
}

fn figures(scenario: &Scenario, simulation: &Simulation) -> Result<(), Broken> {
    let summary = simulation.summary();
    let network = &summary.network;
    if network.lost > network.messages {
        return Err(Broken::Lost { lost: network.lost, sent: network.messages });
    }
    if loses_nothing(scenario) && network.lost > 0 {
        return Err(Broken::LostWithoutFault { lost: network.lost });
    }
    let s = &summary.signatures;
    let outcomes = s.confirmed + s.rejected + s.undecided + s.merged;
    if outcomes != s.reported {
        return Err(Broken::Outcomes { reported: s.reported, outcomes });
    }
    let d = &summary.detection;
    let shares = [
        ("precision", d.precision),
        ("recall", d.recall),
        ("F1", d.f1),
        ("ROC-AUC", d.roc_auc),
        ("average precision", d.average_precision),
        ("precision of signatures", s.precision),
        ("recall of signatures", s.recall),
    ];
    for (name, value) in shares {
        if let Some(value) = value.filter(|x| !(0.0..=1.0).contains(x)) {
            return Err(Broken::Share { name, value });
        }
    }
    Ok(())
}
