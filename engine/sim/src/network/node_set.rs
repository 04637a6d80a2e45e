//! Sets of nodes: a sorted list while few, a bit a node once that is smaller.

use serde::{Deserialize, Serialize};

/// Nodes below a bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSet {
    bound: u32,
    len: u32,
    members: Members,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Members {
    Sorted(Vec<u32>),
    Bits(Vec<u64>),
}

impl NodeSet {
    /// No node yet, of `0..bound`.
    #[must_use]
    pub fn new(bound: u32) -> Self {
        Self { bound, len: 0, members: Members::Sorted(Vec::new()) }
    }

    /// Number of members.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether the node is a member.
    #[must_use]
    pub fn contains(&self, node: u32) -> bool {
        match &self.members {
            Members::Sorted(list) => list.binary_search(&node).is_ok(),
            Members::Bits(words) => words[(node / 64) as usize] >> (node % 64) & 1 == 1,
        }
    }

    /// Adds nodes given in ascending order, which may be members already; `fresh` is called for those that were not.
    ///
    /// # Panics
    /// If the nodes are not ascending, or lie beyond the bound.
    pub fn extend_sorted(&mut self, nodes: &[u32], mut fresh: impl FnMut(u32)) {
        assert!(
            nodes.is_sorted() && nodes.last().is_none_or(|last| *last < self.bound),
            "sorted nodes in bounds"
        );
        match &mut self.members {
            Members::Sorted(list) => {
                let known = list.len();
                for node in nodes {
                    let told = list.len() > known && list.last() == Some(node);
                    if !told && list[..known].binary_search(node).is_err() {
                        list.push(*node);
                        fresh(*node);
                    }
                }
                // Both parts are sorted, which the stable sort merges in linear time.
                list.sort();
                self.len = list.len() as u32;
            }
            Members::Bits(words) => {
                for node in nodes {
                    let (word, bit) = (&mut words[(node / 64) as usize], 1u64 << (node % 64));
                    if *word & bit == 0 {
                        *word |= bit;
                        self.len += 1;
                        fresh(*node);
                    }
                }
            }
        }
        self.compact();
    }

    /// All members, ascending.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u32> {
        match &self.members {
            Members::Sorted(list) => list.clone(),
            Members::Bits(words) => {
                let bits = |(i, word): (usize, &u64)| {
                    let word = *word;
                    (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| i as u32 * 64 + bit)
                };
                words.iter().enumerate().flat_map(bits).collect()
            }
        }
    }

    /// Bytes that it takes, give or take what a list has in reserve.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match &self.members {
            Members::Sorted(list) => 4 * list.len() as u64,
            Members::Bits(words) => 8 * words.len() as u64,
        }
    }

    fn compact(&mut self) {
        if let Members::Sorted(list) = &self.members
            && list.len() > self.bound as usize / 32
        {
            let mut words = vec![0u64; self.bound.div_ceil(64) as usize];
            list.iter().for_each(|node| words[(node / 64) as usize] |= 1 << (node % 64));
            self.members = Members::Bits(words);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn it_is_a_set_before_and_after_it_turns_to_bits() {
        let mut set = NodeSet::new(200);
        let mut model = BTreeSet::new();
        for batch in
            [&[7, 7, 60][..], &[3, 60, 199], &[], &[0, 64, 65, 127, 128, 199], &[1, 2, 3, 4, 5, 6, 8]]
        {
            let mut fresh = Vec::new();
            set.extend_sorted(batch, |node| fresh.push(node));
            let expected: Vec<u32> = batch.iter().copied().filter(|n| model.insert(*n)).collect();
            assert_eq!(fresh, expected);
            assert_eq!(set.to_vec(), model.iter().copied().collect::<Vec<_>>());
            assert_eq!(set.len() as usize, model.len());
            assert!((0..200).all(|node| set.contains(node) == model.contains(&node)));
            assert!(set.bytes() <= 32);
        }
    }
}
