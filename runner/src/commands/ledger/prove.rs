//! `runner ledger head`, `prove` and `verify-proof`.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;
use phalanx_ledger::{LedgerError, Prover};
use serde_json::json;

use super::output::Out;
use crate::commands::print;
use crate::error::RunnerError;
use crate::exit::Exit;
use crate::ledger::head_file::{self, HeadJson};
use crate::ledger::proof_file::{Proof, Shown};
use crate::ledger::{json as text, source};
use crate::record::hex;
use crate::terminal::{Style, complain};

/// Arguments of `ledger head`.
#[derive(Debug, Args)]
pub struct HeadArgs {
    /// Output folder of one run, folder of a ledger, or sealed file
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// File to write it to, not yet there [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Arguments of `ledger prove`.
#[derive(Debug, Args)]
pub struct ProveArgs {
    /// Output folder of one run, folder of a ledger, or sealed file
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Number of the entry whose presence is to be proven, from 0
    #[arg(value_name = "N", required_unless_present = "consistency")]
    index: Option<u64>,
    /// Prove instead that the first M entries are the beginning of the first N
    #[arg(long, num_args = 2, value_names = ["M", "N"], conflicts_with = "index")]
    consistency: Option<Vec<u64>>,
    /// Prove it of the first SIZE entries, the size of a head that somebody holds [default: all]
    #[arg(long, value_name = "SIZE", conflicts_with = "consistency")]
    size: Option<u64>,
    /// File to write it to, not yet there [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Arguments of `ledger verify-proof`.
#[derive(Debug, Args)]
pub struct VerifyProofArgs {
    /// File with a proof, `-` for standard input
    #[arg(value_name = "FILE")]
    proof: PathBuf,
    /// The head that you hold: a file `head` of a finished ledger, or what `ledger head` printed
    #[arg(long, value_name = "FILE")]
    head: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn head(args: &HeadArgs) -> Result<Exit, RunnerError> {
    let out = Out::open(args.output.as_deref())?;
    let reader = source::open(&args.dir)?;
    let (head, key) = head_file::of_ledger(&*reader, &args.dir)?;
    write_json(out, &HeadJson::new(&head, key))
}

fn write_json(out: Out, document: &impl serde::Serialize) -> Result<Exit, RunnerError> {
    let line = serde_json::to_string(document).expect("proofs and heads are plain data");
    out.write(|out| writeln!(out, "{line}").map_err(RunnerError::io("write", "the output".as_ref())))?;
    Ok(Exit::Ok)
}

pub(super) fn prove(args: &ProveArgs) -> Result<Exit, RunnerError> {
    let out = Out::open(args.output.as_deref())?;
    let reader = source::open(&args.dir)?;
    let (head, key) = head_file::of_ledger(&*reader, &args.dir)?;
    let of_path = |error: LedgerError| source::of_path(error, &args.dir);
    let mut prover = Prover::new(&*reader, head.size);
    let hashes = |path: Vec<[u8; 32]>| path.iter().map(|hash| hex(hash)).collect();
    let head = HeadJson::new(&head, key);
    let proof = if let Some(sizes) = &args.consistency {
        let (old_size, size) = (sizes[0], sizes[1]);
        if old_size == 0 {
            return Err(of_path(LedgerError::NoSuchSize { size: old_size, of: size }));
        }
        let path = hashes(prover.consistency(old_size, size).map_err(of_path)?);
        let old_root = hex(&prover.root(old_size).map_err(of_path)?);
        Proof::Consistency { old_size, size, old_root, path, head }
    } else {
        let (index, size) = (args.index.unwrap_or_default(), args.size.unwrap_or(head.size));
        let path = hashes(prover.inclusion(index, size).map_err(of_path)?);
        let entry = reader.get(index).map_err(|error| of_path(error.into()))?.unwrap_or_default();
        Proof::Inclusion { index, size, entry: hex(&entry), path, head }
    };
    write_json(out, &proof)
}

pub(super) fn verify_proof(args: &VerifyProofArgs) -> Result<Exit, RunnerError> {
    let bad = |reason: String| RunnerError::LedgerFile { what: "proof", path: args.proof.clone(), reason };
    let bytes = if args.proof == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes).map_err(RunnerError::io("read", &args.proof))?;
        bytes
    } else {
        fs::read(&args.proof).map_err(RunnerError::io("read the proof in", &args.proof))?
    };
    let proof: Proof = serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
    let (head, key) = match &args.head {
        Some(path) => head_file::read(path)?,
        None => proof.head().parse().map_err(bad)?,
    };
    let style = Style::of_stdout();
    match proof.check(&head, key.as_ref()) {
        Ok(shown) => {
            let (what, detail) = match &shown {
                Shown::Entry(index, entry) => (
                    format!("entry {index} is in the ledger of {} entries", head.size),
                    format!("{}  {}", entry.label(), text::summary(entry)),
                ),
                Shown::Prefix(size, root) => (
                    format!("the first {size} entries are the beginning of the {} entries", head.size),
                    format!("root {}", hex(root)),
                ),
            };
            if args.json {
                let held = args.head.is_some();
                let document = match &shown {
                    Shown::Entry(index, entry) => {
                        json!({ "holds": true, "head_was_held": held, "entry": text::entry(*index, entry) })
                    }
                    Shown::Prefix(size, root) => {
                        json!({ "holds": true, "head_was_held": held, "old_size": size, "old_root": hex(root) })
                    }
                };
                print(&format!("{document}\n"))?;
            } else {
                print(&format!(
                    "{}  {what}\n    {detail}\n    root {}\n",
                    style.good("ok"),
                    hex(&head.root)
                ))?;
            }
            if args.head.is_none() {
                complain(
                    "note: checked against the head that came with the proof; give the one that you hold by --head\n",
                );
            }
            Ok(Exit::Ok)
        }
        Err(error) if error.is_bad_input() => Err(bad(error.to_string())),
        Err(error) => {
            if args.json {
                print(&format!("{}\n", json!({ "holds": false, "finding": error.to_string() })))?;
            }
            complain(&format!("FAILED  {}\n  {error}\n", args.proof.display()));
            Ok(Exit::Mismatch)
        }
    }
}
