//! Empirical distributions of features: distinct values with their counts, mergeable without loss.

use std::cmp::Ordering;

use phalanx_core::AgentMix;
use serde::{Deserialize, Serialize};

/// The training values of one feature, as a sorted list of distinct values with cumulative counts.
///
/// Two lists made of parts of the rows merge to the list of all rows, whatever the parts were.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tails {
    /// Distinct values, ascending. `-0.0` is stored as `0.0`.
    values: Vec<f32>,
    /// Training values up to and including the value at the same place.
    up_to: Vec<u64>,
}

impl Tails {
    pub(crate) fn of(values: impl Iterator<Item = f32>) -> Self {
        let mut sorted: Vec<f32> = values.map(|v| v + 0.0).collect();
        sorted.sort_unstable_by(f32::total_cmp);
        let mut tails = Self::default();
        for run in sorted.chunk_by(|a, b| a == b) {
            tails.push(run[0], run.len() as u64);
        }
        tails
    }

    /// Values in training, repeated ones included.
    pub(crate) fn count(&self) -> u64 {
        self.up_to.last().copied().unwrap_or(0)
    }

    /// How many training values are `≤ x`, and how many are `≥ x`.
    #[inline]
    pub(crate) fn counts(&self, x: f32) -> (u64, u64) {
        let place = self.values.partition_point(|v| *v < x);
        let below = if place > 0 { self.up_to[place - 1] } else { 0 };
        let equal = self.values.get(place) == Some(&x);
        let at_most = if equal { self.up_to[place] } else { below };
        (at_most, self.count() - below)
    }

    /// Adds the values of another list.
    pub(crate) fn merge(&mut self, other: &Self) {
        *self = self.merged(other);
    }

    fn merged(&self, other: &Self) -> Self {
        let mut merged = Self {
            values: Vec::with_capacity(self.values.len() + other.values.len()),
            up_to: Vec::with_capacity(self.values.len() + other.values.len()),
        };
        let (mut left, mut right) = (self.runs().peekable(), other.runs().peekable());
        loop {
            let order = match (left.peek(), right.peek()) {
                (Some(a), Some(b)) => a.0.total_cmp(&b.0),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => break,
            };
            let from_left = if order.is_le() { left.next() } else { None };
            let from_right = if order.is_ge() { right.next() } else { None };
            let value = from_left.or(from_right).expect("one side has a value").0;
            merged.push(value, from_left.map_or(0, |run| run.1) + from_right.map_or(0, |run| run.1));
        }
        merged
    }

    pub(crate) fn digest(&self, mix: &mut AgentMix) {
        mix.word(self.values.len() as u64);
        for (value, up_to) in self.values.iter().zip(&self.up_to) {
            mix.word(u64::from(value.to_bits()));
            mix.word(*up_to);
        }
    }

    /// Distinct values, each with how often it came.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (f32, u64)> {
        let before = std::iter::once(0).chain(self.up_to.iter().copied());
        self.values
            .iter()
            .zip(&self.up_to)
            .zip(before)
            .map(|((value, up_to), before)| (*value, up_to - before))
    }

    /// Whether the list is one that [`Self::of`] gives.
    pub(crate) fn is_sound(&self) -> bool {
        self.values.len() == self.up_to.len()
            && self.values.iter().all(|v| v.is_finite() && (*v != 0.0 || v.is_sign_positive()))
            && self.values.is_sorted_by(|a, b| a < b)
            && self.up_to.is_sorted_by(|a, b| a < b)
            && self.up_to.first() != Some(&0)
            && self.count() < 1 << 53
    }

    fn push(&mut self, value: f32, count: u64) {
        let before = self.count();
        self.values.push(value);
        self.up_to.push(before + count);
    }
}

/// A product of probabilities as a sum of logarithms, at one logarithm for many factors.
///
/// Factors are multiplied up until the product could get too small to be exact; a logarithm costs as much as the
/// rest of a feature's work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surprise {
    product: f64,
    nats: f64,
}

impl Surprise {
    pub(crate) const NONE: Self = Self { product: 1.0, nats: 0.0 };

    /// Multiplies by a probability in `[2^-128, 1]`.
    #[inline]
    pub(crate) fn add(&mut self, probability: f64) {
        self.product *= probability;
        if self.product < 1e-200 {
            self.nats -= libm::log(self.product);
            self.product = 1.0;
        }
    }

    /// `-ln` of the product.
    pub(crate) fn nats(self) -> f64 {
        // Not a negation: it would give -0.0 for certainty.
        0.0 - libm::log(self.product) + self.nats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_include_equals_on_both_sides() {
        let tails = Tails::of([3.0, 1.0, 3.0, -0.0, 7.0].into_iter());
        assert_eq!(tails.count(), 5);
        let counts: Vec<_> = [-1.0, 0.0, 0.5, 1.0, 3.0, 7.0, 8.0].map(|x| tails.counts(x)).to_vec();
        assert_eq!(counts, [(0, 5), (1, 5), (1, 4), (2, 4), (4, 3), (5, 1), (5, 0)]);
        assert_eq!(Tails::default().counts(1.0), (0, 0));
    }

    #[test]
    fn parts_merge_to_the_whole() {
        let values = [3.0, 1.0, 3.0, -0.0, 7.0, 0.0, 1.0];
        let whole = Tails::of(values.into_iter());
        for cut in 0..=values.len() {
            let mut part = Tails::of(values[..cut].iter().copied());
            part.merge(&Tails::of(values[cut..].iter().copied()));
            assert_eq!(part, whole, "cut at {cut}");
        }
    }

    #[test]
    fn surprise_is_the_sum_of_logarithms() {
        let mut surprise = Surprise::NONE;
        let mut expected = 0.0;
        for i in 1..2000 {
            let p = 1.0 / f64::from(i);
            surprise.add(p);
            expected -= libm::log(p);
        }
        assert!((surprise.nats() - expected).abs() < 1e-9 * expected);
        assert_eq!(Surprise::NONE.nats().to_bits(), 0);
    }
}
