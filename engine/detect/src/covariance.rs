//! Correlations of standardised features, for the detectors that look at how features move together.

use nalgebra::DMatrix;
use phalanx_core::AgentMix;
use serde::{Deserialize, Serialize};

use crate::detector::finish;
use crate::lent::lend;
use crate::scaling::Scaler;

/// Rows whose products are summed by themselves, so that the error of long sums stays small.
const CHUNK: usize = 256;

/// Mean products of the scaled features of at least one row: the correlation matrix if the scaler standardises.
pub(crate) fn products(scaler: &Scaler, rows: &[f32], width: usize) -> DMatrix<f64> {
    let mut total = vec![0.0; width * width];
    let mut part = vec![0.0; width * width];
    let mut scaled = vec![0.0; width];
    for chunk in rows.chunks(CHUNK * width) {
        part.fill(0.0);
        for row in chunk.chunks_exact(width) {
            scaler.scale(row, &mut scaled);
            for (i, line) in part.chunks_exact_mut(width).enumerate() {
                let x = scaled[i];
                line[..=i].iter_mut().zip(&scaled).for_each(|(sum, y)| *sum += x * y);
            }
        }
        total.iter_mut().zip(&part).for_each(|(total, part)| *total += part);
    }
    let count = (rows.len() / width) as f64;
    DMatrix::from_fn(width, width, |i, j| total[i.max(j) * width + i.min(j)] / count)
}

/// Directions in the space of scaled features: a row is as unusual as it is long along them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Directions {
    pub(crate) scaler: Scaler,
    /// Features a row.
    pub(crate) width: usize,
    /// One direction after the other, each of `width` weights.
    pub(crate) lines: Vec<f64>,
}

impl Directions {
    /// Appends the norm of every scaled row's products with the directions, where the i-th direction has weights for
    /// the first `reach(i)` features alone.
    pub(crate) fn norms(&self, rows: &[f32], norms: &mut Vec<f64>, reach: impl Fn(usize) -> usize) {
        let mut scaled = lend(0.0, self.width);
        norms.extend(rows.chunks_exact(self.width).map(|row| {
            self.scaler.scale(row, &mut scaled);
            let lines = self.lines.chunks_exact(self.width).enumerate();
            let products = lines.map(|(i, line)| dot(&line[..reach(i)], &scaled[..reach(i)]));
            products.fold(0.0, |sum, x| sum + x * x).sqrt()
        }));
    }

    /// Whether the shapes fit and the numbers are finite.
    pub(crate) fn is_sound(&self) -> bool {
        self.width > 0
            && self.scaler.is_sound(self.width)
            && self.lines.len().is_multiple_of(self.width)
            && self.lines.iter().all(|x| x.is_finite())
    }

    pub(crate) fn digest(&self) -> u64 {
        let mut mix = AgentMix::new(self.width as u32);
        self.scaler.digest(&mut mix);
        self.lines.iter().for_each(|x| mix.float(*x));
        finish(mix)
    }
}

/// Four running sums: a fixed order that does not wait for each addition.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0f64; 4];
    let (fours_a, fours_b) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest = fours_a.remainder().iter().zip(fours_b.remainder()).fold(0.0, |sum, (x, y)| sum + x * y);
    for (x, y) in fours_a.zip(fours_b) {
        for lane in 0..4 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}
