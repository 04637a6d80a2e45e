//! Draws from a fixed discrete law, in constant time.

use crate::{Stream, maths};

/// A discrete law over `0..n` as an alias table (Walker 1977, built as Vose 1991 does): every place is shared by at most
/// two outcomes, so a draw is one random word, one look-up and one comparison, whatever the law.
///
/// Probabilities are kept to `2^-32 / n`. Eight bytes an outcome.
///
/// ```
/// use phalanx_core::{AliasTable, Purpose, Streams, Tick};
/// let coin = AliasTable::new(&[1.0, 3.0]);
/// let mut stream = Streams::from_seed(1).stream(Purpose::Traffic, 0, Tick(0));
/// let heads = (0..1000).filter(|_| coin.draw(&mut stream) == 1).count();
/// assert!((700..800).contains(&heads));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasTable {
    places: Box<[Place]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// Of 2^32, the share of the place that is its own outcome's.
    own: u32,
    /// Whose the rest is.
    other: u32,
}

impl AliasTable {
    /// The law `P(i) ∝ weights[i]`.
    ///
    /// # Panics
    /// If there are no weights or more than 2^32 - 1, if one is negative or not finite, or if all are 0.
    #[must_use]
    pub fn new(weights: &[f64]) -> Self {
        let count = u32::try_from(weights.len()).expect("outcomes are numbered by 32 bits");
        let total = maths::sum(weights);
        let sound = weights.iter().all(|weight| *weight >= 0.0) && total > 0.0 && total < f64::INFINITY;
        assert!(sound, "weights are not negative and have a positive, finite sum");
        // What an outcome has, in shares of a place.
        let mut left: Vec<f64> = weights.iter().map(|weight| weight / total * f64::from(count)).collect();
        let mut places: Box<[Place]> = (0..count).map(|i| Place { own: u32::MAX, other: i }).collect();
        let (mut poor, mut rich): (Vec<u32>, Vec<u32>) = (0..count).partition(|i| left[*i as usize] < 1.0);
        while let (Some(small), Some(large)) = (poor.last(), rich.last()) {
            let (small, large) = (*small as usize, *large as usize);
            // The cast saturates.
            places[small] = Place { own: (left[small] * 4_294_967_296.0) as u32, other: large as u32 };
            left[large] -= 1.0 - left[small];
            poor.pop();
            if left[large] < 1.0 {
                rich.pop();
                poor.push(large as u32);
            }
        }
        // Rounding leaves some on one list: theirs are whole places.
        Self { places }
    }

    /// Zipf's law over `0..n`: `P(i) ∝ (i + 1)^-exponent`.
    ///
    /// # Panics
    /// If `n` is 0, or the exponent is not finite.
    #[must_use]
    pub fn zipf(n: u32, exponent: f64) -> Self {
        let weights: Vec<f64> = (0..n).map(|i| libm::pow(f64::from(i) + 1.0, -exponent)).collect();
        Self::new(&weights)
    }

    /// An outcome.
    #[inline]
    pub fn draw(&self, stream: &mut Stream) -> u32 {
        // The word times n: its whole part is the place, uniform up to n / 2^64, its fraction lies within the place.
        let product = u128::from(stream.bits64()) * self.places.len() as u128;
        let (index, within) = ((product >> 64) as usize, (product >> 32) as u32);
        let place = self.places[index];
        if within < place.own { index as u32 } else { place.other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The probability that a table gives each outcome, exactly.
    fn law(table: &AliasTable) -> Vec<f64> {
        let mut law = vec![0.0; table.places.len()];
        for (i, place) in table.places.iter().enumerate() {
            let own = f64::from(place.own) / 4_294_967_296.0;
            law[i] += own / table.places.len() as f64;
            law[place.other as usize] += (1.0 - own) / table.places.len() as f64;
        }
        law
    }

    #[test]
    fn a_table_is_its_law() {
        let check = |weights: &[f64]| {
            let total = maths::sum(weights);
            let n = weights.len() as f64;
            for (i, (got, weight)) in law(&AliasTable::new(weights)).iter().zip(weights).enumerate() {
                // An outcome owns a share of its own place and rests of others.
                let rounding = 3e-10 / n * (1.0 + weight / total * n);
                assert!((got - weight / total).abs() < rounding, "{i}: {got} for {}", weight / total);
            }
        };
        check(&[1.0]);
        check(&[0.0, 2.0]);
        check(&[0.25; 4]);
        check(&[1e-9, 1.0, 1e9]);
        let zipf: Vec<f64> = (1..=10_000).map(|i| libm::pow(f64::from(i), -1.05)).collect();
        check(&zipf);
        assert_eq!(AliasTable::zipf(10_000, 1.05), AliasTable::new(&zipf));
    }

    #[test]
    #[should_panic(expected = "positive, finite sum")]
    fn no_weight_is_no_law() {
        _ = AliasTable::new(&[0.0, 0.0]);
    }
}
