//! What the contract promises of voting rules.

use phalanx_core::{FaultKind, Purpose, Streams, Tick};

use super::story::{Answers, Story, slot};
use super::{CheckOptions, CheckReport};
use crate::contract::v0_1::voting::VotingPlugin;
use crate::contract::v0_1::voting::exports::phalanx::plugin::voting::{Ballot, Question, Standing, Verdict};
use crate::fault::Fault;
use crate::plugin::Plugin;
use crate::setup::{Config, Value};
use crate::slot::{Isolation, Slot};

/// Voters of a story's polls.
const VOTERS: u32 = 25;

/// A rule that is asked about polls as ballots come in, and told of them when they are over.
pub(crate) struct VotingStory {
    config: Config,
}

/// A poll, as far as it has come.
struct Poll {
    question: Question,
    ballots: Vec<Ballot>,
    standings: Vec<Standing>,
}

fn poll(seed: u64, eligible: u32, cast: u32) -> Poll {
    let mut stream = Streams::from_seed(seed).stream(Purpose::SelfTest, 2, Tick(0));
    let lean = stream.uniform();
    let voter = |voter| {
        let yes = stream.bernoulli(lean);
        let confidence = stream.uniform() as f32;
        let ballot = Ballot { voter, yes, score: if yes { confidence } else { -confidence }, confidence };
        let (trust, uncertainty) = (stream.uniform(), stream.uniform());
        (ballot, Standing { trust, uncertainty, tpr: 0.5 + trust / 2.0, fpr: 0.5 - trust / 2.0 })
    };
    let (ballots, standings) = (0..cast).map(voter).unzip();
    let question = Question {
        author: eligible,
        eligible,
        eligible_trust: f64::from(eligible) / 2.0,
        quorum: 0.5,
        prior: 0.5,
        expired: cast == eligible,
        attempt: 0,
    };
    Poll { question, ballots, standings }
}

impl VotingStory {
    pub(crate) fn new(options: &CheckOptions) -> Self {
        Self { config: options.config.clone() }
    }

    /// Checks every promise that one instance can be asked about.
    pub(crate) fn promises(&self, plugin: &Plugin, report: &mut CheckReport) {
        report.find("refuses a setting that it does not know", self.refuses_settings(plugin));
        report.find("decides polls of no ballot, one and 1,000", self.sizes(plugin));
        report.find("decides alike however often it is asked", self.repeats(plugin));
        report.find("saves what it has loaded", self.saves_what_it_loads(plugin));
        report.find("refuses a state that was cut or lengthened", self.refuses_states(plugin));
    }

    fn refuses_settings(&self, plugin: &Plugin) -> Result<(), String> {
        let mut config = self.config.clone();
        config.insert("no such setting".to_owned(), Value::Number(1.0));
        match decide(&mut slot(&Self { config }, plugin, Isolation::Live, 0), &poll(0, 1, 0)) {
            Err(fault) if fault.call == "init" && fault.kind == FaultKind::Refused => Ok(()),
            Err(fault) => Err(format!("{fault}, instead of an error of `init`")),
            Ok(_) => Err("`init` took `no such setting: 1`".to_owned()),
        }
    }

    fn sizes(&self, plugin: &Plugin) -> Result<(), String> {
        let mut slot = slot(self, plugin, Isolation::Live, 0);
        for (eligible, cast) in [(0, 0), (1, 0), (1, 1), (1000, 0), (1000, 1000)] {
            decide(&mut slot, &poll(1, eligible, cast))
                .map_err(|fault| format!("{fault}, of {cast} ballots"))?;
        }
        learn(&mut slot, &poll(1, 1000, 1000)).map_err(says)
    }

    fn repeats(&self, plugin: &Plugin) -> Result<(), String> {
        let mut slot = slot(self, plugin, Isolation::Live, 0);
        let polls: Vec<Poll> = (0..20).map(|seed| poll(seed, VOTERS, VOTERS)).collect();
        let mut all =
            || polls.iter().map(|poll| decide(&mut slot, poll)).collect::<Result<Vec<_>, _>>().map_err(says);
        (all()? == all()?).then_some(()).ok_or_else(|| "another verdict the second time".to_owned())
    }

    fn taught(&self, plugin: &Plugin) -> Result<Vec<u8>, String> {
        let mut slot = slot(self, plugin, Isolation::Live, 0);
        (0..5).try_for_each(|seed| learn(&mut slot, &poll(seed, VOTERS, VOTERS))).map_err(says)?;
        Ok(slot.state().map(<[u8]>::to_vec).unwrap_or_default())
    }

    fn saves_what_it_loads(&self, plugin: &Plugin) -> Result<(), String> {
        let state = self.taught(plugin)?;
        let mut loaded = slot(self, plugin, Isolation::Live, 0);
        loaded.restore(Some(state.clone().into()));
        let again = loaded
            .ask("save", 0, |store, guest| guest.phalanx_plugin_voting().call_save(store))
            .map_err(says)?;
        (again == state).then_some(()).ok_or_else(|| "another state than was loaded".to_owned())
    }

    fn refuses_states(&self, plugin: &Plugin) -> Result<(), String> {
        let state = self.taught(plugin)?;
        let takes = |bytes: &[u8]| {
            let mut slot = slot(self, plugin, Isolation::Live, 0);
            slot.restore(Some(bytes.into()));
            decide(&mut slot, &poll(3, VOTERS, VOTERS)).is_ok()
        };
        if !state.is_empty() && takes(&state[..state.len() - 1]) {
            return Err(format!("took {} of its {} bytes", state.len() - 1, state.len()));
        }
        if takes(&[&state[..], &[0; 3]].concat()) {
            return Err("took 3 bytes more than it had saved".to_owned());
        }
        Ok(())
    }
}

impl Story for VotingStory {
    type Guest = VotingPlugin;

    fn config(&self) -> &Config {
        &self.config
    }

    fn columns(&self) -> &[String] {
        &[]
    }

    fn fuel_of(&self) -> &'static str {
        "fuel a ballot"
    }

    fn step(
        &self,
        slot: &mut Slot<VotingPlugin>,
        agent: u32,
        step: u64,
        answers: &mut Answers,
    ) -> Result<(), Fault> {
        let seed = u64::from(agent) * 1000 + step;
        for cast in [VOTERS / 2, VOTERS] {
            let verdict = decide(slot, &poll(seed, VOTERS, cast))?;
            answers.took(cast as usize, slot.fuel_used());
            answers.add([verdict as u8]);
        }
        learn(slot, &poll(seed, VOTERS, VOTERS))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` calls takes its error by value")]
fn says(fault: Fault) -> String {
    fault.to_string()
}

fn decide(slot: &mut Slot<VotingPlugin>, poll: &Poll) -> Result<Verdict, Fault> {
    slot.ask("decide", poll.ballots.len(), |store, guest| {
        guest.phalanx_plugin_voting().call_decide(store, poll.question, &poll.ballots, &poll.standings)
    })
}

fn learn(slot: &mut Slot<VotingPlugin>, poll: &Poll) -> Result<(), Fault> {
    slot.learn("learn", poll.ballots.len(), |store, guest| {
        guest.phalanx_plugin_voting().call_learn(store, &poll.ballots, &poll.standings)
    })
}
