//! The farthest feature in robust standard deviations: median and median absolute deviation do not move when a tenth of
//! what was learned from are attacks (Iglewicz & Hoaglin 1993, "How to Detect and Handle Outliers").

/// What a normal distribution's median absolute deviation has to be multiplied by to be its standard deviation.
const NORMAL: f32 = 1.4826;
/// The same of its mean absolute deviation, which stands in where more than half of the values are one and the median of
/// the deviations is 0.
const NORMAL_MEAN: f32 = 1.2533;
/// Robust deviations beyond this many count as this many.
const FAR: f32 = 1e6;

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
        rows.chunks_exact(self.median.len()).map(|row| self.score_row(row)).collect()
    }

    fn score_row(&self, row: &[f32]) -> f32 {
        // Four columns at a time, so that the compiler makes vector instructions of it.
        let mut far = [0.0f32; 4];
        let quads =
            row.chunks_exact(4).zip(self.median.chunks_exact(4)).zip(self.per_deviation.chunks_exact(4));
        for ((x, median), scale) in quads {
            for lane in 0..4 {
                let z = (x[lane] - median[lane]).abs() * scale[lane];
                far[lane] = if z > far[lane] { z } else { far[lane] };
            }
        }
        for i in row.len() / 4 * 4..row.len() {
            let z = (row[i] - self.median[i]).abs() * self.per_deviation[i];
            far[0] = if z > far[0] { z } else { far[0] };
        }
        let z = far.into_iter().fold(0.0, |far, z| if z > far { z } else { far });
        let z = if z > FAR { FAR } else { z };
        z / (1.0 + z)
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

/// The lower median; reorders the values.
fn middle(values: &mut [f32]) -> f32 {
    let half = (values.len() - 1) / 2;
    *values.select_nth_unstable_by(half, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

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
