//! The flows that an agent learns from and judges by.

use phalanx_core::{FlowKey, Indicator};

use crate::checkpoint::{Malformed, Reader, Saved, State, Writer};
use crate::footprint::room;
use crate::packed::{FineNamed, PackedKey};

/// A ring of the most recent flows, row-major, with their keys.
#[derive(Debug)]
pub(crate) struct Window {
    width: usize,
    capacity: usize,
    next: usize,
    features: Vec<f32>,
    /// Of each flow, with whether nothing was found wrong with it.
    keys: Vec<PackedKey>,
}

impl Window {
    pub(crate) fn new(width: usize, capacity: usize) -> Self {
        Self { width, capacity, next: 0, features: Vec::new(), keys: Vec::new() }
    }

    /// Appends a flow; the oldest goes once the window is full. Its place.
    pub(crate) fn push(&mut self, row: &[f32], key: FlowKey, fine: bool) -> usize {
        let place = self.next;
        if self.keys.len() < self.capacity {
            self.features.extend_from_slice(row);
            self.keys.push(PackedKey::new(&key, fine));
        } else {
            self.features[self.next * self.width..(self.next + 1) * self.width].copy_from_slice(row);
            self.keys[self.next] = PackedKey::new(&key, fine);
        }
        self.next = (self.next + 1) % self.capacity;
        place
    }

    /// Bytes of memory that it holds.
    pub(crate) fn bytes(&self) -> usize {
        room(&self.features) + room(&self.keys)
    }

    /// Flows it holds at most.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// All flows, `len × width`, in no order of time.
    pub(crate) fn features(&self) -> &[f32] {
        &self.features
    }

    /// Flow `index`.
    pub(crate) fn row(&self, index: usize) -> &[f32] {
        &self.features[index * self.width..(index + 1) * self.width]
    }

    /// Flows that nothing was found wrong with and that the indicator names: which they are. An empty one names all.
    pub(crate) fn fine_named(&self, indicator: &Indicator) -> impl Iterator<Item = usize> {
        let named = FineNamed::by(indicator);
        (0..self.len()).filter(move |index| named.holds(self.keys[*index]))
    }

    /// How many those are.
    pub(crate) fn count_fine_named(&self, indicator: &Indicator) -> usize {
        let named = FineNamed::by(indicator);
        self.keys.iter().map(|key| usize::from(named.holds(*key))).sum()
    }

    /// Whether nothing was found wrong with any flow that the indicator names: then nobody here would miss it.
    pub(crate) fn spared_by(&self, indicator: &Indicator) -> bool {
        self.count_fine_named(indicator) == 0
    }

    /// Standard deviation of every feature over the window; 1 where it does not vary, so that it can be divided by.
    pub(crate) fn deviations(&self) -> Vec<f64> {
        let rows = self.keys.len().max(1) as f64;
        let mean_of = |j: usize, f: &dyn Fn(f64) -> f64| {
            self.features.iter().skip(j).step_by(self.width).map(|x| f(f64::from(*x))).fold(0.0, |a, b| a + b)
                / rows
        };
        (0..self.width)
            .map(|j| {
                let mean = mean_of(j, &|x| x);
                let deviation = mean_of(j, &|x| (x - mean) * (x - mean)).sqrt();
                if deviation > 0.0 { deviation } else { 1.0 }
            })
            .collect()
    }

    /// Flows it holds.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Keys of all flows.
    pub(crate) fn keys(&self) -> impl ExactSizeIterator<Item = FlowKey> {
        self.keys.iter().map(|key| key.key())
    }

    /// Write position: with the length, all of the ring's state but its contents.
    pub(crate) fn position(&self) -> usize {
        self.next
    }
}

impl State for Window {
    fn save_state(&self, out: &mut Writer) {
        let Self { width: _, capacity: _, next, features, keys } = self;
        next.save(out);
        features.save(out);
        self.keys().collect::<Vec<_>>().save(out);
        keys.iter().map(|key| key.is_fine()).collect::<Vec<_>>().save(out);
    }

    fn restore_state(&mut self, input: &mut Reader<'_>) -> Result<(), Malformed> {
        let Self { width, capacity, next, features, keys } = self;
        (*next, *features) = (Saved::load(input)?, Saved::load(input)?);
        let (plain, fine): (Vec<FlowKey>, Vec<bool>) = (Saved::load(input)?, Saved::load(input)?);
        *keys = plain.iter().zip(&fine).map(|(key, fine)| PackedKey::new(key, *fine)).collect();
        let is_sound = keys.len() <= *capacity
            && *next < *capacity
            && fine.len() == plain.len()
            && features.len() == keys.len() * *width;
        if is_sound { Ok(()) } else { Err(Malformed("an agent's window")) }
    }
}
