//! Plugins against native code of the same algorithm, interleaved; fleets of instances and their memory.
//!
//! `cargo bench -p phalanx-plugin-host`. Ratios are of the best of 25 turns each, so that a busy machine does not matter.
//! Every call runs on fuel, and goes through the trait that the simulation calls.
#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "a bench measures time")]
#![allow(dead_code, unreachable_pub, unused_imports, clippy::needless_range_loop)]

#[path = "../../half-space-trees/src/half_space.rs"]
mod half_space;
#[path = "../../robust-zscore/src/robust_zscore.rs"]
mod robust_zscore;
#[path = "../tests/rows/mod.rs"]
mod rows;

use std::hint::black_box;
use std::time::{Duration, Instant};

use half_space::{HalfSpaceTrees, Size};
use phalanx_core::AgentId;
use phalanx_detect::{Detector, Ewma, EwmaConfig, HostedDetector, StreamingDetector};
use phalanx_plugin_guests::Guest;
use phalanx_plugin_host::{
    BreakerConfig, Config, Isolation, Limits, NanMode, Plugin, PluginDetector, PluginEngine, PluginFactory,
};
use robust_zscore::RobustZScore;
use rows::{rows, schema};

const ROWS: usize = 256;
const COLUMNS: usize = 16;
const TURNS: usize = 25;
/// Times native code that a component may take, by what is done about NaN.
const REJECT_GOAL: f64 = 1.3;
const CANONICAL_GOAL: f64 = 5.0;

/// A guest that only hands out zeros, one a row, from memory that nothing writes to: what calling anything costs.
const NOTHING: &str = "nothing at all";

fn component(name: &str) -> Vec<u8> {
    if name == NOTHING {
        let zeros =
            format!("(call $list (i32.const 65536) (i32.div_u (local.get $length) (i32.const {COLUMNS})))");
        return Guest::mean().with("score", &zeros).build();
    }
    let path = format!("{}/../built/{name}.wasm", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn factory(name: &str, nan: NanMode, isolation: Isolation) -> PluginFactory {
    let bytes = component(name);
    let plugin = Plugin::load(&PluginEngine::new(nan), &bytes, None, Limits::default()).unwrap();
    PluginFactory::new(plugin, Config::new(), isolation, BreakerConfig::default()).unwrap()
}

fn taught(name: &str, nan: NanMode) -> PluginDetector {
    let mut detector = factory(name, nan, Isolation::Live).detector(AgentId(0), 0, &schema(COLUMNS));
    detector.fit(&rows(1, 512, COLUMNS)).unwrap();
    detector
}

/// Time of a call, of enough calls to see it.
fn time(call: &mut dyn FnMut()) -> Duration {
    let start = Instant::now();
    (0..64).for_each(|_| call());
    start.elapsed() / 64
}

/// What every detector does around its algorithm: refuses rows that are not finite, gives scores as `f64`.
fn as_detector(algorithm: impl Fn(&[f32]) -> Vec<f32>) -> impl FnMut(&[f32]) {
    let mut scores: Vec<f64> = Vec::new();
    move |rows| {
        let broken = |value: &f32| value.to_bits() & 0x7F80_0000 == 0x7F80_0000;
        assert!(!rows.iter().fold(false, |any, value| any | broken(value)));
        scores.clear();
        scores.extend(algorithm(rows).into_iter().map(f64::from));
        black_box(&scores);
    }
}

fn compare(name: &str, native: &mut dyn FnMut(&[f32])) {
    let data = rows(2, ROWS, COLUMNS);
    let (fast, strict) = (taught(name, NanMode::Reject), taught(name, NanMode::Canonical));
    let mut scores = Vec::new();
    let mut best = [Duration::MAX; 3];
    for _ in 0..TURNS {
        best[0] = best[0].min(time(&mut || native(black_box(&data))));
        best[1] = best[1].min(time(&mut || fast.score(black_box(&data), &mut scores).unwrap()));
        best[2] = best[2].min(time(&mut || strict.score(black_box(&data), &mut scores).unwrap()));
    }
    let us = best.map(|time| time.as_secs_f64() * 1e6);
    let (reject, canonical) = (us[1] / us[0], us[2] / us[0]);
    let verdict = match reject <= REJECT_GOAL && canonical <= CANONICAL_GOAL {
        _ if name == NOTHING => "the crossing",
        true => "reached",
        false => "missed",
    };
    println!("{name:<18}{:>9.2}{:>9.2}{reject:>8.2}{:>11.2}{canonical:>8.2}  {verdict}", us[0], us[1], us[2]);
}

/// A tick of so many agents on one thread: each scores its rows, then, if it is a streaming
/// detector, learns from them (which includes saving its state).
fn fleet(name: &str, agents: u32, isolation: Isolation, nan: NanMode) {
    const BATCH: usize = 64;
    let schema = schema(COLUMNS);
    let before = resident_kib();
    let factory = factory(name, nan, isolation);
    let window = rows(1, 256, COLUMNS);
    let mut detectors: Vec<PluginDetector> =
        (0..agents).map(|agent| factory.detector(AgentId(agent), 0, &schema)).collect();
    detectors.iter_mut().for_each(|detector| detector.fit(&window).unwrap());
    let (data, mut scores) = (rows(3, BATCH, COLUMNS), Vec::new());
    let mut best = [Duration::MAX; 2];
    let ticks = if agents > 10_000 { 1 } else { 5 };
    for _ in 0..ticks {
        let start = Instant::now();
        detectors.iter().for_each(|detector| detector.score(black_box(&data), &mut scores).unwrap());
        let scored = start.elapsed();
        if detectors[0].is_streaming() {
            detectors.iter_mut().for_each(|detector| detector.update(&data).unwrap());
        }
        best = [best[0].min(scored), best[1].min(start.elapsed() - scored)];
    }
    let mib = resident_kib().saturating_sub(before) as f64 / 1024.0;
    let [score, learn] = best.map(|time| time.as_secs_f64() * 1e3);
    let (isolation, nan) = (format!("{isolation:?}"), format!("{nan:?}"));
    println!("{name:<18}{agents:>8}  {isolation:<10}{nan:<10}{score:>11.2}{learn:>10.2}{mib:>9.1}");
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn main() {
    println!(
        "score {ROWS} x {COLUMNS}, us    native   reject   ratio  canonical   ratio  ({REJECT_GOAL} and {CANONICAL_GOAL})"
    );
    let window = rows(1, 512, COLUMNS);
    let ewma = Ewma::fit(&window, COLUMNS, EwmaConfig::default()).unwrap();
    let mut scores = Vec::new();
    compare("ewma-rust", &mut |data| ewma.score(data, &mut scores).unwrap());
    compare("ewma", &mut |data| ewma.score(data, &mut scores).unwrap());
    let mut trees = HalfSpaceTrees::new(Size { trees: 25, window: 250 }, COLUMNS, 0);
    trees.fit(&window);
    compare("half-space-trees", &mut as_detector(|data| trees.score(data)));
    let mut robust = RobustZScore::new(COLUMNS);
    robust.fit(&window);
    compare("robust-zscore", &mut as_detector(|data| robust.score(data)));
    compare(NOTHING, &mut as_detector(|data| vec![0.0; data.len() / COLUMNS]));

    println!("\nfleets, 64 x {COLUMNS} rows an agent, one thread         score, ms learn, ms      MiB");
    for nan in [NanMode::Reject, NanMode::Canonical] {
        for name in ["robust-zscore", "ewma-rust", "ewma"] {
            fleet(name, 1000, Isolation::Live, nan);
        }
    }
    for name in ["ewma-rust", "ewma"] {
        fleet(name, 4096, Isolation::Live, NanMode::Canonical);
        fleet(name, 100_000, Isolation::Hermetic, NanMode::Canonical);
    }
}
