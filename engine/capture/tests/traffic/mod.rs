//! Flows written as each sensor would write them, and packets for them.

#![allow(dead_code, reason = "each test file uses some of it")]

use phalanx_capture::{CaptureError, FlowReader, FlowRecord, FlowState, ReadOptions, Tally};
use phalanx_core::Protocol;

/// Reads all flows from bytes, with the tally as far as it went.
pub(crate) fn read(bytes: &[u8], options: &ReadOptions) -> Result<(Vec<FlowRecord>, Tally), CaptureError> {
    FlowReader::new(bytes, "flows".as_ref(), options)?.read_all()
}

fn address(address: Option<u32>) -> String {
    address.map_or_else(|| "-".to_owned(), |address| std::net::Ipv4Addr::from(address).to_string())
}

fn protocol(flow: &FlowRecord) -> &'static str {
    match flow.protocol {
        Some(Protocol::TCP) => "tcp",
        Some(Protocol::UDP) => "udp",
        _ => "icmp",
    }
}

fn micros(us: i64) -> String {
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}

/// The flows as Zeek would have logged them.
pub(crate) fn zeek_tsv(flows: &[FlowRecord]) -> String {
    let mut text =
        "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n\
                    #fields\tid.orig_h\tts\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\tconn_state\t\
                    orig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\n"
            .to_owned();
    for flow in flows {
        text += &format!(
            "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n",
            address(flow.source),
            micros(flow.start_us.unwrap()),
            flow.source_port.unwrap_or(8),
            address(flow.destination),
            flow.destination_port.unwrap_or(0),
            protocol(flow),
            // Zeek does not write how long a lone packet lasted.
            if flow.sent.packets.unwrap() + flow.received.packets.unwrap() == 1 {
                "-".to_owned()
            } else {
                micros(flow.duration_us.unwrap() as i64)
            },
            zeek_state(flow),
            flow.sent.packets.unwrap(),
            flow.sent.ip_bytes.unwrap(),
            flow.received.packets.unwrap(),
            flow.received.ip_bytes.unwrap(),
        );
    }
    text
}

fn zeek_state(flow: &FlowRecord) -> &'static str {
    match flow.state.unwrap() {
        FlowState::Unanswered => "S0",
        FlowState::Rejected => "REJ",
        FlowState::Open => "S1",
        FlowState::Finished => "SF",
        FlowState::Reset => "RSTO",
        FlowState::Partial => "OTH",
    }
}

pub(crate) fn zeek_json(flows: &[FlowRecord]) -> String {
    let line = |flow: &FlowRecord| {
        format!(
            "{{\"ts\":{},\"uid\":\"C1\",\"id.orig_h\":\"{}\",\"id.orig_p\":{},\"id.resp_h\":\"{}\",\"id.resp_p\":{},\
             \"proto\":\"{}\",\"duration\":{},\"conn_state\":\"{}\",\"orig_pkts\":{},\"orig_ip_bytes\":{},\
             \"resp_pkts\":{},\"resp_ip_bytes\":{}}}\n",
            micros(flow.start_us.unwrap()),
            address(flow.source),
            flow.source_port.unwrap_or(8),
            address(flow.destination),
            flow.destination_port.unwrap_or(0),
            protocol(flow),
            micros(flow.duration_us.unwrap() as i64),
            zeek_state(flow),
            flow.sent.packets.unwrap(),
            flow.sent.ip_bytes.unwrap(),
            flow.received.packets.unwrap(),
            flow.received.ip_bytes.unwrap(),
        )
    };
    flows.iter().map(line).collect()
}

/// Flags of both sides that make the state.
pub(crate) fn flags(flow: &FlowRecord) -> (u8, u8) {
    match flow.state.unwrap() {
        FlowState::Unanswered => (0x02, 0x00),
        FlowState::Rejected => (0x02, 0x14),
        FlowState::Open => (0x1a, 0x12),
        FlowState::Finished => (0x1b, 0x1b),
        FlowState::Reset => (0x16, 0x12),
        FlowState::Partial => (0x10, 0x10),
    }
}

/// A time of Suricata and Argus, both of the day of 1970-01-01 plus so many days as it takes.
fn stamp(us: i64, form: &str) -> String {
    let seconds = us.div_euclid(1_000_000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Civil from days, valid from 1970 to 2099.
    let (mut year, mut day) = (1970, days);
    let length = |year: i64| if year % 4 == 0 { 366 } else { 365 };
    while day >= length(year) {
        day -= length(year);
        year += 1;
    }
    let mut month = 1;
    for days in [31, if year % 4 == 0 { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if day < days {
            break;
        }
        day -= days;
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let fraction = us.rem_euclid(1_000_000);
    if form == "eve" {
        format!("{year}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}+0000", day + 1)
    } else {
        format!("{year}/{month:02}/{:02} {hour:02}:{minute:02}:{second:02}.{fraction:06}", day + 1)
    }
}

pub(crate) fn eve(flows: &[FlowRecord]) -> String {
    let line = |flow: &FlowRecord| {
        let start = flow.start_us.unwrap();
        let (ts, tc) = flags(flow);
        let frames = |packets: Option<u64>, bytes: Option<u64>| bytes.unwrap() + 14 * packets.unwrap();
        format!(
            "{{\"timestamp\":\"{}\",\"event_type\":\"flow\",\"src_ip\":\"{}\",\"src_port\":{},\"dest_ip\":\"{}\",\
             \"dest_port\":{},\"proto\":\"{}\",\"flow\":{{\"pkts_toserver\":{},\"pkts_toclient\":{},\
             \"bytes_toserver\":{},\"bytes_toclient\":{},\"start\":\"{}\",\"end\":\"{}\",\"state\":\"new\"}},\
             \"tcp\":{{\"tcp_flags_ts\":\"{ts:02x}\",\"tcp_flags_tc\":\"{tc:02x}\"}}}}\n",
            stamp(start, "eve"),
            address(flow.source),
            flow.source_port.unwrap_or(0),
            address(flow.destination),
            flow.destination_port.unwrap_or(0),
            protocol(flow).to_uppercase(),
            flow.sent.packets.unwrap(),
            flow.received.packets.unwrap(),
            frames(flow.sent.packets, flow.sent.ip_bytes),
            frames(flow.received.packets, flow.received.ip_bytes),
            stamp(start, "eve"),
            stamp(start + flow.duration_us.unwrap() as i64, "eve"),
        )
    };
    flows.iter().map(line).collect()
}

pub(crate) fn binetflow(flows: &[FlowRecord]) -> String {
    let mut text =
        "StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,sTos,dTos,TotPkts,TotBytes,SrcBytes,\
                    SrcPkts,Label\n"
            .to_owned();
    for flow in flows {
        let letters = |flags: u8| -> String {
            [(1, 'F'), (2, 'S'), (4, 'R'), (8, 'P'), (16, 'A')]
                .iter()
                .filter(|(bit, _)| flags & bit != 0)
                .map(|(_, letter)| *letter)
                .collect()
        };
        let (ts, tc) = flags(flow);
        let (sent, received) = (flow.sent.packets.unwrap(), flow.received.packets.unwrap());
        let sent_bytes = flow.sent.ip_bytes.unwrap() + 14 * sent;
        let bytes = sent_bytes + flow.received.ip_bytes.unwrap() + 14 * received;
        text += &format!(
            "{},{},{},{},{},   ->,{},{},{}_{},0,0,{},{bytes},{sent_bytes},{sent},\n",
            stamp(flow.start_us.unwrap(), "argus"),
            micros(flow.duration_us.unwrap() as i64),
            protocol(flow),
            address(flow.source),
            flow.source_port.map_or_else(|| "0x0303".to_owned(), |port| port.to_string()),
            address(flow.destination),
            flow.destination_port.map_or_else(|| "0x0ecc".to_owned(), |port| port.to_string()),
            letters(ts),
            letters(tc),
            sent + received,
        );
    }
    text
}

/// A packet: when, from whom to whom, TCP flags, payload bytes.
pub(crate) type Sketch = (u32, u8, u8, u8, u16);

/// A TCP packet on Ethernet.
pub(crate) fn frame((_, from, to, flags, payload): Sketch) -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame.extend([0x08, 0x00, 0x45, 0]);
    frame.extend((40 + payload).to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, from, 10, 0, 0, to]);
    frame.extend((4000 + u16::from(from)).to_be_bytes());
    frame.extend((4000 + u16::from(to)).to_be_bytes());
    frame.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 1, 0, 0, 0, 0, 0]);
    frame.extend(std::iter::repeat_n(7, usize::from(payload)));
    frame
}

/// A pcap file, in either byte order, with times in microseconds or nanoseconds.
pub(crate) fn pcap(packets: &[Sketch], big_endian: bool, nanoseconds: bool) -> Vec<u8> {
    let word = |value: u32| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let half = |value: u16| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let mut file = Vec::new();
    file.extend(word(if nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 }));
    file.extend(half(2));
    file.extend(half(4));
    [0, 0, 65_535, 1].iter().for_each(|value| file.extend(word(*value)));
    for packet in packets {
        let frame = frame(*packet);
        file.extend(word(packet.0));
        file.extend(word(if nanoseconds { 5_000 } else { 5 }));
        file.extend(word(frame.len() as u32));
        file.extend(word(frame.len() as u32));
        file.extend(frame);
    }
    file
}

/// A pcapng file with one interface.
pub(crate) fn pcapng(packets: &[Sketch]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut block = |kind: u32, body: &[u8]| {
        let length = (12 + body.len().next_multiple_of(4)) as u32;
        file.extend(kind.to_le_bytes());
        file.extend(length.to_le_bytes());
        file.extend(body);
        file.extend(std::iter::repeat_n(0, body.len().next_multiple_of(4) - body.len()));
        file.extend(length.to_le_bytes());
    };
    block(0x0a0d_0d0a, &[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
    block(1, &[1, 0, 0, 0, 0, 0, 4, 0]);
    for packet in packets {
        let frame = frame(*packet);
        let time = u64::from(packet.0) * 1_000_000 + 5;
        let mut body = vec![0; 4];
        body.extend(((time >> 32) as u32).to_le_bytes());
        body.extend((time as u32).to_le_bytes());
        body.extend((frame.len() as u32).to_le_bytes());
        body.extend((frame.len() as u32).to_le_bytes());
        body.extend(frame);
        block(6, &body);
    }
    file
}
