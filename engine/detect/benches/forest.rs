//! Speed of the isolation forest: `cargo bench -p phalanx-detect`.
//!
//! Two shapes: `classic` is the window of `classic.ron` (1000 × 4), `cover` has the size of ADBench's `10_cover`
//! (286,048 × 10); both hold uniform data. Items are rows, so divan prints rows per second.

use std::hint::black_box;

use divan::counter::ItemsCount;
use phalanx_core::{Purpose, Stream, Streams, Tick};
use phalanx_detect::{Detector, FitScratch, ForestConfig, IsolationForest};

fn main() {
    divan::main();
}

const CLASSIC: (usize, usize) = (1000, 4);
const COVER: (usize, usize) = (286_048, 10);
/// Rows scored in one call.
const SCORED: usize = 10_000;

fn stream(purpose: Purpose) -> Stream {
    Streams::from_seed(1).stream(purpose, 0, Tick(0))
}

fn uniform(rows: usize, width: usize) -> Vec<f32> {
    let mut rng = stream(Purpose::Traffic);
    (0..rows * width).map(|_| rng.uniform() as f32).collect()
}

fn fitted(rows: &[f32], width: usize) -> IsolationForest {
    let mut rng = stream(Purpose::Model);
    IsolationForest::fit(rows, width, &ForestConfig::default(), &mut rng, &mut FitScratch::default())
        .expect("uniform rows")
}

#[divan::bench(args = [CLASSIC, COVER])]
fn fit(bencher: divan::Bencher, (rows, width): (usize, usize)) {
    let data = uniform(rows, width);
    let mut scratch = FitScratch::default();
    let mut rng = stream(Purpose::Model);
    bencher.bench_local(|| {
        IsolationForest::fit(black_box(&data), width, &ForestConfig::default(), &mut rng, &mut scratch)
    });
}

#[divan::bench(args = [CLASSIC, COVER])]
fn refit(bencher: divan::Bencher, (rows, width): (usize, usize)) {
    let data = uniform(rows, width);
    let mut scratch = FitScratch::default();
    let mut rng = stream(Purpose::Model);
    let mut forest = fitted(&data, width);
    bencher.bench_local(|| forest.refit(black_box(&data), &mut rng, &mut scratch));
}

#[divan::bench(args = [CLASSIC, COVER])]
fn score(bencher: divan::Bencher, (_, width): (usize, usize)) {
    let data = uniform(SCORED, width);
    let forest = fitted(&data, width);
    let mut scores = Vec::new();
    bencher.counter(ItemsCount::new(SCORED)).bench_local(|| forest.score(black_box(&data), &mut scores));
}

/// A single row, as when one signature's centroid is voted on: batches are cheaper.
#[divan::bench]
fn score_one(bencher: divan::Bencher) {
    let (rows, width) = CLASSIC;
    let data = uniform(rows, width);
    let forest = fitted(&data, width);
    let mut scores = Vec::new();
    bencher.bench_local(|| forest.score(black_box(&data[..width]), &mut scores));
}

/// One agent's tick of `classic.ron`: refit, score the window for the threshold, a batch, and 99 centroids.
#[divan::bench]
fn classic_tick(bencher: divan::Bencher) {
    let (rows, width) = CLASSIC;
    let data = uniform(rows, width);
    let mut scratch = FitScratch::default();
    let mut rng = stream(Purpose::Model);
    let mut forest = fitted(&data, width);
    let mut scores = Vec::new();
    bencher.bench_local(|| {
        forest.refit(black_box(&data), &mut rng, &mut scratch)?;
        forest.score(&data, &mut scores)?;
        forest.score(&data[..100 * width], &mut scores)?;
        forest.score(&data[..99 * width], &mut scores)
    });
}
