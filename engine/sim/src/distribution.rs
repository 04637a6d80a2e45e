//! Quantiles of whole numbers of ticks.

use std::collections::BTreeMap;

use crate::checkpoint::saved;

/// A multiset of durations in ticks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Distribution {
    counts: BTreeMap<u64, u64>,
    total: u64,
}

impl Distribution {
    pub(crate) fn add(&mut self, ticks: u64) {
        *self.counts.entry(ticks).or_default() += 1;
        self.total += 1;
    }

    /// Values with how often each was added, in order.
    pub(crate) fn counts(&self) -> Vec<[u64; 2]> {
        self.counts.iter().map(|(ticks, count)| [*ticks, *count]).collect()
    }

    /// The `q`-quantile by linear interpolation (type 7, as `phalanx_core::maths::quantile_sorted`).
    pub(crate) fn quantile(&self, q: f64) -> Option<f64> {
        let position = q * self.total.checked_sub(1)? as f64;
        let below = position as u64;
        let low = self.at(below)? as f64;
        let high = self.at((below + 1).min(self.total - 1))? as f64;
        Some(low + (high - low) * (position - below as f64))
    }

    /// The value of that rank, counted from 0.
    fn at(&self, rank: u64) -> Option<u64> {
        let mut passed = 0;
        self.counts.iter().find_map(|(ticks, count)| {
            passed += count;
            (passed > rank).then_some(*ticks)
        })
    }
}

saved!(Distribution { counts, total });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_sorted_values() {
        let values = [5u64, 1, 1, 9, 3, 3, 3];
        let mut distribution = Distribution::default();
        values.iter().for_each(|v| distribution.add(*v));
        let mut sorted: Vec<f64> = values.iter().map(|v| *v as f64).collect();
        sorted.sort_by(f64::total_cmp);
        for q in [0.0, 0.1, 0.5, 0.77, 0.95, 1.0] {
            assert_eq!(distribution.quantile(q), phalanx_core::maths::quantile_sorted(&sorted, q));
        }
        assert_eq!(Distribution::default().quantile(0.5), None);
    }
}
