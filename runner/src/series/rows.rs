//! The rows of one run, on their way to a part.

use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use phalanx_core::Outcome;
use phalanx_sim::TickRecord;
use tempfile::{SpooledTempFile, spooled_tempfile_in};

use super::counters;
use crate::error::RunnerError;

/// The rows of a run, packed: in memory, or those of a long run in a file without a name, which is gone when its process
/// is.
#[derive(Debug)]
pub struct Rows {
    folder: PathBuf,
    packed: BufWriter<SpooledTempFile>,
    length: u64,
    /// The row in hand.
    row: Vec<u8>,
}

/// Bytes of packed rows that stay in memory.
pub(super) const IN_MEMORY: usize = 1 << 20;

impl Rows {
    /// None yet. The file of a long run will be in this output folder.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        let packed = BufWriter::new(spooled_tempfile_in(IN_MEMORY, folder));
        Self { folder: folder.to_owned(), packed, length: 0, row: Vec::new() }
    }

    /// Appends a tick.
    ///
    /// # Errors
    /// If the file of a long run cannot be written.
    pub fn push(&mut self, run: u32, record: &TickRecord) -> Result<(), RunnerError> {
        let outcome = |outcome| record.decisions.iter().filter(|d| d.outcome == outcome).count() as u64;
        let (head, _) = record.fingerprint.0.split_first_chunk().expect("a fingerprint has 32 bytes");
        let first = [u64::from(run), record.tick.0, u64::from_be_bytes(*head)];
        let last = [
            record.reported.len() as u64,
            outcome(Outcome::Confirmed),
            outcome(Outcome::Rejected),
            outcome(Outcome::Undecided),
        ];
        let counts = counters(&record.counts).into_iter().map(|(_, count)| count);
        self.row.clear();
        first.into_iter().chain(counts).chain(last).for_each(|value| pack(value, &mut self.row));
        self.length += self.row.len() as u64;
        self.packed.write_all(&self.row).map_err(RunnerError::io("write series in", &self.folder))
    }

    /// Appends rows that were packed before.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn append(&mut self, packed: &[u8]) -> Result<(), RunnerError> {
        self.length += packed.len() as u64;
        self.packed.write_all(packed).map_err(RunnerError::io("write series in", &self.folder))
    }

    /// The packed rows so far.
    ///
    /// # Errors
    /// If the file of a long run cannot be read.
    pub fn packed(&mut self) -> Result<Vec<u8>, RunnerError> {
        let mut all = Vec::new();
        self.copy_to(&mut all).map_err(RunnerError::io("read series in", &self.folder))?;
        Ok(all)
    }

    /// Writes the packed rows so far; how many bytes they are.
    pub(super) fn copy_to(&mut self, out: &mut impl Write) -> io::Result<u64> {
        // Reading to the end leaves the place where the next row goes.
        self.packed.rewind()?;
        io::copy(self.packed.get_mut(), out)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Whether these have gone to a file.
    #[cfg(test)]
    pub(super) fn is_in_file(&self) -> bool {
        self.packed.get_ref().is_rolled()
    }
}

/// LEB128.
pub(super) fn pack(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn unpack(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let mut rest = bytes.iter();
    std::iter::from_fn(move || {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = *rest.next()?;
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return Some(value);
            }
        }
    })
}
