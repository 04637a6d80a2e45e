//! The crate edges that ARCHITECTURE.md draws, against what cargo knows. Dev-dependencies are free: tests may look
//! across.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

#[test]
fn crates_depend_on_each_other_as_drawn() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut edges: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let short = |name: &Value| name.as_str().unwrap().strip_prefix("phalanx-").map(str::to_owned);
    for package in metadata["packages"].as_array().unwrap() {
        let mut to: Vec<String> = package["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|dependency| dependency["kind"].is_null())
            .filter_map(|dependency| short(&dependency["name"]))
            .collect();
        to.sort();
        let from = short(&package["name"]).expect("every package is named phalanx-…");
        // Fuzz targets reach into everything, and nothing depends on them.
        if from != "fuzz" {
            edges.insert(from, to);
        }
    }
    assert_eq!(edges, drawn(root), "change ARCHITECTURE.md first, then the crates");

    let sled_users: Vec<String> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|p| p["dependencies"].as_array().unwrap().iter().any(|d| d["name"] == "sled"))
        .filter_map(|p| short(&p["name"]))
        .collect();
    assert_eq!(sled_users, ["ledger"], "only the ledger names sled");
    let wasmtime_users: Vec<String> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|p| p["dependencies"].as_array().unwrap().iter().any(|d| d["name"] == "wasmtime"))
        .filter_map(|p| short(&p["name"]))
        .collect();
    assert_eq!(wasmtime_users, ["plugin-host"], "only the plugin host names wasmtime");
}

/// Lines `from → a, b` of the document.
fn drawn(root: &str) -> BTreeMap<String, Vec<String>> {
    let text = std::fs::read_to_string(format!("{root}/ARCHITECTURE.md")).unwrap();
    let block =
        text.split("```").find(|block| block.contains("runner  →")).expect("the crate edges are drawn");
    let mut edges: BTreeMap<String, Vec<String>> = block
        .lines()
        .filter_map(|line| line.split_once('→'))
        .map(|(from, to)| {
            let mut to: Vec<String> = to.split(',').map(|name| name.trim().to_owned()).collect();
            to.sort();
            (from.trim().to_owned(), to)
        })
        .collect();
    for leaf in ["core", "consensus", "plugin-pack"] {
        edges.entry(leaf.to_owned()).or_default();
    }
    edges
}
