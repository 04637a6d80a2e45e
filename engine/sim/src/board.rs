//! Open proposals and the votes that have arrived for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use bevy_ecs::resource::Resource;
use phalanx_core::{AgentId, Signature, SignatureId};

/// A signature that is being voted on.
#[derive(Debug)]
pub(crate) struct Proposal {
    /// What is proposed.
    pub(crate) signature: Arc<Signature>,
    /// Votes that have arrived, sorted by voter when they are tallied.
    pub(crate) votes: Vec<(AgentId, bool)>,
}

/// All open proposals, by id: that is by (tick, author, sequence).
#[derive(Resource, Debug, Default)]
pub(crate) struct Board {
    /// Proposals without a decision.
    pub(crate) open: BTreeMap<SignatureId, Proposal>,
    /// Proposals confirmed in this tick, for `adapt` and `measure`.
    pub(crate) confirmed: Vec<Arc<Signature>>,
}

impl Board {
    /// Opens a proposal for every report.
    pub(crate) fn propose(&mut self, signature: &Arc<Signature>) {
        let proposal = Proposal { signature: Arc::clone(signature), votes: Vec::new() };
        let earlier = self.open.insert(signature.id, proposal);
        assert!(earlier.is_none(), "signature ids are unique: {:?}", signature.id);
    }

    /// Counts a vote, unless the proposal has been decided already.
    pub(crate) fn vote(&mut self, signature: SignatureId, voter: AgentId, yes: bool) {
        if let Some(proposal) = self.open.get_mut(&signature) {
            proposal.votes.push((voter, yes));
        }
    }
}
