//! Keys and values: how records and the head become pairs of bytes, the same for every store.
//!
//! Records are bundled, many to a value: sled's cost is per value, and 16 entries in one value cost a fifth
//! of 16 values (measured). A value never exceeds 4,096 bytes: leaves of larger ones spill into blob files,
//! which sled never syncs, so that a power cut makes the whole ledger unreadable (measured at 19 KB a value:
//! 8 of 8 times).

use crate::batch::{Record, StoredHead, check_of};
use crate::entry::Entry;
use crate::head::Head;
use crate::merkle::{Frontier, Hash, TILE_HEIGHT, TILE_WIDTH, leaf_hash};
use crate::postings::BLOCK_ENTRIES;
use crate::store::{LedgerReader, StoreError};
use crate::wire::{DecodeError, Reader};

/// Longest value that is ever written, in bytes.
pub const VALUE_BYTES_MAX: usize = 4096;
/// Longest encoding of an entry, in bytes. It leaves room in a value for what later layouts may add.
pub const ENTRY_BYTES_MAX: usize = 4000;

/// Key of the head.
pub(crate) const HEAD_KEY: [u8; 1] = [b'h'];
/// Key of the layout's number.
pub(crate) const LAYOUT_KEY: [u8; 1] = [b'l'];
/// The layout that is written.
pub(crate) const LAYOUT: [u8; 1] = [2];
/// What is there instead in a part of a ledger that goes on in another part: this, and that part's first entry.
const CONTINUED: u8 = 3;
/// Key of what was before a part: the frontier of the entries in the parts before it.
pub(crate) const PART_KEY: [u8; 1] = [b'p'];
/// Between these lie the keys of all pairs but bundles and heads.
pub(crate) const OTHERS: [(&[u8], &[u8]); 3] = [(&[], b"e"), (b"f", &HEAD_KEY), (b"h\0", &[0xff; 32])];
/// First byte of the keys of postings by agent.
pub(crate) const BY_AGENT: u8 = b'a';
/// First byte of the keys of postings by indicator.
pub(crate) const BY_INDICATOR: u8 = b'i';
/// First byte of the keys of tiles.
const TILE_PREFIX: u8 = b't';
/// First byte of the keys of bundles.
const BUNDLE_PREFIX: u8 = b'e';
const BUNDLE_VERSION: u8 = 1;
const POSTINGS_VERSION: u8 = 1;
/// Version byte and record count.
const BUNDLE_HEADER_BYTES: usize = 3;
/// Length and check of a record.
const RECORD_HEADER_BYTES: usize = 10;

/// A key and its value.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);

/// What a ledger stores beside its entries and its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Nothing: layout 1, and sealed files.
    Plain,
    /// Tiles and postings: layout 2.
    Indexed,
}

impl Layout {
    pub(crate) fn of(reader: &dyn LedgerReader) -> Result<Self, StoreError> {
        match reader.value(&LAYOUT_KEY)?.as_deref() {
            None => Ok(Self::Plain),
            Some(version) if version == LAYOUT => Ok(Self::Indexed),
            Some(_) => Err(StoreError::MalformedHead { problem: "the layout of the ledger is unknown" }),
        }
    }
}

/// The layout's value in a part that goes on in the one whose first entry this is.
pub(crate) fn continued(next: u64) -> Vec<u8> {
    [&[CONTINUED], next.to_be_bytes().as_slice()].concat()
}

/// The first entry of the part that follows one with this value of the layout, if any does.
pub(crate) fn next_part(value: &[u8]) -> Option<u64> {
    let (version, next) = value.split_first()?;
    (*version == CONTINUED).then_some(u64::from_be_bytes(next.try_into().ok()?))
}

/// The value under [`PART_KEY`].
pub(crate) fn encode_part(before: &Frontier) -> Vec<u8> {
    [before.size().to_be_bytes().as_slice(), before.peaks().concat().as_slice()].concat()
}

/// Reads the value under [`PART_KEY`].
pub(crate) fn decode_part(value: &[u8]) -> Option<Frontier> {
    let (size, peaks) = value.split_first_chunk()?;
    let (peaks, rest) = peaks.as_chunks();
    Frontier::from_parts(u64::from_be_bytes(*size), peaks.to_vec()).filter(|_| rest.is_empty())
}

/// Key of the bundle whose first record has this index: ascending keys are ascending indices.
pub(crate) fn bundle_key(first: u64) -> [u8; 9] {
    let mut key = [BUNDLE_PREFIX; 9];
    key[1..].copy_from_slice(&first.to_be_bytes());
    key
}

/// All keys of bundles lie from the first of these up to the second.
pub(crate) fn bundle_bounds() -> ([u8; 1], [u8; 1]) {
    ([BUNDLE_PREFIX], [BUNDLE_PREFIX + 1])
}

/// Key of a tile.
pub(crate) fn tile_key(level: u8, index: u64) -> Vec<u8> {
    [&[TILE_PREFIX, level], index.to_be_bytes().as_slice()].concat()
}

/// The hashes of a full tile, `None` if the value is none.
pub(crate) fn tile_hashes(value: &[u8]) -> Option<Vec<Hash>> {
    let (hashes, rest) = value.as_chunks();
    (rest.is_empty() && hashes.len() as u64 == TILE_WIDTH).then(|| hashes.to_vec())
}

/// All keys of the postings of a block lie from the first of these up to the second.
pub(crate) fn posting_bounds(kind: u8, block: u64) -> (Vec<u8>, Vec<u8>) {
    let key = |block: u64| [&[kind], block.to_be_bytes().as_slice()].concat();
    (key(block), key(block + 1))
}

/// Cuts the sorted postings of a block into values.
pub(crate) fn posting_pairs(kind: u8, block: u64, postings: &[u8], bytes_each: usize, pairs: &mut Vec<Pair>) {
    let bytes_max = (VALUE_BYTES_MAX - 1) / bytes_each * bytes_each;
    for (chunk, postings) in postings.chunks(bytes_max).enumerate() {
        let chunk = u16::try_from(chunk).expect("a block's entries hold fewer than 2^16 values of postings");
        let key = [&[kind], block.to_be_bytes().as_slice(), &chunk.to_be_bytes()].concat();
        pairs.push((key, [&[POSTINGS_VERSION], postings].concat()));
    }
}

/// The postings in a value, `None` if the value is none.
pub(crate) fn postings(value: &[u8], bytes_each: usize) -> Option<impl Iterator<Item = &[u8]>> {
    let (version, postings) = value.split_first()?;
    let is_whole = *version == POSTINGS_VERSION && postings.len().is_multiple_of(bytes_each);
    is_whole.then(|| postings.chunks_exact(bytes_each))
}

/// The last entry that the pair under this key tells of, of a bundle the first: where the pair was stored. The head and
/// the layout have none.
pub(crate) fn entry_of(key: &[u8]) -> Option<u64> {
    let number = |at: usize| key.get(at..at + 8).map(|n| u64::from_be_bytes(n.try_into().expect("8 bytes")));
    match (key.first(), number(1), number(2)) {
        (Some(&BUNDLE_PREFIX), Some(first), _) => Some(first),
        (Some(&(BY_AGENT | BY_INDICATOR)), Some(block), _) => {
            Some(block.saturating_add(1).saturating_mul(BLOCK_ENTRIES) - 1)
        }
        (Some(&TILE_PREFIX), _, Some(index)) => {
            let entries = 1u64.checked_shl((u32::from(key[1]) + 1) * TILE_HEIGHT).unwrap_or(u64::MAX);
            Some(index.saturating_add(1).saturating_mul(entries) - 1)
        }
        _ => None,
    }
}

/// Whether the pair under this key tells of entries at or behind `size`, so that it has to go when the ledger
/// is set back to that many.
pub(crate) fn lies_beyond(key: &[u8], size: u64) -> bool {
    entry_of(key).is_some_and(|entry| entry >= size)
}

/// A batch's records on their way into values, each as full as it gets.
#[derive(Debug, Default)]
pub(crate) struct Bundles {
    pairs: Vec<Pair>,
    encoded: Vec<u8>,
}

impl Bundles {
    /// Adds an entry and returns its leaf hash.
    pub(crate) fn push(&mut self, index: u64, entry: &Entry) -> Result<Hash, StoreError> {
        self.encoded.clear();
        entry.encode(&mut self.encoded);
        let bytes = self.encoded.as_slice();
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(StoreError::EntryTooLarge { index, bytes: bytes.len() });
        }
        let leaf = leaf_hash(bytes);
        let needed = RECORD_HEADER_BYTES + bytes.len();
        if self.pairs.last().is_none_or(|(_, value)| value.len() + needed > VALUE_BYTES_MAX) {
            let mut value = Vec::with_capacity(VALUE_BYTES_MAX);
            value.extend_from_slice(&[BUNDLE_VERSION, 0, 0]);
            self.pairs.push((bundle_key(index).to_vec(), value));
        }
        let (_, value) = self.pairs.last_mut().expect("a bundle was just made sure of");
        let count = u16::from_be_bytes([value[1], value[2]]) + 1;
        value[1..BUNDLE_HEADER_BYTES].copy_from_slice(&count.to_be_bytes());
        value.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
        value.extend_from_slice(&check_of(&leaf));
        value.extend_from_slice(bytes);
        Ok(leaf)
    }

    /// The values, in the order of their keys.
    pub(crate) fn into_pairs(self) -> Vec<Pair> {
        self.pairs
    }
}

/// The records of one bundle; after an error there are no more.
pub(crate) struct Bundle<'a> {
    index: u64,
    left: u16,
    reader: Reader<'a>,
}

impl<'a> Bundle<'a> {
    pub(crate) fn open(key: &[u8], value: &'a [u8]) -> Result<Self, StoreError> {
        let index = match key {
            [BUNDLE_PREFIX, rest @ ..] if rest.len() == 8 => {
                u64::from_be_bytes(rest.try_into().expect("eight bytes"))
            }
            _ => return Err(malformed(0, "its key is not 'e' and eight bytes")),
        };
        let mut reader = Reader::new(value);
        let header = reader.u8("version").and_then(|version| Ok((version, reader.u16("count")?)));
        match header {
            _ if value.len() > VALUE_BYTES_MAX => Err(malformed(index, "it is longer than a value may be")),
            Err(_) => Err(malformed(index, "it is shorter than its header")),
            Ok((BUNDLE_VERSION, 0)) => Err(malformed(index, "it is empty")),
            Ok((BUNDLE_VERSION, left)) if index.checked_add(u64::from(left)).is_some() => {
                Ok(Self { index, left, reader })
            }
            Ok((BUNDLE_VERSION, _)) => Err(malformed(index, "its indices exceed 64 bits")),
            Ok(_) => Err(malformed(index, "its version is unknown")),
        }
    }

    fn record(&mut self) -> Result<Record<'a>, DecodeError> {
        let len = self.reader.u16("length")?;
        let check = self.reader.array("check")?;
        let bytes = self.reader.slice("entry", usize::from(len))?;
        Ok(Record { index: self.index, check, bytes })
    }
}

impl<'a> Iterator for Bundle<'a> {
    type Item = Result<Record<'a>, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            let trailing = self.reader.left() > 0;
            self.reader = Reader::new(&[]);
            return trailing.then(|| Err(malformed(self.index, "bytes follow its last entry")));
        }
        self.left -= 1;
        let Ok(record) = self.record() else {
            (self.left, self.reader) = (0, Reader::new(&[]));
            return Some(Err(malformed(self.index, "it ends inside an entry")));
        };
        self.index += 1;
        Some(Ok(record))
    }
}

fn malformed(index: u64, problem: &'static str) -> StoreError {
    StoreError::MalformedBundle { index, problem }
}

/// The head's value: the head, then the peaks of its frontier.
pub(crate) fn encode_head(stored: &StoredHead) -> Vec<u8> {
    let mut value = stored.head.to_bytes().to_vec();
    stored.frontier.peaks().iter().for_each(|peak| value.extend_from_slice(peak));
    value
}

/// Reads the head's value.
pub(crate) fn decode_head(value: &[u8]) -> Result<StoredHead, StoreError> {
    let malformed = |problem| StoreError::MalformedHead { problem };
    let (head, peaks) = value.split_at_checked(Head::BYTES).ok_or(malformed("it is too short"))?;
    let head = Head::from_bytes(head).map_err(|_| malformed("its version is unknown"))?;
    let (peaks, rest) = peaks.as_chunks();
    let frontier = Frontier::from_parts(head.size, peaks.to_vec()).filter(|_| rest.is_empty());
    let frontier = frontier.ok_or(malformed("its frontier does not fit its size"))?;
    Ok(StoredHead { head, frontier })
}

#[cfg(test)]
mod tests {
    use phalanx_core::{AgentId, Indicator, SignatureId, Tick};

    use super::*;
    use crate::{Edge, Ledger, LedgerKey, MemoryStore, TickBatch};

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// Recomputed from `docs/ledger-format.md` with Python's hashlib and RFC 8032's reference code: what is
    /// written is what the document says, down to the signature.
    #[test]
    fn a_whole_ledger_is_pinned() {
        let mut ledger =
            Ledger::create(MemoryStore::new(), LedgerKey::from_seed(42), [7; 32], "0.1.0", 42).unwrap();
        let entry = Entry::Fingerprint { tick: Tick(3), fingerprint: [0xee; 32] };
        ledger.append_tick(Tick(3), &[entry]).unwrap();
        let mut store = ledger.store().clone();
        let pairs = store.pairs_mut();
        assert_eq!(hex(&pairs[bundle_key(1).as_slice()]), BUNDLE);
        assert_eq!(hex(&pairs[HEAD_KEY.as_slice()]), HEAD.concat());
        assert_eq!(pairs[LAYOUT_KEY.as_slice()], LAYOUT);
        assert_eq!(pairs.len(), 4);
    }

    const BUNDLE: &str = "010001002a2460d62a1a724cd6\
         04010000000000000003eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee";
    const HEAD: [&str; 6] = [
        "010000000000000002",
        "db5813a92d28d7d8b66e88f21f399f325812d2d82fa4e29e4e8d98be674c2da8",
        "0000000000000003",
        "defd5d76e91ab3970d6aac8cc4a0093691a36e7e3abf1fa8b5f6b2bf270c5a65",
        "bb66508d4ccdd83728d195580f1d76fb69c89f01fe5db71b87189799a104f20e",
        // The one peak of a tree of two leaves is its root.
        "db5813a92d28d7d8b66e88f21f399f325812d2d82fa4e29e4e8d98be674c2da8",
    ];

    #[test]
    fn values_are_filled_and_never_too_long() {
        for width in [0, 1, 12, 118, 490, 985] {
            let entries: Vec<Entry> = (0..200).map(|author| report(author, width)).collect();
            let mut edge = Edge::new();
            let key = LedgerKey::from_seed(1);
            let batch = TickBatch::new(&mut edge, Tick(0), &entries, &key).unwrap();
            let pairs: Vec<_> = batch.bundles().collect();
            let mut encoded = Vec::new();
            entries[0].encode(&mut encoded);
            let per_value = (VALUE_BYTES_MAX - BUNDLE_HEADER_BYTES) / (RECORD_HEADER_BYTES + encoded.len());
            assert_eq!(pairs.len(), 200usize.div_ceil(per_value), "{} bytes an entry", encoded.len());
            assert!(batch.pairs().all(|(_, value)| value.len() <= VALUE_BYTES_MAX));
            let read: Vec<u64> = pairs
                .iter()
                .flat_map(|(key, value)| Bundle::open(key, value).unwrap())
                .map(|record| record.unwrap().index)
                .collect();
            assert!(read.into_iter().eq(0..200));
        }
    }

    fn report(author: u32, width: usize) -> Entry {
        Entry::Reported {
            id: SignatureId { tick: Tick(0), author: AgentId(author), sequence: 0 },
            indicator: Indicator::default(),
            support: 1,
            confidence: 0.5,
            centroid: vec![0.5; width].into(),
            evidence: [0; 16],
        }
    }
}
