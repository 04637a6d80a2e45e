//! The flows that packets are put together to, beside those that other sensors made of the same packets.
//!
//! The shared data has no conn.log, EVE or binetflow file of any of its traces (nor a trace of any of its logs), so that there
//! is no pair to compare in it. Zeek's own tests have one: of `wikipedia.pcap`, which the shared data has, zeek/zeek @ 09438d2
//! records `testing/btest/Baseline/scripts.base.frameworks.logging.sqlite.wikipedia/
//! conn.select`, whose counters stand below.

mod support;

use std::collections::BTreeSet;

use phalanx_capture::{FlowReader, FlowState, ReadOptions};
use support::data;

/// `id.orig_h` and `id.resp_h` (the last bytes), ports, `orig_pkts`, `orig_ip_bytes`, `resp_pkts`, `resp_ip_bytes`,
/// `conn_state`, in the order of `ts`. IPv6 has no addresses here.
type Connection = ([u8; 2], [u16; 2], [u64; 2], [u64; 2], &'static str);

const CONNECTIONS: [Connection; 34] = [
    ([202, 251], [5353, 5353], [1, 73], [0, 0], "S0"),
    ([0, 0], [5353, 5353], [1, 199], [0, 0], "S0"),
    ([50, 251], [5353, 5353], [1, 179], [0, 0], "S0"),
    ([118, 2], [35634, 80], [2, 567], [1, 402], "OTH"),
    ([118, 118], [48649, 80], [4, 741], [3, 396], "S1"),
    ([118, 2], [43927, 53], [1, 66], [1, 117], "SF"),
    ([118, 2], [37676, 53], [1, 80], [1, 127], "SF"),
    ([118, 2], [40526, 53], [1, 66], [1, 211], "SF"),
    ([118, 3], [49996, 80], [6, 1491], [4, 949], "S1"),
    ([118, 3], [49997, 80], [6, 1445], [4, 950], "S1"),
    ([118, 2], [32902, 53], [1, 66], [1, 117], "SF"),
    ([118, 2], [59816, 53], [1, 80], [1, 127], "SF"),
    ([118, 2], [59714, 53], [1, 66], [1, 211], "SF"),
    ([118, 3], [49998, 80], [6, 1450], [4, 950], "S1"),
    ([118, 2], [58206, 53], [1, 66], [1, 117], "SF"),
    ([118, 2], [38911, 53], [1, 80], [1, 127], "SF"),
    ([118, 2], [59746, 53], [1, 66], [1, 211], "SF"),
    ([118, 3], [49999, 80], [6, 1457], [4, 949], "S1"),
    ([118, 3], [50000, 80], [6, 1468], [4, 950], "S1"),
    ([118, 2], [45000, 53], [1, 66], [1, 117], "SF"),
    ([118, 2], [48479, 53], [1, 80], [1, 127], "SF"),
    ([118, 2], [48128, 53], [1, 66], [1, 211], "SF"),
    ([118, 3], [50001, 80], [6, 1498], [4, 950], "S1"),
    ([118, 2], [56056, 53], [1, 64], [1, 159], "SF"),
    ([118, 2], [55092, 53], [1, 64], [1, 226], "SF"),
    ([118, 2], [35642, 80], [4, 750], [3, 576], "S1"),
    ([235, 128], [6705, 80], [0, 0], [1, 48], "OTH"),
    ([44, 251], [5353, 5353], [1, 85], [0, 0], "S0"),
    ([226, 255], [137, 137], [7, 546], [0, 0], "S0"),
    ([0, 0], [65373, 5355], [2, 162], [0, 0], "S0"),
    ([226, 252], [55131, 5355], [2, 122], [0, 0], "S0"),
    ([0, 0], [54213, 5355], [2, 162], [0, 0], "S0"),
    ([226, 252], [55671, 5355], [2, 122], [0, 0], "S0"),
    ([238, 255], [56641, 137], [1, 78], [0, 0], "S0"),
];

/// Traces with what `runner/benches/sensors.py` has found alike in what Argus 3.0.8.2 and softflowd 1.1.0 (NetFlow v9,
/// IPFIX) make of them: different ends, packets, and flows where no two of the same ends met a timeout.
const TRACES: [(&str, usize, u64, Option<usize>); 9] = [
    ("slips_icmp_portscan", 18, 37, None),
    ("slips_ssh_bruteforce", 67, 1178, Some(67)),
    ("slips_test7", 314, 1969, None),
    ("sv_zerologon", 53, 1012, Some(53)),
    ("zeek_bro_org", 13, 751, Some(13)),
    ("zeek_nmap_vsn", 18, 44, None),
    ("zeek_sshguess", 11, 431, Some(11)),
    ("zeek_var_services", 38, 259, Some(38)),
    ("zeek_wikipedia", 34, 126, Some(34)),
];

#[test]
fn packets_are_the_flows_that_argus_and_softflowd_made_of_them() {
    for (name, ends_count, packets, count) in TRACES {
        let Some(path) = data(&format!("pcap/{name}.pcap")) else { return };
        let (flows, _) = FlowReader::open(&path, &ReadOptions::default()).unwrap().read_all().unwrap();
        let ends: BTreeSet<_> = flows
            .iter()
            .map(|flow| {
                let mut ends = [(flow.source, flow.source_port), (flow.destination, flow.destination_port)];
                ends.sort_unstable();
                (flow.protocol.unwrap().0, ends)
            })
            .collect();
        let sum: u64 = flows.iter().map(|f| f.sent.packets.unwrap() + f.received.packets.unwrap()).sum();
        assert_eq!((ends.len(), sum), (ends_count, packets), "{name}");
        assert_eq!(flows.len(), count.unwrap_or(flows.len()), "{name}");
    }
}

#[test]
fn packets_are_the_connections_that_zeek_made_of_them() {
    let Some(path) = data("pcap/zeek_wikipedia.pcap") else { return };
    let (mut flows, _) = FlowReader::open(&path, &ReadOptions::default()).unwrap().read_all().unwrap();
    flows.sort_by_key(|flow| flow.start_us);
    let found: Vec<Connection> = flows
        .iter()
        .map(|flow| {
            let host = |address: Option<u32>| address.map_or(0, |address| address as u8);
            let state = match (flow.state.unwrap(), flow.protocol.unwrap().0) {
                (FlowState::Unanswered, _) => "S0",
                (FlowState::Open, 6) => "S1",
                (FlowState::Open | FlowState::Finished, _) => "SF",
                (FlowState::Partial, _) => "OTH",
                (FlowState::Rejected | FlowState::Reset, _) => "RST",
            };
            (
                [host(flow.source), host(flow.destination)],
                [flow.source_port.unwrap(), flow.destination_port.unwrap()],
                [flow.sent.packets.unwrap(), flow.sent.ip_bytes.unwrap()],
                [flow.received.packets.unwrap(), flow.received.ip_bytes.unwrap()],
                state,
            )
        })
        .collect();
    assert_eq!(found.len(), CONNECTIONS.len());
    for (found, zeek) in found.iter().zip(&CONNECTIONS) {
        assert_eq!(found, zeek);
    }
}
