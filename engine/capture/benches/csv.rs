//! Rows per second of reading and encoding NSL-KDD-shaped CSV. Run: `cargo bench -p phalanx-capture`.

use std::{fmt::Write as _, io::Write as _, path::Path};

use divan::{Bencher, black_box, counter::ItemsCount};
use flate2::{Compression, write::GzEncoder};
use phalanx_capture::{CaptureMap, Encoder, read_csv_from};
use phalanx_core::{Purpose, Streams, Tick};

const ROWS: usize = 50_000;

fn main() {
    divan::main();
}

/// Rows with the field widths of NSL-KDD: a few byte counts, many small counts, fifteen rates of two decimals.
fn text() -> String {
    let mut stream = Streams::from_seed(1).stream(Purpose::Traffic, 0, Tick(0));
    let mut text = String::new();
    for _ in 0..ROWS {
        let service = ["http", "private", "domain_u", "smtp", "ftp_data"][stream.below(5) as usize];
        let bytes = stream.log_normal(5.0, 2.0) as u64;
        write!(text, "0,tcp,{service},SF,{bytes},{}", bytes * 3).unwrap();
        text.push_str(&",0".repeat(16));
        write!(text, ",{},{}", stream.below(512), stream.below(512)).unwrap();
        (0..7).for_each(|_| write!(text, ",{:.2}", stream.uniform()).unwrap());
        write!(text, ",{},{}", stream.below(256), stream.below(256)).unwrap();
        (0..8).for_each(|_| write!(text, ",{:.2}", stream.uniform()).unwrap());
        writeln!(text, ",{},{}", ["normal", "neptune"][stream.below(2) as usize], stream.below(22)).unwrap();
    }
    text
}

fn map() -> CaptureMap {
    CaptureMap::builtin("nsl_kdd").unwrap()
}

#[divan::bench]
fn read_plain(bencher: Bencher) {
    let (text, map) = (text(), map());
    bencher
        .counter(ItemsCount::new(ROWS))
        .bench_local(|| read_csv_from(black_box(text.as_bytes()), Path::new("a.csv"), &map).unwrap());
}

#[divan::bench]
fn read_gzip(bencher: Bencher) {
    let map = map();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text().as_bytes()).unwrap();
    let bytes = encoder.finish().unwrap();
    bencher
        .counter(ItemsCount::new(ROWS))
        .bench_local(|| read_csv_from(black_box(bytes.as_slice()), Path::new("a.csv.gz"), &map).unwrap());
}

#[divan::bench]
fn encode(bencher: Bencher) {
    let records = read_csv_from(text().as_bytes(), Path::new("a.csv"), &map()).unwrap();
    let mut encoder = Encoder::fit(&records, |row| records.is_benign(row));
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| encoder.encode(black_box(&records)));
}
