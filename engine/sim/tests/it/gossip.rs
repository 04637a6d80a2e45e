//! Rumours on graphs: who hears, how often it is said, and what limits it.

use phalanx_core::{Purpose, Streams, Tick};
use phalanx_sim::network::{Calls, Gossip, Graph, Mode, NodeSet, Rumour, Telling, calls, topology};
use proptest::prelude::*;

/// Rounds of a rumour of agent 0 in which nothing is lost, until `until` says so; all that was sent, by round.
fn spread(graph: &Graph, gossip: &Gossip, seed: u64, rounds: u64) -> (Rumour, Vec<Vec<Telling>>) {
    let streams = Streams::from_seed(seed);
    let agents = graph.nodes();
    let mut rumour = Rumour::new(0, agents, gossip);
    let mut said = Vec::new();
    for tick in (0..rounds).map(Tick) {
        let call = |agent| calls(graph, agent, gossip.fan_out, &streams, tick);
        let mut sent = Vec::new();
        if gossip.mode != Mode::Push {
            let pairs: Vec<(u32, u32)> =
                (0..agents).flat_map(|a| call(a).into_iter().map(move |b| (a, b))).collect();
            rumour.answer(gossip, &Calls::new(agents, &pairs), |_| true, &mut sent);
        }
        rumour.push(gossip, call, |_| true, &mut sent);
        rumour.learn(sent.iter().map(Telling::arrival).collect());
        said.push(sent);
    }
    (rumour, said)
}

const PUSH: Gossip = Gossip { mode: Mode::Push, fan_out: 1, hops: None, forward_once: false };

#[test]
fn flooding_a_ring_takes_half_of_it() {
    let ring = topology::ring(10);
    for mode in [Mode::Push, Mode::Pull, Mode::PushPull] {
        let flood = Gossip { mode, fan_out: 2, ..PUSH };
        let (four, _) = spread(&ring, &flood, 1, 4);
        assert_eq!(four.holders().to_vec(), [0, 1, 2, 3, 4, 6, 7, 8, 9], "{mode:?}");
        assert_eq!(spread(&ring, &flood, 1, 5).0.holders().len(), 10, "{mode:?}");
    }
}

#[test]
fn hops_are_a_radius() {
    let ring = topology::ring(20);
    for mode in [Mode::Push, Mode::Pull] {
        let limited = Gossip { mode, fan_out: 2, hops: Some(3), ..PUSH };
        let (rumour, _) = spread(&ring, &limited, 1, 12);
        assert_eq!(rumour.holders().to_vec(), [0, 1, 2, 3, 17, 18, 19], "{mode:?}");
    }
}

#[test]
fn who_forwards_once_says_it_once() {
    let graph = Graph::full(200);
    let once = Gossip { fan_out: 3, forward_once: true, ..PUSH };
    let (rumour, said) = spread(&graph, &once, 4, 30);
    assert!(rumour.is_quiet());
    let total: usize = said.iter().map(Vec::len).sum();
    assert_eq!(total as u32, 3 * rumour.holders().len(), "every holder told three, once");
}

#[test]
fn who_is_down_keeps_it_for_later() {
    let graph = Graph::full(10);
    let once = Gossip { fan_out: 9, forward_once: true, ..PUSH };
    let mut rumour = Rumour::new(3, 10, &once);
    let mut sent = Vec::new();
    rumour.push(&once, |agent| graph.neighbours(agent).collect(), |_| false, &mut sent);
    assert!(sent.is_empty() && !rumour.is_quiet());
    rumour.push(&once, |agent| graph.neighbours(agent).collect(), |_| true, &mut sent);
    assert_eq!(sent.len(), 9);
    assert!(rumour.is_quiet());
}

#[test]
fn a_rumour_of_few_among_a_million_is_small() {
    let gossip = Gossip { fan_out: 3, hops: Some(6), ..PUSH };
    let mut rumour = Rumour::new(7, 1_000_000, &gossip);
    rumour.learn((0..1000).map(|a| (a * 900, 0)).collect());
    assert!(rumour.bytes() < 5000, "{} bytes", rumour.bytes());
    let mut all = NodeSet::new(1_000_000);
    all.extend_sorted(&(0..1_000_000).collect::<Vec<_>>(), |_| ());
    assert_eq!((all.len(), all.bytes()), (1_000_000, 125_000));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn calls_are_distinct_neighbours(nodes in 2u32..40, fan_out in 1u32..12, p in 0.1f64..=1.0, seed in any::<u64>()) {
        let streams = Streams::from_seed(seed);
        let graph = topology::erdos_renyi(nodes, p, &mut streams.stream(Purpose::Topology, 0, Tick(0)));
        for agent in 0..nodes {
            let called = calls(&graph, agent, fan_out, &streams, Tick(3));
            prop_assert!(called.is_sorted_by(|a, b| a < b));
            prop_assert!(called.iter().all(|other| graph.adjacent(agent, *other)));
            prop_assert_eq!(called.len() as u32, fan_out.min(graph.degree(agent)));
        }
    }

    #[test]
    fn news_is_news_once_and_travels_along_edges(
        nodes in 2u32..40, mode in prop_oneof![Just(Mode::Push), Just(Mode::Pull), Just(Mode::PushPull)],
        fan_out in 1u32..4, hops in proptest::option::of(1u8..5), forward_once: bool, seed in any::<u64>(),
    ) {
        let streams = Streams::from_seed(seed);
        let graph = topology::erdos_renyi(nodes, 0.3, &mut streams.stream(Purpose::Topology, 0, Tick(0)));
        let gossip = Gossip { mode, fan_out, hops, forward_once };
        let (rumour, said) = spread(&graph, &gossip, seed, 12);
        let mut known = std::collections::BTreeSet::from([0]);
        for sent in &said {
            let before = known.clone();
            for telling in sent {
                prop_assert!(graph.adjacent(telling.from, telling.to));
                prop_assert!(before.contains(&telling.from), "nobody tells what it does not know");
                known.insert(telling.to);
            }
        }
        prop_assert_eq!(rumour.holders().to_vec(), known.into_iter().collect::<Vec<_>>());
        prop_assert_eq!(spread(&graph, &gossip, seed, 12), (rumour, said));
    }
}

/// Every neighbour is called equally often: 6 of 20 over 4000 ticks, 1200 ± 4·sqrt(4000·.3·.7).
#[test]
fn calls_are_fair() {
    let graph = Graph::full(21);
    let streams = Streams::from_seed(8);
    let mut count = [0u32; 21];
    for tick in 0..4000 {
        calls(&graph, 5, 6, &streams, Tick(tick)).into_iter().for_each(|other| count[other as usize] += 1);
    }
    assert_eq!(count[5], 0);
    assert!(count.iter().enumerate().all(|(v, n)| v == 5 || n.abs_diff(1200) <= 116), "{count:?}");
}
