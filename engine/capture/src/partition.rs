//! Partitions: which agent sees which row.
//!
//! One trained model per agent is only a fair experiment if the rows that an agent is tested on come from the
//! same source as those that it learned from, so both files are divided by one rule.

use phalanx_core::{AgentId, Purpose, Stream, Streams, Tick};
use serde::{Deserialize, Serialize};

use crate::{PartitionError, Records};

/// How a capture is divided over agents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Partition {
    /// Shuffled, then dealt out: every agent sees the same mixture.
    Iid,
    /// Dealt out in file order.
    RoundRobin,
    /// Every category of this column belongs to one agent: agents see different parts of the world.
    ByColumn(String),
}

/// The agent of every row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Per training row.
    pub train: Vec<AgentId>,
    /// Per replay row.
    pub replay: Vec<AgentId>,
    /// Agents without a benign training row, ascending: they have nothing to learn from.
    pub untrained: Vec<AgentId>,
}

impl Partition {
    /// Gives every row to exactly one agent. A function of its arguments alone.
    ///
    /// `Iid` and `RoundRobin` deal the benign training rows before the others, so that agents learn from equally
    /// many (one more or less), and replay rows without regard to their truth.
    /// `ByColumn` takes categories by falling count of benign training rows (ties by name) and gives each to the
    /// agent with the fewest so far; then those without benign training rows, by falling count of replay rows,
    /// each to the agent with the fewest of these. Ties go to the lower agent.
    ///
    /// # Errors
    /// If there are no agents, no such column, or fewer categories with benign training rows than agents.
    pub fn assign(
        &self,
        train: &Records,
        replay: &Records,
        agents: u32,
        streams: &Streams,
    ) -> Result<Assignment, PartitionError> {
        if agents == 0 {
            return Err(PartitionError::NoAgents);
        }
        let (train_agents, replay_agents) = match self {
            Self::Iid => {
                let stream = |subject| Some(streams.stream(Purpose::Partition, subject, Tick(0)));
                (deal(benign_first(train), agents, stream(0)), deal(in_order(replay), agents, stream(1)))
            }
            Self::RoundRobin => {
                (deal(benign_first(train), agents, None), deal(in_order(replay), agents, None))
            }
            Self::ByColumn(column) => by_column(column, train, replay, agents)?,
        };
        let mut trained = vec![false; agents as usize];
        for (row, agent) in train_agents.iter().enumerate() {
            trained[agent.index()] |= train.is_benign(row);
        }
        let untrained = (0..agents).map(AgentId).filter(|agent| !trained[agent.index()]).collect();
        Ok(Assignment { train: train_agents, replay: replay_agents, untrained })
    }
}

/// All rows, in one group.
fn in_order(records: &Records) -> [Vec<u32>; 1] {
    [(0..records.rows() as u32).collect()]
}

/// Benign rows, then the others.
fn benign_first(records: &Records) -> [Vec<u32>; 2] {
    let (benign, others) = (0..records.rows() as u32).partition(|row| records.is_benign(*row as usize));
    [benign, others]
}

/// Deals rows, group after group, to agents in turn; each group is shuffled first if there is a stream.
fn deal<const N: usize>(mut groups: [Vec<u32>; N], agents: u32, mut stream: Option<Stream>) -> Vec<AgentId> {
    if let Some(stream) = &mut stream {
        groups.iter_mut().for_each(|group| stream.shuffle(group));
    }
    let mut assigned = vec![AgentId(0); groups.iter().map(Vec::len).sum()];
    for (turn, row) in groups.into_iter().flatten().enumerate() {
        assigned[row as usize] = AgentId((turn % agents as usize) as u32);
    }
    assigned
}

/// A category of the dividing column and how often it occurs.
struct Category<'a> {
    name: &'a str,
    benign_training_rows: u64,
    replay_rows: u64,
    agent: AgentId,
}

fn by_column(
    column: &str,
    train: &Records,
    replay: &Records,
    agents: u32,
) -> Result<(Vec<AgentId>, Vec<AgentId>), PartitionError> {
    let position = |records: &Records| {
        let found = records.categorical.iter().position(|name| name == column);
        found.ok_or_else(|| PartitionError::UnknownColumn {
            column: column.to_owned(),
            known: records.categorical.clone(),
        })
    };
    let (train_column, replay_column) = (position(train)?, position(replay)?);
    let mut categories = count(train, train_column, replay, replay_column);
    let trained = categories.iter().filter(|category| category.benign_training_rows > 0).count();
    if trained < agents as usize {
        return Err(PartitionError::TooFewCategories {
            column: column.to_owned(),
            categories: trained,
            agents,
        });
    }
    spread(&mut categories, agents);
    categories.sort_unstable_by_key(|category| category.name);
    let rows = |records: &Records, column: usize| {
        let of = |name: &String| {
            let found = categories.binary_search_by_key(&name.as_str(), |category| category.name);
            categories[found.expect("both files' categories were counted")].agent
        };
        let agent_of_code: Vec<AgentId> = records.categories(column).iter().map(of).collect();
        (0..records.rows()).map(|row| agent_of_code[usize::from(records.codes(row)[column])]).collect()
    };
    Ok((rows(train, train_column), rows(replay, replay_column)))
}

/// The categories of both files, ascending by name.
fn count<'a>(
    train: &'a Records,
    train_column: usize,
    replay: &'a Records,
    replay_column: usize,
) -> Vec<Category<'a>> {
    let mut names: Vec<&str> = train.categories(train_column).iter().map(String::as_str).collect();
    names.extend(replay.categories(replay_column).iter().map(String::as_str));
    names.sort_unstable();
    names.dedup();
    let mut benign_training_rows = vec![0; train.categories(train_column).len()];
    for row in (0..train.rows()).filter(|row| train.is_benign(*row)) {
        benign_training_rows[usize::from(train.codes(row)[train_column])] += 1;
    }
    let mut replay_rows = vec![0; replay.categories(replay_column).len()];
    for row in 0..replay.rows() {
        replay_rows[usize::from(replay.codes(row)[replay_column])] += 1;
    }
    let find = |records: &Records, column: usize, counts: &[u64], name: &str| {
        records.categories(column).iter().position(|known| known == name).map_or(0, |code| counts[code])
    };
    let category = |name| Category {
        name,
        benign_training_rows: find(train, train_column, &benign_training_rows, name),
        replay_rows: find(replay, replay_column, &replay_rows, name),
        agent: AgentId(0),
    };
    names.into_iter().map(category).collect()
}

/// Assigns every category; leaves them in the order in which they were assigned.
fn spread(categories: &mut [Category<'_>], agents: u32) {
    let falling = |category: &Category<'_>| {
        let is_untrained = category.benign_training_rows == 0;
        let rows = if is_untrained { category.replay_rows } else { category.benign_training_rows };
        (is_untrained, std::cmp::Reverse(rows))
    };
    categories.sort_by(|a, b| falling(a).cmp(&falling(b)).then(a.name.cmp(b.name)));
    let (mut training_load, mut replay_load) = (vec![0u64; agents as usize], vec![0u64; agents as usize]);
    for category in categories {
        let load = if category.benign_training_rows > 0 { &training_load } else { &replay_load };
        let agent = (0..agents as usize).min_by_key(|agent| load[*agent]).expect("at least one agent");
        training_load[agent] += category.benign_training_rows;
        replay_load[agent] += category.replay_rows;
        category.agent = AgentId(agent as u32);
    }
}
