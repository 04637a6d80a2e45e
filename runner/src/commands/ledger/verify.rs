//! `runner ledger verify`.

use std::path::{Path, PathBuf};

use clap::Args;
use phalanx_ledger::{
    Gossip, Head, LedgerError, StoreError, VerifyFailure, VerifyReport, compare_heads, verify as verify_all,
    verify_held,
};
use serde_json::{Value, json};

use crate::commands::print;
use crate::error::{RunnerError, chain};
use crate::exit::Exit;
use crate::ledger::head_file;
use crate::ledger::source::{ledgers, of_path, open, open_one};
use crate::record::hex;
use crate::terminal::{Style, complain};

/// Arguments of `ledger verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// An output folder (all its ledgers), the folder of one ledger, or a sealed file
    #[arg(value_name = "DIR", required_unless_present = "gossip")]
    dir: Option<PathBuf>,
    /// A head that you hold: the ledger has to have grown out of it
    #[arg(long, value_name = "FILE")]
    head: Option<PathBuf>,
    /// Compare two heads of one ledger; with DIR, both have to be heads of it
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with = "head")]
    gossip: Option<Vec<PathBuf>>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn verify(args: &VerifyArgs) -> Result<Exit, RunnerError> {
    if let Some(heads) = &args.gossip {
        return gossip(args, &heads[0], &heads[1]);
    }
    let dir = args.dir.as_deref().unwrap_or(Path::new("."));
    let held = args.head.as_deref().map(head_file::read).transpose()?.map(|(head, _)| head);
    let folders = ledgers(dir)?;
    if let (Some(_), [first, _, ..]) = (&held, folders.as_slice()) {
        let (path, first) = (dir.to_owned(), first.clone());
        return Err(RunnerError::ManyLedgers { path, count: folders.len(), first });
    }
    let (mut exit, mut documents) = (Exit::Ok, Vec::new());
    for folder in folders {
        match check(&folder, held.as_slice()) {
            Ok(report) if args.json => documents.push(document(&folder, &report)),
            Ok(report) => print(&describe(&folder, &report))?,
            Err(error) if error.is_mismatch() => {
                exit = Exit::Mismatch;
                if args.json {
                    documents.push(finding(&folder, &error));
                } else {
                    complain(&format!("FAILED  {}\n  {}\n", folder.display(), chain(&error)));
                }
            }
            Err(error) => return Err(of_path(error, &folder)),
        }
    }
    if args.json {
        print(&format!("{}\n", json!({ "ledgers": documents })))?;
    }
    Ok(exit)
}

/// Verifies one ledger against its own head and those that somebody holds.
fn check(path: &Path, held: &[Head]) -> Result<VerifyReport, LedgerError> {
    let reader = open_one(path)?;
    match held {
        [] => verify_all(&*reader),
        [first, rest @ ..] => {
            let report = verify_held(&*reader, first)?;
            rest.iter().try_for_each(|head| verify_held(&*reader, head).map(drop))?;
            Ok(report)
        }
    }
}

fn describe(folder: &Path, report: &VerifyReport) -> String {
    let head = &report.head;
    let key = if report.key_from_seed { "" } else { ", by a key that is not the seed's" };
    let counts: Vec<String> = report.counts.iter().map(|(label, count)| format!("{label} {count}")).collect();
    let mut text = format!(
        "{}  {}\n    {} entries, head of tick {}, signature ok{key}\n    {}\n",
        Style::of_stdout().good("ok"),
        folder.display(),
        head.size,
        head.tick,
        counts.join(", "),
    );
    if report.statements > 0 {
        text += &format!("    {} signatures of agents ok\n", report.statements);
    }
    if !report.compared.is_empty() {
        let sizes: Vec<String> = report.compared.iter().map(u64::to_string).collect();
        text += &format!("    agrees with the kept head of {} entries\n", sizes.join(" and "));
    }
    text + &format!("    root {}\n", hex(&head.root))
}

fn document(folder: &Path, report: &VerifyReport) -> Value {
    let head = &report.head;
    json!({
        "path": folder,
        "status": "ok",
        "size": head.size,
        "tick": head.tick.0,
        "root": hex(&head.root),
        "signature": hex(&head.signature),
        "key_from_seed": report.key_from_seed,
        "seed": report.seed,
        "scenario_digest": hex(&report.scenario_digest),
        "engine_version": report.engine_version,
        "counts": report.counts,
        "statements": report.statements,
        "compared": report.compared,
        "entry_bytes": report.entry_bytes,
    })
}

fn finding(folder: &Path, error: &LedgerError) -> Value {
    let index = match error {
        LedgerError::Mismatch(failure) => failure.index(),
        LedgerError::Store(StoreError::Part { index, .. }) => Some(*index),
        _ => None,
    };
    json!({ "path": folder, "status": "failed", "finding": chain(error), "index": index })
}

fn gossip(args: &VerifyArgs, a: &Path, b: &Path) -> Result<Exit, RunnerError> {
    let ((head_a, key_a), (head_b, key_b)) = (head_file::read(a)?, head_file::read(b)?);
    let of_dir = match &args.dir {
        Some(dir) => head_file::of_ledger(&*open(dir)?, dir)?.1,
        None => None,
    };
    let bad = |path: &Path, reason: &str| RunnerError::LedgerFile {
        what: "head",
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let key = of_dir.or(key_a).or(key_b).ok_or_else(|| {
        bad(a, "it does not name its key, and neither does the other; name the ledger's folder too, or use heads that `ledger head` printed")
    })?;
    if key_a.zip(key_b).is_some_and(|(a, b)| a != b) {
        return Err(bad(b, "it is of another key than the first, so they are of two ledgers"));
    }
    let said = compare_heads(&head_a, &head_b, &key);
    let (exit, status, text) = match (&said, &args.dir) {
        (Err(VerifyFailure::HeldSignature { held }), _) => (
            Exit::Mismatch,
            "unsigned",
            format!("the head of {held} entries is not signed by the key; it is forged or of another ledger"),
        ),
        (Err(failure), _) => (Exit::Mismatch, "failed", failure.to_string()),
        (Ok(Gossip::Equivocation), _) => (
            Exit::Mismatch,
            "equivocation",
            format!(
                "one key signed two heads of {} entries with different roots: its holder keeps two ledgers, and the two \
                 heads are the proof\n  {}\n  {}",
                head_a.size,
                hex(&head_a.root),
                hex(&head_b.root)
            ),
        ),
        (Ok(_), Some(dir)) => match check(&one(dir)?, &[head_a, head_b]) {
            Ok(_) => (Exit::Ok, "consistent", "both are heads of the ledger".to_owned()),
            Err(error) if error.is_mismatch() => (Exit::Mismatch, "inconsistent", chain(&error)),
            Err(error) => return Err(of_path(error, dir)),
        },
        (Ok(Gossip::Same), None) => {
            (Exit::Ok, "same", format!("both are of the same {} entries", head_a.size))
        }
        (Ok(Gossip::Grown), None) => (
            Exit::Ok,
            "undetermined",
            format!(
                "they are of {} and {} entries and both signed; whether one grew out of the other only the ledger tells: \
                 name its folder too",
                head_a.size, head_b.size
            ),
        ),
    };
    if args.json {
        print(&format!(
            "{}\n",
            json!({ "gossip": status, "finding": text, "sizes": [head_a.size, head_b.size] })
        ))?;
    } else if exit == Exit::Ok {
        let word = if status == "undetermined" { "open" } else { "ok" };
        print(&format!("{}  {text}\n", Style::of_stdout().good(word)))?;
    } else {
        complain(&format!("FAILED  {text}\n"));
    }
    Ok(exit)
}

/// The one ledger in a folder.
fn one(dir: &Path) -> Result<PathBuf, RunnerError> {
    let found = ledgers(dir)?;
    match found.as_slice() {
        [one] => Ok(one.clone()),
        _ => Err(RunnerError::ManyLedgers {
            path: dir.to_owned(),
            count: found.len(),
            first: found[0].clone(),
        }),
    }
}
