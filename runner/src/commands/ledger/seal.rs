//! `runner ledger seal` and `witness`.

use std::path::PathBuf;

use clap::Args;
use phalanx_ledger::{seal as seal_ledger, witness as look};
use serde_json::json;

use crate::commands::print;
use crate::error::{RunnerError, chain};
use crate::exit::Exit;
use crate::ledger::head_file::{self, HeadJson};
use crate::ledger::source;
use crate::output::write_whole;
use crate::record::hex;
use crate::terminal::{Style, complain};

/// Arguments of `ledger seal`.
#[derive(Debug, Args)]
pub struct SealArgs {
    /// Output folder of one run, or folder of a ledger
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Folder to write the file to
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    out: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Arguments of `ledger witness`.
#[derive(Debug, Args)]
pub struct WitnessArgs {
    /// Output folder of one run, folder of a ledger, or sealed file
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// File with the head that was seen last; it is made at the first look, keep it away from the ledger
    #[arg(long, value_name = "FILE")]
    state: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn seal(args: &SealArgs) -> Result<Exit, RunnerError> {
    let reader = source::open(&args.dir)?;
    let sealed = match seal_ledger(&*reader, &args.out) {
        Err(error) if error.is_mismatch() => {
            complain(&format!("FAILED  {}\n  {}\n", args.dir.display(), chain(&error)));
            return Ok(Exit::Mismatch);
        }
        sealed => sealed.map_err(|error| source::of_path(error, &args.dir))?,
    };
    if args.json {
        print(&format!(
            "{}\n",
            json!({
                "path": sealed.path, "sha256": hex(&sealed.sha256), "bytes": sealed.bytes,
                "size": sealed.head.size, "root": hex(&sealed.head.root),
            })
        ))?;
    } else {
        print(&format!(
            "{}  {}\n    {} entries, {} bytes\n    root {}\n",
            Style::of_stdout().good("sealed"),
            sealed.path.display(),
            sealed.head.size,
            sealed.bytes,
            hex(&sealed.head.root)
        ))?;
    }
    Ok(Exit::Ok)
}

pub(super) fn witness(args: &WitnessArgs) -> Result<Exit, RunnerError> {
    let reader = source::open(&args.dir)?;
    let (_, own_key) = head_file::of_ledger(&*reader, &args.dir)?;
    let last = if args.state.exists() { Some(head_file::read(&args.state)?) } else { None };
    // The key is that of the first look: a ledger with another key is another ledger.
    let key = last.and_then(|(_, key)| key).or(own_key);
    let key = key.ok_or_else(|| RunnerError::NoLedger { path: args.dir.clone() })?;
    let new = match look(&*reader, last.as_ref().map(|(head, _)| head), &key) {
        Err(error) if error.is_mismatch() => {
            if args.json {
                print(&format!("{}\n", json!({ "accepted": false, "finding": chain(&error) })))?;
            }
            complain(&format!(
                "REFUSED  {}\n  {}\n  {} keeps the head that was seen before\n",
                args.dir.display(),
                chain(&error),
                args.state.display()
            ));
            return Ok(Exit::Mismatch);
        }
        new => new.map_err(|error| source::of_path(error, &args.dir))?,
    };
    let state = serde_json::to_string(&HeadJson::new(&new, Some(key))).expect("a head is plain data");
    write_whole(&args.state, &(state + "\n"))?;
    let seen = last.map(|(head, _)| head.size);
    if args.json {
        print(&format!(
            "{}\n",
            json!({ "accepted": true, "size": new.size, "root": hex(&new.root), "seen_before": seen })
        ))?;
    } else {
        let before =
            seen.map_or("first look".to_owned(), |size| format!("grew out of the {size} seen before"));
        print(&format!(
            "{}  {}\n    {} entries, {before}\n    root {}\n",
            Style::of_stdout().good("seen"),
            args.dir.display(),
            new.size,
            hex(&new.root)
        ))?;
    }
    Ok(Exit::Ok)
}
