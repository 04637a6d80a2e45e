//! Fitting a detector to a window of flows, and its threshold to its scores.

use std::borrow::Cow;
use std::sync::Arc;

use bevy_ecs::resource::Resource;
use phalanx_core::{AgentId, Purpose, Stream, Tick};
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

/// What an agent learns from, and what for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lesson<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) commons: &'a Commons,
    pub(crate) agent: AgentId,
    /// The tick from which on the detector will be used.
    pub(crate) since: Tick,
    pub(crate) window: &'a Window,
}

impl Lesson<'_> {
    /// Fits the scenario's detector.
    pub(crate) fn fit(self, scratch: &mut Scratch) -> Result<Detector, DetectError> {
        let (scorer, threshold) = match &self.plan.scenario.detector {
            scenario::Detector::Plugin(words) => return self.hosted(&words.on_fault, scratch),
            native => self.native(native, scratch)?,
        };
        Ok(Detector { scorer, threshold, since: self.since, standby: None, fell_back: false })
    }

    /// A detector of the engine's own, fitted to the window, and its threshold.
    fn native(
        self,
        detector: &scenario::Detector,
        scratch: &mut Scratch,
    ) -> Result<(Scorer, Threshold), DetectError> {
        let Self { plan, window, .. } = self;
        let (train, held_out) = split(plan, window);
        let Scratch { fit, sums, scores } = scratch;
        if let scenario::Detector::IsolationForest { trees, sample, .. } = detector
            && own_scores_alone(plan)
        {
            let (config, stream) =
                (ForestConfig { trees: trees.get(), sample: sample.get() }, &mut self.stream());
            let forest = IsolationForest::fit_with_sums(&train, plan.width, &config, sums, stream, fit)?;
            let threshold = threshold_of(plan, &forest, sums, scores);
            return Ok((Scorer::Forest(Arc::new(forest)), threshold));
        }
        let scorer = Scorer::fit(detector, &plan.schema, &train, &mut self.stream(), fit)?;
        let threshold = self.calibrate(&scorer, &held_out, scores)?;
        Ok((scorer, threshold))
    }

    /// What a detector of this agent draws from in this tick.
    fn stream(self) -> Stream {
        self.plan.streams.stream(Purpose::Model, self.agent.0, self.since)
    }

    /// A plugin that has learned from the window, if it could, and what stands in for it.
    fn hosted(
        self,
        on_fault: &scenario::DetectorFault,
        scratch: &mut Scratch,
    ) -> Result<Detector, DetectError> {
        let Self { plan, agent, since, .. } = self;
        let factory = plan.plugins.detector.as_ref().expect("the caller's plugins were checked");
        let seed = plan.streams.stream(Purpose::Plugin, agent.0, Tick(0)).bits64();
        let scorer = Scorer::Hosted(factory.create(agent, seed, &plan.schema));
        let standby = match on_fault {
            scenario::DetectorFault::Native(native) => Some(self.standby(native, scratch)?),
            scenario::DetectorFault::Abstain | scenario::DetectorFault::Abort => None,
        };
        // Until it has learned, it flags nothing.
        let threshold = ThresholdPolicy::Fixed(1.0).fit(&[]).expect("a fixed threshold needs no scores");
        let mut detector = Detector { scorer, threshold, since, standby, fell_back: false };
        self.teach(&mut detector, scratch)?;
        Ok(detector)
    }

    fn standby(
        self,
        native: &scenario::Detector,
        scratch: &mut Scratch,
    ) -> Result<Box<Standby>, DetectError> {
        let (scorer, threshold) = self.native(native, scratch)?;
        Ok(Box::new(Standby { scorer, threshold }))
    }

    /// Lets a plugin learn from the window (one that follows the stream does so but once) and calibrates its threshold. A
    /// plugin that cannot keeps what it had.
    pub(crate) fn teach(self, detector: &mut Detector, scratch: &mut Scratch) -> Result<(), DetectError> {
        let Scorer::Hosted(hosted) = &mut detector.scorer else { return Ok(()) };
        let (train, held_out) = split(self.plan, self.window);
        let learned = if hosted.is_streaming() && hosted.is_fitted() { Ok(()) } else { hosted.fit(&train) };
        let calibrated =
            learned.and_then(|()| self.calibrate(&detector.scorer, &held_out, &mut scratch.scores));
        match calibrated {
            Ok(threshold) => detector.threshold = threshold,
            Err(DetectError::Unavailable { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Brings a detector up to date with its window: by replacing the oldest trees of a forest that the scenario wants
    /// refreshed, by setting the threshold of one that learns from every flow anyway, else by fitting anew. `sums` are
    /// kept where the window is the agent's own.
    pub(crate) fn renew(
        self,
        detector: &mut Detector,
        own_sums: Option<&mut PathSums>,
        scratch: &mut Scratch,
    ) -> Result<(), DetectError> {
        let Self { plan, window, .. } = self;
        let (train, held_out) = split(plan, window);
        let Scratch { fit, sums, scores } = scratch;
        detector.threshold = match (&mut detector.scorer, &plan.scenario.detector) {
            (Scorer::Forest(forest), scenario::Detector::IsolationForest { refresh: count @ 1.., .. }) => {
                let forest = Arc::make_mut(forest);
                if let Some(sums) = own_sums.filter(|_| own_scores_alone(plan)) {
                    let sums = sums.of(forest, window)?;
                    forest.refresh_with_sums(&train, sums, *count, &mut self.stream(), fit)?;
                    threshold_of(plan, forest, sums, scores)
                } else {
                    forest.refresh(&train, *count, &mut self.stream(), fit)?;
                    self.calibrate(&detector.scorer, &held_out, scores)?
                }
            }
            (Scorer::Forest(forest), _) if own_scores_alone(plan) && Arc::strong_count(forest) == 1 => {
                let forest = Arc::get_mut(forest).expect("nobody else has it");
                forest.refit_with_sums(&train, sums, &mut self.stream(), fit)?;
                threshold_of(plan, forest, sums, scores)
            }
            (Scorer::Streaming(_), _) => self.calibrate(&detector.scorer, &held_out, scores)?,
            (Scorer::Hosted(_), scenario::Detector::Plugin(words)) => {
                self.teach(detector, scratch)?;
                if let scenario::DetectorFault::Native(native) = &words.on_fault {
                    self.renew_standby(detector, native, scratch)?;
                }
                detector.since = self.since;
                return Ok(());
            }
            _ => {
                *detector = self.fit(scratch)?;
                return Ok(());
            }
        };
        detector.since = self.since;
        Ok(())
    }

    /// As [`Self::renew`] for what stands in for a plugin.
    fn renew_standby(
        self,
        detector: &mut Detector,
        native: &scenario::Detector,
        scratch: &mut Scratch,
    ) -> Result<(), DetectError> {
        match &mut detector.standby {
            Some(standby) if matches!(standby.scorer, Scorer::Streaming(_)) => {
                let (_, held_out) = split(self.plan, self.window);
                standby.threshold = self.calibrate(&standby.scorer, &held_out, &mut scratch.scores)?;
            }
            standby => *standby = Some(self.standby(native, scratch)?),
        }
        Ok(())
    }

    /// Sets the scenario's threshold by the scores of the commons, if it is a shared one, else of the agent's own rows.
    fn calibrate(
        self,
        scorer: &Scorer,
        own: &[f32],
        scores: &mut Vec<f64>,
    ) -> Result<Threshold, DetectError> {
        scorer.detector().score(if is_shared(self.plan) { &self.commons.0 } else { own }, scores)?;
        Ok(fit_threshold(self.plan, scores))
    }
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
    if !holds_out(plan) || window.len() < CALIBRATION {
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
