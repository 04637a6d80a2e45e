//! Entries as JSON, and as one line of text.

use phalanx_core::{Decision, SignatureId};
use phalanx_ledger::Entry;
use serde_json::{Map, Value, json};

use super::indicator;
use crate::record::hex;

/// A signature's id as text: tick of the report, author, number.
#[must_use]
pub fn id(id: &SignatureId) -> String {
    format!("{}.{}.{}", id.tick, id.author, id.sequence)
}

/// An entry as an object: its index, kind and tick, then the fields of its kind. Digests and keys are hex digits.
#[must_use]
pub fn entry(index: u64, entry: &Entry) -> Value {
    let mut object = Map::new();
    object.insert("index".to_owned(), index.into());
    object.insert("kind".to_owned(), entry.label().into());
    if let Some(tick) = entry.tick() {
        object.insert("tick".to_owned(), tick.0.into());
    }
    if let Value::Object(fields) = fields(entry) {
        object.extend(fields);
    }
    Value::Object(object)
}

fn fields(entry: &Entry) -> Value {
    match entry {
        Entry::Genesis { scenario_digest, engine_version, seed, verifying_key } => json!({
            "scenario_digest": hex(scenario_digest),
            "engine_version": engine_version,
            "seed": seed,
            "verifying_key": hex(verifying_key),
        }),
        Entry::Reported { id: of, indicator: named, support, confidence, centroid, evidence } => json!({
            "signature": id(of),
            "agent": of.author.0,
            "indicator": indicator::text(named),
            "support": support,
            "confidence": float(*confidence),
            "centroid": centroid.iter().map(|x| float(*x)).collect::<Vec<_>>(),
            "evidence": hex(evidence),
        }),
        Entry::Decided(Decision { signature, yes, no, eligible, votes_digest, .. }) => json!({
            "signature": id(signature),
            "agent": signature.author.0,
            "yes": yes,
            "no": no,
            "eligible": eligible,
            "votes_digest": hex(votes_digest),
        }),
        Entry::Fingerprint { fingerprint, .. } => json!({ "fingerprint": hex(fingerprint) }),
        Entry::Expired { id: of, .. } => json!({ "signature": id(of), "agent": of.author.0 }),
        Entry::Ballots { id: of, first, ballots, signatures, .. } => json!({
            "signature": id(of),
            "first": first,
            "yes": ballots.iter().filter(|b| b.yes).map(|b| b.voter.0).collect::<Vec<_>>(),
            "no": ballots.iter().filter(|b| !b.yes).map(|b| b.voter.0).collect::<Vec<_>>(),
            "signatures": signatures.iter().map(|s| hex(s)).collect::<Vec<_>>(),
        }),
        Entry::Trust { agent, before, after, .. } => {
            json!({ "agent": agent.0, "before": float(*before), "after": float(*after) })
        }
        Entry::Membership { agent, change, .. } => {
            json!({ "agent": agent.0, "change": words(&format!("{change:?}")) })
        }
        Entry::ModelRound { round, updates, accepted, model, .. } => {
            json!({ "round": round, "updates": updates, "accepted": accepted, "model": hex(model) })
        }
        Entry::Egress { agent, from, to, bytes, digest, allowed, .. } => json!({
            "agent": agent.0,
            "from": from,
            "to": to,
            "bytes": bytes,
            "digest": hex(digest),
            "allowed": allowed,
        }),
        Entry::Checkpoint { state, fingerprint, .. } => {
            json!({ "state": hex(state), "fingerprint": hex(fingerprint) })
        }
        Entry::SignedHead { signer, head, .. } => json!({
            "agent": signer.0,
            "size": head.size,
            "root": hex(&head.root),
            "head_tick": head.tick.0,
            "head_signature": hex(&head.signature),
        }),
        Entry::PluginFault { agent, plugin, fault, answer, .. } => json!({
            "agent": agent.0,
            "plugin": hex(plugin),
            "fault": fault,
            "answer": words(&format!("{answer:?}")),
        }),
        Entry::Keys { first, keys } => {
            json!({ "first": first.0, "keys": keys.iter().map(|key| hex(key)).collect::<Vec<_>>() })
        }
        Entry::Statement { agent, signature, .. } => {
            json!({ "agent": agent.0, "statement": hex(signature) })
        }
    }
}

/// What the entry says, short enough for a line of a list.
#[must_use]
pub fn summary(entry: &Entry) -> String {
    match entry {
        Entry::Genesis { engine_version, seed, scenario_digest, .. } => {
            format!("seed {seed}, engine {engine_version}, scenario {}", short(scenario_digest))
        }
        Entry::Reported { id: of, indicator: named, support, confidence, .. } => {
            let named = indicator::text(named);
            format!("{:<10} {named}, {support} flows, confidence {confidence:.2}", id(of))
        }
        Entry::Decided(decision) => {
            let Decision { signature, yes, no, eligible, .. } = decision;
            format!("{:<10} {yes} for, {no} against, {eligible} asked", id(signature))
        }
        Entry::Fingerprint { fingerprint, .. } => short(fingerprint),
        Entry::Expired { id: of, .. } => id(of),
        Entry::Ballots { id: of, ballots, signatures, .. } => {
            let signed = if signatures.is_empty() { "" } else { ", signed" };
            format!("{:<10} {} ballots{signed}", id(of), ballots.len())
        }
        Entry::Trust { before, after, .. } => format!("{before:.3} to {after:.3}"),
        Entry::Membership { change, .. } => words(&format!("{change:?}")),
        Entry::ModelRound { round, updates, accepted, model, .. } => {
            format!("round {round}, {accepted} of {updates} updates, model {}", short(model))
        }
        Entry::Egress { from, to, bytes, allowed, .. } => {
            let what = if *allowed { "sent" } else { "kept back" };
            format!("{from} to {to}, {bytes} bytes {what}")
        }
        Entry::Checkpoint { state, .. } => format!("state {}", short(state)),
        Entry::SignedHead { head, .. } => {
            format!("head of {} entries, root {}", head.size, short(&head.root))
        }
        Entry::PluginFault { plugin, fault, answer, .. } => {
            format!("plugin {}: {fault}; {}", short(plugin), words(&format!("{answer:?}")))
        }
        Entry::Keys { first, keys } => format!("{} keys from agent {first} on", keys.len()),
        Entry::Statement { signature, .. } => format!("signs the entry before, {}", short(signature)),
    }
}

/// The one agent that an entry is about, if it is one.
#[must_use]
pub fn agent(entry: &Entry) -> Option<u32> {
    let (mut agents, mut last) = (0, None);
    entry.agents(|agent| {
        agents += 1;
        last = Some(agent.0);
    });
    last.filter(|_| agents == 1)
}

/// The first digits of a digest.
#[must_use]
pub fn short(bytes: &[u8]) -> String {
    format!("{}…", &hex(bytes)[..12])
}

/// `WentDown` as `went down`.
fn words(name: &str) -> String {
    let mut words = String::new();
    for (i, letter) in name.chars().enumerate() {
        if letter.is_uppercase() && i > 0 {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

/// A number as it was given: the shortest digits of the 32 bits, not the 64 that they become.
fn float(x: f32) -> Value {
    x.to_string()
        .parse::<f64>()
        .ok()
        .and_then(serde_json::Number::from_f64)
        .map_or(Value::Null, Value::Number)
}
