//! Assembly: packets in, bidirectional flows out, of whoever talks to whom over which ports.
//!
//! A flow ends when nothing came for the idle timeout, when it has lasted for the active timeout, when a TCP
//! connection that was closed or reset is opened anew, or when the file ends. The number of open flows is limited:
//! beyond it the one that was silent for longest ends early and is counted. Time is that of the packets and never
//! runs backwards. Flows come out in the order in which they end, so the result is a function of the packets.

use std::collections::VecDeque;

use phalanx_core::Protocol;
use serde::{Deserialize, Serialize};

use crate::{
    FlowRecord, FlowState, Tally, Volume,
    flow::{Interner, TcpFlags},
    key::has_ports,
    recency::Recency,
};

/// When packets begin another flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowTimeouts {
    /// Microseconds of silence that end a flow.
    pub idle_us: i64,
    /// Microseconds after which a flow ends whether or not it goes on.
    pub active_us: i64,
    /// Open flows that are kept at a time, about 250 bytes each.
    pub flows_max: u32,
}

impl Default for FlowTimeouts {
    /// 60 s idle, 3,600 s active, 262,144 flows.
    fn default() -> Self {
        Self { idle_us: 60_000_000, active_us: 3_600_000_000, flows_max: 1 << 18 }
    }
}

/// What the assembler needs to know of a packet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Packet {
    pub(crate) time_us: i64,
    pub(crate) ipv6: bool,
    pub(crate) source: u128,
    pub(crate) destination: u128,
    /// For ICMP, what kind of question it is, on both sides.
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
    pub(crate) protocol: u8,
    pub(crate) ip_bytes: u64,
    pub(crate) payload_bytes: u64,
    pub(crate) flags: TcpFlags,
}

/// Both ends of a flow, the lower first, so that either direction finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    low: (u128, u16),
    high: (u128, u16),
    protocol: u8,
    ipv6: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Side {
    packets: u64,
    ip_bytes: u64,
    payload_bytes: u64,
    flags: TcpFlags,
}

#[derive(Clone, Copy, Debug)]
struct OpenFlow {
    /// Whether the lower end began.
    low_began: bool,
    start_us: i64,
    last_us: i64,
    /// The assembler's time at the last packet.
    seen_us: i64,
    sent: Side,
    received: Side,
}

/// Open flows, by their ends and by when they were last seen.
pub(crate) struct Assembler {
    timeouts: FlowTimeouts,
    now_us: i64,
    flows: Recency<Key, OpenFlow>,
    ready: VecDeque<FlowRecord>,
    names: Interner,
}

impl Assembler {
    pub(crate) fn new(timeouts: FlowTimeouts) -> Self {
        Self {
            timeouts,
            now_us: i64::MIN,
            flows: Recency::new(),
            ready: VecDeque::new(),
            names: Interner::default(),
        }
    }

    /// The next flow that has ended.
    pub(crate) fn ended(&mut self) -> Option<FlowRecord> {
        self.ready.pop_front()
    }

    pub(crate) fn add(&mut self, packet: &Packet, tally: &mut Tally) {
        self.now_us = self.now_us.max(packet.time_us);
        while let Some(oldest) = self.flows.oldest().filter(|place| self.is_idle(*place)) {
            self.end(oldest);
        }
        let source = (packet.source, packet.source_port);
        let destination = (packet.destination, packet.destination_port);
        let from_low = source <= destination;
        let (low, high) = if from_low { (source, destination) } else { (destination, source) };
        let key = Key { low, high, protocol: packet.protocol, ipv6: packet.ipv6 };
        let found = self.flows.place(&key);
        let mut low_began = opens_from_low(packet, from_low);
        let place = match found {
            Some(place) if !self.is_over(place, packet) => {
                self.flows.touch(place);
                place
            }
            _ => {
                if let Some(place) = found {
                    let old = &self.flows[place];
                    if packet.time_us.saturating_sub(old.start_us) > self.timeouts.active_us {
                        low_began = old.low_began;
                    }
                    self.end(place);
                }
                if let Some(oldest) = self.flows.oldest()
                    && self.flows.len() >= self.timeouts.flows_max.max(1) as usize
                {
                    tally.leave_out("flows ended early for want of room");
                    self.end(oldest);
                }
                self.flows.insert(key, OpenFlow::new(low_began, packet.time_us))
            }
        };
        let flow = &mut self.flows[place];
        flow.start_us = flow.start_us.min(packet.time_us);
        flow.last_us = flow.last_us.max(packet.time_us);
        flow.seen_us = self.now_us;
        let side = if from_low == flow.low_began { &mut flow.sent } else { &mut flow.received };
        side.packets += 1;
        side.ip_bytes += packet.ip_bytes;
        side.payload_bytes += packet.payload_bytes;
        side.flags.0 |= packet.flags.0;
    }

    /// Ends all flows, the one that was silent for longest first.
    pub(crate) fn finish(&mut self) {
        while let Some(oldest) = self.flows.oldest() {
            self.end(oldest);
        }
    }

    fn is_idle(&self, place: u32) -> bool {
        self.now_us.saturating_sub(self.flows[place].seen_us) > self.timeouts.idle_us
    }

    /// Whether a packet of the same ends belongs to another flow.
    fn is_over(&self, place: u32, packet: &Packet) -> bool {
        let flow = &self.flows[place];
        if packet.time_us.saturating_sub(flow.start_us) > self.timeouts.active_us {
            return true;
        }
        let opens = packet.flags.has(TcpFlags::SYN) && !packet.flags.has(TcpFlags::ACK);
        let any = |flag| flow.sent.flags.has(flag) || flow.received.flags.has(flag);
        let finished = flow.sent.flags.has(TcpFlags::FIN) && flow.received.flags.has(TcpFlags::FIN);
        opens && (finished || any(TcpFlags::RST))
    }

    fn end(&mut self, place: u32) {
        let (key, flow) = self.flows.remove(place);
        let record = flow.record(&key, &mut self.names);
        self.ready.push_back(record);
    }
}

/// The sender of the first packet began, unless that packet answers an opening which was not captured.
fn opens_from_low(packet: &Packet, from_low: bool) -> bool {
    let answers = packet.flags.has(TcpFlags::SYN) && packet.flags.has(TcpFlags::ACK);
    from_low != answers
}

impl OpenFlow {
    fn new(low_began: bool, time_us: i64) -> Self {
        let (sent, received) = (Side::default(), Side::default());
        Self { low_began, start_us: time_us, last_us: time_us, seen_us: time_us, sent, received }
    }

    fn record(&self, key: &Key, names: &mut Interner) -> FlowRecord {
        let (source, destination) = if self.low_began { (key.low, key.high) } else { (key.high, key.low) };
        let v4 = |address: u128| (!key.ipv6).then_some(address as u32);
        let protocol = Some(Protocol(key.protocol));
        let port = |port: u16| has_ports(protocol).then_some(port);
        let volume = |side: &Side| Volume {
            packets: Some(side.packets),
            ip_bytes: Some(side.ip_bytes),
            payload_bytes: Some(side.payload_bytes),
        };
        let state = if protocol == Some(Protocol::TCP) {
            let received = if self.received.packets == 0 { TcpFlags::default() } else { self.received.flags };
            Some(FlowState::of_tcp(self.sent.flags, received))
        } else {
            FlowState::of_packets(Some(self.received.packets))
        };
        FlowRecord {
            start_us: Some(self.start_us),
            duration_us: Some(self.last_us.abs_diff(self.start_us)),
            source: v4(source.0),
            destination: v4(destination.0),
            ipv6: key.ipv6,
            source_port: port(source.1),
            destination_port: port(destination.1),
            protocol,
            sent: volume(&self.sent),
            received: volume(&self.received),
            state,
            state_name: state.map(|state| names.name(state.name())),
            ..FlowRecord::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(time_s: i64, source: u128, destination: u128, flags: u8) -> Packet {
        Packet {
            time_us: time_s * 1_000_000,
            source,
            destination,
            source_port: 1000 + source as u16,
            destination_port: 1000 + destination as u16,
            protocol: 6,
            ip_bytes: 40,
            flags: TcpFlags(flags),
            ..Packet::default()
        }
    }

    fn flows(timeouts: FlowTimeouts, packets: &[Packet]) -> (Vec<FlowRecord>, Tally) {
        let (mut assembler, mut tally) = (Assembler::new(timeouts), Tally::default());
        packets.iter().for_each(|packet| assembler.add(packet, &mut tally));
        assembler.finish();
        (std::iter::from_fn(|| assembler.ended()).collect(), tally)
    }

    #[track_caller]
    fn check(packets: &[Packet], expected: &[(u32, u64, u64, FlowState)]) {
        let found: Vec<_> = flows(FlowTimeouts::default(), packets)
            .0
            .iter()
            .map(|flow| {
                let packets = (flow.sent.packets.unwrap(), flow.received.packets.unwrap());
                (flow.source.unwrap(), packets.0, packets.1, flow.state.unwrap())
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn both_directions_are_one_flow() {
        let whole = [(0, 2, 1, 0x02), (0, 1, 2, 0x12), (1, 2, 1, 0x11), (2, 1, 2, 0x11)];
        let packets = whole.map(|(time, from, to, flags)| packet(time, from, to, flags));
        check(&packets, &[(2, 2, 2, FlowState::Finished)]);
        // The answer alone was captured: who answers did not begin.
        check(&packets[1..2], &[(2, 0, 1, FlowState::Partial)]);
        check(&packets[..1], &[(2, 1, 0, FlowState::Unanswered)]);
    }

    #[test]
    fn a_closed_connection_can_be_opened_anew() {
        let packets = [packet(0, 1, 2, 0x02), packet(0, 2, 1, 0x14), packet(1, 1, 2, 0x02)];
        check(&packets, &[(1, 1, 1, FlowState::Rejected), (1, 1, 0, FlowState::Unanswered)]);
    }

    #[test]
    fn timeouts_split() {
        check(&[packet(0, 1, 2, 2), packet(60, 1, 2, 2)], &[(1, 2, 0, FlowState::Unanswered)]);
        let two = [(1, 1, 0, FlowState::Unanswered), (1, 1, 0, FlowState::Unanswered)];
        check(&[packet(0, 1, 2, 2), packet(61, 1, 2, 2)], &two);
        // A minute apart for more than an hour; the second flow keeps its direction.
        let mut packets: Vec<Packet> = (0..61).map(|minute| packet(minute * 60, 1, 2, 2)).collect();
        packets.push(packet(3_660, 2, 1, 0x10));
        check(&packets, &[(1, 61, 0, FlowState::Unanswered), (1, 0, 1, FlowState::Partial)]);
    }

    #[test]
    fn open_flows_are_limited() {
        let packets: Vec<Packet> = (1..=10).map(|i| packet(0, i, 100, 2)).collect();
        let timeouts = FlowTimeouts { flows_max: 4, ..FlowTimeouts::default() };
        let (flows, tally) = flows(timeouts, &packets);
        assert_eq!(flows.len(), 10);
        assert_eq!(tally.left_out.values().sum::<u64>(), 6);
        let sources: Vec<u32> = flows.iter().map(|flow| flow.source.unwrap()).collect();
        assert!(sources.is_sorted(), "the oldest ends first: {sources:?}");
    }
}
