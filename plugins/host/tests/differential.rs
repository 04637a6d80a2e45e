//! The same algorithm as native code and as a component: the same bits, however instances come and go.

#![allow(dead_code, unreachable_pub, clippy::needless_range_loop)]

#[path = "../../half-space-trees/src/half_space.rs"]
mod half_space;
#[path = "../../robust-zscore/src/robust_zscore.rs"]
mod robust_zscore;
mod rows;

use half_space::{HalfSpaceTrees, Size};
use phalanx_core::{AgentId, digest128};
use phalanx_detect::{Detector, Ewma, EwmaConfig, HostedDetector, StreamingDetector};
use phalanx_plugin_host::{
    BreakerConfig, Config, Isolation, Limits, NanMode, Plugin, PluginEngine, PluginFactory, Value,
};
use robust_zscore::RobustZScore;
use rows::{rows, schema};

const AGENTS: u32 = 12;
const TICKS: u64 = 6;
const COLUMNS: usize = 7;

/// Native code: learns from the first rows, scores, learns from what it scored.
trait Native {
    fn fit(&mut self, rows: &[f32]);
    fn score(&mut self, rows: &[f32]) -> Vec<f32>;
    fn update(&mut self, rows: &[f32]);
}

impl Native for RobustZScore {
    fn fit(&mut self, rows: &[f32]) {
        RobustZScore::fit(self, rows);
    }
    fn score(&mut self, rows: &[f32]) -> Vec<f32> {
        RobustZScore::score(self, rows)
    }
    fn update(&mut self, rows: &[f32]) {
        RobustZScore::fit(self, rows);
    }
}

impl Native for HalfSpaceTrees {
    fn fit(&mut self, rows: &[f32]) {
        HalfSpaceTrees::fit(self, rows);
    }
    fn score(&mut self, rows: &[f32]) -> Vec<f32> {
        HalfSpaceTrees::score(self, rows)
    }
    fn update(&mut self, rows: &[f32]) {
        HalfSpaceTrees::update(self, rows);
    }
}

/// The engine's own chart, of which `plugins/ewma-rust` and `plugins/ewma` are translations.
struct Chart(Option<Ewma>);

impl Native for Chart {
    fn fit(&mut self, rows: &[f32]) {
        self.0 = Some(Ewma::fit(rows, COLUMNS, EwmaConfig { lambda: 0.3 }).unwrap());
    }
    fn score(&mut self, rows: &[f32]) -> Vec<f32> {
        let mut scores = Vec::new();
        self.0.as_ref().unwrap().score(rows, &mut scores).unwrap();
        scores.into_iter().map(|score| score as f32).collect()
    }
    fn update(&mut self, rows: &[f32]) {
        self.0.as_mut().unwrap().update(rows).unwrap();
    }
}

fn first(agent: u32) -> Vec<f32> {
    rows(u64::from(agent), 300, COLUMNS)
}

fn batch(agent: u32, tick: u64) -> Vec<f32> {
    rows(1000 * (tick + 1) + u64::from(agent), 40, COLUMNS)
}

fn natively(mut native: impl Native, agent: u32) -> [u8; 16] {
    native.fit(&first(agent));
    let mut answers = Vec::new();
    for tick in 0..TICKS {
        let rows = batch(agent, tick);
        answers.extend(native.score(&rows).into_iter().flat_map(|score| score.to_bits().to_le_bytes()));
        native.update(&rows);
    }
    digest128(&answers)
}

fn as_plugin(factory: &PluginFactory, agent: u32, resumed: bool) -> [u8; 16] {
    let make = || factory.detector(AgentId(agent), u64::from(agent), &schema(COLUMNS));
    let mut detector = make();
    detector.fit(&first(agent)).unwrap();
    let (mut answers, mut scores) = (Vec::new(), Vec::new());
    for tick in 0..TICKS {
        let rows = batch(agent, tick);
        detector.score(&rows, &mut scores).unwrap();
        answers.extend(scores.iter().flat_map(|score| (*score as f32).to_bits().to_le_bytes()));
        if detector.is_streaming() { detector.update(&rows) } else { detector.fit(&rows) }.unwrap();
        if resumed {
            let state = detector.save();
            detector = make();
            detector.restore(&state).unwrap();
        }
    }
    digest128(&answers)
}

#[expect(clippy::needless_pass_by_value, reason = "the cases hand over what they make")]
fn check<N: Native>(name: &str, config: Config, native: impl Fn(u32) -> N) {
    let expected: Vec<_> = (0..AGENTS).map(|agent| natively(native(agent), agent)).collect();
    let bytes = std::fs::read(format!("{}/../built/{name}.wasm", env!("CARGO_MANIFEST_DIR"))).unwrap();
    for nan in [NanMode::Canonical, NanMode::Reject] {
        let plugin = Plugin::load(&PluginEngine::new(nan), &bytes, None, Limits::default()).unwrap();
        for isolation in [Isolation::Live, Isolation::Hermetic] {
            let factory =
                PluginFactory::new(plugin.clone(), config.clone(), isolation, BreakerConfig::default())
                    .unwrap();
            for threads in [1, 2, 8] {
                let pool =
                    rayon::ThreadPoolBuilder::new().num_threads(threads).stack_size(4 << 20).build().unwrap();
                let found: Vec<_> = pool.install(|| {
                    use rayon::prelude::*;
                    (0..AGENTS).into_par_iter().map(|agent| as_plugin(&factory, agent, false)).collect()
                });
                assert_eq!(found, expected, "{name}: {nan:?}, {isolation:?}, {threads} threads");
            }
            let resumed: Vec<_> = (0..AGENTS).map(|agent| as_plugin(&factory, agent, true)).collect();
            assert_eq!(resumed, expected, "{name}: {nan:?}, {isolation:?}, resumed at every tick");
        }
    }
}

#[test]
fn robust_zscore_in_rust() {
    check("robust-zscore", Config::new(), |_| RobustZScore::new(COLUMNS));
}

#[test]
fn half_space_trees_in_rust() {
    let size = Size { trees: 25, window: 100 };
    let config = Config::from([("window".to_owned(), Value::Number(100.0))]);
    check("half-space-trees", config, |agent| HalfSpaceTrees::new(size, COLUMNS, u64::from(agent)));
}

/// One algorithm three times: native, as a component of Rust (with 128-bit vectors) and as one of C.
#[test]
fn the_engines_ewma_in_rust_and_in_c() {
    for name in ["ewma-rust", "ewma"] {
        check(name, Config::from([("lambda".to_owned(), Value::Number(0.3))]), |_| Chart(None));
    }
}
