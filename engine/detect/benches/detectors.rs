//! Speed of every batch detector of the registry: `cargo bench -p phalanx-detect --bench detectors`.
//!
//! Rows look like encoded flows: 40 skewed numbers whose level depends on one of 16 services, and the service one-hot.
//! Items are rows, so divan prints rows per second.

use divan::counter::ItemsCount;
use phalanx_core::{Purpose, Stream, Streams, Tick};
use phalanx_detect::{Detector, DetectorKind, FitScratch};
use std::hint::black_box;

fn main() {
    divan::main();
}

const NUMBERS: usize = 40;
const SERVICES: usize = 16;
const WIDTH: usize = NUMBERS + SERVICES;
/// Training rows, as many as half of the normal rows of the shared part of UNSW-NB15.
const TRAINED: usize = 14_000;
/// Rows scored in one call.
const SCORED: usize = 10_000;

fn stream(purpose: Purpose) -> Stream {
    Streams::from_seed(1).stream(purpose, 0, Tick(0))
}

fn flows(rows: usize) -> Vec<f32> {
    let mut rng = stream(Purpose::Traffic);
    let mut flows = Vec::with_capacity(rows * WIDTH);
    for _ in 0..rows {
        let service = (rng.zipf(SERVICES as u32, 1.0) - 1) as usize;
        // A few hidden causes move all numbers of a flow: traffic fills few of its dimensions.
        let causes = [rng.normal(), rng.normal(), rng.normal()];
        for number in 0..NUMBERS {
            let level = ((service * 7 + number * 3) % 11) as f64;
            flows.push((level + causes[number % 3] + 0.05 * rng.normal()) as f32);
        }
        flows.extend((0..SERVICES).map(|s| f32::from(u8::from(s == service))));
    }
    flows
}

fn fitted(kind: &DetectorKind, rows: &[f32]) -> Box<dyn Detector> {
    kind.fit(rows, WIDTH, &mut stream(Purpose::Model), &mut FitScratch::default()).expect("finite rows")
}

#[divan::bench(args = DetectorKind::names(), sample_count = 10)]
fn fit(bencher: divan::Bencher, name: &str) {
    let kind = DetectorKind::from_name(name).expect("a name from the list");
    let rows = flows(TRAINED);
    bencher.counter(ItemsCount::new(TRAINED)).bench_local(|| fitted(&kind, black_box(&rows)));
}

#[divan::bench(args = DetectorKind::names(), sample_count = 10)]
fn score(bencher: divan::Bencher, name: &str) {
    let kind = DetectorKind::from_name(name).expect("a name from the list");
    let rows = flows(TRAINED + SCORED);
    let (training, scored) = rows.split_at(TRAINED * WIDTH);
    let detector = fitted(&kind, training);
    let mut scores = Vec::new();
    bencher.counter(ItemsCount::new(SCORED)).bench_local(|| detector.score(black_box(scored), &mut scores));
}
