//! The network's promises, whatever its numbers: graphs are what their family says, messages arrive once and in time,
//! partitions hold.

use phalanx_core::{AgentId, Purpose, Stream, Streams, Tick};
use phalanx_sim::network::{Chain, Cut, Graph, LinkPlan, Links, Presence, measure, region, topology};
use proptest::prelude::*;

fn stream(seed: u64) -> Stream {
    Streams::from_seed(seed).stream(Purpose::Topology, 0, Tick(0))
}

/// A graph of each random family over `nodes` that fits it.
fn families(nodes: u32, k: u32, p: f64, seed: u64) -> Vec<(&'static str, Graph)> {
    let s = &mut stream(seed);
    let k = k.clamp(2, nodes - 1);
    let even = (k - k % 2).max(2);
    let regular = if nodes.is_multiple_of(2) || k.is_multiple_of(2) { k } else { k - 1 };
    let regions = region::in_turn(nodes, 1 + k % 4);
    vec![
        ("regular", topology::regular(nodes, regular, s)),
        ("erdos-renyi", topology::erdos_renyi(nodes, p, s)),
        ("watts-strogatz", topology::watts_strogatz(nodes, even, p, s)),
        ("barabasi-albert", topology::barabasi_albert(nodes, k.min(nodes - 1), s)),
        ("geometric", topology::geometric(nodes, 0.01 + p, s)),
        ("clusters", topology::clusters(&regions, even, 1 + k % 3, s)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn graphs_are_simple_undirected_and_deterministic(
        nodes in 3u32..60, k in 2u32..60, p in 0.0f64..=1.0, seed in any::<u64>(),
    ) {
        let again = families(nodes, k, p, seed);
        for ((name, graph), (_, twin)) in families(nodes, k, p, seed).into_iter().zip(again) {
            prop_assert_eq!(&graph, &twin, "{} is not a function of its stream", name);
            let mut ends = 0;
            for v in 0..nodes {
                let around: Vec<u32> = graph.neighbours(v).collect();
                prop_assert!(around.is_sorted_by(|a, b| a < b), "{}: {:?} is not ascending", name, around);
                prop_assert!(around.iter().all(|w| *w < nodes && *w != v), "{}", name);
                prop_assert!(around.iter().all(|w| graph.adjacent(*w, v) && graph.adjacent(v, *w)), "{}", name);
                ends += around.len() as u64;
            }
            prop_assert_eq!(ends, 2 * graph.edges(), "{}", name);
            if !["erdos-renyi", "geometric", "watts-strogatz"].contains(&name) {
                prop_assert_eq!(measure::components(&graph), vec![nodes], "{} falls apart", name);
            }
        }
        let (_, graph) = families(nodes, k, p, seed).remove(0);
        let k = k.clamp(2, nodes - 1);
        let k = if nodes % 2 == 0 || k % 2 == 0 { k } else { k - 1 };
        prop_assert!((0..nodes).all(|v| graph.degree(v) == k));
    }

    #[test]
    fn messages_are_neither_early_nor_late_nor_doubled(
        least in 0u32..5, span in 0u32..5, tick_ms in 1.0f64..5000.0, duplication in 0.0f64..1.0,
        loss in 0.0f64..1.0, internet: bool, seed in any::<u64>(),
    ) {
        let plan = LinkPlan {
            delay_ticks: (least, least + span),
            tick_ms: internet.then_some(tick_ms),
            loss,
            bursts: None,
            duplication,
            cuts: Vec::new(),
            regions: region::by_shares(12, &region::SHARES),
        };
        let links = Links::new(plan.clone(), 12);
        let once = Links::new(LinkPlan { duplication: 0.0, ..plan }, 12);
        let streams = Streams::from_seed(seed);
        for from in 0..12 {
            let mut s = streams.stream(Purpose::Links, from, Tick(0));
            let mut s_once = streams.stream(Purpose::Links, from, Tick(0));
            for to in 0..12 {
                let fate = links.fate(AgentId(from), AgentId(to), &mut s);
                for delay in [fate.delay, fate.copy].into_iter().flatten() {
                    prop_assert!(delay >= least && delay <= links.delay_ticks_max());
                    prop_assert!(internet || delay <= least + span);
                }
                prop_assert!(fate.delay.is_some() || fate.copy.is_none(), "a lost message has no copy");
                prop_assert_eq!(once.fate(AgentId(from), AgentId(to), &mut s_once).copy, None);
            }
        }
    }

    #[test]
    fn partitions_let_nothing_across(
        from in 0u64..20, length in 1u64..20, cut_off in proptest::collection::vec(0u8..4, 1..4),
        delay in 0u32..6, seed in any::<u64>(),
    ) {
        let regions = region::in_turn(16, 4);
        let cut = Cut { from, until: from + length, regions: cut_off.clone() };
        let plan = LinkPlan {
            delay_ticks: (0, delay),
            tick_ms: None,
            loss: 0.0,
            bursts: None,
            duplication: 0.5,
            cuts: vec![cut],
            regions: regions.clone(),
        };
        let mut links = Links::new(plan, 16);
        let streams = Streams::from_seed(seed);
        for t in 0..45 {
            links.go_to(&streams, Tick(t));
            let mut s = streams.stream(Purpose::Links, 0, Tick(t));
            for a in 0..16u32 {
                for b in 0..16u32 {
                    let fate = links.fate(AgentId(a), AgentId(b), &mut s);
                    let apart = cut_off.contains(&regions[a as usize]) != cut_off.contains(&regions[b as usize]);
                    let stands = |t: u64| apart && (from..from + length).contains(&t);
                    for delay in [fate.delay, fate.copy].into_iter().flatten() {
                        prop_assert!(!stands(t) && !stands(t + u64::from(delay)));
                    }
                    prop_assert!(apart || fate.delay.is_some(), "within a side nothing is lost");
                    let clear = t >= from + length || t + u64::from(delay) < from;
                    prop_assert!(!clear || fate.delay.is_some(), "after the heal everything arrives");
                }
            }
        }
    }

    #[test]
    fn presence_is_a_function_of_seed_and_tick(
        mttf in 1.0f64..50.0, mttr in 1.0f64..50.0, seed in any::<u64>(), tick in 1u64..40,
    ) {
        let streams = Streams::from_seed(seed);
        let chain = Some(Chain::of_means(mttf, mttr));
        let mut steady = Presence::new(50, chain, &[], &streams);
        (0..=tick).for_each(|t| steady.go_to(&streams, Tick(t)));
        let mut jumped = Presence::new(50, chain, &[], &streams);
        jumped.go_to(&streams, Tick(tick));
        let up = |p: &Presence| (0..50).map(|a| p.is_up(AgentId(a))).collect::<Vec<_>>();
        prop_assert_eq!(up(&steady), up(&jumped));
        prop_assert_eq!(steady.returned().collect::<Vec<_>>(), jumped.returned().collect::<Vec<_>>());
    }
}

/// A million agents with eight neighbours: linear memory, and a matter of seconds even in a test build.
#[test]
fn a_million_agents_have_neighbours() {
    let graph = topology::regular(1_000_000, 8, &mut stream(1));
    assert_eq!(graph.edges(), 4_000_000);
    assert!(graph.bytes() < 37_000_000, "{} bytes", graph.bytes());
}

/// What a scenario's words make, and what is wrong with them.
mod words {
    use super::*;
    use crate::harness::parse;
    use phalanx_sim::network::{Fabric, Gossip, Mode};

    fn fabric(network: &str) -> Fabric {
        let scenario = parse(&format!("(agents: 48, network: ({network}))"));
        assert_eq!(scenario.check(), Ok(()), "{network}");
        Fabric::new(&scenario, &Streams::from_seed(1))
    }

    fn refused(network: &str, path: &str) {
        let found = parse(&format!("(agents: 15, network: ({network}))")).check().unwrap_err();
        assert_eq!(found.path, format!("network.{path}"), "{network}: {}", found.message);
    }

    #[test]
    fn defaults_are_the_plain_network() {
        let plain = fabric("");
        assert!(plain.graph.is_full() && plain.gossip.is_none() && plain.presence.is_certain());
        assert_eq!(plain.links.delay_ticks_max(), 1);
        assert_eq!(plain.regions[..4], [0, 1, 2, 0], "the three regions of synthetic traffic");
    }

    #[test]
    fn every_word_makes_what_it_says() {
        for (topology, edges) in [
            ("FullMesh", 48 * 47 / 2),
            ("Ring", 48),
            ("Star", 47),
            ("KRegular(k: 5)", 120),
            ("WattsStrogatz(k: 4, rewire: 0.1)", 96),
            ("BarabasiAlbert(m: 2)", 2 + 45 * 2),
            ("Clusters(k: 4, gateways: 2)", 96 + 3 * 2),
        ] {
            assert_eq!(fabric(&format!("topology: {topology}")).graph.edges(), edges, "{topology}");
        }
        for topology in ["ErdosRenyi(mean_degree: 8)", "Geometric(mean_degree: 8)"] {
            let edges = fabric(&format!("topology: {topology}")).graph.edges();
            assert!((130..=254).contains(&edges), "{topology}: {edges} edges, 192 expected");
        }
        let push = fabric("gossip: Push(fan_out: 2, ttl: 6, forward_once: true)").gossip;
        assert_eq!(push, Some(Gossip { mode: Mode::Push, fan_out: 2, hops: Some(6), forward_once: true }));
        let pull = fabric("gossip: PushPull()").gossip;
        assert_eq!(pull, Some(Gossip { mode: Mode::PushPull, fan_out: 1, hops: None, forward_once: false }));
        let internet = fabric("regions: Internet, internet: (tick_ms: 100), bursts: ()");
        assert_eq!(internet.links.delay_ticks_max(), 1 + 101);
        assert_eq!(internet.region(AgentId(0)), 1, "half of the Internet is in Europe");
    }

    #[test]
    fn faults_begin_and_end_as_said() {
        let mut fabric = fabric(
            "regions: Even(count: 6), partitions: [(from: 2, until: 4, regions: [0])], \
             crashes: [(at: 1, fraction: 0.25, back: 3)], churn: None",
        );
        let streams = Streams::from_seed(1);
        let mut seen = Vec::new();
        for t in 0..5 {
            fabric.go_to(&streams, Tick(t));
            let cut = fabric.links.is_cut(AgentId(0), AgentId(1), Tick(t));
            seen.push((fabric.presence.count(), fabric.presence.returned().count(), cut));
        }
        assert_eq!(seen, [(48, 0, false), (36, 0, false), (36, 0, true), (48, 12, true), (48, 0, false)]);
    }

    #[test]
    fn contradictions_name_the_field() {
        refused("topology: KRegular(k: 15)", "topology.k_regular.k");
        refused("topology: KRegular(k: 1)", "topology.k_regular.k");
        refused("topology: KRegular(k: 5)", "topology.k_regular.k");
        refused("topology: WattsStrogatz(k: 3, rewire: 0)", "topology.watts_strogatz.k");
        refused("topology: BarabasiAlbert(m: 15)", "topology.barabasi_albert.m");
        refused("topology: Clusters(k: 3, gateways: 1)", "topology.clusters.k");
        refused("gossip: Push(ttl: 255)", "gossip.push.ttl");
        refused("gossip: PushPull(fan_out: 1001)", "gossip.push_pull.fan_out");
        refused("latency: (min_ticks: 2, max_ticks: 1)", "latency.max_ticks");
        refused("latency: (min_ticks: 0, max_ticks: 10001)", "latency.max_ticks");
        refused("regions: Even(count: 257)", "regions.even.count");
        refused("regions: Even(count: 7), internet: (tick_ms: 100)", "regions");
        refused("internet: (tick_ms: 0.5)", "internet.tick_ms");
        refused("partitions: [(from: 3, until: 3, regions: [0])]", "partitions.0.until");
        refused("partitions: [(from: 3, until: 4, regions: [3])]", "partitions.0.regions");
        refused("partitions: [(from: 3, until: 4, regions: [])]", "partitions.0.regions");
        refused("crashes: [(at: 3, fraction: 0.5, back: 3)]", "crashes.0.back");
        refused("churn: (mttf_ticks: 1e12, mttr_ticks: 1)", "churn.mttf_ticks");
    }
}
