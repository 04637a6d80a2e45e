//! The random draws of one tree.
//!
//! A draw is a pure function of the tree's seed and of what it is for, so nodes can be cut in any order: depth first, one
//! after the other, or level by level with all nodes of a level under way at the same time.

/// Draws by SplitMix64 (Steele, Lea & Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014): its output
/// function on a counter. The seed comes from the agent's stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draws(u64);

/// What splits off the draws of a sample from those of the nodes, which count from 0 as well.
const SAMPLE: u64 = 1 << 63;

impl Draws {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Which feature the `attempt`-th try to cut a node goes for, uniform below `width` (up to width / 2^32), and 32 bits
    /// for the threshold.
    pub(super) fn cut(self, slot: u32, attempt: u32, width: u32) -> (u32, u32) {
        let bits = self.at(u64::from(attempt) << 32 | u64::from(slot));
        let feature = (u64::from(bits as u32) * u64::from(width)) >> 32;
        (feature as u32, (bits >> 32) as u32)
    }

    /// Number `index` of the draws for a sample, uniform below `n` (up to 2^-16, and n / 2^64 beyond 65,536).
    #[inline(always)]
    pub(super) fn row(self, index: usize, n: usize) -> usize {
        if n <= 1 << 16 {
            self.row_of_few(index, n as u32) as usize
        } else {
            wide(self.at(SAMPLE | index as u64), n)
        }
    }

    /// As [`Self::row`], for up to 65,536 rows: without its branch, so that several are drawn in a vector.
    #[inline(always)]
    pub(super) fn row_of_few(self, index: usize, n: u32) -> u32 {
        let bits = self.at(SAMPLE | index as u64);
        (((bits >> 32) * u64::from(n)) >> 32) as u32
    }

    #[inline(always)]
    fn at(self, counter: u64) -> u64 {
        finish(self.0.wrapping_add(counter.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }
}

fn wide(bits: u64, n: usize) -> usize {
    ((u128::from(bits) * n as u128) >> 64) as usize
}

/// The output function of SplitMix64: every bit of the input changes about half of the bits of the output.
#[inline(always)]
fn finish(mut bits: u64) -> u64 {
    bits = (bits ^ bits >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ bits >> 31
}

/// A digest of the parts of a tree that does not depend on the order in which they are added.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TreeDigest(u64);

impl TreeDigest {
    /// Adds a cut.
    pub(super) fn cut(&mut self, slot: u32, key: u32, feature: u32) {
        self.add(u64::from(feature) << 32 | u64::from(slot), key);
    }

    /// Adds a leaf.
    pub(super) fn leaf(&mut self, slot: u32, path: u32) {
        self.add(u64::from(u32::MAX) << 32 | u64::from(slot), path);
    }

    fn add(&mut self, place: u64, what: u32) {
        self.0 = self.0.wrapping_add(finish(finish(place) ^ u64::from(what)));
    }

    pub(super) fn finish(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reference_output() {
        // The first outputs of the generator with seed 1234567, from the authors' C program.
        let generator = Draws::new(1_234_567);
        let outputs = [1, 2, 3, 4, 5].map(|counter| generator.at(counter));
        assert_eq!(
            outputs,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821
            ]
        );
    }

    #[test]
    fn features_and_rows_are_uniform() {
        let draws = Draws::new(7);
        let (mut features, mut rows) = ([0u32; 10], [0u32; 10]);
        for slot in 0..100_000 {
            features[draws.cut(slot, 3, 10).0 as usize] += 1;
            rows[draws.row(slot as usize, 10)] += 1;
        }
        // Standard deviation 95.
        assert!(features.iter().chain(&rows).all(|n| n.abs_diff(10_000) < 480), "{features:?} {rows:?}");
    }

    #[test]
    fn a_digest_is_of_parts_and_places() {
        let of = |parts: &[(u32, u32, u32)]| {
            let mut digest = TreeDigest::default();
            parts.iter().for_each(|(slot, key, feature)| digest.cut(*slot, *key, *feature));
            digest.finish()
        };
        assert_eq!(of(&[(1, 5, 0), (2, 6, 1)]), of(&[(2, 6, 1), (1, 5, 0)]));
        assert_ne!(of(&[(1, 5, 0), (2, 6, 1)]), of(&[(2, 5, 0), (1, 6, 1)]));
        assert_ne!(of(&[(1, 5, 0)]), of(&[(1, 5, 1)]));
        let mut leaf = TreeDigest::default();
        leaf.leaf(1, 5);
        assert_ne!(of(&[(1, 5, 0)]), leaf.finish());
    }
}
