//! O11: rumours and averages, by the gossip that agents use.

use phalanx_consensus::{PairwiseAveraging, PushSum, Rule, Said, Standing};
use phalanx_core::{Stream, Streams, Tick};
use phalanx_sim::network::{Calls, Gossip, Graph, Mode, Rumour, Telling, calls};

use super::world::{World, put};
use super::{Check, Estimate, Trial};

const MARKOV: &str = "exact Markov chain";
const PITTEL: &str = "Pittel 1987; Monte Carlo of 1e5";
const KARP: &str = "Karp et al. 2000; Monte Carlo of 1e5";
const FINAL_SIZE: &str = "x = e^(-f (1 - x))";
const KEMPE: &str = "Kempe et al. 2003; Monte Carlo";
const JELASITY: &str = "Jelasity et al. 2005";

pub(crate) fn checks() -> Vec<Check> {
    let mut checks = Vec::new();
    let rounds = |n, mode, exact, source, runs| {
        let quantity = format!("rounds until {n} know, one {mode:?} a round");
        Check::new("O11", quantity.to_lowercase(), source, exact, move |t: &mut Trial| {
            let streams = t.streams.clone();
            let mut run = 0;
            t.mean(runs, |_| {
                run += 1;
                f64::from(rounds_to_inform(n, mode, &streams, run))
            })
        })
    };
    checks.push(rounds(64, Mode::Push, 11.158, MARKOV, 4000).within(5e-4));
    checks.push(rounds(128, Mode::Push, 12.931, MARKOV, 2000).within(5e-4));
    checks.push(rounds(1000, Mode::Push, 18.03, PITTEL, 250).within(0.03));
    checks.push(rounds(1000, Mode::Pull, 13.74, KARP, 150).within(0.03));
    checks.push(rounds(1000, Mode::PushPull, 9.15, KARP, 150).within(0.03));
    checks.push(rounds(10_000, Mode::Push, 23.63, PITTEL, 20).within(0.05).long());
    for (fan_out, exact) in [(2, 0.203_19), (3, 0.059_52), (4, 0.019_83)] {
        let quantity = format!("infect and die, fan-out {fan_out}: share that never knows");
        checks.push(
            Check::new("O11", quantity, FINAL_SIZE, exact, move |t| missed(fan_out, 0.0, t)).within(4e-4),
        );
    }
    // Fan-out 4 of which a quarter is lost is fan-out 3.
    checks.push(
        Check::new("O11", "infect and die, fan-out 4, 25 % lost", FINAL_SIZE, 0.059_52, |t| {
            missed(4, 0.25, t)
        })
        .within(1e-3),
    );
    for (c, exact) in [(0.0, 0.368), (1.0, 0.692), (2.0, 0.873), (3.0, 0.951)] {
        let quantity = format!("all of 2000 know, everybody tells ln n + {c}");
        checks.push(
            Check::new("O11", quantity, "Kermarrec et al. 2003: e^(-e^-c)", exact, move |t| covered(c, t))
                .within(0.015),
        );
    }
    checks.push(
        Check::new("O11", "pairwise averaging: variance left a cycle", JELASITY, 0.303_27, pairwise)
            .within(2e-3),
    );
    checks
        .push(Check::new("O11", "push-sum of 1000: error left a round", KEMPE, 0.709, push_sum).within(0.01));
    checks
}

/// Rounds until all of `n` know, each of whom calls one other a round.
fn rounds_to_inform(n: u32, mode: Mode, streams: &Streams, run: u64) -> u32 {
    let gossip = Gossip { mode, fan_out: 1, hops: None, forward_once: false };
    let graph = Graph::full(n);
    let mut rumour = Rumour::new(0, n, &gossip);
    let mut rounds = 0;
    while rumour.holders().len() < n {
        // Rounds of different runs lie a thousand ticks apart.
        let sent = round(&mut rumour, &gossip, &graph, streams, Tick(run * 1000 + u64::from(rounds)));
        rumour.learn(sent.iter().map(Telling::arrival).collect());
        rounds += 1;
    }
    rounds
}

/// What is said in a round.
fn round(rumour: &mut Rumour, gossip: &Gossip, graph: &Graph, streams: &Streams, tick: Tick) -> Vec<Telling> {
    let call = |agent| calls(graph, agent, gossip.fan_out, streams, tick);
    let mut sent = Vec::new();
    if gossip.mode != Mode::Push {
        let pairs: Vec<(u32, u32)> =
            (0..graph.nodes()).flat_map(|a| call(a).into_iter().map(move |b| (a, b))).collect();
        rumour.answer(gossip, &Calls::new(graph.nodes(), &pairs), |_| true, &mut sent);
    }
    rumour.push(gossip, call, |_| true, &mut sent);
    sent
}

/// Share of 20,000 that never hears what everybody tells `fan_out` others once. From ten who know, so that it does not
/// die with the first.
fn missed(fan_out: u32, loss: f64, trial: &mut Trial) -> Estimate {
    const AGENTS: u32 = 20_000;
    let gossip = Gossip { mode: Mode::Push, fan_out, hops: None, forward_once: true };
    let graph = Graph::full(AGENTS);
    let streams = trial.streams.clone();
    let mut run = 0;
    trial.mean(16, |s| {
        run += 1;
        let mut rumour = Rumour::new(0, AGENTS, &gossip);
        rumour.learn((1..10).map(|agent| (agent, u8::MAX)).collect());
        let mut tick = run * 1000;
        while !rumour.is_quiet() {
            let sent = round(&mut rumour, &gossip, &graph, &streams, Tick(tick));
            rumour.learn(sent.iter().filter(|_| !s.bernoulli(loss)).map(Telling::arrival).collect());
            tick += 1;
        }
        1.0 - f64::from(rumour.holders().len()) / f64::from(AGENTS)
    })
}

/// Whether all of 2000 are told if everybody knows and tells `ln n + c` others, rounded at random.
fn covered(c: f64, trial: &mut Trial) -> Estimate {
    const AGENTS: u32 = 2000;
    let graph = Graph::full(AGENTS);
    let streams = trial.streams.clone();
    let fan_out = f64::from(AGENTS).ln() + c;
    let mut run = 0;
    trial.share(500, |s| {
        run += 1;
        let mut told = vec![false; AGENTS as usize];
        for agent in 0..AGENTS {
            let calls = calls(&graph, agent, (fan_out + s.uniform()) as u32, &streams, Tick(run));
            calls.into_iter().for_each(|other| told[other as usize] = true);
        }
        told.iter().all(|told| *told)
    })
}

/// Variance of values after a cycle over that before it, by the rule's own meetings.
fn pairwise(trial: &mut Trial) -> Estimate {
    const AGENTS: usize = 1000;
    let votes: Vec<bool> = (0..AGENTS).map(|i| i % 2 == 0).collect();
    trial.mean(40, |s| {
        let mut values: Vec<f64> = votes.iter().map(|yes| f64::from(u8::from(*yes))).collect();
        let before = variance(&values);
        let mut first: Option<(u32, f64)> = None;
        let meets = |letter: &phalanx_consensus::Letter| {
            let Said::Mass { value, .. } = letter.said else { return };
            match first.take() {
                None => first = Some((letter.from, value)),
                Some((other, there)) => {
                    assert_eq!(letter.to, other, "the second message of a meeting is the answer");
                    let mean = 0.5 * (value + there);
                    (values[letter.from as usize], values[other as usize]) = (mean, mean);
                }
            }
        };
        let mut world = World::new(s, |_, _| false, meets);
        put(
            &Rule::PairwiseAveraging(PairwiseAveraging { cycles: 1 }),
            0.5,
            &votes,
            &[Standing::default(); AGENTS],
            &mut world,
        );
        variance(&values) / before
    })
}

fn variance(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / values.len() as f64
}

/// Factor by which the largest error of 1000 participants falls a round, over rounds 10 to 30.
fn push_sum(trial: &mut Trial) -> Estimate {
    const AGENTS: usize = 1000;
    trial.mean(12, |s: &mut Stream| {
        let votes: Vec<bool> = (0..AGENTS).map(|_| s.bernoulli(0.5)).collect();
        let mean = votes.iter().filter(|yes| **yes).count() as f64 / AGENTS as f64;
        let mut worst = [0.0f64; 31];
        let watch = |letter: &phalanx_consensus::Letter| {
            if let Said::Mass { value, weight } = letter.said {
                let error = &mut worst[letter.round as usize];
                *error = error.max((value / weight - mean).abs());
            }
        };
        let mut world = World::new(s, |_, _| false, watch);
        put(&Rule::PushSum(PushSum { rounds: 31 }), 0.5, &votes, &[Standing::default(); AGENTS], &mut world);
        (worst[30] / worst[10]).powf(1.0 / 20.0)
    })
}
