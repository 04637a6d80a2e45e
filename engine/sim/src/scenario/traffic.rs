//! Where flows come from: a synthetic world of hosts, a Gaussian mixture, or a capture.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fraction, NonNegative, Positive, PositiveReal};

/// The source of flows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub enum Traffic {
    /// A world of hosts with roles and a daily rhythm, attacked by `campaigns`.
    Synthetic(Synthetic),
    /// Independent draws from a normal distribution with shifted attack families: the workload of the Python
    /// system and of its clean-room successor. No addresses, no campaigns.
    Gaussian(Gaussian),
    /// Records of a file, divided over the agents.
    Capture(Capture),
}

impl Default for Traffic {
    fn default() -> Self {
        Self::Synthetic(Synthetic::default())
    }
}

/// A world in which every agent watches one host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Synthetic {
    /// Mean number of benign flows an agent sees in a tick, over the day and all roles.
    pub flows: PositiveReal,
    /// How hosts divide into roles.
    pub roles: Roles,
    /// Number of regions, which share 10/8 equally; agent i lies in region i modulo this.
    pub regions: Positive,
    /// Length of a day in ticks.
    pub day_ticks: Positive,
    /// How far the load swings around its mean over a day: 0 is flat, 1 falls to nothing at night.
    pub diurnal: Fraction,
    /// A lasting change of what is normal, such as a new service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shift: Option<BaselineShift>,
    /// When workstations are in use; by default by a sine, as all hosts but things.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_hours: Option<WorkingHours>,
    /// A slow swing of everybody's load, such as a year's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub season: Option<Season>,
    /// A share of flows that last long, with a Pareto tail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub long_flows: Option<LongFlows>,
    /// Unasked probes of the Internet's scanners, a host and tick: single packets from few busy and many rare addresses to the
    /// ports that scanners like. They are noise, not an attack. (One benign flow in a hundred is a stray connection anyway.)
    #[serde(skip_serializing_if = "is_zero")]
    pub scanning: NonNegative,
    /// A service that hosts begin to use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(rate: &NonNegative) -> bool {
    rate.get() == 0.0
}

/// When workstations are in use. At other times they are nearly silent; their mean load over a week stays what it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WorkingHours {
    /// When work begins, as a share of the day.
    pub from: Fraction,
    /// When it ends; later than `from`.
    pub to: Fraction,
    /// Working days of a week of seven, which come first; 1 to 7.
    pub days: u8,
    /// Load at other times, in shares of that at work; below 1.
    pub idle: Fraction,
}

impl Default for WorkingHours {
    fn default() -> Self {
        let share = Fraction::new;
        Self { from: share(0.33), to: share(0.75), days: 5, idle: share(0.05) }
    }
}

/// A slow swing of load: `1 + swing · sin(2π · tick / period_ticks)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Season {
    /// Ticks of a whole swing.
    pub period_ticks: Positive,
    /// How far it swings around the mean.
    pub swing: Fraction,
}

/// Flows whose duration has a Pareto tail: `P(longer than d) = (own / d)^shape`, where `own` is what the flow would have
/// lasted otherwise. None lasts longer than a day.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LongFlows {
    /// Share of answered flows.
    pub share: Fraction,
    /// Its shape: the mean is infinite at 1 and below.
    pub shape: PositiveReal,
}

impl Default for LongFlows {
    fn default() -> Self {
        Self { share: Fraction::new(0.05), shape: PositiveReal::new(1.1) }
    }
}

/// A service that all hosts begin to use: uploads of a few kilobytes and answers of some 60, over TCP.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// First tick of the first use.
    pub start: u64,
    /// Ticks over which its share grows evenly to what it will be.
    #[serde(default)]
    pub ramp_ticks: u32,
    /// Share of the hosts' flows that it makes up in the end.
    pub share: Fraction,
    /// Its port.
    pub port: u16,
}

impl Default for Synthetic {
    fn default() -> Self {
        Self {
            flows: PositiveReal::new(30.0),
            roles: Roles::default(),
            regions: Positive::new(3),
            day_ticks: Positive::new(48),
            diurnal: Fraction::new(0.5),
            shift: None,
            working_hours: None,
            season: None,
            long_flows: None,
            scanning: NonNegative::new(0.0),
            rollout: None,
        }
    }
}

/// From one tick on, benign flows carry more (or fewer) bytes in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BaselineShift {
    /// First tick of the new normal.
    pub start: u64,
    /// What bytes are multiplied by.
    pub factor: PositiveReal,
}

/// Relative weights of the host roles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Roles {
    /// Web servers: many inbound requests, large answers.
    pub web: NonNegative,
    /// Name servers: many small inbound UDP queries.
    pub dns: NonNegative,
    /// Workstations: outbound browsing and mail in working hours.
    pub workstation: NonNegative,
    /// Things: few, small, regular outbound flows.
    pub iot: NonNegative,
}

impl Default for Roles {
    fn default() -> Self {
        let weight = NonNegative::new;
        Self { web: weight(0.25), dns: weight(0.1), workstation: weight(0.45), iot: weight(0.2) }
    }
}

/// Independent normal features with shifted attack families.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Gaussian {
    /// Flows an agent sees in a tick.
    pub flows: Positive,
    /// The features of benign flows.
    pub columns: Vec<Column>,
    /// How often a flow is anomalous.
    pub anomalies: AnomalyRate,
    /// The attack families; an anomalous flow belongs to one of them, drawn uniformly.
    pub families: Vec<Family>,
}

impl Default for Gaussian {
    fn default() -> Self {
        let column = |name: &str, mean, sd| Column { name: name.to_owned(), mean, sd: PositiveReal::new(sd) };
        let family = |name: &str, offsets: [f64; 4]| Family {
            name: name.to_owned(),
            attack: Attack::OffsetSd(offsets.to_vec()),
        };
        Self {
            flows: Positive::new(100),
            columns: vec![
                column("packet_bytes", 100.0, 20.0),
                column("rate", 50.0, 10.0),
                column("duration", 1.0, 0.3),
                column("port_entropy", 3.0, 0.5),
            ],
            anomalies: AnomalyRate::PerFlow(Fraction::new(0.05)),
            families: vec![
                family("flood", [6.0, 6.0, 0.0, 0.0]),
                family("scan", [-3.0, 4.0, -2.0, 5.0]),
                family("exfiltration", [3.0, 0.0, 5.0, 0.0]),
            ],
        }
    }
}

/// One feature of Gaussian traffic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Mean of benign flows.
    pub mean: f64,
    /// Standard deviation of benign flows.
    pub sd: PositiveReal,
}

/// How anomalies are sown.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub enum AnomalyRate {
    /// Every flow is anomalous with this probability.
    PerFlow(Fraction),
    /// With this probability a batch has exactly one anomalous flow, at a uniform place.
    PerBatch(Fraction),
}

/// One kind of anomalous flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Family {
    /// Its name, shown in the summary.
    pub name: String,
    /// How it differs from a benign flow.
    pub attack: Attack,
}

/// How an anomalous flow differs from a benign one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub enum Attack {
    /// A benign draw shifted by so many standard deviations, one number a column.
    OffsetSd(Vec<f64>),
    /// Exactly these values, one a column.
    Exactly(Vec<f64>),
}

/// Records of a file. Paths in a scenario file are relative to it, paths given by flag to the working folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Capture {
    /// The file to replay, `.gz` and `.zst` read directly: every record once, in file order, spread evenly over the
    /// ticks. With `files`, the folder that holds them.
    pub path: String,
    /// Logs of flows in that folder (Zeek, Suricata EVE, Argus, NetFlow, IPFIX, pcap, told apart by their first bytes): every flow is
    /// replayed once, by its start, with the span of all of them divided equally over the ticks. An agent learns from
    /// every second benign flow of its own, which is then not replayed; flows labelled as background are left out.
    /// `train` and `map` are not used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Whether the exporters of NetFlow and IPFIX in `files` watch both directions, so that one that they do not report
    /// was silent; else it is not known, and a scan looks like half of any flow.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub both_ways: bool,
    /// The file whose benign records train the detectors; relative to the folder of `path`.
    pub train: String,
    /// Name of a shipped map of the columns, or path of a map file.
    pub map: String,
    /// How records are divided over agents.
    pub split: Split,
    /// Whether every agent's detector judges all flows, to tell what exchanging scores would be worth. Costs agents times
    /// as much scoring, and changes nothing else.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub second_opinions: bool,
}

impl Default for Capture {
    fn default() -> Self {
        Self {
            path: String::new(),
            files: Vec::new(),
            both_ways: false,
            train: "KDDTrain+_20Percent.txt.gz".to_owned(),
            map: "nsl_kdd".to_owned(),
            split: Split::ByColumn("service".to_owned()),
            second_opinions: false,
        }
    }
}

/// How the records of a capture are divided over agents. Every record goes to exactly one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub enum Split {
    /// At random, so that all agents see the same mixture: there is nothing to gain from sharing.
    Iid,
    /// Record i to agent i mod agents.
    RoundRobin,
    /// By the value of a categorical column, so that an agent sees few kinds of traffic. Flows have the columns
    /// `protocol`, `service`, `state` and `label`.
    ByColumn(String),
    /// Sorted by the value of a column, then cut into equal stretches: few kinds of traffic an agent, also where there
    /// are more agents than values.
    SortedBy(String),
    /// File i to agent i mod agents, for `files` of one sensor each.
    ByFile,
    /// Every host belongs to one agent.
    ByHost,
    /// Every subnet belongs to one agent.
    BySubnet {
        /// Length of the subnets' prefix, 0 to 32.
        bits: u8,
    },
    /// Consecutive stretches of equal size.
    ByTime,
    /// Of every label each agent gets a share drawn from a symmetric Dirichlet distribution.
    Dirichlet {
        /// Its concentration: 0.1 is very uneven, 100 nearly even.
        alpha: PositiveReal,
    },
}
