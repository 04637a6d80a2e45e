//! The encoding against pinned bytes, other spellings and random entries.

use proptest::prelude::*;

use phalanx_core::{AgentId, Decision, Indicator, Outcome, Prefix, Protocol, SignatureId, Tick};

use super::*;
use crate::head::Head;
use crate::wire::DecodeError;

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

/// One of each kind that came after the first four.
fn later_kinds() -> Vec<Entry> {
    let (tick, agent) = (Tick(0x0106), AgentId(0x0304));
    let ballot = |voter, yes| Ballot { voter: AgentId(voter), yes };
    let head = Head { size: 9, root: [1; 32], tick: Tick(4), signature: [2; 64] };
    let ballots = |signatures: &[[u8; 64]]| Entry::Ballots {
        id: id(),
        tick,
        first: 7,
        ballots: [ballot(1, true), ballot(2, false)].into(),
        signatures: signatures.into(),
    };
    vec![
        Entry::Expired { id: id(), tick },
        ballots(&[]),
        ballots(&[[3; 64], [4; 64]]),
        Entry::Trust { tick, agent, before: 0.5, after: 0.25 },
        Entry::Membership { tick, agent, change: MembershipChange::Excluded },
        Entry::ModelRound { tick, round: 2, updates: 9, accepted: 8, model: [5; 32] },
        Entry::Egress {
            tick,
            agent,
            from: "eu".to_owned(),
            to: "us".to_owned(),
            bytes: 300,
            digest: [6; 16],
            allowed: false,
        },
        Entry::Checkpoint { tick, state: [7; 32], fingerprint: [8; 32] },
        Entry::SignedHead { tick, signer: agent, head },
        Entry::PluginFault {
            tick,
            agent,
            plugin: [9; 32],
            fault: "out of fuel".to_owned(),
            answer: FaultAnswer::Native,
        },
        Entry::Keys { first: agent, keys: [[10; 32], [11; 32]].into() },
        Entry::Statement { tick, agent, signature: [12; 64] },
    ]
}

/// Every kind as it was written by version 1 of its layout, a line of hex digits each. Lines are added to this
/// file, never changed: what a released version wrote has to be read for ever.
#[test]
fn entries_of_every_released_version_are_read() {
    let lines = include_str!("../../tests/fixtures/entries.hex");
    let mut entries = vec![genesis(), reported(), decided(), fingerprint()];
    entries.extend(later_kinds());
    for (line, entry) in lines.lines().zip(&entries) {
        let hex: String = encoded(entry).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(line, hex, "{entry:?}");
        assert_eq!(Entry::decode(&encoded(entry)).as_ref(), Ok(entry));
    }
    assert_eq!(lines.lines().count(), entries.len(), "a kind without a fixture, or the other way round");
    assert_eq!((genesis().label(), later_kinds()[11].label()), ("genesis", "statement"));
    let labels: Vec<&str> = entries.iter().map(Entry::label).collect();
    let missing = Entry::LABELS.iter().filter(|label| !labels.contains(label)).copied();
    assert_eq!(missing.collect::<Vec<_>>(), ["confirmed", "undecided"], "outcomes of one kind");
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
    check(&reported(), 0, 16, &DecodeError::UnknownKind { kind: 16 });
    check(&reported(), 1, 2, &DecodeError::UnknownVersion { kind: REPORTED, version: 2 });
    check(&genesis(), 38, 0xff, &odd("engine version"));
    check(&reported(), 16, 0x0f, &odd("indicator flags"));
    check(&reported(), 20, 1, &odd("prefix"));
    check(&reported(), 21, 33, &odd("prefix"));
    check(&decided(), 16, 3, &odd("outcome"));
    let later = later_kinds();
    check(&later[1], 28, 2, &odd("whether ballots are signed"));
    check(&later[1], 37, 2, &odd("vote"));
    check(&later[4], 14, 6, &odd("membership change"));
    check(&later[8], 14, 2, &odd("head version"));
    check(&later[9], 61, 3, &odd("answer to the fault"));
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
        proptest::sample::select(later_kinds()),
        (any_id(), proptest::collection::vec(any::<(u32, bool)>(), 0..90)).prop_map(|(id, ballots)| {
            let ballots = ballots.into_iter().map(|(voter, yes)| Ballot { voter: AgentId(voter), yes });
            Entry::Ballots { id, tick: id.tick, first: 0, ballots: ballots.collect(), signatures: [].into() }
        }),
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
