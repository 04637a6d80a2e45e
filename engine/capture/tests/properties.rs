//! What holds for every file: no panic, no lost row, no absurd memory.

use std::{io::Write, path::Path};

use flate2::{Compression, write::GzEncoder};
use phalanx_capture::{CaptureMap, Encoder, Partition, Records, read_csv_from};
use phalanx_core::Streams;
use proptest::prelude::*;

fn map() -> CaptureMap {
    CaptureMap::from_ron(
        r#"(
            name: "flows",
            header: false,
            columns: [
                ("bytes", Numeric(unit: Bytes, log1p: true)),
                ("kind", Categorical),
                ("proto", Categorical),
                ("port", Drop),
                ("from", Drop),
                ("class", Label(benign: ["ok"])),
            ],
            protocol: "proto",
            port: Number("port"),
            remote: "from",
        )"#,
    )
    .unwrap()
}

fn read(bytes: &[u8], name: &str) -> Result<Records, phalanx_capture::CaptureError> {
    read_csv_from(bytes, Path::new(name), &map())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A file that the map fits: at least one row, the first of them benign.
fn file() -> impl Strategy<Value = String> {
    let row =
        (any::<f32>().prop_filter("finite", |x| x.is_finite()), 0..6u8, 0..3usize, any::<u16>(), 0..4usize);
    prop::collection::vec(row, 1..60).prop_map(|rows| {
        let line = |(i, (bytes, kind, proto, port, class)): (usize, (f32, u8, usize, u16, usize))| {
            let class = if i == 0 { "ok" } else { ["ok", "scan", "\"flood, slow\"", "probe"][class] };
            format!(
                "{bytes},kind {kind},{},{port},10.0.{kind}.{proto},{class}\n",
                ["tcp", "UDP", "47"][proto]
            )
        };
        rows.into_iter().enumerate().map(line).collect()
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_not_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..400), head in any::<bool>()) {
        if head {
            bytes.splice(..0, [0x1f, 0x8b, 8, 0]);
        }
        let _ = read(&bytes, "flows.csv");
        let _ = read(&bytes, "flows.csv.gz");
    }

    #[test]
    fn damage_is_an_error_or_another_file(
        text in file(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        for (mut bytes, name) in [(text.clone().into_bytes(), "flows.csv"), (gzip(text.as_bytes()), "flows.csv.gz")] {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(records) = read(&bytes, name) {
                let mut encoder = Encoder::fit(&records, |row| records.is_benign(row));
                prop_assert_eq!(encoder.encode(&records).rows(), records.rows());
            }
            bytes.truncate(cut.index(bytes.len()));
            let _ = read(&bytes, name);
        }
    }

    #[test]
    fn a_cut_gzip_file_is_an_error(text in file(), cut in any::<prop::sample::Index>()) {
        let bytes = gzip(text.as_bytes());
        prop_assert!(read(&bytes[..cut.index(bytes.len())], "flows.csv.gz").is_err());
    }

    #[test]
    fn numbers_and_labels_come_back(text in file()) {
        let records = read(text.as_bytes(), "flows.csv").unwrap();
        let mut encoder = Encoder::fit(&records, |_| true);
        let batch = encoder.encode(&records);
        prop_assert_eq!(records.rows(), text.lines().count());
        for (row, line) in text.lines().enumerate() {
            let mut fields = line.splitn(6, ',');
            let number: f32 = fields.next().unwrap().parse().unwrap();
            prop_assert_eq!(records.numbers(row)[0].to_bits(), number.to_bits());
            let label = fields.nth(4).unwrap().trim_matches('"');
            prop_assert_eq!(records.label(row), Some(label));
            let named = batch.truth()[row].reveal().map(|i| encoder.labels()[usize::from(i)].as_str());
            prop_assert_eq!(named, (label != "ok").then_some(label));
            // One kind and one protocol.
            prop_assert_eq!(batch.row(row)[1..].iter().sum::<f32>(), 2.0);
            prop_assert!(batch.row(row)[0].is_finite() && batch.row(row)[0].signum() * number >= 0.0);
        }
    }

    #[test]
    fn every_row_has_one_agent(train in file(), replay in file(), agents in 1..9u32, seed in any::<u64>()) {
        let (train, replay) = (read(train.as_bytes(), "t").unwrap(), read(replay.as_bytes(), "r").unwrap());
        let streams = Streams::from_seed(seed);
        let even = [Partition::Iid, Partition::RoundRobin, Partition::ByTime];
        let uneven = [
            Partition::ByColumn("kind".to_owned()),
            Partition::ByHost,
            Partition::BySubnet(31),
            Partition::Dirichlet(0.3.try_into().unwrap()),
        ];
        for partition in even.iter().chain(&uneven) {
            let Ok(assignment) = partition.assign(&train, &replay, agents, &streams) else {
                let scarce = matches!(partition, Partition::ByColumn(_) | Partition::ByHost | Partition::BySubnet(_));
                prop_assert!(scarce, "{:?}", partition);
                continue;
            };
            prop_assert_eq!(&partition.assign(&train, &replay, agents, &streams).unwrap(), &assignment);
            for (records, of) in [(&train, &assignment.train), (&replay, &assignment.replay)] {
                prop_assert_eq!(records.rows(), of.len());
                prop_assert!(of.iter().all(|agent| agent.0 < agents));
            }
            let benign = |agent: u32| {
                let own = |row: &usize| assignment.train[*row].0 == agent && train.is_benign(*row);
                (0..train.rows()).filter(own).count()
            };
            let counts: Vec<usize> = (0..agents).map(benign).collect();
            let none: Vec<u32> = (0..agents).filter(|agent| counts[*agent as usize] == 0).collect();
            prop_assert_eq!(assignment.untrained.iter().map(|agent| agent.0).collect::<Vec<_>>(), none);
            if matches!(partition, Partition::ByColumn(_) | Partition::ByHost | Partition::BySubnet(_)) {
                prop_assert!(assignment.untrained.is_empty());
            } else if even.contains(partition) {
                let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
                prop_assert!(most - least <= 1);
            }
        }
    }
}

/// Peak memory of this process, where the system tells.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn a_gzip_bomb_is_refused_before_it_unfolds() {
    let Some(before) = peak_kib() else {
        eprintln!("SKIPPED: this system does not tell a process its peak memory");
        return;
    };
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..512 {
        encoder.write_all(&[b'1'; 1 << 20]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 1 << 20);
    let error = read(&bomb, "flows.csv.gz").unwrap_err().to_string();
    assert_eq!(error, "flows.csv.gz:1: longer than 1048576 bytes; is this a text file with one flow a line?");
    let grown = peak_kib().unwrap() - before;
    assert!(grown < 64 << 10, "512 MiB in one line took {grown} KiB");
}
