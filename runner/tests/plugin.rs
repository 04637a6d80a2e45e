//! Plugins as their authors and users meet them: the command line.

mod common;

use std::path::{Path, PathBuf};

use common::Bench;
use phalanx_plugin_guests::{Guest, HOSTILE_DETECTORS};

fn built(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/built")).join(name)
}

const EXAMPLES: [&str; 5] = ["ewma", "ewma-rust", "half-space-trees", "reputation", "robust-zscore"];

#[test]
fn the_examples_keep_every_promise() {
    let bench = Bench::new();
    for name in EXAMPLES {
        let file = built(&format!("{name}.wasm"));
        let said = bench.run(&["plugin", "check", file.to_str().unwrap()]).expect(0);
        assert!(said.stdout.contains("keeps all"), "{}", said.stdout);
        let said = bench.run(&["plugin", "inspect", file.to_str().unwrap()]).expect(0);
        assert!(said.stdout.contains(&format!("plugin    {name} 0.1.0")), "{}", said.stdout);
        assert!(said.stdout.contains("imports   none"), "{}", said.stdout);
    }
}

#[test]
fn a_bad_plugin_is_told_what_it_breaks() {
    let bench = Bench::new();
    let check = |guest: &Guest, broken: &str| {
        bench.write("guest.wasm", guest.build());
        let said = bench.run(&["plugin", "check", "guest.wasm"]).expect(4);
        let told = said.stdout.lines().any(|line| line.contains("BROKEN") && line.contains(broken));
        assert!(told, "{broken}:\n{}", said.stdout);
    };
    check(&Guest::hidden_counter(), "keeps no state that it does not save");
    check(&Guest::mean().with("describe", "unreachable"), "is a component of this contract");
    for (name, function, body) in HOSTILE_DETECTORS.iter().filter(|(_, function, _)| *function == "score") {
        let promise =
            if *name == "one score too few" { "answers batches of no row" } else { "without a fault" };
        check(&Guest::mean().with(function, body), promise);
    }
    bench.write("notes.txt", "no plugin");
    let said = bench.run(&["plugin", "check", "notes.txt"]).expect(2);
    assert!(said.stderr.contains("not a WebAssembly component"), "{}", said.stderr);
    bench.write("half.wasm", &Guest::mean().build()[..200]);
    let said = bench.run(&["plugin", "check", "half.wasm"]).expect(2);
    assert!(said.stderr.contains("not a valid component") && said.stdout.is_empty(), "{}", said.stderr);
    bench.write("core.wasm", b"\0asm\x01\0\0\0");
    let said = bench.run(&["plugin", "check", "core.wasm"]).expect(2);
    assert!(said.stderr.contains("runner plugin pack"), "{}", said.stderr);
    bench.run(&["plugin", "check", "nowhere.wasm"]).expect(2);
    let said = bench.run(&["plugin", "check", "guest.wasm", "--config", "lambda"]).expect(2);
    assert!(said.stderr.contains("NAME=VALUE"), "{}", said.stderr);
    let said = bench.run(&["plugin", "check", "guest.wasm", "--json"]).expect(4);
    let report: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(report["passed"], false);
}

#[test]
fn a_scenario_is_pinned_and_run() {
    let bench = Bench::new();
    bench.write("plugins/mean.wasm", Guest::mean().build());
    let world = "agents: 5, ticks: 6, campaigns: [(kind: PortScan, start: 2)]";
    bench.write("a.ron", format!("({world}, detector: Plugin(path: \"plugins/mean.wasm\"))"));
    let said = bench.run(&["run", "a.ron"]).expect(2);
    assert!(said.stderr.contains("runner plugin pin"), "{}", said.stderr);
    bench.run(&["plugin", "pin", "a.ron"]).expect(0);
    let pinned = bench.read("a.ron");
    assert!(pinned.contains("sha256: \""), "{pinned}");
    bench.run(&["plugin", "pin", "a.ron"]).expect(0);
    assert_eq!(bench.read("a.ron"), pinned);

    let fingerprint = |threads: &str, more: &[&str]| {
        let arguments =
            [&["run", "a.ron", "--json", "--progress", "none", "--threads", threads], more].concat();
        let said = bench.run(&arguments).expect(0);
        let document: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
        assert_eq!(document["runs"][0]["plugins"]["faults"], 0, "{document}");
        document["runs"][0]["fingerprint"].as_str().unwrap().to_owned()
    };
    let one = fingerprint("1", &["--out", "one"]);
    assert_eq!(fingerprint("3", &["--out", "three"]), one);
    let manifest: serde_json::Value = serde_json::from_str(&bench.read("one/manifest.json")).unwrap();
    assert_eq!(manifest["plugins"]["wasmtime"], phalanx_plugin_host::WASMTIME);
    assert_eq!(manifest["plugins"]["nan"], "Canonical");
    assert_eq!(manifest["scenario"]["detector"]["Plugin"]["sha256"].as_str().unwrap().len(), 64);
    // Another wasmtime would not do to go on.
    let other = bench.read("one/manifest.json").replace(phalanx_plugin_host::WASMTIME, "47.0.0");
    bench.write("one/manifest.json", other);
    let said = bench.run(&["extend", "one", "--reps", "+1"]).expect(2);
    assert!(said.stderr.contains("plugins with wasmtime 47.0.0"), "{}", said.stderr);
    // The file's place is no part of a result.
    let moved = bench.path("elsewhere.wasm");
    std::fs::copy(bench.path("plugins/mean.wasm"), &moved).unwrap();
    let set = format!("detector.plugin.path={}", moved.display());
    assert_eq!(fingerprint("2", &["--out", "moved", "--set", &set]), one);

    bench.write("plugins/mean.wasm", Guest::hidden_counter().build());
    let said = bench.run(&["run", "a.ron", "--out", "changed"]).expect(2);
    assert!(said.stderr.contains("SHA-256") && said.stderr.contains("plugins/mean.wasm"), "{}", said.stderr);
    bench.write("b.ron", "(agents: 3)");
    bench.run(&["plugin", "pin", "b.ron"]).expect(2);
    let said = bench.run(&["plugin", "pin", "bb.ron"]).expect(2);
    assert!(said.stderr.contains("bb.ron: no such file"), "{}", said.stderr);
}

#[test]
fn a_hostile_plugin_loses_nothing_or_ends_the_run() {
    let bench = Bench::new();
    bench.write("trap.wasm", Guest::mean().with("score", "unreachable").build());
    let scenario = |on_fault: &str| {
        format!(
            "(agents: 4, ticks: 5, detector: Plugin(path: \"trap.wasm\", on_fault: {on_fault}, breaker: (faults: 2)))"
        )
    };
    for (on_fault, code) in [("Abstain", 0), ("Native(Ewma)", 0), ("Abort", 3)] {
        bench.write("s.ron", scenario(on_fault));
        bench.run(&["plugin", "pin", "s.ron"]).expect(0);
        let out = format!("out-{code}-{}", on_fault.len());
        let said = bench.run(&["run", "s.ron", "--json", "--progress", "none", "--out", &out]).expect(code);
        let document: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
        let run = &document["runs"][0];
        assert_eq!(run["status"], if code == 0 { "ok" } else { "failed" });
        if code == 0 {
            assert_eq!(run["plugins"]["fallbacks"], 20);
            assert_eq!(run["plugins"]["opened"], 4);
        }
    }
}

#[test]
fn new_plugins_begin_as_the_examples() {
    let bench = Bench::new();
    for (language, file) in
        [("rust", "src/lib.rs"), ("c", "my-own.c"), ("assemblyscript", "detector.ts"), ("python", "app.py")]
    {
        bench.run(&["plugin", "new", "my-own", "--lang", language]).expect(0);
        let readme = bench.read("my-own/README.md");
        assert!(readme.contains("runner plugin check my-own.wasm"), "{readme}");
        assert!(readme.contains("runner plugin pin scenario.ron"), "{readme}");
        // Its scenario runs with any plugin of that name that takes its settings.
        let scenario = bench.read("my-own/scenario.ron");
        assert_eq!(scenario.contains("\"rules\": "), language == "python", "{scenario}");
        let rules = "\"rules\": \"unexpected_port == 1; unanswered == 1\"";
        bench.write("my-own/scenario.ron", scenario.replace(rules, ""));
        std::fs::copy(built("ewma.wasm"), bench.path("my-own/my-own.wasm")).unwrap();
        bench.run(&["plugin", "pin", "my-own/scenario.ron"]).expect(0);
        let out = format!("out-{language}");
        bench.run(&["my-own/scenario.ron", "--progress", "none", "--out", &out]).expect(0);
        if language == "rust" {
            // All modules of the example, or it would not build.
            let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/robust-zscore/src");
            for source in std::fs::read_dir(example).unwrap() {
                let name = source.unwrap().file_name();
                assert!(bench.path("my-own/src").join(&name).exists(), "{name:?} is missing");
            }
        }
        let source = bench.read(&format!("my-own/{file}"));
        assert!(source.contains("\"my-own\""), "{language}:\n{source}");
        let said = bench.run(&["plugin", "new", "my-own", "--lang", language]).expect(2);
        assert!(said.stderr.contains("another name"), "{}", said.stderr);
        std::fs::remove_dir_all(bench.path("my-own")).unwrap();
    }
    bench.run(&["plugin", "new", "../escape", "--lang", "c"]).expect(2);
}

#[test]
fn modules_are_packed() {
    let bench = Bench::new();
    bench.write("mean.wat", Guest::mean().text());
    let said = bench.run(&["plugin", "pack", "mean.wat", "-o", "mean.wasm"]).expect(0);
    assert!(said.stdout.contains("mean.wasm: mean 0.1.0"), "{}", said.stdout);
    bench.run(&["plugin", "check", "mean.wasm"]).expect(0);
    let said = bench.run(&["plugin", "pack", "mean.wasm"]).expect(2);
    assert!(said.stderr.contains("component already"), "{}", said.stderr);
    bench.write("empty.wat", "(module (memory (export \"memory\") 1))");
    let said = bench.run(&["plugin", "pack", "empty.wat"]).expect(2);
    assert!(said.stderr.contains("exports no `cabi_realloc`"), "{}", said.stderr);
    bench.write("wasi.wat", "(module (import \"wasi_snapshot_preview1\" \"clock_time_get\" (func)))");
    let said = bench.run(&["plugin", "pack", "wasi.wat"]).expect(2);
    assert!(said.stderr.contains("wasi_snapshot_preview1.clock_time_get"), "{}", said.stderr);
}

/// A scenario whose detector is the C example, pinned.
fn with_ewma(bench: &Bench, config: &str) {
    std::fs::copy(built("ewma.wasm"), bench.path("ewma.wasm")).unwrap();
    let text = format!(
        "(agents: 3, ticks: 4,\n detector: Plugin(path: \"ewma.wasm\", config: {config}),\n campaigns: [(kind: PortScan, start: 1)])"
    );
    bench.write("ewma.ron", text);
    bench.run(&["plugin", "pin", "ewma.ron"]).expect(0);
}

#[test]
fn settings_reach_the_plugin() {
    let bench = Bench::new();
    let fingerprint = |more: &[&str]| {
        let out = bench.path(&format!("out{}", bench.files().len()));
        let arguments =
            [&["run", "ewma.ron", "--json", "--progress", "none", "--out", out.to_str().unwrap()], more]
                .concat();
        let said = bench.run(&arguments).expect(0);
        let document: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
        document["runs"][0]["fingerprint"].as_str().unwrap().to_owned()
    };
    with_ewma(&bench, "{ \"lambda\": 0.5 }");
    let half = fingerprint(&[]);
    with_ewma(&bench, "{}");
    assert_ne!(fingerprint(&[]), half);
    assert_eq!(fingerprint(&["--set", "detector.plugin.config.lambda=0.5"]), half);
    assert_eq!(fingerprint(&["--set", "detector.plugin.config={\"lambda\": 0.5}"]), half);
    bench.write("above.ron", "(extends: \"ewma.ron\", detector: Plugin(config: { \"lambda\": 0.5 }))");
    let said = bench.run(&["run", "above.ron", "--json", "--progress", "none", "--out", "above"]).expect(0);
    assert!(said.stdout.contains(&half), "{}", said.stdout);
}

#[test]
fn settings_that_will_not_do_are_refused_before_the_run() {
    let bench = Bench::new();
    for (config, words) in [
        ("{ \"lambda\": 7 }", "`lambda` must be above 0 and at most 1"),
        ("{ \"lambda\": \"x\" }", "the only setting is `lambda`, a number"),
        ("{ \"lambda\": [1] }", "detector.plugin.config.lambda: expected a number, a text, true or false"),
        ("{ \"lambda\": inf }", "expected a finite number"),
        ("{ lambda: 0.5 }", "expected string"),
        ("(lambda: 0.5)", "expected names and values `{ \"name\": value, … }`, found `(`"),
    ] {
        with_ewma(&bench, config);
        let said = bench.run(&["run", "ewma.ron", "--out", "none"]).expect(2);
        assert!(
            said.stderr.contains(words) && said.stderr.contains("ewma.ron:2:"),
            "{config}:\n{}",
            said.stderr
        );
    }
    with_ewma(&bench, "{}");
    for (set, words) in [
        ("config.lambda=7", "`lambda` must be above 0"),
        ("config.other=some text", "the only setting is `lambda`"),
        ("config.lambda.deep=1", "there is nothing below it"),
    ] {
        let said = bench.run(&["run", "ewma.ron", "--set", &format!("detector.plugin.{set}")]).expect(2);
        assert!(said.stderr.contains(words), "{set}:\n{}", said.stderr);
    }
    assert!(!bench.path("none").exists(), "nothing was begun");
}

#[test]
fn files_that_are_no_plugin_are_refused_before_the_run() {
    let bench = Bench::new();
    let good = Guest::mean().build();
    let other_version = {
        let mut bytes = good.clone();
        let old = b"detector@0.1.0";
        let at = bytes.windows(old.len()).position(|window| window == old).unwrap();
        bytes[at + 11] = b'2';
        bytes
    };
    let without_score = {
        let mut bytes = good.clone();
        // The export's name as it stands in the shim, which is the last place.
        let at = bytes.windows(6).rposition(|window| window == b"\x05score").unwrap();
        bytes[at + 5] = b'f';
        bytes
    };
    let cases: [(&str, &[u8], &str); 7] = [
        ("truncated", &good[..good.len() / 2], "not a valid component"),
        ("text", b"#!/bin/sh\n", "not a WebAssembly component"),
        ("empty", b"", "not a WebAssembly component"),
        ("module", b"\0asm\x01\0\0\0", "runner plugin pack"),
        ("version", &other_version, "phalanx:plugin/detector@0.2.0"),
        ("missing", &without_score, "is not that of plugins/wit"),
        ("kind", &Guest::half().build(), "a voting plugin where a detector plugin is needed"),
    ];
    for (name, bytes, words) in cases {
        bench.write("p.wasm", bytes);
        bench.write("p.ron", "(agents: 2, ticks: 2, detector: Plugin(path: \"p.wasm\"))");
        bench.run(&["plugin", "pin", "p.ron"]).expect(0);
        let said = bench.run(&["run", "p.ron", "--out", "none"]).expect(2);
        assert!(said.stderr.contains(words) && said.stderr.contains("p.wasm"), "{name}:\n{}", said.stderr);
        assert!(!bench.path("none").exists(), "{name}: nothing was begun");
    }
    bench.write("q.ron", "(detector: Plugin(path: \"nowhere.wasm\"))");
    let said = bench.run(&["plugin", "pin", "q.ron"]).expect(2);
    assert!(said.stderr.contains("nowhere.wasm"), "{}", said.stderr);
}

#[test]
fn hostile_plugins_lose_nothing_whatever_they_do() {
    let bench = Bench::new();
    for (name, function, body) in HOSTILE_DETECTORS {
        bench.write("hostile.wasm", Guest::mean().with(function, body).build());
        bench.write(
            "h.ron",
            "(agents: 4, ticks: 12, campaigns: [(kind: PortScan, start: 2)],
             detector: Plugin(path: \"hostile.wasm\", on_fault: Native(ZScore), breaker: (faults: 2, cooldown_ticks: 3),
                              isolation: Hermetic, limits: (memory_mib: 4, call_fuel: 200000, row_fuel: 2000)))",
        );
        bench.run(&["plugin", "pin", "h.ron"]).expect(0);
        let run = |threads: &str| {
            let out = format!("{threads}-{}", name.replace(' ', "-"));
            let flags = ["run", "h.ron", "--json", "--progress", "none", "--threads", threads, "--out", &out];
            let code = if *function == "init" { 2 } else { 0 };
            bench.run(&flags).expect(code)
        };
        let said = run("1");
        if *function == "init" {
            // Nobody's settings do: this shows before the run.
            assert!(said.stderr.contains("detector.plugin.config"), "{name}: {}", said.stderr);
            continue;
        }
        let record = |said: &common::Said| -> serde_json::Value {
            let document: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
            let mut run = document["runs"][0].clone();
            run.as_object_mut().unwrap().remove("timing");
            run
        };
        let one = record(&said);
        assert_eq!(one["status"], "ok", "{name}");
        let count = |field: &str| one["plugins"][field].as_u64().unwrap();
        // Every agent is answered for at every tick, and tried again whenever its breaker has cooled down.
        assert_eq!(count("fallbacks"), 4 * 12, "{name}: {}", one["plugins"]);
        assert!(count("faults") >= 4 * 3 && count("opened") >= 4 * 2, "{name}: {}", one["plugins"]);
        assert!(one["detection"]["flagged"].as_u64().unwrap() > 0, "{name}: the native detector stands in");
        assert_eq!(record(&run("3")), one, "{name}");
    }
}

#[test]
fn compiled_plugins_are_kept_on_demand() {
    let bench = Bench::new();
    bench.write("mean.wasm", Guest::mean().build());
    bench.write("a.ron", "(agents: 4, ticks: 4, detector: Plugin(path: \"mean.wasm\"))");
    bench.run(&["plugin", "pin", "a.ron"]).expect(0);
    let run = |out: &str, more: &[&str]| {
        let said = bench.run(&[more, &["run", "a.ron", "-v", "--json", "--out", out]].concat()).expect(0);
        let document: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
        (document["runs"][0]["fingerprint"].as_str().unwrap().to_owned(), said.stderr)
    };
    let (expected, _) = run("none", &[]);
    assert!(!bench.path("cache").exists());
    for (out, words) in [("cold", "compiled and kept"), ("warm", "found compiled")] {
        let (fingerprint, stderr) = run(out, &["--plugin-cache=cache"]);
        assert_eq!(fingerprint, expected);
        assert!(stderr.contains(words), "{out}:\n{stderr}");
        assert_eq!(bench.read("none/manifest.json").matches("cache").count(), 0);
    }
    let file = std::fs::read_dir(bench.path("cache")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(&file, "PHXCODE1 and nothing more").unwrap();
    let (fingerprint, stderr) = run("spoilt", &["--plugin-cache=cache"]);
    assert_eq!(fingerprint, expected);
    assert!(stderr.contains("WARN") && stderr.contains("compiled anew"), "{stderr}");
    // Several processes at once, and commands other than `run`.
    std::fs::remove_file(&file).unwrap();
    let at_once: Vec<_> = (0..4)
        .map(|i| bench.command(&["a.ron", "--plugin-cache=cache", "--out", &format!("at-once-{i}")]))
        .map(|mut command| command.stdout(std::process::Stdio::null()).spawn().unwrap())
        .collect();
    at_once.into_iter().for_each(|mut child| assert!(child.wait().unwrap().success()));
    let said = bench.run(&["--plugin-cache=cache", "plugin", "inspect", "mean.wasm", "-v"]).expect(0);
    assert!(said.stderr.contains("found compiled"), "{}", said.stderr);
    bench.run(&["plugin", "check", "mean.wasm", "--plugin-cache=cache"]).expect(0);

    // Without a folder, where other programs keep such things too.
    let home = bench.path("home");
    let xdg = |variables: &[(&str, &str)]| {
        let mut command = bench.command(&["plugin", "inspect", "mean.wasm", "--plugin-cache"]);
        command.env_remove("XDG_CACHE_HOME").env("HOME", &home).envs(variables.iter().copied());
        common::Said::from(&command.output().unwrap())
    };
    xdg(&[]).expect(0);
    assert!(home.join(".cache/phalanx/plugins").is_dir());
    xdg(&[("XDG_CACHE_HOME", bench.path("xdg").to_str().unwrap())]).expect(0);
    assert!(bench.path("xdg/phalanx/plugins").is_dir());
    let said = xdg(&[("XDG_CACHE_HOME", "relative"), ("HOME", "")]).expect(2);
    assert!(said.stderr.contains("--plugin-cache=DIR"), "{}", said.stderr);
}

#[cfg(unix)]
#[test]
fn a_cache_that_others_can_write_to_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let bench = Bench::new();
    bench.write("mean.wasm", Guest::mean().build());
    std::fs::create_dir(bench.path("cache")).unwrap();
    std::fs::set_permissions(bench.path("cache"), std::fs::Permissions::from_mode(0o777)).unwrap();
    let said = bench.run(&["plugin", "inspect", "mean.wasm", "--plugin-cache=cache"]).expect(2);
    assert!(said.stderr.contains("chmod go-w") && said.stdout.is_empty(), "{}", said.stderr);
    let said = bench.run(&["plugin", "inspect", "mean.wasm", "--plugin-cache=mean.wasm"]).expect(2);
    assert!(said.stderr.contains("mean.wasm: File exists"), "{}", said.stderr);
}
