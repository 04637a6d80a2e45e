//! Closed forms that a voting rule has to reproduce: Condorcet's jury (O2) and the signature vote with colluders (O3).

use phalanx_consensus::{Quorum, Tally, Verdict};
use phalanx_core::{Purpose, Streams, Tick};

const RUNS: u32 = 100_000;

/// Share of runs in which `n` voters, each right with its own probability, confirm.
fn confirmed(seed: u64, share: f64, probabilities: &[f64]) -> f64 {
    let mut stream = Streams::from_seed(seed).stream(Purpose::Adversary, 0, Tick(0));
    let quorum = Quorum::new(share);
    let mut hits = 0u32;
    for _ in 0..RUNS {
        let mut tally = Tally::new(probabilities.len() as f64);
        for p in probabilities {
            tally.add(stream.bernoulli(*p), 1.0);
        }
        hits += u32::from(quorum.verdict(&tally) == Verdict::Confirm);
    }
    f64::from(hits) / f64::from(RUNS)
}

fn assert_close(what: &str, measured: f64, exact: f64) {
    let standard_error = (exact * (1.0 - exact) / f64::from(RUNS)).sqrt();
    assert!(
        (measured - exact).abs() <= 4.0 * standard_error + 1e-12,
        "{what}: {measured} against {exact} ± 4×{standard_error}"
    );
}

#[test]
fn o2_condorcet() {
    for (p, n, exact) in [
        (0.8, 3, 0.896),
        (0.7, 7, 0.873_964),
        (0.7, 11, 0.921_775),
        (0.6, 11, 0.753_498),
        (0.6, 101, 0.979_103),
        (0.55, 101, 0.843_755),
    ] {
        assert_close(&format!("p = {p}, n = {n}"), confirmed(n as u64, 0.5, &vec![p; n]), exact);
    }
}

#[test]
fn o2_colluders_always_wrong() {
    for (f, exact) in [(0, 0.999_03), (2, 0.993_34), (4, 0.962_34), (6, 0.835_77), (8, 0.501_65)] {
        let mut voters = vec![0.8; 21 - f];
        voters.extend(vec![0.0; f]);
        assert_close(&format!("{f} colluders of 21"), confirmed(100 + f as u64, 0.5, &voters), exact);
    }
}

#[test]
fn o3_signature_vote() {
    // (colluders, quorum as a share below the needed count, P(true accepted), P(false accepted)).
    let rows = [
        (0, 15.5, 1.0, 1.1e-13),
        (6, 15.5, 0.999_679, 1.0e-7),
        (10, 15.5, 0.956_826, 3.29e-4),
        (15, 15.5, 0.0, 0.5367),
        (6, 19.5, 0.914_925, 7.4e-13),
        (10, 19.5, 0.121_577, 1.1e-8),
        (15, 19.5, 0.0, 6.1e-4),
    ];
    for (f, needed, on_true, on_false) in rows {
        let voters = |honest: f64, colluder: f64| {
            let mut p = vec![honest; 30 - f];
            p.extend(vec![colluder; f]);
            p
        };
        let share = needed / 30.0;
        assert_close(
            &format!("true, f = {f}, {needed}"),
            confirmed(200 + f as u64, share, &voters(0.9, 0.0)),
            on_true,
        );
        assert_close(
            &format!("false, f = {f}, {needed}"),
            confirmed(300 + f as u64, share, &voters(0.05, 1.0)),
            on_false,
        );
    }
}
