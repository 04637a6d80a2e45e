//! What stays the same for a whole run: the scenario, its random streams, the columns, the names of campaigns.

use std::sync::Arc;

use bevy_ecs::resource::Resource;
use phalanx_consensus::{Gathering, HostedRule, VotingRule};
use phalanx_core::{Schema, Streams, Tick};
use phalanx_detect::{DetectorFactory, ThresholdPolicy};

use crate::agent::Matcher;
use crate::learn;
use crate::scenario::{Action, Scenario, Traffic, actions};
use crate::traffic::Source;

/// Constants of the run.
#[derive(Resource, Debug)]
pub(crate) struct Plan {
    pub(crate) scenario: Scenario,
    pub(crate) streams: Streams,
    /// Number of agents.
    pub(crate) agents: u32,
    /// Columns of all flows.
    pub(crate) schema: Schema,
    /// Features a flow.
    pub(crate) width: usize,
    /// How signatures are compared with flows.
    pub(crate) matcher: Matcher,
    /// How thresholds follow from training scores.
    pub(crate) threshold: ThresholdPolicy,
    /// What the caller has loaded of plugins.
    pub(crate) plugins: Plugins,
    /// Names of the campaigns or their stages, attack families or labels that truths refer to.
    pub(crate) campaigns: Vec<String>,
    /// What attackers do on the synthetic world, in the same order.
    pub(crate) actions: Vec<Action>,
}

/// Plugins that the caller has loaded, for the places where the scenario names one.
#[derive(Debug, Default)]
pub struct Plugins {
    /// For `detector: Plugin(…)`.
    pub detector: Option<Arc<dyn DetectorFactory>>,
    /// For `consensus: (plugin: …)`.
    pub rule: Option<Box<dyn HostedRule>>,
}

/// The tick that is running.
#[derive(Resource, Clone, Copy, Debug, Default)]
pub(crate) struct Now(pub(crate) Tick);

impl Plan {
    pub(crate) fn new(scenario: &Scenario, source: &Source, plugins: Plugins) -> Self {
        let actions = actions(&scenario.campaigns);
        let campaigns = match (&scenario.traffic, source) {
            (_, Source::Replay { records, .. }) => records.labels.clone(),
            (Traffic::Gaussian(gaussian), _) => gaussian.families.iter().map(|f| f.name.clone()).collect(),
            _ => actions.iter().map(|action| action.name.clone()).collect(),
        };
        let schema = source.schema();
        Self {
            streams: Streams::from_seed(scenario.seed),
            agents: scenario.agents.get(),
            width: schema.width(),
            schema,
            matcher: Matcher {
                radius: scenario.blacklist.radius.map(crate::scenario::PositiveReal::get),
                prefix_bits: scenario.signature.prefix_bits,
            },
            threshold: learn::policy(scenario.threshold),
            plugins,
            campaigns,
            actions,
            scenario: scenario.clone(),
        }
    }

    /// Mean delay of a message, in ticks; between regions that of the Internet's mean of about 150 ms.
    pub(crate) fn latency_mean_ticks(&self) -> f64 {
        let network = &self.scenario.network;
        let uniform = 0.5 * (f64::from(network.latency.min_ticks) + f64::from(network.latency.max_ticks));
        uniform + network.internet.map_or(0.0, |internet| 150.0 / internet.tick_ms.get())
    }

    /// What decides.
    pub(crate) fn rule(&self) -> &dyn VotingRule {
        match &self.plugins.rule {
            Some(plugin) => plugin.as_ref(),
            None => &self.scenario.consensus.rule,
        }
    }

    /// How its ballots are gathered. A plugin's arrive as votes.
    pub(crate) fn gathering(&self) -> Gathering {
        self.rule().gathering()
    }

    /// Ticks for which an indicator that was reported is not reported again: until its fate is known everywhere.
    pub(crate) fn quiet_ticks(&self) -> u64 {
        u64::from(self.scenario.consensus.deadline_ticks)
            + u64::from(self.scenario.network.latency.max_ticks)
            + u64::from(self.scenario.signature.memory_ticks.get())
    }
}
