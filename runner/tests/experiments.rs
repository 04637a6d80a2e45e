//! The shipped experiments come out as theory and the literature expect, at small size.

use phalanx_runner::scenario::{Override, load};
use phalanx_sim::network::region;
use phalanx_sim::summary::Summary;
use phalanx_sim::{Simulation, TickRecord, TrafficInput};

use phalanx_core::Outcome;

/// Runs an experiment with some fields set.
fn run(name: &str, seed: u64, set: &[&str]) -> (Vec<TickRecord>, Summary) {
    let file = format!("{}/../scenarios/experiments/{name}.ron", env!("CARGO_MANIFEST_DIR"));
    let mut overrides: Vec<Override> = set.iter().map(|text| Override::from_flag(text).unwrap()).collect();
    overrides.push(Override::from_flag(&format!("seed={seed}")).unwrap());
    let scenario = load(file.as_ref(), &overrides).unwrap_or_else(|e| panic!("{name} {set:?}: {e}")).scenario;
    let mut simulation = Simulation::new(&scenario, TrafficInput::Generated, 2).unwrap();
    let records = (0..scenario.ticks.get()).map(|_| simulation.step()).collect();
    (records, simulation.summary())
}

/// Confirmed and reported over some seeds.
fn confirmed(name: &str, seeds: u64, set: &[&str]) -> (f64, f64) {
    let summaries = (0..seeds).map(|seed| run(name, seed, set).1.signatures);
    summaries.fold((0.0, 0.0), |(c, r), s| (c + s.confirmed as f64, r + s.reported as f64))
}

/// Share confirmed, against an exact probability, within four standard errors.
fn check_share(name: &str, set: &[&str], exact: f64) {
    let (hits, runs) = confirmed(name, 4, set);
    let error = (exact * (1.0 - exact) / runs).sqrt();
    let share = hits / runs;
    assert!(
        (share - exact).abs() <= 4.0 * error + 1e-6,
        "{name} {set:?}: {share} of {runs} against {exact} ± 4×{error}"
    );
}

/// Oracle O2: n - 1 voters, each right with p = 0.7; and 20 others with colluders among them.
#[test]
fn condorcet_vs_sim() {
    for (agents, exact) in [("agents=4", 0.784), ("agents=8", 0.873_964), ("agents=12", 0.921_775)] {
        check_share("condorcet_vs_sim", &[agents], exact);
    }
    // Of 21 voters 6 are wrong for certain, the others right with p = 0.8. The author is honest but for its votes, and one
    // of the others: 22 agents of whom 6 collude have an honest author in 16 of 22 cases, a colluding one in 6.
    let colluders =
        "adversaries=[(kind: VoteFlip, fraction: 0.2727), (kind: RandomFlip, fraction: 0.7273, rate: 0.2)]";
    let (honest, colluding) = (0.835_77, 0.914_89);
    check_share("condorcet_vs_sim", &["agents=22", colluders], (16.0 * honest + 6.0 * colluding) / 22.0);
}

fn liars(share: f64) -> String {
    let rest = 1.0 - share;
    format!(
        "adversaries=[(kind: VoteFlip, fraction: {share}), (kind: RandomFlip, fraction: {rest}, rate: 0.1)]"
    )
}

fn recall(rule: &str, adversaries: &str, more: &[&str]) -> f64 {
    let rule = format!("consensus.rule={rule}");
    let set: Vec<&str> = [rule.as_str(), adversaries].into_iter().chain(more.iter().copied()).collect();
    let (hits, runs) = confirmed("malicious_sweep", 1, &set);
    hits / runs
}

/// A majority breaks down at a share of 1 - 1 / (2·0.9) = 0.444 of liars; two thirds stall before that; log-odds, which
/// learn who lies, hold there, and with anchors beyond one half.
#[test]
fn malicious_sweep() {
    let majority = |share| recall("Majority", &liars(share), &[]);
    let (below, at, above) = (majority(0.3), majority(0.44), majority(0.6));
    assert!(below > 0.99 && (0.2..0.8).contains(&at) && above < 0.01, "{below} {at} {above}");
    let stalled = recall("Supermajority()", &liars(0.3), &[]);
    assert!(stalled < 0.3, "two thirds of the votes are not there: {stalled}");
    let learned = recall("LogOdds()", &liars(0.44), &[]);
    assert!(learned > 0.95, "{learned}");
    let beyond =
        "adversaries=[(kind: VoteFlip, fraction: 0.6), (kind: RandomFlip, fraction: 0.15, rate: 0.1)]";
    let (anchored, lost) =
        (recall("LogOdds()", beyond, &["trust.pretrusted=0.25"]), recall("LogOdds()", beyond, &[]));
    assert!(anchored > 0.95 && lost < 0.05, "with anchors {anchored}, without {lost}");
}

/// The later the betrayal, and the longer the memory, the less liars stand out.
#[test]
fn sleeper_trust() {
    let separation = |set: &[&str]| run("sleeper_trust", 1, set).1.trust.separation.unwrap();
    let by_start = [0, 20, 35].map(|tick| separation(&[&format!("adversaries.0.when.from.tick={tick}")]));
    assert!(by_start[0] > by_start[1] + 0.05 && by_start[1] > by_start[2] + 0.2, "{by_start:?}");
    let by_memory = [0.8, 0.95, 0.99].map(|forgetting| {
        separation(&["adversaries.0.when.from.tick=35", &format!("trust.forgetting={forgetting}")])
    });
    assert!(by_memory[0] > by_memory[1] + 0.1 && by_memory[1] > by_memory[2] + 0.05, "{by_memory:?}");
}

/// Isolated hosts are all infected; gossip along a ring saves some, on a small world more.
#[test]
fn gossip_race() {
    let infected = |set: &[&str]| -> u64 {
        (0..3).map(|seed| run("gossip_race", seed, set).1.campaigns[0].infected.unwrap()).sum()
    };
    let alone = infected(&["network.enabled=false"]);
    let ring = infected(&["network.topology=Ring", "network.gossip.push.fan_out=1"]);
    let small_world = infected(&[]);
    assert_eq!(alone, 450);
    assert!(
        ring < 400 && small_world * 10 < ring * 9,
        "alone {alone}, ring {ring}, small world {small_world}"
    );
}

/// While North America is cut off, nothing that it reports is confirmed by rules that need a quorum of all; counted
/// sightings go on. Before and after, everybody's reports are confirmed.
#[test]
fn regions_partition() {
    let regions = region::by_shares(48, &region::SHARES);
    let confirmed = |rule: &str, ticks: std::ops::Range<u64>, inside: bool| {
        let (records, _) = run("regions_partition", 3, &[&format!("consensus.rule={rule}")]);
        let decisions = records.iter().flat_map(|record| &record.decisions);
        let meant = decisions.filter(|d| {
            ticks.contains(&d.signature.tick.0) && (regions[d.signature.author.index()] == 0) == inside
        });
        meant.filter(|d| d.outcome == Outcome::Confirmed).count()
    };
    for rule in ["Pbft()", "Supermajority()", "Majority"] {
        // Six ticks before it heals a report may still wait for the heal.
        assert_eq!(confirmed(rule, 15..29, true), 0, "{rule}: the minority confirms nothing");
        assert!(confirmed(rule, 0..10, true) > 0, "{rule}: before");
        assert!(confirmed(rule, 36..50, true) > 0, "{rule}: after it has healed");
    }
    assert!(confirmed("Sightings(k: 3)", 15..29, true) > 0, "sightings ask nobody");
    assert!(confirmed("Majority", 15..29, false) > 0, "two thirds of the agents are a majority");
}

/// Bytes an agent and decision: flat where everybody votes once, falling for a committee, growing with n for PBFT.
#[test]
fn committee_scaling() {
    let cost = |agents: u32, consensus: &str| {
        let set = [format!("agents={agents}"), format!("consensus=(deadline_ticks: 0, {consensus})")];
        let (records, summary) = run("committee_scaling", 1, &[&set[0], &set[1]]);
        let decisions: usize = records.iter().map(|record| record.decisions.len()).sum();
        summary.network.bytes as f64 / f64::from(agents) / decisions as f64
    };
    let growth = |consensus| cost(80, consensus) / cost(20, consensus);
    let [all, committee, snow, pbft] =
        ["rule: Majority", "electorate: Committee(size: 7)", "rule: Snowball()", "rule: Pbft()"].map(growth);
    assert!((0.9..1.2).contains(&all), "one vote each: {all}");
    assert!(committee < 0.8, "seven votes whatever n is; only the news goes to everybody: {committee}");
    assert!((0.8..1.5).contains(&snow), "a node asks as many whatever n is: {snow}");
    assert!((3.2..4.8).contains(&pbft), "everybody to everybody: {pbft}");
}

/// A new name for every spoilt one: whitewashers are trusted as newcomers are.
#[test]
fn sybil_whitewash() {
    let separation = |below: f64| {
        let mark = format!("adversaries.0.kind.whitewash.below={below}");
        run("sybil_whitewash", 1, &[&mark]).1.trust.separation.unwrap()
    };
    let (kept, washed) = (separation(0.0), separation(0.3));
    assert!(kept > 0.8 && washed < 0.6, "names kept {kept}, names changed {washed}");
}

/// The longer indicators live, the more good flows the false ones among them block.
#[test]
fn indicator_decay() {
    let blocked = [5, 15, 240].map(|tau| {
        let set = format!("blacklist.decay.tau_ticks={tau}");
        (0..3).map(|seed| run("indicator_decay", seed, &[&set]).1.sharing.blocked_benign).sum::<u64>()
    });
    assert!(blocked[0] > 0 && blocked[0] < blocked[1] && blocked[1] < blocked[2], "{blocked:?}");
}
