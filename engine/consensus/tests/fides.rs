//! Oracle O1: the published simulations of Fides.

use phalanx_consensus::trials::fides::{distance, published, run};

#[test]
fn all_ten_settings() {
    let mut misses = Vec::new();
    for setting in published() {
        let measured = distance(&setting, 1, 10);
        println!(
            "{:<40} {:.3} ± {:.3} against {:.3}",
            setting.name, measured.mean, measured.standard_error, setting.distance
        );
        if (measured.mean - setting.distance).abs() > setting.tolerance {
            misses.push((setting.name, measured, setting.distance));
        }
    }
    assert!(misses.is_empty(), "{misses:#?}");
}

/// Without reputation, pre-trust and with distances to a network that nobody trusts, trust never begins.
#[test]
fn nothing_comes_of_nothing() {
    let mut setting = published().swap_remove(5);
    setting.reputation = 0.0;
    let outcome = run(&setting, 1);
    assert_eq!(outcome.distance, 1.0);
    assert_eq!(outcome.trust_in_liars, 0.0);
}
