//! `runner plan`.

use clap::Args;
use phalanx_sim::Pool;

use super::print;
use super::run::{BatchArgs, SourceArgs};
use crate::batch::Shard;
use crate::error::RunnerError;
use crate::exit::Exit;
use crate::plan::PlannedRun;
use crate::plan::design;
use crate::progress::span;
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
/// Ticks that are measured for the estimate.
const PROBE_TICKS: u32 = 8;

/// Shows what `run` would do.
///
/// # Errors
/// If scenario, study or data cannot be used.
pub fn plan(args: &PlanArgs) -> Result<Exit, RunnerError> {
    let campaign = args.source.campaign()?;
    args.batch.refuse_beyond_memory(&campaign)?;
    let numbering = campaign.numbering()?;
    let style = Style::of_stdout();
    let mine: Vec<PlannedRun> = (0..numbering.len())
        .filter(|run| args.shard.is_none_or(|s| s.has(*run)))
        .map(|run| numbering.run(run))
        .collect();
    let options = args.batch.options(mine.len() as u32, true);

    // A few ticks of the first run tell how fast this machine is; warming up is timed apart.
    let pool = Pool::new(options.threads).map_err(|error| RunnerError::Simulation(Box::new(error)))?;
    let start = std::time::Instant::now();
    let mut simulation = campaign.job(0)?.build(campaign.seed(&PlannedRun::FIRST), &pool)?;
    let build_s = start.elapsed().as_secs_f64();
    let outline = campaign.outline(0);
    let probe = outline.ticks.min(PROBE_TICKS);
    let start = std::time::Instant::now();
    for _ in 0..probe {
        simulation.step();
    }
    let seconds_a_work =
        start.elapsed().as_secs_f64() / (outline.work * f64::from(probe) / f64::from(outline.ticks));
    let build_a_agent = build_s / f64::from(outline.agents);
    let jobs = options.jobs as f64;
    let of = |run: &PlannedRun| campaign.outline(run.configuration);
    let seconds: f64 = mine
        .iter()
        .map(|run| of(run).work * seconds_a_work + f64::from(of(run).agents) * build_a_agent)
        .sum::<f64>()
        / jobs;
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
        text += &format!("  shard {}/{}: {} runs\n\n", shard.index + 1, shard.of, count(mine.len() as u64));
    }
    text +=
        &style.dim(&format!("{:>7} {:>7} {:>4} {:>20}  {}", "run", "config", "rep", "seed", "parameters"));
    text.push('\n');
    let listed = if args.list == 0 { mine.len() } else { mine.len().min(args.list as usize) };
    for run in &mine[..listed] {
        let params = of(run).params.trim_matches(['{', '}']).replace('"', "").replace(',', "  ");
        let PlannedRun { run_id, configuration, rep } = run;
        let seed = campaign.seed(run);
        text += &format!("{run_id:>7} {configuration:>7} {rep:>4} {seed:>20}  {}\n", shortened(&params, 64));
    }
    if listed < mine.len() {
        text += &style
            .dim(&format!("    … and {} more (--list 0 shows all)", count((mine.len() - listed) as u64)));
        text.push('\n');
    }
    let memory = mine.iter().map(|run| of(run).bytes).max().unwrap_or(0).saturating_mul(options.jobs as u64);
    text += &format!(
        "\n  about {} with {} runs at once on {} threads each, {} on disk, at most {} of memory\n",
        span(seconds),
        options.jobs,
        options.threads,
        Bytes(bytes),
        Bytes(memory)
    );
    print(&text)?;
    Ok(Exit::Ok)
}

fn print_json(
    campaign: &crate::campaign::Campaign,
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
