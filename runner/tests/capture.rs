//! `capture inspect` and `capture convert` on files that are whole, torn, or something else.

mod common;

use std::path::Path;
use std::process::Stdio;

use common::{Bench, Said};
use serde_json::Value;

const HEADER: &str = "#separator \\x09\n#path\tconn\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\t\
                      duration\torig_pkts\tresp_pkts\tlabel\n";
const FLOWS: [&str; 3] = [
    "10.5\t10.0.0.1\t4000\t10.0.0.9\t22\ttcp\t2.0\t3\t1\tMalicious\n",
    "11.0\t10.0.0.1\t4001\t10.0.0.9\t22\ttcp\t0.5\t1\t1\tMalicious\n",
    "75.0\t10.0.0.2\t53\t10.0.0.9\t53\tudp\t-\t1\t0\tBenign\n",
];
/// A line that ends in the middle of the sixth field.
const TORN: &str = "76.0\t10.0.0.3\t4002\t10.0.0.9\t443\ttc";

const MAP: &str = r#"(
    name: "mine",
    header: true,
    columns: [("bytes", Numeric()), ("proto", Categorical), ("class", Label(benign: ["ok"]))],
    not_finite: Clip,
)"#;

fn conn_log() -> String {
    format!("{HEADER}{}", FLOWS.concat())
}

fn torn_log() -> String {
    conn_log() + TORN
}

/// Lines with single spaces, so that a test does not depend on the widths of columns.
fn lines(said: &Said) -> Vec<String> {
    assert!(said.stdout.lines().all(|line| line.chars().count() <= 80), "{}", said.stdout);
    said.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[track_caller]
fn has(said: &Said, expected: &[&str]) {
    let lines = lines(said);
    for line in expected {
        assert!(lines.iter().any(|l| l == line), "no line {line:?} in:\n{}", said.stdout);
    }
}

#[test]
fn inspect_tells_what_is_in_a_file() {
    let bench = Bench::new();
    bench.write("conn.log", conn_log());
    let said = bench.run(&["capture", "inspect", "conn.log"]).expect(0);
    has(
        &said,
        &[
            "format Zeek TSV",
            "compression none",
            "rows 3",
            "from 1970-01-01 00:00:10.500000 UTC",
            "to 1970-01-01 00:01:15.000000 UTC",
            "span 1 min 4 s (times seem to count from its start)",
            "Malicious 2 66.67 %",
            "Benign 1 33.33 %",
            "= malicious 2 66.67 %",
            "tcp 2 66.67 %",
            "10.0.0.1 2 66.67 %",
            // A flow of one packet lasts 0, although the sensor writes no duration.
            "duration_seconds 3 0 0.833 2",
            "sent_packets 3 1 1.667 3",
            "sent_bytes 0 – – –",
            "nothing",
        ],
    );
    assert_eq!(said.stderr, "");
}

#[test]
fn json_is_the_inspection() {
    let bench = Bench::new();
    bench.write("conn.log", conn_log());
    let said = bench.run(&["capture", "inspect", "conn.log", "--json"]).expect(0);
    let printed: phalanx_capture::Inspection = serde_json::from_str(&said.stdout).expect("one document");
    let found = phalanx_capture::inspect(&bench.path("conn.log"), &Default::default()).unwrap();
    assert_eq!(printed, found);
    assert_eq!(
        (found.rows, found.malicious, found.first_us, found.last_us),
        (3, 2, Some(10_500_000), Some(75_000_000))
    );
}

#[test]
fn alerts_are_read_where_asked_for() {
    let bench = Bench::new();
    let event = |kind: &str, more: &str| {
        format!(
            "{{\"timestamp\":\"2021-06-06T15:59:46.457984+0200\",\"event_type\":\"{kind}\",\"src_ip\":\"78.36.196.213\",\
             \"src_port\":51698,\"dest_ip\":\"192.168.1.129\",\"dest_port\":445,\"proto\":\"TCP\",{more}\"flow\":\
             {{\"pkts_toserver\":1,\"pkts_toclient\":0,\"bytes_toserver\":60,\"bytes_toclient\":0}}}}\n"
        )
    };
    let rule = "\"alert\":{\"signature_id\":9,\"severity\":2,\"signature\":\"ET SCAN, twice\"},";
    bench.write("eve.json", event("alert", rule) + &event("alert", rule) + &event("flow", ""));
    let inspect = |more: &[&str]| bench.run(&[&["capture", "inspect", "eve.json"], more].concat()).expect(0);
    let flows = inspect(&[]);
    has(
        &flows,
        &["rows 1", "from 2021-06-06 13:59:46.457984 UTC", "left out: alert (--eve alerts reads them) 2"],
    );
    assert!(!flows.stdout.contains("rules hit"));
    has(&inspect(&["--eve", "alerts"]), &["rows 2", "ET SCAN, twice 2 100.00 %", "left out: flow 1"]);
    has(&inspect(&["--eve", "both"]), &["rows 3", "ET SCAN, twice 2 66.67 %", "nothing"]);
    let csv =
        bench.run(&["capture", "convert", "eve.json", "--to", "csv", "--eve", "alerts"]).expect(0).stdout;
    assert_eq!(csv.matches(",\"ET SCAN, twice\"\n").count(), 2, "{csv}");
    bench.run(&["capture", "inspect", "eve.json", "--eve", "dns"]).expect(2);
}

#[test]
fn a_torn_line_is_an_error_until_it_may_be_skipped() {
    let bench = Bench::new();
    bench.write("torn.log", torn_log());
    let said = bench.run(&["capture", "inspect", "torn.log"]).expect(2);
    assert!(said.stderr.contains("torn.log:7: expected 10 fields"), "{}", said.stderr);
    assert_eq!(said.stdout, "");
    bench.run(&["capture", "inspect", "torn.log", "--lenient", "0"]).expect(2);

    let said = bench.run(&["capture", "inspect", "torn.log", "--lenient", "1"]).expect(0);
    has(&said, &["rows 3", "skipped: records that cannot be read 1"]);
    assert!(said.stdout.contains("the first: torn.log:7: expected 10 fields"), "{}", said.stdout);
}

#[test]
fn a_torn_packet_is_named_by_its_byte() {
    let bench = Bench::new();
    // A pcap header (Ethernet), and a record that promises 60 bytes of which there are 4.
    let mut pcap = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0];
    pcap.extend([1, 0, 0, 0, 0, 0, 0, 0, 60, 0, 0, 0, 60, 0, 0, 0, 1, 2, 3, 4]);
    bench.write("torn.pcap", pcap);
    let said = bench.run(&["capture", "inspect", "torn.pcap"]).expect(2);
    assert!(said.stderr.contains("torn.pcap: byte 24: the file ends inside a record"), "{}", said.stderr);
}

#[test]
fn unknown_and_absent_files_are_bad_input() {
    let bench = Bench::new();
    bench.write("rows.csv", "bytes,proto,class\n1,tcp,ok\n");
    let check = |arguments: &[&str], message: &str| {
        for verb in [&["inspect"][..], &["convert", "--to", "csv"]] {
            let said = bench.run(&[&["capture"], verb, arguments].concat()).expect(2);
            assert!(said.stderr.contains(message), "{arguments:?}: {}", said.stderr);
            assert_eq!(said.stdout, "");
        }
    };
    check(&["rows.csv"], "rows.csv: starts like no flow format that is known");
    check(&["absent.log"], "absent.log: no such file");
    check(&["rows.csv", "--format", "zeek-tsv"], "rows.csv:1: data before any header line");
    check(&["rows.csv", "--format", "fnord"], "invalid value 'fnord'");
    check(&["rows.csv", "--map", "fnord"], "no map and no file called `fnord`; maps are cicids2017");
    bench.write("bad.ron", "(name: 3)");
    check(&["rows.csv", "--map", "bad.ron"], "bad.ron: capture map, line 1 column");
}

#[test]
fn csv_is_read_by_a_map_of_ones_own() {
    let bench = Bench::new();
    bench.write("mine.ron", MAP);
    bench.write("rows.csv", "bytes,proto,class\n1,tcp,ok\nInfinity,udp,scan\n4,tcp,sc\u{1b}[2Jan\n");
    let said = bench.run(&["capture", "inspect", "rows.csv", "--map", "mine.ron"]).expect(0);
    has(
        &said,
        &[
            "format CSV by map mine",
            "bytes 3 1 3 4",
            "ok 1 33.33 %",
            "= malicious 2 66.67 %",
            "clipped: numbers that are not finite 1",
        ],
    );
    assert!(said.stdout.contains(r"sc\u{1b}[2Jan"), "a file cannot clear the screen: {}", said.stdout);

    bench.write("rows.csv", "bytes,proto,class\n1,tcp,ok\nmany,udp,scan\n");
    let said = bench.run(&["capture", "inspect", "rows.csv", "--map", "mine.ron"]).expect(2);
    assert!(said.stderr.contains(r#"rows.csv:3: column "bytes": "many" is not a number"#), "{}", said.stderr);
}

#[test]
fn convert_writes_csv_to_standard_output_or_a_file() {
    let bench = Bench::new();
    bench.write("torn.log", torn_log());
    let convert = ["capture", "convert", "torn.log", "--to", "csv", "--lenient", "1"];
    let said = bench.run(&convert).expect(0);
    let rows: Vec<&str> = said.stdout.lines().collect();
    assert_eq!(rows.len(), 4);
    assert!(rows[0].starts_with("start,duration,source,source_port,"), "{}", rows[0]);
    assert!(rows[1].starts_with("10.500000,2.000000,10.0.0.1,4000,10.0.0.9,22,tcp,"), "{}", rows[1]);
    assert!(said.stderr.contains("3 rows to standard output"), "what was skipped is told: {}", said.stderr);
    assert!(said.stderr.contains("torn.log:7"), "{}", said.stderr);
    assert_eq!(bench.run(&[&convert[..], &["-q"]].concat()).expect(0).stderr, "");

    let to_file = [&convert[..], &["--output", "flows.csv"]].concat();
    let into_file = bench.run(&to_file).expect(0);
    assert_eq!((into_file.stdout.as_str(), bench.read("flows.csv")), ("", said.stdout));
    assert_eq!(bench.files(), ["flows.csv", "torn.log"]);
}

#[test]
fn convert_writes_the_same_table_as_parquet() {
    use parquet::file::reader::FileReader;
    use parquet::record::RowAccessor;

    let bench = Bench::new();
    bench
        .write("conn.log", conn_log())
        .write("mine.ron", MAP)
        .write("rows.csv", "bytes,proto,class\n1,tcp,ok\n2.5,udp,scan\n");
    let convert = |file: &str, more: &[&str], out: &str| {
        let base = ["capture", "convert", file, "--to", "parquet", "--output", out];
        bench.run(&[&base[..], more].concat()).expect(0);
        let file = std::fs::File::open(bench.path(out)).unwrap();
        let reader = parquet::file::serialized_reader::SerializedFileReader::new(file).unwrap();
        let names: Vec<String> = reader
            .metadata()
            .file_metadata()
            .schema_descr()
            .columns()
            .iter()
            .map(|c| c.name().to_owned())
            .collect();
        (names, reader.get_row_iter(None).unwrap().map(Result::unwrap).collect::<Vec<_>>())
    };
    let (names, rows) = convert("conn.log", &[], "flows.parquet");
    let csv = bench.run(&["capture", "convert", "conn.log", "--to", "csv"]).expect(0).stdout;
    assert_eq!(names.join(","), csv.lines().next().unwrap());
    assert_eq!(rows.len(), 3);
    let row = &rows[0];
    assert_eq!(
        (
            row.get_timestamp_micros(0).unwrap(),
            row.get_double(1).unwrap(),
            row.get_string(2).unwrap().as_str()
        ),
        (10_500_000, 2.0, "10.0.0.1")
    );
    assert_eq!((row.get_long(5).unwrap(), row.get_string(15).unwrap().as_str()), (22, "Malicious"));
    let unknown = |row: &parquet::record::Row, i: usize| row.get_column_iter().nth(i).unwrap().1.to_string();
    assert_eq!(unknown(&rows[0], 11), "null", "what the sensor did not say is null, not 0");

    let (names, rows) = convert("rows.csv", &["--map", "mine.ron"], "rows.parquet");
    assert_eq!(names, ["bytes", "proto", "label"]);
    assert_eq!((rows[1].get_float(0).unwrap(), rows[1].get_string(2).unwrap().as_str()), (2.5, "scan"));

    bench.write("torn.log", torn_log());
    bench.run(&["capture", "convert", "torn.log", "--to", "parquet", "--output", "torn.parquet"]).expect(2);
    assert!(!bench.path("torn.parquet").exists(), "whole or not at all");
}

#[test]
fn convert_overwrites_nothing_and_leaves_nothing_unfinished() {
    let bench = Bench::new();
    bench.write("torn.log", torn_log()).write("flows.csv", "precious");
    let said =
        bench.run(&["capture", "convert", "torn.log", "--to", "csv", "--output", "flows.csv"]).expect(2);
    assert!(said.stderr.contains("flows.csv exists and is not overwritten"), "{}", said.stderr);
    let said =
        bench.run(&["capture", "convert", "torn.log", "--to", "csv", "--output", "other.csv"]).expect(2);
    assert!(said.stderr.contains("torn.log:7"), "{}", said.stderr);
    assert_eq!(bench.files(), ["flows.csv", "torn.log"]);
    assert_eq!(bench.read("flows.csv"), "precious");
    bench.run(&["capture", "convert", "torn.log", "--to", "csv", "--output", "no/folder.csv"]).expect(1);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let bench = Bench::new();
    bench.write("long.log", format!("{HEADER}{}", FLOWS[0].repeat(20_000)));
    let mut command = bench.command(&["capture", "convert", "long.log", "--to", "csv"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn a_labelled_day_of_a_host() {
    let name = "../../shared/data/zeek/host167_day1_conn.log.labeled.gz";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if !file.exists() {
        eprintln!("SKIPPED: {} is not there", file.display());
        return;
    }
    let bench = Bench::new();
    let file = file.to_str().unwrap();
    let said = bench.run(&["capture", "inspect", file]).expect(0);
    has(&said, &["compression gzip", "rows 5,663", "Malicious 4,201 74.18 %", "Benign 1,402 24.76 %"]);
    has(&said, &["not replayed: Background, Unknown (no truth) 60"]);
    let json = bench.run(&["capture", "inspect", file, "--json"]).expect(0).stdout;
    let document: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&document["malicious"], &document["labels"]["Benign"]), (&4201.into(), &1402.into()));

    let csv = bench.run(&["capture", "convert", file, "--to", "csv"]).expect(0).stdout;
    // 60 flows more are labelled Background.
    let labelled = |label: &str| csv.lines().filter(|row| row.split(',').nth(15) == Some(label)).count();
    assert_eq!((csv.lines().count(), labelled("Malicious"), labelled("Benign")), (5664, 4201, 1402));
}
