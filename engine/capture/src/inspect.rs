//! Inspection: what is in a file, before anybody spends a run on it.

use std::{collections::BTreeMap, net::Ipv4Addr, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    CaptureError, CaptureMap, Compression, FlowReader, FlowRecord, Format, LabelClass, Lenience, ReadOptions,
    Rows, Tally, Transport, key::protocol_name, read_npz,
};

/// Sources that are counted at a time; with more of them in a file the counts are lower bounds.
const TALKERS_MAX: usize = 4096;
/// Sources that are told.
const TALKERS_TOLD: usize = 10;
/// Distinct labels that are counted by name.
const LABELS_MAX: usize = 4096;

/// How a file is to be inspected or converted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InspectOptions {
    /// How flows are read; its lenience also holds for CSV.
    pub read: ReadOptions,
    /// The map of a CSV file. A file with a map is read as CSV, whatever it looks like.
    pub map: Option<CaptureMap>,
}

/// What is in a file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Inspection {
    /// What the file is, in words.
    pub format: String,
    /// How it is packed.
    pub compression: Compression,
    /// Flows or rows that can be used.
    pub rows: u64,
    /// Start of the first flow: microseconds since 1970-01-01 UTC.
    pub first_us: Option<i64>,
    /// End of the last flow.
    pub last_us: Option<i64>,
    /// Numeric columns, in the order of the file (of flow records: in a fixed order).
    pub features: Vec<FeatureRange>,
    /// Rows by label; `(none)` for flows without one in a file that has labels.
    pub labels: BTreeMap<String, u64>,
    /// Rows whose label means an attack.
    pub malicious: u64,
    /// Flows whose label is no ground truth, which scenarios do not replay.
    #[serde(default)]
    pub background: u64,
    /// Flows by protocol.
    pub protocols: BTreeMap<String, u64>,
    /// Flows by the rule that they hit, where alerts are read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub alerts: BTreeMap<String, u64>,
    /// The sources of most flows, most first.
    pub top_talkers: Vec<Talker>,
    /// Whether the flows of [`Inspection::top_talkers`] are exact rather than lower bounds.
    pub top_talkers_exact: bool,
    /// Numbers that were replaced because they were not finite.
    pub clipped: u64,
    /// What was returned, skipped and left out, and why.
    pub tally: Tally,
}

/// A numeric column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FeatureRange {
    /// Its name.
    pub name: String,
    /// Rows that have a value.
    pub known: u64,
    /// Smallest value, 0 if none is known.
    pub min: f64,
    /// Largest value, 0 if none is known.
    pub max: f64,
    /// Arithmetic mean, 0 if none is known.
    pub mean: f64,
}

/// A source of flows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Talker {
    /// IPv4 address.
    pub address: String,
    /// Flows that it began.
    pub flows: u64,
}

/// Looks through a file, in bounded memory but for npz.
///
/// # Errors
/// Whatever stops a reader of that file.
pub fn inspect(path: &Path, options: &InspectOptions) -> Result<Inspection, CaptureError> {
    match Opened::with(path, options, Rows::raw_csv)? {
        Opened::Flows(reader) => inspect_flows(reader),
        Opened::Rows(rows) => inspect_rows(rows),
    }
}

/// A file as flows or as rows: what [`inspect`] and [`crate::convert`] begin with.
pub enum Opened<'a> {
    /// Flows, which are read one by one.
    Flows(Box<FlowReader<'static>>),
    /// Rows of mapped CSV or of npz.
    Rows(Rows<'a>),
}

impl<'a> Opened<'a> {
    /// Opens a file, once unless its map clips numbers, so that it may be a pipe (npz apart).
    ///
    /// # Errors
    /// Whatever stops a reader of that file.
    pub fn new(path: &Path, options: &'a InspectOptions) -> Result<Self, CaptureError> {
        Self::with(path, options, Rows::csv)
    }

    fn with(
        path: &Path,
        options: &'a InspectOptions,
        csv: impl FnOnce(Transport<'a>, &Path, &'a CaptureMap, Lenience) -> Result<Rows<'a>, CaptureError>,
    ) -> Result<Self, CaptureError> {
        if let Some(map) = &options.map {
            return csv(Transport::open(path)?, path, map, options.read.lenience).map(Self::Rows);
        }
        let transport = Transport::open(path)?;
        let compression = transport.compression();
        let format = options.read.format.or_else(|| Format::detect(transport.head()));
        if format == Some(Format::Npz) && compression == Compression::Plain {
            return Ok(Self::Rows(Rows::whole(Format::Npz.name(), compression, read_npz(path)?)));
        }
        Ok(Self::Flows(Box::new(FlowReader::over(transport, path, &options.read)?)))
    }
}

/// Running range and sum of a column.
#[derive(Clone, Copy, Default)]
struct Range {
    known: u64,
    min: f64,
    max: f64,
    sum: f64,
    /// Numbers that are not finite: NaN, negative and positive infinity.
    clipped: [u64; 3],
}

impl Range {
    fn add(&mut self, value: f64) {
        (self.min, self.max) =
            if self.known == 0 { (value, value) } else { (self.min.min(value), self.max.max(value)) };
        self.known += 1;
        self.sum += value;
    }

    /// As [`Range::add`], or puts the number aside if it will be clipped.
    fn add_clipped(&mut self, value: f64) {
        if value.is_finite() {
            self.add(value);
        } else {
            let kind = if value.is_nan() { 0 } else { 1 + usize::from(value > 0.0) };
            self.clipped[kind] += 1;
        }
    }

    /// The range once what was put aside is clipped ([`crate::NotFinite::Clip`]).
    fn clipped(&self) -> Self {
        let mut range = *self;
        let bounds = [0.0, self.min, self.max];
        for (bound, many) in bounds.into_iter().zip(self.clipped) {
            if many > 0 {
                range.add(bound);
                range.known += many - 1;
                range.sum += bound * (many - 1) as f64;
            }
        }
        range
    }

    fn named(&self, name: &str) -> FeatureRange {
        let mean = if self.known == 0 { 0.0 } else { self.sum / self.known as f64 };
        FeatureRange { name: name.to_owned(), known: self.known, min: self.min, max: self.max, mean }
    }
}

const NUMBERS: [&str; 7] = [
    "duration_seconds",
    "sent_packets",
    "received_packets",
    "sent_bytes",
    "received_bytes",
    "sent_payload_bytes",
    "received_payload_bytes",
];

fn numbers(flow: &FlowRecord) -> [Option<f64>; 7] {
    let count = |count: Option<u64>| count.map(|count| count as f64);
    [
        flow.lasted_us().map(|us| us as f64 / 1e6),
        count(flow.sent.packets),
        count(flow.received.packets),
        count(flow.sent.ip_bytes),
        count(flow.received.ip_bytes),
        count(flow.sent.payload_bytes),
        count(flow.received.payload_bytes),
    ]
}

fn inspect_flows(mut reader: Box<FlowReader<'static>>) -> Result<Inspection, CaptureError> {
    let mut found = Inspection {
        format: reader.format().name().to_owned(),
        compression: reader.compression(),
        top_talkers_exact: true,
        ..Inspection::default()
    };
    let mut ranges = [Range::default(); NUMBERS.len()];
    let mut talkers = BTreeMap::new();
    let mut labelled = 0;
    for flow in reader.by_ref() {
        let flow = flow?;
        found.rows += 1;
        if let Some(start) = flow.start_us {
            let lasted = i64::try_from(flow.lasted_us().unwrap_or(0)).unwrap_or(i64::MAX);
            let end = start.saturating_add(lasted);
            found.first_us = Some(found.first_us.map_or(start, |first| first.min(start)));
            found.last_us = Some(found.last_us.map_or(end, |last| last.max(end)));
        }
        for (range, number) in ranges.iter_mut().zip(numbers(&flow)) {
            number.into_iter().for_each(|number| range.add(number));
        }
        if let Some(label) = &flow.label {
            labelled += 1;
            found.malicious += u64::from(label.class == LabelClass::Malicious);
            found.background += u64::from(!flow.is_truth());
            count(&mut found.labels, &label.name);
        }
        let protocol = flow.protocol.map(protocol_name);
        count(&mut found.protocols, protocol.as_deref().unwrap_or("(none)"));
        if let Some(alert) = &flow.alert {
            count(&mut found.alerts, &alert.signature);
        }
        if let Some(source) = flow.source {
            found.top_talkers_exact &= hear(&mut talkers, source);
        }
    }
    if labelled > 0 && labelled < found.rows {
        found.labels.insert("(none)".to_owned(), found.rows - labelled);
    }
    found.features = ranges.iter().zip(NUMBERS).map(|(range, name)| range.named(name)).collect();
    found.top_talkers = told(talkers);
    found.tally = reader.tally().clone();
    Ok(found)
}

fn count(counts: &mut BTreeMap<String, u64>, name: &str) {
    if let Some(count) = counts.get_mut(name) {
        *count += 1;
    } else if counts.len() < LABELS_MAX {
        counts.insert(name.to_owned(), 1);
    } else {
        *counts.entry("(others)".to_owned()).or_default() += 1;
    }
}

/// Counts a source (Misra & Gries 1982): where there is no room for one more, all counts go down by one, so that
/// whoever has more than one in 4,096 of the flows stays. Returns whether the counts are still exact.
fn hear(talkers: &mut BTreeMap<u32, u64>, source: u32) -> bool {
    if let Some(flows) = talkers.get_mut(&source) {
        *flows += 1;
        return true;
    }
    if talkers.len() < TALKERS_MAX {
        talkers.insert(source, 1);
        return true;
    }
    talkers.retain(|_, flows| {
        *flows -= 1;
        *flows > 0
    });
    false
}

/// The sources of most flows.
fn told(talkers: BTreeMap<u32, u64>) -> Vec<Talker> {
    let mut talkers: Vec<(u32, u64)> = talkers.into_iter().collect();
    talkers.sort_by_key(|(address, flows)| (std::cmp::Reverse(*flows), *address));
    let told = talkers.into_iter().take(TALKERS_TOLD);
    told.map(|(address, flows)| Talker { address: Ipv4Addr::from(address).to_string(), flows }).collect()
}

fn inspect_rows(mut rows: Rows<'_>) -> Result<Inspection, CaptureError> {
    let mut found = Inspection {
        format: rows.format().to_owned(),
        compression: rows.compression(),
        top_talkers_exact: true,
        ..Inspection::default()
    };
    let (mut ranges, mut names) = (Vec::new(), Vec::new());
    let mut talkers = BTreeMap::new();
    while let Some(records) = rows.next_rows()? {
        if names.is_empty() {
            names = records.numeric().iter().map(|feature| feature.name.clone()).collect();
            ranges.resize(names.len(), Range::default());
        }
        found.rows += records.rows() as u64;
        found.clipped = records.clipped();
        for row in 0..records.rows() {
            for (range, number) in ranges.iter_mut().zip(records.numbers(row)) {
                range.add_clipped(f64::from(*number));
            }
            if let Some(label) = records.label(row) {
                count(&mut found.labels, label);
            }
            found.malicious += u64::from(!records.is_benign(row));
            if let Some(remote) = records.keys()[row].remote {
                found.top_talkers_exact &= hear(&mut talkers, remote);
            }
        }
    }
    found.features = ranges.iter().zip(&names).map(|(range, name)| range.clipped().named(name)).collect();
    found.top_talkers = told(talkers);
    found.tally = rows.tally().clone();
    Ok(found)
}

impl InspectOptions {
    /// Options that skip up to so many unreadable records.
    #[must_use]
    pub fn lenient(skipped_max: u64) -> Self {
        let read = ReadOptions { lenience: Lenience::SkipUpTo(skipped_max), ..ReadOptions::default() };
        Self { read, map: None }
    }
}
