//! Postings: which entries concern an agent or an indicator, in sorted blocks of 4,096 entries.
//!
//! A key for every (agent, entry) would cost more than the entries themselves, since a store's cost is per
//! value. So a block of postings is written once, when its 4,096 entries are complete, in the batch that
//! completes it: about a dozen values. A reader looks into each block, and reads the entries behind the last
//! one.

use phalanx_core::{AgentId, Indicator};

use crate::entry::Entry;
use crate::entry::indicator_flags;

/// Entries of a block.
pub(crate) const BLOCK_ENTRIES: u64 = 4096;
/// An agent's number and the entry's place in the block.
pub(crate) const AGENT_POSTING_BYTES: usize = 6;
/// An indicator's sort key and the entry's place in the block.
pub(crate) const INDICATOR_POSTING_BYTES: usize = 11;

/// The postings of the block that is not complete yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OpenBlock {
    /// Agent, then place in the lowest 16 bits.
    agents: Vec<u64>,
    /// Sort key of the indicator, then place in the lowest 16 bits.
    indicators: Vec<u128>,
}

impl OpenBlock {
    /// Takes in an entry.
    pub(crate) fn push(&mut self, index: u64, entry: &Entry) {
        let place = index % BLOCK_ENTRIES;
        entry.agents(|agent| self.agents.push(u64::from(agent.0) << 16 | place));
        if let Some(indicator) = entry.indicator() {
            self.indicators.push(indicator_key(indicator) << 16 | u128::from(place));
        }
    }

    /// Empties the block and hands out its postings by agent and by indicator, sorted, each once, as bytes.
    pub(crate) fn take(&mut self) -> (Vec<u8>, Vec<u8>) {
        self.agents.sort_unstable();
        self.agents.dedup();
        self.indicators.sort_unstable();
        let mut agents = Vec::with_capacity(self.agents.len() * AGENT_POSTING_BYTES);
        for posting in self.agents.drain(..) {
            agents.extend_from_slice(&posting.to_be_bytes()[8 - AGENT_POSTING_BYTES..]);
        }
        let mut indicators = Vec::with_capacity(self.indicators.len() * INDICATOR_POSTING_BYTES);
        for posting in self.indicators.drain(..) {
            indicators.extend_from_slice(&posting.to_be_bytes()[16 - INDICATOR_POSTING_BYTES..]);
        }
        (agents, indicators)
    }
}

/// The place in its block that an agent's posting names, if it is this agent's.
pub(crate) fn place_of_agent(posting: &[u8], agent: AgentId) -> Option<u64> {
    let (key, place) = posting.split_at_checked(4)?;
    (key == agent.0.to_be_bytes()).then(|| place_of(place))
}

/// The place in its block that an indicator's posting names, if the indicator has all parts of `wanted`.
pub(crate) fn place_of_indicator(posting: &[u8], wanted: &Indicator) -> Option<u64> {
    let (key, place) = posting.split_at_checked(INDICATOR_POSTING_BYTES - 2)?;
    let mut word = [0; 16];
    word[16 - key.len()..].copy_from_slice(key);
    let (key, mask, wanted) = (u128::from_be_bytes(word), indicator_mask(wanted), indicator_key(wanted));
    (key & mask == wanted & mask).then(|| place_of(place))
}

fn place_of(place: &[u8]) -> u64 {
    place.try_into().map_or(0, |bytes| u64::from(u16::from_be_bytes(bytes)))
}

/// Address, prefix length, port, protocol and which of them are named: nine bytes that sort by network.
fn indicator_key(indicator: &Indicator) -> u128 {
    let prefix = indicator.prefix.map_or(0, |p| u128::from(p.address) << 8 | u128::from(p.length));
    let port = u128::from(indicator.port.unwrap_or(0));
    let protocol = u128::from(indicator.protocol.map_or(0, |p| p.0));
    prefix << 32 | port << 16 | protocol << 8 | u128::from(indicator_flags(indicator))
}

/// The bits of a key that an indicator with other parts left out has to share.
fn indicator_mask(indicator: &Indicator) -> u128 {
    let prefix = if indicator.prefix.is_some() { 0xff_ffff_ffff << 32 } else { 0 };
    let port = if indicator.port.is_some() { 0xffff << 16 } else { 0 };
    let protocol = if indicator.protocol.is_some() { 0xff << 8 } else { 0 };
    prefix | port | protocol | u128::from(indicator_flags(indicator))
}

#[cfg(test)]
mod tests {
    use phalanx_core::{Prefix, Protocol};

    use super::*;

    #[test]
    fn an_indicator_with_parts_left_out_matches_all_that_have_the_others() {
        let whole = Indicator {
            prefix: Some(Prefix::of(0xcb00_7100, 24)),
            port: Some(0),
            protocol: Some(Protocol::TCP),
        };
        let posting = [&indicator_key(&whole).to_be_bytes()[7..], &[0x0f, 0xff]].concat();
        let check = |wanted: Indicator, expected| {
            assert_eq!(place_of_indicator(&posting, &wanted), expected, "{wanted:?}");
        };
        let hit = Some(0xfff);
        check(whole, hit);
        check(Indicator::default(), hit);
        check(Indicator { port: None, protocol: None, ..whole }, hit);
        check(Indicator { port: Some(0), ..Indicator::default() }, hit);
        check(Indicator { port: Some(1), ..whole }, None);
        check(Indicator { prefix: Some(Prefix::of(0xcb00_7100, 25)), ..whole }, None);
        check(Indicator { protocol: Some(Protocol::UDP), ..whole }, None);
        // A port that is not named is no port 0.
        let nowhere = Indicator { port: None, ..whole };
        let posting = [&indicator_key(&nowhere).to_be_bytes()[7..], &[0, 1]].concat();
        assert_eq!(place_of_indicator(&posting, &whole), None);
        assert_eq!(place_of_indicator(&posting, &nowhere), Some(1));
    }
}
