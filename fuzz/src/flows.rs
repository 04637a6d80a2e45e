//! Bytes against the readers of flows and of npz archives.

use std::io::Cursor as Bytes;
use std::path::Path;

use phalanx_capture::{
    FlowEncoder, FlowReader, FlowRecord, Format, Lenience, ReadOptions, Tally, read_npz_from,
};

/// Longest file; packed by the fuzzer it may still unfold to a thousand times that.
const FILE_BYTES_MAX: usize = 16 << 10;
/// Records that may be skipped where the first byte says so.
const SKIPPED_MAX: u64 = 5;

/// Zeek's own tables.
pub fn flows_zeek_tsv(data: &[u8]) {
    flows(data, Format::ZeekTsv);
}

/// Zeek's JSON lines.
pub fn flows_zeek_json(data: &[u8]) {
    flows(data, Format::ZeekJson);
}

/// Suricata's event log.
pub fn flows_eve(data: &[u8]) {
    flows(data, Format::Eve);
}

/// Argus tables.
pub fn flows_binetflow(data: &[u8]) {
    flows(data, Format::Binetflow);
}

/// NetFlow v5, v9 and IPFIX.
pub fn flows_netflow(data: &[u8]) {
    flows(data, Format::Netflow);
}

/// Packets: pcap and pcapng.
pub fn flows_pcap(data: &[u8]) {
    flows(data, Format::Pcap);
}

/// Bit 0 of the first byte lets records be skipped, bit 1 lets the format be found by the first bytes, bit 2 lets other
/// logs of Zeek pass and exporters watch both directions; the rest is the file, plain or packed.
///
/// Oracle: the file is read alike each time, to no more flows than it has bytes (unpacked), which encode to finite
/// numbers, are counted, and skipped within the limit; or it is refused with a message that begins with its name.
fn flows(data: &[u8], format: Format) {
    let Some((choice, file)) = data.split_first() else { return };
    if file.len() > FILE_BYTES_MAX {
        return;
    }
    let options = ReadOptions {
        format: (choice & 2 == 0).then_some(format),
        lenience: if choice & 1 == 0 { Lenience::Strict } else { Lenience::SkipUpTo(SKIPPED_MAX) },
        any_zeek_log: choice & 4 != 0,
        exports_both_ways: choice & 4 != 0,
        ..ReadOptions::default()
    };
    let first = read(file, &options);
    match (&first, &read(file, &options)) {
        (Ok((flows, tally)), Ok((again, _))) => {
            assert_eq!(flows, again, "one file is read in two ways");
            assert_eq!(tally.records, flows.len() as u64);
            assert!(tally.skipped <= SKIPPED_MAX && (choice & 1 != 0 || tally.skipped == 0), "{tally:?}");
            let packed = matches!(file, [0x1f, 0x8b, ..] | [0x28, 0xb5, ..] | [0x50..=0x5f, 0x2a, ..]);
            assert!(packed || flows.len() <= file.len(), "{} flows of {} bytes", flows.len(), file.len());
            let batch = FlowEncoder::new().encode(flows);
            assert_eq!(batch.rows(), flows.len());
            assert!(batch.features().iter().all(|x| x.is_finite()), "a feature is not finite");
        }
        (Err(message), Err(again)) => {
            assert_eq!(message, again, "one file is refused in two ways");
            assert!(message.contains("fuzz.flows"), "not a message about the file: {message}");
        }
        (Ok(_), Err(message)) => panic!("refused the second time: {message}"),
        (Err(message), Ok(_)) => panic!("refused the first time: {message}"),
    }
}

fn read(file: &[u8], options: &ReadOptions) -> Result<(Vec<FlowRecord>, Tally), String> {
    let reader =
        FlowReader::new(file, Path::new("fuzz.flows"), options).map_err(|error| error.to_string())?;
    reader.read_all().map_err(|error| error.to_string())
}

/// Bytes against the reader of npz archives.
///
/// Oracle: read alike each time, to whole rows of finite numbers, or refused with a message that begins with its name.
/// An archive that fits may unfold to more than its bytes, but never past the reader's own limit of values.
pub fn npz(data: &[u8]) {
    if data.len() > FILE_BYTES_MAX {
        return;
    }
    let read = || read_npz_from(Bytes::new(data), Path::new("fuzz.npz")).map_err(|error| error.to_string());
    let first = read();
    assert_eq!(first, read(), "one archive is read in two ways");
    match first {
        Ok(records) => {
            assert!(records.rows() > 0);
            for row in 0..records.rows() {
                assert!(records.numbers(row).iter().all(|number| number.is_finite()), "row {row}");
            }
        }
        Err(message) => assert!(message.starts_with("fuzz.npz"), "not a message about the file: {message}"),
    }
}
