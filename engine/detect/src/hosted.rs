//! Detectors whose code comes from outside: plugins, behind the traits of native detectors.

use std::fmt;

use phalanx_core::{AgentId, PluginEvent, Schema, Tick};

use crate::{DetectError, StreamingDetector};

/// A detector behind a boundary, so that any call may fail with [`DetectError::Unavailable`].
///
/// It is one agent's own. A call that fails leaves what it has learned as it was; after several in a row it is not
/// asked any more for a number of ticks (see [`PluginEvent`]).
pub trait HostedDetector: StreamingDetector {
    /// Whether it learns from every row as it passes, or is fitted to a window of rows.
    fn is_streaming(&self) -> bool;

    /// Whether it has learned anything. Before that it is unavailable, which is no fault.
    fn is_fitted(&self) -> bool;

    /// Says that a tick begins. Whatever depends on time depends on this.
    fn begin(&mut self, tick: Tick);

    /// Learns anew from rows, row-major, at least one.
    ///
    /// # Errors
    /// As [`StreamingDetector::update`], and [`DetectError::Unavailable`]; it then knows what it knew before.
    fn fit(&mut self, rows: &[f32]) -> Result<(), DetectError>;

    /// Goes on from what [`Detector::save`](crate::Detector::save) gave for a detector of the same factory and agent:
    /// all that it had learned, and how its breaker stood.
    ///
    /// # Errors
    /// If the bytes are not of such a detector.
    fn restore(&mut self, bytes: &[u8]) -> Result<(), DetectError>;

    /// Hands over what has happened since this was last asked, in order.
    fn take_events(&mut self) -> Vec<PluginEvent>;
}

/// Makes detectors of one plugin and configuration.
pub trait DetectorFactory: Send + Sync + fmt::Debug {
    /// What [`HostedDetector::is_streaming`] will say.
    fn is_streaming(&self) -> bool;

    /// Tries whether the plugin takes its configuration for these columns.
    ///
    /// # Errors
    /// What the plugin answered.
    fn try_out(&self, schema: &Schema) -> Result<(), DetectError>;

    /// A detector that has learned nothing yet. `seed` is its only source of randomness.
    fn create(&self, agent: AgentId, seed: u64, schema: &Schema) -> Box<dyn HostedDetector>;
}
