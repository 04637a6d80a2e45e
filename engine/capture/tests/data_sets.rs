//! Every shared file, read: rows and labels are those of the data README.

mod support;

use std::collections::BTreeMap;

use phalanx_capture::{
    CaptureMap, Encoder, EveEvents, FlowLoadOptions, FlowReader, FlowRecord, FlowState, Format, LabelClass,
    Partition, ReadOptions, Records, Tally, load_flows, read_csv, read_npz,
};
use phalanx_core::{FlowBatch, Protocol, Truth};
use support::data;

fn flows_with(name: &str, options: &ReadOptions) -> Option<(Format, Vec<FlowRecord>, Tally)> {
    let path = data(name)?;
    let reader = FlowReader::open(&path, options).unwrap();
    let format = reader.format();
    let (flows, tally) = reader.read_all().unwrap();
    Some((format, flows, tally))
}

fn flows(name: &str) -> Option<(Format, Vec<FlowRecord>, Tally)> {
    flows_with(name, &ReadOptions::default())
}

fn labels(flows: &[FlowRecord]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for label in flows.iter().filter_map(|flow| flow.label.as_ref()) {
        *counts.entry(&*label.name).or_default() += 1;
    }
    counts
}

#[test]
fn zeek_conn_logs() {
    let check = |name: &str, rows: usize, expected: &[(&str, usize)]| {
        let Some((format, flows, tally)) = flows(name) else { return };
        assert_eq!(format, Format::ZeekTsv, "{name}");
        assert_eq!(flows.len(), rows, "{name}");
        assert_eq!(labels(&flows), expected.iter().copied().collect(), "{name}");
        assert_eq!((tally.records as usize, tally.skipped), (rows, 0), "{name}");
        assert!(tally.left_out.is_empty(), "{name}: {tally:?}");
        for flow in &flows {
            assert!(flow.start_us.is_some() && flow.state.is_some(), "{name}: {flow:?}");
            assert!(flow.ipv6 || (flow.source.is_some() && flow.destination.is_some()), "{name}: {flow:?}");
            let ports = flow.source_port.is_some() && flow.destination_port.is_some();
            assert_eq!(
                ports,
                flow.protocol != Some(Protocol::ICMP) && flow.protocol.is_some(),
                "{name}: {flow:?}"
            );
        }
    };
    check(
        "zeek/host167_day1_conn.log.labeled.gz",
        5_663,
        &[("Malicious", 4_201), ("Benign", 1_402), ("Background", 60)],
    );
    check(
        "zeek/host165_day1_conn.log.labeled.gz",
        9_048,
        &[("Benign", 4_771), ("Malicious", 3_951), ("Background", 326)],
    );
    check(
        "zeek/host234_day2_conn.log.labeled.gz",
        5_347,
        &[("Malicious", 3_373), ("Benign", 1_937), ("Background", 37)],
    );
    check("zeek/ctu_botnet4_conn.log.labeled.gz", 22_913, &[("Benign", 19_460), ("Malicious", 3_453)]);
    check("zeek/benign_2023-02-20_conn.log.labeled.gz", 7_124, &[("Benign", 6_796), ("Unknown", 328)]);
    check(
        "zeek/sme11_remcosrat_conn.log.labeled.gz",
        766,
        &[("Malicious", 719), ("Benign", 44), ("Unknown", 3)],
    );
    check(
        "zeek/ctu230_njrat_conn.log.labeled.gz",
        992,
        &[("Background", 739), ("Malicious", 244), ("Benign", 9)],
    );
    check("zeek/horizontal_portscan_conn.log.gz", 41, &[]);
}

#[test]
fn ctu_50_attackers_are_unanswered_probes_of_the_host() {
    let Some((_, flows, _)) = flows("zeek/host167_day1_conn.log.labeled.gz") else { return };
    let host = Some(u32::from_be_bytes([147, 32, 81, 167]));
    let of = |class| flows.iter().filter(move |flow| flow.label.as_ref().unwrap().class == class);
    let mut sources: Vec<u32> =
        of(LabelClass::Malicious).map(|flow| flow.own_and_remote().1.unwrap()).collect();
    assert!(of(LabelClass::Malicious).all(|flow| flow.own_and_remote().0 == host));
    sources.sort_unstable();
    sources.dedup();
    // baselines.md §5.
    assert_eq!(sources.len(), 1_599);
    let listed = |address: Option<u32>| sources.binary_search(&address.unwrap()).is_ok();
    let benign = || of(LabelClass::Benign).filter(|flow| flow.source.is_some());
    assert_eq!(
        benign().filter(|flow| listed(flow.source)).count(),
        0,
        "no benign flow comes from an attacker"
    );
    // Three servers of ESET that the host itself talks to have also sent it flows that are labelled malicious.
    assert_eq!(benign().filter(|flow| listed(flow.destination)).count(), 324);
    let unanswered =
        of(LabelClass::Malicious).filter(|flow| flow.state == Some(FlowState::Unanswered)).count();
    assert!(unanswered * 100 > 4_201 * 90, "{unanswered} of 4201");
}

/// baselines.md §5: the share of malicious flows, and of first contacts, whose source another host saw earlier. The
/// table is of four hosts; the three that are shared give the same figures.
#[test]
fn ctu_50_hosts_could_have_warned_each_other() {
    let names = ["host165_day1", "host167_day1", "host234_day2"];
    let paths: Option<Vec<_>> =
        names.iter().map(|name| data(&format!("zeek/{name}_conn.log.labeled.gz"))).collect();
    let Some(paths) = paths else { return };
    let options = FlowLoadOptions {
        paths,
        read: ReadOptions::default(),
        keep_background: false,
        hold_out: false,
        partition: Partition::ByFile,
        agents: 3,
        seed: 42,
    };
    let found = load_flows(&options).unwrap();
    assert_eq!(found, load_flows(&options).unwrap());
    assert_eq!(found.background, 60 + 326 + 37);
    let rows: Vec<usize> = found.flows.iter().map(FlowBatch::rows).collect();
    assert_eq!(rows, [4_771 + 3_951, 4_201 + 1_402, 3_373 + 1_937]);
    let mut contacts = Vec::new();
    for (agent, (batch, starts)) in found.flows.iter().zip(&found.starts_us).enumerate() {
        assert!(starts.is_sorted());
        for ((key, truth), start) in batch.keys().iter().zip(batch.truth()).zip(starts) {
            if *truth != Truth::BENIGN {
                contacts.push((*start, agent, key.remote.unwrap()));
            }
        }
    }
    contacts.sort_unstable();
    let mut seen: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    let [mut flows, mut warned, mut firsts, mut warned_firsts] = [[0u32; 3]; 4];
    for (_, agent, source) in contacts {
        let by = seen.entry(source).or_default();
        let elsewhere = by.iter().any(|other| *other != agent);
        flows[agent] += 1;
        warned[agent] += u32::from(elsewhere);
        if !by.contains(&agent) {
            firsts[agent] += 1;
            warned_firsts[agent] += u32::from(elsewhere);
            by.push(agent);
        }
    }
    let per_mille = |part: [u32; 3], of: [u32; 3]| [0, 1, 2].map(|i| (part[i] * 2000 / of[i]).div_ceil(2));
    assert_eq!(flows, [3_951, 4_201, 3_373]);
    assert_eq!(firsts, [1_518, 1_599, 1_591]);
    assert_eq!(per_mille(warned, flows), [574, 532, 467]);
    assert_eq!(per_mille(warned_firsts, firsts), [209, 187, 375]);
}

#[test]
fn other_logs_of_zeek() {
    let check = |name: &str, rows: usize, expected: &[(&str, usize)]| {
        let options = ReadOptions { any_zeek_log: true, ..ReadOptions::default() };
        let Some((_, flows, _)) = flows_with(name, &options) else { return };
        assert_eq!(flows.len(), rows, "{name}");
        assert_eq!(labels(&flows), expected.iter().copied().collect(), "{name}");
        assert!(flows.iter().all(|flow| flow.sent.packets.is_none()), "{name} does not know packets");
        let error = FlowReader::open(&data(name).unwrap(), &ReadOptions::default()).unwrap().read_all();
        assert!(error.unwrap_err().to_string().contains("log of Zeek, not a conn log"), "{name}");
    };
    check(
        "zeek/host167_day1_http.log.labeled.gz",
        342,
        &[("Benign", 319), ("Background", 15), ("Malicious", 8)],
    );
    // One label of the ssl log is `(empty)`, that is none.
    check(
        "zeek/host167_day1_ssl.log.labeled.gz",
        545,
        &[("Benign", 538), ("Malicious", 3), ("Background", 3)],
    );
    check(
        "zeek/host167_day1_weird.log.labeled.gz",
        56,
        &[("Benign", 45), ("Malicious", 9), ("Background", 2)],
    );
    check("zeek/host167_day1_notice.log.labeled.gz", 16, &[("Benign", 10), ("Malicious", 6)]);
}

#[test]
fn zeek_json() {
    for (name, rows) in
        [("zeek/nmap_portscans_conn.json.log.gz", 4_504), ("zeek/vertical_portscan_conn.log.gz", 50)]
    {
        let Some((format, flows, _)) = flows(name) else { return };
        assert_eq!((format, flows.len()), (Format::ZeekJson, rows), "{name}");
        assert!(labels(&flows).is_empty());
        assert!(flows.iter().all(|flow| flow.sent.packets.is_some() && flow.state.is_some()));
    }
}

#[test]
fn suricata_eve() {
    let Some((format, flows, tally)) = flows("suricata/eve_test6.json.gz") else { return };
    assert_eq!((format, flows.len()), (Format::Eve, 3_512));
    let left_out: BTreeMap<&str, u64> =
        tally.left_out.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    let expected = [("alert", 745), ("dns", 680), ("http", 56), ("anomaly", 3), ("fileinfo", 3), ("tls", 1)];
    assert_eq!(left_out, expected.into_iter().collect());
    let state = |state| flows.iter().filter(|flow| flow.state == Some(state)).count();
    // A SYN answered by RST and ACK, as the flags of the events say; and the UDP flows of state `new`.
    assert_eq!(state(FlowState::Rejected), 1_939);
    assert_eq!(state(FlowState::Unanswered), 977);

    let both = ReadOptions { eve_events: EveEvents::Both, ..ReadOptions::default() };
    let (_, flows, _) = flows_with("suricata/eve_test6.json.gz", &both).unwrap();
    assert_eq!(flows.iter().filter(|flow| flow.alert.is_some()).count(), 745);
    assert!(flows.iter().all(|flow| flow.label.is_none()), "a rule hit is no ground truth");

    let alerts = ReadOptions { eve_events: EveEvents::Alerts, ..ReadOptions::default() };
    let (_, flows, tally) = flows_with("suricata/eve_small.json", &alerts).unwrap();
    assert_eq!(flows.len() as u64 + tally.left_out.values().sum::<u64>(), 13);
}

#[test]
fn argus() {
    let Some((format, flows, tally)) = flows("netflow/argus_malware_dns.binetflow.tsv.gz") else { return };
    assert_eq!(format, Format::Binetflow);
    // ARP twice, LLC and Argus' own record are no flows of IP.
    assert_eq!(tally.left_out.values().sum::<u64>(), 4);
    assert_eq!(flows.len() + 4, 6_725);
    let class = |class| {
        flows.iter().filter(|flow| flow.label.as_ref().is_some_and(|label| label.class == class)).count()
    };
    assert_eq!(class(LabelClass::Malicious), 4_637 + 1_640);
    assert_eq!(labels(&flows)["flow=Malware-UDP-DNS"], 4_637);
    let (_, flows, _) = self::flows("netflow/argus_portscan.binetflow.csv.gz").unwrap();
    assert_eq!(flows.len(), 66);
    assert!(labels(&flows).is_empty());
    // 2019/04/04 16:24:47.672448, read as UTC.
    assert_eq!(flows[0].start_us, Some(1_554_395_087_672_448));
}

fn attack_rows(records: &Records) -> usize {
    (0..records.rows()).filter(|row| !records.is_benign(*row)).count()
}

#[test]
fn adbench() {
    let check = |name: &str, rows, columns, anomalies| {
        let Some(path) = data(&format!("adbench/{name}.npz")) else { return };
        let records = read_npz(&path).unwrap();
        let found = (records.rows(), records.numeric().len(), attack_rows(&records));
        assert_eq!(found, (rows, columns, anomalies), "{name}");
    };
    check("16_http", 567_498, 3, 2_211);
    check("34_smtp", 95_156, 3, 30);
    check("32_shuttle", 49_097, 9, 3_511);
    check("10_cover", 286_048, 10, 2_747);
    check("23_mammography", 11_183, 6, 260);
    check("2_annthyroid", 7_200, 6, 534);
    check("38_thyroid", 3_772, 6, 93);
    check("31_satimage-2", 5_803, 36, 71);
    check("6_cardio", 1_831, 21, 176);
    check("28_pendigits", 6_870, 16, 156);
}

#[test]
fn adbench_values() {
    let Some(path) = data("adbench/32_shuttle.npz") else { return };
    let records = read_npz(&path).unwrap();
    // The first row and the column sums, by numpy.
    assert_eq!(records.numbers(0), SHUTTLE_ROW);
    let mut sums = [0.0f64; 9];
    for row in 0..records.rows() {
        sums.iter_mut().zip(records.numbers(row)).for_each(|(sum, x)| *sum += f64::from(*x));
    }
    assert_eq!(sums, SHUTTLE_SUMS);
}

fn csv(name: &str, map: &str) -> Option<Records> {
    Some(read_csv(&data(name)?, &CaptureMap::builtin(map).unwrap()).unwrap())
}

#[test]
fn kdd99() {
    let Some(records) = csv("kdd99/kddcup.data_10_percent.gz", "kdd99") else { return };
    assert_eq!((records.rows(), attack_rows(&records)), (494_021, 396_743));
    assert_eq!(records.attacks().len() + 1, 23);
    assert_eq!((records.numeric().len(), records.categorical().len()), (38, 3));
}

#[test]
fn unsw_nb15() {
    let Some(records) = csv("unsw-nb15/unsw_nb15_shared.csv.gz", "unsw_nb15") else { return };
    assert_eq!((records.rows(), attack_rows(&records)), (62_332, 34_609));
    assert_eq!(records.attacks().len(), 9);
    assert_eq!((records.numeric().len(), records.categorical().len()), (39, 3));
}

#[test]
fn cicids2017() {
    let mut clipped = 0;
    for name in ["m1", "tu1", "th2", "f1", "f2", "f3"] {
        let Some(records) = csv(&format!("cicids2017/benign_{name}.csv.gz"), "cicids2017") else { return };
        assert_eq!((records.rows(), attack_rows(&records)), (999, 0), "{name}");
        assert!(records.keys().iter().all(|key| key.port.is_some()), "{name}");
        clipped += records.clipped();
    }
    let benign = csv("cicids2017/benign_m1.csv.gz", "cicids2017").unwrap();
    let attacks = csv("cicids2017/attack_sample.csv.gz", "cicids2017").unwrap();
    clipped += attacks.clipped();
    assert_eq!((attacks.rows(), attack_rows(&attacks)), (6_311, 6_311 - 227));
    assert_eq!(attacks.attacks(), ["Bot", "BruteForce", "DoS", "Infiltration", "PortScan", "WebAttack"]);
    assert!(attacks.keys().iter().all(|key| key.port.is_none()), "this copy has no ports");
    // Infinity, inf and NaN of the data README.
    assert_eq!(clipped, 42 + 23 + 4);
    // One schema for both copies.
    assert_eq!(benign.numeric().len(), 76);
    let mut encoder = Encoder::fit(&benign, |_| true);
    assert_eq!(encoder.encode(&attacks).rows(), 6_311);
    assert!(encoder.encode(&benign).features().iter().all(|feature| feature.is_finite()));

    let heartbleed = csv("cicids2017/heartbleed.csv.gz", "cicids2017_x").unwrap();
    assert_eq!((heartbleed.rows(), attack_rows(&heartbleed)), (8_011, 11));
    assert_eq!(heartbleed.numeric().len(), 75);
}

#[test]
fn packets() {
    // TCP, UDP and ICMP flows, and packets in them. The README has packets, and the connections of four files: 67,
    // 11, 53 and 13. No conn.log of any of these traces is among the shared data.
    let check = |name: &str, flow_counts: [usize; 3], in_flows: u64, left_out: u64| {
        let Some((format, flows, tally)) = flows(&format!("pcap/{name}.pcap")) else { return };
        assert_eq!(format, Format::Pcap);
        let count = |protocol| flows.iter().filter(|flow| flow.protocol == Some(protocol)).count();
        let packets = |flow: &FlowRecord| flow.sent.packets.unwrap() + flow.received.packets.unwrap();
        let found = [Protocol::TCP, Protocol::UDP, Protocol::ICMP].map(count);
        assert_eq!((found, flows.iter().map(packets).sum()), (flow_counts, in_flows), "{name}");
        assert_eq!(tally.left_out.values().sum::<u64>(), left_out, "{name}: {tally:?}");
        for flow in &flows {
            assert!(flow.sent.ip_bytes >= flow.sent.payload_bytes && flow.lasted_us().is_some(), "{flow:?}");
        }
    };
    check("slips_ssh_bruteforce", [67, 0, 0], 1_178, 0);
    check("slips_icmp_portscan", [0, 0, 18], 37, 0);
    check("slips_test7", [140, 214, 8], 1_969, 31);
    check("zeek_nmap_vsn", [17, 1, 0], 44, 503);
    check("zeek_sshguess", [11, 0, 0], 431, 0);
    check("sv_zerologon", [53, 0, 0], 1_012, 0);
    check("zeek_wikipedia", [10, 24, 0], 126, 10);
    check("zeek_bro_org", [13, 0, 0], 751, 0);
    check("zeek_var_services", [6, 32, 0], 259, 4);
}

const SHUTTLE_ROW: [f32; 9] = [50.0, 21.0, 77.0, 0.0, 28.0, 0.0, 27.0, 48.0, 22.0];
const SHUTTLE_SUMS: [f64; 9] = [
    2_304_240.0,
    -3_140.0,
    4_179_290.0,
    10_469.0,
    1_810_294.0,
    106_051.0,
    1_875_541.0,
    2_370_825.0,
    503_830.0,
];
