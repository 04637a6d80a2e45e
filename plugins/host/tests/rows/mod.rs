//! Rows for tests: normal draws of the project's own streams.
#![allow(dead_code, unreachable_pub)]

use phalanx_core::{Feature, Purpose, Schema, Streams, Tick, Unit};

/// `count` rows of `width` columns; the same for the same seed.
pub fn rows(seed: u64, count: usize, width: usize) -> Vec<f32> {
    let mut stream = Streams::from_seed(seed).stream(Purpose::Traffic, 0, Tick(0));
    (0..count * width).map(|i| (stream.normal() * (1 + i % width) as f64 + 10.0) as f32).collect()
}

/// Columns `c0`, `c1`, ….
pub fn schema(width: usize) -> Schema {
    Schema::new((0..width).map(|i| Feature::raw(&format!("c{i}"), Unit::None)).collect())
}
