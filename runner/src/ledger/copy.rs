//! A ledger whose folder cannot be written, read in a copy: the database writes when it is opened.

use std::fs::{self, File, TryLockError};
use std::io;
use std::ops::{ControlFlow, Range};
use std::path::Path;

use phalanx_ledger::{
    Durability, Head, LedgerReader, PairVisitor, Record, SledStore, StoreError, StoredHead,
};
use tempfile::TempDir;

use crate::size::Bytes;
use crate::terminal::complain;

/// The copy, which goes when it is no longer read.
pub(super) struct Copied {
    store: SledStore,
    /// Behind the store, so that it is removed when that is closed.
    _folder: TempDir,
}

impl Copied {
    /// Copies a ledger to the folder for temporary files, opens it there, and says so on standard error.
    ///
    /// # Errors
    /// If it cannot be read or copied, another process is writing it, or the copy cannot be opened.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let at = |action, path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::Io { action, path, source }
        };
        let temporary = std::env::temp_dir();
        let folder = TempDir::with_prefix("phalanx-ledger-")
            .map_err(at("make a folder for a copy of the ledger in", &temporary))?;
        let bytes = match copy(path, folder.path()) {
            Ok(bytes) => bytes,
            Err(Trouble::Locked) => return Err(StoreError::Locked { path: path.to_owned() }),
            Err(Trouble::Io(source)) => {
                return Err(at("copy the ledger, which cannot be written,", path)(source));
            }
        };
        complain(&format!(
            "note: {} cannot be written, and the database writes when it is opened: a copy is read, {} in {}\n",
            path.display(),
            Bytes(bytes),
            temporary.display(),
        ));
        let store = SledStore::open(folder.path(), Durability::End).map_err(|error| named(error, path))?;
        Ok(Self { store, _folder: folder })
    }
}

/// The same error of the original.
fn named(error: StoreError, original: &Path) -> StoreError {
    let path = original.to_owned();
    match error {
        StoreError::Corrupt { reason, .. } => StoreError::Corrupt { path, reason },
        StoreError::NotALedger { reason, .. } => StoreError::NotALedger { path, reason },
        other => other,
    }
}

/// Whether the database could write its files in this folder.
pub(super) fn is_writable(path: &Path) -> bool {
    let may_write = |path: &Path| {
        #[cfg(unix)]
        return rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok();
        #[cfg(not(unix))]
        return fs::metadata(path).is_ok_and(|it| !it.permissions().readonly());
    };
    // What is not there is for the store to say.
    [path, &path.join("db")].into_iter().all(|path| !path.exists() || may_write(path))
}

enum Trouble {
    Locked,
    Io(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Copies the files of a folder and of the folders in it; gives their bytes. A writer is kept out meanwhile.
fn copy(from: &Path, to: &Path) -> Result<u64, Trouble> {
    let database = File::open(from.join("db"))?;
    match database.try_lock_shared() {
        Err(TryLockError::WouldBlock) => return Err(Trouble::Locked),
        // Where there are no locks, nobody holds one.
        Ok(()) | Err(TryLockError::Error(_)) => {}
    }
    let mut bytes = 0;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir(&target)?;
            for entry in fs::read_dir(entry.path())? {
                let entry = entry?;
                bytes += copy_file(&entry.path(), &target.join(entry.file_name()))?;
            }
        } else {
            bytes += copy_file(&entry.path(), &target)?;
        }
    }
    Ok(bytes)
}

/// Copies the bytes alone: the permissions of the original are why there is a copy.
fn copy_file(from: &Path, to: &Path) -> io::Result<u64> {
    io::copy(&mut File::open(from)?, &mut File::create(to)?)
}

impl LedgerReader for Copied {
    fn head(&self) -> Result<Option<StoredHead>, StoreError> {
        self.store.head()
    }

    fn noted_head(&self) -> Result<Option<Head>, StoreError> {
        self.store.noted_head()
    }

    fn scan(
        &self,
        range: Range<u64>,
        visit: &mut dyn FnMut(Record<'_>) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.store.scan(range, visit)
    }

    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.value(key)
    }

    fn values(&self, from: &[u8], to: &[u8], visit: &mut PairVisitor<'_>) -> Result<(), StoreError> {
        self.store.values(from, to, visit)
    }
}
