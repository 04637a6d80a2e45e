//! `events.jsonl`: what happened, line by line and in the order of time. It is what a killed campaign resumes from.
//!
//! A line is appended in one piece when a run ends. Whatever a kill leaves behind the last line feed is cut off when
//! the file is opened again. Only the place of each run's line is kept in memory.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use phalanx_sim::Curves;
use serde::{Deserialize, Serialize};

use crate::error::RunnerError;
use crate::record::{RunRecord, Status};

/// Name of the file.
pub const FILE: &str = "events.jsonl";
/// Beginning of a run's line.
const RUN: &str = "{\"event\":\"run\",";

/// Beginning of the line that says: all rows are in parts, the spool is not needed any more.
const SETTLED: &str = "{\"event\":\"series settled\"";

/// The line of a run that ended.
#[derive(Debug, Serialize, Deserialize)]
pub struct RunLine {
    /// `run`.
    pub event: String,
    /// Position in the plan.
    pub run: u32,
    /// How it ended.
    pub status: Status,
    /// Offset and length of its ticks' rows in the spool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<(u64, u32)>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What it looks like when it is drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub curves: Option<Box<Curves>>,
    /// What came of it.
    pub record: RunRecord,
}

/// The part of a [`RunLine`] that is read while the file is opened.
#[derive(Deserialize)]
struct Head {
    run: u32,
    status: Status,
    #[serde(default)]
    rows: Option<(u64, u32)>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    offset: u64,
    length: u32,
    status: Status,
    rows: Option<(u64, u32)>,
}

/// The file, open for appending.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    end: u64,
    // Whole lines up to there.
    lines: u64,
    // By run.
    places: Vec<Option<Place>>,
}

impl Journal {
    /// A new file.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create(folder: &Path) -> Result<Self, RunnerError> {
        let path = folder.join(FILE);
        let file = OpenOptions::new()
            .create_new(true)
            .read(true)
            .append(true)
            .open(&path)
            .map_err(RunnerError::io("create", &path))?;
        Ok(Self { path, file, end: 0, lines: 0, places: Vec::new() })
    }

    /// The file as an earlier process left it, to be read.
    ///
    /// # Errors
    /// If it cannot be read, or holds something else.
    pub fn read(folder: &Path) -> Result<Self, RunnerError> {
        let path = folder.join(FILE);
        let file = File::open(&path).map_err(RunnerError::io("open", &path))?;
        let mut journal = Self { path, file, end: 0, lines: 0, places: Vec::new() };
        journal.scan()?;
        Ok(journal)
    }

    /// The file as an earlier process left it, to be continued.
    ///
    /// # Errors
    /// If it cannot be read or cut, or holds something else.
    pub fn resume(folder: &Path) -> Result<Self, RunnerError> {
        let path = folder.join(FILE);
        let file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(&path)
            .map_err(RunnerError::io("open", &path))?;
        let mut journal = Self { path, file, end: 0, lines: 0, places: Vec::new() };
        journal.scan()?;
        journal.file.set_len(journal.end).map_err(RunnerError::io("cut", &journal.path))?;
        Ok(journal)
    }

    /// Reads what another process has appended since.
    ///
    /// # Errors
    /// If it cannot be read, or is something else.
    pub fn follow(&mut self) -> Result<(), RunnerError> {
        self.scan()
    }

    fn scan(&mut self) -> Result<(), RunnerError> {
        let mut file = self.file.try_clone().map_err(RunnerError::io("read", &self.path))?;
        file.seek(SeekFrom::Start(self.end)).map_err(RunnerError::io("read", &self.path))?;
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let length = reader.read_until(b'\n', &mut line).map_err(RunnerError::io("read", &self.path))?;
            if line.last() != Some(&b'\n') {
                return Ok(());
            }
            self.lines += 1;
            let number = self.lines;
            if line.starts_with(RUN.as_bytes()) {
                let head: Head = serde_json::from_slice(&line).map_err(|error| RunnerError::BadFolder {
                    path: self.path.clone(),
                    problem: format!("line {number}: {error}"),
                })?;
                self.note(head.run, self.end, length as u32, head.status, head.rows);
            } else if line.starts_with(SETTLED.as_bytes()) {
                self.forget_rows();
            }
            self.end += length as u64;
        }
    }

    fn note(&mut self, run: u32, offset: u64, length: u32, status: Status, rows: Option<(u64, u32)>) {
        let index = run as usize;
        if self.places.len() <= index {
            self.places.resize(index + 1, None);
        }
        self.places[index] = Some(Place { offset, length, status, rows });
    }

    /// Appends the line of a run.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn run(&mut self, line: &RunLine) -> Result<(), RunnerError> {
        let bytes = text(line);
        let (offset, length) = (self.end, bytes.len() as u32);
        self.append(&bytes)?;
        self.note(line.run, offset, length, line.status, line.rows);
        Ok(())
    }

    /// Appends any other line.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn event(&mut self, event: &impl Serialize) -> Result<(), RunnerError> {
        self.append(&text(event))
    }

    /// Notes that all rows are in parts.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn settle(&mut self) -> Result<(), RunnerError> {
        self.append(format!("{SETTLED}}}\n").as_bytes())?;
        self.forget_rows();
        Ok(())
    }

    fn forget_rows(&mut self) {
        self.places.iter_mut().flatten().for_each(|place| place.rows = None);
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), RunnerError> {
        self.file.write_all(bytes).map_err(RunnerError::io("write", &self.path))?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// How a run ended, if it has.
    #[must_use]
    pub fn status(&self, run: u32) -> Option<Status> {
        self.place(run).map(|place| place.status)
    }

    /// Where a run's rows are in the spool.
    #[must_use]
    pub fn rows(&self, run: u32) -> Option<(u64, u32)> {
        self.place(run)?.rows
    }

    /// The run that ended last among those whose rows are still in the spool.
    #[must_use]
    pub fn last_spooled(&self) -> Option<u32> {
        self.runs()
            .filter(|run| self.rows(*run).is_some())
            .max_by_key(|run| self.place(*run).map(|place| place.offset))
    }

    fn place(&self, run: u32) -> Option<Place> {
        self.places.get(run as usize).copied().flatten()
    }

    /// Runs that have ended, by number.
    pub fn runs(&self) -> impl Iterator<Item = u32> + '_ {
        self.places.iter().enumerate().filter(|(_, place)| place.is_some()).map(|(run, _)| run as u32)
    }

    /// The line of a run.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn line(&self, run: u32) -> Result<Option<RunLine>, RunnerError> {
        let Some(place) = self.place(run) else { return Ok(None) };
        let mut bytes = vec![0; place.length as usize];
        let io = |error| RunnerError::io("read", &self.path)(error);
        let mut file = &self.file;
        file.seek(SeekFrom::Start(place.offset)).map_err(io)?;
        file.read_exact(&mut bytes).map_err(io)?;
        let line = serde_json::from_slice(&bytes).map_err(|error| RunnerError::BadFolder {
            path: self.path.clone(),
            problem: format!("the line of run {run}: {error}"),
        })?;
        Ok(Some(line))
    }

    /// What came of a run.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn record(&self, run: u32) -> Result<Option<RunRecord>, RunnerError> {
        Ok(self.line(run)?.map(|line| line.record))
    }
}

fn text(event: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(event).expect("an event is plain data");
    bytes.push(b'\n');
    bytes
}
