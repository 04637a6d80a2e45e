//! The conformance suite passes who keeps the contract, and names what others break.

use phalanx_plugin_guests::{Guest, HOSTILE_DETECTORS};
use phalanx_plugin_host::{CheckOptions, CheckReport, Limits, check};

fn options() -> CheckOptions {
    // An endless loop should end soon.
    CheckOptions {
        limits: Limits { call_fuel: 1_000_000, row_fuel: 5_000, ..Limits::default() },
        ..CheckOptions::default()
    }
}

fn broken(report: &CheckReport) -> Vec<&'static str> {
    report.findings.iter().filter(|finding| finding.broken.is_some()).map(|finding| finding.promise).collect()
}

#[test]
fn the_examples_keep_every_promise() {
    for name in ["ewma", "ewma-rust", "half-space-trees", "reputation", "robust-zscore"] {
        let bytes = std::fs::read(format!("{}/../built/{name}.wasm", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let report = check(&bytes, &options()).unwrap();
        assert!(report.passed(), "{name}: {:#?}", report.findings);
        assert!(report.figures.iter().any(|(what, _)| what.starts_with("fuel a")), "{:?}", report.figures);
    }
}

#[test]
fn what_is_broken_is_named() {
    let check = |guest: &Guest| broken(&check(&guest.build(), &options()).unwrap());
    let hidden = check(&Guest::hidden_counter());
    assert!(hidden.contains(&"scores a row alike alone and among others"), "{hidden:?}");
    assert!(hidden.contains(&"keeps no state that it does not save"), "{hidden:?}");
    assert_eq!(
        check(&Guest::mean().with("describe", "unreachable")),
        ["is a component of this contract without imports"]
    );
    assert_eq!([check(&Guest::half()), check(&Guest::mean())], [[""; 0]; 2]);
    let obliging = Guest::mean().with("init", "(i32.store (i32.const 1016) (local.get $columns)) (call $ok)");
    assert_eq!(check(&obliging), ["refuses a setting that it does not know"]);
    // Counts its calls in what it saves, so that a state depends on how often it was asked.
    let leaky = Guest::mean().with(
        "score",
        "(drop (memory.grow (i32.const 1))) (call $scores (local.get $rows) (local.get $length))",
    );
    assert!(check(&leaky).contains(&"needs no more memory as time goes by"));
    for (name, function, body) in HOSTILE_DETECTORS.iter().filter(|(_, function, _)| *function != "load") {
        let told = check(&Guest::mean().with(function, body));
        assert!(told.contains(&"answers a run of calls without a fault"), "{name}: {told:?}");
    }
}

#[test]
fn committed_plugins_are_those_of_the_list() {
    let folder = format!("{}/../built", env!("CARGO_MANIFEST_DIR"));
    let list = std::fs::read_to_string(format!("{folder}/SHA256SUMS")).unwrap();
    let mut listed = Vec::new();
    for line in list.lines() {
        let (hash, name) = line.split_once("  ").expect("a hash, two spaces, a name");
        let bytes = std::fs::read(format!("{folder}/{name}")).unwrap();
        let engine = phalanx_plugin_host::PluginEngine::new(phalanx_plugin_host::NanMode::Canonical);
        let actual = phalanx_plugin_host::inspect(&engine, &bytes).unwrap().sha256;
        assert_eq!(actual, hash, "{name}: run plugins/verify.sh --update if its source has changed");
        listed.push(name.to_owned());
    }
    let files =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut found: Vec<String> =
        files.filter(|name| name.ends_with(".wasm") && !name.ends_with(".core.wasm")).collect();
    found.sort();
    assert_eq!(listed, found);
}
