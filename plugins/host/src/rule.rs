//! A plugin as a voting rule.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use phalanx_consensus::{Ballot, Exchange, HostedRule, Memory, Poll, Rule, Standing, Verdict, VotingRule};
use phalanx_core::{PluginEvent, PluginSlot, Tick};

use crate::breaker::{Breaker, BreakerConfig};
use crate::contract::Kind;
use crate::contract::v0_1::voting::VotingPlugin;
use crate::contract::v0_1::voting::exports::phalanx::plugin::voting;
use crate::fault::Fault;
use crate::guard::{Down, Guard};
use crate::plugin::{LoadError, Plugin};
use crate::setup::{Config, Setup};
use crate::slot::{Isolation, Slot};

/// What is decided while the plugin cannot be asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Fallback {
    /// Nothing: the question stays open, and is undecided at its deadline.
    Open,
    /// What a native rule says.
    Native(Rule),
}

/// A plugin that a run decides by. Polls are put to it one after the other.
pub struct PluginRule {
    fallback: Fallback,
    guard: Mutex<Guard<VotingPlugin>>,
}

impl fmt::Debug for PluginRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginRule").field("fallback", &self.fallback).finish_non_exhaustive()
    }
}

impl PluginRule {
    /// A rule that has learned nothing yet; `seed` is its only source of randomness.
    ///
    /// # Errors
    /// If the plugin is not a voting rule.
    pub fn new(
        plugin: Plugin,
        config: Config,
        seed: u64,
        isolation: Isolation,
        breaker: BreakerConfig,
        fallback: Fallback,
    ) -> Result<Self, LoadError> {
        if plugin.kind() != Kind::Voting {
            return Err(LoadError::Kind { expected: Kind::Voting.name(), actual: plugin.kind().name() });
        }
        let setup = Setup { config: Arc::new(config), columns: Vec::new().into(), seed };
        let guard = Guard::new(Slot::new(plugin, setup, isolation), breaker, PluginSlot::Voting, None);
        Ok(Self { fallback, guard: Mutex::new(guard) })
    }

    fn guard(&self) -> MutexGuard<'_, Guard<VotingPlugin>> {
        // Whoever panicked with the lock held left no half-done change: slots give their instance away first.
        self.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tries the configuration.
    ///
    /// # Errors
    /// What `init` answered.
    pub fn try_init(&self) -> Result<(), Fault> {
        let mut guard = self.guard();
        guard.call(|slot| slot.ask("init", 0, |_, _| Ok(Ok(())))).map_err(|down| match down {
            Down::Fault(fault) => fault,
            Down::Open(until) => Fault::answer("init", format!("its breaker is open until tick {until}")),
        })
    }

    /// How the breaker stands.
    #[must_use]
    pub fn breaker(&self) -> Breaker {
        self.guard().breaker()
    }

    /// The last fault, in words.
    #[must_use]
    pub fn last_fault(&self) -> Option<Fault> {
        self.guard().last_fault().cloned()
    }
}

impl HostedRule for PluginRule {
    fn begin(&self, tick: Tick) {
        self.guard().begin(tick);
    }

    fn take_events(&self) -> Vec<PluginEvent> {
        self.guard().take_events()
    }

    fn digest(&self) -> u64 {
        self.guard().digest()
    }

    fn save(&self) -> Vec<u8> {
        self.guard().encode()
    }

    fn restore(&self, bytes: &[u8]) -> bool {
        self.guard().decode(bytes).is_some()
    }
}

impl VotingRule for PluginRule {
    fn decide(&self, poll: &Poll, exchange: &mut dyn Exchange) -> Verdict {
        let question = voting::Question {
            author: poll.author,
            eligible: poll.eligible,
            eligible_trust: poll.eligible_trust,
            quorum: poll.quorum,
            prior: poll.prior,
            expired: poll.expired,
            attempt: poll.attempt,
        };
        let ballots = ballots(poll.ballots);
        let standings = standings(poll.standings);
        let answer = self.guard().call(|slot| {
            slot.ask("decide", ballots.len(), |store, guest| {
                guest.phalanx_plugin_voting().call_decide(store, question, &ballots, &standings)
            })
        });
        match (answer, &self.fallback) {
            (Ok(voting::Verdict::Open), _) | (Err(_), Fallback::Open) => Verdict::Open,
            (Ok(voting::Verdict::Confirm), _) => Verdict::Confirm,
            (Ok(voting::Verdict::Reject), _) => Verdict::Reject,
            (Err(_), Fallback::Native(rule)) => rule.decide(poll, exchange),
        }
    }

    fn learn(&self, cast: &[Ballot], known: &[Standing], memory: &mut Memory) {
        if !cast.is_empty() {
            let (ballots, standings) = (ballots(cast), standings(known));
            // A fault is among the events; there is nothing else to answer.
            let _ = self.guard().call(|slot| {
                slot.learn("learn", ballots.len(), |store, guest| {
                    guest.phalanx_plugin_voting().call_learn(store, &ballots, &standings)
                })
            });
        }
        if let Fallback::Native(rule) = &self.fallback {
            rule.learn(cast, known, memory);
        }
    }
}

fn ballots(cast: &[Ballot]) -> Vec<voting::Ballot> {
    let ballot =
        |b: &Ballot| voting::Ballot { voter: b.voter, yes: b.yes, score: b.score, confidence: b.confidence };
    cast.iter().map(ballot).collect()
}

fn standings(known: &[Standing]) -> Vec<voting::Standing> {
    let standing = |s: &Standing| voting::Standing {
        trust: s.trust,
        uncertainty: s.uncertainty,
        tpr: s.tpr,
        fpr: s.fpr,
    };
    known.iter().map(standing).collect()
}
