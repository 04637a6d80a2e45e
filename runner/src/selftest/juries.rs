//! O2 and O3: votes of many, some of whom lie.

use phalanx_consensus::{Rule, Sightings, Verdict};

use super::world::decide;
use super::{Check, Estimate};

const CONDORCET: &str = "Condorcet 1785: binomial tail";
const SIGNATURES: &str = "binomial tails of honest and colluders";

pub(crate) fn checks() -> Vec<Check> {
    let mut checks = Vec::new();
    for (p, n, exact, runs) in [
        (0.8, 3, 0.896, 100_000),
        (0.7, 7, 0.873_964, 100_000),
        (0.7, 11, 0.921_775, 100_000),
        (0.6, 11, 0.753_498, 100_000),
        (0.6, 101, 0.979_103, 20_000),
        (0.55, 101, 0.843_755, 20_000),
        (0.51, 1001, 0.736_631, 4000),
    ] {
        checks.push(
            Check::new("O2", format!("majority of {n} right, each with p {p}"), CONDORCET, exact, move |t| {
                t.share(runs, |s| {
                    let votes: Vec<bool> = (0..n).map(|_| s.bernoulli(p)).collect();
                    decide(&Rule::Majority, 0.5, &votes, |_| p) == Verdict::Confirm
                })
            })
            .within(1e-6),
        );
    }
    for (f, exact) in [(0, 0.999_03), (2, 0.993_34), (4, 0.962_34), (6, 0.835_77), (8, 0.501_65)] {
        let quantity = format!("majority of 21 right, p 0.8, {f} always wrong");
        checks.push(
            Check::new("O2", quantity, CONDORCET, exact, move |t| {
                t.share(50_000, |s| {
                    let votes: Vec<bool> = (0..21).map(|i| i >= f && s.bernoulli(0.8)).collect();
                    decide(&Rule::Majority, 0.5, &votes, |_| 0.8) == Verdict::Confirm
                })
            })
            .within(1e-5),
        );
    }
    for (f, needed, on_true, on_false) in [
        (0, 16, 1.0, 1.1e-13),
        (6, 16, 0.999_679, 1.0e-7),
        (10, 16, 0.956_826, 3.29e-4),
        (15, 16, 0.0, 0.5367),
        (0, 20, 0.999_911, 1.8e-19),
        (6, 20, 0.914_925, 7.4e-13),
        (10, 20, 0.121_577, 1.1e-8),
        (15, 20, 0.0, 6.1e-4),
    ] {
        for (truth, honest, exact, slack) in [(true, 0.9, on_true, 1e-6), (false, 0.05, on_false, 5e-5)] {
            let kind = if truth { "true" } else { "false" };
            let quantity = format!("{kind} report accepted by {needed} of 30, {f} collude");
            let quorum = (f64::from(needed) - 0.5) / 30.0;
            checks.push(
                Check::new("O3", quantity, SIGNATURES, exact, move |t| {
                    t.share(40_000, |s| {
                        let votes: Vec<bool> =
                            (0..30).map(|i| if i < f { !truth } else { s.bernoulli(honest) }).collect();
                        decide(&Rule::Majority, quorum, &votes, |_| 0.9) == Verdict::Confirm
                    })
                })
                .within(slack),
            );
        }
    }
    checks.extend(quorums());
    checks
}

/// O14's argument for collaboration, and quorums that are tried window after window.
fn quorums() -> Vec<Check> {
    let accepted = |p: f64| {
        move |s: &mut phalanx_core::Stream| {
            let votes: Vec<bool> = (0..5).map(|_| s.bernoulli(p)).collect();
            decide(&Rule::Majority, 0.5, &votes, |_| 0.9) == Verdict::Confirm
        }
    };
    let sightings = |s: &mut phalanx_core::Stream| {
        let votes: Vec<bool> = (0..10).map(|_| s.bernoulli(0.3)).collect();
        decide(&Rule::Sightings(Sightings { k: 3 }), 0.5, &votes, |_| 0.5) == Verdict::Confirm
    };
    const BAYES: &str = "Bayes, Axelsson 2000";
    const TRIALS: &str = "binomial tail, geometric mean";
    vec![
        Check::new("O14", "TPR of a majority of 5, each 0.9", CONDORCET, 0.991_44, move |t| {
            t.share(200_000, accepted(0.9))
        }),
        Check::new("O14", "FPR of a majority of 5, each 0.05", CONDORCET, 0.001_158_13, move |t| {
            t.share(200_000, accepted(0.05))
        }),
        Check::new("O14", "PPV of one sensor, prevalence 0.001", BAYES, 0.017_699, move |t| {
            let (hit, wrong) =
                (t.share(200_000, |s| s.bernoulli(0.9)), t.share(200_000, |s| s.bernoulli(0.05)));
            precision(hit, wrong, 0.001)
        })
        .within(1e-6),
        Check::new("O14", "PPV of a majority of 5, prevalence 0.001", BAYES, 0.461_477, move |t| {
            let (hit, wrong) = (t.share(50_000, accepted(0.9)), t.share(400_000, accepted(0.05)));
            precision(hit, wrong, 0.001)
        }),
        Check::new("O14", "3 of 10 sightings in a window, each 0.3", TRIALS, 0.617_217, move |t| {
            t.share(100_000, sightings)
        }),
        Check::new("O14", "windows until 3 of 10 sightings, each 0.3", TRIALS, 1.620_18, move |t| {
            t.mean(50_000, |s| 1.0 + (0..).take_while(|_: &u32| !sightings(s)).count() as f64)
        }),
    ]
}

/// Positive predictive value from both rates, its error by the delta method.
fn precision(hit: Estimate, wrong: Estimate, prevalence: f64) -> Estimate {
    let odds = prevalence / (1.0 - prevalence) * hit.value / wrong.value;
    let value = odds / (1.0 + odds);
    let relative = (hit.error / hit.value).hypot(wrong.error / wrong.value);
    Estimate { value, error: value * (1.0 - value) * relative }
}
