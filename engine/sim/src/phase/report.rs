//! Report: flagged flows that belong together become signatures; liars invent some and withhold others.

use std::sync::Arc;

use bevy_ecs::system::{Query, Res};
use phalanx_core::{
    FlowKey, Indicator, Prefix, Purpose, Signature, SignatureId, Stream, Tick, Truth, digest128,
};
use rayon::prelude::*;

use super::by_agent;
use crate::agent::{Batch, Behaviour, Blacklist, Blocked, Evidence, Flagged, Identity, Inbox, Model, Outbox};
use crate::plan::{Now, Plan};
use crate::scenario::Grouping;

/// Fills outboxes with at most `signature.per_tick_max` reports an agent, the best supported first.
pub(crate) fn report(
    plan: Res<Plan>,
    now: Res<Now>,
    mut agents: Query<(
        &Identity,
        &Behaviour,
        &Model,
        &Batch,
        &Blacklist,
        &mut Evidence,
        &mut Inbox,
        &mut Outbox,
    )>,
) {
    let mut rows = by_agent(agents.iter_mut(), |row| *row.0);
    rows.par_iter_mut().for_each(
        |(identity, behaviour, model, batch, blacklist, evidence, inbox, outbox)| {
            let mut drafts = match **behaviour {
                Behaviour::FalseReport { rate, .. } => {
                    let mut stream = plan.streams.stream(Purpose::FalseReport, identity.0.0, now.0);
                    invent(rate, batch, &plan, &mut stream).into_iter().collect()
                }
                Behaviour::Honest | Behaviour::VoteFlip { .. } => condense(&plan, model, evidence),
            };
            drafts.retain(|draft| !known(&draft.indicator, &plan, blacklist, inbox));
            drafts.truncate(plan.scenario.signature.per_tick_max.get() as usize);
            for (sequence, draft) in drafts.into_iter().enumerate() {
                let id = SignatureId { tick: now.0, author: identity.0, sequence: sequence as u16 };
                if !draft.indicator.is_empty() {
                    inbox.heard.push((draft.indicator, now.0));
                }
                let used = |f: &Flagged| draft.indicator.matches(&f.key);
                evidence.flagged.retain(|f| !used(f));
                outbox.reports.push(Arc::new(draft.sign(id)));
            }
        },
    );
}

/// Whether somebody has said this already. With a radius several signatures may share an indicator, so nothing is
/// known by its indicator alone; flows that a listed signature covers never become evidence anyway.
fn known(indicator: &Indicator, plan: &Plan, blacklist: &Blacklist, inbox: &Inbox) -> bool {
    plan.matcher.radius.is_none()
        && !indicator.is_empty()
        && (inbox.heard.iter().any(|(heard, _)| heard == indicator)
            || blacklist.entries.iter().any(|e| e.signature.indicator == *indicator))
}

/// A signature without its identity.
struct Draft {
    indicator: Indicator,
    centroid: Box<[f32]>,
    spread: Box<[f32]>,
    support: u32,
    confidence: f32,
    evidence: [u8; 16],
    truth: Truth,
}

impl Draft {
    /// Condenses flows, which must not be none.
    fn of(indicator: Indicator, flows: &[&Flagged]) -> Self {
        let width = flows[0].row.len();
        let count = flows.len() as f64;
        let column_mean = |j: usize, f: &dyn Fn(f64) -> f64| {
            flows.iter().map(|flow| f(f64::from(flow.row[j]))).fold(0.0, |a, b| a + b) / count
        };
        let centroid: Vec<f64> = (0..width).map(|j| column_mean(j, &|x| x)).collect();
        let spread =
            (0..width).map(|j| column_mean(j, &|x| (x - centroid[j]) * (x - centroid[j])).sqrt() as f32);
        let margin = flows.iter().map(|f| f.margin).fold(0.0, |a, b| a + b) / count;
        Self {
            indicator,
            spread: spread.collect(),
            centroid: centroid.iter().map(|x| *x as f32).collect(),
            support: flows.len() as u32,
            confidence: margin.clamp(0.0, 1.0) as f32,
            evidence: digest128(&flows.iter().flat_map(|f| evidence_bytes(f)).collect::<Vec<u8>>()),
            truth: Truth::majority(flows.iter().map(|f| f.truth)),
        }
    }

    fn sign(self, id: SignatureId) -> Signature {
        let Self { indicator, centroid, spread, support, confidence, evidence, truth } = self;
        Signature { id, indicator, centroid, spread, support, confidence, evidence, truth }
    }
}

fn evidence_bytes(flow: &Flagged) -> Vec<u8> {
    let FlowKey { remote, port, protocol } = flow.key;
    let mut bytes = flow.tick.0.to_be_bytes().to_vec();
    bytes.extend(remote.unwrap_or(0).to_be_bytes());
    bytes.extend(port.unwrap_or(0).to_be_bytes());
    bytes.push(protocol.map_or(0, |p| p.0));
    bytes
        .push(u8::from(remote.is_some()) << 2 | u8::from(port.is_some()) << 1 | u8::from(protocol.is_some()));
    flow.row.iter().for_each(|x| bytes.extend(x.to_bits().to_be_bytes()));
    bytes
}

/// Groups the evidence by the scenario's rule and condenses every group with enough support, largest first; equal
/// ones in the order of their indicators.
fn condense(plan: &Plan, model: &Model, evidence: &Evidence) -> Vec<Draft> {
    let support_min = plan.scenario.signature.support_min.get() as usize;
    if evidence.flagged.len() < support_min {
        return Vec::new();
    }
    let mut drafts = match plan.scenario.signature.grouping {
        Grouping::All => vec![Draft::of(Indicator::default(), &evidence.flagged.iter().collect::<Vec<_>>())],
        Grouping::ByService => groups(&evidence.flagged, support_min, service).collect(),
        Grouping::ByRemote => {
            let prefix = |f: &Flagged| {
                let prefix = f.key.remote.map(|a| Prefix::of(a, plan.scenario.signature.prefix_bits));
                prefix.map(|_| Indicator { prefix, ..Indicator::default() })
            };
            let mut drafts: Vec<Draft> = groups(&evidence.flagged, support_min, prefix).collect();
            // What many remotes do alike, each too little to be named, is an attack on a service: named only if the
            // agent itself has seen no good use of that service.
            let rest: Vec<Flagged> = evidence
                .flagged
                .iter()
                .filter(|f| drafts.iter().all(|d| !d.indicator.matches(&f.key)))
                .cloned()
                .collect();
            let harmless = |d: &Draft| !model.window.keys().iter().any(|key| d.indicator.matches(key));
            drafts.extend(groups(&rest, support_min, service).filter(harmless));
            drafts
        }
    };
    drafts.sort_by_key(|d| (std::cmp::Reverse(d.support), d.indicator));
    drafts
}

fn service(flow: &Flagged) -> Option<Indicator> {
    let FlowKey { port, protocol, .. } = flow.key;
    port.map(|_| Indicator { prefix: None, port, protocol })
}

/// Groups flows by what `name` says of them; a group's indicator also names port and protocol where all agree.
fn groups(
    flows: &[Flagged],
    support_min: usize,
    name: impl Fn(&Flagged) -> Option<Indicator>,
) -> impl Iterator<Item = Draft> {
    let mut named: Vec<(Indicator, &Flagged)> =
        flows.iter().filter_map(|f| name(f).map(|n| (n, f))).collect();
    named.sort_by_key(|(indicator, _)| *indicator);
    let mut drafts = Vec::new();
    for group in named.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() >= support_min) {
        let members: Vec<&Flagged> = group.iter().map(|(_, flow)| *flow).collect();
        let first = members[0].key;
        let agree = |same: &dyn Fn(&FlowKey) -> bool| members.iter().all(|f| same(&f.key));
        let port = first.port.filter(|_| agree(&|key| key.port == first.port));
        let protocol = first.protocol.filter(|_| agree(&|key| key.protocol == first.protocol));
        drafts.push(Draft::of(Indicator { port, protocol, ..group[0].0 }, &members));
    }
    drafts.into_iter()
}

/// A liar's report: a benign flow of its own batch, named as narrowly as possible, with high confidence.
fn invent(rate: f64, batch: &Batch, plan: &Plan, stream: &mut Stream) -> Option<Draft> {
    if !stream.bernoulli(rate) {
        return None;
    }
    let benign: Vec<usize> =
        (0..batch.flows.rows()).filter(|i| !batch.flagged[*i] && batch.blocked[*i] == Blocked::No).collect();
    let victim = *benign.get(stream.below(benign.len().max(1) as u32) as usize)?;
    let key = batch.flows.keys()[victim];
    let flow = Flagged {
        tick: Tick(0),
        key,
        margin: 0.9 + 0.1 * stream.normal(),
        row: batch.flows.row(victim).into(),
        truth: batch.flows.truth()[victim],
    };
    let indicator = Indicator {
        prefix: key.remote.map(|a| Prefix::of(a, plan.scenario.signature.prefix_bits)),
        port: key.port,
        protocol: key.protocol,
    };
    Some(Draft { support: plan.scenario.signature.support_min.get(), ..Draft::of(indicator, &[&flow]) })
}

#[cfg(test)]
mod tests {
    use phalanx_core::Protocol;

    use super::*;

    fn flagged(remote: u32, port: u16, x: f32, truth: Truth) -> Flagged {
        let key = FlowKey { remote: Some(remote), port: Some(port), protocol: Some(Protocol::TCP) };
        Flagged { tick: Tick(1), key, margin: 0.1, row: [x].into(), truth }
    }

    #[test]
    fn a_group_names_what_its_flows_share() {
        let attack = Truth::campaign(0);
        let flows = [
            flagged(7, 22, 1.0, attack),
            flagged(7, 22, 3.0, attack),
            flagged(8, 80, 0.0, Truth::BENIGN),
            flagged(9, 80, 0.0, Truth::BENIGN),
            flagged(9, 81, 4.0, Truth::BENIGN),
        ];
        let by_remote = |f: &Flagged| {
            Some(Indicator { prefix: f.key.remote.map(|a| Prefix::of(a, 32)), ..Indicator::default() })
        };
        let drafts: Vec<Draft> = groups(&flows, 2, by_remote).collect();
        assert_eq!(drafts.len(), 2);
        let [ssh, scan] = [&drafts[0], &drafts[1]];
        assert_eq!((ssh.indicator.port, ssh.indicator.protocol), (Some(22), Some(Protocol::TCP)));
        assert_eq!((&ssh.centroid[..], &ssh.spread[..], ssh.support), (&[2.0f32][..], &[1.0f32][..], 2));
        assert_eq!(ssh.truth, attack);
        assert_eq!((scan.indicator.port, scan.truth), (None, Truth::BENIGN), "two ports: none is named");
    }

    #[test]
    fn evidence_digest_changes_with_any_part() {
        let digest = |flow: &Flagged| Draft::of(Indicator::default(), &[flow]).evidence;
        let base = flagged(7, 22, 1.0, Truth::BENIGN);
        for other in [
            flagged(8, 22, 1.0, Truth::BENIGN),
            flagged(7, 23, 1.0, Truth::BENIGN),
            flagged(7, 22, 1.5, Truth::BENIGN),
            Flagged { tick: Tick(2), ..base.clone() },
            Flagged { key: FlowKey { remote: None, ..base.key }, ..base.clone() },
        ] {
            assert_ne!(digest(&base), digest(&other));
        }
    }
}
