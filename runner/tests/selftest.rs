//! `runner selftest`: every oracle is met, and the answer reads well for people and programs.

mod common;

use std::collections::BTreeSet;

use common::Bench;
use serde_json::Value;

#[test]
fn every_oracle_is_met() {
    let said = Bench::new().run(&["selftest", "--json"]);
    let report: Value = serde_json::from_str(&said.stdout).expect("one JSON document");
    let checks = report["checks"].as_array().unwrap();
    let missed: Vec<&Value> = checks.iter().filter(|check| check["verdict"] != "ok").collect();
    assert!(missed.is_empty(), "runner selftest:\n{missed:#?}");
    assert_eq!((said.code, &report["missed"]), (0, &Value::from(0)));
    let groups: BTreeSet<&str> = checks.iter().map(|check| check["id"].as_str().unwrap()).collect();
    for group in [
        "O1", "O2", "O3", "O4", "O5", "O6", "O7", "O8", "O10", "O11", "O13", "O14", "O15", "O16", "O17",
        "O18",
    ] {
        assert!(groups.contains(group), "{group} is not measured");
    }
    for field in ["quantity", "exact", "measured", "standard_error", "tolerance", "source"] {
        assert!(checks.iter().all(|check| !check[field].is_null()), "{field}");
    }
}
