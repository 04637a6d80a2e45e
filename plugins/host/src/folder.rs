//! A folder that nobody but this user can write to.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

/// Why compiled plugins cannot be kept in a folder.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// It cannot be made or looked at.
    #[error("{}: {source}", .folder.display())]
    Io {
        /// Which.
        folder: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Others can write to it, or to a folder above it.
    #[error(
        "others can write to {} (mode {mode:o}): compiled code from there could run anything; change that with `chmod go-w {}`, or name another folder",
        .folder.display(), .folder.display()
    )]
    Writable {
        /// Which.
        folder: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is a folder for everybody, such as `/tmp`.
    #[error(
        "everybody can write to {} (mode {mode:o}): compiled code from there could run anything; name a folder of your own below it",
        .folder.display()
    )]
    Everybodys {
        /// Which.
        folder: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It, or a folder above it, is another user's.
    #[error(
        "{} belongs to user {owner}, not to user {user} who runs this: compiled code from there could run anything; name another folder",
        .folder.display()
    )]
    Foreign {
        /// Which.
        folder: PathBuf,
        /// Whose.
        owner: u32,
        /// Who asks.
        user: u32,
    },
    /// Permissions are not known here.
    #[error("compiled plugins are kept on Unix alone; leave the cache out")]
    Unsupported,
}

/// A folder that was checked, with all folders above it.
#[derive(Debug)]
pub(crate) struct Safe {
    path: PathBuf,
    #[cfg(unix)]
    user: u32,
}

impl Safe {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Write permission of group and others. An access list shows in the group's.
#[cfg(unix)]
const OTHERS_WRITE: u32 = 0o022;
/// In such a folder (`/tmp`), others can add files and cannot replace ours.
#[cfg(unix)]
const STICKY: u32 = 0o1000;

#[cfg(unix)]
impl Safe {
    /// Makes the folder if it is not there, for this user alone.
    pub(crate) fn open(folder: &Path) -> Result<Self, CacheError> {
        use std::os::unix::fs::{DirBuilderExt, MetadataExt};

        let failed = |path: &Path| {
            let folder = path.to_owned();
            move |source| CacheError::Io { folder, source }
        };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed(folder))?;
        // Without links, so that each folder on the way is one that is looked at.
        let path = folder.canonicalize().map_err(failed(folder))?;
        let user = nix::unistd::geteuid().as_raw();
        for (above, folder) in path.ancestors().enumerate() {
            let metadata = folder.metadata().map_err(failed(folder))?;
            let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
            if owner != user && (above == 0 || owner != 0) {
                return Err(CacheError::Foreign { folder: folder.to_owned(), owner, user });
            }
            match (mode & OTHERS_WRITE != 0, mode & STICKY != 0) {
                (true, false) => return Err(CacheError::Writable { folder: folder.to_owned(), mode }),
                (true, true) if above == 0 => {
                    return Err(CacheError::Everybodys { folder: folder.to_owned(), mode });
                }
                _ => {}
            }
        }
        Ok(Self { path, user })
    }

    /// Whether an open file is ours alone.
    pub(crate) fn check_file(&self, file: &Metadata) -> Result<(), String> {
        use std::os::unix::fs::MetadataExt;

        if !file.is_file() {
            return Err("it is no file".to_owned());
        }
        if file.uid() != self.user {
            return Err(format!("it belongs to user {}", file.uid()));
        }
        if file.mode() & OTHERS_WRITE != 0 {
            return Err(format!("others can write to it (mode {:o})", file.mode() & 0o7777));
        }
        Ok(())
    }
}

#[cfg(not(unix))]
impl Safe {
    pub(crate) fn open(_: &Path) -> Result<Self, CacheError> {
        Err(CacheError::Unsupported)
    }

    pub(crate) fn check_file(&self, _: &Metadata) -> Result<(), String> {
        Err(CacheError::Unsupported.to_string())
    }
}
