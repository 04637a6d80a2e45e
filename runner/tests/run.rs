//! What a run says and leaves.

mod common;

use std::process::Stdio;

use common::{Bench, SMALL};
use serde_json::Value;

fn small() -> Bench {
    let bench = Bench::new();
    bench.write("small.ron", SMALL);
    bench
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn json_is_one_document_with_the_contracts_keys() {
    let bench = small();
    let said =
        bench.run(&["small.ron", "--json", "--progress", "none", "--set", "consensus.quorum=0.6"]).expect(0);
    assert_eq!(said.stderr, "");
    let document: Value = serde_json::from_str(&said.stdout).expect("one JSON document");
    assert_eq!(keys(&document), ["runs", "summary"]);
    let run = &document["runs"][0];
    let blocks: [(&str, &[&str]); 11] = [
        ("params", &["consensus.quorum"]),
        ("ledger", &["entries", "root"]),
        (
            "detection",
            &[
                "flows",
                "anomalous",
                "flagged",
                "precision",
                "recall",
                "f1",
                "fpr",
                "roc_auc",
                "average_precision",
            ],
        ),
        ("signatures", &["reported", "confirmed", "rejected", "undecided", "precision", "recall"]),
        ("time_to_detect", &["local_median", "local_p95", "shared_median", "shared_p95", "gain"]),
        ("consensus", &["latency_p50", "latency_p95", "safety_failures"]),
        ("network", &["messages", "bytes", "lost"]),
        ("trust", &["separation"]),
        ("timing", &["wall_s", "agent_ticks_per_s", "peak_rss_bytes", "threads"]),
        ("campaigns", &[]),
        ("sharing", &[]),
    ];
    assert_eq!(
        keys(run),
        [
            "run_id",
            "scenario",
            "seed",
            "rep",
            "params",
            "status",
            "agents",
            "ticks",
            "fingerprint",
            "ledger",
            "detection",
            "signatures",
            "time_to_detect",
            "consensus",
            "network",
            "trust",
            "sharing",
            "campaigns",
            "timing",
        ]
    );
    for (block, expected) in blocks.iter().filter(|(_, expected)| !expected.is_empty()) {
        assert_eq!(keys(&run[block]), *expected, "{block}");
    }
    assert_eq!(run["scenario"], "small");
    assert_eq!(run["status"], "ok");
    assert_eq!(run["seed"], 42);
    assert_eq!(run["params"]["consensus.quorum"], 0.6);
    assert_eq!(run["fingerprint"].as_str().unwrap().len(), 64);
    assert_eq!(run["ledger"]["root"].as_str().unwrap().len(), 64);
    assert_eq!(
        keys(&document["summary"][0]),
        ["configuration", "params", "metric", "n", "failures", "mean", "sd", "ci95_low", "ci95_high"]
    );
    assert!(run["trust"]["separation"].is_null(), "undefined is null: there are no adversaries");
}

#[test]
fn threads_change_no_byte_but_timing() {
    let bench = small();
    for threads in ["1", "2", "8"] {
        let out = format!("out{threads}");
        bench.run(&["small.ron", "--threads", threads, "--reps", "2", "--out", &out, "-q"]).expect(0);
    }
    for file in ["plan.csv", "runs.csv", "summary.csv", "series/part-00000.parquet"] {
        let read = |folder: &str| std::fs::read(bench.path(folder).join(file)).unwrap();
        let one = read("out1");
        assert!(!one.is_empty());
        for other in ["out2", "out8"] {
            assert!(read(other) == one, "{other}/{file}");
        }
    }
}

#[test]
fn the_folder_holds_what_the_design_names() {
    let bench = small();
    let said = bench.run(&["run", "small.ron", "--reps", "2", "--out", "deep/out"]).expect(0);
    assert!(said.stdout.contains("results in deep/out"), "{}", said.stdout);
    assert!(said.stderr.contains("small: 2/2 runs, "), "plain progress lines: {}", said.stderr);
    let top: Vec<String> = bench
        .files()
        .iter()
        .filter_map(|f| f.strip_prefix("deep/out/"))
        .filter(|f| !f.contains('/'))
        .map(str::to_owned)
        .collect();
    assert_eq!(
        top,
        [
            "events.jsonl",
            "ledger",
            "manifest.json",
            "plan.csv",
            "runs.csv",
            "series",
            "summary.csv",
            "timing.csv"
        ]
    );

    let events = bench.read("deep/out/events.jsonl");
    let lines: Vec<Value> = events.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let ticks: Vec<&Value> = lines.iter().filter(|l| l["event"] == "tick").collect();
    assert_eq!(ticks.len(), 16);
    assert_eq!(keys(ticks[0]), ["event", "run", "tick", "fingerprint", "counts"]);
    assert_eq!(lines.iter().filter(|l| l["event"] == "run").count(), 2);

    let manifest: Value = serde_json::from_str(&bench.read("deep/out/manifest.json")).unwrap();
    assert_eq!(manifest["format"], 2);
    assert_eq!(manifest["scenario"]["agents"], 6);
    assert!(manifest["seed_formula"].as_str().unwrap().contains("seed(root, 0) = root"));

    let runs = bench.read("deep/out/runs.csv");
    assert!(
        runs.starts_with("run_id,scenario,seed,rep,params,status,agents,ticks,fingerprint,ledger.entries,")
    );
    assert_eq!(runs.lines().count(), 3);
    let seeds: Vec<&str> = runs.lines().skip(1).map(|l| l.split(',').nth(2).unwrap()).collect();
    assert_eq!(seeds[0], "42");
    assert_ne!(seeds[0], seeds[1]);

    let said = bench.run(&["ledger", "verify", "deep/out"]).expect(0);
    assert_eq!(said.stdout.matches("signature ok").count(), 2, "{}", said.stdout);
}

#[test]
fn output_folders_are_never_overwritten() {
    let bench = small();
    bench.write("full/file", "");
    let said = bench.run(&["small.ron", "--out", "full"]).expect(2);
    assert!(said.stderr.contains("output folder full is not empty"), "{}", said.stderr);
    assert!(said.stderr.contains("name another folder with --out, or remove this one"), "{}", said.stderr);
    let said = bench.run(&["small.ron", "--out", "small.ron"]).expect(2);
    assert!(said.stderr.contains("is a file"), "{}", said.stderr);
    for folder in ["out/small-7", "out/small-7-2", "out/small-7-3"] {
        let said = bench.run(&["small.ron", "--seed", "7", "-q"]).expect(0);
        assert!(said.stdout.ends_with(&format!("results in {folder}\n")), "{}", said.stdout);
    }
}

#[test]
fn the_summary_fits_a_terminal_and_has_no_colour_in_a_file() {
    let bench = small();
    let text = bench.run(&["small.ron", "-q"]).expect(0).stdout;
    for block in [
        "detection",
        "signatures",
        "consensus",
        "time to detect",
        "sharing",
        "network",
        "trust",
        "ledger",
        "speed",
        "campaigns",
        "PortScan",
    ] {
        assert!(text.contains(block), "{block} is missing in\n{text}");
    }
    assert!(text.contains('–'), "undefined figures are shown as such:\n{text}");
    assert!(!text.contains('\x1b'), "{text}");
    let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= 80, "{widest} columns:\n{text}");
}

#[test]
fn memory_beyond_the_limit_is_refused_with_the_estimate() {
    let bench = small();
    let said = bench.run(&["small.ron", "--set", "agents=100000", "--mem", "64MiB"]).expect(2);
    assert!(said.stderr.contains("more than the 64.0 MiB of --mem"), "{}", said.stderr);
    assert_eq!(bench.files(), ["small.ron"]);
    bench.run(&["small.ron", "--mem", "lots"]).expect(2);
    bench.run(&["small.ron", "--mem", "8G", "-q"]).expect(0);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let bench = small();
    let mut child =
        bench.command(&["scenario", "schema"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn usage_errors_exit_with_2_and_help_shows_the_codes() {
    let bench = Bench::new();
    bench.run(&["run"]).expect(2);
    bench.run(&["fnord"]).expect(2);
    bench.run(&["run", "a.ron", "--fnord"]).expect(2);
    let help = bench.run(&["--help"]).expect(0).stdout;
    for line in [
        "0  ok",
        "1  tool failure",
        "2  usage or bad input",
        "3  finished, but some run failed",
        "4  golden",
        "130  interrupted",
    ] {
        assert!(help.contains(line), "{line}");
    }
}

#[test]
fn progress_as_json_is_lines_of_json_on_standard_error() {
    let bench = small();
    let said = bench.run(&["small.ron", "--progress", "json", "--json"]).expect(0);
    let last: Value = serde_json::from_str(said.stderr.lines().last().unwrap()).unwrap();
    assert_eq!((&last["tick"], &last["ticks"]), (&8.into(), &8.into()));
    serde_json::from_str::<Value>(&said.stdout).unwrap();
}

#[test]
fn captures_are_replayed_and_their_place_does_not_matter() {
    let bench = Bench::new();
    let map = "(name: \"mine\", header: true, columns: [(\"bytes\", Numeric(unit: Bytes, log1p: true)), \
               (\"service\", Categorical), (\"class\", Label(benign: [\"ok\"]))])";
    let rows = |attack_every: usize| {
        (0..60).fold("bytes,service,class\n".to_owned(), |text, i| {
            let attack = attack_every > 0 && i % attack_every == 0;
            let (bytes, class) = if attack { (90_000 + i, "flood") } else { (100 + i % 7, "ok") };
            text + &format!("{bytes},{},{class}\n", ["http", "dns"][i % 2])
        })
    };
    for folder in ["a", "b/deeper"] {
        bench.write(&format!("{folder}/maps/my.ron"), map);
        bench.write(&format!("{folder}/data/train.csv"), rows(0));
        bench.write(&format!("{folder}/data/test.csv"), rows(5));
        let scenario = "(agents: 2, ticks: 5, traffic: Capture(path: \"data/test.csv\", train: \"train.csv\", \
                        map: \"maps/my.ron\", split: ByColumn(\"service\")))";
        bench.write(&format!("{folder}/s.ron"), scenario);
    }
    let run = |arguments: &[&str]| -> Value {
        let said = bench.run(&[arguments, &["--json", "-q"]].concat()).expect(0);
        serde_json::from_str::<Value>(&said.stdout).unwrap()["runs"][0].clone()
    };
    let (a, b) = (run(&["a/s.ron"]), run(&["b/deeper/s.ron"]));
    assert_eq!(a["detection"]["flows"], 60);
    assert_eq!(a["detection"]["anomalous"], 12);
    assert_eq!(a["fingerprint"], b["fingerprint"]);
    assert_eq!(a["ledger"], b["ledger"]);

    bench.write("b/deeper/data/train.csv", rows(0) + "101,dns,ok\n");
    assert_ne!(run(&["b/deeper/s.ron"])["ledger"], a["ledger"], "the bytes do matter");
    bench.write("a/data/test.csv", rows(5) + "many,http,ok\n");
    let said = bench.run(&["a/s.ron", "--out", "never"]).expect(2);
    assert!(
        said.stderr.contains("traffic.capture.path: ") && said.stderr.contains("test.csv:62"),
        "{}",
        said.stderr
    );
    assert!(!bench.path("never").exists());
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_ends_with_130_and_whole_files() {
    let bench = small();
    let mut child = bench
        .command(&["small.ron", "--set", "ticks=100000000", "--out", "out"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The run has begun once its events are being written.
    while !bench.path("out/ledger/0/db").exists() {
        assert!(child.try_wait().unwrap().is_none(), "the run ended by itself");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(bench.read("out/runs.csv").contains(",interrupted,"));
    assert!(
        !bench.files().iter().any(|f| f.ends_with(".tmp") || f.ends_with(".lock")),
        "{:?}",
        bench.files()
    );
}
