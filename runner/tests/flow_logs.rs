//! Logs of sensors replayed by their timestamps, one agent a log, and who could have warned whom.

mod common;

use std::path::PathBuf;

use common::Bench;
use serde_json::Value;

const HEADER: &str = "#separator \\x09\n#path\tconn\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\t\
                      conn_state\torig_pkts\tresp_pkts\torig_ip_bytes\tresp_ip_bytes\tlabel\n";

/// A log in which the host `own` visits a server every ten seconds, and attackers knock at the given seconds.
fn log(own: &str, attacks: &[(u32, &str)]) -> String {
    let mut lines: Vec<(u32, String)> = (0..60)
        .map(|i| {
            let (at, bytes) = (i * 10, 300 + i);
            (at, format!("{at}.0\t{own}\t40000\t9.9.9.9\t443\ttcp\tSF\t8\t9\t{bytes}\t5000\tBenign\n"))
        })
        .collect();
    lines.extend(attacks.iter().map(|(at, source)| {
        (*at, format!("{at}.5\t{source}\t55555\t{own}\t23\ttcp\tS0\t1\t0\t40\t0\tMalicious\n"))
    }));
    lines.sort();
    lines.into_iter().fold(HEADER.to_owned(), |text, (_, line)| text + &line)
}

const SCENARIO: &str = "(agents: 2, ticks: 60, traffic: Capture(path: \"LOGS\", files: [\"a.log\", \"b.log\"], \
                        split: ByFile), detector: IsolationForest(trees: 20, sample: 32), \
                        model: (refit_ticks: 0), signature: (support_min: 1, memory_ticks: 1), \
                        network: (latency: (min_ticks: 0, max_ticks: 0), loss: 0))";

fn bench(folder: &str) -> Bench {
    let bench = Bench::new();
    bench.write(&format!("{folder}/a.log"), log("10.0.0.1", &[(100, "5.5.5.5"), (400, "6.6.6.6")]));
    bench.write(
        &format!("{folder}/b.log"),
        log("10.0.0.2", &[(101, "6.6.6.6"), (300, "5.5.5.5"), (301, "5.5.5.5")]),
    );
    bench
}

fn record(said: &common::Said) -> Value {
    let document: Value = serde_json::from_str(&said.stdout).unwrap();
    document["runs"][0].clone()
}

#[test]
fn warnings_follow_the_timestamps() {
    let bench = bench("logs");
    bench.write("s.ron", SCENARIO.replace("LOGS", "logs"));
    let record = record(&bench.run(&["run", "s.ron", "--json", "--progress", "none"]).expect(0));
    let warnings = &record["warnings"];
    // b's flows from 5.5.5.5 and a's from 6.6.6.6 came after the other had met the address.
    assert_eq!((&warnings["flows"], &warnings["prewarned_flows"]), (&5.into(), &3.into()), "{warnings}");
    assert_eq!(
        (&warnings["contacts"], &warnings["prewarned_contacts"]),
        (&4.into(), &2.into()),
        "{warnings}"
    );
    let hosts: Vec<&str> =
        warnings["hosts"].as_array().unwrap().iter().map(|h| h["name"].as_str().unwrap()).collect();
    assert_eq!(hosts, ["a", "b"]);
    assert_eq!(record["sharing"]["blocked_benign"], 0);
    // Half of each host's 60 benign flows was learned from instead of being replayed.
    assert_eq!(record["detection"]["flows"], 2 * 30 + 5);
    let said = bench.run(&["run", "s.ron", "--progress", "none"]).expect(0).stdout;
    assert!(said.contains("early warning") && said.contains("60.0 %"), "{said}");
}

#[test]
fn results_do_not_depend_on_where_the_logs_lie() {
    let bench = bench("data/logs").with_variable("PHALANX_DATA", "data");
    bench.write("s.ron", SCENARIO.replace("LOGS", "/nowhere/data/logs"));
    bench.write("t.ron", SCENARIO.replace("LOGS", "data/logs"));
    let fingerprint = |scenario: &str| {
        let said = bench.run(&["run", scenario, "--json", "--progress", "none", "--seed", "3"]).expect(0);
        record(&said)["fingerprint"].clone()
    };
    assert_eq!(fingerprint("s.ron"), fingerprint("t.ron"));
}

#[test]
fn missing_logs_are_named_with_the_remedy() {
    let bench = bench("logs");
    bench.write("s.ron", SCENARIO.replace("LOGS", "nowhere"));
    let said = bench.run(&["run", "s.ron"]).expect(2);
    assert!(said.stderr.contains("--set traffic.capture.path="), "{}", said.stderr);
    bench.write("t.ron", SCENARIO.replace("LOGS", "logs").replace("b.log", "c.log"));
    let said = bench.run(&["run", "t.ron"]).expect(2);
    assert!(
        said.stderr.contains("traffic.capture.files") && said.stderr.contains("c.log"),
        "{}",
        said.stderr
    );
    bench.write("u.ron", SCENARIO.replace("files: [\"a.log\", \"b.log\"], ", ""));
    let said = bench.run(&["scenario", "check", "u.ron"]).expect(2);
    assert!(said.stderr.contains("traffic.capture.files"), "{}", said.stderr);
}

/// baselines.md §5, hosts 167, 165 and 234: shares of flows and of first contacts that another host could have warned
/// of. No benign flow is blocked.
#[test]
fn ctu_50_hosts_warn_each_other_as_published() {
    let data = std::env::var_os("PHALANX_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")),
        PathBuf::from,
    );
    let folder = data.join("zeek");
    if !folder.is_dir() {
        eprintln!("SKIPPED: no {}; set PHALANX_DATA to the folder that has zeek/", folder.display());
        return;
    }
    let path = format!("traffic.capture.path={}", folder.display());
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/zeek_ctu50.ron");
    let said = Bench::new().run(&["run", scenario, "--set", &path, "--json", "--progress", "none"]).expect(0);
    let record = record(&said);
    let per_mille = |host: &Value, part: &str, whole: &str| {
        (1000.0 * host[part].as_f64().unwrap() / host[whole].as_f64().unwrap()).round() as u32
    };
    let hosts = record["warnings"]["hosts"].as_array().unwrap();
    let flows: Vec<u32> = hosts.iter().map(|h| per_mille(h, "prewarned_flows", "flows")).collect();
    let contacts: Vec<u32> = hosts.iter().map(|h| per_mille(h, "prewarned_contacts", "contacts")).collect();
    assert_eq!((flows, contacts), (vec![532, 574, 467], vec![187, 209, 375]));
    assert_eq!(record["sharing"]["blocked_benign"], 0);
    assert!(record["warnings"]["stopped_flows"].as_u64().unwrap() > 0);
}

#[test]
fn exports_of_flows_are_replayed() {
    let bench = Bench::new();
    // The first byte of a seed is the fuzz target's own.
    bench.write("logs/a", &include_bytes!("../../fuzz/seeds/flows_netflow/v5")[1..]);
    bench.write("logs/b", &include_bytes!("../../fuzz/seeds/flows_netflow/v9_template_last")[1..]);
    let scenario = SCENARIO.replace("LOGS", "logs").replace("a.log", "a").replace("b.log", "b");
    bench.write("s.ron", &scenario);
    let run = |more: &[&str]| {
        let args = [&["run", "s.ron", "--json", "--progress", "none"][..], more].concat();
        record(&bench.run(&args).expect(0))
    };
    let (one_way, both_ways) = (run(&[]), run(&["--set", "traffic.capture.both_ways=true"]));
    // Of three flows a file, every second was learned from.
    assert_eq!((&one_way["detection"]["flows"], &both_ways["detection"]["flows"]), (&4.into(), &4.into()));
    // What was not reported is unknown in the one and nothing in the other.
    assert_ne!(one_way["fingerprint"], both_ways["fingerprint"]);
    bench.write("t.ron", "(traffic: Capture(path: \"logs/a\", both_ways: true))");
    let said = bench.run(&["run", "t.ron"]).expect(2);
    assert!(said.stderr.contains("traffic.capture.both_ways"), "{}", said.stderr);
}
