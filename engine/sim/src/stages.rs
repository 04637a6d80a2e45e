//! Staged campaigns in results: their stages, and what these amount to together.

use phalanx_core::Tick;

use crate::agent::Encounter;
use crate::scenario::{Action, Campaign, CampaignKind, names};
use crate::simulation::time_to_detect;
use crate::summary::CampaignSummary;

/// Puts the figures of actions, in their order, under the campaigns that they belong to. `encounters` are all agents'.
pub(crate) fn gather(
    figures: Vec<CampaignSummary>,
    campaigns: &[Campaign],
    actions: &[Action],
    encounters: &[&[Encounter]],
    end: Tick,
) -> Vec<CampaignSummary> {
    if campaigns.iter().all(|campaign| campaign.kind != CampaignKind::Staged) {
        return figures;
    }
    let mut figures = figures.into_iter();
    let mut gathered = Vec::new();
    for ((index, campaign), name) in campaigns.iter().enumerate().zip(names(campaigns)) {
        if campaign.kind != CampaignKind::Staged {
            gathered.extend(figures.next());
            continue;
        }
        let of_it =
            |encounter: &&Encounter| -> bool { actions[usize::from(encounter.campaign)].campaign == index };
        let met: Vec<Encounter> = encounters
            .iter()
            .filter_map(|all| {
                let mut of_it = all.iter().filter(of_it);
                let first = of_it.next()?.clone();
                Some(of_it.fold(first, |so_far, more| together(&so_far, more)))
            })
            .collect();
        let stages: Vec<CampaignSummary> = figures.by_ref().take(campaign.stages.len()).collect();
        let infected = stages.iter().filter_map(|stage| stage.infected);
        gathered.push(CampaignSummary {
            name,
            flows: stages.iter().map(|stage| stage.flows).sum(),
            flagged: stages.iter().map(|stage| stage.flagged).sum(),
            agents: met.len() as u64,
            infected: infected.reduce(|a, b| a + b),
            time_to_detect: time_to_detect(met.iter(), end),
            stages,
        });
    }
    gathered
}

/// Two stages' contacts with one agent as one contact with their campaign.
fn together(a: &Encounter, b: &Encounter) -> Encounter {
    let first = |a: Option<Tick>, b: Option<Tick>| a.into_iter().chain(b).min();
    Encounter {
        campaign: a.campaign,
        contact: a.contact.min(b.contact),
        local: first(a.local, b.local),
        shared: first(a.shared, b.shared),
        recent: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Stage, actions};

    #[test]
    fn a_campaign_is_met_first_and_detected_first() {
        let stage = Stage {
            kind: CampaignKind::PortScan,
            start: Some(0),
            ticks: None,
            rate: None,
            sources: None,
            targets: None,
            stealth: None,
        };
        let campaigns = [
            Campaign::of(CampaignKind::Worm),
            Campaign {
                name: Some("apt".to_owned()),
                stages: vec![stage.clone(), stage],
                ..Campaign::of(CampaignKind::Staged)
            },
        ];
        let encounter = |campaign, contact, local: Option<u64>| Encounter {
            campaign,
            contact: Tick(contact),
            local: local.map(Tick),
            shared: local.map(Tick),
            recent: Vec::new(),
        };
        let agent = [encounter(0, 1, None), encounter(1, 4, None), encounter(2, 9, Some(11))];
        let figure = |name: &str, flows| CampaignSummary {
            name: name.to_owned(),
            flows,
            ..CampaignSummary::default()
        };
        let figures = vec![figure("Worm", 1), figure("apt/PortScan", 2), figure("apt/PortScan#2", 3)];
        let found = gather(figures, &campaigns, &actions(&campaigns), &[&agent, &[]], Tick(50));
        let names: Vec<&str> = found.iter().map(|c| c.name.as_str()).collect();
        assert_eq!((names, found[1].stages.len()), (vec!["Worm", "apt"], 2));
        assert_eq!((found[1].flows, found[1].agents), (5, 1));
        assert_eq!(found[1].time_to_detect.local_median, Some(7.0));
    }
}
