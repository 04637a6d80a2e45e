//! Plugins in a simulation: the same bits whatever the threads, and nothing lost to a bad one.

use std::sync::Arc;

use phalanx_core::{Fingerprint, PluginHappening, PluginSlot};
use phalanx_plugin_guests::Guest;
use phalanx_plugin_host::{
    BreakerConfig, Config, Fallback, Isolation, Limits, NanMode, Plugin, PluginEngine, PluginFactory,
    PluginRule, hex,
};
use phalanx_sim::scenario::Scenario;
use phalanx_sim::{Plugins, Pool, SimError, Simulation, TickRecord, TrafficInput, summary};
use ron::extensions::Extensions;

const WORLD: &str =
    "agents: 6, ticks: 12, campaigns: [(kind: PortScan, start: 3)], signature: (support_min: 1)";

fn plugin(guest: &Guest) -> Plugin {
    let limits = Limits { call_fuel: 400_000, row_fuel: 5_000, ..Limits::default() };
    Plugin::load(&PluginEngine::new(NanMode::Canonical), &guest.build(), None, limits).unwrap()
}

/// The scenario with `words` in it, where HASH is the hash of the plugin.
fn scenario(plugin: &Plugin, words: &str) -> Scenario {
    let text = format!("({WORLD}, {words})").replace("HASH", &hex(&plugin.about().sha256));
    let extensions = Extensions::IMPLICIT_SOME | Extensions::UNWRAP_VARIANT_NEWTYPES;
    ron::Options::default().with_default_extension(extensions).from_str(&text).unwrap()
}

fn detector(plugin: &Plugin, isolation: Isolation) -> Plugins {
    let breaker = BreakerConfig { faults_max: 2, cooldown_ticks: 4 };
    let factory = PluginFactory::new(plugin.clone(), Config::new(), isolation, breaker).unwrap();
    Plugins { detector: Some(Arc::new(factory)), rule: None }
}

fn run(scenario: &Scenario, plugins: Plugins, threads: usize) -> (Vec<TickRecord>, summary::Summary) {
    let pool = Pool::new(threads).unwrap();
    let mut simulation = Simulation::with_plugins(&pool, scenario, TrafficInput::Generated, plugins).unwrap();
    let records = (0..scenario.ticks.get()).map(|_| simulation.step()).collect();
    (records, simulation.summary())
}

fn prints(records: &[TickRecord]) -> Vec<Fingerprint> {
    records.iter().map(|record| record.fingerprint).collect()
}

#[test]
fn threads_and_isolation_change_nothing() {
    let plugin = plugin(&Guest::mean());
    let scenario = scenario(&plugin, "detector: Plugin(path: \"mean.wasm\", sha256: \"HASH\")");
    let (one, summary) = run(&scenario, detector(&plugin, Isolation::Live), 1);
    assert!(summary.detection.roc_auc.unwrap() > 0.5, "{:?}", summary.detection);
    assert_eq!(summary.plugins, Some(summary::Plugins::default()));
    for (isolation, threads) in [(Isolation::Live, 2), (Isolation::Live, 8), (Isolation::Hermetic, 2)] {
        let (other, _) = run(&scenario, detector(&plugin, isolation), threads);
        assert_eq!(prints(&other), prints(&one), "{isolation:?} on {threads} threads");
    }
}

#[test]
fn who_fails_is_answered_for() {
    let plugin = plugin(&Guest::mean().with("score", "(loop $on (br $on)) unreachable"));
    let words = |on_fault: &str| {
        format!("detector: Plugin(path: \"spin.wasm\", sha256: \"HASH\", on_fault: {on_fault})")
    };
    let run = |on_fault: &str, threads| {
        run(&scenario(&plugin, &words(on_fault)), detector(&plugin, Isolation::Live), threads)
    };
    let (records, silent) = run("Abstain", 2);
    assert_eq!((silent.detection.flagged, silent.signatures.reported), (0, 0));
    let told = silent.plugins.unwrap();
    assert_eq!((told.fallbacks, told.opened > 5), (6 * 12, true), "{told:?}");
    let events: Vec<_> = records.iter().flat_map(|record| &record.plugins).collect();
    let of = |happening| events.iter().filter(|event| event.happening == happening).count() as u64;
    assert_eq!(of(PluginHappening::Opened), told.opened);
    assert!(of(PluginHappening::HalfOpened) >= 6 && of(PluginHappening::Closed) == 0);
    assert!(events.iter().all(|event| event.slot == PluginSlot::Detector && event.agent.is_some()));

    let (_, native) = run("Native(Ewma)", 2);
    assert!(native.detection.flagged > 0);
    assert_eq!(native.plugins.unwrap().fallbacks, 6 * 12);
    assert_eq!(prints(&run("Native(Ewma)", 1).0), prints(&run("Native(Ewma)", 8).0));
}

#[test]
fn what_stands_in_is_the_detector_itself() {
    let plugin = plugin(&Guest::mean().with("fit", "unreachable"));
    let standing_in = "detector: Plugin(path: \"bad.wasm\", sha256: \"HASH\", on_fault: Native(ZScore))";
    let (_, by_plugin) = run(&scenario(&plugin, standing_in), detector(&plugin, Isolation::Live), 2);
    let (_, by_itself) = run(&scenario(&plugin, "detector: ZScore"), Plugins::default(), 2);
    assert_eq!(by_plugin.detection, by_itself.detection);
    assert_eq!(by_plugin.signatures, by_itself.signatures);
}

#[test]
fn a_rule_decides_as_its_native_twin() {
    let rule = |guest: &Guest| {
        let (config, breaker) = (Config::new(), BreakerConfig::default());
        let rule =
            PluginRule::new(plugin(guest), config, 1, Isolation::Live, breaker, Fallback::Open).unwrap();
        Plugins { detector: None, rule: Some(Box::new(rule)) }
    };
    let words = "consensus: (plugin: (path: \"half.wasm\", sha256: \"HASH\"))";
    let scenario = scenario(&plugin(&Guest::half()), words);
    let native = Scenario { consensus: Default::default(), ..scenario.clone() };
    let (by_plugin, summary) = run(&scenario, rule(&Guest::half()), 2);
    let (by_native, _) = run(&native, Plugins::default(), 2);
    let decisions =
        |records: &[TickRecord]| records.iter().flat_map(|r| r.decisions.clone()).collect::<Vec<_>>();
    assert!(!decisions(&by_native).is_empty());
    assert_eq!(decisions(&by_plugin), decisions(&by_native));
    assert_eq!(summary.plugins, Some(summary::Plugins::default()));

    let (records, summary) = run(&scenario, rule(&Guest::half().with("decide", "unreachable")), 2);
    assert_eq!(summary.signatures.confirmed, 0);
    assert!(summary.signatures.undecided > 0 && summary.plugins.unwrap().faults >= 3);
    assert!(records.iter().flat_map(|r| &r.plugins).all(|event| event.slot == PluginSlot::Voting));
}

#[test]
fn scenario_and_plugins_have_to_agree() {
    let plugin = plugin(&Guest::mean());
    let build = |scenario: &Scenario, plugins| {
        let pool = Pool::new(1).unwrap();
        Simulation::with_plugins(&pool, scenario, TrafficInput::Generated, plugins).unwrap_err()
    };
    let named = scenario(&plugin, "detector: Plugin(path: \"mean.wasm\", sha256: \"HASH\")");
    let error = build(&named, Plugins::default()).to_string();
    assert!(error.contains("has to be loaded first"), "{error}");
    let unnamed = scenario(&plugin, "seed: 1");
    let error = build(&unnamed, detector(&plugin, Isolation::Live)).to_string();
    assert!(error.contains("names no plugin"), "{error}");

    let choosy = self::plugin(&Guest::mean().with("init", "(call $error (i32.const 96) (i32.const 13))"));
    let error = build(&named, detector(&choosy, Isolation::Live));
    assert!(matches!(&error, SimError::Contradiction(c) if c.path == "detector.plugin.config"), "{error}");

    for (words, path) in [
        ("detector: Plugin(path: \"\", sha256: \"HASH\")", "detector.plugin.path"),
        ("detector: Plugin(path: \"a.wasm\")", "detector.plugin.sha256"),
        ("detector: Plugin(path: \"a.wasm\", sha256: \"12\")", "detector.plugin.sha256"),
        ("agents: 5000, detector: Plugin(path: \"a.wasm\", sha256: \"HASH\")", "detector.plugin.isolation"),
        (
            "detector: Plugin(path: \"a.wasm\", sha256: \"HASH\", on_fault: Native(Plugin(path: \"b.wasm\")))",
            "detector.plugin.on_fault.native",
        ),
        ("consensus: (plugin: (path: \"a.wasm\"))", "consensus.plugin.sha256"),
        ("model: (owner: Role), detector: Plugin(path: \"a.wasm\", sha256: \"HASH\")", "model.owner"),
    ] {
        let text = format!("({words})").replace("HASH", &hex(&plugin.about().sha256));
        let extensions = Extensions::IMPLICIT_SOME | Extensions::UNWRAP_VARIANT_NEWTYPES;
        let scenario: Scenario =
            ron::Options::default().with_default_extension(extensions).from_str(&text).unwrap();
        assert_eq!(scenario.check().unwrap_err().path, path, "{words}");
    }
}
