//! Ledgers as a STIX 2.1 bundle: who saw what, and what the others thought of it.
//!
//! An agent becomes an *identity*, a report an *indicator* with a pattern and a *sighting* by its author, a ballot
//! and a decision an *opinion* on the indicator. Ids are version 5 UUIDs over the run and what the object stands
//! for, and times are ticks behind an epoch, so that the same ledger always gives the same bundle.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::Path;

use clap::ValueEnum;
use phalanx_core::calendar::{date, days};
use phalanx_core::{AgentId, Decision, Indicator, Outcome, SignatureId, Tick};
use phalanx_ledger::merkle::leaf_hash;
use phalanx_ledger::{Entry, LedgerReader};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{each, output_error};
use crate::error::RunnerError;
use crate::ledger::{indicator, json as text, source};
use crate::record::hex;

/// Namespace of the ids of our objects, drawn once.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f0d_3f5c_5b0e_4f0b_9a57_2f1c_84c1_d7e9);
/// STIX counts sightings up to here.
const COUNT_MAX: u32 = 999_999_999;

/// How far a bundle may be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Tlp {
    /// To everybody.
    White,
    /// Within the community.
    Green,
    /// Within the recipient's organisation and its clients.
    Amber,
    /// To the recipients alone.
    Red,
}

impl Tlp {
    fn name(self) -> &'static str {
        match self {
            Self::White => "white",
            Self::Green => "green",
            Self::Amber => "amber",
            Self::Red => "red",
        }
    }

    /// Id of the marking that the standard defines (STIX 2.1 §7.2.1.4).
    fn id(self) -> &'static str {
        match self {
            Self::White => "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9",
            Self::Green => "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da",
            Self::Amber => "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82",
            Self::Red => "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
        }
    }
}

/// When tick 0 was and how long a tick is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Seconds of tick 0 since 1970-01-01T00:00:00Z.
    pub start_s: i64,
    /// Seconds of a tick.
    pub tick_s: u32,
}

impl Epoch {
    /// The time of a tick, as STIX writes it; years end at 9999.
    #[must_use]
    pub fn time(&self, tick: Tick) -> String {
        const LAST: i64 = 253_402_300_799;
        let seconds = i64::try_from(tick.0).unwrap_or(i64::MAX).saturating_mul(i64::from(self.tick_s));
        let at = self.start_s.saturating_add(seconds).clamp(0, LAST);
        let (day, second) = (at.div_euclid(86_400), at.rem_euclid(86_400));
        let (year, month, day) = date(day);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000Z")
    }

    /// Reads the start: `2026-01-01` or `2026-01-01T00:00:00Z`.
    ///
    /// # Errors
    /// What it should look like.
    pub fn parse_start(text: &str) -> Result<i64, String> {
        let wrong = || format!("`{text}` is no time; write 2026-01-01 or 2026-01-01T00:00:00Z, from 1970 on");
        let (day_of, time) = text.split_once('T').unwrap_or((text, "00:00:00Z"));
        let numbers = |part: &str, by: char| -> Option<[i64; 3]> {
            let numbers: Option<Vec<i64>> = part.split(by).map(|n| n.parse().ok()).collect();
            numbers?.try_into().ok()
        };
        let [year, month, day] = numbers(day_of, '-').ok_or_else(wrong)?;
        let time = time.strip_suffix('Z').ok_or_else(wrong)?;
        let [hour, minute, second] = numbers(time, ':').ok_or_else(wrong)?;
        let in_range = (1970..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (0..24).contains(&hour)
            && (0..60).contains(&minute)
            && (0..60).contains(&second);
        let days = days(year, month, day);
        if in_range && date(days) == (year, month, day) {
            Ok(days * 86_400 + hour * 3600 + minute * 60 + second)
        } else {
            Err(wrong())
        }
    }
}

/// Writes the bundle.
///
/// # Errors
/// If the ledger cannot be read or the output not be written.
pub fn write_stix(
    reader: &dyn LedgerReader,
    path: &Path,
    epoch: Epoch,
    tlp: Tlp,
    out: &mut dyn Write,
) -> Result<(), RunnerError> {
    let genesis = reader.get(0).map_err(|error| source::of_path(error.into(), path))?;
    let run = hex(&leaf_hash(&genesis.unwrap_or_default()));
    // Who appears, and what expired, has to be known before the objects that say so.
    let (mut agents, mut expired, mut reported) = (BTreeSet::new(), BTreeMap::new(), BTreeSet::new());
    each(reader, path, |_, entry| {
        entry.agents(|agent| agents.extend([agent]));
        match entry {
            Entry::Expired { id, tick } => expired.extend([(*id, *tick)]),
            Entry::Reported { id, .. } => reported.extend([*id]),
            _ => {}
        }
        true
    })?;
    let bundle = Bundle { run, epoch, tlp, expired, reported };
    let mut objects = Objects { out, count: 0 };
    let mut result = objects.begin(&bundle).and_then(|()| objects.put(&bundle.marking()));
    result = result.and_then(|()| objects.put(&bundle.fleet()));
    for agent in agents {
        result = result.and_then(|()| objects.put(&bundle.agent(agent)));
    }
    if result.is_ok() {
        each(reader, path, |_, entry| {
            for object in bundle.objects(entry) {
                if result.is_ok() {
                    result = objects.put(&object);
                }
            }
            result.is_ok()
        })?;
    }
    result.and_then(|()| objects.end()).map_err(output_error)
}

/// Objects on their way out, one a line.
struct Objects<'a> {
    out: &'a mut dyn Write,
    count: u64,
}

impl Objects<'_> {
    fn begin(&mut self, bundle: &Bundle) -> io::Result<()> {
        write!(self.out, "{{\"type\":\"bundle\",\"id\":\"{}\",\"objects\":[", bundle.id("bundle", ""))
    }

    fn put(&mut self, object: &Value) -> io::Result<()> {
        let before = if self.count == 0 { "\n" } else { ",\n" };
        self.count += 1;
        write!(self.out, "{before}{object}")
    }

    fn end(&mut self) -> io::Result<()> {
        self.out.write_all(b"\n]}\n")
    }
}

struct Bundle {
    /// Leaf hash of genesis.
    run: String,
    epoch: Epoch,
    tlp: Tlp,
    expired: BTreeMap<SignatureId, Tick>,
    reported: BTreeSet<SignatureId>,
}

impl Bundle {
    /// The id of an object of this type that stands for `what` in this run.
    fn id(&self, kind: &str, what: &str) -> String {
        let name = format!("{}/{kind}/{what}", self.run);
        format!("{kind}--{}", Uuid::new_v5(&NAMESPACE, name.as_bytes()))
    }

    fn agent_id(&self, agent: AgentId) -> String {
        self.id("identity", &format!("agent {agent}"))
    }

    fn indicator_id(&self, id: &SignatureId) -> String {
        self.id("indicator", &text::id(id))
    }

    /// What every object of ours begins with.
    fn object(&self, kind: &str, what: &str, by: Option<&str>, tick: Tick, fields: Value) -> Value {
        let time = self.epoch.time(tick);
        let mut object = Map::new();
        object.insert("type".to_owned(), kind.into());
        object.insert("spec_version".to_owned(), "2.1".into());
        object.insert("id".to_owned(), self.id(kind, what).into());
        if let Some(by) = by {
            object.insert("created_by_ref".to_owned(), by.into());
        }
        object.insert("created".to_owned(), time.clone().into());
        object.insert("modified".to_owned(), time.into());
        if let Value::Object(fields) = fields {
            object.extend(fields);
        }
        object.insert("object_marking_refs".to_owned(), json!([self.tlp.id()]));
        Value::Object(object)
    }

    fn marking(&self) -> Value {
        let name = self.tlp.name();
        json!({
            "type": "marking-definition",
            "spec_version": "2.1",
            "id": self.tlp.id(),
            "created": "2017-01-20T00:00:00.000Z",
            "definition_type": "tlp",
            "name": format!("TLP:{}", name.to_uppercase()),
            "definition": { "tlp": name },
        })
    }

    fn fleet(&self) -> Value {
        let fields = json!({ "name": "fleet", "identity_class": "group" });
        self.object("identity", "fleet", None, Tick(0), fields)
    }

    fn agent(&self, agent: AgentId) -> Value {
        let fields = json!({ "name": format!("agent {agent}"), "identity_class": "system" });
        self.object("identity", &format!("agent {agent}"), None, Tick(0), fields)
    }

    fn objects(&self, entry: &Entry) -> Vec<Value> {
        match entry {
            Entry::Reported { id, indicator, support, confidence, evidence, .. } => {
                self.report(id, indicator, *support, *confidence, evidence)
            }
            Entry::Decided(decision) if self.reported.contains(&decision.signature) => {
                vec![self.decision(decision)]
            }
            Entry::Ballots { id, tick, ballots, .. } if self.reported.contains(id) => {
                let opinion = |ballot: &phalanx_ledger::Ballot| {
                    let opinion = if ballot.yes { "agree" } else { "disagree" };
                    let what = format!("{} by {}", text::id(id), ballot.voter);
                    let fields = json!({ "opinion": opinion, "object_refs": [self.indicator_id(id)] });
                    self.object("opinion", &what, Some(&self.agent_id(ballot.voter)), *tick, fields)
                };
                ballots.iter().map(opinion).collect()
            }
            _ => Vec::new(),
        }
    }

    fn report(
        &self,
        id: &SignatureId,
        named: &Indicator,
        support: u32,
        confidence: f32,
        evidence: &[u8; 16],
    ) -> Vec<Value> {
        let (what, author, time) = (text::id(id), self.agent_id(id.author), self.epoch.time(id.tick));
        let mut fields = json!({
            "name": indicator::text(named),
            "indicator_types": ["anomalous-activity"],
            "pattern": pattern(named),
            "pattern_type": "stix",
            "valid_from": time,
            "confidence": (confidence.clamp(0.0, 1.0) * 100.0).round() as u8,
        });
        // STIX wants the end behind the beginning.
        if let Some(end) = self.expired.get(id).map(|end| self.epoch.time(*end)).filter(|end| *end > time) {
            fields["valid_until"] = end.into();
        }
        let sighting = json!({
            "description": format!("evidence digest {}", hex(evidence)),
            "first_seen": time,
            "last_seen": time,
            "count": support.min(COUNT_MAX),
            "sighting_of_ref": self.indicator_id(id),
            "where_sighted_refs": [author],
        });
        vec![
            self.object("indicator", &what, Some(&author), id.tick, fields),
            self.object("sighting", &what, Some(&author), id.tick, sighting),
        ]
    }

    fn decision(&self, decision: &Decision) -> Value {
        let Decision { signature, outcome, tick, yes, no, eligible, votes_digest } = decision;
        let opinion = match outcome {
            Outcome::Confirmed => "strongly-agree",
            Outcome::Rejected => "strongly-disagree",
            Outcome::Undecided => "neutral",
        };
        let fields = json!({
            "opinion": opinion,
            "explanation": format!(
                "{yes} for, {no} against, {eligible} asked; votes digest {}", hex(votes_digest)
            ),
            "object_refs": [self.indicator_id(signature)],
        });
        let what = format!("{} by the fleet at {tick}", text::id(signature));
        self.object("opinion", &what, Some(&self.id("identity", "fleet")), *tick, fields)
    }
}

/// The indicator as a STIX pattern over one observation.
#[must_use]
pub fn pattern(indicator: &Indicator) -> String {
    let network = indicator.prefix.map(|prefix| {
        let alone = Indicator { prefix: Some(prefix), ..Indicator::default() };
        format!("ISSUBSET '{}'", indicator::text(&alone))
    });
    let mut parts = Vec::new();
    match (network, indicator.port, indicator.protocol) {
        (Some(network), None, None) => parts.push(format!("ipv4-addr:value {network}")),
        (Some(network), _, _) => parts.push(format!("network-traffic:src_ref.value {network}")),
        (None, None, None) => parts.push("network-traffic:src_byte_count >= 0".to_owned()),
        (None, _, _) => {}
    }
    parts.extend(indicator.port.map(|port| format!("network-traffic:dst_port = {port}")));
    let protocol = indicator.protocol.map(indicator::name);
    parts.extend(protocol.map(|name| format!("network-traffic:protocols[*] = '{name}'")));
    format!("[{}]", parts.join(" AND "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        let check = |start: &str, tick: u64, tick_s: u32, expected: &str| {
            let epoch = Epoch { start_s: Epoch::parse_start(start).unwrap(), tick_s };
            assert_eq!(epoch.time(Tick(tick)), expected);
        };
        check("1970-01-01", 0, 60, "1970-01-01T00:00:00.000Z");
        check("2026-01-01", 1, 60, "2026-01-01T00:01:00.000Z");
        check("2024-02-28T23:59:59Z", 1, 1, "2024-02-29T00:00:00.000Z");
        check("2100-02-28", 1, 86_400, "2100-03-01T00:00:00.000Z");
        check("2000-02-28", 1, 86_400, "2000-02-29T00:00:00.000Z");
        check("2026-12-31T23:00:00Z", 1, 3600, "2027-01-01T00:00:00.000Z");
        check("2026-01-01", u64::MAX, 86_400, "9999-12-31T23:59:59.000Z");
        for wrong in [
            "",
            "2026",
            "2026-13-01",
            "2026-02-29",
            "1969-12-31",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00",
        ] {
            assert!(Epoch::parse_start(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn patterns_name_what_the_indicator_names() {
        let check = |text: &str, expected: &str| {
            assert_eq!(pattern(&indicator::parse(text).unwrap()), expected);
        };
        check("203.0.113.0/24", "[ipv4-addr:value ISSUBSET '203.0.113.0/24']");
        check(
            "203.0.113.0/24:22/tcp",
            "[network-traffic:src_ref.value ISSUBSET '203.0.113.0/24' AND network-traffic:dst_port = 22 AND \
             network-traffic:protocols[*] = 'tcp']",
        );
        check(":443", "[network-traffic:dst_port = 443]");
        check("udp", "[network-traffic:protocols[*] = 'udp']");
    }
}
