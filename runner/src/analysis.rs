//! What factors do to figures: main effects, paired differences, elementary effects, variance shares.

use std::collections::BTreeMap;

use crate::statistics::Spread;

/// Resamples of a bootstrap.
const RESAMPLES: usize = 400;

/// Mean and half-width of a factor's level over all runs that have it.
#[derive(Clone, Debug, PartialEq)]
pub struct LevelEffect {
    /// The level.
    pub level: String,
    /// Runs.
    pub n: usize,
    /// Mean and 95 % interval.
    pub spread: Spread,
}

/// The figure's mean by level, levels in order of appearance. `rows` are (level, figure) of all runs.
#[must_use]
pub fn main_effect(rows: &[(String, Option<f64>)]) -> Vec<LevelEffect> {
    let mut levels: Vec<(String, Vec<f64>)> = Vec::new();
    let mut known = BTreeMap::new();
    for (level, figure) in rows {
        let index = *known.entry(level).or_insert_with(|| {
            levels.push((level.clone(), Vec::new()));
            levels.len() - 1
        });
        levels[index].1.extend(*figure);
    }
    let effect = |(level, values): (String, Vec<f64>)| LevelEffect {
        level,
        n: values.len(),
        spread: Spread::of(&values),
    };
    levels.into_iter().map(effect).collect()
}

/// Difference to a baseline, replicate by replicate: with common seeds what both share cancels out.
#[must_use]
pub fn paired(baseline: &[Option<f64>], other: &[Option<f64>]) -> (usize, Spread) {
    let differences: Vec<f64> = baseline.iter().zip(other).filter_map(|(a, b)| Some((*b)? - (*a)?)).collect();
    (differences.len(), Spread::of(&differences))
}

/// Elementary effects of a factor (Morris 1991; μ* by Campolongo et al. 2007).
#[derive(Clone, Debug, PartialEq)]
pub struct Elementary {
    /// Mean effect, μ, of going from one end of the range to the other.
    pub mean: Spread,
    /// Mean absolute effect, μ*.
    pub absolute: Spread,
}

/// Elementary effects by factor. `points` are rows of the unit cube and `figures` their means, trajectories of
/// `factors + 1` rows one after another. A pair with an undefined figure is left out.
#[must_use]
pub fn elementary(points: &[&[f64]], figures: &[Option<f64>], factors: usize) -> Vec<Elementary> {
    let mut effects = vec![Vec::new(); factors];
    for (rows, values) in points.chunks(factors + 1).zip(figures.chunks(factors + 1)) {
        for (pair, value) in rows.windows(2).zip(values.windows(2)) {
            let Some(factor) = (0..factors).find(|j| pair[0][*j] != pair[1][*j]) else { continue };
            if let (Some(before), Some(after)) = (value[0], value[1]) {
                effects[factor].push((after - before) / (pair[1][factor] - pair[0][factor]));
            }
        }
    }
    let of = |values: Vec<f64>| {
        let absolute: Vec<f64> = values.iter().map(|x| x.abs()).collect();
        Elementary { mean: Spread::of(&values), absolute: Spread::of(&absolute) }
    };
    effects.into_iter().map(of).collect()
}

/// Shares of a figure's variance, with 95 % bootstrap intervals.
#[derive(Clone, Debug, PartialEq)]
pub struct VarianceShare {
    /// First-order index: the factor alone.
    pub first: [f64; 3],
    /// Total index: the factor with all its interactions.
    pub total: [f64; 3],
}

/// Sobol indices by factor: first-order by Saltelli et al. 2010, table 2 (b), total by Jansen 1999 (f). `figures` come
/// in blocks of A, A with each factor from B, and B. None if a figure is undefined or nothing varies.
#[must_use]
pub fn variance_shares(figures: &[Option<f64>], factors: usize) -> Option<Vec<VarianceShare>> {
    let blocks: Vec<Vec<f64>> = figures
        .chunks(factors + 2)
        .map(|block| block.iter().copied().collect::<Option<Vec<f64>>>())
        .collect::<Option<_>>()?;
    let all: Vec<usize> = (0..blocks.len()).collect();
    let estimate = indices(&blocks, &all, factors)?;
    let mut resampled = vec![[Vec::new(), Vec::new()]; factors];
    let mut draws = blake3::Hasher::new_derive_key("phalanx 2026 bootstrap").finalize_xof();
    for _ in 0..RESAMPLES {
        let mut word = [0; 8];
        let sample: Vec<usize> = (0..blocks.len())
            .map(|_| {
                draws.fill(&mut word);
                ((u128::from(u64::from_le_bytes(word)) * blocks.len() as u128) >> 64) as usize
            })
            .collect();
        if let Some(indices) = indices(&blocks, &sample, factors) {
            for (kept, (first, total)) in resampled.iter_mut().zip(indices) {
                kept[0].push(first);
                kept[1].push(total);
            }
        }
    }
    let interval = |centre: f64, values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        let at = |q: f64| values.get((q * (values.len().max(1) - 1) as f64).round() as usize).copied();
        [centre, at(0.025).unwrap_or(centre), at(0.975).unwrap_or(centre)]
    };
    let share = |((first, total), kept): ((f64, f64), &mut [Vec<f64>; 2])| {
        let [firsts, totals] = kept;
        VarianceShare { first: interval(first, firsts), total: interval(total, totals) }
    };
    Some(estimate.into_iter().zip(&mut resampled).map(share).collect())
}

fn indices(blocks: &[Vec<f64>], sample: &[usize], factors: usize) -> Option<Vec<(f64, f64)>> {
    let n = sample.len() as f64;
    let ends: Vec<f64> = sample.iter().flat_map(|i| [blocks[*i][0], blocks[*i][factors + 1]]).collect();
    let mean = ends.iter().sum::<f64>() / ends.len() as f64;
    let variance = ends.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / ends.len() as f64;
    (variance > 0.0).then(|| {
        (1..=factors)
            .map(|i| {
                let first = sample.iter().map(|s| {
                    let row = &blocks[*s];
                    // Centred: the estimator's error is proportional to the mean otherwise.
                    (row[factors + 1] - mean) * (row[i] - row[0])
                });
                let total = sample.iter().map(|s| (blocks[*s][0] - blocks[*s][i]).powi(2));
                (first.sum::<f64>() / n / variance, total.sum::<f64>() / (2.0 * n) / variance)
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Configurations;
    use crate::plan::design::parse_design;
    use crate::plan::levels::parse_vary;

    fn design(text: &str, factors: usize) -> Vec<Vec<f64>> {
        let vary: Vec<_> = (0..factors).map(|i| parse_vary(&format!("x{i}=0.0:1.0")).unwrap()).collect();
        let c = Configurations::new(&vary, &parse_design(text).unwrap(), 7, "".as_ref()).unwrap();
        (0..c.len()).map(|i| c.point(i).unwrap().to_vec()).collect()
    }

    #[test]
    fn variance_shares_are_those_of_ishigami() {
        // Ishigami and Homma 1990 with a = 7, b = 0.1: S = 0.314, 0.442, 0; T = 0.558, 0.442, 0.244.
        let points = design("saltelli:4096", 3);
        let figure = |u: &Vec<f64>| {
            let x: Vec<f64> = u.iter().map(|u| std::f64::consts::PI * (2.0 * u - 1.0)).collect();
            Some(x[0].sin() + 7.0 * x[1].sin().powi(2) + 0.1 * x[2].powi(4) * x[0].sin())
        };
        let shares = variance_shares(&points.iter().map(figure).collect::<Vec<_>>(), 3).unwrap();
        for (share, (first, total)) in shares.iter().zip([(0.314, 0.558), (0.442, 0.442), (0.0, 0.244)]) {
            assert!((share.first[0] - first).abs() < 0.02, "{share:?}");
            assert!((share.total[0] - total).abs() < 0.02, "{share:?}");
            assert!(share.first[1] <= share.first[0] && share.first[0] <= share.first[2]);
        }
        assert_eq!(variance_shares(&[Some(1.0); 8], 2), None, "nothing varies");
    }

    #[test]
    fn elementary_effects_of_a_line_are_its_slopes() {
        let points = design("morris:6", 3);
        let figures: Vec<_> = points.iter().map(|u| Some(3.0 * u[0] - 2.0 * u[1])).collect();
        let rows: Vec<&[f64]> = points.iter().map(Vec::as_slice).collect();
        let effects = elementary(&rows, &figures, 3);
        for (effect, slope) in effects.iter().zip([3.0, -2.0, 0.0f64]) {
            assert!((effect.mean.mean.unwrap() - slope).abs() < 1e-9);
            assert!((effect.absolute.mean.unwrap() - slope.abs()).abs() < 1e-9);
            assert!(effect.mean.sd.unwrap() < 1e-9, "a line has no interactions");
        }
    }

    #[test]
    fn common_seeds_cancel() {
        let noise = [5.0, -3.0, 11.0, 0.0];
        let a: Vec<Option<f64>> = noise.iter().map(|x| Some(*x)).collect();
        let b: Vec<Option<f64>> = noise.iter().map(|x| Some(x + 1.0)).collect();
        let (n, spread) = paired(&a, &b);
        assert_eq!((n, spread.mean, spread.half), (4, Some(1.0), Some(0.0)));
        assert_eq!(paired(&[None], &[Some(1.0)]).0, 0);
        let rows = [("x", Some(1.0)), ("y", Some(4.0)), ("x", Some(3.0)), ("y", None)];
        let effects = main_effect(&rows.map(|(l, v)| (l.to_owned(), v)));
        assert_eq!((effects[0].spread.mean, effects[1].n), (Some(2.0), 1));
    }
}
