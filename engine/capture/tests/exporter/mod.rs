//! An exporter: flows as NetFlow v5, NetFlow v9 and IPFIX, by the layouts of Cisco, RFC 3954 and RFC 7011.

use phalanx_capture::FlowRecord;

use crate::traffic::flags;

/// When the exporter started.
pub(crate) const BOOT_US: i64 = 1_600_000_000_250_000;

/// What a record says of one direction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Half {
    pub(crate) source: u32,
    pub(crate) destination: u32,
    pub(crate) ports: [u16; 2],
    pub(crate) protocol: u8,
    pub(crate) packets: u32,
    pub(crate) bytes: u32,
    pub(crate) flags: u8,
    pub(crate) start_us: i64,
    pub(crate) end_us: i64,
}

/// The directions of flows in the order in which they end; one that was silent has no record. Answers start a
/// millisecond after questions.
pub(crate) fn halves(flows: &[FlowRecord]) -> Vec<Half> {
    let mut halves = Vec::new();
    for flow in flows {
        let (ts, tc) = if flow.protocol.unwrap().0 == 6 { flags(flow) } else { (0, 0) };
        let start_us = flow.start_us.unwrap();
        let end_us = start_us + flow.duration_us.unwrap() as i64;
        let icmp = flow.protocol.unwrap().0 == 1;
        let ports = |kind: u16| match icmp {
            true => [0, kind << 8],
            false => [flow.source_port.unwrap(), flow.destination_port.unwrap()],
        };
        let sent = Half {
            source: flow.source.unwrap(),
            destination: flow.destination.unwrap(),
            ports: ports(8),
            protocol: flow.protocol.unwrap().0,
            packets: flow.sent.packets.unwrap() as u32,
            bytes: flow.sent.ip_bytes.unwrap() as u32,
            flags: ts,
            start_us,
            end_us,
        };
        let [source_port, destination_port] = sent.ports;
        let received = Half {
            source: sent.destination,
            destination: sent.source,
            ports: if icmp { ports(0) } else { [destination_port, source_port] },
            packets: flow.received.packets.unwrap() as u32,
            bytes: flow.received.ip_bytes.unwrap() as u32,
            flags: tc,
            start_us: (start_us + 1000).min(end_us),
            ..sent
        };
        halves.extend([sent, received].into_iter().filter(|half| half.packets > 0));
    }
    halves.sort_by_key(|half| half.end_us);
    halves
}

/// Milliseconds since the start of the exporter, which wrap.
pub(crate) fn uptime(us: i64) -> u32 {
    ((us - BOOT_US) / 1000) as u32
}

/// A message and when it is sent.
pub(crate) type Sent = (i64, Vec<u8>);

fn sent_us(halves: &[Half]) -> i64 {
    halves.last().map_or(BOOT_US, |half| half.end_us) / 1000 * 1000 + 1_234_000
}

/// NetFlow v5, thirty records a message.
pub(crate) fn v5(halves: &[Half], sampling: u16) -> Vec<Sent> {
    let message = |halves: &[Half]| {
        let sent_us = sent_us(halves);
        let mut bytes = vec![0, 5, 0, halves.len() as u8];
        bytes.extend(uptime(sent_us).to_be_bytes());
        bytes.extend(((sent_us / 1_000_000) as u32).to_be_bytes());
        bytes.extend(((sent_us % 1_000_000 * 1000) as u32).to_be_bytes());
        bytes.extend([0, 0, 0, 1, 0, 0]);
        bytes.extend(sampling.to_be_bytes());
        for half in halves {
            bytes.extend(half.source.to_be_bytes());
            bytes.extend(half.destination.to_be_bytes());
            bytes.extend([0; 8]);
            bytes.extend(half.packets.to_be_bytes());
            bytes.extend(half.bytes.to_be_bytes());
            bytes.extend(uptime(half.start_us).to_be_bytes());
            bytes.extend(uptime(half.end_us).to_be_bytes());
            bytes.extend(half.ports[0].to_be_bytes());
            bytes.extend(half.ports[1].to_be_bytes());
            bytes.extend([0, half.flags, half.protocol, 0]);
            bytes.extend([0; 8]);
        }
        (sent_us, bytes)
    };
    halves.chunks(30).map(message).collect()
}

/// A set: its number, its length, what it holds.
pub(crate) fn set(number: u16, body: &[u8]) -> Vec<u8> {
    let mut set = number.to_be_bytes().to_vec();
    set.extend((body.len() as u16 + 4).to_be_bytes());
    set.extend(body);
    set
}

fn words(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// Template 256 of NetFlow v9: 13 fields, one of which nobody knows.
pub(crate) fn v9_template() -> Vec<u8> {
    let fields = [
        (8, 4),
        (12, 4),
        (7, 2),
        (11, 2),
        (4, 1),
        (6, 1),
        (2, 4),
        (1, 5),
        (22, 4),
        (21, 4),
        (60, 1),
        (40_000, 3),
        (61, 1),
    ];
    let mut body = vec![256, fields.len() as u16];
    fields.iter().for_each(|(number, length)| body.extend([*number, *length]));
    set(0, &words(&body))
}

/// A header of NetFlow v9 and sets after it.
pub(crate) fn v9_message(sent_us: i64, records: u16, source: u32, sets: &[Vec<u8>]) -> Sent {
    let mut bytes = vec![0, 9];
    bytes.extend(records.to_be_bytes());
    bytes.extend(uptime(sent_us).to_be_bytes());
    bytes.extend(((sent_us / 1_000_000) as u32).to_be_bytes());
    bytes.extend([0, 0, 0, 1]);
    bytes.extend(source.to_be_bytes());
    sets.iter().for_each(|set| bytes.extend(set));
    (sent_us, bytes)
}

/// Data of [`v9_template`], padded to four bytes.
pub(crate) fn v9_data(halves: &[Half]) -> Vec<u8> {
    let mut body = Vec::new();
    for half in halves {
        body.extend(half.source.to_be_bytes());
        body.extend(half.destination.to_be_bytes());
        body.extend(half.ports[0].to_be_bytes());
        body.extend(half.ports[1].to_be_bytes());
        body.extend([half.protocol, half.flags]);
        body.extend(half.packets.to_be_bytes());
        body.push(0);
        body.extend(half.bytes.to_be_bytes());
        body.extend(uptime(half.start_us).to_be_bytes());
        body.extend(uptime(half.end_us).to_be_bytes());
        body.extend([4, 1, 2, 3, 0]);
    }
    body.resize(body.len().next_multiple_of(4), 0);
    set(256, &body)
}

/// The next whole second, since headers of NetFlow v9 have nothing finer.
fn whole_second(us: i64) -> i64 {
    (us / 1_000_000 + 1) * 1_000_000
}

/// NetFlow v9, the template before the first data or only after the last.
pub(crate) fn v9(halves: &[Half], template_first: bool) -> Vec<Sent> {
    let mut messages: Vec<Sent> = halves
        .chunks(20)
        .map(|halves| v9_message(whole_second(sent_us(halves)), halves.len() as u16, 7, &[v9_data(halves)]))
        .collect();
    let at_us = whole_second(if template_first { BOOT_US } else { sent_us(halves) });
    let template = v9_message(at_us, 1, 7, &[v9_template()]);
    messages.insert(if template_first { 0 } else { messages.len() }, template);
    messages
}

/// A header of IPFIX and sets after it.
pub(crate) fn ipfix_message(sent_us: i64, domain: u32, sets: &[Vec<u8>]) -> Sent {
    let mut bytes = vec![0, 10];
    bytes.extend((16 + sets.iter().map(Vec::len).sum::<usize>() as u16).to_be_bytes());
    bytes.extend(((sent_us / 1_000_000) as u32).to_be_bytes());
    bytes.extend([0, 0, 0, 1]);
    bytes.extend(domain.to_be_bytes());
    sets.iter().for_each(|set| bytes.extend(set));
    (sent_us, bytes)
}

/// Template 300 of IPFIX: biflows (RFC 5103) with a name of any length and a field of an unknown enterprise.
pub(crate) fn ipfix_template() -> Vec<u8> {
    const REVERSE: u32 = 29_305;
    let fields: [(u16, u16, u32); 16] = [
        (8, 4, 0),
        (12, 4, 0),
        (7, 2, 0),
        (11, 2, 0),
        (4, 1, 0),
        (82, 65_535, 0),
        (6, 2, 0),
        (6, 1, REVERSE),
        (2, 8, 0),
        (1, 4, 0),
        (2, 4, REVERSE),
        (1, 8, REVERSE),
        (154, 8, 0),
        (155, 8, 0),
        (77, 6, 12_345),
        (176, 1, 0),
    ];
    let mut body = words(&[300, fields.len() as u16]);
    for (number, length, enterprise) in fields {
        let own = if enterprise == 0 { 0 } else { 0x8000 };
        body.extend(words(&[number | own, length]));
        if enterprise != 0 {
            body.extend(enterprise.to_be_bytes());
        }
    }
    set(2, &body)
}

/// A time of NTP, rounded so that microseconds come back.
pub(crate) fn ntp(us: i64) -> [u8; 8] {
    let seconds = us / 1_000_000 + 2_208_988_800;
    let fraction = (((us % 1_000_000) as u64) << 32).div_ceil(1_000_000);
    ((seconds as u64) << 32 | fraction).to_be_bytes()
}

/// Data of [`ipfix_template`].
pub(crate) fn ipfix_data(flows: &[FlowRecord]) -> Vec<u8> {
    let mut body = Vec::new();
    for (index, flow) in flows.iter().enumerate() {
        let (ts, tc) = if flow.protocol.unwrap().0 == 6 { flags(flow) } else { (0, 0) };
        let start_us = flow.start_us.unwrap();
        body.extend(flow.source.unwrap().to_be_bytes());
        body.extend(flow.destination.unwrap().to_be_bytes());
        body.extend(flow.source_port.unwrap_or(0).to_be_bytes());
        body.extend(flow.destination_port.unwrap_or(0).to_be_bytes());
        body.push(flow.protocol.unwrap().0);
        // Lengths from 255 on take three bytes.
        match index % 3 {
            0 => body.push(0),
            1 => body.extend(*b"\x04eth0"),
            _ => {
                body.extend([255, 1, 0]);
                body.extend([b'x'; 256]);
            }
        }
        body.extend([0, ts, tc]);
        body.extend(flow.sent.packets.unwrap().to_be_bytes());
        body.extend((flow.sent.ip_bytes.unwrap() as u32).to_be_bytes());
        body.extend((flow.received.packets.unwrap() as u32).to_be_bytes());
        body.extend(flow.received.ip_bytes.unwrap().to_be_bytes());
        body.extend(ntp(start_us));
        body.extend(ntp(start_us + flow.duration_us.unwrap() as i64));
        body.extend([1, 2, 3, 4, 5, 6, 8]);
    }
    set(300, &body)
}

/// IPFIX biflows, with the template in the first message.
pub(crate) fn ipfix(flows: &[FlowRecord]) -> Vec<Sent> {
    let end_us = |flow: &FlowRecord| flow.start_us.unwrap() + flow.duration_us.unwrap() as i64;
    let mut flows = flows.to_vec();
    flows.sort_by_key(end_us);
    let message = |(index, flows): (usize, &[FlowRecord])| {
        let template = (index == 0).then(ipfix_template);
        let sets: Vec<Vec<u8>> = template.into_iter().chain([ipfix_data(flows)]).collect();
        ipfix_message(flows.last().map_or(BOOT_US, end_us) + 2_000_000, 9, &sets)
    };
    flows.chunks(12).enumerate().map(message).collect()
}

/// Messages one after the other.
pub(crate) fn plain(messages: &[Sent]) -> Vec<u8> {
    messages.iter().flat_map(|(_, bytes)| bytes.clone()).collect()
}

/// Messages as packets from an exporter to a collector's port.
pub(crate) fn captured(messages: &[Sent], exporter: u8, port: u16) -> Vec<u8> {
    let mut file = [0xa1b2_c3d4u32, 0x0002_0004, 0, 0, 65_535, 1].map(u32::to_be_bytes).concat();
    for (sent_us, bytes) in messages {
        let length = bytes.len() as u16;
        let mut frame = vec![0; 12];
        frame.extend([0x08, 0x00, 0x45, 0]);
        frame.extend((28 + length).to_be_bytes());
        frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, exporter, 192, 0, 2, 200]);
        frame.extend(words(&[54_321, port, 8 + length, 0]));
        frame.extend(bytes);
        let sizes = [frame.len() as u32; 2];
        file.extend(((sent_us / 1_000_000) as u32).to_be_bytes());
        file.extend(((sent_us % 1_000_000) as u32).to_be_bytes());
        sizes.iter().for_each(|size| file.extend(size.to_be_bytes()));
        file.extend(frame);
    }
    file
}
