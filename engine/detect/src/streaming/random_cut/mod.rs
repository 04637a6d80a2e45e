//! Robust random cut forest of Guha, Mishra, Roy and Schrijvers (ICML 2016).
//!
//! Each tree holds the same window of the latest rows. A cut is drawn with probability proportional to the sides of
//! the bounding box, which lets a row be inserted or deleted so that the tree is distributed as if it had been grown
//! from the resulting window anew (theorems 3 and 4): the forest follows the stream exactly and forgets exactly.
//!
//! The score is collusive displacement (definition 5): how much smaller the rest of the tree's paths would become if
//! the row left, together with whichever companions hide it. For a row with subtree `S` on the path to the root and
//! sibling `S'` that is the largest `|S'| / |S|`.
//!
//! # Choices
//! - A row that is scored is not in the trees, and scoring may not change them. So instead of drawing one insertion,
//!   the expectation over all possible insertions is taken: at each region of the path the chance that a cut parts the
//!   row from it is known. Same mean as insert, read, delete (Guha 2016; `rrcf` 0.4), no noise, no draws.
//! - Equal rows share a leaf that counts them.
//! - Draws for the n-th row come from a random stream positioned at n, so a forest is plain data.

mod tree;

use phalanx_core::{AgentMix, Purpose, Stream, Streams, Tick};
use serde::{Deserialize, Serialize};

use super::StreamingDetector;
use crate::detector::{check_finite, check_parameter, finish, row_count, unit};
use crate::state;
use crate::{DetectError, Detector};
use tree::Tree;

/// Size of the forest. The defaults are those of the baseline runs with `rrcf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RandomCutConfig {
    /// Number of trees, 1 to 65,536.
    pub trees: u32,
    /// Latest rows that every tree holds, 1 to 65,536.
    pub window: u32,
}

impl Default for RandomCutConfig {
    fn default() -> Self {
        Self { trees: 40, window: 256 }
    }
}

impl RandomCutConfig {
    fn check(&self) -> Result<(), DetectError> {
        if self.trees == 0 {
            return Err(DetectError::NoTrees);
        }
        check_parameter(self.trees <= 1 << 16, "trees", "at most 65,536")?;
        check_parameter((1..=1 << 16).contains(&self.window), "window", "1 to 65,536")
    }
}

/// A forest over the latest rows of a stream.
///
/// `score = c / (1 + c)` with `c` the mean collusive displacement, so `c = s / (1 - s)`; an empty forest scores 0.
///
/// ```
/// use phalanx_core::{Purpose, Streams, Tick};
/// use phalanx_detect::{Detector, RandomCutConfig, RobustRandomCutForest, StreamingDetector};
///
/// let mut draws = Streams::from_seed(7).stream(Purpose::Model, 0, Tick(0));
/// let mut forest = RobustRandomCutForest::new(1, &RandomCutConfig::default(), &mut draws)?;
/// forest.update(&(0..300).map(|i| (i * i % 83) as f32).collect::<Vec<_>>())?;
/// let mut scores = Vec::new();
/// forest.score(&[40.0, 1000.0], &mut scores)?;
/// assert!(scores[0] < 0.9 && scores[1] > 0.99);
/// # Ok::<(), phalanx_detect::DetectError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RobustRandomCutForest {
    width: usize,
    config: RandomCutConfig,
    seed: u64,
    /// Rows learnt so far; the next one takes the place of the oldest, `seen % window`.
    seen: u64,
    trees: Vec<Tree>,
}

impl RobustRandomCutForest {
    /// An empty forest. It takes one word from `rng`, the seed of all its cuts.
    ///
    /// # Errors
    /// No features, or a configuration outside its limits.
    pub fn new(width: usize, config: &RandomCutConfig, rng: &mut Stream) -> Result<Self, DetectError> {
        config.check()?;
        if width == 0 {
            return Err(DetectError::NoFeatures);
        }
        let trees = vec![Tree::new(width); config.trees as usize];
        Ok(Self { width, config: *config, seed: rng.bits64(), seen: 0, trees })
    }

    /// [`Self::new`], then [`StreamingDetector::update`]: of `rows`, the last window is remembered.
    ///
    /// # Errors
    /// As both.
    pub fn fit(
        rows: &[f32],
        width: usize,
        config: &RandomCutConfig,
        rng: &mut Stream,
    ) -> Result<Self, DetectError> {
        let mut forest = Self::new(width, config, rng)?;
        forest.update(rows)?;
        Ok(forest)
    }
}

impl Detector for RobustRandomCutForest {
    fn width(&self) -> usize {
        self.width
    }

    fn score(&self, rows: &[f32], scores: &mut Vec<f64>) -> Result<(), DetectError> {
        scores.clear();
        let count = row_count(rows, self.width)?;
        check_finite(rows, self.width)?;
        scores.resize(count, 0.0);
        for tree in &self.trees {
            for (sum, row) in scores.iter_mut().zip(rows.chunks_exact(self.width)) {
                *sum += tree.displacement(row);
            }
        }
        for score in scores {
            *score = unit(*score / self.trees.len() as f64);
        }
        Ok(())
    }

    fn digest(&self) -> u64 {
        let mut mix = AgentMix::new(0);
        mix.word(self.seed);
        mix.word(self.seen);
        mix.word(u64::from(self.config.window) << 32 | self.width as u64);
        self.trees.iter().for_each(|tree| tree.absorb(&mut mix));
        finish(mix)
    }

    fn save(&self) -> Vec<u8> {
        state::save(self)
    }
}

impl StreamingDetector for RobustRandomCutForest {
    fn update(&mut self, rows: &[f32]) -> Result<(), DetectError> {
        row_count(rows, self.width)?;
        check_finite(rows, self.width)?;
        let streams = Streams::from_seed(self.seed);
        let window = u64::from(self.config.window);
        for row in rows.chunks_exact(self.width) {
            let mut rng = streams.stream(Purpose::Model, 0, Tick(self.seen));
            let place = (self.seen % window) as usize;
            for tree in &mut self.trees {
                if self.seen >= window {
                    tree.delete(place);
                }
                tree.insert(place, row, &mut rng);
            }
            self.seen += 1;
        }
        Ok(())
    }
}

impl RobustRandomCutForest {
    /// Whether every field is one that a fit gives.
    fn is_sound(&self) -> bool {
        let held = self.seen.min(u64::from(self.config.window)) as usize;
        self.config.check().is_ok()
            && self.width > 0
            && self.trees.len() == self.config.trees as usize
            && self.trees.iter().all(|tree| tree.is_sound(self.width, held))
    }
}

state::plain_state!(RobustRandomCutForest, RandomCutForest, "Detector::save");

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(seed: u64) -> Stream {
        Streams::from_seed(seed).stream(Purpose::Model, 0, Tick(0))
    }

    #[test]
    fn an_empty_forest_and_one_value() {
        let config = RandomCutConfig { trees: 2, window: 4 };
        let mut forest = RobustRandomCutForest::new(1, &config, &mut stream(1)).unwrap();
        let score = |forest: &RobustRandomCutForest, row: f32| {
            let mut scores = Vec::new();
            forest.score(&[row], &mut scores).unwrap();
            scores[0]
        };
        assert_eq!(score(&forest, 3.0), 0.0);
        forest.update(&[3.0; 9]).unwrap();
        assert_eq!((score(&forest, 3.0), score(&forest, 4.0)), (0.0, 0.8));
    }

    #[test]
    fn configurations_are_checked() {
        let check = |trees, window| {
            RobustRandomCutForest::new(1, &RandomCutConfig { trees, window }, &mut stream(1)).is_err()
        };
        assert!(!check(1, 1));
        assert!(check(0, 256) && check(40, 0) && check(1 << 17, 1) && check(1, 1 << 17));
    }
}
