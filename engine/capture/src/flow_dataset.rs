//! Flow data sets: logs of one or more sensors, divided over agents and encoded as each agent saw them.

use std::path::PathBuf;

use phalanx_core::{AgentId, FlowBatch, Schema, Streams};

use crate::{
    CaptureError, FlowEncoder, FlowReader, FlowRecord, Partition, PartitionError, ReadOptions, Tally,
};

/// What [`load_flows`] needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowLoadOptions {
    /// Files, of any formats of flows.
    pub paths: Vec<PathBuf>,
    /// How they are read.
    pub read: ReadOptions,
    /// Whether to keep flows whose label is no ground truth ([`FlowRecord::is_truth`]).
    /// Flows without any label stay in either case.
    pub keep_background: bool,
    /// Whether every second benign flow of an agent, from its second on, is put aside to learn from.
    pub hold_out: bool,
    /// How flows are divided.
    pub partition: Partition,
    /// Number of agents, at least 1.
    pub agents: u32,
    /// Seed of the run.
    pub seed: u64,
}

/// Flows for a fleet: every list has one entry per agent, in the order of agents.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowDataset {
    /// The features of all batches.
    pub schema: Schema,
    /// Attack names, ascending; truths hold positions in this list.
    pub labels: Vec<String>,
    /// What was put aside to learn from, by its start.
    pub train: Vec<FlowBatch>,
    /// Flows by their start. Fan-out features count what this agent saw.
    pub flows: Vec<FlowBatch>,
    /// Start of every flow in microseconds, ascending; `None`, where the sensor does not say, comes first.
    pub starts_us: Vec<Vec<Option<i64>>>,
    /// Flows that were left out as background.
    pub background: u64,
    /// What the readers met, a file each.
    pub tallies: Vec<Tally>,
}

/// Reads, divides and encodes flows.
///
/// # Errors
/// Whatever is wrong with a file or the partition.
pub fn load_flows(options: &FlowLoadOptions) -> Result<FlowDataset, CaptureError> {
    let (mut flows, mut tallies) = (Vec::new(), Vec::new());
    for (file, path) in options.paths.iter().enumerate() {
        let (read, tally) = FlowReader::open(path, &options.read)?.read_all()?;
        flows.extend(read.into_iter().map(|flow| (file as u32, flow)));
        tallies.push(tally);
    }
    let all = flows.len();
    if !options.keep_background {
        flows.retain(|(_, flow)| flow.is_truth());
    }
    let background = (all - flows.len()) as u64;
    flows.sort_by_key(|(_, flow)| flow.start_us);
    let (files, flows): (Vec<u32>, Vec<FlowRecord>) = flows.into_iter().unzip();
    let assigned = if options.partition == Partition::ByFile {
        by_file(&files, options.paths.len(), options.agents)?
    } else {
        let streams = Streams::from_seed(options.seed);
        options.partition.assign_flows(&flows, options.agents, &streams)?
    };
    let mut encoder = FlowEncoder::new();
    encoder.learn_labels(&flows);
    let mut by_agent = vec![Vec::new(); options.agents as usize];
    for (flow, AgentId(agent)) in flows.into_iter().zip(assigned) {
        by_agent[agent as usize].push(flow);
    }
    let (mut train, mut replay, mut starts_us) = (Vec::new(), Vec::new(), Vec::new());
    for flows in &by_agent {
        let parts = halve(&encoder.encode(flows), flows, options.hold_out);
        train.push(parts.train);
        replay.push(parts.replay);
        starts_us.push(parts.starts_us);
    }
    let (schema, labels) = (encoder.schema().clone(), encoder.labels().to_vec());
    Ok(FlowDataset { schema, labels, train, flows: replay, starts_us, background, tallies })
}

/// One agent's flows.
struct Parts {
    train: FlowBatch,
    replay: FlowBatch,
    starts_us: Vec<Option<i64>>,
}

/// Puts every second benign flow aside, if that is wanted. Features are those of all flows together.
fn halve(batch: &FlowBatch, flows: &[FlowRecord], hold_out: bool) -> Parts {
    let empty = || FlowBatch::new(batch.width());
    let mut parts = Parts { train: empty(), replay: empty(), starts_us: Vec::new() };
    let mut benign = 0u64;
    for (row, flow) in flows.iter().enumerate() {
        benign += u64::from(!flow.is_attack());
        if hold_out && !flow.is_attack() && benign.is_multiple_of(2) {
            parts.train.extend_from(batch, row..row + 1);
        } else {
            parts.replay.extend_from(batch, row..row + 1);
            parts.starts_us.push(flow.start_us);
        }
    }
    parts
}

fn by_file(files: &[u32], count: usize, agents: u32) -> Result<Vec<AgentId>, PartitionError> {
    match agents {
        0 => Err(PartitionError::NoAgents),
        _ if count < agents as usize => {
            Err(PartitionError::TooFewParts { what: "files".to_owned(), parts: count, agents })
        }
        _ => Ok(files.iter().map(|file| AgentId(file % agents)).collect()),
    }
}
