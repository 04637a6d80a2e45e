//! Campaigns of runs: planned, killed, resumed, extended, sharded.

mod common;

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use common::{Bench, SMALL};
use serde_json::Value;

/// Files whose bytes may depend on nothing but the plan.
const RESULTS: [&str; 4] = ["plan.csv", "runs.csv", "summary.csv", "series/part-00000.parquet"];
const STUDY: &str = "study: (factors: [(path: \"consensus.quorum\", levels: List(values: [0.5, 0.7])), \
                     (path: \"ticks\", levels: Range(from: 4, to: 8, step: 2))], replicates: 3)";

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("small.ron", SMALL);
    bench.write("study.ron", SMALL.replace("(agents: 6", &format!("({STUDY}, agents: 6")));
    bench
}

fn same_results(bench: &Bench, a: &str, b: &str) {
    for file in RESULTS {
        let read = |folder: &str| {
            fs::read(bench.path(folder).join(file)).unwrap_or_else(|e| panic!("{folder}/{file}: {e}"))
        };
        assert!(read(a) == read(b), "{file} of {a} and {b} differ");
    }
}

#[test]
fn results_do_not_depend_on_what_runs_when() {
    let bench = bench();
    bench.run(&["study.ron", "-j", "1", "--out", "one", "-q"]).expect(0);
    bench.run(&["study.ron", "-j", "3", "--threads", "2", "--out", "three", "-q"]).expect(0);
    same_results(&bench, "one", "three");
    // Checkpoints come and go under runs that begin and end.
    bench.run(&["study.ron", "-j", "3", "--checkpoint-every", "1", "--out", "saved", "-q"]).expect(0);
    same_results(&bench, "one", "saved");
    let plan = bench.read("one/plan.csv");
    assert_eq!(plan.lines().count(), 1 + 2 * 3 * 3);
    let seeds = |rep: &str| -> Vec<String> {
        let rows = plan.lines().skip(1).map(|l| l.split(',').collect::<Vec<_>>());
        rows.filter(|row| row[4] == rep).map(|row| row[3].to_owned()).collect()
    };
    assert!(seeds("1").iter().all(|s| *s == seeds("1")[0]), "common seeds pair configurations");
    bench.run(&["study.ron", "--seeds", "independent", "--out", "own", "-q"]).expect(0);
    let own = bench.read("own/plan.csv");
    let mut all: Vec<&str> = own.lines().skip(1).map(|l| l.split(',').nth(3).unwrap()).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 18);
}

#[cfg(unix)]
#[test]
fn a_killed_and_resumed_campaign_equals_the_uninterrupted_one() {
    let bench = bench();
    let arguments = ["study.ron", "--reps", "12", "-q"];
    bench.run(&[&arguments[..], &["--out", "whole"]].concat()).expect(0);
    for (i, (delay, jobs)) in [(60, "1"), (130, "2"), (250, "3")].into_iter().enumerate() {
        let out = format!("killed{i}");
        let mut command = bench.command(&[&arguments[..], &["--out", &out, "-j", jobs]].concat());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let journal = bench.path(&format!("{out}/events.jsonl"));
        while !journal.exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
        // A torn line, as a kill in the middle of a write leaves it.
        let mut bytes = fs::read(&journal).unwrap();
        bytes.extend_from_slice(b"{\"event\":\"run\",\"run\":3,\"sta");
        fs::write(&journal, bytes).unwrap();
        bench.run(&["resume", &out, "-q", "-j", "2"]).expect(0);
        same_results(&bench, "whole", &out);
        let said = bench.run(&["status", &out]).expect(0);
        assert!(said.stdout.contains("72 of 72 runs ended · complete"), "{}", said.stdout);
    }
}

/// Runs long enough to be killed between two checkpoints, and the ledgers with them.
#[cfg(unix)]
#[test]
fn runs_go_on_from_their_last_checkpoint() {
    let bench = bench();
    let long = SMALL.replace("ticks: 8", "ticks: 160, ledger: (signing: Ed25519)");
    bench.write("long.ron", long.replace("(agents: 6", "(record: (ledger: Always), agents: 6"));
    let arguments = ["long.ron", "--reps", "3", "-q"];
    bench.run(&[&arguments[..], &["--out", "whole", "-j", "1"]].concat()).expect(0);
    let heads = |out: &str| {
        [0, 1, 2].map(|run| {
            bench.run(&["ledger", "verify", &format!("{out}/ledger/{run}")]).expect(0).stdout.replace(out, "")
        })
    };
    let mut cut_short = 0;
    for (i, ticks) in [40, 250, 400].into_iter().enumerate() {
        let out = format!("killed{i}");
        let every = ["--out", &out, "-j", "2", "--checkpoint-every", "8"];
        let mut command = bench.command(&[&arguments[..], &every].concat());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let file = bench.path(&format!("{out}/checkpoints/{}.bin", i % 2));
        while !file.exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis(ticks));
        child.kill().unwrap();
        child.wait().unwrap();
        let left = fs::read_dir(bench.path(&format!("{out}/checkpoints"))).map_or(0, Iterator::count);
        cut_short += left;
        bench.run(&["resume", &out, "-q", "-j", "1"]).expect(0);
        same_results(&bench, "whole", &out);
        assert_eq!(heads("whole"), heads(&out));
        assert!(!bench.path(&format!("{out}/checkpoints")).exists(), "ended runs leave no checkpoints");
    }
    assert!(cut_short > 0, "no kill came before the end of a run");
}

/// Whoever is killed after the end of the last run was noted, or runs out of disk there, has not written its series.
#[test]
fn a_part_that_could_not_be_written_is_written_by_a_resume() {
    let bench = bench();
    bench.write("s.ron", SMALL.replace("ticks: 8", "ticks: 40"));
    let arguments = ["s.ron", "--reps", "2", "-q"];
    bench.run(&[&arguments[..], &["--out", "whole"]].concat()).expect(0);
    bench.run(&[&arguments[..], &["--out", "part", "--timeout", "0.0001"]].concat()).expect(3);
    let in_the_way = bench.path("part/series/part-00000.parquet.tmp");
    fs::create_dir_all(&in_the_way).unwrap();
    let said = bench.run(&["resume", "part", "-q"]).expect(1);
    assert!(said.stderr.contains("part-00000"), "{}", said.stderr);
    fs::remove_dir(&in_the_way).unwrap();
    bench.run(&["resume", "part", "-q"]).expect(0);
    same_results(&bench, "whole", "part");
}

#[test]
fn a_checkpoint_that_is_not_the_runs_is_refused_by_name() {
    let bench = bench();
    bench.write("long.ron", SMALL.replace("ticks: 8", "ticks: 4000"));
    bench.run(&["long.ron", "--timeout", "0.4", "--out", "a", "--checkpoint-every", "50", "-q"]).expect(3);
    bench
        .run(&["long.ron", "--timeout", "0.4", "--out", "b", "--checkpoint-every", "50", "--seed", "9", "-q"])
        .expect(3);
    let (a, b) = (bench.path("a/checkpoints/0.bin"), bench.path("b/checkpoints/0.bin"));
    assert!(bench.path("a/failures/0/last.ckpt").exists() && bench.path("a/failures/0/repro.sh").exists());
    let mine = fs::read(&a).unwrap();
    for (bytes, expected) in [
        (fs::read(&b).unwrap(), "of another run"),
        (mine[..mine.len() / 2].to_vec(), "changed or cut off"),
        (b"hello".to_vec(), "no checkpoint"),
    ] {
        fs::write(&a, bytes).unwrap();
        let said = bench.run(&["resume", "a", "--timeout", "1", "-q"]).expect(2);
        for text in ["0.bin", expected, "delete the file, and the run begins anew"] {
            assert!(said.stderr.contains(text), "{text}: {}", said.stderr);
        }
    }
}

#[test]
fn a_replay_goes_on_from_a_checkpoint_with_the_same_bits() {
    let bench = bench();
    for (out, ledger) in [("kept", "Always"), ("unkept", "Never")] {
        let long = SMALL.replace("ticks: 8", "ticks: 4000, ledger: (signing: Ed25519)");
        let record = format!("(record: (ledger: {ledger}, events: Always), agents: 6");
        bench.write("long.ron", long.replace("(agents: 6", &record));
        bench.run(&["long.ron", "--timeout", "0.4", "--out", out, "--checkpoint-every", "9", "-q"]).expect(3);
        let passed = bench.read(&format!("{out}/events.jsonl")).matches("\"event\":\"tick\"").count();
        let script = bench.read(&format!("{out}/failures/0/repro.sh"));
        assert!(script.contains("from last.ckpt"), "{script}");
        let replay = |to: usize, more: &[&str]| {
            let to = to.to_string();
            bench.run(&[&["replay", out, "--to-tick", &to], more].concat()).expect(0).stdout
        };
        let whole = replay(passed + 3, &["--from-start"]);
        assert!(whole.starts_with(&format!("tick {} · fingerprint", passed + 3)), "{whole}");
        for file in ["checkpoints/0.bin", "failures/0/last.ckpt"] {
            let cut = replay(passed + 3, &[]);
            let from = format!("from the checkpoint after {passed} ticks: {out}/{file}\n");
            assert_eq!(cut.strip_prefix(&from), Some(whole.as_str()), "{cut}");
            // One that is past the tick is of no use.
            assert!(replay(2, &[]).starts_with("tick 2 "));
            fs::remove_file(bench.path(&format!("{out}/{file}"))).unwrap();
        }
        assert_eq!(replay(passed + 3, &[]), whole, "without a checkpoint it begins at tick 0");
    }
}

#[test]
fn more_replicates_equal_a_campaign_that_was_planned_with_them() {
    let bench = bench();
    bench.run(&["study.ron", "--reps", "2", "--out", "grown", "-q"]).expect(0);
    bench.run(&["extend", "grown", "--reps", "+3", "-q"]).expect(0);
    bench.run(&["study.ron", "--reps", "5", "--out", "planned", "-q"]).expect(0);
    same_results(&bench, "grown", "planned");
}

#[test]
fn shards_merge_into_the_whole() {
    let bench = bench();
    bench.run(&["study.ron", "--out", "whole", "-q"]).expect(0);
    for shard in ["1", "2", "3"] {
        let part = format!("{shard}/3");
        let said = bench.run(&["study.ron", "--shard", &part, "--out", &format!("s{shard}"), "-q"]).expect(0);
        assert!(said.stdout.starts_with(&format!("study (shard {part}) · 6 runs of ")), "{}", said.stdout);
    }
    let said = bench.run(&["merge", "s1", "s3", "--out", "part"]).expect(2);
    assert!(said.stderr.contains("6 runs are in none of the folders"), "{}", said.stderr);
    bench.run(&["merge", "s3", "s1", "s2", "--out", "merged"]).expect(0);
    same_results(&bench, "whole", "merged");
    let said = bench.run(&["merge", "s1", "s1", "--out", "twice"]).expect(2);
    assert!(said.stderr.contains("holds run 0"), "{}", said.stderr);
}

#[test]
fn a_changed_scenario_is_refused_with_its_line() {
    let bench = bench();
    bench.write(
        "mine.ron",
        "(\n    agents: 6,\n    ticks: 3,\n    consensus: (\n        quorum: 0.5,\n    ),\n)\n",
    );
    bench.run(&["mine.ron", "--reps", "2", "--out", "out", "-q"]).expect(0);
    bench.write(
        "mine.ron",
        "(\n    agents: 6,\n    ticks: 3,\n    consensus: (\n        quorum: 0.75,\n    ),\n)\n",
    );
    let said = bench.run(&["resume", "out"]).expect(2);
    assert!(said.stderr.contains("mine.ron:5:"), "{}", said.stderr);
    assert!(said.stderr.contains("is 0.75, and was 0.5 when the campaign began"), "{}", said.stderr);
    let said = bench.run(&["resume", "nowhere"]).expect(2);
    assert!(said.stderr.contains("no manifest"), "{}", said.stderr);
}

#[test]
fn runs_out_of_time_fail_alone_and_can_be_replayed() {
    let bench = bench();
    let said = bench
        .run(&["small.ron", "--reps", "2", "--timeout", "0.000001", "--out", "out", "--json", "-q"])
        .expect(3);
    let document: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(document["runs"][1]["status"], "timeout");
    assert!(document["runs"][1]["detection"].is_null());
    assert!(bench.read("out/failures/1/error.txt").contains("ran out of time"));
    assert!(bench.read("out/failures/1/repro.sh").contains("--run 1"));
    let said = bench.run(&["status", "out"]).expect(0);
    assert!(said.stdout.contains("2 out of time") && said.stdout.contains("another try"), "{}", said.stdout);
    let said = bench.run(&["verify", "out"]).expect(2);
    assert!(said.stderr.contains("no run of it has ended well"), "{}", said.stderr);
    bench.run(&["resume", "out", "-q"]).expect(0);
    bench.run(&["small.ron", "--reps", "2", "--out", "fine", "-q"]).expect(0);
    same_results(&bench, "out", "fine");
    assert!(!bench.path("out/failures").exists(), "what failed has ended well since");
    let said = bench
        .run(&[
            "small.ron",
            "--reps",
            "9",
            "-j",
            "1",
            "--timeout",
            "0.000001",
            "--on-error",
            "stop",
            "--out",
            "stop",
            "--json",
            "-q",
        ])
        .expect(3);
    let document: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(document["runs"].as_array().unwrap().len(), 1);
    let said = bench.run(&["replay", "stop", "--run", "4"]).expect(0);
    assert!(said.stdout.contains("the run has not ended yet"), "{}", said.stdout);
    let said = bench.run(&["report", "stop"]).expect(0);
    assert!(
        said.stdout.contains("not finished: 8 runs missing · 0 runs of 1 configuration"),
        "{}",
        said.stdout
    );
    // Many failures are not said one by one.
    let said = bench
        .run(&["small.ron", "--reps", "40", "--timeout", "0.000001", "--out", "many", "--progress", "none"])
        .expect(3);
    assert_eq!(said.stderr.matches("run failed").count(), 10, "{}", said.stderr);
}

#[test]
fn plans_are_shown_filtered_and_refused() {
    let bench = bench();
    let said = bench.run(&["plan", "study.ron", "-r", "consensus.quorum > 0.6 && ticks < 8"]).expect(0);
    assert!(
        said.stdout.contains("6 runs: 2 configurations × 3 replicates · factorial · common seeds"),
        "{}",
        said.stdout
    );
    assert_eq!(bench.files(), ["small.ron", "study.ron"], "nothing is written");
    let check = |arguments: &[&str], part: &str| {
        let said = bench.run(&[&["run", "small.ron", "--out", "never"], arguments].concat()).expect(2);
        assert!(said.stderr.contains(part), "{arguments:?}: {}", said.stderr);
        assert!(!bench.path("never").exists());
    };
    check(&["--vary", "consensus.quorom=0.5,0.6"], "did you mean `quorum`?");
    check(&["--vary", "consensus.quorum=0.5,1.5"], "1.5 is out of range");
    check(&["--vary", "agents=3:9"], "a range without step");
    check(&["--vary", "agents=3,4", "--set", "agents=5"], "agents: is given by `--set agents=5` too");
    check(&["--vary", "agents=3,4", "--vary", "AGENTS=5"], "agents: is given by `factor agents=3` too");
    check(&["-r", "agents > 1000"], "no configuration of 1 fulfils the conditions");
    check(&["-r", "agnets > 1"], "did you mean `agents`?");
    check(&["--until", "f1 rel<0.1 max 4"], "min must lie between 2 and max");
    check(&["--study", "none"], "the scenario's `studies` are: none");
    check(&["--shard", "4/3"], "expected I/N");
}

#[test]
fn replicates_go_on_until_the_figure_is_known() {
    let bench = bench();
    let until = ["small.ron", "--vary", "ticks=4,8", "--until", "roc_auc rel<0.03 min 3 max 20", "-q"];
    bench.run(&[&until[..], &["--out", "a", "-j", "1"]].concat()).expect(0);
    bench.run(&[&until[..], &["--out", "b", "-j", "3"]].concat()).expect(0);
    same_results(&bench, "a", "b");
    let summary = bench.read("a/summary.csv");
    for line in summary.lines().filter(|l| l.contains(",detection.roc_auc,")) {
        let cells: Vec<&str> = line.rsplit(',').collect();
        let [high, low, _, mean, _, n, ..] = cells.as_slice() else { panic!("{line}") };
        let number = |text: &str| text.parse::<f64>().unwrap();
        let half = (number(high) - number(low)) / 2.0;
        assert!(half < 0.03 * number(mean) || *n == "20", "{line}");
    }
}

#[test]
fn sampled_designs_run() {
    let bench = bench();
    for (design, runs) in
        [("lhs:4", 4), ("sobol:4", 4), ("random:3", 3), ("morris:2", 6), ("saltelli:2", 8), ("zip", 2)]
    {
        let values = if design == "zip" {
            ["consensus.quorum=0.5,0.6", "agents=4,5"]
        } else {
            ["consensus.quorum=0.3:0.9", "agents=3:6"]
        };
        let said = bench
            .run(&[
                "small.ron",
                "--vary",
                values[0],
                "--vary",
                values[1],
                "--design",
                design,
                "--set",
                "ticks=2",
                "--json",
                "-q",
            ])
            .expect(0);
        let document: Value = serde_json::from_str(&said.stdout).unwrap();
        assert_eq!(document["runs"].as_array().unwrap().len(), runs, "{design}");
    }
    bench.write("table.csv", "agents,consensus.quorum\n4,0.5\n5,0.6\n");
    let said = bench.run(&["small.ron", "--design", "table:table.csv", "--json", "-q"]).expect(0);
    let document: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(document["runs"][1]["params"]["agents"], 5);
}

#[test]
fn a_campaign_keeps_the_table_of_its_configurations() {
    let bench = bench();
    bench.write("table.csv", "agents,consensus.quorum\n4,0.5\n5,0.6\n");
    bench.write(
        "listed.ron",
        SMALL.replace("(agents: 6", "(study: (design: Table(file: \"table.csv\")), agents: 6"),
    );
    for shard in ["1", "2"] {
        let (part, out) = (format!("{shard}/2"), format!("s{shard}"));
        bench.run(&["listed.ron", "--reps", "2", "--shard", &part, "--out", &out, "-q"]).expect(0);
    }
    bench.write("table.csv", "agents,consensus.quorum\n4,0.5\n6,0.6\n");
    bench.run(&["listed.ron", "--reps", "2", "--shard", "2/2", "--out", "other", "-q"]).expect(0);
    fs::remove_file(bench.path("table.csv")).unwrap();
    let said = bench.run(&["merge", "s1", "other", "--out", "mixed"]).expect(2);
    assert!(said.stderr.contains("other: its runs would have other parameters"), "{}", said.stderr);
    bench.run(&["merge", "s1", "s2", "--out", "whole"]).expect(0);
    assert!(bench.read("whole/plan.csv").contains("\"\"agents\"\":5"));
    bench.run(&["extend", "whole", "--reps", "+1", "-q"]).expect(0);
    bench.run(&["verify", "whole"]).expect(0);
    bench.write("whole/table.csv", "agents,consensus.quorum\n4,0.5\n7,0.6\n");
    let said = bench.run(&["resume", "whole"]).expect(2);
    assert!(said.stderr.contains("restore manifest.json and table.csv"), "{}", said.stderr);
}

#[test]
fn mistakes_of_studies_are_found_at_their_places() {
    let bench = bench();
    let check = |study: &str, place: &str, expected: &str| {
        bench.write("wrong.ron", format!("(\n    agents: 6,\n    {study}\n)\n"));
        let said = bench.run(&["scenario", "check", "wrong.ron"]).expect(2);
        for part in [&format!("wrong.ron:3:{place}"), expected] {
            assert!(said.stderr.contains(part), "{study}: {}", said.stderr);
        }
    };
    let factor =
        |path: &str, values: &str| format!("factors: [(path: \"{path}\", levels: List(values: {values}))]");
    check(&format!("study: ({}),", factor("agnets", "[3]")), "23: study.factors.0", "did you mean `agents`?");
    check(
        &format!("study: ({}),", factor("agents", "[3, 0]")),
        "23: study.factors.0",
        "with agents=0: agents: 0 is out",
    );
    check(
        &format!("study: ({}),", factor("record.series", "[1]")),
        "23: study.factors.0",
        "only what a run does",
    );
    check("study: (conditions: [\"agents >\"]),", "26: study.conditions.0", "an operator has nothing");
    check("study: (until: \"f1 rel<0.1\"),", "20: study.until", "max COUNT");
    check("study: (design: Sobol(samples: 4)),", "21: study.design", "there are no factors");
    let inherited = format!(
        "studies: [(name: \"a\", {}), (name: \"b\", extends: \"a\")],",
        factor("agents", "[\"many\"]")
    );
    check(&inherited, "37: studies.0.factors.0", "expected a whole number, found `many`");
    bench.write("wrong.ron", "(studies: [(name: \"a\"), (name: \"a\")])");
    let said = bench.run(&["plan", "wrong.ron"]).expect(2);
    assert!(
        said.stderr.contains("study 1 of `studies` is called `a`, as is one before it"),
        "{}",
        said.stderr
    );
    let table = |text: &str, expected: &str| {
        bench.write("table.csv", text);
        let said = bench.run(&["plan", "small.ron", "--design", "table:table.csv"]).expect(2);
        assert!(said.stderr.contains(expected), "{text}: {}", said.stderr);
    };
    table("agents,ticks\n4,5\n4\n", "table.csv: line 3: 1 value, where the first line has 2");
    table("agents,ticks\n4,5\n\n4,soon\n", "table.csv:4: ticks=soon: ticks: expected a whole number");
    table("agents,agents\n4,5\n", "names agents twice");
}

#[test]
fn recorded_runs_are_verified_replayed_and_compared() {
    let bench = bench();
    bench.run(&["study.ron", "--out", "a", "-q"]).expect(0);
    let said = bench.run(&["verify", "a", "--sample", "25%", "--threads", "3"]).expect(0);
    assert!(said.stdout.contains("5 of 5 repeated runs are the same as recorded"), "{}", said.stdout);
    let said = bench.run(&["replay", "a", "--run", "4"]).expect(0);
    assert!(said.stdout.contains("the same as recorded"), "{}", said.stdout);
    let said = bench.run(&["replay", "a", "--run", "4", "--to-tick", "2"]).expect(0);
    assert!(said.stdout.starts_with("tick 2 · fingerprint "), "{}", said.stdout);
    let said = bench.run(&["replay", "a", "--to-tick", "4"]).expect(2);
    assert!(said.stderr.contains("run 0 has no tick 4: its ticks are 0 to 3"), "{}", said.stderr);
    let said = bench.run(&["replay", "a", "--run", "99"]).expect(2);
    assert!(said.stderr.contains("has no run 99: its runs are 0 to 17"), "{}", said.stderr);

    // A record that was tampered with, or came from an engine that computes something else.
    let events = bench.read("a/events.jsonl");
    let line = events.lines().find(|l| l.starts_with("{\"event\":\"run\",\"run\":4,")).unwrap();
    let count = line.split("\"flagged\":").nth(1).unwrap().split(',').next().unwrap();
    let forged = line.replacen(&format!("\"flagged\":{count}"), "\"flagged\":12345", 1);
    bench.write("a/events.jsonl", events.replace(line, &forged));
    let said = bench.run(&["verify", "a"]).expect(4);
    assert!(said.stdout.contains("MOVED  run 4"), "{}", said.stdout);
    assert!(said.stdout.contains("detection.flagged: 12345 → "), "{}", said.stdout);

    bench.run(&["study.ron", "--set", "threshold.quantile.contamination=0.2", "--out", "b", "-q"]).expect(0);
    bench.run(&["study.ron", "--out", "c", "-q"]).expect(0);
    let said = bench.run(&["diff", "b", "c"]).expect(4);
    assert!(said.stdout.contains("manifest  scenario.threshold"), "{}", said.stdout);
    let said = bench.run(&["diff", "c", "c"]).expect(0);
    assert!(said.stdout.contains("18 runs are the same, 0 differ"), "{}", said.stdout);
    // A design that has a configuration twice.
    bench.write("twice.csv", "agents\n4\n4\n");
    bench.run(&["small.ron", "--design", "table:twice.csv", "--out", "twice", "-q"]).expect(0);
    let said = bench.run(&["diff", "twice", "twice"]).expect(0);
    assert!(
        said.stdout.contains("2 runs are the same, 0 differ, 0 are only in A, 0 only in B"),
        "{}",
        said.stdout
    );
}

#[test]
fn two_runs_are_bisected() {
    let bench = bench();
    let said = bench.run(&["bisect", "small.ron", "small.ron", "--threads-b", "3"]).expect(0);
    assert_eq!(said.stdout, "the runs are the same, in every tick\n");
    let said = bench.run(&["bisect", "small.ron", "small.ron", "--set-b", "campaigns.0.start=5"]).expect(4);
    assert!(said.stdout.contains("part in tick 1, phase observe, agent "), "{}", said.stdout);
    bench.run(&["study.ron", "--out", "a", "-q"]).expect(0);
    let said = bench.run(&["bisect", "a", "a", "--run", "2"]).expect(0);
    assert!(said.stdout.contains("the recordings are the same"), "{}", said.stdout);
    let said = bench.run(&["bisect", "a", "small.ron", "--seed-a", "3"]).expect(2);
    assert!(said.stderr.contains("no field and no seed can be set"), "{}", said.stderr);
    // As if another version had recorded it.
    let manifest = bench.read("a/manifest.json");
    bench.write("a/manifest.json", manifest.replacen("\"start\": 2", "\"start\": 3", 1));
    let said = bench.run(&["bisect", "a", "a"]).expect(4);
    let expected = "B: from tick 0 on, this build does not compute what version 0.1.0";
    assert!(said.stdout.contains(expected) && said.stdout.contains("the same for both"), "{}", said.stdout);
}

#[test]
fn a_campaign_becomes_one_page() {
    let bench = bench();
    bench.run(&["study.ron", "--out", "a", "-q"]).expect(0);
    bench.run(&["report", "a", "--html", "a.html", "--markdown", "a.md"]).expect(0);
    let page = bench.read("a.html");
    for part in [
        "<svg",
        "ROC curve of",
        "Precision and recall of",
        "Time to detect, alone against shared",
        "Signatures over time",
        "Messages over time",
        "trust separation",
        "KiB sent by ticks",
        "consensus.quorum",
        "scenario_digest",
    ] {
        assert!(page.contains(part), "{part}");
    }
    for outside in ["src=", "href=", "@import", "url("] {
        assert!(!page.contains(outside), "the page needs the network: {outside}");
    }
    assert!(!page.contains("cannot be drawn"));
    let comment = bench.read("a.md");
    for part in [
        "| quorum=0.5 ticks=4 | 3 |",
        "| ticks | 8 |",
        "#### Differences to quorum=0.5 ticks=4",
        "| quorum=0.7 ticks=8 | 3 |",
    ] {
        assert!(comment.contains(part), "{part}: {comment}");
    }
    // What a factor does to detection is drawn by its levels; replicates of one configuration stand side by side.
    bench.run(&["small.ron", "--vary", "detector=ZScore,Loda", "--reps", "2", "--out", "by", "-q"]).expect(0);
    bench.run(&["report", "by", "--html", "by.html"]).expect(0);
    let page = bench.read("by.html");
    assert!(page.contains("ROC curve by detector") && page.contains(">\nLoda\n<"), "{page}");
    bench.run(&["small.ron", "--reps", "3", "--out", "one", "-q"]).expect(0);
    bench.run(&["report", "one", "--html", "one.html"]).expect(0);
    assert!(bench.read("one.html").contains("KiB sent by replicate"));
    for (design, part) in
        [("morris:2", "#### Elementary effects (Morris)"), ("saltelli:4", "#### Shares of variance (Sobol)")]
    {
        let vary = ["--vary", "consensus.quorum=0.5:0.9", "--vary", "network.loss=0.0:0.5"];
        bench.run(&[&["small.ron", "--design", design, "--out", design, "-q"], &vary[..]].concat()).expect(0);
        let comment = bench.run(&["report", design]).expect(0).stdout;
        assert!(comment.contains(part) && comment.contains("| messages | network.loss |"), "{comment}");
        // Every row of a table has its columns.
        let columns = |line: &str| line.matches(" |").count();
        let table: Vec<&str> =
            comment.lines().skip_while(|l| *l != part).filter(|l| l.starts_with('|')).collect();
        assert!(
            table.iter().all(|row| row.starts_with("|---") || columns(row) == columns(table[0])),
            "{comment}"
        );
    }
}

#[test]
fn random_scenarios_hold_their_invariants() {
    let bench = Bench::new();
    let said = bench.run(&["swarm", "--budget", "2s", "--seeds-file", "seeds.txt"]).expect(0);
    assert!(said.stdout.contains(" 0 failed"), "{}", said.stdout);
    let said = bench.run(&["swarm", "--case", "3"]).expect(0);
    assert_eq!(said.stdout, "ok  case 3\n");
    bench.write("case.ron", bench.run(&["swarm", "--case", "3", "--show"]).expect(0).stdout);
    bench.run(&["scenario", "check", "case.ron"]).expect(0);
}
