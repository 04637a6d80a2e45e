//! The batch detectors behind one trait: whatever comes in, merged models, and pinned bits.

use phalanx_core::{AgentMix, Purpose, Stream, Streams, Tick};
use phalanx_detect::{DetectError, Detector, DetectorKind, Ecod, FitScratch, Hbos, HbosConfig};
use proptest::prelude::*;

fn stream(seed: u64) -> Stream {
    Streams::from_seed(seed).stream(Purpose::Model, 0, Tick(0))
}

/// Every kind, with few trees where there are trees: robustness does not need a hundred.
fn kinds() -> Vec<DetectorKind> {
    let small = |mut kind: DetectorKind| {
        for (parameter, value) in [("trees", "7"), ("cuts", "9"), ("reference", "40")] {
            if kind.parameters().contains(&parameter) {
                kind.set(parameter, value).unwrap();
            }
        }
        kind
    };
    DetectorKind::all().into_iter().map(small).collect()
}

fn fit(kind: &DetectorKind, rows: &[f32], width: usize, seed: u64) -> Result<Box<dyn Detector>, DetectError> {
    kind.fit(rows, width, &mut stream(seed), &mut FitScratch::default())
}

fn scores(detector: &dyn Detector, rows: &[f32]) -> Vec<f64> {
    let mut scores = vec![9.9];
    detector.score(rows, &mut scores).unwrap();
    scores
}

/// Finite floats of all sizes, with many repeated values, and columns that do not vary.
fn rows() -> impl Strategy<Value = (usize, Vec<f32>)> {
    let wild = any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |v| v.is_finite());
    let extreme = prop::sample::select(vec![f32::MAX, f32::MIN, 1e30, 1e-38, 1e-45, -0.0]);
    let value = prop_oneof![wild, (-2i8..3).prop_map(f32::from), extreme, -1f32..1.0];
    (1usize..6, 1usize..60, any::<u8>()).prop_flat_map(move |(width, count, constant)| {
        let rows = prop::collection::vec(value.clone(), width * count).prop_map(move |mut rows| {
            for column in (0..width).filter(|column| constant & (0x81 << column) == 0x81) {
                let first = rows[column];
                rows[column..].iter_mut().step_by(width).for_each(|x| *x = first);
            }
            rows
        });
        (Just(width), rows)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn any_finite_rows_are_scored((width, rows) in rows(), (_, others) in rows(), seed: u64) {
        let others = &others[..others.len() / width * width];
        for kind in kinds() {
            let detector = fit(&kind, &rows, width, seed).unwrap();
            prop_assert_eq!(detector.digest(), fit(&kind, &rows, width, seed).unwrap().digest(), "{}", kind.name());
            for rows in [&rows[..], others] {
                let all = scores(&*detector, rows);
                prop_assert_eq!(all.len(), rows.len() / width);
                for (row, score) in rows.chunks(width).zip(&all) {
                    prop_assert!((0.0..=1.0).contains(score), "{} gives {}", kind.name(), score);
                    let alone = scores(&*detector, row)[0];
                    prop_assert_eq!(alone.to_bits(), score.to_bits(), "{} looks at the batch", kind.name());
                }
            }
        }
    }

    #[test]
    fn a_broken_value_is_named((width, mut rows) in rows(), at: prop::sample::Index, broken in 0usize..3) {
        let fitted: Vec<_> = kinds().iter().map(|kind| fit(kind, &rows, width, 1).unwrap()).collect();
        let position = at.index(rows.len());
        rows[position] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][broken];
        let error = DetectError::NotFinite { row: position / width, column: position % width };
        for (kind, detector) in kinds().iter().zip(&fitted) {
            let mut scores = vec![1.0];
            prop_assert_eq!(detector.score(&rows, &mut scores), Err(error.clone()));
            prop_assert!(scores.is_empty(), "{}", kind.name());
            prop_assert_eq!(fit(kind, &rows, width, 1).unwrap_err(), error.clone());
        }
    }

    #[test]
    fn ecod_of_parts_is_ecod_of_the_whole((width, rows) in rows(), at: prop::sample::Index) {
        let cut = (at.index(rows.len()) / width).max(1) * width;
        let whole = Ecod::fit(&rows, width).unwrap();
        let mut grown = Ecod::fit(&rows[..cut], width).unwrap();
        grown.add(&rows[cut..]).unwrap();
        prop_assert_eq!(&grown, &whole);
        if cut < rows.len() {
            // Order does not matter either: the second part first.
            let mut merged = Ecod::fit(&rows[cut..], width).unwrap();
            merged.merge(&Ecod::fit(&rows[..cut], width).unwrap()).unwrap();
            prop_assert_eq!(merged.digest(), whole.digest());
            prop_assert_eq!(&merged, &whole);
        }
    }

    #[test]
    fn ecod_is_its_definition((width, rows) in rows(), (_, others) in rows()) {
        let others = &others[..others.len() / width * width];
        let raw = Ecod::fit(&rows, width).unwrap().raw_score(others).unwrap();
        let n = (rows.len() / width) as f64;
        for (row, raw) in others.chunks(width).zip(raw) {
            let expected: f64 = row.iter().enumerate().map(|(j, x)| {
                let training = || rows.iter().skip(j).step_by(width);
                let left = (training().filter(|v| *v <= x).count() + 1) as f64 / (n + 1.0);
                let right = (training().filter(|v| *v >= x).count() + 1) as f64 / (n + 1.0);
                -libm::log(left.min(right))
            }).sum();
            prop_assert!((raw - expected).abs() < 1e-9, "{} against {}", raw, expected);
        }
    }

    #[test]
    fn histograms_of_parts_add_up((width, rows) in rows(), at: prop::sample::Index) {
        let cut = at.index(rows.len()) / width * width;
        let mut left = Hbos::over(&vec![(-1.0, 2.0); width], &HbosConfig::default()).unwrap();
        let (mut right, mut whole) = (left.clone(), left.clone());
        whole.add(&rows).unwrap();
        left.add(&rows[..cut]).unwrap();
        right.add(&rows[cut..]).unwrap();
        right.merge(&left).unwrap();
        prop_assert_eq!(right, whole);
    }
}

#[test]
fn shapes_are_checked() {
    for kind in kinds() {
        let error = |rows: &[f32], width| fit(&kind, rows, width, 1).unwrap_err();
        assert_eq!(error(&[], 2), DetectError::NoRows, "{}", kind.name());
        assert_eq!(error(&[1.0], 0), DetectError::NoFeatures);
        assert_eq!(error(&[1.0; 3], 2), DetectError::Ragged { length: 3, width: 2 });
        let detector = fit(&kind, &[1.0, 2.0, 3.0, 5.0], 2, 1).unwrap();
        let mut scores = vec![1.0];
        let ragged = detector.score(&[1.0], &mut scores);
        assert_eq!((ragged, scores.len()), (Err(DetectError::Ragged { length: 1, width: 2 }), 0));
        assert_eq!((detector.score(&[], &mut scores), scores.len()), (Ok(()), 0));
    }
}

/// 600 rows of four features on different scales, the last 30 of them shifted.
fn mixture() -> Vec<f32> {
    let mut rng = stream(99);
    (0..600 * 4)
        .map(|i| {
            let x = rng.normal() + if i >= 570 * 4 { 4.0 } else { 0.0 };
            [x, 100.0 * x, libm::exp(x), x.floor()][i % 4] as f32
        })
        .collect()
}

#[test]
fn every_kind_finds_what_is_far() {
    let rows = mixture();
    let anomalous: Vec<bool> = (0..600).map(|i| i >= 570).collect();
    for kind in DetectorKind::all() {
        let detector = fit(&kind, &rows[..570 * 4], 4, 1).unwrap();
        let auc = phalanx_detect::roc_auc(&scores(&*detector, &rows), &anomalous).unwrap();
        assert!(auc > 0.95, "{} reaches {auc}", kind.name());
    }
}

#[test]
fn same_bits_everywhere() {
    // Recorded once; a change of these values changes every golden that such a detector has a part in.
    let rows = mixture();
    let got = DetectorKind::all().map(|kind| {
        let detector = fit(&kind, &rows[..500 * 4], 4, 3).unwrap();
        let mut mix = AgentMix::new(0);
        scores(&*detector, &rows).iter().for_each(|score| mix.word(score.to_bits()));
        (kind.name(), detector.digest(), mix.finish() as u64)
    });
    assert_eq!(got, PINNED);
}

const PINNED: [(&str, u64, u64); 16] = [
    ("isolation_forest", 6_231_391_315_399_061_018, 9_004_195_638_378_498_506),
    ("extended_forest", 7_317_215_284_388_661_019, 263_127_513_218_104_742),
    ("kurtosis_forest", 17_473_949_667_686_491_453, 12_608_408_763_658_228_458),
    ("z_score", 12_518_787_032_056_072_387, 15_967_896_369_199_352_830),
    ("ecod", 2_144_344_907_845_739_123, 6_152_129_004_496_274_245),
    ("copod", 4_009_480_228_247_049_356, 12_569_795_179_432_080_394),
    ("hbos", 4_508_109_449_259_332_028, 16_771_293_157_155_749_136),
    ("loda", 4_892_147_177_535_194_871, 4_073_115_486_029_145_957),
    ("knn", 14_075_981_464_889_571_431, 14_744_260_403_200_793_079),
    ("mahalanobis", 4_829_237_729_154_817_902, 1_216_055_783_476_753_056),
    ("pca", 12_083_922_841_545_300_003, 15_074_465_627_441_146_168),
    ("ensemble", 3_922_695_562_707_946_855, 6_538_865_650_201_726_901),
    ("half_space_trees", 3_646_627_171_401_360_271, 3_914_842_926_244_902_698),
    ("random_cut_forest", 16_108_652_842_527_887_846, 13_952_586_430_714_209_682),
    ("ewma", 1_550_871_677_895_785_606, 6_578_330_180_669_193_113),
    ("cusum", 9_070_163_452_244_062_055, 16_184_901_598_074_327_708),
];
