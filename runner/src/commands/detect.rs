//! `runner detect score|bench`.

use std::io::{IsTerminal, stderr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::{Map, Value};

use super::print;
use crate::error::RunnerError;
use crate::evaluation::{
    BestFeature, Input, InputOptions, Mode, NamedDetector, Quality, Sample, Split, Timing, quality_table,
    timing_table,
};
use crate::exit::Exit;
use crate::run::INTERRUPTED;
use crate::terminal::{Style, complain};

/// Detectors on labelled rows.
#[derive(Debug, Subcommand)]
pub enum DetectCommand {
    /// How well detectors rank the rows of a file
    Score(ScoreArgs),
    /// How fast detectors fit and score the rows of a file
    Bench(BenchArgs),
}

/// Arguments of `detect score`.
#[derive(Debug, Args)]
pub struct ScoreArgs {
    #[command(flatten)]
    rows: RowArgs,
    /// Seeds to average over; detectors that draw nothing are measured once
    #[arg(long, value_name = "N", default_value = "5")]
    seeds: NonZeroU32,
}

/// Arguments of `detect bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    #[command(flatten)]
    rows: RowArgs,
    /// Rounds, in each of which every detector fits and scores once
    #[arg(long, value_name = "N", default_value = "7")]
    rounds: NonZeroU32,
}

/// Which detectors, and on what.
#[derive(Debug, Args)]
struct RowArgs {
    /// npz with arrays X and y (0 is benign), CSV, or a labelled log of flows (Zeek, Argus), perhaps packed (gzip, zstd)
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Detectors, perhaps with parameters: ecod knn:neighbours=1,scaling=standard [default: all]; or rules:
    /// 'rules:src_bytes>1e6 & proto=tcp; dst_port=4444' (; between rules, & or | between clauses)
    #[arg(long, value_name = "NAME", num_args = 1..)]
    detector: Vec<NamedDetector>,
    /// Fit to the benign rows of this file, and score all rows of FILE; of flows, any sensor's log will do
    #[arg(long, value_name = "FILE", conflicts_with = "mode")]
    train: Option<PathBuf>,
    /// Which rows of FILE to fit to [default: unsup for npz, semi for CSV]
    #[arg(long, value_name = "MODE")]
    mode: Option<Mode>,
    /// Column of the label (CSV)
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
    /// Labels that mean benign (CSV) [default: 0, normal, benign, false]
    #[arg(long, value_name = "VALUE", num_args = 1..)]
    benign: Vec<String>,
    /// Columns to leave out (CSV): row numbers, other labels
    #[arg(long, value_name = "COLUMN", num_args = 1..)]
    ignore: Vec<String>,
    /// What the columns are (CSV): nsl_kdd, unsw_nb15, … or a map file
    #[arg(long, value_name = "MAP", conflicts_with_all = ["label", "benign", "ignore"])]
    map: Option<String>,
    /// Let half_space_trees and random_cut_forest learn from each row after scoring it, in the file's order, as ewma
    /// and cusum always do
    #[arg(long)]
    stream: bool,
    /// Use sign(x) · ln(1 + |x|) of every number: for bytes, packets and rates (features of flows have it)
    #[arg(long)]
    log1p: bool,
    /// Print one JSON document instead of a table
    #[arg(long)]
    json: bool,
}

/// What `score --json` prints.
#[derive(Serialize)]
struct QualityDocument<'a> {
    #[serde(flatten)]
    rows: Rows<'a>,
    best_feature: Option<BestFeature>,
    detectors: Vec<Entry<'a, Quality>>,
}

/// What `bench --json` prints.
#[derive(Serialize)]
struct TimingDocument<'a> {
    #[serde(flatten)]
    rows: Rows<'a>,
    rounds: u32,
    detectors: Vec<Entry<'a, Timing>>,
}

#[derive(Serialize)]
struct Rows<'a> {
    file: &'a str,
    rows: usize,
    train_rows: usize,
    features: usize,
    prevalence: f64,
}

#[derive(Serialize)]
struct Entry<'a, T> {
    name: &'static str,
    parameters: &'a Map<String, Value>,
    #[serde(flatten)]
    figures: T,
}

/// Runs the command. `quiet` shows no progress.
///
/// # Errors
/// If the rows or the detectors' parameters cannot be used.
pub fn detect(command: &DetectCommand, quiet: bool) -> Result<Exit, RunnerError> {
    match command {
        DetectCommand::Score(args) => score(args, quiet),
        DetectCommand::Bench(args) => bench(args, quiet),
    }
}

fn score(args: &ScoreArgs, quiet: bool) -> Result<Exit, RunnerError> {
    let split = args.rows.split(quiet)?;
    let detectors = args.rows.detectors();
    let best_feature = BestFeature::of(&split);
    let steps = Steps::begin(quiet, detectors.len() as u64);
    let mut measured = Vec::with_capacity(detectors.len());
    for detector in &detectors {
        steps.step(&detector.text());
        measured.push((detector, Quality::measure(detector, &split, args.seeds.get())?));
        if INTERRUPTED.load(Ordering::Relaxed) {
            return Ok(Exit::Interrupted);
        }
    }
    steps.end();
    let file = args.rows.file.display().to_string();
    if !args.rows.json {
        let name = args.rows.file_name();
        print(&quality_table(&name, &split, best_feature.as_ref(), &measured, Style::of_stdout()))?;
        return Ok(Exit::Ok);
    }
    print_json(&QualityDocument { rows: Rows::of(&file, &split), best_feature, detectors: entries(measured) })
}

fn bench(args: &BenchArgs, quiet: bool) -> Result<Exit, RunnerError> {
    let split = args.rows.split(quiet)?;
    let detectors = args.rows.detectors();
    let rounds = args.rounds.get();
    let steps = Steps::begin(quiet, u64::from(rounds));
    let mut samples = vec![Vec::with_capacity(rounds as usize); detectors.len()];
    for round in 1..=rounds {
        steps.step(&format!("round {round} of {rounds}"));
        for (detector, samples) in detectors.iter().zip(&mut samples) {
            samples.push(Sample::take(detector, &split)?);
            if INTERRUPTED.load(Ordering::Relaxed) {
                return Ok(Exit::Interrupted);
            }
        }
    }
    steps.end();
    let measured = samples.iter().map(|samples| Timing::of(samples, split.test_rows()));
    let measured: Vec<(&NamedDetector, Timing)> = detectors.iter().zip(measured).collect();
    let file = args.rows.file.display().to_string();
    if !args.rows.json {
        let name = args.rows.file_name();
        print(&timing_table(&name, &split, rounds, &measured, Style::of_stdout()))?;
        return Ok(Exit::Ok);
    }
    print_json(&TimingDocument { rows: Rows::of(&file, &split), rounds, detectors: entries(measured) })
}

impl RowArgs {
    fn detectors(&self) -> Vec<NamedDetector> {
        let named = if self.detector.is_empty() { NamedDetector::all() } else { self.detector.clone() };
        if self.stream { named.into_iter().map(NamedDetector::streaming).collect() } else { named }
    }

    fn file_name(&self) -> String {
        self.file.file_name().unwrap_or(self.file.as_os_str()).to_string_lossy().into_owned()
    }

    fn split(&self, quiet: bool) -> Result<Split, RunnerError> {
        let options = InputOptions {
            label: self.label.clone(),
            benign: self.benign.clone(),
            ignore: self.ignore.clone(),
            map: self.map.clone(),
            attacks_alone: self.train.is_some() || self.mode == Some(Mode::Unsupervised),
        };
        let input = Input::read(&self.file, &options)?;
        if !quiet {
            input.notes.iter().for_each(|note| complain(&format!("{}: {note}\n", self.file_name())));
        }
        let log1p = self.log1p && !input.is_flows();
        if let Some(train) = &self.train {
            let learnt = input.read_alike(train)?;
            if !quiet {
                learnt.notes.iter().for_each(|note| complain(&format!("{}: {note}\n", train.display())));
            }
            return Ok(Split::between(&learnt, &input, log1p)?);
        }
        let usual = if input.is_npz() { Mode::Unsupervised } else { Mode::SemiSupervised };
        Ok(Split::within(&input, self.mode.unwrap_or(usual), log1p)?)
    }
}

impl<'a> Rows<'a> {
    fn of(file: &'a str, split: &Split) -> Self {
        Self {
            file,
            rows: split.test_rows(),
            train_rows: split.train_rows(),
            features: split.features.len(),
            prevalence: split.prevalence(),
        }
    }
}

fn entries<'a, T>(measured: Vec<(&'a NamedDetector, T)>) -> Vec<Entry<'a, T>> {
    let entry = |(detector, figures): (&'a NamedDetector, T)| Entry {
        name: detector.name(),
        parameters: &detector.parameters,
        figures,
    };
    measured.into_iter().map(entry).collect()
}

fn print_json(document: &impl Serialize) -> Result<Exit, RunnerError> {
    let text = serde_json::to_string(document).expect("a comparison is plain data");
    print(&(text + "\n"))?;
    Ok(Exit::Ok)
}

/// Progress over detectors or rounds: a bar on a terminal, a line each elsewhere.
enum Steps {
    Bar(ProgressBar),
    Lines,
    Silent,
}

impl Steps {
    fn begin(quiet: bool, total: u64) -> Self {
        match (quiet, stderr().is_terminal()) {
            (true, _) => Self::Silent,
            (false, false) => Self::Lines,
            (false, true) => {
                let style = ProgressStyle::with_template("{bar:32} {pos}/{len} · {msg}")
                    .expect("the template is valid")
                    .progress_chars("━╸─");
                Self::Bar(ProgressBar::new(total).with_style(style))
            }
        }
    }

    /// This is next.
    fn step(&self, what: &str) {
        match self {
            Self::Bar(bar) => {
                bar.inc(u64::from(!bar.message().is_empty()));
                bar.set_message(what.to_owned());
            }
            Self::Lines => complain(&format!("{what} …\n")),
            Self::Silent => {}
        }
    }

    fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
