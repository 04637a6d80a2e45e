//! Correlations of standardised features, for the detectors that look at how features move together.

use nalgebra::DMatrix;

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
