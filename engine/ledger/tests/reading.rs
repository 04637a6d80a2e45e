//! Queries against a plain walk over all entries.

mod common;

use std::ops::ControlFlow;

use common::{AGENTS, all, found, grown, indicator};
use phalanx_core::{AgentId, Indicator, Prefix, Protocol, SignatureId, Tick};
use phalanx_ledger::{Entry, Query};

/// The same by the words of the query alone.
fn expected(entries: &[(u64, Entry)], query: &Query) -> Vec<u64> {
    let named = |has: &Indicator, wanted: &Indicator| {
        (wanted.prefix.is_none() || has.prefix == wanted.prefix)
            && (wanted.port.is_none() || has.port == wanted.port)
            && (wanted.protocol.is_none() || has.protocol == wanted.protocol)
    };
    let reports: Vec<SignatureId> = entries
        .iter()
        .filter_map(|(_, entry)| match (entry, &query.indicator) {
            (Entry::Reported { id, indicator, .. }, Some(wanted)) => named(indicator, wanted).then_some(*id),
            _ => None,
        })
        .collect();
    let concerns = |entry: &Entry, wanted: AgentId| {
        let mut found = false;
        entry.agents(|agent| found |= agent == wanted);
        found
    };
    entries
        .iter()
        .filter(|(index, entry)| {
            *index >= query.from
                && (query.labels.is_empty() || query.labels.contains(&entry.label()))
                && query.agent.is_none_or(|agent| concerns(entry, agent))
                && query.ticks.is_none_or(|(a, b)| entry.tick().is_some_and(|t| t >= a && t <= b))
                && (query.indicator.is_none() || entry.signature_id().is_some_and(|id| reports.contains(&id)))
        })
        .map(|(index, _)| *index)
        .collect()
}

#[test]
fn a_query_finds_what_a_walk_finds() {
    // Two complete blocks of postings and a part of a third.
    let ledger = grown(230, 30);
    assert!(ledger.len() > 2 * 4096 && ledger.len() < 3 * 4096);
    let entries = all(ledger.store());
    let mut queries = vec![
        Query::default(),
        Query { from: 5000, ..Query::default() },
        Query { labels: vec!["confirmed", "rejected"], ..Query::default() },
        Query { ticks: Some((Tick(3), Tick(4))), ..Query::default() },
        Query { agent: Some(AgentId(AGENTS)), ..Query::default() },
        Query { from: u64::MAX, ..Query::default() },
    ];
    for agent in [0, 1, 10, 39] {
        let query = Query { agent: Some(AgentId(agent)), ..Query::default() };
        queries.push(Query { from: 4095, ..query.clone() });
        queries.push(Query { labels: vec!["ballots"], ..query.clone() });
        queries.push(query);
    }
    for wanted in [
        indicator(3, 8),
        Indicator { port: Some(21), ..Indicator::default() },
        Indicator { prefix: Some(Prefix::of(0xcb00_7200, 24)), ..Indicator::default() },
        Indicator { protocol: Some(Protocol::TCP), port: Some(22), ..Indicator::default() },
        Indicator { port: Some(9999), ..Indicator::default() },
    ] {
        let query = Query { indicator: Some(wanted), ..Query::default() };
        queries.push(Query { from: 4500, ..query.clone() });
        queries.push(Query { agent: Some(AgentId(8)), ..query.clone() });
        queries.push(query);
    }
    for query in queries {
        assert_eq!(found(ledger.store(), &query), expected(&entries, &query), "{query:?}");
    }
}

#[test]
fn a_query_ends_when_it_is_told() {
    let ledger = grown(120, 30);
    for agent in [None, Some(AgentId(3))] {
        let mut shown = 0;
        let query = Query { agent, ..Query::default() };
        query
            .run(ledger.store(), |_, _| {
                shown += 1;
                if shown == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .unwrap();
        assert_eq!(shown, 3);
    }
}
