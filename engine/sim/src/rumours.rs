//! Reports and news that go from neighbour to neighbour.
//!
//! Every signature is a rumour of its own with its own stream of losses and delays, so rumours are stepped in parallel
//! and none shifts another.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use phalanx_core::{AgentId, AgentMix, Purpose, Signature, SignatureId, Streams, Tick};
use rayon::prelude::*;

use crate::agent::signature_words;
use crate::checkpoint::saved;
use crate::mail::{Letter, Mail};
use crate::network::{Calls, Gossip, Mode, Rumour, calls};
use crate::overlay::Overlay;

/// Bytes of a question for news.
const PULL_BYTES: u64 = 16;

/// Rumours of one kind, by signature.
#[derive(Debug, Default)]
pub(crate) struct Rumours {
    active: BTreeMap<SignatureId, Spreading>,
}

/// A rumour and its tellings under way.
#[derive(Debug)]
struct Spreading {
    signature: Arc<Signature>,
    rumour: Rumour,
    /// Entry d holds what arrives d ticks from now: the hearer, and hops that are left.
    due: VecDeque<Vec<(u32, u8)>>,
}

/// What one round of one rumour came to.
#[derive(Debug, Default)]
struct Round {
    news: Vec<u32>,
    sent: u64,
    lost: u64,
}

impl Rumours {
    /// Starts a rumour that these agents know.
    pub(crate) fn start(
        &mut self,
        signature: &Arc<Signature>,
        knowing: &[AgentId],
        gossip: &Gossip,
        agents: u32,
    ) {
        let mut rumour = Rumour::new(signature.id.author.0, agents, gossip);
        rumour.learn(knowing.iter().map(|agent| (agent.0, gossip.hops.unwrap_or(u8::MAX))).collect());
        let spreading = Spreading { signature: Arc::clone(signature), rumour, due: VecDeque::new() };
        self.active.insert(signature.id, spreading);
    }

    /// Forgets the rumours that the predicate does not keep, and those that nobody will tell any more.
    pub(crate) fn retain(&mut self, agents: u32, keep: impl Fn(SignatureId) -> bool) {
        self.active.retain(|id, spreading| {
            let Spreading { rumour, due, .. } = spreading;
            let over = rumour.is_quiet() || rumour.holders().len() == agents;
            keep(*id) && !(over && due.iter().all(Vec::is_empty))
        });
    }

    /// One round of all rumours. Returns a letter for everybody who has heard something new, in the order of
    /// (destination, source, sequence); `bytes` is the size of a telling.
    pub(crate) fn round(
        &mut self,
        overlay: &Overlay,
        mail: &mut Mail,
        streams: &Streams,
        now: Tick,
        bytes: u64,
    ) -> Vec<Letter> {
        let Some(gossip) = overlay.gossip.filter(|_| !self.active.is_empty()) else { return Vec::new() };
        let asked = (gossip.mode != Mode::Push).then(|| ask(overlay, &gossip, mail, streams, now));
        let mut active: Vec<&mut Spreading> = self.active.values_mut().collect();
        let links = &*mail;
        let rounds: Vec<Round> = active
            .par_iter_mut()
            .map(|spreading| spreading.round(overlay, &gossip, asked.as_ref(), links, streams, now))
            .collect();
        let mut letters = Vec::new();
        for (spreading, round) in active.iter().zip(rounds) {
            mail.account(round.sent, round.sent * bytes, round.lost);
            let letter = |to: u32| Letter { to: AgentId(to), signature: Arc::clone(&spreading.signature) };
            letters.extend(round.news.into_iter().map(letter));
        }
        letters.par_sort_unstable_by_key(Letter::order);
        letters
    }
}

impl Spreading {
    fn round(
        &mut self,
        overlay: &Overlay,
        gossip: &Gossip,
        asked: Option<&Calls>,
        mail: &Mail,
        streams: &Streams,
        now: Tick,
    ) -> Round {
        let Self { signature, rumour, due } = self;
        let up = |agent: u32| overlay.presence.is_up(AgentId(agent));
        let mut sent = Vec::new();
        if let Some(asked) = asked {
            rumour.answer(gossip, asked, up, &mut sent);
        }
        let whom = |agent| calls(&overlay.graph, agent, gossip.fan_out, streams, now);
        rumour.push(gossip, whom, up, &mut sent);
        let mut round = Round { sent: sent.len() as u64, ..Round::default() };
        let mut stream = streams.stream(Purpose::Links, subject(signature.id), now);
        if due.is_empty() {
            due.push_back(Vec::new());
        }
        for telling in &sent {
            let fate = mail.fate(AgentId(telling.from), AgentId(telling.to), &mut stream);
            round.lost += u64::from(fate.delay.is_none());
            for delay in fate.delay.into_iter().chain(fate.copy) {
                if due.len() <= delay as usize {
                    due.resize_with(delay as usize + 1, Vec::new);
                }
                due[delay as usize].push(telling.arrival());
            }
        }
        let mut arrived = due.pop_front().expect("there is always a current tick");
        arrived.retain(|(agent, _)| up(*agent));
        round.news = rumour.learn(arrived);
        round
    }
}

/// The calls of this tick that get through: who asks whom for news.
fn ask(overlay: &Overlay, gossip: &Gossip, mail: &mut Mail, streams: &Streams, now: Tick) -> Calls {
    let agents = overlay.graph.nodes();
    let mut pairs = Vec::new();
    for agent in (0..agents).filter(|agent| overlay.presence.is_up(AgentId(*agent))) {
        let mut stream = streams.stream(Purpose::Asking, agent, now);
        for to in calls(&overlay.graph, agent, gossip.fan_out, streams, now) {
            // A question takes as long as its answer; the answer's delay stands for both.
            let through = mail.fate(AgentId(agent), AgentId(to), &mut stream).delay.is_some();
            mail.account(1, PULL_BYTES, u64::from(!through));
            if through {
                pairs.push((agent, to));
            }
        }
    }
    Calls::new(agents, &pairs)
}

/// The subject of a rumour's stream. Two rumours that share one would share their luck, no more.
fn subject(id: SignatureId) -> u32 {
    let mut mix = AgentMix::new(id.author.0);
    signature_words(id).into_iter().for_each(|word| mix.word(word));
    mix.finish() as u32
}

saved!(Rumours { active });
saved!(Spreading { signature, rumour, due });
