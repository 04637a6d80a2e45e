//! Tallies: what a reader met besides the records that it returned.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What to do with a record that cannot be read.
///
/// Damage to the file as a whole (a torn gzip stream, a header of other columns) is an error under either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lenience {
    /// The first one is an error.
    #[default]
    Strict,
    /// It is left out and counted; more than so many are an error.
    SkipUpTo(u64),
}

/// What a reader has met so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Records returned.
    pub records: u64,
    /// Of these, records with an IPv6 address, which is absent from the record.
    pub ipv6: u64,
    /// Records that could not be read and were skipped.
    pub skipped: u64,
    /// Messages of the first eight of them.
    pub skipped_first: Vec<String>,
    /// What the file holds besides flows, by kind: other events, packets without IP, fragments.
    pub left_out: BTreeMap<String, u64>,
    /// Export records of exporters that look at one packet in so many, by that number: their counters are those of
    /// the packets looked at.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sampled: BTreeMap<u32, u64>,
}

impl Tally {
    /// Counts something that is no flow. Kinds come from files, so beyond 64 of them they are lumped together.
    pub(crate) fn leave_out(&mut self, kind: &str) {
        self.leave_out_many(kind, 1);
    }

    /// Counts so many of a kind.
    pub(crate) fn leave_out_many(&mut self, kind: &str, many: u64) {
        if many == 0 {
            return;
        }
        if let Some(count) = self.left_out.get_mut(kind) {
            *count += many;
            return;
        }
        let kind: String =
            if self.left_out.len() < 64 { kind.chars().take(40).collect() } else { "other".to_owned() };
        *self.left_out.entry(kind).or_default() += many;
    }

    /// Counts a record of sampled packets. Beyond 64 rates the others are counted under 0.
    pub(crate) fn sampled(&mut self, one_in: u32) {
        let known = self.sampled.len() < 64 || self.sampled.contains_key(&one_in);
        *self.sampled.entry(if known { one_in } else { 0 }).or_default() += 1;
    }

    pub(crate) fn skip(&mut self, message: &impl ToString) {
        self.skipped += 1;
        if self.skipped_first.len() < 8 {
            self.skipped_first.push(message.to_string());
        }
    }
}
