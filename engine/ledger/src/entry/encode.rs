//! Writing entries.

use crate::entry::part::{outcome_code, put_id, put_indicator, put_text};
use crate::entry::{
    BALLOTS, CHECKPOINT, DECIDED, EGRESS, EXPIRED, Entry, FINGERPRINT, GENESIS, KEYS, MEMBERSHIP,
    MODEL_ROUND, PLUGIN_FAULT, REPORTED, SIGNED_HEAD, STATEMENT, TRUST, VERSION,
};
use crate::wire::{canonical_bits, put_len};

impl Entry {
    /// Appends the canonical encoding to `out`.
    ///
    /// # Panics
    /// If an indicator's prefix is longer than 32 bits, or ballots have signatures but not one each.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.kind(), VERSION]);
        match self {
            Self::Genesis { scenario_digest, engine_version, seed, verifying_key } => {
                out.extend_from_slice(scenario_digest);
                put_text(out, engine_version);
                out.extend_from_slice(&seed.to_be_bytes());
                out.extend_from_slice(verifying_key);
            }
            Self::Reported { id, indicator, support, confidence, centroid, evidence } => {
                put_id(out, id);
                put_indicator(out, indicator);
                out.extend_from_slice(&support.to_be_bytes());
                put_float(out, *confidence);
                put_len(out, centroid.len());
                centroid.iter().for_each(|value| put_float(out, *value));
                out.extend_from_slice(evidence);
            }
            Self::Decided(decision) => {
                put_id(out, &decision.signature);
                out.push(outcome_code(decision.outcome));
                out.extend_from_slice(&decision.tick.0.to_be_bytes());
                out.extend_from_slice(&decision.yes.to_be_bytes());
                out.extend_from_slice(&decision.no.to_be_bytes());
                out.extend_from_slice(&decision.eligible.to_be_bytes());
                out.extend_from_slice(&decision.votes_digest);
            }
            Self::Expired { id, tick } => {
                put_id(out, id);
                out.extend_from_slice(&tick.0.to_be_bytes());
            }
            Self::Ballots { id, tick, first, ballots, signatures } => {
                let is_signed = !signatures.is_empty();
                assert!(!is_signed || signatures.len() == ballots.len(), "one signature for every ballot");
                put_id(out, id);
                out.extend_from_slice(&tick.0.to_be_bytes());
                out.extend_from_slice(&first.to_be_bytes());
                out.push(u8::from(is_signed));
                put_len(out, ballots.len());
                for (i, ballot) in ballots.iter().enumerate() {
                    out.extend_from_slice(&ballot.voter.0.to_be_bytes());
                    out.push(u8::from(ballot.yes));
                    if is_signed {
                        out.extend_from_slice(&signatures[i]);
                    }
                }
            }
            Self::Keys { first, keys } => {
                out.extend_from_slice(&first.0.to_be_bytes());
                put_len(out, keys.len());
                keys.iter().for_each(|key| out.extend_from_slice(key));
            }
            _ => self.encode_event(out),
        }
    }

    /// The kinds that begin with their tick.
    fn encode_event(&self, out: &mut Vec<u8>) {
        let tick = self.tick().expect("only genesis and keys have no tick");
        out.extend_from_slice(&tick.0.to_be_bytes());
        match self {
            Self::Fingerprint { fingerprint, .. } => out.extend_from_slice(fingerprint),
            Self::Trust { agent, before, after, .. } => {
                out.extend_from_slice(&agent.0.to_be_bytes());
                put_float(out, *before);
                put_float(out, *after);
            }
            Self::Membership { agent, change, .. } => {
                out.extend_from_slice(&agent.0.to_be_bytes());
                out.push(*change as u8);
            }
            Self::ModelRound { round, updates, accepted, model, .. } => {
                out.extend_from_slice(&round.to_be_bytes());
                out.extend_from_slice(&updates.to_be_bytes());
                out.extend_from_slice(&accepted.to_be_bytes());
                out.extend_from_slice(model);
            }
            Self::Egress { agent, from, to, bytes, digest, allowed, .. } => {
                out.extend_from_slice(&agent.0.to_be_bytes());
                put_text(out, from);
                put_text(out, to);
                out.extend_from_slice(&bytes.to_be_bytes());
                out.extend_from_slice(digest);
                out.push(u8::from(*allowed));
            }
            Self::Checkpoint { state, fingerprint, .. } => {
                out.extend_from_slice(state);
                out.extend_from_slice(fingerprint);
            }
            Self::SignedHead { signer, head, .. } => {
                out.extend_from_slice(&signer.0.to_be_bytes());
                out.extend_from_slice(&head.to_bytes());
            }
            Self::PluginFault { agent, plugin, fault, answer, .. } => {
                out.extend_from_slice(&agent.0.to_be_bytes());
                out.extend_from_slice(plugin);
                put_text(out, fault);
                out.push(*answer as u8);
            }
            Self::Statement { agent, signature, .. } => {
                out.extend_from_slice(&agent.0.to_be_bytes());
                out.extend_from_slice(signature);
            }
            Self::Genesis { .. }
            | Self::Reported { .. }
            | Self::Decided(_)
            | Self::Expired { .. }
            | Self::Ballots { .. }
            | Self::Keys { .. } => unreachable!("these do not begin with their tick"),
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Genesis { .. } => GENESIS,
            Self::Reported { .. } => REPORTED,
            Self::Decided(_) => DECIDED,
            Self::Fingerprint { .. } => FINGERPRINT,
            Self::Expired { .. } => EXPIRED,
            Self::Ballots { .. } => BALLOTS,
            Self::Trust { .. } => TRUST,
            Self::Membership { .. } => MEMBERSHIP,
            Self::ModelRound { .. } => MODEL_ROUND,
            Self::Egress { .. } => EGRESS,
            Self::Checkpoint { .. } => CHECKPOINT,
            Self::SignedHead { .. } => SIGNED_HEAD,
            Self::PluginFault { .. } => PLUGIN_FAULT,
            Self::Keys { .. } => KEYS,
            Self::Statement { .. } => STATEMENT,
        }
    }
}

fn put_float(out: &mut Vec<u8>, value: f32) {
    out.extend_from_slice(&canonical_bits(value).to_be_bytes());
}
