//! Biflows: records of one direction each, put together as the flows that they are halves and pieces of.
//!
//! The directions of a conversation come as two records, and an exporter cuts long flows into pieces. Records of one
//! exporter belong together under the rules by which [packets](crate::assemble) do: the same ends and protocol, no
//! more than the idle timeout between them, no more than the active timeout in all, and no new opening of a closed
//! connection. Whose first packet is earlier began; where they are equal, the side with the higher port did, as
//! clients draw theirs from the upper range. A direction that was not reported is not known, rather than silent,
//! unless the caller knows that the exporter watches both.

use std::collections::VecDeque;

use phalanx_core::Protocol;

use super::element::{Counts, ExportRecord};
use crate::{
    FlowRecord, FlowState, FlowTimeouts, Tally, Volume,
    flow::{Interner, TcpFlags},
    key::has_ports,
    pcap::question,
    recency::Recency,
};

/// The ends of a flow, the lower first, as one exporter saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    exporter: u32,
    low: (u128, u16),
    high: (u128, u16),
    protocol: Option<u8>,
    ipv6: bool,
}

/// What one side has sent, as far as it was reported.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    reported: bool,
    counts: Counts,
    direction: Option<u8>,
    /// Whether its ICMP messages ask.
    asks: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct OpenFlow {
    /// Of the lower and of the higher end.
    sides: [Side; 2],
    /// The side that began, if a record has said so.
    began: Option<usize>,
    sampled: bool,
    known_ports: [bool; 2],
    /// When the last of its records arrived, and since when it waits for another one.
    arrived_us: i64,
    waits_us: i64,
    goes_on: bool,
}

/// Flows that may still get records.
pub(crate) struct Biflows {
    timeouts: FlowTimeouts,
    /// Whether what was not reported has not been sent.
    both_ways: bool,
    now_us: i64,
    flows: Recency<Key, OpenFlow>,
    ready: VecDeque<FlowRecord>,
    names: Interner,
}

impl Biflows {
    pub(crate) fn new(timeouts: FlowTimeouts, both_ways: bool) -> Self {
        Self {
            timeouts,
            both_ways,
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

    /// Adds a record that arrived at that time.
    pub(crate) fn add(&mut self, exporter: u32, arrived_us: i64, record: &ExportRecord, tally: &mut Tally) {
        self.now_us = self.now_us.max(arrived_us);
        self.end_idle();
        if let Some(one_in) = record.sampling.filter(|one_in| *one_in > 1) {
            tally.sampled(one_in);
        }
        let ends = Ends::of(record);
        let from = usize::from(ends.source > ends.destination);
        let (low, high) =
            if from == 0 { (ends.source, ends.destination) } else { (ends.destination, ends.source) };
        let key = Key { exporter, low, high, protocol: record.protocol, ipv6: record.ipv6 };
        let found = self.flows.place(&key);
        let place = match found {
            Some(place) if !self.is_over(place, record, from) => {
                let side = &self.flows[place].sides[from];
                let elsewhere = side.direction.zip(record.direction).is_some_and(|(a, b)| a != b);
                if side.reported && elsewhere {
                    tally.leave_out("records of a direction that was seen at a second interface");
                    return;
                }
                self.flows.touch(place);
                place
            }
            _ => {
                if let Some(place) = found {
                    self.end(place);
                }
                if let Some(oldest) = self.flows.oldest()
                    && self.flows.len() >= self.timeouts.flows_max.max(1) as usize
                {
                    tally.leave_out("flows ended early for want of room");
                    self.end(oldest);
                }
                self.flows.insert(key, OpenFlow::default())
            }
        };
        let flow = &mut self.flows[place];
        (flow.arrived_us, flow.waits_us) = (self.now_us, self.now_us);
        flow.goes_on = record.goes_on;
        flow.sampled |= record.sampling.is_some_and(|one_in| one_in > 1);
        let (source, destination) = (record.source_port.is_some(), record.destination_port.is_some());
        flow.known_ports = if from == 0 { [source, destination] } else { [destination, source] };
        let side = &mut flow.sides[from];
        side.add(&record.sent);
        (side.direction, side.asks) = (record.direction, ends.asks);
        if let Some(received) = &record.received {
            flow.sides[1 - from].add(received);
            flow.began = flow.began.or(Some(from));
        }
    }

    /// Ends all flows, the one that waits longest first.
    pub(crate) fn finish(&mut self) {
        while let Some(oldest) = self.flows.oldest() {
            self.end(oldest);
        }
    }

    fn end_idle(&mut self) {
        while let Some(place) = self.flows.oldest() {
            let flow = &self.flows[place];
            if self.now_us.saturating_sub(flow.waits_us) <= self.timeouts.idle_us {
                return;
            }
            // The exporter has said that there is more to come, which it reports by an active timeout of its own.
            if flow.goes_on && self.now_us.saturating_sub(flow.arrived_us) <= self.timeouts.active_us {
                self.flows[place].waits_us = self.now_us;
                self.flows.touch(place);
            } else {
                self.end(place);
            }
        }
    }

    /// Whether a record of the same ends belongs to another flow.
    fn is_over(&self, place: u32, record: &ExportRecord, from: usize) -> bool {
        let flow = &self.flows[place];
        let (Some((first, last)), Some((start, end))) = (flow.span(), span(&record.sent)) else {
            return false;
        };
        let gap = start.saturating_sub(last).max(first.saturating_sub(end));
        let lasts = last.max(end).saturating_sub(first.min(start));
        if gap > self.timeouts.idle_us || lasts > self.timeouts.active_us {
            return true;
        }
        let flags = |counts: &Counts| TcpFlags(counts.flags.unwrap_or(0));
        let (own, other) = (flags(&flow.sides[from].counts), flags(&flow.sides[1 - from].counts));
        let closed = own.has(TcpFlags::RST | TcpFlags::FIN) || other.has(TcpFlags::RST);
        let own_end = flow.sides[from].counts.end_us;
        let later = own_end.is_some_and(|own_end| start > own_end);
        flow.sides[from].reported && closed && later && flags(&record.sent).has(TcpFlags::SYN)
    }

    fn end(&mut self, place: u32) {
        let (key, flow) = self.flows.remove(place);
        let silent = self.both_ways && !flow.sampled;
        self.ready.push_back(flow.record(&key, silent, &mut self.names));
    }
}

/// Who talks to whom, with one number for an ICMP question and its answer in place of ports.
struct Ends {
    source: (u128, u16),
    destination: (u128, u16),
    asks: bool,
}

impl Ends {
    fn of(record: &ExportRecord) -> Self {
        let (ports, asks) = match (record.protocol, record.icmp) {
            (Some(1 | 58), Some((kind, code))) => {
                let question = question(kind, code, record.ipv6);
                ([question; 2], question == u16::from(kind) << 8)
            }
            (Some(1 | 58), None) => ([0; 2], false),
            _ => ([record.source_port.unwrap_or(0), record.destination_port.unwrap_or(0)], false),
        };
        Self { source: (record.source, ports[0]), destination: (record.destination, ports[1]), asks }
    }
}

fn span(counts: &Counts) -> Option<(i64, i64)> {
    let (start, end) = (counts.start_us.or(counts.end_us)?, counts.end_us.or(counts.start_us)?);
    Some((start, end.max(start)))
}

impl Side {
    fn add(&mut self, more: &Counts) {
        if !self.reported {
            (self.reported, self.counts) = (true, *more);
            return;
        }
        let counts = &mut self.counts;
        let sum = |a: Option<u64>, b: Option<u64>| Some(a?.saturating_add(b?));
        counts.packets = sum(counts.packets, more.packets);
        counts.bytes = sum(counts.bytes, more.bytes);
        counts.flags = counts.flags.zip(more.flags).map(|(a, b)| a | b);
        counts.start_us = [counts.start_us, more.start_us].into_iter().flatten().min();
        counts.end_us = counts.end_us.max(more.end_us);
    }

    fn volume(&self, silent: bool) -> Volume {
        let zero = (silent && !self.reported).then_some(0);
        Volume {
            packets: self.counts.packets.or(zero),
            ip_bytes: self.counts.bytes.or(zero),
            payload_bytes: None,
        }
    }

    /// Flags, if they are known. Packets of TCP have some, so that none at all means that nobody has looked.
    fn flags(&self, silent: bool) -> Option<TcpFlags> {
        let packets = self.counts.packets.unwrap_or(1);
        match self.reported {
            true => self.counts.flags.filter(|flags| *flags != 0 || packets == 0).map(TcpFlags),
            false => silent.then(TcpFlags::default),
        }
    }
}

impl OpenFlow {
    fn span(&self) -> Option<(i64, i64)> {
        let spans = || self.sides.iter().filter_map(|side| span(&side.counts));
        Some((spans().map(|(start, _)| start).min()?, spans().map(|(_, end)| end).max()?))
    }

    /// The side that began.
    fn began(&self, key: &Key) -> usize {
        let [low, high] = &self.sides;
        if let Some(began) = self.began {
            return began;
        }
        if !low.reported || !high.reported {
            let reported = usize::from(high.reported);
            let counts = &self.sides[reported].counts;
            // One packet that opens and acknowledges answers an opening that was not reported.
            let flags = TcpFlags(counts.flags.unwrap_or(0));
            let answers = counts.packets == Some(1) && flags.has(TcpFlags::SYN) && flags.has(TcpFlags::ACK);
            return if answers { 1 - reported } else { reported };
        }
        let by_time = match (low.counts.start_us, high.counts.start_us) {
            (Some(low), Some(high)) => low.cmp(&high),
            _ => std::cmp::Ordering::Equal,
        };
        let earlier = by_time.then(high.asks.cmp(&low.asks)).then(key.high.1.cmp(&key.low.1));
        usize::from(earlier.is_gt())
    }

    fn record(&self, key: &Key, silent: bool, names: &mut Interner) -> FlowRecord {
        let began = self.began(key);
        let ends = [key.low, key.high];
        let (source, destination) = (ends[began], ends[1 - began]);
        let (sender, receiver) = (&self.sides[began], &self.sides[1 - began]);
        let protocol = key.protocol.map(Protocol);
        let v4 = |address: u128| (!key.ipv6).then_some(address as u32);
        let port = |side: usize| (has_ports(protocol) && self.known_ports[side]).then_some(ends[side].1);
        let (sent, received) = (sender.volume(silent), receiver.volume(silent));
        let state = if protocol == Some(Protocol::TCP) {
            let flags = sender.flags(silent).zip(receiver.flags(silent));
            flags.map(|(sent, received)| FlowState::of_tcp(sent, received))
        } else {
            FlowState::of_packets(received.packets).filter(|_| protocol.is_some())
        };
        let start = self.sides.iter().filter_map(|side| side.counts.start_us).min();
        let end = self.sides.iter().filter_map(|side| side.counts.end_us).max();
        let ended = self.sides.iter().all(|side| side.counts.end_us.is_some() || !side.reported);
        FlowRecord {
            start_us: start,
            duration_us: start
                .zip(end)
                .filter(|_| ended)
                .map(|(start, end)| u64::try_from(end.saturating_sub(start)).unwrap_or(0)),
            source: v4(source.0),
            destination: v4(destination.0),
            ipv6: key.ipv6,
            source_port: port(began),
            destination_port: port(1 - began),
            protocol,
            sent,
            received,
            state,
            state_name: state.map(|state| names.name(state.name())),
            ..FlowRecord::default()
        }
    }
}
