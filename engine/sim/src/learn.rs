//! Fitting a detector to a window of flows, and its threshold to its scores.

use std::sync::Arc;

use phalanx_core::{AgentId, Purpose, Tick};
use phalanx_detect::{DetectError, FitScratch, ForestConfig, IsolationForest, ZScore};

use crate::agent::{Detector, Window};
use crate::plan::Plan;
use crate::scenario;

/// Fits the scenario's detector. `generation` is the tick from which on the model will be used.
pub(crate) fn fit(
    plan: &Plan,
    agent: AgentId,
    generation: Tick,
    window: &Window,
    scratch: &mut FitScratch,
) -> Result<Detector, DetectError> {
    let rows = window.features();
    let scorer: Arc<dyn phalanx_detect::Detector> = match plan.scenario.detector {
        scenario::Detector::IsolationForest { trees, sample } => {
            let config = ForestConfig { trees: trees.get(), sample: sample.get() };
            let mut stream = plan.streams.stream(Purpose::Model, agent.0, generation);
            Arc::new(IsolationForest::fit(rows, plan.width, &config, &mut stream, scratch)?)
        }
        scenario::Detector::ZScore => Arc::new(ZScore::fit(rows, plan.width)?),
    };
    let mut scores = Vec::new();
    scorer.score(rows, &mut scores)?;
    let threshold =
        plan.threshold.threshold(&mut scores).expect("a fitted detector has seen at least one flow");
    Ok(Detector { scorer, threshold })
}
