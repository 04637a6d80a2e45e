//! Partitions: which agent sees which row.
//!
//! One trained model per agent is only a fair experiment if the rows that an agent is tested on come from the
//! same source as those that it learned from, so both files are divided by one rule.

use std::collections::{BTreeMap, BTreeSet};

use phalanx_core::{AgentId, Purpose, Stream, Streams, Tick, maths};
use serde::{Deserialize, Serialize};

use crate::{FlowRecord, PartitionError, Records};

/// How a capture is divided over agents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Partition {
    /// Shuffled, then dealt out: every agent sees the same mixture.
    Iid,
    /// Dealt out in file order.
    RoundRobin,
    /// Every category of this column belongs to one agent: agents see different parts of the world. Flow records
    /// have the columns `protocol`, `service`, `state` and `label`.
    ByColumn(String),
    /// Sorted by a column as of [`Partition::ByColumn`], then cut into equal stretches: agents see few categories each,
    /// also where there are more agents than categories.
    SortedBy(String),
    /// Every file belongs to one agent, in turn: for logs of one sensor each. Only [`crate::load_flows`] knows files.
    ByFile,
    /// Consecutive stretches of equal size: of flow records by their start, of other rows by their order.
    ByTime,
    /// Every host belongs to one agent: of flow records the host that the sensor watches (see
    /// [`FlowRecord::own_and_remote`]), of other rows the address of their key.
    ByHost,
    /// As [`Partition::ByHost`], by the first so many bits of the address, 0 to 32.
    BySubnet(u8),
    /// Of every label each agent gets a share drawn from a symmetric Dirichlet distribution: the usual model of agents
    /// whose data are not alike (Hsu, Qi & Brown 2019).
    Dirichlet(Concentration),
}

/// The concentration α of a symmetric Dirichlet distribution, positive and finite: 0.1 is very uneven, 100 nearly
/// even.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Concentration(f64);

// It is never NaN.
impl Eq for Concentration {}

impl TryFrom<f64> for Concentration {
    type Error = PartitionError;

    fn try_from(alpha: f64) -> Result<Self, PartitionError> {
        if alpha > 0.0 && alpha.is_finite() {
            Ok(Self(alpha))
        } else {
            Err(PartitionError::Concentration(alpha.to_string()))
        }
    }
}

impl From<Concentration> for f64 {
    fn from(alpha: Concentration) -> Self {
        alpha.0
    }
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
    /// `SortedBy` cuts the benign training rows, sorted by category, into equal stretches; all other rows of a category
    /// are spread over the agents that learn from it. `ByColumn` takes categories by falling count of benign training
    /// rows (ties by name) and gives each to the agent with the fewest so far; then those without benign training rows, by falling count of replay rows,
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
            Self::SortedBy(column) => sorted_by(column, train, replay, agents)?,
            Self::ByFile => return Err(PartitionError::NoSuchField("a file of its own")),
            Self::ByTime => (stretches(benign_first(train), agents), stretches(in_order(replay), agents)),
            Self::ByHost => by_address(32, train, replay, agents)?,
            Self::BySubnet(bits) => by_address(*bits, train, replay, agents)?,
            Self::Dirichlet(alpha) => {
                let names = |records: &Records| -> Vec<String> {
                    (0..records.rows()).map(|row| records.label(row).unwrap_or("").to_owned()).collect()
                };
                let (train, replay) = (names(train), names(replay));
                let mut assigned = dirichlet(*alpha, [&train, &replay], agents, streams);
                let replay = assigned.pop().expect("one list a file");
                (assigned.pop().expect("one list a file"), replay)
            }
        };
        let mut trained = vec![false; agents as usize];
        for (row, agent) in train_agents.iter().enumerate() {
            trained[agent.index()] |= train.is_benign(row);
        }
        let untrained = (0..agents).map(AgentId).filter(|agent| !trained[agent.index()]).collect();
        Ok(Assignment { train: train_agents, replay: replay_agents, untrained })
    }
}

impl Partition {
    /// Gives every flow record to exactly one agent. A function of its arguments alone.
    ///
    /// Hosts, subnets and categories go by falling count of flows that are no attacks (ties by address or name), each to
    /// the agent with the fewest of these so far (ties to the lower agent), since agents learn from them; then those of
    /// nothing but attacks, by falling count of flows. Flows without such an address or name are one more category.
    ///
    /// # Errors
    /// If there are no agents, fewer categories than agents, or nothing to divide by.
    pub fn assign_flows(
        &self,
        flows: &[FlowRecord],
        agents: u32,
        streams: &Streams,
    ) -> Result<Vec<AgentId>, PartitionError> {
        if agents == 0 {
            return Err(PartitionError::NoAgents);
        }
        let all = || [(0..flows.len() as u32).collect::<Vec<u32>>()];
        match self {
            Self::Iid => Ok(deal(all(), agents, Some(streams.stream(Purpose::Partition, 0, Tick(0))))),
            Self::RoundRobin => Ok(deal(all(), agents, None)),
            Self::ByTime => {
                let [mut rows] = all();
                if flows.iter().all(|flow| flow.start_us.is_none()) && !flows.is_empty() {
                    return Err(PartitionError::NoSuchField("a start"));
                }
                rows.sort_by_key(|row| (flows[*row as usize].start_us, *row));
                Ok(stretches([rows], agents))
            }
            Self::ByFile => Err(PartitionError::NoSuchField("a file of its own")),
            Self::ByHost => flows_by_address(32, flows, agents),
            Self::BySubnet(bits) => flows_by_address(*bits, flows, agents),
            Self::ByColumn(column) | Self::SortedBy(column) => {
                let name: fn(&FlowRecord) -> Option<String> = match column.as_str() {
                    "protocol" => |flow| flow.protocol.map(|protocol| protocol.0.to_string()),
                    "service" => |flow| flow.service.as_deref().map(str::to_owned),
                    "state" => |flow| flow.state.map(|state| state.name().to_owned()),
                    "label" => |flow| flow.label.as_ref().map(|label| label.finest().to_string()),
                    _ => {
                        let known = ["protocol", "service", "state", "label"].map(str::to_owned).to_vec();
                        return Err(PartitionError::UnknownColumn { column: column.clone(), known });
                    }
                };
                let names: Vec<Option<String>> = flows.iter().map(name).collect();
                if matches!(self, Self::SortedBy(_)) {
                    let [mut rows] = all();
                    rows.sort_by_key(|row| &names[*row as usize]);
                    return Ok(stretches([rows], agents));
                }
                by_category(column, flows, &names, agents)
            }
            Self::Dirichlet(alpha) => {
                let name = |flow: &FlowRecord| {
                    flow.label.as_ref().map_or_else(String::new, |label| label.finest().to_string())
                };
                let names: Vec<String> = flows.iter().map(name).collect();
                Ok(dirichlet(*alpha, [&names], agents, streams).swap_remove(0))
            }
        }
    }
}

fn flows_by_address(bits: u8, flows: &[FlowRecord], agents: u32) -> Result<Vec<AgentId>, PartitionError> {
    let mask = mask(bits)?;
    let hosts: Vec<Option<u32>> =
        flows.iter().map(|flow| flow.own_and_remote().0.map(|host| host & mask)).collect();
    if hosts.iter().all(Option::is_none) && !hosts.is_empty() {
        return Err(PartitionError::NoSuchField("an IPv4 address"));
    }
    by_category("address", flows, &hosts, agents)
}

/// One category of every flow; agents learn from those that are no attacks.
fn by_category<K: Ord>(
    column: &str,
    flows: &[FlowRecord],
    keys: &[K],
    agents: u32,
) -> Result<Vec<AgentId>, PartitionError> {
    let rows: Vec<(&K, bool)> = keys.iter().zip(flows).map(|(key, flow)| (key, !flow.is_attack())).collect();
    let all: Vec<&K> = keys.iter().collect();
    let mut categories = categories(&rows, &all);
    let parts = categories.len();
    if parts < agents as usize {
        return Err(PartitionError::TooFewParts { what: format!("values of {column:?}"), parts, agents });
    }
    let agents = spread(&mut categories, agents);
    Ok(keys.iter().map(|key| agents[&key]).collect())
}

fn mask(bits: u8) -> Result<u32, PartitionError> {
    match bits {
        0 => Ok(0),
        1..=32 => Ok(u32::MAX << (32 - bits)),
        _ => Err(PartitionError::PrefixBits(bits)),
    }
}

fn by_address(
    bits: u8,
    train: &Records,
    replay: &Records,
    agents: u32,
) -> Result<(Vec<AgentId>, Vec<AgentId>), PartitionError> {
    let mask = mask(bits)?;
    let hosts = |records: &Records| -> Vec<Option<u32>> {
        records.keys.iter().map(|key| key.remote.map(|host| host & mask)).collect()
    };
    let (train_hosts, replay_hosts) = (hosts(train), hosts(replay));
    if train_hosts.iter().all(Option::is_none) {
        return Err(PartitionError::NoSuchField("an address"));
    }
    by_rows("address", train, &train_hosts, &replay_hosts, agents)
}

/// One key of every row of both files; agents learn from benign training rows.
fn by_rows<K: Ord>(
    column: &str,
    train: &Records,
    train_keys: &[K],
    replay_keys: &[K],
    agents: u32,
) -> Result<(Vec<AgentId>, Vec<AgentId>), PartitionError> {
    let train_rows: Vec<_> =
        train_keys.iter().enumerate().map(|(row, key)| (key, train.is_benign(row))).collect();
    let replay_rows: Vec<_> = replay_keys.iter().collect();
    let mut categories = categories(&train_rows, &replay_rows);
    enough(column, &categories, agents)?;
    let agents = spread(&mut categories, agents);
    let train = train_keys.iter().map(|key| agents[&key]).collect();
    Ok((train, replay_keys.iter().map(|key| agents[&key]).collect()))
}

/// Every key and how often it occurs.
fn categories<'k, K: Ord>(train: &[(&'k K, bool)], replay: &[&'k K]) -> Vec<Category<&'k K>> {
    let mut counts: BTreeMap<&K, (u64, u64)> = BTreeMap::new();
    for (key, benign) in train {
        counts.entry(key).or_default().0 += u64::from(*benign);
    }
    for key in replay {
        counts.entry(key).or_default().1 += 1;
    }
    let category =
        |(name, (benign_training_rows, replay_rows))| Category { name, benign_training_rows, replay_rows };
    counts.into_iter().map(category).collect()
}

/// Consecutive stretches of every group, as equal in size as can be.
fn stretches<const N: usize>(groups: [Vec<u32>; N], agents: u32) -> Vec<AgentId> {
    let mut assigned = vec![AgentId(0); groups.iter().map(Vec::len).sum()];
    for group in groups {
        let count = group.len() as u64;
        for (place, row) in group.into_iter().enumerate() {
            assigned[row as usize] = AgentId((place as u64 * u64::from(agents) / count) as u32);
        }
    }
    assigned
}

/// Divides the rows of every label by shares that are drawn once a label and hold for all files.
fn dirichlet<const N: usize>(
    alpha: Concentration,
    files: [&Vec<String>; N],
    agents: u32,
    streams: &Streams,
) -> Vec<Vec<AgentId>> {
    let mut rows: BTreeMap<&str, [Vec<u32>; N]> = BTreeMap::new();
    for (file, labels) in files.iter().enumerate() {
        for (row, label) in labels.iter().enumerate() {
            rows.entry(label).or_insert_with(|| [const { Vec::new() }; N])[file].push(row as u32);
        }
    }
    let mut assigned: Vec<Vec<AgentId>> = files.iter().map(|labels| vec![AgentId(0); labels.len()]).collect();
    for (index, files) in rows.values_mut().enumerate() {
        // Iid has the streams 0 and 1.
        let mut stream = streams.stream(Purpose::Partition, 2 + index as u32, Tick(0));
        let shares = shares(alpha.0, agents, &mut stream);
        for (assigned, rows) in assigned.iter_mut().zip(files) {
            stream.shuffle(rows);
            let (mut agent, mut upto) = (0, shares[0]);
            for (place, row) in rows.iter().enumerate() {
                let middle = (place as f64 + 0.5) / rows.len() as f64;
                while middle > upto && agent + 1 < shares.len() {
                    agent += 1;
                    upto += shares[agent];
                }
                assigned[*row as usize] = AgentId(agent as u32);
            }
        }
    }
    assigned
}

/// One draw from a symmetric Dirichlet distribution: gammas over their sum, by logarithms, since those of small
/// shapes underflow.
fn shares(alpha: f64, agents: u32, stream: &mut Stream) -> Vec<f64> {
    let mut logs: Vec<f64> = Vec::with_capacity(agents as usize);
    for _ in 0..agents {
        let boost = libm::log(stream.uniform_open()) / alpha;
        logs.push(libm::log(stream.gamma(alpha + 1.0)) + boost);
    }
    let highest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = logs.iter().map(|log| libm::exp(log - highest)).collect();
    let total = maths::sum(&weights);
    weights.iter().map(|weight| weight / total).collect()
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
struct Category<K> {
    name: K,
    benign_training_rows: u64,
    replay_rows: u64,
}

/// What a row has in a categorical column, row by row.
fn names<'a>(column: &str, records: &'a Records) -> Result<Vec<&'a str>, PartitionError> {
    let found = records.categorical.iter().position(|name| name == column);
    let place = found.ok_or_else(|| PartitionError::UnknownColumn {
        column: column.to_owned(),
        known: records.categorical.clone(),
    })?;
    let names = records.categories(place);
    Ok((0..records.rows()).map(|row| names[usize::from(records.codes(row)[place])].as_str()).collect())
}

fn by_column(
    column: &str,
    train: &Records,
    replay: &Records,
    agents: u32,
) -> Result<(Vec<AgentId>, Vec<AgentId>), PartitionError> {
    by_rows(column, train, &names(column, train)?, &names(column, replay)?, agents)
}

/// Benign training rows in the order of their category, cut into equal stretches; the other rows of a category go to the
/// agents that learn from it, in proportion, those of a category without such rows to the agent next in the order.
fn sorted_by(
    column: &str,
    train: &Records,
    replay: &Records,
    agents: u32,
) -> Result<(Vec<AgentId>, Vec<AgentId>), PartitionError> {
    let (train_names, replay_names) = (names(column, train)?, names(column, replay)?);
    // By category: benign training rows, other training rows, replay rows.
    let mut rows: BTreeMap<&str, [Vec<usize>; 3]> = BTreeMap::new();
    for (row, name) in train_names.iter().enumerate() {
        rows.entry(name).or_default()[usize::from(!train.is_benign(row))].push(row);
    }
    for (row, name) in replay_names.iter().enumerate() {
        rows.entry(name).or_default()[2].push(row);
    }
    let total = rows.values().map(|[benign, ..]| benign.len()).sum::<usize>().max(1);
    let agent =
        |place: usize| AgentId((place.min(total - 1) as u64 * u64::from(agents) / total as u64) as u32);
    let mut assigned = (vec![AgentId(0); train.rows()], vec![AgentId(0); replay.rows()]);
    let mut before = 0;
    for [benign, others, replayed] in rows.values() {
        let give = |rows: &[usize], target: &mut [AgentId]| {
            for (k, row) in rows.iter().enumerate() {
                target[*row] = agent(before + k * benign.len() / rows.len());
            }
        };
        give(benign, &mut assigned.0);
        give(others, &mut assigned.0);
        give(replayed, &mut assigned.1);
        before += benign.len();
    }
    Ok(assigned)
}

/// Every agent needs something to learn from.
fn enough<K>(column: &str, categories: &[Category<K>], agents: u32) -> Result<(), PartitionError> {
    let trained = categories.iter().filter(|category| category.benign_training_rows > 0).count();
    if trained >= agents as usize {
        return Ok(());
    }
    Err(PartitionError::TooFewCategories { column: column.to_owned(), categories: trained, agents })
}

/// Gives every category to one agent, by the rule of [`Partition::assign`] for columns.
fn spread<K: Ord + Copy>(categories: &mut [Category<K>], agents: u32) -> BTreeMap<K, AgentId> {
    let falling = |category: &Category<K>| {
        let is_untrained = category.benign_training_rows == 0;
        let rows = if is_untrained { category.replay_rows } else { category.benign_training_rows };
        (is_untrained, std::cmp::Reverse(rows))
    };
    categories.sort_by(|a, b| falling(a).cmp(&falling(b)).then_with(|| a.name.cmp(&b.name)));
    // Agents by load, then by number.
    let by_load = || -> BTreeSet<(u64, u32)> { (0..agents).map(|agent| (0, agent)).collect() };
    let (mut training, mut replay) = (by_load(), by_load());
    let (mut training_load, mut replay_load) = (vec![0u64; agents as usize], vec![0u64; agents as usize]);
    let mut assigned = BTreeMap::new();
    for category in categories {
        let order = if category.benign_training_rows > 0 { &training } else { &replay };
        let (_, agent) = *order.first().expect("at least one agent");
        let place = agent as usize;
        training.remove(&(training_load[place], agent));
        replay.remove(&(replay_load[place], agent));
        training_load[place] += category.benign_training_rows;
        replay_load[place] += category.replay_rows;
        training.insert((training_load[place], agent));
        replay.insert((replay_load[place], agent));
        assigned.insert(category.name, AgentId(agent));
    }
    assigned
}
