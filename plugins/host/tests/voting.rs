//! What a plugin rule is to its user: a voting rule.

use phalanx_consensus::{Ballot, HostedRule, Memory, Poll, Rule, Silence, Standing, Verdict, VotingRule};
use phalanx_core::{FaultKind, PluginHappening, Tick};
use phalanx_plugin_guests::Guest;
use phalanx_plugin_host::{
    Breaker, BreakerConfig, Config, Fallback, Isolation, Limits, LoadError, NanMode, Plugin, PluginEngine,
    PluginFactory, PluginRule,
};

fn plugin(guest: &Guest) -> Plugin {
    let limits = Limits { call_fuel: 200_000, start_fuel: 500_000, ..Limits::default() };
    Plugin::load(&PluginEngine::new(NanMode::Canonical), &guest.build(), None, limits).unwrap()
}

fn rule(guest: &Guest, isolation: Isolation, fallback: Fallback) -> PluginRule {
    let breaker = BreakerConfig { faults_max: 2, cooldown_ticks: 3 };
    PluginRule::new(plugin(guest), Config::new(), 1, isolation, breaker, fallback).unwrap()
}

/// What the rule says of `eligible` voters of whom these have voted.
fn decide(rule: &dyn VotingRule, eligible: u32, votes: &[bool]) -> Verdict {
    let ballots: Vec<Ballot> = votes.iter().zip(0..).map(|(yes, voter)| Ballot::plain(voter, *yes)).collect();
    let standings = vec![Standing::default(); ballots.len()];
    let poll = Poll {
        author: 99,
        eligible,
        eligible_trust: f64::from(eligible) / 2.0,
        quorum: 0.5,
        ballots: &ballots,
        standings: &standings,
        prior: 0.5,
        expired: false,
        attempt: 0,
        memory: &Memory::default(),
    };
    rule.decide(&poll, &mut Silence)
}

#[test]
fn it_decides_as_the_native_majority() {
    for isolation in [Isolation::Live, Isolation::Hermetic] {
        let rule = rule(&Guest::half(), isolation, Fallback::Open);
        for eligible in 1..6u32 {
            for pattern in 0..1u32 << eligible {
                for cast in 0..=eligible {
                    let votes: Vec<bool> = (0..cast).map(|i| pattern >> i & 1 == 1).collect();
                    let native = decide(&Rule::Majority, eligible, &votes);
                    assert_eq!(decide(&rule, eligible, &votes), native, "{eligible} {votes:?}");
                }
            }
        }
        assert_eq!(rule.take_events(), []);
    }
}

#[test]
fn it_learns_and_resumes() {
    let rule_of = || rule(&Guest::half(), Isolation::Live, Fallback::Open);
    let original = rule_of();
    let fresh = original.digest();
    (0..3).for_each(|_| {
        original.learn(&[Ballot::plain(0, true)], &[Standing::default()], &mut Memory::default());
    });
    assert_ne!(original.digest(), fresh);
    let resumed = rule_of();
    assert!(resumed.restore(&original.save()));
    assert_eq!(resumed.digest(), original.digest());
    original.learn(&[Ballot::plain(0, true)], &[Standing::default()], &mut Memory::default());
    resumed.learn(&[Ballot::plain(0, true)], &[Standing::default()], &mut Memory::default());
    assert_eq!((resumed.digest(), resumed.save()), (original.digest(), original.save()));
    assert!(!resumed.restore(b""));
}

#[test]
fn what_it_cannot_decide_falls_back() {
    let trap = Guest::half().with("decide", "unreachable");
    let votes = [true, true, true];
    for (fallback, expected) in
        [(Fallback::Open, Verdict::Open), (Fallback::Native(Rule::Majority), Verdict::Confirm)]
    {
        let rule = rule(&trap, Isolation::Live, fallback);
        rule.begin(Tick(5));
        (0..3).for_each(|_| assert_eq!(decide(&rule, 5, &votes), expected));
        let told: Vec<PluginHappening> =
            rule.take_events().into_iter().map(|event| event.happening).collect();
        let fault = PluginHappening::Fault(FaultKind::Trap);
        assert_eq!(told, [fault, fault, PluginHappening::Opened]);
        assert_eq!(rule.breaker(), Breaker::Open { until: Tick(8) });
        assert!(rule.last_fault().unwrap().to_string().contains("unreachable"));
    }
    // A verdict that does not exist.
    let rule =
        rule(&Guest::half().with("decide", "(call $verdict (i32.const 3))"), Isolation::Live, Fallback::Open);
    assert_eq!(decide(&rule, 5, &votes), Verdict::Open);
    assert_eq!(rule.last_fault().unwrap().kind, FaultKind::Answer);
}

#[test]
fn plugins_of_the_other_kind_are_refused() {
    let rule = PluginRule::new(
        plugin(&Guest::mean()),
        Config::new(),
        0,
        Isolation::Live,
        BreakerConfig::default(),
        Fallback::Open,
    );
    let expected = LoadError::Kind { expected: "voting", actual: "detector" };
    assert_eq!(rule.unwrap_err(), expected);
    let factory =
        PluginFactory::new(plugin(&Guest::half()), Config::new(), Isolation::Live, BreakerConfig::default());
    assert_eq!(factory.unwrap_err().to_string(), "it is a voting plugin where a detector plugin is needed");
}
