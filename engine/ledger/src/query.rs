//! Reading a part of a ledger: from an entry on, of some ticks, of an agent, about an indicator.
//!
//! Agents and indicators are looked up in the postings where there are some, so that of the entries themselves
//! only the wanted ones are read; behind the last complete block, and in ledgers without postings, entries are
//! read one after the other.

use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};

use phalanx_core::{AgentId, Indicator, SignatureId, Tick};

use crate::batch::Record;
use crate::entry::Entry;
use crate::ledger::LedgerError;
use crate::postings::{
    AGENT_POSTING_BYTES, BLOCK_ENTRIES, INDICATOR_POSTING_BYTES, place_of_agent, place_of_indicator,
};
use crate::store::layout::{BY_AGENT, BY_INDICATOR, Layout, posting_bounds, postings};
use crate::store::{LedgerReader, StoreError};

/// Which entries are wanted; parts that are `None` or empty let everything pass.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// The first index, for reading on where one left off.
    pub from: u64,
    /// What happened: one of these, as [`Entry::label`] says it.
    pub labels: Vec<&'static str>,
    /// Whom it concerns.
    pub agent: Option<AgentId>,
    /// First and last tick. Genesis and keys have none and are left out.
    pub ticks: Option<(Tick, Tick)>,
    /// Reports with all named parts of this indicator, and what became of them.
    pub indicator: Option<Indicator>,
}

impl Query {
    /// Shows the wanted entries in order until the visitor breaks. Verifies nothing.
    ///
    /// # Errors
    /// If the store cannot be read or an entry does not decode.
    pub fn run(
        &self,
        reader: &dyn LedgerReader,
        mut visit: impl FnMut(u64, Entry) -> ControlFlow<()>,
    ) -> Result<(), LedgerError> {
        let size = reader.head()?.map_or(0, |stored| stored.head.size);
        let is_indexed = Layout::of(reader)? == Layout::Indexed;
        let blocks = if is_indexed { size / BLOCK_ENTRIES } else { 0 };
        // Reports before the first wanted index decide which of the later entries concern the indicator.
        let mut wanted = Wanted { query: self, signatures: BTreeSet::new(), authors: BTreeSet::new() };
        let start = if self.indicator.is_some() { 0 } else { self.from };
        let looks_up = self.agent.is_some() || self.indicator.is_some();
        let mut next = start;
        while next < size {
            let block = next / BLOCK_ENTRIES;
            if !looks_up || block >= blocks {
                entries(reader, next..size, |index, entry| wanted.show(index, entry, &mut visit))?;
                break;
            }
            let end = (block + 1) * BLOCK_ENTRIES;
            for index in wanted.candidates(reader, block)?.into_iter().filter(|index| *index >= next) {
                let mut flow = ControlFlow::Continue(());
                entries(reader, index..index + 1, |index, entry| {
                    flow = wanted.show(index, entry, &mut visit);
                    flow
                })?;
                if flow.is_break() {
                    return Ok(());
                }
            }
            next = end;
        }
        Ok(())
    }
}

/// A query on its way through a ledger.
struct Wanted<'a> {
    query: &'a Query,
    /// Reports about the indicator so far.
    signatures: BTreeSet<SignatureId>,
    /// Who made them.
    authors: BTreeSet<AgentId>,
}

impl Wanted<'_> {
    /// The entries of a block that can be wanted, ascending.
    fn candidates(&mut self, reader: &dyn LedgerReader, block: u64) -> Result<BTreeSet<u64>, LedgerError> {
        let first = block * BLOCK_ENTRIES;
        let mut found = BTreeSet::new();
        let Some(indicator) = self.query.indicator else {
            let agents: Vec<AgentId> = self.query.agent.into_iter().collect();
            let agents_of = |posting: &[u8]| agents.iter().find_map(|agent| place_of_agent(posting, *agent));
            each_posting(reader, BY_AGENT, block, AGENT_POSTING_BYTES, |posting| {
                found.extend(agents_of(posting).map(|place| first + place));
            })?;
            return Ok(found);
        };
        each_posting(reader, BY_INDICATOR, block, INDICATOR_POSTING_BYTES, |posting| {
            found.extend(place_of_indicator(posting, &indicator).map(|place| first + place));
        })?;
        // What became of a report is filed under its author; the report may be of this block or before.
        for index in found.clone() {
            entries(reader, index..index + 1, |_, entry| {
                self.authors.extend(entry.signature_id().map(|id| id.author));
                ControlFlow::Break(())
            })?;
        }
        each_posting(reader, BY_AGENT, block, AGENT_POSTING_BYTES, |posting| {
            let author = posting.get(..4).map(|a| AgentId(u32::from_be_bytes([a[0], a[1], a[2], a[3]])));
            let author = author.filter(|author| self.authors.contains(author));
            found.extend(author.and_then(|a| place_of_agent(posting, a)).map(|place| first + place));
        })?;
        Ok(found)
    }

    fn show(
        &mut self,
        index: u64,
        entry: Entry,
        visit: &mut impl FnMut(u64, Entry) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let query = self.query;
        if let Some(wanted) = &query.indicator {
            if entry.indicator().is_some_and(|indicator| has_parts(indicator, wanted)) {
                self.signatures.extend(entry.signature_id());
                self.authors.extend(entry.signature_id().map(|id| id.author));
            }
            if !entry.signature_id().is_some_and(|id| self.signatures.contains(&id)) {
                return ControlFlow::Continue(());
            }
        }
        let mut passes = index >= query.from
            && (query.labels.is_empty() || query.labels.contains(&entry.label()))
            && query
                .ticks
                .is_none_or(|(first, last)| entry.tick().is_some_and(|tick| (first..=last).contains(&tick)));
        if let Some(wanted) = query.agent {
            let mut concerned = false;
            entry.agents(|agent| concerned |= agent == wanted);
            passes &= concerned;
        }
        if passes { visit(index, entry) } else { ControlFlow::Continue(()) }
    }
}

/// Whether an indicator has every part that `wanted` names.
fn has_parts(indicator: &Indicator, wanted: &Indicator) -> bool {
    wanted.prefix.is_none_or(|part| indicator.prefix == Some(part))
        && wanted.port.is_none_or(|part| indicator.port == Some(part))
        && wanted.protocol.is_none_or(|part| indicator.protocol == Some(part))
}

fn each_posting(
    reader: &dyn LedgerReader,
    kind: u8,
    block: u64,
    bytes_each: usize,
    mut visit: impl FnMut(&[u8]),
) -> Result<(), StoreError> {
    let (from, to) = posting_bounds(kind, block);
    let mut malformed = false;
    reader.values(&from, &to, &mut |_, value| match postings(value, bytes_each) {
        Some(postings) => {
            postings.for_each(&mut visit);
            ControlFlow::Continue(())
        }
        None => {
            malformed = true;
            ControlFlow::Break(())
        }
    })?;
    if malformed { Err(StoreError::MalformedHead { problem: "its postings are damaged" }) } else { Ok(()) }
}

/// Shows the entries whose index lies in `range`, in order, until the visitor breaks. Verifies nothing else.
///
/// # Errors
/// If the store cannot be read or an entry does not decode.
pub fn entries(
    reader: &dyn LedgerReader,
    range: Range<u64>,
    mut visit: impl FnMut(u64, Entry) -> ControlFlow<()>,
) -> Result<(), LedgerError> {
    let mut failure = None;
    reader.scan(range, &mut |Record { index, bytes, .. }| match Entry::decode(bytes) {
        Ok(entry) => visit(index, entry),
        Err(source) => {
            failure = Some(LedgerError::Decode { index, source });
            ControlFlow::Break(())
        }
    })?;
    failure.map_or(Ok(()), Err)
}
