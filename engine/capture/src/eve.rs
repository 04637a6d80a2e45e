//! Suricata EVE: JSON lines of events, of which `flow` and `alert` describe flows.
//!
//! An alert says that a rule has hit, with the counters of its flow up to then; most such flows turn up as a `flow`
//! event later, so alerts are left out unless asked for. Suricata counts bytes of frames: 14 bytes of Ethernet
//! header a packet are taken off (the padding of short frames stays, so a lone SYN has 46 bytes instead of 40).

use phalanx_core::Protocol;
use serde::{Deserialize, Serialize};

use crate::{
    Alert, CaptureError, FlowRecord, FlowState, LineProblem, Tally, Volume,
    flow::{Interner, TcpFlags},
    key::{has_ports, protocol_named},
    line::Lines,
    time,
    zeek::{Address, Text},
};

/// Length of an Ethernet header.
pub(crate) const FRAME_HEADER_BYTES: u64 = 14;

/// Which events of an EVE file are read as flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EveEvents {
    /// `flow`.
    #[default]
    Flows,
    /// `alert`, as flows with [`FlowRecord::alert`].
    Alerts,
    /// Both, in the order of the file. A flow with an alert comes twice.
    Both,
}

/// An EVE file, read event by event.
pub(crate) struct Eve<'a> {
    lines: Lines<'a>,
    names: Interner,
    events: EveEvents,
}

impl<'a> Eve<'a> {
    pub(crate) fn new(lines: Lines<'a>, events: EveEvents) -> Self {
        Self { lines, names: Interner::default(), events }
    }

    pub(crate) fn next(&mut self, tally: &mut Tally) -> Result<Option<FlowRecord>, CaptureError> {
        loop {
            let Some(line) = self.lines.next()? else { return Ok(None) };
            if line.is_empty() {
                continue;
            }
            let problem = match serde_json::from_slice::<Event<'_>>(line) {
                Ok(event) => {
                    let wanted = match &*event.event_type.0 {
                        "flow" => self.events != EveEvents::Alerts,
                        "alert" => self.events != EveEvents::Flows,
                        _ => false,
                    };
                    if !wanted {
                        tally.leave_out(&event.event_type.0);
                        continue;
                    }
                    match event.record(&mut self.names) {
                        Ok(record) => return Ok(Some(record)),
                        Err(field) => LineProblem::Json(format!("no usable field `{field}`")),
                    }
                }
                Err(error) => LineProblem::Json(error.to_string()),
            };
            return Err(self.lines.fail(problem));
        }
    }
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    event_type: Text<'a>,
    #[serde(borrow)]
    timestamp: Option<Text<'a>>,
    src_ip: Option<Address>,
    src_port: Option<u16>,
    dest_ip: Option<Address>,
    dest_port: Option<u16>,
    #[serde(borrow)]
    proto: Option<Text<'a>>,
    #[serde(borrow)]
    app_proto: Option<Text<'a>>,
    #[serde(borrow)]
    flow: Option<Counters<'a>>,
    #[serde(borrow)]
    tcp: Option<Tcp<'a>>,
    #[serde(borrow)]
    alert: Option<Rule<'a>>,
}

#[derive(Deserialize)]
struct Counters<'a> {
    pkts_toserver: Option<u64>,
    pkts_toclient: Option<u64>,
    bytes_toserver: Option<u64>,
    bytes_toclient: Option<u64>,
    #[serde(borrow)]
    start: Option<Text<'a>>,
    #[serde(borrow)]
    end: Option<Text<'a>>,
    #[serde(borrow)]
    state: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Tcp<'a> {
    #[serde(borrow)]
    tcp_flags_ts: Option<Text<'a>>,
    #[serde(borrow)]
    tcp_flags_tc: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Rule<'a> {
    signature_id: Option<u64>,
    severity: Option<u8>,
    #[serde(borrow)]
    signature: Option<Text<'a>>,
}

impl Event<'_> {
    /// The event as a flow, or the field that it lacks or that makes no sense.
    fn record(&self, names: &mut Interner) -> Result<FlowRecord, &'static str> {
        let counters = self.flow.as_ref().ok_or("flow")?;
        let source = self.src_ip.as_ref().ok_or("src_ip")?;
        let destination = self.dest_ip.as_ref().ok_or("dest_ip")?;
        let start = counters.start.as_ref().or(self.timestamp.as_ref()).ok_or("timestamp")?;
        let start_us = time::stamp(start.0.as_bytes()).ok_or("flow.start")?;
        let end_us = match &counters.end {
            Some(end) => Some(time::stamp(end.0.as_bytes()).ok_or("flow.end")?),
            None => None,
        };
        let protocol = self.proto.as_ref().and_then(|proto| protocol_named(proto.0.as_bytes()));
        let ports = |port: Option<u16>| port.filter(|_| has_ports(protocol));
        let alert = self.alert.as_ref().map(|rule| Alert {
            signature_id: rule.signature_id.unwrap_or(0),
            severity: rule.severity.unwrap_or(0),
            signature: names.name(rule.signature.as_ref().map_or("", |text| &text.0)),
        });
        let service = self.app_proto.as_ref().filter(|name| !matches!(&*name.0, "failed" | "unknown"));
        let volume = |packets: Option<u64>, bytes: Option<u64>| Volume {
            packets,
            ip_bytes: bytes.zip(packets).map(|(bytes, packets)| without_frames(bytes, packets)),
            payload_bytes: None,
        };
        Ok(FlowRecord {
            start_us: Some(start_us),
            duration_us: end_us.map(|end| u64::try_from(end.saturating_sub(start_us)).unwrap_or(0)),
            source: source.0,
            destination: destination.0,
            ipv6: source.1 || destination.1,
            source_port: ports(self.src_port),
            destination_port: ports(self.dest_port),
            protocol,
            sent: volume(counters.pkts_toserver, counters.bytes_toserver),
            received: volume(counters.pkts_toclient, counters.bytes_toclient),
            state: self.state(protocol, counters.pkts_toclient),
            state_name: counters.state.as_ref().map(|state| names.name(&state.0)),
            service: service.map(|service| names.name(&service.0)),
            alert,
            ..FlowRecord::default()
        })
    }

    fn state(&self, protocol: Option<Protocol>, received: Option<u64>) -> Option<FlowState> {
        if protocol != Some(Protocol::TCP) {
            return FlowState::of_packets(received);
        }
        let tcp = self.tcp.as_ref()?;
        let flags = |text: &Option<Text<'_>>| u8::from_str_radix(&text.as_ref()?.0, 16).ok().map(TcpFlags);
        Some(FlowState::of_tcp(flags(&tcp.tcp_flags_ts)?, flags(&tcp.tcp_flags_tc)?))
    }
}

/// IP bytes of so many bytes of frames.
pub(crate) fn without_frames(frame_bytes: u64, packets: u64) -> u64 {
    frame_bytes.saturating_sub(packets.saturating_mul(FRAME_HEADER_BYTES))
}
