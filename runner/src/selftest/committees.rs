//! O4 and O5: samples of a population, as committees and as polls of the Snow family.

use phalanx_consensus::theory::{counts, slush, snow};
use phalanx_consensus::{Rule, Slush, Standing};
use phalanx_core::Stream;

use super::world::{World, put};
use super::{Check, Estimate};

const TAIL: &str = "hypergeometric tail";
const CHAIN: &str = "birth-death chain of Slush, solved";

pub(crate) fn checks() -> Vec<Check> {
    let mut checks = Vec::new();
    for (total, bad, m, t, exact) in [
        (100, 20, 10, 5, 0.025_465),
        (100, 30, 21, 11, 0.014_018),
        (1000, 200, 50, 17, 0.012_331),
        (2000, 1000, 20, 15, 0.020_197),
        (2000, 1200, 20, 15, 0.124_382),
        (2000, 1400, 20, 15, 0.415_696),
        (2000, 1600, 20, 15, 0.805_197),
        (2000, 1000, 10, 8, 0.054_248),
        (2000, 1600, 10, 8, 0.677_951),
    ] {
        let id = if total == 2000 { "O5" } else { "O4" };
        let what = if total == 2000 { "poll finds" } else { "committee has" };
        let quantity = format!("{what} {t} of {m} marked, {bad} of {total} are");
        checks.push(
            Check::new(id, quantity, TAIL, exact, move |trial| {
                let mut members: Vec<u32> = (0..total).collect();
                trial.share(60_000, |s| {
                    s.partial_shuffle(&mut members, m);
                    members[..m].iter().filter(|member| **member < bad).count() >= t
                })
            })
            .within(1e-6),
        );
    }
    checks.push(computed(
        "O4",
        "committee has 125 of 250 marked, 1333 of 4000 are",
        TAIL,
        1.3655e-8,
        1e-4,
        || counts::hypergeometric_at_least(4000, 1333, 250, 125),
    ));
    const ALGORAND: &str = "Gilad et al. 2017 §7.5, Poisson";
    checks.push(computed(
        "O4",
        "Algorand committee of 2000: too few honest",
        ALGORAND,
        2.06e-9,
        5e-3,
        || counts::sortition_failure(2000.0, 0.685, 0.8).0,
    ));
    checks.push(computed("O4", "Algorand committee of 2000: two decisions", ALGORAND, 2.15e-9, 5e-3, || {
        counts::sortition_failure(2000.0, 0.685, 0.8).1
    }));
    const METASTABLE: &str = "Rocket et al. 2019: H^beta";
    for (byzantine, exact) in [(0.0, 1.3e-34), (0.2, 7.9e-19), (0.3, 5.7e-13)] {
        let quantity = format!("Snowball decides wrongly, {byzantine} lie, k 20 a 15 b 20");
        checks.push(computed("O5", quantity, METASTABLE, exact, 0.05, move || {
            snow::metastable_failure(2000, byzantine, 20, 15, 20)
        }));
    }
    for (success, exact) in [(0.9, 72.2526), (0.95, 35.7902), (0.8, 428.681)] {
        let quantity = format!("polls until 20 in a row succeed, each {success}");
        checks.push(
            Check::new("O5", quantity, "runs of successes", exact, move |t| {
                t.mean(20_000, |s| {
                    let (mut polls, mut row) = (0u32, 0);
                    while row < 20 {
                        polls += 1;
                        row = if s.bernoulli(success) { row + 1 } else { 0 };
                    }
                    f64::from(polls)
                })
            })
            .within(1e-3),
        );
    }
    checks.extend(slush_checks());
    checks
}

fn slush_checks() -> Vec<Check> {
    let mut checks = Vec::new();
    for (n, k, alpha, start, all, steps) in [
        (50, 5, 3, 30, 0.917_632, 233.730),
        (50, 5, 3, 25, 0.5, 270.934),
        (100, 10, 8, 55, 0.993_324, 705.743),
        (20, 1, 1, 6, 0.3, 222.925),
    ] {
        let setting = format!("n {n} k {k} a {alpha} from {start}");
        checks.push(
            Check::new("O5", format!("Slush, one at a time, {setting}: all agree"), CHAIN, all, move |t| {
                t.share(2000, |s| absorbed(n, k, alpha, start, s).0)
            })
            .within(1e-6),
        );
        checks.push(
            Check::new("O5", format!("Slush, one at a time, {setting}: steps"), CHAIN, steps, move |t| {
                t.mean(2000, |s| f64::from(absorbed(n, k, alpha, start, s).1))
            })
            .within(1e-3),
        );
        checks.push(computed(
            "O5",
            format!("Slush chain solved, {setting}: all agree"),
            CHAIN,
            all,
            1e-5,
            move || slush::absorption(n, k, alpha, start).all,
        ));
    }
    // Everybody asks 20 of the 1999 others, of whom 1400 hold yes, once.
    const POLL: &str = "hypergeometric tail, 1999 others";
    let exact = snow::poll_success(1999, 1400, 20, 15);
    checks.push(Check::new("O5", "rule Slush, one round of 2000: no turns to yes", POLL, exact, |t| {
        let votes: Vec<bool> = (0..2000).map(|i| i < 1400).collect();
        let (mut turned, mut asked) = (0, 0);
        for _ in 0..t.runs(20) {
            let mut world = World::new(&mut t.stream, |_, _| false, |_| ());
            let rule = Rule::Slush(Slush { k: 20, alpha: 15, rounds: 1 });
            put(&rule, 0.5, &votes, &[Standing::default(); 2000], &mut world);
            turned += world.settled.iter().filter(|(voter, yes)| *voter >= 1400 && *yes).count() as u64;
            asked += 600;
        }
        Estimate::share(turned, asked)
    }));
    checks
}

/// Whether all of `n` end up with the colour that `start` hold, and after how many steps, if one random node at a time
/// polls `k` others.
fn absorbed(n: u32, k: u32, alpha: u32, start: u32, stream: &mut Stream) -> (bool, u32) {
    let mut holders = start;
    let mut steps = 0;
    let mut others: Vec<u32> = (0..n - 1).collect();
    while holders > 0 && holders < n {
        steps += 1;
        let holds = stream.below(n) < holders;
        let among_others = holders - u32::from(holds);
        stream.partial_shuffle(&mut others, k as usize);
        let yes = others[..k as usize].iter().filter(|other| **other < among_others).count() as u32;
        if holds && k - yes >= alpha {
            holders -= 1;
        } else if !holds && yes >= alpha {
            holders += 1;
        }
    }
    (holders == n, steps)
}

/// A closed form against its published value, to a relative tolerance.
fn computed(
    id: &'static str,
    quantity: impl Into<String>,
    source: &'static str,
    exact: f64,
    relative: f64,
    value: impl Fn() -> f64 + Send + Sync + 'static,
) -> Check {
    Check::new(id, quantity, source, exact, move |_| Estimate::computed(value())).within(relative * exact)
}
