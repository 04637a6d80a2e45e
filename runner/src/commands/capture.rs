//! `runner capture inspect|convert`.

mod parquet;
mod report;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use clap::{Args, Subcommand, ValueEnum};
use phalanx_capture::{
    CaptureError, CaptureMap, ConvertError, EveEvents, FileProblem, Format, InspectOptions, Lenience,
    ReadOptions, Tally,
};

use super::print;
use crate::error::RunnerError;
use crate::exit::Exit;
use crate::report::count;
use crate::run::INTERRUPTED;
use crate::terminal::{Style, complain};
use report::{dropped, report, shown};

/// Bytes that are written at a time.
const BUFFER_BYTES: usize = 64 << 10;

/// Files of traffic.
#[derive(Debug, Subcommand)]
pub enum CaptureCommand {
    /// What is in a file: rows, time, labels, talkers, ranges, and what would be dropped
    Inspect(InspectArgs),
    /// Write a file in another format, whole or not at all (to standard output: up to the first error)
    Convert(ConvertArgs),
}

/// Arguments of `capture inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    #[command(flatten)]
    input: InputArgs,
    /// Print one JSON document instead of a report
    #[arg(long)]
    json: bool,
}

/// Arguments of `capture convert`.
#[derive(Debug, Args)]
pub struct ConvertArgs {
    #[command(flatten)]
    input: InputArgs,
    /// Format to write
    #[arg(long, value_name = "FORMAT")]
    to: Target,
    /// File to write, which must not exist; it appears when it is complete [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Which file, and how to read it.
#[derive(Debug, Args)]
struct InputArgs {
    /// Zeek, EVE, binetflow, NetFlow, IPFIX, pcap, npz, or CSV with --map; perhaps packed (gzip, zstd)
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Read as CSV with these columns: nsl_kdd, unsw_nb15, … or a map file
    #[arg(long, value_name = "NAME|FILE.ron", conflicts_with = "format")]
    map: Option<String>,
    /// Format of the file [default: by its first bytes]
    #[arg(long, value_name = "NAME")]
    format: Option<FormatName>,
    /// Skip and count up to so many records that cannot be read
    #[arg(long, value_name = "N")]
    lenient: Option<u64>,
    /// Read Zeek logs other than conn too, as far as their records go
    #[arg(long, conflicts_with = "map")]
    any_zeek_log: bool,
    /// NetFlow and IPFIX: the exporter watches both directions, so one that it does not report was silent
    #[arg(long, conflicts_with = "map")]
    both_ways: bool,
    /// EVE: which events are flows; a flow that hit a rule has both
    #[arg(long, value_name = "EVENTS", default_value = "flows", conflicts_with = "map")]
    eve: EveName,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum EveName {
    Flows,
    Alerts,
    Both,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatName {
    ZeekTsv,
    ZeekJson,
    Eve,
    Binetflow,
    /// NetFlow v5, v9 or IPFIX, as messages or as packets to a collector
    Netflow,
    Pcap,
    Npz,
}

/// What can be written.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Target {
    /// A table with a header line.
    Csv,
    /// The same table as Parquet, with timestamps and nulls.
    Parquet,
}

impl Target {
    fn write(
        self,
        file: &Path,
        options: &InspectOptions,
        writer: impl Write + Send,
    ) -> Result<Tally, ConvertError> {
        match self {
            Self::Csv => phalanx_capture::convert(file, options, writer),
            Self::Parquet => parquet::convert(file, options, writer),
        }
    }
}

/// Runs the command. `quiet` leaves out what `convert` says on standard error.
///
/// # Errors
/// If the file or its map cannot be used, or the output exists or cannot be written.
pub fn capture(command: &CaptureCommand, quiet: bool) -> Result<Exit, RunnerError> {
    match command {
        CaptureCommand::Inspect(args) => inspect(args),
        CaptureCommand::Convert(args) => convert(args, quiet),
    }
}

fn inspect(args: &InspectArgs) -> Result<Exit, RunnerError> {
    let found = phalanx_capture::inspect(&args.input.file, &args.input.options()?)?;
    if args.json {
        let text = serde_json::to_string(&found).expect("an inspection is plain data");
        print(&(text + "\n"))?;
    } else {
        print(&report(&args.input.file, &found, Style::of_stdout()))?;
    }
    Ok(Exit::Ok)
}

fn convert(args: &ConvertArgs, quiet: bool) -> Result<Exit, RunnerError> {
    let options = args.input.options()?;
    let file = &args.input.file;
    let (tally, place) = match &args.output {
        Some(path) => {
            let mut output = NewFile::begin(path)?;
            let converted = args.to.write(file, &options, &mut output.writer);
            let Some(tally) = finished(converted, path)? else { return Ok(Exit::Interrupted) };
            output.finish()?;
            (tally, path.display().to_string())
        }
        None => {
            let mut writer = BufWriter::with_capacity(BUFFER_BYTES, Interruptible(io::stdout()));
            let converted = args.to.write(file, &options, &mut writer);
            // What is still held back after an error stays back: a file that is no capture yields no lone header.
            drop(writer.into_parts());
            // A reader that has gone away (`| head`) has had enough.
            if matches!(&converted, Err(ConvertError::Write(e)) if e.kind() == io::ErrorKind::BrokenPipe) {
                return Ok(Exit::Ok);
            }
            let place = "standard output".to_owned();
            let Some(tally) = finished(converted, place.as_ref())? else { return Ok(Exit::Interrupted) };
            (tally, place)
        }
    };
    let dropped = dropped(&tally, 0, 0, Style::plain());
    if !quiet && (args.output.is_some() || !dropped.is_empty()) {
        complain(&format!("{} rows to {}\n{dropped}", count(tally.records), shown(&place)));
    }
    Ok(Exit::Ok)
}

/// The tally of a conversion, `None` if it was interrupted.
fn finished(converted: Result<Tally, ConvertError>, path: &Path) -> Result<Option<Tally>, RunnerError> {
    match converted {
        Ok(tally) => Ok(Some(tally)),
        Err(ConvertError::Capture(error)) => Err(error.into()),
        Err(ConvertError::Write(_)) if INTERRUPTED.load(Ordering::Relaxed) => Ok(None),
        Err(ConvertError::Write(error)) => Err(RunnerError::io("write to", path)(error)),
    }
}

impl InputArgs {
    fn options(&self) -> Result<InspectOptions, RunnerError> {
        let read = ReadOptions {
            format: self.format.map(FormatName::format),
            lenience: self.lenient.map_or(Lenience::Strict, Lenience::SkipUpTo),
            any_zeek_log: self.any_zeek_log,
            exports_both_ways: self.both_ways,
            eve_events: match self.eve {
                EveName::Flows => EveEvents::Flows,
                EveName::Alerts => EveEvents::Alerts,
                EveName::Both => EveEvents::Both,
            },
            ..ReadOptions::default()
        };
        let map = self.map.as_deref().map(named_map).transpose()?;
        Ok(InspectOptions { read, map })
    }
}

fn named_map(name: &str) -> Result<CaptureMap, RunnerError> {
    if let Some(map) = CaptureMap::builtin(name) {
        return Ok(map);
    }
    let file = PathBuf::from(name);
    match fs::read_to_string(&file) {
        Ok(text) => CaptureMap::from_ron(&text).map_err(|problem| RunnerError::MapFile { file, problem }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(RunnerError::NoMap { name: name.to_owned(), known: CaptureMap::builtin_names() })
        }
        Err(error) => Err(CaptureError::File { file, problem: FileProblem::Io(error) }.into()),
    }
}

impl FormatName {
    fn format(self) -> Format {
        match self {
            Self::ZeekTsv => Format::ZeekTsv,
            Self::ZeekJson => Format::ZeekJson,
            Self::Eve => Format::Eve,
            Self::Binetflow => Format::Binetflow,
            Self::Netflow => Format::Netflow,
            Self::Pcap => Format::Pcap,
            Self::Npz => Format::Npz,
        }
    }
}

/// Fails once Ctrl-C was pressed, so that a conversion ends and tidies up.
struct Interruptible<W>(W);

impl<W: Write> Write for Interruptible<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if INTERRUPTED.load(Ordering::Relaxed) {
            return Err(io::Error::other("interrupted"));
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A file that did not exist before, written beside its name until it is complete. What is not finished is removed.
struct NewFile<'a> {
    writer: BufWriter<Interruptible<File>>,
    beside: PathBuf,
    path: &'a Path,
}

impl<'a> NewFile<'a> {
    fn begin(path: &'a Path) -> Result<Self, RunnerError> {
        refuse_existing(path)?;
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.tmp", std::process::id()));
        let beside = path.with_file_name(name);
        let file = File::create_new(&beside).map_err(RunnerError::io("write", &beside))?;
        Ok(Self { writer: BufWriter::with_capacity(BUFFER_BYTES, Interruptible(file)), beside, path })
    }

    /// The conversion has flushed the writer.
    fn finish(self) -> Result<(), RunnerError> {
        // Somebody else may have been faster.
        refuse_existing(self.path)?;
        fs::rename(&self.beside, self.path).map_err(RunnerError::io("rename to", self.path))
    }
}

impl Drop for NewFile<'_> {
    fn drop(&mut self) {
        // After a rename there is nothing left to remove.
        let _ = fs::remove_file(&self.beside);
    }
}

/// A link that leads nowhere is something, too.
fn refuse_existing(path: &Path) -> Result<(), RunnerError> {
    match path.symlink_metadata() {
        Ok(_) => Err(RunnerError::OutputTaken { path: path.to_owned() }),
        Err(_) => Ok(()),
    }
}
