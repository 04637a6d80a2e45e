//! What holds for every file of flows: no panic, no unbounded reader, every flow to one agent.

mod support;
mod traffic;

use std::{
    io::{Cursor, Write},
    sync::LazyLock,
};

use phalanx_capture::{
    FlowEncoder, FlowReader, FlowRecord, Format, Lenience, Partition, PartitionError, ReadOptions, Transport,
    read_npz_from,
};
use phalanx_core::Streams;
use proptest::{prelude::*, sample::Index};
use support::data;
use traffic::{binetflow, eve, pcap, pcapng, read, zeek_json, zeek_tsv};

/// Traffic among a few hosts.
fn sketches() -> impl Strategy<Value = Vec<traffic::Sketch>> {
    let flags = prop::sample::select(vec![0x02, 0x12, 0x10, 0x18, 0x11, 0x14]);
    let packet = (0..200u32, 1..5u8, 1..5u8, flags, 0..300u16);
    prop::collection::vec(packet, 1..40).prop_map(|mut packets| {
        packets.sort_by_key(|packet| packet.0);
        packets
    })
}

/// The traffic in every format.
fn files(packets: &[traffic::Sketch]) -> Vec<(Format, Vec<u8>)> {
    let file = pcap(packets, false, false);
    let flows = read(&file, &ReadOptions::default()).unwrap().0;
    vec![
        (Format::ZeekTsv, zeek_tsv(&flows).into_bytes()),
        (Format::ZeekJson, zeek_json(&flows).into_bytes()),
        (Format::Eve, eve(&flows).into_bytes()),
        (Format::Binetflow, binetflow(&flows).into_bytes()),
        (Format::Pcap, file),
        (Format::Pcap, pcapng(packets)),
    ]
}

fn npz(rows: usize, header: &str, values: &[u8]) -> Vec<u8> {
    let array = |descr: &str, data: &[u8]| {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((descr.len() as u16).to_le_bytes());
        bytes.extend(descr.as_bytes());
        bytes.extend(data);
        bytes
    };
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    writer.start_file("X.npy", stored).unwrap();
    writer.write_all(&array(header, values)).unwrap();
    writer.start_file("y.npy", stored).unwrap();
    let shape = format!("{{'descr': '|b1', 'fortran_order': False, 'shape': ({rows},), }}");
    writer.write_all(&array(&shape, &vec![0; rows])).unwrap();
    writer.finish().unwrap().into_inner()
}

#[test]
fn npz_elements_and_orders() {
    let check = |descr: &str, fortran: &str, values: &[u8], expected: [f32; 4]| {
        let header = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': (2, 2), }}");
        let records = read_npz_from(Cursor::new(npz(2, &header, values)), "a.npz".as_ref()).unwrap();
        assert_eq!([records.numbers(0), records.numbers(1)].concat(), expected, "{descr}");
    };
    check("<i2", "False", &[1, 0, 2, 0, 255, 255, 4, 0], [1.0, 2.0, -1.0, 4.0]);
    check(">i2", "True", &[0, 1, 0, 2, 255, 255, 0, 4], [1.0, -1.0, 2.0, 4.0]);
    check("|u1", "False", &[1, 2, 255, 4], [1.0, 2.0, 255.0, 4.0]);
    let floats: Vec<u8> = [1.5f32, -2.0, 0.0, 4.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    check("<f4", "False", &floats, [1.5, -2.0, 0.0, 4.0]);
    let message = |header: &str, values: &[u8]| {
        read_npz_from(Cursor::new(npz(2, header, values)), "a.npz".as_ref()).unwrap_err().to_string()
    };
    let header = |shape: &str| format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
    let absurd = message(&header("(4000000000, 4000000000)"), &floats);
    assert_eq!(
        absurd,
        "a.npz: array \"X\": has 16000000000000000000 values, more than 268435456; split the array"
    );
    let short = message(&header("(2, 100000)"), &floats);
    assert!(short.starts_with("a.npz: array \"X\": cannot be read"), "{short}");
    let nan = message(&header("(2, 2)"), &[1.0f32, 2.0, f32::NAN, 0.0].map(f32::to_le_bytes).concat());
    assert!(nan.contains("row 1, column 0 is NaN"), "{nan}");
    let other = message("{'descr': '<U5', 'fortran_order': False, 'shape': (2, 2), }", &floats);
    assert!(other.contains("elements of type \"<U5\""), "{other}");
}

/// The first lines or packets of shared files, one of each kind.
static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let names = [
        "zeek/host167_day1_conn.log.labeled.gz",
        "zeek/ctu230_njrat_conn.log.labeled.gz",
        "zeek/nmap_portscans_conn.json.log.gz",
        "suricata/eve_small.json",
        "suricata/eve_test6.json.gz",
        "netflow/argus_malware_dns.binetflow.tsv.gz",
        "netflow/argus_portscan.binetflow.csv.gz",
        "pcap/slips_test7.pcap",
        "pcap/zeek_wikipedia.pcap",
        "pcap/zeek_var_services.pcap",
    ];
    names
        .iter()
        .filter_map(|name| Some(Transport::open(&data(name)?).unwrap().head()[..6_000].to_vec()))
        .collect()
});

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn every_format_tells_the_same_flows(packets in sketches()) {
        let files = files(&packets);
        let mut expected = None;
        for (format, file) in files {
            let reader = FlowReader::new(file.as_slice(), "flows".as_ref(), &ReadOptions::default()).unwrap();
            prop_assert_eq!(reader.format(), format);
            let (flows, _) = reader.read_all().unwrap();
            let batch = FlowEncoder::new().encode(&flows);
            prop_assert_eq!(expected.get_or_insert_with(|| batch.clone()), &batch, "{:?}", format);
        }
    }

    /// Valid files with a few bytes changed, cut or repeated: an error or other flows, never a panic, and never more
    /// flows than bytes.
    #[test]
    fn damage_is_an_error_or_other_flows(
        packets in sketches(),
        edits in prop::collection::vec((any::<Index>(), any::<u8>(), 0..4u8), 1..6),
        lenient in any::<bool>(),
    ) {
        let lenience = if lenient { Lenience::SkipUpTo(5) } else { Lenience::Strict };
        for (format, mut bytes) in files(&packets) {
            for (at, byte, kind) in &edits {
                if bytes.is_empty() {
                    break;
                }
                let at = at.index(bytes.len());
                match kind {
                    0 => bytes.truncate(at),
                    1 => drop(bytes.splice(at..at, [*byte; 3])),
                    2 => bytes[at] ^= 1 << (byte & 7),
                    _ => bytes[at] = *byte,
                }
            }
            for format in [None, Some(format)] {
                let options = ReadOptions { format, lenience, ..ReadOptions::default() };
                if let Ok((flows, tally)) = read(&bytes, &options) {
                    prop_assert!(flows.len() <= bytes.len() && tally.skipped <= 5);
                    let batch = FlowEncoder::new().encode(&flows);
                    prop_assert!(batch.features().iter().all(|feature| feature.is_finite()));
                }
            }
        }
    }

    /// The same with pieces of real captures.
    #[test]
    fn damage_to_real_captures(
        seed in any::<Index>(),
        edits in prop::collection::vec((any::<Index>(), any::<u8>()), 0..8),
        cut in any::<Index>(),
        packed in any::<bool>(),
    ) {
        if SEEDS.is_empty() {
            return Ok(());
        }
        let mut bytes = SEEDS[seed.index(SEEDS.len())].clone();
        for (at, byte) in &edits {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        if packed {
            bytes = ruzstd::encoding::compress_to_vec(bytes.as_slice(), ruzstd::encoding::CompressionLevel::Fastest);
        }
        bytes.truncate(1 + cut.index(bytes.len()));
        for lenience in [Lenience::Strict, Lenience::SkipUpTo(3)] {
            let options = ReadOptions { lenience, any_zeek_log: true, ..ReadOptions::default() };
            if let Ok((flows, tally)) = read(&bytes, &options) {
                prop_assert!(tally.skipped <= 3 && tally.records == flows.len() as u64);
                prop_assert!(FlowEncoder::new().encode(&flows).features().iter().all(|x| x.is_finite()));
            }
        }
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 0..300),
        head in prop::sample::select(vec![&b""[..], b"#fields\tts\tid.orig_h\tid.resp_h\n", b"{\"event_type\":",
            b"StartTime,Dur,Proto,SrcAddr,DstAddr\n", b"\xd4\xc3\xb2\xa1", b"\x0a\x0d\x0d\x0a", b"\x28\xb5\x2f\xfd",
            b"\x1f\x8b", b"PK\x03\x04"]),
    ) {
        bytes.splice(..0, head.iter().copied());
        let _ = read(&bytes, &ReadOptions::default());
        for format in [Format::ZeekTsv, Format::ZeekJson, Format::Eve, Format::Binetflow, Format::Pcap] {
            let _ = read(&bytes, &ReadOptions { format: Some(format), ..ReadOptions::default() });
        }
        let _ = read_npz_from(Cursor::new(&bytes), "a.npz".as_ref());
    }

    #[test]
    fn damaged_archives_do_not_panic(edits in prop::collection::vec((any::<Index>(), any::<u8>()), 1..5)) {
        let header = "{'descr': '<i2', 'fortran_order': True, 'shape': (4, 3), }";
        let mut bytes = npz(4, header, &[1; 24]);
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(records) = read_npz_from(Cursor::new(&bytes), "a.npz".as_ref()) {
            prop_assert!(records.rows() * records.numeric().len() <= bytes.len());
        }
    }

    #[test]
    fn every_flow_has_one_agent(packets in sketches(), agents in 1..6u32, seed in any::<u64>(), alpha in 0.01..50.0f64) {
        let flows: Vec<FlowRecord> = read(&pcap(&packets, false, false), &ReadOptions::default()).unwrap().0;
        let streams = Streams::from_seed(seed);
        for partition in [
            Partition::Iid,
            Partition::RoundRobin,
            Partition::ByTime,
            Partition::ByHost,
            Partition::BySubnet(31),
            Partition::ByColumn("state".to_owned()),
            Partition::Dirichlet(alpha.try_into().unwrap()),
        ] {
            let assigned = match partition.assign_flows(&flows, agents, &streams) {
                Ok(assigned) => assigned,
                Err(PartitionError::TooFewParts { .. }) => continue,
                Err(error) => return Err(TestCaseError::fail(error.to_string())),
            };
            prop_assert_eq!(assigned.len(), flows.len());
            prop_assert!(assigned.iter().all(|agent| agent.0 < agents));
            prop_assert_eq!(&assigned, &partition.assign_flows(&flows, agents, &streams).unwrap());
            for (a, b) in flows.iter().zip(&assigned) {
                for (c, d) in flows.iter().zip(&assigned) {
                    let host = a.own_and_remote().0 == c.own_and_remote().0;
                    prop_assert!(partition != Partition::ByHost || !host || b == d, "one agent a host");
                    let ordered = a.start_us > c.start_us || b <= d || partition != Partition::ByTime;
                    prop_assert!(ordered || a.start_us == c.start_us, "time runs from agent to agent");
                }
            }
        }
    }
}
