//! Bless, check, tamper, check.

mod common;

#[cfg(unix)]
use std::process::{Command, Stdio};
#[cfg(unix)]
use std::time::Duration;

use common::{Bench, SMALL};

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("scenarios/small.ron", SMALL);
    bench
}

#[test]
fn a_golden_holds_until_something_moves() {
    let bench = bench();
    let said = bench.run(&["golden", "bless", "scenarios/small.ron"]).expect(0);
    assert_eq!(said.stdout, "blessed  golden/small.ron (new)\n");
    let text = bench.read("golden/small.ron");
    assert!(text.contains("scenario: \"scenarios/small.ron\""), "{text}");
    for threads in ["1", "2", "8"] {
        assert_eq!(bench.run(&["golden", "check", "--threads", threads]).expect(0).stdout, "ok  small\n");
    }

    let flows = text.lines().find(|line| line.contains("\"flows\"")).unwrap().trim().trim_end_matches(',');
    let first_tick = text.lines().find(|line| line.trim().len() == 19).unwrap().trim();
    bench.write(
        "golden/small.ron",
        text.replace(flows, "\"flows\": 1").replace(first_tick, "\"0000000000000000\","),
    );
    let said = bench.run(&["golden", "check", "small"]).expect(4);
    assert!(said.stdout.contains("MOVED  small"), "{}", said.stdout);
    assert!(said.stdout.contains("first tick whose fingerprint differs: 0"), "{}", said.stdout);
    let expected = format!("detection.flows: 1 → {}", flows.trim_start_matches("\"flows\": "));
    assert!(said.stdout.contains(&expected), "{expected}: {}", said.stdout);
    assert_eq!(bench.read("golden/small.updated.ron"), text, "what was found lies beside");

    let said = bench.run(&["golden", "bless"]).expect(0);
    assert!(said.stdout.contains("golden/small.ron ("), "{}", said.stdout);
    assert_eq!(bench.read("golden/small.ron"), text);
    assert!(!bench.files().iter().any(|f| f.contains("updated")));
}

#[test]
fn overrides_belong_to_the_golden_and_the_environment_does_not() {
    let bench = bench().with_variable("PHALANX_TICKS", "2");
    bench.run(&["golden", "bless", "scenarios/small.ron", "--set", "ticks=3", "--name", "short"]).expect(0);
    let text = bench.read("golden/short.ron");
    assert!(text.contains("\"ticks=3\"") && text.contains("\"ticks\": 3"), "{text}");
    bench.run(&["golden", "check", "short"]).expect(0);
    assert_eq!(
        bench.run(&["golden", "bless", "short"]).expect(0).stdout,
        "blessed  golden/short.ron (unchanged)\n"
    );
}

#[test]
fn what_cannot_be_checked_is_said() {
    let bench = bench();
    for verb in ["check", "bless"] {
        let said = bench.run(&["golden", verb]).expect(2);
        assert!(said.stderr.contains("there are no goldens in golden"), "{}", said.stderr);
    }
    bench.run(&["golden", "bless", "scenarios/small.ron", "--set", "ticks=1"]).expect(0);
    let said = bench.run(&["golden", "check", "smal"]).expect(2);
    assert!(said.stderr.contains("did you mean `small`?"), "{}", said.stderr);
    bench.run(&["golden", "bless", "--set", "ticks=1"]).expect(2);
    bench.write("golden/broken.ron", "(format: 1");
    let said = bench.run(&["golden", "check"]).expect(2);
    assert!(said.stdout.contains("ok  small"), "the others are still checked: {}", said.stdout);
    assert!(
        said.stdout.contains("FAILED  broken") && said.stderr.contains("golden/broken.ron"),
        "{}",
        said.stderr
    );
}

#[test]
fn goldens_are_blessed_from_committed_engines_only() {
    let bench = bench();
    let git = |arguments: &[&str]| {
        std::process::Command::new("git").arg("-C").arg(bench.path("")).args(arguments).output()
    };
    if !git(&["init", "-q"]).is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: there is no git");
        return;
    }
    bench.run(&["golden", "bless", "scenarios/small.ron"]).expect(0);
    bench.write("engine/core/src/lib.rs", "// new");
    let said = bench.run(&["golden", "bless"]).expect(2);
    assert!(said.stderr.contains("engine/ has changes that are not committed"), "{}", said.stderr);
    bench.run(&["golden", "bless", "--force"]).expect(0);
}

#[cfg(unix)]
#[test]
fn a_run_that_was_interrupted_is_no_outcome() {
    let bench = bench();
    bench.run(&["golden", "bless", "scenarios/small.ron"]).expect(0);
    let blessed = bench.read("golden/small.ron");
    // The same with so many ticks that it is still running when the signal comes.
    bench.write("golden/small.ron", blessed.replacen("set: []", "set: [\"ticks=1000000\"]", 1));
    let text = bench.read("golden/small.ron");
    for arguments in [
        &["golden", "check"][..],
        &["golden", "bless"],
        &[
            "bisect",
            "scenarios/small.ron",
            "scenarios/small.ron",
            "--set-a",
            "ticks=1000000",
            "--set-b",
            "ticks=1000000",
        ],
    ] {
        let mut command = bench.command(arguments);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(400));
        let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let said = child.wait_with_output().unwrap();
        let (out, error) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
        assert_eq!(said.status.code(), Some(130), "{arguments:?}: {out}{error}");
        assert_eq!(out, "", "{arguments:?}");
        assert!(error.contains("interrupted"), "{error}");
        assert_eq!(bench.read("golden/small.ron"), text);
        assert!(!bench.files().iter().any(|f| f.contains("updated")));
    }
}
