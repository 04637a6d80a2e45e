//! One traffic, many sensors: what is read must not depend on who wrote it.

mod support;
mod traffic;

use std::io::Write;

use flate2::write::GzEncoder;
use phalanx_capture::{
    CaptureError, CaptureMap, Compression, ConvertError, FlowEncoder, FlowReader, FlowRecord, Format,
    InspectOptions, Inspection, Label, LabelClass, Lenience, Partition, ReadOptions, convert, inspect,
};
use phalanx_core::Streams;
use support::data;
use traffic::{binetflow, eve, pcap, pcapng, read, zeek_json, zeek_tsv};

fn strict(bytes: &[u8]) -> Vec<FlowRecord> {
    read(bytes, &ReadOptions::default()).unwrap().0
}

#[test]
fn a_detector_sees_the_same_features_whatever_the_sensor() {
    for name in
        ["slips_test7", "zeek_wikipedia", "slips_ssh_bruteforce", "slips_icmp_portscan", "sv_zerologon"]
    {
        let Some(path) = data(&format!("pcap/{name}.pcap")) else { return };
        let (flows, _) = FlowReader::open(&path, &ReadOptions::default()).unwrap().read_all().unwrap();
        // The renderers of this test know IPv4 and three protocols.
        let known = |flow: &FlowRecord| !flow.ipv6 && matches!(flow.protocol.unwrap().0, 1 | 6 | 17);
        let flows: Vec<FlowRecord> = flows.into_iter().filter(known).collect();
        let expected = FlowEncoder::new().encode(&flows);
        assert!(expected.rows() > 10 && expected.features().iter().all(|feature| feature.is_finite()));
        let texts = [
            (Format::ZeekTsv, zeek_tsv(&flows)),
            (Format::ZeekJson, zeek_json(&flows)),
            (Format::Eve, eve(&flows)),
            (Format::Binetflow, binetflow(&flows)),
        ];
        for (format, text) in texts {
            let reader = FlowReader::new(text.as_bytes(), "flows".as_ref(), &ReadOptions::default()).unwrap();
            assert_eq!(reader.format(), format);
            let (flows, _) = reader.read_all().unwrap();
            let mut encoder = FlowEncoder::new();
            let found = encoder.encode(&flows);
            for (row, flow) in flows.iter().enumerate().take(expected.rows()) {
                for (column, feature) in encoder.schema().features().iter().enumerate() {
                    let (found, expected) = (found.row(row)[column], expected.row(row)[column]);
                    assert_eq!(found, expected, "{name} {format:?} row {row} {}: {flow:?}", feature.name);
                }
            }
            assert_eq!(found.keys(), expected.keys());
        }
    }
}

const TALK: [traffic::Sketch; 7] = [
    (100, 1, 2, 0x02, 0),
    (100, 2, 1, 0x12, 0),
    (101, 1, 2, 0x18, 300),
    (102, 2, 1, 0x18, 1400),
    (103, 1, 3, 0x02, 0),
    (103, 3, 1, 0x14, 0),
    (300, 1, 2, 0x18, 10),
];

#[test]
fn packet_files_of_every_kind_are_the_same_flows() {
    let expected = strict(&pcap(&TALK, false, false));
    assert_eq!(expected.len(), 3);
    assert_eq!(expected[0].start_us, Some(100_000_005));
    assert_eq!(expected[0].duration_us, Some(2_000_000));
    assert_eq!((expected[0].sent.payload_bytes, expected[0].received.ip_bytes), (Some(300), Some(1_480)));
    for file in [pcap(&TALK, true, false), pcap(&TALK, false, true), pcap(&TALK, true, true), pcapng(&TALK)] {
        assert_eq!(strict(&file), expected);
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

#[test]
fn packed_files_are_the_same_flows() {
    let plain = pcap(&TALK, false, false);
    let flows = strict(&plain);
    let many: Vec<FlowRecord> = flows.iter().cycle().take(6_000).cloned().collect();
    let text = zeek_tsv(&many);
    for bytes in [plain.as_slice(), text.as_bytes()] {
        let expected = strict(bytes);
        let middle = bytes.len() / 2;
        let mut frames = zstd(&bytes[..middle]);
        frames.extend([0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
        frames.extend(zstd(&bytes[middle..]));
        for (packed, compression) in
            [(gzip(bytes), Compression::Gzip), (zstd(bytes), Compression::Zstd), (frames, Compression::Zstd)]
        {
            let options = ReadOptions::default();
            let reader = FlowReader::new(packed.as_slice(), "flows".as_ref(), &options).unwrap();
            assert_eq!(reader.compression(), compression);
            assert_eq!(reader.read_all().unwrap().0, expected);
            // Torn anywhere it is an error, never a shorter file.
            for cut in [packed.len() - 1, packed.len() / 2, packed.len() / 3, 20] {
                let error = read(&packed[..cut], &options).expect_err("a torn file");
                // Also where too little is left to tell the format by.
                let told = matches!(error, CaptureError::Line { .. } | CaptureError::Byte { .. });
                assert!(told, "{compression:?} cut at {cut}: {error}");
            }
        }
    }
}

/// Reads `bytes` and compares the message.
#[track_caller]
fn refused(bytes: &[u8], expected: &str) {
    let error = read(bytes, &ReadOptions::default()).expect_err("a bad file").to_string();
    assert_eq!(error, expected, "{}", String::from_utf8_lossy(&bytes[..bytes.len().min(300)]));
}

const ZEEK: &str =
    "#separator \\x09\n#path\tconn\n#fields\tts\tid.orig_h\tid.resp_h\tduration\tlocal_orig\torig_pkts\n";

#[test]
fn bad_zeek_logs() {
    let row = |row: &str, expected: &str| {
        refused(format!("{ZEEK}{row}\n").as_bytes(), &format!("flows:4: {expected}"));
    };
    row("1\t::1\t10.0.0.1\t1", "expected 6 fields, as the header names them, found 4; repair the line");
    row(
        "x\t::1\t10.0.0.1\t1\tT\t3",
        "column \"ts\": \"x\" is not a time; expected seconds since 1970, or year-month-day and a time of day",
    );
    row("1\t::1\t10.0.0.1\t-1\tT\t3", "column \"duration\": \"-1\" is not a duration in seconds; repair it");
    row("1\t::1\t10.0.0.1\t1\tmaybe\t3", "column \"local_orig\": \"maybe\" is neither T nor F; repair it");
    row(
        "1\t::1\t10.0.0.1\t1\tT\t-3",
        "column \"orig_pkts\": \"-3\" is not a whole number from 0 to 2^63; repair it",
    );
    row(
        "1\t::1\t10.0.0\t1\tT\t3",
        "column \"id.resp_h\": \"10.0.0\" is not an IP address; repair it, or set `remote: None` in the map",
    );
    let other = ZEEK.replace("\tconn", "\thttp");
    refused(
        other.as_bytes(),
        "flows:2: this is a \"http\" log of Zeek, not a conn log; name a conn.log, or allow any log",
    );
    let lacks = ZEEK.replace("id.resp_h", "dst");
    refused(
        lacks.as_bytes(),
        "flows:3: the header names no column \"id.resp_h\"; is this a log of connections?",
    );
    refused(
        b"#separator \\x09\n1\t2\n",
        "flows:2: data before any header line; fetch the file again, or put the header back",
    );
    refused(
        b"#separator x09x\n1\t2\n",
        "flows:1: header line \"#separator x09x\" cannot be used; restore the header that the sensor wrote",
    );
    refused(ZEEK.as_bytes(), "flows: holds no rows; fetch it again, or name another file");
}

#[test]
fn bad_json_and_binetflow() {
    let text = zeek_json(&strict(&pcap(&TALK, false, false)));
    let torn = &text.as_bytes()[..text.len() - 30];
    let message = read(torn, &ReadOptions::default()).unwrap_err().to_string();
    assert!(message.starts_with("flows:3: not a JSON record of this format (EOF while parsing"), "{message}");
    refused(
        b"{\"event_type\":\"flow\"}\n",
        "flows:1: not a JSON record of this format (no usable field `flow`); repair the line, or name another format",
    );
    refused(
        b"StartTime,Dur\n",
        "flows:1: the header names no column \"Proto\"; is this a log of connections?",
    );
    refused(
        b"a,b\n1,2\n",
        "flows: starts like no flow format that is known; name the format, or give a map if it is CSV",
    );
    refused(
        b"PK\x03\x04",
        "flows: is an npz archive, which holds no flows; read it by another function, or name another file",
    );
}

#[test]
fn bad_packet_files() {
    let good = pcap(&TALK, false, false);
    let last = good.len() - frame_length(6);
    let torn = format!("flows: byte {last}: the file ends inside a record; fetch it again");
    refused(&good[..good.len() - 1], &torn);
    refused(&good[..last + 3], &torn);
    refused(&good[..10], "flows: byte 0: the file ends inside a record; fetch it again");
    let mut absurd = good.clone();
    absurd[last + 8..last + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    let message = read(&absurd, &ReadOptions::default()).unwrap_err().to_string();
    assert!(message.starts_with(&format!("flows: byte {last}: ")), "{message}");
    let mut link = good.clone();
    link[20] = 105;
    refused(
        &link,
        "flows: byte 0: link type 105 is not supported; capture on Ethernet, Linux cooked, loopback or raw IP",
    );
    // What came before the damage is still there for a lenient reader.
    let lenient = ReadOptions { lenience: Lenience::SkipUpTo(1), ..ReadOptions::default() };
    let (flows, tally) = read(&absurd, &lenient).unwrap();
    assert_eq!((flows.len(), tally.skipped), (2, 1));
}

/// Bytes that a packet of [`TALK`] takes in a pcap file.
fn frame_length(index: usize) -> usize {
    16 + traffic::frame(TALK[index]).len()
}

#[test]
fn lenience_has_a_limit() {
    let text = format!(
        "{ZEEK}1\t10.0.0.1\t10.0.0.2\t1\tT\t3\nnonsense\n\n2\t10.0.0.1\t10.0.0.2\t-\t-\t-\nx\t\t\t\t\t\n"
    );
    let read = |lenience| read(text.as_bytes(), &ReadOptions { lenience, ..ReadOptions::default() });
    let (flows, tally) = read(Lenience::SkipUpTo(2)).unwrap();
    assert_eq!((flows.len(), tally.records, tally.skipped), (2, 2, 2));
    assert_eq!(
        tally.skipped_first[0],
        "flows:5: expected 6 fields, as the header names them, found 1; repair the line"
    );
    let error = read(Lenience::SkipUpTo(1)).unwrap_err().to_string();
    assert!(
        error.starts_with("more than 1 records cannot be read, the last is flows:8: column \"ts\""),
        "{error}"
    );
    assert!(read(Lenience::Strict).unwrap_err().to_string().starts_with("flows:5: "));
}

/// Peak memory of this process, where the system tells.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn an_endless_line_takes_no_memory() {
    use std::io::Read;
    let before = peak_kib();
    let good = "1\t10.0.0.1\t10.0.0.2\t1\tT\t3\n";
    let file = |bytes: u64| {
        let start = std::io::Cursor::new(format!("{ZEEK}{good}"));
        start.chain(std::io::repeat(b'a').take(bytes)).chain(std::io::Cursor::new(format!("\n{good}")))
    };
    let name = "flows".as_ref();
    let ten_gb = FlowReader::new(file(10 << 30), name, &ReadOptions::default()).unwrap().read_all();
    assert_eq!(
        ten_gb.unwrap_err().to_string(),
        "flows:5: longer than 1048576 bytes; is this a text file with one flow a line?"
    );
    let lenient = ReadOptions { lenience: Lenience::SkipUpTo(1), ..ReadOptions::default() };
    let (flows, tally) = FlowReader::new(file(1 << 30), name, &lenient).unwrap().read_all().unwrap();
    assert_eq!((flows.len(), tally.skipped), (2, 1));
    if let (Some(before), Some(after)) = (before, peak_kib()) {
        assert!(after - before < 256 << 10, "{} KiB", after - before);
    }
}

#[test]
fn an_inspection() {
    let Some(path) = data("zeek/host167_day1_conn.log.labeled.gz") else { return };
    let found = inspect(&path, &InspectOptions::default()).unwrap();
    assert_eq!(
        (found.format.as_str(), found.compression, found.rows),
        ("Zeek TSV", Compression::Gzip, 5_663)
    );
    assert_eq!((found.labels["Malicious"], found.malicious), (4_201, 4_201));
    assert_eq!(found.first_us, Some(1_655_056_416_228_417));
    assert!(found.last_us > found.first_us && found.top_talkers_exact && found.top_talkers.len() == 10);
    assert!(found.top_talkers.is_sorted_by(|a, b| a.flows >= b.flows));
    assert_eq!(found.features[0].name, "duration_seconds");
    assert!(found.features[0].known > 5_000 && found.features[0].max > 3_600.0, "{:?}", found.features[0]);
    let json = serde_json::to_string(&found).unwrap();
    // JSON readers may round means in the last place.
    let read: Inspection = serde_json::from_str(&json).unwrap();
    assert_eq!((read.tally, read.labels, read.top_talkers), (found.tally, found.labels, found.top_talkers));

    let map = CaptureMap::builtin("cicids2017");
    let path = data("cicids2017/attack_sample.csv.gz").unwrap();
    let found = inspect(&path, &InspectOptions { map, ..InspectOptions::default() }).unwrap();
    assert_eq!((found.rows, found.malicious, found.labels["Bot"]), (6_311, 6_084, 1_966));
    let npz = inspect(&data("adbench/6_cardio.npz").unwrap(), &InspectOptions::default()).unwrap();
    assert_eq!((npz.format.as_str(), npz.rows, npz.malicious), ("npz", 1_831, 176));
}

#[test]
fn a_conversion() {
    let converted = |name: &str, map: Option<&str>| {
        let options = InspectOptions { map: map.and_then(CaptureMap::builtin), ..InspectOptions::default() };
        let mut bytes = Vec::new();
        convert(&data(name)?, &options, &mut bytes).unwrap();
        Some(
            csv::Reader::from_reader(bytes.as_slice()).into_records().map(Result::unwrap).collect::<Vec<_>>(),
        )
    };
    let Some(rows) = converted("zeek/sme11_remcosrat_conn.log.labeled.gz", None) else { return };
    assert_eq!(rows.len(), 766);
    let first = "1677024003.714845,0.037629,192.168.1.107,65164,66.63.168.35,5888,tcp,,rejected,2,2,104,80,0,0,\
                 Malicious,From_malicious-To_malicious-Malware_data_exfiltration-RemcosRAT,";
    assert_eq!(rows[0].iter().collect::<Vec<_>>().join(","), first);
    let rows = converted("kdd99/kddcup.data_10_percent.gz", Some("kdd99")).unwrap();
    assert_eq!((rows.len(), rows[0].len(), &rows[0][41]), (494_021, 42, "normal."));
    let failed = convert("no/such".as_ref(), &InspectOptions::default(), Vec::new());
    assert!(matches!(failed, Err(ConvertError::Capture(_))));
}

#[test]
fn the_same_shards_of_real_flows() {
    let Some(path) = data("zeek/host167_day1_conn.log.labeled.gz") else { return };
    let (flows, _) = FlowReader::open(&path, &ReadOptions::default()).unwrap().read_all().unwrap();
    let streams = Streams::from_seed(42);
    let counts = |partition: &Partition, agents: u32| {
        let assigned = partition.assign_flows(&flows, agents, &streams).unwrap();
        assert_eq!(assigned, partition.assign_flows(&flows, agents, &streams).unwrap());
        let mut counts = vec![0; agents as usize];
        assigned.iter().for_each(|agent| counts[agent.index()] += 1);
        counts
    };
    assert_eq!(counts(&Partition::RoundRobin, 4), [1_416, 1_416, 1_416, 1_415]);
    assert_eq!(counts(&Partition::ByTime, 4), [1_416, 1_416, 1_416, 1_415]);
    assert_eq!(counts(&Partition::Iid, 2), [2_832, 2_831]);
    // The log is of one host, which cannot be two agents.
    assert_eq!(counts(&Partition::ByHost, 1), [5_663]);
    assert!(Partition::ByHost.assign_flows(&flows, 2, &streams).is_err());
    let uneven = counts(&Partition::Dirichlet(0.1.try_into().unwrap()), 4);
    let even = counts(&Partition::Dirichlet(1e6.try_into().unwrap()), 4);
    assert!(uneven.iter().max() > even.iter().max(), "{uneven:?} {even:?}");
    assert!(even.iter().all(|count| (1_380..1_450).contains(count)), "{even:?}");
}

/// Agents learn from flows that are no attacks, so hosts with such flows are spread first.
#[test]
fn hosts_that_are_only_attacked_come_last() {
    let flow = |host: u32, class: LabelClass| FlowRecord {
        source: Some(0x0909_0909),
        destination: Some(0x0a00_0000 + host),
        label: Some(Label { class, name: "x".into(), detail: None }),
        ..FlowRecord::default()
    };
    let hosts = [(1u32, 9, 0), (2, 5, 1), (3, 0, 3), (4, 4, 0)];
    let flows: Vec<FlowRecord> = hosts
        .iter()
        .flat_map(|(host, attacks, benign)| {
            let attacks = (0..*attacks).map(|_| flow(*host, LabelClass::Malicious));
            attacks.chain((0..*benign).map(|_| flow(*host, LabelClass::Benign)))
        })
        .collect();
    let agents = |count: u32| {
        let assigned = Partition::ByHost
            .assign_flows(&flows, count, &Streams::from_seed(1))
            .map_err(|e| e.to_string())?;
        let agent = |host| {
            let at = flows.iter().position(|flow| flow.destination == Some(0x0a00_0000 + host));
            assigned[at.unwrap()].0
        };
        Ok::<_, String>([1u32, 2, 3, 4].map(agent))
    };
    // Host 3 has most benign flows, then host 2; host 1 has most attacks and goes where there are fewest flows.
    assert_eq!(agents(2), Ok([0, 1, 0, 1]));
    assert_eq!(agents(4), Ok([2, 1, 0, 3]));
    assert_eq!(
        agents(5).unwrap_err(),
        "5 agents cannot divide 4 values of \"address\"; use at most 4 agents, or the partition SortedBy or Iid"
    );
}

/// What another program writes can be looked into and converted as it comes.
#[cfg(target_os = "linux")]
#[test]
fn pipes_are_files() {
    use std::os::fd::AsRawFd;

    let through_pipe = |bytes: Vec<u8>, map: Option<CaptureMap>| {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
        let writing = std::thread::spawn(move || writer.write_all(&bytes));
        let found = inspect(path.as_ref(), &InspectOptions { map, ..InspectOptions::default() }).unwrap();
        writing.join().unwrap().unwrap();
        found
    };
    let flows: Vec<FlowRecord> = strict(&pcap(&TALK, false, false)).into_iter().cycle().take(3_000).collect();
    let text = zeek_tsv(&flows).into_bytes();
    assert_eq!(through_pipe(text.clone(), None).rows, 3_000);
    let packed = through_pipe(gzip(&text), None);
    assert_eq!((packed.rows, packed.compression), (3_000, Compression::Gzip));
    let map =
        CaptureMap::from_ron("(name: \"mine\", header: true, columns: [(\"n\", Numeric(unit: Count))])")
            .unwrap();
    let rows: String = (0..9_000).map(|n| format!("{n}\n")).collect();
    assert_eq!(through_pipe(format!("n\n{rows}").into_bytes(), Some(map)).rows, 9_000);
}
