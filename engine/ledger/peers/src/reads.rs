//! What reading a ledger costs that is too long to be made anew for each: every kind of reading in a process of its own.

use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;

use phalanx_core::{AgentId, Indicator};
use phalanx_ledger::{Durability, LedgerReader, Prover, Query, SledStore, verify};

use crate::{Clock, Outcome, peak};

const KINDS: [&str; 8] = ["one", "agent", "port", "all", "random", "inclusion", "consistency", "verify"];
/// Proofs of a round, and entries read here and there.
const PROOFS: u64 = 20_000;

/// A line for each kind of reading, or for one.
pub(crate) fn table(folder: &Path, kind: Option<&str>) -> Outcome<()> {
    if let Some(kind) = kind {
        return read(folder, kind);
    }
    println!("{:<12} {:>9} {:>12} {:>12}   memory", "", "open, ms", "ms", "cpu ms");
    for kind in KINDS {
        Command::new(std::env::current_exe()?).arg("read").arg(folder).arg(kind).status()?;
    }
    Ok(())
}

fn read(folder: &Path, kind: &str) -> Outcome<()> {
    let clock = Clock::start();
    let store = SledStore::open(folder, Durability::End)?;
    let [open, _] = clock.stop();
    let size = store.head()?.ok_or("a head")?.head.size;
    let clock = Clock::start();
    let said = match kind {
        "one" => store.get(size / 2)?.map_or(0, |entry| entry.len()).to_string() + " bytes",
        "agent" => count(&store, &Query { agent: Some(AgentId(7)), ..Query::default() })?,
        "port" => {
            let indicator = Indicator { port: Some(80), ..Indicator::default() };
            count(&store, &Query { indicator: Some(indicator), ..Query::default() })?
        }
        "all" => count(&store, &Query::default())?,
        "random" => {
            for i in 0..PROOFS {
                store.get(i.wrapping_mul(0x9e37_79b9_7f4a_7c15) % size)?;
            }
            format!("{PROOFS} entries, one by one")
        }
        "verify" => format!("{} entries", verify(&store)?.head.size),
        proof => proofs(&store, proof, size)?,
    };
    let [wall, cpu] = clock.stop();
    println!("{kind:<12} {:>9.1} {:>12.2} {:>12.2}   {}; {said}", open * 1e3, wall * 1e3, cpu * 1e3, peak()?);
    Ok(())
}

fn count(store: &SledStore, query: &Query) -> Outcome<String> {
    let mut found = 0u64;
    query.run(store, |_, _| {
        found += 1;
        ControlFlow::Continue(())
    })?;
    Ok(format!("{found} entries"))
}

/// The first proof of a prover, and those of one that has read the tiles it keeps, all of one million entries.
fn proofs(store: &SledStore, kind: &str, size: u64) -> Outcome<String> {
    let mut prover = Prover::new(store, size);
    let mut prove = |index| match kind {
        "inclusion" => prover.inclusion(index, size),
        _ => prover.consistency(index, size),
    };
    let clock = Clock::start();
    prove(size / 3)?;
    let [_, first] = clock.stop();
    let start = size / 2;
    let mut steady = f64::INFINITY;
    for _ in 0..4 {
        let clock = Clock::start();
        for i in 0..PROOFS {
            std::hint::black_box(prove(start + i.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (size / 12))?);
        }
        steady = steady.min(clock.stop()[1] / PROOFS as f64);
    }
    Ok(format!("the first takes {:.0} µs, warm {:.2} µs", first * 1e6, steady * 1e6))
}
