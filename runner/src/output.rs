//! The output folder: one writer, whole files or none.
//!
//! Files are written beside their name and renamed when they are complete. While the program runs, `.lock` is held
//! exclusively; it is removed at the end.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::RunnerError;

const LOCK: &str = ".lock";

/// A folder that only this process writes to.
#[derive(Debug)]
pub struct OutFolder {
    path: PathBuf,
    // Locked as long as it is open.
    _lock: File,
}

impl OutFolder {
    /// Takes `folder`, which must be absent or empty.
    ///
    /// # Errors
    /// If it holds anything, is a file, is locked, or cannot be made.
    pub fn create(folder: &Path) -> Result<Self, RunnerError> {
        Self::check(folder)?;
        fs::create_dir_all(folder).map_err(RunnerError::io("create the folder", folder))?;
        Self::lock(folder.to_owned())
    }

    /// Whether `folder` could be taken now. Writes nothing.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn check(folder: &Path) -> Result<(), RunnerError> {
        let taken = match fs::read_dir(folder) {
            Ok(mut entries) => entries.next().is_some(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(_) if folder.is_file() => {
                return Err(RunnerError::FolderIsFile { folder: folder.to_owned() });
            }
            Err(error) => return Err(RunnerError::io("read the folder", folder)(error)),
        };
        if !taken {
            return Ok(());
        }
        let folder = folder.to_owned();
        Err(if Self::is_locked(&folder) {
            RunnerError::FolderLocked { folder }
        } else {
            RunnerError::FolderTaken { folder }
        })
    }

    /// Takes a new folder `stem` inside `parent`, or `stem-2`, `stem-3` … if that exists.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create_numbered(parent: &Path, stem: &str) -> Result<Self, RunnerError> {
        fs::create_dir_all(parent).map_err(RunnerError::io("create the folder", parent))?;
        for number in 1u32.. {
            let name = if number == 1 { stem.to_owned() } else { format!("{stem}-{number}") };
            let folder = parent.join(name);
            match fs::create_dir(&folder) {
                Ok(()) => return Self::lock(folder),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(RunnerError::io("create the folder", &folder)(error)),
            }
        }
        unreachable!("four billion folders of one name")
    }

    /// Takes a folder that an earlier process wrote to.
    ///
    /// # Errors
    /// If it is locked by another process or cannot be locked.
    pub fn reopen(folder: &Path) -> Result<Self, RunnerError> {
        Self::lock(folder.to_owned())
    }

    /// Whether a process writes to the folder now.
    #[must_use]
    pub fn is_locked(folder: &Path) -> bool {
        File::open(folder.join(LOCK))
            .is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
    }

    fn lock(path: PathBuf) -> Result<Self, RunnerError> {
        let file = path.join(LOCK);
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&file)
            .map_err(RunnerError::io("create the lock file", &file))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(RunnerError::FolderLocked { folder: path }),
            Err(TryLockError::Error(error)) => Err(RunnerError::io("lock", &file)(error)),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a whole file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<(), RunnerError> {
        let mut file = self.begin(name)?;
        file.write(text.as_bytes())?;
        file.finish()
    }

    /// Begins a file that gets its name by [`Pending::finish`].
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn begin(&self, name: &str) -> Result<Pending, RunnerError> {
        Pending::begin(self.path.join(name))
    }
}

impl Drop for OutFolder {
    fn drop(&mut self) {
        // A lock file that stays behind holds no lock: it only keeps the folder from being empty.
        let _ = fs::remove_file(self.path.join(LOCK));
    }
}

/// A file on the way. One that does not get its name is removed.
#[derive(Debug)]
pub struct Pending {
    writer: BufWriter<File>,
    beside: PathBuf,
    path: PathBuf,
    has_name: bool,
}

impl Pending {
    /// Begins a file beside `path`.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn begin(path: PathBuf) -> Result<Self, RunnerError> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".tmp");
        let beside = path.with_file_name(name);
        let file = File::create(&beside).map_err(RunnerError::io("write", &beside))?;
        Ok(Self { writer: BufWriter::new(file), beside, path, has_name: false })
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), RunnerError> {
        self.writer.write_all(bytes).map_err(RunnerError::io("write", &self.path))
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// If it cannot be written or renamed.
    pub fn finish(mut self) -> Result<(), RunnerError> {
        self.writer.flush().map_err(RunnerError::io("write", &self.path))?;
        fs::rename(&self.beside, &self.path).map_err(RunnerError::io("rename to", &self.path))?;
        self.has_name = true;
        Ok(())
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        // After a rename the name beside is free, and another writer's file may have it.
        if !self.has_name {
            let _ = fs::remove_file(&self.beside);
        }
    }
}

impl Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Writes a whole file of any folder.
///
/// # Errors
/// If it cannot be written.
pub fn write_whole(path: &Path, text: &str) -> Result<(), RunnerError> {
    let mut file = Pending::begin(path.to_owned())?;
    file.write(text.as_bytes())?;
    file.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_writer_and_must_be_empty() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("deep/run");
        let folder = OutFolder::create(&path).unwrap();
        assert!(matches!(OutFolder::create(&path), Err(RunnerError::FolderLocked { .. })));
        folder.write("runs.csv", "a\n").unwrap();
        drop(folder);
        assert!(matches!(OutFolder::create(&path), Err(RunnerError::FolderTaken { .. })));
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1, "neither lock nor temporary files stay");
        assert!(matches!(OutFolder::create(&path.join("runs.csv")), Err(RunnerError::FolderIsFile { .. })));
    }

    #[test]
    fn a_file_that_gets_no_name_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs.csv");
        let names =
            || fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name()).collect::<Vec<_>>();
        let mut file = Pending::begin(path.clone()).unwrap();
        file.write(b"a\n").unwrap();
        assert_eq!(names(), ["runs.csv.tmp"]);
        drop(file);
        assert_eq!(names(), [""; 0]);
        write_whole(&path, "a\n").unwrap();
        assert_eq!(names(), ["runs.csv"]);
    }

    #[test]
    fn numbered_folders_count_up() {
        let parent = tempfile::tempdir().unwrap();
        let names: Vec<_> = (0..3)
            .map(|_| OutFolder::create_numbered(parent.path(), "edge-42").unwrap())
            .map(|f| f.path().file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["edge-42", "edge-42-2", "edge-42-3"]);
    }
}
