//! Captures as Parquet, by the low-level writer: the columns of the CSV form, row groups of 100,000 rows.
//!
//! All columns are optional, since what a sensor did not know is null. Starts are timestamps in microseconds, so that
//! `duckdb -c "select protocol, count(*) from 'flows.parquet' group by 1"` and the like need no conversion.

use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::sync::Arc;

use parquet::basic::{ConvertedType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;
use phalanx_capture::{
    CaptureError, ConvertError, FLOW_COLUMNS, FlowRecord, InspectOptions, Opened, Records, Rows, Tally,
    protocol_name,
};

const ROWS_PER_GROUP: usize = 100_000;

/// Writes a capture as Parquet, in memory bounded by a row group, with the exceptions of [`phalanx_capture::convert`].
pub(super) fn convert(
    path: &std::path::Path,
    options: &InspectOptions,
    writer: impl Write + Send,
) -> Result<Tally, ConvertError> {
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

/// A column on the way: its values, and for every row whether there is one.
#[derive(Debug)]
struct Column<T> {
    values: Vec<T>,
    known: Vec<i16>,
}

impl<T> Column<T> {
    fn push(&mut self, value: Option<T>) {
        self.known.push(i16::from(value.is_some()));
        self.values.extend(value);
    }

    fn clear(&mut self) {
        self.values.clear();
        self.known.clear();
    }

    fn write<D: DataType<T = T>, W: Write + Send>(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<(), ParquetError> {
        let mut column = group.next_column()?.expect("a column for every field of the schema");
        column.typed::<D>().write_batch(&self.values, Some(&self.known), None)?;
        self.clear();
        column.close()
    }
}

/// Columns of any kind.
#[derive(Debug)]
enum Cells {
    Time(Column<i64>),
    Count(Column<i64>),
    Seconds(Column<f64>),
    Number(Column<f32>),
    Text(Column<ByteArray>),
}

fn column<T>() -> Column<T> {
    Column { values: Vec::new(), known: Vec::new() }
}

impl Cells {
    fn field(&self, name: &str) -> Result<Arc<Type>, ParquetError> {
        let (physical, converted) = match self {
            Self::Time(_) => (Physical::INT64, ConvertedType::TIMESTAMP_MICROS),
            Self::Count(_) => (Physical::INT64, ConvertedType::NONE),
            Self::Seconds(_) => (Physical::DOUBLE, ConvertedType::NONE),
            Self::Number(_) => (Physical::FLOAT, ConvertedType::NONE),
            Self::Text(_) => (Physical::BYTE_ARRAY, ConvertedType::UTF8),
        };
        let builder = Type::primitive_type_builder(name, physical).with_converted_type(converted);
        builder.with_repetition(Repetition::OPTIONAL).build().map(Arc::new)
    }

    fn count(&mut self, value: Option<u64>) {
        let Self::Count(column) = self else { unreachable!("the schema says which columns are counts") };
        column.push(value.and_then(|value| i64::try_from(value).ok()));
    }

    fn text(&mut self, value: Option<&str>) {
        let Self::Text(column) = self else { unreachable!("the schema says which columns are texts") };
        column.push(value.map(ByteArray::from));
    }

    fn write<W: Write + Send>(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<(), ParquetError> {
        match self {
            Self::Time(column) | Self::Count(column) => column.write::<Int64Type, W>(group),
            Self::Seconds(column) => column.write::<DoubleType, W>(group),
            Self::Number(column) => column.write::<FloatType, W>(group),
            Self::Text(column) => column.write::<ByteArrayType, W>(group),
        }
    }
}

/// A file on the way.
struct Table<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    columns: Vec<Cells>,
    rows: usize,
}

impl<W: Write + Send> Table<W> {
    fn begin<'n>(
        names: impl Iterator<Item = &'n str>,
        columns: Vec<Cells>,
        writer: W,
    ) -> Result<Self, ConvertError> {
        let fields = names.zip(&columns).map(|(name, column)| column.field(name)).collect::<Result<_, _>>();
        let schema =
            fields.and_then(|fields| Type::group_type_builder("capture").with_fields(fields).build());
        // A library's version would change the bytes.
        let properties = WriterProperties::builder().set_created_by("phalanx".to_owned()).build();
        let writer = schema
            .and_then(|schema| SerializedFileWriter::new(writer, Arc::new(schema), Arc::new(properties)));
        Ok(Self { writer: writer.map_err(failed)?, columns, rows: 0 })
    }

    /// Ends a row, whose cells were pushed.
    fn row(&mut self) -> Result<(), ConvertError> {
        self.rows += 1;
        if self.rows == ROWS_PER_GROUP { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), ConvertError> {
        self.rows = 0;
        let group = self.writer.next_row_group().and_then(|mut group| {
            self.columns.iter_mut().try_for_each(|column| column.write(&mut group))?;
            group.close().map(|_| ())
        });
        group.map_err(failed)
    }

    fn finish(mut self) -> Result<(), ConvertError> {
        if self.rows > 0 {
            self.flush()?;
        }
        let mut inner = self.writer.into_inner().map_err(failed)?;
        Ok(inner.flush()?)
    }
}

/// An error of the writer below keeps its kind.
fn failed(error: ParquetError) -> ConvertError {
    ConvertError::Write(match error {
        ParquetError::External(source) => {
            source.downcast::<io::Error>().map_or_else(io::Error::other, |error| *error)
        }
        other => io::Error::other(other),
    })
}

fn write_flows(
    flows: impl Iterator<Item = Result<FlowRecord, CaptureError>>,
    writer: impl Write + Send,
) -> Result<(), ConvertError> {
    let cells = |name: &&str| match *name {
        "start" => Cells::Time(column()),
        "duration" => Cells::Seconds(column()),
        "source" | "destination" | "protocol" | "service" | "state" | "label" | "detail" | "alert" => {
            Cells::Text(column())
        }
        _ => Cells::Count(column()),
    };
    let columns = FLOW_COLUMNS.iter().map(cells).collect();
    let mut table = Table::begin(FLOW_COLUMNS.into_iter(), columns, writer)?;
    for flow in flows {
        let flow = flow?;
        let [
            Cells::Time(start),
            Cells::Seconds(duration),
            source,
            source_port,
            destination,
            destination_port,
            protocol,
            service,
            state,
            sent_packets,
            received_packets,
            sent_bytes,
            received_bytes,
            sent_payload,
            received_payload,
            label,
            detail,
            alert,
        ] = table.columns.as_mut_slice()
        else {
            unreachable!("these are the columns that were just made")
        };
        let address = |address: Option<u32>| address.map(|address| Ipv4Addr::from(address).to_string());
        start.push(flow.start_us);
        duration.push(flow.duration_us.map(|us| us as f64 / 1e6));
        source.text(address(flow.source).as_deref());
        source_port.count(flow.source_port.map(u64::from));
        destination.text(address(flow.destination).as_deref());
        destination_port.count(flow.destination_port.map(u64::from));
        protocol.text(flow.protocol.map(protocol_name).as_deref());
        service.text(flow.service.as_deref());
        state.text(flow.state.map(phalanx_capture::FlowState::name));
        sent_packets.count(flow.sent.packets);
        received_packets.count(flow.received.packets);
        sent_bytes.count(flow.sent.ip_bytes);
        received_bytes.count(flow.received.ip_bytes);
        sent_payload.count(flow.sent.payload_bytes);
        received_payload.count(flow.received.payload_bytes);
        label.text(flow.label.as_ref().map(|label| &*label.name));
        detail.text(flow.label.as_ref().and_then(|label| label.detail.as_deref()));
        alert.text(flow.alert.as_ref().map(|alert| &*alert.signature));
        table.row()?;
    }
    table.finish()
}

fn write_rows(rows: &mut Rows<'_>, writer: impl Write + Send) -> Result<(), ConvertError> {
    let mut writer = Some(writer);
    let mut table = None;
    while let Some(records) = rows.next_rows()? {
        if let Some(writer) = writer.take() {
            table = Some(begin_rows(records, writer)?);
        }
        let table = table.as_mut().expect("a table begins with the first rows");
        for row in 0..records.rows() {
            let (numbers, texts) = table.columns.split_at_mut(records.numeric().len());
            for (cells, number) in numbers.iter_mut().zip(records.numbers(row)) {
                let Cells::Number(column) = cells else { unreachable!("the first columns are numbers") };
                column.push(Some(*number));
            }
            let categories = records.codes(row).iter().enumerate();
            let categories =
                categories.map(|(column, code)| records.categories(column)[usize::from(*code)].as_str());
            for (cells, text) in texts.iter_mut().zip(categories.chain(records.label(row))) {
                cells.text(Some(text));
            }
            table.row()?;
        }
    }
    table.map_or(Ok(()), Table::finish)
}

fn begin_rows<W: Write + Send>(records: &Records, writer: W) -> Result<Table<W>, ConvertError> {
    let (numeric, categorical) = (records.numeric(), records.categorical());
    let labelled = records.label(0).is_some();
    let names = numeric.iter().map(|feature| feature.name.as_str());
    let names = names.chain(categorical.iter().map(String::as_str)).chain(labelled.then_some("label"));
    let numbers = numeric.iter().map(|_| Cells::Number(column()));
    let texts = (0..categorical.len() + usize::from(labelled)).map(|_| Cells::Text(column()));
    Table::begin(names, numbers.chain(texts).collect(), writer)
}
