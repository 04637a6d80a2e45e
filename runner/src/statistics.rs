//! Mean and standard deviation of every figure over the replicates.

use serde::Serialize;
use serde_json::Value;

use crate::record::{RunRecord, Status};
use crate::table::{Table, csv_text};

/// Columns that say which run it is, not what came of it.
const IDENTITY: [&str; 5] = ["run_id", "seed", "rep", "agents", "ticks"];

/// One figure over all runs that ended well and have it defined.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Statistic {
    /// Its column.
    pub metric: String,
    /// Number of runs.
    pub n: u64,
    /// Mean; undefined without runs.
    pub mean: Option<f64>,
    /// Sample standard deviation; undefined below two runs.
    pub sd: Option<f64>,
}

/// The statistics of every numeric column.
#[must_use]
pub fn summarise(records: &[RunRecord]) -> Vec<Statistic> {
    let done: Vec<RunRecord> = records.iter().filter(|r| r.status == Status::Ok).cloned().collect();
    let Table { columns, rows } = Table::of(&done);
    let numeric = |column: usize| {
        rows.iter().any(|row| row[column].is_number())
            || rows.iter().all(|row| row[column].is_null()) && !rows.is_empty()
    };
    columns
        .iter()
        .enumerate()
        .filter(|(i, name)| numeric(*i) && !IDENTITY.contains(&name.as_str()))
        .map(|(i, name)| {
            let values: Vec<f64> = rows.iter().filter_map(|row| Value::as_f64(&row[i])).collect();
            statistic(name.clone(), &values)
        })
        .collect()
}

fn statistic(metric: String, values: &[f64]) -> Statistic {
    let (mean, sd) = mean_and_sd(values);
    Statistic { metric, n: values.len() as u64, mean, sd }
}

/// Mean, undefined without values, and sample standard deviation, undefined below two.
pub(crate) fn mean_and_sd(values: &[f64]) -> (Option<f64>, Option<f64>) {
    let n = values.len();
    let mean = (n > 0).then(|| values.iter().sum::<f64>() / n as f64);
    let sd = mean.filter(|_| n > 1).map(|mean| {
        let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
        (squares / (n - 1) as f64).sqrt()
    });
    (mean, sd)
}

/// `summary.csv`.
#[must_use]
pub fn to_csv(statistics: &[Statistic]) -> String {
    let number = |x: Option<f64>| x.map_or_else(String::new, |x| Value::from(x).to_string());
    let header = ["metric", "n", "mean", "sd"].map(str::to_owned).to_vec();
    let rows =
        statistics.iter().map(|s| vec![s.metric.clone(), s.n.to_string(), number(s.mean), number(s.sd)]);
    csv_text(std::iter::once(header).chain(rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_deviation_are_undefined_where_they_should_be() {
        let check = |values: &[f64], mean, sd| {
            let s = statistic("x".to_owned(), values);
            assert_eq!((s.n, s.mean, s.sd), (values.len() as u64, mean, sd), "{values:?}");
        };
        check(&[], None, None);
        check(&[3.0], Some(3.0), None);
        check(&[1.0, 2.0, 3.0, 4.0, 5.0], Some(3.0), Some(2.5f64.sqrt()));
    }
}
