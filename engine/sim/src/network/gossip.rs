//! Gossip: how a rumour goes from neighbour to neighbour, one round a tick (Demers et al. 1987).
//!
//! In a round every agent that takes part picks up to `fan_out` of its neighbours, at random and without repetition:
//! its calls of the tick, the same for all rumours. A *push* sends what the caller knows; a *pull* asks the called for
//! what it knows; *push-pull* does both. The caller of this module carries the messages: it lets [`Rumour::push`] and
//! [`Rumour::answer`] say what is sent, decides over loss and delay, and hands what arrives in a tick to
//! [`Rumour::learn`], which keeps the seen-cache.
//!
//! ```
//! use phalanx_core::{Streams, Tick};
//! use phalanx_sim::network::{Gossip, Graph, Mode, Rumour, calls};
//!
//! let (graph, streams) = (Graph::full(100), Streams::from_seed(1));
//! let gossip = Gossip { mode: Mode::Push, fan_out: 3, hops: None, forward_once: false };
//! let mut rumour = Rumour::new(0, graph.nodes(), &gossip);
//! let mut rounds = 0;
//! while rumour.holders().len() < 100 {
//!     let mut sent = Vec::new();
//!     rumour.push(&gossip, |agent| calls(&graph, agent, 3, &streams, Tick(rounds)), |_| true, &mut sent);
//!     rumour.learn(sent.iter().map(|s| s.arrival()).collect());
//!     rounds += 1;
//! }
//! assert!((4..=12).contains(&rounds));
//! ```

use phalanx_core::{Purpose, Streams, Tick};
use serde::{Deserialize, Serialize};

use super::{Graph, NodeSet};

/// Who tells whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Who knows tells.
    Push,
    /// Who does not know asks.
    Pull,
    /// Both, in one call.
    PushPull,
}

/// A gossip protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gossip {
    /// Who tells whom.
    pub mode: Mode,
    /// Neighbours that an agent calls in a round.
    pub fan_out: u32,
    /// Hops that a rumour travels at most; `None` for any number. One that arrives with none left is known, not told.
    pub hops: Option<u8>,
    /// Whether an agent tells a rumour in one round only, the one after it has learned of it ("infect and die"), rather
    /// than in every round ("infect for ever"). Pulls alone are answered for ever.
    pub forward_once: bool,
}

/// A rumour on its way from one agent to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Telling {
    /// Destination.
    pub to: u32,
    /// Source.
    pub from: u32,
    /// Hops that are left once it has arrived.
    pub hops: u8,
}

impl Telling {
    /// What [`Rumour::learn`] wants to know.
    #[must_use]
    pub fn arrival(&self) -> (u32, u8) {
        (self.to, self.hops)
    }
}

/// Hops of a rumour whose travel is not limited: never counted down.
const ANY: u8 = u8::MAX;

/// Neighbours that `agent` calls at `tick`, ascending: `fan_out` of them, or all if it has no more.
#[must_use]
pub fn calls(graph: &Graph, agent: u32, fan_out: u32, streams: &Streams, tick: Tick) -> Vec<u32> {
    let degree = graph.degree(agent);
    if degree <= fan_out {
        return graph.neighbours(agent).collect();
    }
    let mut stream = streams.stream(Purpose::Gossip, agent, tick);
    // Floyd's sample without replacement: exact, and a draw a choice.
    let mut ranks: Vec<u32> = Vec::with_capacity(fan_out as usize);
    for last in degree - fan_out..degree {
        let rank = stream.below(last + 1);
        ranks.push(if ranks.contains(&rank) { last } else { rank });
    }
    ranks.sort_unstable();
    ranks.iter().map(|rank| graph.neighbour(agent, *rank)).collect()
}

/// All calls of a tick, by the agent that is called: what pulls need. Memory: 4 bytes an agent and a call.
#[derive(Clone, Debug)]
pub struct Calls {
    first: Vec<u32>,
    callers: Vec<u32>,
}

impl Calls {
    /// Collects `(caller, called)` pairs that got through.
    #[must_use]
    pub fn new(agents: u32, pairs: &[(u32, u32)]) -> Self {
        let mut first = vec![0u32; agents as usize + 1];
        pairs.iter().for_each(|(_, called)| first[*called as usize + 1] += 1);
        (0..agents as usize).for_each(|v| first[v + 1] += first[v]);
        let mut next = first.clone();
        let mut callers = vec![0; pairs.len()];
        for (caller, called) in pairs {
            callers[next[*called as usize] as usize] = *caller;
            next[*called as usize] += 1;
        }
        Self { first, callers }
    }

    /// Who called the agent, in the order of the pairs.
    #[must_use]
    pub fn of(&self, agent: u32) -> &[u32] {
        &self.callers[self.first[agent as usize] as usize..self.first[agent as usize + 1] as usize]
    }
}

/// One rumour: who knows it, and who still tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rumour {
    holders: NodeSet,
    /// Agents that tell, ascending, with the hops that are left of theirs.
    telling: Vec<(u32, u8)>,
}

impl Rumour {
    /// Known to its author alone.
    #[must_use]
    pub fn new(author: u32, agents: u32, gossip: &Gossip) -> Self {
        let mut rumour = Self { holders: NodeSet::new(agents), telling: Vec::new() };
        rumour.learn(vec![(author, gossip.hops.unwrap_or(ANY))]);
        rumour
    }

    /// Who knows it: the seen-cache of all agents.
    #[must_use]
    pub fn holders(&self) -> &NodeSet {
        &self.holders
    }

    /// Whether nobody will tell it any more.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.telling.is_empty()
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.holders.bytes() + 8 * self.telling.len() as u64
    }

    /// The pushes of this round, by source, then destination: every agent that tells and is up tells all it calls.
    /// Under [`Mode::Pull`] there are none.
    pub fn push(
        &mut self,
        gossip: &Gossip,
        mut calls: impl FnMut(u32) -> Vec<u32>,
        is_up: impl Fn(u32) -> bool,
        sent: &mut Vec<Telling>,
    ) {
        if gossip.mode == Mode::Pull {
            return;
        }
        self.telling.retain(|(from, hops)| {
            if !is_up(*from) {
                return true;
            }
            let hops = if *hops == ANY { ANY } else { hops - 1 };
            sent.extend(calls(*from).into_iter().map(|to| Telling { to, from: *from, hops }));
            !gossip.forward_once
        });
    }

    /// The answers of this round, by source, then caller: every agent that tells, is up and was called by somebody who
    /// does not know answers. Under [`Mode::Push`] there are none. Call it before [`Self::push`], since answers and
    /// pushes of a round rest on what was known when it began.
    pub fn answer(
        &self,
        gossip: &Gossip,
        calls: &Calls,
        is_up: impl Fn(u32) -> bool,
        sent: &mut Vec<Telling>,
    ) {
        if gossip.mode == Mode::Push {
            return;
        }
        for (from, hops) in self.telling.iter().filter(|(from, _)| is_up(*from)) {
            let hops = if *hops == ANY { ANY } else { hops - 1 };
            let asking = calls.of(*from).iter().filter(|caller| !self.holders.contains(**caller));
            sent.extend(asking.map(|to| Telling { to: *to, from: *from, hops }));
        }
    }

    /// Takes in what arrived in this tick, `(agent, hops left)` in any order, and returns the agents to whom it was
    /// news, ascending. Of several copies the one that may travel furthest counts; what somebody knows already changes
    /// nothing.
    pub fn learn(&mut self, mut arrived: Vec<(u32, u8)>) -> Vec<u32> {
        arrived.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        arrived.dedup_by_key(|(agent, _)| *agent);
        let agents: Vec<u32> = arrived.iter().map(|(agent, _)| *agent).collect();
        let mut news = Vec::new();
        self.holders.extend_sorted(&agents, |agent| news.push(agent));
        let fresh =
            arrived.into_iter().filter(|(agent, hops)| *hops > 0 && news.binary_search(agent).is_ok());
        self.telling.extend(fresh);
        self.telling.sort();
        news
    }
}
