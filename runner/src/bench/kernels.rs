//! Pieces of work that runs spend their time in.

use std::hint::black_box;

use phalanx_consensus::{Ballot, Memory, Poll, Rule, Silence, Standing, VotingRule};
use phalanx_core::{AgentId, Indicator, Purpose, SignatureId, Stream, Streams, Tick};
use phalanx_detect::{Detector, Ecod, FitScratch, ForestConfig, IsolationForest};
use phalanx_ledger::merkle::Hash;
use phalanx_ledger::{Entry, Ledger, LedgerError, LedgerKey, MemoryStore, Prover, verify};
use phalanx_sim::TrafficGenerator;
use phalanx_sim::scenario::{Positive, Scenario};

/// A kind of work.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    /// Its name.
    pub name: &'static str,
    /// What one unit of it is.
    pub unit: &'static str,
    /// Makes what it needs, and gives what does a piece of it and says of how many units.
    pub prepare: fn() -> Box<dyn FnMut() -> u64>,
}

/// All kernels.
pub const KERNELS: [Kernel; 11] = [
    Kernel { name: "forest.fit", unit: "fit", prepare: forest_fit },
    Kernel { name: "forest.refit", unit: "fit", prepare: forest_refit },
    Kernel { name: "forest.score", unit: "row", prepare: forest_score },
    Kernel { name: "traffic.generate", unit: "flow", prepare: traffic_generate },
    Kernel { name: "votes.tally", unit: "vote", prepare: votes_tally },
    Kernel { name: "ledger.append", unit: "entry", prepare: ledger_append },
    Kernel { name: "ledger.verify", unit: "entry", prepare: ledger_verify },
    Kernel { name: "ledger.inclusion", unit: "proof", prepare: || ledger_prove(Prover::inclusion) },
    Kernel { name: "ledger.consistency", unit: "proof", prepare: || ledger_prove(Prover::consistency) },
    Kernel { name: "ledger.first_proof", unit: "proof", prepare: ledger_first_proof },
    Kernel { name: "ecod.score", unit: "row", prepare: ecod_score },
];

fn stream(purpose: Purpose) -> Stream {
    Streams::from_seed(1).stream(purpose, 0, Tick(0))
}

fn normal(rows: usize, width: usize) -> Vec<f32> {
    let mut rng = stream(Purpose::Traffic);
    (0..rows * width).map(|_| rng.normal() as f32).collect()
}

/// The window of classic.ron: 1,000 rows of four features, 100 trees of 256.
fn forest_fit() -> Box<dyn FnMut() -> u64> {
    let (rows, mut rng, mut scratch) = (normal(1000, 4), stream(Purpose::Model), FitScratch::default());
    Box::new(move || {
        let forest = IsolationForest::fit(&rows, 4, &ForestConfig::default(), &mut rng, &mut scratch);
        black_box(forest.expect("rows are finite"));
        1
    })
}

/// What an agent of classic.ron does in every tick: the same fit, and the scores of the window for its threshold.
fn forest_refit() -> Box<dyn FnMut() -> u64> {
    let (rows, mut rng, mut scratch) = (normal(1000, 4), stream(Purpose::Model), FitScratch::default());
    let mut forest = IsolationForest::fit(&rows, 4, &ForestConfig::default(), &mut rng, &mut scratch)
        .expect("rows are finite");
    let mut sums = Vec::new();
    Box::new(move || {
        forest.refit_with_sums(&rows, &mut sums, &mut rng, &mut scratch).expect("rows are finite");
        black_box(&sums);
        1
    })
}

fn forest_score() -> Box<dyn FnMut() -> u64> {
    let (rows, mut rng) = (normal(4096, 10), stream(Purpose::Model));
    let forest =
        IsolationForest::fit(&rows, 10, &ForestConfig::default(), &mut rng, &mut FitScratch::default())
            .expect("rows are finite");
    let mut scores = Vec::new();
    Box::new(move || {
        forest.score(black_box(&rows), &mut scores).expect("rows are finite");
        scores.len() as u64
    })
}

fn ecod_score() -> Box<dyn FnMut() -> u64> {
    let rows = normal(4096, 10);
    let (ecod, mut scores) = (Ecod::fit(&rows, 10).expect("rows are finite"), Vec::new());
    Box::new(move || {
        ecod.score(black_box(&rows), &mut scores).expect("rows are finite");
        scores.len() as u64
    })
}

/// A tick of the default world.
fn traffic_generate() -> Box<dyn FnMut() -> u64> {
    let scenario = Scenario { agents: Positive::new(500), ..Scenario::default() };
    let mut traffic = TrafficGenerator::new(&scenario).expect("the default world can be made");
    Box::new(move || {
        let mut flows = 0;
        traffic.step(|_, batch| flows += black_box(batch).rows() as u64);
        flows
    })
}

/// A thousand committees of 16, by trust.
fn votes_tally() -> Box<dyn FnMut() -> u64> {
    const COMMITTEE: usize = 16;
    let rule =
        Rule::all().into_iter().find(|rule| rule.name() == "TrustWeighted").expect("a rule of this name");
    let memory = Memory::default();
    let ballots: Vec<Ballot> = (0..16_000).map(|voter| Ballot::plain(voter, voter % 3 != 0)).collect();
    let standings = vec![Standing { trust: 0.8, uncertainty: 0.1, tpr: 0.8, fpr: 0.1 }; ballots.len()];
    Box::new(move || {
        for (ballots, standings) in ballots.chunks(COMMITTEE).zip(standings.chunks(COMMITTEE)) {
            let poll = Poll {
                eligible: COMMITTEE as u32,
                eligible_trust: 0.8 * COMMITTEE as f64,
                quorum: 0.5,
                ballots,
                standings,
                prior: 0.5,
                expired: false,
                author: u32::MAX,
                attempt: 0,
                memory: &memory,
            };
            black_box(rule.decide(&poll, &mut Silence));
        }
        ballots.len() as u64
    })
}

/// A reported signature, about 300 bytes with its centroid.
fn report(tick: u64, author: u32) -> Entry {
    Entry::Reported {
        id: SignatureId { tick: Tick(tick), author: AgentId(author), sequence: 0 },
        indicator: Indicator { port: Some(80), ..Indicator::default() },
        support: author,
        confidence: 0.5,
        centroid: vec![author as f32; 55].into(),
        evidence: [4; 16],
    }
}

fn ledger() -> Ledger<MemoryStore> {
    Ledger::create(MemoryStore::new(), LedgerKey::from_seed(1), [1; 32], "bench", 1).expect("memory has room")
}

/// Ten ticks of a thousand entries.
fn ledger_append() -> Box<dyn FnMut() -> u64> {
    let ticks: Vec<Vec<Entry>> = (0..10).map(|tick| (0..1000).map(|i| report(tick, i)).collect()).collect();
    Box::new(move || {
        let mut ledger = ledger();
        for (tick, entries) in ticks.iter().enumerate() {
            ledger.append_tick(Tick(tick as u64), entries).expect("memory has room");
        }
        black_box(ledger.root());
        10_000
    })
}

fn written() -> Ledger<MemoryStore> {
    let mut ledger = ledger();
    for tick in 0..10 {
        let entries: Vec<Entry> = (0..1000).map(|i| report(tick, i)).collect();
        ledger.append_tick(Tick(tick), &entries).expect("memory has room");
    }
    ledger
}

fn ledger_verify() -> Box<dyn FnMut() -> u64> {
    let ledger = written();
    Box::new(move || verify(ledger.store()).expect("nobody spoiled it").head.size)
}

type Prove = fn(&mut Prover<'static>, u64, u64) -> Result<Vec<Hash>, LedgerError>;

/// Proofs by a prover that has read the tiles it needs: the ordinary case of one that answers many questions.
fn ledger_prove(prove: Prove) -> Box<dyn FnMut() -> u64> {
    // The prover reads the ledger for as long as the program measures.
    let ledger: &'static Ledger<MemoryStore> = Box::leak(Box::new(written()));
    let size = ledger.len();
    let mut prover = Prover::new(ledger.store(), size);
    Box::new(move || {
        for index in (1..size).step_by(97) {
            black_box(prove(&mut prover, index, size).expect("the entry is there"));
        }
        (size - 1).div_ceil(97)
    })
}

/// The first proof of a prover, which hashes what lies at the right edge of the tree.
fn ledger_first_proof() -> Box<dyn FnMut() -> u64> {
    let ledger = written();
    Box::new(move || {
        let size = ledger.len();
        black_box(Prover::new(ledger.store(), size).inclusion(size / 3, size).expect("the entry is there"));
        1
    })
}
