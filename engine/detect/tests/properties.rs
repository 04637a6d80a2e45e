//! Whatever comes in: scores in `[0, 1]` or a typed error, and metrics that agree with their definitions.

use phalanx_core::{Purpose, Streams, Tick};
use phalanx_detect::{
    DetectError, Detector, FitScratch, ForestConfig, IsolationForest, ThresholdPolicy, ZScore,
    average_precision, roc_auc,
};
use proptest::prelude::*;

/// Rows of any finite floats, denormals and extremes included, with many repeated values.
fn rows() -> impl Strategy<Value = (usize, Vec<f32>)> {
    let any = any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |v| v.is_finite());
    let value = prop_oneof![any, (-2i8..3).prop_map(f32::from), Just(f32::MAX), Just(f32::MIN), Just(-0.0)];
    (1usize..6, 1usize..80).prop_flat_map(move |(width, count)| {
        (Just(width), prop::collection::vec(value.clone(), width * count))
    })
}

fn config() -> impl Strategy<Value = ForestConfig> {
    (1u32..9, 1u32..300).prop_map(|(trees, sample)| ForestConfig { trees, sample })
}

fn fit(rows: &[f32], width: usize, config: &ForestConfig, seed: u64) -> Result<IsolationForest, DetectError> {
    let mut rng = Streams::from_seed(seed).stream(Purpose::Model, 0, Tick(0));
    IsolationForest::fit(rows, width, config, &mut rng, &mut FitScratch::default())
}

fn check_detector(detector: &dyn Detector, rows: &[f32]) -> Result<(), TestCaseError> {
    let (mut all, mut alone) = (Vec::new(), Vec::new());
    detector.score(rows, &mut all).unwrap();
    prop_assert_eq!(all.len(), rows.len() / detector.width());
    for (row, score) in rows.chunks(detector.width()).zip(&all) {
        prop_assert!((0.0..=1.0).contains(score), "{}", score);
        detector.score(row, &mut alone).unwrap();
        prop_assert_eq!(alone[0].to_bits(), score.to_bits(), "a score may not depend on the batch");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn any_finite_rows_are_scored((width, rows) in rows(), config in config(), seed: u64) {
        let forest = fit(&rows, width, &config, seed).unwrap();
        prop_assert_eq!(&forest, &fit(&rows, width, &config, seed).unwrap());
        check_detector(&forest, &rows)?;
        check_detector(&ZScore::fit(&rows, width).unwrap(), &rows)?;
    }

    #[test]
    fn a_broken_value_is_named((width, mut rows) in rows(), at: prop::sample::Index, broken in 0usize..3) {
        let forest = fit(&rows, width, &ForestConfig { trees: 2, sample: 9 }, 1).unwrap();
        let position = at.index(rows.len());
        rows[position] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][broken];
        let error = DetectError::NotFinite { row: position / width, column: position % width };
        prop_assert_eq!(forest.score(&rows, &mut Vec::new()), Err(error.clone()));
        prop_assert_eq!(fit(&rows, width, &ForestConfig::default(), 1), Err(error.clone()));
        prop_assert_eq!(ZScore::fit(&rows, width), Err(error));
    }

    #[test]
    fn roc_auc_is_mann_whitney(rows in prop::collection::vec((0u8..20, any::<bool>()), 0..120)) {
        let (scores, anomalous): (Vec<f64>, Vec<bool>) = rows.iter().map(|(s, a)| (f64::from(*s), *a)).unzip();
        let of = |kind: bool| rows.iter().filter(move |(_, a)| *a == kind).map(|(s, _)| *s);
        let wins: f64 = of(true).flat_map(|a| of(false).map(move |b| (a, b)))
            .map(|(a, b)| f64::from(u8::from(a > b)) + 0.5 * f64::from(u8::from(a == b))).sum();
        let pairs = of(true).count() * of(false).count();
        let expected = (pairs > 0).then(|| wins / pairs as f64);
        prop_assert_eq!(roc_auc(&scores, &anomalous), expected);
    }

    #[test]
    fn average_precision_is_its_definition(rows in prop::collection::vec((0u8..20, any::<bool>()), 1..120)) {
        let (scores, anomalous): (Vec<f64>, Vec<bool>) = rows.iter().map(|(s, a)| (f64::from(*s), *a)).unzip();
        let positive = anomalous.iter().filter(|a| **a).count();
        let (mut expected, mut recall) = (0.0, 0.0);
        for limit in (0u8..20).rev() {
            let flagged = rows.iter().filter(|(s, _)| *s >= limit).count();
            let hits = rows.iter().filter(|(s, a)| *s >= limit && *a).count();
            if flagged > 0 && positive > 0 {
                let reached = hits as f64 / positive as f64;
                expected += (reached - recall) * hits as f64 / flagged as f64;
                recall = reached;
            }
        }
        match average_precision(&scores, &anomalous) {
            Some(got) => prop_assert!((got - expected).abs() < 1e-12, "{} against {}", got, expected),
            None => prop_assert_eq!(positive, 0),
        }
    }

    #[test]
    fn a_quantile_flags_at_most_its_share(scores in prop::collection::vec(0.0f64..1.0, 1..300), share in 0.0f64..0.6) {
        let policy = ThresholdPolicy::Quantile { contamination: share };
        let threshold = policy.threshold(&mut scores.clone()).unwrap();
        let flagged = scores.iter().filter(|score| **score > threshold).count();
        prop_assert!(flagged as f64 <= (share * (scores.len() - 1) as f64).ceil() + 1e-9, "{} flagged", flagged);
    }
}
