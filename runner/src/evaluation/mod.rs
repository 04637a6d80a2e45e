//! Detectors on a user's own rows: how good and how fast each is, without any scenario.
//!
//! [`Input`] reads a file of labelled rows (npz, or CSV by a map or by what its columns hold), [`Split`] says which of
//! them a detector learns from and which it is asked about, [`Quality`] is how well it ranked them over some seeds, and
//! [`Timing`] what one fit and one pass of scores cost in processor time. [`BestFeature`] is the bar that costs nothing:
//! the one column that ranks best by itself, chosen with the labels in hand. A detector below it does not find what is
//! there.
//!
//! ```
//! use phalanx_runner::evaluation::{Input, InputOptions, Mode, NamedDetector, Quality, Split};
//!
//! let file = std::env::temp_dir().join("phalanx-evaluation-doc.csv");
//! let rows: String = (0..40).map(|i| format!("{i},{}\n", if i < 38 { "ok" } else { "scan" })).collect();
//! std::fs::write(&file, format!("bytes,class\n{rows}"))?;
//!
//! let options = InputOptions {
//!     label: Some("class".to_owned()),
//!     benign: vec!["ok".to_owned()],
//!     ..InputOptions::default()
//! };
//! let input = Input::read(&file, &options)?;
//! let split = Split::within(&input, Mode::Unsupervised, false)?;
//! assert_eq!((split.test_rows(), split.features.len()), (40, 1));
//!
//! let ecod: NamedDetector = "ecod".parse()?;
//! let quality = Quality::measure(&ecod, &split, 5)?;
//! assert_eq!(quality.seeds, 1, "ecod draws nothing, so it is measured once");
//! assert!(quality.roc_auc.mean > Some(0.9));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod columns;
mod detector;
mod error;
mod input;
mod quality;
mod report;
mod rules;
mod split;
mod timing;

pub use detector::{Method, NamedDetector};
pub use error::EvaluationError;
pub use input::{Input, InputOptions};
pub use quality::{BestFeature, Direction, Quality, Spread, tpr_at_one_percent_fpr};
pub use report::{quality_table, timing_table};
pub use rules::WrittenRules;
pub use split::{Mode, Split};
pub use timing::{MedianAndBest, Sample, Timing};
pub(crate) use timing::{cpu_time, median};
