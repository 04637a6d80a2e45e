//! What a plugin detector is to its user: a detector.

mod rows;

use phalanx_core::{AgentId, FaultKind, PluginEvent, PluginHappening, Tick};
use phalanx_detect::{DetectError, Detector, HostedDetector, StreamingDetector};
use phalanx_plugin_guests::{Guest, HOSTILE_DETECTORS};
use phalanx_plugin_host::{
    Breaker, BreakerConfig, Config, Isolation, Limits, NanMode, Plugin, PluginDetector, PluginEngine,
    PluginFactory,
};
use rows::{rows, schema};

/// Small enough for endless loops to end soon.
fn limits() -> Limits {
    Limits {
        call_fuel: 200_000,
        row_fuel: 10_000,
        start_fuel: 500_000,
        memory_bytes: 4 << 20,
        ..Limits::default()
    }
}

fn factory(guest: &Guest, isolation: Isolation) -> PluginFactory {
    let engine = PluginEngine::new(NanMode::Canonical);
    let plugin = Plugin::load(&engine, &guest.build(), None, limits()).unwrap();
    PluginFactory::new(plugin, Config::new(), isolation, BreakerConfig { faults_max: 2, cooldown_ticks: 3 })
        .unwrap()
}

fn detector(guest: &Guest, isolation: Isolation) -> PluginDetector {
    factory(guest, isolation).detector(AgentId(7), 1, &schema(3))
}

fn happenings(detector: &mut PluginDetector) -> Vec<PluginHappening> {
    let events: Vec<PluginEvent> = detector.take_events();
    assert!(events.iter().all(|event| event.agent == Some(AgentId(7))));
    events.into_iter().map(|event| event.happening).collect()
}

/// What the guest computes, in Rust.
fn distance(learned: &[f32], row: &[f32]) -> f64 {
    let count = (learned.len() / row.len()) as f64;
    let far = row.iter().enumerate().map(|(i, x)| {
        let sum = learned.iter().skip(i).step_by(row.len()).fold(0.0f64, |sum, x| sum + f64::from(*x));
        (x - (sum / count) as f32).abs()
    });
    let far = far.fold(0.0f32, |far, d| if d > far { d } else { far });
    f64::from(far / (1.0 + far))
}

#[test]
fn it_scores_what_it_has_learned() {
    for isolation in [Isolation::Live, Isolation::Hermetic] {
        let mut detector = detector(&Guest::mean(), isolation);
        let (first, more, seen) = (rows(1, 40, 3), rows(2, 25, 3), rows(3, 70, 3));
        let mut scores = Vec::new();
        detector.fit(&more).unwrap();
        detector.fit(&first).unwrap();
        detector.update(&more).unwrap();
        detector.score(&seen, &mut scores).unwrap();
        let learned = [first, more].concat();
        let expected: Vec<f64> = seen.chunks(3).map(|row| distance(&learned, row)).collect();
        assert_eq!(scores, expected, "{isolation:?}");
        assert_eq!(happenings(&mut detector), []);
        // Nothing asked, nothing answered.
        detector.score(&[], &mut scores).unwrap();
        assert!(scores.is_empty());
    }
}

#[test]
fn bad_rows_are_refused_as_by_native_detectors() {
    let detector = detector(&Guest::mean(), Isolation::Live);
    let mut scores = vec![0.5];
    let ragged = detector.score(&[1.0; 7], &mut scores).unwrap_err();
    assert_eq!((ragged, scores.len()), (DetectError::Ragged { length: 7, width: 3 }, 0));
    let mut broken = [1.0; 9];
    broken[5] = f32::NAN;
    let error = detector.score(&broken, &mut scores).unwrap_err();
    assert_eq!(error, DetectError::NotFinite { row: 1, column: 2 });
}

/// The kind of fault that each hostile guest is found out by.
fn expected_fault(name: &str) -> FaultKind {
    match name {
        "endless loop" => FaultKind::Fuel,
        "memory bomb" => FaultKind::Memory,
        "trap" => FaultKind::Trap,
        "deep recursion" => FaultKind::Stack,
        "an error" | "a huge error" | "refuses its configuration" | "refuses its own state" => {
            FaultKind::Refused
        }
        _ => FaultKind::Answer,
    }
}

#[test]
fn hostile_plugins_fail_alike_every_time() {
    for (name, function, body) in HOSTILE_DETECTORS {
        for isolation in [Isolation::Live, Isolation::Hermetic] {
            let guest = Guest::mean().with(function, body);
            let mut detector = detector(&guest, isolation);
            let fitted = detector.fit(&rows(1, 10, 3));
            let mut scores = Vec::new();
            let first = detector.score(&rows(2, 5, 3), &mut scores);
            // A live instance has no need to load its own state.
            if *name == "refuses its own state" && isolation == Isolation::Live {
                assert_eq!(first, Ok(()));
                continue;
            }
            let faults = u32::from(fitted.is_err()) + u32::from(first.is_err());
            assert!(faults > 0, "{name} was not found out");
            assert!(first.is_ok() || scores.is_empty(), "{name}: no scores of a fault");
            let again = detector.score(&rows(2, 5, 3), &mut scores);
            let kinds: Vec<FaultKind> = happenings(&mut detector)
                .iter()
                .filter_map(|h| match h {
                    PluginHappening::Fault(kind) => Some(*kind),
                    _ => None,
                })
                .collect();
            assert!(kinds.iter().all(|kind| *kind == expected_fault(name)), "{name}: {kinds:?}");
            if fitted.is_ok() {
                assert_eq!(first, again, "{name} fails alike");
            }
            let text = detector.last_fault().unwrap().text;
            assert!(text.len() < 300 && !text.is_empty(), "{name}: {text}");
        }
    }
}

#[test]
fn a_fault_loses_nothing_that_was_learned() {
    // Fails on every row whose first value is above 100.
    let moody = Guest::mean().with(
        "score",
        "(if (f32.gt (f32.load (local.get $rows)) (f32.const 100)) (then unreachable))
         (call $scores (local.get $rows) (local.get $length))",
    );
    for isolation in [Isolation::Live, Isolation::Hermetic] {
        let mut detector = detector(&moody, isolation);
        detector.fit(&rows(1, 10, 3)).unwrap();
        let (mut before, mut after) = (Vec::new(), Vec::new());
        detector.score(&rows(2, 5, 3), &mut before).unwrap();
        let digest = detector.digest();
        detector.score(&[1000.0, 0.0, 0.0], &mut after).unwrap_err();
        assert_ne!(detector.digest(), digest, "the breaker's count is state");
        detector.score(&rows(2, 5, 3), &mut after).unwrap();
        assert_eq!((before, detector.digest()), (after, digest));
    }
}

#[test]
fn what_happened_before_a_state_was_restored_is_not_told() {
    let trap = Guest::mean().with("score", "unreachable");
    let mut saved = detector(&trap, Isolation::Live);
    saved.fit(&rows(1, 10, 3)).unwrap();
    let bytes = saved.save();
    let mut built = detector(&trap, Isolation::Live);
    built.fit(&rows(1, 10, 3)).unwrap();
    built.score(&rows(2, 5, 3), &mut Vec::new()).unwrap_err();
    built.restore(&bytes).unwrap();
    assert!(built.take_events().is_empty() && built.last_fault().is_none());
    assert_eq!(built.save(), bytes);
}

#[test]
fn the_breaker_opens_and_is_tried_again() {
    let trap = Guest::mean().with("score", "unreachable");
    let mut detector = detector(&trap, Isolation::Live);
    detector.fit(&rows(1, 10, 3)).unwrap();
    let mut told = Vec::new();
    for tick in 0..8 {
        detector.begin(Tick(tick));
        let error = detector.score(&rows(2, 5, 3), &mut Vec::new()).unwrap_err().to_string();
        assert_eq!(error.contains("breaker is open"), matches!(tick, 2 | 3 | 5 | 6), "{tick}: {error}");
        told.extend(detector.take_events().into_iter().map(|event| (event.tick.0, event.happening)));
    }
    let fault = PluginHappening::Fault(FaultKind::Trap);
    use PluginHappening::{HalfOpened, Opened};
    let expected =
        [(0, fault), (1, fault), (1, Opened), (4, HalfOpened), (4, fault), (4, Opened), (7, HalfOpened)];
    assert_eq!(told[..7], expected);
}

#[test]
fn states_resume_where_they_were_saved() {
    let factory = factory(&Guest::mean(), Isolation::Live);
    let mut original = factory.detector(AgentId(7), 1, &schema(3));
    original.fit(&rows(1, 10, 3)).unwrap();
    let mut resumed = factory.detector(AgentId(7), 1, &schema(3));
    resumed.restore(&original.save()).unwrap();
    assert_eq!(resumed.digest(), original.digest());
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for tick in 0..5 {
        original.update(&rows(tick, 6, 3)).unwrap();
        resumed.update(&rows(tick, 6, 3)).unwrap();
        original.score(&rows(tick + 100, 6, 3), &mut a).unwrap();
        resumed.score(&rows(tick + 100, 6, 3), &mut b).unwrap();
        assert_eq!((&a, original.digest()), (&b, resumed.digest()));
    }
    for broken in [&[][..], &[0; 9], &[9; 12], &[0, 0, 0, 0, 0, 0, 0, 0, 0, 2]] {
        resumed.restore(broken).unwrap_err();
    }
    // A forged state is the plugin's to refuse; that is a fault like any other.
    let mut forged = Breaker::default().encode().to_vec();
    forged.extend([1, 1, 2, 3]);
    resumed.restore(&forged).unwrap();
    resumed.score(&rows(1, 1, 3), &mut a).unwrap_err();
    assert_eq!(resumed.last_fault().unwrap().kind, FaultKind::Refused);
}

#[test]
fn a_hidden_state_shows_between_live_and_hermetic() {
    let run = |isolation| {
        let mut detector = detector(&Guest::hidden_counter(), isolation);
        detector.fit(&rows(1, 10, 3)).unwrap();
        let mut scores = Vec::new();
        (0..3).for_each(|_| detector.score(&rows(2, 5, 3), &mut scores).unwrap());
        scores
    };
    assert_ne!(run(Isolation::Live), run(Isolation::Hermetic));
    assert_eq!(run(Isolation::Hermetic), run(Isolation::Hermetic));
}
