//! State that was saved and loaded: it scores, learns and digests as if nothing had happened; anything else than such
//! bytes is refused and cannot panic.

use phalanx_core::{Purpose, Stream, Streams, Tick, digest128};
use phalanx_detect::{
    Adwin, CalibratedDetector, Calibration, Clause, ColumnKind, Comparison, Cusum, CusumConfig, Detector,
    DetectorKind, DriftDetector, Ewma, EwmaConfig, FitScratch, ForestConfig, HalfSpaceConfig, HalfSpaceTrees,
    IsolationForest, PageHinkley, PageHinkleyConfig, RandomCutConfig, RobustRandomCutForest, Rule,
    RuleDetector, Scaling, StateError, StreamingDetector, Threshold, ThresholdPolicy, Transform,
    TransformedDetector, ZScore, load_detector, load_drift, load_streaming,
};
use proptest::prelude::*;

fn stream(seed: u64) -> Stream {
    Streams::from_seed(seed).stream(Purpose::Model, 0, Tick(0))
}

/// Finite floats of all sizes with many repeated values.
fn rows() -> impl Strategy<Value = (usize, Vec<f32>)> {
    let any = any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |v| v.is_finite());
    let value = prop_oneof![any, (-2i8..3).prop_map(f32::from), Just(f32::MAX), Just(f32::MIN), -1f32..1.0];
    (1usize..6, 1usize..60).prop_flat_map(move |(width, count)| {
        (Just(width), prop::collection::vec(value.clone(), width * count))
    })
}

fn transform(rows: &[f32], width: usize) -> Transform {
    let kinds = [ColumnKind::Log1p, ColumnKind::Linear, ColumnKind::Category];
    let kinds: Vec<ColumnKind> = kinds.into_iter().cycle().take(width).collect();
    Transform::fit(rows, &kinds, Scaling::Robust).unwrap()
}

/// Every kind of the registry, small, and those that are put together by hand.
fn detectors(rows: &[f32], width: usize, seed: u64) -> Vec<Box<dyn Detector>> {
    let fit = |mut kind: DetectorKind| {
        for (parameter, value) in
            [("trees", "3"), ("cuts", "5"), ("reference", "20"), ("height", "4"), ("window", "9")]
        {
            if kind.parameters().contains(&parameter) {
                kind.set(parameter, value).unwrap();
            }
        }
        kind.fit(rows, width, &mut stream(seed), &mut FitScratch::default()).unwrap()
    };
    let mut all: Vec<Box<dyn Detector>> = DetectorKind::all().into_iter().map(fit).collect();
    let clause = Clause { feature: width - 1, comparison: Comparison::AtLeast, limit: 0.5 };
    all.push(Box::new(
        RuleDetector::new(width, vec![Rule::Any(vec![clause]), Rule::All(vec![clause])]).unwrap(),
    ));
    let transform = transform(rows, width);
    let inner = ZScore::fit(&transform.apply(rows).unwrap(), transform.width_out()).unwrap();
    let transformed = TransformedDetector::new(transform, inner).unwrap();
    let mut scores = Vec::new();
    transformed.score(rows, &mut scores).unwrap();
    let mut calibration = Calibration::default();
    calibration.add_all(&scores);
    all.push(Box::new(CalibratedDetector::new(transformed, calibration)));
    all
}

/// Every streaming detector, with windows that the rows overflow.
fn streaming(rows: &[f32], width: usize, seed: u64) -> Vec<Box<dyn StreamingDetector>> {
    let half_space = HalfSpaceConfig { trees: 3, height: 4, window: 10 };
    let random_cut = RandomCutConfig { trees: 3, window: 10 };
    let transform = transform(rows, width);
    let chart =
        Ewma::fit(&transform.apply(rows).unwrap(), transform.width_out(), EwmaConfig::default()).unwrap();
    vec![
        Box::new(HalfSpaceTrees::new(width, &half_space, &mut stream(seed)).unwrap()),
        Box::new(RobustRandomCutForest::new(width, &random_cut, &mut stream(seed)).unwrap()),
        Box::new(Ewma::fit(rows, width, EwmaConfig::default()).unwrap()),
        Box::new(Cusum::fit(rows, width, CusumConfig::default()).unwrap()),
        Box::new(TransformedDetector::new(transform, chart).unwrap()),
    ]
}

fn drifts() -> Vec<Box<dyn DriftDetector>> {
    let config = PageHinkleyConfig { threshold: 2.0, warm_up: 3, ..PageHinkleyConfig::default() };
    vec![Box::new(Adwin::new(0.3).unwrap()), Box::new(PageHinkley::new(config).unwrap())]
}

fn policies() -> [ThresholdPolicy; 5] {
    [
        ThresholdPolicy::Fixed(0.7),
        ThresholdPolicy::Quantile { contamination: 0.03 },
        ThresholdPolicy::Conformal { alpha: 0.03 },
        ThresholdPolicy::FalseDiscovery { alpha: 0.3 },
        ThresholdPolicy::PeaksOverThreshold { q: 0.001, level: 0.9 },
    ]
}

fn bits(detector: &(impl Detector + ?Sized), rows: &[f32]) -> Vec<u64> {
    let mut scores = Vec::new();
    detector.score(rows, &mut scores).unwrap();
    scores.into_iter().map(f64::to_bits).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn detectors_come_back((width, rows) in rows(), (_, others) in rows(), seed: u64) {
        let others = &others[..others.len() / width * width];
        for detector in detectors(&rows, width, seed) {
            let saved = detector.save();
            let loaded = load_detector(&saved).map_err(|e| TestCaseError::fail(format!("{e}: {detector:?}")))?;
            prop_assert_eq!(loaded.save(), saved);
            prop_assert_eq!((loaded.width(), loaded.digest()), (width, detector.digest()));
            for rows in [&rows[..], others] {
                prop_assert_eq!(bits(&*loaded, rows), bits(&*detector, rows));
            }
        }
    }

    #[test]
    fn streams_go_on((width, rows) in rows(), at: prop::sample::Index, seed: u64) {
        let (before, after) = rows.split_at(at.index(rows.len() / width) * width);
        for mut detector in streaming(&rows, width, seed) {
            detector.update(before).unwrap();
            let mut loaded = load_streaming(&detector.save()).unwrap();
            prop_assert_eq!(bits(&*loaded, &rows), bits(&*detector, &rows));
            let (mut expected, mut scores) = (Vec::new(), Vec::new());
            detector.score_then_update(after, &mut expected).unwrap();
            loaded.score_then_update(after, &mut scores).unwrap();
            prop_assert_eq!(scores, expected);
            prop_assert_eq!((loaded.digest(), loaded.save()), (detector.digest(), detector.save()));
            prop_assert_eq!(load_detector(&detector.save()).unwrap().digest(), detector.digest());
        }
    }

    #[test]
    fn forests_are_refreshed_alike((width, rows) in rows(), count in 1u32..6, seed: u64) {
        let mut scratch = FitScratch::default();
        let config = ForestConfig { trees: 5, sample: 16 };
        let mut forest = IsolationForest::fit(&rows, width, &config, &mut stream(seed), &mut scratch).unwrap();
        forest.refresh(&rows, count, &mut stream(1), &mut scratch).unwrap();
        let mut loaded = IsolationForest::load(&forest.save()).unwrap();
        prop_assert_eq!(&loaded, &forest);
        forest.refresh(&rows, count, &mut stream(2), &mut scratch).unwrap();
        loaded.refresh(&rows, count, &mut stream(2), &mut scratch).unwrap();
        prop_assert_eq!(&loaded, &forest);
    }

    #[test]
    fn drift_and_thresholds_come_back(values in prop::collection::vec(0f64..1.0, 1..200), at: prop::sample::Index) {
        let (before, after) = values.split_at(at.index(values.len()));
        for mut drift in drifts() {
            before.iter().for_each(|value| _ = drift.update(*value));
            let mut loaded = load_drift(&drift.save()).unwrap();
            for value in after {
                prop_assert_eq!(loaded.update(value + 1.0), drift.update(value + 1.0));
            }
            prop_assert_eq!((loaded.digest(), loaded.save()), (drift.digest(), drift.save()));
        }
        for policy in policies() {
            let threshold = policy.fit(&values).unwrap();
            prop_assert_eq!(Threshold::load(&threshold.save()), Ok(threshold));
        }
        let mut calibration = Calibration::default();
        calibration.add_all(&values);
        prop_assert_eq!(Calibration::load(&calibration.save()), Ok(calibration));
    }

    /// Whoever can compute a checksum can write any bytes: they may load, and must then behave.
    #[test]
    fn made_up_bytes_cannot_panic(
        (width, rows) in rows(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let tampered = |saved: Vec<u8>| {
            let mut bytes = saved[..saved.len() - 16].to_vec();
            for (at, value) in &changes {
                let at = 7 + at.index(bytes.len() - 7);
                bytes[at] = *value;
            }
            bytes.truncate(cut.map_or(bytes.len(), |cut| 7 + cut.index(bytes.len() - 7)));
            let checksum = digest128(&bytes);
            bytes.extend(checksum);
            bytes
        };
        for detector in detectors(&rows, width, 1) {
            if let Ok(loaded) = load_detector(&tampered(detector.save())) {
                let zeros = vec![0.0; loaded.width()];
                bits(&*loaded, &zeros);
                if loaded.width() == width {
                    bits(&*loaded, &rows);
                }
            }
        }
        for mut detector in streaming(&rows, width, 1) {
            detector.update(&rows).unwrap();
            if let Ok(mut loaded) = load_streaming(&tampered(detector.save()))
                && loaded.width() == width
            {
                loaded.score_then_update(&rows, &mut Vec::new()).unwrap();
            }
        }
        for mut drift in drifts() {
            rows.iter().for_each(|value| _ = drift.update(f64::from(*value)));
            if let Ok(mut loaded) = load_drift(&tampered(drift.save())) {
                rows.iter().for_each(|value| _ = loaded.update(f64::from(*value)));
            }
        }
        for policy in policies() {
            let scores: Vec<f64> = rows.iter().map(|x| f64::from(*x)).collect();
            if let Ok(loaded) = Threshold::load(&tampered(policy.fit(&scores).unwrap().save())) {
                loaded.flag(&scores, &mut Vec::new());
            }
        }
    }
}

#[test]
fn other_bytes_are_refused() {
    let rows = [1.0, 2.0, 5.0, 9.0];
    let saved = ZScore::fit(&rows, 1).unwrap().save();
    let check = |bytes: &[u8], expected: StateError| assert_eq!(ZScore::load(bytes), Err(expected));
    check(b"", StateError::NotAState);
    check(b"PHXT\x01\0", StateError::NotAState);
    for length in 4..saved.len() {
        let error = ZScore::load(&saved[..length]).unwrap_err();
        assert!(matches!(error, StateError::Damaged { .. }), "{length}: {error}");
    }
    for at in 0..saved.len() {
        let mut changed = saved.clone();
        changed[at] ^= 0x40;
        assert!(ZScore::load(&changed).is_err(), "byte {at}");
    }
    let mut other = saved.clone();
    other[4] = 1;
    check(&other, StateError::Version { version: 1 });

    let adwin = Adwin::default().save();
    let error = ZScore::load(&adwin).unwrap_err().to_string();
    assert_eq!(error, "the state of ADWIN, where that of z-scores is wanted; load it as what it is");
    assert!(load_detector(&adwin).is_err() && load_streaming(&saved).is_err() && load_drift(&saved).is_err());

    let mut unknown = saved[..saved.len() - 16].to_vec();
    unknown[6] = 200;
    let checksum = digest128(&unknown);
    unknown.extend(checksum);
    check(&unknown, StateError::UnknownKind { kind: 200 });
}

#[test]
fn nesting_has_an_end() {
    let rows = [1.0, 2.0, 5.0, 9.0];
    let mut detector: Box<dyn Detector> = Box::new(ZScore::fit(&rows, 1).unwrap());
    for depth in 0..12 {
        assert_eq!(load_detector(&detector.save()).is_ok(), depth <= 8, "{depth} calibrations");
        detector = Box::new(CalibratedDetector::new(detector, Calibration::default()));
    }
}

/// A change here means that old checkpoints cannot be read: it needs a new version.
#[test]
fn encodings_are_pinned() {
    let rows: Vec<f32> = (0..3 * 40).map(|i| (i * 7919 % 101) as f32).collect();
    let mut bytes = Vec::new();
    for detector in detectors(&rows, 3, 5) {
        bytes.extend(digest128(&detector.save()));
    }
    for mut detector in streaming(&rows, 3, 5) {
        detector.update(&rows).unwrap();
        bytes.extend(digest128(&detector.save()));
    }
    for mut drift in drifts() {
        rows.iter().for_each(|value| _ = drift.update(f64::from(*value)));
        bytes.extend(digest128(&drift.save()));
    }
    let scores: Vec<f64> = rows.iter().map(|x| f64::from(*x)).collect();
    for policy in policies() {
        bytes.extend(digest128(&policy.fit(&scores).unwrap().save()));
    }
    assert_eq!(u128::from_be_bytes(digest128(&bytes)), 0x108b_3084_b1bd_24ae_2736_25d3_93dc_7d4a);
}
