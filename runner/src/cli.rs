//! The command line: what can be typed, and how it ends.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use tracing::level_filters::LevelFilter;

use crate::commands::bench::BenchArgs;
use crate::commands::bisect::BisectArgs;
use crate::commands::capture::CaptureCommand;
use crate::commands::detect::DetectCommand;
use crate::commands::golden::GoldenCommand;
use crate::commands::ledger::LedgerCommand;
use crate::commands::plan::PlanArgs;
use crate::commands::plugin::PluginCommand;
use crate::commands::replay::{DiffArgs, ReplayArgs, VerifyArgs};
use crate::commands::report::ReportArgs;
use crate::commands::resume::{ExtendArgs, MergeArgs, ResumeArgs, StatusArgs};
use crate::commands::run::RunArgs;
use crate::commands::scenario::ScenarioCommand;
use crate::commands::selftest::SelftestArgs;
use crate::commands::swarm::SwarmArgs;
use crate::commands::{
    bench, bisect, capture, detect, golden, ledger, plan, plugin, replay, report, resume, run, scenario,
    selftest, swarm,
};
use crate::exit::{Exit, TABLE};
use crate::plugins;
use crate::run::INTERRUPTED;
use crate::terminal::{complain, render};

/// Deterministic simulator of collaborative intrusion detection.
///
/// `runner FILE.ron …` is short for `runner run FILE.ron …`. Fields of a scenario are overridden by
/// `--set path.to.field=value`, and below that by the environment: PHALANX_PATH__TO__FIELD=value.
#[derive(Debug, Parser)]
#[command(name = "runner", version, after_help = TABLE, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    log: LogArgs,
    /// Keep compiled plugins, so that a large one starts at once [default: compile anew; without DIR: in ~/.cache/phalanx]
    #[arg(long, global = true, value_name = "DIR", num_args = 0..=1, require_equals = true)]
    plugin_cache: Option<Option<PathBuf>>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a scenario, or the campaign of runs that it stands for
    #[command(after_help = TABLE)]
    Run(Box<RunArgs>),
    /// Show the runs, their seeds and what they would take, without running them
    Plan(Box<PlanArgs>),
    /// Go on with a campaign that was interrupted or killed
    Resume(ResumeArgs),
    /// Add replicates to a campaign
    Extend(ExtendArgs),
    /// Put the shards of a campaign together
    Merge(MergeArgs),
    /// Say how far a campaign is
    Status(StatusArgs),
    /// Do a recorded run again and compare
    Replay(ReplayArgs),
    /// Repeat a sample of recorded runs and compare
    Verify(VerifyArgs),
    /// Compare two output folders run by run
    Diff(DiffArgs),
    /// Name the first tick, phase, agent and field in which two runs part
    Bisect(BisectArgs),
    /// Make a page (or Markdown) of a campaign
    Report(ReportArgs),
    /// Check random scenarios by what must hold of every run
    Swarm(SwarmArgs),
    /// Check, show and describe scenario files
    #[command(subcommand)]
    Scenario(ScenarioCommand),
    /// Look into files of traffic, and convert them
    #[command(subcommand)]
    Capture(CaptureCommand),
    /// Compare detectors on labelled rows, without a scenario
    #[command(subcommand)]
    Detect(DetectCommand),
    /// Compare runs with their blessed outcome
    #[command(subcommand)]
    Golden(GoldenCommand),
    /// Check the ledgers of finished runs
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Begin, pack, check and pin plugins: detectors and voting rules of your own
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Measure what is known exactly, and compare
    Selftest(SelftestArgs),
    /// Measure how fast this machine runs the engine
    Bench(BenchArgs),
}

#[derive(Debug, Args)]
struct LogArgs {
    /// Say more on standard error (-vv: more still)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Say nothing but errors on standard error
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Form of log lines
    #[arg(long, global = true, value_name = "FORM", default_value = "text")]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

/// Runs the program on its arguments.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = with_run(std::env::args_os().collect());
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are for standard output and no mistake; the rest is usage.
            let _ = error.print();
            return if error.use_stderr() { Exit::BadInput.into() } else { Exit::Ok.into() };
        }
    };
    start_log(&cli.log);
    // A second Ctrl-C does not wait for the tick to end.
    let handler = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(Exit::Interrupted.code().into());
        }
    });
    if let Err(error) = handler {
        tracing::debug!(%error, "Ctrl-C ends the program at once");
    }
    if let Some(folder) = &cli.plugin_cache
        && let Err(error) = plugins::keep_compiled(folder.as_deref())
    {
        complain(&render(&error));
        return error.exit().into();
    }
    let result = match &cli.command {
        Command::Run(args) => run::run(args, cli.log.quiet),
        Command::Plan(args) => plan::plan(args),
        Command::Resume(args) => resume::resume(args, cli.log.quiet),
        Command::Extend(args) => resume::extend(args, cli.log.quiet),
        Command::Merge(args) => resume::merge(args),
        Command::Status(args) => resume::status(args),
        Command::Replay(args) => replay::replay(args),
        Command::Verify(args) => replay::verify(args),
        Command::Diff(args) => replay::diff(args),
        Command::Bisect(args) => bisect::bisect(args),
        Command::Report(args) => report::report(args),
        Command::Swarm(args) => swarm::swarm(args, cli.log.quiet),
        Command::Scenario(command) => scenario::scenario(command),
        Command::Capture(command) => capture::capture(command, cli.log.quiet),
        Command::Detect(command) => detect::detect(command, cli.log.quiet),
        Command::Golden(command) => golden::golden(command),
        Command::Ledger(command) => ledger::ledger(command),
        Command::Plugin(command) => plugin::plugin(command),
        Command::Selftest(args) => selftest::selftest(args, cli.log.quiet),
        Command::Bench(args) => bench::bench(args, cli.log.quiet),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(error) => {
            complain(&render(&error));
            error.exit().into()
        }
    }
}

fn start_log(log: &LogArgs) {
    let level = match (log.quiet, log.verbose) {
        (true, _) => LevelFilter::ERROR,
        (_, 0) => LevelFilter::WARN,
        (_, 1) => LevelFilter::INFO,
        (_, 2) => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let log_to = tracing_subscriber::fmt().with_writer(io::stderr).with_max_level(level);
    match log.log_format {
        LogFormat::Text => log_to.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).init(),
        LogFormat::Json => log_to.json().init(),
    }
}

/// Puts `run` in front of a scenario file, or of an option that only `run` has.
fn with_run(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let known: Vec<String> = Cli::command().get_subcommands().map(|c| c.get_name().to_owned()).collect();
    let mut position = 1;
    while let Some(argument) = arguments.get(position).and_then(|a| a.to_str()) {
        match argument {
            "--log-format" => position += 2,
            "-q" | "--quiet" | "--verbose" | "--plugin-cache" => position += 1,
            flag if flag.starts_with("-v") && flag[1..].bytes().all(|b| b == b'v') => position += 1,
            flag if flag.starts_with("--log-format=") || flag.starts_with("--plugin-cache=") => position += 1,
            "-h" | "--help" | "-V" | "--version" | "help" => return arguments,
            word if known.iter().any(|name| name == word) => return arguments,
            word => {
                if word.starts_with('-') || word.ends_with(".ron") || Path::new(word).exists() {
                    arguments.insert(position, "run".into());
                }
                return arguments;
            }
        }
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &str, expected: &str) {
        let words = |text: &str| text.split_whitespace().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(with_run(words(arguments)), words(expected));
    }

    #[test]
    fn a_scenario_file_means_run() {
        check("runner a.ron --seed 3", "runner run a.ron --seed 3");
        check("runner --seed 3 a.ron", "runner run --seed 3 a.ron");
        check("runner -vv --log-format json a.ron", "runner -vv --log-format json run a.ron");
        check("runner --plugin-cache --seed 3 a.ron", "runner --plugin-cache run --seed 3 a.ron");
        check("runner --plugin-cache=x a.ron", "runner --plugin-cache=x run a.ron");
        check("runner run a.ron", "runner run a.ron");
        check("runner golden check", "runner golden check");
        check("runner --help", "runner --help");
        check("runner fnord", "runner fnord");
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
