//! Which runs a scenario stands for, and what they leave behind. No result of a single run depends on these words.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::Positive;

/// A campaign of runs: factors that vary, how they are combined, and how often each combination is run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Study {
    /// The name that `--study NAME` chooses it by; only in `studies`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Another of the `studies`, whose factors and conditions come before this one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extends: Option<String>,
    /// What varies. The last factor varies fastest.
    pub factors: Vec<Factor>,
    /// How the factors' levels are combined into configurations.
    pub design: Design,
    /// Expressions over field paths that a configuration must fulfil: `consensus.quorum > 0.5`.
    pub conditions: Vec<String>,
    /// Runs of every configuration, each with a seed of its own.
    pub replicates: Positive,
    /// How seeds follow from the root seed.
    pub seeds: SeedScheme,
    /// Go on with replicates until a figure is known well enough: `f1 rel<0.02 max 200`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

impl Default for Study {
    fn default() -> Self {
        Self {
            name: String::new(),
            extends: None,
            factors: Vec::new(),
            design: Design::default(),
            conditions: Vec::new(),
            replicates: Positive::new(1),
            seeds: SeedScheme::default(),
            until: None,
        }
    }
}

/// A field of the scenario that takes several values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Factor {
    /// Path of the field, as after `--set`.
    pub path: String,
    /// The values.
    pub levels: Levels,
}

/// The values of a factor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub enum Levels {
    /// These.
    List {
        /// Numbers, truth values, or text in quotes that is read as after `--set`.
        values: Vec<Level>,
    },
    /// From one number to another in equal steps. Sampled designs draw from the whole range.
    Range {
        /// First value. If both ends are whole numbers, all values are.
        from: Level,
        /// No value is larger.
        to: Level,
        /// Distance of neighbours. Sampled designs need none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<f64>,
    },
    /// From one positive number to another in equal ratios. Sampled designs draw from the whole range, uniformly in
    /// the logarithm.
    LogRange {
        /// First value. If both ends are whole numbers, all values are.
        from: Level,
        /// Last value.
        to: Level,
        /// Number of values. Sampled designs need none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<Positive>,
    },
}

/// A single value of a factor.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Level {
    /// `true` or `false`.
    Truth(bool),
    /// A whole number.
    Whole(i64),
    /// A number with a decimal point.
    Real(f64),
    /// Text, read by the field's type: `"ZScore"`, `"IsolationForest(trees: 50)"`.
    Text(String),
}

impl fmt::Display for Level {
    /// As it would stand after `--set path=`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truth(value) => value.fmt(f),
            Self::Whole(value) => value.fmt(f),
            Self::Real(value) => write!(f, "{value:?}"),
            Self::Text(value) => value.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyLevel;
        impl Visitor<'_> for AnyLevel {
            type Value = Level;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, true, false, or text in quotes")
            }
            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Level, E> {
                Ok(Level::Truth(value))
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Level, E> {
                Ok(Level::Whole(value))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Level, E> {
                match i64::try_from(value) {
                    Ok(value) => Ok(Level::Whole(value)),
                    Err(_) => Ok(Level::Text(value.to_string())),
                }
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Level, E> {
                Ok(Level::Real(value))
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<Level, E> {
                Ok(Level::Text(value.to_owned()))
            }
        }
        deserializer.deserialize_any(AnyLevel)
    }
}

impl JsonSchema for Level {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Level".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["boolean", "number", "string"] })
    }
}

/// How levels become configurations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub enum Design {
    /// Every combination of levels.
    #[default]
    Factorial,
    /// First levels together, second levels together, and so on; all factors have as many.
    Zip,
    /// A Latin hypercube: every factor's range is cut into as many slices as there are samples, and every slice is
    /// hit once (McKay, Beckman, Conover 1979).
    LatinHypercube {
        /// Configurations.
        samples: Positive,
    },
    /// Points of an Owen-scrambled Sobol sequence: evenly spread, also in projections.
    Sobol {
        /// Configurations, 65,536 at most; powers of two are best.
        samples: Positive,
    },
    /// Independent uniform draws.
    Random {
        /// Configurations.
        samples: Positive,
    },
    /// Trajectories that change one factor at a time, for elementary effects (Morris 1991).
    Morris {
        /// Trajectories; each has one configuration more than there are factors.
        trajectories: Positive,
        /// Levels of the grid, an even number.
        #[serde(default = "morris_levels")]
        levels: Positive,
    },
    /// Two sample matrices and their mixtures, for first-order and total Sobol indices (Saltelli et al. 2010).
    Saltelli {
        /// Rows of a matrix, 32,768 at most; configurations are (factors + 2) times as many.
        samples: Positive,
    },
    /// The rows of a CSV file whose header names paths; there are no factors beside it.
    Table {
        /// The file, relative to the scenario's.
        file: String,
    },
}

fn morris_levels() -> Positive {
    Positive::new(4)
}

/// How the seed of a run follows from the root seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SeedScheme {
    /// Replicate k has the same seed in every configuration, so that differences are paired.
    #[default]
    Common,
    /// Every configuration has seeds of its own.
    Independent,
}

/// What runs leave behind beside their records.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Record {
    /// A row a tick in `series/*.parquet`.
    pub series: Keep,
    /// A ledger on disk for every run. Without it, only size and root of a ledger are recorded.
    pub ledger: Keep,
    /// A line a tick in `events.jsonl`.
    pub events: Keep,
}

/// Whether something is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Keep {
    /// Series always; ledgers and events for campaigns that begin with at most 16 runs.
    #[default]
    Auto,
    /// Yes.
    Always,
    /// No.
    Never,
}
