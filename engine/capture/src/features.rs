//! Features of flows: one schema whatever the sensor, so that a detector trained on one scores another.
//!
//! What a record lacks is told apart from zero: every group of columns that a format may lack comes with a flag
//! `has_…`, and is all zeros without it. Bytes are those of IP packets, since that is the one count that every
//! sensor's figures lead to. The state of a flow other than TCP is unanswered or open, nothing finer.
//!
//! Fan-out columns look back over a window of time at flows of the same source, the flow itself included: a scan
//! is many destinations or many ports in a minute. They follow the start of flows, not their order in the file.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use phalanx_core::{Direction, Feature, FlowBatch, FlowKey, Protocol, Schema, Truth, Unit};

use crate::{FlowRecord, FlowState, LabelClass};

/// What fan-out columns look back at: at most this many flows, whatever the window.
const WINDOW_FLOWS_MAX: usize = 1 << 17;

/// Ports of one purpose, each a flag column.
const PORT_CLASSES: [(&str, &[u16]); 8] = [
    ("web", &[80, 443, 8000, 8008, 8080, 8443, 8888]),
    ("dns", &[53, 5353, 5355]),
    ("mail", &[25, 110, 143, 465, 587, 993, 995]),
    ("remote_login", &[22, 23, 2222, 2323, 3389, 5900, 5901]),
    ("file_share", &[20, 21, 69, 111, 135, 137, 138, 139, 445, 2049]),
    ("database", &[1433, 1521, 3306, 5432, 6379, 9200, 27017]),
    ("directory", &[88, 389, 636, 3268]),
    ("housekeeping", &[67, 68, 123, 161, 162, 514, 1900]),
];

/// Turns flow records into rows of one schema.
///
/// ```
/// use phalanx_capture::{FlowEncoder, FlowRecord};
///
/// let mut encoder = FlowEncoder::new();
/// let batch = encoder.encode(&[FlowRecord::default()]);
/// // Nothing is known of this flow but that it exists.
/// assert!(batch.row(0).iter().all(|feature| *feature == 0.0));
/// assert_eq!(encoder.schema().width(), batch.width());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FlowEncoder {
    schema: Schema,
    window_us: i64,
    labels: Vec<String>,
}

impl Default for FlowEncoder {
    fn default() -> Self {
        Self::new()
    }
}

impl FlowEncoder {
    /// An encoder whose fan-out columns look back 60 s.
    #[must_use]
    pub fn new() -> Self {
        Self::with_window_us(60_000_000)
    }

    /// An encoder whose fan-out columns look back so many microseconds. The window is no part of the schema: use
    /// the same for training and scoring.
    #[must_use]
    pub fn with_window_us(window_us: i64) -> Self {
        Self { schema: schema(), window_us, labels: Vec::new() }
    }

    /// The columns.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Names of the attacks encoded so far; [`Truth::campaign`] holds a position in this list.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Encodes flows, one row each, in their order.
    ///
    /// Malicious flows carry the finest name of their label as their truth, all others are benign: leave out
    /// background flows beforehand where that matters. Names are numbered ascending within a call.
    #[must_use]
    pub fn encode(&mut self, flows: &[FlowRecord]) -> FlowBatch {
        self.learn_labels(flows);
        let fan_outs = fan_outs(flows, self.window_us);
        let mut batch = FlowBatch::new(self.schema.width());
        let mut features = Vec::with_capacity(self.schema.width());
        for (flow, fan_out) in flows.iter().zip(&fan_outs) {
            features.clear();
            write(flow, fan_out.as_ref(), &mut features);
            batch.push(&features, key(flow), self.truth(flow));
        }
        batch
    }

    /// Numbers the attacks of these flows, ascending, so that batches encoded one by one share their numbers.
    pub fn learn_labels(&mut self, flows: &[FlowRecord]) {
        let known = |attack: &&str| self.labels.iter().any(|label| label == attack);
        let new: BTreeSet<&str> = flows.iter().filter_map(attack).filter(|attack| !known(attack)).collect();
        // Truth has 16 bits; a file with more names than that has no classes.
        let room = usize::from(u16::MAX) - 1 - self.labels.len();
        let new: Vec<String> = new.into_iter().take(room).map(str::to_owned).collect();
        self.labels.extend(new);
    }

    fn truth(&self, flow: &FlowRecord) -> Truth {
        let Some(attack) = attack(flow) else { return Truth::BENIGN };
        let known = self.labels.iter().position(|label| label == attack);
        Truth::campaign(known.unwrap_or(self.labels.len() - 1) as u16)
    }
}

/// What an indicator can name of a flow, seen from the sensor's own side.
fn key(flow: &FlowRecord) -> FlowKey {
    let (_, remote) = flow.own_and_remote();
    let direction = match remote {
        None => Direction::Unknown,
        Some(remote) if flow.source == Some(remote) => Direction::Inbound,
        Some(_) => Direction::Outbound,
    };
    FlowKey { remote, port: flow.destination_port, protocol: flow.protocol, direction }
}

fn attack(flow: &FlowRecord) -> Option<&str> {
    let label = flow.label.as_ref().filter(|label| label.class == LabelClass::Malicious)?;
    Some(label.finest())
}

fn schema() -> Schema {
    let flag = |name: &str| Feature::raw(name, Unit::Flag);
    let mut features = vec![
        flag("has_duration"),
        Feature::log1p("duration", Unit::Seconds),
        flag("has_packets"),
        Feature::log1p("sent_packets", Unit::Count),
        Feature::log1p("received_packets", Unit::Count),
        flag("has_bytes"),
        Feature::log1p("sent_bytes", Unit::Bytes),
        Feature::log1p("received_bytes", Unit::Bytes),
        Feature::log1p("sent_bytes_per_packet", Unit::Bytes),
        Feature::log1p("received_bytes_per_packet", Unit::Bytes),
        Feature::raw("sent_share", Unit::Share),
        flag("has_rates"),
        Feature::log1p("bytes_per_second", Unit::PerSecond),
        Feature::log1p("packets_per_second", Unit::PerSecond),
        flag("has_protocol"),
        flag("protocol_tcp"),
        flag("protocol_udp"),
        flag("protocol_icmp"),
        flag("has_port"),
        flag("port_system"),
        flag("port_registered"),
        flag("port_dynamic"),
    ];
    features.extend(PORT_CLASSES.iter().map(|(name, _)| flag(&format!("port_{name}"))));
    features.push(flag("has_source_port"));
    features.push(flag("source_port_system"));
    features.push(flag("has_state"));
    features.extend(FlowState::ALL.iter().map(|state| flag(&format!("state_{}", state.name()))));
    features.push(flag("has_fan_out"));
    for name in ["source_flows", "source_destinations", "source_ports", "source_unanswered", "pair_flows"] {
        features.push(Feature::log1p(name, Unit::Count));
    }
    Schema::new(features)
}

/// Appends the features of one flow in the order of [`schema`].
fn write(flow: &FlowRecord, fan_out: Option<&FanOut>, features: &mut Vec<f32>) {
    let flag = |is: bool| f32::from(u8::from(is));
    let duration_us = flow.lasted_us();
    features.extend([flag(duration_us.is_some()), log1p(duration_us.map_or(0.0, |us| us as f64 / 1e6))]);

    let packets = flow.sent.packets.zip(flow.received.packets);
    let (sent_packets, received_packets) = packets.unwrap_or((0, 0));
    features.extend([flag(packets.is_some()), log1p(sent_packets as f64), log1p(received_packets as f64)]);

    let bytes = flow.sent.ip_bytes.zip(flow.received.ip_bytes);
    let (sent, received) = bytes.unwrap_or((0, 0));
    let mean = |bytes: u64, packets: u64| if packets == 0 { 0.0 } else { bytes as f64 / packets as f64 };
    let total_bytes = sent as f64 + received as f64;
    features.extend([
        flag(bytes.is_some()),
        log1p(sent as f64),
        log1p(received as f64),
        log1p(mean(sent, sent_packets)),
        log1p(mean(received, received_packets)),
        if total_bytes > 0.0 { (sent as f64 / total_bytes) as f32 } else { 0.0 },
    ]);

    // A rate needs a time: what lasted less than a millisecond is spread over one, or clocks would be measured.
    let rates = duration_us.filter(|_| packets.is_some() && bytes.is_some());
    let seconds = rates.map_or(1.0, |us| us.max(1000) as f64 / 1e6);
    let rate = |amount: f64| if rates.is_some() { log1p(amount / seconds) } else { 0.0 };
    features.extend([
        flag(rates.is_some()),
        rate(total_bytes),
        rate(sent_packets as f64 + received_packets as f64),
    ]);

    let is = |protocol| flag(flow.protocol == Some(protocol));
    let icmp = flag(matches!(flow.protocol, Some(Protocol(1 | 58))));
    features.extend([flag(flow.protocol.is_some()), is(Protocol::TCP), is(Protocol::UDP), icmp]);

    let port = flow.destination_port;
    let within = |range: std::ops::RangeInclusive<u16>| flag(port.is_some_and(|port| range.contains(&port)));
    features.extend([flag(port.is_some()), within(0..=1023), within(1024..=49_151), within(49_152..=65_535)]);
    let classes = PORT_CLASSES.iter().map(|(_, ports)| flag(port.is_some_and(|port| ports.contains(&port))));
    features.extend(classes);

    let source_port = flow.source_port;
    features.extend([flag(source_port.is_some()), flag(source_port.is_some_and(|port| port < 1024))]);

    features.push(flag(flow.state.is_some()));
    features.extend(FlowState::ALL.iter().map(|state| flag(flow.state == Some(*state))));

    features.push(flag(fan_out.is_some()));
    let FanOut { flows, destinations, ports, unanswered, pair } = fan_out.copied().unwrap_or_default();
    features.extend([flows, destinations, ports, unanswered, pair].map(|count| log1p(f64::from(count))));
}

fn log1p(x: f64) -> f32 {
    if x == 0.0 { 0.0 } else { libm::log1p(x) as f32 }
}

/// Counts over the window that ends with a flow's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct FanOut {
    flows: u32,
    destinations: u32,
    ports: u32,
    unanswered: u32,
    pair: u32,
}

/// One flow in the window.
#[derive(Clone, Copy)]
struct Event {
    start_us: i64,
    source: u32,
    destination: u32,
    port: Option<u16>,
    unanswered: bool,
}

/// What is known of a source within the window.
#[derive(Default)]
struct Source {
    flows: u32,
    unanswered: u32,
    destinations: BTreeMap<u32, u32>,
    ports: BTreeMap<u16, u32>,
}

/// The counts of every flow, `None` for those without a start or IPv4 addresses.
fn fan_outs(flows: &[FlowRecord], window_us: i64) -> Vec<Option<FanOut>> {
    let event = |flow: &FlowRecord| {
        Some(Event {
            start_us: flow.start_us?,
            source: flow.source?,
            destination: flow.destination?,
            port: flow.destination_port,
            unanswered: flow.state == Some(FlowState::Unanswered),
        })
    };
    let events = flows.iter().enumerate().filter_map(|(index, flow)| Some((event(flow)?, index)));
    let mut order: Vec<(Event, usize)> = events.collect();
    order.sort_by_key(|(event, index)| (event.start_us, *index));
    let mut counts = vec![None; flows.len()];
    let mut window: VecDeque<Event> = VecDeque::new();
    let mut sources: BTreeMap<u32, Source> = BTreeMap::new();
    for (event, index) in order {
        while let Some(oldest) = window.front().copied()
            && (event.start_us.saturating_sub(oldest.start_us) > window_us
                || window.len() == WINDOW_FLOWS_MAX)
        {
            window.pop_front();
            leave(&mut sources, &oldest);
        }
        window.push_back(event);
        counts[index] = Some(enter(&mut sources, &event));
    }
    counts
}

fn enter(sources: &mut BTreeMap<u32, Source>, event: &Event) -> FanOut {
    let source = sources.entry(event.source).or_default();
    source.flows += 1;
    source.unanswered += u32::from(event.unanswered);
    let pair = source.destinations.entry(event.destination).or_default();
    *pair += 1;
    let pair = *pair;
    if let Some(port) = event.port {
        *source.ports.entry(port).or_default() += 1;
    }
    FanOut {
        flows: source.flows,
        destinations: source.destinations.len() as u32,
        ports: source.ports.len() as u32,
        unanswered: source.unanswered,
        pair,
    }
}

fn leave(sources: &mut BTreeMap<u32, Source>, event: &Event) {
    let source = sources.get_mut(&event.source).expect("what leaves the window has entered it");
    source.flows -= 1;
    source.unanswered -= u32::from(event.unanswered);
    take(&mut source.destinations, event.destination);
    if let Some(port) = event.port {
        take(&mut source.ports, port);
    }
    if source.flows == 0 {
        sources.remove(&event.source);
    }
}

fn take<K: Ord>(counts: &mut BTreeMap<K, u32>, key: K) {
    if let std::collections::btree_map::Entry::Occupied(mut entry) = counts.entry(key) {
        *entry.get_mut() -= 1;
        if *entry.get() == 0 {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn flow(second: i64, source: u32, destination: u32, port: u16, unanswered: bool) -> FlowRecord {
        FlowRecord {
            start_us: Some(second * 1_000_000),
            source: Some(source),
            destination: Some(destination),
            destination_port: Some(port),
            state: Some(if unanswered { FlowState::Unanswered } else { FlowState::Open }),
            ..FlowRecord::default()
        }
    }

    proptest! {
        /// The sliding window counts what a look at all flows counts, in any order of the file.
        #[test]
        fn fan_outs_are_those_of_a_naive_count(
            rows in prop::collection::vec((0..200i64, 0..3u32, 0..4u32, 0..4u16, any::<bool>()), 1..60),
        ) {
            let flows: Vec<FlowRecord> = rows.iter().map(|(t, s, d, p, u)| flow(*t, *s, *d, *p, *u)).collect();
            let found = fan_outs(&flows, 60_000_000);
            for (i, row) in rows.iter().enumerate() {
                let seen: Vec<_> = rows.iter().enumerate()
                    .filter(|(j, other)| other.1 == row.1 && (other.0, *j) <= (row.0, i) && other.0 >= row.0 - 60)
                    .map(|(_, other)| other)
                    .collect();
                let distinct = |mut values: Vec<u32>| {
                    values.sort_unstable();
                    values.dedup();
                    values.len() as u32
                };
                let expected = FanOut {
                    flows: seen.len() as u32,
                    destinations: distinct(seen.iter().map(|other| other.2).collect()),
                    ports: distinct(seen.iter().map(|other| u32::from(other.3)).collect()),
                    unanswered: seen.iter().filter(|other| other.4).count() as u32,
                    pair: seen.iter().filter(|other| other.2 == row.2).count() as u32,
                };
                prop_assert_eq!(found[i], Some(expected));
            }
        }
    }

    #[test]
    fn rows_are_as_wide_as_the_schema_and_flags_tell_absence_from_zero() {
        let mut encoder = FlowEncoder::new();
        let at = |encoder: &FlowEncoder, name: &str| encoder.schema().position(name).unwrap();
        let mut known = FlowRecord { protocol: Some(Protocol::UDP), ..FlowRecord::default() };
        known.sent.packets = Some(1);
        known.received.packets = Some(0);
        let batch = encoder.encode(&[FlowRecord::default(), known]);
        for (row, has) in [(0, 0.0), (1, 1.0)] {
            for name in ["has_duration", "has_packets", "has_protocol"] {
                assert_eq!(batch.row(row)[at(&encoder, name)], has, "{name}");
            }
            for name in ["has_bytes", "has_rates", "has_port", "has_state", "has_fan_out"] {
                assert_eq!(batch.row(row)[at(&encoder, name)], 0.0, "{name}");
            }
        }
    }
}
