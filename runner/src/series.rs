//! Per-tick series: a row a tick in `series/part-*.parquet`, readable as soon as a part's runs have ended.
//!
//! A part holds the runs of a fixed block of numbers, sorted by run and tick, so that its bytes depend on nothing but
//! these runs. Until all of them have ended, their rows wait in `series/.spool`, which the journal points into.
//! All columns are 64-bit integers; `fingerprint` holds the first eight bytes of a tick's fingerprint, big-endian.

mod rows;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Repetition, Type as Physical};
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::Int64Type;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use phalanx_sim::TickCounts;

pub use rows::Rows;
use rows::{IN_MEMORY, unpack};

use crate::error::RunnerError;

/// Rows of a part, about.
const PART_ROWS: u32 = 1 << 17;
const FOLDER: &str = "series";
const SPOOL: &str = ".spool";

/// Names of the columns.
#[must_use]
pub fn columns() -> Vec<String> {
    let counts = counters(&TickCounts::default()).map(|(name, _)| name);
    let first = ["run_id", "tick", "fingerprint"];
    let last = ["reported", "confirmed", "rejected", "undecided"];
    first.into_iter().chain(counts).chain(last).map(str::to_owned).collect()
}

/// Taken apart by name, so that a counter that is new does not compile until it has a column.
fn counters(counts: &TickCounts) -> [(&'static str, u64); 12] {
    let TickCounts {
        flows,
        anomalous,
        flagged,
        true_positive,
        blocked,
        votes,
        messages,
        lost,
        infected,
        refits,
        plugin_faults,
        plugin_fallbacks,
    } = *counts;
    [
        ("flows", flows),
        ("anomalous", anomalous),
        ("flagged", flagged),
        ("true_positive", true_positive),
        ("blocked", blocked),
        ("votes", votes),
        ("messages", messages),
        ("lost", lost),
        ("infected", infected),
        ("refits", refits),
        ("plugin_faults", plugin_faults),
        ("plugin_fallbacks", plugin_fallbacks),
    ]
}

/// A table of 64-bit columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Names.
    pub names: Vec<String>,
    /// Values by column.
    pub values: Vec<Vec<i64>>,
}

impl Series {
    /// A column by name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&[i64]> {
        let index = self.names.iter().position(|n| n == name)?;
        Some(&self.values[index])
    }

    fn rows(&self) -> usize {
        self.values.first().map_or(0, Vec::len)
    }

    /// Appends the rows of another table of the same columns that `keep` wants.
    fn append(&mut self, other: &Self, keep: impl Fn(u32) -> bool) {
        for row in (0..other.rows()).filter(|row| keep(other.values[0][*row] as u32)) {
            for (column, values) in self.values.iter_mut().zip(&other.values) {
                column.push(values[row]);
            }
        }
    }

    /// Appends the whole rows of these bytes; how many bytes these are.
    fn append_packed(&mut self, bytes: &[u8]) -> usize {
        let width = self.names.len();
        // The last byte of a value is below 0x80.
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte < 0x80).map(|(at, _)| at + 1);
        let used = ends.skip(width - 1).step_by(width).last().unwrap_or(0);
        for (i, value) in unpack(&bytes[..used]).enumerate() {
            self.values[i % width].push(value as i64);
        }
        used
    }

    fn sort(&mut self) {
        let mut order: Vec<usize> = (0..self.rows()).collect();
        order.sort_by_key(|row| (self.values[0][*row], self.values[1][*row]));
        for column in &mut self.values {
            *column = order.iter().map(|row| column[*row]).collect();
        }
    }

    /// Reads a part.
    ///
    /// # Errors
    /// If it cannot be read or is no table of 64-bit columns.
    pub fn read(path: &Path) -> Result<Self, RunnerError> {
        let bad = |error: String| RunnerError::BadFolder { path: path.to_owned(), problem: error };
        let file = File::open(path).map_err(RunnerError::io("open", path))?;
        let reader = SerializedFileReader::new(file).map_err(|error| bad(error.to_string()))?;
        let schema = reader.metadata().file_metadata().schema_descr_ptr();
        let names: Vec<String> = schema.columns().iter().map(|c| c.name().to_owned()).collect();
        let mut values = vec![Vec::new(); names.len()];
        for group in 0..reader.num_row_groups() {
            let group = reader.get_row_group(group).map_err(|error| bad(error.to_string()))?;
            let rows = group.metadata().num_rows() as usize;
            for (index, column) in values.iter_mut().enumerate() {
                if schema.column(index).physical_type() != Physical::INT64 {
                    return Err(bad(format!("column {} holds no 64-bit integers", names[index])));
                }
                let pages = group.get_column_reader(index).map_err(|error| bad(error.to_string()))?;
                let mut pages = get_typed_column_reader::<Int64Type>(pages);
                let mut read = 0;
                while read < rows {
                    let (records, ..) = pages
                        .read_records(rows - read, None, None, column)
                        .map_err(|error| bad(error.to_string()))?;
                    if records == 0 {
                        return Err(bad("a column is cut short".to_owned()));
                    }
                    read += records;
                }
            }
        }
        Ok(Self { names, values })
    }

    /// Writes a part, beside its name first.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), RunnerError> {
        beside(path, &self.names, |writer| self.write_group(writer))
    }

    /// Writes all rows as a group of a part.
    fn write_group(&self, writer: &mut SerializedFileWriter<File>) -> Result<(), ParquetError> {
        let mut group = writer.next_row_group()?;
        for values in &self.values {
            let mut column = group.next_column()?.expect("as many columns as in the schema");
            column.typed::<Int64Type>().write_batch(values, None, None)?;
            column.close()?;
        }
        group.close()?;
        Ok(())
    }
}

/// Writes a part of these columns, beside its name first.
fn beside(
    path: &Path,
    names: &[String],
    write: impl FnOnce(&mut SerializedFileWriter<File>) -> Result<(), ParquetError>,
) -> Result<(), RunnerError> {
    let beside = path.with_extension("parquet.tmp");
    let file = File::create(&beside).map_err(RunnerError::io("write", &beside))?;
    let whole = || {
        let field = |name: &String| {
            let column = Type::primitive_type_builder(name, Physical::INT64);
            column.with_repetition(Repetition::REQUIRED).build().map(Arc::new)
        };
        let fields = names.iter().map(field).collect::<Result<_, _>>()?;
        let schema = Type::group_type_builder("series").with_fields(fields).build()?;
        // A library's version would change the bytes.
        let properties = WriterProperties::builder().set_created_by("phalanx".to_owned()).build();
        let mut writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))?;
        write(&mut writer)?;
        writer.close()
    };
    whole().map_err(|error: ParquetError| RunnerError::io("write", &beside)(io::Error::other(error)))?;
    fs::rename(&beside, path).map_err(RunnerError::io("rename to", path))
}

/// Writes the part of one long run, some rows at a time.
fn write_long(packed: &mut impl Read, names: &[String], path: &Path) -> Result<(), RunnerError> {
    beside(path, names, |writer| {
        let mut bytes = Vec::new();
        loop {
            if packed.by_ref().take(IN_MEMORY as u64).read_to_end(&mut bytes)? == 0 {
                return Ok(());
            }
            let mut series = Series { names: names.to_vec(), values: vec![Vec::new(); names.len()] };
            let used = series.append_packed(&bytes);
            series.write_group(writer)?;
            bytes.drain(..used);
        }
    })
}

/// The parts of a folder, in order.
///
/// # Errors
/// If the folder cannot be read. One without series has no parts.
pub fn parts(folder: &Path) -> Result<Vec<PathBuf>, RunnerError> {
    let inside = folder.join(FOLDER);
    if !inside.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(&inside).map_err(RunnerError::io("read the folder", &inside))?;
    let mut parts: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "parquet"))
        .collect();
    parts.sort();
    Ok(parts)
}

/// Writes the series of a campaign.
#[derive(Debug)]
pub struct SeriesWriter {
    folder: PathBuf,
    spool: File,
    end: u64,
    runs_a_part: u32,
}

impl SeriesWriter {
    /// Opens the series of an output folder; `ticks` of the scenario decide how many runs make a part.
    ///
    /// # Errors
    /// If folder or spool cannot be made.
    pub fn open(folder: &Path, ticks: u32) -> Result<Self, RunnerError> {
        let folder = folder.join(FOLDER);
        fs::create_dir_all(&folder).map_err(RunnerError::io("create the folder", &folder))?;
        let path = folder.join(SPOOL);
        let mut spool = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(&path)
            .map_err(RunnerError::io("open", &path))?;
        let end = spool.seek(SeekFrom::End(0)).map_err(RunnerError::io("read", &path))?;
        Ok(Self { folder, spool, end, runs_a_part: (PART_ROWS / ticks.max(1)).max(1) })
    }

    /// Appends a run's rows; returns where they are, if there are any.
    ///
    /// # Errors
    /// If they cannot be written, or are more than 4 GiB.
    pub fn spool(&mut self, rows: &mut Rows) -> Result<Option<(u64, u32)>, RunnerError> {
        if rows.is_empty() {
            return Ok(None);
        }
        let (offset, path) = (self.end, self.folder.join(SPOOL));
        let length = rows.copy_to(&mut self.spool).map_err(RunnerError::io("write", &path))?;
        self.end += length;
        let too_long = |_| RunnerError::io("write", &path)(io::Error::from(io::ErrorKind::FileTooLarge));
        Ok(Some((offset, u32::try_from(length).map_err(too_long)?)))
    }

    /// The part that a run belongs to.
    #[must_use]
    pub fn part_of(&self, run: u32) -> u32 {
        run / self.runs_a_part
    }

    /// Runs of a part.
    #[must_use]
    pub fn runs_of(&self, part: u32) -> std::ops::Range<u32> {
        let first = part.saturating_mul(self.runs_a_part);
        first..first.saturating_add(self.runs_a_part)
    }

    fn path(&self, part: u32) -> PathBuf {
        self.folder.join(format!("part-{part:05}.parquet"))
    }

    /// Writes a part of the rows in the spool, over those of an earlier part of that number.
    ///
    /// # Errors
    /// If spool or part cannot be read or written.
    pub fn write_part(&mut self, part: u32, spooled: &[(u32, (u64, u32))]) -> Result<(), RunnerError> {
        let path = self.path(part);
        let names = columns();
        let mut series = Series { values: vec![Vec::new(); names.len()], names };
        if let [(_, (offset, length))] = spooled
            && self.runs_a_part == 1
        {
            // One run, whose rows are in order.
            let mut spool = &self.spool;
            let io = |error| RunnerError::io("read", &self.folder.join(SPOOL))(error);
            spool.seek(SeekFrom::Start(*offset)).map_err(io)?;
            return write_long(&mut spool.take(u64::from(*length)), &series.names, &path);
        }
        if path.exists() {
            let before = Series::read(&path)?;
            if before.names == series.names {
                series.append(&before, |run| spooled.iter().all(|(other, _)| *other != run));
            }
        }
        for (_, (offset, length)) in spooled {
            let mut bytes = vec![0; *length as usize];
            let io = |error| RunnerError::io("read", &self.folder.join(SPOOL))(error);
            let mut spool = &self.spool;
            spool.seek(SeekFrom::Start(*offset)).map_err(io)?;
            spool.read_exact(&mut bytes).map_err(io)?;
            series.append_packed(&bytes);
        }
        series.sort();
        series.write(&path)
    }

    /// Appends the parts of another folder whose runs `keep` wants, for a merge.
    ///
    /// # Errors
    /// If a part cannot be read or written.
    pub fn take_over(&mut self, other: &Path) -> Result<(), RunnerError> {
        for path in parts(other)? {
            let series = Series::read(&path)?;
            let Some(first) = series.values.first().and_then(|runs| runs.first()) else { continue };
            let target = self.path(self.part_of(*first as u32));
            let mut both = if target.exists() {
                Series::read(&target)?
            } else {
                Series { values: vec![Vec::new(); series.names.len()], names: series.names.clone() }
            };
            both.append(&series, |_| true);
            both.sort();
            both.write(&target)?;
        }
        Ok(())
    }

    /// Ends the series: all parts are written, the spool is not needed any more.
    ///
    /// # Errors
    /// If the spool cannot be removed.
    pub fn finish(self) -> Result<(), RunnerError> {
        let path = self.folder.join(SPOOL);
        fs::remove_file(&path).map_err(RunnerError::io("remove", &path))
    }
}

#[cfg(test)]
mod tests {
    use super::rows::pack;
    use super::*;

    #[test]
    fn counters_have_the_names_of_their_fields() {
        let fields = serde_json::to_value(TickCounts::default()).unwrap();
        let fields: Vec<String> = fields.as_object().unwrap().keys().cloned().collect();
        assert_eq!(columns()[3..columns().len() - 4], fields);
    }

    #[test]
    fn packed_numbers_come_back() {
        let numbers = [0, 1, 127, 128, 300, u64::MAX];
        let mut bytes = Vec::new();
        numbers.iter().for_each(|n| pack(*n, &mut bytes));
        assert_eq!(unpack(&bytes).collect::<Vec<_>>(), numbers);
    }

    #[test]
    fn parts_are_sorted_and_have_the_same_bytes_in_any_order() {
        let row = |run: u64, tick: u64| {
            let mut bytes = Vec::new();
            pack(run, &mut bytes);
            pack(tick, &mut bytes);
            (2..columns().len() as u64).for_each(|i| pack(u64::MAX - i, &mut bytes));
            bytes
        };
        let part = |runs: &[u32]| {
            let folder = tempfile::tempdir().unwrap();
            let mut writer = SeriesWriter::open(folder.path(), 2).unwrap();
            let mut spooled = Vec::new();
            for run in runs {
                let mut rows = Rows::new(folder.path());
                rows.append(&[row(u64::from(*run), 0), row(u64::from(*run), 1)].concat()).unwrap();
                spooled.push((*run, writer.spool(&mut rows).unwrap().unwrap()));
            }
            // In two goes, like a campaign that was extended.
            writer.write_part(0, &spooled[..1]).unwrap();
            writer.write_part(0, &spooled[1..]).unwrap();
            let path = parts(folder.path()).unwrap().remove(0);
            let series = Series::read(&path).unwrap();
            assert_eq!(series.column("run_id").unwrap(), [0, 0, 1, 1, 2, 2]);
            assert_eq!(series.column("tick").unwrap(), [0, 1, 0, 1, 0, 1]);
            assert_eq!(series.column("fingerprint").unwrap()[0] as u64, u64::MAX - 2);
            fs::read(path).unwrap()
        };
        assert_eq!(part(&[0, 1, 2]), part(&[2, 0, 1]));
    }

    #[test]
    fn a_long_run_goes_through_a_file() {
        const TICKS: u64 = 150_000;
        let folder = tempfile::tempdir().unwrap();
        let mut rows = Rows::new(folder.path());
        for tick in 0..TICKS {
            let mut bytes = Vec::new();
            pack(7, &mut bytes);
            pack(tick, &mut bytes);
            (2..columns().len() as u64).for_each(|i| pack(i, &mut bytes));
            rows.append(&bytes).unwrap();
        }
        assert!(rows.is_in_file());
        let mut again = Rows::new(folder.path());
        again.append(&rows.packed().unwrap()).unwrap();
        assert_eq!(again.packed().unwrap(), rows.packed().unwrap(), "as from a checkpoint");
        let mut writer = SeriesWriter::open(folder.path(), TICKS as u32).unwrap();
        let spooled = [(7, writer.spool(&mut rows).unwrap().unwrap())];
        writer.write_part(7, &spooled).unwrap();
        let series = Series::read(&parts(folder.path()).unwrap()[0]).unwrap();
        assert_eq!(series.column("run_id").unwrap(), vec![7; TICKS as usize]);
        assert!(series.column("tick").unwrap().iter().copied().eq(0..TICKS as i64));
    }
}
