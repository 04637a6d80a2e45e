//! CSV of many rows is inspected and converted in little memory, as if it had been read whole. One test, since memory is
//! that of the process.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use phalanx_capture::{CaptureMap, InspectOptions, convert, inspect, read_csv};

const ROWS: u32 = 200_000;

/// Names and labels that come late, and numbers whose bounds are known only at the end.
fn file() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("long.csv");
    let mut file = BufWriter::new(File::create(&path).unwrap());
    writeln!(file, "a,b,c,d,e,f,g,h,kind,class").unwrap();
    for i in 0..ROWS {
        let first = match i % 5000 {
            0 => "Infinity".to_owned(),
            1 => "-inf".to_owned(),
            2 => "NaN".to_owned(),
            _ => i.to_string(),
        };
        let (kind, class) = (i / 10_000, if i < 150_000 { "ok" } else { "scan" });
        writeln!(file, "{first},1,2.5,3,4,5,{},7,k{kind},{class}", i % 7).unwrap();
    }
    file.flush().unwrap();
    path
}

fn map(not_finite: &str) -> CaptureMap {
    let numeric: String = "abcdefgh".chars().map(|name| format!("(\"{name}\", Numeric()), ")).collect();
    CaptureMap::from_ron(&format!(
        "(name: \"m\", header: true, columns: [{numeric}(\"kind\", Categorical), (\"class\", Label(benign: [\"ok\"]))], \
         not_finite: {not_finite})"
    ))
    .unwrap()
}

/// Peak memory of this process, where the system tells.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

/// Counts rows and remembers the last one.
#[derive(Default)]
struct Sink {
    lines: usize,
    last: Vec<u8>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.last.last() == Some(&b'\n') {
                self.last.clear();
            }
            self.last.extend_from_slice(part);
            self.lines += usize::from(part.ends_with(b"\n"));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn memory_does_not_grow_with_rows() {
    let path = file();
    let mut found = Vec::new();
    let before = peak_kib();
    for policy in ["Clip", "Drop"] {
        let options = InspectOptions { map: Some(map(policy)), ..InspectOptions::default() };
        let mut sink = Sink::default();
        let tally = convert(&path, &options, &mut sink).unwrap();
        let last = String::from_utf8(sink.last).unwrap();
        found.push((policy, inspect(&path, &options).unwrap(), tally, sink.lines, last));
    }
    let grown = peak_kib() - before;
    // As records the rows are 10 MiB.
    assert!(grown < 4 << 10, "{grown} KiB");

    for (policy, inspection, tally, lines, last) in found {
        let records = read_csv(&path, &map(policy)).unwrap();
        assert_eq!((inspection.rows, lines), (records.rows() as u64, records.rows() + 1));
        assert_eq!((inspection.clipped, &inspection.tally), (records.clipped(), &tally));
        let row = records.rows() - 1;
        let numbers = records.numbers(row).iter().map(f32::to_string).collect::<Vec<_>>().join(",");
        assert_eq!(last, format!("{numbers},k19,{}\n", records.label(row).unwrap()));
        assert_eq!(inspection.malicious as usize, (0..=row).filter(|row| !records.is_benign(*row)).count());
        for (column, feature) in inspection.features.iter().enumerate() {
            let values = (0..=row).map(|row| f64::from(records.numbers(row)[column]));
            let (min, max) =
                values.clone().fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(x), high.max(x)));
            let mean = values.sum::<f64>() / records.rows() as f64;
            assert_eq!((feature.known, feature.min, feature.max), (inspection.rows, min, max), "{policy}");
            assert!((feature.mean - mean).abs() <= 1e-12 * mean.abs(), "{} against {mean}", feature.mean);
        }
    }
    std::fs::remove_file(path).unwrap();
}
