//! A fixed run of calls, told in several ways.

use std::sync::Arc;

use phalanx_core::digest128;

use crate::fault::Fault;
use crate::plugin::Plugin;
use crate::setup::{Config, Setup};
use crate::slot::{Calls, Isolation, Slot};

/// Steps of a story.
const STEPS: u64 = 16;

/// How instances come and go while a story is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// One instance.
    Live,
    /// One, replaced after every step by another that is given its state.
    Resumed,
    /// One a call.
    Hermetic,
}

/// What a plugin is asked.
pub(crate) trait Story: Sync {
    type Guest: Calls;

    fn config(&self) -> &Config;
    fn columns(&self) -> &[String];
    /// Name of the figure of fuel an item.
    fn fuel_of(&self) -> &'static str;
    /// Makes the calls of a step; the answers go into `answers`. The number of items (rows, ballots) asked about.
    fn step(
        &self,
        slot: &mut Slot<Self::Guest>,
        agent: u32,
        step: u64,
        answers: &mut Answers,
    ) -> Result<(), Fault>;
}

/// Answers so far, and what they took.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    bytes: Vec<u8>,
    items: u64,
    fuel: u64,
}

impl Answers {
    pub(crate) fn add(&mut self, bytes: impl IntoIterator<Item = u8>) {
        self.bytes.extend(bytes);
    }

    /// A call over so many items took so much fuel.
    pub(crate) fn took(&mut self, items: usize, fuel: u64) {
        self.items += items as u64;
        self.fuel += fuel;
    }
}

/// A story that came to its end.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) digest: [u8; 16],
    pub(crate) items: u64,
    pub(crate) fuel: u64,
    pub(crate) memory_first: u64,
    pub(crate) memory_last: u64,
    pub(crate) state_bytes: usize,
}

/// A slot of the story's plugin for an agent.
pub(crate) fn slot<S: Story>(story: &S, plugin: &Plugin, isolation: Isolation, agent: u32) -> Slot<S::Guest> {
    let setup = Setup {
        config: Arc::new(story.config().clone()),
        columns: story.columns().into(),
        seed: 0x5EED_0000 + u64::from(agent),
    };
    Slot::new(plugin.clone(), setup, isolation)
}

pub(crate) fn tell<S: Story>(story: &S, plugin: &Plugin, mode: Mode, agent: u32) -> Result<Told, Fault> {
    let isolation = if mode == Mode::Hermetic { Isolation::Hermetic } else { Isolation::Live };
    let mut slot = slot(story, plugin, isolation, agent);
    let mut answers = Answers::default();
    let mut memory_first = 0;
    for step in 0..STEPS {
        story.step(&mut slot, agent, step, &mut answers)?;
        answers.add(slot.state().unwrap_or_default().to_vec());
        // Learning and scoring at full size has been seen once by then.
        if step == 1 {
            memory_first = slot.memory_bytes();
        }
        if mode == Mode::Resumed {
            let state = slot.state().map(Into::into);
            slot.restore(state);
        }
    }
    Ok(Told {
        digest: digest128(&answers.bytes),
        items: answers.items,
        fuel: answers.fuel,
        memory_first,
        memory_last: slot.memory_bytes(),
        state_bytes: slot.state().map_or(0, <[u8]>::len),
    })
}
