//! Whatever comes in: streams of extremes are scored in `[0, 1]`, broken rows are named and change nothing, bytes that
//! are not a transform are refused.

use phalanx_core::{Purpose, Stream, Streams, Tick};
use phalanx_detect::{
    Adwin, Calibration, ColumnKind, Conformal, Cusum, CusumConfig, DetectError, DriftDetector, Ewma,
    EwmaConfig, HalfSpaceConfig, HalfSpaceTrees, PageHinkley, PageHinkleyConfig, RandomCutConfig,
    RobustRandomCutForest, Scaling, StreamingDetector, ThresholdPolicy, Transform, TransformedDetector,
    benjamini_hochberg,
};
use proptest::prelude::*;

fn stream(seed: u64) -> Stream {
    Streams::from_seed(seed).stream(Purpose::Model, 0, Tick(0))
}

/// Rows of any finite floats, denormals and extremes included, with many repeated values.
fn rows() -> impl Strategy<Value = (usize, Vec<f32>)> {
    let any = any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |v| v.is_finite());
    let value = prop_oneof![any, (-2i8..3).prop_map(f32::from), Just(f32::MAX), Just(f32::MIN), Just(-0.0)];
    (1usize..6, 1usize..80).prop_flat_map(move |(width, count)| {
        (Just(width), prop::collection::vec(value.clone(), width * count))
    })
}

/// One of each, with windows that the rows overflow; baselines are those of `rows`.
fn detectors(rows: &[f32], width: usize, seed: u64) -> Vec<Box<dyn StreamingDetector>> {
    let half_space = HalfSpaceConfig { trees: 3, height: 4, window: 10 };
    let random_cut = RandomCutConfig { trees: 3, window: 10 };
    let kinds: Vec<ColumnKind> = [ColumnKind::Log1p, ColumnKind::Linear, ColumnKind::Category]
        .into_iter()
        .cycle()
        .take(width)
        .collect();
    let transform = Transform::fit(rows, &kinds, Scaling::Robust).unwrap();
    let inner = transform.apply(rows).unwrap();
    let chart = Ewma::fit(&inner, transform.width_out(), EwmaConfig::default()).unwrap();
    vec![
        Box::new(HalfSpaceTrees::new(width, &half_space, &mut stream(seed)).unwrap()),
        Box::new(RobustRandomCutForest::new(width, &random_cut, &mut stream(seed)).unwrap()),
        Box::new(Ewma::fit(rows, width, EwmaConfig::default()).unwrap()),
        Box::new(Cusum::fit(rows, width, CusumConfig::default()).unwrap()),
        Box::new(TransformedDetector::new(transform, chart).unwrap()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn any_finite_stream_is_scored((width, rows) in rows(), seed: u64) {
        let again = detectors(&rows, width, seed);
        for (mut detector, mut again) in detectors(&rows, width, seed).into_iter().zip(again) {
            let (mut scores, mut alone) = (Vec::new(), Vec::new());
            detector.score_then_update(&rows, &mut scores).unwrap();
            prop_assert_eq!(scores.len(), rows.len() / width);
            prop_assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)), "{:?}", scores);
            again.update(&rows).unwrap();
            prop_assert_eq!(again.digest(), detector.digest());
            detector.score(&rows, &mut scores).unwrap();
            for (row, score) in rows.chunks(width).zip(&scores) {
                prop_assert!((0.0..=1.0).contains(score), "{}", score);
                detector.score(row, &mut alone).unwrap();
                prop_assert_eq!(alone[0].to_bits(), score.to_bits(), "a score may not depend on the batch");
            }
        }
    }

    #[test]
    fn a_broken_row_changes_nothing((width, mut rows) in rows(), at: prop::sample::Index, broken in 0usize..3) {
        let position = at.index(rows.len());
        for mut detector in detectors(&rows.clone(), width, 1) {
            detector.update(&rows).unwrap();
            let before = detector.digest();
            let fine = std::mem::replace(&mut rows[position], [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][broken]);
            let error = Err(DetectError::NotFinite { row: position / width, column: position % width });
            let mut scores = vec![0.0];
            prop_assert_eq!(detector.update(&rows), error.clone());
            prop_assert_eq!(detector.score_then_update(&rows, &mut scores), error.clone());
            prop_assert_eq!(detector.score(&rows, &mut scores), error);
            rows[position] = fine;
            if width > 1 {
                let longer = [&rows[..], &[1.0]].concat();
                prop_assert_eq!(detector.update(&longer), Err(DetectError::Ragged { length: longer.len(), width }));
            }
            prop_assert_eq!((detector.digest(), scores.len()), (before, 0));
        }
    }

    #[test]
    fn transforms_survive_their_bytes((width, rows) in rows(), scaling in 0usize..4, kinds: u64) {
        let scaling = [Scaling::None, Scaling::MinMax, Scaling::Standard, Scaling::Robust][scaling];
        let kind = |i: usize| [ColumnKind::Linear, ColumnKind::Log1p, ColumnKind::Category][(kinds >> (2 * i)) as usize % 3];
        let transform = Transform::fit(&rows, &(0..width).map(kind).collect::<Vec<_>>(), scaling).unwrap();
        let out = transform.apply(&rows).unwrap();
        prop_assert!(out.iter().all(|x| x.is_finite()));
        prop_assert_eq!(out.len(), rows.len() / width * transform.width_out());
        let bytes = transform.encode();
        let decoded = Transform::decode(&bytes).unwrap();
        prop_assert_eq!(decoded.encode(), bytes);
        prop_assert_eq!(decoded.apply(&rows).unwrap(), out);
    }

    #[test]
    fn other_bytes_are_refused_or_canonical(mut bytes in prop::collection::vec(any::<u8>(), 0..80), at: prop::sample::Index, new: u8) {
        prop_assert!(Transform::decode(&bytes).is_err());
        bytes = Transform::fit(&[1.0, 2.0, 3.0, 4.0], &[ColumnKind::Log1p, ColumnKind::Category], Scaling::Standard).unwrap().encode();
        let position = at.index(bytes.len());
        bytes[position] = new;
        if let Ok(transform) = Transform::decode(&bytes) {
            prop_assert_eq!(transform.encode(), bytes);
        }
    }

    #[test]
    fn any_scores_set_a_threshold(scores in prop::collection::vec(prop_oneof![any::<f64>(), 0.0f64..1.0, Just(0.5)], 0..60), share in 0.0f64..1.0) {
        let finite = scores.iter().all(|s| s.is_finite()) && !scores.is_empty();
        for policy in [
            ThresholdPolicy::Quantile { contamination: share },
            ThresholdPolicy::Conformal { alpha: share },
            ThresholdPolicy::FalseDiscovery { alpha: share },
            ThresholdPolicy::PeaksOverThreshold { q: share.max(1e-300), level: share },
        ] {
            let Ok(threshold) = policy.fit(&scores) else {
                prop_assert!(!finite, "{:?}", policy);
                continue;
            };
            let mut flags = Vec::new();
            threshold.flag(&scores, &mut flags);
            prop_assert_eq!(flags.len(), scores.len());
            prop_assert!(!threshold.cut().is_nan(), "{:?}", policy);
        }
    }

    #[test]
    fn benjamini_and_hochberg_as_defined(p in prop::collection::vec(0u8..20, 0..40), alpha in 0.0f64..1.0) {
        let p: Vec<f64> = p.iter().map(|p| f64::from(*p) / 20.0).collect();
        let mut flags = Vec::new();
        benjamini_hochberg(&p, alpha, &mut flags);
        // Try every number of rejections, from the definition.
        let limit = (1..=p.len()).rev().map(|k| alpha * (k as f64 / p.len() as f64))
            .zip((1..=p.len()).rev())
            .find(|(limit, k)| p.iter().filter(|p| **p <= *limit).count() >= *k);
        let expected: Vec<bool> = p.iter().map(|p| limit.is_some_and(|(limit, _)| *p <= limit)).collect();
        prop_assert_eq!(flags, expected);
    }

    #[test]
    fn calibration_is_a_conformal_p_value_of_bins(scores in prop::collection::vec(0.0f64..1.0, 1..200), probe in 0.0f64..1.0, split: prop::sample::Index) {
        let (mut calibration, mut rest) = (Calibration::default(), Calibration::default());
        let at = split.index(scores.len());
        calibration.add_all(&scores[..at]);
        rest.add_all(&scores[at..]);
        calibration.merge(&rest);
        // A bin is at most 1/4096 wide.
        let exact = Conformal::fit(&scores).unwrap();
        prop_assert!(calibration.tail(probe) >= exact.p_value(probe));
        prop_assert!(calibration.tail(probe) <= exact.p_value(probe - 1.0 / 4096.0));
    }

    #[test]
    fn drift_detectors_take_anything(values in prop::collection::vec(prop_oneof![any::<f64>(), -1.0f64..1.0], 0..300)) {
        let mut adwin = Adwin::default();
        let mut hinkley = PageHinkley::new(PageHinkleyConfig::default()).unwrap();
        let (mut again, mut other) = (adwin.clone(), hinkley.clone());
        for value in &values {
            prop_assert_eq!(adwin.update(*value), again.update(*value));
            prop_assert_eq!(hinkley.update(*value), other.update(*value));
        }
        prop_assert_eq!((adwin.digest(), hinkley.digest()), (again.digest(), other.digest()));
        prop_assert!(adwin.len() <= values.len() as u64);
    }
}
