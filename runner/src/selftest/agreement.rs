//! O15: Byzantine agreement, its messages and its limits.

use phalanx_consensus::{Pbft, Rule, Standing, Verdict};
use phalanx_core::{AgentId, Tick};
use phalanx_sim::network::{Chain, Presence};

use super::world::{World, put};
use super::{Check, Estimate, Trial};

const CASTRO: &str = "Castro & Liskov 1999";

pub(crate) fn checks() -> Vec<Check> {
    let mut checks = Vec::new();
    for (n, exact) in [(4, 24.0), (7, 84.0), (10, 180.0), (31, 1860.0), (100, 19_800.0)] {
        checks.push(Check::new(
            "O15",
            format!("PBFT of {n}: messages of a decision"),
            CASTRO,
            exact,
            move |t| Estimate::computed(agree(n, t, |_, _| false).1),
        ));
    }
    for f in [1, 3, 10] {
        let n = 3 * f + 1;
        checks.push(Check::new(
            "O15",
            format!("PBFT of {n}: decides with {f} silent"),
            CASTRO,
            1.0,
            move |t| Estimate::computed(agree(n, t, |from, _| from < f).0),
        ));
        checks.push(Check::new(
            "O15",
            format!("PBFT of {n}: decides with {} silent", f + 1),
            CASTRO,
            0.0,
            move |t| Estimate::computed(agree(n, t, |from, _| from <= f).0),
        ));
    }
    checks.push(Check::new("O15", "PBFT of 10, cut 4 : 6, decides", CASTRO, 0.0, |t| {
        Estimate::computed(agree(10, t, |from, to| (from < 4) != (to < 4)).0)
    }));
    checks.push(Check::new("O15", "PBFT of 10, cut 3 : 7, decides", CASTRO, 1.0, |t| {
        Estimate::computed(agree(10, t, |from, to| (from < 3) != (to < 3)).0)
    }));
    const BINOMIAL: &str = "binomial tail, MTTF / (MTTF + MTTR)";
    checks.push(
        Check::new("O15", "3 of 4 are up, MTTF 20, MTTR 10", BINOMIAL, 0.592_593, |t| {
            let streams = t.streams.clone();
            let mut presence = Presence::new(40_000, Some(Chain::of_means(20.0, 10.0)), &[], &streams);
            // Ticks that lie further apart than anybody remembers.
            let ticks = t.runs(4);
            let up = (0..ticks).map(|i| {
                presence.go_to(&streams, Tick(u64::from(i) * 1000));
                let quorate =
                    |four: &u32| (0..4).filter(|i| presence.is_up(AgentId(four * 4 + i))).count() >= 3;
                (0..10_000).filter(quorate).count() as u64
            });
            Estimate::share(up.sum(), u64::from(ticks) * 10_000)
        })
        .within(1e-6),
    );
    checks
}

/// Whether `n` participants of one mind decide, as 0 or 1, and how many messages they send.
fn agree(n: u32, trial: &mut Trial, drops: impl FnMut(u32, u32) -> bool) -> (f64, f64) {
    let votes = vec![true; n as usize];
    let standings = vec![Standing::default(); n as usize];
    let mut world = World::new(&mut trial.stream, drops, |_| ());
    // Enough views for every silent leader to be passed over.
    let rule = Rule::Pbft(Pbft { views_max: n });
    let verdict = put(&rule, 0.5, &votes, &standings, &mut world);
    (f64::from(u8::from(verdict == Verdict::Confirm)), world.messages as f64)
}
