//! The farthest feature in robust standard deviations: median and median absolute deviation do not move when a tenth of
//! what was learned from are attacks (Iglewicz & Hoaglin 1993, "How to Detect and Handle Outliers").

#[path = "quad.rs"]
mod quad;

use quad::Quad;

/// What a normal distribution's median absolute deviation has to be multiplied by to be its standard deviation.
const NORMAL: f32 = 1.4826;
/// The same of its mean absolute deviation, which stands in where more than half of the values are one and the median of
/// the deviations is 0.
const NORMAL_MEAN: f32 = 1.2533;
/// Robust deviations beyond this many count as this many.
const FAR: f32 = 1e6;
/// Rows that are scored at once.
const ROWS: usize = 4;
/// Columns that are looked at at once.
const WIDE: usize = 16;

/// Median and reciprocal deviation of every column.
#[derive(Clone, Debug)]
pub struct RobustZScore {
    median: Vec<f32>,
    /// 1 / deviation; 0 until something was learned, [`FAR`] for a column that hardly varies.
    per_deviation: Vec<f32>,
}

impl RobustZScore {
    /// Knows nothing: every score is 0.
    pub fn new(columns: usize) -> Self {
        Self { median: vec![0.0; columns], per_deviation: vec![0.0; columns] }
    }

    /// Learns from rows, row-major.
    pub fn fit(&mut self, rows: &[f32]) {
        let columns = self.median.len();
        for i in 0..columns {
            let mut values: Vec<f32> = rows.iter().skip(i).step_by(columns).copied().collect();
            let median = middle(&mut values);
            values.iter_mut().for_each(|value| *value = (*value - median).abs());
            let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len() as f64;
            let deviation = NORMAL * middle(&mut values);
            let varies = |deviation: f32| deviation * FAR > 1.0;
            let deviation = if varies(deviation) { deviation } else { NORMAL_MEAN * mean as f32 };
            self.median[i] = median;
            self.per_deviation[i] = if varies(deviation) { 1.0 / deviation } else { FAR };
        }
    }

    /// `z / (1 + z)` with z the largest deviation of a row.
    pub fn score(&self, rows: &[f32]) -> Vec<f32> {
        let columns = self.median.len();
        let fours = rows.chunks_exact(ROWS * columns);
        let rest = fours.remainder().chunks_exact(columns);
        // Known before the loop, where asking would cost a twentieth.
        let mut scores = if columns.is_multiple_of(WIDE) {
            fours.map(|rows| self.score_four::<false>(rows)).collect::<Vec<_>>().into_flattened()
        } else {
            fours.map(|rows| self.score_four::<true>(rows)).collect::<Vec<_>>().into_flattened()
        };
        scores.extend(rest.map(|row| squash(Quad::splat(self.farthest(row, 0))).lanes()[0]));
        scores
    }

    /// Rows side by side, which take one division together. `REST` if columns are left over.
    #[inline(always)]
    fn score_four<const REST: bool>(&self, rows: &[f32]) -> [f32; ROWS] {
        let columns = self.median.len();
        let (a, rows) = rows.split_at(columns);
        let (b, rows) = rows.split_at(columns);
        let (c, d) = rows.split_at(columns);
        let mut far = [Quad::splat(0.0); ROWS];
        let wide = |columns| <[f32]>::as_chunks::<WIDE>(columns).0;
        let model = wide(&self.median).iter().zip(wide(&self.per_deviation));
        for ((((model, a), b), c), d) in model.zip(wide(a)).zip(wide(b)).zip(wide(c)).zip(wide(d)) {
            far[0] = farther(a, model, far[0]);
            far[1] = farther(b, model, far[1]);
            far[2] = farther(c, model, far[2]);
            far[3] = farther(d, model, far[3]);
        }
        let mut z = Quad::greatest(far);
        if REST {
            let rest = |row| self.farthest(row, columns / WIDE * WIDE);
            z = z.greater(Quad::of(&[a, b, c, d].map(rest)));
        }
        squash(z).lanes()
    }

    /// The largest deviation of a row in the columns from `first` on, one by one.
    fn farthest(&self, row: &[f32], first: usize) -> f32 {
        let model = self.median[first..].iter().zip(&self.per_deviation[first..]);
        row[first..].iter().zip(model).fold(0.0, |far, (x, (median, per_deviation))| {
            let z = (x - median).abs() * per_deviation;
            if z > far { z } else { far }
        })
    }

    /// Both numbers of every column, little-endian.
    pub fn save(&self) -> Vec<u8> {
        self.median.iter().chain(&self.per_deviation).flat_map(|value| value.to_le_bytes()).collect()
    }

    /// Takes over what [`Self::save`] gave; `None` if it cannot have.
    pub fn load(&mut self, state: &[u8]) -> Option<()> {
        let columns = self.median.len();
        if state.len() != columns * 8 {
            return None;
        }
        let values: Vec<f32> = state
            .chunks_exact(4)
            .map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]]))
            .collect();
        let (median, per_deviation) = values.split_at(columns);
        let fine =
            median.iter().all(|m| m.is_finite()) && per_deviation.iter().all(|d| (0.0..=FAR).contains(d));
        fine.then(|| *self = Self { median: median.to_vec(), per_deviation: per_deviation.to_vec() })
    }
}

/// What is farther than this in so many columns of a row.
#[inline(always)]
fn farther(row: &[f32; WIDE], (median, per_deviation): (&[f32; WIDE], &[f32; WIDE]), mut far: Quad) -> Quad {
    let quad = |columns: &[f32; WIDE], i: usize| Quad::of(&columns.as_chunks().0[i]);
    for i in 0..WIDE / 4 {
        let z = quad(row, i).minus(quad(median, i)).abs().times(quad(per_deviation, i));
        far = far.greater(z);
    }
    far
}

#[inline(always)]
fn squash(z: Quad) -> Quad {
    let z = z.lesser(Quad::splat(FAR));
    z.over(z.plus(Quad::splat(1.0)))
}

/// The lower median; reorders the values.
fn middle(values: &mut [f32]) -> f32 {
    let half = (values.len() - 1) / 2;
    *values.select_nth_unstable_by(half, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the columns and rows, each row scores as one alone, column by column.
    #[test]
    fn rows_side_by_side_score_as_one_by_one() {
        for columns in [1, 3, 4, 15, 16, 17, 20, 32, 37] {
            let mut bits = 1u32;
            let mut draw = |count: usize| -> Vec<f32> {
                let mut one = |_| {
                    bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (bits >> 8) as f32 / 65536.0 - 99.0
                };
                (0..count * columns).map(&mut one).collect()
            };
            let mut model = RobustZScore::new(columns);
            model.fit(&draw(50));
            let mut rows = draw(11);
            rows[0] = f32::MAX;
            let alone = |row: &[f32]| squash(Quad::splat(model.farthest(row, 0))).lanes()[0];
            let expected: Vec<f32> = rows.chunks_exact(columns).map(alone).collect();
            assert_eq!(model.score(&rows), expected, "{columns} columns");
        }
    }

    #[test]
    fn deviations_worked_out() {
        let mut model = RobustZScore::new(1);
        // Median 3, absolute deviations 0, 1, 1, 2, 97: their median is 1. One attack of five changes nothing.
        model.fit(&[1.0, 2.0, 3.0, 4.0, 100.0]);
        let z = 2.0 / NORMAL;
        assert_eq!(model.score(&[3.0, 5.0]), [0.0, z / (1.0 + z)]);
        let mut loaded = RobustZScore::new(1);
        loaded.load(&model.save()).unwrap();
        assert_eq!(loaded.score(&[5.0]), model.score(&[5.0]));
        assert!(loaded.load(b"short").is_none());
        // Most are 0, so the median deviation is; the mean one is 1.
        model.fit(&[0.0, 0.0, 0.0, 0.0, 5.0]);
        let z = 5.0 / NORMAL_MEAN;
        assert!((model.score(&[5.0])[0] - z / (1.0 + z)).abs() < 1e-6);
        model.fit(&[7.0; 5]);
        assert_eq!(model.score(&[7.0, 7.1]), [0.0, FAR * (7.1 - 7.0) / (1.0 + FAR * (7.1 - 7.0))]);
    }
}
