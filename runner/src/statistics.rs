//! Mean, deviation and confidence of every figure over the replicates of a configuration.

use serde::Serialize;
use serde_json::{Map, Value};
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::batch::journal::Journal;
use crate::error::RunnerError;
use crate::plan::PlanError;
use crate::plan::until::Until;
use crate::record::{RunRecord, Status};
use crate::table::Columns;

/// Columns that say which run it is, or that are no figures.
const IDENTITY: [&str; 9] =
    ["run_id", "scenario", "seed", "rep", "params", "status", "agents", "ticks", "fingerprint"];

/// One figure over the runs of a configuration that ended well and have it defined.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Statistic {
    /// Number of the configuration.
    pub configuration: u32,
    /// Its parameters.
    pub params: Map<String, Value>,
    /// Column of the figure.
    pub metric: String,
    /// Number of runs.
    pub n: u64,
    /// Runs of the configuration that failed.
    pub failures: u64,
    /// Mean; undefined without runs.
    pub mean: Option<f64>,
    /// Sample standard deviation; undefined below two runs.
    pub sd: Option<f64>,
    /// Lower end of the 95 % confidence interval of the mean (Student t); undefined below two runs.
    pub ci95_low: Option<f64>,
    /// Upper end.
    pub ci95_high: Option<f64>,
}

/// The statistics of every figure of one configuration.
#[must_use]
pub fn summarise(configuration: u32, records: &[RunRecord]) -> Vec<Statistic> {
    let mut columns = Columns::default();
    records.iter().for_each(|record| columns.add(record));
    let failures =
        records.iter().filter(|r| matches!(r.status, Status::Failed | Status::Timeout)).count() as u64;
    let rows: Vec<Vec<Value>> =
        records.iter().filter(|r| r.status == Status::Ok).map(|record| columns.row(record)).collect();
    let params = records.first().map(|r| r.params.clone()).unwrap_or_default();
    let figures = columns.names().iter().enumerate().filter(|(i, name)| {
        !IDENTITY.contains(&name.as_str())
            && *name != "ledger.root"
            && !name.ends_with(".name")
            && rows.iter().all(|row| row[*i].is_number() || row[*i].is_null())
    });
    figures
        .map(|(i, name)| {
            let values: Vec<f64> = rows.iter().filter_map(|row| row[i].as_f64()).collect();
            let Spread { mean, sd, half } = Spread::of(&values);
            Statistic {
                configuration,
                params: params.clone(),
                metric: name.clone(),
                n: values.len() as u64,
                failures,
                mean,
                sd,
                ci95_low: mean.zip(half).map(|(mean, half)| mean - half),
                ci95_high: mean.zip(half).map(|(mean, half)| mean + half),
            }
        })
        .collect()
}

/// Mean, deviation and half-width of the mean's 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Mean; undefined without values.
    pub mean: Option<f64>,
    /// Sample standard deviation; undefined below two values.
    pub sd: Option<f64>,
    /// Half-width, by Student's t with n − 1 degrees of freedom; undefined below two values.
    pub half: Option<f64>,
}

impl Spread {
    /// Of some values.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let (mean, sd) = mean_and_sd(values);
        let half = sd.map(|sd| t_quantile(values.len() - 1) * sd / (values.len() as f64).sqrt());
        Self { mean, sd, half }
    }
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

/// The 97.5 % quantile of Student's t.
#[must_use]
pub fn t_quantile(freedom: usize) -> f64 {
    use std::cell::RefCell;
    thread_local! {
        // A quantile takes longer than all else here, and the same few are asked for again and again.
        static KNOWN: RefCell<Vec<f64>> = const { RefCell::new(Vec::new()) };
    }
    let compute =
        |freedom: usize| StudentsT::new(0.0, 1.0, freedom as f64).map_or(f64::NAN, |t| t.inverse_cdf(0.975));
    if freedom > 4096 {
        return compute(freedom);
    }
    KNOWN.with_borrow_mut(|known| {
        if known.len() <= freedom {
            known.resize(freedom + 1, f64::NAN);
        }
        if known[freedom].is_nan() {
            known[freedom] = compute(freedom);
        }
        known[freedom]
    })
}

/// The column that a rule's name means: the whole path, or its last parts if no other ends alike.
///
/// # Errors
/// If none or several do.
pub fn resolve_metric(until: &str, metric: &str, columns: &[String]) -> Result<String, PlanError> {
    let fail = |problem: String| PlanError::Until { text: until.to_owned(), problem };
    if columns.iter().any(|c| c == metric) {
        return Ok(metric.to_owned());
    }
    let alike: Vec<&String> =
        columns.iter().filter(|c| c.strip_suffix(metric).is_some_and(|rest| rest.ends_with('.'))).collect();
    match alike.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(fail(format!("no figure `{metric}`: `runs.csv` has {}", columns.join(", ")))),
        several => {
            let names: Vec<&str> = several.iter().map(|c| c.as_str()).collect();
            Err(fail(format!("`{metric}` may be {}", names.join(" or "))))
        }
    }
}

/// Whether a configuration's figure is known well enough from these runs. One that fails throughout is given up.
///
/// # Errors
/// If the journal cannot be read, or there is no such figure.
pub(crate) fn enough(until: &Until, journal: &Journal, runs: &[u32]) -> Result<bool, RunnerError> {
    let mut values = Vec::with_capacity(runs.len());
    let mut ok = false;
    for run in runs {
        let Some(record) = journal.record(*run)? else { continue };
        if record.status != Status::Ok {
            continue;
        }
        ok = true;
        let mut columns = Columns::default();
        columns.add(&record);
        let metric = resolve_metric(&until.metric, &until.metric, columns.names())?;
        let index = columns.names().iter().position(|c| *c == metric).expect("resolved among these");
        values.extend(columns.row(&record)[index].as_f64());
    }
    let Spread { mean, half, .. } = Spread::of(&values);
    let Some((mean, half)) = mean.zip(half) else { return Ok(!ok) };
    Ok(if until.relative { half < until.limit * mean.abs() || half == 0.0 } else { half < until.limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_deviation_and_confidence_are_undefined_where_they_should_be() {
        let check = |values: &[f64], mean, sd| {
            let spread = Spread::of(values);
            assert_eq!((spread.mean, spread.sd), (mean, sd), "{values:?}");
            assert_eq!(spread.half.is_some(), values.len() > 1);
        };
        check(&[], None, None);
        check(&[3.0], Some(3.0), None);
        check(&[1.0, 2.0, 3.0, 4.0, 5.0], Some(3.0), Some(2.5f64.sqrt()));
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        // Student 1908 and every table since: t(0.975) for 1, 4, 9, 29 and 10000 degrees of freedom.
        for (freedom, table) in [(1, 12.706), (4, 2.776), (9, 2.262), (29, 2.045), (10_000, 1.960)] {
            assert!((t_quantile(freedom) - table).abs() < 1e-3, "{freedom}: {}", t_quantile(freedom));
        }
        // Five values 1 to 5: 3 ± 2.776 · 1.5811 / √5.
        assert!((Spread::of(&[1.0, 2.0, 3.0, 4.0, 5.0]).half.unwrap() - 1.963).abs() < 1e-3);
    }

    #[test]
    fn figures_are_found_by_their_last_part() {
        let columns: Vec<String> =
            ["detection.f1", "detection.precision", "signatures.precision"].map(str::to_owned).to_vec();
        let find = |name| resolve_metric("rule", name, &columns).map_err(|e| e.to_string());
        assert_eq!(find("f1").unwrap(), "detection.f1");
        assert_eq!(find("signatures.precision").unwrap(), "signatures.precision");
        assert!(find("precision").unwrap_err().contains("detection.precision or signatures.precision"));
        assert!(find("f2").unwrap_err().contains("no figure `f2`"));
    }
}
