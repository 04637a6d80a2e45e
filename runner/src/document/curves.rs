//! Curves of detection, averaged over runs.

use phalanx_sim::Curves;

/// Steps of the curves: fine enough to show what happens below 1 % of false alarms.
pub const GRID: usize = 200;

/// Curves, averaged over runs.
#[derive(Debug, Default)]
pub struct MeanCurves {
    runs: f64,
    precision_runs: Vec<f64>,
    /// True positive rate at equally spaced false positive rates.
    pub roc: Vec<f64>,
    /// Precision at equally spaced recalls.
    pub precision: Vec<f64>,
    alone: Vec<f64>,
    shared: Vec<f64>,
    pairs: f64,
}

impl MeanCurves {
    /// Adds those of a run.
    pub(super) fn add(&mut self, curves: &Curves) {
        if self.roc.is_empty() {
            self.roc = vec![0.0; GRID + 1];
            self.precision = vec![0.0; GRID + 1];
            self.precision_runs = vec![0.0; GRID + 1];
        }
        self.pairs += curves.pairs as f64;
        for (sums, counts) in [(&mut self.alone, &curves.alone), (&mut self.shared, &curves.shared)] {
            for [ticks, count] in counts {
                let index = *ticks as usize;
                if sums.len() <= index {
                    sums.resize(index + 1, 0.0);
                }
                sums[index] += *count as f64;
            }
        }
        let Some([benign, anomalous]) = curves.operating.last().copied() else { return };
        if benign == 0 || anomalous == 0 {
            return;
        }
        self.runs += 1.0;
        let mut before = (0.0, 0.0);
        let mut points = curves
            .operating
            .iter()
            .map(|[b, a]| (*b as f64 / benign as f64, *a as f64 / anomalous as f64))
            .peekable();
        for (step, sum) in self.roc.iter_mut().enumerate() {
            let x = step as f64 / GRID as f64;
            while let Some(point) = points.peek().filter(|p| p.0 <= x) {
                before = *point;
                points.next();
            }
            let y = match points.peek() {
                Some(after) if after.0 > before.0 => {
                    before.1 + (after.1 - before.1) * (x - before.0) / (after.0 - before.0)
                }
                _ => before.1,
            };
            *sum += y;
        }
        // Precision at a recall is that of the strictest threshold which reaches it.
        for (step, (sum, runs)) in self.precision.iter_mut().zip(&mut self.precision_runs).enumerate() {
            let recall = step as f64 / GRID as f64;
            let reaches = |[_, a]: &&[u64; 2]| *a as f64 >= recall * anomalous as f64 && *a > 0;
            if let Some([b, a]) = curves.operating.iter().find(reaches) {
                *sum += *a as f64 / (a + b) as f64;
                *runs += 1.0;
            }
        }
    }

    /// Turns sums into means.
    pub(super) fn finish(&mut self) {
        self.roc.iter_mut().for_each(|y| *y /= self.runs.max(1.0));
        self.precision.iter_mut().zip(&self.precision_runs).for_each(|(y, runs)| *y /= runs.max(1.0));
        if self.runs == 0.0 {
            self.roc.clear();
            self.precision.clear();
        }
    }

    /// Share of pairs with contact that were caught within so many ticks: alone and shared.
    #[must_use]
    pub fn caught(&self) -> [Vec<f64>; 2] {
        let length = self.alone.len().max(self.shared.len());
        [&self.alone, &self.shared].map(|counts| {
            let mut sum = 0.0;
            (0..length)
                .map(|tick| {
                    sum += counts.get(tick).copied().unwrap_or(0.0);
                    sum / self.pairs.max(1.0)
                })
                .collect()
        })
    }
}
