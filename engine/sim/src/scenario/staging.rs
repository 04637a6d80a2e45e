//! What no single value of a campaign shows: stages that never start, evasion that cannot be.

use super::check::{Contradiction, FLOWS_MAX};
use super::{Campaign, CampaignKind};
use crate::traffic::SOURCES_MAX;

impl Campaign {
    /// Checks what concerns one campaign; paths are relative to it.
    pub(super) fn check(&self) -> Result<(), Contradiction> {
        use CampaignKind::{Beacon, LateralMovement, Staged, Worm};
        let fail = |path: &str, message: &str| {
            Err(Contradiction { path: path.to_owned(), message: message.to_owned() })
        };
        if self.name.as_ref().is_some_and(|name| name.is_empty() || name.contains('/')) {
            return fail(
                "name",
                "a name is not empty, and has no slash, which parts campaigns from their stages",
            );
        }
        let kinds: Vec<CampaignKind> = if self.kind == Staged {
            if self.stages.is_empty() {
                return fail("stages", "a staged campaign without stages: give at least one");
            }
            if self.ticks.is_some() || self.rate.is_some() {
                let field = if self.ticks.is_some() { "ticks" } else { "rate" };
                return fail(field, "the stages of a staged campaign say this: move it there");
            }
            self.stages.iter().map(|stage| stage.kind).collect()
        } else {
            if !self.stages.is_empty() {
                return fail("stages", "only a campaign of kind Staged has stages: give kind: Staged");
            }
            vec![self.kind]
        };
        for (k, stage) in self.stages.iter().enumerate() {
            let at = |field: &str| format!("stages.{k}.{field}");
            if stage.kind == Staged {
                return fail(&at("kind"), "a stage cannot have stages: name what is done");
            }
            let next = self.stages.get(k + 1);
            if stage.ticks.is_none() && next.is_some_and(|next| next.start.is_none()) {
                return fail(
                    &at("ticks"),
                    "it never ends, so the next stage never starts: give ticks, or a start to the next",
                );
            }
            if stage.sources.is_some_and(|sources| sources.get() > SOURCES_MAX) {
                return fail(
                    &at("sources"),
                    &format!("more addresses than there are: give at most {SOURCES_MAX}"),
                );
            }
            if stage.rate.is_some_and(|rate| rate.get() > FLOWS_MAX) {
                return fail(
                    &at("rate"),
                    &format!("too many flows an agent and tick: give at most {FLOWS_MAX}"),
                );
            }
            if stage.stealth.is_some_and(|stealth| stealth.get() >= 1.0) {
                return fail(&at("stealth"), "at 1 nothing is left of the attack: give less");
            }
        }
        if self.stealth.get() >= 1.0 {
            return fail("stealth", "at 1 nothing is left of the attack: give less");
        }
        if self.back_off && kinds == [Worm] {
            return fail("back_off", "a worm scans blindly and feels nothing: remove it");
        }
        if self.jitter.is_some() && !kinds.contains(&Beacon) {
            return fail("jitter", "only beacons have it: remove it, or add a stage of kind Beacon");
        }
        if self.evasion.rotate.get() > 0.0 && kinds.iter().all(|kind| matches!(kind, Worm | LateralMovement))
        {
            return fail(
                "evasion.rotate",
                "it attacks from the hosts that it has, so it cannot change its address",
            );
        }
        if self.evasion.poison.get() > 0.0 && kinds == [Worm] {
            return fail(
                "evasion.poison",
                "a worm has no hosts before it starts, so it can send nothing: remove it",
            );
        }
        Ok(())
    }
}
