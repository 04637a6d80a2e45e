//! What holds of every rule and of every world.

use phalanx_consensus::trials::{Lie, World, agreement::attempt};
use phalanx_consensus::*;
use proptest::prelude::*;

/// A voter of every sort.
fn voter() -> impl Strategy<Value = (Ballot, Standing)> {
    (any::<bool>(), -1.0f32..=1.0, 0.0f32..=1.0, 0.0..=1.0f64, 0.0..=1.0f64, 0.0..=1.0f64, 0.0..=1.0f64)
        .prop_map(|(yes, score, confidence, trust, uncertainty, tpr, fpr)| {
            (Ballot { voter: 0, yes, score, confidence }, Standing { trust, uncertainty, tpr, fpr })
        })
}

fn renumbered(voters: &[(Ballot, Standing)]) -> (Vec<Ballot>, Vec<Standing>) {
    voters.iter().zip(0..).map(|((ballot, standing), voter)| (Ballot { voter, ..*ballot }, *standing)).unzip()
}

fn decide(rule: &Rule, voters: &[(Ballot, Standing)], absent: u32, quorum: f64, expired: bool) -> Verdict {
    let (ballots, standings) = renumbered(voters);
    let eligible = ballots.len() as u32 + absent;
    let poll = Poll {
        eligible,
        eligible_trust: standings.iter().map(|s| s.trust).sum::<f64>() + 0.5 * f64::from(absent),
        quorum,
        ballots: &ballots,
        standings: &standings,
        prior: 0.5,
        expired,
        author: eligible,
        attempt: 0,
        memory: &Memory::default(),
    };
    rule.decide(&poll, &mut World::honest(1, eligible + 1))
}

/// Rules that count ballots; the others draw lots, and a permutation of voters permutes the lots.
fn counting() -> impl Iterator<Item = Rule> {
    Rule::all().into_iter().filter(|rule| rule.gathering() == Gathering::Votes)
}

proptest! {
    /// Ballots are dyadic and trust is one of four values, so that sums are exact in any order and a tie stays a tie.
    #[test]
    fn permuting_voters_changes_nothing(
        mut voters in prop::collection::vec(voter(), 0..30), absent in 0u32..10, quorum in 0.0..=1.0f64,
        expired: bool, turn in 0usize..30,
    ) {
        for (ballot, standing) in &mut voters {
            ballot.score = (ballot.score * 4.0).round() / 4.0;
            ballot.confidence = (ballot.confidence * 4.0).round() / 4.0;
            standing.trust = (standing.trust * 4.0).round() / 4.0;
        }
        let before: Vec<Verdict> = counting().map(|r| decide(&r, &voters, absent, quorum, expired)).collect();
        let count = voters.len().max(1);
        voters.rotate_left(turn % count);
        voters.reverse();
        for (rule, before) in counting().zip(before) {
            // A sum that lands exactly on the bar may fall to either side by rounding; those sums are logarithms.
            if matches!(rule, Rule::Majority | Rule::TrustWeighted | Rule::Supermajority(_) | Rule::Sightings(_)) {
                prop_assert_eq!(before, decide(&rule, &voters, absent, quorum, expired), "{}", rule.name());
            } else {
                let after = decide(&rule, &voters, absent, quorum, expired);
                prop_assert!(before == after || near_the_bar(&rule, &voters, absent, quorum, expired), "{}", rule.name());
            }
        }
    }

    #[test]
    fn nobody_is_no_quorum(absent in 0u32..40, quorum in 0.0..=1.0f64, expired: bool) {
        for rule in Rule::all() {
            prop_assert_ne!(decide(&rule, &[], absent, quorum, expired), Verdict::Confirm, "{}", rule.name());
        }
    }

    /// Without half of the eligible voters no rule that weighs evidence decides, and those that count need their share.
    #[test]
    fn nothing_is_confirmed_without_its_quorum(
        voters in prop::collection::vec(voter(), 0..20), extra in 1u32..30, expired: bool,
    ) {
        let absent = voters.len() as u32 + extra;
        for rule in Rule::all() {
            if matches!(rule, Rule::Sightings(_) | Rule::Sprt(_) | Rule::TrustWeighted) {
                continue; // three sightings, the likelihood ratio and half of all trust are their quorums
            }
            prop_assert_ne!(decide(&rule, &voters, absent, 0.5, expired), Verdict::Confirm, "{}", rule.name());
        }
        let yes = voters.iter().filter(|(ballot, _)| ballot.yes).count();
        if decide(&Rule::Sightings(Sightings::default()), &voters, absent, 0.5, expired) == Verdict::Confirm {
            prop_assert!(yes >= 3);
        }
        let trust = |only_yes: bool| -> f64 {
            voters.iter().filter(|(b, _)| b.yes || !only_yes).map(|(_, s)| s.trust).sum()
        };
        if decide(&Rule::TrustWeighted, &voters, absent, 0.5, expired) == Verdict::Confirm {
            prop_assert!(trust(true) > 0.5 * (trust(false) + 0.5 * f64::from(absent)) - 1e-9);
        }
    }

    /// Agreement: whatever f of more than 3f participants do, over whatever network, no two honest ones differ, and
    /// nothing that fewer than an honest participant wants is confirmed.
    #[test]
    fn agreement_is_safe_below_its_bound(
        f in 0u32..4, spare in 1u32..3, judgements in prop::collection::vec(any::<bool>(), 12),
        lies in prop::collection::vec(0usize..6, 4), places in prop::collection::vec(0u32..12, 4),
        loss in prop_oneof![Just(0.0), 0.0..0.5f64], cut in 0u32..12, seed: u64, views in 1u32..12,
    ) {
        let n = 3 * f + spare;
        let kinds = [Lie::Silent, Lie::Flip, Lie::Equivocate, Lie::Random, Lie::Always(true), Lie::Always(false)];
        let mut world = World::honest(seed, n);
        for (place, lie) in places.iter().zip(&lies).take(f as usize) {
            world.lies[(place % n) as usize] = Some(kinds[*lie]);
        }
        world.loss = loss;
        world.sides[..(cut % n) as usize].fill(1);
        let judgements = &judgements[..n as usize];
        let honest: Vec<bool> =
            judgements.iter().zip(&world.lies).filter(|(_, lie)| lie.is_none()).map(|(yes, _)| *yes).collect();
        let result = attempt(world, judgements, views);
        prop_assert!(!result.world.is_split());
        if result.verdict != Verdict::Open {
            prop_assert!(honest.contains(&(result.verdict == Verdict::Confirm)));
        }
    }

    #[test]
    fn trust_stays_in_range(
        deeds in prop::collection::vec((0u32..6, prop::option::of(0u32..6), 0.0..=1.0f64, 0.0..=1.0f64), 0..200),
    ) {
        for kind in TrustKind::all() {
            let mut trust = Trust::new(&kind, 6, &[5], 0.9).unwrap();
            for (agent, rater, satisfaction, weight) in &deeds {
                trust.observe(&Deed { agent: *agent, rater: *rater, satisfaction: *satisfaction, weight: *weight });
                trust.end_tick();
                if *weight < 0.05 {
                    trust.forget(*agent);
                }
            }
            for agent in 0..6 {
                let (t, u) = (trust.trust(agent), trust.uncertainty(agent));
                prop_assert!((0.0..=1.0).contains(&t) && (0.0..=1.0).contains(&u), "{}: {t} {u}", kind.name());
            }
        }
    }
}

/// Whether a tiny change of the voters' trust and scores turns the decision: then order may too.
fn near_the_bar(rule: &Rule, voters: &[(Ballot, Standing)], absent: u32, quorum: f64, expired: bool) -> bool {
    let nudged = |by: f64| {
        let nudge = |(ballot, standing): &(Ballot, Standing)| {
            let score = (f64::from(ballot.score) + by).clamp(-1.0, 1.0) as f32;
            let tpr = (standing.tpr + by).clamp(0.0, 1.0);
            let trust = (standing.trust + if ballot.yes { by } else { -by }).clamp(0.0, 1.0);
            (Ballot { score, ..*ballot }, Standing { trust, tpr, ..*standing })
        };
        decide(rule, &voters.iter().map(nudge).collect::<Vec<_>>(), absent, quorum, expired)
    };
    nudged(1e-6) != nudged(-1e-6)
}

/// A liar in the majority wins against learned skills unless some voters are pre-trusted; a constant liar in the
/// minority is found out and then helps.
#[test]
fn dawid_skene_uses_constant_liars() {
    let rule = Rule::DawidSkene(DawidSkene::default());
    let learn = |liars: u32, anchors: u32| {
        let mut memory = Memory::default();
        let standings: Vec<Standing> = (0..21)
            .map(|i| {
                if i >= 21 - anchors {
                    Standing { tpr: 0.95, fpr: 0.05, ..Standing::default() }
                } else {
                    Standing::default()
                }
            })
            .collect();
        let ballots = |truth: bool| -> Vec<Ballot> {
            (0..21).map(|i| Ballot::plain(i, (i < liars) != truth)).collect()
        };
        for poll in 0..32 {
            rule.learn(&ballots(poll % 3 == 0), &standings, &mut memory);
        }
        let cast = ballots(true);
        let poll = Poll {
            eligible: 21,
            eligible_trust: 10.5,
            quorum: 0.5,
            ballots: &cast,
            standings: &standings,
            prior: 0.5,
            expired: false,
            author: 21,
            attempt: 0,
            memory: &memory,
        };
        (rule.decide(&poll, &mut Silence), memory.estimates[0].tpr)
    };
    let (verdict, liar) = learn(8, 0);
    assert_eq!(verdict, Verdict::Confirm);
    assert!(liar < 0.2, "the liar says yes to {liar} of true reports");
    assert_eq!(learn(13, 0).0, Verdict::Reject, "liars in the majority");
    assert_eq!(learn(13, 4).0, Verdict::Confirm, "liars in the majority, four voters pre-trusted");
}

/// The Snow family promises safety below a fifth of liars, whatever they say, and not only to the unanimous.
#[test]
fn snow_does_not_split_below_a_fifth_of_liars() {
    let kinds = [Lie::Silent, Lie::Flip, Lie::Equivocate, Lie::Random, Lie::Always(true), Lie::Always(false)];
    for (lie, seed) in kinds.into_iter().zip(1..) {
        for honest_yes in [49, 40, 25] {
            let ballots: Vec<Ballot> =
                (0..60).map(|i| Ballot::plain(i, (11..11 + honest_yes).contains(&i))).collect();
            let standings = vec![Standing::default(); 60];
            let poll = Poll {
                eligible: 60,
                eligible_trust: 30.0,
                quorum: 0.5,
                ballots: &ballots,
                standings: &standings,
                prior: 0.5,
                expired: false,
                author: 60,
                attempt: 0,
                memory: &Memory::default(),
            };
            for rule in [Rule::Snowflake(Snowflake::default()), Rule::Snowball(Snowball::default())] {
                let mut world = World::with_liars(seed, 61, 11, lie);
                let verdict = rule.decide(&poll, &mut world);
                assert!(!world.is_split(), "{} {lie:?} {honest_yes}", rule.name());
                if honest_yes == 49 {
                    assert_ne!(verdict, Verdict::Reject, "{} {lie:?}: all honest ones say yes", rule.name());
                }
            }
        }
    }
}
