//! Decisions among liars over networks that fail: every rule, every adversary, the same bits on any number of threads.

use phalanx_sim::scenario::{Rule, Scenario};

use crate::harness::{parse, run};

/// A small world with everything in it that can go wrong between agents.
const ROUGH: &str = r"(
    agents: 40, ticks: 24, seed: 3,
    campaigns: [(kind: PortScan, start: 4, sources: 3), (kind: Worm, start: 6, rate: 1, targets: 0.5)],
    detector: IsolationForest(trees: 25, sample: 64),
    network: (
        topology: KRegular(k: 6), gossip: Push(fan_out: 3, forward_once: true), duplication: 0.1, loss: 0.05,
        churn: (mttf_ticks: 20, mttr_ticks: 4), partitions: [(from: 10, until: 14, regions: [0])],
    ),
    consensus: (electorate: Committee(size: 9), merge: true),
    adversaries: [
        (kind: VoteFlip, fraction: 0.1, when: OnOff(honest_ticks: 5, lying_ticks: 5)),
        (kind: Equivocate, fraction: 0.05),
        (kind: Spam(reports: 3), fraction: 0.05),
        (kind: Slander(victims: 4), fraction: 0.1, identities: 2),
    ],
)";

#[test]
fn every_rule_gives_the_same_bits_on_any_number_of_threads() {
    for rule in Rule::all() {
        let name = rule.name();
        let mut scenario: Scenario = parse(ROUGH);
        scenario.consensus.rule = rule;
        scenario.check().unwrap_or_else(|e| panic!("{name}: {e}"));
        let (one, summary) = run(&scenario, 1);
        let (three, _) = run(&scenario, 3);
        let last = |records: &[phalanx_sim::TickRecord]| records.last().map(|r| r.fingerprint);
        assert_eq!(last(&one), last(&three), "{name}");
        let signatures = &summary.signatures;
        let ended = signatures.confirmed + signatures.rejected + signatures.undecided + signatures.merged;
        assert_eq!(ended, signatures.reported, "{name}: every report comes to an end");
        for decision in one.iter().flat_map(|record| &record.decisions) {
            assert!(decision.yes + decision.no <= decision.eligible, "{name}: {decision:?}");
        }
    }
}

/// Whoever tells two stories is named, and nobody else is.
#[test]
fn equivocation_and_tampering_are_proven() {
    let scenario: Scenario = parse(
        "(agents: 40, ticks: 20, seed: 5, campaigns: [(kind: PortScan, start: 2, sources: 4)],
          detector: IsolationForest(trees: 25, sample: 64),
          adversaries: [
              (kind: Equivocate, fraction: 0.05, placement: First),
              (kind: TamperLedger, fraction: 0.05, placement: First, when: From(tick: 8)),
          ])",
    );
    let (records, _) = run(&scenario, 2);
    let mut caught: Vec<u32> = records.iter().flat_map(|r| &r.two_faced).map(|agent| agent.0).collect();
    let early = records[..8].iter().flat_map(|r| &r.two_faced).all(|agent| agent.0 < 2);
    assert!(early, "nobody is caught before it has lied");
    caught.sort_unstable();
    caught.dedup();
    assert_eq!(caught, [0, 1, 2, 3]);
}

/// A whitewasher comes back as a newcomer once its name is spoilt; with a mark of 0 it never does.
#[test]
fn whitewashers_come_back() {
    let rejoined = |below: f64| {
        let text = format!(
            "(agents: 30, ticks: 30, seed: 1, campaigns: [(kind: PortScan, start: 2, sources: 6)],
              detector: IsolationForest(trees: 25, sample: 64),
              adversaries: [(kind: Whitewash(below: {below}), fraction: 0.1)])"
        );
        run(&parse(&text), 2).0.iter().map(|record| record.rejoined.len()).sum::<usize>()
    };
    assert!(rejoined(0.4) > 0);
    assert_eq!(rejoined(0.0), 0);
}

/// A committee asks as many as it has members, however many agents there are.
#[test]
fn committees_bound_the_number_of_votes() {
    let text = "(agents: 60, ticks: 15, seed: 2, campaigns: [(kind: PortScan, start: 2, sources: 2)],
          detector: IsolationForest(trees: 25, sample: 64), network: (loss: 0),
          consensus: (electorate: Committee(size: 7)))";
    let (records, summary) = run(&parse(text), 2);
    let mut decisions = records.iter().flat_map(|record| &record.decisions).peekable();
    assert!(decisions.peek().is_some());
    assert!(decisions.all(|d| d.eligible == 7 && d.yes + d.no <= 7));
    let votes: u64 = records.iter().map(|record| record.counts.votes).sum();
    assert!(votes <= 7 * summary.signatures.reported);
}

/// Without loss, gossip brings a confirmed signature to everybody, as telling everybody does.
#[test]
fn gossip_informs_everybody() {
    let blocked = |network: &str| {
        let text = format!(
            "(agents: 50, ticks: 40, seed: 4, campaigns: [(kind: PortScan, start: 4, sources: 2)],
              detector: IsolationForest(trees: 25, sample: 64), network: ({network}, loss: 0))"
        );
        run(&parse(&text), 2).1
    };
    let told = blocked("topology: FullMesh");
    let spread = blocked("topology: KRegular(k: 6), gossip: Push(fan_out: 2)");
    assert!(
        told.sharing.blocked > 100 && spread.sharing.blocked * 10 > told.sharing.blocked * 8,
        "{} told, {} by gossip",
        told.sharing.blocked,
        spread.sharing.blocked
    );
}

/// Liars who are honest half of the time are trusted more than those who always lie.
#[test]
fn schedules_buy_trust() {
    let separation = |when: &str| {
        let text = format!(
            "(agents: 40, ticks: 40, seed: 6, campaigns: [(kind: PortScan, start: 2, sources: 8)],
              detector: IsolationForest(trees: 25, sample: 64),
              adversaries: [(kind: VoteFlip, fraction: 0.2, when: {when})])"
        );
        run(&parse(&text), 2).1.trust.separation.unwrap()
    };
    let (always, sleeper) = (separation("Always"), separation("From(tick: 39)"));
    assert!(always > sleeper + 0.1, "{always} against {sleeper}");
}

/// While half of the agents are cut off, no quorum of two thirds can be reached and nothing is confirmed, not even by
/// mistake; once the partition has healed, decisions resume.
#[test]
fn liveness_resumes_when_a_partition_heals() {
    for rule in ["Supermajority()", "Pbft()", "Majority"] {
        let text = format!(
            "(agents: 36, ticks: 40, seed: 8, campaigns: [(kind: PortScan, start: 2, sources: 12)],
              traffic: Synthetic(regions: 2), detector: IsolationForest(trees: 25, sample: 64),
              network: (loss: 0, partitions: [(from: 0, until: 20, regions: [0])]),
              consensus: (rule: {rule}, quorum: 0.667, deadline_ticks: 4))"
        );
        let (records, _) = run(&parse(&text), 2);
        let confirmed = |ticks: std::ops::Range<usize>| {
            let decisions = records[ticks].iter().flat_map(|record| &record.decisions);
            decisions.filter(|decision| decision.outcome == phalanx_core::Outcome::Confirmed).count()
        };
        assert_eq!(confirmed(0..20), 0, "{rule} confirms within a half");
        assert!(confirmed(20..40) > 0, "{rule} never recovers");
    }
}
