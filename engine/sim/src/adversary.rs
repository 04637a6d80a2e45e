//! Liars at work: what a population makes of an agent's report or vote.
//!
//! The scenario's words ([`crate::scenario::Adversary`]) say how, when and who; here these become answers. A liar that
//! its schedule has honest at the moment is treated as honest throughout.

use bevy_ecs::component::Component;
use bevy_ecs::resource::Resource;
use phalanx_core::{AgentId, AgentMix, Indicator, Signature, Stream, Tick};

use crate::scenario::{Adversary, AdversaryKind, When};

/// Which population an agent belongs to; none for the honest.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Behaviour(pub(crate) Option<Member>);

/// A member of a population.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Member {
    /// Index of the population in the scenario.
    pub(crate) population: u16,
    /// The identity that all identities of its controller vote like; itself, where it is alone.
    pub(crate) controller: AgentId,
}

impl Behaviour {
    /// Whether the agent is honest at all times.
    pub(crate) fn is_honest(self) -> bool {
        self.0.is_none()
    }
}

/// What a population adds to the scenario's words: who is in it, and whom it is after.
#[derive(Debug)]
pub(crate) struct Population {
    adversary: Adversary,
    /// Sorted.
    victims: Vec<AgentId>,
}

/// All adversaries, and who belongs to which.
#[derive(Resource, Debug)]
pub(crate) struct Populations {
    seed: u64,
    populations: Vec<Population>,
    behaviours: Vec<Behaviour>,
}

/// What an agent does about reporting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reporting {
    /// Condenses what it has flagged.
    Honest,
    /// Keeps everything to itself.
    Silent,
    /// Makes up one report with this probability.
    Invent(f64),
    /// Makes up so many.
    Spam(u32),
}

/// What an agent says of a signature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Saying {
    /// One vote.
    Vote(bool),
    /// Yes to some and no to others.
    Both,
    /// One vote that is released at the deadline.
    Late(bool),
}

/// What a liar knows when it speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// The tick.
    pub(crate) now: Tick,
    /// Its own reputation.
    pub(crate) trust: f64,
}

impl Populations {
    pub(crate) fn new(
        seed: u64,
        adversaries: &[Adversary],
        behaviours: Vec<Behaviour>,
        victims: impl Fn(&Adversary) -> Vec<AgentId>,
    ) -> Self {
        let population = |a: &Adversary| {
            let mut victims = victims(a);
            victims.sort_unstable();
            Population { adversary: a.clone(), victims }
        };
        Self { seed, populations: adversaries.iter().map(population).collect(), behaviours }
    }

    /// The behaviour of an agent.
    pub(crate) fn of(&self, agent: AgentId) -> Behaviour {
        self.behaviours[agent.index()]
    }

    /// The scenario's words of the population that an agent belongs to.
    pub(crate) fn words(&self, agent: AgentId) -> Option<&Adversary> {
        self.member(agent).map(|(_, population)| &population.adversary)
    }

    /// All agents of populations that the predicate picks, in the order of ids.
    pub(crate) fn members<'a>(
        &'a self,
        pick: impl Fn(&Adversary) -> bool + 'a,
    ) -> impl Iterator<Item = (AgentId, &'a Adversary)> {
        let busy = self.populations.iter().any(|p| pick(&p.adversary));
        let all = if busy { self.behaviours.len() as u32 } else { 0 };
        (0..all).map(AgentId).filter_map(move |agent| {
            self.words(agent).filter(|adversary| pick(adversary)).map(|adversary| (agent, adversary))
        })
    }

    /// All populations: index, words, victims.
    pub(crate) fn targets(&self) -> impl Iterator<Item = (u16, &Adversary, &[AgentId])> {
        self.populations.iter().enumerate().map(|(i, p)| (i as u16, &p.adversary, &p.victims[..]))
    }

    /// What the agent does about reporting.
    pub(crate) fn reporting(&self, agent: AgentId, moment: Moment) -> Reporting {
        let Some((_, population)) = self.member(agent) else { return Reporting::Honest };
        let words = &population.adversary;
        if !self.lies(agent, words, moment, None) {
            return Reporting::Honest;
        }
        match words.kind {
            AdversaryKind::FalseReport | AdversaryKind::BallotStuff => Reporting::Invent(words.rate()),
            AdversaryKind::Spam { reports } => Reporting::Spam(reports.get()),
            AdversaryKind::FreeRide => Reporting::Silent,
            // A coalition keeps what it finds to itself.
            _ if words.coordinated => Reporting::Silent,
            _ => Reporting::Honest,
        }
    }

    /// What the agent says of a signature of which it honestly thinks `verdict`; `so_far` is the majority of the votes
    /// that have arrived.
    pub(crate) fn say(
        &self,
        agent: AgentId,
        moment: Moment,
        signature: &Signature,
        verdict: bool,
        so_far: Option<bool>,
        stream: &mut Stream,
    ) -> Saying {
        let honest = Saying::Vote(verdict);
        let Some((member, population)) = self.member(agent) else { return honest };
        let words = &population.adversary;
        if !self.lies(agent, words, moment, Some(&signature.indicator)) {
            return honest;
        }
        let author = self.member(signature.id.author);
        let ours = author.is_some_and(|(m, _)| m.population == member.population);
        if words.coordinated {
            return Saying::Vote(author.is_some_and(|(_, p)| p.adversary.coordinated));
        }
        match words.kind {
            AdversaryKind::VoteFlip | AdversaryKind::RandomFlip | AdversaryKind::Whitewash { .. } => {
                Saying::Vote(verdict != stream.bernoulli(words.rate()))
            }
            AdversaryKind::Slander { .. }
                if population.victims.binary_search(&signature.id.author).is_ok() =>
            {
                Saying::Vote(false)
            }
            AdversaryKind::BallotStuff => Saying::Vote(ours || verdict),
            AdversaryKind::Collude { share } => {
                // The list is the population's: the same hash for all its members.
                let listed =
                    self.hash(u32::MAX - u32::from(member.population), &signature.indicator) < share.get();
                Saying::Vote(if listed { ours } else { verdict })
            }
            AdversaryKind::FreeRide => Saying::Vote(so_far.unwrap_or(true)),
            AdversaryKind::Withhold => Saying::Late(verdict),
            AdversaryKind::Equivocate => Saying::Both,
            AdversaryKind::FalseReport
            | AdversaryKind::Slander { .. }
            | AdversaryKind::Spam { .. }
            | AdversaryKind::Eclipse { .. }
            | AdversaryKind::TamperLedger => honest,
        }
    }

    /// The identity that this one votes like, if that is another.
    pub(crate) fn controller(&self, agent: AgentId) -> Option<AgentId> {
        self.of(agent).0.map(|m| m.controller).filter(|controller| *controller != agent)
    }

    /// Whether other identities vote like this one.
    pub(crate) fn speaks_for_others(&self, agent: AgentId) -> bool {
        self.words(agent).is_some_and(|words| words.identities.get() > 1) && self.controller(agent).is_none()
    }

    /// Whether a schedule has the agent lie now, about this indicator if it is about one.
    pub(crate) fn lies(
        &self,
        agent: AgentId,
        words: &Adversary,
        moment: Moment,
        about: Option<&Indicator>,
    ) -> bool {
        match words.when {
            When::Always => true,
            When::From { tick } => moment.now.0 >= tick,
            When::OnOff { honest_ticks, lying_ticks } => {
                let (honest, lying) = (u64::from(honest_ticks.get()), u64::from(lying_ticks.get()));
                moment.now.0 % (honest + lying) >= honest
            }
            When::Adaptive { above } => moment.trust >= above.get(),
            When::Selective { fraction } => {
                about.is_none_or(|indicator| self.hash(agent.0, indicator) < fraction.get())
            }
        }
    }

    fn member(&self, agent: AgentId) -> Option<(Member, &Population)> {
        self.of(agent).0.map(|member| (member, &self.populations[usize::from(member.population)]))
    }

    /// A number in `[0, 1)` of a subject and an indicator, the same whenever it is asked for.
    fn hash(&self, subject: u32, indicator: &Indicator) -> f64 {
        let mut mix = AgentMix::new(subject);
        mix.word(self.seed);
        mix.word(indicator.prefix.map_or(0, |p| u64::from(p.address) << 8 | u64::from(p.length) | 1 << 40));
        mix.word(indicator.port.map_or(0, |p| u64::from(p) | 1 << 16));
        mix.word(indicator.protocol.map_or(0, |p| u64::from(p.0) | 1 << 8));
        (mix.finish() >> 75) as f64 / 9_007_199_254_740_992.0
    }
}

#[cfg(test)]
mod tests {
    use phalanx_core::{Purpose, SignatureId, Streams, Truth};

    use super::*;
    use crate::scenario::{Fraction, Positive};

    fn words(kind: AdversaryKind, when: When) -> Adversary {
        Adversary {
            kind,
            fraction: Fraction::new(0.5),
            coordinated: false,
            placement: Default::default(),
            rate: None,
            when,
            identities: Positive::new(1),
        }
    }

    /// Agents 0 and 1 belong to the population, 2 and 3 are honest; 3 is the victim.
    fn populations(adversary: Adversary) -> Populations {
        let member = |i| Behaviour(Some(Member { population: 0, controller: AgentId(i) }));
        let behaviours = vec![member(0), member(1), Behaviour::default(), Behaviour::default()];
        Populations::new(7, &[adversary], behaviours, |_| vec![AgentId(3)])
    }

    fn signature(author: u32, port: u16) -> Signature {
        Signature {
            id: SignatureId { tick: Tick(0), author: AgentId(author), sequence: 0 },
            indicator: Indicator { port: Some(port), ..Indicator::default() },
            centroid: [].into(),
            spread: [].into(),
            support: 3,
            confidence: 0.5,
            evidence: [0; 16],
            truth: Truth::BENIGN,
        }
    }

    #[test]
    fn votes_of_every_kind() {
        let check = |kind, author: u32, verdict: bool, so_far: Option<bool>, expected: Saying| {
            let all = populations(words(kind, When::Always));
            let mut stream = Streams::from_seed(1).stream(Purpose::Adversary, 0, Tick(0));
            let moment = Moment { now: Tick(5), trust: 0.5 };
            let said = all.say(AgentId(0), moment, &signature(author, 22), verdict, so_far, &mut stream);
            assert_eq!(said, expected, "{kind:?} on {author}'s report, thinking {verdict}");
        };
        use AdversaryKind as Kind;
        let vote = Saying::Vote;
        for verdict in [false, true] {
            check(Kind::VoteFlip, 2, verdict, None, vote(!verdict));
            check(Kind::Whitewash { below: Fraction::new(0.3) }, 2, verdict, None, vote(!verdict));
            check(Kind::Slander { victims: Positive::new(1) }, 2, verdict, None, vote(verdict));
            check(Kind::Slander { victims: Positive::new(1) }, 3, verdict, None, vote(false));
            check(Kind::BallotStuff, 1, verdict, None, vote(true));
            check(Kind::BallotStuff, 2, verdict, None, vote(verdict));
            check(Kind::Collude { share: Fraction::new(1.0) }, 1, verdict, None, vote(true));
            check(Kind::Collude { share: Fraction::new(1.0) }, 2, verdict, None, vote(false));
            check(Kind::Collude { share: Fraction::new(0.0) }, 2, verdict, None, vote(verdict));
            check(Kind::FreeRide, 2, verdict, None, vote(true));
            check(Kind::FreeRide, 2, verdict, Some(false), vote(false));
            check(Kind::Withhold, 2, verdict, None, Saying::Late(verdict));
            check(Kind::Equivocate, 2, verdict, None, Saying::Both);
            check(Kind::Spam { reports: Positive::new(10) }, 2, verdict, None, vote(verdict));
        }
    }

    #[test]
    fn schedules() {
        let lies = |when, now, trust, port| {
            let all = populations(words(AdversaryKind::VoteFlip, when));
            let moment = Moment { now: Tick(now), trust };
            all.lies(
                AgentId(0),
                &words(AdversaryKind::VoteFlip, when),
                moment,
                Some(&signature(2, port).indicator),
            )
        };
        let sleeper = When::From { tick: 50 };
        assert!(!lies(sleeper, 49, 0.5, 1) && lies(sleeper, 50, 0.5, 1));
        let on_off = When::OnOff { honest_ticks: Positive::new(10), lying_ticks: Positive::new(5) };
        let lying: Vec<u64> = (0..30).filter(|now| lies(on_off, *now, 0.5, 1)).collect();
        assert_eq!(lying, [10, 11, 12, 13, 14, 25, 26, 27, 28, 29]);
        let adaptive = When::Adaptive { above: Fraction::new(0.8) };
        assert!(!lies(adaptive, 9, 0.79, 1) && lies(adaptive, 9, 0.8, 1));
        // 2000 ports, each listed with p = 0.25: 500 ± 4·sqrt(2000·3/16).
        let selective = When::Selective { fraction: Fraction::new(0.25) };
        let listed = (1..=2000).filter(|port| lies(selective, 9, 0.5, *port)).count();
        assert!((423..=577).contains(&listed), "{listed}");
    }
}
