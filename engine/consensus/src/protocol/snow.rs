//! The Snow family (Team Rocket 2018): repeated small polls until a colour has won often enough in a row.

use super::{majority_of, sampling};
use crate::setting::count;
use crate::{BadSetting, Exchange, Poll, Verdict};

/// What a member of the family does with a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Member {
    /// Adopts what a poll finds, for a fixed number of rounds.
    Slush,
    /// Counts successful polls in a row.
    Snowflake,
    /// Also remembers how often each colour has won, and prefers the one that did more often.
    Snowball,
}

/// Settings of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Snow {
    pub(crate) member: Member,
    /// Peers asked in a poll.
    pub(crate) k: u32,
    /// Answers that make a poll's colour preferred.
    pub(crate) alpha_preference: u32,
    /// Answers that let a poll count towards the decision.
    pub(crate) alpha_confidence: u32,
    /// Polls in a row that decide; of Slush the rounds.
    pub(crate) beta: u32,
    /// Rounds after which the undecided give up.
    pub(crate) rounds_max: u32,
}

/// A participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) colour: bool,
    /// Successful polls in a row, and their colour.
    run: u32,
    run_colour: bool,
    /// Polls won by no and by yes.
    wins: [u32; 2],
    pub(crate) settled: Option<bool>,
}

impl Node {
    pub(crate) fn new(colour: bool) -> Self {
        Self { colour, run: 0, run_colour: colour, wins: [0; 2], settled: None }
    }

    /// Takes in a poll that found so many yes and no.
    pub(crate) fn poll(&mut self, snow: &Snow, yes: u32, no: u32) {
        let (winner, votes) = if yes > no { (true, yes) } else { (false, no) };
        // Validity asks for more than half of k, so that a tie is never a success.
        if votes < snow.alpha_preference {
            self.run = 0;
            return;
        }
        self.wins[usize::from(winner)] += 1;
        self.colour = match snow.member {
            Member::Snowball if self.wins[0] != self.wins[1] => self.wins[1] > self.wins[0],
            Member::Snowball => self.colour,
            _ => winner,
        };
        if snow.member == Member::Slush {
            return;
        }
        if votes < snow.alpha_confidence {
            self.run = 0;
            return;
        }
        self.run = if self.run_colour == winner { self.run + 1 } else { 1 };
        self.run_colour = winner;
        if self.run >= snow.beta {
            self.settled = Some(winner);
        }
    }
}

impl Snow {
    pub(crate) fn check(&self) -> Result<(), BadSetting> {
        count("k", self.k, 1, 1024)?;
        count("alpha_preference", self.alpha_preference, self.k / 2 + 1, self.k)?;
        count("alpha_confidence", self.alpha_confidence, self.alpha_preference, self.k)?;
        count("beta", self.beta, 1, 1 << 20)?;
        count("rounds_max", self.rounds_max, 1, 1 << 20)
    }

    /// The same shares of a smaller sample, where there are not `k` others to ask.
    pub(crate) fn fitted(&self, others: u32) -> Self {
        if self.k <= others {
            return *self;
        }
        let scaled = |alpha: u32| (alpha * others).div_ceil(self.k).max(others / 2 + 1).min(others);
        Self {
            k: others,
            alpha_preference: scaled(self.alpha_preference),
            alpha_confidence: scaled(self.alpha_confidence),
            ..*self
        }
    }

    /// Runs all participants in rounds until all have settled. In a round everybody polls what the others preferred
    /// at its beginning, so that the order of participants does not matter.
    pub(crate) fn run(&self, poll: &Poll, exchange: &mut dyn Exchange) -> Verdict {
        if poll.eligible < 2 || poll.ballots.is_empty() {
            return Verdict::Open;
        }
        let snow = self.fitted(poll.eligible - 1);
        let mut nodes: Vec<Node> = poll.ballots.iter().map(|ballot| Node::new(ballot.yes)).collect();
        let mut colours = Vec::with_capacity(nodes.len());
        let mut sample = Vec::with_capacity(snow.k as usize);
        let mut round = 0;
        let slush = snow.member == Member::Slush;
        let rounds_max = if slush { snow.beta } else { snow.rounds_max };
        while round < rounds_max && nodes.iter().any(|node| node.settled.is_none()) {
            colours.clear();
            colours.extend(nodes.iter().map(|node| node.colour));
            for (me, node) in nodes.iter_mut().enumerate().filter(|(_, node)| node.settled.is_none()) {
                sampling::others(exchange, poll.eligible, me as u32, snow.k, &mut sample);
                let mut answers = [0u32; 2];
                for peer in &sample {
                    // Who cast no ballot has no colour and does not answer.
                    let Some(ballot) = poll.ballots.get(*peer as usize) else { continue };
                    let truth = colours[*peer as usize];
                    if let Some(answer) = exchange.ask(poll.ballots[me].voter, ballot.voter, round, truth) {
                        answers[usize::from(answer)] += 1;
                    }
                }
                node.poll(&snow, answers[1], answers[0]);
                if let Some(yes) = node.settled {
                    exchange.settle(poll.ballots[me].voter, yes);
                }
            }
            round += 1;
        }
        exchange.rounds(2 * round);
        if slush {
            for (node, ballot) in nodes.iter_mut().zip(poll.ballots) {
                node.settled = Some(node.colour);
                exchange.settle(ballot.voter, node.colour);
            }
        }
        majority_of(nodes.iter().map(|node| node.settled), poll)
    }
}
