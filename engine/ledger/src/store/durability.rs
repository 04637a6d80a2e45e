//! The policy that says when what is committed reaches the device.

/// With [`Durability::End`] as well, never leave more batches than this unsynced: sled's final flush grows
/// faster than their number, and a power cut inside a long unsynced stretch costs more than the stretch.
const UNSYNCED_BATCHES_MAX: u32 = 4096;

/// When committed batches reach the device. Until then a power cut may take them, and only them; the end of
/// the process alone takes at most what the last sync did not cover. A run is repeatable, so a lost tail
/// costs time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// At the end of every tick: about one device sync each.
    Tick,
    /// Every so many ticks that append something.
    Group {
        /// Batches between syncs; 0 counts as 1.
        ticks: u32,
    },
    /// When the ledger is finished.
    End,
}

impl Default for Durability {
    fn default() -> Self {
        Self::Group { ticks: 64 }
    }
}

impl Durability {
    /// How many batches may be committed before a sync is due.
    pub(super) fn batches_between_syncs(self) -> u32 {
        match self {
            Self::Tick => 1,
            Self::Group { ticks } => ticks.clamp(1, UNSYNCED_BATCHES_MAX),
            Self::End => UNSYNCED_BATCHES_MAX,
        }
    }
}
