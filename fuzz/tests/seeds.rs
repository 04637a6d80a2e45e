//! What a fuzzer does for hours, done for seconds: every target over its seeds, mutations of them and random bytes.
//!
//! The generator starts from a fixed state, so that a failure is one of the change that is being tested.

use std::path::{Path, PathBuf};

use phalanx_capture::CaptureMap;
use phalanx_fuzz::{TARGETS, Target};
use phalanx_ledger::Entry;
use phalanx_plugin_host::{Limits, NanMode, Plugin, PluginEngine};
use phalanx_sim::{Simulation, TrafficInput};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

/// Files of a target's seed folder, in the order of their names.
fn seeds(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort_unstable();
    paths.into_iter().map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect()
}

fn seed_bytes(name: &str) -> Vec<Vec<u8>> {
    seeds(name).into_iter().map(|(_, bytes)| bytes).collect()
}

/// One step away from a seed.
#[derive(Clone, Debug)]
enum Edit {
    Flip(prop::sample::Index, u8),
    Set(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    Repeat(prop::sample::Index, usize),
    Cut(prop::sample::Index),
    Number(prop::sample::Index, usize),
}

/// Numbers at the edges of what types hold and of what fields allow.
const NUMBERS: [&str; 18] = [
    "0",
    "1",
    "2",
    "7",
    "33",
    "255",
    "256",
    "65535",
    "65536",
    "1073741824",
    "4294967295",
    "-1",
    "0.5",
    "1.0001",
    "1e-9",
    "1e300",
    "NaN",
    "-inf",
];

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        1 => (at(), 0u8..8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        1 => (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        1 => (at(), prop::collection::vec(any::<u8>(), 1..5)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        1 => (at(), 1usize..9).prop_map(|(at, count)| Edit::Remove(at, count)),
        1 => (at(), 1usize..40).prop_map(|(at, count)| Edit::Repeat(at, count)),
        1 => at().prop_map(Edit::Cut),
        4 => (at(), 0..NUMBERS.len()).prop_map(|(at, number)| Edit::Number(at, number)),
    ]
}

fn apply(bytes: &mut Vec<u8>, edit: &Edit) {
    if bytes.is_empty() {
        return;
    }
    let len = bytes.len();
    let range = |at: &prop::sample::Index, count: usize| at.index(len)..(at.index(len) + count).min(len);
    match edit {
        Edit::Flip(at, bit) => bytes[at.index(len)] ^= 1 << bit,
        Edit::Set(at, byte) => bytes[at.index(len)] = *byte,
        Edit::Insert(at, inserted) => {
            bytes.splice(range(at, 0), inserted.iter().copied());
        }
        Edit::Remove(at, count) => {
            bytes.drain(range(at, *count));
        }
        Edit::Repeat(at, count) => {
            let part = bytes[range(at, *count)].to_vec();
            bytes.splice(range(at, 0), part);
        }
        Edit::Cut(at) => bytes.truncate(at.index(len)),
        Edit::Number(at, number) => {
            // The next number after the place, so that every edit of a text meets one.
            let of_number = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
            let start = (at.index(len)..len).find(|i| bytes[*i].is_ascii_digit()).unwrap_or(len);
            let end = (start..len).find(|i| !of_number(&bytes[*i])).unwrap_or(len);
            bytes.splice(start..end, NUMBERS[*number].bytes());
        }
    }
}

fn mutated(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (prop::sample::select(seeds), prop::collection::vec(edit(), 1..6)).prop_map(|(mut bytes, edits)| {
        edits.iter().for_each(|edit| apply(&mut bytes, edit));
        bytes
    })
}

/// Runs a target over `cases` inputs. A failing input is made small and kept where the message says.
fn check(name: &str, target: Target, cases: u32, inputs: impl Strategy<Value = Vec<u8>>) {
    let config = Config { failure_persistence: None, max_shrink_iters: 2000, ..Config::with_cases(cases) };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let outcome = runner.run(&inputs, |bytes| {
        target(&bytes);
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, bytes)) => {
            let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.fail"));
            std::fs::write(&path, &bytes).unwrap();
            panic!(
                "{name}: {reason}\ninput: {:?}\nreplay: cargo run -p phalanx-fuzz --bin {name} -- {}",
                String::from_utf8_lossy(&bytes),
                path.display()
            );
        }
        Err(TestError::Abort(reason)) => panic!("{name}: {reason}"),
    }
}

/// The beginnings of shared files as seeds of a reader of flows, cut so that mutations stay fast. They are made here
/// since the data is not part of the project.
fn shared_seeds(files: &[&str]) -> Vec<Vec<u8>> {
    let folder = std::env::var_os("PHALANX_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")),
        PathBuf::from,
    );
    let mut found = Vec::new();
    for name in files {
        let path = folder.join(name);
        match phalanx_capture::Transport::open(&path) {
            Ok(file) => {
                let head = file.head();
                let head = &head[..head.len().min(SHARED_BYTES)];
                // What is cut may be skipped, and the whole lines before it are read.
                found.push([&[1], head].concat());
            }
            Err(_) => eprintln!("SKIPPED: no {}; set PHALANX_DATA to the shared data", path.display()),
        }
    }
    found
}

/// Bytes of a shared file that make a seed.
const SHARED_BYTES: usize = 6 << 10;

/// As [`run`], with the beginnings of shared files.
fn run_with(name: &str, mutations: u32, files: &[&str]) {
    run(name, mutations);
    let (_, target) = TARGETS.into_iter().find(|(known, _)| *known == name).expect("a target of that name");
    let shared = shared_seeds(files);
    shared.iter().for_each(|bytes| target(bytes));
    if !shared.is_empty() {
        check(name, target, mutations / 2, mutated(shared));
    }
}

/// Seeds, mutations and random bytes of one target.
fn run(name: &str, mutations: u32) {
    let (_, target) = TARGETS.into_iter().find(|(known, _)| *known == name).expect("a target of that name");
    for (path, bytes) in seeds(name) {
        println!("{}", path.display());
        target(&bytes);
    }
    check(name, target, mutations, mutated(seed_bytes(name)));
    check(name, target, mutations / 4, prop::collection::vec(any::<u8>(), 0..300));
}

#[test]
fn capture_csv() {
    run("capture_csv", 1500);
}

#[test]
fn capture_map() {
    run("capture_map", 6000);
}

#[test]
fn flows_zeek_tsv() {
    run_with(
        "flows_zeek_tsv",
        1500,
        &["zeek/host167_day1_conn.log.labeled.gz", "zeek/ctu230_njrat_conn.log.labeled.gz"],
    );
}

#[test]
fn flows_zeek_json() {
    run_with("flows_zeek_json", 1500, &["zeek/nmap_portscans_conn.json.log.gz"]);
}

#[test]
fn flows_eve() {
    run_with("flows_eve", 1500, &["suricata/eve_small.json", "suricata/eve_test6.json.gz"]);
}

#[test]
fn flows_binetflow() {
    let files = ["netflow/argus_malware_dns.binetflow.tsv.gz", "netflow/argus_portscan.binetflow.csv.gz"];
    run_with("flows_binetflow", 1500, &files);
}

#[test]
fn flows_netflow() {
    run("flows_netflow", 1500);
}

#[test]
fn flows_pcap() {
    run_with("flows_pcap", 1500, &["pcap/slips_test7.pcap", "pcap/zeek_wikipedia.pcap"]);
}

#[test]
fn npz() {
    run("npz", 1500);
}

#[test]
fn sealed() {
    run("sealed", 1500);
}

#[test]
fn forest() {
    run("forest", 4000);
}

#[test]
fn ledger_entry() {
    run("ledger_entry", 20_000);
}

#[test]
fn ledger_proof() {
    run("ledger_proof", 4000);
}

#[test]
fn plugin_answer() {
    run("plugin_answer", 4000);
}

#[test]
fn plugin_load() {
    run("plugin_load", 400);
}

#[test]
fn scenario() {
    run("scenario", 3000);
}

/// Seeds that are all refused at the first byte would make every test above pass without testing anything.
#[test]
fn seeds_reach_behind_the_parsers() {
    let accepted = |name: &str, accepts: &dyn Fn(&[u8]) -> bool| {
        seed_bytes(name).iter().filter(|bytes| accepts(bytes)).count()
    };
    let map = |bytes: &[u8]| CaptureMap::from_ron(std::str::from_utf8(bytes).unwrap()).is_ok();
    assert_eq!(accepted("capture_map", &map), 3);
    assert_eq!(accepted("ledger_entry", &|bytes| Entry::decode(bytes).is_ok()), 17);
    assert_eq!(accepted("plugin_answer", &phalanx_fuzz::answer_is_taken), 3);
    let engine = PluginEngine::new(NanMode::Canonical);
    let loads = |bytes: &[u8]| {
        let packed = (bytes[0] == 1).then(|| phalanx_plugin_pack::pack(&bytes[1..]).ok()).flatten();
        let file = packed.as_deref().unwrap_or(&bytes[1..]);
        Plugin::load(&engine, file, None, Limits::default()).is_ok()
    };
    assert_eq!(accepted("plugin_load", &loads), 5);
    let nsl_kdd = CaptureMap::builtin("nsl_kdd").unwrap();
    let rows = |bytes: &[u8]| phalanx_capture::read_csv_from(&bytes[1..], "s".as_ref(), &nsl_kdd).is_ok();
    assert_eq!(accepted("capture_csv", &rows), 1);
    let flows = |bytes: &[u8]| {
        phalanx_capture::FlowReader::new(&bytes[1..], "s".as_ref(), &phalanx_capture::ReadOptions::default())
            .and_then(phalanx_capture::FlowReader::read_all)
            .is_ok()
    };
    for (name, count) in [
        ("flows_binetflow", 3),
        ("flows_eve", 2),
        ("flows_netflow", 10),
        ("flows_pcap", 4),
        ("flows_zeek_json", 2),
        ("flows_zeek_tsv", 3),
    ] {
        assert_eq!(accepted(name, &flows), count, "{name}");
    }
    let npz =
        |bytes: &[u8]| phalanx_capture::read_npz_from(std::io::Cursor::new(bytes), "s".as_ref()).is_ok();
    assert_eq!(accepted("npz", &npz), 4);
    let built = |bytes: &[u8]| {
        let small = phalanx_fuzz::parse_scenario(bytes).filter(|s| s.check().is_ok());
        let small = small.and_then(phalanx_fuzz::within_bounds);
        small.is_some_and(|s| Simulation::new(&s, TrafficInput::Generated, 1).is_ok())
    };
    assert_eq!(accepted("scenario", &built), 24);
}

#[test]
fn every_target_has_glue() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<String> =
        entries.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort_unstable();
    assert_eq!(names, TARGETS.map(|(name, _)| name));
}
