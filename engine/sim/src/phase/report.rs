//! Report: flagged flows that belong together become signatures; liars invent some and withhold others.

use std::cmp::Reverse;
use std::ops::Range;
use std::sync::Arc;

use bevy_ecs::system::{Local, Query, Res, ResMut};
use phalanx_core::{
    AgentId, Direction, FlowKey, Indicator, Prefix, Purpose, Signature, SignatureId, Stream, Tick, Truth,
    digest128,
};
use rayon::prelude::*;

use super::{Room, by_agent};
use crate::adversary::{Moment, Populations, Reporting};
use crate::agent::{Batch, Blacklist, Blocked, Identity, Inbox, Model, Outbox};
use crate::evidence::{Evidence, Flagged};
use crate::overlay::Overlay;
use crate::plan::{Now, Plan};
use crate::scenario::Grouping;
use crate::spare::Spare;
use crate::standing::Standings;

/// Fills outboxes with at most `signature.per_tick_max` reports an agent, the best supported first.
pub(crate) fn report(
    plan: Res<Plan>,
    now: Res<Now>,
    populations: Res<Populations>,
    standings: Res<Standings>,
    overlay: Res<Overlay>,
    spare: Local<Spare<Scratch>>,
    mut room: ResMut<Room>,
    mut agents: Query<(&Identity, &Model, &Batch, &Blacklist, &mut Evidence, &mut Inbox, &mut Outbox)>,
) {
    let rows = by_agent(&mut room, agents.iter_mut(), |row| *row.0);
    rows.par_iter_mut().for_each_init(
        || spare.lend(),
        |scratch, row| {
            let (identity, model, batch, blacklist, evidence, inbox, outbox) = row;
            let author = identity.0;
            if !overlay.presence.is_up(author) {
                return;
            }
            let moment = Moment { now: now.0, trust: standings.trust(author) };
            let mut at_most = plan.scenario.signature.per_tick_max.get() as usize;
            let news = |indicator: &Indicator| !known(indicator, &plan, blacklist, inbox);
            let mut drafts: Vec<Signature> = match populations.reporting(author, moment) {
                Reporting::Honest => {
                    scratch.group(&plan, model, evidence, news);
                    scratch.condense(
                        &plan,
                        model,
                        evidence,
                        SignatureId { tick: now.0, author, sequence: 0 },
                        at_most,
                    )
                }
                Reporting::Silent => Vec::new(),
                Reporting::Invent(rate) => invent(1, rate, &plan, now.0, author, batch),
                Reporting::Spam(reports) => {
                    // Whoever floods the others does not keep to what the scenario allows the honest.
                    at_most = reports as usize;
                    invent(reports, 1.0, &plan, now.0, author, batch)
                }
            };
            drafts.retain(|draft| news(&draft.indicator));
            drafts.truncate(at_most);
            for (sequence, mut draft) in drafts.into_iter().enumerate() {
                draft.id.sequence = sequence as u16;
                if !draft.indicator.is_empty() {
                    inbox.heard.push((draft.indicator, now.0));
                }
                evidence.retain(|f| !draft.indicator.matches(&f.key));
                outbox.reports.push(Arc::new(draft));
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

/// Flagged flows of one agent that may become a signature.
#[derive(Clone, Debug, PartialEq)]
struct Group {
    /// What all of them share.
    indicator: Indicator,
    /// Which of [`Scratch::named`] they are.
    members: Range<usize>,
}

/// What grouping and condensing need for a moment.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// Flows by their place in the evidence, with what they are grouped by.
    named: Vec<(Indicator, usize)>,
    groups: Vec<Group>,
    /// Groups of those flows that are in no group yet.
    rest: Vec<Group>,
    bytes: Vec<u8>,
}

impl Scratch {
    /// Groups the evidence by the scenario's rule; leaves the groups of enough support that `news` finds new, largest
    /// first, equal ones in the order of their indicators.
    ///
    /// An agent reports only what it would vote for itself: a group that speaks of more flows that it found nothing
    /// wrong with than of flagged ones is an odd moment of something ordinary.
    fn group(&mut self, plan: &Plan, model: &Model, evidence: &Evidence, news: impl Fn(&Indicator) -> bool) {
        let words = &plan.scenario.signature;
        let support_min = words.support_min.get() as usize;
        let Self { named, groups, rest, bytes: _ } = self;
        named.clear();
        groups.clear();
        rest.clear();
        if evidence.len() < support_min {
            return;
        }
        match words.grouping {
            Grouping::All => {
                named.extend((0..evidence.len()).map(|flow| (Indicator::default(), flow)));
                groups.push(Group { indicator: Indicator::default(), members: 0..evidence.len() });
            }
            Grouping::ByService => group_by(service, evidence, support_min, named, groups),
            Grouping::ByRemote => {
                let remote = |flow: &Flagged| {
                    let prefix = |address| Some(Prefix::of(address, words.prefix_bits));
                    let named = |address| Indicator { prefix: prefix(address), ..Indicator::default() };
                    flow.key.accused().map(named)
                };
                group_by(remote, evidence, support_min, named, groups);
                // What many remotes do alike, each too little to be named, is an attack on a service: named only if
                // the agent itself has seen no good use of that service.
                let is_left = |flow: &Flagged| groups.iter().all(|group| !group.indicator.matches(&flow.key));
                let left = |flow: &Flagged| service(flow).filter(|_| is_left(flow));
                group_by(left, evidence, support_min, named, rest);
                rest.retain(|group| model.window.spared_by(&group.indicator));
                groups.append(rest);
            }
        }
        let doubt = |group: &Group| plan.matcher.count_named(&group.indicator, &model.window);
        let is_sure = |group: &Group| plan.matcher.radius.is_some() || doubt(group) <= group.members.len();
        groups.retain(|group| news(&group.indicator) && is_sure(group));
        groups.sort_unstable_by_key(|g| (Reverse(g.members.len()), g.indicator, g.members.start));
    }

    /// The signatures of the first groups, at most so many.
    fn condense(
        &mut self,
        plan: &Plan,
        model: &Model,
        evidence: &Evidence,
        id: SignatureId,
        at_most: usize,
    ) -> Vec<Signature> {
        let Self { named, groups, bytes, rest: _ } = self;
        let sign = |group: &Group| {
            let flows = named[group.members.clone()].iter().map(|(_, at)| evidence.flow(*at));
            condensed(group.indicator, flows, id, bytes)
        };
        // With a radius, what a signature speaks of is known only when it has a centroid.
        let is_sure = |signature: &Signature| {
            plan.matcher.radius.is_none()
                || plan.matcher.count_fine(signature, &model.window) <= signature.support as usize
        };
        groups.iter().map(sign).filter(is_sure).take(at_most).collect()
    }
}

/// Adds groups of flows by what `name` says of them, those that it names; a group's indicator also names port and protocol
/// where all agree.
fn group_by(
    name: impl Fn(&Flagged) -> Option<Indicator>,
    evidence: &Evidence,
    support_min: usize,
    named: &mut Vec<(Indicator, usize)>,
    groups: &mut Vec<Group>,
) {
    let mut start = named.len();
    let flows = evidence.iter().enumerate();
    named.extend(flows.filter_map(|(at, (flow, _))| name(flow).map(|name| (name, at))));
    named[start..].sort_unstable();
    for group in named[start..].chunk_by(|a, b| a.0 == b.0) {
        let members = start..start + group.len();
        start = members.end;
        if group.len() < support_min {
            continue;
        }
        let key = |(_, at): &(Indicator, usize)| evidence.flow(*at).0.key;
        let first = key(&group[0]);
        let port = first.port.filter(|_| group.iter().all(|member| key(member).port == first.port));
        let agree = |member| key(member).protocol == first.protocol;
        let protocol = first.protocol.filter(|_| group.iter().all(agree));
        groups.push(Group { indicator: Indicator { port, protocol, ..group[0].0 }, members });
    }
}

/// Condenses flows, which must not be none, into a signature.
fn condensed<'a>(
    indicator: Indicator,
    flows: impl Iterator<Item = (&'a Flagged, &'a [f32])> + Clone,
    id: SignatureId,
    bytes: &mut Vec<u8>,
) -> Signature {
    let (support, width) = (flows.clone().count(), flows.clone().next().map_or(0, |(_, row)| row.len()));
    let count = support as f64;
    let column_mean = |j: usize, f: &dyn Fn(f64) -> f64| {
        flows.clone().map(|(_, row)| f(f64::from(row[j]))).fold(0.0, |a, b| a + b) / count
    };
    let (mut centroid, mut spread) = (Vec::with_capacity(width), Vec::with_capacity(width));
    for j in 0..width {
        let mean = column_mean(j, &|x| x);
        centroid.push(mean as f32);
        spread.push(column_mean(j, &|x| (x - mean) * (x - mean)).sqrt() as f32);
    }
    let margin = flows.clone().map(|(flow, _)| flow.margin).fold(0.0, |a, b| a + b) / count;
    bytes.clear();
    flows.clone().for_each(|(flow, row)| evidence_bytes(flow, row, bytes));
    Signature {
        id,
        indicator,
        spread: spread.into(),
        centroid: centroid.into(),
        support: support as u32,
        confidence: margin.clamp(0.0, 1.0) as f32,
        evidence: digest128(bytes),
        truth: Truth::majority(flows.map(|(flow, _)| flow.truth)),
    }
}

fn evidence_bytes(flow: &Flagged, row: &[f32], bytes: &mut Vec<u8>) {
    let FlowKey { remote, port, protocol, direction } = flow.key;
    bytes.extend(flow.tick.0.to_be_bytes());
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
    row.iter().for_each(|x| bytes.extend(x.to_bits().to_be_bytes()));
}

fn service(flow: &Flagged) -> Option<Indicator> {
    let FlowKey { port, protocol, .. } = flow.key;
    port.map(|_| Indicator { prefix: None, port, protocol })
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
    let flow =
        Flagged { tick: now, key, margin: 0.9 + 0.1 * stream.normal(), truth: batch.flows.truth()[victim] };
    let indicator = Indicator {
        prefix: key.accused().map(|a| Prefix::of(a, plan.scenario.signature.prefix_bits)),
        port: key.port,
        protocol: key.protocol,
    };
    let support = plan.scenario.signature.support_min.get();
    let id = SignatureId { tick: now, author, sequence: 0 };
    let one = std::iter::once((&flow, batch.flows.row(victim)));
    Signature { support, ..condensed(indicator, one, id, &mut Vec::new()) }
}

#[cfg(test)]
mod tests {
    use phalanx_core::Protocol;

    use super::*;

    fn flagged(remote: u32, port: u16, truth: Truth) -> Flagged {
        let protocol = Some(Protocol::TCP);
        let key = FlowKey { remote: Some(remote), port: Some(port), protocol, ..FlowKey::default() };
        Flagged { tick: Tick(1), key, margin: 0.1, truth }
    }

    fn sign(indicator: Indicator, flow: Flagged, x: f32) -> Signature {
        let id = SignatureId { tick: Tick(1), author: AgentId(0), sequence: 0 };
        condensed(indicator, std::iter::once((&flow, &[x][..])), id, &mut Vec::new())
    }

    #[test]
    fn a_group_names_what_its_flows_share() {
        let attack = Truth::campaign(0);
        let mut evidence = Evidence::default();
        evidence.push(flagged(7, 22, attack), &[1.0]);
        evidence.push(flagged(8, 80, Truth::BENIGN), &[0.0]);
        evidence.push(flagged(7, 22, attack), &[3.0]);
        evidence.push(flagged(9, 80, Truth::BENIGN), &[0.0]);
        evidence.push(flagged(9, 81, Truth::BENIGN), &[4.0]);
        let by_remote = |f: &Flagged| {
            Some(Indicator { prefix: f.key.remote.map(|a| Prefix::of(a, 32)), ..Indicator::default() })
        };
        let (mut named, mut groups) = (Vec::new(), Vec::new());
        group_by(by_remote, &evidence, 2, &mut named, &mut groups);
        let [ssh, scan] = &groups[..] else { panic!("two groups: {groups:?}") };
        assert_eq!((ssh.indicator.port, ssh.indicator.protocol), (Some(22), Some(Protocol::TCP)));
        assert_eq!(scan.indicator.port, None, "two ports: none is named");
        let flows = |group: &Group| {
            let members = named[group.members.clone()].iter();
            members.map(|(_, at)| evidence.flow(*at)).collect::<Vec<_>>()
        };
        let id = SignatureId { tick: Tick(1), author: AgentId(0), sequence: 0 };
        let ssh = condensed(ssh.indicator, flows(ssh).into_iter(), id, &mut Vec::new());
        assert_eq!((&ssh.centroid[..], &ssh.spread[..], ssh.support), (&[2.0f32][..], &[1.0f32][..], 2));
        assert_eq!(ssh.truth, attack);
        let scan = condensed(scan.indicator, flows(scan).into_iter(), id, &mut Vec::new());
        assert_eq!(scan.truth, Truth::BENIGN);
    }

    #[test]
    fn evidence_digest_changes_with_any_part() {
        let digest = |flow: Flagged, x: f32| sign(Indicator::default(), flow, x).evidence;
        let base = flagged(7, 22, Truth::BENIGN);
        for (other, x) in [
            (flagged(8, 22, Truth::BENIGN), 1.0),
            (flagged(7, 23, Truth::BENIGN), 1.0),
            (base, 1.5),
            (Flagged { tick: Tick(2), ..base }, 1.0),
            (Flagged { key: FlowKey { remote: None, ..base.key }, ..base }, 1.0),
        ] {
            assert_ne!(digest(base, 1.0), digest(other, x));
        }
    }
}
