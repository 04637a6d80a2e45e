//! From what happens on a wire to what a detector sees: the nine features of synthetic flows.

use std::sync::LazyLock;

use super::Role;
use phalanx_core::{Feature, FlowBatch, FlowKey, Schema, Truth, Unit, maths};

/// A flow as the world makes it. Bytes are those of the payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawFlow {
    /// Seconds from first to last packet.
    pub(crate) duration_s: f64,
    /// Bytes from the originator.
    pub(crate) sent_bytes: f64,
    /// Bytes to the originator.
    pub(crate) received_bytes: f64,
    /// Packets both ways.
    pub(crate) packets: f64,
    /// Whether the responder answered.
    pub(crate) answered: bool,
    /// Remote address, destination port, protocol.
    pub(crate) key: FlowKey,
    /// Which campaign caused it.
    pub(crate) truth: Truth,
}

/// Columns that are logarithms of what a flow says by itself.
const LOGS: [usize; 5] = [0, 1, 2, 3, 5];
/// Columns that [`finish`] derives from the whole batch.
const SAME_REMOTE: usize = 7;
const REMOTE_PORTS: usize = 8;
const WIDTH: usize = 9;

/// The columns of synthetic flows.
pub(crate) fn schema() -> Schema {
    Schema::new(vec![
        Feature::log1p("duration_s", Unit::Seconds),
        Feature::log1p("sent_bytes", Unit::Bytes),
        Feature::log1p("received_bytes", Unit::Bytes),
        Feature::log1p("packets", Unit::Count),
        Feature::raw("unanswered", Unit::Flag),
        Feature::log1p("bytes_per_packet", Unit::Bytes),
        // Whether the watched host neither offers nor usually visits this port: what an asset inventory knows.
        Feature::raw("unexpected_port", Unit::Flag),
        // Context of the batch, as KDD's `count` and `srv_count`: what one flow alone cannot show of a scan.
        Feature::log1p("same_remote", Unit::Count),
        Feature::log1p("remote_ports", Unit::Count),
    ])
}

impl RawFlow {
    /// Appends the flow. Until [`finish`], nothing is a logarithm yet, and the context columns are 0.
    pub(crate) fn push_to(&self, role: Role, flows: &mut FlowBatch) {
        let flag = |x: bool| f32::from(u8::from(x));
        // Worlds may be scaled beyond what single precision holds.
        let single = |x: f64| x.min(f64::from(f32::MAX)) as f32;
        let row = [
            single(self.duration_s),
            single(self.sent_bytes),
            single(self.received_bytes),
            single(self.packets),
            flag(!self.answered),
            single((self.sent_bytes + self.received_bytes) / self.packets.max(1.0)),
            flag(!self.key.port.is_some_and(|port| role.ports().contains(&port))),
            0.0,
            0.0,
        ];
        flows.push(&row, self.key, self.truth);
    }
}

/// Memory that batches are finished in, one a thread.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// Remote and port of every flow, packed so that they sort by remote first, and the flow's row.
    order: Vec<(u64, u32)>,
    /// The values of [`LOGS`], flow by flow.
    logs: Vec<f32>,
}

/// Takes the logarithms of a complete batch, and fills its context columns: how many of its flows share the remote address, and how many
/// distinct ports that address touches.
pub(crate) fn finish(flows: &mut FlowBatch, scratch: &mut Scratch) {
    let Scratch { order, logs } = scratch;
    order.clear();
    order.extend(flows.keys().iter().zip(0..).map(|(key, row)| (packed(key), row)));
    order.sort_unstable();
    let features = flows.features_mut();
    logs.clear();
    logs.extend(features.as_chunks::<WIDTH>().0.iter().flat_map(|row| LOGS.map(|column| row[column])));
    maths::log1p_all(logs);
    let (rows, logs) = (features.as_chunks_mut::<WIDTH>().0, logs.as_chunks::<{ LOGS.len() }>().0);
    rows.iter_mut()
        .zip(logs)
        .for_each(|(row, logs)| LOGS.iter().zip(logs).for_each(|(at, log)| row[*at] = *log));
    for group in order.chunk_by(|a, b| a.0 >> PORT_BITS == b.0 >> PORT_BITS) {
        let ports = group.chunk_by(|a, b| a.0 == b.0).count();
        let (same, ports) = (log1p_count(group.len()), log1p_count(ports));
        for (_, row) in group {
            let row = &mut features[*row as usize * WIDTH..][..WIDTH];
            (row[SAME_REMOTE], row[REMOTE_PORTS]) = (same, ports);
        }
    }
}

/// Bits of a port, and one that says whether there is any.
const PORT_BITS: u32 = 17;

fn packed(key: &FlowKey) -> u64 {
    let remote = key.remote.map_or(0, |address| 1 << 32 | u64::from(address));
    remote << PORT_BITS | key.port.map_or(0, |port| 1 << 16 | u64::from(port))
}

/// `ln(1 + count)` as a feature; small counts, which nearly all are, from a table.
fn log1p_count(count: usize) -> f32 {
    static TABLE: LazyLock<[f32; 64]> =
        LazyLock::new(|| std::array::from_fn(|n| libm::log1p(n as f64) as f32));
    TABLE.get(count).copied().unwrap_or_else(|| libm::log1p(count as f64) as f32)
}

#[cfg(test)]
mod tests {
    use phalanx_core::Protocol;

    use super::*;

    #[test]
    fn context_counts_the_remote_and_its_ports() {
        let mut flows = FlowBatch::new(WIDTH);
        for (remote, port) in [(1, 80), (2, 80), (1, 81), (1, 80)] {
            let protocol = Some(Protocol::TCP);
            let key = FlowKey { remote: Some(remote), port: Some(port), protocol, ..FlowKey::default() };
            let raw = RawFlow {
                duration_s: 0.0,
                sent_bytes: 0.0,
                received_bytes: 0.0,
                packets: 1.0,
                answered: true,
                key,
                truth: Truth::BENIGN,
            };
            raw.push_to(Role::Web, &mut flows);
        }
        finish(&mut flows, &mut Scratch::default());
        let context: Vec<(f32, f32)> = (0..4)
            .map(|i| (libm::expm1f(flows.row(i)[SAME_REMOTE]), libm::expm1f(flows.row(i)[REMOTE_PORTS])))
            .collect();
        let expected = [(3.0, 2.0), (1.0, 1.0), (3.0, 2.0), (3.0, 2.0)];
        for ((a, b), (c, d)) in context.into_iter().zip(expected) {
            assert!((a - c).abs() < 1e-5 && (b - d).abs() < 1e-5, "{a} {b} against {c} {d}");
        }
    }

    #[test]
    fn schema_is_as_wide_as_a_row() {
        assert_eq!(schema().width(), WIDTH);
        assert_eq!(schema().position("same_remote"), Some(SAME_REMOTE));
        assert_eq!(schema().position("remote_ports"), Some(REMOTE_PORTS));
    }
}
