//! The store on disk: one sled database in one folder, and a folder more in it for each further part of a very long
//! ledger.
//!
//! One thing sled cannot tell: damage in the segment that it wrote last looks like a write that was torn by a
//! power cut, so it silently falls back to the batch before. Small ledgers fit in one segment. Therefore a
//! finished ledger has its head noted in a file of its own, and verification compares.

use std::fs::{self, File, TryLockError};
use std::io;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

use tracing::debug;

use crate::batch::{Record, StoredHead, TickBatch};
use crate::head::Head;
use crate::merkle::Frontier;
use crate::store::database::{Database, LOCK_ATTEMPTS_MAX, io_error, pause, sync_path};
use crate::store::layout::{
    self, BY_AGENT, BY_INDICATOR, HEAD_KEY, LAYOUT, LAYOUT_KEY, OTHERS, PART_KEY, entry_of, next_part,
};
use crate::store::parts::Parts;
use crate::store::{Durability, Joint, LedgerReader, LedgerStore, PairVisitor, StoreError};

/// The file beside sled's that notes the head of a finished ledger.
const NOTE: &str = "head";
/// Entries of a part. Smaller parts take no less memory, see `docs/performance-ledger.md`, and there are more to open.
const PART_ENTRIES: u64 = 1 << 20;

/// Keeps a ledger in a folder of its own.
#[derive(Debug)]
pub struct SledStore {
    path: PathBuf,
    parts: Parts,
    durability: Durability,
    /// Number of entries; more than there can be if nothing can be appended.
    size: u64,
    /// The frontier of so many.
    frontier: Frontier,
    unsynced_batches: u32,
    /// Entries of a part, at least; another begins with the next batch.
    part_entries: u64,
    /// Keeps others out, whichever part is open. Behind the parts, so that they are closed first.
    _lock: File,
}

impl SledStore {
    /// Makes an empty store in a folder that does not exist yet or is empty.
    ///
    /// # Errors
    /// If the folder holds anything, or cannot be made or written.
    pub fn create(path: &Path, durability: Durability) -> Result<Self, StoreError> {
        let database = Database::create(path)?;
        let lock = lock(path)?;
        // With `End` nothing is promised before the first sync, and that syncs the folders too.
        if durability != Durability::End {
            database.sync()?;
        }
        debug!(path = %path.display(), ?durability, "ledger created");
        Ok(Self::over(path, Parts::new(path, database), durability, lock))
    }

    /// Opens the store in this folder and makes nothing that is not there. sled may still tidy its own files.
    ///
    /// # Errors
    /// If there is no ledger in the folder, it is damaged, or another writer has it.
    pub fn open(path: &Path, durability: Durability) -> Result<Self, StoreError> {
        let opened = Database::look(path).and_then(|()| {
            let lock = lock(path)?;
            Ok((Parts::open(path)?, lock))
        });
        let (parts, lock) = opened.map_err(|error| match error {
            StoreError::NotALedger { path, reason } if path.join(NOTE).exists() => StoreError::Corrupt {
                path,
                reason: format!("it has the file '{NOTE}' of a ledger, but {reason}"),
            },
            error => error,
        })?;
        let mut store = Self::over(path, parts, durability, lock);
        match store.head() {
            Ok(Some(stored)) => (store.size, store.frontier) = (stored.head.size, stored.frontier),
            Ok(None) if store.parts.len() == 1 => {}
            // A head that cannot be read is for `verify` to report; nothing can be appended behind it.
            Ok(None) | Err(StoreError::MalformedHead { .. }) => store.size = u64::MAX,
            Err(error) => return Err(error),
        }
        debug!(path = %path.display(), entries = store.size, "ledger opened");
        Ok(store)
    }

    fn over(path: &Path, parts: Parts, durability: Durability, lock: File) -> Self {
        Self {
            path: path.to_owned(),
            parts,
            durability,
            size: 0,
            frontier: Frontier::new(),
            unsynced_batches: 0,
            part_entries: PART_ENTRIES,
            _lock: lock,
        }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins another part after so many entries from now on: for tests, which have no time to write a million.
    #[doc(hidden)]
    #[must_use]
    pub fn with_part_entries(mut self, entries: u64) -> Self {
        self.part_entries = entries;
        self
    }
}

/// Locks a ledger as a whole: sled locks the parts that are open, and older versions of us the first part.
fn lock(path: &Path) -> Result<File, StoreError> {
    let conf = path.join("conf");
    let file = File::open(&conf).map_err(io_error("open", &conf))?;
    for attempts in 0..LOCK_ATTEMPTS_MAX {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => pause(attempts),
            // Where there are no locks, nobody holds one.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(file),
        }
    }
    Err(StoreError::Locked { path: path.to_owned() })
}

impl LedgerReader for SledStore {
    fn head(&self) -> Result<Option<StoredHead>, StoreError> {
        let value = self.parts.newest()?.database.value(&HEAD_KEY)?;
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
        for place in self.parts.place(range.start)..self.parts.len() {
            if self.parts.at(place)?.database.scan(&range, visit)?.is_break() {
                break;
            }
            self.parts.check_end(place)?;
            self.parts.leave(place);
        }
        Ok(())
    }

    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match entry_of(key) {
            Some(entry) => self.parts.at(self.parts.place(entry))?.database.value(key),
            None => {
                let value = self.parts.newest()?.database.value(key)?;
                // What a part says of itself is not the ledger's.
                let is_own = key == LAYOUT_KEY && value.as_deref().and_then(next_part).is_some();
                Ok(if is_own { Some(LAYOUT.to_vec()) } else { value })
            }
        }
    }

    /// Part after part. What parts say of themselves is not shown.
    fn values(&self, from: &[u8], to: &[u8], visit: &mut PairVisitor<'_>) -> Result<(), StoreError> {
        let newest = self.parts.len() - 1;
        // A part for each block of postings; other pairs are anywhere.
        let in_order = from.first() == to.first() && matches!(from.first(), Some(&(BY_AGENT | BY_INDICATOR)));
        let ends = entry_of(from).zip(entry_of(to)).filter(|_| in_order);
        let (start, end) = ends.map_or((0, newest), |(a, b)| (self.parts.place(a), self.parts.place(b)));
        for place in start..=end {
            let shown = self.parts.at(place)?.database.values(from, to, &mut |key, value| {
                if key == PART_KEY || (key == LAYOUT_KEY && place != newest) {
                    return ControlFlow::Continue(());
                }
                visit(key, value)
            })?;
            if shown.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn joint(&self, index: u64) -> Result<Option<Joint>, StoreError> {
        let part = self.parts.beginning(index)?;
        Ok(part.map(|(part, path)| Joint { before: part.before.clone(), path }))
    }

    fn others(&self, index: u64) -> Result<u64, StoreError> {
        let place = self.parts.place(index);
        let part = self.parts.at(place)?;
        // Verification asks this of a part when it is done with it.
        self.parts.leave(place);
        let mut count = 0;
        for (from, to) in OTHERS {
            let _ = part.database.values(from, to, &mut |key, _| {
                count += u64::from(part.first == 0 || (key != PART_KEY && key != LAYOUT_KEY));
                ControlFlow::Continue(())
            })?;
        }
        Ok(count)
    }
}

impl LedgerStore for SledStore {
    fn commit(&mut self, batch: &TickBatch) -> Result<(), StoreError> {
        if batch.first() != self.size {
            return Err(StoreError::StaleBatch { batch: batch.first(), stored: self.size });
        }
        let is_full = self.size - self.parts.newest_first() >= self.part_entries;
        // Layout 1 has no parts.
        let begins = is_full && self.parts.newest()?.database.value(&LAYOUT_KEY)?.is_some();
        if begins {
            self.parts.begin(self.frontier.clone())?;
            let part = layout::encode_part(&self.frontier);
            let own = [(PART_KEY.as_slice(), part.as_slice()), (LAYOUT_KEY.as_slice(), LAYOUT.as_slice())];
            self.parts.newest()?.database.insert(batch.pairs().chain(own))?;
        } else {
            self.parts.newest()?.database.insert(batch.pairs())?;
        }
        // The first batch makes a ledger of the folder; from then on it can be opened, whatever happens.
        let due = begins || self.size == 0;
        self.size = batch.stored_head().head.size;
        self.frontier.clone_from(&batch.stored_head().frontier);
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
        let size = to.head.size;
        self.parts.cut(size)?;
        let newest = &self.parts.newest()?.database;
        let mut pairs = vec![(HEAD_KEY.to_vec(), layout::encode_head(to))];
        if newest.value(&LAYOUT_KEY)?.is_some() {
            pairs.push((LAYOUT_KEY.to_vec(), LAYOUT.to_vec()));
        }
        newest.replace(|key| layout::lies_beyond(key, size), &pairs)?;
        (self.size, self.frontier) = (size, to.frontier.clone());
        self.sync()?;
        self.parts.remove_behind()
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.parts.newest()?.database.sync()?;
        self.unsynced_batches = 0;
        Ok(())
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use phalanx_core::Tick;

    use super::*;
    use crate::{Entry, Ledger, LedgerKey};

    #[test]
    fn older_parts_stay_open_for_those_who_read_here_and_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let store = SledStore::create(&path, Durability::End).unwrap().with_part_entries(2);
        let mut ledger = Ledger::create(store, LedgerKey::from_seed(1), [0; 32], "0.1.0", 1).unwrap();
        for tick in 0..8 {
            let entry = Entry::Fingerprint { tick: Tick(tick), fingerprint: [0; 32] };
            ledger.append_tick(Tick(tick), &[entry]).unwrap();
        }
        let parts = &ledger.store().parts;
        assert_eq!(parts.len(), 5);
        let [first, second] = [0, 1].map(|place| parts.at(place).unwrap());
        for _ in 0..200 {
            assert!(
                Arc::ptr_eq(&first, &parts.at(0).unwrap()) && Arc::ptr_eq(&second, &parts.at(1).unwrap())
            );
        }
        let [first, second] = [first, second].map(|part| Arc::downgrade(&part));
        assert_eq!([first.strong_count(), second.strong_count()], [1, 1], "held without a reader");
        (0..100).for_each(|_| drop(parts.at(0).unwrap()));
        assert_eq!([first.strong_count(), second.strong_count()], [1, 0], "only the first was read lately");
        (0..100).for_each(|_| drop(parts.at(4).unwrap()));
        assert_eq!(first.strong_count(), 0, "only the newest was read lately");
        let third = Arc::downgrade(&parts.at(2).unwrap());
        ledger.store().scan(0..u64::MAX, &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(third.strong_count(), 0, "a scan leaves no part open behind it");
        assert!(parts.newest().is_ok());
    }
}
