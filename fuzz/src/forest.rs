//! Rows of any bits against the isolation forest.

use phalanx_core::{Purpose, Streams, Tick};
use phalanx_detect::{DetectError, Detector, FitScratch, ForestConfig, IsolationForest};

use crate::cursor::Cursor;

/// Values an input may hold: enough for a tree of full height, few enough for thousands of inputs a second.
const VALUES_MAX: usize = 2048;

/// Five bytes choose width (1 to 8), trees (0 to 7), sample (0 to 255), the share of the values that is trained on,
/// and the seed; the rest are `f32`s, little-endian.
///
/// Oracle: what cannot be learned from is refused with the first reason that holds, and so is what cannot be scored;
/// all else gets scores in `[0, 1]`, row by row the same as in a batch. Fits with equal streams are equal, whatever
/// the scratch memory was used for before.
pub fn forest(data: &[u8]) {
    let mut choices = Cursor::new(data);
    let width = 1 + choices.below(8);
    let config = ForestConfig { trees: choices.below(8) as u32, sample: u32::from(choices.byte()) };
    let share = usize::from(choices.byte());
    let seed = u64::from(choices.byte());
    let (words, _) = choices.rest().as_chunks::<4>();
    let values: Vec<f32> = words.iter().take(VALUES_MAX).map(|word| f32::from_le_bytes(*word)).collect();
    let (training, others) = values.split_at(values.len() * share / 255);

    let fit = |scratch: &mut FitScratch| {
        let mut stream = Streams::from_seed(seed).stream(Purpose::Model, 0, Tick(0));
        IsolationForest::fit(training, width, &config, &mut stream, scratch)
    };
    let mut scratch = FitScratch::default();
    let fitted = fit(&mut scratch);
    assert_eq!(fitted, fit(&mut scratch), "two fits with one stream differ");
    let forest = match (fitted, refusal(training, width, &config)) {
        (Ok(forest), None) => forest,
        (Err(error), Some(expected)) => {
            assert_eq!(error, expected);
            assert!(!error.to_string().is_empty());
            return;
        }
        (fitted, expected) => panic!("fit gave {:?}, expected {expected:?}", fitted.map(|_| "a forest")),
    };
    assert_eq!(forest.digest(), fit(&mut FitScratch::default()).expect("it fitted before").digest());
    check_scores(&forest, training);
    match row_refusal(others, width) {
        None => check_scores(&forest, others),
        Some(expected) => {
            let mut scores = vec![1.0];
            assert_eq!(forest.score(others, &mut scores), Err(expected));
            assert!(scores.is_empty(), "scores are left over from before an error");
        }
    }
}

fn check_scores(forest: &IsolationForest, rows: &[f32]) {
    let (mut scores, mut alone) = (Vec::new(), Vec::new());
    forest.score(rows, &mut scores).expect("finite whole rows are scored");
    assert_eq!(scores.len(), rows.len() / forest.width());
    for (row, score) in rows.chunks(forest.width()).zip(&scores) {
        assert!((0.0..=1.0).contains(score), "score {score} of {row:?}");
        forest.score(row, &mut alone).expect("finite whole rows are scored");
        assert_eq!(alone, [*score], "the score of {row:?} depends on its batch");
    }
}

/// Why nothing can be learned from these rows.
fn refusal(rows: &[f32], width: usize, config: &ForestConfig) -> Option<DetectError> {
    match config {
        ForestConfig { trees: 0, .. } => return Some(DetectError::NoTrees),
        ForestConfig { sample: 0, .. } => return Some(DetectError::NoSample),
        _ if rows.is_empty() => return Some(DetectError::NoRows),
        _ => {}
    }
    row_refusal(rows, width)
}

/// Why these are no rows.
fn row_refusal(rows: &[f32], width: usize) -> Option<DetectError> {
    if !rows.len().is_multiple_of(width) {
        return Some(DetectError::Ragged { length: rows.len(), width });
    }
    let broken = rows.iter().position(|value| !value.is_finite())?;
    Some(DetectError::NotFinite { row: broken / width, column: broken % width })
}
