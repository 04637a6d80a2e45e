//! Connect: the network goes to this tick. Links turn bad and good, agents leave and return.

use bevy_ecs::system::{Res, ResMut};

use crate::mail::Mail;
use crate::overlay::Overlay;
use crate::plan::{Now, Plan};
use crate::tally::Tally;

/// Everything that holds for a whole tick and does not depend on what agents do.
pub(crate) fn connect(
    plan: Res<Plan>,
    now: Res<Now>,
    mut mail: ResMut<Mail>,
    mut overlay: ResMut<Overlay>,
    mut tally: ResMut<Tally>,
) {
    mail.links.go_to(&plan.streams, now.0);
    overlay.presence.go_to(&plan.streams, now.0);
    if plan.scenario.ledger.presence {
        tally.presence.extend(overlay.presence.changed());
    }
}
