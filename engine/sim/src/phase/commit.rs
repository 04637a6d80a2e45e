//! Commit: decisions go on record, and the news of confirmed ones leaves.
//!
//! The ledger itself is the caller's: it appends what the tick record holds, one atomic batch a tick.

use bevy_ecs::system::{Res, ResMut};
use phalanx_core::{AgentId, Purpose};

use crate::board::Board;
use crate::mail::Mail;
use crate::plan::{Now, Plan};
use crate::tally::Tally;

/// Digests the tick's decisions and tells every agent of the confirmed ones.
pub(crate) fn commit(
    plan: Res<Plan>,
    now: Res<Now>,
    board: Res<Board>,
    mut mail: ResMut<Mail>,
    mut tally: ResMut<Tally>,
) {
    tally.digest_decisions();
    if board.confirmed.is_empty() {
        return;
    }
    for to in (0..plan.agents).map(AgentId) {
        let mut stream = plan.streams.stream(Purpose::DecisionMail, to.0, now.0);
        board.confirmed.iter().for_each(|signature| mail.send_decision(to, signature, &mut stream));
    }
}
