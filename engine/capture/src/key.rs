//! Keys: the fields of a flow that an indicator can name.

use std::{collections::BTreeMap, net::IpAddr};

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
            Self::Number if is_absent(field) => Ok(None),
            Self::Number => {
                let text = std::str::from_utf8(field).ok();
                let port = text.and_then(|text| text.parse().ok());
                port.map(Some).ok_or_else(|| CellProblem::NotAPort(shown(field)))
            }
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

/// Reads an address. Keys hold IPv4 alone, so an IPv6 address is read as none.
pub(crate) fn remote(field: &[u8]) -> Result<Option<u32>, CellProblem> {
    if is_absent(field) {
        return Ok(None);
    }
    match std::str::from_utf8(field).ok().and_then(|text| text.parse().ok()) {
        Some(IpAddr::V4(address)) => Ok(Some(address.into())),
        Some(IpAddr::V6(_)) => Ok(None),
        None => Err(CellProblem::NotAnAddress(shown(field))),
    }
}
