//! O1 and O6: trust that is learned from experience, and trust that flows along trust.

use phalanx_consensus::eigen_trust;
use phalanx_consensus::trials::fides::{distance, published};

use super::{Check, Estimate};

const FIDES: &str = "Forst 2022, mean of 10 seeds";
const README: &str = "go-eigentrust README";
const KAMVAR: &str = "Kamvar et al. 2003: (1-a) e / (a + (1-a) e)";

pub(crate) fn checks() -> Vec<Check> {
    let mut checks = Vec::new();
    for setting in published() {
        let quantity = format!("Fides {}: distance at the end", setting.name);
        let (exact, tolerance) = (setting.distance, setting.tolerance);
        let check = Check::new("O1", quantity, FIDES, exact, move |t| {
            // The tolerance is for the mean of ten seeds, and says all that may be off; so the seeds are fixed.
            Estimate::computed(distance(&setting, 1, t.runs(10)).mean)
        });
        checks.push(check.within(tolerance));
    }
    for (a, expected) in [(0.5, [0.217_054, 0.302_326, 0.480_620]), (0.1, [0.165_367, 0.440_113, 0.394_519])]
    {
        for (agent, exact) in expected.into_iter().enumerate() {
            let name = ["ek", "sd", "vm"][agent];
            checks.push(
                Check::new("O6", format!("EigenTrust, a {a}: trust in {name}"), README, exact, move |_| {
                    let ratings = [vec![(1, 100.0), (2, 75.0)], vec![], vec![(1, 100.0)]];
                    let pretrust = [50.0 / 150.0, 0.0, 100.0 / 150.0];
                    Estimate::computed(eigen_trust(&ratings, &pretrust, a, 1e-12)[agent])
                })
                .within(1e-6),
            );
        }
    }
    for (leak, a, exact) in
        [(0.05, 0.1, 0.310_345), (0.05, 0.2, 0.166_667), (0.05, 0.15, 0.220_779), (0.0, 0.1, 0.0)]
    {
        let quantity = format!("EigenTrust of a closed collective, e {leak} a {a}");
        checks.push(
            Check::new("O6", quantity, KAMVAR, exact, move |_| Estimate::computed(collective(leak, a)))
                .within(1e-6),
        );
    }
    checks
}

/// Trust in agents 8 and 9, who rate only each other and get a share `leak` of the ratings of the honest 0 to 7.
fn collective(leak: f64, a: f64) -> f64 {
    let honest = |me: u32| {
        let others = (0..8).filter(|other| *other != me);
        let mut row: Vec<(u32, f64)> = others.map(|other| (other, (1.0 - leak) / 7.0)).collect();
        row.extend([(8, leak / 2.0), (9, leak / 2.0)]);
        row
    };
    let mut ratings: Vec<Vec<(u32, f64)>> = (0..8).map(honest).collect();
    ratings.extend([vec![(9, 1.0)], vec![(8, 1.0)]]);
    let pretrust: Vec<f64> = (0..10).map(|agent| if agent < 8 { 0.125 } else { 0.0 }).collect();
    let trust = eigen_trust(&ratings, &pretrust, a, 1e-12);
    trust[8] + trust[9]
}
