//! Decisions of the rules that weigh evidence, worked by hand.

use phalanx_consensus::fusion::threat::Aggregation;
use phalanx_consensus::trials::World;
use phalanx_consensus::*;

/// A vote: yes or no, score, confidence, trust, TPR, FPR.
type Vote = (bool, f32, f32, f64, f64, f64);

fn decide(rule: &Rule, votes: &[Vote], prior: f64, expired: bool, eligible: u32) -> Verdict {
    let ballots: Vec<Ballot> = votes
        .iter()
        .zip(0..)
        .map(|((yes, score, confidence, ..), voter)| Ballot {
            voter,
            yes: *yes,
            score: *score,
            confidence: *confidence,
        })
        .collect();
    let standing = |v: &Vote| Standing { trust: v.3, uncertainty: 0.0, tpr: v.4, fpr: v.5 };
    let standings: Vec<Standing> = votes.iter().map(standing).collect();
    let poll = Poll {
        eligible,
        eligible_trust: standings.iter().map(|s| s.trust).sum(),
        quorum: 0.5,
        ballots: &ballots,
        standings: &standings,
        prior,
        expired,
        author: eligible,
        attempt: 0,
        memory: &Memory::default(),
    };
    rule.decide(&poll, &mut World::honest(1, eligible + 1))
}

fn plain(yes: bool, trust: f64) -> Vote {
    (yes, if yes { 1.0 } else { -1.0 }, 1.0, trust, 0.9, 0.05)
}

#[track_caller]
fn check(rule: &Rule, votes: &[Vote], prior: f64, expected: Verdict) {
    assert_eq!(decide(rule, votes, prior, false, votes.len() as u32), expected, "{rule:?}");
}

/// Oracle O7: prior .01, TPR .9, FPR .05: three yes and two no leave .395, four and one .991.
#[test]
fn posterior_decides() {
    let votes = |yes: usize| (0..5).map(|i| plain(i < yes, 0.5)).collect::<Vec<_>>();
    let cost = |cost_false_positive| Rule::Bayesian(Bayesian { cost_false_positive, ..Bayesian::default() });
    check(&cost(1.0), &votes(3), 0.01, Verdict::Reject);
    check(&cost(1.0), &votes(4), 0.01, Verdict::Confirm);
    check(&cost(0.6), &votes(3), 0.01, Verdict::Confirm); // the bar is .375
    check(&cost(0.7), &votes(3), 0.01, Verdict::Reject); // the bar is .412
    check(&cost(120.0), &votes(4), 0.01, Verdict::Reject); // the bar is .9917
}

/// One expert of .95 outweighs two voters of .6, but not six.
#[test]
fn log_odds_weigh_skill() {
    let votes = |against: usize| {
        let mut votes = vec![plain(true, 0.95)];
        votes.extend(vec![plain(false, 0.6); against]);
        votes
    };
    check(&Rule::LogOdds(LogOdds::default()), &votes(2), 0.5, Verdict::Confirm);
    check(&Rule::LogOdds(LogOdds::default()), &votes(7), 0.5, Verdict::Confirm); // 2.944 against 7 × .405
    check(&Rule::LogOdds(LogOdds::default()), &votes(8), 0.5, Verdict::Reject);
}

/// Two doctors who contradict each other: Dempster follows the surer one, Yager sees how little is left.
#[test]
fn contradiction() {
    let votes = [(true, 1.0, 0.99, 1.0, 0.5, 0.5), (false, -1.0, 0.97, 1.0, 0.5, 0.5)];
    check(&Rule::DempsterShafer(DempsterShafer::default()), &votes, 0.5, Verdict::Confirm);
    check(&Rule::Yager(Yager::default()), &votes, 0.5, Verdict::Open); // .0297 malicious, .0097 benign
    check(&Rule::Yager(Yager { belief_min: 0.02, ..Yager::default() }), &votes, 0.5, Verdict::Confirm);
}

#[test]
fn scores_by_trust() {
    // Trust .9 says 0.5, trust .3 twice says -0.6: the sum is .45 - .36.
    let votes = [
        (true, 0.5, 0.8, 0.9, 0.5, 0.5),
        (false, -0.6, 0.8, 0.3, 0.5, 0.5),
        (false, -0.6, 0.8, 0.3, 0.5, 0.5),
    ];
    check(&Rule::Majority, &votes, 0.5, Verdict::Reject);
    check(&Rule::Fides(Fides::default()), &votes, 0.5, Verdict::Confirm);
    check(&Rule::Fides(Fides { threshold: 0.07, ..Fides::default() }), &votes, 0.5, Verdict::Reject);
    // Confidence .8 × mean trust .5 = .4; weighted by trust it stays .8.
    let sure = |aggregation| Rule::Fides(Fides { aggregation, confidence_min: 0.5, ..Fides::default() });
    check(&sure(Aggregation::Average), &votes, 0.5, Verdict::Open);
    check(&sure(Aggregation::WeightedAverage), &votes, 0.5, Verdict::Confirm);
    // Dovecot's weights (1 + trust) / 2 lie closer together: .8575 × .5 against 2 × .4525 × .6.
    check(&Rule::Dovecot(Dovecot::default()), &votes, 0.5, Verdict::Reject);
    check(&Rule::Dovecot(Dovecot { threshold: -0.1, ..Dovecot::default() }), &votes, 0.5, Verdict::Confirm);
}

/// Strangers count for nothing where belief is asked for, and a little where expectation is.
#[test]
fn strangers_in_subjective_logic() {
    let rule = |discount| Rule::SubjectiveLogic(SubjectiveLogic { discount, ..SubjectiveLogic::default() });
    let ballots: Vec<Ballot> = (0..3).map(|voter| Ballot::plain(voter, true)).collect();
    let standings = [Standing::default(); 3];
    let poll = Poll {
        eligible: 3,
        eligible_trust: 1.5,
        quorum: 0.5,
        ballots: &ballots,
        standings: &standings,
        prior: 0.3,
        expired: false,
        author: 3,
        attempt: 0,
        memory: &Memory::default(),
    };
    assert_eq!(rule(Discount::Expectation).decide(&poll, &mut Silence), Verdict::Confirm);
    assert_eq!(rule(Discount::Belief).decide(&poll, &mut Silence), Verdict::Reject);
}

/// Rules that weigh evidence wait for all, or for enough and the deadline.
#[test]
fn turnout_and_deadline() {
    let votes = vec![plain(true, 0.9); 5];
    for rule in Rule::all().into_iter().filter(|r| {
        !matches!(r, Rule::Majority | Rule::TrustWeighted | Rule::Supermajority(_) | Rule::Sightings(_))
            && r.gathering() == Gathering::Votes
    }) {
        assert_eq!(decide(&rule, &votes, 0.5, false, 8), Verdict::Open, "{rule:?}");
        assert_eq!(decide(&rule, &votes, 0.5, true, 8), Verdict::Confirm, "{rule:?}");
        assert_eq!(decide(&rule, &votes, 0.5, true, 12), Verdict::Open, "{rule:?}");
    }
}

/// Protocols of several rounds find the answer of a clear majority, without a fault.
#[test]
fn protocols_agree_with_a_clear_majority() {
    for yes in [2, 28] {
        let votes: Vec<Vote> = (0..30).map(|i| plain(i < yes, 0.5)).collect();
        for rule in Rule::all().into_iter().filter(|r| r.gathering() == Gathering::Rounds) {
            assert_eq!(decide(&rule, &votes, 0.5, false, 30), Verdict::of(yes == 28), "{rule:?} {yes}");
        }
    }
}

#[test]
fn wrong_settings_name_their_field() {
    let field = |rule: Rule| rule.check().unwrap_err().field;
    let snowball = |k, alpha_preference, alpha_confidence| {
        Rule::Snowball(Snowball { k, alpha_preference, alpha_confidence, ..Snowball::default() })
    };
    assert_eq!(field(snowball(20, 10, 15)), "alpha_preference");
    assert_eq!(field(snowball(20, 15, 14)), "alpha_confidence");
    assert_eq!(field(snowball(0, 1, 1)), "k");
    assert_eq!(field(Rule::Sprt(Sprt { alpha: 0.6, beta: 0.5, ..Sprt::default() })), "beta");
    assert_eq!(field(Rule::Supermajority(Supermajority { share: 1.2, ..Supermajority::default() })), "share");
    assert_eq!(field(Rule::LogOdds(LogOdds { trust_min: 0.7, ..LogOdds::default() })), "trust_min");
    assert_eq!(field(Rule::Slush(Slush { k: 4, alpha: 2, rounds: 3 })), "alpha");
    assert_eq!(field(Rule::Fides(Fides { threshold: f64::NAN, ..Fides::default() })), "threshold");
    let said = snowball(20, 10, 15).check().unwrap_err().to_string();
    assert_eq!(said, "alpha_preference: 10 is out of range: give a whole number from 11 to 20");
}
