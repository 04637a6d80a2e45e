//! Mean, deviation and confidence of every figure over the replicates of a configuration.

use phalanx_sim::summary::{CampaignSummary, Opinions, Plugins, Summary, Warnings};
use serde::Serialize;
use serde_json::{Map, Value};
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::batch::journal::Journal;
use crate::error::RunnerError;
use crate::plan::until::Until;
use crate::plan::{PlanError, PlannedRun};
use crate::record::{LedgerRecord, RunRecord, Status};
use crate::scenario::nearest;
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

/// The statistics of every figure of one configuration, from one record after another: what is kept does not grow with
/// their number.
#[derive(Debug, Default)]
pub struct Summing {
    columns: Columns,
    // By column; none for one that holds something else than numbers.
    figures: Vec<Option<Moments>>,
    params: Option<Map<String, Value>>,
    failures: u64,
}

impl Summing {
    /// Adds a run.
    pub fn add(&mut self, record: &RunRecord) {
        if self.params.is_none() {
            self.params = Some(record.params.clone());
        }
        let row = self.columns.take(record);
        self.figures.resize(row.len(), Some(Moments::default()));
        self.failures += u64::from(matches!(record.status, Status::Failed | Status::Timeout));
        if record.status != Status::Ok {
            return;
        }
        for (figure, value) in self.figures.iter_mut().zip(row) {
            match value.as_f64() {
                Some(x) => figure.iter_mut().for_each(|moments| moments.push(x)),
                None if value.is_null() => {}
                None => *figure = None,
            }
        }
    }

    /// The statistics so far.
    #[must_use]
    pub fn finish(self, configuration: u32) -> Vec<Statistic> {
        let Self { columns, figures, params, failures } = self;
        let params = params.unwrap_or_default();
        let is_figure =
            |name: &str| !IDENTITY.contains(&name) && name != "ledger.root" && !name.ends_with(".name");
        let named = columns.names().iter().zip(figures).filter(|(name, _)| is_figure(name));
        named
            .filter_map(|(name, moments)| Some((name, moments?)))
            .map(|(name, moments)| {
                let Spread { mean, sd, half } = moments.spread();
                Statistic {
                    configuration,
                    params: params.clone(),
                    metric: name.clone(),
                    n: moments.n,
                    failures,
                    mean,
                    sd,
                    ci95_low: mean.zip(half).map(|(mean, half)| mean - half),
                    ci95_high: mean.zip(half).map(|(mean, half)| mean + half),
                }
            })
            .collect()
    }
}

/// Number, sum and squared deviations of values that are seen once, in the order of the runs (Youngs and Cramer 1971, on
/// distances to the first value, which loses no digits where values are large and alike).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    n: u64,
    sum: f64,
    first: f64,
    distance: f64,
    squares: f64,
}

impl Moments {
    /// Adds a value.
    pub fn push(&mut self, x: f64) {
        if self.n == 0 {
            self.first = x;
        }
        let before = self.n as f64;
        self.n += 1;
        self.sum += x;
        let x = x - self.first;
        self.distance += x;
        if before > 0.0 {
            let n = before + 1.0;
            let apart = n * x - self.distance;
            self.squares += apart * apart / (n * before);
        }
    }

    /// Mean, deviation and interval of the values so far.
    #[must_use]
    pub fn spread(&self) -> Spread {
        let mean = (self.n > 0).then(|| self.sum / self.n as f64);
        let sd = (self.n > 1).then(|| (self.squares / (self.n - 1) as f64).sqrt());
        let half = sd.map(|sd| t_quantile(self.n as usize - 1) * sd / (self.n as f64).sqrt());
        Spread { mean, sd, half }
    }
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
        let mut moments = Moments::default();
        values.iter().for_each(|x| moments.push(*x));
        moments.spread()
    }

    /// Whether the interval of the mean does not hold zero.
    #[must_use]
    pub fn leaves_out_zero(&self) -> bool {
        self.mean.zip(self.half).is_some_and(|(mean, half)| mean.abs() > half)
    }
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

/// Refuses a rule whose figure no run can have, before anything runs.
///
/// # Errors
/// If there is none of that name, with the nearest that there is.
pub(crate) fn check_metric(until: &Until, text: &str) -> Result<(), PlanError> {
    let mut record = RunRecord::blank("", &PlannedRun::FIRST, 0, Status::Ok);
    let summary = Summary {
        plugins: Some(Plugins::default()),
        warnings: Some(Warnings::default()),
        opinions: Some(Opinions::default()),
        campaigns: vec![CampaignSummary::default()],
        ..Summary::default()
    };
    record.complete(summary, String::new(), LedgerRecord::default());
    let mut columns = Columns::default();
    columns.add(&record);
    let metric = until.metric.as_str();
    let is_last_part = |c: &String| c.strip_suffix(metric).is_some_and(|rest| rest.ends_with('.'));
    // Which campaigns, hosts and stages there are, the first run will tell.
    if metric.contains("campaigns.")
        || metric.contains("warnings.")
        || columns.names().iter().any(|c| c == metric || is_last_part(c))
    {
        return Ok(());
    }
    let last = columns.names().iter().map(|c| c.rsplit('.').next().unwrap_or(c));
    let names = columns.names().iter().map(String::as_str).chain(last);
    let remedy = nearest(metric, names).map_or_else(
        || "the columns of `runs.csv` are figures".to_owned(),
        |name| format!("did you mean `{name}`?"),
    );
    Err(PlanError::Until { text: text.to_owned(), problem: format!("no figure `{metric}`; {remedy}") })
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
    use phalanx_sim::summary::Detection;

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
    fn deviations_far_from_zero_are_those_of_two_passes() {
        let values: Vec<f64> = (0..1000).map(|i| 1e9 + f64::from(i * i % 17) / 7.0).collect();
        let mean = values.iter().sum::<f64>() / 1000.0;
        let squares: f64 = values.iter().map(|x| (x - mean) * (x - mean)).sum();
        let spread = Spread::of(&values);
        assert_eq!(spread.mean, Some(mean));
        assert!((spread.sd.unwrap() / (squares / 999.0).sqrt() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn figures_are_columns_of_numbers_and_failures_are_counted() {
        let run = PlannedRun::FIRST;
        let mut summing = Summing::default();
        for (flows, f1) in [(10, Some(0.5)), (30, None)] {
            let mut record = RunRecord::blank("a", &run, 1, Status::Ok);
            record.complete(Summary::default(), "ab".to_owned(), LedgerRecord::default());
            record.detection = Some(Detection { flows, f1, ..Detection::default() });
            summing.add(&record);
        }
        summing.add(&RunRecord::blank("a", &run, 1, Status::Timeout));
        let found = summing.finish(7);
        let figure = |name: &str| found.iter().find(|s| s.metric == name).map(|s| (s.n, s.failures, s.mean));
        assert_eq!(figure("detection.flows"), Some((2, 1, Some(20.0))));
        assert_eq!(figure("detection.f1"), Some((1, 1, Some(0.5))));
        assert_eq!(figure("detection.roc_auc"), Some((0, 1, None)));
        assert_eq!((figure("seed"), figure("fingerprint"), found[0].configuration), (None, None, 7));
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
    fn a_rule_about_no_figure_is_refused_before_anything_runs() {
        let check = |rule: &str| {
            let until = Until::parse(rule).unwrap();
            check_metric(&until, rule).map_err(|error| error.to_string())
        };
        for fine in ["f1", "detection.f1", "caught", "campaigns.3.gain", "alone_worst_roc_auc"] {
            assert_eq!(check(&format!("{fine} rel<0.1 max 9")), Ok(()));
        }
        assert!(check("f9 rel<0.1 max 9").unwrap_err().contains("no figure `f9`; did you mean `f1`?"));
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
