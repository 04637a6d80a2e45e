//! What a map may grant a file: columns by name, numbers that are none, other encodings, unreadable rows.

use phalanx_capture::{CaptureError, CaptureMap, Lenience, Partition, Records, Tally, read_csv_with};
use phalanx_core::{Protocol, Streams};

fn map(policies: &str) -> CaptureMap {
    CaptureMap::from_ron(&format!(
        r#"(
            name: "m",
            header: true,
            columns: [
                ("port", Drop), ("rate", Numeric()), ("size", Numeric()), ("size", Drop), ("kind", Categorical),
                ("class", Label(benign: ["ok"])),
            ],
            port: Number("port"),
            {policies}
        )"#
    ))
    .unwrap()
}

fn read_as(text: &[u8], map: &CaptureMap, lenience: Lenience) -> Result<(Records, Tally), CaptureError> {
    read_csv_with(text, "f.csv".as_ref(), map, lenience)
}

fn read(text: impl AsRef<[u8]>, policies: &str) -> Result<Records, String> {
    let read = read_as(text.as_ref(), &map(policies), Lenience::Strict);
    read.map(|(records, _)| records).map_err(|error| error.to_string())
}

const HEADER: &str = "port,rate,size,size,kind,class\n";

#[test]
fn columns_by_name() {
    let by_name = "columns_by_name: true";
    let usual = read(format!("{HEADER}80,1,2,3,a,ok\n"), by_name).unwrap();
    assert_eq!((usual.numbers(0), usual.keys()[0].port), (&[1.0, 2.0][..], Some(80)));
    // Another order, padded, one of two columns of a name, and no port.
    let other = read(" class, size, rate, kind\nscan,2,1,a\n", by_name).unwrap();
    assert_eq!(
        (other.numbers(0), other.keys()[0].port, other.label(0)),
        (&[1.0, 2.0][..], None, Some("scan"))
    );
    let fails = |text: &str, expected: &str| assert_eq!(read(text, by_name).unwrap_err(), expected);
    fails(
        "port,rate,kind,class\n",
        "f.csv:1: the header has no column \"size\", which map \"m\" names; correct the map, or name another file",
    );
    fails(
        "port,rate,size,size,size,kind,class\n",
        "f.csv:1: header column 5 is \"size\", which map \"m\" does not name (so often); add it to the map as Drop, or \
         name another file",
    );
    fails(
        "rate,size,kind,class\n1,2,a\n",
        "f.csv:2: expected 4 columns, as the header of this file has, found 3; repair the line",
    );
    fails(
        "class,size,rate,kind\nok,2,x,a\n",
        "f.csv:2: column \"rate\": \"x\" is not a number; repair it, or make the column Categorical or Drop in the map",
    );
    let error = CaptureMap::from_ron(
        "(name: \"m\", header: false, columns: [(\"x\", Numeric())], columns_by_name: true)",
    );
    assert!(error.unwrap_err().to_string().contains("set `header: true`"));
}

#[test]
fn numbers_that_are_none() {
    let text = format!(
        "{HEADER}1,5,1,,a,ok\n1,Infinity,2,,b,ok\n1,-inf,3,,b,ok\n1,NaN,4,,c,scan\n1,-2,1e99,,a,ok\n"
    );
    assert!(
        read(&text, "").unwrap_err().starts_with("f.csv:3: column \"rate\": \"Infinity\" is not a finite")
    );
    let clipped = read(&text, "not_finite: Clip").unwrap();
    let numbers: Vec<&[f32]> = (0..5).map(|row| clipped.numbers(row)).collect();
    assert_eq!(numbers, [[5.0, 1.0], [5.0, 2.0], [-2.0, 3.0], [0.0, 4.0], [-2.0, 4.0]]);
    assert_eq!((clipped.clipped(), clipped.dropped()), (4, 0));
    let dropped = read(&text, "not_finite: Drop").unwrap();
    assert_eq!((dropped.rows(), dropped.clipped(), dropped.dropped()), (1, 0, 4));
    assert!(dropped.attacks().is_empty(), "the only attack was dropped");
    let (_, tally) = read_as(text.as_bytes(), &map("not_finite: Drop"), Lenience::Strict).unwrap();
    assert_eq!(tally.left_out["rows with numbers that are not finite"], 4);
    let empty = format!("{HEADER}1,,2,,a,ok\n");
    assert!(read(&empty, "").unwrap_err().contains("\"\" is not a number"));
    assert_eq!(read(&empty, "empty: Zero").unwrap().numbers(0), [0.0, 2.0]);
}

#[test]
fn windows_1252() {
    let mut text = format!("{HEADER}1,1,1,,caf").into_bytes();
    text.extend(b"\xe9,Web Attack \x96 XSS\n1,1,1,,caf\xc3\xa9,ok\n");
    assert!(read(&text, "").unwrap_err().contains("is not valid UTF-8"));
    let records = read(&text, "encoding: Windows1252").unwrap();
    assert_eq!(records.attacks(), ["Web Attack – XSS"]);
    assert_eq!(records.categories(0), ["café", "café"]);
}

#[test]
fn unreadable_rows() {
    let text = format!("{HEADER}1,1,1,,a,ok\n1,x,1,,b,new\n1,1\n70000,1,1,,c,other\n1,2,2,,a,scan\n");
    let skip = |rows| read_as(text.as_bytes(), &map(""), Lenience::SkipUpTo(rows));
    let (records, tally) = skip(3).unwrap();
    assert_eq!((records.rows(), tally.records, tally.skipped), (2, 2, 3));
    assert_eq!(
        (records.numbers(1), records.attacks(), records.categories(0)),
        (&[2.0, 2.0][..], vec!["scan"], &["a".to_owned()][..])
    );
    assert!(
        skip(2)
            .unwrap_err()
            .to_string()
            .starts_with("more than 2 records cannot be read, the last is f.csv:5: ")
    );
    let other = read_as(b"a,b\n1,2\n", &map(""), Lenience::SkipUpTo(9)).unwrap_err().to_string();
    assert!(other.starts_with("f.csv:1: expected 6 columns"), "a header is not skipped: {other}");
}

#[test]
fn the_raw_form_of_unsw_nb15() {
    let rows = "59.166.0.0,1390,149.171.126.6,53,udp,CON,0.001055,132,164,31,29,0,0,dns,500473.9375,621800.9375,2,2,0,0,\
                0,0,66,82,0,0,0,0,1421927414,1421927414,0.017,0.013,0,0,0,0,0,0,0,0,3,7,1,3,1,1,1,,0\n\
                175.45.176.3,21223,149.171.126.18,0x000b,unas,INT,9e-06,168,0,254,0,0,0,-,149333328,0,2,0,0,0,\
                0,0,84,0,0,0,0,0,1421927417,1421927417,0.009,0,0,0,0,0,2,,, ,1,1,1,1,1,1,1, Fuzzers ,1\n";
    let map = CaptureMap::builtin("unsw_nb15_raw").unwrap();
    let (records, _) = read_as(rows.as_bytes(), &map, Lenience::Strict).unwrap();
    assert_eq!(records.attacks(), ["Fuzzers"]);
    assert!(records.is_benign(0) && !records.is_benign(1));
    let (dns, fuzz) = (records.keys()[0], records.keys()[1]);
    assert_eq!((dns.port, dns.protocol, dns.remote), (Some(53), Some(Protocol::UDP), Some(0x3ba6_0000)));
    assert_eq!((fuzz.port, fuzz.protocol), (Some(11), None));
}

/// CICIDS2017 in its longer form, with the ends of flows and rows of nothing but commas.
#[test]
fn the_form_of_cicids2017_with_addresses() {
    let map = CaptureMap::builtin("cicids2017").unwrap();
    let names: Vec<&str> = map
        .columns
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| *name != "Fwd Header Length.1")
        .collect();
    assert_eq!(names.len(), 85);
    let row = |source: &str, label: &str| {
        let field = |name: &&str| match *name {
            "Flow ID" => "192.168.10.50-172.16.0.1-80-36180-6".to_owned(),
            "Source IP" => source.to_owned(),
            "Destination Port" => "80".to_owned(),
            "Protocol" => "6".to_owned(),
            "Timestamp" => "6/7/2017 9:15".to_owned(),
            "Flow Bytes/s" => "Infinity".to_owned(),
            "Label" => label.to_owned(),
            _ => "3".to_owned(),
        };
        names.iter().map(field).collect::<Vec<_>>().join(",") + "\n"
    };
    let blank = ",".repeat(84) + "\r\n";
    let mut text = format!("{}\n", names.join(", ")).into_bytes();
    for part in
        [&row("172.16.0.1", "Web Attack ? XSS"), &blank, &row("192.168.10.50", "BENIGN"), &blank, &blank]
    {
        text.extend(part.bytes().map(|byte| if byte == b'?' { 0x96 } else { byte }));
    }
    let (records, tally) = read_as(&text, &map, Lenience::Strict).unwrap();
    assert_eq!(
        (records.rows(), records.numeric().len(), records.attacks()),
        (2, 76, vec!["Web Attack – XSS"])
    );
    assert_eq!(tally.left_out, [("rows of empty fields".to_owned(), 3)].into());
    let key = records.keys()[0];
    assert_eq!((key.remote, key.port, key.protocol), (Some(0xac10_0001), Some(80), Some(Protocol::TCP)));
    // Where an empty number is no 0, a row of commas is an error like any other.
    assert!(
        read(format!("{HEADER},,,,,\n"), "")
            .unwrap_err()
            .contains("f.csv:2: column \"rate\": \"\" is not a number")
    );
}

#[test]
fn partitions_that_cannot_be() {
    let records = read(format!("{HEADER}1,1,1,,a,ok\n"), "").unwrap();
    let assign = |partition: &Partition| {
        partition.assign(&records, &records, 1, &Streams::from_seed(1)).unwrap_err().to_string()
    };
    assert_eq!(
        assign(&Partition::ByHost),
        "no flow has an address, so they cannot be divided by it; use another partition"
    );
    assert_eq!(assign(&Partition::BySubnet(33)), "a subnet of /33 does not exist; use 0 to 32 bits");
    for alpha in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(phalanx_capture::Concentration::try_from(alpha).is_err(), "{alpha}");
    }
    let written = ron::to_string(&Partition::Dirichlet(0.5.try_into().unwrap())).unwrap();
    assert_eq!(written, "Dirichlet(0.5)");
    assert!(ron::from_str::<Partition>("Dirichlet(-0.5)").is_err());
}

/// More agents than categories: equal stretches of what is sorted by category, whose other rows follow.
#[test]
fn sorted_by_column_cuts_equal_stretches() {
    let row = |kind: &str, class: &str| format!("80,1,2,3,{kind},{class}\n");
    let train = ["b", "a", "b", "a", "b", "b"].map(|kind| row(kind, "ok")).concat() + &row("c", "scan");
    let train = read(HEADER.to_owned() + &train, "").unwrap();
    let replay = read(HEADER.to_owned() + &["b", "c", "a", "b"].map(|kind| row(kind, "scan")).concat(), "");
    let split = Partition::SortedBy("kind".to_owned());
    let assigned = split.assign(&train, &replay.unwrap(), 3, &Streams::from_seed(1)).unwrap();
    let agents = |list: &[phalanx_core::AgentId]| list.iter().map(|agent| agent.0).collect::<Vec<_>>();
    // Benign rows by kind: a a | b b | b b.
    assert_eq!(agents(&assigned.train), [1, 0, 1, 0, 2, 2, 2]);
    assert_eq!(agents(&assigned.replay), [1, 2, 0, 2]);
    assert!(assigned.untrained.is_empty());
}
