//! What a document is made of, read once from a folder.

use std::path::Path;

use phalanx_sim::scenario::{Design, SeedScheme};

use super::FIGURES;
use super::curves::MeanCurves;
use crate::analysis::{
    Elementary, LevelEffect, VarianceShare, elementary, main_effect, paired, variance_shares,
};
use crate::batch::journal::Journal;
use crate::batch::numbering_so_far;
use crate::campaign::Campaign;
use crate::error::RunnerError;
use crate::manifest::Manifest;
use crate::plan::design;
use crate::record::{RunRecord, Status};
use crate::series::{Series, parts};
use crate::statistics::Spread;

/// Levels of a factor whose curves are kept apart.
const LEVELS_APART: usize = 6;
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
    /// Runs that this folder is for.
    pub planned: usize,
    /// Digest of all fingerprints, in plan order.
    pub fingerprint: String,
    /// Failed runs: number and reason. The first few.
    pub failed: Vec<(u32, String)>,
    /// Mean curves.
    pub curves: MeanCurves,
    /// By factor, the mean curves of each of its levels; none for factors of many levels.
    pub curves_by_level: Vec<Vec<(String, MeanCurves)>>,
    /// Means over runs, by tick.
    pub ticks: Vec<MeanTick>,
    /// Main effects: by factor, by figure.
    pub effects: Vec<Vec<Vec<LevelEffect>>>,
    /// Differences to the first configuration: configuration, figure, runs, spread.
    pub differences: Vec<(usize, usize, usize, Spread)>,
    /// By figure, by factor.
    pub elementary: Vec<Vec<Elementary>>,
    /// By figure, by factor.
    pub shares: Vec<Option<Vec<VarianceShare>>>,
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
        let mut by_level = apart(&campaign, &groups, factors.len());
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
                if let Some(of_run) = &line.curves {
                    curves.add(of_run);
                    for (levels, level) in by_level.iter_mut().zip(&group.levels) {
                        let own = levels.iter_mut().find(|(other, _)| other == level);
                        own.into_iter().for_each(|(_, curves)| curves.add(of_run));
                    }
                }
            } else {
                group.failures += 1;
                failed.push((
                    run,
                    line.error.unwrap_or_else(|| format!("{:?}", line.record.status).to_lowercase()),
                ));
            }
        }
        let shard = manifest.shard;
        let planned = (0..numbering.len()).filter(|run| shard.is_none_or(|s| s.has(*run))).count();
        curves.finish();
        by_level.iter_mut().flatten().for_each(|(_, curves)| curves.finish());
        let mut gathered = Self {
            ticks: ticks(dir)?,
            design: design::name(&manifest.study.design),
            manifest,
            factors,
            groups,
            runs,
            planned,
            fingerprint: hasher.finalize().to_hex().to_string(),
            failed,
            curves,
            curves_by_level: by_level,
            effects: Vec::new(),
            differences: Vec::new(),
            elementary: Vec::new(),
            shares: Vec::new(),
        };
        gathered.analyse(&campaign);
        Ok(gathered)
    }

    fn analyse(&mut self, campaign: &Campaign) {
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

/// Empty curves for the levels of every factor that has few.
fn apart(campaign: &Campaign, groups: &[Group], factors: usize) -> Vec<Vec<(String, MeanCurves)>> {
    if campaign.configurations().point(0).is_some() {
        return Vec::new();
    }
    let of = |factor: usize| {
        let mut levels: Vec<(String, MeanCurves)> = Vec::new();
        for group in groups {
            let level = &group.levels[factor];
            if levels.iter().all(|(other, _)| other != level) {
                levels.push((level.clone(), MeanCurves::default()));
            }
            if levels.len() > LEVELS_APART {
                return Vec::new();
            }
        }
        levels
    };
    (0..factors).map(of).collect()
}

/// A tick, as the mean of all runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct MeanTick {
    /// Signatures reported, confirmed and rejected so far.
    pub signatures: [f64; 3],
    /// Messages sent in the tick.
    pub messages: f64,
}

fn ticks(dir: &Path) -> Result<Vec<MeanTick>, RunnerError> {
    const COLUMNS: [&str; 4] = ["reported", "confirmed", "rejected", "messages"];
    let mut sums: Vec<([f64; 4], f64)> = Vec::new();
    for part in parts(dir)? {
        let series = Series::read(&part)?;
        let Some(ticks) = series.column("tick") else { continue };
        let Some(columns) = COLUMNS.iter().map(|name| series.column(name)).collect::<Option<Vec<_>>>() else {
            continue;
        };
        for (i, tick) in ticks.iter().enumerate() {
            let index = *tick as usize;
            if sums.len() <= index {
                sums.resize(index + 1, ([0.0; 4], 0.0));
            }
            let (sum, runs) = &mut sums[index];
            *runs += 1.0;
            for (slot, column) in sum.iter_mut().zip(&columns) {
                *slot += column[i] as f64;
            }
        }
    }
    let mut signatures = [0.0; 3];
    Ok(sums
        .into_iter()
        .map(|(sum, runs)| {
            let [rest @ .., messages] = sum.map(|s| s / runs.max(1.0));
            for (total, mean) in signatures.iter_mut().zip(rest) {
                *total += mean;
            }
            MeanTick { signatures, messages }
        })
        .collect())
}
