//! Anomaly detectors, threshold policies and detection metrics: plain slices in, scores out.
//!
//! *It is* a few shelves that are useful without the rest of Phalanx:
//! - detectors behind one trait, [`Detector`], by name from [`DetectorKind`]: forests ([`IsolationForest`],
//!   [`ExtendedForest`]), distributions of features ([`ZScore`], [`Ecod`], [`Copod`], [`Hbos`], [`Loda`]), distances
//!   ([`Knn`], [`Mahalanobis`], [`Pca`]) and the [`Ensemble`];
//! - streaming detectors, [`StreamingDetector`], which learn from every row: [`HalfSpaceTrees`],
//!   [`RobustRandomCutForest`] and the control charts [`Ewma`] and [`Cusum`]; [`Adwin`] and [`PageHinkley`] say when a
//!   model of the past should be fitted anew;
//! - [`RuleDetector`], the bar of rules written by hand;
//! - [`Transform`], what is done to the columns of raw rows, saved with the model;
//! - [`ThresholdPolicy`], which turns calibration scores into the limit above which a row is flagged, with promises on the
//!   false-positive rate; [`Calibration`], which makes scores of several agents comparable;
//! - states: every fitted detector, threshold and drift detector is saved to bytes and loaded again
//!   ([`Detector::save`], [`load_detector`]), for checkpoints;
//! - [`ModelShelf`], which shares fitted models between agents by their content;
//! - metrics: [`Confusion`], exact [`roc_auc`] and [`average_precision`], and [`ScoreHistogram`] for runs whose
//!   scores are too many to keep.
//!
//! *It is not* a data-frame library or a feature extractor, and it never does IO: rows arrive as `&[f32]`, row-major,
//! `rows × width`, categories as numbers.
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

mod calibration;
mod confusion;
mod copod;
mod covariance;
mod curve;
mod detector;
mod drift;
mod ecod;
mod ensemble;
mod extended_forest;
mod forest;
mod hbos;
mod histogram;
mod hosted;
mod knn;
mod lent;
mod loda;
mod mahalanobis;
mod pca;
mod registry;
mod rules;
mod scaling;
mod shelf;
mod state;
mod streaming;
mod tails;
mod threshold;
mod transform;
mod zscore;

pub use calibration::{CalibratedDetector, Calibration};
pub use confusion::Confusion;
pub use copod::Copod;
pub use curve::{average_precision, roc_auc};
pub use detector::{DetectError, Detector};
pub use drift::{Adwin, DriftDetector, PageHinkley, PageHinkleyConfig};
pub use ecod::Ecod;
pub use ensemble::{Ensemble, EnsembleConfig};
pub use extended_forest::{ExtendedForest, ExtendedForestConfig, FeatureDraw, Intercept};
pub use forest::{FitScratch, ForestConfig, IsolationForest, average_path_length};
pub use hbos::{Hbos, HbosConfig};
pub use histogram::ScoreHistogram;
pub use hosted::{DetectorFactory, HostedDetector};
pub use knn::{Knn, KnnConfig};
pub use loda::{Loda, LodaConfig};
pub use mahalanobis::{Mahalanobis, MahalanobisConfig};
pub use pca::{Pca, PcaConfig};
pub use registry::DetectorKind;
pub use rules::{Clause, Comparison, Rule, RuleDetector};
pub use scaling::Scaling;
pub use shelf::ModelShelf;
pub use state::{StateError, load_detector, load_drift, load_streaming};
pub use streaming::{
    Baseline, Cusum, CusumConfig, Ewma, EwmaConfig, HalfSpaceConfig, HalfSpaceTrees, RandomCutConfig,
    RobustRandomCutForest, Side, StreamingDetector,
};
pub use threshold::{Conformal, Threshold, ThresholdError, ThresholdPolicy, benjamini_hochberg};
pub use transform::{ColumnKind, Transform, TransformError, TransformedDetector};
pub use zscore::ZScore;
