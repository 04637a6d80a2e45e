//! Indicators as text: `203.0.113.0/24:22/tcp`, and any of the three parts alone.

use std::net::Ipv4Addr;

use phalanx_core::{Indicator, Prefix, Protocol};

/// The indicator as text; `any` if it names nothing.
#[must_use]
pub fn text(indicator: &Indicator) -> String {
    let mut text = String::new();
    if let Some(prefix) = indicator.prefix {
        text += &format!("{}/{}", Ipv4Addr::from(prefix.address), prefix.length);
    }
    if let Some(port) = indicator.port {
        text += &format!(":{port}");
    }
    if let Some(protocol) = indicator.protocol {
        text += &if text.is_empty() { name(protocol) } else { format!("/{}", name(protocol)) };
    }
    if text.is_empty() { "any".to_owned() } else { text }
}

/// A protocol's usual name, or its number.
#[must_use]
pub fn name(protocol: Protocol) -> String {
    match protocol {
        Protocol(1) => "icmp".to_owned(),
        Protocol(6) => "tcp".to_owned(),
        Protocol(17) => "udp".to_owned(),
        Protocol(number) => number.to_string(),
    }
}

/// Reads what [`text`] writes; an address without length is a single host.
///
/// # Errors
/// What is wrong with it, in words.
pub fn parse(text: &str) -> Result<Indicator, String> {
    let wrong = || {
        format!(
            "`{text}` is no indicator; write ADDRESS[/LENGTH][:PORT][/PROTOCOL], for example 203.0.113.0/24:22/tcp, :443, or udp"
        )
    };
    let mut indicator = Indicator::default();
    let (network, service) = match text.split_once(':') {
        Some((network, service)) => (network, Some(service)),
        None => (text, None),
    };
    let mut network_parts: Vec<&str> = network.split('/').filter(|part| !part.is_empty()).collect();
    if service.is_none()
        && let Some(protocol) = network_parts.last().and_then(|part| protocol(part))
        // In `10.0.0.0/8` the last part is a length; alone or behind one it is a protocol.
        && (network_parts.len() != 2 || network_parts[1].parse::<u8>().is_err())
    {
        indicator.protocol = Some(protocol);
        network_parts.pop();
    }
    match network_parts.as_slice() {
        [] => {}
        [address, rest @ ..] if rest.len() < 2 => {
            let address: Ipv4Addr = address.parse().map_err(|_| wrong())?;
            let length: u8 = rest.first().map_or(Ok(32), |length| length.parse()).map_err(|_| wrong())?;
            if length > 32 {
                return Err(wrong());
            }
            indicator.prefix = Some(Prefix::of(address.into(), length));
        }
        _ => return Err(wrong()),
    }
    if let Some(service) = service {
        let (port, named) = match service.split_once('/') {
            Some((port, named)) => (port, Some(named)),
            None => (service, None),
        };
        indicator.port = Some(port.parse().map_err(|_| wrong())?);
        indicator.protocol = named.map(|named| protocol(named).ok_or_else(wrong)).transpose()?;
    }
    if indicator.is_empty() { Err(wrong()) } else { Ok(indicator) }
}

fn protocol(text: &str) -> Option<Protocol> {
    match text {
        "icmp" => Some(Protocol(1)),
        "tcp" => Some(Protocol(6)),
        "udp" => Some(Protocol(17)),
        number => number.parse().ok().map(Protocol),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let prefix = Some(Prefix::of(0xcb00_7100, 24));
        for (prefix, port, protocol, expected) in [
            (prefix, Some(22), Some(Protocol::TCP), "203.0.113.0/24:22/tcp"),
            (prefix, None, Some(Protocol::UDP), "203.0.113.0/24/udp"),
            (prefix, Some(22), None, "203.0.113.0/24:22"),
            (prefix, None, None, "203.0.113.0/24"),
            (None, Some(0), None, ":0"),
            (None, Some(53), Some(Protocol(99)), ":53/99"),
            (None, None, Some(Protocol(1)), "icmp"),
        ] {
            let indicator = Indicator { prefix, port, protocol };
            assert_eq!(text(&indicator), expected);
            assert_eq!(parse(expected), Ok(indicator), "{expected}");
        }
        let host = Indicator { prefix: Some(Prefix::of(0xcb00_7107, 32)), ..Indicator::default() };
        assert_eq!(parse("203.0.113.7"), Ok(host));
    }

    #[test]
    fn what_is_no_indicator_is_refused() {
        for text in
            ["", "any", "10.0.0.0/33", "10.0.0", ":70000", "10.0.0.0/8/tcp/udp", ":22/xyz", "/", "999"]
        {
            assert!(parse(text).is_err_and(|error| error.contains("203.0.113.0/24:22/tcp")), "{text}");
        }
    }
}
