//! What an instance is set up with: configuration, columns, seed.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::contract::v0_1::detector::exports::phalanx::plugin::detector;
use crate::contract::v0_1::voting::exports::phalanx::plugin::voting;

/// A value of a plugin's configuration.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// True or false.
    Flag(bool),
    /// A finite number.
    Number(f64),
    /// A text.
    Text(String),
}

/// A plugin's configuration, sorted by name.
pub type Config = BTreeMap<String, Value>;

/// What `init` is called with.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) config: Arc<Config>,
    pub(crate) columns: Arc<[String]>,
    pub(crate) seed: u64,
}

impl Setup {
    pub(crate) fn for_detector(&self) -> Vec<detector::Setting> {
        let value = |value: &Value| match value {
            Value::Flag(flag) => detector::Value::Flag(*flag),
            Value::Number(number) => detector::Value::Number(*number),
            Value::Text(text) => detector::Value::Text(text.clone()),
        };
        let setting =
            |(name, given): (&String, &Value)| detector::Setting { name: name.clone(), value: value(given) };
        self.config.iter().map(setting).collect()
    }

    pub(crate) fn for_voting(&self) -> Vec<voting::Setting> {
        let value = |value: &Value| match value {
            Value::Flag(flag) => voting::Value::Flag(*flag),
            Value::Number(number) => voting::Value::Number(*number),
            Value::Text(text) => voting::Value::Text(text.clone()),
        };
        let setting =
            |(name, given): (&String, &Value)| voting::Setting { name: name.clone(), value: value(given) };
        self.config.iter().map(setting).collect()
    }
}
