//! `runs.csv`, `summary.csv` and `timing.csv`, written from the journal in plan order, one record at a time.

use serde_json::Value;

use super::journal::Journal;
use crate::error::RunnerError;
use crate::output::{OutFolder, Pending};
use crate::plan::Numbering;
use crate::record::RunRecord;
use crate::statistics::{Statistic, Summing};
use crate::table::{Columns, cell_text, csv_text};

const SUMMARY: [&str; 9] =
    ["configuration", "params", "metric", "n", "failures", "mean", "sd", "ci95_low", "ci95_high"];
const TIMING: [&str; 5] = ["run_id", "wall_s", "agent_ticks_per_s", "peak_rss_bytes", "threads"];

/// Writes the three files.
///
/// # Errors
/// If the journal cannot be read, or a file cannot be written.
pub fn write(
    folder: &OutFolder,
    journal: &Journal,
    numbering: &Numbering,
    configurations: u32,
) -> Result<(), RunnerError> {
    let mut columns = Columns::default();
    let mut last = Vec::new();
    each(journal, |record| {
        // Most records have the columns of the one before.
        let stages: usize = record.campaigns.iter().map(|campaign| campaign.stages.len()).sum();
        let shape = (record.campaigns.len(), stages, record.detection.is_some());
        if last.last() != Some(&shape) && !last.contains(&shape) {
            columns.add(record);
            last.push(shape);
        }
        Ok(())
    })?;
    let mut runs = folder.begin("runs.csv")?;
    let mut timing = folder.begin("timing.csv")?;
    row(&mut runs, columns.names().to_vec())?;
    row(&mut timing, TIMING.map(str::to_owned).to_vec())?;
    each(journal, |record| {
        row(&mut runs, columns.row(record).iter().map(cell_text).collect())?;
        timing_row(&mut timing, record)
    })?;
    runs.finish()?;
    timing.finish()?;

    let mut summary = folder.begin("summary.csv")?;
    row(&mut summary, SUMMARY.map(str::to_owned).to_vec())?;
    for configuration in 0..configurations {
        for statistic in statistics(journal, numbering, configuration)? {
            row(&mut summary, cells(&statistic))?;
        }
    }
    summary.finish()
}

/// Every record, in plan order.
///
/// # Errors
/// If the journal cannot be read, or `with` fails.
pub fn each(
    journal: &Journal,
    mut with: impl FnMut(&RunRecord) -> Result<(), RunnerError>,
) -> Result<(), RunnerError> {
    let runs: Vec<u32> = journal.runs().collect();
    for run in runs {
        if let Some(record) = journal.record(run)? {
            with(&record)?;
        }
    }
    Ok(())
}

/// The statistics of a configuration, from its records by replicate.
///
/// # Errors
/// If the journal cannot be read.
pub fn statistics(
    journal: &Journal,
    numbering: &Numbering,
    configuration: u32,
) -> Result<Vec<Statistic>, RunnerError> {
    let mut summing = Summing::default();
    for run in numbering.runs_of(configuration) {
        if let Some(record) = journal.record(run)? {
            summing.add(&record);
        }
    }
    Ok(summing.finish(configuration))
}

fn row(file: &mut Pending, cells: Vec<String>) -> Result<(), RunnerError> {
    file.write(csv_text([cells]).as_bytes())
}

fn cells(s: &Statistic) -> Vec<String> {
    let number = |x: Option<f64>| x.map_or_else(String::new, |x| Value::from(x).to_string());
    let params = serde_json::to_string(&s.params).expect("parameters are JSON");
    let counts = [s.n, s.failures].map(|n| n.to_string());
    let [n, failures] = counts;
    vec![
        s.configuration.to_string(),
        params,
        s.metric.clone(),
        n,
        failures,
        number(s.mean),
        number(s.sd),
        number(s.ci95_low),
        number(s.ci95_high),
    ]
}

/// `timing.csv`: beside `events.jsonl` the only file whose bytes differ between two goes at the same plan.
fn timing_row(file: &mut Pending, record: &RunRecord) -> Result<(), RunnerError> {
    let Some(t) = record.timing else { return Ok(()) };
    let optional = |x: Option<String>| x.unwrap_or_default();
    row(
        file,
        vec![
            record.run_id.to_string(),
            t.wall_s.to_string(),
            optional(t.agent_ticks_per_s.map(|x| x.to_string())),
            optional(t.peak_rss_bytes.map(|x| x.to_string())),
            t.threads.to_string(),
        ],
    )
}
