//! Data sets: a training file and a replay file, encoded and divided over agents.

use std::path::PathBuf;

use phalanx_core::{AgentId, FlowBatch, Schema, Streams};

use crate::{CaptureError, CaptureMap, Encoder, FileProblem, Partition, read_csv};

/// What [`load`] needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// File that agents learn from before tick 0.
    pub train_path: PathBuf,
    /// File that agents watch during the run.
    pub replay_path: PathBuf,
    /// Map of both.
    pub map: CaptureMap,
    /// How rows are divided.
    pub partition: Partition,
    /// Number of agents, at least 1.
    pub agents: u32,
    /// Seed of the run; only [`Partition::Iid`] draws.
    pub seed: u64,
}

/// Flows for a fleet. Both lists have one batch per agent, in the order of agents.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// The features of all batches; categories are those of benign training rows.
    pub schema: Schema,
    /// Attack names of the replay file, ascending; truths hold positions in this list.
    pub labels: Vec<String>,
    /// Benign training rows, in file order.
    pub train: Vec<FlowBatch>,
    /// Replay rows, in file order.
    pub replay: Vec<FlowBatch>,
    /// Agents whose `train` is empty, ascending.
    pub untrained: Vec<AgentId>,
}

/// Reads, encodes and divides a data set.
///
/// # Errors
/// Whatever is wrong with the map, either file or the partition; training needs at least one benign row.
pub fn load(options: &LoadOptions) -> Result<Dataset, CaptureError> {
    let train = read_csv(&options.train_path, &options.map)?;
    if !(0..train.rows()).any(|row| train.is_benign(row)) {
        let problem = FileProblem::NoBenignRows { map: options.map.name.clone() };
        return Err(CaptureError::File { file: options.train_path.clone(), problem });
    }
    let replay = read_csv(&options.replay_path, &options.map)?;
    let streams = Streams::from_seed(options.seed);
    let assignment = options.partition.assign(&train, &replay, options.agents, &streams)?;

    let mut encoder = Encoder::fit(&train, |row| train.is_benign(row));
    let replay_rows = by_agent(&assignment.replay, options.agents, |_| true);
    let replay = replay_rows.iter().map(|rows| encoder.encode_rows(&replay, rows)).collect();
    // Attacks that only the training file has are no campaign of the run: it drops those rows.
    let labels = encoder.labels().to_vec();
    let train_rows = by_agent(&assignment.train, options.agents, |row| train.is_benign(row));
    let train = train_rows.iter().map(|rows| encoder.encode_rows(&train, rows)).collect();
    Ok(Dataset { schema: encoder.schema().clone(), labels, train, replay, untrained: assignment.untrained })
}

/// The rows of every agent, ascending.
fn by_agent(assigned: &[AgentId], agents: u32, keep: impl Fn(usize) -> bool) -> Vec<Vec<u32>> {
    let mut rows = vec![Vec::new(); agents as usize];
    for (row, agent) in assigned.iter().enumerate().filter(|(row, _)| keep(*row)) {
        rows[agent.index()].push(row as u32);
    }
    rows
}
