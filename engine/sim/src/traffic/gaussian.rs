//! Gaussian traffic: the workload of the Python system's clean-room successor.

use phalanx_core::{Feature, FlowBatch, Schema, Stream, Truth, Unit};

use super::{UNKNOWN, truth_of};
use crate::scenario::{AnomalyRate, Attack, Gaussian};

/// Independent normal features with shifted attack families.
#[derive(Debug)]
pub(crate) struct Mixture(Gaussian);

impl Mixture {
    pub(crate) fn new(scenario: &Gaussian) -> Self {
        Self(scenario.clone())
    }

    pub(crate) fn schema(&self) -> Schema {
        Schema::new(self.0.columns.iter().map(|c| Feature::raw(&c.name, Unit::None)).collect())
    }

    /// One tick's batch.
    pub(crate) fn batch(&self, stream: &mut Stream, flows: &mut FlowBatch) {
        self.flows(self.0.flows.get() as usize, stream, flows);
    }

    /// `count` flows as one batch.
    pub(crate) fn flows(&self, count: usize, stream: &mut Stream, flows: &mut FlowBatch) {
        let the_one = match self.0.anomalies {
            AnomalyRate::PerBatch(p) => {
                let hit = stream.bernoulli(p.get());
                let at = stream.below(count as u32) as usize;
                hit.then_some(at)
            }
            AnomalyRate::PerFlow(_) => None,
        };
        for i in 0..count {
            let anomalous = match self.0.anomalies {
                AnomalyRate::PerFlow(p) => stream.bernoulli(p.get()),
                AnomalyRate::PerBatch(_) => the_one == Some(i),
            };
            let family = anomalous.then(|| stream.below(self.0.families.len() as u32) as usize);
            let row = flows.push_blank(UNKNOWN, family.map_or(Truth::BENIGN, truth_of));
            for (j, (x, column)) in row.iter_mut().zip(&self.0.columns).enumerate() {
                let z = stream.normal();
                let value = match family.map(|f| &self.0.families[f].attack) {
                    None => column.mean + column.sd.get() * z,
                    Some(Attack::OffsetSd(offset)) => column.mean + column.sd.get() * (z + offset[j]),
                    Some(Attack::Exactly(values)) => values[j],
                };
                *x = value as f32;
            }
        }
    }
}
