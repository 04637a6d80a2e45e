//! Rules whose code comes from outside: plugins, behind the trait of native rules.

use phalanx_core::{PluginEvent, Tick};

use crate::VotingRule;

/// A rule behind a boundary, so that any call may fail; it then falls back to what it was made to.
///
/// Polls are put to it one after the other, in a fixed order.
pub trait HostedRule: VotingRule + Send + Sync + std::fmt::Debug {
    /// Says that a tick begins. Whatever depends on time depends on this.
    fn begin(&self, tick: Tick);

    /// Hands over what has happened since this was last asked, in order.
    fn take_events(&self) -> Vec<PluginEvent>;

    /// Digest of what it has learned and of how its breaker stands, for fingerprints.
    fn digest(&self) -> u64;

    /// All that it has learned, and how its breaker stands.
    fn save(&self) -> Vec<u8>;

    /// Goes on from what [`Self::save`] gave for the same plugin and configuration; whether the bytes can be that.
    #[must_use]
    fn restore(&self, bytes: &[u8]) -> bool;
}
