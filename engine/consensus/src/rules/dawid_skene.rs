//! Voters whose skill is learned from their votes alone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bayesian::log_likelihood_ratio;
use crate::fusion::dawid_skene::{Hints, Label, Problem, Solution, solve};
use crate::setting::{count, positive, share};
use crate::{BadSetting, Ballot, Estimate, Exchange, Memory, Poll, Standing, Verdict, VotingRule};

/// Estimates how often each voter says yes to true and to false reports, from the votes of the latest polls and
/// without knowing the truth of any (Dawid & Skene 1979), and weighs its votes accordingly: constant liars are worth
/// as much as honest voters once they are found out.
///
/// Before the first fit it is a plain majority of the votes cast. Which of the two camps is the honest one is told
/// by the rates in the voters' standings, where they say anything, and else by the majority: liars in the majority
/// win unless some voters are pre-trusted. Decides at the deadline, or once all have voted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DawidSkene {
    /// Polls that are remembered.
    pub window: u32,
    /// Polls between two fits.
    pub refit_polls: u32,
    /// Votes that the rates of a voter's standing are worth.
    pub strength: f64,
    /// Probability that has to be reached.
    pub threshold: f64,
    /// Share of the eligible voters that have to take part.
    pub turnout: f64,
}

impl Default for DawidSkene {
    fn default() -> Self {
        Self { window: 64, refit_polls: 8, strength: 2.0, threshold: 0.5, turnout: 0.5 }
    }
}

/// Keeps estimated rates and the share of true reports off 0 and 1.
const RATE_MIN: f64 = 0.01;
const TOLERANCE: f64 = 1e-5;
const ITERATIONS_MAX: u32 = 50;

impl VotingRule for DawidSkene {
    fn check(&self) -> Result<(), BadSetting> {
        count("window", self.window, 1, 1 << 16)?;
        count("refit_polls", self.refit_polls, 1, 1 << 16)?;
        positive("strength", self.strength)?;
        share("threshold", self.threshold)?;
        share("turnout", self.turnout)
    }

    fn decide(&self, poll: &Poll, _: &mut dyn Exchange) -> Verdict {
        if !poll.ready(self.turnout) {
            return Verdict::Open;
        }
        if poll.memory.estimates.is_empty() {
            return Verdict::of(2 * poll.yes() as usize > poll.ballots.len());
        }
        let prevalence = poll.memory.prevalence.clamp(RATE_MIN, 1.0 - RATE_MIN);
        let prior = libm::log(prevalence / (1.0 - prevalence));
        let evidence = poll.votes().fold(prior, |sum, (ballot, standing)| {
            let estimated = poll.memory.estimate(ballot.voter);
            let rated = estimated.map_or(*standing, |e| Standing { tpr: e.tpr, fpr: e.fpr, ..*standing });
            sum + log_likelihood_ratio(&rated, ballot.yes, RATE_MIN)
        });
        let probability = 1.0 / (1.0 + libm::exp(-evidence));
        Verdict::of(probability >= self.threshold)
    }

    fn learn(&self, ballots: &[Ballot], standings: &[Standing], memory: &mut Memory) {
        memory.push(ballots, standings, self.window as usize);
        if memory.since >= self.refit_polls {
            self.fit(memory);
        }
    }
}

impl DawidSkene {
    fn fit(&self, memory: &mut Memory) {
        memory.forget_absent();
        let raters = memory.priors.len();
        let at = |voter: u32| {
            memory.priors.binary_search_by_key(&voter, |e| e.voter).expect("every voter has a prior")
        };
        let mut labels = Vec::new();
        let mut start = Vec::with_capacity(2 * memory.polls.len());
        for (item, poll) in memory.polls.iter().enumerate() {
            let (mut evidence, mut yes) = (0.0, 0.0);
            for (voter, vote) in &poll.0 {
                let rater = at(*voter);
                let prior = &memory.priors[rater];
                let rated = Standing { tpr: prior.tpr, fpr: prior.fpr, ..Standing::default() };
                evidence += log_likelihood_ratio(&rated, *vote, RATE_MIN);
                yes += f64::from(u8::from(*vote));
                labels.push(Label { item: item as u32, rater: rater as u32, class: u32::from(*vote) });
            }
            // Standings that say nothing leave the first guess to the share of yes votes.
            let shares = yes / poll.0.len().max(1) as f64;
            let guess = if evidence == 0.0 { shares } else { 1.0 / (1.0 + libm::exp(-evidence)) };
            start.extend([1.0 - guess, guess]);
        }
        let counts = memory.priors.iter().flat_map(|prior| {
            [1.0 - prior.fpr, prior.fpr, 1.0 - prior.tpr, prior.tpr].map(|rate| self.strength * rate)
        });
        let hints = Hints { start: Some(start), counts: Some(counts.collect()) };
        let problem = Problem {
            items: memory.polls.len(),
            raters,
            classes: 2,
            tolerance: TOLERANCE,
            iterations_max: ITERATIONS_MAX,
            smoothing: 1.0,
        };
        take(memory, &solve(&problem, &labels, hints));
    }
}

fn take(memory: &mut Memory, solution: &Solution) {
    memory.prevalence = solution.marginals[1];
    memory.estimates = memory
        .priors
        .iter()
        .enumerate()
        .map(|(rater, prior)| Estimate {
            voter: prior.voter,
            tpr: solution.rate(rater, 1, 1),
            fpr: solution.rate(rater, 0, 1),
        })
        .collect();
    memory.since = 0;
}
