//! The confirmed signatures that an agent acts on: looked up by key, aged by sightings, bounded.

use std::sync::Arc;

use phalanx_core::{AgentMix, FlowKey, Indicator, Signature, Tick};

use crate::agent::{Blacklist, Blocked, Listed, Matcher, signature_words};

impl Blacklist {
    /// Takes in a confirmed signature. Without a radius one entry an indicator is enough, so a second confirmation
    /// only counts as a sighting.
    pub(crate) fn insert(
        &mut self,
        signature: &Arc<Signature>,
        tick: Tick,
        capacity: usize,
        matcher: Matcher,
    ) {
        let key = (signature.indicator, signature.id);
        let at = self.entries.partition_point(|e| (e.signature.indicator, e.signature.id) < key);
        if matcher.radius.is_none() {
            let first = self.entries.partition_point(|e| e.signature.indicator < signature.indicator);
            if let Some(entry) = self.entries.get_mut(first)
                && entry.signature.indicator == signature.indicator
            {
                entry.seen = tick;
                return;
            }
        }
        self.entries.reserve_exact(1);
        self.entries.insert(at, Listed { signature: Arc::clone(signature), seen: tick });
        if self.entries.len() > capacity {
            let oldest = (0..self.entries.len())
                .min_by_key(|i| (self.entries[*i].seen, self.entries[*i].signature.id));
            self.entries.remove(oldest.expect("a list above its capacity is not empty"));
        }
    }

    /// Drops what has not been seen for `ttl` ticks.
    pub(crate) fn age(&mut self, tick: Tick, ttl: u64) {
        self.entries.retain(|e| tick.since(e.seen) < ttl);
    }

    /// Whether some entry has this very indicator, which must name something.
    pub(crate) fn names(&self, indicator: &Indicator) -> bool {
        let at = self.entries.partition_point(|e| e.signature.indicator < *indicator);
        !indicator.is_empty() && self.entries.get(at).is_some_and(|e| e.signature.indicator == *indicator)
    }

    /// Whether some entry matches the flow; the sighting renews it.
    pub(crate) fn block(
        &mut self,
        key: &FlowKey,
        row: &[f32],
        own: u32,
        tick: Tick,
        matcher: Matcher,
    ) -> Blocked {
        if self.entries.is_empty() {
            return Blocked::No;
        }
        for indicator in matcher.candidates(key) {
            let first = self.entries.partition_point(|e| e.signature.indicator < indicator);
            for entry in &mut self.entries[first..] {
                if entry.signature.indicator != indicator {
                    break;
                }
                if matcher.matches(&entry.signature, key, row) {
                    entry.seen = tick;
                    let by_own = entry.signature.id.author.0 == own;
                    return if by_own { Blocked::ByOwn } else { Blocked::ByOther };
                }
            }
        }
        Blocked::No
    }

    /// Folds the list into a fingerprint.
    pub(crate) fn mix(&self, mix: &mut AgentMix) {
        for entry in &self.entries {
            signature_words(entry.signature.id).into_iter().for_each(|w| mix.word(w));
            mix.word(entry.seen.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use phalanx_core::{AgentId, Indicator, Prefix, SignatureId, Truth};

    use super::*;

    const MATCHER: Matcher = Matcher { radius: None, prefix_bits: 24 };

    fn signature(author: u32, address: u32, port: Option<u16>) -> Arc<Signature> {
        Arc::new(Signature {
            id: SignatureId { tick: Tick(0), author: AgentId(author), sequence: 0 },
            indicator: Indicator { prefix: Some(Prefix::of(address, 24)), port, protocol: None },
            centroid: [1.0].into(),
            spread: [0.5].into(),
            support: 3,
            confidence: 0.5,
            evidence: [0; 16],
            truth: Truth::BENIGN,
        })
    }

    fn key(remote: u32, port: u16) -> FlowKey {
        FlowKey { remote: Some(remote), port: Some(port), ..FlowKey::default() }
    }

    #[test]
    fn matches_by_prefix_and_port() {
        let mut list = Blacklist::default();
        list.insert(&signature(1, 0x0a00_0100, Some(22)), Tick(0), 8, MATCHER);
        list.insert(&signature(2, 0x0a00_0200, None), Tick(0), 8, MATCHER);
        let mut block = |remote, port| list.block(&key(remote, port), &[0.0], 1, Tick(1), MATCHER);
        assert_eq!(block(0x0a00_0105, 22), Blocked::ByOwn);
        assert_eq!(block(0x0a00_0105, 23), Blocked::No);
        assert_eq!(block(0x0a00_02ff, 9), Blocked::ByOther);
        assert_eq!(block(0x0a00_0300, 22), Blocked::No);
    }

    #[test]
    fn radius_restricts_to_the_ball() {
        let matcher = Matcher { radius: Some(2.0), prefix_bits: 24 };
        let mut list = Blacklist::default();
        list.insert(&signature(1, 0x0a00_0100, None), Tick(0), 8, matcher);
        let mut block = |x| list.block(&key(0x0a00_0101, 1), &[x], 9, Tick(1), matcher);
        assert_eq!(block(1.9), Blocked::ByOther);
        assert_eq!(block(2.1), Blocked::No);
    }

    #[test]
    fn sightings_renew_and_capacity_drops_the_longest_unseen() {
        let mut list = Blacklist::default();
        for (i, network) in [0x100, 0x200, 0x300].into_iter().enumerate() {
            list.insert(&signature(i as u32, network, None), Tick(i as u64), 3, MATCHER);
        }
        list.block(&key(0x101, 1), &[0.0], 9, Tick(5), MATCHER);
        list.insert(&signature(7, 0x400, None), Tick(6), 3, MATCHER);
        let kept: Vec<u32> = list.entries.iter().map(|e| e.signature.id.author.0).collect();
        assert_eq!(kept, [0, 2, 7], "0x200 was unseen for longest");
        list.age(Tick(11), 6);
        assert_eq!(list.entries.len(), 1);
    }
}
