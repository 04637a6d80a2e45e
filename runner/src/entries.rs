//! What a tick adds to the ledger, as far as the scenario wants it written.

use phalanx_core::{AgentId, FaultKind, PluginHappening, PluginSlot, Signature, Tick};
use phalanx_ledger::{Ballot, Entry, FaultAnswer, Ledger, LedgerError, LedgerStore, MembershipChange};
use phalanx_sim::scenario::{Detector, DetectorFault, RuleFault, Scenario};
use phalanx_sim::{Simulation, TickRecord};
use sha2::{Digest, Sha256};

/// What a tick adds.
#[derive(Debug)]
pub(crate) struct Additions {
    pub(crate) entries: Vec<Entry>,
    /// Whether the signed head of everything so far stands behind them.
    pub(crate) with_head: bool,
}

impl Additions {
    /// Of the tick that the simulation just stepped through.
    pub(crate) fn of(scenario: &Scenario, simulation: &mut Simulation, record: &TickRecord) -> Self {
        let mut entries = entries(scenario, record);
        let (tick, words) = (record.tick, &scenario.ledger);
        if is_due(tick, words.checkpoint_ticks) {
            let state = Sha256::digest(simulation.save()).into();
            entries.push(Entry::Checkpoint { tick, state, fingerprint: record.fingerprint.0 });
        }
        Self { entries, with_head: is_due(tick, words.head_ticks) }
    }

    /// Appends them.
    pub(crate) fn append<S: LedgerStore>(
        &self,
        tick: Tick,
        ledger: &mut Ledger<S>,
    ) -> Result<(), LedgerError> {
        if self.with_head {
            ledger.append_tick_with_head(tick, &self.entries)
        } else {
            ledger.append_tick(tick, &self.entries)
        }
    }
}

/// Whether this tick ends a period of so many.
fn is_due(tick: Tick, period: u32) -> bool {
    (tick.0 + 1).checked_rem(u64::from(period)) == Some(0)
}

/// Reports, decisions, who came and went and faults of plugins always; ballots, trust, expiries and models where they
/// are wanted; fingerprints as often as they are wanted, and after the last tick.
fn entries(scenario: &Scenario, record: &TickRecord) -> Vec<Entry> {
    let tick = record.tick;
    let reported = record.reported.iter().map(|signature| reported(signature));
    let decided = record.decisions.iter().cloned().map(Entry::Decided);
    let ballots = record.ballots.iter().flat_map(|(id, votes)| {
        let ballots: Vec<Ballot> =
            votes.iter().map(|(voter, yes)| Ballot { voter: *voter, yes: *yes }).collect();
        Entry::ballots(*id, tick, &ballots)
    });
    let trust = record.trust.iter().map(|change| {
        let (before, after) = (change.before as f32, change.after as f32);
        Entry::Trust { tick, agent: change.agent, before, after }
    });
    // Whoever washes its name white leaves, and somebody nobody knows joins under the same number.
    let changes = [MembershipChange::Left, MembershipChange::Joined];
    let rejoined = record
        .rejoined
        .iter()
        .flat_map(|agent| changes.map(|change| Entry::Membership { tick, agent: *agent, change }));
    let presence = record.presence.iter().map(|(agent, up)| {
        let change = if *up { MembershipChange::CameBack } else { MembershipChange::WentDown };
        Entry::Membership { tick, agent: *agent, change }
    });
    let expired = record.expired.iter().map(|id| Entry::Expired { id: *id, tick });
    let fingerprint = wants_fingerprint(scenario, tick)
        .then_some(Entry::Fingerprint { tick, fingerprint: record.fingerprint.0 });
    reported
        .chain(decided)
        .chain(ballots)
        .chain(trust)
        .chain(presence)
        .chain(rejoined)
        .chain(expired)
        .chain(models(record))
        .chain(faults(scenario, record))
        .chain(fingerprint)
        .collect()
}

fn wants_fingerprint(scenario: &Scenario, tick: Tick) -> bool {
    tick.0 + 1 == u64::from(scenario.ticks.get()) || is_due(tick, scenario.ledger.fingerprint_ticks)
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

/// The models that a tick fitted anew, as one round: each agent learns by itself, so all updates are accepted.
fn models(record: &TickRecord) -> Option<Entry> {
    let count = u32::try_from(record.refitted.len()).ok().filter(|count| *count > 0)?;
    let mut models = Sha256::new();
    for (agent, digest) in &record.refitted {
        models.update(agent.0.to_be_bytes());
        models.update(digest.to_be_bytes());
    }
    Some(Entry::ModelRound {
        tick: record.tick,
        round: u32::try_from(record.tick.0).unwrap_or(u32::MAX),
        updates: count,
        accepted: count,
        model: models.finalize().into(),
    })
}

fn faults(scenario: &Scenario, record: &TickRecord) -> impl Iterator<Item = Entry> {
    let detector = match &scenario.detector {
        Detector::Plugin(words) => {
            let answer = match words.on_fault {
                DetectorFault::Abstain => FaultAnswer::Abstained,
                DetectorFault::Native(_) => FaultAnswer::Native,
                DetectorFault::Abort => FaultAnswer::Aborted,
            };
            words.pinned().map(|plugin| (plugin, answer))
        }
        _ => None,
    };
    let rule = scenario.consensus.plugin.as_ref().and_then(|words| {
        let answer = match words.on_fault {
            RuleFault::Abstain => FaultAnswer::Abstained,
            RuleFault::Rule => FaultAnswer::Native,
            RuleFault::Abort => FaultAnswer::Aborted,
        };
        words.pinned().map(|plugin| (plugin, answer))
    });
    let tick = record.tick;
    record.plugins.iter().filter_map(move |event| {
        let PluginHappening::Fault(kind) = event.happening else { return None };
        let (plugin, answer) = match event.slot {
            PluginSlot::Detector => detector,
            PluginSlot::Voting => rule,
        }?;
        let agent = event.agent.unwrap_or(VOTING_RULE);
        Some(Entry::PluginFault { tick, agent, plugin, fault: words_of(kind).to_owned(), answer })
    })
}

/// Stands for the voting rule, which is nobody's, in the ledger.
const VOTING_RULE: AgentId = AgentId(u32::MAX);

fn words_of(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Fuel => "out of fuel",
        FaultKind::Memory => "out of memory",
        FaultKind::Stack => "stack too deep",
        FaultKind::Trap => "trap",
        FaultKind::Answer => "answer breaks the contract",
        FaultKind::Refused => "answered with an error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_core::{Fingerprint, PluginEvent, SignatureId};

    fn record(tick: u64) -> TickRecord {
        TickRecord {
            tick: Tick(tick),
            fingerprint: Fingerprint::default(),
            reported: Vec::new(),
            decisions: Vec::new(),
            ballots: Vec::new(),
            trust: Vec::new(),
            expired: Vec::new(),
            refitted: Vec::new(),
            presence: Vec::new(),
            rejoined: Vec::new(),
            two_faced: Vec::new(),
            plugins: Vec::new(),
            counts: Default::default(),
        }
    }

    fn scenario(text: &str) -> Scenario {
        crate::scenario::ron_options().from_str(text).unwrap()
    }

    #[test]
    fn fingerprints_come_as_often_as_they_are_wanted() {
        let ticks = |text: &str| {
            let scenario = scenario(text);
            let has = |tick: &u64| !entries(&scenario, &record(*tick)).is_empty();
            (0..7).filter(has).collect::<Vec<u64>>()
        };
        assert_eq!(ticks("(ticks: 7)"), [6]);
        assert_eq!(ticks("(ticks: 7, ledger: (fingerprint_ticks: 3))"), [2, 5, 6]);
        assert_eq!(ticks("(ticks: 7, ledger: (fingerprint_ticks: 1))"), [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn checkpoints_and_heads_come_as_often_as_they_are_wanted() {
        let scenario = scenario("(agents: 3, ticks: 7, ledger: (checkpoint_ticks: 2, head_ticks: 3))");
        let run = |threads| {
            let input = phalanx_sim::TrafficInput::Generated;
            let mut simulation = Simulation::new(&scenario, input, threads).unwrap();
            let step = |_| {
                let record = simulation.step();
                Additions::of(&scenario, &mut simulation, &record)
            };
            (0..7).map(step).collect::<Vec<Additions>>()
        };
        let (one, two) = (run(1), run(2));
        let of = |additions: &Additions| {
            let state = additions.entries.iter().find_map(|entry| match entry {
                Entry::Checkpoint { tick, state, .. } => Some((tick.0, *state)),
                _ => None,
            });
            (state, additions.with_head)
        };
        let found: Vec<_> = one.iter().map(of).collect();
        assert_eq!(found, two.iter().map(of).collect::<Vec<_>>());
        let heads = found.iter().map(|(_, with_head)| *with_head);
        assert!(heads.eq([false, false, true, false, false, true, false]));
        let states: Vec<_> = found.iter().filter_map(|(state, _)| *state).collect();
        assert_eq!(states.iter().map(|(tick, _)| *tick).collect::<Vec<_>>(), [1, 3, 5]);
        assert!(states[0].1 != states[1].1 && states[1].1 != states[2].1);
    }

    #[test]
    fn faults_name_plugin_agent_and_what_answered() {
        let (a, b) = ("ab".repeat(32), "cd".repeat(32));
        let scenario = scenario(&format!(
            "(ticks: 9, detector: Plugin(path: \"d.wasm\", sha256: \"{a}\", on_fault: Native(ZScore)), \
             consensus: (plugin: (path: \"v.wasm\", sha256: \"{b}\", on_fault: Abstain)))"
        ));
        let event = |slot, agent, happening| PluginEvent { tick: Tick(2), slot, agent, happening };
        let fault = PluginHappening::Fault;
        let mut record = record(2);
        record.plugins = vec![
            event(PluginSlot::Voting, None, fault(FaultKind::Trap)),
            event(PluginSlot::Detector, Some(AgentId(3)), fault(FaultKind::Fuel)),
            event(PluginSlot::Detector, Some(AgentId(3)), PluginHappening::Opened),
        ];
        let entry = |agent, plugin, fault: &str, answer| Entry::PluginFault {
            tick: Tick(2),
            agent: AgentId(agent),
            plugin: [plugin; 32],
            fault: fault.to_owned(),
            answer,
        };
        let expected = [
            entry(u32::MAX, 0xcd, "trap", FaultAnswer::Abstained),
            entry(3, 0xab, "out of fuel", FaultAnswer::Native),
        ];
        assert_eq!(entries(&scenario, &record), expected);
    }

    #[test]
    fn who_goes_down_and_comes_back_is_written() {
        let scenario = scenario(
            "(agents: 20, ticks: 6, ledger: (presence: true), network: (enabled: true, \
             crashes: [(at: 2, fraction: 0.25, back: 4)]))",
        );
        let input = phalanx_sim::TrafficInput::Generated;
        let mut simulation = Simulation::new(&scenario, input, 1).unwrap();
        let mut found = Vec::new();
        for _ in 0..6 {
            let record = simulation.step();
            let changes = entries(&scenario, &record).into_iter().filter_map(|entry| match entry {
                Entry::Membership { tick, agent, change } => Some((tick.0, agent.0, change)),
                _ => None,
            });
            found.extend(changes);
        }
        let of = |tick, change| -> Vec<u32> {
            let these = found.iter().filter(|found| (found.0, found.2) == (tick, change));
            these.map(|found| found.1).collect()
        };
        assert_eq!((found.len(), of(2, MembershipChange::WentDown).len()), (10, 5), "{found:?}");
        assert_eq!(of(2, MembershipChange::WentDown), of(4, MembershipChange::CameBack));
    }

    #[test]
    fn expiries_and_models_are_written() {
        let id = SignatureId { tick: Tick(1), author: AgentId(4), sequence: 0 };
        let mut record = record(5);
        record.expired = vec![id];
        record.refitted = vec![(AgentId(1), 7), (AgentId(2), 8)];
        let found = entries(&scenario("(ticks: 9)"), &record);
        assert_eq!(found[0], Entry::Expired { id, tick: Tick(5) });
        let Entry::ModelRound { round: 5, updates: 2, accepted: 2, model, .. } = found[1] else {
            panic!("{:?}", found[1])
        };
        record.refitted[1].1 = 9;
        let Entry::ModelRound { model: other, .. } = entries(&scenario("(ticks: 9)"), &record)[1] else {
            panic!("a round")
        };
        assert_ne!(model, other);
    }
}
