//! Exponentially weighted moving averages (Roberts 1959): small shifts add up, old rows fade.
//!
//! The same chart as the native detector `Ewma` (engine/detect/src/streaming/ewma.rs) and as `plugins/ewma` in C,
//! operation for operation, so that all three give the same bits.

use crate::pair::Pair;

/// Deviations beyond this many sigmas count as this many.
const SIGMAS_MAX: f64 = 1e9;
/// Runs that sums are made of: part of the result.
const SUM_CHUNK: usize = 256;

/// Baselines and moving averages of all columns.
#[derive(Clone, Debug)]
pub struct Ewma {
    lambda: f64,
    /// `(1 - λ)^2t` after t rows.
    faded: f64,
    mean: Vec<f64>,
    sd: Vec<f64>,
    average: Vec<f64>,
}

impl Ewma {
    /// Knows nothing; `lambda`, the weight of the newest row, is in (0, 1].
    pub fn new(columns: usize, lambda: f64) -> Self {
        let zeros = || vec![0.0; columns];
        Self { lambda, faded: 1.0, mean: zeros(), sd: zeros(), average: zeros() }
    }

    /// Takes the baselines from rows, row-major.
    pub fn fit(&mut self, rows: &[f32]) {
        let columns = self.mean.len();
        for i in 0..columns {
            let origin = f64::from(rows[i]);
            let column = rows.iter().skip(i).step_by(columns);
            let off: Vec<f64> = column.map(|value| f64::from(*value) - origin).collect();
            let count = off.len() as f64;
            let shift = sum(&off) / count;
            let squares: Vec<f64> = off.iter().map(|off| (off - shift) * (off - shift)).collect();
            self.mean[i] = origin + shift;
            self.sd[i] = (sum(&squares) / count).sqrt();
        }
        self.average.fill(0.0);
        self.faded = 1.0;
    }

    /// Learns from rows as they pass.
    pub fn update(&mut self, rows: &[f32]) {
        for row in rows.chunks_exact(self.mean.len()) {
            for (i, value) in row.iter().enumerate() {
                let sigmas = sigmas(*value, self.mean[i], self.sd[i]);
                self.average[i] = (1.0 - self.lambda) * self.average[i] + self.lambda * sigmas;
            }
            self.faded = self.next_faded();
        }
    }

    /// `d / (1 + d)` with d the farthest that an average would be after the row, in its standard deviations.
    pub fn score(&self, rows: &[f32]) -> Vec<f32> {
        let deviation = (self.lambda / (2.0 - self.lambda) * (1.0 - self.next_faded())).sqrt();
        let kept: Vec<f64> = self.average.iter().map(|average| (1.0 - self.lambda) * average).collect();
        let score = |row: &[f32]| {
            let x = self.farthest(row, &kept) / deviation;
            (x / (1.0 + x)) as f32
        };
        rows.chunks_exact(self.mean.len()).map(score).collect()
    }

    /// The farthest that an average would be after the row, two columns at a time; `kept` is (1 - λ) · average.
    fn farthest(&self, row: &[f32], kept: &[f64]) -> f64 {
        let (values, last) = row.as_chunks::<2>();
        let (means, sds, kepts) =
            (self.mean.as_chunks::<2>().0, self.sd.as_chunks::<2>().0, kept.as_chunks::<2>().0);
        let pairs = values.iter().zip(means).zip(sds).zip(kepts);
        let far = pairs.fold(Pair::splat(0.0), |far, (((value, mean), sd), kept)| {
            let off = Pair::of(value.map(f64::from)).minus(Pair::of(*mean));
            let sigmas = off.over(Pair::of(*sd)).at_most(SIGMAS_MAX).at_least(-SIGMAS_MAX).zero_where(off);
            far.greater(Pair::of(*kept).plus(Pair::splat(self.lambda).times(sigmas)).abs())
        });
        let [a, b] = far.lanes();
        let far = if b > a { b } else { a };
        let [value] = last else { return far };
        let i = row.len() - 1;
        let next = (kept[i] + self.lambda * sigmas(*value, self.mean[i], self.sd[i])).abs();
        if next > far { next } else { far }
    }

    fn next_faded(&self) -> f64 {
        let keep = 1.0 - self.lambda;
        self.faded * (keep * keep)
    }

    /// `faded`, means, deviations, averages, little-endian.
    pub fn save(&self) -> Vec<u8> {
        let numbers = [self.faded]
            .into_iter()
            .chain([&self.mean, &self.sd, &self.average].into_iter().flatten().copied());
        numbers.flat_map(f64::to_le_bytes).collect()
    }

    /// Takes over what [`Self::save`] gave; `None` if it cannot have.
    pub fn load(&mut self, state: &[u8]) -> Option<()> {
        let columns = self.mean.len();
        let (words, []) = state.as_chunks::<8>() else { return None };
        let numbers: Vec<f64> = words.iter().map(|word| f64::from_le_bytes(*word)).collect();
        let (faded, rest) = numbers.split_first()?;
        if rest.len() != 3 * columns {
            return None;
        }
        let (mean, rest) = rest.split_at(columns);
        let (sd, average) = rest.split_at(columns);
        let fine = (0.0..=1.0).contains(faded)
            && rest.iter().chain(mean).all(|number| number.is_finite())
            && sd.iter().all(|sd| *sd >= 0.0);
        fine.then(|| {
            self.faded = *faded;
            self.mean.copy_from_slice(mean);
            self.sd.copy_from_slice(sd);
            self.average.copy_from_slice(average);
        })
    }
}

/// Deviation from the mean in standard deviations.
fn sigmas(value: f32, mean: f64, sd: f64) -> f64 {
    let off = f64::from(value) - mean;
    let far = off / sd;
    let far = if far > SIGMAS_MAX { SIGMAS_MAX } else { far };
    let far = if far < -SIGMAS_MAX { -SIGMAS_MAX } else { far };
    if off == 0.0 { 0.0 } else { far }
}

fn sum(values: &[f64]) -> f64 {
    values.chunks(SUM_CHUNK).map(|chunk| chunk.iter().fold(0.0, |a, x| a + x)).fold(0.0, |a, x| a + x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_and_limits_worked_out() {
        // λ = 1/2, mean 0, deviation 1: an average of 2 against √(1/3 · (1 - 1/4)) = 1/2.
        let mut chart = Ewma::new(1, 0.5);
        chart.fit(&[-1.0, 1.0]);
        assert_eq!(chart.score(&[4.0]), [0.8]);
        let mut loaded = Ewma::new(1, 0.5);
        loaded.load(&chart.save()).unwrap();
        assert_eq!(loaded.save(), chart.save());
        assert!(loaded.load(b"short").is_none());
    }
}
