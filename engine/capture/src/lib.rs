//! Flows out of files: what agents learn from and replay when traffic is real.
//!
//! *It is* a strict reader of flow captures. A [`CaptureMap`] says what the columns of a CSV file mean (a map for
//! NSL-KDD is built in), [`read_csv`] turns the file into [`Records`], an [`Encoder`] learns a schema from training
//! rows and makes [`phalanx_core::FlowBatch`]es, a [`Partition`] says which agent sees which row, and [`load`] does
//! all of it for a training and a replay file. *It is not* lenient: no line is skipped and no value replaced. A
//! file that is not as its map says is a [`CaptureError`] that names file, line, column and remedy.
//!
//! Results depend on the bytes of the files, the map and the seed, on nothing else.
//!
//! ```
//! use phalanx_capture::{CaptureMap, Encoder, read_csv_from};
//!
//! let map = CaptureMap::from_ron(
//!     r#"(
//!         name: "mine",
//!         header: true,
//!         columns: [
//!             ("bytes", Numeric(unit: Bytes, log1p: true)),
//!             ("proto", Categorical),
//!             ("class", Label(benign: ["ok"])),
//!         ],
//!         protocol: "proto",
//!     )"#,
//! )?;
//! let file = "bytes,proto,class\n120,tcp,ok\n99,udp,ok\n0,icmp,scan\n";
//! let records = read_csv_from(file.as_bytes(), "mine.csv".as_ref(), &map)?;
//! assert_eq!((records.rows(), records.attacks()), (3, vec!["scan"]));
//!
//! // The schema is that of the benign rows, so the scan's protocol is a category without a feature.
//! let mut encoder = Encoder::fit(&records, |row| records.is_benign(row));
//! let names: Vec<&str> = encoder.schema().features().iter().map(|f| f.name.as_str()).collect();
//! assert_eq!(names, ["bytes", "proto=tcp", "proto=udp"]);
//! assert_eq!(encoder.encode(&records).row(2), [0.0, 0.0, 0.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod dataset;
mod encoder;
mod error;
mod field;
mod key;
mod line;
mod map;
mod mapped_csv;
mod number;
mod partition;
mod records;

pub use dataset::{Dataset, LoadOptions, load};
pub use encoder::Encoder;
pub use error::{CaptureError, CellProblem, FileProblem, LineProblem, PartitionError};
pub use map::{CaptureMap, ColumnKind, MapError, MapProblem, PortColumn};
pub use mapped_csv::{read_csv, read_csv_from};
pub use partition::{Assignment, Partition};
pub use records::Records;
