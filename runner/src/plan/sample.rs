//! Points of sampled designs in the unit cube, row-major, `samples × factors`; they follow from the root seed alone.

/// Sobol points at most, and factors at most: what the sequence's tables hold.
pub(super) const SOBOL_SAMPLES_MAX: u32 = 1 << 16;
pub(super) const SOBOL_FACTORS_MAX: usize = 256;

/// Numbers out of BLAKE3, so that a design is the same on every machine and with every version of a library.
struct Draws(blake3::OutputReader);

impl Draws {
    fn new(root: u64, design: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("phalanx 2026 design");
        hasher.update(&root.to_le_bytes()).update(design.as_bytes());
        Self(hasher.finalize_xof())
    }

    fn word(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// Uniform in `[0, 1)`.
    fn unit(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform below `n`. The bias of 2^-64 · n is of no consequence here.
    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.word()) * n as u128) >> 64) as usize
    }

    fn shuffled(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, self.below(i + 1));
        }
        order
    }
}

pub(super) fn random(root: u64, samples: usize, factors: usize) -> Vec<f64> {
    let mut draws = Draws::new(root, "random");
    (0..samples * factors).map(|_| draws.unit()).collect()
}

pub(super) fn latin_hypercube(root: u64, samples: usize, factors: usize) -> Vec<f64> {
    let mut draws = Draws::new(root, "latin hypercube");
    let mut points = vec![0.0; samples * factors];
    for factor in 0..factors {
        for (sample, slice) in draws.shuffled(samples).into_iter().enumerate() {
            points[sample * factors + factor] = (slice as f64 + draws.unit()) / samples as f64;
        }
    }
    points
}

pub(super) fn sobol(root: u64, samples: u32, factors: usize) -> Vec<f64> {
    let seed = (root ^ root >> 32) as u32;
    let point =
        |sample| (0..factors as u32).map(move |factor| f64::from(sobol_burley::sample(sample, factor, seed)));
    (0..samples).flat_map(point).collect()
}

/// `trajectories × (factors + 1)` rows. Neighbours in a trajectory differ in one factor, by `levels / 2` steps of the
/// grid `0, 1/(levels − 1), …, 1` (Morris 1991): from every grid point exactly one direction stays inside.
pub(super) fn morris(root: u64, trajectories: usize, levels: u32, factors: usize) -> Vec<f64> {
    let mut draws = Draws::new(root, "morris");
    let last = levels - 1;
    let jump = levels / 2;
    let mut points = Vec::with_capacity(trajectories * (factors + 1) * factors);
    for _ in 0..trajectories {
        let mut at: Vec<u32> = (0..factors).map(|_| draws.below(levels as usize) as u32).collect();
        let mut put = |at: &[u32]| points.extend(at.iter().map(|x| f64::from(*x) / f64::from(last)));
        put(&at);
        for factor in draws.shuffled(factors) {
            at[factor] = if at[factor] + jump <= last { at[factor] + jump } else { at[factor] - jump };
            put(&at);
        }
    }
    points
}

/// `samples × (factors + 2)` rows: for each row of the matrices A and B the row of A, the row of A with factor i from
/// B for every i, and the row of B (Saltelli et al. 2010, radial).
pub(super) fn saltelli(root: u64, samples: u32, factors: usize) -> Vec<f64> {
    let both = sobol(root, samples, 2 * factors);
    let mut points = Vec::with_capacity(samples as usize * (factors + 2) * factors);
    for row in both.chunks_exact(2 * factors) {
        let (a, b) = row.split_at(factors);
        points.extend_from_slice(a);
        for i in 0..factors {
            points.extend((0..factors).map(|j| if i == j { b[j] } else { a[j] }));
        }
        points.extend_from_slice(b);
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latin_hypercube_hits_every_slice_once() {
        let points = latin_hypercube(7, 10, 3);
        for factor in 0..3 {
            let mut slices: Vec<usize> = points.chunks(3).map(|row| (row[factor] * 10.0) as usize).collect();
            slices.sort_unstable();
            assert_eq!(slices, (0..10).collect::<Vec<_>>());
        }
        assert_ne!(points, latin_hypercube(8, 10, 3));
    }

    #[test]
    fn a_sobol_sequence_fills_all_boxes_of_a_quarter() {
        // 16 points of a (0, 2)-sequence: one in each of the 4 × 4 boxes.
        let mut boxes: Vec<usize> = sobol(1, 16, 2)
            .chunks(2)
            .map(|row| (row[0] * 4.0) as usize * 4 + (row[1] * 4.0) as usize)
            .collect();
        boxes.sort_unstable();
        assert_eq!(boxes, (0..16).collect::<Vec<_>>());
    }

    #[test]
    fn a_morris_trajectory_moves_every_factor_once() {
        let points = morris(3, 5, 4, 3);
        assert_eq!(points.len(), 5 * 4 * 3);
        for trajectory in points.chunks(4 * 3) {
            let rows: Vec<&[f64]> = trajectory.chunks(3).collect();
            let mut moved: Vec<usize> = rows
                .windows(2)
                .map(|pair| {
                    let changed: Vec<usize> = (0..3).filter(|j| pair[0][*j] != pair[1][*j]).collect();
                    assert_eq!(changed.len(), 1);
                    assert!(((pair[0][changed[0]] - pair[1][changed[0]]).abs() - 2.0 / 3.0).abs() < 1e-12);
                    changed[0]
                })
                .collect();
            moved.sort_unstable();
            assert_eq!(moved, [0, 1, 2]);
        }
        assert!(points.iter().all(|u| (0.0..=1.0).contains(u)));
    }

    #[test]
    fn saltelli_rows_are_mixtures() {
        let points = saltelli(3, 4, 2);
        let rows: Vec<&[f64]> = points.chunks(2).collect();
        for block in rows.chunks(4) {
            let [a, ab0, ab1, b] = block else { panic!("four rows a sample") };
            assert_eq!((ab0[0], ab0[1], ab1[0], ab1[1]), (b[0], a[1], a[0], b[1]));
        }
    }
}
