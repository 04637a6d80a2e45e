//! Fingerprints: one value that two runs share exactly if they went the same way.
//!
//! Per tick, every agent's state is folded into a 128-bit mix; mixes are added up (an order-free sum, so agents
//! can be folded by any thread), messages and decisions are hashed in their canonical order, and both are
//! chained: `H_t = BLAKE3(H_{t-1} ‖ tick ‖ sum ‖ events)`. `-0.0` and NaN are made canonical before they count.

use std::fmt;

use crate::Tick;
use serde::{Deserialize, Serialize};

/// Odd constants with no structure: the fractional digits of the golden ratio and of √3.
const K1: u64 = 0x9E37_79B9_7F4A_7C15;
const K2: u64 = 0xBB67_AE85_84CA_A73B;

/// Folds one agent's state into 128 bits. Not cryptographic: it finds differences, it does not resist forgery.
#[derive(Clone, Copy, Debug)]
pub struct AgentMix {
    a: u64,
    b: u64,
}

impl AgentMix {
    /// Starts the fold for an agent.
    #[must_use]
    pub fn new(agent: u32) -> Self {
        Self { a: K1 ^ u64::from(agent), b: K2 }
    }

    /// Absorbs a word.
    pub fn word(&mut self, word: u64) {
        let product = u128::from(self.a ^ word ^ K2) * u128::from(self.b ^ K1 | 1);
        self.a = (product as u64) ^ word.rotate_left(32);
        self.b = (product >> 64) as u64 ^ self.b.rotate_left(23).wrapping_add(K1);
    }

    /// Absorbs a float; all NaNs are one value and `-0.0` is `0.0`.
    pub fn float(&mut self, value: f64) {
        self.word(canonical_bits(value));
    }

    /// The 128-bit mix.
    #[must_use]
    pub fn finish(mut self) -> u128 {
        self.word(K1);
        self.word(K2);
        u128::from(self.a) << 64 | u128::from(self.b)
    }
}

fn canonical_bits(value: f64) -> u64 {
    if value.is_nan() {
        f64::NAN.to_bits()
    } else if value == 0.0 {
        0
    } else {
        value.to_bits()
    }
}

/// The first 128 bits of BLAKE3: commits to evidence and to counted votes.
#[must_use]
pub fn digest128(bytes: &[u8]) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
    short
}

/// What happened in one tick, on its way into the chain.
#[derive(Clone, Debug)]
pub struct TickDigest {
    agents: u128,
    events: blake3::Hasher,
}

impl Default for TickDigest {
    fn default() -> Self {
        Self { agents: 0, events: blake3::Hasher::new() }
    }
}

impl TickDigest {
    /// Adds an agent's mix. Order does not matter.
    pub fn add_agent(&mut self, mix: u128) {
        self.agents = self.agents.wrapping_add(mix);
    }

    /// Hashes a message or decision. Order matters: it is (destination, source, sequence).
    pub fn event(&mut self, bytes: &[u8]) {
        self.events.update(&(bytes.len() as u64).to_le_bytes());
        self.events.update(bytes);
    }

    /// Hashes one word of a message or decision.
    pub fn event_word(&mut self, word: u64) {
        self.events.update(&word.to_le_bytes());
    }
}

/// A link of the fingerprint chain: 32 bytes, shown as 64 hex digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// The link before tick 0: a digest of whatever identifies the run's inputs.
    #[must_use]
    pub fn genesis(inputs: &[u8]) -> Self {
        Self(blake3::derive_key("phalanx 2026 fingerprint chain", inputs))
    }

    /// The link after a tick.
    #[must_use]
    pub fn chain(self, tick: Tick, digest: &TickDigest) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0);
        hasher.update(&tick.0.to_le_bytes());
        hasher.update(&digest.agents.to_le_bytes());
        hasher.update(digest.events.finalize().as_bytes());
        Self(*hasher.finalize().as_bytes())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mix(agent: u32, words: &[u64]) -> u128 {
        let mut m = AgentMix::new(agent);
        words.iter().for_each(|w| m.word(*w));
        m.finish()
    }

    #[test]
    fn every_bit_of_every_word_counts() {
        let base = mix(1, &[5, 6, 7]);
        for position in 0..3 {
            for bit in 0..64 {
                let mut words = [5, 6, 7];
                words[position] ^= 1u64 << bit;
                let distance = (mix(1, &words) ^ base).count_ones();
                assert!(
                    (24..=104).contains(&distance),
                    "word {position} bit {bit} moves {distance} of 128 bits"
                );
            }
        }
        assert_ne!(base, mix(2, &[5, 6, 7]));
        assert_ne!(base, mix(1, &[6, 5, 7]));
        assert_ne!(base, mix(1, &[5, 6, 7, 0]));
    }

    #[test]
    fn agents_commute_and_events_do_not() {
        let digest = |mixes: &[u128], events: &[u64]| {
            let mut d = TickDigest::default();
            mixes.iter().for_each(|m| d.add_agent(*m));
            events.iter().for_each(|e| d.event_word(*e));
            Fingerprint::default().chain(Tick(1), &d)
        };
        assert_eq!(digest(&[1, 2], &[3, 4]), digest(&[2, 1], &[3, 4]));
        assert_ne!(digest(&[1, 2], &[3, 4]), digest(&[1, 2], &[4, 3]));
    }

    #[test]
    fn zeros_and_nans_are_canonical() {
        let of = |x: f64| {
            let mut m = AgentMix::new(0);
            m.float(x);
            m.finish()
        };
        assert_eq!(of(0.0), of(-0.0));
        assert_eq!(of(f64::NAN), of(f64::from_bits(0x7ff8_0000_dead_beef)));
        assert_ne!(of(1.0), of(-1.0));
    }
}
