//! Records per second of every reader of flows, from memory. Run: `cargo bench -p phalanx-capture --bench flows`.

use std::fmt::Write as _;

use divan::{Bencher, black_box, counter::ItemsCount};
use phalanx_capture::{CaptureMap, FlowEncoder, FlowReader, ReadOptions, read_csv_from};
use phalanx_core::{Purpose, Stream, Streams, Tick};

const RECORDS: usize = 50_000;

fn main() {
    divan::main();
}

fn stream() -> Stream {
    Streams::from_seed(1).stream(Purpose::Traffic, 0, Tick(0))
}

/// A labelled conn.log as of CTU-50.
fn zeek() -> String {
    let mut stream = stream();
    let mut text = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n#fields\t\
        ts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\t\
        conn_state\tlocal_orig\tlocal_resp\tmissed_bytes\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\t\
        tunnel_parents\tlabel\tdetailedlabel\n".to_owned();
    for i in 0..RECORDS {
        let (a, b, port) = (stream.below(256), stream.below(256), stream.below(65_536));
        writeln!(
            text,
            "{}.{:06}\tCHLXQF2OBY4onAR{i}\t193.201.{a}.{b}\t{port}\t147.32.81.167\t{}\ttcp\t-\t0.{:06}\t{}\t{}\tSF\tF\tT\t0\t\
             ShADadfF\t10\t{}\t8\t{}\t(empty)\tMalicious\tExternal-Attack-to-Device",
            1_655_071_198 + i / 10, i % 1_000_000, stream.below(1024), stream.below(1_000_000), stream.below(5000),
            stream.below(50_000), stream.below(6000), stream.below(60_000),
        )
        .unwrap();
    }
    text
}

fn zeek_json() -> String {
    let mut stream = stream();
    let mut text = String::new();
    for i in 0..RECORDS {
        writeln!(
            text,
            "{{\"ts\":{}.755299,\"uid\":\"C5xhsO3uGtOfyrBlHh\",\"id.orig_h\":\"172.16.1.{}\",\"id.orig_p\":{},\
             \"id.resp_h\":\"8.8.{}.8\",\"id.resp_p\":53,\"proto\":\"udp\",\"service\":\"dns\",\
             \"duration\":0.012166976928710938,\"orig_bytes\":0,\"resp_bytes\":111,\"conn_state\":\"SHR\",\
             \"local_orig\":true,\"local_resp\":false,\"missed_bytes\":0,\"history\":\"Cd\",\"orig_pkts\":0,\
             \"orig_ip_bytes\":0,\"resp_pkts\":1,\"resp_ip_bytes\":139}}",
            1_664_462_456 + i, stream.below(256), stream.below(65_536), stream.below(256),
        )
        .unwrap();
    }
    text
}

fn eve() -> String {
    let mut stream = stream();
    let mut text = String::new();
    for i in 0..RECORDS {
        writeln!(
            text,
            "{{\"timestamp\":\"2021-06-06T15:57:37.272281+0200\",\"flow_id\":{i},\"event_type\":\"flow\",\
             \"src_ip\":\"162.142.{}.20\",\"src_port\":{},\"dest_ip\":\"192.168.1.129\",\"dest_port\":2222,\
             \"proto\":\"TCP\",\"flow\":{{\"pkts_toserver\":2,\"pkts_toclient\":2,\"bytes_toserver\":120,\
             \"bytes_toclient\":{},\"start\":\"2021-06-07T06:35:49.715767+0200\",\
             \"end\":\"2021-06-07T06:35:49.716012+0200\",\"age\":0,\"state\":\"closed\",\"reason\":\"shutdown\",\
             \"alerted\":false}},\"tcp\":{{\"tcp_flags\":\"16\",\"tcp_flags_ts\":\"02\",\"tcp_flags_tc\":\"14\",\
             \"syn\":true,\"rst\":true,\"ack\":true,\"state\":\"closed\"}},\"host\":\"stratosphere.org\"}}",
            stream.below(256), stream.below(65_536), stream.below(5000),
        )
        .unwrap();
    }
    text
}

fn binetflow() -> String {
    let mut stream = stream();
    let mut text =
        "StartTime\tDur\tProto\tSrcAddr\tSport\tDir\tDstAddr\tDport\tState\tsTos\tdTos\tTotPkts\tTotBytes\t\
        SrcBytes\tSrcPkts\tLabel\n"
            .to_owned();
    for _ in 0..RECORDS {
        writeln!(
            text,
            "1970/01/01 01:01:21.896998\t0.064640\tudp\t10.0.2.{}\t{}\t  <->\t8.8.8.8\t53\tCON\t0\t0\t2\t158\t71\t1\t\
             flow=Malware-UDP-DNS",
            stream.below(256), stream.below(65_536),
        )
        .unwrap();
    }
    text
}

/// Packets of 3,000 conversations, 200 bytes each, in pcap.
fn pcap(packets: usize) -> Vec<u8> {
    let mut stream = stream();
    let mut file =
        vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0];
    for i in 0..packets as u32 {
        let conversation = stream.below(3000);
        let (client, server) = ([10, 0, (conversation >> 8) as u8, conversation as u8], [192, 168, 0, 1]);
        let (from, to, ports) =
            if stream.bernoulli(0.5) { (client, server, [4000, 80]) } else { (server, client, [80, 4000]) };
        for word in [1_600_000_000 + i / 20_000, i % 20_000 * 50, 214, 214] {
            file.extend(word.to_le_bytes());
        }
        file.extend([0; 12]);
        file.extend([0x08, 0x00, 0x45, 0, 0, 200, 0, 0, 0, 0, 64, 6, 0, 0]);
        file.extend(from);
        file.extend(to);
        ports.iter().for_each(|port: &u16| file.extend(port.to_be_bytes()));
        file.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 1, 0, 0, 0, 0, 0]);
        file.extend([7; 160]);
    }
    file
}

/// NetFlow v5 of one direction each, thirty records a message.
fn netflow_v5() -> Vec<u8> {
    let mut stream = stream();
    let mut file = Vec::new();
    for message in 0..RECORDS.div_ceil(30) as u32 {
        let records = (RECORDS as u32 - message * 30).min(30);
        file.extend([0, 5, 0, records as u8]);
        [100_000 + message, 1_600_000_000, 1, message, 0]
            .iter()
            .for_each(|word: &u32| file.extend(word.to_be_bytes()));
        for record in 0..records {
            file.extend([10, 0, stream.below(256) as u8, stream.below(256) as u8]);
            file.extend([192, 168, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
            [7, 4_000, 50_000 + record, 51_000].iter().for_each(|word: &u32| file.extend(word.to_be_bytes()));
            [stream.below(65_536) as u16, 443].iter().for_each(|port| file.extend(port.to_be_bytes()));
            file.extend([0, 0x1b, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        }
    }
    file
}

fn read(bytes: &[u8]) -> usize {
    let reader = FlowReader::new(black_box(bytes), "flows".as_ref(), &ReadOptions::default()).unwrap();
    reader.map(|flow| flow.unwrap()).map(|flow| flow.sent.packets.is_some()).filter(|known| *known).count()
}

fn bench(bencher: Bencher, bytes: &[u8]) {
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| read(bytes));
}

#[divan::bench]
fn read_zeek(bencher: Bencher) {
    bench(bencher, zeek().as_bytes());
}

#[divan::bench]
fn read_zeek_json(bencher: Bencher) {
    bench(bencher, zeek_json().as_bytes());
}

#[divan::bench]
fn read_eve(bencher: Bencher) {
    bench(bencher, eve().as_bytes());
}

#[divan::bench]
fn read_binetflow(bencher: Bencher) {
    bench(bencher, binetflow().as_bytes());
}

#[divan::bench]
fn read_netflow_v5(bencher: Bencher) {
    bench(bencher, &netflow_v5());
}

/// Packets a second.
#[divan::bench]
fn read_pcap(bencher: Bencher) {
    let file = pcap(400_000);
    bencher.counter(ItemsCount::new(400_000usize)).bench_local(|| read(&file));
}

/// Features with fan-out windows.
#[divan::bench]
fn encode_flows(bencher: Bencher) {
    let text = zeek();
    let reader = FlowReader::new(text.as_bytes(), "flows".as_ref(), &ReadOptions::default()).unwrap();
    let (flows, _) = reader.read_all().unwrap();
    let mut encoder = FlowEncoder::new();
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| encoder.encode(black_box(&flows)));
}

/// 77 numeric columns, found by name.
#[divan::bench]
fn read_cicids2017(bencher: Bencher) {
    let map = CaptureMap::builtin("cicids2017").unwrap();
    let names: Vec<&str> = map.columns.iter().map(|(name, _)| name.as_str()).collect();
    let mut stream = stream();
    let mut text = names[..names.len() - 1].join(", ") + "\n";
    for _ in 0..RECORDS {
        (0..78).for_each(|i| match i % 4 {
            0 => write!(text, "{},", stream.below(65_536)).unwrap(),
            1 => write!(text, "{}.{:06},", stream.below(10_000), stream.below(1_000_000)).unwrap(),
            _ => text.push_str("0,"),
        });
        text.push_str("BENIGN\n");
    }
    bencher
        .counter(ItemsCount::new(RECORDS))
        .bench_local(|| read_csv_from(black_box(text.as_bytes()), "a.csv".as_ref(), &map).unwrap());
}
