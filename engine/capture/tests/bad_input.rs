//! Every way in which a capture can be wrong, with the whole message.

use std::{io::Write, path::Path};

use flate2::{Compression, write::GzEncoder};
use phalanx_capture::{CaptureMap, LoadOptions, Partition, load, read_csv, read_csv_from};

fn map() -> CaptureMap {
    CaptureMap::from_ron(
        r#"(
            name: "flows",
            header: true,
            columns: [
                ("bytes", Numeric(unit: Bytes, log1p: true)),
                ("proto", Categorical),
                ("port", Drop),
                ("service", Drop),
                ("source", Drop),
                ("class", Label(benign: ["ok"])),
            ],
            protocol: "proto",
            port: Number("port"),
            remote: "source",
        )"#,
    )
    .unwrap()
}

const HEADER: &str = "bytes,proto,port,service,source,class\n";
const GOOD: &str = "120,tcp,80,web,10.0.0.1,ok\n";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Reads `bytes` as the file of that name and compares the message; `{}` in `expected` is the file.
#[track_caller]
fn check_as(name: &str, bytes: &[u8], map: &CaptureMap, expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let message = read_csv(&path, map).expect_err("a bad file").to_string();
    assert_eq!(message, expected.replace("{}", path.to_str().unwrap()));
}

/// The same after a header, a good row and a blank line: `line` is number 4.
#[track_caller]
fn check(line: impl AsRef<[u8]>, expected: &str) {
    for end in ["\n", "\r\n"] {
        let mut bytes = format!("{HEADER}{GOOD}\n").replace('\n', end).into_bytes();
        bytes.extend_from_slice(line.as_ref());
        bytes.extend_from_slice(end.as_bytes());
        bytes.extend_from_slice(GOOD.as_bytes());
        check_as("flows.csv", &bytes, &map(), expected);
        check_as("flows.csv.gz", &gzip(&bytes), &map(), expected);
    }
}

#[test]
fn a_missing_file() {
    let error = read_csv(Path::new("no/such.csv"), &map()).unwrap_err();
    assert_eq!(error.to_string(), "no/such.csv: no such file; check the path, or fetch the data set first");
}

#[test]
fn a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let error = read_csv(folder.path(), &map()).unwrap_err().to_string();
    let expected = format!(
        "{}: cannot be read (Is a directory (os error 21)); check that it is a file and that you may read it",
        folder.path().display()
    );
    assert_eq!(error, expected);
}

#[test]
fn an_empty_file() {
    let expected = "{}: holds no rows; fetch it again, or name another file";
    check_as("flows.csv", b"", &map(), expected);
    check_as("flows.csv.gz", b"", &map(), expected);
    check_as("flows.csv.gz", &gzip(b""), &map(), expected);
    check_as("flows.csv", b"\n\r\n\n", &map(), expected);
    check_as("flows.csv", HEADER.as_bytes(), &map(), expected);
}

#[test]
fn not_a_gzip_file() {
    let expected = "{}: is named .gz but is no gzip file; fetch it again, or rename it if it is plain text";
    check_as("flows.csv.gz", GOOD.as_bytes(), &map(), expected);
    check_as("flows.csv.gz", b"\x1f", &map(), expected);
}

#[test]
fn a_truncated_gzip_file() {
    let rows = 1000;
    let whole = gzip(format!("{HEADER}{}", GOOD.repeat(rows)).as_bytes());
    let expected =
        |line: usize| format!("{{}}:{line}: the gzip stream ends early, at this line; fetch the file again");
    // Only the trailer is missing: all rows were there, so it breaks after the last.
    check_as("flows.csv.gz", &whole[..whole.len() - 1], &map(), &expected(rows + 2));
    check_as("flows.csv.gz", &whole[..5], &map(), &expected(1));
    // The second of two members is cut in its header.
    let mut two = gzip(format!("{HEADER}{GOOD}").as_bytes());
    two.extend_from_slice(&gzip(GOOD.as_bytes())[..6]);
    check_as("flows.csv.gz", &two, &map(), &expected(3));
    // Stored rows, so that the line of the cut is known: half of the rows and half a row.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(format!("{HEADER}{}", GOOD.repeat(rows)).as_bytes()).unwrap();
    let stored = encoder.finish().unwrap();
    let overhead = stored.len() - 8 - HEADER.len() - GOOD.len() * rows;
    let cut = overhead + HEADER.len() + GOOD.len() * rows / 2 + GOOD.len() / 2;
    check_as("flows.csv.gz", &stored[..cut], &map(), &expected(rows / 2 + 2));
}

#[test]
fn a_damaged_gzip_file() {
    let damaged = "the gzip stream is damaged";
    let fetch = "at or after this line; fetch the file again";
    let mut wrong_sum = gzip(format!("{HEADER}{GOOD}").as_bytes());
    let sum = wrong_sum.len() - 8;
    wrong_sum[sum] ^= 1;
    let why = "corrupt gzip stream does not have a matching checksum";
    check_as("flows.csv.gz", &wrong_sum, &map(), &format!("{{}}:3: {damaged} ({why}) {fetch}"));
    let mut followed = gzip(format!("{HEADER}{GOOD}").as_bytes());
    followed.extend_from_slice(b"hello, this is no gzip member");
    check_as("flows.csv.gz", &followed, &map(), &format!("{{}}:3: {damaged} (invalid gzip header) {fetch}"));
}

#[test]
fn several_gzip_members_are_one_file() {
    let mut bytes = gzip(format!("{HEADER}{}", &GOOD[..9]).as_bytes());
    bytes.extend_from_slice(&gzip(&GOOD.as_bytes()[9..]));
    bytes.extend_from_slice(&gzip(GOOD.as_bytes()));
    let name = Path::new("flows.csv.gz");
    assert_eq!(read_csv_from(bytes.as_slice(), name, &map()).unwrap().rows(), 2);
}

#[test]
fn a_wrong_number_of_columns() {
    check(
        "120,tcp,80",
        "{}:4: expected 6 columns, as map \"flows\" names them, found 3: the first missing is \"service\"; \
         repair the line, or use a map with these columns",
    );
    check(
        "120,tcp,80,web,10.0.0.1,ok,20",
        "{}:4: expected 6 columns, as map \"flows\" names them, found 7: the last one named is \"class\"; \
         repair the line, or add the others to the map as Drop",
    );
}

#[test]
fn a_header_of_other_columns() {
    check_as(
        "flows.csv",
        b"bytes,proto,port,service,dest,class\n",
        &map(),
        "{}:1: header column 5 is \"dest\", but map \"flows\" names it \"source\"; correct the map, or set \
         `header: false` if this line is data",
    );
}

#[test]
fn values_that_are_no_numbers() {
    let remedy = "is not a number; repair it, or make the column Categorical or Drop in the map";
    check("12O,tcp,80,web,10.0.0.1,ok", &format!("{{}}:4: column \"bytes\": \"12O\" {remedy}"));
    check(",tcp,80,web,10.0.0.1,ok", &format!("{{}}:4: column \"bytes\": \"\" {remedy}"));
    let long = "x".repeat(1000);
    let shown = format!("{}…", "x".repeat(40));
    check(format!("{long},tcp,80,web,10.0.0.1,ok"), &format!("{{}}:4: column \"bytes\": {shown:?} {remedy}"));
    let remedy = "is not a finite 32-bit number; repair it, or make the column Drop in the map";
    for value in ["NaN", "Infinity", "-inf", "1e99"] {
        let expected = format!("{{}}:4: column \"bytes\": \"{value}\" {remedy}");
        check(format!("{value},tcp,80,web,10.0.0.1,ok"), &expected);
    }
}

#[test]
fn values_that_are_no_keys() {
    check(
        "120,tpc,80,web,10.0.0.1,ok",
        "{}:4: column \"proto\": \"tpc\" is not a protocol; use tcp, udp, icmp or an IANA number, or set \
         `protocol: None` in the map",
    );
    check(
        "120,tcp,65536,web,10.0.0.1,ok",
        "{}:4: column \"port\": \"65536\" is not a port from 0 to 65535; repair it, or set `port: None` in the map",
    );
    check(
        "120,tcp,80,web,10.0.0.256,ok",
        "{}:4: column \"source\": \"10.0.0.256\" is not an IP address; repair it, or set `remote: None` in the map",
    );
    let text = r#"(name: "m", header: false, columns: [("x", Numeric()), ("s", Drop)], port: Names(column: "s",
        names: ["http", "dns"]))"#;
    check_as(
        "flows.csv",
        b"1,http\n2,DNS\n",
        &CaptureMap::from_ron(text).unwrap(),
        "{}:2: column \"s\": \"DNS\" is not among the port names of the map; append it to them",
    );
}

#[test]
fn bytes_of_another_encoding() {
    check(
        b"120,tcp,80,web,10.0.0.1,Web Attack \x96 XSS",
        "{}:4: column \"class\": \"Web Attack \u{fffd} XSS\" is not valid UTF-8; convert the file (for example \
         `iconv -f windows-1252 -t utf-8`), or make the column Drop in the map",
    );
}

#[test]
fn an_open_quote() {
    check(
        "120,tcp,80,\"web,10.0.0.1,ok",
        "{}:4: a quoted field does not end on this line; close the quote (a row cannot span lines)",
    );
}

#[test]
fn an_endless_line() {
    let limit = 1 << 20;
    check(
        vec![b'a'; limit + 1],
        "{}:4: longer than 1048576 bytes; is this a text file with one flow a line?",
    );
    // At the limit the line is read, and fails for what it holds.
    check(
        vec![b'a'; limit],
        "{}:4: expected 6 columns, as map \"flows\" names them, found 1: the first missing is \"proto\"; repair \
         the line, or use a map with these columns",
    );
}

#[test]
fn too_many_categories() {
    let rows: String = (0..=4096).map(|i| format!("1,tcp,1,a,::1,attack {i}\n")).collect();
    check_as(
        "flows.csv",
        format!("{HEADER}{rows}").as_bytes(),
        &map(),
        "{}:4098: column \"class\": \"attack 4096\" is one category more than the 4096 allowed; make the column \
         Drop in the map",
    );
}

#[test]
fn splits_that_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flows.csv");
    std::fs::write(&path, format!("{HEADER}{GOOD}")).unwrap();
    let options = LoadOptions {
        train_path: path.clone(),
        replay_path: path.clone(),
        map: map(),
        partition: Partition::Iid,
        agents: 0,
        seed: 0,
    };
    let check =
        |options: LoadOptions, expected: &str| assert_eq!(load(&options).unwrap_err().to_string(), expected);
    check(options.clone(), "0 agents cannot share a capture; ask for at least one");
    let partition = Partition::ByColumn("servce".to_owned());
    check(
        LoadOptions { partition, agents: 1, ..options.clone() },
        "no categorical column \"servce\" to divide by; the map has proto",
    );
    let partition = Partition::ByColumn("proto".to_owned());
    check(
        LoadOptions { partition, agents: 2, ..options.clone() },
        "2 agents cannot divide the 1 values of \"proto\" that have benign training rows; use at most 1 agents, or \
         the partition SortedBy or Iid",
    );
    // More agents than rows is no error, but the simulation must know who has learned nothing.
    let untrained = load(&LoadOptions { agents: 3, ..options.clone() }).unwrap().untrained;
    assert_eq!(untrained.iter().map(|agent| agent.0).collect::<Vec<_>>(), [1, 2]);
    std::fs::write(&path, format!("{HEADER}{}", GOOD.replace("ok", "scan"))).unwrap();
    check(
        LoadOptions { agents: 1, ..options },
        &format!(
            "{}: holds no benign rows to train on; check `benign` of the label column in map \"flows\"",
            path.display()
        ),
    );
}
