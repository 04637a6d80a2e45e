//! `runner plugin`: begin, pack, check, look into and pin plugins.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use phalanx_plugin_host::{CheckOptions, CheckReport, Config, NanMode, Plugin, Value, check, inspect};
use sha2::{Digest, Sha256};

use super::print;
use crate::error::RunnerError;
use crate::exit::Exit;
use crate::plugins::{PluginProblem, cache, engine, read, tell_of_cache};
use crate::record::hex;
use crate::{pin, template};

/// What can be done with plugins.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Begin a plugin: a folder with a small detector that builds
    New(NewArgs),
    /// Make a plugin of a core WebAssembly module (.wasm, or .wat)
    Pack(PackArgs),
    /// Check whether a plugin keeps the promises of the contract; exit code 4 if not, 2 for a file that is no component
    Check(CheckArgs),
    /// Show what a plugin exports and imports, its contract version, size and hash
    Inspect(FileArgs),
    /// Write the hashes of a scenario's plugins into the scenario
    Pin(PinArgs),
}

/// Arguments of `plugin new`.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// Name of the plugin and of its folder: letters, digits, - and _
    name: String,
    /// Language to write it in
    #[arg(long, value_name = "LANGUAGE")]
    lang: Language,
}

/// Languages that there is a template for.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Language {
    /// Rust, with wit-bindgen.
    Rust,
    /// C, with one header.
    C,
    /// AssemblyScript.
    Assemblyscript,
    /// Python, as a component of 18 MB.
    Python,
}

/// Arguments of `plugin pack`.
#[derive(Debug, Args)]
pub struct PackArgs {
    /// The core module
    file: PathBuf,
    /// Where to write the plugin [default: beside the module, without `.core`]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Arguments of `plugin check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The plugin
    file: PathBuf,
    /// A setting of the plugin, as in a scenario's `config`
    #[arg(long, value_name = "NAME=VALUE")]
    config: Vec<String>,
    /// Names of the features that it is given [default: eight, column0 to column7]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    columns: Vec<String>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// A plugin.
#[derive(Debug, Args)]
pub struct FileArgs {
    /// The plugin
    file: PathBuf,
}

/// Arguments of `plugin pin`.
#[derive(Debug, Args)]
pub struct PinArgs {
    /// The scenario
    file: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// If a file cannot be read or written, or is not what it has to be.
pub fn plugin(command: &PluginCommand) -> Result<Exit, RunnerError> {
    let outcome = match command {
        PluginCommand::New(args) => new(args),
        PluginCommand::Pack(args) => pack(args),
        PluginCommand::Check(args) => check_file(args),
        PluginCommand::Inspect(args) => inspect_file(&args.file),
        PluginCommand::Pin(args) => {
            print(&pin::pin(&args.file)?)?;
            Ok(Exit::Ok)
        }
    };
    tell_of_cache();
    outcome
}

fn new(args: &NewArgs) -> Result<Exit, RunnerError> {
    let usable = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !args.name.starts_with(|c: char| c.is_ascii_alphabetic()) || !args.name.chars().all(usable) {
        return Err(RunnerError::PluginName { name: args.name.clone() });
    }
    let folder = PathBuf::from(&args.name);
    if folder.exists() {
        return Err(RunnerError::PluginTaken { path: folder });
    }
    let files = match args.lang {
        Language::Rust => template::RUST,
        Language::C => template::C,
        Language::Assemblyscript => template::ASSEMBLYSCRIPT,
        Language::Python => template::PYTHON,
    };
    template::write(&folder, &args.name, files)?;
    print(&format!("{0} is there; {0}/README.md says how to build and check it\n", folder.display()))?;
    Ok(Exit::Ok)
}

fn pack(args: &PackArgs) -> Result<Exit, RunnerError> {
    let file = &args.file;
    let bytes = read(file).map_err(refuse(file))?;
    let packed = match bytes.starts_with(b"\0asm") {
        true => phalanx_plugin_pack::pack(&bytes),
        false => phalanx_plugin_pack::pack_text(&String::from_utf8_lossy(&bytes)),
    };
    let packed = packed.map_err(|problem| RunnerError::Pack { file: file.clone(), problem })?;
    let output = args.output.clone().unwrap_or_else(|| {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let name =
            stem.strip_suffix(".core").map_or_else(|| format!("{stem}.plugin.wasm"), |s| format!("{s}.wasm"));
        file.with_file_name(name)
    });
    // Whoever packs wants to know at once if it will not load.
    let plugin = Plugin::load(&engine(NanMode::Canonical), &packed, None, Default::default())
        .map_err(|problem| refuse(file)(problem.into()))?;
    fs::write(&output, &packed).map_err(RunnerError::io("write", &output))?;
    let about = plugin.about();
    print(&format!(
        "{}: {} {}, {} bytes\nsha256 {}\n",
        output.display(),
        about.name,
        about.version,
        about.bytes,
        hex(&about.sha256)
    ))?;
    Ok(Exit::Ok)
}

/// Beyond this size, an interpreter's, compiling is worth a word.
const SLOW_BYTES: usize = 4 << 20;

fn check_file(args: &CheckArgs) -> Result<Exit, RunnerError> {
    let bytes = read(&args.file).map_err(refuse(&args.file))?;
    let mut options =
        CheckOptions { config: settings(&args.config)?, cache: cache(), ..CheckOptions::default() };
    if !args.columns.is_empty() {
        options.columns.clone_from(&args.columns);
    }
    if bytes.len() > SLOW_BYTES {
        let mib = bytes.len() >> 20;
        tracing::warn!(
            "{}: {mib} MiB of code are compiled four ways, which takes a minute unless --plugin-cache has them",
            args.file.display()
        );
    }
    let report = check(&bytes, &options).map_err(|problem| refuse(&args.file)(problem.into()))?;
    print(&if args.json { json(&report) } else { text(&args.file, &report) })?;
    Ok(if report.passed() { Exit::Ok } else { Exit::Mismatch })
}

/// `name=value` with a value that is a number, true, false, or else a text.
fn settings(given: &[String]) -> Result<Config, RunnerError> {
    let setting = |text: &String| {
        let (name, value) =
            text.split_once('=').ok_or_else(|| RunnerError::PluginSetting { text: text.clone() })?;
        let value = match (value.parse::<bool>(), value.parse::<f64>()) {
            (Ok(flag), _) => Value::Flag(flag),
            (_, Ok(number)) if number.is_finite() => Value::Number(number),
            _ => Value::Text(value.to_owned()),
        };
        Ok((name.to_owned(), value))
    };
    given.iter().map(setting).collect()
}

fn text(file: &Path, report: &CheckReport) -> String {
    let mut out = String::new();
    for finding in &report.findings {
        match &finding.broken {
            None => out += &format!("  ok      {}\n", finding.promise),
            Some(broken) => out += &format!("  BROKEN  {}\n          {broken}\n", finding.promise),
        }
    }
    out.push('\n');
    for (what, figure) in &report.figures {
        out += &format!("  {what:<24}{figure:>16}\n");
    }
    let broken = report.findings.iter().filter(|finding| finding.broken.is_some()).count();
    let verdict = match broken {
        0 => format!("keeps all {} promises", report.findings.len()),
        _ => format!("breaks {broken} of {} promises", report.findings.len()),
    };
    out + &format!("\n{} {verdict}\n", file.display())
}

fn json(report: &CheckReport) -> String {
    let findings: Vec<_> = report
        .findings
        .iter()
        .map(|finding| serde_json::json!({"promise": finding.promise, "broken": finding.broken}))
        .collect();
    let figures: serde_json::Map<String, serde_json::Value> =
        report.figures.iter().map(|(what, figure)| ((*what).to_owned(), figure.clone().into())).collect();
    let document = serde_json::json!({"passed": report.passed(), "findings": findings, "figures": figures});
    serde_json::to_string_pretty(&document).expect("plain data with text keys") + "\n"
}

fn inspect_file(file: &Path) -> Result<Exit, RunnerError> {
    let bytes = read(file).map_err(refuse(file))?;
    let engine = engine(NanMode::Canonical);
    let seen = inspect(&engine, &bytes).map_err(|problem| refuse(file)(problem.into()))?;
    let contract = match (&seen.interface, seen.supported) {
        (Some(interface), true) => interface.clone(),
        (Some(interface), false) => format!("{interface}, which this host does not speak"),
        (None, _) => "none".to_owned(),
    };
    let imports = if seen.imports.is_empty() { "none".to_owned() } else { seen.imports.join(", ") };
    let name = match &seen.about {
        Ok(about) => format!("{} {}", about.name, about.version),
        Err(problem) => format!("cannot be loaded: {problem}"),
    };
    let mut out = format!(
        "plugin    {name}\ncontract  {contract}\nsize      {} bytes\nsha256    {}\nimports   {imports}\nexports\n",
        seen.bytes, seen.sha256
    );
    debug_assert_eq!(seen.sha256, hex(&Sha256::digest(&bytes)));
    seen.exports.iter().for_each(|line| out += &format!("  {line}\n"));
    print(&out)?;
    Ok(Exit::Ok)
}

fn refuse(file: &Path) -> impl FnOnce(PluginProblem) -> RunnerError {
    let file = file.to_owned();
    move |problem| RunnerError::PluginFile { file, problem: Box::new(problem) }
}
