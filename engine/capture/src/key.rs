//! Keys: the fields of a flow that an indicator can name.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr},
};

use phalanx_core::Protocol;

use crate::{CellProblem, PortColumn, error::shown};

/// How a port field is read.
pub(crate) enum Port<'a> {
    /// As a number.
    Number,
    /// As a name with a code.
    Names(BTreeMap<&'a [u8], u16>),
}

impl<'a> Port<'a> {
    pub(crate) fn new(column: &'a PortColumn) -> Self {
        match column {
            PortColumn::Number(_) => Self::Number,
            PortColumn::Names { names, .. } => {
                Self::Names(names.iter().map(String::as_bytes).zip(0..).collect())
            }
        }
    }

    pub(crate) fn read(&self, field: &[u8]) -> Result<Option<u16>, CellProblem> {
        match self {
            Self::Names(codes) => match codes.get(field) {
                Some(code) => Ok(Some(*code)),
                None => Err(CellProblem::UnknownPortName(shown(field))),
            },
            Self::Number => port(field),
        }
    }
}

/// Flow tools write `-` or nothing for what a flow does not have.
fn is_absent(field: &[u8]) -> bool {
    matches!(field, b"" | b"-")
}

/// Reads a transport protocol by its name or IANA number.
pub(crate) fn protocol(field: &[u8]) -> Result<Option<Protocol>, CellProblem> {
    for (name, protocol) in [("tcp", Protocol::TCP), ("udp", Protocol::UDP), ("icmp", Protocol::ICMP)] {
        if field.eq_ignore_ascii_case(name.as_bytes()) {
            return Ok(Some(protocol));
        }
    }
    if is_absent(field) {
        return Ok(None);
    }
    let number = std::str::from_utf8(field).ok().and_then(|text| text.parse().ok());
    number.map(|number| Some(Protocol(number))).ok_or_else(|| CellProblem::UnknownProtocol(shown(field)))
}

/// The protocols that flow tools name, beyond the three of [`protocol`].
const OTHER_PROTOCOLS: [(&str, u8); 16] = [
    ("ah", 51),
    ("esp", 50),
    ("gre", 47),
    ("icmp6", 58),
    ("igmp", 2),
    ("ip", 4),
    ("ipip", 4),
    ("ipv6", 41),
    ("ipv6-icmp", 58),
    ("ospf", 89),
    ("pim", 103),
    ("rtcp", 17),
    ("rtp", 17),
    ("sctp", 132),
    ("udplite", 136),
    ("udt", 17),
];

/// A transport protocol by any name that a sensor may use, `None` for one without a number.
pub(crate) fn protocol_named(field: &[u8]) -> Option<Protocol> {
    if let Ok(found) = protocol(field) {
        return found;
    }
    let known = |(name, _): &&(&str, u8)| field.eq_ignore_ascii_case(name.as_bytes());
    OTHER_PROTOCOLS.iter().find(known).map(|(_, number)| Protocol(*number))
}

/// The name of one of the three common protocols, the number of any other.
#[must_use]
pub fn protocol_name(protocol: Protocol) -> Cow<'static, str> {
    match protocol {
        Protocol::TCP => "tcp".into(),
        Protocol::UDP => "udp".into(),
        Protocol::ICMP => "icmp".into(),
        Protocol(number) => number.to_string().into(),
    }
}

/// Whether flows of a protocol have ports: TCP, UDP, SCTP, DCCP and UDP-Lite do.
pub(crate) fn has_ports(protocol: Option<Protocol>) -> bool {
    matches!(protocol, Some(Protocol(6 | 17 | 33 | 132 | 136)))
}

/// An address: IPv4, or that it is IPv6.
pub(crate) fn address(field: &[u8]) -> Result<(Option<u32>, bool), CellProblem> {
    if is_absent(field) {
        return Ok((None, false));
    }
    let bad = || CellProblem::NotAnAddress(shown(field));
    let text = std::str::from_utf8(field).map_err(|_| bad())?;
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok((Some(address.into()), false));
    }
    // Link-local addresses may carry a zone.
    let text = text.split_once('%').map_or(text, |(address, _)| address);
    text.parse::<Ipv6Addr>().map(|_| (None, true)).map_err(|_| bad())
}

/// A whole number that is not negative.
pub(crate) fn count(field: &[u8]) -> Result<u64, CellProblem> {
    let bad = || CellProblem::NotACount(shown(field));
    if field.is_empty() || field.len() > 18 {
        return Err(bad());
    }
    let digit = |value, byte: &u8| byte.is_ascii_digit().then(|| value * 10 + u64::from(byte - b'0'));
    field.iter().try_fold(0, digit).ok_or_else(bad)
}

/// A port as a decimal number, or as the hexadecimal one that Argus and UNSW-NB15 write.
pub(crate) fn port(field: &[u8]) -> Result<Option<u16>, CellProblem> {
    if is_absent(field) {
        return Ok(None);
    }
    let bad = || CellProblem::NotAPort(shown(field));
    let value = match field {
        [b'0', b'x' | b'X', hex @ ..] => {
            let text = std::str::from_utf8(hex).map_err(|_| bad())?;
            u16::from_str_radix(text, 16).map_err(|_| bad())?
        }
        _ => count(field).ok().and_then(|value| u16::try_from(value).ok()).ok_or_else(bad)?,
    };
    Ok(Some(value))
}

/// Reads an address. Keys hold IPv4 alone, so an IPv6 address is read as none.
pub(crate) fn remote(field: &[u8]) -> Result<Option<u32>, CellProblem> {
    address(field).map(|(address, _)| address)
}
