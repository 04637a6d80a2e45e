//! Plugins: which file, with which settings, and what happens when one fails.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Contradiction, Detector, Positive, Scenario};

/// Live instances of a process that fit into the memory maps Linux grants it.
const LIVE_MAX: u32 = 4096;
/// An instance's memory, in MiB.
const MEMORY_MIB_MAX: u32 = 1024;

/// A detector or voting rule in a WebAssembly component; docs/plugins.md is for their authors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plugin<F: Default> {
    /// The component's file, relative to this one.
    pub path: String,
    /// SHA-256 of the file in hexadecimal; `runner plugin pin` writes it.
    #[serde(default)]
    pub sha256: String,
    /// The plugin's own settings by name: numbers, texts, true or false.
    #[serde(default)]
    pub config: BTreeMap<String, Setting>,
    /// How long instances live.
    #[serde(default)]
    pub isolation: Isolation,
    /// What is done about NaN, whose bits differ between processors.
    #[serde(default)]
    pub nan: Nan,
    /// What answers while the plugin does not.
    #[serde(default)]
    pub on_fault: F,
    /// When a plugin that fails is left alone, and for how long.
    #[serde(default)]
    pub breaker: Breaker,
    /// What an instance may use.
    #[serde(default)]
    pub limits: PluginLimits,
}

/// A setting of a plugin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a number, a text, true or false")]
pub enum Setting {
    /// True or false.
    Flag(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

/// How long a plugin's instances live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Isolation {
    /// Each agent has one of its own, about 40 KiB; at most 4,096 agents.
    #[default]
    Live,
    /// Every call gets a fresh one, which is given what the agent's last one saved. Nothing can be hidden.
    Hermetic,
}

/// What is done about NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Nan {
    /// Every NaN has the same bits on all machines. Float arithmetic is four to six times slower.
    #[default]
    Canonical,
    /// NaN is refused in inputs and answers; fast. `runner plugin check` says whether a plugin can be trusted with it.
    Reject,
}

/// What answers while a detector does not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub enum DetectorFault {
    /// Nothing: no flow is flagged, and the agent's model has no opinion in votes.
    #[default]
    Abstain,
    /// A native detector, which learns beside the plugin.
    Native(Box<Detector>),
    /// The run fails at the first fault.
    Abort,
}

/// What decides while a voting rule does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RuleFault {
    /// Nothing: questions stay open, and are undecided at their deadline.
    Abstain,
    /// The scenario's `rule`.
    #[default]
    Rule,
    /// The run fails at the first fault.
    Abort,
}

/// When a plugin that fails is left alone, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Breaker {
    /// Faults in a row after which an agent's plugin is not asked any more.
    pub faults: Positive,
    /// Ticks until it is tried again.
    pub cooldown_ticks: Positive,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { faults: Positive::new(3), cooldown_ticks: Positive::new(20) }
    }
}

/// What an instance of a plugin may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PluginLimits {
    /// Its memory, in MiB.
    pub memory_mib: Positive,
    /// Fuel of a call, about one unit an instruction.
    pub call_fuel: Positive,
    /// Fuel that every row (or ballot) adds to that.
    pub row_fuel: Positive,
}

impl Default for PluginLimits {
    /// Enough for Python; code compiled from Rust or C takes some hundred units a row.
    fn default() -> Self {
        Self {
            memory_mib: Positive::new(16),
            call_fuel: Positive::new(20_000_000),
            row_fuel: Positive::new(100_000),
        }
    }
}

impl<F: Default> Plugin<F> {
    /// The pinned hash.
    #[must_use]
    pub fn pinned(&self) -> Option<[u8; 32]> {
        let mut hash = [0; 32];
        if self.sha256.len() != 64 || !self.sha256.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        for (byte, digits) in hash.iter_mut().zip(self.sha256.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(hash)
    }

    fn check(&self, at: &str, instances: u32) -> Result<(), Contradiction> {
        let fail =
            |field: &str, message: String| Err(Contradiction { path: format!("{at}.{field}"), message });
        if self.path.is_empty() {
            return fail("path", "no file named: give the path of a component".to_owned());
        }
        if self.sha256.is_empty() {
            return fail(
                "sha256",
                "the plugin is not pinned: `runner plugin pin FILE.ron` writes its hash".to_owned(),
            );
        }
        if self.pinned().is_none() {
            return fail(
                "sha256",
                "not a SHA-256: give 64 hexadecimal digits (`runner plugin pin FILE.ron`)".to_owned(),
            );
        }
        if let Some((name, _)) =
            self.config.iter().find(|(_, s)| matches!(s, Setting::Number(n) if !n.is_finite()))
        {
            return fail(&format!("config.{name}"), "not a finite number".to_owned());
        }
        if self.isolation == Isolation::Live && instances > LIVE_MAX {
            let message =
                format!("{instances} live instances: at most {LIVE_MAX} fit a process, give Hermetic");
            return fail("isolation", message);
        }
        let memory = self.limits.memory_mib.get();
        if memory > MEMORY_MIB_MAX {
            return fail(
                "limits.memory_mib",
                format!("{memory} MiB an instance: give at most {MEMORY_MIB_MAX}"),
            );
        }
        Ok(())
    }
}

impl Scenario {
    pub(super) fn check_plugins(&self) -> Result<(), Contradiction> {
        if let Detector::Plugin(plugin) = &self.detector {
            plugin.check("detector.plugin", self.agents.get())?;
            if let DetectorFault::Native(native) = &plugin.on_fault
                && matches!(**native, Detector::Plugin(_))
            {
                return Err(Contradiction {
                    path: "detector.plugin.on_fault.native".to_owned(),
                    message: "a plugin cannot stand in for a plugin: give a native detector".to_owned(),
                });
            }
        }
        if let Some(plugin) = &self.consensus.plugin {
            plugin.check("consensus.plugin", 1)?;
        }
        Ok(())
    }
}
