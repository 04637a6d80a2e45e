//! What a document is made of, read once from a folder.

use std::path::Path;

use phalanx_sim::Curves;
use phalanx_sim::scenario::{Design, SeedScheme};

use super::FIGURES;
use crate::analysis::{
    Elementary, LevelEffect, VarianceShare, elementary, main_effect, paired, variance_shares,
};
use crate::batch::journal::Journal;
use crate::batch::numbering_so_far;
use crate::error::RunnerError;
use crate::manifest::Manifest;
use crate::plan::design;
use crate::record::{RunRecord, Status};
use crate::series::{Series, parts};
use crate::statistics::Spread;

/// Points of a curve that is averaged.
pub const GRID: usize = 40;
/// Configurations whose differences to the first are listed.
const PAIRED_MOST: u32 = 200;

/// A configuration and its figures.
#[derive(Debug)]
pub struct Group {
    /// Levels by factor.
    pub levels: Vec<String>,
    /// `quorum=0.6`, or nothing.
    pub label: String,
    /// By figure, by replicate.
    pub figures: Vec<Vec<Option<f64>>>,
    /// Runs that failed.
    pub failures: usize,
}

/// Everything.
#[derive(Debug)]
pub struct Gathered {
    /// The folder's manifest.
    pub manifest: Manifest,
    /// Paths of the factors.
    pub factors: Vec<String>,
    /// Name of the design.
    pub design: &'static str,
    /// Configurations.
    pub groups: Vec<Group>,
    /// Runs that ended well.
    pub runs: usize,
    /// Digest of all fingerprints, in plan order.
    pub fingerprint: String,
    /// Failed runs: number and reason. The first few.
    pub failed: Vec<(u32, String)>,
    /// Mean curves.
    pub curves: MeanCurves,
    /// Mean per tick: reported, confirmed and rejected so far.
    pub confirmations: Vec<[f64; 3]>,
    /// Main effects: by factor, by figure.
    pub effects: Vec<Vec<Vec<LevelEffect>>>,
    /// Differences to the first configuration: configuration, figure, runs, spread.
    pub differences: Vec<(usize, usize, usize, Spread)>,
    /// By figure, by factor.
    pub elementary: Vec<Vec<Elementary>>,
    /// By figure, by factor.
    pub shares: Vec<Option<Vec<VarianceShare>>>,
}

/// Curves, averaged over runs.
#[derive(Debug, Default)]
pub struct MeanCurves {
    runs: f64,
    precision_runs: Vec<f64>,
    /// True positive rate at equally spaced false positive rates.
    pub roc: Vec<f64>,
    /// Precision at equally spaced recalls.
    pub precision: Vec<f64>,
    alone: Vec<f64>,
    shared: Vec<f64>,
    pairs: f64,
}

impl MeanCurves {
    fn add(&mut self, curves: &Curves) {
        if self.roc.is_empty() {
            self.roc = vec![0.0; GRID + 1];
            self.precision = vec![0.0; GRID + 1];
            self.precision_runs = vec![0.0; GRID + 1];
        }
        self.pairs += curves.pairs as f64;
        for (sums, counts) in [(&mut self.alone, &curves.alone), (&mut self.shared, &curves.shared)] {
            for [ticks, count] in counts {
                let index = *ticks as usize;
                if sums.len() <= index {
                    sums.resize(index + 1, 0.0);
                }
                sums[index] += *count as f64;
            }
        }
        let Some([benign, anomalous]) = curves.operating.last().copied() else { return };
        if benign == 0 || anomalous == 0 {
            return;
        }
        self.runs += 1.0;
        let mut before = (0.0, 0.0);
        let mut points = curves
            .operating
            .iter()
            .map(|[b, a]| (*b as f64 / benign as f64, *a as f64 / anomalous as f64))
            .peekable();
        for (step, sum) in self.roc.iter_mut().enumerate() {
            let x = step as f64 / GRID as f64;
            while let Some(point) = points.peek().filter(|p| p.0 <= x) {
                before = *point;
                points.next();
            }
            let y = match points.peek() {
                Some(after) if after.0 > before.0 => {
                    before.1 + (after.1 - before.1) * (x - before.0) / (after.0 - before.0)
                }
                _ => before.1,
            };
            *sum += y;
        }
        // Precision at a recall is that of the strictest threshold which reaches it.
        for (step, (sum, runs)) in self.precision.iter_mut().zip(&mut self.precision_runs).enumerate() {
            let recall = step as f64 / GRID as f64;
            let reaches = |[_, a]: &&[u64; 2]| *a as f64 >= recall * anomalous as f64 && *a > 0;
            if let Some([b, a]) = curves.operating.iter().find(reaches) {
                *sum += *a as f64 / (a + b) as f64;
                *runs += 1.0;
            }
        }
    }

    fn finish(&mut self) {
        self.roc.iter_mut().for_each(|y| *y /= self.runs.max(1.0));
        self.precision.iter_mut().zip(&self.precision_runs).for_each(|(y, runs)| *y /= runs.max(1.0));
        if self.runs == 0.0 {
            self.roc.clear();
            self.precision.clear();
        }
    }

    /// Share of pairs with contact that were caught within so many ticks: alone and shared.
    #[must_use]
    pub fn caught(&self) -> [Vec<f64>; 2] {
        let length = self.alone.len().max(self.shared.len());
        [&self.alone, &self.shared].map(|counts| {
            let mut sum = 0.0;
            (0..length)
                .map(|tick| {
                    sum += counts.get(tick).copied().unwrap_or(0.0);
                    sum / self.pairs.max(1.0)
                })
                .collect()
        })
    }
}

impl Gathered {
    /// Reads a folder.
    ///
    /// # Errors
    /// If it is none of a campaign.
    pub fn read(dir: &Path) -> Result<Self, RunnerError> {
        let manifest = Manifest::read(dir)?;
        let campaign = manifest.campaign(dir)?;
        let journal = Journal::read(dir)?;
        let numbering = numbering_so_far(&campaign, &journal)?;
        let factors = campaign.configurations().paths().to_vec();
        let mut groups: Vec<Group> = (0..campaign.len())
            .map(|c| {
                let levels = campaign.levels(c);
                let short = |path: &str| path.rsplit('.').next().unwrap_or(path).to_owned();
                let label: Vec<String> = factors
                    .iter()
                    .zip(&levels)
                    .map(|(path, level)| format!("{}={level}", short(path)))
                    .collect();
                Group {
                    levels,
                    label: label.join(" "),
                    figures: vec![Vec::new(); FIGURES.len()],
                    failures: 0,
                }
            })
            .collect();
        let mut hasher = blake3::Hasher::new();
        let (mut runs, mut failed, mut curves) = (0, Vec::new(), MeanCurves::default());
        let ended: Vec<u32> = journal.runs().filter(|run| *run < numbering.len()).collect();
        for run in ended {
            let Some(line) = journal.line(run)? else { continue };
            let group = &mut groups[numbering.run(run).configuration as usize];
            let ok = line.record.status == Status::Ok;
            for (slot, (_, column, _)) in group.figures.iter_mut().zip(FIGURES) {
                slot.push(ok.then(|| figure(&line.record, column)).flatten());
            }
            if ok {
                runs += 1;
                hasher.update(line.record.fingerprint.as_deref().unwrap_or("").as_bytes());
                line.curves.iter().for_each(|c| curves.add(c));
            } else {
                group.failures += 1;
                failed.push((
                    run,
                    line.error.unwrap_or_else(|| format!("{:?}", line.record.status).to_lowercase()),
                ));
            }
        }
        curves.finish();
        let mut gathered = Self {
            confirmations: confirmations(dir)?,
            design: design::name(&manifest.study.design),
            manifest,
            factors,
            groups,
            runs,
            fingerprint: hasher.finalize().to_hex().to_string(),
            failed,
            curves,
            effects: Vec::new(),
            differences: Vec::new(),
            elementary: Vec::new(),
            shares: Vec::new(),
        };
        gathered.analyse(&campaign);
        Ok(gathered)
    }

    fn analyse(&mut self, campaign: &crate::campaign::Campaign) {
        let figures = 0..FIGURES.len();
        let effect = |factor: usize, figure: usize| {
            let of_group = |group: &Group| {
                let level = group.levels[factor].clone();
                group.figures[figure].iter().map(|x| (level.clone(), *x)).collect::<Vec<_>>()
            };
            main_effect(&self.groups.iter().flat_map(of_group).collect::<Vec<_>>())
        };
        let sampled = campaign.configurations().point(0).is_some();
        // Every configuration of a sampled design has levels of its own.
        self.effects = match sampled {
            true => Vec::new(),
            false => {
                (0..self.factors.len()).map(|f| figures.clone().map(|m| effect(f, m)).collect()).collect()
            }
        };
        if self.manifest.study.seeds == SeedScheme::Common && self.groups.len() > 1 && !sampled {
            for configuration in 1..self.groups.len().min(PAIRED_MOST as usize) {
                for figure in figures.clone() {
                    let (n, spread) =
                        paired(&self.groups[0].figures[figure], &self.groups[configuration].figures[figure]);
                    if n > 1 {
                        self.differences.push((configuration, figure, n, spread));
                    }
                }
            }
        }
        let mean = |figure: usize| -> Vec<Option<f64>> {
            let of = |group: &Group| {
                Spread::of(&group.figures[figure].iter().flatten().copied().collect::<Vec<_>>()).mean
            };
            self.groups.iter().map(of).collect()
        };
        let configurations = campaign.configurations();
        match self.manifest.study.design {
            Design::Morris { .. } => {
                let points: Vec<&[f64]> =
                    (0..configurations.len()).filter_map(|i| configurations.point(i)).collect();
                let of = |figure| elementary(&points, &mean(figure), self.factors.len());
                self.elementary = figures.map(of).collect();
            }
            Design::Saltelli { .. } => {
                self.shares =
                    figures.map(|figure| variance_shares(&mean(figure), self.factors.len())).collect();
            }
            _ => {}
        }
    }
}

fn figure(record: &RunRecord, column: &str) -> Option<f64> {
    match column {
        "detection.f1" => record.detection.as_ref()?.f1,
        "detection.roc_auc" => record.detection.as_ref()?.roc_auc,
        "signatures.confirmed" => record.signatures.as_ref().map(|s| s.confirmed as f64),
        "time_to_detect.gain" => record.time_to_detect.as_ref()?.gain,
        "trust.separation" => record.trust.as_ref()?.separation,
        "network.messages" => record.network.as_ref().map(|n| n.messages as f64),
        "network.bytes" => record.network.as_ref().map(|n| n.bytes as f64 / 1024.0),
        _ => None,
    }
}

/// Mean number of reports, confirmations and rejections so far, by tick.
fn confirmations(dir: &Path) -> Result<Vec<[f64; 3]>, RunnerError> {
    let mut sums: Vec<([f64; 3], f64)> = Vec::new();
    for part in parts(dir)? {
        let series = Series::read(&part)?;
        let (Some(ticks), Some(reported), Some(confirmed), Some(rejected)) = (
            series.column("tick"),
            series.column("reported"),
            series.column("confirmed"),
            series.column("rejected"),
        ) else {
            continue;
        };
        for (i, tick) in ticks.iter().enumerate() {
            let index = *tick as usize;
            if sums.len() <= index {
                sums.resize(index + 1, ([0.0; 3], 0.0));
            }
            let (sum, runs) = &mut sums[index];
            *runs += 1.0;
            for (slot, column) in sum.iter_mut().zip([reported, confirmed, rejected]) {
                *slot += column[i] as f64;
            }
        }
    }
    let mut total = [0.0; 3];
    Ok(sums
        .into_iter()
        .map(|(sum, runs)| {
            for (t, s) in total.iter_mut().zip(sum) {
                *t += s / runs.max(1.0);
            }
            total
        })
        .collect())
}
