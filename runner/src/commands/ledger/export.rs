//! `runner ledger export` and `import`.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use phalanx_ledger::{
    Durability, Head, LedgerError, LedgerReader, SealedLedger, SledStore, StoreError,
    import as import_entries,
};

use super::output::Out;
use crate::commands::print;
use crate::error::RunnerError;
use crate::exit::Exit;
use crate::ledger::export::stix::{Epoch, Tlp, write_stix};
use crate::ledger::export::{jsonl, write_csv, write_parquet};
use crate::ledger::source;
use crate::record::hex;
use crate::terminal::Style;

/// Entries that are read from a sealed file at a time.
const AT_A_TIME: u64 = 4096;

/// A format of other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A JSON object a line, with the bytes of every entry; `import` reads it.
    Jsonl,
    /// A table with a header line.
    Csv,
    /// The same table as Parquet.
    Parquet,
    /// A STIX 2.1 bundle: identities, indicators, sightings, opinions.
    Stix,
}

/// Arguments of `ledger export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Output folder of one run, folder of a ledger, or sealed file
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Format to write
    #[arg(long, value_name = "FORMAT")]
    format: Format,
    /// File to write to, not yet there [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Of STIX: the time of tick 0, such as 2026-01-01 or 2026-01-01T00:00:00Z
    #[arg(long, value_name = "TIME", default_value = "2026-01-01", value_parser = Epoch::parse_start)]
    epoch: i64,
    /// Of STIX: seconds of a tick
    #[arg(long, value_name = "S", default_value = "60", value_parser = clap::value_parser!(u32).range(1..))]
    tick_seconds: u32,
    /// Of STIX: how far it may be passed on
    #[arg(long, value_name = "COLOUR", default_value = "green")]
    tlp: Tlp,
}

/// Arguments of `ledger import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Sealed file, or what `ledger export --format jsonl` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Folder for the ledger, absent or empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn export(args: &ExportArgs) -> Result<Exit, RunnerError> {
    let out = Out::open(args.output.as_deref())?;
    let reader = source::open(&args.dir)?;
    let (reader, path) = (&*reader, args.dir.as_path());
    out.write(|out| match args.format {
        Format::Jsonl => jsonl::write_jsonl(reader, path, out),
        Format::Csv => write_csv(reader, path, out),
        Format::Parquet => write_parquet(reader, path, out),
        Format::Stix => {
            let epoch = Epoch { start_s: args.epoch, tick_s: args.tick_seconds };
            write_stix(reader, path, epoch, args.tlp, out)
        }
    })?;
    Ok(Exit::Ok)
}

pub(super) fn import(args: &ImportArgs) -> Result<Exit, RunnerError> {
    refuse_taken(&args.out)?;
    // Beside its name until it is complete, so that a failure or a kill leaves nothing that looks like a ledger.
    let beside = Beside::begin(&args.out);
    let is_sealed = SealedLedger::is_sealed(&args.file);
    let head = if is_sealed { import_sealed(args, &beside.0)? } else { import_lines(args, &beside.0)? };
    beside.finish(&args.out)?;
    let style = Style::of_stdout();
    print(&format!(
        "{}  {}\n    {} entries, head of tick {}\n    root {}\n",
        style.good("ok"),
        args.out.display(),
        head.size,
        head.tick,
        hex(&head.root)
    ))?;
    Ok(Exit::Ok)
}

/// The folder that is imported to until it gets its name; removed if it gets none.
struct Beside(PathBuf);

impl Beside {
    fn begin(out: &Path) -> Self {
        // `a/..` has no name; its own errors follow when it is made.
        let mut name = out.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.tmp", std::process::id()));
        Self(out.with_file_name(name))
    }

    fn finish(self, out: &Path) -> Result<(), RunnerError> {
        // An empty folder gives way, one that somebody else has filled meanwhile does not.
        refuse_taken(out)?;
        fs::rename(&self.0, out).map_err(RunnerError::io("rename to", out))?;
        let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        File::open(parent).and_then(|folder| folder.sync_all()).map_err(RunnerError::io("sync", parent))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // After a rename there is nothing left to remove.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Refuses a path that holds something.
fn refuse_taken(out: &Path) -> Result<(), RunnerError> {
    match fs::read_dir(out).map(|mut entries| entries.next().is_some()) {
        Ok(true) => Err(RunnerError::FolderTaken { folder: out.to_owned() }),
        Ok(false) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Err(RunnerError::FolderIsFile { folder: out.to_owned() })
        }
        Err(error) => Err(RunnerError::io("read the folder", out)(error)),
    }
}

fn create(folder: &Path) -> Result<SledStore, RunnerError> {
    SledStore::create(folder, Durability::Group { ticks: 64 }).map_err(|error| match error {
        StoreError::NotEmpty { path } => RunnerError::FolderTaken { folder: path },
        error => RunnerError::ReadLedger(Box::new(error.into())),
    })
}

fn import_sealed(args: &ImportArgs, folder: &Path) -> Result<Head, RunnerError> {
    let failed = |error: LedgerError| source::of_path(error, &args.file);
    let sealed = SealedLedger::open(&args.file).map_err(|error| failed(error.into()))?;
    let (head, _) = crate::ledger::head_file::of_ledger(&sealed, &args.file)?;
    let mut store = create(folder)?;
    let mut next = 0;
    let chunks = std::iter::from_fn(|| {
        let mut entries = Vec::new();
        let scanned = sealed.scan(next..next + AT_A_TIME, &mut |record| {
            entries.push(Ok(record.bytes.to_vec()));
            ControlFlow::Continue(())
        });
        next += AT_A_TIME;
        entries.extend(scanned.err().map(|error| Err(LedgerError::from(error))));
        (!entries.is_empty()).then_some(entries)
    });
    import_entries(&mut store, &head, chunks.flatten()).map_err(failed)?;
    Ok(head)
}

fn import_lines(args: &ImportArgs, folder: &Path) -> Result<Head, RunnerError> {
    let file = File::open(&args.file).map_err(RunnerError::io("open", &args.file))?;
    let mut lines = BufReader::new(file);
    let head = jsonl::read_head(&mut lines, &args.file)?;
    let mut store = create(folder)?;
    let mut trouble = None;
    let imported = import_entries(&mut store, &head, jsonl::read_entries(&mut lines, &mut trouble));
    match (imported, trouble) {
        (_, Some(reason)) => Err(RunnerError::LedgerFile { what: "export", path: args.file.clone(), reason }),
        (imported, None) => {
            imported.map_err(|error| source::of_path(error, &args.file))?;
            Ok(head)
        }
    }
}
