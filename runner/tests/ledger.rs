//! `ledger verify` on folders that are whole, damaged, or no ledgers.

mod common;

use std::fs;

use common::{Bench, SMALL};

#[test]
fn a_ledger_verifies_until_it_is_damaged() {
    let bench = Bench::new();
    bench.write("small.ron", SMALL);
    bench.run(&["small.ron", "--reps", "2", "--out", "out", "-q"]).expect(0);
    let said = bench.run(&["ledger", "verify", "out"]).expect(0);
    for part in ["ok  out/ledger/0", "ok  out/ledger/1", "entries, head of tick 7, signature ok", "root "] {
        assert!(said.stdout.contains(part), "{part}: {}", said.stdout);
    }
    bench.run(&["ledger", "verify", "out/ledger/1"]).expect(0);

    let db = bench.path("out/ledger/1/db");
    let mut bytes = fs::read(&db).unwrap();
    let version = env!("CARGO_PKG_VERSION").as_bytes();
    let genesis = bytes.windows(version.len()).position(|w| w == version).expect("genesis names the version");
    bytes[genesis] ^= 1;
    fs::write(&db, bytes).unwrap();
    let said = bench.run(&["ledger", "verify", "out"]).expect(4);
    assert!(said.stdout.contains("ok  out/ledger/0"), "the others are still checked: {}", said.stdout);
    assert!(said.stderr.contains("FAILED  out/ledger/1"), "{}", said.stderr);
}

#[test]
fn the_ledger_does_not_depend_on_threads_or_durability() {
    let bench = Bench::new();
    bench.write("small.ron", SMALL);
    bench.run(&["small.ron", "--threads", "1", "--out", "a", "-q"]).expect(0);
    bench
        .run(&["small.ron", "--threads", "2", "--set", "ledger.durability=Tick", "--out", "b", "-q"])
        .expect(0);
    let root = |folder: &str| {
        let said = bench.run(&["ledger", "verify", folder]).expect(0).stdout;
        said.lines().find(|line| line.contains("root")).unwrap().to_owned()
    };
    assert_eq!(root("a"), root("b"));
}

#[test]
fn folders_without_a_ledger_are_bad_input() {
    let bench = Bench::new();
    fs::create_dir(bench.path("empty")).unwrap();
    for folder in ["absent", "empty"] {
        let said = bench.run(&["ledger", "verify", folder]).expect(2);
        assert!(said.stderr.contains(&format!("{folder} holds no ledger")), "{}", said.stderr);
    }
}
