//! Flow keys in a word each, so that an indicator is held against one with a mask and a comparison.

use phalanx_core::{Direction, FlowKey, Indicator, Prefix, Protocol};

/// A flow's key and whether nothing was found wrong with the flow.
///
/// From the lowest bit: 32 of the remote's address, 16 of the port, 8 of the protocol; whether each of the three is
/// known; whether the remote can be accused, which it is if it is known and the watched host did not begin; two of the
/// direction; whether the flow is fine. What is not known is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PackedKey(u64);

const PORT: u32 = 32;
const PROTOCOL: u32 = 48;
const REMOTE_KNOWN: u64 = 1 << 56;
const PORT_KNOWN: u64 = 1 << 57;
const PROTOCOL_KNOWN: u64 = 1 << 58;
const ACCUSED: u64 = 1 << 59;
const DIRECTION: u32 = 60;
const FINE: u64 = 1 << 62;

impl PackedKey {
    pub(crate) fn new(key: &FlowKey, fine: bool) -> Self {
        let known = |part: Option<u64>, bit: u64| part.map_or(0, |_| bit);
        let [remote, port, protocol] =
            [key.remote.map(u64::from), key.port.map(u64::from), key.protocol.map(|p| u64::from(p.0))];
        Self(
            remote.unwrap_or(0)
                | port.unwrap_or(0) << PORT
                | protocol.unwrap_or(0) << PROTOCOL
                | known(remote, REMOTE_KNOWN)
                | known(port, PORT_KNOWN)
                | known(protocol, PROTOCOL_KNOWN)
                | known(key.accused().map(u64::from), ACCUSED)
                | (key.direction as u64) << DIRECTION
                | if fine { FINE } else { 0 },
        )
    }

    /// The key as it was.
    pub(crate) fn key(self) -> FlowKey {
        let has = |bit: u64| self.0 & bit != 0;
        FlowKey {
            remote: has(REMOTE_KNOWN).then_some(self.0 as u32),
            port: has(PORT_KNOWN).then_some((self.0 >> PORT) as u16),
            protocol: has(PROTOCOL_KNOWN).then_some(Protocol((self.0 >> PROTOCOL) as u8)),
            direction: match self.0 >> DIRECTION & 3 {
                0 => Direction::Unknown,
                1 => Direction::Inbound,
                _ => Direction::Outbound,
            },
        }
    }

    /// Whether nothing was found wrong with the flow.
    pub(crate) fn is_fine(self) -> bool {
        self.0 & FINE != 0
    }
}

/// The fine flows that an indicator names: those whose keys have these bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FineNamed {
    mask: u64,
    bits: u64,
}

impl FineNamed {
    pub(crate) fn by(indicator: &Indicator) -> Self {
        let Indicator { prefix, port, protocol } = indicator;
        let parts = [
            prefix.map(|Prefix { address, length }| {
                let named = u64::from(Prefix::of(u32::MAX, length).address);
                (ACCUSED | named, ACCUSED | u64::from(address))
            }),
            port.map(|port| (PORT_KNOWN | 0xffff << PORT, PORT_KNOWN | u64::from(port) << PORT)),
            protocol.map(|protocol| {
                (PROTOCOL_KNOWN | 0xff << PROTOCOL, PROTOCOL_KNOWN | u64::from(protocol.0) << PROTOCOL)
            }),
        ];
        let all = |mut sum: Self, (mask, bits): (u64, u64)| {
            sum.mask |= mask;
            sum.bits |= bits;
            sum
        };
        parts.into_iter().flatten().fold(Self { mask: FINE, bits: FINE }, all)
    }

    /// Whether the flow is fine and has every part that is named.
    pub(crate) fn holds(self, key: PackedKey) -> bool {
        key.0 & self.mask == self.bits
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Few values, so that keys and indicators agree often; some that fill all bits.
    fn keys() -> impl Strategy<Value = FlowKey> {
        let remote =
            prop_oneof![Just(None), (0_u32..4).prop_map(|a| Some(a << 30 | a)), Just(Some(u32::MAX))];
        let port = prop_oneof![Just(None), Just(Some(0_u16)), Just(Some(22)), Just(Some(u16::MAX))];
        let protocol = prop_oneof![Just(None), Just(Some(0_u8)), Just(Some(6)), Just(Some(u8::MAX))];
        let direction =
            prop_oneof![Just(Direction::Unknown), Just(Direction::Inbound), Just(Direction::Outbound)];
        (remote, port, protocol, direction).prop_map(|(remote, port, protocol, direction)| FlowKey {
            remote,
            port,
            protocol: protocol.map(Protocol),
            direction,
        })
    }

    fn indicators() -> impl Strategy<Value = Indicator> {
        (keys(), 0_u8..=32, any::<bool>()).prop_map(|(key, length, whole)| Indicator {
            // A prefix that somebody wrote by hand may have bits beyond its length: it matches nothing.
            prefix: key
                .remote
                .map(|a| if whole { Prefix { address: a, length } } else { Prefix::of(a, length) }),
            port: key.port,
            protocol: key.protocol,
        })
    }

    proptest! {
        #[test]
        fn packed_keys_are_the_keys(key in keys(), fine: bool) {
            let packed = PackedKey::new(&key, fine);
            prop_assert_eq!((packed.key(), packed.is_fine()), (key, fine));
        }

        #[test]
        fn a_mask_names_what_the_indicator_names(key in keys(), fine: bool, indicator in indicators()) {
            let held = FineNamed::by(&indicator).holds(PackedKey::new(&key, fine));
            prop_assert_eq!(held, fine && indicator.matches(&key));
        }
    }
}
