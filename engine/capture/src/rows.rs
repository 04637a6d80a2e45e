//! Rows: what mapped CSV and npz hold, some at a time, so that memory does not grow with a CSV file.

use std::path::Path;

use crate::{
    CaptureError, CaptureMap, Compression, Lenience, NotFinite, Records, Tally, Transport,
    mapped_csv::{Bounds, CsvReader},
};

/// Rows that are read at a time: some hundred kilobytes of most files.
const ROWS_AT_A_TIME: usize = 4096;

/// The rows of a file of mapped CSV, read as they are asked for, or of an npz archive, which is in memory.
pub struct Rows<'a> {
    format: String,
    compression: Compression,
    source: Source<'a>,
}

enum Source<'a> {
    Csv { reader: Box<CsvReader<'a>>, bounds: Option<Bounds> },
    Whole { records: Box<Records>, tally: Tally, told: bool },
}

impl<'a> Rows<'a> {
    /// CSV, with the numbers that are not finite as the file has them.
    pub(crate) fn raw_csv(
        transport: Transport<'a>,
        path: &Path,
        map: &'a CaptureMap,
        lenience: Lenience,
    ) -> Result<Self, CaptureError> {
        let compression = transport.compression();
        let reader = Box::new(CsvReader::over(transport, path, map, lenience)?);
        let source = Source::Csv { reader, bounds: None };
        Ok(Self { format: format!("CSV by map {}", map.name), compression, source })
    }

    /// CSV, with the numbers that are not finite replaced where the map wants that. What by is known only at the end of
    /// the file: it is read twice, or kept in memory if it is a pipe.
    pub(crate) fn csv(
        transport: Transport<'a>,
        path: &Path,
        map: &'a CaptureMap,
        lenience: Lenience,
    ) -> Result<Self, CaptureError> {
        let mut rows = Self::raw_csv(transport, path, map, lenience)?;
        let Source::Csv { reader, bounds } = &mut rows.source else { return Ok(rows) };
        if map.not_finite != NotFinite::Clip {
            return Ok(rows);
        }
        if path.metadata().is_ok_and(|file| file.is_file()) {
            let mut found = Bounds::new(map);
            loop {
                let records = reader.next_rows(ROWS_AT_A_TIME)?;
                if records.rows() == 0 {
                    break;
                }
                found.widen(records);
            }
            **reader = CsvReader::over(Transport::open(path)?, path, map, lenience)?;
            *bounds = Some(found);
        } else {
            let (records, tally) = reader.take_rest()?;
            rows.source = Source::Whole { records: Box::new(records), tally, told: false };
        }
        Ok(rows)
    }

    /// Rows that are in memory already.
    pub(crate) fn whole(format: &str, compression: Compression, records: Records) -> Self {
        let tally = Tally { records: records.rows() as u64, ..Tally::default() };
        let source = Source::Whole { records: Box::new(records), tally, told: false };
        Self { format: format.to_owned(), compression, source }
    }

    /// What to call the format.
    #[must_use]
    pub fn format(&self) -> &str {
        &self.format
    }

    /// How the file is packed.
    #[must_use]
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// What was met so far.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        match &self.source {
            Source::Csv { reader, .. } => reader.tally(),
            Source::Whole { tally, .. } => tally,
        }
    }

    /// The next rows, at least one; `None` after the last. Names, categories and labels are those of the file so far.
    ///
    /// # Errors
    /// At the first line that is not as the map says, or if there is no row in the file.
    pub fn next_rows(&mut self) -> Result<Option<&Records>, CaptureError> {
        let records = match &mut self.source {
            Source::Csv { reader, bounds } => {
                let records = reader.next_rows(ROWS_AT_A_TIME)?;
                if let Some(bounds) = bounds {
                    bounds.clip(records);
                }
                &*records
            }
            Source::Whole { told: true, .. } => return Ok(None),
            Source::Whole { records, told, .. } => {
                *told = true;
                records
            }
        };
        Ok((records.rows() > 0).then_some(records))
    }
}
