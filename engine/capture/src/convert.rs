//! Conversion: any capture to CSV with a header.
//!
//! Flows come with one fixed set of columns whatever the sensor; what it did not know is an empty field. Rows of CSV
//! and npz files keep their own columns, with the label last.

use std::{
    borrow::Cow,
    fmt::Write as _,
    io::{self, Write},
    net::Ipv4Addr,
    path::Path,
};

use crate::{
    CaptureError, FlowRecord, InspectOptions, Records, Rows, Tally, inspect::Opened, key::protocol_name,
};

/// Columns of converted flows: times in seconds, bytes of IP packets and of payload.
pub const FLOW_COLUMNS: [&str; 18] = [
    "start",
    "duration",
    "source",
    "source_port",
    "destination",
    "destination_port",
    "protocol",
    "service",
    "state",
    "sent_packets",
    "received_packets",
    "sent_bytes",
    "received_bytes",
    "sent_payload",
    "received_payload",
    "label",
    "detail",
    "alert",
];

/// Why a file was not converted.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The file that was to be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The file that was to be written.
    #[error("the converted rows cannot be written ({0}); check the place and its free space")]
    Write(#[from] io::Error),
}

/// Writes a capture as CSV, in bounded memory but for npz, and for CSV from a pipe whose map clips numbers.
///
/// # Errors
/// Whatever stops a reader of that file, or the writer.
pub fn convert(path: &Path, options: &InspectOptions, writer: impl Write) -> Result<Tally, ConvertError> {
    match Opened::new(path, options)? {
        Opened::Flows(mut reader) => {
            write_flows(&mut *reader, writer)?;
            Ok(reader.tally().clone())
        }
        Opened::Rows(mut rows) => {
            write_rows(&mut rows, writer)?;
            Ok(rows.tally().clone())
        }
    }
}

/// Writes flow records as CSV.
///
/// # Errors
/// The first error of the iterator or of the writer.
pub fn write_flows(
    flows: impl IntoIterator<Item = Result<FlowRecord, CaptureError>>,
    mut writer: impl Write,
) -> Result<(), ConvertError> {
    writeln!(writer, "{}", FLOW_COLUMNS.join(","))?;
    for flow in flows {
        let flow = flow?;
        let time = |us: Option<i64>| us.map(seconds);
        let address = |address: Option<u32>| address.map(|address| Ipv4Addr::from(address).to_string());
        let number = |count: Option<u64>| count.map(|count| count.to_string());
        let port = |port: Option<u16>| port.map(|port| port.to_string());
        let duration = flow.duration_us.and_then(|us| i64::try_from(us).ok());
        let fields = [
            time(flow.start_us),
            time(duration),
            address(flow.source),
            port(flow.source_port),
            address(flow.destination),
            port(flow.destination_port),
            flow.protocol.map(|protocol| protocol_name(protocol).into_owned()),
            flow.service.as_deref().map(|name| quoted(name).into_owned()),
            flow.state.map(|state| state.name().to_owned()),
            number(flow.sent.packets),
            number(flow.received.packets),
            number(flow.sent.ip_bytes),
            number(flow.received.ip_bytes),
            number(flow.sent.payload_bytes),
            number(flow.received.payload_bytes),
            flow.label.as_ref().map(|label| quoted(&label.name).into_owned()),
            flow.label.as_ref().and_then(|label| Some(quoted(label.detail.as_deref()?).into_owned())),
            flow.alert.as_ref().map(|alert| quoted(&alert.signature).into_owned()),
        ];
        let fields = fields.map(Option::unwrap_or_default);
        writeln!(writer, "{}", fields.join(","))?;
    }
    writer.flush()?;
    Ok(())
}

fn write_rows(rows: &mut Rows<'_>, mut writer: impl Write) -> Result<(), ConvertError> {
    let mut header_due = true;
    let mut line = String::new();
    while let Some(records) = rows.next_rows()? {
        if std::mem::take(&mut header_due) {
            write_header(records, &mut writer)?;
        }
        for row in 0..records.rows() {
            line.clear();
            for number in records.numbers(row) {
                write!(line, "{number},").expect("a string grows");
            }
            let codes = records.codes(row).iter().enumerate();
            let names = codes.map(|(column, code)| records.categories(column)[usize::from(*code)].as_str());
            for name in names.chain(records.label(row)) {
                line.push_str(&quoted(name));
                line.push(',');
            }
            line.pop();
            line.push('\n');
            writer.write_all(line.as_bytes())?;
        }
    }
    Ok(writer.flush()?)
}

fn write_header(records: &Records, writer: &mut impl Write) -> io::Result<()> {
    let numeric = records.numeric().iter().map(|feature| feature.name.as_str());
    let names = numeric.chain(records.categorical().iter().map(String::as_str));
    let labelled = !records.label_codes.is_empty();
    let names: Vec<Cow<'_, str>> = names.chain(labelled.then_some("label")).map(quoted).collect();
    writeln!(writer, "{}", names.join(","))
}

/// Seconds with six decimals, exactly.
fn seconds(us: i64) -> String {
    let (sign, us) = (if us < 0 { "-" } else { "" }, us.unsigned_abs());
    format!("{sign}{}.{:06}", us / 1_000_000, us % 1_000_000)
}

/// A field as CSV has it. Line ends become spaces, since a row is a line for every reader of this crate.
fn quoted(field: &str) -> Cow<'_, str> {
    if !field.contains([',', '"', '\n', '\r']) && field.trim() == field {
        return field.into();
    }
    format!("\"{}\"", field.replace(['\n', '\r'], " ").replace('"', "\"\"")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        assert_eq!(seconds(-1_500_000), "-1.500000");
        assert_eq!(seconds(12), "0.000012");
        assert_eq!(quoted("a \"b\", c"), "\"a \"\"b\"\", c\"");
        assert_eq!(quoted("plain name"), "plain name");
    }
}
