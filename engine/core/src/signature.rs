//! What an agent tells others about a threat: which flows to look for, and what they look like.

use crate::{AgentId, FlowKey, Protocol, Tick, Truth};
use serde::{Deserialize, Serialize};

/// An IPv4 network: `address/length`, with all host bits zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Prefix {
    /// Network address.
    pub address: u32,
    /// Number of fixed leading bits, `0..=32`.
    pub length: u8,
}

impl Prefix {
    /// The network of that length which holds `address`.
    ///
    /// # Panics
    /// If `length > 32`.
    #[must_use]
    pub fn of(address: u32, length: u8) -> Self {
        assert!(length <= 32, "an IPv4 prefix has at most 32 bits");
        Self { address: address & Self::mask(length), length }
    }

    /// Whether `address` lies in this network.
    #[must_use]
    pub fn contains(self, address: u32) -> bool {
        address & Self::mask(self.length) == self.address
    }

    fn mask(length: u8) -> u32 {
        if length == 0 { 0 } else { u32::MAX << (32 - length) }
    }
}

/// Names the flows that a signature speaks of. A part that is `None` matches every flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Indicator {
    /// Network of the other side, which has begun the flow: where the direction is known, a prefix matches no flow
    /// that the watched host itself began, or whoever was attacked from a popular server could not visit it any more.
    pub prefix: Option<Prefix>,
    /// Destination port (or service code).
    pub port: Option<u16>,
    /// Transport protocol.
    pub protocol: Option<Protocol>,
}

impl Indicator {
    /// Whether nothing is named, so that every flow would match.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.prefix.is_none() && self.port.is_none() && self.protocol.is_none()
    }

    /// Whether the flow has every part that is named. A flow that lacks a named part does not match.
    #[must_use]
    pub fn matches(&self, key: &FlowKey) -> bool {
        self.prefix.is_none_or(|p| key.accused().is_some_and(|a| p.contains(a)))
            && self.port.is_none_or(|p| key.port == Some(p))
            && self.protocol.is_none_or(|p| key.protocol == Some(p))
    }
}

/// Identity of a signature: who reported it, when, and which of that tick's reports it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SignatureId {
    /// Tick of the report.
    pub tick: Tick,
    /// Its author.
    pub author: AgentId,
    /// Number among the author's reports of that tick, from 0.
    pub sequence: u16,
}

/// A threat signature: flagged flows, condensed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signature {
    /// Identity; ids sort by (tick, author, sequence).
    pub id: SignatureId,
    /// Which flows are meant.
    pub indicator: Indicator,
    /// Mean feature vector of the supporting flows, `width` long.
    pub centroid: Box<[f32]>,
    /// Root mean square distance of the supporting flows from the centroid, per feature, `width` long.
    pub spread: Box<[f32]>,
    /// Number of supporting flows.
    pub support: u32,
    /// Mean margin of the supporting flows' scores over the author's threshold, in `[0, 1]`.
    pub confidence: f32,
    /// Digest of the supporting flows, so that an author cannot change its evidence afterwards.
    pub evidence: [u8; 16],
    /// Truth of the majority of the supporting flows; opened by `measure` alone.
    pub truth: Truth,
}
