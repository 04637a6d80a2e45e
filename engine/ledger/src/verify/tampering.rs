//! Every way to tamper with a stored ledger that we could think of, and what verification says to it.

use std::collections::BTreeMap;

use phalanx_core::{AgentId, Decision, Indicator, Outcome, SignatureId, Tick};

use crate::{
    Entry, Head, Ledger, LedgerError, LedgerKey, MemoryStore, VerifyFailure, VerifyReport, verify,
    verify_held,
};

type Pairs = BTreeMap<Vec<u8>, Vec<u8>>;

const HEAD_KEY: &[u8] = b"h";

fn reported(tick: u64, author: u32) -> Entry {
    Entry::Reported {
        id: SignatureId { tick: Tick(tick), author: AgentId(author), sequence: 0 },
        indicator: Indicator { port: Some(22), ..Indicator::default() },
        support: 4,
        confidence: 0.25,
        centroid: [1.5, 2.5].into(),
        evidence: [9; 16],
    }
}

fn decided(tick: u64, yes: u32) -> Entry {
    Entry::Decided(Decision {
        signature: SignatureId { tick: Tick(0), author: AgentId(1), sequence: 0 },
        outcome: Outcome::Confirmed,
        tick: Tick(tick),
        yes,
        no: 1,
        eligible: 10,
        votes_digest: [3; 16],
    })
}

fn fingerprint(tick: u64) -> Entry {
    Entry::Fingerprint { tick: Tick(tick), fingerprint: [tick as u8; 32] }
}

fn ledger(seed: u64) -> Ledger<MemoryStore> {
    Ledger::create(MemoryStore::new(), LedgerKey::from_seed(seed), [5; 32], "0.1.0", seed).unwrap()
}

/// Eight entries in five bundles: genesis; two reports; two reports; a decision and a fingerprint; a
/// fingerprint. `yes` votes in the decision, so that two ledgers can differ in one entry only.
fn store(seed: u64, yes: u32) -> MemoryStore {
    let mut ledger = ledger(seed);
    ledger.append_tick(Tick(0), &[reported(0, 1), reported(0, 2)]).unwrap();
    ledger.append_tick(Tick(0), &[reported(0, 3), reported(0, 4)]).unwrap();
    ledger.append_tick(Tick(1), &[decided(1, yes), fingerprint(1)]).unwrap();
    ledger.append_tick(Tick(2), &[fingerprint(2)]).unwrap();
    ledger.store().clone()
}

const BUNDLE_STARTS: [u64; 5] = [0, 1, 3, 5, 7];

fn bundle_key(first: u64) -> Vec<u8> {
    [b"e".as_slice(), &first.to_be_bytes()].concat()
}

fn verify_after(edit: impl FnOnce(&mut Pairs)) -> Result<VerifyReport, LedgerError> {
    let mut store = store(1, 7);
    edit(store.pairs_mut());
    verify(&store)
}

/// What is found after the edit; anything but a mismatch fails the test.
fn found(edit: impl FnOnce(&mut Pairs)) -> VerifyFailure {
    match verify_after(edit) {
        Err(LedgerError::Mismatch(failure)) => failure,
        other => panic!("tampering must be a mismatch, not {other:?}"),
    }
}

#[test]
fn untouched_it_verifies() {
    let report = verify_after(|_| {}).unwrap();
    assert_eq!((report.head.size, report.head.tick), (8, Tick(2)));
    assert_eq!((report.reported, report.confirmed, report.rejected, report.undecided), (4, 1, 0, 0));
    assert_eq!(report.fingerprint, Some((Tick(2), [2; 32])));
    assert_eq!((report.seed, report.engine_version.as_str(), report.key_from_seed), (1, "0.1.0", true));
}

#[test]
fn any_flipped_bit_of_any_value_is_found() {
    for (key, value) in store(1, 7).pairs_mut().clone() {
        for bit in 0..value.len() * 8 {
            found(|pairs| pairs.get_mut(&key).unwrap()[bit / 8] ^= 1 << (bit % 8));
        }
    }
}

#[test]
fn any_flipped_bit_of_any_key_is_found() {
    for (key, value) in store(1, 7).pairs_mut().clone() {
        for bit in 0..key.len() * 8 {
            found(|pairs| {
                let mut moved = key.clone();
                moved[bit / 8] ^= 1 << (bit % 8);
                pairs.remove(&key);
                pairs.insert(moved, value.clone());
            });
        }
    }
}

#[test]
fn any_cut_or_longer_value_is_found() {
    for (key, value) in store(1, 7).pairs_mut().clone() {
        for len in 0..value.len() {
            found(|pairs| pairs.get_mut(&key).unwrap().truncate(len));
        }
        found(|pairs| pairs.get_mut(&key).unwrap().push(0));
    }
}

#[test]
fn an_edited_entry_is_named() {
    // Bundle 3 holds entries 3 and 4: header 3, then per record length 2, check 8, entry.
    let mut bytes = Vec::new();
    reported(0, 3).encode(&mut bytes);
    let last_of_entry_3 = 3 + 10 + bytes.len() - 1;
    let flip = |at: usize| move |pairs: &mut Pairs| pairs.get_mut(&bundle_key(3)).unwrap()[at] ^= 1;
    assert_eq!(found(flip(last_of_entry_3)), VerifyFailure::Altered { index: 3 });
    assert_eq!(found(flip(last_of_entry_3 + 10 + bytes.len())), VerifyFailure::Altered { index: 4 });
}

#[test]
fn dropped_bundles_are_found() {
    let drop = |first| found(|pairs| drop(pairs.remove(&bundle_key(first))));
    for (first, next) in BUNDLE_STARTS.into_iter().zip(&BUNDLE_STARTS[1..]) {
        assert_eq!(drop(first), VerifyFailure::Gap { expected: first, found: *next });
    }
    assert_eq!(drop(7), VerifyFailure::Missing { index: 7, size: 8 });
    assert_eq!(
        found(|pairs| pairs.retain(|key, _| key == HEAD_KEY)),
        VerifyFailure::Missing { index: 0, size: 8 }
    );
}

#[test]
fn reordered_entries_are_found() {
    let swap = |a, b| {
        found(|pairs| {
            let value = pairs[&bundle_key(a)].clone();
            let other = pairs.insert(bundle_key(b), value).unwrap();
            pairs.insert(bundle_key(a), other);
        })
    };
    // Reports of one tick may stand in any order as far as their contents go; the root knows better.
    assert_eq!(swap(1, 3), VerifyFailure::Root { size: 8 });
    assert!(matches!(swap(5, 3), VerifyFailure::TickOrder { .. } | VerifyFailure::Root { .. }));
    assert_eq!(swap(0, 7), VerifyFailure::NoGenesis);
}

#[test]
fn inserted_entries_are_found() {
    let insert = |at, from| {
        found(|pairs| {
            let value = pairs[&bundle_key(from)].clone();
            pairs.insert(bundle_key(at), value);
        })
    };
    assert_eq!(insert(8, 7), VerifyFailure::Extra { index: 8, size: 8 });
    assert_eq!(insert(100, 7), VerifyFailure::Gap { expected: 8, found: 100 });
    assert_eq!(insert(2, 7), VerifyFailure::Gap { expected: 3, found: 2 });
    assert_eq!(insert(7, 0), VerifyFailure::SecondGenesis { index: 7 });
    assert_eq!(
        insert(u64::MAX, 7),
        VerifyFailure::Malformed { index: u64::MAX, problem: "its indices exceed 64 bits" }
    );
}

#[test]
fn a_forged_entry_with_its_check_is_found_by_the_root() {
    let forged = store(1, 8).pairs_mut()[&bundle_key(5)].clone();
    let failure = found(|pairs| drop(pairs.insert(bundle_key(5), forged)));
    assert_eq!(failure, VerifyFailure::Root { size: 8 });
}

#[test]
fn a_swapped_head_is_found() {
    let head_of = |seed, yes| store(seed, yes).pairs_mut()[HEAD_KEY].clone();
    let swap = |head: Vec<u8>| found(|pairs| drop(pairs.insert(HEAD_KEY.to_vec(), head)));
    assert_eq!(swap(head_of(2, 7)), VerifyFailure::Signature);
    assert_eq!(swap(head_of(1, 8)), VerifyFailure::Root { size: 8 });
    let older = ledger(1).store().clone().pairs_mut()[HEAD_KEY].clone();
    assert_eq!(swap(older), VerifyFailure::Extra { index: 1, size: 1 });
    assert_eq!(found(|pairs| drop(pairs.remove(HEAD_KEY))), VerifyFailure::NoHead);
}

#[test]
fn a_genesis_of_another_key_is_found() {
    let genesis = ledger(2).store().clone().pairs_mut()[&bundle_key(0)].clone();
    let failure = found(|pairs| drop(pairs.insert(bundle_key(0), genesis)));
    assert_eq!(failure, VerifyFailure::Signature);
}

#[test]
fn a_spoiled_frontier_is_found_and_nothing_is_appended_behind_it() {
    let mut store = store(1, 7);
    *store.pairs_mut().get_mut(HEAD_KEY).unwrap().last_mut().unwrap() ^= 1;
    assert!(matches!(verify(&store), Err(LedgerError::Mismatch(VerifyFailure::Frontier))));
    let resumed = Ledger::resume(store, LedgerKey::from_seed(1));
    assert!(matches!(resumed, Err(LedgerError::Mismatch(VerifyFailure::Frontier))));
}

/// The promise and its limit: a ledger rewritten as a whole, with the key, verifies; a head that somebody
/// else holds shows it.
#[test]
fn a_held_head_finds_what_the_ledger_alone_cannot() {
    let held = |size: u64| -> Head {
        let mut ledger = ledger(1);
        ledger.append_tick(Tick(0), &[reported(0, 1), reported(0, 2)]).unwrap();
        if size > 3 {
            ledger.append_tick(Tick(0), &[reported(0, 3), reported(0, 4)]).unwrap();
            ledger.append_tick(Tick(1), &[decided(1, 7), fingerprint(1)]).unwrap();
        }
        *ledger.head()
    };
    let failure = |store: &MemoryStore, held: &Head| match verify_held(store, held) {
        Err(LedgerError::Mismatch(failure)) => failure,
        other => panic!("{other:?}"),
    };
    for size in [3, 7] {
        let report = verify_held(&store(1, 7), &held(size)).unwrap();
        assert_eq!((report.compared, report.head.size), (vec![size], 8));
    }
    let rewritten = store(1, 8);
    verify(&rewritten).unwrap();
    assert_eq!(failure(&rewritten, &held(7)), VerifyFailure::Rewritten { held: 7 });
    // The rewritten entry lies behind the older head, which therefore has nothing to say about it.
    verify_held(&rewritten, &held(3)).unwrap();
    let rolled_back = ledger(1).store().clone();
    verify(&rolled_back).unwrap();
    assert_eq!(failure(&rolled_back, &held(7)), VerifyFailure::RolledBack { size: 1, held: 7 });
    assert_eq!(failure(&store(2, 7), &held(7)), VerifyFailure::HeldSignature { held: 7 });
    for size in [0, 3, 100] {
        let claimed = Head { size, ..held(7) };
        assert_eq!(failure(&store(1, 7), &claimed), VerifyFailure::HeldSignature { held: size });
    }
}

#[test]
fn an_empty_store_is_no_mismatch() {
    let error = verify(&MemoryStore::new()).unwrap_err();
    assert!(matches!(error, LedgerError::Empty) && !error.is_mismatch());
}

#[test]
fn findings_say_what_to_do() {
    for failure in
        [VerifyFailure::NoHead, VerifyFailure::Altered { index: 3 }, VerifyFailure::Root { size: 8 }]
    {
        let text = failure.to_string();
        assert!(text.starts_with(char::is_lowercase) && text.contains("restore"), "{text}");
    }
}
