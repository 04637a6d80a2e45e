//! Zeek connection logs: the tab-separated form with its `#` header, and JSON lines.
//!
//! The header may name columns in any order and more of them than are read; `label` and `detailedlabel`, which
//! Zeek itself does not write, are those of labelled data sets. A header in the middle of a file (logs joined
//! end to end) takes effect from there on.

use std::borrow::Cow;

use phalanx_core::Protocol;
use serde::{Deserialize, Deserializer, de};

use crate::{
    CaptureError, CellProblem, FlowRecord, FlowState, Label, LabelClass, LineProblem, Name, Tally,
    error::shown,
    flow::Interner,
    key::{address, count, has_ports, port, protocol_named},
    line::Lines,
    time,
};

/// A connection log, read record by record.
pub(crate) struct Zeek<'a> {
    lines: Lines<'a>,
    names: Interner,
    any_log: bool,
    json: bool,
    header: Header,
}

impl<'a> Zeek<'a> {
    /// `any_log` also takes logs other than conn, whose records are events of connections rather than flows.
    pub(crate) fn new(lines: Lines<'a>, json: bool, any_log: bool) -> Self {
        Self { lines, names: Interner::default(), any_log, json, header: Header::default() }
    }

    pub(crate) fn next(&mut self, tally: &mut Tally) -> Result<Option<FlowRecord>, CaptureError> {
        if self.json { self.next_json(tally) } else { self.next_row() }
    }

    fn next_row(&mut self) -> Result<Option<FlowRecord>, CaptureError> {
        loop {
            let Some(line) = self.lines.next()? else { return Ok(None) };
            if line.is_empty() {
                continue;
            }
            let result = if line[0] == b'#' {
                match self.header.read(line, self.any_log) {
                    Ok(()) => continue,
                    Err(problem) => Err(problem),
                }
            } else if self.header.columns.is_empty() {
                Err(LineProblem::NoHeader)
            } else {
                match row(line, &self.header, &mut self.names) {
                    Ok(record) => return Ok(Some(record)),
                    Err(RowProblem::Line(problem)) => Err(problem),
                    Err(RowProblem::Cell(column, problem)) => {
                        return Err(CaptureError::Cell {
                            file: self.lines.file().to_owned(),
                            line: self.lines.number(),
                            column: column.name().to_owned(),
                            problem,
                        });
                    }
                }
            };
            return result.map_err(|problem| self.lines.fail(problem));
        }
    }

    fn next_json(&mut self, tally: &mut Tally) -> Result<Option<FlowRecord>, CaptureError> {
        loop {
            let Some(line) = self.lines.next()? else { return Ok(None) };
            if line.is_empty() {
                continue;
            }
            match serde_json::from_slice::<Conn<'_>>(line) {
                Ok(conn) => {
                    if let Some(path) = &conn.path
                        && path.0 != "conn"
                        && !self.any_log
                    {
                        tally.leave_out(&path.0);
                        continue;
                    }
                    return Ok(Some(conn.record(&mut self.names)));
                }
                Err(error) => {
                    let problem = LineProblem::Json(error.to_string());
                    return Err(self.lines.fail(problem));
                }
            }
        }
    }
}

/// The columns that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Ts,
    Source,
    SourcePort,
    Destination,
    DestinationPort,
    Protocol,
    Service,
    Duration,
    SentPayload,
    ReceivedPayload,
    State,
    SourceLocal,
    DestinationLocal,
    SentPackets,
    SentIp,
    ReceivedPackets,
    ReceivedIp,
    Label,
    Detail,
    Unread,
}

const COLUMNS: [(&str, Column); 19] = [
    ("ts", Column::Ts),
    ("id.orig_h", Column::Source),
    ("id.orig_p", Column::SourcePort),
    ("id.resp_h", Column::Destination),
    ("id.resp_p", Column::DestinationPort),
    ("proto", Column::Protocol),
    ("service", Column::Service),
    ("duration", Column::Duration),
    ("orig_bytes", Column::SentPayload),
    ("resp_bytes", Column::ReceivedPayload),
    ("conn_state", Column::State),
    ("local_orig", Column::SourceLocal),
    ("local_resp", Column::DestinationLocal),
    ("orig_pkts", Column::SentPackets),
    ("orig_ip_bytes", Column::SentIp),
    ("resp_pkts", Column::ReceivedPackets),
    ("resp_ip_bytes", Column::ReceivedIp),
    ("label", Column::Label),
    ("detailedlabel", Column::Detail),
];

impl Column {
    fn of(name: &[u8]) -> Self {
        COLUMNS.iter().find(|(known, _)| known.as_bytes() == name).map_or(Self::Unread, |(_, column)| *column)
    }

    fn name(self) -> &'static str {
        COLUMNS.iter().find(|(_, column)| *column == self).map_or("", |(name, _)| name)
    }
}

/// What the `#` lines have said so far.
struct Header {
    separator: u8,
    empty: Vec<u8>,
    unset: Vec<u8>,
    columns: Vec<Column>,
}

impl Default for Header {
    fn default() -> Self {
        Self { separator: b'\t', empty: b"(empty)".to_vec(), unset: b"-".to_vec(), columns: Vec::new() }
    }
}

impl Header {
    fn read(&mut self, line: &[u8], any_log: bool) -> Result<(), LineProblem> {
        let bad = || LineProblem::BadHeader(shown(line));
        if let Some(value) = line.strip_prefix(b"#separator") {
            self.separator = match value.trim_ascii() {
                [b'\\', b'x', hex @ ..] => std::str::from_utf8(hex)
                    .ok()
                    .filter(|hex| hex.len() == 2)
                    .and_then(|hex| u8::from_str_radix(hex, 16).ok())
                    .ok_or_else(bad)?,
                // A tab that somebody has unescaped is trimmed away.
                [] => b'\t',
                [byte] => *byte,
                _ => return Err(bad()),
            };
            return Ok(());
        }
        let mut fields = line.split(|byte| *byte == self.separator);
        match fields.next().unwrap_or_default() {
            b"#empty_field" => self.empty = fields.next().ok_or_else(bad)?.to_vec(),
            b"#unset_field" => self.unset = fields.next().ok_or_else(bad)?.to_vec(),
            b"#path" => {
                let found = fields.next().ok_or_else(bad)?;
                if found != b"conn" && !any_log {
                    return Err(LineProblem::OtherLog { found: shown(found) });
                }
            }
            b"#fields" => {
                let columns: Vec<Column> = fields.map(Column::of).collect();
                for (i, column) in columns.iter().enumerate() {
                    if *column != Column::Unread && columns[..i].contains(column) {
                        return Err(LineProblem::BadHeader(format!("#fields with {} twice", column.name())));
                    }
                }
                for needed in [Column::Ts, Column::Source, Column::Destination] {
                    if !columns.contains(&needed) {
                        return Err(LineProblem::HeaderLacks { column: needed.name() });
                    }
                }
                self.columns = columns;
            }
            _ => {}
        }
        Ok(())
    }
}

enum RowProblem {
    Line(LineProblem),
    Cell(Column, CellProblem),
}

fn row(line: &[u8], header: &Header, names: &mut Interner) -> Result<FlowRecord, RowProblem> {
    let mut record = FlowRecord::default();
    let (mut label, mut detail) = (None, None);
    let mut fields = 0;
    for field in line.split(|byte| *byte == header.separator) {
        let column = header.columns.get(fields).copied().unwrap_or(Column::Unread);
        fields += 1;
        if column == Column::Unread || field == header.unset || field == header.empty {
            continue;
        }
        if let Err(problem) = cell(&mut record, column, field, names, (&mut label, &mut detail)) {
            // Where fields are missing, a value that makes no sense is their fault.
            full(line, header).map_err(RowProblem::Line)?;
            return Err(RowProblem::Cell(column, problem));
        }
    }
    if fields != header.columns.len() {
        full(line, header).map_err(RowProblem::Line)?;
    }
    finish(&mut record, label, detail);
    Ok(record)
}

/// Checks that a row has a field for every column.
fn full(line: &[u8], header: &Header) -> Result<(), LineProblem> {
    let expected = header.columns.len();
    let found = line.split(|byte| *byte == header.separator).count();
    if found == expected { Ok(()) } else { Err(LineProblem::FieldCount { expected, found }) }
}

fn cell(
    record: &mut FlowRecord,
    column: Column,
    field: &[u8],
    names: &mut Interner,
    (label, detail): (&mut Option<Name>, &mut Option<Name>),
) -> Result<(), CellProblem> {
    match column {
        Column::Ts => {
            let start = time::seconds(field).or_else(|| time::stamp(field));
            record.start_us = Some(start.ok_or_else(|| CellProblem::NotATime(shown(field)))?);
        }
        Column::Source => {
            let (source, ipv6) = address(field)?;
            record.source = source;
            record.ipv6 |= ipv6;
        }
        Column::Destination => {
            let (destination, ipv6) = address(field)?;
            record.destination = destination;
            record.ipv6 |= ipv6;
        }
        Column::SourcePort => record.source_port = port(field)?,
        Column::DestinationPort => record.destination_port = port(field)?,
        Column::Protocol => record.protocol = protocol_named(field),
        Column::Service => record.service = Some(names.lossy(field)),
        Column::Duration => {
            let duration = time::seconds(field).and_then(|us| u64::try_from(us).ok());
            record.duration_us = Some(duration.ok_or_else(|| CellProblem::NotADuration(shown(field)))?);
        }
        Column::SentPayload => record.sent.payload_bytes = Some(count(field)?),
        Column::ReceivedPayload => record.received.payload_bytes = Some(count(field)?),
        Column::SentPackets => record.sent.packets = Some(count(field)?),
        Column::ReceivedPackets => record.received.packets = Some(count(field)?),
        Column::SentIp => record.sent.ip_bytes = Some(count(field)?),
        Column::ReceivedIp => record.received.ip_bytes = Some(count(field)?),
        Column::State => record.state_name = Some(names.lossy(field)),
        Column::SourceLocal => record.source_local = Some(truth(field)?),
        Column::DestinationLocal => record.destination_local = Some(truth(field)?),
        Column::Label => *label = Some(names.lossy(field)),
        Column::Detail => *detail = Some(names.lossy(field)),
        Column::Unread => {}
    }
    Ok(())
}

fn truth(field: &[u8]) -> Result<bool, CellProblem> {
    match field {
        b"T" | b"true" => Ok(true),
        b"F" | b"false" => Ok(false),
        _ => Err(CellProblem::NotABool(shown(field))),
    }
}

/// What follows from other fields.
fn finish(record: &mut FlowRecord, label: Option<Name>, detail: Option<Name>) {
    if record.protocol.is_some() && !has_ports(record.protocol) {
        // Zeek writes the type and code of ICMP there.
        (record.source_port, record.destination_port) = (None, None);
    }
    record.state = state(record.protocol, record.state_name.as_deref(), record.received.packets);
    if label.is_some() || detail.is_some() {
        let name = label.unwrap_or_else(|| Name::from("(empty)"));
        record.label = Some(Label { class: LabelClass::of(&name), name, detail });
    }
}

fn state(protocol: Option<Protocol>, name: Option<&str>, received: Option<u64>) -> Option<FlowState> {
    if protocol != Some(Protocol::TCP) {
        return FlowState::of_packets(received);
    }
    // SH and RSTOS0: the source gave up without an answer. SHR, RSTRH: only the answer was seen.
    Some(match name? {
        "S0" | "SH" | "RSTOS0" => FlowState::Unanswered,
        "REJ" => FlowState::Rejected,
        "S1" | "S2" | "S3" => FlowState::Open,
        "SF" => FlowState::Finished,
        "RSTO" | "RSTR" => FlowState::Reset,
        _ => FlowState::Partial,
    })
}

/// A text that borrows from the line unless it has escapes.
#[derive(Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// A time stamp as Zeek's JSON has it: seconds, or a date.
struct Stamp(i64);

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Stamp;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a time: seconds since 1970, or a date and a time of day")
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Stamp, E> {
                time::seconds_f64(value)
                    .map(Stamp)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Float(value), &self))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Stamp, E> {
                self.visit_f64(value as f64)
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Stamp, E> {
                self.visit_f64(value as f64)
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Stamp, E> {
                time::stamp(value.as_bytes())
                    .map(Stamp)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Str(value), &self))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// An IP address in JSON, with whether it is IPv6.
#[derive(Default)]
pub(crate) struct Address(pub(crate) Option<u32>, pub(crate) bool);

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?;
        address(text.0.as_bytes()).map(|(v4, ipv6)| Self(v4, ipv6)).map_err(de::Error::custom)
    }
}

/// A record of the JSON form.
#[derive(Deserialize)]
struct Conn<'a> {
    #[serde(borrow, rename = "_path")]
    path: Option<Text<'a>>,
    ts: Stamp,
    #[serde(rename = "id.orig_h")]
    source: Address,
    #[serde(rename = "id.orig_p")]
    source_port: Option<u16>,
    #[serde(rename = "id.resp_h")]
    destination: Address,
    #[serde(rename = "id.resp_p")]
    destination_port: Option<u16>,
    #[serde(borrow)]
    proto: Option<Text<'a>>,
    #[serde(borrow)]
    service: Option<Text<'a>>,
    duration: Option<f64>,
    orig_bytes: Option<u64>,
    resp_bytes: Option<u64>,
    #[serde(borrow)]
    conn_state: Option<Text<'a>>,
    local_orig: Option<bool>,
    local_resp: Option<bool>,
    orig_pkts: Option<u64>,
    orig_ip_bytes: Option<u64>,
    resp_pkts: Option<u64>,
    resp_ip_bytes: Option<u64>,
    #[serde(borrow)]
    label: Option<Text<'a>>,
    #[serde(borrow)]
    detailedlabel: Option<Text<'a>>,
}

impl Conn<'_> {
    fn record(&self, names: &mut Interner) -> FlowRecord {
        let mut name = |text: &Option<Text<'_>>| text.as_ref().map(|text| names.name(&text.0));
        let mut record = FlowRecord {
            start_us: Some(self.ts.0),
            duration_us: self.duration.and_then(time::seconds_f64).and_then(|us| u64::try_from(us).ok()),
            source: self.source.0,
            destination: self.destination.0,
            ipv6: self.source.1 || self.destination.1,
            source_port: self.source_port,
            destination_port: self.destination_port,
            protocol: self.proto.as_ref().and_then(|proto| protocol_named(proto.0.as_bytes())),
            service: name(&self.service),
            state_name: name(&self.conn_state),
            source_local: self.local_orig,
            destination_local: self.local_resp,
            ..FlowRecord::default()
        };
        record.sent.packets = self.orig_pkts;
        record.sent.ip_bytes = self.orig_ip_bytes;
        record.sent.payload_bytes = self.orig_bytes;
        record.received.packets = self.resp_pkts;
        record.received.ip_bytes = self.resp_ip_bytes;
        record.received.payload_bytes = self.resp_bytes;
        let (label, detail) = (name(&self.label), name(&self.detailedlabel));
        finish(&mut record, label, detail);
        record
    }
}
