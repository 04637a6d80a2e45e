//! Lines of a plain or gzip file, numbered, of bounded length.
//!
//! A row is a line in every text format that the crate reads, so this is where all of them begin. Reading line
//! by line, rather than by a CSV reader's records, keeps line numbers exact for any line ending and bounds the
//! memory that a stray quote or a binary file can take.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read},
    path::{Path, PathBuf},
};

use flate2::bufread::MultiGzDecoder;

use crate::{CaptureError, FileProblem, LineProblem};

/// First bytes of every gzip member.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const BUFFER_BYTES: usize = 64 << 10;

/// A file, read line by line.
pub(crate) struct Lines<'a> {
    file: PathBuf,
    reader: Box<dyn BufRead + 'a>,
    gzip: bool,
    bytes_max: usize,
    number: u64,
    line: Vec<u8>,
}

impl<'a> Lines<'a> {
    pub(crate) fn open(path: &Path, bytes_max: usize) -> Result<Self, CaptureError> {
        let fail = |problem| CaptureError::File { file: path.to_owned(), problem };
        let file = File::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => fail(FileProblem::Missing),
            _ => fail(FileProblem::Io(error)),
        })?;
        Self::new(file, path, bytes_max)
    }

    /// Lines of `reader`; `name` is for messages, and a name in `.gz` insists on gzip.
    pub(crate) fn new(
        mut reader: impl Read + 'a,
        name: &Path,
        bytes_max: usize,
    ) -> Result<Self, CaptureError> {
        let fail = |problem| CaptureError::File { file: name.to_owned(), problem };
        let mut head = Vec::with_capacity(GZIP_MAGIC.len());
        reader
            .by_ref()
            .take(GZIP_MAGIC.len() as u64)
            .read_to_end(&mut head)
            .map_err(|error| fail(FileProblem::Io(error)))?;
        let gzip = head == GZIP_MAGIC;
        if head.is_empty() {
            return Err(fail(FileProblem::Empty));
        }
        if !gzip && name.extension().is_some_and(|extension| extension == "gz") {
            return Err(fail(FileProblem::NotGzip));
        }
        let bytes = BufReader::with_capacity(BUFFER_BYTES, Cursor::new(head).chain(reader));
        let reader: Box<dyn BufRead + 'a> = if gzip {
            Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(bytes)))
        } else {
            Box::new(bytes)
        };
        Ok(Self { file: name.to_owned(), reader, gzip, bytes_max, number: 0, line: Vec::new() })
    }

    /// The next line without its end, `None` after the last. A byte order mark is not part of line 1.
    pub(crate) fn next(&mut self) -> Result<Option<&mut Vec<u8>>, CaptureError> {
        self.line.clear();
        self.number += 1;
        let bytes_max = self.bytes_max;
        let read = self.reader.by_ref().take(bytes_max as u64 + 2).read_until(b'\n', &mut self.line);
        match read {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(error) => return Err(self.fail(self.reading(error))),
        }
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
            if self.line.last() == Some(&b'\r') {
                self.line.pop();
            }
        }
        if self.line.len() > bytes_max {
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

    fn reading(&self, error: io::Error) -> LineProblem {
        match error.kind() {
            io::ErrorKind::UnexpectedEof if self.gzip => LineProblem::GzipTruncated,
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData if self.gzip => {
                LineProblem::GzipCorrupt(error)
            }
            _ => LineProblem::Io(error),
        }
    }
}
