//! A third store, on redb: what the conformance suite says of the shipped ones has to hold for anybody's.

use std::io;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

use phalanx_ledger::backend::{HEAD_KEY, entry_keys, head_value, lies_beyond, read_head, records};
use phalanx_ledger::{LedgerReader, LedgerStore, PairVisitor, Record, StoreError, StoredHead, TickBatch};
use redb::{Database, ReadableDatabase, TableDefinition};

const PAIRS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("ledger");

#[derive(Debug)]
pub(crate) struct RedbStore {
    database: Database,
    path: PathBuf,
    size: u64,
}

/// Any error of redb as a store's.
fn failed<E: Into<redb::Error>>(path: &Path, action: &'static str) -> impl FnOnce(E) -> StoreError {
    move |error| StoreError::Io { action, path: path.to_owned(), source: io::Error::other(error.into()) }
}

impl RedbStore {
    pub(crate) fn create(path: &Path) -> Result<Self, StoreError> {
        let database = Database::create(path).map_err(failed(path, "create"))?;
        let transaction = database.begin_write().map_err(failed(path, "write"))?;
        transaction.open_table(PAIRS).map_err(failed(path, "write"))?;
        transaction.commit().map_err(failed(path, "write"))?;
        Ok(Self { database, path: path.to_owned(), size: 0 })
    }

    fn read<T>(
        &self,
        look: impl FnOnce(&redb::ReadOnlyTable<&'static [u8], &'static [u8]>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let transaction = self.database.begin_read().map_err(failed(&self.path, "read"))?;
        look(&transaction.open_table(PAIRS).map_err(failed(&self.path, "read"))?)
    }

    /// Removes the keys that `goes` names, inserts the pairs, durably and at once.
    fn write<'p>(
        &self,
        goes: impl Fn(&[u8]) -> bool,
        pairs: impl Iterator<Item = (&'p [u8], &'p [u8])>,
    ) -> Result<(), StoreError> {
        let transaction = self.database.begin_write().map_err(failed(&self.path, "write"))?;
        {
            let mut table = transaction.open_table(PAIRS).map_err(failed(&self.path, "write"))?;
            table.retain(|key, _| !goes(key)).map_err(failed(&self.path, "write"))?;
            for (key, value) in pairs {
                table.insert(key, value).map_err(failed(&self.path, "write"))?;
            }
        }
        transaction.commit().map_err(failed(&self.path, "write"))
    }
}

impl LedgerReader for RedbStore {
    fn head(&self) -> Result<Option<StoredHead>, StoreError> {
        self.value(&HEAD_KEY)?.map(|value| read_head(&value)).transpose()
    }

    fn scan(
        &self,
        range: Range<u64>,
        visit: &mut dyn FnMut(Record<'_>) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let (lowest, wanted, end) = entry_keys(range.start);
        let start = self.read(|table| {
            let mut before =
                table.range(lowest.as_slice()..=wanted.as_slice()).map_err(failed(&self.path, "read"))?;
            let last = before.next_back().transpose().map_err(failed(&self.path, "read"))?;
            Ok(last.map_or(lowest.clone(), |(key, _)| key.value().to_vec()))
        })?;
        let mut trouble = Ok(());
        self.values(&start, &end, &mut |key, value| match records(key, value, &range, visit) {
            Ok(flow) => flow,
            Err(error) => {
                trouble = Err(error);
                ControlFlow::Break(())
            }
        })?;
        trouble
    }

    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|table| {
            let found = table.get(key).map_err(failed(&self.path, "read"))?;
            Ok(found.map(|value| value.value().to_vec()))
        })
    }

    fn values(&self, from: &[u8], to: &[u8], visit: &mut PairVisitor<'_>) -> Result<(), StoreError> {
        self.read(|table| {
            for pair in table.range(from..to).map_err(failed(&self.path, "read"))? {
                let (key, value) = pair.map_err(failed(&self.path, "read"))?;
                if visit(key.value(), value.value()).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }
}

impl LedgerStore for RedbStore {
    fn commit(&mut self, batch: &TickBatch) -> Result<(), StoreError> {
        if batch.first() != self.size {
            return Err(StoreError::StaleBatch { batch: batch.first(), stored: self.size });
        }
        self.write(|_| false, batch.pairs())?;
        self.size = batch.stored_head().head.size;
        Ok(())
    }

    fn rewind(&mut self, to: &StoredHead) -> Result<(), StoreError> {
        let head = head_value(to);
        self.write(
            |key| lies_beyond(key, to.head.size),
            std::iter::once((HEAD_KEY.as_slice(), head.as_slice())),
        )?;
        self.size = to.head.size;
        Ok(())
    }

    /// Every commit is durable.
    fn sync(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}
