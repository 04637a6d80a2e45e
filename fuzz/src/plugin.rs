//! What others wrote against the plugin host: files into the loader, answers into the decoding of results.

use std::sync::LazyLock;

use phalanx_consensus::{Ballot, HostedRule, Memory, Poll, Rule, Silence, Standing, VotingRule};
use phalanx_core::{AgentId, FaultKind, Feature, Schema, Unit};
use phalanx_detect::{Detector, HostedDetector};
use phalanx_plugin_guests::Guest;
use phalanx_plugin_host::{
    Breaker, BreakerConfig, Config, Fallback, Isolation, Kind, Limits, NanMode, Plugin, PluginDetector,
    PluginEngine, PluginFactory, PluginRule, inspect,
};

use crate::cursor::Cursor;

/// Little of everything, so that an endless loop ends within a millisecond.
const LIMITS: Limits = Limits {
    memory_bytes: 2 << 20,
    call_fuel: 50_000,
    row_fuel: 500,
    start_fuel: 100_000,
    state_bytes: 1 << 16,
};

static ENGINE: LazyLock<PluginEngine> = LazyLock::new(|| PluginEngine::new(NanMode::Canonical));

fn load(guest: &Guest) -> Plugin {
    Plugin::load(&ENGINE, &guest.build(), None, LIMITS).expect("the guest is a plugin")
}

fn schema() -> Schema {
    Schema::new((0..3).map(|i| Feature::raw(&format!("c{i}"), Unit::None)).collect())
}

fn detector(plugin: &Plugin, isolation: Isolation) -> PluginDetector {
    let factory = PluginFactory::new(plugin.clone(), Config::new(), isolation, BreakerConfig::default());
    factory.expect("it is a detector").detector(AgentId(0), 1, &schema())
}

fn rule(plugin: &Plugin) -> PluginRule {
    let breaker = BreakerConfig::default();
    PluginRule::new(
        plugin.clone(),
        Config::new(),
        1,
        Isolation::Live,
        breaker,
        Fallback::Native(Rule::Majority),
    )
    .expect("it is a rule")
}

const ROWS: [f32; 12] = [1.0, -2.5, 0.0, 3.0, 1e9, -1e-9, 2.0, 2.0, 2.0, 0.5, -0.5, 7.0];

/// A choice, then a file: 0 a component for the loader, 1 a core module that is packed into one first.
///
/// Oracle: a file is refused in words, and alike each time, or is a plugin without imports that speaks the contract;
/// then its first calls give a value, scores from 0 to 1 or a fault, and the same ones again.
pub fn plugin_load(data: &[u8]) {
    let mut choices = Cursor::new(data);
    let packs = choices.below(2) == 1;
    let file = choices.rest();
    let packed;
    let file = if packs {
        match phalanx_plugin_pack::pack(file) {
            Ok(bytes) => {
                packed = bytes;
                &packed[..]
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                return;
            }
        }
    } else {
        file
    };
    let loaded = Plugin::load(&ENGINE, file, None, LIMITS);
    let seen = inspect(&ENGINE, file);
    let plugin = match loaded {
        Ok(plugin) => plugin,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let seen = seen.expect("what was loaded can be looked at");
    assert!(seen.supported && seen.imports.is_empty(), "{seen:?}");
    assert_eq!(
        plugin.about(),
        Plugin::load(&ENGINE, file, None, LIMITS).expect("it was loaded before").about()
    );
    match plugin.kind() {
        Kind::Detector => {
            let run = || {
                let mut detector = detector(&plugin, Isolation::Live);
                let fitted = detector.fit(&ROWS);
                let (scores, score) = scored(&detector);
                (fitted, score, scores, detector.last_fault(), detector.save())
            };
            assert_eq!(run(), run(), "the second run differs");
        }
        Kind::Voting => {
            let run = || {
                let rule = rule(&plugin);
                rule.learn(&*BALLOTS, &*STANDINGS, &mut Memory::default());
                (decided(&rule), rule.last_fault(), rule.save())
            };
            assert_eq!(run(), run(), "the second run differs");
        }
    }
}

/// Scores of [`ROWS`], checked, and how the call went.
fn scored(detector: &PluginDetector) -> (Vec<f64>, Result<(), phalanx_detect::DetectError>) {
    let mut scores = vec![7.0];
    let outcome = detector.score(&ROWS, &mut scores);
    match outcome {
        Ok(()) => assert_eq!(scores.len(), ROWS.len() / 3),
        Err(_) => assert!(scores.is_empty(), "scores of a call that failed"),
    }
    assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)), "{scores:?}");
    (scores, outcome)
}

static BALLOTS: LazyLock<[Ballot; 3]> =
    LazyLock::new(|| [Ballot::plain(1, true), Ballot::plain(4, false), Ballot::plain(9, true)]);
static STANDINGS: LazyLock<[Standing; 3]> = LazyLock::new(|| [Standing::default(); 3]);

fn decided(rule: &dyn VotingRule) -> phalanx_consensus::Verdict {
    let memory = Memory::default();
    let poll = Poll {
        author: 1,
        eligible: 5,
        eligible_trust: 2.5,
        quorum: 0.5,
        ballots: &*BALLOTS,
        standings: &*STANDINGS,
        prior: 0.5,
        expired: false,
        attempt: 0,
        memory: &memory,
    };
    rule.decide(&poll, &mut Silence)
}

/// Guests whose answer to one function is whatever state they were given.
struct Parrots {
    score: Plugin,
    save: Plugin,
    decide: Plugin,
}

static PARROTS: LazyLock<Parrots> = LazyLock::new(|| {
    let take = "(memory.copy (i32.const 2048) (local.get $state) (local.get $length)) (call $ok)";
    let answer = "(i32.const 2048)";
    Parrots {
        score: load(&Guest::parrot()),
        save: load(&Guest::mean().with("fit", "(call $ok)").with("load", take).with("save", answer)),
        decide: load(&Guest::half().with("load", take).with("decide", answer)),
    }
});

/// A choice (0 scores, 1 a state, 2 a verdict), then memory of the guest from the result on: its case (a byte, padded to
/// four), pointer and length of its list or text (little-endian, 2048 is the result itself), and whatever follows.
///
/// Oracle: an answer is a value that keeps the contract, or a fault of the answer or of what the guest says itself; the
/// same with one instance and with a fresh one for each call; and a state is kept exactly if saving went well.
pub fn plugin_answer(data: &[u8]) {
    answer_is_taken(data);
}

/// As [`plugin_answer`]; whether the host took the answer.
pub fn answer_is_taken(data: &[u8]) -> bool {
    let mut choices = Cursor::new(data);
    let choice = choices.below(3);
    let memory = &choices.rest()[..choices.rest().len().min(4096)];
    let mut saved = Breaker::default().encode().to_vec();
    saved.push(1);
    saved.extend_from_slice(memory);
    let expected = |kind| matches!(kind, FaultKind::Answer | FaultKind::Refused);
    match choice {
        0 => {
            let told = [Isolation::Live, Isolation::Hermetic].map(|isolation| {
                let mut detector = detector(&PARROTS.score, isolation);
                detector.restore(&saved).expect("it is a state of a detector");
                let told = scored(&detector);
                assert_eq!(told.1.is_err(), detector.last_fault().is_some_and(|fault| expected(fault.kind)));
                told
            });
            assert_eq!(told[0], told[1], "live and hermetic differ");
            told[0].1.is_ok()
        }
        1 => {
            let mut detector = detector(&PARROTS.save, Isolation::Live);
            detector.restore(&saved).expect("it is a state of a detector");
            let fitted = detector.fit(&ROWS);
            match fitted {
                Ok(()) => assert!(detector.saved().expect("it learned").len() <= LIMITS.state_bytes),
                Err(_) => {
                    assert_eq!(detector.saved().as_deref(), Some(memory), "a fault changed what was learned");
                    assert!(detector.last_fault().is_some_and(|fault| expected(fault.kind)));
                }
            }
            fitted.is_ok()
        }
        _ => {
            let rule = rule(&PARROTS.decide);
            assert!(rule.restore(&saved));
            let verdict = decided(&rule);
            if let Some(fault) = rule.last_fault() {
                assert!(expected(fault.kind), "{fault}");
                assert_eq!(verdict, decided(&Rule::Majority), "the native rule stands in");
            }
            rule.last_fault().is_none()
        }
    }
}
