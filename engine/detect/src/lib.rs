//! Anomaly detectors, threshold policies and detection metrics: plain slices in, scores out.
//!
//! *It is* three small shelves that are useful without the rest of Phalanx:
//! - detectors behind one trait, [`Detector`]: [`IsolationForest`] (Liu, Ting, Zhou 2008) and the cheap baseline
//!   [`ZScore`];
//! - [`ThresholdPolicy`], which turns training scores into the limit above which a row is flagged;
//! - metrics: [`Confusion`], exact [`roc_auc`] and [`average_precision`], and [`ScoreHistogram`] for runs whose
//!   scores are too many to keep.
//!
//! *It is not* a data-frame library, a feature pipeline or an online learner, and it never does IO: rows arrive as
//! `&[f32]`, row-major, `rows × width`, already scaled and encoded by the caller.
//!
//! Every result is the same bits on any machine, in debug and release: random numbers come from a
//! [`phalanx_core::Stream`], transcendentals from `libm`, and sums run in a fixed order. Broken input (NaN, a
//! ragged slice, no rows) is a [`DetectError`], never a panic.
//!
//! ```
//! use phalanx_core::{Purpose, Streams, Tick};
//! use phalanx_detect::{Confusion, Detector, FitScratch, ForestConfig, IsolationForest, ThresholdPolicy};
//!
//! // 500 benign flows of two features round (0, 0).
//! let streams = Streams::from_seed(1);
//! let mut traffic = streams.stream(Purpose::WarmUp, 0, Tick(0));
//! let window: Vec<f32> = (0..1000).map(|_| traffic.normal() as f32).collect();
//!
//! let mut draws = streams.stream(Purpose::Model, 0, Tick(0));
//! let mut scratch = FitScratch::default();
//! let forest = IsolationForest::fit(&window, 2, &ForestConfig::default(), &mut draws, &mut scratch)?;
//!
//! // Flag what scores above 98 % of the training rows.
//! let mut scores = Vec::new();
//! forest.score(&window, &mut scores)?;
//! let threshold = ThresholdPolicy::Quantile { contamination: 0.02 }.threshold(&mut scores).expect("500 scores");
//!
//! let mut confusion = Confusion::default();
//! forest.score(&[0.1, -0.2, 6.0, 6.0], &mut scores)?;
//! for (score, anomalous) in scores.iter().zip([false, true]) {
//!     confusion.add(*score > threshold, anomalous);
//! }
//! assert_eq!((confusion.precision(), confusion.recall()), (Some(1.0), Some(1.0)));
//! # Ok::<(), phalanx_detect::DetectError>(())
//! ```

mod confusion;
mod curve;
mod detector;
mod forest;
mod histogram;
mod threshold;
mod zscore;

pub use confusion::Confusion;
pub use curve::{average_precision, roc_auc};
pub use detector::{DetectError, Detector};
pub use forest::{FitScratch, ForestConfig, IsolationForest, average_path_length};
pub use histogram::ScoreHistogram;
pub use threshold::ThresholdPolicy;
pub use zscore::ZScore;
