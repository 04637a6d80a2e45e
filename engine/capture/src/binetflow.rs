//! Argus flows (`.binetflow`, as of CTU-13): comma- or tab-separated with a header line.
//!
//! Argus counts bytes of frames, in total and for the source; Ethernet headers are taken off as for EVE. Rows of
//! protocols below IP (ARP, LLC, Argus' own `man`) are left out and counted.

use phalanx_core::Protocol;

use crate::{
    CaptureError, CellProblem, FlowRecord, FlowState, Label, LabelClass, LineProblem, Tally, Volume,
    error::shown,
    eve::without_frames,
    field::{Field, bytes, split},
    flow::{Interner, TcpFlags},
    key::{address, count, has_ports, port, protocol_named},
    line::Lines,
    time,
};

/// A binetflow file, read row by row.
pub(crate) struct Binetflow<'a> {
    lines: Lines<'a>,
    names: Interner,
    fields: Vec<Field>,
    header: Option<Header>,
}

const NAMES: [&str; 12] = [
    "StartTime",
    "Dur",
    "Proto",
    "SrcAddr",
    "Sport",
    "DstAddr",
    "Dport",
    "State",
    "TotPkts",
    "TotBytes",
    "SrcBytes",
    "SrcPkts",
];

/// Names of protocols below IP in Argus.
const BELOW_IP: [&[u8]; 8] = [b"man", b"arp", b"rarp", b"llc", b"ipx", b"lldp", b"stp", b"loop"];

struct Header {
    delimiter: u8,
    columns: usize,
    /// Position of each of [`NAMES`].
    at: [Option<usize>; 12],
    label: Option<usize>,
}

impl<'a> Binetflow<'a> {
    pub(crate) fn new(lines: Lines<'a>) -> Self {
        Self { lines, names: Interner::default(), fields: Vec::new(), header: None }
    }

    pub(crate) fn next(&mut self, tally: &mut Tally) -> Result<Option<FlowRecord>, CaptureError> {
        loop {
            let Some(line) = self.lines.next()? else { return Ok(None) };
            if line.is_empty() {
                continue;
            }
            let Some(header) = &self.header else {
                match Header::read(line) {
                    Ok(header) => self.header = Some(header),
                    Err(problem) => return Err(self.lines.fail(problem)),
                }
                continue;
            };
            let found = split(line, header.delimiter, &mut self.fields).and_then(|()| {
                let (expected, found) = (header.columns, self.fields.len());
                if found == expected { Ok(()) } else { Err(LineProblem::FieldCount { expected, found }) }
            });
            if let Err(problem) = found {
                return Err(self.lines.fail(problem));
            }
            match row(line, &self.fields, header, &mut self.names) {
                Ok(Row::Flow(record)) => return Ok(Some(*record)),
                Ok(Row::BelowIp(protocol)) => tally.leave_out(&protocol),
                Err((column, problem)) => {
                    return Err(CaptureError::Cell {
                        file: self.lines.file().to_owned(),
                        line: self.lines.number(),
                        column: column.to_owned(),
                        problem,
                    });
                }
            }
        }
    }
}

impl Header {
    fn read(line: &mut [u8]) -> Result<Self, LineProblem> {
        if !line.starts_with(b"StartTime") {
            return Err(LineProblem::NoHeader);
        }
        let delimiter = if line.contains(&b'\t') { b'\t' } else { b',' };
        let mut fields = Vec::new();
        split(line, delimiter, &mut fields)?;
        let position = |name: &str| fields.iter().position(|field| bytes(line, field) == name.as_bytes());
        let at = NAMES.map(position);
        for needed in [0, 2, 3, 5] {
            if at[needed].is_none() {
                return Err(LineProblem::HeaderLacks { column: NAMES[needed] });
            }
        }
        Ok(Self { delimiter, columns: fields.len(), at, label: position("Label") })
    }
}

enum Row {
    Flow(Box<FlowRecord>),
    BelowIp(String),
}

fn row(
    line: &[u8],
    fields: &[Field],
    header: &Header,
    names: &mut Interner,
) -> Result<Row, (&'static str, CellProblem)> {
    // What is absent or empty is not known.
    let field = |column: usize| {
        let field = bytes(line, &fields[header.at[column]?]);
        (!field.is_empty()).then_some(field)
    };
    let at = |column: usize| move |problem| (NAMES[column], problem);
    let number = |column: usize| field(column).map(count).transpose().map_err(at(column));
    let protocol_name = field(2).unwrap_or_default();
    if BELOW_IP.iter().any(|name| protocol_name.eq_ignore_ascii_case(name)) {
        return Ok(Row::BelowIp(String::from_utf8_lossy(protocol_name).into_owned()));
    }
    let protocol = protocol_named(protocol_name);
    let start = field(0).unwrap_or_default();
    let start_us = time::stamp(start).or_else(|| time::seconds(start));
    let start_us = start_us.ok_or_else(|| (NAMES[0], CellProblem::NotATime(shown(start))))?;
    let duration_us = match field(1) {
        Some(text) => {
            let duration = time::seconds(text).and_then(|us| u64::try_from(us).ok());
            Some(duration.ok_or_else(|| (NAMES[1], CellProblem::NotADuration(shown(text))))?)
        }
        None => None,
    };
    let (source, source_v6) = address(field(3).unwrap_or_default()).map_err(at(3))?;
    let (destination, destination_v6) = address(field(5).unwrap_or_default()).map_err(at(5))?;
    let (mut source_port, mut destination_port) = (None, None);
    if has_ports(protocol) {
        source_port = port(field(4).unwrap_or_default()).map_err(at(4))?;
        destination_port = port(field(6).unwrap_or_default()).map_err(at(6))?;
    }
    let (packets, total_bytes) = (number(8)?, number(9)?);
    let (sent_bytes, sent_packets) = (number(10)?, number(11)?);
    let volume = |packets: Option<u64>, bytes: Option<u64>| Volume {
        packets,
        ip_bytes: bytes.zip(packets).map(|(bytes, packets)| without_frames(bytes, packets)),
        payload_bytes: None,
    };
    let rest = |total: Option<u64>, sent: Option<u64>| Some(total?.saturating_sub(sent?));
    let (received_packets, received_bytes) = (rest(packets, sent_packets), rest(total_bytes, sent_bytes));
    let state_name = field(7);
    let label = header.label.map(|column| bytes(line, &fields[column])).filter(|label| !label.is_empty());
    let record = FlowRecord {
        start_us: Some(start_us),
        duration_us,
        source,
        destination,
        ipv6: source_v6 || destination_v6,
        source_port,
        destination_port,
        protocol,
        sent: volume(sent_packets, sent_bytes),
        received: volume(received_packets, received_bytes),
        state: state(protocol, state_name, received_packets),
        state_name: state_name.map(|name| names.lossy(name)),
        label: label.map(|label| {
            let name = names.lossy(label);
            Label { class: LabelClass::of(&name), name, detail: None }
        }),
        ..FlowRecord::default()
    };
    Ok(Row::Flow(Box::new(record)))
}

/// TCP states of Argus are the flags of both sides, as in `FSPA_FSA`; some writers put a word there.
fn state(protocol: Option<Protocol>, name: Option<&[u8]>, received: Option<u64>) -> Option<FlowState> {
    if protocol != Some(Protocol::TCP) {
        return FlowState::of_packets(received);
    }
    let name = name?;
    if let Some(middle) = name.iter().position(|byte| *byte == b'_') {
        return Some(FlowState::of_tcp(flags(&name[..middle])?, flags(&name[middle + 1..])?));
    }
    match name {
        b"S0" | b"REQ" | b"INT" | b"TIM" => Some(FlowState::Unanswered),
        b"REJ" => Some(FlowState::Rejected),
        b"CON" | b"ACC" | b"S1" => Some(FlowState::Open),
        b"FIN" | b"CLO" | b"SF" => Some(FlowState::Finished),
        b"RST" => Some(FlowState::Reset),
        _ => None,
    }
}

fn flags(letters: &[u8]) -> Option<TcpFlags> {
    letters.iter().try_fold(TcpFlags::default(), |flags, letter| {
        let flag = match letter {
            b'F' => TcpFlags::FIN,
            b'S' => TcpFlags::SYN,
            b'R' => TcpFlags::RST,
            b'P' => 0x08,
            b'A' => TcpFlags::ACK,
            b'U' => 0x20,
            b'E' => 0x40,
            b'C' => 0x80,
            _ => return None,
        };
        Some(TcpFlags(flags.0 | flag))
    })
}
