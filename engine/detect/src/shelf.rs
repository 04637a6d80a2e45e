//! Models shared by content, so that a million agents do not hold a million copies.
//!
//! Agents that fit the same kind of detector to the same rows want the same model. A [`ModelShelf`] knows a model by the
//! digest of kind, width and rows, and its randomness comes from that digest, too: whoever asks first, on whichever
//! thread, the bits are the same.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use phalanx_core::{Purpose, Streams, Tick, digest128};

use crate::{DetectError, Detector, DetectorKind, FitScratch, state};

/// Fitted models that somebody still holds.
///
/// ```
/// use phalanx_core::Streams;
/// use phalanx_detect::{DetectorKind, FitScratch, ModelShelf};
/// use std::sync::Arc;
///
/// let (shelf, streams) = (ModelShelf::default(), Streams::from_seed(1));
/// let kind: DetectorKind = "isolation_forest:trees=20".parse()?;
/// let rows: Vec<f32> = (0..500).map(|i| (i * i % 83) as f32).collect();
/// let mut scratch = FitScratch::default();
/// let one = shelf.fit(&kind, &rows, 1, &streams, &mut scratch)?;
/// let other = shelf.fit(&kind, &rows, 1, &streams, &mut scratch)?;
/// assert!(Arc::ptr_eq(&one, &other));
/// # Ok::<(), phalanx_detect::DetectError>(())
/// ```
#[derive(Debug, Default)]
pub struct ModelShelf {
    models: Mutex<Models>,
}

#[derive(Debug, Default)]
struct Models {
    by_content: BTreeMap<[u8; 16], Weak<dyn Detector>>,
    /// Entries at which those that nobody holds are swept out.
    sweep_at: usize,
}

impl ModelShelf {
    /// The model of these rows: one that is on the shelf, or a new one.
    ///
    /// A function of the kind, the rows and the seed of `streams` alone. Threads that ask for the same new model at once
    /// may each fit it; all get the same handle in the end. `streams` must be the same for all calls.
    ///
    /// # Errors
    /// As [`DetectorKind::fit`].
    pub fn fit(
        &self,
        kind: &DetectorKind,
        rows: &[f32],
        width: usize,
        streams: &Streams,
        scratch: &mut FitScratch,
    ) -> Result<Arc<dyn Detector>, DetectError> {
        let content = content(kind, rows, width);
        if let Some(model) = self.models().by_content.get(&content).and_then(Weak::upgrade) {
            return Ok(model);
        }
        let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| content[at + i]));
        let mut draws = streams.stream(Purpose::Model, word(0), Tick(u64::from(word(4))));
        let fitted: Arc<dyn Detector> = Arc::from(kind.fit(rows, width, &mut draws, scratch)?);
        Ok(self.models().put(content, fitted))
    }

    /// Models that somebody holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.models().by_content.values().filter(|model| model.strong_count() > 0).count()
    }

    /// Whether nobody holds a model.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn models(&self) -> std::sync::MutexGuard<'_, Models> {
        // Whoever panicked left the map whole: it is changed by single insertions.
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Models {
    fn put(&mut self, content: [u8; 16], fitted: Arc<dyn Detector>) -> Arc<dyn Detector> {
        if let Some(first) = self.by_content.get(&content).and_then(Weak::upgrade) {
            return first;
        }
        if self.by_content.len() >= self.sweep_at {
            self.by_content.retain(|_, model| model.strong_count() > 0);
            self.sweep_at = (2 * self.by_content.len()).max(64);
        }
        self.by_content.insert(content, Arc::downgrade(&fitted));
        fitted
    }
}

/// What a model is made of.
fn content(kind: &DetectorKind, rows: &[f32], width: usize) -> [u8; 16] {
    let mut bytes = state::encode(&(kind, width as u64, rows.len() as u64));
    bytes.extend(rows.iter().flat_map(|value| value.to_bits().to_le_bytes()));
    digest128(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(offset: u32) -> Vec<f32> {
        (0..300).map(|i| ((i * i + offset) % 83) as f32).collect()
    }

    #[test]
    fn content_decides() {
        let (shelf, streams) = (ModelShelf::default(), Streams::from_seed(1));
        let fit = |kind: &str, rows: &[f32], width| {
            let kind = kind.parse().unwrap();
            shelf.fit(&kind, rows, width, &streams, &mut FitScratch::default()).unwrap()
        };
        let first = fit("isolation_forest:trees=5", &rows(0), 1);
        assert!(Arc::ptr_eq(&first, &fit("isolation_forest:trees=5", &rows(0), 1)));
        let others = [
            fit("isolation_forest:trees=6", &rows(0), 1),
            fit("isolation_forest:trees=5", &rows(1), 1),
            fit("isolation_forest:trees=5", &rows(0), 3),
            fit("extended_forest:trees=5", &rows(0), 1),
        ];
        assert!(others.iter().all(|other| !Arc::ptr_eq(&first, other) && other.digest() != first.digest()));
        assert_eq!(shelf.len(), 5);
        // Gone when nobody holds it, and the same when it comes back.
        let digest = first.digest();
        drop(first);
        assert_eq!(shelf.len(), 4);
        assert_eq!(fit("isolation_forest:trees=5", &rows(0), 1).digest(), digest);
    }

    #[test]
    fn threads_get_one_model() {
        let (shelf, streams) = (ModelShelf::default(), Streams::from_seed(2));
        let kind: DetectorKind = "isolation_forest:trees=5".parse().unwrap();
        let models: Vec<Arc<dyn Detector>> = std::thread::scope(|scope| {
            let fit = || shelf.fit(&kind, &rows(0), 2, &streams, &mut FitScratch::default()).unwrap();
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(fit)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(models.iter().all(|model| Arc::ptr_eq(model, &models[0])));
        assert_eq!(shelf.len(), 1);
    }

    #[test]
    fn the_shelf_does_not_grow_with_what_is_gone() {
        let (shelf, streams) = (ModelShelf::default(), Streams::from_seed(3));
        for offset in 0..500 {
            shelf.fit(&DetectorKind::ZScore, &rows(offset), 1, &streams, &mut FitScratch::default()).unwrap();
        }
        assert!(shelf.is_empty() && shelf.models().by_content.len() <= 64);
        assert!(shelf.fit(&DetectorKind::ZScore, &[], 1, &streams, &mut FitScratch::default()).is_err());
    }
}
