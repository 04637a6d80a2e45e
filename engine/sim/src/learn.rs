//! Fitting a detector to a window of flows, and its threshold to its scores.

use std::borrow::Cow;
use std::sync::Arc;

use bevy_ecs::resource::Resource;
use phalanx_core::{AgentId, Purpose, Tick};
use phalanx_detect::{
    Adwin, DetectError, DriftDetector, FitScratch, PageHinkley, PageHinkleyConfig, Threshold, ThresholdPolicy,
};

use crate::agent::{Detector, Window};
use crate::plan::Plan;
use crate::scenario;
use crate::scorer::Scorer;

/// Every `CALIBRATION`-th flow of the window calibrates a conformal threshold instead of being fitted to.
const CALIBRATION: usize = 4;
/// Quantile of the scores above which they count as peaks; SPOT's.
const PEAK_LEVEL: f64 = 0.98;

/// Benign flows of all agents, row-major: what a shared threshold is calibrated on. Empty if no threshold is.
#[derive(Resource, Debug, Default)]
pub(crate) struct Commons(pub(crate) Vec<f32>);

/// Fits the scenario's detector. `since` is the tick from which on it will be used.
pub(crate) fn fit(
    plan: &Plan,
    commons: &Commons,
    agent: AgentId,
    since: Tick,
    window: &Window,
    scratch: &mut FitScratch,
) -> Result<Detector, DetectError> {
    let mut stream = plan.streams.stream(Purpose::Model, agent.0, since);
    let (train, held_out) = split(plan, window);
    let scorer = Scorer::fit(&plan.scenario.detector, &plan.schema, &train, &mut stream, scratch)?;
    let threshold = calibrate(plan, commons, &scorer, &held_out)?;
    Ok(Detector { scorer, threshold, since })
}

/// Brings a detector up to date with its window: by replacing the oldest trees of a forest that the scenario wants
/// refreshed, by setting the threshold of one that learns from every flow anyway, else by fitting anew.
pub(crate) fn renew(
    detector: &mut Detector,
    plan: &Plan,
    commons: &Commons,
    agent: AgentId,
    since: Tick,
    window: &Window,
    scratch: &mut FitScratch,
) -> Result<(), DetectError> {
    let (train, held_out) = split(plan, window);
    match (&mut detector.scorer, &plan.scenario.detector) {
        (Scorer::Forest(forest), scenario::Detector::IsolationForest { refresh, .. }) if *refresh > 0 => {
            let mut stream = plan.streams.stream(Purpose::Model, agent.0, since);
            Arc::make_mut(forest).refresh(&train, *refresh, &mut stream, scratch)?;
        }
        (Scorer::Streaming(_), _) => {}
        _ => {
            *detector = fit(plan, commons, agent, since, window, scratch)?;
            return Ok(());
        }
    }
    detector.threshold = calibrate(plan, commons, &detector.scorer, &held_out)?;
    detector.since = since;
    Ok(())
}

/// Sets the scenario's threshold by the scores of the commons, if it is a shared one, else of the agent's own rows.
fn calibrate(plan: &Plan, commons: &Commons, scorer: &Scorer, own: &[f32]) -> Result<Threshold, DetectError> {
    let shared = matches!(plan.scenario.threshold, scenario::Threshold::SharedQuantile { .. });
    let mut scores = Vec::new();
    scorer.detector().score(if shared { &commons.0 } else { own }, &mut scores)?;
    Ok(plan
        .threshold
        .fit(&scores)
        .expect("scores are finite, there is at least one, and the scenario was checked"))
}

/// The rows of a window to fit to and those to calibrate on: all of them for both, but for conformal thresholds, whose
/// promise needs rows that were not fitted to.
fn split<'w>(plan: &Plan, window: &'w Window) -> (Cow<'w, [f32]>, Cow<'w, [f32]>) {
    let all = window.features();
    let conformal =
        matches!(plan.threshold, ThresholdPolicy::Conformal { .. } | ThresholdPolicy::FalseDiscovery { .. });
    if !conformal || window.keys().len() < CALIBRATION {
        return (Cow::Borrowed(all), Cow::Borrowed(all));
    }
    let (mut train, mut held_out) = (Vec::new(), Vec::new());
    for (i, row) in all.chunks_exact(plan.width).enumerate() {
        if i % CALIBRATION == CALIBRATION - 1 { held_out.extend(row) } else { train.extend(row) }
    }
    (Cow::Owned(train), Cow::Owned(held_out))
}

/// What watches an agent's scores, if the scenario asks for it.
pub(crate) fn drift(scenario: &scenario::Scenario) -> Option<Box<dyn DriftDetector>> {
    const CHECKED: &str = "the scenario was checked";
    scenario.model.drift.map(|drift| -> Box<dyn DriftDetector> {
        match drift {
            scenario::Drift::Adwin { delta } => Box::new(Adwin::new(delta.get()).expect(CHECKED)),
            scenario::Drift::PageHinkley { slack, threshold } => {
                let config = PageHinkleyConfig {
                    slack: slack.get(),
                    threshold: threshold.get(),
                    ..PageHinkleyConfig::default()
                };
                Box::new(PageHinkley::new(config).expect(CHECKED))
            }
        }
    })
}

/// The policy that the scenario's threshold amounts to, once it is known what it is calibrated on.
pub(crate) fn policy(threshold: scenario::Threshold) -> ThresholdPolicy {
    match threshold {
        scenario::Threshold::Quantile { contamination }
        | scenario::Threshold::SharedQuantile { contamination } => {
            ThresholdPolicy::Quantile { contamination: contamination.get() }
        }
        scenario::Threshold::Conformal { alpha } => ThresholdPolicy::Conformal { alpha: alpha.get() },
        scenario::Threshold::FalseDiscovery { alpha } => {
            ThresholdPolicy::FalseDiscovery { alpha: alpha.get() }
        }
        scenario::Threshold::PeaksOverThreshold { q } => {
            ThresholdPolicy::PeaksOverThreshold { q: q.get(), level: PEAK_LEVEL }
        }
        scenario::Threshold::Fixed(score) => ThresholdPolicy::Fixed(score.get()),
    }
}
