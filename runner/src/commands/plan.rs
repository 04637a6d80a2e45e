//! `runner plan`.

use std::time::{Duration, Instant};

use clap::Args;
use phalanx_sim::Pool;

use super::print;
use super::run::{BatchArgs, SourceArgs};
use crate::batch::Shard;
use crate::campaign::Campaign;
use crate::error::RunnerError;
use crate::exit::Exit;
use crate::plan::PlannedRun;
use crate::plan::design;
use crate::progress::about;
use crate::report::{count, counted, shortened};
use crate::size::Bytes;
use crate::terminal::Style;

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// Only part I of N
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Runs to list; 0 lists all
    #[arg(long, value_name = "N", default_value = "20")]
    list: u32,
    #[command(flatten)]
    batch: BatchArgs,
}

/// Bytes of a run's row in runs.csv, its line in events.jsonl and its share of the rest, about.
const BYTES_A_RUN: u64 = 5_000;
/// Bytes of a tick's row in the series, about.
const BYTES_A_TICK: u64 = 60;
/// Bytes of a line a tick in events.jsonl, and of a ledger's folder at rest.
const BYTES_AN_EVENT: u64 = 330;
const BYTES_A_LEDGER: u64 = 600_000;
/// What a campaign adds to a run, in seconds: see `runner bench campaign`.
const ADDED_S: f64 = 0.000_3;
/// How long the first run is measured at least, if it is short: repeatedly, and the fastest counts, since whatever else
/// the machine does only makes it slower.
const PROBE: Duration = Duration::from_millis(200);
/// Ticks that are measured of a long run.
const PROBE_TICKS: u32 = 8;
/// Characters of a parameter's value, and of all parameters of a run.
const VALUE: usize = 24;
const VALUES: usize = 100;

/// Shows what `run` would do.
///
/// # Errors
/// If scenario, study or data cannot be used.
pub fn plan(args: &PlanArgs) -> Result<Exit, RunnerError> {
    let begin = Instant::now();
    let campaign = args.source.campaign()?;
    // Every configuration is resolved once more when its first run begins.
    let resolving_s = begin.elapsed().as_secs_f64();
    args.batch.refuse_beyond_memory(&campaign)?;
    let numbering = campaign.numbering()?;
    let style = Style::of_stdout();
    let mine: Vec<PlannedRun> = (0..numbering.len())
        .filter(|run| args.shard.is_none_or(|s| s.has(*run)))
        .map(|run| numbering.run(run))
        .collect();
    let options = args.batch.options(mine.len() as u32, true);

    let Pace { seconds_a_work, build_a_agent } = measure(&campaign, options.threads)?;
    let jobs = options.jobs as f64;
    let of = |run: &PlannedRun| campaign.outline(run.configuration);
    let running: f64 = mine
        .iter()
        .map(|run| of(run).work * seconds_a_work + f64::from(of(run).agents) * build_a_agent + ADDED_S)
        .sum();
    let seconds = (running + resolving_s) / jobs;
    let kept = campaign.kept();
    let bytes: u64 = mine
        .iter()
        .map(|run| {
            let ticks = u64::from(of(run).ticks);
            BYTES_A_RUN
                + if kept.series { ticks * BYTES_A_TICK } else { 0 }
                + if kept.events { ticks * BYTES_AN_EVENT } else { 0 }
                + if kept.ledger { BYTES_A_LEDGER } else { 0 }
        })
        .sum();

    if args.batch.json() {
        return print_json(&campaign, &mine, seconds, bytes);
    }
    let study = campaign.study();
    let design = design::name(&study.design);
    let reps = campaign.until().map_or(study.replicates.get(), |until| until.min);
    let mut text = style.bold(&format!(
        "{} · {}: {} × {} · {design} · {} seeds",
        campaign.loaded().name,
        counted(u64::from(numbering.len()), "run"),
        counted(u64::from(campaign.len()), "configuration"),
        counted(u64::from(reps), "replicate"),
        format!("{:?}", study.seeds).to_lowercase(),
    ));
    text.push_str("\n\n");
    if let Some(until) = campaign.until() {
        text += &format!(
            "  more replicates, up to {}, until the 95 % half-width of {} is below {}{}\n\n",
            until.max,
            until.metric,
            until.limit,
            if until.relative { " of its mean" } else { "" }
        );
    }
    if let Some(shard) = args.shard {
        text += &format!("  shard {shard}: {}\n\n", counted(mine.len() as u64, "run"));
    }
    let listed = if args.list == 0 { mine.len() } else { mine.len().min(args.list as usize) };
    list(&mut text, &campaign, &mine[..listed], style);
    if listed < mine.len() {
        text += &style
            .dim(&format!("    … and {} more (--list 0 shows all)", count((mine.len() - listed) as u64)));
        text.push('\n');
    }
    let memory = mine.iter().map(|run| of(run).bytes).max().unwrap_or(0).saturating_mul(options.jobs as u64);
    text += &format!(
        "\n  {} with {} at once on {} each, {} on disk, at most {} of memory\n",
        about(seconds),
        counted(options.jobs as u64, "run"),
        counted(options.threads as u64, "thread"),
        Bytes(bytes),
        Bytes(memory)
    );
    print(&text)?;
    Ok(Exit::Ok)
}

/// How fast this machine runs the campaign's first run.
struct Pace {
    seconds_a_work: f64,
    build_a_agent: f64,
}

fn measure(campaign: &Campaign, threads: usize) -> Result<Pace, RunnerError> {
    let pool = Pool::new(threads).map_err(|error| RunnerError::Simulation(Box::new(error)))?;
    let (job, seed, outline) = (campaign.job(0)?, campaign.seed(&PlannedRun::FIRST), campaign.outline(0));
    let begin = Instant::now();
    let (mut build_s, mut tick_s) = (f64::MAX, f64::MAX);
    while begin.elapsed() < PROBE {
        // Warming up is timed apart: it does not grow with the ticks.
        let start = Instant::now();
        let mut simulation = job.build(seed, &pool)?;
        build_s = build_s.min(start.elapsed().as_secs_f64());
        let start = Instant::now();
        let mut passed = 0;
        while passed < outline.ticks && (passed < PROBE_TICKS || begin.elapsed() < PROBE) {
            simulation.step();
            passed += 1;
        }
        tick_s = tick_s.min(start.elapsed().as_secs_f64() / f64::from(passed));
    }
    Ok(Pace {
        seconds_a_work: tick_s * f64::from(outline.ticks) / outline.work,
        build_a_agent: build_s / f64::from(outline.agents),
    })
}

/// A line a run, with a column a factor.
fn list(text: &mut String, campaign: &Campaign, runs: &[PlannedRun], style: Style) {
    let set = &campaign.loaded().params;
    if !set.is_empty() {
        let set: Vec<String> = set.iter().map(|(path, value)| format!("{path}={value}")).collect();
        *text += &format!("  in all runs {}\n\n", set.join(" "));
    }
    let names = headings(campaign.configurations().paths());
    let rows: Vec<Vec<String>> = runs
        .iter()
        .map(|run| campaign.levels(run.configuration).iter().map(|level| shortened(level, VALUE)).collect())
        .collect();
    let wide = |column: usize| {
        let cells = rows.iter().map(|row| &row[column]).chain([&names[column]]);
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let mut room = VALUES;
    let widths: Vec<usize> = (0..names.len())
        .map(wide)
        .take_while(|width| {
            let fits = width + 2 <= room;
            room = room.saturating_sub(width + 2);
            fits
        })
        .collect();
    let cells = |row: &[String]| -> String {
        let shown = row.iter().zip(&widths).map(|(cell, width)| format!("  {cell:>width$}")).collect();
        if widths.len() < names.len() { shown + "  …" } else { shown }
    };
    let head = format!("{:>7} {:>7} {:>4} {:>20}{}", "run", "config", "rep", "seed", cells(&names));
    *text += &style.dim(&head);
    text.push('\n');
    for (run, row) in runs.iter().zip(&rows) {
        let PlannedRun { run_id, configuration, rep } = run;
        let seed = campaign.seed(run);
        *text += &format!("{run_id:>7} {configuration:>7} {rep:>4} {seed:>20}{}\n", cells(row));
    }
}

/// The last part of each path, with as many before it as tell it from the others.
fn headings(paths: &[String]) -> Vec<String> {
    let end = |path: &str, parts: usize| {
        let all: Vec<&str> = path.split('.').collect();
        all[all.len().saturating_sub(parts)..].join(".")
    };
    let alone = |path: &String, parts: usize| {
        paths.iter().filter(|other| end(other, parts) == end(path, parts)).count() == 1
    };
    paths
        .iter()
        .map(|path| {
            let parts = (1..=path.split('.').count()).find(|parts| alone(path, *parts));
            end(path, parts.unwrap_or(usize::MAX))
        })
        .collect()
}

fn print_json(
    campaign: &Campaign,
    mine: &[PlannedRun],
    seconds: f64,
    bytes: u64,
) -> Result<Exit, RunnerError> {
    let mut separator = "{\"runs\":[";
    for run in mine {
        let outline = campaign.outline(run.configuration);
        print(&format!(
            "{separator}{{\"run_id\":{},\"configuration\":{},\"rep\":{},\"seed\":{},\"agents\":{},\"ticks\":{},\"params\":{}}}",
            run.run_id,
            run.configuration,
            run.rep,
            campaign.seed(run),
            outline.agents,
            outline.ticks,
            outline.params
        ))?;
        separator = ",";
    }
    print(&format!("],\"estimate\":{{\"seconds\":{seconds},\"bytes\":{bytes}}}}}\n"))?;
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_as_short_as_they_may_be() {
        let check = |paths: &[&str], expected: &[&str]| {
            assert_eq!(headings(&paths.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>()), expected);
        };
        check(&["consensus.quorum", "agents"], &["quorum", "agents"]);
        check(
            &["adversaries.0.fraction", "adversaries.1.fraction", "network.loss"],
            &["0.fraction", "1.fraction", "loss"],
        );
        check(&["a.rate", "rate"], &["a.rate", "rate"]);
    }
}
