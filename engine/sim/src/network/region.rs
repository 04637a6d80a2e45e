//! Where agents are, and how long messages take between there: the Internet of 2019.
//!
//! Means, shares and the law of the delay are those of SimBlock (Nagayama, Banno & Shudo 2020, measured 2019): a Pareto
//! distribution whose shape grows with the mean, so that near neighbours have the heavier relative tail.

use phalanx_core::Stream;

/// Names of the six regions, in the order of all tables here.
pub const REGIONS: [&str; 6] =
    ["North America", "Europe", "South America", "Asia Pacific", "Japan", "Australia"];

/// Share of nodes in each region.
pub const SHARES: [f64; 6] = [0.3316, 0.4998, 0.0090, 0.1177, 0.0224, 0.0195];

/// Mean one-way delay between two regions in ms. Symmetric; within a region on the diagonal.
pub const MEAN_MS: [[f64; 6]; 6] = [
    [32.0, 124.0, 184.0, 198.0, 151.0, 189.0],
    [124.0, 11.0, 227.0, 237.0, 252.0, 294.0],
    [184.0, 227.0, 88.0, 325.0, 301.0, 322.0],
    [198.0, 237.0, 325.0, 85.0, 58.0, 198.0],
    [151.0, 252.0, 301.0, 58.0, 12.0, 126.0],
    [189.0, 294.0, 322.0, 198.0, 126.0, 16.0],
];

/// Delays are cut off here. Beyond lies less than 1e-7 of the shortest link's delays and nothing of the others'.
pub const DELAY_MS_MAX: f64 = 10_000.0;

/// A delay in ms of that mean, rounded to whole ms: Pareto of shape `0.2 · mean` and scale `mean − 5`, whose mean is
/// `mean` exactly.
///
/// # Panics
/// If the mean is not above 5 ms, where the law ends.
pub fn delay_ms(mean_ms: f64, stream: &mut Stream) -> f64 {
    assert!(mean_ms > 5.0, "SimBlock's law holds above 5 ms");
    let shape = 0.2 * mean_ms;
    let scale = mean_ms - 5.0;
    let delay = libm::round(scale * libm::pow(stream.uniform_open(), -1.0 / shape));
    delay.min(DELAY_MS_MAX)
}

/// Median of the unrounded delay of that mean: `scale · 2^(1 / shape)`.
#[must_use]
pub fn delay_ms_median(mean_ms: f64) -> f64 {
    (mean_ms - 5.0) * libm::pow(2.0, 1.0 / (0.2 * mean_ms))
}

/// A delay in whole ticks of `tick_ms`. Messages leave at a uniform moment of their tick, so the mean in ticks is the
/// mean in ms over `tick_ms`, and nothing arrives earlier than the last tick that ends before its delay.
pub fn ticks(delay_ms: f64, tick_ms: f64, stream: &mut Stream) -> u32 {
    (delay_ms / tick_ms + stream.uniform()) as u32
}

/// The longest delay in ticks that [`ticks`] can give.
#[must_use]
pub fn ticks_max(tick_ms: f64) -> u32 {
    (DELAY_MS_MAX / tick_ms) as u32 + 1
}

/// Every agent's region, in turn: agent i is in region i modulo `count`.
///
/// # Panics
/// If there are none, or more than 256.
#[must_use]
pub fn in_turn(agents: u32, count: u32) -> Vec<u8> {
    assert!((1..=256).contains(&count), "regions are numbered by a byte");
    (0..agents).map(|agent| (agent % count) as u8).collect()
}

/// Every agent's region, by shares: each next agent goes where most is missing, so that any number of agents is
/// divided as exactly as it can be, and one more moves nobody.
///
/// # Panics
/// If there are no shares or more than 256, or none is positive.
#[must_use]
pub fn by_shares(agents: u32, shares: &[f64]) -> Vec<u8> {
    assert!((1..=256).contains(&shares.len()), "regions are numbered by a byte");
    let total = shares.iter().fold(0.0, |a, b| a + b);
    assert!(total > 0.0, "somebody has to be somewhere");
    let mut have = vec![0u32; shares.len()];
    let next = |agent: u32, have: &mut [u32]| {
        let missing = |r: usize| shares[r] / total * f64::from(agent + 1) - f64::from(have[r]);
        let region = (1..shares.len()).fold(0, |best, r| if missing(r) > missing(best) { r } else { best });
        have[region] += 1;
        region as u8
    };
    (0..agents).map(|agent| next(agent, &mut have)).collect()
}

#[cfg(test)]
mod tests {
    use phalanx_core::{Purpose, Streams, Tick};

    use super::*;

    #[test]
    fn tables_are_symmetric_and_whole() {
        for (a, row) in MEAN_MS.iter().enumerate() {
            (0..6).for_each(|b| assert_eq!(row[b], MEAN_MS[b][a]));
        }
        assert!((SHARES.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn agents_are_divided_as_exactly_as_they_can_be() {
        for agents in [1, 6, 10, 999, 10_000] {
            let regions = by_shares(agents, &SHARES);
            for (r, share) in SHARES.iter().enumerate() {
                let have = regions.iter().filter(|x| usize::from(**x) == r).count() as f64;
                assert!(
                    (have - share * f64::from(agents)).abs() <= 1.0,
                    "{agents} agents, region {r}: {have}"
                );
            }
        }
        assert_eq!(by_shares(50, &SHARES)[..20], by_shares(20, &SHARES));
        assert_eq!(in_turn(5, 3), [0, 1, 2, 0, 1]);
    }

    #[test]
    fn ticks_are_neither_early_nor_biased() {
        let mut stream = Streams::from_seed(1).stream(Purpose::Links, 0, Tick(0));
        let drawn: Vec<u32> = (0..40_000).map(|_| ticks(130.0, 100.0, &mut stream)).collect();
        assert!(drawn.iter().all(|t| (1..=2).contains(t)));
        let mean = drawn.iter().map(|t| f64::from(*t)).sum::<f64>() / 40_000.0;
        assert!((mean - 1.3).abs() < 4.0 * (0.21f64 / 40_000.0).sqrt(), "{mean}");
        assert!(ticks(DELAY_MS_MAX, 7.0, &mut stream) <= ticks_max(7.0));
    }
}
