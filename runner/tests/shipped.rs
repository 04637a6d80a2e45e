//! What ships in `scenarios/` and `golden/`: every scenario is valid, and every golden holds for any number of threads.
//! `.ci/run` checks the goldens a second time with the release binary.

use std::process::{Command, Output};

fn runner(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_runner"))
        .args(arguments)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .unwrap()
}

fn assert_succeeds(arguments: &[&str]) {
    let output = runner(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "runner {}:\n{}{}",
        arguments.join(" "),
        text(&output.stdout),
        text(&output.stderr)
    );
}

#[test]
fn every_scenario_is_valid() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios");
    let entries = [folder.to_owned(), format!("{folder}/experiments")].map(|f| std::fs::read_dir(f).unwrap());
    let mut files: Vec<String> = entries
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path().to_string_lossy().into_owned())
        .filter(|path| path.ends_with(".ron"))
        .collect();
    files.sort();
    assert!(files.len() >= 14);
    let mut arguments = vec!["scenario", "check"];
    arguments.extend(files.iter().map(String::as_str));
    assert_succeeds(&arguments);
}

#[test]
fn goldens_hold_for_1_2_and_8_threads() {
    for threads in ["1", "2", "8"] {
        assert_succeeds(&["golden", "check", "--threads", threads]);
    }
}
