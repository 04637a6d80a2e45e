//! Which layer wins, what is merged, and that what is shown loads to the same.

mod common;

use common::Bench;
use phalanx_runner::scenario::{Override, load};
use proptest::prelude::*;

fn shown(bench: &Bench, arguments: &[&str]) -> String {
    bench.run(&[&["scenario", "show"], arguments].concat()).expect(0).stdout
}

#[track_caller]
fn has(text: &str, line: &str) {
    assert!(text.lines().any(|l| l.trim() == line), "{line:?} is missing in\n{text}");
}

#[test]
fn flags_beat_the_environment_which_beats_files_which_beat_defaults() {
    let bench = Bench::new()
        .with_variable("PHALANX_TICKS", "7")
        .with_variable("PHALANX_AGENTS", "8")
        .with_variable("PHALANX_CONSENSUS__QUORUM", "0.8")
        .with_variable("PHALANX_DATA", "/reserved");
    bench.write("base.ron", "(agents: 4, seed: 5, network: (loss: 0.25), trust: (forgetting: 0.5))");
    bench.write("s.ron", "(extends: \"base.ron\", agents: 6, ticks: 6, network: (enabled: false))");
    let text = shown(&bench, &["s.ron", "--set", "agents=9"]);
    has(&text, "agents: 9,");
    has(&text, "ticks: 7,");
    has(&text, "seed: 5,");
    has(&text, "quorum: 0.8,");
    has(&text, "loss: 0.25,");
    has(&text, "enabled: false,");
    has(&text, "forgetting: 0.5,");
    has(&text, "deadline_ticks: 6,");
    assert!(!text.contains("extends"), "extends is resolved");
    has(&shown(&bench, &["s.ron", "--seed", "11", "--set", "seed=10"]), "seed: 11,");
}

#[test]
fn blocks_merge_and_lists_and_variants_replace() {
    let bench = Bench::new();
    bench.write(
        "base.ron",
        "(detector: IsolationForest(trees: 30, sample: 64), network: (latency: (min_ticks: 1, max_ticks: 4)), \
         campaigns: [(kind: Worm), (kind: Beacon)])",
    );
    bench.write(
        "a.ron",
        "(extends: \"base.ron\", detector: IsolationForest(trees: 9), network: (latency: (max_ticks: 3)), \
         campaigns: [(kind: PortScan)])",
    );
    let text = shown(&bench, &["a.ron"]);
    has(&text, "trees: 9,");
    has(&text, "sample: 64,");
    has(&text, "min_ticks: 1,");
    assert!(text.contains("PortScan") && !text.contains("Worm"), "{text}");
    bench.write("b.ron", "(extends: \"a.ron\", detector: ZScore)");
    has(&shown(&bench, &["b.ron"]), "detector: ZScore,");
}

#[test]
fn what_is_shown_loads_to_the_same_scenario() {
    let bench = Bench::new();
    bench.write("plain.ron", common::SMALL);
    bench.write(
        "gauss.ron",
        "(traffic: Gaussian(columns: [(name: \"x\", mean: 0.1, sd: 3e-7)], anomalies: PerBatch(0.3), \
         families: [(name: \"f\", attack: Exactly([500]))]), threshold: Fixed(0.7), blacklist: (radius: 2), \
         adversaries: [(kind: VoteFlip, fraction: 0.3, rate: 0.5)], ledger: (durability: Tick))",
    );
    bench.write("deep/capture.ron", "(traffic: Capture(path: \"data/x.csv\", map: \"my.ron\", split: Iid))");
    for file in ["plain.ron", "gauss.ron", "deep/capture.ron"] {
        let text = shown(&bench, &[file]);
        bench.write("again.ron", &text);
        assert_eq!(shown(&bench, &["again.ron"]), text);
        let (first, again) = (
            load(&bench.path(file), &[]).unwrap().scenario,
            load(&bench.path("again.ron"), &[]).unwrap().scenario,
        );
        assert_eq!(first, again, "{file}");
    }
}

#[test]
fn paths_start_at_the_file_that_names_them_or_at_the_working_folder() {
    let bench = Bench::new();
    bench.write("deep/base.ron", "(traffic: Capture(path: \"data/x.csv\", map: \"maps/my.ron\"))");
    bench.write("s.ron", "(extends: \"deep/base.ron\", agents: 3)");
    let here = bench.path("").canonicalize().unwrap();
    let path =
        |text: &str| text.lines().find_map(|l| l.trim().strip_prefix("path: ").map(str::to_owned)).unwrap();
    let text = shown(&bench, &["s.ron"]);
    assert_eq!(path(&text), format!("{:?},", here.join("deep/data/x.csv")));
    assert!(text.contains("deep/maps/my.ron"), "{text}");
    let text = shown(&bench, &["s.ron", "--set", "traffic.capture.path=other/y.csv"]);
    assert_eq!(path(&text), format!("{:?},", here.join("other/y.csv")));
    assert!(text.contains("deep/maps/my.ron"), "{text}");
}

#[test]
fn the_schema_is_json_and_knows_the_words() {
    let bench = Bench::new();
    let text = bench.run(&["scenario", "schema"]).expect(0).stdout;
    let schema: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(schema["title"], "Scenario");
    assert_eq!(schema["additionalProperties"], false);
    for word in ["IsolationForest", "Synthetic", "Capture", "PortScan", "TrustWeighted", "quorum"] {
        assert!(text.contains(&format!("\"{word}\"")), "{word}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    // Whatever the text, the loader answers.
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,60}") {
        answers(&text);
    }

    #[test]
    fn nearly_valid_text_never_panics(
        field in "(agents|traffic|campaigns|detector|threshold|network|extends|ä)",
        value in "(3|-1|2\\.5|\"x|\"é\"|Synthetic|Fixed|ZScore|None|inf|'c')?[(\\[{]?(flows|0|kind: Worm|é|)[:,]?[)\\]}]{0,2}",
        space in "[ \n\t]{0,3}",
    ) {
        answers(&format!("({space}{field}:{space}{value}{space})"));
        answers(&format!("({field}: {value}"));
    }

    #[test]
    fn arbitrary_overrides_never_panic(path in "[a-z_.0-9A-Z]{0,24}", value in "\\PC{0,16}") {
        if let Ok(change) = Override::from_flag(&format!("{path}={value}")) {
            let file = scenario_file("()");
            let _ = load(file.path(), &[change]).map_err(|error| error.to_string());
        }
    }
}

fn answers(text: &str) {
    let file = scenario_file(text);
    if let Err(error) = load(file.path(), &[]) {
        assert!(!phalanx_runner::terminal::render(&error).is_empty());
    }
}

fn scenario_file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::with_suffix(".ron").unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}
