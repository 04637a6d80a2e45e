use super::tree::key;
use super::*;
use phalanx_core::{Purpose, Streams, Tick};

fn stream(tick: u64) -> Stream {
    Streams::from_seed(2).stream(Purpose::Model, 0, Tick(tick))
}

fn normal(rows: usize, width: usize, tick: u64) -> Vec<f32> {
    let mut rng = stream(1000 + tick);
    (0..rows * width).map(|_| rng.normal() as f32).collect()
}

fn fit(rows: &[f32], width: usize, config: ForestConfig) -> Result<IsolationForest, DetectError> {
    IsolationForest::fit(rows, width, &config, &mut stream(0), &mut FitScratch::default())
}

#[test]
fn keys_sort_as_floats_do() {
    let floats = [f32::MIN, -1.0, -f32::from_bits(1), 0.0, f32::from_bits(1), 1.0, 2.0, f32::MAX];
    assert!(floats.map(key).is_sorted_by(|a, b| a < b));
    assert_eq!(key(-0.0), key(0.0));
}

#[test]
fn scratch_and_refit_leave_no_trace() {
    let (small, large) = (normal(90, 3, 0), normal(700, 2, 1));
    let config = ForestConfig { trees: 7, sample: 64 };
    let fresh = fit(&small, 3, config).unwrap();
    let mut scratch = FitScratch::default();
    IsolationForest::fit(&large, 2, &ForestConfig::default(), &mut stream(5), &mut scratch).unwrap();
    let mut reused = IsolationForest::fit(&small, 3, &config, &mut stream(0), &mut scratch).unwrap();
    assert_eq!(fresh, reused);

    reused.refit(&normal(40, 3, 2), &mut stream(6), &mut scratch).unwrap();
    assert_ne!(fresh.digest(), reused.digest());
    reused.refit(&small, &mut stream(0), &mut scratch).unwrap();
    assert_eq!((&fresh, fresh.digest()), (&reused, reused.digest()));
}

#[test]
fn refreshed_often_enough_a_forest_is_a_new_one() {
    let (old, new) = (normal(300, 2, 0), normal(300, 2, 1));
    let config = ForestConfig { trees: 10, sample: 64 };
    let (mut rng, mut scratch) = (stream(9), FitScratch::default());
    let mut forest = fit(&old, 2, config).unwrap();
    let mut digests = vec![forest.digest()];
    for count in [3, 3, 4] {
        forest.refresh(&new, count, &mut rng, &mut scratch).unwrap();
        digests.push(forest.digest());
    }
    assert_eq!(forest, IsolationForest::fit(&new, 2, &config, &mut stream(9), &mut scratch).unwrap());
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), 4, "every refresh must show in the digest");

    // Fewer rows than the sample: paths of old and new trees could not be averaged, so all are new.
    forest.refresh(&new[..80], 1, &mut stream(9), &mut scratch).unwrap();
    assert_eq!(forest, IsolationForest::fit(&new[..80], 2, &config, &mut stream(9), &mut scratch).unwrap());
}

#[test]
fn rows_that_are_not_drawn_have_no_part() {
    let (rows, config) = (normal(1000, 2, 0), ForestConfig { trees: 4, sample: 16 });
    let clean = fit(&rows, 2, config).unwrap();
    let (mut drawn, mut scratch) = (0, FitScratch::default());
    for broken in 0..1000 {
        let mut rows = rows.clone();
        rows[2 * broken + 1] = f32::NAN;
        let mut refitted = clean.clone();
        let before = refitted.digest();
        match refitted.refit(&rows, &mut stream(0), &mut scratch) {
            Ok(()) => assert_eq!(refitted, clean),
            Err(error) => {
                drawn += 1;
                assert_eq!(error, DetectError::NotFinite { row: broken, column: 1 });
                assert_eq!((refitted.digest(), &refitted), (before, &clean));
            }
        }
    }
    // 4 trees draw 16 of 1000 rows each, few of them twice.
    assert!((55..=64).contains(&drawn), "{drawn} rows were looked at");
}

#[test]
fn path_sums_follow_a_refresh() {
    let (old, new) = (normal(300, 2, 0), normal(300, 2, 1));
    let config = ForestConfig { trees: 10, sample: 64 };
    let (mut rng, mut scratch) = (stream(9), FitScratch::default());
    let mut forest = fit(&old, 2, config).unwrap();
    let (mut sums, mut expected) = (Vec::new(), Vec::new());
    forest.path_sums(&new, &mut sums).unwrap();
    // 4 of 10 trees at a time: the third round begins again at the front. 10 and more replace all.
    for count in [4, 4, 4, 0, 10, 3, 40] {
        let mut twin = forest.clone();
        let mut twin_rng = rng.clone();
        forest.refresh_with_sums(&new, &mut sums, count, &mut rng, &mut scratch).unwrap();
        twin.refresh(&new, count, &mut twin_rng, &mut scratch).unwrap();
        assert_eq!(forest, twin);
        forest.path_sums(&new, &mut expected).unwrap();
        assert_eq!(sums, expected, "after {count}");
    }
    // Another sample size: all trees are new.
    sums.truncate(40);
    forest.refresh_with_sums(&new[..80], &mut sums, 1, &mut rng, &mut scratch).unwrap();
    forest.path_sums(&new[..80], &mut expected).unwrap();
    assert_eq!((forest.sample(), &sums), (40, &expected));

    let mut broken = new[..80].to_vec();
    broken[7] = f32::NAN;
    let error = DetectError::NotFinite { row: 3, column: 1 };
    assert_eq!(forest.refresh_with_sums(&broken, &mut sums, 1, &mut rng, &mut scratch), Err(error));
    assert_eq!(sums, expected);
}

#[test]
fn broken_input_changes_nothing() {
    let rows = normal(50, 2, 0);
    let config = ForestConfig::default();
    let mut forest = fit(&rows, 2, config).unwrap();
    let before = forest.clone();
    let mut broken = rows.clone();
    broken[31] = f32::NAN;
    let error = DetectError::NotFinite { row: 15, column: 1 };
    let mut scratch = FitScratch::default();
    assert_eq!(forest.refit(&broken, &mut stream(0), &mut scratch), Err(error.clone()));
    assert_eq!(forest.refresh(&broken, 1, &mut stream(0), &mut scratch), Err(error.clone()));
    assert_eq!(forest, before);
    let mut scores = vec![0.5];
    assert_eq!(forest.score(&broken, &mut scores), Err(error));
    assert!(scores.is_empty());
    assert_eq!(forest.score(&rows[..3], &mut scores), Err(DetectError::Ragged { length: 3, width: 2 }));
    assert_eq!((forest.score(&[], &mut scores), scores.len()), (Ok(()), 0));

    assert_eq!(fit(&[], 2, config), Err(DetectError::NoRows));
    assert_eq!(fit(&rows, 0, config), Err(DetectError::NoFeatures));
    assert_eq!(fit(&rows, 3, config), Err(DetectError::Ragged { length: 100, width: 3 }));
    assert_eq!(fit(&rows, 2, ForestConfig { trees: 0, ..config }), Err(DetectError::NoTrees));
    assert_eq!(fit(&rows, 2, ForestConfig { sample: 0, ..config }), Err(DetectError::NoSample));
}
