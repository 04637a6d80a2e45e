//! Who is there: churn, crashes and recoveries.

use phalanx_core::{AgentId, Purpose, Streams, Tick};

use super::chain::{Chain, States};

/// Agents that fail together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrashPlan {
    /// Tick at which they stop.
    pub at: u64,
    /// Share of all agents, rounded to whole ones.
    pub fraction: f64,
    /// Tick at which they are back, if ever.
    pub back: Option<u64>,
}

#[derive(Clone, Debug)]
struct Crash {
    plan: CrashPlan,
    /// Bit i of word j: agent 32·j + i is among them.
    members: Vec<u32>,
}

/// Which agents are up. Neither sends nor receives who is not. A function of (seed, tick): a resumed run needs nothing
/// but [`Presence::go_to`].
#[derive(Clone, Debug)]
pub struct Presence {
    agents: u32,
    churn: Option<States>,
    crashes: Vec<Crash>,
    up: Vec<u32>,
    before: Vec<u32>,
}

impl Presence {
    /// Everyone, unless churn or crashes say otherwise. Crash i draws its agents from stream i of [`Purpose::Crash`].
    ///
    /// # Panics
    /// If a crash has a fraction outside `[0, 1]`.
    #[must_use]
    pub fn new(agents: u32, churn: Option<Chain>, crashes: &[CrashPlan], streams: &Streams) -> Self {
        let words = agents.div_ceil(32) as usize;
        let draw = |(index, plan): (usize, &CrashPlan)| {
            assert!((0.0..=1.0).contains(&plan.fraction), "a share of the agents lies in [0, 1]");
            let mut order: Vec<u32> = (0..agents).collect();
            let count = (plan.fraction * f64::from(agents)).round() as usize;
            streams.stream(Purpose::Crash, index as u32, Tick(0)).partial_shuffle(&mut order, count);
            let mut members = vec![0u32; words];
            order[..count].iter().for_each(|agent| members[(agent / 32) as usize] |= 1 << (agent % 32));
            Crash { plan: *plan, members }
        };
        let everyone = all(agents);
        Self {
            agents,
            churn: churn.map(|chain| States::new(chain, Purpose::Churn, agents)),
            crashes: crashes.iter().enumerate().map(draw).collect(),
            before: everyone.clone(),
            up: everyone,
        }
    }

    /// Whether everyone is up for ever, so that nobody needs to ask.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.churn.is_none() && self.crashes.is_empty()
    }

    /// Goes to `tick`. Who is up in it and was not in the tick before has returned.
    pub fn go_to(&mut self, streams: &Streams, tick: Tick) {
        if self.is_certain() {
            return;
        }
        self.before = match tick.0.checked_sub(1) {
            Some(earlier) => self.at(streams, Tick(earlier)),
            None => all(self.agents),
        };
        self.up = self.at(streams, tick);
    }

    fn at(&mut self, streams: &Streams, tick: Tick) -> Vec<u32> {
        let mut up = all(self.agents);
        if let Some(churn) = &mut self.churn {
            churn.go_to(streams, tick);
            up.iter_mut().zip(churn.words()).for_each(|(up, on)| *up &= on);
        }
        for Crash { plan, members } in &self.crashes {
            if plan.at <= tick.0 && plan.back.is_none_or(|back| tick.0 < back) {
                up.iter_mut().zip(members).for_each(|(up, member)| *up &= !member);
            }
        }
        up
    }

    /// Whether the agent is up in this tick.
    #[must_use]
    pub fn is_up(&self, agent: AgentId) -> bool {
        self.up[agent.index() / 32] >> (agent.0 % 32) & 1 == 1
    }

    /// Agents that are up.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.up.iter().map(|word| word.count_ones()).sum()
    }

    /// Agents that were down in the tick before and are up now, ascending: they have to catch up from the ledger.
    pub fn returned(&self) -> impl Iterator<Item = AgentId> + '_ {
        agents_of(self.up.iter().zip(&self.before).map(|(up, before)| up & !before))
    }

    /// Agents that are up and were down in the tick before, or the other way round, ascending, and whether they are up.
    /// Before the first tick everyone was up.
    pub fn changed(&self) -> impl Iterator<Item = (AgentId, bool)> + '_ {
        agents_of(self.up.iter().zip(&self.before).map(|(up, before)| up ^ before))
            .map(|agent| (agent, self.is_up(agent)))
    }
}

/// The agents whose bits are set.
fn agents_of(words: impl Iterator<Item = u32>) -> impl Iterator<Item = AgentId> {
    words.enumerate().flat_map(|(word, bits)| {
        (0..32).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| AgentId(word as u32 * 32 + bit))
    })
}

/// A bit for every agent.
fn all(agents: u32) -> Vec<u32> {
    let mut words = vec![u32::MAX; agents.div_ceil(32) as usize];
    if let Some(last) = words.last_mut()
        && !agents.is_multiple_of(32)
    {
        *last = (1 << (agents % 32)) - 1;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crashes_take_their_share_and_give_it_back() {
        let streams = Streams::from_seed(3);
        let plan = [
            CrashPlan { at: 2, fraction: 0.25, back: Some(5) },
            CrashPlan { at: 4, fraction: 0.1, back: None },
        ];
        let mut presence = Presence::new(40, None, &plan, &streams);
        let counts: Vec<(u32, usize)> = (0..8)
            .map(|t| {
                presence.go_to(&streams, Tick(t));
                (presence.count(), presence.returned().count())
            })
            .collect();
        assert_eq!(counts[..4], [(40, 0), (40, 0), (30, 0), (30, 0)]);
        assert!(counts[4].0 <= 30 && counts[5] == (36, counts[5].1) && counts[7] == (36, 0), "{counts:?}");
        let fresh = {
            let mut fresh = Presence::new(40, None, &plan, &streams);
            fresh.go_to(&streams, Tick(5));
            (fresh.count(), fresh.returned().collect::<Vec<_>>())
        };
        let changes: Vec<[usize; 2]> = (0..8)
            .map(|t| {
                presence.go_to(&streams, Tick(t));
                let up = presence.changed().filter(|(_, up)| *up).count();
                [up, presence.changed().count() - up]
            })
            .collect();
        assert_eq!(changes[..4], [[0, 0], [0, 0], [0, 10], [0, 0]]);
        assert_eq!(changes[5], [counts[5].1, 0]);
        presence.go_to(&streams, Tick(5));
        assert_eq!(fresh, (presence.count(), presence.returned().collect()), "no history is needed");
    }

    #[test]
    fn churn_has_its_availability() {
        let streams = Streams::from_seed(4);
        let mut presence = Presence::new(9999, Some(Chain::of_means(20.0, 10.0)), &[], &streams);
        presence.go_to(&streams, Tick(17));
        // 6666 ± 4·sqrt(9999·2/9).
        assert!(presence.count().abs_diff(6666) < 189, "{}", presence.count());
        assert!(presence.returned().all(|agent| presence.is_up(agent) && agent.0 < 9999));
    }
}
