//! A plugin as a detector: the traits of native detectors over a slot and its breaker.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use phalanx_core::{AgentId, PluginEvent, PluginSlot, Schema, Tick};
use phalanx_detect::{DetectError, Detector, DetectorFactory, HostedDetector, StreamingDetector};

use crate::breaker::{Breaker, BreakerConfig};
use crate::contract::Kind;
use crate::contract::v0_1::detector::DetectorPlugin;
use crate::fault::Fault;
use crate::guard::{Down, Guard};
use crate::plugin::{Learning, LoadError, Plugin};
use crate::setup::{Config, Setup};
use crate::slot::{Isolation, Slot};

/// Makes detectors of a plugin.
#[derive(Clone, Debug)]
pub struct PluginFactory {
    plugin: Plugin,
    streaming: bool,
    config: Arc<Config>,
    isolation: Isolation,
    breaker: BreakerConfig,
}

impl PluginFactory {
    /// A factory of detectors that are all configured alike.
    ///
    /// # Errors
    /// If the plugin is not a detector.
    pub fn new(
        plugin: Plugin,
        config: Config,
        isolation: Isolation,
        breaker: BreakerConfig,
    ) -> Result<Self, LoadError> {
        let Some(learning) = plugin.about().learning else {
            return Err(LoadError::Kind { expected: Kind::Detector.name(), actual: plugin.kind().name() });
        };
        let streaming = learning == Learning::Streaming;
        Ok(Self { plugin, streaming, config: Arc::new(config), isolation, breaker })
    }

    /// A detector that has learned nothing yet.
    #[must_use]
    pub fn detector(&self, agent: AgentId, seed: u64, schema: &Schema) -> PluginDetector {
        let columns = schema.features().iter().map(|feature| feature.name.clone()).collect();
        let setup = Setup { config: Arc::clone(&self.config), columns, seed };
        let slot = Slot::new(self.plugin.clone(), setup, self.isolation);
        let guard = Guard::new(slot, self.breaker, PluginSlot::Detector, Some(agent));
        PluginDetector { agent, width: schema.width(), streaming: self.streaming, guard: Mutex::new(guard) }
    }

    /// Tries the configuration: whether a detector of these columns can be set up.
    ///
    /// # Errors
    /// What `init` answered.
    pub fn try_init(&self, schema: &Schema) -> Result<(), Fault> {
        let trial = self.detector(AgentId(0), 0, schema);
        trial.guard().call(|slot| slot.ask("init", 0, |_, _| Ok(Ok(())))).map_err(|down| match down {
            Down::Fault(fault) => fault,
            Down::Open(_) => unreachable!("the breaker of a new detector is closed"),
        })
    }
}

impl DetectorFactory for PluginFactory {
    fn is_streaming(&self) -> bool {
        self.streaming
    }

    fn try_out(&self, schema: &Schema) -> Result<(), DetectError> {
        self.try_init(schema).map_err(|fault| DetectError::Unavailable { why: fault.to_string() })
    }

    fn create(&self, agent: AgentId, seed: u64, schema: &Schema) -> Box<dyn HostedDetector> {
        Box::new(self.detector(agent, seed, schema))
    }
}

/// A plugin that one agent uses as its detector.
///
/// Scoring takes `&self`, as for every detector, though a live instance has a memory of its own: hence the lock, for
/// which nobody ever waits, since a detector is one agent's.
pub struct PluginDetector {
    agent: AgentId,
    width: usize,
    streaming: bool,
    guard: Mutex<Guard<DetectorPlugin>>,
}

impl fmt::Debug for PluginDetector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginDetector")
            .field("agent", &self.agent)
            .field("width", &self.width)
            .finish_non_exhaustive()
    }
}

impl PluginDetector {
    fn guard(&self) -> MutexGuard<'_, Guard<DetectorPlugin>> {
        // Whoever panicked with the lock held left no half-done change: slots give their instance away first.
        self.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the breaker stands.
    #[must_use]
    pub fn breaker(&self) -> Breaker {
        self.guard().breaker()
    }

    /// The last fault, in words.
    #[must_use]
    pub fn last_fault(&self) -> Option<Fault> {
        self.guard().last_fault().cloned()
    }

    /// Fuel that the last call that went well has used.
    #[must_use]
    pub fn fuel_used(&self) -> u64 {
        self.guard().slot().fuel_used()
    }

    /// Bytes of linear memory of the live instance; 0 if there is none.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.guard().slot().memory_bytes()
    }

    /// What the plugin has learned, as it saved it.
    #[must_use]
    pub fn saved(&self) -> Option<Vec<u8>> {
        self.guard().slot().state().map(<[u8]>::to_vec)
    }

    fn checked(&self, rows: &[f32]) -> Result<usize, DetectError> {
        if self.width == 0 {
            return Err(DetectError::NoFeatures);
        }
        if !rows.len().is_multiple_of(self.width) {
            return Err(DetectError::Ragged { length: rows.len(), width: self.width });
        }
        // One pass without branches in the common case: a float is not finite exactly if its exponent is all ones.
        let broken = |value: &f32| value.to_bits() & 0x7F80_0000 == 0x7F80_0000;
        if rows.iter().fold(false, |any, value| any | broken(value)) {
            let position = rows.iter().position(broken).expect("one is broken");
            return Err(DetectError::NotFinite { row: position / self.width, column: position % self.width });
        }
        Ok(rows.len() / self.width)
    }

    fn call<T>(
        &self,
        call: impl FnOnce(&mut Slot<DetectorPlugin>) -> Result<T, Fault>,
    ) -> Result<T, DetectError> {
        self.guard().call(call).map_err(|down| unavailable(&down))
    }
}

#[cold]
fn unavailable(down: &Down) -> DetectError {
    DetectError::Unavailable { why: down.to_string() }
}

impl Detector for PluginDetector {
    fn width(&self) -> usize {
        self.width
    }

    fn score(&self, rows: &[f32], scores: &mut Vec<f64>) -> Result<(), DetectError> {
        scores.clear();
        let count = self.checked(rows)?;
        if count == 0 {
            return Ok(());
        }
        let mut guard = self.guard();
        if guard.slot().state().is_none() {
            return Err(DetectError::Unavailable { why: "it has learned nothing yet".to_owned() });
        }
        let score = |slot: &mut Slot<DetectorPlugin>| {
            let answer = slot.ask("score", count, |store, guest| {
                guest.phalanx_plugin_detector().call_score(store, rows)
            })?;
            check_scores(&answer, count).map(|()| answer)
        };
        let answer = guard.call(score).map_err(|down| unavailable(&down))?;
        scores.extend(answer.into_iter().map(f64::from));
        Ok(())
    }

    fn digest(&self) -> u64 {
        self.guard().digest()
    }

    fn save(&self) -> Vec<u8> {
        self.guard().encode()
    }
}

/// Whether an answer is one score from 0 to 1 for every row.
pub(crate) fn check_scores(scores: &[f32], count: usize) -> Result<(), Fault> {
    if scores.len() != count {
        return Err(Fault::answer("score", format!("{} scores for {count} rows", scores.len())));
    }
    // As for rows: one pass without branches finds out whether there is anything to find.
    let wrong = |score: &f32| !(0.0..=1.0).contains(score);
    if scores.iter().fold(false, |any, score| any | wrong(score)) {
        let row = scores.iter().position(wrong).expect("one is wrong");
        return Err(Fault::answer(
            "score",
            format!("row {row} scored {}: a score is from 0 to 1", scores[row]),
        ));
    }
    Ok(())
}

impl StreamingDetector for PluginDetector {
    fn update(&mut self, rows: &[f32]) -> Result<(), DetectError> {
        let count = self.checked(rows)?;
        if count == 0 {
            return Ok(());
        }
        self.call(|slot| {
            slot.learn("update", count, |store, guest| {
                guest.phalanx_plugin_detector().call_update(store, rows)
            })
        })
    }
}

impl HostedDetector for PluginDetector {
    fn is_streaming(&self) -> bool {
        self.streaming
    }

    fn is_fitted(&self) -> bool {
        self.guard().slot().state().is_some()
    }

    fn begin(&mut self, tick: Tick) {
        self.guard().begin(tick);
    }

    fn fit(&mut self, rows: &[f32]) -> Result<(), DetectError> {
        let count = self.checked(rows)?;
        if count == 0 {
            return Err(DetectError::NoRows);
        }
        self.call(|slot| {
            slot.learn("fit", count, |store, guest| guest.phalanx_plugin_detector().call_fit(store, rows))
        })
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), DetectError> {
        let broken =
            || DetectError::Unavailable { why: "the saved state is not of a plugin detector".to_owned() };
        self.guard().decode(bytes).ok_or_else(broken)
    }

    fn take_events(&mut self) -> Vec<PluginEvent> {
        self.guard().take_events()
    }
}
