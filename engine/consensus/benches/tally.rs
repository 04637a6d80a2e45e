//! Speed of votes and tallies: `cargo bench -p phalanx-consensus`.
//!
//! 100,000 agents, 1000 reports (1 %), a committee of 16 each: draw the committee, look up its standings, decide,
//! update its trust. Items are votes, so that divan prints votes per second; 60 ns a vote are 16.7 M/s.

use std::hint::black_box;

use divan::counter::ItemsCount;
use phalanx_consensus::*;

fn main() {
    divan::main();
}

const AGENTS: u32 = 100_000;
const POLLS: u64 = 1000;
const COMMITTEE: u32 = 16;

const RULES: [&str; 6] = ["Majority", "TrustWeighted", "LogOdds", "Bayesian", "Fides", "DempsterShafer"];

fn rule(name: &str) -> Rule {
    Rule::all().into_iter().find(|rule| rule.name() == name).expect("a rule of this name")
}

/// Everything of a vote but the voter's own judgement.
#[divan::bench(args = RULES)]
fn whole_tick(bencher: divan::Bencher, name: &str) {
    let rule = rule(name);
    let memory = Memory::default();
    let mut trust = Trust::new(&TrustKind::default(), AGENTS, &[], 0.95).expect("defaults are valid");
    let (mut members, mut ballots, mut standings) = (Vec::new(), Vec::new(), Vec::new());
    bencher.counter(ItemsCount::new(POLLS * u64::from(COMMITTEE))).bench_local(|| {
        let mut confirmed = 0;
        for question in 0..POLLS {
            Lottery::new(&[7; 32], 3, question).draw(AGENTS, COMMITTEE, None, &mut members);
            ballots.clear();
            ballots.extend(members.iter().map(|voter| Ballot::plain(*voter, voter % 3 != 0)));
            standings.clear();
            standings.extend(members.iter().map(|voter| trust.standing(*voter)));
            let verdict = decide(&rule, &ballots, &standings, &memory);
            for ballot in &ballots {
                let agreed = ballot.yes == (verdict == Verdict::Confirm);
                trust.observe(&Deed::public(ballot.voter, agreed));
            }
            confirmed += u32::from(verdict == Verdict::Confirm);
        }
        black_box(confirmed)
    });
}

/// Deciding alone.
#[divan::bench(args = RULES)]
fn tally(bencher: divan::Bencher, name: &str) {
    let rule = rule(name);
    let memory = Memory::default();
    let count = POLLS as u32 * COMMITTEE;
    let ballots: Vec<Ballot> = (0..count).map(|voter| Ballot::plain(voter, voter % 3 != 0)).collect();
    let standings = vec![Standing { trust: 0.8, uncertainty: 0.1, tpr: 0.8, fpr: 0.1 }; count as usize];
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let polls = ballots.chunks(COMMITTEE as usize).zip(standings.chunks(COMMITTEE as usize));
        polls.map(|(b, s)| u32::from(decide(&rule, b, s, &memory) == Verdict::Confirm)).sum::<u32>()
    });
}

fn decide(rule: &Rule, ballots: &[Ballot], standings: &[Standing], memory: &Memory) -> Verdict {
    let poll = Poll {
        eligible: COMMITTEE,
        eligible_trust: standings.iter().map(|s| s.trust).sum(),
        quorum: 0.5,
        ballots,
        standings,
        prior: 0.5,
        expired: false,
        author: AGENTS,
        attempt: 0,
        memory,
    };
    rule.decide(&poll, &mut Silence)
}
