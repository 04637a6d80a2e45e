//! Ledgers whose agents sign: what is checked, and every way to get around it.

mod common;

use common::{AGENTS, SEED, append, create, id, key};
use phalanx_core::{AgentId, Tick};
use phalanx_ledger::merkle::{Frontier, leaf_hash};
use phalanx_ledger::{
    AgentKeys, Ballot, Edge, Entry, Gossip, Head, Ledger, LedgerError, LedgerReader, LedgerStore,
    MemoryStore, TickBatch, VerifyFailure, compare_heads, verify, verify_held, witness,
};

fn enrolled() -> Ledger<MemoryStore> {
    let mut ledger = create(MemoryStore::new());
    ledger.enrol(AGENTS).unwrap();
    ledger
}

#[test]
fn signed_reports_and_ballots_verify() {
    let mut ledger = enrolled();
    append(&mut ledger, 0..30, 12);
    let report = verify(ledger.store()).unwrap();
    assert_eq!(report.counts["statement"], report.reported);
    let votes = 5 * report.counts["ballots"];
    assert!(votes > 0);
    assert_eq!(report.statements, report.reported + votes);
    // Resumed, it goes on signing.
    let mut resumed = Ledger::resume(ledger.store().clone(), key()).unwrap();
    append(&mut resumed, 30..32, 12);
    append(&mut ledger, 30..32, 12);
    assert_eq!(resumed.head(), ledger.head());
    verify(resumed.store()).unwrap();
}

/// Writes entries as a forger with the ledger's key would: with tiles, postings and a signed head, but without an
/// agent's key.
fn forged(entries: &[Entry]) -> VerifyFailure {
    match verify(&written(entries)) {
        Err(LedgerError::Mismatch(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

fn written(entries: &[Entry]) -> MemoryStore {
    let ledger = enrolled();
    let mut store = MemoryStore::new();
    let mut edge = Edge::new();
    let mut batch: Vec<Entry> = common::all(ledger.store()).into_iter().map(|(_, entry)| entry).collect();
    batch.extend_from_slice(entries);
    store.commit(&TickBatch::new(&mut edge, Tick(9), &batch, &key()).unwrap()).unwrap();
    store
}

#[test]
fn what_an_agent_did_not_sign_is_named() {
    let genesis = enrolled().store().get(0).unwrap().unwrap();
    let mut keys = AgentKeys::new(SEED, leaf_hash(&genesis));
    let leaf = |entry: &Entry| {
        let mut bytes = Vec::new();
        entry.encode(&mut bytes);
        leaf_hash(&bytes)
    };
    let (report, other) = (common::report(9, 5), common::report(9, 6));
    let statement =
        |agent: u32, signature| Entry::Statement { tick: Tick(9), agent: AgentId(agent), signature };
    // Entry 0 is genesis, entry 1 holds the keys.
    let unsigned = |index, agent| VerifyFailure::Unsigned { index, agent: AgentId(agent) };
    assert_eq!(forged(std::slice::from_ref(&report)), unsigned(2, 5));
    assert_eq!(forged(&[report.clone(), other.clone()]), unsigned(2, 5));
    let by_other = keys.sign_entry(AgentId(6), &leaf(&report));
    assert_eq!(forged(&[report.clone(), statement(6, by_other)]), unsigned(2, 5));
    assert_eq!(forged(&[report.clone(), statement(5, by_other)]), VerifyFailure::Statement { index: 3 });
    let of_other = keys.sign_entry(AgentId(5), &leaf(&other));
    assert_eq!(forged(&[report.clone(), statement(5, of_other)]), VerifyFailure::Statement { index: 3 });
    let right = statement(5, keys.sign_entry(AgentId(5), &leaf(&report)));
    assert_eq!(forged(std::slice::from_ref(&right)), VerifyFailure::Statement { index: 2 });
    assert_eq!(forged(&[report.clone(), right.clone(), right]), VerifyFailure::Statement { index: 4 });
    // Of many, the first bad one is named.
    let mut many: Vec<Entry> = Vec::new();
    for author in 0..AGENTS {
        let report = common::report(9, author);
        let signer = if author == 17 { 18 } else { author };
        many.push(report.clone());
        many.push(statement(author, keys.sign_entry(AgentId(signer), &leaf(&report))));
    }
    assert_eq!(forged(&many), VerifyFailure::Statement { index: 2 + 2 * 17 + 1 });
    // An agent that is not enrolled.
    let stranger = common::report(9, AGENTS);
    let signature = keys.sign_entry(AgentId(AGENTS), &leaf(&stranger));
    assert_eq!(forged(&[stranger, statement(AGENTS, signature)]), unsigned(3, AGENTS));

    let ballot = |yes| Ballot { voter: AgentId(3), yes };
    let signature = keys.sign_ballot(&id(9, 5), &ballot(true));
    let ballots = |yes, signatures: &[[u8; 64]]| Entry::Ballots {
        id: id(9, 5),
        tick: Tick(9),
        first: 0,
        ballots: [ballot(yes)].into(),
        signatures: signatures.into(),
    };
    assert_eq!(forged(&[ballots(true, &[])]), unsigned(2, 3));
    assert_eq!(forged(&[ballots(false, &[signature])]), VerifyFailure::Statement { index: 2 });
    let late = Entry::Keys { first: AgentId(AGENTS), keys: [[7; 32]].into() };
    let fingerprint = Entry::Fingerprint { tick: Tick(9), fingerprint: [1; 32] };
    assert_eq!(forged(&[fingerprint, late]), VerifyFailure::Keys { index: 3 });
    let again = Entry::Keys { first: AgentId(0), keys: [[7; 32]].into() };
    assert_eq!(forged(&[again]), VerifyFailure::Keys { index: 2 });
}

#[test]
fn keys_are_only_enrolled_at_the_start() {
    let mut ledger = create(MemoryStore::new());
    append(&mut ledger, 0..1, 3);
    assert!(matches!(ledger.enrol(3), Err(LedgerError::NotEmpty { .. })));
    let late = Entry::Keys { first: AgentId(0), keys: [[7; 32]].into() };
    assert!(matches!(ledger.append_tick(Tick(1), &[late]), Err(LedgerError::LateKeys)));
    // 300 agents take three entries.
    let mut ledger = create(MemoryStore::new());
    ledger.enrol(300).unwrap();
    assert_eq!(ledger.len(), 4);
    verify(ledger.store()).unwrap();
}

#[test]
fn a_witness_sees_growth_and_refuses_the_rest() {
    let grown = |ticks, reports| common::grown(ticks, reports);
    let key = key().verifying_key();
    let old = *grown(5, 9).head();
    let ledger = grown(9, 9);
    assert_eq!(witness(ledger.store(), None, &key).unwrap(), *ledger.head());
    assert_eq!(witness(ledger.store(), Some(&old), &key).unwrap(), *ledger.head());
    assert_eq!(witness(ledger.store(), Some(ledger.head()), &key).unwrap(), *ledger.head());
    let refused =
        |ledger: &Ledger<MemoryStore>, last, key: &[u8; 32]| match witness(ledger.store(), Some(last), key)
            .unwrap_err()
        {
            LedgerError::Mismatch(failure) => failure,
            other => panic!("{other}"),
        };
    let shorter = grown(4, 9);
    assert_eq!(
        refused(&shorter, &old, &key),
        VerifyFailure::RolledBack { size: shorter.len(), held: old.size }
    );
    assert_eq!(refused(&grown(9, 10), &old, &key), VerifyFailure::Rewritten { held: old.size });
    let stranger = phalanx_ledger::LedgerKey::from_seed(9).verifying_key();
    assert_eq!(refused(&ledger, &old, &stranger), VerifyFailure::Signature);
    let mut forged = old;
    forged.root[0] ^= 1;
    assert_eq!(refused(&ledger, &forged, &key), VerifyFailure::HeldSignature { held: old.size });
}

#[test]
fn two_roots_of_one_size_are_equivocation() {
    let key = key().verifying_key();
    let (a, longer) = (*common::grown(1, 5).head(), *common::grown(2, 5).head());
    let mut other = create(MemoryStore::new());
    let entries: Vec<Entry> = (0..5).map(|author| common::report(0, author + 20)).collect();
    other.append_tick(Tick(0), &entries).unwrap();
    assert_eq!(other.len(), a.size);
    assert_eq!(compare_heads(&a, &a, &key), Ok(Gossip::Same));
    assert_eq!(compare_heads(&a, &longer, &key), Ok(Gossip::Grown));
    assert_eq!(compare_heads(&a, other.head(), &key), Ok(Gossip::Equivocation));
    let mut forged = a;
    forged.root[3] ^= 4;
    assert_eq!(compare_heads(&a, &forged, &key), Err(VerifyFailure::HeldSignature { held: a.size }));
}

#[test]
fn heads_among_the_entries_verify() {
    let mut ledger = enrolled();
    for tick in 0..6 {
        append(&mut ledger, tick..tick + 1, 12);
        ledger.append_tick_with_head(Tick(tick), &[]).unwrap();
        let entries = common::all(ledger.store());
        let (index, Entry::SignedHead { signer: Entry::LEDGER, head, .. }) = entries.last().unwrap() else {
            panic!("{:?}", entries.last())
        };
        assert_eq!((head.size, head.tick), (*index, Tick(tick)));
        // It is as good as one that was handed out.
        assert_eq!(verify_held(ledger.store(), head).unwrap().compared, [*index]);
    }
    assert_eq!(verify(ledger.store()).unwrap().counts["signed-head"], 6);
    let mut resumed = Ledger::resume(ledger.store().clone(), key()).unwrap();
    for ledger in [&mut ledger, &mut resumed] {
        ledger.append_tick_with_head(Tick(7), &[common::report(7, 1)]).unwrap();
    }
    assert_eq!(resumed.head(), ledger.head());
    let earlier = ledger.append_tick_with_head(Tick(6), &[]);
    assert!(matches!(earlier, Err(LedgerError::TickBackwards { .. })), "{earlier:?}");
}

#[test]
fn a_head_among_the_entries_has_to_be_that_of_the_entries_before_it() {
    let leaves = common::leaves(enrolled().store());
    assert_eq!(leaves.len(), 2);
    let signed = |leaves: &[_], tick| {
        let mut frontier = Frontier::new();
        leaves.iter().for_each(|leaf| frontier.push(*leaf));
        key().sign(&frontier, Tick(tick))
    };
    let entry = |signer, head| [Entry::SignedHead { tick: Tick(9), signer, head }];
    let right = signed(&leaves, 9);
    verify(&written(&entry(Entry::LEDGER, right))).unwrap();
    let mut keys = AgentKeys::new(SEED, leaves[0]);
    let agent = AgentId(3);
    verify(&written(&entry(agent, keys.cosign(agent, &right)))).unwrap();

    let stranger = AgentId(AGENTS);
    for (what, signer, head) in [
        ("of fewer entries", Entry::LEDGER, signed(&leaves[..1], 9)),
        ("of more entries", Entry::LEDGER, signed(&[leaves[0], leaves[1], [1; 32]], 9)),
        ("of other entries", Entry::LEDGER, signed(&[leaves[0], [1; 32]], 9)),
        ("of another tick", Entry::LEDGER, signed(&leaves, 8)),
        ("signed by nobody", Entry::LEDGER, Head { signature: [7; 64], ..right }),
        ("by the ledger in an agent's name", agent, right),
        ("by another agent", AgentId(4), keys.cosign(agent, &right)),
        ("by an agent that is none", stranger, keys.cosign(stranger, &right)),
    ] {
        assert_eq!(forged(&entry(signer, head)), VerifyFailure::HeadEntry { index: 2 }, "{what}");
    }
}
