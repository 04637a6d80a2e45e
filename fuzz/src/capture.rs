//! Bytes against the CSV reader, and text against the parser of maps.

use std::io::Write;
use std::path::Path;
use std::sync::LazyLock;

use flate2::{Compression, write::GzEncoder};
use phalanx_capture::{CaptureMap, ColumnKind, Encoder, Records, read_csv_from};

/// Longest file; compressed by the fuzzer it may still unfold to a thousand times that.
const FILE_BYTES_MAX: usize = 8 << 10;

/// Most values that records are encoded to: an unfolded file of many categories would take gigabytes.
const VALUES_MAX: usize = 1 << 22;

/// Every kind of column and of key in few columns, so that random bytes have a chance to be a row.
const SMALL_MAP: &str = r#"(
    name: "small",
    delimiter: ';',
    header: false,
    columns: [
        ("bytes", Numeric(unit: Bytes, log1p: true)),
        ("rate", Numeric(unit: PerSecond)),
        ("kind", Categorical),
        ("proto", Categorical),
        ("service", Drop),
        ("from", Drop),
        ("class", Label(benign: ["ok", ""])),
    ],
    protocol: "proto",
    port: Names(column: "service", names: ["http", "dns", ""]),
    remote: "from",
)"#;

static SMALL: LazyLock<CaptureMap> =
    LazyLock::new(|| CaptureMap::from_ron(SMALL_MAP).expect("the small map is a map"));

static NSL_KDD: LazyLock<CaptureMap> =
    LazyLock::new(|| CaptureMap::builtin("nsl_kdd").expect("the crate ships this map"));

/// The first byte picks the map, the rest is the file.
///
/// Oracle: the file is read alike each time, plain or compressed, to whole rows of finite numbers that encode to as
/// many features as the schema has; or it is refused with a message that begins with its name.
pub fn capture_csv(data: &[u8]) {
    let Some((choice, file)) = data.split_first() else { return };
    if file.len() > FILE_BYTES_MAX {
        return;
    }
    let map: &CaptureMap = if choice & 1 == 0 { &SMALL } else { &NSL_KDD };
    let plain = read(file, "fuzz.csv", map);
    assert_eq!(plain, read(file, "fuzz.csv", map), "one file is read in two ways");
    if !is_compressed(file) {
        assert_eq!(plain, read(&gzip(file), "fuzz.csv", map), "compression changes a file");
        assert!(read(file, "fuzz.csv.gz", map).is_err(), "plain text passes for gzip");
    }
    match plain {
        Ok(records) => check_records(&records, map),
        Err(message) => assert!(
            message.strip_prefix("fuzz.csv:").is_some_and(|rest| !rest.is_empty()),
            "not a message about the file: {message}"
        ),
    }
}

/// A file that some map may fit: a first line of data, an empty field and a quoted one.
const PROBE: &[u8] = b"1,tcp,80\n2,udp,\n3,\"6\",443\n";

/// Text against [`CaptureMap::from_ron`].
///
/// Oracle: a map that is accepted passes its own check, is written and read back as itself, and reads or refuses a
/// file; a text that is refused is refused alike each time.
pub fn capture_map(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match CaptureMap::from_ron(text) {
        Ok(map) => {
            assert_eq!(map.check(), Ok(()));
            if let Ok(written) = ron::to_string(&map) {
                assert_eq!(CaptureMap::from_ron(&written).as_ref(), Ok(&map), "written as {written}");
            }
            if let Ok(records) = read_csv_from(PROBE, Path::new("probe.csv"), &map) {
                check_records(&records, &map);
            }
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert_eq!(CaptureMap::from_ron(text), Err(error));
        }
    }
}

fn read(file: &[u8], name: &str, map: &CaptureMap) -> Result<Records, String> {
    read_csv_from(file, Path::new(name), map).map_err(|error| error.to_string())
}

/// Whether a file begins as gzip or zstd do (a frame or a skippable one), and so is not read as it stands.
fn is_compressed(file: &[u8]) -> bool {
    matches!(file, [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes all bytes");
    encoder.finish().expect("memory takes all bytes")
}

/// Panics unless the records are whole rows of this map that can be encoded.
fn check_records(records: &Records, map: &CaptureMap) {
    let count = |wanted: fn(&ColumnKind) -> bool| map.columns.iter().filter(|(_, kind)| wanted(kind)).count();
    let numeric = count(|kind| matches!(kind, ColumnKind::Numeric { .. }));
    let categorical = count(|kind| matches!(kind, ColumnKind::Categorical));
    let labelled = count(|kind| matches!(kind, ColumnKind::Label { .. })) == 1;
    assert_eq!((records.numeric().len(), records.categorical().len()), (numeric, categorical));
    assert!(records.rows() > 0, "a file without rows is refused");
    assert_eq!(records.keys().len(), records.rows());
    let attacks = records.attacks();
    assert!(attacks.is_sorted_by(|a, b| a < b), "attacks are ascending and distinct: {attacks:?}");
    for row in 0..records.rows() {
        let (numbers, codes) = (records.numbers(row), records.codes(row));
        assert_eq!((numbers.len(), codes.len()), (numeric, categorical));
        assert!(numbers.iter().all(|number| number.is_finite()), "row {row}: {numbers:?}");
        for (column, code) in codes.iter().enumerate() {
            assert!(
                usize::from(*code) < records.categories(column).len(),
                "row {row} has an unknown category"
            );
        }
        let label = records.label(row);
        assert_eq!(label.is_some(), labelled);
        let attack = label.is_some_and(|label| attacks.binary_search(&label).is_ok());
        assert_eq!(records.is_benign(row), !attack, "row {row}");
    }
    check_encoding(records, &attacks);
}

fn check_encoding(records: &Records, attacks: &[&str]) {
    let mut encoder = Encoder::fit(records, |row| records.is_benign(row));
    let width = encoder.schema().width();
    if records.rows() * width > VALUES_MAX {
        return;
    }
    let batch = encoder.encode(records);
    assert_eq!((batch.rows(), batch.width()), (records.rows(), width));
    assert_eq!(batch.features().len(), records.rows() * width);
    assert_eq!((batch.keys(), batch.truth().len()), (records.keys(), records.rows()));
    assert_eq!(encoder.labels(), attacks);
    let numeric = records.numeric().len();
    for row in 0..batch.rows() {
        let (numbers, flags) = batch.row(row).split_at(numeric);
        assert!(numbers.iter().all(|number| number.is_finite()), "row {row}: {numbers:?}");
        assert!(flags.iter().all(|flag| *flag == 0.0 || *flag == 1.0), "row {row}: {flags:?}");
        let known = flags.iter().filter(|flag| **flag == 1.0).count();
        let columns = records.categorical().len();
        // A benign row is one that the schema was learned from.
        assert!(
            if records.is_benign(row) { known == columns } else { known <= columns },
            "row {row}: {flags:?}"
        );
    }
}
