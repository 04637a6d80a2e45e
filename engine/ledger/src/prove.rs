//! Proofs out of a stored ledger, from O(log n) tiles instead of all its entries.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::ledger::LedgerError;
use crate::merkle::{
    Frontier, Hash, TILE_HEIGHT, TILE_WIDTH, Tile, consistency_ranges, empty_root, inclusion_ranges,
    leaf_hash, node_hash,
};
use crate::store::layout::{tile_hashes, tile_key};
use crate::store::{LedgerReader, StoreError};

/// Tiles that are kept, of 8 KiB each.
const TILES_MAX: usize = 8192;

/// Makes proofs about the first `size` entries of a ledger and about any smaller number of them.
///
/// Tiles that were read are kept, up to 64 MiB of them. A ledger without tiles, such as a sealed file, is read
/// as a whole by its first proof.
pub struct Prover<'a> {
    reader: &'a dyn LedgerReader,
    size: u64,
    tiles: BTreeMap<(u8, u64), Tile>,
}

impl<'a> Prover<'a> {
    /// For a ledger of `size` entries: what its head counts. Reading begins with the first proof.
    #[must_use]
    pub fn new(reader: &'a dyn LedgerReader, size: u64) -> Self {
        Self { reader, size, tiles: BTreeMap::new() }
    }

    /// Hashes that lead from entry `index` to the root of the tree of the first `size` entries, deepest first:
    /// at most `⌈log2 size⌉`.
    ///
    /// # Errors
    /// If there is no such entry or size, or the store cannot be read.
    pub fn inclusion(&mut self, index: u64, size: u64) -> Result<Vec<Hash>, LedgerError> {
        self.check_size(size)?;
        let ranges = inclusion_ranges(index, size).ok_or(LedgerError::OutOfRange { index, size })?;
        ranges.into_iter().map(|(start, end)| self.subtree(start, end)).collect()
    }

    /// Hashes that show the first `old_size` entries to be a prefix of the first `size`.
    ///
    /// # Errors
    /// If there are no such sizes, or the store cannot be read.
    pub fn consistency(&mut self, old_size: u64, size: u64) -> Result<Vec<Hash>, LedgerError> {
        self.check_size(size)?;
        let none = LedgerError::NoSuchSize { size: old_size, of: size };
        let ranges = consistency_ranges(old_size, size).ok_or(none)?;
        ranges.into_iter().map(|(start, end)| self.subtree(start, end)).collect()
    }

    /// Root of the tree of the first `size` entries.
    ///
    /// # Errors
    /// If there are not so many, or the store cannot be read.
    pub fn root(&mut self, size: u64) -> Result<Hash, LedgerError> {
        self.check_size(size)?;
        if size == 0 { Ok(empty_root()) } else { self.subtree(0, size) }
    }

    /// Frontier of the tree of the first `size` entries.
    ///
    /// # Errors
    /// If there are not so many, or the store cannot be read.
    pub fn frontier(&mut self, size: u64) -> Result<Frontier, LedgerError> {
        self.check_size(size)?;
        let (mut peaks, mut start) = (Vec::new(), 0);
        for height in (0..u64::BITS).rev().filter(|height| size >> height & 1 == 1) {
            peaks.push(self.node(height, start >> height)?);
            start += 1 << height;
        }
        Ok(Frontier::from_parts(size, peaks).expect("one peak for every bit set in the size"))
    }

    fn check_size(&self, size: u64) -> Result<(), LedgerError> {
        if size > self.size { Err(LedgerError::NoSuchSize { size, of: self.size }) } else { Ok(()) }
    }

    /// Root over entries `start..end`, where `start` is a multiple of the power of two that is not below their
    /// number: what the recursion of RFC 6962 asks for.
    fn subtree(&mut self, start: u64, end: u64) -> Result<Hash, LedgerError> {
        let count = end - start;
        let height = count.ilog2();
        if count.is_power_of_two() {
            return self.node(height, start >> height);
        }
        let middle = start + (1 << height);
        Ok(node_hash(&self.node(height, start >> height)?, &self.subtree(middle, end)?))
    }

    /// Root of the complete subtree of this height, the `i`-th from the left.
    fn node(&mut self, height: u32, i: u64) -> Result<Hash, LedgerError> {
        let (level, row) = ((height / TILE_HEIGHT) as u8, height % TILE_HEIGHT);
        let index = i >> (TILE_HEIGHT - row);
        let within = i - (index << (TILE_HEIGHT - row));
        if let Some(tile) = self.tiles.get(&(level, index)) {
            return Ok(tile.node(row, within).ok_or_else(short)?);
        }
        let tile = self.load(level, index)?;
        let node = tile.node(row, within).ok_or_else(short)?;
        self.keep(level, index, tile);
        Ok(node)
    }

    fn keep(&mut self, level: u8, index: u64, tile: Tile) {
        if self.tiles.len() >= TILES_MAX {
            // The few above them are needed by every proof.
            self.tiles.retain(|(level, _), _| *level > 0);
        }
        self.tiles.insert((level, index), tile);
    }

    fn load(&mut self, level: u8, index: u64) -> Result<Tile, LedgerError> {
        if let Some(value) = self.reader.value(&tile_key(level, index))? {
            let problem = "a hash tile is cut";
            let hashes = tile_hashes(&value).ok_or(StoreError::MalformedHead { problem })?;
            return Ok(Tile::above(&hashes));
        }
        let count = self.size >> (u32::from(level) * TILE_HEIGHT);
        let (first, end) = (index * TILE_WIDTH, count.min((index + 1) * TILE_WIDTH));
        let hashes = if level == 0 {
            let mut leaves = Vec::with_capacity(TILE_WIDTH as usize);
            self.reader.scan(first..end, &mut |record| {
                leaves.push(leaf_hash(record.bytes));
                ControlFlow::Continue(())
            })?;
            leaves
        } else {
            let below = u32::from(level) * TILE_HEIGHT;
            (first..end).map(|i| self.node_below(below, i)).collect::<Result<_, _>>()?
        };
        Ok(Tile::above(&hashes))
    }

    /// The root of a whole tile of the level below.
    fn node_below(&mut self, height: u32, i: u64) -> Result<Hash, LedgerError> {
        let level = (height / TILE_HEIGHT - 1) as u8;
        if let Some(tile) = self.tiles.get(&(level, i)) {
            return Ok(tile.node(TILE_HEIGHT, 0).ok_or_else(short)?);
        }
        let tile = self.load(level, i)?;
        let root = tile.node(TILE_HEIGHT, 0).ok_or_else(short)?;
        self.keep(level, i, tile);
        Ok(root)
    }
}

fn short() -> StoreError {
    StoreError::MalformedHead { problem: "there are fewer entries than it counts" }
}
