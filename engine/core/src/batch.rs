//! Flows: features for detectors, keys for indicators, and a truth that only `measure` may open.

use serde::{Deserialize, Serialize};

/// Transport protocol by its IANA number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Protocol(pub u8);

impl Protocol {
    /// ICMP.
    pub const ICMP: Self = Self(1);
    /// TCP.
    pub const TCP: Self = Self(6);
    /// UDP.
    pub const UDP: Self = Self(17);
}

/// Which side of a flow began it, seen from the host that is watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Direction {
    /// Nobody says.
    #[default]
    Unknown,
    /// The remote began: the watched host is asked.
    Inbound,
    /// The watched host began: it asks.
    Outbound,
}

/// The part of a flow that an indicator can name. What a format lacks is `None`, never zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FlowKey {
    /// The other side's IPv4 address: the source of an inbound flow, the destination of an outbound one.
    pub remote: Option<u32>,
    /// Destination port, or the code of the service where a data set names services instead of ports.
    pub port: Option<u16>,
    /// Transport protocol.
    pub protocol: Option<Protocol>,
    /// Who began.
    pub direction: Direction,
}

impl FlowKey {
    /// The address that a prefix can be held against: the remote's, unless the watched host began the flow.
    #[must_use]
    pub fn accused(&self) -> Option<u32> {
        self.remote.filter(|_| self.direction != Direction::Outbound)
    }
}

/// Ground truth of one flow: benign, or the campaign (in captures: the label) that it belongs to.
///
/// It travels beside the data as an opaque tag. Only the generator makes it and only the `measure` phase opens
/// it with [`Truth::reveal`]; a test of `phalanx-sim` searches the sources for any other caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truth(u16);

impl Truth {
    /// A flow that no campaign caused.
    pub const BENIGN: Self = Self(0);

    /// A flow of the campaign with this index.
    #[must_use]
    pub fn campaign(index: u16) -> Self {
        Self(index + 1)
    }

    /// The tag that most of these flows carry, still closed; ties go to the benign, then to the lower index.
    #[must_use]
    pub fn majority(tags: impl IntoIterator<Item = Self>) -> Self {
        let mut sorted: Vec<u16> = tags.into_iter().map(|t| t.0).collect();
        sorted.sort_unstable();
        let runs = sorted.chunk_by(|a, b| a == b).map(|run| (run.len(), std::cmp::Reverse(run[0])));
        Self(runs.max().map_or(0, |(_, tag)| tag.0))
    }

    /// The campaign's index, `None` for a benign flow. For `measure` alone.
    #[must_use]
    pub fn reveal(self) -> Option<u16> {
        self.0.checked_sub(1)
    }
}

/// A batch of flows: `rows × width` features, row-major, with one key and one truth a row.
///
/// ```
/// use phalanx_core::{FlowBatch, FlowKey, Truth};
/// let mut batch = FlowBatch::new(2);
/// batch.push(&[1.0, 2.0], FlowKey::default(), Truth::BENIGN);
/// assert_eq!((batch.rows(), batch.row(0)), (1, &[1.0f32, 2.0][..]));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FlowBatch {
    width: usize,
    features: Vec<f32>,
    keys: Vec<FlowKey>,
    truth: Vec<Truth>,
}

impl FlowBatch {
    /// An empty batch of rows that are `width` features wide.
    #[must_use]
    pub fn new(width: usize) -> Self {
        Self { width, ..Self::default() }
    }

    /// Features a row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Flows in the batch.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.keys.len()
    }

    /// Whether the batch holds no flow.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// All features, row-major, `rows × width`.
    #[must_use]
    pub fn features(&self) -> &[f32] {
        &self.features
    }

    /// All features, for a generator that fills derived columns once the batch is complete.
    #[must_use]
    pub fn features_mut(&mut self) -> &mut [f32] {
        &mut self.features
    }

    /// Features of one row.
    #[must_use]
    pub fn row(&self, index: usize) -> &[f32] {
        &self.features[index * self.width..(index + 1) * self.width]
    }

    /// Keys, one a row.
    #[must_use]
    pub fn keys(&self) -> &[FlowKey] {
        &self.keys
    }

    /// Truth tags, one a row.
    #[must_use]
    pub fn truth(&self) -> &[Truth] {
        &self.truth
    }

    /// Makes room for exactly so many more flows, where there is not enough.
    pub fn reserve(&mut self, rows: usize) {
        self.features.reserve_exact(rows * self.width);
        self.keys.reserve_exact(rows);
        self.truth.reserve_exact(rows);
    }

    /// Bytes of memory that the batch holds, room for more flows included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.features.capacity() * size_of::<f32>()
            + self.keys.capacity() * size_of::<FlowKey>()
            + self.truth.capacity() * size_of::<Truth>()
    }

    /// Removes all rows and keeps the memory.
    pub fn clear(&mut self) {
        self.features.clear();
        self.keys.clear();
        self.truth.clear();
    }

    /// Appends a flow.
    ///
    /// # Panics
    /// If `features` is not `width` long.
    pub fn push(&mut self, features: &[f32], key: FlowKey, truth: Truth) {
        assert_eq!(features.len(), self.width, "a flow must have as many features as its batch is wide");
        self.features.extend_from_slice(features);
        self.keys.push(key);
        self.truth.push(truth);
    }

    /// Appends a flow whose features are all 0, for a generator that writes them in place.
    pub fn push_blank(&mut self, key: FlowKey, truth: Truth) -> &mut [f32] {
        let start = self.features.len();
        self.features.resize(start + self.width, 0.0);
        self.keys.push(key);
        self.truth.push(truth);
        &mut self.features[start..]
    }

    /// Appends `rows` of another batch of the same width.
    ///
    /// # Panics
    /// If the widths differ or the range reaches past the end.
    pub fn extend_from(&mut self, other: &Self, rows: std::ops::Range<usize>) {
        assert_eq!(other.width, self.width, "batches of different width cannot be joined");
        self.features.extend_from_slice(&other.features[rows.start * self.width..rows.end * self.width]);
        self.keys.extend_from_slice(&other.keys[rows.clone()]);
        self.truth.extend_from_slice(&other.truth[rows]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn majority_of_tags() {
        let check = |tags: &[u16], expected: u16| {
            assert_eq!(Truth::majority(tags.iter().map(|t| Truth(*t))), Truth(expected), "{tags:?}");
        };
        check(&[], 0);
        check(&[3], 3);
        check(&[1, 2, 2], 2);
        check(&[2, 0], 0);
        check(&[2, 1], 1);
    }
}
