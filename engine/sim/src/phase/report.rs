//! Report: flagged flows that belong together become signatures; liars invent some and withhold others.

use std::sync::Arc;

use bevy_ecs::system::{Query, Res};
use phalanx_core::{
    AgentId, Direction, FlowKey, Indicator, Prefix, Purpose, Signature, SignatureId, Stream, Tick, Truth,
    digest128,
};
use rayon::prelude::*;

use super::by_agent;
use crate::adversary::{Moment, Populations, Reporting};
use crate::agent::{Batch, Blacklist, Blocked, Evidence, Flagged, Identity, Inbox, Model, Outbox};
use crate::overlay::Overlay;
use crate::plan::{Now, Plan};
use crate::scenario::Grouping;
use crate::standing::Standings;

/// Fills outboxes with at most `signature.per_tick_max` reports an agent, the best supported first.
pub(crate) fn report(
    plan: Res<Plan>,
    now: Res<Now>,
    populations: Res<Populations>,
    standings: Res<Standings>,
    overlay: Res<Overlay>,
    mut agents: Query<(&Identity, &Model, &Batch, &Blacklist, &mut Evidence, &mut Inbox, &mut Outbox)>,
) {
    let mut rows = by_agent(agents.iter_mut(), |row| *row.0);
    rows.par_iter_mut().for_each(|row| {
        let (identity, model, batch, blacklist, evidence, inbox, outbox) = row;
        let author = identity.0;
        if !overlay.presence.is_up(author) {
            return;
        }
        let moment = Moment { now: now.0, trust: standings.trust(author) };
        let mut at_most = plan.scenario.signature.per_tick_max.get() as usize;
        let mut drafts: Vec<Signature> = match populations.reporting(author, moment) {
            Reporting::Honest => condense(&plan, now.0, author, model, evidence),
            Reporting::Silent => Vec::new(),
            Reporting::Invent(rate) => invent(1, rate, &plan, now.0, author, batch),
            Reporting::Spam(reports) => {
                // Whoever floods the others does not keep to what the scenario allows the honest.
                at_most = reports as usize;
                invent(reports, 1.0, &plan, now.0, author, batch)
            }
        };
        drafts.retain(|draft| !known(&draft.indicator, &plan, blacklist, inbox));
        drafts.truncate(at_most);
        for (sequence, mut draft) in drafts.into_iter().enumerate() {
            draft.id.sequence = sequence as u16;
            if !draft.indicator.is_empty() {
                inbox.heard.push((draft.indicator, now.0));
            }
            evidence.flagged.retain(|f| !draft.indicator.matches(&f.key));
            outbox.reports.push(Arc::new(draft));
        }
    });
}

/// Whether somebody has said this already. With a radius several signatures may share an indicator, so nothing is
/// known by its indicator alone; flows that a listed signature covers never become evidence anyway.
fn known(indicator: &Indicator, plan: &Plan, blacklist: &Blacklist, inbox: &Inbox) -> bool {
    plan.matcher.radius.is_none()
        && !indicator.is_empty()
        && (inbox.heard.iter().any(|(heard, _)| heard == indicator)
            || blacklist.entries.iter().any(|e| e.signature.indicator == *indicator))
}

/// Condenses flows, which must not be none, into a signature whose sequence is still 0.
fn condensed(indicator: Indicator, flows: &[&Flagged], author: AgentId, now: Tick) -> Signature {
    let width = flows[0].row.len();
    let count = flows.len() as f64;
    let column_mean = |j: usize, f: &dyn Fn(f64) -> f64| {
        flows.iter().map(|flow| f(f64::from(flow.row[j]))).fold(0.0, |a, b| a + b) / count
    };
    let centroid: Vec<f64> = (0..width).map(|j| column_mean(j, &|x| x)).collect();
    let spread = (0..width).map(|j| column_mean(j, &|x| (x - centroid[j]) * (x - centroid[j])).sqrt() as f32);
    let margin = flows.iter().map(|f| f.margin).fold(0.0, |a, b| a + b) / count;
    Signature {
        id: SignatureId { tick: now, author, sequence: 0 },
        indicator,
        spread: spread.collect(),
        centroid: centroid.iter().map(|x| *x as f32).collect(),
        support: flows.len() as u32,
        confidence: margin.clamp(0.0, 1.0) as f32,
        evidence: digest128(&flows.iter().flat_map(|f| evidence_bytes(f)).collect::<Vec<u8>>()),
        truth: Truth::majority(flows.iter().map(|f| f.truth)),
    }
}

fn evidence_bytes(flow: &Flagged) -> Vec<u8> {
    let FlowKey { remote, port, protocol, direction } = flow.key;
    let mut bytes = flow.tick.0.to_be_bytes().to_vec();
    bytes.extend(remote.unwrap_or(0).to_be_bytes());
    bytes.extend(port.unwrap_or(0).to_be_bytes());
    bytes.push(protocol.map_or(0, |p| p.0));
    bytes
        .push(u8::from(remote.is_some()) << 2 | u8::from(port.is_some()) << 1 | u8::from(protocol.is_some()));
    match direction {
        Direction::Unknown => {}
        Direction::Inbound => bytes.push(1),
        Direction::Outbound => bytes.push(2),
    }
    flow.row.iter().for_each(|x| bytes.extend(x.to_bits().to_be_bytes()));
    bytes
}

/// Groups the evidence by the scenario's rule and condenses every group with enough support, largest first; equal
/// ones in the order of their indicators.
///
/// An agent reports only what it would vote for itself: a group that speaks of more flows that it found nothing
/// wrong with than of flagged ones is an odd moment of something ordinary.
fn condense(plan: &Plan, now: Tick, author: AgentId, model: &Model, evidence: &Evidence) -> Vec<Signature> {
    let support_min = plan.scenario.signature.support_min.get() as usize;
    if evidence.flagged.len() < support_min {
        return Vec::new();
    }
    let flagged: Vec<&Flagged> = evidence.flagged.iter().collect();
    let sign = |(indicator, flows): (Indicator, Vec<&Flagged>)| condensed(indicator, &flows, author, now);
    let mut drafts: Vec<Signature> = match plan.scenario.signature.grouping {
        Grouping::All => vec![sign((Indicator::default(), flagged))],
        Grouping::ByService => groups(&flagged, support_min, service).into_iter().map(sign).collect(),
        Grouping::ByRemote => {
            let bits = plan.scenario.signature.prefix_bits;
            let remote = |f: &Flagged| {
                f.key
                    .accused()
                    .map(|a| Indicator { prefix: Some(Prefix::of(a, bits)), ..Indicator::default() })
            };
            let mut drafts: Vec<Signature> =
                groups(&flagged, support_min, remote).into_iter().map(sign).collect();
            // What many remotes do alike, each too little to be named, is an attack on a service: named only if the
            // agent itself has seen no good use of that service.
            let rest: Vec<&Flagged> =
                flagged.into_iter().filter(|f| drafts.iter().all(|d| !d.indicator.matches(&f.key))).collect();
            let unused = |d: &Signature| model.window.spared_by(&d.indicator);
            drafts.extend(groups(&rest, support_min, service).into_iter().map(sign).filter(unused));
            drafts
        }
    };
    drafts.retain(|d| plan.matcher.count_fine(d, &model.window) <= d.support as usize);
    drafts.sort_by_key(|d| (std::cmp::Reverse(d.support), d.indicator));
    drafts
}

fn service(flow: &Flagged) -> Option<Indicator> {
    let FlowKey { port, protocol, .. } = flow.key;
    port.map(|_| Indicator { prefix: None, port, protocol })
}

/// Groups flows by what `name` says of them; a group's indicator also names port and protocol where all agree.
fn groups<'a>(
    flows: &[&'a Flagged],
    support_min: usize,
    name: impl Fn(&Flagged) -> Option<Indicator>,
) -> Vec<(Indicator, Vec<&'a Flagged>)> {
    let mut named: Vec<(Indicator, &Flagged)> =
        flows.iter().filter_map(|f| name(f).map(|n| (n, *f))).collect();
    named.sort_by_key(|(indicator, _)| *indicator);
    let mut groups = Vec::new();
    for group in named.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() >= support_min) {
        let members: Vec<&Flagged> = group.iter().map(|(_, flow)| *flow).collect();
        let first = members[0].key;
        let agree = |same: &dyn Fn(&FlowKey) -> bool| members.iter().all(|f| same(&f.key));
        let port = first.port.filter(|_| agree(&|key| key.port == first.port));
        let protocol = first.protocol.filter(|_| agree(&|key| key.protocol == first.protocol));
        groups.push((Indicator { port, protocol, ..group[0].0 }, members));
    }
    groups
}

/// A liar's reports, at most `count`: with probability `rate`, flows that its own model finds ordinary (below the batch's
/// median score), named as narrowly as possible, with high confidence.
fn invent(count: u32, rate: f64, plan: &Plan, now: Tick, author: AgentId, batch: &Batch) -> Vec<Signature> {
    let mut stream = plan.streams.stream(Purpose::FalseReport, author.0, now);
    if !stream.bernoulli(rate) {
        return Vec::new();
    }
    let mut ordinary: Vec<usize> = (0..batch.flows.rows()).collect();
    ordinary.sort_by(|a, b| batch.scores[*a].total_cmp(&batch.scores[*b]));
    ordinary.truncate(ordinary.len() / 2);
    ordinary.retain(|i| !batch.flagged[*i] && batch.blocked[*i] == Blocked::No);
    let mut drafts = Vec::new();
    for _ in 0..count.min(ordinary.len() as u32) {
        let victim = ordinary.remove(stream.below(ordinary.len() as u32) as usize);
        drafts.push(invented(victim, plan, now, author, batch, &mut stream));
    }
    drafts
}

/// A report of one flow of the batch.
fn invented(
    victim: usize,
    plan: &Plan,
    now: Tick,
    author: AgentId,
    batch: &Batch,
    stream: &mut Stream,
) -> Signature {
    let key = batch.flows.keys()[victim];
    let flow = Flagged {
        tick: now,
        key,
        margin: 0.9 + 0.1 * stream.normal(),
        row: batch.flows.row(victim).into(),
        truth: batch.flows.truth()[victim],
    };
    let indicator = Indicator {
        prefix: key.accused().map(|a| Prefix::of(a, plan.scenario.signature.prefix_bits)),
        port: key.port,
        protocol: key.protocol,
    };
    let support = plan.scenario.signature.support_min.get();
    Signature { support, ..condensed(indicator, &[&flow], author, now) }
}

#[cfg(test)]
mod tests {
    use phalanx_core::Protocol;

    use super::*;

    fn flagged(remote: u32, port: u16, x: f32, truth: Truth) -> Flagged {
        let protocol = Some(Protocol::TCP);
        let key = FlowKey { remote: Some(remote), port: Some(port), protocol, ..FlowKey::default() };
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
        let flows: Vec<&Flagged> = flows.iter().collect();
        let drafts: Vec<Signature> = groups(&flows, 2, by_remote)
            .into_iter()
            .map(|(indicator, flows)| condensed(indicator, &flows, AgentId(0), Tick(1)))
            .collect();
        assert_eq!(drafts.len(), 2);
        let [ssh, scan] = [&drafts[0], &drafts[1]];
        assert_eq!((ssh.indicator.port, ssh.indicator.protocol), (Some(22), Some(Protocol::TCP)));
        assert_eq!((&ssh.centroid[..], &ssh.spread[..], ssh.support), (&[2.0f32][..], &[1.0f32][..], 2));
        assert_eq!(ssh.truth, attack);
        assert_eq!((scan.indicator.port, scan.truth), (None, Truth::BENIGN), "two ports: none is named");
    }

    #[test]
    fn evidence_digest_changes_with_any_part() {
        let digest = |flow: &Flagged| condensed(Indicator::default(), &[flow], AgentId(0), Tick(1)).evidence;
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
