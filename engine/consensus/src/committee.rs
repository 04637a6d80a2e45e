//! Committees drawn by a public hash: nobody chooses them, everybody can check them.

/// The draw of one round: a function of the last tree head, the round and the question, which all know.
///
/// A committee of `m` out of `n` costs `m` draws whatever `n` is (Floyd's sampling), and each set of `m` is equally
/// likely.
///
/// ```
/// use phalanx_consensus::Lottery;
///
/// let lottery = Lottery::new(&[7; 32], 3, 0);
/// let committee = lottery.committee(1_000_000, 16, None);
/// assert_eq!(committee.len(), 16);
/// assert_eq!(committee, Lottery::new(&[7; 32], 3, 0).committee(1_000_000, 16, None), "anybody gets the same");
/// ```
#[derive(Clone, Debug)]
pub struct Lottery {
    seed: [u8; 32],
}

impl Lottery {
    /// The draw after this tree head, in this round (a tick), for this question.
    #[must_use]
    pub fn new(tree_head: &[u8; 32], round: u64, question: u64) -> Self {
        let mut input = [0; 48];
        input[..32].copy_from_slice(tree_head);
        input[32..40].copy_from_slice(&round.to_le_bytes());
        input[40..].copy_from_slice(&question.to_le_bytes());
        Self { seed: blake3::derive_key("phalanx 2026 committee", &input) }
    }

    /// Numbers of the members, ascending: `m` out of `0..n` without `except`, or all of them if there are no more.
    #[must_use]
    pub fn committee(&self, n: u32, m: u32, except: Option<u32>) -> Vec<u32> {
        let mut members = Vec::with_capacity(m.min(n) as usize);
        self.draw(n, m, except, &mut members);
        members
    }

    /// As [`Self::committee`], into a vector that is used again.
    pub fn draw(&self, n: u32, m: u32, except: Option<u32>, members: &mut Vec<u32>) {
        members.clear();
        let except = except.filter(|e| *e < n);
        let candidates = n - u32::from(except.is_some());
        let mut bits = Bits::new(&self.seed);
        for last in candidates - m.min(candidates)..candidates {
            let drawn = bits.below(last + 1);
            match members.binary_search(&drawn) {
                Err(at) => members.insert(at, drawn),
                // `last` is above everything drawn so far.
                Ok(_) => members.push(last),
            }
        }
        if let Some(except) = except {
            members.iter_mut().for_each(|member| *member += u32::from(*member >= except));
        }
    }

    /// Whether the agent belongs to the committee.
    #[must_use]
    pub fn is_member(&self, n: u32, m: u32, except: Option<u32>, agent: u32) -> bool {
        self.committee(n, m, except).binary_search(&agent).is_ok()
    }
}

/// The hash's output as a stream of numbers.
struct Bits {
    reader: blake3::OutputReader,
    block: [u8; 64],
    used: usize,
}

impl Bits {
    fn new(seed: &[u8; 32]) -> Self {
        let reader = blake3::Hasher::new_keyed(seed).finalize_xof();
        Self { reader, block: [0; 64], used: 64 }
    }

    fn word(&mut self) -> u32 {
        if self.used == 64 {
            self.reader.fill(&mut self.block);
            self.used = 0;
        }
        let bytes = &self.block[self.used..self.used + 4];
        self.used += 4;
        u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }

    /// Uniform below `n` without bias (Lemire 2019).
    fn below(&mut self, n: u32) -> u32 {
        let mut product = u64::from(self.word()) * u64::from(n);
        if (product as u32) < n {
            let threshold = n.wrapping_neg() % n;
            while (product as u32) < threshold {
                product = u64::from(self.word()) * u64::from(n);
            }
        }
        (product >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_distinct_and_in_range() {
        let check = |n: u32, m: u32, except: Option<u32>, expected: usize| {
            for round in 0..50 {
                let lottery = Lottery::new(&[1; 32], round, 9);
                let members = lottery.committee(n, m, except);
                assert_eq!(members.len(), expected);
                assert!(members.windows(2).all(|pair| pair[0] < pair[1]), "{members:?}");
                assert!(members.iter().all(|member| *member < n && Some(*member) != except));
                assert!(members.iter().all(|member| lottery.is_member(n, m, except, *member)));
            }
        };
        check(10, 4, None, 4);
        check(10, 4, Some(3), 4);
        check(5, 9, Some(0), 4);
        check(1, 3, Some(0), 0);
        check(0, 3, None, 0);
        check(3, 0, None, 0);
        check(1_000_000, 16, Some(999_999), 16);
    }

    /// Every agent sits equally often, by a chi-square test of 9 degrees of freedom at about 1e-6.
    #[test]
    fn seats_are_even() {
        let mut seats = [0.0f64; 10];
        for round in 0..20_000 {
            let members = Lottery::new(&[2; 32], round, 0).committee(11, 4, Some(10));
            members.iter().for_each(|member| seats[*member as usize] += 1.0);
        }
        let chi_square: f64 = seats.iter().map(|x| (x - 8000.0) * (x - 8000.0) / 8000.0).sum();
        assert!(chi_square < 45.0, "{seats:?}");
    }

    #[test]
    fn head_round_and_question_each_matter() {
        let of =
            |head: u8, round, question| Lottery::new(&[head; 32], round, question).committee(1000, 8, None);
        let base = of(1, 1, 1);
        assert!(base != of(2, 1, 1) && base != of(1, 2, 1) && base != of(1, 1, 2));
    }
}
