//! A ledger whose folder cannot be written, read in a copy: the database writes when it is opened.

use std::fs::{self, File, TryLockError};
use std::io;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

use phalanx_ledger::{
    Durability, Head, Joint, LedgerReader, PairVisitor, Record, SledStore, StoreError, StoredHead,
};
use tempfile::TempDir;

use crate::size::Bytes;
use crate::terminal::complain;

/// The copy, which goes when it is no longer read.
pub(super) struct Copied {
    store: SledStore,
    original: PathBuf,
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
        Ok(Self { store, original: path.to_owned(), _folder: folder })
    }
}

/// The same error of the original.
fn named(error: StoreError, original: &Path) -> StoreError {
    let path = original.to_owned();
    match error {
        StoreError::Corrupt { reason, .. } => StoreError::Corrupt { path, reason },
        StoreError::NotALedger { reason, .. } => StoreError::NotALedger { path, reason },
        StoreError::Part { index, path: copy, problem } => {
            StoreError::Part { index, path: original_part(&copy, original), problem }
        }
        other => other,
    }
}

/// The folder that the part in this one is a copy of.
fn original_part(copy: &Path, original: &Path) -> PathBuf {
    original.join(copy.file_name().unwrap_or_default())
}

/// Whether the database could write its files in this folder.
pub(super) fn is_writable(path: &Path) -> bool {
    let may_write = |path: &Path| {
        #[cfg(unix)]
        return rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok();
        #[cfg(not(unix))]
        return fs::metadata(path).is_ok_and(|it| !it.permissions().readonly());
    };
    let is_part = |path: &Path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("part-")) && path.is_dir()
    };
    let entries = fs::read_dir(path).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    // What is not there is for the store to say.
    entries
        .filter(|path| is_part(path))
        .chain([path.to_owned()])
        .all(|folder| [&folder, &folder.join("db")].into_iter().all(|path| !path.exists() || may_write(path)))
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

/// Copies a ledger's folder; gives its bytes. A writer is kept out meanwhile.
fn copy(from: &Path, to: &Path) -> Result<u64, Trouble> {
    // The second is locked whichever part of the ledger is open.
    let mut locks = Vec::new();
    for name in ["db", "conf"] {
        let file = File::open(from.join(name))?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => return Err(Trouble::Locked),
            // Where there are no locks, nobody holds one.
            Ok(()) | Err(TryLockError::Error(_)) => locks.push(file),
        }
    }
    Ok(copy_folder(from, to)?)
}

/// Copies the files of a folder and of all folders in it.
fn copy_folder(from: &Path, to: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        bytes += if entry.file_type()?.is_dir() {
            fs::create_dir(&target)?;
            copy_folder(&entry.path(), &target)?
        } else {
            copy_file(&entry.path(), &target)?
        };
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
        self.store.scan(range, visit).map_err(|error| named(error, &self.original))
    }

    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.value(key)
    }

    fn values(&self, from: &[u8], to: &[u8], visit: &mut PairVisitor<'_>) -> Result<(), StoreError> {
        self.store.values(from, to, visit)
    }

    fn joint(&self, index: u64) -> Result<Option<Joint>, StoreError> {
        let joint = self.store.joint(index).map_err(|error| named(error, &self.original))?;
        Ok(joint.map(|joint| Joint { path: original_part(&joint.path, &self.original), ..joint }))
    }

    fn others(&self, index: u64) -> Result<u64, StoreError> {
        self.store.others(index)
    }
}
