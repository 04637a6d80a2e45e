//! O7, O8 and O10: opinions of unequal worth, put together.

use phalanx_consensus::fusion::dawid_skene::{Hints, plurality, solve};
use phalanx_consensus::fusion::mass::{BENIGN, MALICIOUS, Mass};
use phalanx_consensus::fusion::opinion::Opinion;
use phalanx_consensus::fusion::threat::{Threat, dovecot_opinion, dovecot_trust};
use phalanx_consensus::theory::{jury, trust};
use phalanx_consensus::{
    Beta, Deed, LogOdds, Rule, Said, Sprt, Standing, Trust, TrustKind, TrustModel, Verdict,
};

use super::patients;
use super::world::{World, decide, put};
use super::{Check, Estimate};

const BETA: &str = "Jøsang & Ismail 2002";
const SHAPLEY: &str = "Shapley & Grofman 1984";
const SHAFER: &str = "Shafer 1976; Zadeh 1979";
const DOVECOT: &str = "p2p4slips";
const DAWID: &str = "Dawid & Skene 1979, table 1";

pub(crate) fn checks() -> Vec<Check> {
    let mut checks = reputation();
    checks.extend(weights());
    checks.extend(evidence());
    checks.extend(sequential());
    checks.extend(dovecot());
    checks.extend(dawid_skene());
    checks
}

fn computed(
    id: &'static str,
    quantity: &str,
    source: &'static str,
    exact: f64,
    value: impl Fn() -> f64 + Send + Sync + 'static,
) -> Check {
    Check::new(id, quantity, source, exact, move |_| Estimate::computed(value())).within(1e-6)
}

fn beta(forgetting: f64) -> Trust {
    let kind = TrustKind::Beta(Beta { forgetting });
    Trust::new(&kind, 1, &[], 1.0).expect("a share is a valid setting")
}

fn reputation() -> Vec<Check> {
    let mut checks = vec![
        computed("O7", "Beta trust cap, lambda 0.95, all good", BETA, 21.0 / 22.0, || {
            let mut trust = beta(0.95);
            (0..2000).for_each(|_| trust.observe(&Deed::public(0, true)));
            trust.trust(0)
        }),
        Check::new("O7", "Beta trust, lambda 0.95, 90 % good, in the long run", BETA, 0.863_636, |t| {
            let mut trust = beta(0.95);
            // Successive values hang together over some 20 deeds, so every hundredth is taken.
            t.mean(4000, |s| {
                (0..100).for_each(|_| trust.observe(&Deed::public(0, s.bernoulli(0.9))));
                trust.trust(0)
            })
        })
        .within(1e-5),
    ];
    for (forgetting, exact) in [(0.9, 7.0), (0.95, 14.0), (0.98, 35.0), (0.99, 69.0)] {
        let quantity = format!("bad deeds until trust < 1/2, lambda {forgetting}");
        checks.push(computed("O7", &quantity, BETA, exact, move || {
            let mut trust = beta(forgetting);
            (0..10_000).for_each(|_| trust.observe(&Deed::public(0, true)));
            let mut bad = 0;
            while trust.trust(0) >= 0.5 {
                trust.observe(&Deed::public(0, false));
                bad += 1;
            }
            assert_eq!(bad, trust::grace(forgetting), "the closed form says the same");
            f64::from(bad)
        }));
    }
    let opinion = Opinion::of_evidence(8.0, 2.0, 0.5);
    checks.push(computed("O7", "opinion of 8 good, 2 bad: belief", "Jøsang 2016", 2.0 / 3.0, move || {
        opinion.b
    }));
    checks.push(computed(
        "O7",
        "opinion of 8 good, 2 bad: uncertainty",
        "Jøsang 2016",
        1.0 / 6.0,
        move || opinion.u,
    ));
    checks.push(computed("O7", "opinion of 8 good, 2 bad: expectation", "Jøsang 2016", 0.75, move || {
        opinion.expectation()
    }));
    checks
}

/// Optimal weights, by the rules themselves.
fn weights() -> Vec<Check> {
    // Every other report is true. Ties reject, which is right every other time, as a fair coin would be.
    let certain = |rule: Rule, skills: &'static [f64], name: &str, exact: f64| {
        Check::new("O7", format!("{name}, p {skills:?}"), SHAPLEY, exact, move |t| {
            t.share(60_000, |s| {
                let truth = s.bernoulli(0.5);
                let votes: Vec<bool> = skills.iter().map(|p| s.bernoulli(*p) == truth).collect();
                (decide(&rule, 0.5, &votes, |i| skills[i]) == Verdict::Confirm) == truth
            })
        })
        .within(1e-6)
    };
    const FIVE: &[f64] = &[0.9, 0.9, 0.6, 0.6, 0.6];
    const SEVEN: &[f64] = &[0.95, 0.7, 0.65, 0.6, 0.6, 0.55, 0.55];
    let log_odds = || Rule::LogOdds(LogOdds::default());
    let posterior = |yes, no| move || jury::posterior(0.01, 0.9, 0.05, yes, no);
    vec![
        certain(Rule::Majority, FIVE, "majority", 0.876_960),
        certain(log_odds(), FIVE, "log-odds", 0.926_640),
        certain(Rule::TrustWeighted, FIVE, "weights p", 0.901_800),
        certain(Rule::Majority, SEVEN, "majority", 0.820_171),
        certain(log_odds(), SEVEN, "log-odds", 0.95),
        certain(Rule::TrustWeighted, SEVEN, "weights p", 0.826_887),
        computed("O7", "posterior of 3 yes 2 no, prior 0.01", "Bayes", 0.394_941, posterior(3, 2)),
        computed("O7", "posterior of 4 yes 1 no, prior 0.01", "Bayes", 0.991_120, posterior(4, 1)),
    ]
}

fn evidence() -> Vec<Check> {
    let malicious = |m| Mass::evidence(m, 1.0);
    let torn = malicious(0.6).conjunction(&Mass::evidence(0.5, 0.0));
    let zadeh = || {
        let doctor = |likely: usize| {
            let mut mass = [0.0; 8];
            (mass[likely], mass[2]) = (0.99, 0.01);
            Mass(mass)
        };
        doctor(1).conjunction(&doctor(4))
    };
    vec![
        computed("O7", "Dempster, two for M with 0.6 and 0.7", SHAFER, 0.88, move || {
            malicious(0.6).conjunction(&malicious(0.7)).dempster().0[MALICIOUS]
        }),
        computed("O7", "Dempster, M 0.6 against B 0.5: M", SHAFER, 0.428_571, move || {
            torn.dempster().0[MALICIOUS]
        }),
        computed("O7", "Dempster, M 0.6 against B 0.5: B", SHAFER, 0.285_714, move || {
            torn.dempster().0[BENIGN]
        }),
        computed("O7", "Zadeh's doctors: conflict", SHAFER, 0.9999, move || zadeh().conflict()),
        computed("O7", "Zadeh's doctors: Dempster is sure of b", SHAFER, 1.0, move || {
            zadeh().dempster().0[2]
        }),
        computed("O7", "Zadeh's doctors: Yager knows nothing", SHAFER, 0.9999, move || zadeh().yager().0[7]),
    ]
}

/// Voters asked by the rule [`Sprt`], counted by the questions it sends.
fn sequential() -> Vec<Check> {
    let mut checks = Vec::new();
    for (tpr, fpr, p, under, exact) in [
        (0.9, 0.05, 0.9, "attack", 2.479),
        (0.9, 0.05, 0.05, "benign", 3.318),
        (0.8, 0.2, 0.8, "attack", 6.6148),
        (0.7, 0.3, 0.7, "attack", 14.8153),
    ] {
        let quantity = format!("SPRT asks, rates {tpr} and {fpr}, under {under}");
        checks.push(
            Check::new("O7", quantity, "Wald 1945; exact course", exact, move |t| {
                t.mean(5000, |s| f64::from(asked(tpr, fpr, p, s).0))
            })
            .within(5e-4),
        );
    }
    for (tpr, fpr, p, wrong, exact) in [
        (0.9, 0.05, 0.05, Verdict::Confirm, 0.002_84),
        (0.9, 0.05, 0.9, Verdict::Reject, 0.001_35),
        (0.8, 0.2, 0.2, Verdict::Confirm, 0.003_891),
        (0.7, 0.3, 0.3, Verdict::Confirm, 0.006_158),
    ] {
        let quantity = format!("SPRT errs, rates {tpr} and {fpr}, yes with {p}");
        checks.push(
            Check::new("O7", quantity, "Wald 1945; exact course", exact, move |t| {
                t.share(20_000, |s| asked(tpr, fpr, p, s).1 == wrong)
            })
            .within(5e-6),
        );
    }
    checks
}

/// How many of 200 voters are asked, and what comes out, if they say yes with probability `p`.
fn asked(tpr: f64, fpr: f64, p: f64, stream: &mut phalanx_core::Stream) -> (u32, Verdict) {
    let votes: Vec<bool> = (0..200).map(|_| stream.bernoulli(p)).collect();
    let standings = [Standing { trust: 0.5, uncertainty: 0.0, tpr, fpr }; 200];
    let mut questions = 0;
    let count = |letter: &phalanx_consensus::Letter| questions += u32::from(letter.said == Said::Question);
    let mut world = World::new(stream, |_, _| false, count);
    let verdict = put(&Rule::Sprt(Sprt::default()), 0.5, &votes, &standings, &mut world);
    (questions, verdict)
}

fn dovecot() -> Vec<Check> {
    let threat = |score, confidence| Threat { score, confidence };
    let opinion = move || {
        let reports = [(threat(0.6, 0.7), 0.8, threat(0.7, 0.8)), (threat(0.7, 0.8), 0.9, threat(0.8, 0.9))];
        dovecot_opinion(
            reports.into_iter().map(|(said, reliability, peer)| (said, dovecot_trust(reliability, peer))),
        )
    };
    vec![
        computed("O8", "Dovecot trust of (0.8, 0.9, 0.7)", DOVECOT, 0.595, move || {
            dovecot_trust(0.8, threat(0.9, 0.7))
        }),
        computed("O8", "Dovecot trust of (1, 1, 1)", DOVECOT, 0.85, move || {
            dovecot_trust(1.0, threat(1.0, 1.0))
        }),
        computed("O8", "Dovecot opinion of two peers: score", DOVECOT, 0.651_777, move || opinion().score),
        computed("O8", "Dovecot opinion of two peers: confidence", DOVECOT, 0.466, move || {
            opinion().confidence
        }),
    ]
}

fn dawid_skene() -> Vec<Check> {
    let solution = || solve(&patients::PROBLEM, &patients::labels(), Hints::default());
    let mut checks = Vec::new();
    for (class, exact) in [0.3996, 0.4220, 0.1118, 0.0667].into_iter().enumerate() {
        let quantity = format!("Dawid-Skene, 45 patients: share of class {}", class + 1);
        checks
            .push(computed("O10", &quantity, DAWID, exact, move || solution().marginals[class]).within(5e-4));
    }
    for (class, exact) in [0.889, 0.876, 0.661, 0.444].into_iter().enumerate() {
        let quantity = format!("Dawid-Skene: rater 1 right on class {}", class + 1);
        checks.push(
            computed("O10", &quantity, DAWID, exact, move || solution().rate(0, class, class)).within(6e-4),
        );
    }
    for (iteration, exact) in [(1, -205.0911), (10, -192.8910)] {
        let quantity = format!("Dawid-Skene: log-likelihood, iteration {iteration}");
        checks.push(
            computed("O10", &quantity, DAWID, exact, move || solution().log_likelihood[iteration - 1])
                .within(5e-4),
        );
    }
    checks.push(computed("O10", "Dawid-Skene: patients not as the plurality says", DAWID, 3.0, move || {
        let (solution, labels) = (solution(), patients::labels());
        let differs =
            |item: &u32| plurality(&patients::PROBLEM, &labels, *item) != solution.class(*item as usize);
        let differing: Vec<u32> = (0..45).filter(differs).collect();
        if differing == [1, 11, 35] { 3.0 } else { f64::NAN }
    }));
    checks
}
