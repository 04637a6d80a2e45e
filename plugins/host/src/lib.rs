//! Runs plugins: WebAssembly components that stand in for a detector or a voting rule, sandboxed and repeatable.
//!
//! *It is* the loader ([`Plugin`]), the limits ([`Limits`]), and the two adapters ([`PluginDetector`], [`PluginRule`])
//! behind the traits of native code. It is the only crate that names wasmtime, and no type of wasmtime leaves it.
//! *It is not* a plugin registry: files are named and pinned by the scenario, and the caller reads them.
//!
//! # What makes a plugin repeatable
//! It imports nothing, so it has neither a clock nor randomness. Every call runs on fuel, the only limit that does not
//! depend on time. NaN bits are made canonical or refused ([`NanMode`]). An instance belongs to one agent, and its state
//! is what it saves: see [`Isolation`].
//!
//! # What a bad plugin can do
//! Fail. Whatever goes wrong is a [`Fault`]: the instance is dropped, the next call gets a new one that is given the last
//! good state, and after some faults in a row a [`Breaker`] keeps the plugin from being asked for a while. Faults and
//! the breaker's moves are [`PluginEvent`](phalanx_core::PluginEvent)s.
//!
//! ```
//! use phalanx_core::{AgentId, Feature, Schema, Unit};
//! use phalanx_detect::{Detector, HostedDetector};
//! use phalanx_plugin_guests::Guest;
//! use phalanx_plugin_host::{BreakerConfig, Config, Isolation, Limits, NanMode, Plugin, PluginEngine, PluginFactory};
//!
//! let engine = PluginEngine::new(NanMode::Canonical);
//! let plugin = Plugin::load(&engine, &Guest::mean().build(), None, Limits::default())?;
//! let factory = PluginFactory::new(plugin, Config::new(), Isolation::Live, BreakerConfig::default())?;
//! let schema = Schema::new(vec![Feature::raw("bytes", Unit::Bytes)]);
//! let mut detector = factory.detector(AgentId(0), 42, &schema);
//! detector.fit(&[1.0, 2.0, 3.0])?;
//! let mut scores = Vec::new();
//! detector.score(&[2.0, 5.0], &mut scores)?;
//! assert_eq!(scores, [0.0, 0.75]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod breaker;
mod cache;
mod check;
mod contract;
mod detector;
mod engine;
mod fault;
mod folder;
mod guard;
mod inspect;
mod instance;
mod limits;
mod plugin;
mod rule;
mod setup;
mod slot;
mod trusted;

pub use breaker::{Breaker, BreakerConfig};
pub use cache::{CacheNote, CodeCache};
pub use check::{CheckOptions, CheckReport, Finding, check};
pub use contract::Kind;
pub use detector::{PluginDetector, PluginFactory};
pub use engine::{CodeMode, NanMode, PluginEngine, WASMTIME};
pub use fault::Fault;
pub use folder::CacheError;
pub use inspect::{Inspection, inspect};
pub use limits::Limits;
pub use plugin::{About, Learning, LoadError, Plugin, hex};
pub use rule::{Fallback, PluginRule};
pub use setup::{Config, Value};
pub use slot::Isolation;
