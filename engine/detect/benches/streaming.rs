//! Speed of the streaming detectors and of what goes with a score: `cargo bench -p phalanx-detect --bench streaming`.
//!
//! Uniform rows of 3 features, as river's and rrcf's baselines on `16_http` have, and of 10. Items are rows.

use std::hint::black_box;

use divan::counter::ItemsCount;
use phalanx_core::{Purpose, Stream, Streams, Tick};
use phalanx_detect::{
    Adwin, Baseline, Calibration, ColumnKind, Cusum, CusumConfig, DriftDetector, Ewma, EwmaConfig,
    HalfSpaceConfig, HalfSpaceTrees, PageHinkley, PageHinkleyConfig, RandomCutConfig, RobustRandomCutForest,
    Scaling, StreamingDetector, ThresholdPolicy, Transform,
};

fn main() {
    divan::main();
}

const WIDTHS: [usize; 2] = [3, 10];
const ROWS: usize = 10_000;

fn stream(purpose: Purpose) -> Stream {
    Streams::from_seed(1).stream(purpose, 0, Tick(0))
}

fn uniform(rows: usize, width: usize) -> Vec<f32> {
    let mut rng = stream(Purpose::Traffic);
    (0..rows * width).map(|_| rng.uniform() as f32).collect()
}

fn half_space(width: usize) -> HalfSpaceTrees {
    HalfSpaceTrees::new(width, &HalfSpaceConfig::default(), &mut stream(Purpose::Model))
        .expect("a configuration")
}

fn random_cut(width: usize) -> RobustRandomCutForest {
    RobustRandomCutForest::new(width, &RandomCutConfig::default(), &mut stream(Purpose::Model))
        .expect("a configuration")
}

fn baselines(width: usize) -> Vec<Baseline> {
    vec![Baseline { mean: 0.5, sd: 0.3 }; width]
}

fn ewma(width: usize) -> Ewma {
    Ewma::new(baselines(width), EwmaConfig::default()).expect("a configuration")
}

fn cusum(width: usize) -> Cusum {
    Cusum::new(baselines(width), CusumConfig::default()).expect("a configuration")
}

/// Scores each of `rows` rows, then learns from it.
fn prequential<D: StreamingDetector>(bencher: divan::Bencher, mut detector: D, rows: usize) {
    let data = uniform(rows, detector.width());
    detector.update(&data).expect("uniform rows");
    let mut scores = Vec::new();
    bencher
        .counter(ItemsCount::new(rows))
        .bench_local(|| detector.score_then_update(black_box(&data), &mut scores));
}

fn score<D: StreamingDetector>(bencher: divan::Bencher, mut detector: D, rows: usize) {
    let data = uniform(rows, detector.width());
    detector.update(&data).expect("uniform rows");
    let mut scores = Vec::new();
    bencher.counter(ItemsCount::new(rows)).bench_local(|| detector.score(black_box(&data), &mut scores));
}

fn update<D: StreamingDetector>(bencher: divan::Bencher, mut detector: D, rows: usize) {
    let data = uniform(rows, detector.width());
    detector.update(&data).expect("uniform rows");
    bencher.counter(ItemsCount::new(rows)).bench_local(|| detector.update(black_box(&data)));
}

#[divan::bench(args = WIDTHS)]
fn half_space_prequential(bencher: divan::Bencher, width: usize) {
    prequential(bencher, half_space(width), ROWS);
}

#[divan::bench(args = WIDTHS)]
fn half_space_score(bencher: divan::Bencher, width: usize) {
    score(bencher, half_space(width), ROWS);
}

#[divan::bench(args = WIDTHS)]
fn half_space_update(bencher: divan::Bencher, width: usize) {
    update(bencher, half_space(width), ROWS);
}

#[divan::bench(args = WIDTHS)]
fn random_cut_prequential(bencher: divan::Bencher, width: usize) {
    prequential(bencher, random_cut(width), 1000);
}

#[divan::bench(args = WIDTHS)]
fn random_cut_score(bencher: divan::Bencher, width: usize) {
    score(bencher, random_cut(width), 1000);
}

#[divan::bench(args = WIDTHS)]
fn random_cut_update(bencher: divan::Bencher, width: usize) {
    update(bencher, random_cut(width), 1000);
}

#[divan::bench(args = WIDTHS)]
fn ewma_prequential(bencher: divan::Bencher, width: usize) {
    prequential(bencher, ewma(width), ROWS);
}

#[divan::bench(args = WIDTHS)]
fn cusum_prequential(bencher: divan::Bencher, width: usize) {
    prequential(bencher, cusum(width), ROWS);
}

#[divan::bench(args = WIDTHS)]
fn transform_log1p(bencher: divan::Bencher, width: usize) {
    let data = uniform(ROWS, width);
    let transform =
        Transform::fit(&data, &vec![ColumnKind::Log1p; width], Scaling::Standard).expect("uniform rows");
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| transform.apply(black_box(&data)));
}

fn scores() -> Vec<f64> {
    uniform(ROWS, 1).iter().map(|x| f64::from(*x)).collect()
}

#[divan::bench]
fn adwin(bencher: divan::Bencher) {
    let (data, mut window) = (scores(), Adwin::default());
    bencher
        .counter(ItemsCount::new(ROWS))
        .bench_local(|| black_box(&data).iter().filter(|value| window.update(**value)).count());
}

#[divan::bench]
fn page_hinkley(bencher: divan::Bencher) {
    let data = scores();
    let mut test = PageHinkley::new(PageHinkleyConfig::default()).expect("a configuration");
    bencher
        .counter(ItemsCount::new(ROWS))
        .bench_local(|| black_box(&data).iter().filter(|value| test.update(**value)).count());
}

#[divan::bench]
fn calibration_add(bencher: divan::Bencher) {
    let data = scores();
    let mut calibration = Calibration::default();
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| calibration.add_all(black_box(&data)));
}

#[divan::bench]
fn false_discovery_flags(bencher: divan::Bencher) {
    let data = scores();
    let threshold = ThresholdPolicy::FalseDiscovery { alpha: 0.05 }.fit(&data).expect("scores");
    let mut flags = Vec::new();
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| threshold.flag(black_box(&data), &mut flags));
}
