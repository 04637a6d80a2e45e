//! One sled database in one folder: a tree that keeps sled to its promises.
//!
//! sled 0.34.7 is the last stable release and will not change; the rules here make it keep its promises, and
//! each was found by killing or unplugging it: every `flush` is followed by our own `sync_data` of the
//! database file, since sled's does not reach the device; nothing is written by a background thread; the
//! folder and the settings file are synced once, when they are new; its panics on damaged files become
//! errors.

use std::fs::{self, File};
use std::io;
use std::ops::{ControlFlow, Range};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::batch::Record;
use crate::store::layout::{self, Bundle, Pair};
use crate::store::{PairVisitor, StoreError};

/// The one tree. A second could not take part in an atomic batch.
const TREE: &str = "ledger/1";
/// Enough for the leaves in hand; a run of any length appends at the right edge only. sled neither appends nor verifies
/// faster with 16 MiB. It takes more than it is given: see [`Database::look_again`].
const CACHE_BYTES: u64 = 4 << 20;
/// How often a pair that was written or read alone is looked up again, see [`Database::look_again`].
const LOOKS: u32 = 4;
/// The same in older parts, of which several may be open: half the memory for a microsecond or two.
const LOOKS_OF_OLDER: u32 = 8;
/// The same of a pair that a scan passed: the others of its page follow.
const LOOKS_OF_SCAN: u32 = 2;
/// The lock of a store that was just dropped can linger, so opening is tried again for two seconds.
pub(super) const LOCK_ATTEMPTS_MAX: u32 = 45;

/// Pairs of a ledger, or of a part of it, in a folder.
#[derive(Debug)]
pub(super) struct Database {
    path: PathBuf,
    /// `None` only while dropping.
    handles: Option<Handles>,
    /// Our own handle of sled's file, for the sync that sled does not do.
    file: File,
    /// Folders whose entries are new and not yet synced.
    unsynced_folders: Mutex<Vec<PathBuf>>,
    /// How often a pair that was read alone is looked up again.
    looks: u32,
}

#[derive(Debug)]
struct Handles {
    tree: sled::Tree,
    db: sled::Db,
}

impl Database {
    /// Makes an empty one in a folder that does not exist yet or is empty. Nothing is synced.
    pub(super) fn create(path: &Path) -> Result<Self, StoreError> {
        let unsynced_folders = make_folder(path)?;
        let mut database = Self::over(open_database(path)?, path)?;
        database.unsynced_folders = Mutex::new(unsynced_folders);
        Ok(database)
    }

    /// Whether there are the files of one: sled would make what is missing, so look before opening.
    ///
    /// # Errors
    /// [`StoreError::NotALedger`] if not.
    pub(super) fn look(path: &Path) -> Result<(), StoreError> {
        let not_a_ledger = |reason| Err(StoreError::NotALedger { path: path.to_owned(), reason });
        if !path.is_dir() {
            return not_a_ledger(if path.exists() { "it is a file" } else { "it does not exist" });
        }
        let bytes_of = |name| fs::metadata(path.join(name)).map_or(0, |file| file.len());
        if bytes_of("db") == 0 || bytes_of("conf") == 0 {
            return not_a_ledger("it lacks the files 'db' and 'conf' of a ledger");
        }
        Ok(())
    }

    /// Opens one that is there. sled may tidy its own files.
    ///
    /// # Errors
    /// [`StoreError::NotALedger`] if there is none, or something else.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        Self::look(path)?;
        let db = open_database(path)?;
        if !guarded(path, || Ok(db.tree_names().iter().any(|name| name == TREE.as_bytes())))? {
            let reason = "its database holds something else";
            return Err(StoreError::NotALedger { path: path.to_owned(), reason });
        }
        Self::over(db, path)
    }

    fn over(db: sled::Db, path: &Path) -> Result<Self, StoreError> {
        let tree = guarded(path, || db.open_tree(TREE))?;
        let file = path.join("db");
        let file = File::options().write(true).open(&file).map_err(io_error("open", &file))?;
        let handles = Some(Handles { tree, db });
        Ok(Self { path: path.to_owned(), handles, file, unsynced_folders: Mutex::default(), looks: LOOKS })
    }

    /// One of several that are open to be read: it keeps fewer pages in memory.
    pub(super) fn older(mut self) -> Self {
        self.looks = LOOKS_OF_OLDER;
        self
    }

    fn tree(&self) -> &sled::Tree {
        &self.handles.as_ref().expect("handles are there until drop").tree
    }

    /// Makes sled let go of the pages that were in use before this pair's.
    ///
    /// Its cache has 256 parts, and a part drops what exceeds its share only once 64 accesses to its pages have come
    /// together (`lru.rs` of 0.34.7). Until then all pages that were read or written stay: 569 MB after a scan of 10
    /// million entries, with a cache of 4 MiB. A look at what is at hand is an access too.
    fn look_again(&self, key: &[u8], times: u32) -> Result<(), StoreError> {
        let tree = self.tree();
        guarded(&self.path, || (0..times).try_for_each(|_| tree.contains_key(key).map(drop)))
    }

    /// sled moves leaves above 128 KiB into files that it never syncs. Small values keep them below that.
    fn check_blobs(&self) -> Result<(), StoreError> {
        let folder = self.path.join("blobs");
        let count = fs::read_dir(&folder).map_err(io_error("list", &folder))?.count();
        if count == 0 { Ok(()) } else { Err(StoreError::Blobs { path: self.path.clone(), count }) }
    }

    /// Shows the records whose index lies in `range`. It breaks when the visitor did, or there can be no more.
    pub(super) fn scan(
        &self,
        range: &Range<u64>,
        visit: &mut dyn FnMut(Record<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, StoreError> {
        let tree = self.tree();
        let (lowest, end) = layout::bundle_bounds();
        // The first record asked for may lie inside a bundle that starts before it.
        let start = guarded(&self.path, || {
            let wanted = layout::bundle_key(range.start);
            let before = tree.range(lowest.as_slice()..=wanted.as_slice()).next_back().transpose()?;
            Ok(before.map_or(lowest.to_vec(), |(key, _)| key.to_vec()))
        })?;
        let mut pairs = tree.range(start.as_slice()..end.as_slice());
        // Perhaps only one is wanted.
        self.look_again(&start, self.looks)?;
        while let Some((key, value)) = guarded(&self.path, || pairs.next().transpose())? {
            self.look_again(&key, LOOKS_OF_SCAN)?;
            for record in Bundle::open(&key, &value)? {
                let record = record?;
                if record.index >= range.end {
                    return Ok(ControlFlow::Break(()));
                }
                if record.index >= range.start && visit(record).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// What lies under a key.
    pub(super) fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let value = guarded(&self.path, || self.tree().get(key))?;
        self.look_again(key, self.looks)?;
        Ok(value.map(|value| value.to_vec()))
    }

    /// Shows the pairs whose key lies from `from` up to `to`, in order. It breaks when the visitor did.
    pub(super) fn values(
        &self,
        from: &[u8],
        to: &[u8],
        visit: &mut PairVisitor<'_>,
    ) -> Result<ControlFlow<()>, StoreError> {
        let mut pairs = self.tree().range(from..to);
        while let Some((key, value)) = guarded(&self.path, || pairs.next().transpose())? {
            self.look_again(&key, LOOKS_OF_SCAN)?;
            if visit(&key, &value).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Stores all pairs or none.
    pub(super) fn insert<'p>(
        &self,
        pairs: impl Iterator<Item = (&'p [u8], &'p [u8])> + Clone,
    ) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        pairs.clone().for_each(|(key, value)| batch.insert(key, value));
        guarded(&self.path, || self.tree().apply_batch(batch))?;
        pairs.map(|(key, _)| key).try_for_each(|key| self.look_again(key, LOOKS))
    }

    /// Removes the pairs whose keys `goes` names and stores others, all at once.
    pub(super) fn replace(&self, goes: impl Fn(&[u8]) -> bool, pairs: &[Pair]) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        for key in self.tree().iter().keys() {
            let key = guarded(&self.path, || key)?;
            self.look_again(&key, LOOKS_OF_SCAN)?;
            if goes(&key) {
                batch.remove(key);
            }
        }
        pairs.iter().for_each(|(key, value)| batch.insert(key.as_slice(), value.as_slice()));
        guarded(&self.path, || self.tree().apply_batch(batch))
    }

    /// Removes one pair.
    pub(super) fn remove(&self, key: &[u8]) -> Result<(), StoreError> {
        guarded(&self.path, || self.tree().remove(key).map(drop))
    }

    /// Returns once everything stored survives a power cut.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        let handles = self.handles.as_ref().expect("handles are there until drop");
        guarded(&self.path, || handles.db.flush())?;
        self.file.sync_data().map_err(io_error("sync", &self.path.join("db")))?;
        let mut unsynced = self.unsynced_folders.lock().unwrap_or_else(PoisonError::into_inner);
        for folder in std::mem::take(&mut *unsynced) {
            sync_path(&folder)?;
        }
        self.check_blobs()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let handles = self.handles.take();
        // sled flushes when its last handle goes; on damaged files it may panic there too.
        if catch_unwind(AssertUnwindSafe(|| drop(handles))).is_err() {
            tracing::error!(path = %self.path.display(), "the ledger's database failed while closing");
        }
    }
}

/// Makes the folder and those above it, and lists what is new and has to be synced: the settings file, the
/// folder, and every folder that got a new entry.
fn make_folder(path: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut unsynced = vec![path.join("conf"), path.join("blobs"), path.to_owned()];
    let mut folder = path;
    loop {
        let is_new = !folder.exists();
        folder = match folder.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        unsynced.push(folder.to_owned());
        if !is_new || folder == Path::new(".") {
            break;
        }
    }
    fs::create_dir_all(path).map_err(io_error("make folder", path))?;
    let occupied = fs::read_dir(path).map_err(io_error("list", path))?.next().is_some();
    if occupied { Err(StoreError::NotEmpty { path: path.to_owned() }) } else { Ok(unsynced) }
}

/// Waits before the next attempt to get a lock: 1 ms at first, 50 ms in the end.
pub(super) fn pause(attempts: u32) {
    std::thread::sleep(Duration::from_millis(50.min(1 << attempts.min(6))));
}

fn open_database(path: &Path) -> Result<sled::Db, StoreError> {
    let config = sled::Config::new()
        .path(path)
        .cache_capacity(CACHE_BYTES)
        .mode(sled::Mode::HighThroughput)
        .use_compression(false)
        .flush_every_ms(None);
    let mut attempts = 1;
    loop {
        remove_unfinished_snapshots(path)?;
        match guarded(path, || config.open()) {
            Err(StoreError::Locked { .. }) if attempts < LOCK_ATTEMPTS_MAX => pause(attempts),
            result => return result,
        }
        attempts += 1;
    }
}

/// Removes what a process that was killed while it opened the database was about to rename to a snapshot.
///
/// sled 0.34.7 takes such a file for its newest snapshot: it leaves out names that end in `.in___motion`, but these end
/// in `.generating` (`Config::get_snapshot_files`). About one kill in two thousand left one, and the database could not
/// be opened any more. Nothing is removed while another process has the database and might be writing it.
fn remove_unfinished_snapshots(path: &Path) -> Result<(), StoreError> {
    let unfinished = |name: &str| name.starts_with("snap.") && name.ends_with(".generating");
    let Ok(entries) = fs::read_dir(path) else { return Ok(()) };
    let found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| file.file_name().and_then(|name| name.to_str()).is_some_and(unfinished))
        .collect();
    let Ok(database) = File::open(path.join("db")) else { return Ok(()) };
    if !found.is_empty() && database.try_lock().is_ok() {
        for file in found {
            fs::remove_file(&file).map_err(io_error("remove", &file))?;
        }
    }
    Ok(())
}

pub(crate) fn sync_path(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(io_error("sync", path))
}

pub(crate) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { action, path, source }
}

/// Calls into sled, and turns its errors and its panics into ours.
fn guarded<T>(path: &Path, call: impl FnOnce() -> sled::Result<T>) -> Result<T, StoreError> {
    let corrupt = |reason: String| StoreError::Corrupt { path: path.to_owned(), reason };
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(sled::Error::Io(source))) if source.to_string().starts_with("could not acquire lock") => {
            Err(StoreError::Locked { path: path.to_owned() })
        }
        Ok(Err(sled::Error::Io(source))) => match source.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => Err(corrupt(source.to_string())),
            _ => Err(StoreError::Io { action: "use the database in", path: path.to_owned(), source }),
        },
        // sled's text ends with a backtrace that it never takes.
        Ok(Err(error)) => Err(corrupt(error.to_string().replace(" backtrace ()", ""))),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(corrupt(format!("the database panicked: {}", text.unwrap_or("no message"))))
        }
    }
}
