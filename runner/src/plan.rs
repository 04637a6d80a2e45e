//! Which runs there are, and the seed of each.

use serde::Serialize;

/// How a replicate's seed follows from the root seed, as the manifest states it.
pub const SEED_FORMULA: &str = "seed(root, 0) = root; seed(root, k) = first 8 bytes, little-endian, of \
                                BLAKE3-derive_key(\"phalanx 2026 replicate seed\", LE64(root) || LE64(k))";

/// One run of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedRun {
    /// Position in the plan.
    pub run_id: u32,
    /// Seed of the run.
    pub seed: u64,
    /// Number of the replicate, from 0.
    pub rep: u32,
}

/// The seed of a replicate. It depends on the root and the replicate alone, never on the order of runs.
#[must_use]
pub fn replicate_seed(root: u64, rep: u32) -> u64 {
    if rep == 0 {
        return root;
    }
    let input = [root.to_le_bytes(), u64::from(rep).to_le_bytes()].concat();
    let key = blake3::derive_key("phalanx 2026 replicate seed", &input);
    let (first, _) = key.split_first_chunk().expect("a key has 32 bytes");
    u64::from_le_bytes(*first)
}

/// Replicates of one scenario.
#[must_use]
pub fn replicates(root: u64, reps: u32) -> Vec<PlannedRun> {
    (0..reps).map(|rep| PlannedRun { run_id: rep, seed: replicate_seed(root, rep), rep }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_follow_from_root_and_replicate() {
        assert_eq!(replicate_seed(42, 0), 42);
        // Pinned: a change of the formula changes every study.
        assert_eq!(replicate_seed(42, 1), 13_816_130_955_602_810_729);
        let mut seeds: Vec<u64> = (0..1000).map(|rep| replicate_seed(42, rep)).collect();
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 1000);
        assert_eq!(replicates(42, 5)[..3], replicates(42, 3));
    }
}
