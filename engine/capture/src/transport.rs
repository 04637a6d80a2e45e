//! Transport: the bytes of a file, whatever it was packed with.
//!
//! The first bytes decide, not the name: gzip (any number of members) and zstd (any number of frames, skippable
//! ones too) are unpacked as they are read, and everything else is passed on as it is. A name that ends in `.gz`
//! or `.zst` must keep its word, since the usual reason is a download that failed.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read},
    path::Path,
};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::{
    BlockDecodingStrategy, FrameDecoder,
    errors::{FrameDecoderError, ReadFrameHeaderError},
};
use serde::{Deserialize, Serialize};

use crate::{CaptureError, FileProblem, LineProblem};

/// First bytes of every gzip member.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// First bytes of every zstd frame.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const BUFFER_BYTES: usize = 64 << 10;
/// How much of a file may be looked at before it is read: enough for the first line of any format.
const HEAD_BYTES: usize = 16 << 10;

/// How a file is packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compression {
    /// Not at all.
    #[default]
    Plain,
    /// gzip, any number of members.
    Gzip,
    /// Zstandard, any number of frames.
    Zstd,
}

/// The unpacked bytes of a file, read once from front to back in bounded memory.
///
/// ```
/// use std::io::Read;
/// use phalanx_capture::{Compression, Transport};
///
/// let mut transport = Transport::new(&b"plain"[..], "a.txt".as_ref())?;
/// assert_eq!((transport.compression(), transport.head()), (Compression::Plain, &b"plain"[..]));
/// let mut text = String::new();
/// transport.read_to_string(&mut text)?;
/// assert_eq!(text, "plain");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Transport<'a> {
    reader: Box<dyn BufRead + 'a>,
    compression: Compression,
    head: Vec<u8>,
    head_read: usize,
    /// What went wrong after the head, to be told to whoever reads that far.
    pending: Option<io::Error>,
}

impl<'a> Transport<'a> {
    /// Opens a file.
    ///
    /// # Errors
    /// If it cannot be opened, is empty, or is not packed as its name says.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        Self::new(open_file(path)?, path)
    }

    /// Unpacks what `reader` has; `name` stands for the file in messages.
    ///
    /// # Errors
    /// As [`Transport::open`].
    pub fn new(mut reader: impl Read + 'a, name: &Path) -> Result<Self, CaptureError> {
        let fail = |problem| CaptureError::File { file: name.to_owned(), problem };
        let mut magic = Vec::with_capacity(ZSTD_MAGIC.len());
        reader
            .by_ref()
            .take(ZSTD_MAGIC.len() as u64)
            .read_to_end(&mut magic)
            .map_err(|error| fail(FileProblem::Io(error)))?;
        if magic.is_empty() {
            return Err(fail(FileProblem::Empty));
        }
        let compression = if magic.starts_with(&GZIP_MAGIC) {
            Compression::Gzip
        } else if magic == ZSTD_MAGIC || is_skippable(&magic) {
            Compression::Zstd
        } else {
            Compression::Plain
        };
        let named = |extension: &str| name.extension().is_some_and(|found| found == extension);
        if named("gz") && compression != Compression::Gzip {
            return Err(fail(FileProblem::NotGzip));
        }
        if named("zst") && compression != Compression::Zstd {
            return Err(fail(FileProblem::NotZstd));
        }
        let bytes = BufReader::with_capacity(BUFFER_BYTES, Cursor::new(magic).chain(reader));
        let reader: Box<dyn BufRead + 'a> = match compression {
            Compression::Plain => Box::new(bytes),
            Compression::Gzip => Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(bytes))),
            Compression::Zstd => Box::new(BufReader::with_capacity(BUFFER_BYTES, ZstdFrames::new(bytes))),
        };
        let mut transport = Self { reader, compression, head: Vec::new(), head_read: 0, pending: None };
        transport.look();
        Ok(transport)
    }

    /// How the file is packed.
    #[must_use]
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// The first bytes, up to 16 KiB, whether or not they were read already.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    fn look(&mut self) {
        let read = self.reader.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut self.head);
        self.pending = read.err();
    }

    /// The error that ended the head before it was full.
    pub(crate) fn take_failure(&mut self) -> Option<io::Error> {
        self.pending.take()
    }

    /// What a failed read of a line means.
    pub(crate) fn line_problem(&self, error: io::Error) -> LineProblem {
        use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        match (self.compression, error.kind()) {
            (Compression::Gzip, UnexpectedEof) => LineProblem::GzipTruncated,
            (Compression::Gzip, InvalidInput | InvalidData) => LineProblem::GzipCorrupt(error),
            (Compression::Zstd, UnexpectedEof | InvalidInput | InvalidData) => {
                LineProblem::ZstdCorrupt(error)
            }
            _ => LineProblem::Io(error),
        }
    }
}

impl BufRead for Transport<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.head_read < self.head.len() {
            return Ok(&self.head[self.head_read..]);
        }
        match self.pending.take() {
            Some(error) => Err(error),
            None => self.reader.fill_buf(),
        }
    }

    fn consume(&mut self, amount: usize) {
        if self.head_read < self.head.len() {
            self.head_read += amount;
        } else {
            self.reader.consume(amount);
        }
    }
}

impl Read for Transport<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.head_read == self.head.len() && self.pending.is_none() {
            return self.reader.read(buffer);
        }
        let available = self.fill_buf()?;
        let length = available.len().min(buffer.len());
        buffer[..length].copy_from_slice(&available[..length]);
        self.consume(length);
        Ok(length)
    }
}

/// Opens a file, with the crate's errors.
pub(crate) fn open_file(path: &Path) -> Result<File, CaptureError> {
    let fail = |problem| CaptureError::File { file: path.to_owned(), problem };
    File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => fail(FileProblem::Missing),
        _ => fail(FileProblem::Io(error)),
    })
}

/// Skippable frames are numbered 0x184D2A50 to 0x184D2A5F.
fn is_skippable(magic: &[u8]) -> bool {
    matches!(magic, [low, 0x2a, 0x4d, 0x18] if low & 0xf0 == 0x50)
}

/// The content of zstd frames, one after the other; a window beyond 128 MiB is refused by the decoder.
struct ZstdFrames<R> {
    source: R,
    decoder: FrameDecoder,
    in_frame: bool,
}

impl<R: BufRead> ZstdFrames<R> {
    fn new(source: R) -> Self {
        Self { source, decoder: FrameDecoder::new(), in_frame: false }
    }

    /// Enters the next frame that has content; `false` at the end of the file.
    fn enter(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.reset(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let skipped =
                        io::copy(&mut self.source.by_ref().take(u64::from(length)), &mut io::sink())?;
                    if skipped < u64::from(length) {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(damaged(&error)),
            }
        }
        Ok(false)
    }
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.in_frame {
                if !self.enter()? {
                    return Ok(0);
                }
                self.in_frame = true;
            }
            while self.decoder.can_collect() < buffer.len() && !self.decoder.is_finished() {
                let wanted = buffer.len() - self.decoder.can_collect();
                self.decoder
                    .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBytes(wanted))
                    .map_err(|error| damaged(&error))?;
            }
            let read = self.decoder.read(buffer)?;
            if self.decoder.is_finished() && self.decoder.can_collect() == 0 {
                self.in_frame = false;
                if let Some(stored) = self.decoder.get_checksum_from_data()
                    && self.decoder.get_calculated_checksum() != Some(stored)
                {
                    return Err(damaged(&"the checksum does not match"));
                }
            }
            if read > 0 {
                return Ok(read);
            }
        }
    }
}

fn damaged(error: &impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}
