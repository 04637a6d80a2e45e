//! Compiled plugins on disk, so that a large one, an interpreter, need not be compiled in every process.
//!
//! Compiled code is not validated when it is read, only trusted: a forged file would run outside the sandbox. So only
//! this host writes such files, in a folder that nobody else can write to ([`Safe`]), under a name that says for which
//! plugin and settings the code is, with a hash that finds damage. A file with anything wrong about it is not used: the
//! plugin is compiled anew and the file replaced. No result depends on whether there is a cache.
//!
//! # A file
//! `PHXCODE1`, key (32 bytes), SHA-256 of the code (32), length of the code (8, little-endian), code. Its name is the key
//! in hexadecimal.

use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use wasmtime::component::Component;

use crate::engine::{PluginEngine, WASMTIME};
use crate::folder::{CacheError, Safe};
use crate::plugin::hex;
use crate::trusted;

/// A folder of compiled plugins. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CodeCache {
    folder: Arc<Safe>,
    notes: Arc<Mutex<Vec<CacheNote>>>,
}

/// What became of a plugin's compiled code. None of it is an error: the plugin runs in any case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CacheNote {
    /// It was there.
    #[error("{}: found compiled", .file.display())]
    Found {
        /// Its file.
        file: PathBuf,
    },
    /// It was not there and is now.
    #[error("{}: compiled and kept", .file.display())]
    Kept {
        /// Its file.
        file: PathBuf,
    },
    /// What was there cannot be used.
    #[error("{}: {problem}; the plugin is compiled anew", .file.display())]
    Spoilt {
        /// Its file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// It could not be written.
    #[error("{}: the compiled plugin is not kept: {problem}", .file.display())]
    NotKept {
        /// The file that there would be.
        file: PathBuf,
        /// Why there is not.
        problem: String,
    },
}

/// Compiled code that may be trusted as much as this program's own file.
pub(crate) struct Vouched(Vec<u8>);

impl Vouched {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

const MAGIC: &[u8; 8] = b"PHXCODE1";
const HEADER_BYTES: usize = 80;
/// Bytes of compiled code. CPython is 50 MB.
const CODE_BYTES: u64 = 512 << 20;

impl CodeCache {
    /// Uses a folder, and makes it if it is not there, for nobody but this user.
    ///
    /// # Errors
    /// If the folder cannot be made, or if others could write to it.
    pub fn open(folder: &Path) -> Result<Self, CacheError> {
        Ok(Self { folder: Arc::new(Safe::open(folder)?), notes: Arc::default() })
    }

    /// The folder, without links.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What happened since this was last asked.
    #[must_use]
    pub fn take_notes(&self) -> Vec<CacheNote> {
        std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, note: CacheNote) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(note);
    }

    /// The plugin with this hash, compiled by this engine before; or what `compile` makes, which is then kept.
    pub(crate) fn get<E>(
        &self,
        engine: &PluginEngine,
        plugin: &[u8; 32],
        compile: impl FnOnce() -> Result<Component, E>,
    ) -> Result<Component, E> {
        let key = key(engine, plugin);
        let file = self.folder().join(hex(&key));
        let found = self.read(&file, &key).and_then(|found| match found {
            Some(code) => match trusted::component(engine, &code) {
                Some(component) => Ok(Some(component)),
                None => Err("wasmtime refuses it".to_owned()),
            },
            None => Ok(None),
        });
        match found {
            Ok(Some(component)) => {
                self.note(CacheNote::Found { file });
                return Ok(component);
            }
            Ok(None) => {}
            Err(problem) => self.note(CacheNote::Spoilt { file: file.clone(), problem }),
        }
        let component = compile()?;
        self.note(match self.keep(&file, &key, &component) {
            Ok(()) => CacheNote::Kept { file },
            Err(problem) => CacheNote::NotKept { file, problem },
        });
        Ok(component)
    }

    /// Code of a file that nothing is wrong with; `None` if there is no file.
    fn read(&self, path: &Path, key: &[u8; 32]) -> Result<Option<Vouched>, String> {
        let unread = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => Ok(None),
            _ => Err(error.to_string()),
        };
        match fs::symlink_metadata(path) {
            Err(error) => return unread(error),
            // Opening a pipe would wait for a writer.
            Ok(metadata) if !metadata.is_file() => return Err("it is no file".to_owned()),
            Ok(_) => {}
        }
        let mut file = match File::open(path) {
            Ok(file) => file,
            // Someone may have removed it meanwhile.
            Err(error) => return unread(error),
        };
        let metadata = file.metadata().map_err(|error| error.to_string())?;
        self.folder.check_file(&metadata)?;
        let mut header = [0; HEADER_BYTES];
        file.read_exact(&mut header).map_err(|_| "it is too short".to_owned())?;
        let (magic, rest) = header.split_at(8);
        let (of, rest) = rest.split_at(32);
        let (sha256, length) = rest.split_at(32);
        let length = u64::from_le_bytes(length.try_into().expect("8 bytes are left"));
        if magic != MAGIC || of != key {
            return Err("it is for something else".to_owned());
        }
        if length > CODE_BYTES || metadata.len() != length + HEADER_BYTES as u64 {
            return Err("its length is not what it says".to_owned());
        }
        let mut code = Vec::with_capacity(length as usize);
        file.take(length).read_to_end(&mut code).map_err(|error| error.to_string())?;
        if Sha256::digest(&code)[..] != *sha256 {
            return Err("it is damaged".to_owned());
        }
        Ok(Some(Vouched(code)))
    }

    fn keep(&self, path: &Path, key: &[u8; 32], component: &Component) -> Result<(), String> {
        let code = component.serialize().map_err(|error| error.to_string())?;
        if code.len() as u64 > CODE_BYTES {
            return Err(format!("{} bytes are more than {CODE_BYTES}", code.len()));
        }
        self.write(path, key, &code).map_err(|error| error.to_string())
    }

    /// Whoever reads sees the whole file or the one before it. What a crash leaves of it is found by the hash.
    fn write(&self, path: &Path, key: &[u8; 32], code: &[u8]) -> std::io::Result<()> {
        // For this user alone, under a name that is no key.
        let mut file = tempfile::Builder::new().prefix(".part-").tempfile_in(self.folder())?;
        file.write_all(MAGIC)?;
        file.write_all(key)?;
        file.write_all(&Sha256::digest(code))?;
        file.write_all(&(code.len() as u64).to_le_bytes())?;
        file.write_all(code)?;
        file.persist(path)?;
        Ok(())
    }
}

/// What compiled code depends on. The modes are in wasmtime's hash as well; it says so of no single setting.
fn key(engine: &PluginEngine, plugin: &[u8; 32]) -> [u8; 32] {
    let mut settings = Digesting(Sha256::new());
    engine.engine.precompile_compatibility_hash().hash(&mut settings);
    let modes = format!("{WASMTIME} {:?} {:?}", engine.nan(), engine.code());
    Sha256::new()
        .chain_update(MAGIC)
        .chain_update(plugin)
        .chain_update(settings.0.finalize())
        .chain_update(modes)
        .finalize()
        .into()
}

/// Takes all of what a value hashes, where [`Hasher::finish`] would keep 64 bits of it.
struct Digesting(Sha256);

impl Hasher for Digesting {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        unreachable!("the digest is taken instead")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{CodeMode, NanMode};

    #[test]
    fn keys_tell_plugins_and_engines_apart() {
        let engines = [NanMode::Canonical, NanMode::Reject].into_iter().flat_map(|nan| {
            [CodeMode::Native, CodeMode::Baseline, CodeMode::Unoptimised].map(|code| (nan, code))
        });
        let keys = |plugin: [u8; 32]| -> Vec<_> {
            engines.clone().map(|(nan, code)| key(&PluginEngine::with_code(nan, code), &plugin)).collect()
        };
        let mut all = keys([0; 32]);
        assert_eq!(all, keys([0; 32]), "the same engine again, the same key");
        all.extend(keys([1; 32]));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 12);
    }

    #[cfg(unix)]
    #[test]
    fn every_bit_of_a_file_counts() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CodeCache::open(folder.path()).unwrap();
        let (key, path) = ([7; 32], folder.path().join("file"));
        let code: Vec<u8> = (0..40).collect();
        cache.write(&path, &key, &code).unwrap();
        let whole = fs::read(&path).unwrap();
        let read = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            cache.read(&path, &key).map(|found| found.expect("there is a file").0)
        };
        assert_eq!(read(&whole).unwrap(), code);
        for bit in 0..whole.len() * 8 {
            let mut spoilt = whole.clone();
            spoilt[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&spoilt).is_err(), "bit {bit}");
        }
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "{length} bytes");
        }
        assert!(read(&[&whole[..], &[0]].concat()).is_err());
        assert!(cache.read(&path, &[8; 32]).is_err(), "another key");
        assert!(cache.read(&folder.path().join("nowhere"), &key).unwrap().is_none());
    }

    #[test]
    fn wasmtimes_own_hash_knows_the_nan_mode() {
        let settings = |nan| {
            let mut digest = Digesting(Sha256::new());
            PluginEngine::new(nan).engine.precompile_compatibility_hash().hash(&mut digest);
            digest.0.finalize()
        };
        assert_ne!(settings(NanMode::Canonical), settings(NanMode::Reject));
    }
}
