//! Lines of a plain or packed file, numbered, of bounded length.
//!
//! A row is a line in every text format that the crate reads, so this is where all of them begin. Reading line
//! by line, rather than by a CSV reader's records, keeps line numbers exact for any line ending and bounds the
//! memory that a stray quote or a binary file can take.

use std::{
    io::{BufRead, Read},
    path::{Path, PathBuf},
};

use crate::{CaptureError, LineProblem, Transport};

/// A line of 1 MiB is no flow.
pub(crate) const LINE_BYTES_MAX: usize = 1 << 20;

/// A file, read line by line.
pub(crate) struct Lines<'a> {
    file: PathBuf,
    reader: Transport<'a>,
    bytes_max: usize,
    number: u64,
    line: Vec<u8>,
    /// Whether the rest of the line that was read last is still ahead, because it is too long.
    rest_ahead: bool,
}

impl<'a> Lines<'a> {
    pub(crate) fn open(path: &Path, bytes_max: usize) -> Result<Self, CaptureError> {
        Ok(Self::over(Transport::open(path)?, path, bytes_max))
    }

    /// Lines of `reader`; `name` is for messages, and a name in `.gz` insists on gzip.
    pub(crate) fn new(reader: impl Read + 'a, name: &Path, bytes_max: usize) -> Result<Self, CaptureError> {
        Ok(Self::over(Transport::new(reader, name)?, name, bytes_max))
    }

    pub(crate) fn over(reader: Transport<'a>, name: &Path, bytes_max: usize) -> Self {
        Self { file: name.to_owned(), reader, bytes_max, number: 0, line: Vec::new(), rest_ahead: false }
    }

    /// The next line without its end, `None` after the last. A byte order mark is not part of line 1.
    ///
    /// After a line that is too long, its rest is passed over without being kept.
    pub(crate) fn next(&mut self) -> Result<Option<&mut Vec<u8>>, CaptureError> {
        if std::mem::take(&mut self.rest_ahead)
            && let Err(error) = self.reader.skip_until(b'\n')
        {
            return Err(self.fail(self.reader.line_problem(error)));
        }
        self.line.clear();
        self.number += 1;
        let bytes_max = self.bytes_max;
        let read = self.reader.by_ref().take(bytes_max as u64 + 2).read_until(b'\n', &mut self.line);
        match read {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(error) => return Err(self.fail(self.reader.line_problem(error))),
        }
        let ended = self.line.last() == Some(&b'\n');
        if ended {
            self.line.pop();
            if self.line.last() == Some(&b'\r') {
                self.line.pop();
            }
        }
        if self.line.len() > bytes_max {
            self.rest_ahead = !ended;
            return Err(self.fail(LineProblem::TooLong { bytes_max }));
        }
        if self.number == 1 && self.line.starts_with(b"\xef\xbb\xbf") {
            self.line.drain(..3);
        }
        Ok(Some(&mut self.line))
    }

    /// Number of the line that was read last, from 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The file's name.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// An error at the line that was read last.
    pub(crate) fn fail(&self, problem: LineProblem) -> CaptureError {
        CaptureError::Line { file: self.file.clone(), line: self.number, problem }
    }
}
