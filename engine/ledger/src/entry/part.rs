//! Parts that several kinds of entries are made of, written and read.

use phalanx_core::{AgentId, Indicator, Outcome, Prefix, Protocol, SignatureId, Tick};

use crate::wire::{DecodeError, Reader, put_len};

/// One agent's vote in a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ballot {
    /// Who voted.
    pub voter: AgentId,
    /// `true`: a threat.
    pub yes: bool,
}

/// What happened to an agent's membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MembershipChange {
    /// It takes part from now on.
    Joined,
    /// It left for good.
    Left,
    /// It stopped answering.
    WentDown,
    /// It answers again.
    CameBack,
    /// The others no longer listen to it.
    Excluded,
    /// The others listen to it again.
    Readmitted,
}

impl MembershipChange {
    const ALL: [Self; 6] =
        [Self::Joined, Self::Left, Self::WentDown, Self::CameBack, Self::Excluded, Self::Readmitted];
}

/// What stood in for the answer of a plugin that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultAnswer {
    /// Nothing: no flow flagged, no vote cast.
    Abstained,
    /// The native implementation that the scenario names.
    Native,
    /// The run ended.
    Aborted,
}

impl FaultAnswer {
    const ALL: [Self; 3] = [Self::Abstained, Self::Native, Self::Aborted];
}

/// Bytes of a signature's id.
pub(crate) const ID_BYTES: usize = 14;

const HAS_PREFIX: u8 = 1;
const HAS_PORT: u8 = 2;
const HAS_PROTOCOL: u8 = 4;

pub(crate) fn put_id(out: &mut Vec<u8>, id: &SignatureId) {
    out.extend_from_slice(&id.tick.0.to_be_bytes());
    out.extend_from_slice(&id.author.0.to_be_bytes());
    out.extend_from_slice(&id.sequence.to_be_bytes());
}

pub(super) fn signature_id(reader: &mut Reader<'_>) -> Result<SignatureId, DecodeError> {
    Ok(SignatureId {
        tick: Tick(reader.u64("report tick")?),
        author: AgentId(reader.u32("author")?),
        sequence: reader.u16("sequence")?,
    })
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_len(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

pub(super) fn text(reader: &mut Reader<'_>, field: &'static str) -> Result<String, DecodeError> {
    let bytes = reader.counted(field, 1)?;
    let text = std::str::from_utf8(bytes).map_err(|_| DecodeError::NonCanonical { field })?;
    Ok(text.to_owned())
}

pub(super) fn put_indicator(out: &mut Vec<u8>, indicator: &Indicator) {
    out.push(indicator_flags(indicator));
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

pub(super) fn indicator(reader: &mut Reader<'_>) -> Result<Indicator, DecodeError> {
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

/// Which parts are named: 1 prefix, 2 port, 4 protocol.
pub(crate) fn indicator_flags(indicator: &Indicator) -> u8 {
    let flag = |present, flag| if present { flag } else { 0 };
    flag(indicator.prefix.is_some(), HAS_PREFIX)
        | flag(indicator.port.is_some(), HAS_PORT)
        | flag(indicator.protocol.is_some(), HAS_PROTOCOL)
}

pub(super) fn outcome_code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Confirmed => 0,
        Outcome::Rejected => 1,
        Outcome::Undecided => 2,
    }
}

pub(super) fn outcome(reader: &mut Reader<'_>) -> Result<Outcome, DecodeError> {
    choice(reader, "outcome", &[Outcome::Confirmed, Outcome::Rejected, Outcome::Undecided])
}

pub(super) fn membership(reader: &mut Reader<'_>) -> Result<MembershipChange, DecodeError> {
    choice(reader, "membership change", &MembershipChange::ALL)
}

pub(super) fn answer(reader: &mut Reader<'_>) -> Result<FaultAnswer, DecodeError> {
    choice(reader, "answer to the fault", &FaultAnswer::ALL)
}

pub(super) fn flag(reader: &mut Reader<'_>, field: &'static str) -> Result<bool, DecodeError> {
    choice(reader, field, &[false, true])
}

/// A byte that counts into a list of choices.
fn choice<T: Copy>(reader: &mut Reader<'_>, field: &'static str, choices: &[T]) -> Result<T, DecodeError> {
    let code = reader.u8(field)?;
    choices.get(usize::from(code)).copied().ok_or(DecodeError::NonCanonical { field })
}
