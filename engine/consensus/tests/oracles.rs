//! Rules and protocols, by simulation, against the closed forms (O2 to O5, O7, O15), within four standard errors.

use phalanx_consensus::theory::{averaging, bft, counts, jury, slush, snow, sprt};
use phalanx_consensus::trials::agreement::{attempt, divided, unanimous};
use phalanx_consensus::trials::averaging::{Meeting, push_sum_errors, variance_left};
use phalanx_consensus::trials::jury::{confirmed, follows, right, sequential};
use phalanx_consensus::trials::{Lie, Measured, World, committee, snow as snow_trials};
use phalanx_consensus::{Bayesian, LogOdds, Rule, Sprt, Standing, Verdict};

const RUNS: u32 = 50_000;

#[track_caller]
fn is_share(what: &str, measured: Measured, exact: f64) {
    assert!(measured.is_share(exact), "{what}: {measured:?} against {exact}");
}

#[track_caller]
fn is_mean(what: &str, measured: Measured, exact: f64) {
    assert!(measured.is_mean(exact), "{what}: {measured:?} against {exact}");
}

fn vote(quorum: f64, honest: (usize, f64), colluders: (usize, f64), seed: u64) -> Measured {
    let mut yes = vec![honest.1; honest.0];
    yes.extend(vec![colluders.1; colluders.0]);
    let standings = vec![Standing::default(); yes.len()];
    confirmed(&Rule::Majority, quorum, &yes, &standings, RUNS, seed)
}

#[test]
fn o2_condorcet_and_colluders() {
    for (p, n) in [(0.8, 3), (0.7, 7), (0.7, 11), (0.6, 11), (0.6, 101), (0.55, 101)] {
        is_share(
            &format!("p = {p}, n = {n}"),
            vote(0.5, (n, p), (0, 0.0), n as u64),
            jury::majority(n as u32, p),
        );
    }
    for f in [0, 2, 4, 6, 8] {
        let exact = jury::with_colluders(21, f, 0.8, 11);
        is_share(&format!("{f} colluders"), vote(0.5, (21 - f as usize, 0.8), (f as usize, 0.0), 100), exact);
    }
}

#[test]
fn o3_signature_vote() {
    for (f, q) in [(0, 16), (6, 16), (10, 16), (15, 16), (6, 20), (10, 20), (15, 20)] {
        let quorum = (f64::from(q) - 0.5) / 30.0;
        let (on_true, on_false) = jury::signature_vote(30, f, 0.9, 0.05, q);
        let honest = 30 - f as usize;
        is_share(
            &format!("true, f = {f}, q = {q}"),
            vote(quorum, (honest, 0.9), (f as usize, 0.0), 200),
            on_true,
        );
        is_share(
            &format!("false, f = {f}, q = {q}"),
            vote(quorum, (honest, 0.05), (f as usize, 1.0), 300),
            on_false,
        );
    }
}

#[test]
fn o4_committees() {
    for (total, bad, m, t) in [(100, 20, 10, 5), (100, 30, 21, 11), (1000, 200, 50, 17)] {
        let exact = counts::hypergeometric_at_least(total, bad, m, t);
        is_share(&format!("{m} of {total}"), committee::failures(total, bad, m, t as usize, RUNS, 1), exact);
    }
}

#[test]
fn o5_snow() {
    for (k, alpha, share) in [(20, 15, 0.6), (20, 15, 0.8), (10, 8, 0.5), (10, 8, 0.8)] {
        let holders = (2000.0 * share) as u32;
        let exact = snow::poll_success(2000, holders, k, alpha);
        let measured = snow_trials::poll_success(2000, holders, k, alpha as usize, RUNS, 2);
        is_share(&format!("poll {k} {alpha} {share}"), measured, exact);
    }
    for success in [0.95, 0.9] {
        let measured = snow_trials::polls_to_run(success, 20, 10_000, 3);
        is_mean(&format!("run at {success}"), measured, snow::polls_to_run(success, 20));
    }
    for (n, k, alpha, start) in [(50, 5, 3, 30), (50, 5, 3, 25), (100, 10, 8, 55), (20, 1, 1, 6)] {
        let exact = slush::absorption(n, k, alpha, start);
        let (all, steps) = snow_trials::slush(n, k, alpha, start, 2000, 4);
        is_share(&format!("slush {n} {k} {alpha} {start}"), all, exact.all);
        is_mean(&format!("slush {n} {k} {alpha} {start}, steps"), steps, exact.steps);
    }
}

#[test]
fn o7_best_weights() {
    let skills = [0.9, 0.9, 0.6, 0.6, 0.6];
    let log_odds: Vec<f64> = skills.iter().map(|p: &f64| libm::log(p / (1.0 - p))).collect();
    let best = jury::weighted_majority(&skills, &log_odds);
    is_share("log-odds", right(&Rule::LogOdds(LogOdds::default()), &skills, RUNS, 5), best);
    is_share("Bayesian", right(&Rule::Bayesian(Bayesian::default()), &skills, RUNS, 6), best);
    let majority = jury::weighted_majority(&skills, &[1.0; 5]);
    is_share("majority", right(&Rule::Majority, &skills, RUNS, 7), majority);
}

#[test]
fn o7_sequential_test() {
    let rule = Sprt::default();
    for (tpr, fpr) in [(0.9, 0.05), (0.8, 0.2), (0.7, 0.3)] {
        for p in [tpr, fpr] {
            let measured = sequential(&rule, tpr, fpr, p, 5000, 8);
            let exact = sprt::course(rule.alpha, rule.beta, tpr, fpr, p);
            assert!(follows(&measured, &exact), "{tpr} {fpr} at {p}: {measured:?} against {exact:?}");
        }
    }
}

#[test]
fn o11_averaging() {
    let check = |meeting, exact: f64| {
        let measured = variance_left(meeting, 1000, 100, 9);
        // The closed forms are limits of many participants: n = 1000 is off by about 1 / n.
        assert!(
            (measured.mean - exact).abs() < 4.0 * measured.standard_error + 0.002,
            "{meeting:?} {measured:?}"
        );
    };
    check(Meeting::Matchings, averaging::PERFECT_MATCHINGS);
    check(Meeting::RandomPairs, averaging::RANDOM_PAIRS);
    check(Meeting::Sequential, averaging::sequential());
    let errors = push_sum_errors(1000, 30, 10);
    assert!(errors[29] < 2e-3, "after 30 rounds: {}", errors[29]);
    let factor = libm::pow(errors[29] / errors[9], 1.0 / 20.0);
    assert!((factor - 0.709).abs() < 0.03, "a round leaves {factor}");
}

#[test]
fn o15_agreement() {
    for n in [4, 7, 10, 31] {
        let f = bft::faults(n);
        let quiet = unanimous(n, 0, Lie::Silent, 1);
        assert_eq!(quiet.world.messages, bft::messages(u64::from(n)), "n = {n}");
        assert_eq!((quiet.verdict, quiet.world.rounds), (Verdict::Confirm, 3));
        for lie in [Lie::Silent, Lie::Equivocate, Lie::Flip, Lie::Random, Lie::Always(false)] {
            let tolerated = unanimous(n, f, lie, 2);
            assert_eq!(tolerated.verdict, Verdict::Confirm, "n = {n}, {f} × {lie:?}");
            assert!(!tolerated.world.is_split());
        }
        let blocked = unanimous(n, f + 1, Lie::Silent, 3);
        assert_eq!((blocked.verdict, blocked.world.settled_honest()), (Verdict::Open, 0), "n = {n}");
        assert!(!divided(n, f, 4).world.is_split(), "n = {n}: f equivocators split nobody");
    }
    // One equivocator more than the bound splits those who judge as they are told.
    assert!(divided(4, 2, 4).world.is_split());
    assert!(divided(10, 4, 4).world.is_split());
}

/// The side of a partition without a quorum decides nothing, and once it heals everybody decides.
#[test]
fn o15_partition_and_healing() {
    let judgements = [true; 10];
    let mut world = World::honest(5, 10);
    world.sides[..4].fill(1);
    let cut = attempt(world.clone(), &judgements, 4);
    assert_eq!((cut.verdict, cut.world.settled_honest()), (Verdict::Open, 0), "6 of 10 are no quorum of 7");
    world.sides[3] = 0;
    let large = attempt(world.clone(), &judgements, 8);
    assert_eq!(large.verdict, Verdict::Confirm);
    assert!(large.world.settled[..3].iter().all(Option::is_none), "the minority decides nothing");
    world.sides.fill(0);
    assert_eq!(attempt(world, &judgements, 4).world.settled_honest(), 10);
}
