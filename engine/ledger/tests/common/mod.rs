//! Ledgers to test with.

// Every test file uses a part of it.
#![allow(dead_code)]

use phalanx_core::{AgentId, Decision, Indicator, Outcome, Prefix, Protocol, SignatureId, Tick};
use phalanx_ledger::merkle::{Hash, leaf_hash};
use phalanx_ledger::{
    Ballot, Entry, Ledger, LedgerKey, LedgerReader, LedgerStore, MemoryStore, Query, entries,
};

pub(crate) const SEED: u64 = 3;
pub(crate) const AGENTS: u32 = 40;

pub(crate) fn key() -> LedgerKey {
    LedgerKey::from_seed(SEED)
}

pub(crate) fn create<S: LedgerStore>(store: S) -> Ledger<S> {
    Ledger::create(store, key(), [8; 32], "0.1.0", SEED).unwrap()
}

/// The threat that an author reports in a tick: one of 30 networks, one of three services.
pub(crate) fn indicator(tick: u64, author: u32) -> Indicator {
    let mix = (tick * 31 + u64::from(author) * 17) as u32;
    Indicator {
        prefix: (!mix.is_multiple_of(5)).then(|| Prefix::of(0xcb00_7100 + (mix % 30) * 256, 24)),
        port: (!mix.is_multiple_of(4)).then_some(20 + (mix % 3) as u16),
        protocol: mix.is_multiple_of(2).then_some(Protocol::TCP),
    }
}

pub(crate) fn id(tick: u64, author: u32) -> SignatureId {
    SignatureId { tick: Tick(tick), author: AgentId(author), sequence: 0 }
}

pub(crate) fn report(tick: u64, author: u32) -> Entry {
    Entry::Reported {
        id: id(tick, author),
        indicator: indicator(tick, author),
        support: author,
        confidence: 0.5,
        centroid: vec![author as f32; 4].into(),
        evidence: [4; 16],
    }
}

pub(crate) fn decided(tick: u64, of: SignatureId) -> Entry {
    let outcome = [Outcome::Confirmed, Outcome::Rejected, Outcome::Undecided][(tick % 3) as usize];
    let (yes, no, eligible) = (7, 1, AGENTS);
    Entry::Decided(Decision {
        signature: of,
        outcome,
        tick: Tick(tick),
        yes,
        no,
        eligible,
        votes_digest: [3; 16],
    })
}

/// What a tick brings: some reports, decisions on those of the tick before, now and then a ballot list.
pub(crate) fn tick_of(tick: u64, reports: u32) -> Vec<Entry> {
    let authors = |tick: u64| (0..reports).map(move |i| (i * 7 + tick as u32) % AGENTS);
    let mut entries: Vec<Entry> = authors(tick).map(|author| report(tick, author)).collect();
    if tick > 0 {
        for author in authors(tick - 1).step_by(3) {
            let of = id(tick - 1, author);
            entries.push(decided(tick, of));
            if author.is_multiple_of(4) {
                let voters = (0..AGENTS).filter(|voter| voter % 9 == 1);
                let ballots: Vec<Ballot> =
                    voters.map(|voter| Ballot { voter: AgentId(voter), yes: voter % 2 == 0 }).collect();
                entries.extend(Entry::ballots(of, Tick(tick), &ballots));
            }
        }
    }
    entries
}

pub(crate) fn append<S: LedgerStore>(ledger: &mut Ledger<S>, ticks: std::ops::Range<u64>, reports: u32) {
    for tick in ticks {
        let entries = tick_of(tick, reports);
        ledger.append_tick(Tick(tick), &entries).unwrap();
    }
}

/// A ledger in memory of `ticks` ticks, each of about 1.5 times as many entries as reports.
pub(crate) fn grown(ticks: u64, reports: u32) -> Ledger<MemoryStore> {
    let mut ledger = create(MemoryStore::new());
    append(&mut ledger, 0..ticks, reports);
    ledger
}

pub(crate) fn all(reader: &dyn LedgerReader) -> Vec<(u64, Entry)> {
    let mut found = Vec::new();
    entries(reader, 0..u64::MAX, |index, entry| {
        found.push((index, entry));
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    found
}

pub(crate) fn leaves(reader: &dyn LedgerReader) -> Vec<Hash> {
    all(reader)
        .iter()
        .map(|(_, entry)| {
            let mut bytes = Vec::new();
            entry.encode(&mut bytes);
            leaf_hash(&bytes)
        })
        .collect()
}

/// Resident memory in MB, on Linux.
pub(crate) fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1000
}

/// As wide as an entry may be, so that it fills a value.
pub(crate) fn wide_report(tick: u64, sequence: u16) -> Entry {
    Entry::Reported {
        id: SignatureId { tick: Tick(tick), author: AgentId(0), sequence },
        indicator: Indicator::default(),
        support: 1,
        confidence: 0.5,
        centroid: vec![0.5; 985].into(),
        evidence: [4; 16],
    }
}

/// Indices of the entries that a query finds.
pub(crate) fn found(reader: &dyn LedgerReader, query: &Query) -> Vec<u64> {
    let mut found = Vec::new();
    query
        .run(reader, |index, _| {
            found.push(index);
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    found
}
