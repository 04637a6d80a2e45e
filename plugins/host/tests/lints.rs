//! This crate alone may say `unsafe`, in one place.

use std::fs;
use std::path::Path;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The lines of a manifest's lints, without blank ones.
fn lints(manifest: &str, prefix: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(ROOT).join(manifest)).unwrap();
    let mut lines = Vec::new();
    for group in ["rust", "clippy"] {
        let (_, rest) = text.split_once(&format!("[{prefix}.{group}]\n")).expect("there are lints");
        let body = rest.split_once("\n[").map_or(rest, |(body, _)| body);
        lines.push(group.to_owned());
        lines.extend(body.lines().filter(|line| line.contains('=')).map(str::to_owned));
    }
    lines
}

#[test]
fn lints_are_the_workspaces_but_for_one() {
    let workspace = lints("Cargo.toml", "workspace.lints");
    assert!(workspace.contains(&"unsafe_code = \"forbid\"".to_owned()));
    let expected: Vec<_> = workspace
        .iter()
        .map(|line| line.replace("unsafe_code = \"forbid\"", "unsafe_code = \"deny\""))
        .collect();
    assert_eq!(lints("plugins/host/Cargo.toml", "lints"), expected);
}

#[test]
fn one_block_of_one_file_is_unsafe() {
    let mut found = Vec::new();
    for entry in walk(&Path::new(ROOT).join("plugins/host/src")) {
        for line in fs::read_to_string(&entry).unwrap().lines() {
            let code = line.split("//").next().unwrap();
            if code.contains("unsafe") {
                found.push((entry.file_name().unwrap().to_owned(), code.trim().to_owned()));
            }
        }
    }
    let lines: Vec<_> = found.iter().map(|(_, line)| line.as_str()).collect();
    let call = "unsafe { Component::deserialize(&engine.engine, code.bytes()) }.ok()";
    assert_eq!(lines, ["#[allow(unsafe_code)]", call]);
    assert!(found.iter().all(|(file, _)| file == "trusted.rs"));
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
