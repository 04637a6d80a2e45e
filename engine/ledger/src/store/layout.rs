//! Keys and values: how records and the head become pairs of bytes, the same for every store.
//!
//! Records are bundled, many to a value: sled's cost is per value, and 16 entries in one value cost a fifth
//! of 16 values (measured). A value never exceeds 4,096 bytes: leaves of larger ones spill into blob files,
//! which sled never syncs, so that a power cut makes the whole ledger unreadable (measured at 19 KB a value:
//! 8 of 8 times).

use crate::batch::{Record, StoredHead, TickBatch};
use crate::head::Head;
use crate::merkle::Frontier;
use crate::store::StoreError;
use crate::wire::{DecodeError, Reader};

/// Longest value that is ever written, in bytes.
pub const VALUE_BYTES_MAX: usize = 4096;
/// Longest encoding of an entry, in bytes. It leaves room in a value for what later layouts may add.
pub const ENTRY_BYTES_MAX: usize = 4000;

/// Key of the head.
pub(super) const HEAD_KEY: [u8; 1] = [b'h'];
/// First byte of the keys of bundles.
const BUNDLE_PREFIX: u8 = b'e';
const BUNDLE_VERSION: u8 = 1;
/// Version byte and record count.
const BUNDLE_HEADER_BYTES: usize = 3;
/// Length and check of a record.
const RECORD_HEADER_BYTES: usize = 10;

/// Key of the bundle whose first record has this index: ascending keys are ascending indices.
pub(super) fn bundle_key(first: u64) -> [u8; 9] {
    let mut key = [BUNDLE_PREFIX; 9];
    key[1..].copy_from_slice(&first.to_be_bytes());
    key
}

/// All keys of bundles lie from the first of these up to the second.
pub(super) fn bundle_bounds() -> ([u8; 1], [u8; 1]) {
    ([BUNDLE_PREFIX], [BUNDLE_PREFIX + 1])
}

/// A key and its value.
pub(super) type Pair = ([u8; 9], Vec<u8>);

/// The batch's records as pairs, each value as full as it gets.
pub(super) fn bundles(batch: &TickBatch) -> Result<Vec<Pair>, StoreError> {
    let mut pairs: Vec<Pair> = Vec::new();
    for Record { index, check, bytes } in batch.records() {
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(StoreError::EntryTooLarge { index, bytes: bytes.len() });
        }
        let needed = RECORD_HEADER_BYTES + bytes.len();
        if pairs.last().is_none_or(|(_, value)| value.len() + needed > VALUE_BYTES_MAX) {
            let mut value = Vec::with_capacity(VALUE_BYTES_MAX);
            value.extend_from_slice(&[BUNDLE_VERSION, 0, 0]);
            pairs.push((bundle_key(index), value));
        }
        let (_, value) = pairs.last_mut().expect("a bundle was just made sure of");
        let count = u16::from_be_bytes([value[1], value[2]]) + 1;
        value[1..BUNDLE_HEADER_BYTES].copy_from_slice(&count.to_be_bytes());
        value.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
        value.extend_from_slice(&check);
        value.extend_from_slice(bytes);
    }
    Ok(pairs)
}

/// The records of one bundle; after an error there are no more.
pub(super) struct Bundle<'a> {
    index: u64,
    left: u16,
    reader: Reader<'a>,
}

impl<'a> Bundle<'a> {
    pub(super) fn open(key: &[u8], value: &'a [u8]) -> Result<Self, StoreError> {
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
pub(super) fn encode_head(stored: &StoredHead) -> Vec<u8> {
    let mut value = stored.head.to_bytes().to_vec();
    stored.frontier.peaks().iter().for_each(|peak| value.extend_from_slice(peak));
    value
}

/// Reads the head's value.
pub(super) fn decode_head(value: &[u8]) -> Result<StoredHead, StoreError> {
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
    use crate::{Entry, Ledger, LedgerKey, MemoryStore};

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
        assert_eq!(pairs.len(), 3);
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
            let batch = TickBatch::new(&Frontier::new(), Tick(0), &entries, &LedgerKey::from_seed(1));
            let pairs = bundles(&batch).unwrap();
            let entry_bytes = batch.records().next().unwrap().bytes.len();
            let per_value = (VALUE_BYTES_MAX - BUNDLE_HEADER_BYTES) / (RECORD_HEADER_BYTES + entry_bytes);
            assert_eq!(pairs.len(), 200usize.div_ceil(per_value), "{entry_bytes} bytes an entry");
            assert!(pairs.iter().all(|(_, value)| value.len() <= VALUE_BYTES_MAX));
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
