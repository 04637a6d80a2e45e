//! The parts of a ledger: databases of a bounded number of entries, of which the newest takes what is appended.
//!
//! sled keeps about 190 bytes of memory for each page of an open database, so a ledger in one database took ever more
//! of it. The first part is the ledger's folder itself, and few ledgers have another; the others are folders in it, named
//! after their first entry. Older parts are opened when somebody reads them, and closed again when nobody does.
//!
//! A part that follows is made and synced before the one before it says that it goes on there, and holds nothing until
//! that is synced, too. So a kill leaves a part that holds nothing, which is made anew when its time comes.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::{fs, io};

use tracing::debug;

use crate::merkle::Frontier;
use crate::store::StoreError;
use crate::store::database::{Database, io_error, sync_path};
use crate::store::layout::{self, LAYOUT, LAYOUT_KEY, PART_KEY};

/// Older parts that stay open for who reads here and there. Opening one takes some milliseconds.
const OPEN_MAX: usize = 16;
/// After so many reads of one part in a row the others are closed: who reads on and on needs two, at their border only.
const IN_A_ROW: u32 = 64;

/// A part that is open.
#[derive(Debug)]
pub(super) struct Part {
    /// Its first entry.
    pub(super) first: u64,
    /// Its pairs.
    pub(super) database: Database,
    /// What was before it.
    pub(super) before: Frontier,
}

impl Part {
    /// Opens a part; `None` if it holds nothing.
    fn open(root: &Path, first: u64) -> Result<Option<Self>, StoreError> {
        let path = folder(root, first);
        let database = Database::open(&path)?;
        let mut before = Frontier::new();
        if first > 0 {
            let Some(value) = database.value(&PART_KEY)? else { return Ok(None) };
            let said = layout::decode_part(&value);
            before = said.ok_or_else(|| bad(root, first, "does not say what was before it"))?;
            if before.size() != first {
                let problem = format!("holds the entries from {} on", before.size());
                return Err(bad(root, first, problem));
            }
        }
        debug!(path = %path.display(), "part of a ledger opened");
        Ok(Some(Self { first, database, before }))
    }

    /// Says whether another part follows, and returns once that survives a power cut.
    fn set_layout(&self, layout: &[u8]) -> Result<(), StoreError> {
        self.database.insert([(LAYOUT_KEY.as_slice(), layout)].into_iter())?;
        self.database.sync()
    }

    /// First entry of the part that follows, if this one says so.
    fn next(&self) -> Result<Option<u64>, StoreError> {
        Ok(self.database.value(&LAYOUT_KEY)?.as_deref().and_then(layout::next_part))
    }
}

/// All parts of a ledger.
#[derive(Debug)]
pub(super) struct Parts {
    root: PathBuf,
    /// The first entries of all.
    firsts: Vec<u64>,
    /// `None` only if it could not be opened when it was begun.
    newest: Option<Arc<Part>>,
    older: Mutex<Older>,
}

/// Older parts that are open.
#[derive(Debug, Default)]
struct Older {
    /// The one that was read last is the first.
    recent: VecDeque<Arc<Part>>,
    /// The part that was read last, which may be the newest, and how often in a row.
    last: (u64, u32),
    /// Also those that somebody is still reading.
    known: BTreeMap<u64, Weak<Part>>,
}

impl Parts {
    /// The one part of a ledger that was just made.
    pub(super) fn new(root: &Path, database: Database) -> Self {
        let newest = Some(Arc::new(Part { first: 0, database, before: Frontier::new() }));
        Self { root: root.to_owned(), firsts: vec![0], newest, older: Mutex::default() }
    }

    /// Opens the newest part that holds something.
    pub(super) fn open(root: &Path) -> Result<Self, StoreError> {
        let mut firsts = listed(root)?;
        // What was begun behind it and holds nothing.
        let mut behind = BTreeMap::new();
        let newest = loop {
            let first = *firsts.last().expect("the folder itself is the first");
            match Part::open(root, first) {
                Ok(Some(part)) => break part,
                Ok(None) => behind.insert(first, None),
                Err(error @ (StoreError::NotALedger { .. } | StoreError::Corrupt { .. })) if first > 0 => {
                    behind.insert(first, Some(error))
                }
                Err(error) => return Err(error),
            };
            firsts.pop();
        };
        if let Some(next) = newest.next()? {
            match behind.remove(&next) {
                Some(None) => {}
                Some(Some(error)) => return Err(of_part(root, next, error)),
                None => return Err(bad(root, next, "is missing")),
            }
        }
        Ok(Self { root: root.to_owned(), firsts, newest: Some(Arc::new(newest)), older: Mutex::default() })
    }

    /// The part that takes what is appended.
    pub(super) fn newest(&self) -> Result<&Part, StoreError> {
        self.newest.as_deref().ok_or_else(|| {
            let source = io::Error::other("its newest part could not be opened before");
            io_error("use the ledger", &self.root)(source)
        })
    }

    /// Its first entry.
    pub(super) fn newest_first(&self) -> u64 {
        *self.firsts.last().expect("the folder itself is the first")
    }

    /// Number of parts.
    pub(super) fn len(&self) -> usize {
        self.firsts.len()
    }

    /// Which part has this entry.
    pub(super) fn place(&self, entry: u64) -> usize {
        self.firsts.partition_point(|first| *first <= entry) - 1
    }

    /// The part that begins with this entry, but for the first; its folder.
    pub(super) fn beginning(&self, entry: u64) -> Result<Option<(Arc<Part>, PathBuf)>, StoreError> {
        match self.firsts.binary_search(&entry) {
            Ok(place) if place > 0 => Ok(Some((self.at(place)?, folder(&self.root, entry)))),
            _ => Ok(None),
        }
    }

    /// A part, opened if it is not.
    pub(super) fn at(&self, place: usize) -> Result<Arc<Part>, StoreError> {
        let first = self.firsts[place];
        let mut older = self.older.lock().unwrap_or_else(PoisonError::into_inner);
        older.last = if older.last.0 == first { (first, older.last.1 + 1) } else { (first, 1) };
        if older.last.1 == IN_A_ROW {
            older.last.1 = 0;
            older.recent.retain(|part| part.first == first);
        }
        if let Some(newest) = self.newest.as_ref().filter(|newest| newest.first == first) {
            return Ok(Arc::clone(newest));
        }
        // Taken hold of before it leaves its place, or this would close it.
        let open = older.known.get(&first).and_then(Weak::upgrade);
        older.recent.retain(|part| part.first != first);
        older.recent.truncate(OPEN_MAX - 1);
        let part = match open {
            Some(part) => part,
            None => {
                let part =
                    Part::open(&self.root, first).map_err(|error| of_part(&self.root, first, error))?;
                let part = part.ok_or_else(|| bad(&self.root, first, "holds nothing"))?;
                Arc::new(Part { database: part.database.older(), ..part })
            }
        };
        older.known.insert(first, Arc::downgrade(&part));
        older.recent.push_front(Arc::clone(&part));
        Ok(part)
    }

    /// Closes an older part that was read to its end, unless somebody else is reading it.
    pub(super) fn leave(&self, place: usize) {
        let mut older = self.older.lock().unwrap_or_else(PoisonError::into_inner);
        older.recent.retain(|part| part.first != self.firsts[place]);
    }

    /// Checks that a part which was read to its end goes on in the one that follows.
    pub(super) fn check_end(&self, place: usize) -> Result<(), StoreError> {
        let Some(following) = self.firsts.get(place + 1) else { return Ok(()) };
        match self.at(place)?.next()? {
            Some(next) if next == *following => Ok(()),
            Some(next) if next < *following => Err(bad(&self.root, next, "is missing")),
            _ => Err(bad(&self.root, *following, "does not follow on the part before it")),
        }
    }

    /// Begins another part, which holds nothing yet, behind these entries; all is synced then, and the others are closed:
    /// two at a time would take twice the memory.
    pub(super) fn begin(&mut self, before: Frontier) -> Result<(), StoreError> {
        let (first, newest) = (before.size(), self.newest()?);
        newest.database.sync()?;
        if newest.next()?.is_some() {
            // It was begun before, and that was interrupted.
            newest.set_layout(&LAYOUT)?;
        }
        remove_behind(&self.root, newest.first)?;
        let path = folder(&self.root, first);
        Database::create(&path)?.sync()?;
        newest.set_layout(&layout::continued(first))?;
        self.older = Mutex::default();
        self.newest = None;
        self.firsts.push(first);
        let database = Database::open(&path)?;
        self.newest = Some(Arc::new(Part { first, database, before }));
        debug!(path = %path.display(), "another part of the ledger begun");
        Ok(())
    }

    /// Empties the parts that begin at or behind `size`; [`Parts::remove_behind`] has to follow.
    pub(super) fn cut(&mut self, size: u64) -> Result<(), StoreError> {
        while self.newest_first() > 0 && self.newest_first() >= size {
            // Without this it holds nothing, as if it had just been begun.
            let newest = &self.newest()?.database;
            newest.remove(&PART_KEY)?;
            newest.sync()?;
            self.newest = Some(self.at(self.len() - 2)?);
            self.firsts.pop();
        }
        self.older = Mutex::default();
        Ok(())
    }

    /// Removes the folders of parts that hold nothing.
    pub(super) fn remove_behind(&self) -> Result<(), StoreError> {
        remove_behind(&self.root, self.newest_first())
    }
}

/// Where a part is that begins with this entry.
fn folder(root: &Path, first: u64) -> PathBuf {
    if first == 0 { root.to_owned() } else { root.join(format!("part-{first}")) }
}

/// The first entries of the parts that there are by name, ascending.
fn listed(root: &Path) -> Result<Vec<u64>, StoreError> {
    let mut firsts = vec![0];
    for entry in fs::read_dir(root).map_err(io_error("list", root))? {
        let entry = entry.map_err(io_error("list", root))?;
        let name = entry.file_name();
        let first = name.to_str().and_then(|name| name.strip_prefix("part-")?.parse().ok());
        firsts.extend(first.filter(|first| *first > 0 && folder(root, *first) == entry.path()));
    }
    firsts.sort_unstable();
    Ok(firsts)
}

/// Removes the folders of parts behind the one that begins with this entry.
fn remove_behind(root: &Path, first: u64) -> Result<(), StoreError> {
    for gone in listed(root)?.into_iter().filter(|other| *other > first) {
        let path = folder(root, gone);
        fs::remove_dir_all(&path).map_err(io_error("remove", &path))?;
        sync_path(root)?;
    }
    Ok(())
}

fn bad(root: &Path, first: u64, problem: impl Into<String>) -> StoreError {
    StoreError::Part { index: first, path: folder(root, first), problem: problem.into() }
}

/// What is wrong with the folder of a part that should be there.
fn of_part(root: &Path, first: u64, error: StoreError) -> StoreError {
    match error {
        StoreError::NotALedger { reason, .. } if first > 0 => {
            bad(root, first, format!("is not whole ({reason})"))
        }
        StoreError::Corrupt { reason, .. } if first > 0 => bad(root, first, format!("is damaged ({reason})")),
        other => other,
    }
}
