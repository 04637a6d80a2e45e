//! Reading entries: only what the encoder writes is accepted.

use phalanx_core::{AgentId, Decision, Tick};

use crate::entry::part::{Ballot, answer, flag, indicator, membership, outcome, signature_id, text};
use crate::entry::{
    BALLOTS, CHECKPOINT, DECIDED, EGRESS, EXPIRED, Entry, FINGERPRINT, GENESIS, KEYS, MEMBERSHIP,
    MODEL_ROUND, PLUGIN_FAULT, REPORTED, SIGNED_HEAD, STATEMENT, TRUST, VERSION,
};
use crate::head::Head;
use crate::wire::{DecodeError, Reader, canonical_float};

impl Entry {
    /// Reads the entry that these bytes are the encoding of.
    ///
    /// # Errors
    /// If they are not exactly what [`Entry::encode`] writes for some entry. Nothing is allocated for a
    /// length that the bytes cannot hold.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let kind = reader.u8("kind")?;
        if !(GENESIS..=STATEMENT).contains(&kind) {
            return Err(DecodeError::UnknownKind { kind });
        }
        let version = reader.u8("version")?;
        if version != VERSION {
            return Err(DecodeError::UnknownVersion { kind, version });
        }
        let entry = match kind {
            GENESIS => genesis(&mut reader)?,
            REPORTED => reported(&mut reader)?,
            DECIDED => Self::Decided(decision(&mut reader)?),
            EXPIRED => Self::Expired { id: signature_id(&mut reader)?, tick: Tick(reader.u64("tick")?) },
            BALLOTS => ballots(&mut reader)?,
            KEYS => keys(&mut reader)?,
            _ => event(kind, &mut reader)?,
        };
        reader.finish()?;
        Ok(entry)
    }
}

fn genesis(reader: &mut Reader<'_>) -> Result<Entry, DecodeError> {
    Ok(Entry::Genesis {
        scenario_digest: reader.array("scenario digest")?,
        engine_version: text(reader, "engine version")?,
        seed: reader.u64("seed")?,
        verifying_key: reader.array("verifying key")?,
    })
}

fn reported(reader: &mut Reader<'_>) -> Result<Entry, DecodeError> {
    let id = signature_id(reader)?;
    let indicator = indicator(reader)?;
    let support = reader.u32("support")?;
    let confidence = reader.f32("confidence")?;
    let (values, _) = reader.counted("centroid", 4)?.as_chunks();
    if values.iter().any(|bytes| canonical_float(*bytes).is_none()) {
        return Err(DecodeError::NonCanonical { field: "centroid" });
    }
    let centroid = values.iter().map(|bytes| f32::from_be_bytes(*bytes)).collect();
    let evidence = reader.array("evidence")?;
    Ok(Entry::Reported { id, indicator, support, confidence, centroid, evidence })
}

fn decision(reader: &mut Reader<'_>) -> Result<Decision, DecodeError> {
    Ok(Decision {
        signature: signature_id(reader)?,
        outcome: outcome(reader)?,
        tick: Tick(reader.u64("decision tick")?),
        yes: reader.u32("yes votes")?,
        no: reader.u32("no votes")?,
        eligible: reader.u32("eligible voters")?,
        votes_digest: reader.array("votes digest")?,
    })
}

fn ballots(reader: &mut Reader<'_>) -> Result<Entry, DecodeError> {
    let id = signature_id(reader)?;
    let tick = Tick(reader.u64("tick")?);
    let first = reader.u32("first ballot")?;
    let is_signed = flag(reader, "whether ballots are signed")?;
    let mut items = Reader::new(reader.counted("ballots", if is_signed { 69 } else { 5 })?);
    let (mut ballots, mut signatures) = (Vec::new(), Vec::new());
    while items.left() > 0 {
        ballots.push(Ballot { voter: AgentId(items.u32("voter")?), yes: flag(&mut items, "vote")? });
        if is_signed {
            signatures.push(items.array("signature of a ballot")?);
        }
    }
    if is_signed && ballots.is_empty() {
        // No ballots are written as unsigned.
        return Err(DecodeError::NonCanonical { field: "whether ballots are signed" });
    }
    Ok(Entry::Ballots { id, tick, first, ballots: ballots.into(), signatures: signatures.into() })
}

fn keys(reader: &mut Reader<'_>) -> Result<Entry, DecodeError> {
    let first = AgentId(reader.u32("first agent")?);
    let (keys, _) = reader.counted("keys", 32)?.as_chunks();
    Ok(Entry::Keys { first, keys: keys.into() })
}

/// The kinds that begin with their tick.
fn event(kind: u8, reader: &mut Reader<'_>) -> Result<Entry, DecodeError> {
    let tick = Tick(reader.u64("tick")?);
    let agent = |reader: &mut Reader<'_>| reader.u32("agent").map(AgentId);
    Ok(match kind {
        FINGERPRINT => Entry::Fingerprint { tick, fingerprint: reader.array("fingerprint")? },
        TRUST => Entry::Trust {
            tick,
            agent: agent(reader)?,
            before: reader.f32("trust before")?,
            after: reader.f32("trust after")?,
        },
        MEMBERSHIP => Entry::Membership { tick, agent: agent(reader)?, change: membership(reader)? },
        MODEL_ROUND => Entry::ModelRound {
            tick,
            round: reader.u32("round")?,
            updates: reader.u32("updates")?,
            accepted: reader.u32("accepted updates")?,
            model: reader.array("model digest")?,
        },
        EGRESS => Entry::Egress {
            tick,
            agent: agent(reader)?,
            from: text(reader, "region of origin")?,
            to: text(reader, "region of destination")?,
            bytes: reader.u64("bytes")?,
            digest: reader.array("data digest")?,
            allowed: flag(reader, "whether data left")?,
        },
        CHECKPOINT => Entry::Checkpoint {
            tick,
            state: reader.array("state digest")?,
            fingerprint: reader.array("fingerprint")?,
        },
        SIGNED_HEAD => Entry::SignedHead {
            tick,
            signer: agent(reader)?,
            head: Head::from_bytes(reader.slice("head", Head::BYTES)?)?,
        },
        PLUGIN_FAULT => Entry::PluginFault {
            tick,
            agent: agent(reader)?,
            plugin: reader.array("plugin digest")?,
            fault: text(reader, "fault")?,
            answer: answer(reader)?,
        },
        STATEMENT => Entry::Statement { tick, agent: agent(reader)?, signature: reader.array("signature")? },
        _ => unreachable!("all other kinds are read elsewhere"),
    })
}
