//! The rows that a tree grows from.

use super::super::draws::Draws;
use super::rows::Rows;
use super::vectors::Vectors;
use super::window::{ROWS, SLOTS};

/// Ranks of sampled rows.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Ranks([u16; SLOTS]);

/// A rank that no row has: that of places behind the sample.
const NO_RANK: u16 = i16::MAX as u16;

/// A set of sampled rows.
pub(super) type Sampled = Rows<{ SLOTS / 32 }>;

/// Features whose ranks of a row are fetched together, in a word.
pub(super) const TOGETHER: usize = 4;

/// By row of a window, its ranks by up to four features.
#[derive(Clone, Debug)]
pub(super) struct RowRanks(pub(super) [[u16; TOGETHER]; ROWS]);

impl RowRanks {
    pub(super) const NONE: Self = Self([[0; TOGETHER]; ROWS]);
}

/// A sample of a window: by feature, the ranks of its rows in the window.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    ranks: Vec<Ranks>,
}

impl Sample {
    pub(super) fn new() -> Self {
        Self { ranks: Vec::new() }
    }

    /// The ranks by a feature of the first 32 `N`, of which no more than [`SLOTS`] there are.
    #[inline(always)]
    pub(super) fn ranks<const N: usize>(&self, feature: usize) -> &[[u16; 32]; N] {
        self.ranks[feature].0.as_chunks().0.first_chunk().expect("a sample has so many")
    }

    /// All of it.
    #[inline(always)]
    pub(super) fn all(&self, vectors: impl Vectors) -> Sampled {
        vectors.below::<{ SLOTS / 32 }>(self.ranks(0), ROWS as u16)
    }

    /// Takes in the rows that [`super::super::grow::FitScratch::draw`] draws, `size` of `rows`.
    #[inline(always)]
    pub(super) fn draw(&mut self, draws: Draws, window: &[RowRanks], width: usize, rows: usize, size: usize) {
        let mut sample = [0u16; SLOTS];
        if size == rows {
            sample.iter_mut().zip(0..).for_each(|(row, i)| *row = i);
        } else {
            // Bytes, not bits: a draw need not wait for the one before, which may have set another bit of its word.
            let mut drawn = [0u8; ROWS];
            let lasts = rows - size..rows;
            for (row, last) in sample.iter_mut().zip(lasts.clone()) {
                *row = draws.row_of_few(last, last as u32 + 1) as u16;
            }
            for (row, last) in sample.iter_mut().zip(lasts) {
                // Without a branch, which would be mispredicted often.
                let taken = u16::from(drawn[usize::from(*row) % ROWS]).wrapping_neg();
                *row = (*row & !taken) | (last as u16 & taken);
                drawn[usize::from(*row) % ROWS] = 1;
            }
        }
        self.ranks.resize(width, Ranks([NO_RANK; SLOTS]));
        let mut together = [[NO_RANK; TOGETHER]; SLOTS];
        for (window, ranks) in window.iter().zip(self.ranks.chunks_mut(TOGETHER)) {
            for (ranks, row) in together[..size].iter_mut().zip(&sample) {
                *ranks = window.0[usize::from(*row) % ROWS];
            }
            for (feature, ranks) in ranks.iter_mut().enumerate() {
                for (rank, together) in ranks.0.iter_mut().zip(&together) {
                    *rank = together[feature];
                }
            }
        }
    }
}
