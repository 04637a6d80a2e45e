//! Detectors and metrics against closed forms: the binormal ROC curve, and forests small enough to work out.

use phalanx_core::{Purpose, Stream, Streams, Tick, maths::normal_cdf};
use phalanx_detect::{
    Detector, FitScratch, ForestConfig, IsolationForest, ZScore, average_path_length, average_precision,
    roc_auc,
};

fn stream(seed: u64) -> Stream {
    Streams::from_seed(seed).stream(Purpose::Model, 0, Tick(0))
}

/// `count` values of N(0, 1), then `count` of N(shift, 1), with the truth.
fn binormal(count: usize, shift: f64) -> (Vec<f32>, Vec<bool>) {
    let mut rng = stream(21);
    let rows = (0..2 * count).map(|i| (rng.normal() + if i < count { 0.0 } else { shift }) as f32).collect();
    (rows, (0..2 * count).map(|i| i >= count).collect())
}

fn scores(detector: &dyn Detector, rows: &[f32]) -> Vec<f64> {
    let mut scores = Vec::new();
    detector.score(rows, &mut scores).unwrap();
    scores
}

const COUNT: usize = 40_000;

/// Four standard errors of an AUC of `COUNT` against `COUNT` rows are at most 4 √(A (1 - A) / COUNT).
fn check_auc(got: Option<f64>, expected: f64) {
    let got = got.unwrap();
    let tolerance = 4.0 * (expected * (1.0 - expected) / COUNT as f64).sqrt();
    assert!((got - expected).abs() < tolerance, "AUC {got} against {expected} ± {tolerance}");
}

#[test]
fn binormal_auc() {
    // O13: Phi(d' / √2).
    for (shift, expected) in [(1.0, 0.760_250), (2.0, 0.921_350), (3.0, 0.983_053)] {
        assert!((normal_cdf(shift / 2f64.sqrt()) - expected).abs() < 5e-7);
        let (rows, anomalous) = binormal(COUNT, shift);
        let values: Vec<f64> = rows.iter().map(|x| f64::from(*x)).collect();
        check_auc(roc_auc(&values, &anomalous), expected);
    }
}

#[test]
fn z_score_has_the_auc_of_the_folded_normal() {
    // The detector sees |x|. With A ~ N(d', 1) and B ~ N(0, 1), A + B and A - B are independent N(d', 2), and
    // |A| > |B| exactly if their product is positive: P = p² + (1 - p)² with p = Phi(d' / √2).
    for shift in [1.0, 2.0, 3.0] {
        let p = normal_cdf(shift / 2f64.sqrt());
        let (rows, anomalous) = binormal(COUNT, shift);
        let detector = ZScore::fit(&rows[..COUNT], 1).unwrap();
        check_auc(roc_auc(&scores(&detector, &rows), &anomalous), p * p + (1.0 - p) * (1.0 - p));
    }
}

#[test]
fn average_precision_of_noise_is_the_prevalence() {
    let mut rng = stream(4);
    let anomalous: Vec<bool> = (0..COUNT).map(|i| i % 10 == 0).collect();
    let noise: Vec<f64> = anomalous.iter().map(|_| rng.uniform()).collect();
    assert!((average_precision(&noise, &anomalous).unwrap() - 0.1).abs() < 0.01);
}

/// Mean path length of each row, recovered from its score, in a large forest grown from all rows.
fn paths(rows: &[f32], width: usize) -> Vec<f64> {
    let count = (rows.len() / width) as u32;
    let config = ForestConfig { trees: 40_000, sample: count };
    let forest =
        IsolationForest::fit(rows, width, &config, &mut stream(8), &mut FitScratch::default()).unwrap();
    let c = average_path_length(count);
    scores(&forest, rows).iter().map(|score| -libm::log2(*score) * c).collect()
}

/// A path is 1 or 2 here, so its standard deviation is at most 1/2: four errors of 40,000 trees are 0.01.
fn check_paths(rows: &[f32], width: usize, expected: &[f64]) {
    let got = paths(rows, width);
    let close = got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.01);
    assert!(close && got.len() == expected.len(), "paths {got:?} against {expected:?}");
}

#[test]
fn three_points_on_a_line() {
    // A cut, uniform in [0, 1), falls left of 1/4 with p = 1/4 and parts 0 from the rest; else it parts 1.
    check_paths(&[0.0, 0.25, 1.0], 1, &[2.0 - 0.25, 2.0, 1.0 + 0.25]);
}

#[test]
fn features_are_drawn_evenly() {
    // The middle point lies at 1/4 in one feature and at 3/4 in the other: half of the cuts are made in each.
    check_paths(&[0.0, 0.0, 0.25, 0.75, 1.0, 1.0], 2, &[1.5, 2.0, 1.5]);
    // One at 1/4, two at 3/4: the mean chance of parting the first point is 7/12.
    let rows = [0.0, 0.0, 0.0, 0.25, 0.75, 0.75, 1.0, 1.0, 1.0];
    check_paths(&rows, 3, &[2.0 - 7.0 / 12.0, 2.0, 1.0 + 7.0 / 12.0]);
}

#[test]
fn constant_features_are_never_cut() {
    let rows = [7.0, 0.0, -3.0, 7.0, 0.25, -3.0, 7.0, 1.0, -3.0];
    check_paths(&rows, 3, &[1.75, 2.0, 1.25]);
}

#[test]
fn duplicates_share_a_leaf() {
    // Two points at 0, one at 1: every first cut parts them; two points in a leaf are credited c(2) = 1.
    check_paths(&[0.0, 0.0, 1.0], 1, &[2.0, 2.0, 1.0]);
}

#[test]
fn what_cannot_be_told_apart_scores_a_half() {
    let half = |rows: &[f32], width: usize| {
        let config = ForestConfig::default();
        let forest =
            IsolationForest::fit(rows, width, &config, &mut stream(1), &mut FitScratch::default()).unwrap();
        let probe = vec![123.0f32; width];
        assert_eq!(scores(&forest, &probe), [0.5], "{rows:?}");
    };
    half(&[3.0], 1);
    half(&[3.0, 4.0], 2);
    half(&[3.0, 4.0], 1);
    half(&[3.0; 500], 1);
    half(&[3.0; 500], 5);
}
