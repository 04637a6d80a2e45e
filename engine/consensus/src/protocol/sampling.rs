//! Uniform samples of peers without replacement.

use crate::Exchange;

/// Fills `sample` with `k` of the numbers below `n` other than `me`, each set of `k` equally likely (Floyd's
/// algorithm: `k` draws, no table of `n`). Meant for small `k`.
///
/// # Panics
/// If there are fewer than `k` others.
pub(crate) fn others(exchange: &mut dyn Exchange, n: u32, me: u32, k: u32, sample: &mut Vec<u32>) {
    assert!(k < n, "a sample without replacement cannot exceed its population");
    sample.clear();
    for last in n - 1 - k..n - 1 {
        let drawn = exchange.below(last + 1);
        sample.push(if sample.contains(&drawn) { last } else { drawn });
    }
    // So far these are numbers among the others; step over oneself.
    sample.iter_mut().for_each(|number| *number += u32::from(*number >= me));
}

/// One of the numbers below `n` other than `me`.
pub(crate) fn other(exchange: &mut dyn Exchange, n: u32, me: u32) -> u32 {
    let drawn = exchange.below(n - 1);
    drawn + u32::from(drawn >= me)
}
