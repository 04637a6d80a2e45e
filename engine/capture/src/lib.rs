//! Flows out of files: what agents learn from and replay when traffic is real.
//!
//! *It is* two readers and what follows from them.
//!
//! - Rows of features: a [`CaptureMap`] says what the columns of a CSV file mean (maps for NSL-KDD, KDD99, UNSW-NB15
//!   and CICIDS2017 are built in), [`read_csv`] turns the file into [`Records`], as [`read_npz`] does for arrays; an
//!   [`Encoder`] learns a schema from training rows and makes [`phalanx_core::FlowBatch`]es; [`load`] does all of it
//!   for a training and a replay file.
//! - Flows: a [`FlowReader`] iterates over the [`FlowRecord`]s of a Zeek log, Suricata EVE, Argus binetflow, NetFlow,
//!   IPFIX, pcap or pcapng file, told apart by their first bytes; a [`FlowEncoder`] gives them all the same features; [`load_flows`]
//!   does both for a fleet.
//!
//! A [`Partition`] says which agent sees which row or flow, [`inspect`] what is in a file, [`convert`] writes it as
//! CSV. Files may be packed with gzip or zstd ([`Transport`]); memory does not grow with the file until rows are kept.
//!
//! *It is not* a sensor: it takes packets apart as far as the headers of TCP, UDP and ICMP and leaves protocols above
//! to those who log them. Nor does it guess: what a format lacks is `None` in a record and a flag in the features, and
//! a file that is not as its format or map says is a [`CaptureError`] that names file, line or byte, and remedy. Only
//! [`Lenience`] or a policy in the map makes it skip or replace anything, and both count what they did.
//!
//! Results depend on the bytes of the files, the options, the map and the seed, on nothing else.
//!
//! ```
//! use phalanx_capture::{FlowEncoder, FlowReader, FlowState, ReadOptions};
//!
//! let log = "#separator \\x09\n#path\tconn\n\
//!            #fields\tts\tid.orig_h\tid.resp_h\tid.resp_p\tproto\tconn_state\torig_pkts\tresp_pkts\n\
//!            1.5\t10.0.0.1\t10.0.0.2\t22\ttcp\tREJ\t1\t1\n";
//! let reader = FlowReader::new(log.as_bytes(), "conn.log".as_ref(), &ReadOptions::default())?;
//! let (flows, _) = reader.read_all()?;
//! assert_eq!(flows[0].state, Some(FlowState::Rejected));
//! let mut encoder = FlowEncoder::new();
//! let batch = encoder.encode(&flows);
//! let feature = |name| batch.row(0)[encoder.schema().position(name).unwrap()];
//! assert_eq!((feature("state_rejected"), feature("port_remote_login"), feature("has_bytes")), (1.0, 1.0, 0.0));
//! # Ok::<(), phalanx_capture::CaptureError>(())
//! ```
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

mod assemble;
mod binetflow;
mod convert;
mod dataset;
mod encoder;
mod error;
mod eve;
mod export;
mod features;
mod field;
mod flow;
mod flow_dataset;
mod flow_rows;
mod inspect;
mod key;
mod line;
mod map;
mod mapped_csv;
mod npz;
mod number;
mod partition;
mod pcap;
mod reader;
mod recency;
mod records;
mod rows;
mod tally;
mod time;
mod transport;
mod zeek;

pub use assemble::FlowTimeouts;
pub use convert::{ConvertError, FLOW_COLUMNS, convert, write_flows};
pub use dataset::{Dataset, LoadOptions, load};
pub use encoder::Encoder;
pub use error::{
    ByteProblem, CaptureError, CellProblem, FileProblem, LineProblem, NpzProblem, PartitionError,
};
pub use eve::EveEvents;
pub use features::FlowEncoder;
pub use flow::{Alert, FlowRecord, FlowState, Label, LabelClass, Name, TcpFlags, Volume};
pub use flow_dataset::{FlowDataset, FlowLoadOptions, load_flows};
pub use flow_rows::flow_rows;
pub use inspect::{FeatureRange, InspectOptions, Inspection, Opened, Talker, inspect};
pub use key::protocol_name;
pub use map::{
    CaptureMap, ColumnKind, EmptyNumber, Encoding, MapError, MapProblem, NotFinite, PortColumn,
    UnknownProtocol,
};
pub use mapped_csv::{read_csv, read_csv_from, read_csv_with};
pub use npz::{read_npz, read_npz_from};
pub use partition::{Assignment, Concentration, Partition};
pub use reader::{FlowReader, Format, ReadOptions};
pub use records::Records;
pub use rows::Rows;
pub use tally::{Lenience, Tally};
pub use time::utc;
pub use transport::{Compression, Transport};
