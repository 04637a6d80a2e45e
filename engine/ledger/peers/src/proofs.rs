//! What a proof costs: of a prover that has read nothing, of one that reads a tile for each proof, and of one that has
//! read what it needs.

use phalanx_core::Tick;
use phalanx_ledger::merkle::{leaf_hash, verify_consistency, verify_inclusion};
use phalanx_ledger::{Durability, Ledger, LedgerKey, LedgerReader, LedgerStore, MemoryStore, Prover, SledStore};

use crate::{Clock, Outcome, SEED, entry};

/// Proofs of a round.
const PROOFS: u64 = 20_000;
/// Fresh provers of which the median is taken.
const FRESH: usize = 101;

/// A line for each store and kind of proof.
pub(crate) fn table(sizes: &[u64]) -> Outcome<()> {
    println!("microseconds of processor time a proof");
    println!(
        "{:>10} {:<8} {:<12} {:>14} {:>14} {:>14}",
        "entries", "store", "proof", "fresh prover", "unread tile", "steady"
    );
    for size in sizes {
        let memory = grown(MemoryStore::new(), *size)?;
        rows(&memory, "memory", *size)?;
        drop(memory);
        let folder = tempfile::tempdir_in(".")?;
        let path = folder.path().join("ledger");
        rows(&grown(SledStore::create(&path, Durability::Group { ticks: 64 })?, *size)?, "sled", *size)?;
    }
    Ok(())
}

/// A store with a ledger of so many entries, genesis included.
pub(crate) fn grown<S: LedgerStore + Reopened>(store: S, size: u64) -> Outcome<S> {
    let mut ledger = Ledger::create(store, LedgerKey::from_seed(SEED), [0; 32], "0.1.0", SEED)?;
    let mut tick = 0;
    while ledger.len() < size {
        let count = (size - ledger.len()).min(1000) as u32;
        let entries: Vec<_> = (0..count).map(|i| entry(tick, i)).collect();
        ledger.append_tick(Tick(tick), &entries)?;
        tick += 1;
    }
    S::reopened(ledger)
}

/// How a store is got back from its ledger.
pub(crate) trait Reopened: Sized {
    fn reopened(ledger: Ledger<Self>) -> Outcome<Self>;
}

impl Reopened for MemoryStore {
    fn reopened(ledger: Ledger<Self>) -> Outcome<Self> {
        Ok(ledger.store().clone())
    }
}

impl Reopened for SledStore {
    fn reopened(ledger: Ledger<Self>) -> Outcome<Self> {
        let path = ledger.store().path().to_owned();
        ledger.finish()?;
        Ok(Self::open(&path, Durability::End)?)
    }
}

fn rows(store: &dyn LedgerReader, name: &str, size: u64) -> Outcome<()> {
    let head = store.head()?.ok_or("a head")?.head;
    let indices: Vec<u64> =
        (0..PROOFS).map(|i| 1 + i.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (size - 1)).collect();
    for kind in ["inclusion", "consistency"] {
        let prove = |prover: &mut Prover<'_>, index: u64| match kind {
            "inclusion" => prover.inclusion(index, size),
            _ => prover.consistency(index, size),
        };
        let mut fresh = Vec::new();
        for index in indices.iter().take(FRESH) {
            let clock = Clock::start();
            prove(&mut Prover::new(store, size), *index)?;
            fresh.push(clock.stop()[1] * 1e6);
        }
        fresh.sort_by(f64::total_cmp);
        let pass = |prover: &mut Prover<'_>, indices: &[u64]| -> Outcome<f64> {
            let clock = Clock::start();
            for index in indices {
                std::hint::black_box(prove(prover, *index)?);
            }
            Ok(clock.stop()[1] * 1e6 / indices.len() as f64)
        };
        // One from each full tile but the first, which is read to have the tiles above it.
        let unread: Vec<u64> = (1..(size / 128).min(4000)).map(|i| 128 * i + i * 37 % 128).collect();
        let mut prover = Prover::new(store, size);
        prove(&mut prover, 1)?;
        let first = pass(&mut prover, &unread)?;
        pass(&mut prover, &indices)?;
        let mut steady = f64::INFINITY;
        for _ in 0..3 {
            steady = steady.min(pass(&mut prover, &indices)?);
        }
        println!("{size:>10} {name:<8} {kind:<12} {:>14.2} {first:>14.2} {steady:>14.2}", fresh[FRESH / 2]);
        for index in indices.iter().step_by(997) {
            let proof = prove(&mut prover, *index)?;
            let holds = if kind == "inclusion" {
                let leaf = leaf_hash(&store.get(*index)?.ok_or("an entry")?);
                verify_inclusion(&leaf, *index, size, &proof, &head.root)
            } else {
                verify_consistency(*index, &prover.root(*index)?, size, &head.root, &proof)
            };
            assert!(holds, "{kind} of {index}");
        }
    }
    Ok(())
}
