//! Recency: values by key, and in the order in which they were last touched.

use std::{
    collections::BTreeMap,
    ops::{Index, IndexMut},
};

/// No neighbour.
const NONE: u32 = u32::MAX;

/// Values by key, of which the one that was not touched for longest is at hand. A place stays valid until its value
/// is removed.
pub(crate) struct Recency<K, T> {
    places: BTreeMap<K, u32>,
    slots: Vec<Slot<K, T>>,
    free: Vec<u32>,
    oldest: u32,
    newest: u32,
}

struct Slot<K, T> {
    key: K,
    value: T,
    older: u32,
    newer: u32,
}

impl<K: Ord + Copy, T: Copy> Recency<K, T> {
    pub(crate) fn new() -> Self {
        Self { places: BTreeMap::new(), slots: Vec::new(), free: Vec::new(), oldest: NONE, newest: NONE }
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn place(&self, key: &K) -> Option<u32> {
        self.places.get(key).copied()
    }

    /// The place that was not touched for longest.
    pub(crate) fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    /// Adds a value under a key that has none, as the newest.
    pub(crate) fn insert(&mut self, key: K, value: T) -> u32 {
        let slot = Slot { key, value, older: NONE, newer: NONE };
        let place = match self.free.pop() {
            Some(place) => {
                self.slots[place as usize] = slot;
                place
            }
            None => {
                self.slots.push(slot);
                (self.slots.len() - 1) as u32
            }
        };
        self.places.insert(key, place);
        self.link(place);
        place
    }

    /// Makes a value the newest.
    pub(crate) fn touch(&mut self, place: u32) {
        if self.newest != place {
            self.unlink(place);
            self.link(place);
        }
    }

    pub(crate) fn remove(&mut self, place: u32) -> (K, T) {
        self.unlink(place);
        let Slot { key, value, .. } = self.slots[place as usize];
        self.places.remove(&key);
        self.free.push(place);
        (key, value)
    }

    fn link(&mut self, place: u32) {
        let older = self.newest;
        let slot = &mut self.slots[place as usize];
        (slot.older, slot.newer) = (older, NONE);
        match older {
            NONE => self.oldest = place,
            _ => self.slots[older as usize].newer = place,
        }
        self.newest = place;
    }

    fn unlink(&mut self, place: u32) {
        let Slot { older, newer, .. } = self.slots[place as usize];
        match older {
            NONE => self.oldest = newer,
            _ => self.slots[older as usize].newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            _ => self.slots[newer as usize].older = older,
        }
    }
}

impl<K, T> Index<u32> for Recency<K, T> {
    type Output = T;

    fn index(&self, place: u32) -> &T {
        &self.slots[place as usize].value
    }
}

impl<K, T> IndexMut<u32> for Recency<K, T> {
    fn index_mut(&mut self, place: u32) -> &mut T {
        &mut self.slots[place as usize].value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_not_touched_for_longest_is_the_oldest() {
        let mut recency = Recency::new();
        let places: Vec<u32> = (0..4).map(|key| recency.insert(key, key * 10)).collect();
        recency.touch(places[0]);
        recency.touch(places[3]);
        let mut order = Vec::new();
        while let Some(place) = recency.oldest() {
            order.push(recency.remove(place));
        }
        assert_eq!(order, [(1, 10), (2, 20), (0, 0), (3, 30)]);
        // Places are used again.
        assert!(recency.insert(9, 90) < 4);
        assert_eq!((recency.len(), recency.place(&9).is_some(), recency.place(&0)), (1, true, None));
    }
}
