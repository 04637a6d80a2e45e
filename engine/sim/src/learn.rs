//! Fitting a detector to a window of flows, and its threshold to its scores.

use std::borrow::Cow;
use std::sync::Arc;

use bevy_ecs::resource::Resource;
use phalanx_core::{AgentId, Purpose, Tick};
use phalanx_detect::{
    Adwin, DetectError, DriftDetector, FitScratch, ForestConfig, IsolationForest, PageHinkley,
    PageHinkleyConfig, StreamingDetector, Threshold, ThresholdPolicy,
};

use crate::agent::{Batch, Detector, PathSums, Standby};
use crate::plan::Plan;
use crate::scenario;
use crate::scorer::Scorer;
use crate::window::Window;

/// Every `CALIBRATION`-th flow of the window calibrates a conformal threshold instead of being fitted to.
const CALIBRATION: usize = 4;
/// Quantile of the scores above which they count as peaks; SPOT's.
const PEAK_LEVEL: f64 = 0.98;

/// Working memory of a fit. It carries nothing from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    fit: FitScratch,
    sums: Vec<u64>,
    scores: Vec<f64>,
}

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
    scratch: &mut Scratch,
) -> Result<Detector, DetectError> {
    if let scenario::Detector::Plugin(words) = &plan.scenario.detector {
        return hosted(plan, commons, agent, since, window, scratch, &words.on_fault);
    }
    let (scorer, threshold) =
        fit_native(plan, commons, agent, since, window, scratch, &plan.scenario.detector)?;
    Ok(Detector { scorer, threshold, since, standby: None, fell_back: false })
}

/// A detector of the engine's own, fitted to the window, and its threshold.
fn fit_native(
    plan: &Plan,
    commons: &Commons,
    agent: AgentId,
    since: Tick,
    window: &Window,
    scratch: &mut Scratch,
    detector: &scenario::Detector,
) -> Result<(Scorer, Threshold), DetectError> {
    let mut stream = plan.streams.stream(Purpose::Model, agent.0, since);
    let (train, held_out) = split(plan, window);
    if let scenario::Detector::IsolationForest { trees, sample, .. } = detector
        && own_scores_alone(plan)
    {
        let config = ForestConfig { trees: trees.get(), sample: sample.get() };
        let Scratch { fit, sums, .. } = scratch;
        let forest = IsolationForest::fit_with_sums(&train, plan.width, &config, sums, &mut stream, fit)?;
        let threshold = threshold_of(plan, &forest, sums, &mut scratch.scores);
        return Ok((Scorer::Forest(Arc::new(forest)), threshold));
    }
    let scorer = Scorer::fit(detector, &plan.schema, &train, &mut stream, &mut scratch.fit)?;
    let threshold = calibrate(plan, commons, &scorer, &held_out, &mut scratch.scores)?;
    Ok((scorer, threshold))
}

/// A plugin that has learned from the window, if it could, and what stands in for it.
fn hosted(
    plan: &Plan,
    commons: &Commons,
    agent: AgentId,
    since: Tick,
    window: &Window,
    scratch: &mut Scratch,
    on_fault: &scenario::DetectorFault,
) -> Result<Detector, DetectError> {
    let factory = plan.plugins.detector.as_ref().expect("the caller's plugins were checked");
    let seed = plan.streams.stream(Purpose::Plugin, agent.0, Tick(0)).bits64();
    let scorer = Scorer::Hosted(factory.create(agent, seed, &plan.schema));
    let standby = match on_fault {
        scenario::DetectorFault::Native(native) => {
            Some(Box::new(standby(plan, commons, agent, since, window, scratch, native)?))
        }
        scenario::DetectorFault::Abstain | scenario::DetectorFault::Abort => None,
    };
    // Until it has learned, it flags nothing.
    let threshold = ThresholdPolicy::Fixed(1.0).fit(&[]).expect("a fixed threshold needs no scores");
    let mut detector = Detector { scorer, threshold, since, standby, fell_back: false };
    teach(&mut detector, plan, commons, window, scratch)?;
    Ok(detector)
}

fn standby(
    plan: &Plan,
    commons: &Commons,
    agent: AgentId,
    since: Tick,
    window: &Window,
    scratch: &mut Scratch,
    native: &scenario::Detector,
) -> Result<Standby, DetectError> {
    let (scorer, threshold) = fit_native(plan, commons, agent, since, window, scratch, native)?;
    Ok(Standby { scorer, threshold })
}

/// Lets a plugin learn from the window (one that follows the stream does so but once) and calibrates its threshold. A
/// plugin that cannot keeps what it had.
pub(crate) fn teach(
    detector: &mut Detector,
    plan: &Plan,
    commons: &Commons,
    window: &Window,
    scratch: &mut Scratch,
) -> Result<(), DetectError> {
    let Scorer::Hosted(hosted) = &mut detector.scorer else { return Ok(()) };
    let (train, held_out) = split(plan, window);
    let learned = if hosted.is_streaming() && hosted.is_fitted() { Ok(()) } else { hosted.fit(&train) };
    let calibrated =
        learned.and_then(|()| calibrate(plan, commons, &detector.scorer, &held_out, &mut scratch.scores));
    match calibrated {
        Ok(threshold) => detector.threshold = threshold,
        Err(DetectError::Unavailable { .. }) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Detectors that follow the stream learn from the flows of the batch at these places.
pub(crate) fn follow(detector: &mut Detector, batch: &Batch, learned: &[usize]) {
    const FINITE: &str = "observed flows are finite";
    let each = |streaming: &mut dyn StreamingDetector| {
        learned.iter().for_each(|i| streaming.update(batch.flows.row(*i)).expect(FINITE));
    };
    if let Scorer::Streaming(streaming) = &mut detector.scorer {
        each(streaming.as_mut());
    }
    if let Some(standby) = &mut detector.standby
        && let Scorer::Streaming(streaming) = &mut standby.scorer
    {
        each(streaming.as_mut());
    }
    if let Scorer::Hosted(hosted) = &mut detector.scorer
        && hosted.is_streaming()
        && hosted.is_fitted()
    {
        let rows: Vec<f32> = learned.iter().flat_map(|i| batch.flows.row(*i)).copied().collect();
        match hosted.update(&rows) {
            Ok(()) | Err(DetectError::Unavailable { .. }) => {}
            Err(error) => panic!("{FINITE}: {error}"),
        }
    }
}

/// Brings a detector up to date with its window: by replacing the oldest trees of a forest that the scenario wants
/// refreshed, by setting the threshold of one that learns from every flow anyway, else by fitting anew. `sums` are kept
/// where the window is the agent's own.
#[expect(clippy::too_many_arguments, reason = "as many as a fit takes, what is fitted, and what it keeps")]
pub(crate) fn renew(
    detector: &mut Detector,
    plan: &Plan,
    commons: &Commons,
    agent: AgentId,
    since: Tick,
    window: &Window,
    sums: Option<&mut PathSums>,
    scratch: &mut Scratch,
) -> Result<(), DetectError> {
    let (train, held_out) = split(plan, window);
    match (&mut detector.scorer, &plan.scenario.detector) {
        (Scorer::Forest(forest), scenario::Detector::IsolationForest { refresh, .. }) if *refresh > 0 => {
            let mut stream = plan.streams.stream(Purpose::Model, agent.0, since);
            let forest = Arc::make_mut(forest);
            if let Some(sums) = sums.filter(|_| own_scores_alone(plan)) {
                let sums = sums.of(forest, window)?;
                forest.refresh_with_sums(&train, sums, *refresh, &mut stream, &mut scratch.fit)?;
                detector.threshold = threshold_of(plan, forest, sums, &mut scratch.scores);
                detector.since = since;
                return Ok(());
            }
            forest.refresh(&train, *refresh, &mut stream, &mut scratch.fit)?;
        }
        (Scorer::Forest(forest), _) if own_scores_alone(plan) && Arc::strong_count(forest) == 1 => {
            let mut stream = plan.streams.stream(Purpose::Model, agent.0, since);
            let Scratch { fit, sums, scores } = scratch;
            let forest = Arc::get_mut(forest).expect("nobody else has it");
            forest.refit_with_sums(&train, sums, &mut stream, fit)?;
            detector.threshold = threshold_of(plan, forest, sums, scores);
            detector.since = since;
            return Ok(());
        }
        (Scorer::Streaming(_), _) => {}
        (Scorer::Hosted(_), scenario::Detector::Plugin(words)) => {
            teach(detector, plan, commons, window, scratch)?;
            if let scenario::DetectorFault::Native(native) = &words.on_fault {
                renew_standby(detector, plan, commons, agent, since, window, scratch, native)?;
            }
            detector.since = since;
            return Ok(());
        }
        _ => {
            *detector = fit(plan, commons, agent, since, window, scratch)?;
            return Ok(());
        }
    }
    detector.threshold = calibrate(plan, commons, &detector.scorer, &held_out, &mut scratch.scores)?;
    detector.since = since;
    Ok(())
}

/// As [`renew`] for what stands in for a plugin.
#[expect(clippy::too_many_arguments, reason = "as many as a fit takes, and what is fitted")]
fn renew_standby(
    detector: &mut Detector,
    plan: &Plan,
    commons: &Commons,
    agent: AgentId,
    since: Tick,
    window: &Window,
    scratch: &mut Scratch,
    native: &scenario::Detector,
) -> Result<(), DetectError> {
    match &mut detector.standby {
        Some(standby) if matches!(standby.scorer, Scorer::Streaming(_)) => {
            let (_, held_out) = split(plan, window);
            standby.threshold = calibrate(plan, commons, &standby.scorer, &held_out, &mut scratch.scores)?;
        }
        _ => {
            detector.standby = Some(Box::new(standby(plan, commons, agent, since, window, scratch, native)?));
        }
    }
    Ok(())
}

/// Sets the scenario's threshold by the scores of the commons, if it is a shared one, else of the agent's own rows.
fn calibrate(
    plan: &Plan,
    commons: &Commons,
    scorer: &Scorer,
    own: &[f32],
    scores: &mut Vec<f64>,
) -> Result<Threshold, DetectError> {
    scorer.detector().score(if is_shared(plan) { &commons.0 } else { own }, scores)?;
    Ok(fit_threshold(plan, scores))
}

/// The scenario's threshold for a forest by the path sums of the rows that it is set by.
fn threshold_of(plan: &Plan, forest: &IsolationForest, sums: &[u64], scores: &mut Vec<f64>) -> Threshold {
    scores.clear();
    scores.extend(sums.iter().map(|sum| forest.score_of(*sum)));
    fit_threshold(plan, scores)
}

fn fit_threshold(plan: &Plan, scores: &[f64]) -> Threshold {
    plan.threshold
        .fit(scores)
        .expect("scores are finite, there is at least one, and the scenario was checked")
}

/// Whether the threshold is set by the scores of the commons.
fn is_shared(plan: &Plan) -> bool {
    matches!(plan.scenario.threshold, scenario::Threshold::SharedQuantile { .. })
}

/// Whether a threshold of this kind keeps its promise only on rows that were not fitted to.
fn holds_out(plan: &Plan) -> bool {
    matches!(plan.threshold, ThresholdPolicy::Conformal { .. } | ThresholdPolicy::FalseDiscovery { .. })
}

/// Whether a threshold is set by the scores of all rows that are fitted to, and no others.
fn own_scores_alone(plan: &Plan) -> bool {
    !is_shared(plan) && !holds_out(plan)
}

/// The rows of a window to fit to and those to calibrate on: all of them for both, but for conformal thresholds, whose
/// promise needs rows that were not fitted to.
fn split<'w>(plan: &Plan, window: &'w Window) -> (Cow<'w, [f32]>, Cow<'w, [f32]>) {
    let all = window.features();
    if !holds_out(plan) || window.keys().len() < CALIBRATION {
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
