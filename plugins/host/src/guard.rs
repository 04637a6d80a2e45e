//! A slot behind its circuit breaker, which keeps account of what happens.

use phalanx_core::{AgentId, AgentMix, PluginEvent, PluginHappening, PluginSlot, Tick, digest128};

use crate::breaker::{Breaker, BreakerConfig};
use crate::fault::Fault;
use crate::slot::{Calls, Slot};

/// A plugin in its place, with all that belongs to it.
pub(crate) struct Guard<C> {
    slot: Slot<C>,
    breaker: Breaker,
    config: BreakerConfig,
    place: PluginSlot,
    agent: Option<AgentId>,
    now: Tick,
    events: Vec<PluginEvent>,
    last: Option<Fault>,
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Down {
    #[error("its breaker is open until tick {0}")]
    Open(Tick),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl<C: Calls> Guard<C> {
    pub(crate) fn new(
        slot: Slot<C>,
        config: BreakerConfig,
        place: PluginSlot,
        agent: Option<AgentId>,
    ) -> Self {
        let breaker = Breaker::default();
        Self { slot, breaker, config, place, agent, now: Tick(0), events: Vec::new(), last: None }
    }

    pub(crate) fn slot(&self) -> &Slot<C> {
        &self.slot
    }

    pub(crate) fn breaker(&self) -> Breaker {
        self.breaker
    }

    pub(crate) fn last_fault(&self) -> Option<&Fault> {
        self.last.as_ref()
    }

    pub(crate) fn begin(&mut self, now: Tick) {
        self.now = now;
        let happening = self.breaker.advance(now);
        self.note(happening);
    }

    pub(crate) fn take_events(&mut self) -> Vec<PluginEvent> {
        std::mem::take(&mut self.events)
    }

    fn note(&mut self, happening: Option<PluginHappening>) {
        let (tick, slot, agent) = (self.now, self.place, self.agent);
        self.events.extend(happening.map(|happening| PluginEvent { tick, slot, agent, happening }));
    }

    /// Makes a call if the breaker lets it through, and tells the breaker how it went.
    pub(crate) fn call<T>(&mut self, call: impl FnOnce(&mut Slot<C>) -> Result<T, Fault>) -> Result<T, Down> {
        if let Breaker::Open { until } = self.breaker {
            return Err(Down::Open(until));
        }
        match call(&mut self.slot) {
            Ok(answer) => {
                let happening = self.breaker.succeed();
                self.note(happening);
                Ok(answer)
            }
            Err(fault) => {
                self.note(Some(PluginHappening::Fault(fault.kind)));
                let happening = self.breaker.fail(self.now, self.config);
                self.note(happening);
                self.last = Some(fault.clone());
                Err(fault.into())
            }
        }
    }

    /// Breaker (9 bytes), then 1 and the plugin's state, or 0.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let state = self.slot.state();
        let mut bytes = self.breaker.encode().to_vec();
        bytes.push(u8::from(state.is_some()));
        bytes.extend_from_slice(state.unwrap_or_default());
        bytes
    }

    /// Takes over what [`Self::encode`] gave; `None` if it cannot have.
    pub(crate) fn decode(&mut self, bytes: &[u8]) -> Option<()> {
        let (breaker, rest) = bytes.split_first_chunk::<9>()?;
        let breaker = Breaker::decode(*breaker)?;
        let state = match rest {
            [0] => None,
            [1, state @ ..] => Some(state.into()),
            _ => return None,
        };
        self.breaker = breaker;
        self.slot.restore(state);
        // What happened to the one that was just built is no part of the run that goes on.
        self.events.clear();
        self.last = None;
        Some(())
    }

    pub(crate) fn digest(&self) -> u64 {
        let mut mix = AgentMix::new(0);
        for word in digest128(&self.encode()).chunks_exact(8) {
            mix.word(u64::from_le_bytes(word.try_into().expect("chunks of 8 bytes")));
        }
        let digest = mix.finish();
        digest as u64 ^ (digest >> 64) as u64
    }
}
