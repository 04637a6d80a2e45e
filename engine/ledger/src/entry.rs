//! Entries: the typed lines of a ledger and their one canonical encoding.
//!
//! An entry is `kind: u8, version: u8`, then its fields in the order of the type below. Integers are
//! big-endian, floats are their bits (`-0.0` and NaN made canonical), texts and lists have a `u32` count
//! before them. Each value has exactly one encoding, so equal entries have equal leaf hashes, and `decode`
//! refuses every other spelling. `docs/ledger-format.md` draws the bytes.

use phalanx_core::{AgentId, Decision, Indicator, Outcome, Prefix, Protocol, SignatureId, Tick};

use crate::wire::{DecodeError, Reader, canonical_bits, put_len};

/// One line of a ledger; each is a leaf of the tree.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// What the run is. Always entry 0, and only entry 0.
    Genesis {
        /// Digest of the resolved scenario.
        scenario_digest: [u8; 32],
        /// Version of the engine that wrote the ledger.
        engine_version: String,
        /// Seed of the run.
        seed: u64,
        /// Ed25519 key that the heads of this ledger are signed for.
        verifying_key: [u8; 32],
    },
    /// An agent reported a threat signature.
    Reported {
        /// Identity of the signature.
        id: SignatureId,
        /// Which flows are meant.
        indicator: Indicator,
        /// Number of supporting flows.
        support: u32,
        /// Mean margin of their scores over the author's threshold, in `[0, 1]`.
        confidence: f32,
        /// Their mean feature vector.
        centroid: Box<[f32]>,
        /// Digest of the supporting flows.
        evidence: [u8; 16],
    },
    /// A signature was confirmed, rejected, or left undecided at its deadline.
    Decided(Decision),
    /// The fingerprint chain after a tick.
    Fingerprint {
        /// The tick that ended.
        tick: Tick,
        /// The chain's link after it.
        fingerprint: [u8; 32],
    },
}

const GENESIS: u8 = 1;
const REPORTED: u8 = 2;
const DECIDED: u8 = 3;
const FINGERPRINT: u8 = 4;

/// The only version so far of each of the four layouts.
const VERSION: u8 = 1;

const HAS_PREFIX: u8 = 1;
const HAS_PORT: u8 = 2;
const HAS_PROTOCOL: u8 = 4;

impl Entry {
    /// Appends the canonical encoding to `out`.
    ///
    /// # Panics
    /// If an indicator's prefix is longer than 32 bits.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Genesis { scenario_digest, engine_version, seed, verifying_key } => {
                out.extend_from_slice(&[GENESIS, VERSION]);
                out.extend_from_slice(scenario_digest);
                put_len(out, engine_version.len());
                out.extend_from_slice(engine_version.as_bytes());
                out.extend_from_slice(&seed.to_be_bytes());
                out.extend_from_slice(verifying_key);
            }
            Self::Reported { id, indicator, support, confidence, centroid, evidence } => {
                out.extend_from_slice(&[REPORTED, VERSION]);
                put_id(out, id);
                put_indicator(out, indicator);
                out.extend_from_slice(&support.to_be_bytes());
                out.extend_from_slice(&canonical_bits(*confidence).to_be_bytes());
                put_len(out, centroid.len());
                for value in centroid {
                    out.extend_from_slice(&canonical_bits(*value).to_be_bytes());
                }
                out.extend_from_slice(evidence);
            }
            Self::Decided(decision) => {
                out.extend_from_slice(&[DECIDED, VERSION]);
                put_id(out, &decision.signature);
                out.push(outcome_code(decision.outcome));
                out.extend_from_slice(&decision.tick.0.to_be_bytes());
                out.extend_from_slice(&decision.yes.to_be_bytes());
                out.extend_from_slice(&decision.no.to_be_bytes());
                out.extend_from_slice(&decision.eligible.to_be_bytes());
                out.extend_from_slice(&decision.votes_digest);
            }
            Self::Fingerprint { tick, fingerprint } => {
                out.extend_from_slice(&[FINGERPRINT, VERSION]);
                out.extend_from_slice(&tick.0.to_be_bytes());
                out.extend_from_slice(fingerprint);
            }
        }
    }

    /// Reads the entry that these bytes are the encoding of.
    ///
    /// # Errors
    /// If they are not exactly what [`Entry::encode`] writes for some entry. Nothing is allocated for a
    /// length that the bytes cannot hold.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let kind = reader.u8("kind")?;
        if !(GENESIS..=FINGERPRINT).contains(&kind) {
            return Err(DecodeError::UnknownKind { kind });
        }
        let version = reader.u8("version")?;
        if version != VERSION {
            return Err(DecodeError::UnknownVersion { kind, version });
        }
        let entry = match kind {
            GENESIS => genesis(&mut reader)?,
            REPORTED => reported(&mut reader)?,
            DECIDED => Self::Decided(decision(&mut reader)?),
            _ => Self::Fingerprint {
                tick: Tick(reader.u64("tick")?),
                fingerprint: reader.array("fingerprint")?,
            },
        };
        reader.finish()?;
        Ok(entry)
    }

    /// The tick that the entry says it happened at: a report's, a decision's, a fingerprint's.
    #[must_use]
    pub fn tick(&self) -> Option<Tick> {
        match self {
            Self::Genesis { .. } => None,
            Self::Reported { id, .. } => Some(id.tick),
            Self::Decided(decision) => Some(decision.tick),
            Self::Fingerprint { tick, .. } => Some(*tick),
        }
    }
}

fn genesis(reader: &mut Reader<'_>) -> Result<Entry, DecodeError> {
    let scenario_digest = reader.array("scenario digest")?;
    let text = reader.counted("engine version", 1)?;
    let engine_version =
        std::str::from_utf8(text).map_err(|_| DecodeError::NonCanonical { field: "engine version" })?;
    Ok(Entry::Genesis {
        scenario_digest,
        engine_version: engine_version.to_owned(),
        seed: reader.u64("seed")?,
        verifying_key: reader.array("verifying key")?,
    })
}

fn reported(reader: &mut Reader<'_>) -> Result<Entry, DecodeError> {
    let id = signature_id(reader)?;
    let indicator = indicator(reader)?;
    let support = reader.u32("support")?;
    let confidence = reader.f32("confidence")?;
    let mut values = Reader::new(reader.counted("centroid", 4)?);
    let mut centroid = Vec::with_capacity(values.left() / 4);
    while values.left() > 0 {
        centroid.push(values.f32("centroid")?);
    }
    let evidence = reader.array("evidence")?;
    Ok(Entry::Reported { id, indicator, support, confidence, centroid: centroid.into(), evidence })
}

fn decision(reader: &mut Reader<'_>) -> Result<Decision, DecodeError> {
    Ok(Decision {
        signature: signature_id(reader)?,
        outcome: outcome(reader.u8("outcome")?)?,
        tick: Tick(reader.u64("decision tick")?),
        yes: reader.u32("yes votes")?,
        no: reader.u32("no votes")?,
        eligible: reader.u32("eligible voters")?,
        votes_digest: reader.array("votes digest")?,
    })
}

fn put_id(out: &mut Vec<u8>, id: &SignatureId) {
    out.extend_from_slice(&id.tick.0.to_be_bytes());
    out.extend_from_slice(&id.author.0.to_be_bytes());
    out.extend_from_slice(&id.sequence.to_be_bytes());
}

fn signature_id(reader: &mut Reader<'_>) -> Result<SignatureId, DecodeError> {
    Ok(SignatureId {
        tick: Tick(reader.u64("report tick")?),
        author: AgentId(reader.u32("author")?),
        sequence: reader.u16("sequence")?,
    })
}

fn put_indicator(out: &mut Vec<u8>, indicator: &Indicator) {
    let flag = |present, flag| if present { flag } else { 0 };
    out.push(
        flag(indicator.prefix.is_some(), HAS_PREFIX)
            | flag(indicator.port.is_some(), HAS_PORT)
            | flag(indicator.protocol.is_some(), HAS_PROTOCOL),
    );
    if let Some(prefix) = indicator.prefix {
        // The fields are public; host bits that somebody left set are not part of the network's name.
        let prefix = Prefix::of(prefix.address, prefix.length);
        out.extend_from_slice(&prefix.address.to_be_bytes());
        out.push(prefix.length);
    }
    if let Some(port) = indicator.port {
        out.extend_from_slice(&port.to_be_bytes());
    }
    if let Some(protocol) = indicator.protocol {
        out.push(protocol.0);
    }
}

fn indicator(reader: &mut Reader<'_>) -> Result<Indicator, DecodeError> {
    let flags = reader.u8("indicator flags")?;
    if flags & !(HAS_PREFIX | HAS_PORT | HAS_PROTOCOL) != 0 {
        return Err(DecodeError::NonCanonical { field: "indicator flags" });
    }
    let mut indicator = Indicator::default();
    if flags & HAS_PREFIX != 0 {
        let (address, length) = (reader.u32("prefix address")?, reader.u8("prefix length")?);
        if length > 32 || Prefix::of(address, length).address != address {
            return Err(DecodeError::NonCanonical { field: "prefix" });
        }
        indicator.prefix = Some(Prefix { address, length });
    }
    if flags & HAS_PORT != 0 {
        indicator.port = Some(reader.u16("port")?);
    }
    if flags & HAS_PROTOCOL != 0 {
        indicator.protocol = Some(Protocol(reader.u8("protocol")?));
    }
    Ok(indicator)
}

fn outcome_code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Confirmed => 0,
        Outcome::Rejected => 1,
        Outcome::Undecided => 2,
    }
}

fn outcome(code: u8) -> Result<Outcome, DecodeError> {
    match code {
        0 => Ok(Outcome::Confirmed),
        1 => Ok(Outcome::Rejected),
        2 => Ok(Outcome::Undecided),
        _ => Err(DecodeError::NonCanonical { field: "outcome" }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(entry: &Entry) -> Vec<u8> {
        let mut out = Vec::new();
        entry.encode(&mut out);
        out
    }

    fn id() -> SignatureId {
        SignatureId { tick: Tick(0x0102), author: AgentId(0x0304), sequence: 5 }
    }

    fn genesis() -> Entry {
        Entry::Genesis {
            scenario_digest: [0xaa; 32],
            engine_version: "0.1.0".to_owned(),
            seed: 42,
            verifying_key: [0xbb; 32],
        }
    }

    fn reported() -> Entry {
        Entry::Reported {
            id: id(),
            indicator: Indicator {
                prefix: Some(Prefix::of(0xc633_6400, 24)),
                port: Some(443),
                protocol: Some(Protocol::TCP),
            },
            support: 9,
            confidence: 0.5,
            centroid: [1.0, -2.0].into(),
            evidence: [0xcc; 16],
        }
    }

    fn decided() -> Entry {
        Entry::Decided(Decision {
            signature: id(),
            outcome: Outcome::Rejected,
            tick: Tick(0x0106),
            yes: 1,
            no: 7,
            eligible: 10,
            votes_digest: [0xdd; 16],
        })
    }

    fn fingerprint() -> Entry {
        Entry::Fingerprint { tick: Tick(3), fingerprint: [0xee; 32] }
    }

    /// The bytes are part of every ledger that exists: a change here is a new version byte, never an edit.
    #[test]
    fn bytes_are_pinned() {
        let check = |entry: &Entry, expected: &[&str]| {
            let hex: String = encoded(entry).iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(hex, expected.concat());
        };
        let (aa, bb) = ("aa".repeat(32), "bb".repeat(32));
        check(&genesis(), &["0101", &aa, "00000005", "302e312e30", "000000000000002a", &bb]);
        let id = "0000000000000102000003040005";
        let cc = "cc".repeat(16);
        check(
            &reported(),
            &[
                "0201",
                id,
                "07",
                "c633640018",
                "01bb",
                "06",
                "00000009",
                "3f000000",
                "00000002",
                "3f800000c0000000",
                &cc,
            ],
        );
        let dd = "dd".repeat(16);
        check(&decided(), &["0301", id, "01", "0000000000000106", "000000010000000700", "00000a", &dd]);
        check(&fingerprint(), &["0401", "0000000000000003", &"ee".repeat(32)]);
    }

    #[test]
    fn other_spellings_are_refused() {
        let check = |entry: &Entry, position: usize, byte: u8, expected: &DecodeError| {
            let mut bytes = encoded(entry);
            bytes[position] = byte;
            assert_eq!(Entry::decode(&bytes).as_ref(), Err(expected), "byte {position} = {byte:#x}");
        };
        let odd = |field| DecodeError::NonCanonical { field };
        check(&reported(), 0, 0, &DecodeError::UnknownKind { kind: 0 });
        check(&reported(), 0, 5, &DecodeError::UnknownKind { kind: 5 });
        check(&reported(), 1, 2, &DecodeError::UnknownVersion { kind: REPORTED, version: 2 });
        check(&genesis(), 38, 0xff, &odd("engine version"));
        check(&reported(), 16, 0x0f, &odd("indicator flags"));
        check(&reported(), 20, 1, &odd("prefix"));
        check(&reported(), 21, 33, &odd("prefix"));
        check(&decided(), 16, 3, &odd("outcome"));
    }

    #[test]
    fn floats_have_one_spelling() {
        let with = |confidence| {
            let Entry::Reported { id, indicator, support, centroid, evidence, .. } = reported() else {
                unreachable!()
            };
            Entry::Reported { id, indicator, support, confidence, centroid, evidence }
        };
        assert_eq!(encoded(&with(-0.0)), encoded(&with(0.0)));
        assert_eq!(encoded(&with(f32::from_bits(0xffc0_1234))), encoded(&with(f32::NAN)));
        let at = encoded(&with(0.0)).len() - 16 - 12 - 4;
        for bits in [0x8000_0000u32, 0x7fc0_0001, 0xffc0_0000] {
            let mut bytes = encoded(&with(0.0));
            bytes[at..at + 4].copy_from_slice(&bits.to_be_bytes());
            assert_eq!(Entry::decode(&bytes), Err(DecodeError::NonCanonical { field: "confidence" }));
        }
    }

    #[test]
    fn a_length_is_checked_before_memory_is_taken_for_it() {
        let mut bytes = encoded(&reported());
        let at = bytes.len() - 16 - 8 - 4;
        bytes[at..at + 4].copy_from_slice(&u32::MAX.to_be_bytes());
        assert!(matches!(Entry::decode(&bytes), Err(DecodeError::Truncated { field: "centroid", .. })));
    }

    fn any_id() -> impl Strategy<Value = SignatureId> {
        any::<(u64, u32, u16)>().prop_map(|(tick, author, sequence)| SignatureId {
            tick: Tick(tick),
            author: AgentId(author),
            sequence,
        })
    }

    fn any_indicator() -> impl Strategy<Value = Indicator> {
        let prefix = proptest::option::of((any::<u32>(), 0..=32u8));
        (prefix, any::<Option<u16>>(), any::<Option<u8>>()).prop_map(|(prefix, port, protocol)| Indicator {
            prefix: prefix.map(|(address, length)| Prefix::of(address, length)),
            port,
            protocol: protocol.map(Protocol),
        })
    }

    fn any_entry() -> impl Strategy<Value = Entry> {
        const OUTCOMES: [Outcome; 3] = [Outcome::Confirmed, Outcome::Rejected, Outcome::Undecided];
        prop_oneof![
            (any::<[u8; 32]>(), ".{0,40}", any::<u64>(), any::<[u8; 32]>()).prop_map(
                |(scenario_digest, engine_version, seed, verifying_key)| Entry::Genesis {
                    scenario_digest,
                    engine_version,
                    seed,
                    verifying_key
                }
            ),
            (
                any_id(),
                any_indicator(),
                any::<u32>(),
                any::<u32>(),
                proptest::collection::vec(any::<u32>(), 0..130),
                any::<[u8; 16]>()
            )
                .prop_map(|(id, indicator, support, confidence, centroid, evidence)| {
                    Entry::Reported {
                        id,
                        indicator,
                        support,
                        confidence: f32::from_bits(confidence),
                        centroid: centroid.into_iter().map(f32::from_bits).collect(),
                        evidence,
                    }
                }),
            (any_id(), proptest::sample::select(&OUTCOMES[..]), any::<(u64, u32, u32, u32, [u8; 16])>())
                .prop_map(|(signature, outcome, (tick, yes, no, eligible, votes_digest))| {
                    let tick = Tick(tick);
                    Entry::Decided(Decision { signature, outcome, tick, yes, no, eligible, votes_digest })
                }),
            any::<(u64, [u8; 32])>()
                .prop_map(|(tick, fingerprint)| Entry::Fingerprint { tick: Tick(tick), fingerprint }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(entry in any_entry()) {
            let bytes = encoded(&entry);
            let read = Entry::decode(&bytes).unwrap();
            // Compared by bytes: a NaN is not equal to itself.
            prop_assert_eq!(encoded(&read), bytes);
            if !format!("{entry:?}").contains("NaN") {
                prop_assert_eq!(read, entry);
            }
        }

        #[test]
        fn bytes_that_decode_are_what_would_be_written(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(entry) = Entry::decode(&bytes) {
                prop_assert_eq!(encoded(&entry), bytes);
            }
        }

        #[test]
        fn an_edited_entry_is_refused_or_another_one(entry in any_entry(), at: usize, bit in 0..8u32) {
            let mut bytes = encoded(&entry);
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            if let Ok(read) = Entry::decode(&bytes) {
                prop_assert_eq!(encoded(&read), bytes);
            }
        }

        #[test]
        fn cut_or_continued_bytes_are_refused(entry in any_entry(), at: usize, more: u8) {
            let mut bytes = encoded(&entry);
            prop_assert!(Entry::decode(&bytes[..at % bytes.len()]).is_err());
            bytes.push(more);
            prop_assert_eq!(Entry::decode(&bytes), Err(DecodeError::Trailing { count: 1 }));
        }
    }
}
