//! What is refused before anything runs, and how.

use phalanx_plugin_guests::Guest;
use phalanx_plugin_host::{Limits, LoadError, NanMode, Plugin, PluginEngine, WASMTIME, inspect};

fn load(bytes: &[u8], pinned: Option<[u8; 32]>) -> Result<Plugin, LoadError> {
    Plugin::load(&PluginEngine::new(NanMode::Canonical), bytes, pinned, Limits::default())
}

/// The message has all of these words.
fn check(bytes: &[u8], words: &[&str]) {
    let error = load(bytes, None).unwrap_err().to_string();
    for word in words {
        assert!(error.contains(word), "{error:?} does not say {word:?}");
    }
}

#[test]
fn a_plugin_says_what_it_is() {
    let bytes = Guest::mean().build();
    let about = load(&bytes, None).unwrap().about().clone();
    assert_eq!((about.name.as_str(), about.version.as_str(), about.bytes), ("mean", "0.1.0", bytes.len()));
    let seen = inspect(&PluginEngine::new(NanMode::Canonical), &bytes).unwrap();
    assert_eq!(seen.interface.as_deref(), Some("phalanx:plugin/detector@0.1.0"));
    assert!(seen.supported && seen.imports.is_empty());
    for line in ["interface phalanx:plugin/detector@0.1.0", "  function score", "  type setting"] {
        assert!(seen.exports.iter().any(|export| export == line), "{line} is not among {:?}", seen.exports);
    }
    assert_eq!(load(&bytes, Some(about.sha256)).unwrap().about(), &about);
}

#[test]
fn the_wrong_file_is_refused() {
    let bytes = Guest::mean().build();
    let error = load(&bytes, Some([7; 32])).unwrap_err();
    assert!(matches!(error, LoadError::Hash { .. }));
    assert!(error.to_string().contains("0707070707") && error.to_string().contains("runner plugin pin"));
    check(b"#!/bin/sh", &["not a WebAssembly component"]);
    check(b"", &["not a WebAssembly component"]);
    check(b"\0asm\x01\0\0\0", &["core module", "runner plugin pack"]);
    check(&bytes[..bytes.len() / 2], &["not a valid component"]);
    check(&vec![0; Limits::FILE_BYTES + 1], &["33554433 bytes"]);
}

#[test]
fn other_contracts_are_refused() {
    let component = |text: &str| phalanx_plugin_guests::component(text);
    check(&component("(component)"), &["phalanx:plugin/detector@0.1.0", "nothing"]);
    check(
        &component("(component (import \"wasi:clocks/wall-clock@0.2.0\" (instance)))"),
        &["imports `wasi:clocks/wall-clock@0.2.0`", "docs/plugins.md"],
    );
    let exporting =
        |name: &str| component(&format!("(component (instance $i) (export \"{name}\" (instance $i)))"));
    check(&exporting("other:thing/detector@0.1.0"), &["`other:thing/detector@0.1.0`"]);
    for version in ["0.2.0", "1.0.0", "0.10.0"] {
        let found = format!("phalanx:plugin/detector@{version}");
        check(&exporting(&found), &[found.as_str(), "phalanx:plugin@0.1.0"]);
    }
    check(&exporting("phalanx:plugin/ledger@0.1.0"), &["phalanx:plugin/ledger@0.1.0"]);
    // An interface without its functions.
    check(&exporting("phalanx:plugin/detector@0.1.0"), &["is not that of plugins/wit"]);
    check(&exporting("phalanx:plugin/voting@0.1.3"), &["is not that of plugins/wit"]);
}

#[test]
fn a_plugin_that_does_not_start_is_refused() {
    check(
        &Guest::mean().with("describe", "unreachable").build(),
        &["does not start", "describe", "unreachable"],
    );
    let nameless = Guest::mean().with("describe", "(i32.store (i32.const 36) (i32.const 0)) (i32.const 32)");
    check(&nameless.build(), &["name must be 1 to 64 characters"]);
    let garbled = Guest::mean().with("describe", "(i32.store8 (i32.const 64) (i32.const 10)) (i32.const 32)");
    check(&garbled.build(), &["control character"]);
    check(
        &Guest::mean().with("describe", "(i32.store8 (i32.const 48) (i32.const 9)) (i32.const 32)").build(),
        &["does not start"],
    );
}

#[test]
fn the_wasmtime_of_manifests_is_the_one_that_runs() {
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock")).unwrap();
    assert!(
        lock.contains(&format!("name = \"wasmtime\"\nversion = \"{WASMTIME}\"\n")),
        "update WASMTIME in engine.rs"
    );
}
