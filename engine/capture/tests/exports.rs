//! NetFlow and IPFIX: what an exporter sends is what is read, whatever the version, order and carrier.

mod exporter;
mod support;
mod traffic;

use exporter::{
    BOOT_US, Half, Sent, captured, halves, ipfix, ipfix_data, ipfix_message, ipfix_template, ntp, plain, set,
    uptime, v5, v9, v9_data, v9_message, v9_template,
};
use phalanx_capture::{
    FlowEncoder, FlowReader, FlowRecord, FlowState, Format, Lenience, ReadOptions, Tally, Volume,
};
use phalanx_core::Protocol;
use proptest::{prelude::*, sample::Index};
use support::data;
use traffic::read;

fn both_ways() -> ReadOptions {
    ReadOptions { exports_both_ways: true, ..ReadOptions::default() }
}

#[track_caller]
fn strict(bytes: &[u8]) -> (Vec<FlowRecord>, Tally) {
    read(bytes, &ReadOptions::default()).unwrap()
}

/// A flow that every version can tell, in whole milliseconds.
fn flow(index: u32) -> FlowRecord {
    let volume =
        |packets, ip_bytes| Volume { packets: Some(packets), ip_bytes: Some(ip_bytes), payload_bytes: None };
    FlowRecord {
        start_us: Some(BOOT_US + 5_000_000 + i64::from(index) * 7_000),
        duration_us: Some(1_250_000),
        source: Some(0x0a00_0001 + index),
        destination: Some(0xc000_0201),
        source_port: Some(40_000),
        destination_port: Some(443),
        protocol: Some(Protocol::TCP),
        sent: volume(6, 840),
        received: volume(5, 4_321),
        state: Some(FlowState::Finished),
        state_name: Some("finished".into()),
        ..FlowRecord::default()
    }
}

fn flows(count: u32) -> Vec<FlowRecord> {
    (0..count).map(flow).collect()
}

fn sorted(mut flows: Vec<FlowRecord>) -> Vec<FlowRecord> {
    let key = |flow: &FlowRecord| {
        (
            flow.start_us,
            flow.source,
            flow.destination,
            flow.source_port,
            flow.destination_port,
            flow.protocol.map(|p| p.0),
        )
    };
    flows.sort_by_key(key);
    flows
}

/// Every version and carrier of the same flows.
fn files(flows: &[FlowRecord]) -> Vec<(&'static str, Vec<u8>)> {
    let halves = halves(flows);
    let versions: [(&str, Vec<Sent>); 4] = [
        ("v5", v5(&halves, 0)),
        ("v9", v9(&halves, true)),
        ("v9, template last", v9(&halves, false)),
        ("ipfix", ipfix(flows)),
    ];
    let mut files = Vec::new();
    for (name, messages) in versions {
        files.push((name, plain(&messages)));
        files.push((name, captured(&messages, 1, 2055)));
        files.push((name, captured(&messages, 1, 50_001)));
    }
    files
}

#[test]
fn every_version_and_carrier_tells_the_same_flows() {
    let expected = flows(70);
    for (name, file) in files(&expected) {
        let reader = FlowReader::new(file.as_slice(), "flows".as_ref(), &ReadOptions::default()).unwrap();
        assert_eq!(reader.format(), Format::Netflow, "{name}");
        let (found, tally) = reader.read_all().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(sorted(found), expected, "{name}");
        assert_eq!((tally.records, tally.left_out, tally.sampled), (70, [].into(), [].into()), "{name}");
    }
}

/// Packets put together by this crate, and the same flows exported, give the same features.
#[test]
fn packets_and_exports_have_the_same_features() {
    let mut compared = 0;
    for name in
        ["slips_test7", "zeek_wikipedia", "slips_ssh_bruteforce", "slips_icmp_portscan", "sv_zerologon"]
    {
        let Some(path) = data(&format!("pcap/{name}.pcap")) else { return };
        let (flows, _) = FlowReader::open(&path, &ReadOptions::default()).unwrap().read_all().unwrap();
        let known = |flow: &FlowRecord| !flow.ipv6 && matches!(flow.protocol.unwrap().0, 1 | 6 | 17);
        let mut seen = std::collections::BTreeSet::new();
        let mut expected = Vec::new();
        for mut flow in flows.into_iter().filter(known) {
            // Milliseconds are what NetFlow has, and within one it does not say who began. Records of ends that talk
            // twice are told apart by timeouts, which other tests are about.
            let ends = [(flow.source, flow.source_port), (flow.destination, flow.destination_port)];
            let ends = if ends[0] < ends[1] { ends } else { [ends[1], ends[0]] };
            if !seen.insert((ends, flow.protocol.unwrap().0)) {
                continue;
            }
            // An answer whose question was not captured; the flags of this test's exporter do not tell.
            if flow.sent.packets == Some(0) {
                continue;
            }
            flow.start_us = flow.start_us.map(|us| us / 1000 * 1000);
            let at_least = if flow.received.packets > Some(0) { 2_000 } else { 0 };
            flow.duration_us = flow.duration_us.map(|us| (us / 1000 * 1000).max(at_least));
            for volume in [&mut flow.sent, &mut flow.received] {
                volume.payload_bytes = None;
            }
            expected.push(flow);
        }
        let expected = sorted(expected);
        let features = FlowEncoder::new().encode(&expected);
        for (version, file) in files(&expected) {
            let found = sorted(read(&file, &both_ways()).unwrap().0);
            let mut encoder = FlowEncoder::new();
            let batch = encoder.encode(&found);
            assert_eq!(batch.rows(), features.rows(), "{name} {version}");
            for (row, flow) in found.iter().enumerate() {
                for (column, feature) in encoder.schema().features().iter().enumerate() {
                    let (found, expected) = (batch.row(row)[column], features.row(row)[column]);
                    assert_eq!(found, expected, "{name} {version} row {row} {}: {flow:?}", feature.name);
                }
            }
            assert_eq!(batch.keys(), features.keys());
            compared += found.len();
        }
    }
    assert!(compared > 3_000, "{compared}");
}

/// What softflowd 1.1.0 exported of the fuzz target's packets (`runner/benches/sensors.py` has it export real traces).
#[test]
fn a_real_exporter_tells_the_flows_of_its_packets() {
    // The first byte of a seed is the fuzz target's own.
    macro_rules! seed {
        ($name:literal) => {
            &include_bytes!(concat!("../../../fuzz/seeds/", $name))[1..]
        };
    }
    let (mut packets, _) = strict(seed!("flows_pcap/pcap"));
    for flow in &mut packets {
        flow.start_us = flow.start_us.map(|us| us / 1000 * 1000);
        (flow.sent.payload_bytes, flow.received.payload_bytes) = (None, None);
    }
    let files = [
        ("v5", seed!("flows_netflow/softflowd_v5"), 0),
        // Its header has no parts of seconds.
        ("v9", seed!("flows_netflow/softflowd_v9"), 2_000),
        // Times are since a start that an options record tells.
        ("ipfix", seed!("flows_netflow/softflowd_ipfix"), 0),
    ];
    for (name, file, early_us) in files {
        let (mut found, tally) = read(file, &both_ways()).unwrap();
        found.iter_mut().for_each(|flow| flow.start_us = flow.start_us.map(|us| us + early_us));
        assert_eq!(found, packets, "{name}");
        assert_eq!(
            tally.left_out,
            if name == "v5" { [].into() } else { [("options records".to_owned(), 1)].into() }
        );
    }
}

#[test]
fn what_an_exporter_does_not_tell_is_not_known() {
    let mut scan = flow(0);
    (scan.received, scan.state) =
        (Volume { packets: Some(0), ip_bytes: Some(0), payload_bytes: None }, Some(FlowState::Unanswered));
    for (file, sampled) in [
        (plain(&v5(&halves(&[scan.clone()]), 0)), false),
        (plain(&v5(&halves(&[scan.clone()]), 0x4064)), true),
    ] {
        let (found, tally) = strict(&file);
        assert_eq!((found[0].received, found[0].state), (Volume::default(), None));
        assert_eq!(found[0].sent, scan.sent);
        // An exporter that samples may have missed the answer.
        let found = &read(&file, &both_ways()).unwrap().0[0];
        assert_eq!(
            (found.received.packets, found.state),
            if sampled { (None, None) } else { (Some(0), scan.state) }
        );
        assert_eq!(tally.sampled, if sampled { [(100, 1)].into() } else { [].into() });
    }
    // The record of a biflow knows of the silence.
    let (found, _) = strict(&plain(&ipfix(&[scan.clone()])));
    assert_eq!((found[0].received, found[0].state), (scan.received, scan.state));
    // No flags of TCP at all: the exporter does not look at them.
    let mut blind = halves(&[flow(0)]);
    blind.iter_mut().for_each(|half| half.flags = 0);
    let (found, _) = strict(&plain(&v5(&blind, 0)));
    assert_eq!((found.len(), found[0].state, found[0].received), (1, None, flow(0).received));
}

#[test]
fn pieces_of_a_flow_are_put_together() {
    let whole = halves(&[flow(0)]);
    let second =
        |half: &Half| Half { start_us: half.end_us + 20_000_000, end_us: half.end_us + 30_000_000, ..*half };
    let pieces: Vec<Half> = whole
        .iter()
        .copied()
        .chain(whole.iter().map(second).map(|half| Half { flags: 0x10, ..half }))
        .collect();
    let (found, _) = strict(&plain(&v5(&pieces, 0)));
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].sent.packets, found[0].received.ip_bytes, found[0].duration_us),
        (Some(12), Some(8_642), Some(31_250_000))
    );
    // A minute and more of silence is another flow, and so is a new opening of a closed connection.
    let late =
        |half: &Half| Half { start_us: half.end_us + 61_000_000, end_us: half.end_us + 62_000_000, ..*half };
    for again in [late, second] {
        let pieces: Vec<Half> = whole.iter().copied().chain(whole.iter().map(again)).collect();
        let (found, _) = strict(&plain(&v5(&pieces, 0)));
        assert_eq!(found.len(), 2);
        assert!(
            found.iter().all(|flow| flow.state == Some(FlowState::Finished) && flow.sent.packets == Some(6))
        );
    }
}

#[test]
fn who_began() {
    let check = |change: &dyn Fn(&mut [Half]), source: u32| {
        let mut halves = halves(&[flow(0)]);
        change(&mut halves);
        let (found, _) = strict(&plain(&v5(&halves, 0)));
        assert_eq!((found.len(), found[0].source), (1, Some(source)));
    };
    let (client, server) = (0x0a00_0001, 0xc000_0201);
    check(&|_| {}, client);
    check(&|halves| halves.reverse(), client);
    check(&|halves| halves[0].start_us += 5_000, server);
    // In the same millisecond it was the one with the higher port.
    check(&|halves| halves[0].start_us = halves[1].start_us, client);
    // An answer without its question, which is known by both flags on one packet.
    let mut lone = halves(&[flow(0)]);
    lone.remove(0);
    (lone[0].flags, lone[0].packets) = (0x12, 1);
    let (found, _) = strict(&plain(&v5(&lone, 0)));
    assert_eq!(
        (found[0].source, found[0].sent, found[0].received.packets),
        (Some(client), Volume::default(), Some(1))
    );
    let echo = |halves: &mut [Half]| {
        halves.iter_mut().for_each(|half| (half.protocol, half.start_us) = (1, BOOT_US));
        (halves[0].ports, halves[1].ports) = ([0, 0x0800], [0, 0]);
    };
    check(&echo, client);
    check(
        &|halves| {
            echo(halves);
            halves.reverse();
        },
        client,
    );
}

#[test]
fn clocks() {
    // The exporter's clock starts again after 49.7 days; a flow that began before is still in order.
    let wrap_us = BOOT_US + (1i64 << 32) * 1000;
    let mut late = flow(0);
    late.start_us = Some(wrap_us - 500_000);
    for file in [plain(&v5(&halves(&[late.clone()]), 0)), plain(&v9(&halves(&[late.clone()]), true))] {
        let (found, _) = strict(&file);
        assert_eq!(found, [late.clone()]);
    }
    // Seconds of NetFlow v9 are cut: all times may be early by up to one, and all by the same.
    let all = flows(3);
    let mut messages = vec![v9_message(BOOT_US, 1, 7, &[v9_template()])];
    for (flow, fraction_us) in all.iter().zip([990_000, 3_000, 500_000]) {
        let sent_us = flow.start_us.unwrap() / 1_000_000 * 1_000_000 + 4_000_000 + fraction_us;
        messages.push(v9_message(sent_us, 2, 7, &[v9_data(&halves(std::slice::from_ref(flow)))]));
    }
    let found = sorted(strict(&plain(&messages)).0);
    let early = |(found, flow): (&FlowRecord, &FlowRecord)| flow.start_us.unwrap() - found.start_us.unwrap();
    let early: Vec<i64> = found.iter().zip(&all).map(early).collect();
    assert_eq!(early, [250_000; 3], "the exporter started a quarter past a second");
    // Each way that IPFIX has to tell the time.
    let at = BOOT_US + 7_000_000;
    let sent_us = at + 4_000_000 - (at + 4_000_000) % 1_000_000;
    let u64_of = |value: i64| value.to_be_bytes().to_vec();
    let u32_of = |value: i64| (value as u32).to_be_bytes().to_vec();
    type Way = ([u16; 2], Vec<u8>, Vec<u8>, i64);
    let ways: [Way; 6] = [
        ([150, 151], u32_of(at / 1_000_000), u32_of(at / 1_000_000 + 2), at / 1_000_000 * 1_000_000),
        ([152, 153], u64_of(at / 1000), u64_of(at / 1000 + 2_000), at),
        ([154, 155], ntp(at).to_vec(), ntp(at + 2_000_000).to_vec(), at),
        ([156, 157], ntp(at).to_vec(), ntp(at + 2_000_000).to_vec(), at),
        ([158, 159], u32_of(sent_us - at), u32_of(sent_us - at - 2_000_000), at),
        ([152, 161], u64_of(at / 1000), u32_of(2_000), at),
    ];
    for (numbers, start, end, expected) in ways {
        let fields = [(8, 4), (12, 4), (numbers[0], start.len() as u16), (numbers[1], end.len() as u16)];
        let mut template = vec![0x01, 0x2c, 0, 4];
        fields.iter().for_each(|(number, length): &(u16, u16)| {
            template.extend(number.to_be_bytes());
            template.extend(length.to_be_bytes());
        });
        let record = [[10, 0, 0, 1, 10, 0, 0, 2].to_vec(), start, end].concat();
        let (_, file) = ipfix_message(sent_us, 1, &[set(2, &template), set(300, &record)]);
        let (found, _) = strict(&file);
        assert_eq!(
            (found[0].start_us, found[0].duration_us),
            (Some(expected), Some(2_000_000)),
            "{numbers:?}"
        );
        assert_eq!((found[0].protocol, found[0].source_port, found[0].sent), (None, None, Volume::default()));
    }
    // Times by an uptime without a start of the exporter are not known; options may tell it.
    let template = set(2, &[1, 44, 0, 3, 0, 8, 0, 4, 0, 12, 0, 4, 0, 22, 0, 4]);
    let record = [&[10, 0, 0, 1, 10, 0, 0, 2], &uptime(at).to_be_bytes()[..]].concat();
    let (_, file) = ipfix_message(sent_us, 1, &[template.clone(), set(300, &record)]);
    assert_eq!(strict(&file).0[0].start_us, None);
    let options = set(3, &[1, 45, 0, 2, 0, 1, 0, 143, 0, 4, 0, 160, 0, 8]);
    for (boot_us, sent_us, expected) in [
        (BOOT_US, sent_us, at),
        (BOOT_US, sent_us + wrap_us - BOOT_US, at + wrap_us - BOOT_US),
        // A clock that the exporter set later: the start lies ahead of the message.
        (sent_us + 500_000, sent_us, sent_us + 500_000 + at - BOOT_US),
    ] {
        let start = set(301, &[&[0, 0, 0, 1], &(boot_us / 1000).to_be_bytes()[..]].concat());
        let sets = [template.clone(), options.clone(), start, set(300, &record)];
        let found = strict(&ipfix_message(sent_us, 1, &sets).1).0;
        assert_eq!(found[0].start_us, Some(expected));
        // Told in a message before, or after data that waits for its template.
        let first = ipfix_message(sent_us, 1, &sets[1..3]);
        let then = ipfix_message(sent_us, 1, &[sets[0].clone(), sets[3].clone()]);
        assert_eq!(strict(&plain(&[first.clone(), then])).0, found);
        let data = ipfix_message(sent_us, 1, &sets[3..]);
        assert_eq!(strict(&plain(&[data, first, ipfix_message(sent_us, 1, &sets[..1])])).0, found);
    }
    assert_eq!(uptime(wrap_us), 0);
}

#[test]
fn templates_belong_to_an_exporter_and_its_domain() {
    let all = flows(4);
    let halves = halves(&all[..2]);
    let data = v9_data(&halves);
    // A whole second.
    let sent_us = BOOT_US + 60_750_000;
    // The template of domain 7 says nothing about the data of domain 8.
    let file = plain(&[
        v9_message(sent_us, 1, 7, &[v9_template()]),
        v9_message(sent_us, 4, 8, std::slice::from_ref(&data)),
    ]);
    let (error, tally) = {
        let mut reader = FlowReader::new(file.as_slice(), "flows".as_ref(), &ReadOptions::default()).unwrap();
        assert!(reader.by_ref().next().is_none());
        (reader.tally().records, reader.tally().clone())
    };
    assert_eq!((error, tally.left_out), (0, [("data sets whose template never came".to_owned(), 1)].into()));
    // Two exporters use one number for two templates.
    let first = captured(&[v9_message(sent_us, 5, 7, &[v9_template(), data])], 1, 9995);
    let other = captured(&[ipfix_message(sent_us, 7, &[ipfix_template(), ipfix_data(&all[2..])])], 2, 4739);
    let file = [&first[..], &other[24..]].concat();
    assert_eq!(sorted(strict(&file).0), all);
    // Variable fields may be empty: every third record has one.
    let (_, file) = ipfix_message(sent_us, 7, &[ipfix_template(), ipfix_data(&all)]);
    assert_eq!(strict(&file).0, all);
    // Options: sampling for the domain, one packet in 50, which no flow is.
    let options = set(1, &[1, 1, 0, 4, 0, 4, 0, 1, 0, 4, 0, 34, 0, 4]);
    let value = set(257, &[0, 0, 0, 0, 0, 0, 0, 50]);
    let message = v9_message(sent_us, 3, 7, &[options, value, v9_template(), v9_data(&halves)]);
    let (found, tally) = strict(&plain(&[message]));
    assert_eq!((found.len(), tally.sampled), (2, [(50, 4)].into()));
    assert_eq!(tally.left_out, [("options records".to_owned(), 1)].into());
}

#[test]
fn records_by_application_have_a_client_and_a_server() {
    let cisco = |number: u16, length: u16| {
        [(0x8000 | number).to_be_bytes().to_vec(), length.to_be_bytes().to_vec(), vec![0, 0, 0, 9]].concat()
    };
    let mut template = vec![1, 44, 0, 6, 0, 4, 0, 1];
    template.extend([cisco(12_236, 4), cisco(12_237, 4), cisco(12_241, 2)].concat());
    template.extend([1, 42, 0, 8, 0, 232, 0, 8]);
    let record = [6, 10, 0, 0, 1, 192, 0, 2, 1, 1, 187, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 16, 0];
    let (_, file) = ipfix_message(BOOT_US, 1, &[set(2, &template), set(300, &record)]);
    let (found, _) = strict(&file);
    assert_eq!((found[0].source, found[0].destination), (Some(0x0a00_0001), Some(0xc000_0201)));
    assert_eq!((found[0].source_port, found[0].destination_port), (None, Some(443)));
    assert_eq!(
        (found[0].sent.packets, found[0].received.ip_bytes, found[0].state),
        (Some(7), Some(4096), None)
    );
}

#[track_caller]
fn refused(bytes: &[u8], expected: &str) {
    let error = read(bytes, &ReadOptions::default()).expect_err("a bad file").to_string();
    assert_eq!(error, expected);
}

#[test]
fn damage_is_told_by_its_offset_and_may_be_skipped() {
    let all = flows(40);
    let messages = v5(&halves(&all), 0);
    let file = plain(&messages);
    let first = messages[0].1.len();
    refused(
        &file[..file.len() - 1],
        &format!("flows: byte {}: the file ends inside a record; fetch it again", 2 * first),
    );
    let lenient = ReadOptions { lenience: Lenience::SkipUpTo(1), ..ReadOptions::default() };
    let (found, tally) = read(&file[..file.len() - 1], &lenient).unwrap();
    assert_eq!((found.len(), tally.skipped), (30, 1));
    let mut other = file.clone();
    other[first + 1] = 8;
    refused(
        &other,
        &format!(
            "flows: byte {first}: version 8 of NetFlow is not supported, or no message begins here; export v5, v9 or IPFIX"
        ),
    );
    let mut absurd = file.clone();
    absurd[first + 2] = 0xff;
    refused(
        &absurd,
        &format!(
            "flows: byte {first}: this NetFlow or IPFIX message cannot be read (it claims 65310 flows instead of 1 to 30); \
         fetch the file again, or check the exporter"
        ),
    );
    // Packets have bounds, so that the next message is found.
    let mut packets = captured(&messages, 1, 2055);
    let second = 24 + 16 + 42 + first + 16 + 42;
    packets[second + 1] = 8;
    let start = second - 58;
    refused(
        &packets,
        &format!(
            "flows: byte {start}: version 8 of NetFlow is not supported, or no message begins here; export v5, v9 or IPFIX"
        ),
    );
    let (found, tally) = read(&packets, &lenient).unwrap();
    assert_eq!((found.len(), tally.skipped), (25, 1));
    // A set that claims more than its message has.
    let (_, mut long) = ipfix_message(BOOT_US, 1, &[ipfix_template(), ipfix_data(&all[..1])]);
    let set = 16 + ipfix_template().len();
    long[set + 2] = 0x7f;
    refused(
        &long,
        &format!(
            "flows: byte 0: this NetFlow or IPFIX message cannot be read (its set at byte {set} is damaged); fetch the file \
         again, or check the exporter"
        ),
    );
    let (_, mut long) = v9_message(BOOT_US, 1, 1, &[v9_template()]);
    long[22] = 0x7f;
    refused(&long, "flows: byte 0: the file ends inside a record; fetch it again");
    // Another product's file.
    let problem = read(&[0x0c, 0xa5, 1, 0, 0, 0, 0, 0], &ReadOptions::default()).unwrap_err().to_string();
    assert!(problem.contains("nfcapd") && problem.contains("nfdump -r FILE -o csv"), "{problem}");
}

#[test]
fn a_capture_of_other_traffic_is_packets() {
    let exports = captured(&v5(&halves(&flows(3)), 0), 1, 2055);
    let other = traffic::pcap(&[(1, 1, 2, 2, 0)], true, false);
    let mixed = [&exports[..], &other[24..]].concat();
    assert_eq!(Format::detect(&exports), Some(Format::Netflow));
    assert_eq!(Format::detect(&mixed), Some(Format::Pcap));
    assert_eq!(Format::detect(&other), Some(Format::Pcap));
    // Either can be asked for.
    let with = |format| ReadOptions { format: Some(format), ..ReadOptions::default() };
    assert_eq!(read(&mixed, &with(Format::Netflow)).unwrap().0.len(), 3);
    assert_eq!(read(&exports, &with(Format::Pcap)).unwrap().0[0].destination_port, Some(2055));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Damaged anywhere, a file is refused with its name and a place, or read to flows that can be encoded; twice alike.
    #[test]
    fn damage_is_an_error_or_other_flows(
        file in 0..12usize,
        edits in prop::collection::vec((any::<Index>(), any::<u8>()), 1..6),
        cut in prop::option::weighted(0.2, any::<Index>()),
        lenient in any::<bool>(),
    ) {
        let (_, mut bytes) = files(&flows(25)).swap_remove(file);
        for (at, value) in edits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let lenience = if lenient { Lenience::SkipUpTo(3) } else { Lenience::Strict };
        let options = ReadOptions { format: Some(Format::Netflow), lenience, ..both_ways() };
        let once = read(&bytes, &options).map_err(|error| error.to_string());
        let twice = read(&bytes, &options).map_err(|error| error.to_string());
        prop_assert_eq!(&once, &twice);
        match once {
            Ok((flows, tally)) => {
                prop_assert!(flows.len() <= bytes.len() / 8 && tally.skipped <= 3);
                prop_assert!(FlowEncoder::new().encode(&flows).features().iter().all(|x| x.is_finite()));
            }
            Err(message) => prop_assert!(message.contains("flows: "), "{}", message),
        }
    }

    /// The order in which records come within a minute does not matter to what the flows are.
    #[test]
    fn records_in_any_order(order in Just((0..80usize).collect::<Vec<_>>()).prop_shuffle()) {
        let expected = flows(40);
        let halves = halves(&expected);
        let shuffled: Vec<Half> = order.iter().map(|index| halves[*index]).collect();
        for file in [plain(&v5(&shuffled, 0)), plain(&v9(&shuffled, false))] {
            prop_assert_eq!(sorted(strict(&file).0), expected.clone());
        }
    }
}
