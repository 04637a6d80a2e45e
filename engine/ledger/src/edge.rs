//! The right edge of a ledger: what has to be in memory to append to it.

use std::ops::ControlFlow;

use crate::batch::StoredHead;
use crate::entry::Entry;
use crate::ledger::LedgerError;
use crate::merkle::{Frontier, Hash, OpenTiles, TILE_HEIGHT, TILE_WIDTH, Tile, leaf_hash};
use crate::postings::{AGENT_POSTING_BYTES, BLOCK_ENTRIES, INDICATOR_POSTING_BYTES, OpenBlock};
use crate::store::layout::{
    BY_AGENT, BY_INDICATOR, LAYOUT, LAYOUT_KEY, Layout, Pair, posting_pairs, tile_hashes, tile_key,
};
use crate::store::{LedgerReader, StoreError};

/// The frontier of the tree, and the tiles and postings that are not complete yet: O(log n) memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    frontier: Frontier,
    layout: Layout,
    tiles: OpenTiles,
    block: OpenBlock,
}

impl Default for Edge {
    fn default() -> Self {
        Self::new()
    }
}

impl Edge {
    /// The edge of the empty ledger.
    #[must_use]
    pub fn new() -> Self {
        Self::empty(Layout::Indexed)
    }

    /// The edge of an empty ledger of a certain layout.
    pub(crate) fn empty(layout: Layout) -> Self {
        Self { frontier: Frontier::new(), layout, tiles: OpenTiles::default(), block: OpenBlock::default() }
    }

    /// The edge that a ledger had when this was its head: reads the entries behind the last complete block.
    ///
    /// # Errors
    /// If the store cannot be read, or what is read does not belong to the head.
    pub(crate) fn load(reader: &dyn LedgerReader, stored: &StoredHead) -> Result<Self, LedgerError> {
        let layout = Layout::of(reader)?;
        let mut edge = Self { frontier: stored.frontier.clone(), ..Self::empty(layout) };
        if layout == Layout::Plain {
            return Ok(edge);
        }
        let size = stored.head.size;
        let (first_of_tile, first_of_block) = (size - size % TILE_WIDTH, size - size % BLOCK_ENTRIES);
        let mut leaves = Vec::new();
        let mut failure = None;
        reader.scan(first_of_block..size, &mut |record| {
            if record.index >= first_of_tile {
                leaves.push(leaf_hash(record.bytes));
            }
            match Entry::decode(record.bytes) {
                Ok(entry) => edge.block.push(record.index, &entry),
                Err(source) => {
                    failure = Some(LedgerError::Decode { index: record.index, source });
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        edge.tiles.set(0, leaves);
        let mut count = size;
        for level in 1..u8::MAX {
            count >>= TILE_HEIGHT;
            if count == 0 {
                break;
            }
            let roots = (count - count % TILE_WIDTH..count)
                .map(|index| Ok(Tile::above(&stored_tile(reader, level - 1, index)?).root()))
                .collect::<Result<_, StoreError>>()?;
            edge.tiles.set(level, roots);
        }
        Ok(edge)
    }

    /// The frontier of the tree.
    #[must_use]
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// Number of entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Appends an entry; tiles and postings that it completes are added to `derived`.
    pub(crate) fn push(&mut self, leaf: Hash, entry: &Entry, derived: &mut Vec<Pair>) {
        let index = self.size();
        if self.layout == Layout::Plain {
            self.frontier.push(leaf);
            return;
        }
        if index == 0 {
            derived.push((LAYOUT_KEY.to_vec(), LAYOUT.to_vec()));
        }
        let tiles = &mut self.tiles;
        self.frontier.push_with(leaf, |height, root| {
            if let Some((level, tile)) = tiles.completed(height, root) {
                let number = (index >> (u32::from(level) * TILE_HEIGHT)) / TILE_WIDTH;
                derived.push((tile_key(level, number), tile.concat()));
            }
        });
        self.block.push(index, entry);
        if (index + 1).is_multiple_of(BLOCK_ENTRIES) {
            let block = index / BLOCK_ENTRIES;
            let (agents, indicators) = self.block.take();
            posting_pairs(BY_AGENT, block, &agents, AGENT_POSTING_BYTES, derived);
            posting_pairs(BY_INDICATOR, block, &indicators, INDICATOR_POSTING_BYTES, derived);
        }
    }
}

/// A full tile that must be there.
fn stored_tile(reader: &dyn LedgerReader, level: u8, index: u64) -> Result<Vec<Hash>, StoreError> {
    let value = reader.value(&tile_key(level, index))?;
    value
        .and_then(|value| tile_hashes(&value))
        .ok_or(StoreError::MalformedHead { problem: "a hash tile that it needs is missing or cut" })
}
