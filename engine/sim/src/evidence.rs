//! What an agent has flagged lately.

use bevy_ecs::component::Component;
use phalanx_core::{FlowKey, Tick, Truth};

use crate::agent::empty;
use crate::checkpoint::{Malformed, Reader, Saved, State, Writer, saved};
use crate::footprint::room;

/// Flagged flows of the last ticks that no report has used up, in order of arrival.
#[derive(Component, Debug, Default)]
pub(crate) struct Evidence {
    flagged: Vec<Flagged>,
    /// Features of the flagged flows, one row after the other.
    rows: Vec<f32>,
}

/// A flagged flow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flagged {
    /// When it was seen.
    pub(crate) tick: Tick,
    /// What an indicator can name of it.
    pub(crate) key: FlowKey,
    /// Score minus threshold.
    pub(crate) margin: f64,
    /// Its truth, closed.
    pub(crate) truth: Truth,
}

impl Evidence {
    /// Flagged flows.
    pub(crate) fn len(&self) -> usize {
        self.flagged.len()
    }

    fn width(&self) -> usize {
        self.rows.len() / self.len().max(1)
    }

    /// A flow and its features.
    pub(crate) fn flow(&self, index: usize) -> (&Flagged, &[f32]) {
        let width = self.width();
        (&self.flagged[index], &self.rows[index * width..(index + 1) * width])
    }

    /// All flows, each with its features.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Flagged, &[f32])> {
        self.flagged.iter().zip(self.rows.chunks_exact(self.width().max(1)))
    }

    /// Makes room for so many flows more, and no more than that.
    pub(crate) fn reserve(&mut self, flows: usize, width: usize) {
        self.flagged.reserve_exact(flows);
        self.rows.reserve_exact(flows * width);
    }

    /// Appends a flow; `row` is as wide as all others are.
    pub(crate) fn push(&mut self, flow: Flagged, row: &[f32]) {
        self.flagged.push(flow);
        self.rows.extend_from_slice(row);
    }

    /// Forgets the flows that are not to be kept.
    pub(crate) fn retain(&mut self, kept: impl Fn(&Flagged) -> bool) {
        let (width, mut to) = (self.width(), 0);
        for from in 0..self.len() {
            if kept(&self.flagged[from]) {
                self.flagged.swap(to, from);
                self.rows.copy_within(from * width..(from + 1) * width, to * width);
                to += 1;
            }
        }
        self.flagged.truncate(to);
        self.rows.truncate(to * width);
        if to == 0 {
            empty(&mut self.flagged);
            empty(&mut self.rows);
        }
    }

    /// Bytes that the lists take.
    pub(crate) fn bytes(&self) -> usize {
        room(&self.flagged) + room(&self.rows)
    }
}

saved!(Flagged { tick, key, margin, truth });

impl State for Evidence {
    fn save_state(&self, out: &mut Writer) {
        let Self { flagged, rows } = self;
        flagged.save(out);
        rows.save(out);
    }

    fn restore_state(&mut self, input: &mut Reader<'_>) -> Result<(), Malformed> {
        *self = Self { flagged: Saved::load(input)?, rows: Saved::load(input)? };
        let is_sound = self.rows.len() == self.len() * self.width();
        if is_sound { Ok(()) } else { Err(Malformed("an agent's evidence")) }
    }
}
