//! Thousands of random forgeries by somebody who has everything but the key: entries changed by a bit, dropped,
//! moved or inserted, with the checks made anew, and the tiles left out.

use std::collections::BTreeMap;

use phalanx_core::{AgentId, Indicator, SignatureId, Tick};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::batch::check_of;
use crate::merkle::leaf_hash;
use crate::store::layout::{HEAD_KEY, bundle_key};
use crate::{Entry, Ledger, LedgerError, LedgerKey, LedgerReader, MemoryStore, verify};

const TICKS: u64 = 12;
const REPORTS: u32 = 12;

fn store() -> MemoryStore {
    let key = LedgerKey::from_seed(1);
    let mut ledger = Ledger::create(MemoryStore::new(), key, [5; 32], "0.1.0", 1).unwrap();
    for tick in 0..TICKS {
        let report = |author| Entry::Reported {
            id: SignatureId { tick: Tick(tick), author: AgentId(author), sequence: 0 },
            indicator: Indicator { port: Some(author as u16), ..Indicator::default() },
            support: author,
            confidence: 0.25,
            centroid: [1.5, author as f32].into(),
            evidence: [tick as u8; 16],
        };
        ledger.append_tick(Tick(tick), &(0..REPORTS).map(report).collect::<Vec<_>>()).unwrap();
    }
    ledger.store().clone()
}

fn entries(store: &MemoryStore) -> Vec<Vec<u8>> {
    let size = store.head().unwrap().unwrap().head.size;
    (0..size).map(|index| store.get(index).unwrap().unwrap()).collect()
}

/// A store of these entries under the old head, each entry in a bundle of its own, framed without a fault.
fn forged(original: &MemoryStore, entries: &[Vec<u8>]) -> MemoryStore {
    let mut pairs = BTreeMap::new();
    for (index, bytes) in (0u64..).zip(entries) {
        let check = check_of(&leaf_hash(bytes));
        let len = (bytes.len() as u16).to_be_bytes();
        pairs.insert(bundle_key(index).to_vec(), [&[1, 0, 1], len.as_slice(), &check, bytes].concat());
    }
    let mut original = original.clone();
    pairs.insert(HEAD_KEY.to_vec(), original.pairs_mut()[HEAD_KEY.as_slice()].clone());
    let mut store = MemoryStore::new();
    *store.pairs_mut() = pairs;
    store
}

#[derive(Clone, Debug)]
enum Forgery {
    Flip(Index, Index, u32),
    Drop(Index),
    Swap(Index, Index),
    Move(Index, Index),
    Copy(Index, Index),
    Replace(Index, Vec<u8>),
}

fn any_forgery() -> impl Strategy<Value = Forgery> {
    let index = any::<Index>;
    prop_oneof![
        4 => (index(), index(), 0..8u32).prop_map(|(entry, byte, bit)| Forgery::Flip(entry, byte, bit)),
        1 => index().prop_map(Forgery::Drop),
        1 => (index(), index()).prop_map(|(a, b)| Forgery::Swap(a, b)),
        1 => (index(), index()).prop_map(|(a, b)| Forgery::Move(a, b)),
        1 => (index(), index()).prop_map(|(a, b)| Forgery::Copy(a, b)),
        1 => (index(), prop::collection::vec(any::<u8>(), 0..80)).prop_map(|(at, new)| Forgery::Replace(at, new)),
    ]
}

impl Forgery {
    fn apply(&self, entries: &mut Vec<Vec<u8>>) {
        let len = entries.len();
        match self {
            _ if len == 0 => {}
            Self::Flip(entry, byte, bit) => {
                let entry = &mut entries[entry.index(len)];
                if !entry.is_empty() {
                    let byte = byte.index(entry.len());
                    entry[byte] ^= 1 << bit;
                }
            }
            Self::Drop(at) => drop(entries.remove(at.index(len))),
            Self::Swap(a, b) => entries.swap(a.index(len), b.index(len)),
            Self::Move(from, to) => {
                let entry = entries.remove(from.index(len));
                entries.insert(to.index(len), entry);
            }
            Self::Copy(from, to) => entries.insert(to.index(len + 1), entries[from.index(len)].clone()),
            Self::Replace(at, new) => entries[at.index(len)].clone_from(new),
        }
    }
}

#[test]
fn the_forger_s_store_is_faultless_but_for_the_forgery() {
    let original = store();
    let whole = entries(&original);
    assert_eq!(whole.len() as u64, 1 + TICKS * u64::from(REPORTS));
    assert_eq!(verify(&forged(&original, &whole)).unwrap().head, verify(&original).unwrap().head);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn no_forgery_passes(forgeries in prop::collection::vec(any_forgery(), 1..4)) {
        let original = store();
        let whole = entries(&original);
        let mut edited = whole.clone();
        forgeries.iter().for_each(|forgery| forgery.apply(&mut edited));
        let verified = verify(&forged(&original, &edited));
        if edited == whole {
            prop_assert!(verified.is_ok());
        } else {
            let error = verified.expect_err("a forgery passed");
            prop_assert!(matches!(error, LedgerError::Mismatch(_)), "{error}");
        }
    }
}
