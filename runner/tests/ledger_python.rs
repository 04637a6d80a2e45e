//! Our proofs and sealed files before a verifier that shares nothing with ours: sixty lines of Python and hashlib.

mod common;

use std::path::Path;
use std::process::Command;

use common::{Bench, SMALL};
use serde_json::Value;

/// What the Python program says to these arguments; `None` without Python.
fn python(bench: &Bench, arguments: &[&str]) -> Option<bool> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verify_proof.py");
    let output = Command::new("python3").arg(script).args(arguments).current_dir(bench.path("")).output();
    match output {
        Ok(output) => {
            assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
            Some(output.status.success())
        }
        Err(error) => {
            eprintln!("SKIPPED: no python3 to verify proofs with: {error}");
            None
        }
    }
}

#[test]
fn an_independent_verifier_agrees() {
    let bench = Bench::new();
    bench.write("small.ron", SMALL);
    bench.run(&["small.ron", "--out", "a", "-q"]).expect(0);
    let head: Value = serde_json::from_str(&bench.run(&["ledger", "head", "a"]).expect(0).stdout).unwrap();
    let (root, size) = (head["root"].as_str().unwrap(), head["size"].as_u64().unwrap());
    let wrong_root = "00".repeat(32);
    let mut number = 0;
    let mut check = |arguments: &[&str]| {
        number += 1;
        let file = format!("{number}.json");
        bench.run(&[&["ledger", "prove", "a"], arguments, &["--output", &file]].concat()).expect(0);
        for (root, expected) in [(root, true), (&wrong_root, false)] {
            match python(&bench, &[root, &file]) {
                Some(said) => assert_eq!(said, expected, "{arguments:?} under {root}"),
                None => return,
            }
        }
    };
    for index in [0, 1, size / 2, size - 1] {
        check(&[&index.to_string()]);
    }
    for old in [1, 2, 3, 4, 7, 8, size - 1, size] {
        check(&["--consistency", &old.to_string(), &size.to_string()]);
    }
    let sealed = bench.run(&["ledger", "seal", "a", "--json"]).expect(0).stdout;
    let sealed: Value = serde_json::from_str(&sealed).unwrap();
    let file = sealed["path"].as_str().unwrap();
    if let Some(said) = python(&bench, &[root, "--sealed", file]) {
        assert!(said, "the sealed file has the head's root");
        assert_eq!(python(&bench, &[&wrong_root, "--sealed", file]), Some(false));
        let mut bytes = std::fs::read(bench.path(file)).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        bench.write("spoiled", bytes);
        assert_eq!(python(&bench, &[root, "--sealed", "spoiled"]), Some(false));
    }
}
