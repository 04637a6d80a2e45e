//! What no single value shows: contradictions between values.

use thiserror::Error;

use crate::traffic::HOSTS_MAX;

use super::{Attack, Detector, Fraction, Scenario, Traffic};

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
        let latency = self.network.latency;
        if latency.max_ticks < latency.min_ticks {
            return fail(
                "network.latency.max_ticks",
                format!(
                    "{} is below min_ticks ({}): give at least that",
                    latency.max_ticks, latency.min_ticks
                ),
            );
        }
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
        if liars > 1.0 {
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
        self.check_traffic()
    }

    fn check_traffic(&self) -> Result<(), Contradiction> {
        let fail = |path: &str, message: String| Err(Contradiction { path: path.to_owned(), message });
        if !matches!(self.traffic, Traffic::Synthetic(_)) && !self.campaigns.is_empty() {
            return fail(
                "campaigns",
                "campaigns need synthetic traffic: remove them, or use traffic: Synthetic()".to_owned(),
            );
        }
        match &self.traffic {
            Traffic::Synthetic(synthetic) => {
                let regions = synthetic.regions.get();
                if regions > 255 {
                    let message = format!("{regions} regions: give at most 255");
                    return fail("traffic.synthetic.regions", message);
                }
                let most = HOSTS_MAX / regions * regions;
                if self.agents.get() > most {
                    let message =
                        format!("{} hosts: 10/8 has room for {most} in {regions} regions", self.agents.get());
                    return fail("agents", message);
                }
                let roles = &synthetic.roles;
                if roles.web.get() + roles.dns.get() + roles.workstation.get() + roles.iot.get() <= 0.0 {
                    return fail(
                        "traffic.synthetic.roles",
                        "all weights are 0: give at least one role a weight".to_owned(),
                    );
                }
            }
            Traffic::Gaussian(gaussian) => {
                if gaussian.columns.is_empty() {
                    return fail("traffic.gaussian.columns", "no columns: give at least one".to_owned());
                }
                let rate = match gaussian.anomalies {
                    super::AnomalyRate::PerFlow(p) | super::AnomalyRate::PerBatch(p) => p,
                };
                if gaussian.families.is_empty() && rate > Fraction::new(0.0) {
                    return fail(
                        "traffic.gaussian.families",
                        "anomalies without a family: give one, or a rate of 0".to_owned(),
                    );
                }
                for (i, family) in gaussian.families.iter().enumerate() {
                    let (Attack::OffsetSd(values) | Attack::Exactly(values)) = &family.attack;
                    if values.len() != gaussian.columns.len() || values.iter().any(|v| !v.is_finite()) {
                        return fail(
                            &format!("traffic.gaussian.families.{i}.attack"),
                            format!(
                                "{} values for {} columns: give one finite number a column",
                                values.len(),
                                gaussian.columns.len()
                            ),
                        );
                    }
                }
            }
            Traffic::Capture(capture) => {
                if capture.path.is_empty() {
                    return fail(
                        "traffic.capture.path",
                        "no file named: give --set traffic.capture.path=FILE".to_owned(),
                    );
                }
            }
        }
        Ok(())
    }
}
