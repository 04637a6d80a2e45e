//! Second opinions: every flow of a capture as all agents' detectors see it, not only its owner's.
//!
//! What sharing is worth when agents see different parts of the world: the mean of all agents' calibrated scores against
//! the mean and the worst of their detectors alone, all judged on the same flows. Nobody acts on it.

use phalanx_detect::{Detector, ScoreHistogram};
use rayon::prelude::*;

use crate::checkpoint::saved;
use crate::summary;

/// One agent's detector and what it has learned from.
pub(crate) struct Judge<'a> {
    pub(crate) detector: &'a dyn Detector,
    /// Training flows, row-major.
    pub(crate) window: &'a [f32],
}

/// Mean and standard deviation of a detector's scores of its own training flows.
#[derive(Clone, Copy, Debug)]
struct Scale {
    /// Digest of the detector that it holds for.
    digest: u64,
    mean: f64,
    sd: f64,
}

/// A detector that finds all its training flows alike still divides by something.
const SD_MIN: f64 = 1e-9;

impl Scale {
    fn of(judge: &Judge<'_>) -> Self {
        let scores = scored(judge.detector, judge.window);
        let mean = phalanx_core::maths::mean(&scores).unwrap_or(0.0);
        let squares: Vec<f64> = scores.iter().map(|s| (s - mean) * (s - mean)).collect();
        let sd = phalanx_core::maths::mean(&squares).unwrap_or(0.0).sqrt();
        Self { digest: judge.detector.digest(), mean, sd: sd.max(SD_MIN) }
    }
}

/// Scores of all detectors over all flows, apart and together.
#[derive(Debug, Default)]
pub(crate) struct Opinions {
    scales: Vec<Scale>,
    alone: Vec<ScoreHistogram>,
    together: ScoreHistogram,
}

impl Opinions {
    /// Lets everybody judge a tick's flows, row-major, of all agents.
    pub(crate) fn add(&mut self, judges: &[Judge<'_>], flows: &[f32], anomalous: &[bool]) {
        self.alone.resize_with(judges.len(), ScoreHistogram::default);
        let known = std::mem::take(&mut self.scales);
        let fresh = |i: usize, judge: &Judge<'_>| {
            known
                .get(i)
                .copied()
                .filter(|scale| scale.digest == judge.detector.digest())
                .unwrap_or_else(|| Scale::of(judge))
        };
        let judged: Vec<(Scale, Vec<f64>)> = judges
            .par_iter()
            .enumerate()
            .map(|(i, judge)| {
                let scale = fresh(i, judge);
                let scores = scored(judge.detector, flows);
                (scale, scores.into_iter().map(|s| (s - scale.mean) / scale.sd).collect())
            })
            .collect();
        let mut sums = vec![0.0; anomalous.len()];
        for ((_, scores), alone) in judged.iter().zip(&mut self.alone) {
            for ((score, sum), anomalous) in scores.iter().zip(&mut sums).zip(anomalous) {
                alone.add(squashed(*score), *anomalous);
                *sum += *score;
            }
        }
        for (sum, anomalous) in sums.into_iter().zip(anomalous) {
            self.together.add(squashed(sum / judges.len() as f64), *anomalous);
        }
        self.scales = judged.into_iter().map(|(scale, _)| scale).collect();
    }

    /// The figures so far.
    pub(crate) fn summary(&self) -> summary::Opinions {
        let alone: Vec<f64> = self.alone.iter().filter_map(ScoreHistogram::roc_auc).collect();
        summary::Opinions {
            together_roc_auc: self.together.roc_auc(),
            together_average_precision: self.together.average_precision(),
            alone_mean_roc_auc: phalanx_core::maths::mean(&alone),
            alone_worst_roc_auc: alone.iter().copied().min_by(f64::total_cmp),
        }
    }
}

fn scored(detector: &dyn Detector, flows: &[f32]) -> Vec<f64> {
    let mut scores = Vec::new();
    detector.score(flows, &mut scores).expect("observed flows are finite and as wide as the model");
    scores
}

/// Any number to `(0, 1)`, in its order, as histograms count scores.
fn squashed(z: f64) -> f64 {
    0.5 + 0.5 * z / (4.0 + z.abs())
}

saved!(Scale { digest, mean, sd });
saved!(Opinions { scales, alone, together });
