//! The store on disk: one sled tree in one folder.
//!
//! sled 0.34.7 is the last stable release and will not change; the rules here make it keep its promises, and
//! each was found by killing or unplugging it: every `flush` is followed by our own `sync_data` of the
//! database file, since sled's does not reach the device; nothing is written by a background thread; the
//! folder and the settings file are synced once, when they are new; its panics on damaged files become
//! errors.
//!
//! One thing sled cannot tell: damage in the segment that it wrote last looks like a write that was torn by a
//! power cut, so it silently falls back to the batch before. Small ledgers fit in one segment. Therefore a
//! finished ledger has its head noted in a file of its own, and verification compares.

use std::fs::{self, File};
use std::io;
use std::ops::{ControlFlow, Range};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tracing::debug;

use crate::batch::{Record, StoredHead, TickBatch};
use crate::head::Head;
use crate::store::layout::{self, Bundle, HEAD_KEY};
use crate::store::{Durability, LedgerReader, LedgerStore, PairVisitor, StoreError};

/// The one tree. A second could not take part in an atomic batch.
const TREE: &str = "ledger/1";
/// The file beside sled's that notes the head of a finished ledger.
const NOTE: &str = "head";
/// Enough for the leaves in hand; a run of any length appends at the right edge only. sled neither appends nor verifies
/// faster with 16 MiB. It takes more than it is given: see [`SledStore::look_again`].
const CACHE_BYTES: u64 = 4 << 20;
/// How often a pair that was written or read alone is looked up again, see [`SledStore::look_again`].
const LOOKS: u32 = 4;
/// The same of a pair that a scan passed: the others of its page follow.
const LOOKS_OF_SCAN: u32 = 2;
/// The lock of a store that was just dropped can linger, so opening is tried again for two seconds.
const LOCK_ATTEMPTS_MAX: u32 = 40;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Keeps a ledger in a folder of its own.
#[derive(Debug)]
pub struct SledStore {
    path: PathBuf,
    /// `None` only while dropping.
    handles: Option<Handles>,
    /// Our own handle of sled's file, for the sync that sled does not do.
    file: File,
    durability: Durability,
    size: u64,
    unsynced_batches: u32,
    /// Folders whose entries are new and not yet synced.
    unsynced_folders: Vec<PathBuf>,
}

#[derive(Debug)]
struct Handles {
    tree: sled::Tree,
    db: sled::Db,
}

impl SledStore {
    /// Makes an empty store in a folder that does not exist yet or is empty.
    ///
    /// # Errors
    /// If the folder holds anything, or cannot be made or written.
    pub fn create(path: &Path, durability: Durability) -> Result<Self, StoreError> {
        let unsynced_folders = make_folder(path)?;
        let mut store = Self::over(open_database(path)?, path, durability)?;
        store.unsynced_folders = unsynced_folders;
        // With `End` nothing is promised before the first sync, and that syncs the folders too.
        if durability != Durability::End {
            store.sync()?;
        }
        debug!(path = %path.display(), ?durability, "ledger created");
        Ok(store)
    }

    /// Opens the store in this folder and makes nothing that is not there. sled may still tidy its own files.
    ///
    /// # Errors
    /// If there is no ledger in the folder, it is damaged, or another writer has it.
    pub fn open(path: &Path, durability: Durability) -> Result<Self, StoreError> {
        let not_a_ledger = |reason| {
            let path = path.to_owned();
            if path.join(NOTE).exists() {
                StoreError::Corrupt {
                    path,
                    reason: format!("it has the file '{NOTE}' of a ledger, but {reason}"),
                }
            } else {
                StoreError::NotALedger { path, reason }
            }
        };
        if !path.is_dir() {
            return Err(not_a_ledger(if path.exists() { "it is a file" } else { "it does not exist" }));
        }
        // sled would make what is missing, so look before opening.
        let bytes_of = |name| fs::metadata(path.join(name)).map_or(0, |file| file.len());
        if bytes_of("db") == 0 || bytes_of("conf") == 0 {
            return Err(not_a_ledger("it lacks the files 'db' and 'conf' of a ledger"));
        }
        let db = open_database(path)?;
        if !guarded(path, || Ok(db.tree_names().iter().any(|name| name == TREE.as_bytes())))? {
            return Err(not_a_ledger("its database holds something else"));
        }
        let mut store = Self::over(db, path, durability)?;
        // A head that cannot be read is for `verify` to report; nothing can be appended behind it.
        store.size = match store.head() {
            Ok(stored) => stored.map_or(0, |stored| stored.head.size),
            Err(StoreError::MalformedHead { .. }) => u64::MAX,
            Err(error) => return Err(error),
        };
        debug!(path = %path.display(), entries = store.size, "ledger opened");
        Ok(store)
    }

    fn over(db: sled::Db, path: &Path, durability: Durability) -> Result<Self, StoreError> {
        let tree = guarded(path, || db.open_tree(TREE))?;
        let file = path.join("db");
        let file = File::options().write(true).open(&file).map_err(io_error("open", &file))?;
        Ok(Self {
            path: path.to_owned(),
            handles: Some(Handles { tree, db }),
            file,
            durability,
            size: 0,
            unsynced_batches: 0,
            unsynced_folders: Vec::new(),
        })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn handles(&self) -> &Handles {
        self.handles.as_ref().expect("handles are there until drop")
    }

    /// Makes sled let go of the pages that were in use before this pair's.
    ///
    /// Its cache has 256 parts, and a part drops what exceeds its share only once 64 accesses to its pages have come
    /// together (`lru.rs` of 0.34.7). Until then all pages that were read or written stay: 569 MB after a scan of 10
    /// million entries, with a cache of 4 MiB. A look at what is at hand is an access too.
    fn look_again(&self, key: &[u8], times: u32) -> Result<(), StoreError> {
        let tree = &self.handles().tree;
        guarded(&self.path, || (0..times).try_for_each(|_| tree.contains_key(key).map(drop)))
    }

    /// sled moves leaves above 128 KiB into files that it never syncs. Small values keep them below that.
    fn check_blobs(&self) -> Result<(), StoreError> {
        let folder = self.path.join("blobs");
        let count = fs::read_dir(&folder).map_err(io_error("list", &folder))?.count();
        if count == 0 { Ok(()) } else { Err(StoreError::Blobs { path: self.path.clone(), count }) }
    }
}

impl LedgerReader for SledStore {
    fn head(&self) -> Result<Option<StoredHead>, StoreError> {
        let value = guarded(&self.path, || self.handles().tree.get(HEAD_KEY))?;
        value.map(|value| layout::decode_head(&value)).transpose()
    }

    fn noted_head(&self) -> Result<Option<Head>, StoreError> {
        let note = self.path.join(NOTE);
        match fs::read(&note) {
            Ok(bytes) => match Head::from_bytes(&bytes) {
                Ok(head) => Ok(Some(head)),
                Err(_) => {
                    Err(StoreError::MalformedHead { problem: "its note in the file 'head' is damaged" })
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error("read", &note)(error)),
        }
    }

    fn scan(
        &self,
        range: Range<u64>,
        visit: &mut dyn FnMut(Record<'_>) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let tree = &self.handles().tree;
        let (lowest, end) = layout::bundle_bounds();
        // The first record asked for may lie inside a bundle that starts before it.
        let start = guarded(&self.path, || {
            let wanted = layout::bundle_key(range.start);
            let before = tree.range(lowest.as_slice()..=wanted.as_slice()).next_back().transpose()?;
            Ok(before.map_or(lowest.to_vec(), |(key, _)| key.to_vec()))
        })?;
        let mut pairs = tree.range(start.as_slice()..end.as_slice());
        // Perhaps only one is wanted.
        self.look_again(&start, LOOKS)?;
        while let Some((key, value)) = guarded(&self.path, || pairs.next().transpose())? {
            self.look_again(&key, LOOKS_OF_SCAN)?;
            for record in Bundle::open(&key, &value)? {
                let record = record?;
                if record.index >= range.end {
                    return Ok(());
                }
                if record.index >= range.start && visit(record).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let value = guarded(&self.path, || self.handles().tree.get(key))?;
        self.look_again(key, LOOKS)?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn values(&self, from: &[u8], to: &[u8], visit: &mut PairVisitor<'_>) -> Result<(), StoreError> {
        let mut pairs = self.handles().tree.range(from..to);
        while let Some((key, value)) = guarded(&self.path, || pairs.next().transpose())? {
            self.look_again(&key, LOOKS_OF_SCAN)?;
            if visit(&key, &value).is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl LedgerStore for SledStore {
    fn commit(&mut self, batch: &TickBatch) -> Result<(), StoreError> {
        if batch.first() != self.size {
            return Err(StoreError::StaleBatch { batch: batch.first(), stored: self.size });
        }
        let mut pairs = sled::Batch::default();
        for (key, value) in batch.pairs() {
            pairs.insert(key, value);
        }
        guarded(&self.path, || self.handles().tree.apply_batch(pairs))?;
        for (key, _) in batch.pairs() {
            self.look_again(key, LOOKS)?;
        }
        // The first batch makes a ledger of the folder; from then on it can be opened, whatever happens.
        let due = self.size == 0;
        self.size = batch.stored_head().head.size;
        self.unsynced_batches += 1;
        if due || self.unsynced_batches >= self.durability.batches_between_syncs() {
            self.sync()?;
        }
        Ok(())
    }

    fn rewind(&mut self, to: &StoredHead) -> Result<(), StoreError> {
        // The note speaks of the entries that go; without it there is only less to compare with.
        let note = self.path.join(NOTE);
        match fs::remove_file(&note) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error("remove", &note)(error));
            }
            _ => sync_path(&self.path)?,
        }
        let mut pairs = sled::Batch::default();
        for key in self.handles().tree.iter().keys() {
            let key = guarded(&self.path, || key)?;
            self.look_again(&key, LOOKS_OF_SCAN)?;
            if layout::lies_beyond(&key, to.head.size) {
                pairs.remove(key);
            }
        }
        pairs.insert(&HEAD_KEY, layout::encode_head(to));
        guarded(&self.path, || self.handles().tree.apply_batch(pairs))?;
        self.size = to.head.size;
        self.sync()
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        guarded(&self.path, || self.handles().db.flush())?;
        self.file.sync_data().map_err(io_error("sync", &self.path.join("db")))?;
        for folder in std::mem::take(&mut self.unsynced_folders) {
            sync_path(&folder)?;
        }
        self.unsynced_batches = 0;
        self.check_blobs()
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        self.sync()?;
        let Some(stored) = self.head()? else { return Ok(()) };
        let (note, new) = (self.path.join(NOTE), self.path.join("head.new"));
        fs::write(&new, stored.head.to_bytes()).map_err(io_error("write", &new))?;
        sync_path(&new)?;
        fs::rename(&new, &note).map_err(io_error("rename", &new))?;
        sync_path(&self.path)
    }
}

impl Drop for SledStore {
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
            Err(StoreError::Locked { .. }) if attempts < LOCK_ATTEMPTS_MAX => std::thread::sleep(LOCK_PAUSE),
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
