//! What a run will need, before anything is allocated.

use super::{Detector, DetectorFault, Electorate, Isolation, Owner, Scenario, Topology, Traffic};

/// Bytes of a forest node (two 4-byte words) and of the fixed parts of an agent.
const NODE_BYTES: u64 = 8;
const AGENT_BYTES: u64 = 4096;
/// A live instance of a plugin compiled from Rust or C; an interpreter's is a mebibyte and more.
const INSTANCE_BYTES: u64 = 48 << 10;
/// The program, the score histogram and the database's cache.
const BASE_BYTES: u64 = 32 << 20;
/// Roles of synthetic hosts, each of which may have a model.
const ROLES: u64 = 4;
/// Scores of one detector by value, for second opinions.
const HISTOGRAM_BYTES: u64 = 1 << 20;
/// A capture's width is known once it is read; this is that of NSL-KDD with all its categories, rounded up.
const CAPTURE_WIDTH: u64 = 128;

impl Scenario {
    /// Estimate of the resident memory of a run, in bytes: models, training windows, batches, and messages under
    /// way. Within a factor of two for runs above 64 MB.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        let agents = u64::from(self.agents.get());
        let (width, flows) = match &self.traffic {
            Traffic::Synthetic(synthetic) => (9, (synthetic.flows.get() as u64).saturating_add(1)),
            Traffic::Gaussian(gaussian) => (gaussian.columns.len() as u64, u64::from(gaussian.flows.get())),
            Traffic::Capture(_) => (CAPTURE_WIDTH, 100),
        };
        let model = self.model_bytes(&self.detector, width);
        let row = width * 4 + 16;
        let window = u64::from(self.model.window_flows.get()).saturating_mul(row);
        let batch = flows.saturating_mul(row + 24);
        // Every agent may report, and every report is under way to everybody who is asked.
        let ends = match (self.consensus.electorate, self.network.topology) {
            (Electorate::Committee { size }, _) => agents.saturating_mul(u64::from(size.get())),
            (_, Topology::FullMesh) => agents.saturating_mul(agents),
            _ => 2 * self.edges() as u64,
        };
        let mail = if self.network.enabled { ends.saturating_mul(40) } else { 0 };
        // Its list of edges and both their ends, while the graph is drawn.
        let graph = 16 * self.edges() as u64 + 16 * agents;
        let per_agent = AGENT_BYTES.saturating_add(window).saturating_add(batch);
        let opinions = match &self.traffic {
            Traffic::Capture(capture) if capture.second_opinions => agents.saturating_mul(HISTOGRAM_BYTES),
            _ => 0,
        };
        let models = match self.model.owner {
            Owner::Agent => agents,
            Owner::Role => agents.min(ROLES),
        };
        agents
            .saturating_mul(per_agent)
            .saturating_add(models.saturating_mul(model))
            .saturating_add(mail)
            .saturating_add(opinions)
            .saturating_add(graph)
            .saturating_add(BASE_BYTES)
    }

    fn model_bytes(&self, detector: &Detector, width: u64) -> u64 {
        match detector {
            // Half as many nodes as rows, as a rule, of 16 bytes.
            Detector::IsolationForest { trees, sample, .. } => {
                u64::from(trees.get()).saturating_mul(u64::from(sample.get())).saturating_mul(NODE_BYTES)
            }
            Detector::ExtendedForest { trees, sample }
            | Detector::KurtosisForest { trees, sample }
            | Detector::RandomCutForest { trees, window: sample } => {
                u64::from(trees.get()).saturating_mul(u64::from(sample.get())).saturating_mul(2 * NODE_BYTES)
            }
            Detector::HalfSpaceTrees { trees, .. } => u64::from(trees.get()) * 512 * 8,
            // Detectors that keep a sorted or sampled copy of what they were fitted to.
            Detector::Ecod | Detector::Copod | Detector::Knn { .. } | Detector::Ensemble => {
                u64::from(self.model.window_flows.get()).saturating_mul(width * 8 + 64)
            }
            Detector::Plugin(plugin) => {
                let instance = match plugin.isolation {
                    Isolation::Live => INSTANCE_BYTES,
                    Isolation::Hermetic => 0,
                };
                let native = match &plugin.on_fault {
                    DetectorFault::Native(native) => self.model_bytes(native, width),
                    DetectorFault::Abstain | DetectorFault::Abort => 0,
                };
                instance + native + width * width * 8 + 4096
            }
            _ => width * width * 8 + 4096,
        }
    }
}
