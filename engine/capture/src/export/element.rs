//! Elements: the fields of an export record that say something of a flow, by their IANA numbers.
//!
//! Numbers are those of the registry "IPFIX Information Elements", of which NetFlow v9's are the first. The reverse
//! direction of a biflow has the same numbers under the enterprise 29305 (RFC 5103). Of other enterprises only the TCP
//! flags of YAF are known, and the ends that Cisco's records by application have; all else is passed over.

use std::net::{Ipv4Addr, Ipv6Addr};

use netflow_parser::{
    DataNumber, FieldValue, IpfixField,
    variable_versions::{
        field_value::DurationValue,
        ipfix::lookup::{
            CiscoIPFixField as Cisco, IANAIPFixField as Iana, ReverseInformationElement as Reverse,
            YafIPFixField as Yaf,
        },
    },
};

/// Seconds from the NTP era to 1970 (RFC 7011, 6.1.9).
const NTP_S: i64 = 2_208_988_800;

/// Which side of a record's flow a field is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Forward,
    Backward,
}

/// The time of a message, as far as its fields refer to it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    /// When the message was sent, as its header says.
    pub(crate) export_us: i64,
    /// When the exporter started, and how long ago that is by its own count: of NetFlow, and of IPFIX if options say so.
    pub(crate) boot: Option<Boot>,
}

/// When an exporter started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Boot {
    pub(crate) at_us: i64,
    /// The exporter's clock when it sent the message. It starts again every 49.7 days.
    pub(crate) uptime_ms: u32,
}

impl Boot {
    /// Of an exporter that says when it started, by a message of that time. Its count starts again every 49.7 days.
    pub(crate) fn since(boot_ms: i64, export_us: i64) -> Self {
        let uptime_ms = (export_us / 1000).wrapping_sub(boot_ms) as u32;
        Self { at_us: export_us - i64::from(uptime_ms) * 1000, uptime_ms }
    }

    /// A time by the exporter's clock, taken for the one within 24.8 days of the message.
    pub(crate) fn time_us(self, ms: u32) -> i64 {
        let ago_ms = i64::from(self.uptime_ms.wrapping_sub(ms).cast_signed());
        self.at_us + (i64::from(self.uptime_ms) - ago_ms) * 1000
    }
}

/// What one side has sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) packets: Option<u64>,
    pub(crate) bytes: Option<u64>,
    pub(crate) flags: Option<u8>,
    pub(crate) start_us: Option<i64>,
    pub(crate) end_us: Option<i64>,
}

/// A record that describes a flow, or one direction of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExportRecord {
    pub(crate) ipv6: bool,
    pub(crate) source: u128,
    pub(crate) destination: u128,
    pub(crate) source_port: Option<u16>,
    pub(crate) destination_port: Option<u16>,
    /// Type and code.
    pub(crate) icmp: Option<(u8, u8)>,
    pub(crate) protocol: Option<u8>,
    pub(crate) sent: Counts,
    /// Of a biflow, which says who began.
    pub(crate) received: Option<Counts>,
    /// Whether the packets were seen as they went in or out, as the exporter numbers it.
    pub(crate) direction: Option<u8>,
    /// Whether the flow goes on: the exporter's active timeout has cut it.
    pub(crate) goes_on: bool,
    /// One packet in so many was looked at.
    pub(crate) sampling: Option<u32>,
}

/// The fields of one record, as far as they are read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fields {
    record: ExportRecord,
    source_v4: Option<u32>,
    destination_v4: Option<u32>,
    source_v6: Option<u128>,
    destination_v6: Option<u128>,
    received: Option<Counts>,
    start: Time,
    end: Time,
    back_start: Time,
    back_end: Time,
    boot_ms: Option<i64>,
    duration_us: Option<i64>,
    back_delay_us: Option<i64>,
    /// Counters behind a middlebox, used if there are none before it.
    post: Counts,
    icmp: [Option<u8>; 2],
    sampled: Option<u64>,
    passed_over: Option<u64>,
    responder_began: bool,
}

/// A time in its finest form.
#[derive(Clone, Copy, Debug, Default)]
struct Time {
    /// Fineness, 0 for none.
    rank: u8,
    us: i64,
    uptime_ms: Option<u32>,
}

impl Time {
    fn take(&mut self, rank: u8, us: Option<i64>) {
        if let Some(us) = us.filter(|_| rank > self.rank) {
            (self.rank, self.us) = (rank, us);
        }
    }

    fn resolved(self, boot: Option<Boot>, boot_ms: Option<i64>) -> Option<i64> {
        if self.rank > 0 {
            return Some(self.us);
        }
        let ms = self.uptime_ms?;
        let of_record = boot_ms.map(|boot_ms| boot_ms.saturating_add(i64::from(ms)).saturating_mul(1000));
        of_record.or_else(|| boot.map(|boot| boot.time_us(ms)))
    }
}

impl Fields {
    /// A field of IPFIX.
    pub(crate) fn take_ipfix(&mut self, field: IpfixField, value: &FieldValue, clock: &Clock) {
        if let Some((number, way)) = ipfix_number(field) {
            self.take(number, way, value, clock);
        }
    }

    /// A field by its number.
    pub(crate) fn take(&mut self, number: u16, way: Way, value: &FieldValue, clock: &Clock) {
        let back = way == Way::Backward;
        let unsigned = || unsigned(value);
        let small = || unsigned().and_then(|value| u8::try_from(value).ok());
        let port = || unsigned().and_then(|value| u16::try_from(value).ok());
        match number {
            1 | 85 => self.counts(way).bytes = unsigned(),
            2 | 86 => self.counts(way).packets = unsigned(),
            // Newer bits of a two-byte field are not looked at.
            6 => {
                let flags = unsigned().map(|flags| flags as u8);
                let known = &mut self.counts(way).flags;
                *known = Some(known.unwrap_or(0) | flags.unwrap_or(0)).filter(|_| flags.is_some());
            }
            150 | 152 | 154 | 156 | 158 | 22 => {
                let time = if back { &mut self.back_start } else { &mut self.start };
                take_time(time, if number == 22 { UPTIME } else { number }, value, clock);
            }
            151 | 153 | 155 | 157 | 159 | 21 => {
                let time = if back { &mut self.back_end } else { &mut self.end };
                take_time(time, if number == 21 { UPTIME } else { number - 1 }, value, clock);
            }
            _ if back => {}
            4 => self.record.protocol = small(),
            7 | 180 | 182 => self.record.source_port = port(),
            11 | 181 | 183 => self.record.destination_port = port(),
            8 => self.source_v4 = v4(value),
            12 => self.destination_v4 = v4(value),
            27 => self.source_v6 = v6(value),
            28 => self.destination_v6 = v6(value),
            23 => self.post.bytes = unsigned(),
            24 => self.post.packets = unsigned(),
            231 => self.record.sent.bytes = unsigned(),
            298 => self.record.sent.packets = unsigned(),
            232 => self.counts(Way::Backward).bytes = unsigned(),
            299 => self.counts(Way::Backward).packets = unsigned(),
            32 | 139 => {
                let [kind, code] = port().unwrap_or(0).to_be_bytes();
                self.icmp = [Some(kind), Some(code)];
            }
            176 | 178 => self.icmp[0] = small(),
            177 | 179 => self.icmp[1] = small(),
            34 | 50 => self.record.sampling = unsigned().and_then(|one_in| u32::try_from(one_in).ok()),
            305 => self.sampled = unsigned(),
            306 => self.passed_over = unsigned(),
            61 => self.record.direction = small(),
            136 => self.record.goes_on = unsigned() == Some(2),
            160 => self.boot_ms = unsigned().and_then(|ms| i64::try_from(ms).ok()),
            161 => self.duration_us = micros(unsigned(), 1000),
            162 => self.duration_us = micros(unsigned(), 1),
            BACK_DELAY => self.back_delay_us = micros(unsigned(), 1000),
            239 => self.responder_began = unsigned() == Some(2),
            _ => {}
        }
    }

    fn counts(&mut self, way: Way) -> &mut Counts {
        match way {
            Way::Forward => &mut self.record.sent,
            Way::Backward => self.received.get_or_insert_default(),
        }
    }

    /// When the exporter started, if the fields say so.
    pub(crate) fn boot_ms(&self) -> Option<i64> {
        self.boot_ms
    }

    /// One packet in so many, if the fields say so.
    pub(crate) fn sampling(&self) -> Option<u32> {
        let of_run = || {
            let (sampled, passed_over) = (self.sampled.filter(|n| *n > 0)?, self.passed_over?);
            u32::try_from(sampled.saturating_add(passed_over) / sampled).ok()
        };
        self.record.sampling.or_else(of_run).filter(|one_in| *one_in > 0)
    }

    /// The record, `None` if it is not about two addresses.
    pub(crate) fn finish(self, clock: &Clock) -> Option<ExportRecord> {
        let mut record = self.record;
        let some = |address: Option<u32>| address.filter(|address| *address != 0).is_some();
        let v4 = self.source_v4.zip(self.destination_v4);
        let v6 = self.source_v6.zip(self.destination_v6).filter(|(a, b)| (a | b) != 0);
        // A template for both families fills the other one with zeros.
        match (v4.filter(|_| v6.is_none() || some(self.source_v4) || some(self.destination_v4)), v6) {
            (Some((source, destination)), _) => {
                (record.source, record.destination) = (u128::from(source), u128::from(destination));
            }
            (None, Some((source, destination))) => {
                (record.source, record.destination, record.ipv6) = (source, destination, true);
            }
            (None, None) => return None,
        }
        record.sent.packets = record.sent.packets.or(self.post.packets);
        record.sent.bytes = record.sent.bytes.or(self.post.bytes);
        // NetFlow v5, and others after it, put type and code into the destination port.
        if matches!(record.protocol, Some(1 | 58)) {
            let of_port = record.destination_port.map(u16::to_be_bytes);
            record.icmp = match self.icmp {
                [Some(kind), code] => Some((kind, code.unwrap_or(0))),
                [None, _] => of_port.map(|[kind, code]| (kind, code)),
            };
        }
        let time = |time: Time| time.resolved(clock.boot, self.boot_ms);
        let (start, end) = (time(self.start), time(self.end));
        let lasted = self.duration_us;
        record.sent.start_us = start.or_else(|| Some(end?.saturating_sub(lasted?)));
        record.sent.end_us = end.or_else(|| Some(start?.saturating_add(lasted?)));
        record.received = self.received.map(|received| {
            let later =
                self.back_delay_us.and_then(|delay| Some(record.sent.start_us?.saturating_add(delay)));
            // The end of a biflow is that of both directions.
            let end_us = time(self.back_end).or(record.sent.end_us);
            Counts { start_us: time(self.back_start).or(later), end_us, ..received }
        });
        record.sampling = self.sampling();
        if self.responder_began {
            std::mem::swap(&mut record.source, &mut record.destination);
            std::mem::swap(&mut record.source_port, &mut record.destination_port);
            if let Some(received) = &mut record.received {
                std::mem::swap(received, &mut record.sent);
            }
        }
        Some(record)
    }
}

/// Milliseconds from the first packet to the first answer, a field of YAF that has no number of its own at IANA.
const BACK_DELAY: u16 = u16::MAX;

/// Stands for both times by the exporter's clock; other ends of a flow have the number of its start plus one.
const UPTIME: u16 = 0;

fn take_time(time: &mut Time, number: u16, value: &FieldValue, clock: &Clock) {
    let scaled = |factor| micros(unsigned(value), factor);
    match number {
        UPTIME => time.uptime_ms = unsigned(value).and_then(|ms| u32::try_from(ms).ok()),
        150 => time.take(1, scaled(1_000_000)),
        158 => time.take(2, scaled(1).map(|before| clock.export_us.saturating_sub(before))),
        152 => time.take(3, scaled(1000)),
        154 => time.take(4, ntp_us(value)),
        _ => time.take(5, ntp_us(value)),
    }
}

fn micros(value: Option<u64>, factor: i64) -> Option<i64> {
    i64::try_from(value?).ok()?.checked_mul(factor)
}

/// A whole number of up to eight bytes, whatever the parser has made of it.
fn unsigned(value: &FieldValue) -> Option<u64> {
    let of_bytes = |bytes: &[u8]| {
        let fits = (1..=8).contains(&bytes.len());
        fits.then(|| bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    };
    match value {
        FieldValue::DataNumber(DataNumber::Vec(bytes)) | FieldValue::Vec(bytes) => of_bytes(bytes),
        FieldValue::DataNumber(number) => number.as_u64(),
        FieldValue::Duration(DurationValue::Seconds { value, .. } | DurationValue::Millis { value, .. }) => {
            Some(*value)
        }
        FieldValue::ProtocolType(protocol) => Some(u64::from(u8::from(*protocol))),
        FieldValue::TcpControlBits(bits, _) => Some(u64::from(u16::from(*bits))),
        FieldValue::FlowEndReason(reason) => Some(u64::from(u8::from(*reason))),
        _ => None,
    }
}

/// A time stamp of NTP: seconds and parts of 2^32.
fn ntp_us(value: &FieldValue) -> Option<i64> {
    let (seconds, fraction) = match value {
        FieldValue::Duration(
            DurationValue::MicrosNtp { seconds, fraction } | DurationValue::NanosNtp { seconds, fraction },
        ) => (*seconds, *fraction),
        FieldValue::Vec(bytes) if bytes.len() == 8 => {
            let stamp = unsigned(value)?;
            ((stamp >> 32) as u32, stamp as u32)
        }
        _ => return None,
    };
    let micros = (u64::from(fraction) * 1_000_000) >> 32;
    Some((i64::from(seconds) - NTP_S) * 1_000_000 + micros as i64)
}

fn v4(value: &FieldValue) -> Option<u32> {
    match value {
        FieldValue::Ip4Addr(address) => Some(Ipv4Addr::to_bits(*address)),
        _ => None,
    }
}

fn v6(value: &FieldValue) -> Option<u128> {
    match value {
        FieldValue::Ip6Addr(address) => Some(Ipv6Addr::to_bits(*address)),
        _ => None,
    }
}

/// The number of a field that is read; the parser hands out names.
fn ipfix_number(field: IpfixField) -> Option<(u16, Way)> {
    let number = match field {
        IpfixField::IANA(field) => match field {
            Iana::OctetDeltaCount => 1,
            Iana::PacketDeltaCount => 2,
            Iana::ProtocolIdentifier => 4,
            Iana::TcpControlBits => 6,
            Iana::SourceTransportPort => 7,
            Iana::SourceIpv4address => 8,
            Iana::DestinationTransportPort => 11,
            Iana::DestinationIpv4address => 12,
            Iana::FlowEndSysUpTime => 21,
            Iana::FlowStartSysUpTime => 22,
            Iana::PostOctetDeltaCount => 23,
            Iana::PostPacketDeltaCount => 24,
            Iana::SourceIpv6address => 27,
            Iana::DestinationIpv6address => 28,
            Iana::IcmpTypeCodeIpv4 => 32,
            Iana::SamplingInterval => 34,
            Iana::SamplerRandomInterval => 50,
            Iana::FlowDirection => 61,
            Iana::OctetTotalCount => 85,
            Iana::PacketTotalCount => 86,
            Iana::FlowEndReason => 136,
            Iana::IcmpTypeCodeIpv6 => 139,
            Iana::FlowStartSeconds => 150,
            Iana::FlowEndSeconds => 151,
            Iana::FlowStartMilliseconds => 152,
            Iana::FlowEndMilliseconds => 153,
            Iana::FlowStartMicroseconds => 154,
            Iana::FlowEndMicroseconds => 155,
            Iana::FlowStartNanoseconds => 156,
            Iana::FlowEndNanoseconds => 157,
            Iana::FlowStartDeltaMicroseconds => 158,
            Iana::FlowEndDeltaMicroseconds => 159,
            Iana::SystemInitTimeMilliseconds => 160,
            Iana::FlowDurationMilliseconds => 161,
            Iana::FlowDurationMicroseconds => 162,
            Iana::IcmpTypeIpv4 => 176,
            Iana::IcmpCodeIpv4 => 177,
            Iana::IcmpTypeIpv6 => 178,
            Iana::IcmpCodeIpv6 => 179,
            Iana::UdpSourcePort => 180,
            Iana::UdpDestinationPort => 181,
            Iana::TcpSourcePort => 182,
            Iana::TcpDestinationPort => 183,
            Iana::InitiatorOctets => 231,
            Iana::ResponderOctets => 232,
            Iana::BiflowDirection => 239,
            Iana::InitiatorPackets => 298,
            Iana::ResponderPackets => 299,
            Iana::SamplingPacketInterval => 305,
            Iana::SamplingPacketSpace => 306,
            _ => return None,
        },
        IpfixField::ReverseInformationElement(field) => {
            let number = match field {
                Reverse::ReverseOctetDeltaCount | Reverse::ReverseOctetTotalCount => 1,
                Reverse::ReversePacketDeltaCount | Reverse::ReversePacketTotalCount => 2,
                Reverse::ReverseTcpControlBits => 6,
                Reverse::ReverseFlowStartSeconds => 150,
                Reverse::ReverseFlowEndSeconds => 151,
                Reverse::ReverseFlowStartMilliseconds => 152,
                Reverse::ReverseFlowEndMilliseconds => 153,
                Reverse::ReverseFlowStartMicroseconds => 154,
                Reverse::ReverseFlowEndMicroseconds => 155,
                Reverse::ReverseFlowStartNanoseconds => 156,
                Reverse::ReverseFlowEndNanoseconds => 157,
                _ => return None,
            };
            return Some((number, Way::Backward));
        }
        // The client is the initiator, whose counters these records have under numbers of IANA.
        IpfixField::Cisco(field) => match field {
            Cisco::CiscoClientIpv4Address => 8,
            Cisco::CiscoServerIpv4Address => 12,
            Cisco::CiscoClientL4Port => 7,
            Cisco::CiscoServerL4Port => 11,
            _ => return None,
        },
        IpfixField::Yaf(field) => match field {
            Yaf::InitialTCPFlags | Yaf::UnionTCPFlags => 6,
            Yaf::ReverseInitialTCPFlags | Yaf::ReverseUnionTCPFlags => return Some((6, Way::Backward)),
            Yaf::ReverseFlowDeltaMilliseconds => BACK_DELAY,
            _ => return None,
        },
        _ => return None,
    };
    Some((number, Way::Forward))
}
