//! Sealed ledgers: one plain file that anybody can read, verify and keep, without sled.
//!
//! The file is named after the SHA-256 of its bytes, so that a name that somebody else noted is a receipt. It
//! holds the head with its frontier, then all entries, framed as in the store. `docs/ledger-format.md` draws
//! it, and a Python program of a few lines verifies it in the tests.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::batch::{Record, StoredHead, TickBatch};
use crate::edge::Edge;
use crate::head::Head;
use crate::ledger::LedgerError;
use crate::merkle::Hash;
use crate::store::layout::{decode_head, encode_head};
use crate::store::{LedgerReader, LedgerStore, StoreError, io_error, sync_path};
use crate::verify::{VerifyFailure, verify};

/// First bytes of a sealed file.
const MAGIC: &[u8; 25] = b"phalanx sealed ledger v1\n";
/// Length and check of a record.
const RECORD_HEADER_BYTES: usize = 10;
/// Every so many entries their place in the file is remembered.
const STRIDE: u64 = 128;
/// Entries that are imported at a time.
const IMPORT_ENTRIES: usize = 4096;

/// A file that was sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// Where it is: `<sha256>.ledger` in the folder that was given.
    pub path: PathBuf,
    /// SHA-256 of its bytes.
    pub sha256: Hash,
    /// Its length.
    pub bytes: u64,
    /// The head that it ends with.
    pub head: Head,
}

/// Verifies a ledger and writes it to one file in `folder`, synced. The same ledger always makes the same
/// file.
///
/// # Errors
/// If the ledger does not verify, or the file cannot be written.
pub fn seal(reader: &dyn LedgerReader, folder: &Path) -> Result<Seal, LedgerError> {
    verify(reader)?;
    let stored = reader.head()?.ok_or(LedgerError::Empty)?;
    std::fs::create_dir_all(folder).map_err(io_error("make folder", folder))?;
    let beside = folder.join(format!(".seal-{}.tmp", std::process::id()));
    let sealed = write(reader, &stored, &beside);
    let renamed = sealed.and_then(|(sha256, bytes)| {
        let name: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = folder.join(name + ".ledger");
        std::fs::rename(&beside, &path).map_err(io_error("rename", &beside))?;
        sync_path(folder)?;
        Ok(Seal { path, sha256, bytes, head: stored.head })
    });
    if renamed.is_err() {
        // The error is what counts; what is left behind has no name that anybody looks for.
        let _ = std::fs::remove_file(&beside);
    }
    renamed
}

fn write(reader: &dyn LedgerReader, stored: &StoredHead, path: &Path) -> Result<(Hash, u64), LedgerError> {
    let file = File::create(path).map_err(io_error("write", path))?;
    let mut out = Hashing { to: BufWriter::with_capacity(1 << 16, file), sha256: Sha256::new(), bytes: 0 };
    let head = encode_head(stored);
    out.write(MAGIC)
        .and_then(|()| out.write(&(head.len() as u16).to_be_bytes()))
        .and_then(|()| out.write(&head))
        .map_err(io_error("write", path))?;
    let mut trouble = Ok(());
    reader.scan(0..stored.head.size, &mut |Record { check, bytes, .. }| {
        trouble = out
            .write(&(bytes.len() as u16).to_be_bytes())
            .and_then(|()| out.write(&check))
            .and_then(|()| out.write(bytes));
        if trouble.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    trouble.and_then(|()| out.to.flush()).map_err(io_error("write", path))?;
    out.to.get_ref().sync_all().map_err(io_error("sync", path))?;
    Ok((out.sha256.finalize().into(), out.bytes))
}

/// Hashes what it writes.
struct Hashing {
    to: BufWriter<File>,
    sha256: Sha256,
    bytes: u64,
}

impl Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sha256.update(bytes);
        self.bytes += bytes.len() as u64;
        self.to.write_all(bytes)
    }
}

/// A sealed file, open for reading. It keeps the place of every 128th entry in memory.
#[derive(Debug)]
pub struct SealedLedger {
    path: PathBuf,
    stored: StoredHead,
    /// Places of entries 0, 128, 256 …
    places: Vec<u64>,
}

impl SealedLedger {
    /// Opens a sealed file and walks over its frames once.
    ///
    /// # Errors
    /// [`StoreError::NotALedger`] if the file is something else; [`StoreError::MalformedHead`] or
    /// [`StoreError::MalformedBundle`] if it is cut, longer than its entries, or framed wrongly.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let file = File::open(path).map_err(io_error("open", path))?;
        let len = file.metadata().map_err(io_error("read", path))?.len();
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let mut magic = [0; MAGIC.len()];
        if reader.read_exact(&mut magic).is_err() || magic != *MAGIC {
            let reason = "it does not begin as a sealed ledger does";
            return Err(StoreError::NotALedger { path: path.to_owned(), reason });
        }
        let cut = |_| StoreError::MalformedHead { problem: "the sealed file is cut inside it" };
        let mut head_len = [0; 2];
        reader.read_exact(&mut head_len).map_err(cut)?;
        let mut head = vec![0; usize::from(u16::from_be_bytes(head_len))];
        reader.read_exact(&mut head).map_err(cut)?;
        let stored = decode_head(&head)?;
        let mut at = (MAGIC.len() + 2 + head.len()) as u64;
        let mut places = Vec::new();
        let mut frame = [0; RECORD_HEADER_BYTES];
        let mut index = 0;
        while at < len {
            let malformed = |problem| StoreError::MalformedBundle { index, problem };
            if index % STRIDE == 0 {
                places.push(at);
            }
            reader.read_exact(&mut frame).map_err(|_| malformed("the sealed file ends inside an entry"))?;
            let bytes = u16::from_be_bytes([frame[0], frame[1]]);
            at += (RECORD_HEADER_BYTES + usize::from(bytes)) as u64;
            if at > len {
                return Err(malformed("the sealed file ends inside an entry"));
            }
            reader.seek_relative(i64::from(bytes)).map_err(io_error("read", path))?;
            index += 1;
        }
        Ok(Self { path: path.to_owned(), stored, places })
    }

    /// Whether a file begins as a sealed ledger does.
    #[must_use]
    pub fn is_sealed(path: &Path) -> bool {
        let mut magic = [0; MAGIC.len()];
        File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == *MAGIC
    }
}

impl LedgerReader for SealedLedger {
    fn head(&self) -> Result<Option<StoredHead>, StoreError> {
        Ok(Some(self.stored.clone()))
    }

    fn scan(
        &self,
        range: Range<u64>,
        visit: &mut dyn FnMut(Record<'_>) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let stride = usize::try_from(range.start / STRIDE).unwrap_or(usize::MAX);
        let Some(place) = self.places.get(stride) else { return Ok(()) };
        let file = File::open(&self.path).map_err(io_error("open", &self.path))?;
        let mut reader = BufReader::with_capacity(1 << 16, file);
        reader.seek(SeekFrom::Start(*place)).map_err(io_error("read", &self.path))?;
        let mut bytes = Vec::new();
        let mut frame = [0; RECORD_HEADER_BYTES];
        for index in stride as u64 * STRIDE..range.end {
            match reader.read_exact(&mut frame) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                result => result.map_err(io_error("read", &self.path))?,
            }
            bytes.resize(usize::from(u16::from_be_bytes([frame[0], frame[1]])), 0);
            reader.read_exact(&mut bytes).map_err(io_error("read", &self.path))?;
            let check = frame[2..].try_into().expect("eight bytes");
            if index >= range.start && visit(Record { index, check, bytes: &bytes }).is_break() {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Writes entries that were read elsewhere, with the head that they were signed for, into an empty store, and
/// verifies what came of it.
///
/// # Errors
/// If the store is not empty or cannot be written, `entries` gives an error, or they do not belong to the
/// head; then the store holds no head, and nobody takes it for a ledger.
pub fn import<S: LedgerStore>(
    store: &mut S,
    head: &Head,
    entries: impl IntoIterator<Item = Result<Vec<u8>, LedgerError>>,
) -> Result<(), LedgerError> {
    if store.get(0)?.is_some() {
        let size = store.head()?.map_or(0, |stored| stored.head.size);
        return Err(LedgerError::NotEmpty { size });
    }
    let mut edge = Edge::new();
    let mut waiting = Vec::with_capacity(IMPORT_ENTRIES);
    for entry in entries {
        if waiting.len() == IMPORT_ENTRIES {
            store.commit(&TickBatch::imported(&mut edge, &waiting, head, false)?)?;
            waiting.clear();
        }
        waiting.push(entry?);
    }
    let mut end = edge.clone();
    let last = TickBatch::imported(&mut end, &waiting, head, true)?;
    let (read, size) = (end.size(), head.size);
    if read < size {
        return Err(VerifyFailure::Missing { index: read, size }.into());
    }
    if read > size {
        return Err(VerifyFailure::Extra { index: size, size }.into());
    }
    if end.frontier().root() != head.root {
        return Err(VerifyFailure::Root { size }.into());
    }
    store.commit(&last)?;
    store.finish()?;
    verify(&*store).map(|_| ())
}
