//! What no single value shows: contradictions between values.

use thiserror::Error;

use crate::traffic::{CAMPAIGNS_MAX, HOSTS_MAX, SOURCES_MAX};

use super::{
    AnomalyRate, Attack, Capture, DetectionRule, Detector, DetectorFault, Drift, Gaussian, Owner, Scenario,
    Split, Synthetic, Threshold, Traffic,
};

/// Bounds that keep tables small and draws finite; far beyond what a scenario can mean.
const FLOWS_MIN: f64 = 0.1;
pub(super) const FLOWS_MAX: f64 = 1e6;
const DAY_MAX: u32 = 100_000;
const FAMILIES_MAX: usize = 1000;

/// Two values of a scenario that cannot both hold.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{message}")]
pub struct Contradiction {
    /// Path of the field to change, such as `network.latency.max_ticks`.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Scenario {
    /// Checks everything that concerns more than one value.
    ///
    /// # Errors
    /// The first contradiction, with the path of the field to change.
    pub fn check(&self) -> Result<(), Contradiction> {
        let fail = |path: &str, message: String| Err(Contradiction { path: path.to_owned(), message });
        if self.signature.prefix_bits > 32 {
            return fail(
                "signature.prefix_bits",
                format!(
                    "{} bits are more than an IPv4 address has: give 0 to 32",
                    self.signature.prefix_bits
                ),
            );
        }
        let liars: f64 = self.adversaries.iter().map(|a| a.fraction.get()).fold(0.0, |a, b| a + b);
        // A sum of decimal fractions that is 1 on paper may miss it by a few roundings.
        if liars > 1.0 + 1e-9 {
            return fail(
                "adversaries",
                format!("the fractions add up to {liars}: populations are disjoint, give 1 at most"),
            );
        }
        if let Detector::IsolationForest { sample, .. } = self.detector
            && sample.get() < 2
        {
            return fail(
                "detector.isolation_forest.sample",
                "a tree of one flow isolates nothing: give at least 2".to_owned(),
            );
        }
        if let Some(decay) = self.blacklist.decay {
            let (base, threshold) = (decay.base.get(), decay.threshold.get());
            if base > 100.0 {
                return fail("blacklist.decay.base", format!("a score of {base}: give at most 100"));
            }
            if threshold > base {
                let message =
                    format!("{threshold} is above base ({base}), so nothing is ever listed: give less");
                return fail("blacklist.decay.threshold", message);
            }
        }
        self.check_network()?;
        self.check_collective()?;
        self.check_plugins()?;
        self.check_model()?;
        self.check_campaigns()?;
        self.check_traffic()
    }

    fn check_collective(&self) -> Result<(), Contradiction> {
        use phalanx_consensus::VotingRule;
        let at = |block: &str, name: &str, bad: phalanx_consensus::BadSetting| Contradiction {
            path: format!("{block}.{}.{}", snake(name), bad.field),
            message: bad.problem,
        };
        let rule = &self.consensus.rule;
        rule.check().map_err(|bad| at("consensus.rule", rule.name(), bad))?;
        let trust = self.trust.kind();
        trust.check().map_err(|bad| at("trust.model", trust.name(), bad))
    }

    fn check_model(&self) -> Result<(), Contradiction> {
        let fail = |path: &str, message: &str| {
            Err(Contradiction { path: path.to_owned(), message: message.to_owned() })
        };
        if self.model.owner == Owner::Role {
            if self.detector.is_streaming() || matches!(self.detector, Detector::Plugin(_)) {
                return fail(
                    "model.owner",
                    "a plugin, or a detector that learns from every flow, has one owner: give Agent",
                );
            }
            if self.model.drift.is_some() {
                return fail(
                    "model.drift",
                    "a shared model is not refitted for one agent's drift: give owner: Agent",
                );
            }
        }
        if let Some(Drift::Adwin { delta }) = self.model.drift
            && delta.get() >= 1.0
        {
            return fail("model.drift.adwin.delta", "a probability below 1 is needed: 0.002 is usual");
        }
        if let Threshold::PeaksOverThreshold { q } = self.threshold
            && (q.get() <= 0.0 || q.get() >= 1.0)
        {
            return fail("threshold.peaks_over_threshold.q", "the rate must lie between 0 and 1");
        }
        let (path, detector) = match &self.detector {
            Detector::Plugin(plugin) => match &plugin.on_fault {
                DetectorFault::Native(native) => ("detector.plugin.on_fault.native.rules", &**native),
                _ => ("", &self.detector),
            },
            own => ("detector.rules", own),
        };
        if let Detector::Rules(rules) = detector {
            let empty = |rule: &DetectionRule| match rule {
                DetectionRule::Any(clauses) | DetectionRule::All(clauses) => clauses.is_empty(),
            };
            if rules.is_empty() {
                return fail(path, "no rules: give at least one");
            }
            if let Some(index) = rules.iter().position(empty) {
                let message = "a rule without clauses says nothing: give it at least one";
                return fail(&format!("{path}.{index}"), message);
            }
        }
        Ok(())
    }

    fn check_campaigns(&self) -> Result<(), Contradiction> {
        let fail = |path: &str, message: String| Err(Contradiction { path: path.to_owned(), message });
        if !matches!(self.traffic, Traffic::Synthetic(_)) && !self.campaigns.is_empty() {
            return fail(
                "campaigns",
                "campaigns need synthetic traffic: remove them, or use traffic: Synthetic()".to_owned(),
            );
        }
        let stages: usize = self.campaigns.iter().map(|campaign| campaign.stages.len().max(1)).sum();
        if stages > CAMPAIGNS_MAX {
            let message = format!("{stages} campaigns and stages: give at most {CAMPAIGNS_MAX}");
            return fail("campaigns", message);
        }
        for (i, campaign) in self.campaigns.iter().enumerate() {
            if campaign.sources.get() > SOURCES_MAX {
                let message = format!("{} addresses: give at most {SOURCES_MAX}", campaign.sources.get());
                return fail(&format!("campaigns.{i}.sources"), message);
            }
            if campaign.rate() > FLOWS_MAX {
                let message =
                    format!("{} flows an agent and tick: give at most {FLOWS_MAX}", campaign.rate());
                return fail(&format!("campaigns.{i}.rate"), message);
            }
            campaign.check().map_err(|wrong| Contradiction {
                path: format!("campaigns.{i}.{}", wrong.path),
                message: wrong.message,
            })?;
            if self.campaigns[..i].iter().any(|other| other.name.is_some() && other.name == campaign.name) {
                let message = "another campaign has this name: give it one of its own".to_owned();
                return fail(&format!("campaigns.{i}.name"), message);
            }
        }
        Ok(())
    }

    fn check_traffic(&self) -> Result<(), Contradiction> {
        let fail = |path: &str, message: String| Err(Contradiction { path: path.to_owned(), message });
        match &self.traffic {
            Traffic::Synthetic(synthetic) => self.check_synthetic(synthetic),
            Traffic::Gaussian(gaussian) => check_gaussian(gaussian),
            Traffic::Capture(capture) if capture.path.is_empty() => {
                fail("traffic.capture.path", "no file named: give --set traffic.capture.path=FILE".to_owned())
            }
            Traffic::Capture(capture)
                if capture.second_opinions && matches!(self.detector, Detector::Plugin(_)) =>
            {
                let message =
                    "a plugin judges the flows of its agent alone: use a native detector, or leave it out";
                fail("traffic.capture.second_opinions", message.to_owned())
            }
            Traffic::Capture(capture) => check_capture(capture),
        }
    }

    fn check_synthetic(&self, synthetic: &Synthetic) -> Result<(), Contradiction> {
        let fail = |path: &str, message: String| Err(Contradiction { path: path.to_owned(), message });
        let regions = synthetic.regions.get();
        if regions > 255 {
            return fail("traffic.synthetic.regions", format!("{regions} regions: give at most 255"));
        }
        let most = HOSTS_MAX / regions * regions;
        if self.agents.get() > most {
            let message =
                format!("{} hosts: 10/8 has room for {most} in {regions} regions", self.agents.get());
            return fail("agents", message);
        }
        let flows = synthetic.flows.get();
        if !(FLOWS_MIN..=FLOWS_MAX).contains(&flows) {
            let message = format!("{flows} flows an agent and tick: give {FLOWS_MIN} to {FLOWS_MAX}");
            return fail("traffic.synthetic.flows", message);
        }
        if synthetic.day_ticks.get() > DAY_MAX {
            let message = format!("{} ticks: give at most {DAY_MAX}", synthetic.day_ticks.get());
            return fail("traffic.synthetic.day_ticks", message);
        }
        if let Some(hours) = synthetic.working_hours {
            let path = |field: &str| format!("traffic.synthetic.working_hours.{field}");
            if hours.to.get() <= hours.from.get() {
                return fail(&path("to"), "work ends before it begins: give more than from".to_owned());
            }
            if !(1..=7).contains(&hours.days) {
                return fail(&path("days"), format!("{} days of a week: give 1 to 7", hours.days));
            }
            if hours.idle.get() >= 1.0 {
                return fail(&path("idle"), "then there is no rest: give less than 1".to_owned());
            }
        }
        if synthetic.scanning.get() > FLOWS_MAX {
            let message =
                format!("{} probes a host and tick: give at most {FLOWS_MAX}", synthetic.scanning.get());
            return fail("traffic.synthetic.scanning", message);
        }
        let roles = &synthetic.roles;
        if roles.web.get() + roles.dns.get() + roles.workstation.get() + roles.iot.get() <= 0.0 {
            let message = "all weights are 0: give at least one role a weight".to_owned();
            return fail("traffic.synthetic.roles", message);
        }
        Ok(())
    }
}

/// `TrustWeighted` as paths write it: `trust_weighted`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

fn check_capture(capture: &Capture) -> Result<(), Contradiction> {
    let fail = |path: &str, message: String| Err(Contradiction { path: path.to_owned(), message });
    match capture.split {
        Split::ByFile if capture.files.is_empty() => fail(
            "traffic.capture.split",
            "ByFile divides the logs in traffic.capture.files: name them, or divide otherwise".to_owned(),
        ),
        _ if capture.both_ways && capture.files.is_empty() => fail(
            "traffic.capture.both_ways",
            "it is about exports of flows in traffic.capture.files: name them, or leave it out".to_owned(),
        ),
        Split::BySubnet { bits } if bits > 32 => fail(
            "traffic.capture.split.by_subnet.bits",
            format!("{bits} bits are more than an IPv4 address has: give 0 to 32"),
        ),
        _ => Ok(()),
    }
}

fn check_gaussian(gaussian: &Gaussian) -> Result<(), Contradiction> {
    let fail = |path: &str, message: String| {
        Err(Contradiction { path: format!("traffic.gaussian.{path}"), message })
    };
    if gaussian.columns.is_empty() {
        return fail("columns", "no columns: give at least one".to_owned());
    }
    for (i, column) in gaussian.columns.iter().enumerate() {
        if gaussian.columns[..i].iter().any(|other| other.name == column.name) {
            return fail(
                &format!("columns.{i}.name"),
                format!("a second column {:?}: rename it", column.name),
            );
        }
        if !in_range(column.mean, column.sd.get()) {
            let message = format!(
                "flows of mean {} and sd {} leave the range of 32-bit floats",
                column.mean,
                column.sd.get()
            );
            return fail(&format!("columns.{i}"), message);
        }
    }
    let (AnomalyRate::PerFlow(rate) | AnomalyRate::PerBatch(rate)) = gaussian.anomalies;
    if gaussian.families.is_empty() && rate.get() > 0.0 {
        return fail("families", "anomalies without a family: give one, or a rate of 0".to_owned());
    }
    if gaussian.families.len() > FAMILIES_MAX {
        let message = format!("{} families: give at most {FAMILIES_MAX}", gaussian.families.len());
        return fail("families", message);
    }
    for (i, family) in gaussian.families.iter().enumerate() {
        let path = format!("families.{i}.attack");
        let (Attack::OffsetSd(values) | Attack::Exactly(values)) = &family.attack;
        if values.len() != gaussian.columns.len() {
            let (given, needed) = (values.len(), gaussian.columns.len());
            return fail(&path, format!("{given} values for {needed} columns: give one a column"));
        }
        for (value, column) in values.iter().zip(&gaussian.columns) {
            let fits = match family.attack {
                Attack::OffsetSd(_) => in_range(column.mean + value * column.sd.get(), column.sd.get()),
                Attack::Exactly(_) => in_range(*value, 0.0),
            };
            if !fits {
                return fail(
                    &path,
                    format!("{value} leaves the range of 32-bit floats in column {:?}", column.name),
                );
            }
        }
    }
    Ok(())
}

/// Whether normal draws of this mean and deviation (no draw lies beyond nine) are finite 32-bit floats.
fn in_range(mean: f64, sd: f64) -> bool {
    mean.abs() + 9.0 * sd < f64::from(f32::MAX)
}
