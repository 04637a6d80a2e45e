//! Flow records: what every format of flows is read into, before any feature is made of it.
//!
//! A sensor that does not know something leaves it out, and so does a [`FlowRecord`]: every field that some
//! format lacks is an `Option`. Nothing here is normalised beyond units; [`crate::FlowEncoder`] does that.

use std::{collections::BTreeSet, net::Ipv4Addr, sync::Arc};

use phalanx_core::Protocol;
use serde::{Deserialize, Serialize};

/// A short text that many flows share, such as the name of a service.
pub type Name = Arc<str>;

/// One bidirectional flow, as far as its sensor described it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FlowRecord {
    /// When it began: microseconds since 1970-01-01 UTC (or since the capture began, where the file says so).
    pub start_us: Option<i64>,
    /// Microseconds from the first to the last packet.
    pub duration_us: Option<u64>,
    /// IPv4 address of the side that began.
    pub source: Option<u32>,
    /// IPv4 address of the other side.
    pub destination: Option<u32>,
    /// Whether either address is IPv6. Such an address is absent above, and counted by [`crate::Tally::ipv6`].
    pub ipv6: bool,
    /// Port of the side that began. Flows of ICMP have none.
    pub source_port: Option<u16>,
    /// Port of the other side.
    pub destination_port: Option<u16>,
    /// Transport protocol.
    pub protocol: Option<Protocol>,
    /// What the side that began has sent.
    pub sent: Volume,
    /// What it has received.
    pub received: Volume,
    /// How far the conversation went.
    pub state: Option<FlowState>,
    /// The state in the sensor's own words.
    pub state_name: Option<Name>,
    /// Application protocol in the sensor's own words.
    pub service: Option<Name>,
    /// Whether the source belongs to the sensor's own network.
    pub source_local: Option<bool>,
    /// Whether the destination belongs to the sensor's own network.
    pub destination_local: Option<bool>,
    /// The ground truth that somebody has added to the file.
    pub label: Option<Label>,
    /// A rule that this flow has hit. Not a ground truth.
    pub alert: Option<Alert>,
}

/// What one side of a flow has sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// Packets.
    pub packets: Option<u64>,
    /// Bytes of IP packets with their headers; frame headers are taken off where a format counts frames.
    pub ip_bytes: Option<u64>,
    /// Bytes of application data.
    pub payload_bytes: Option<u64>,
}

/// How far a conversation went, in words that every sensor's states map to.
///
/// Other than TCP there is only unanswered and answered, since sensors disagree on the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FlowState {
    /// The other side has sent nothing, or nothing but refusals of other protocols.
    Unanswered,
    /// TCP: the first packet was answered by a reset.
    Rejected,
    /// Both sides have sent; TCP: opened, and not seen to end.
    Open,
    /// TCP: opened, and closed by both sides.
    Finished,
    /// TCP: opened, then torn down by a reset.
    Reset,
    /// TCP: the opening was not seen.
    Partial,
}

impl FlowState {
    /// All states, in the order of their features.
    pub const ALL: [Self; 6] =
        [Self::Unanswered, Self::Rejected, Self::Open, Self::Finished, Self::Reset, Self::Partial];

    /// The name of a state in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unanswered => "unanswered",
            Self::Rejected => "rejected",
            Self::Open => "open",
            Self::Finished => "finished",
            Self::Reset => "reset",
            Self::Partial => "partial",
        }
    }

    /// The state of a TCP flow by the flags that each side has ever set.
    #[must_use]
    pub fn of_tcp(sent: TcpFlags, received: TcpFlags) -> Self {
        let both = |flag| sent.has(flag) && received.has(flag);
        if received == TcpFlags::default() {
            return if sent.has(TcpFlags::SYN) { Self::Unanswered } else { Self::Partial };
        }
        if !sent.has(TcpFlags::SYN) {
            return Self::Partial;
        }
        if !received.has(TcpFlags::SYN) {
            return if received.has(TcpFlags::RST) { Self::Rejected } else { Self::Partial };
        }
        if sent.has(TcpFlags::RST) || received.has(TcpFlags::RST) {
            Self::Reset
        } else if both(TcpFlags::FIN) {
            Self::Finished
        } else {
            Self::Open
        }
    }

    /// The state of any other flow by the packets received.
    #[must_use]
    pub fn of_packets(received: Option<u64>) -> Option<Self> {
        received.map(|packets| if packets == 0 { Self::Unanswered } else { Self::Open })
    }
}

/// TCP flags that one side of a flow has set, in the bits of the TCP header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data.
    pub const FIN: u8 = 0x01;
    /// Opens a connection.
    pub const SYN: u8 = 0x02;
    /// Tears a connection down.
    pub const RST: u8 = 0x04;
    /// Acknowledges.
    pub const ACK: u8 = 0x10;

    /// Whether a flag was set.
    #[must_use]
    pub fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }
}

/// What a labelled file says about a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// What the name means.
    pub class: LabelClass,
    /// The name.
    pub name: Name,
    /// A finer name, such as the attack.
    pub detail: Option<Name>,
}

impl Label {
    /// The finest name there is.
    #[must_use]
    pub fn finest(&self) -> &Name {
        self.detail.as_ref().unwrap_or(&self.name)
    }
}

/// What a label's name means. Background and unknown flows are no ground truth: leave them out of evaluations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LabelClass {
    /// No attack.
    Benign,
    /// An attack.
    Malicious,
    /// Traffic that the labellers did not look at.
    Background,
    /// Anything else.
    Unknown,
}

impl LabelClass {
    /// The class of a label's name, as Zeek's labellers, Argus files of CTU and common sense write it.
    ///
    /// ```
    /// use phalanx_capture::LabelClass;
    /// assert_eq!(LabelClass::of("Malicious"), LabelClass::Malicious);
    /// assert_eq!(LabelClass::of("flow=From-Botnet-V42-UDP-DNS"), LabelClass::Malicious);
    /// assert_eq!(LabelClass::of("flow=Background-UDP-Attempt"), LabelClass::Background);
    /// assert_eq!(LabelClass::of("flow=From-Normal-V42-Grill"), LabelClass::Benign);
    /// assert_eq!(LabelClass::of("(empty)"), LabelClass::Unknown);
    /// ```
    #[must_use]
    pub fn of(name: &str) -> Self {
        let lower = name.strip_prefix("flow=").unwrap_or(name).to_ascii_lowercase();
        let text = lower.strip_prefix("from-").unwrap_or(&lower);
        let starts = |heads: &[&str]| heads.iter().any(|head| text.starts_with(head));
        if starts(&["benign", "normal"]) {
            Self::Benign
        } else if starts(&["background", "to-background"]) {
            Self::Background
        } else if starts(&["malicious", "malware", "botnet", "attack"]) {
            Self::Malicious
        } else {
            Self::Unknown
        }
    }
}

/// A rule of an intrusion detection system that a flow has hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Number of the rule.
    pub signature_id: u64,
    /// From 1, the most severe; 0 if the sensor does not say.
    pub severity: u8,
    /// What the rule says.
    pub signature: Name,
}

impl FlowRecord {
    /// Microseconds from the first to the last packet. A flow of one packet has lasted 0, which some sensors do
    /// not write.
    #[must_use]
    pub fn lasted_us(&self) -> Option<u64> {
        let lone = || match (self.sent.packets, self.received.packets) {
            (Some(sent), Some(received)) => (sent.saturating_add(received) <= 1).then_some(0),
            _ => None,
        };
        self.duration_us.or_else(lone)
    }

    /// Whether its label says that it is an attack.
    #[must_use]
    pub fn is_attack(&self) -> bool {
        self.label.as_ref().is_some_and(|label| label.class == LabelClass::Malicious)
    }

    /// Whether its label, if it has one, is a ground truth: neither background nor unknown.
    #[must_use]
    pub fn is_truth(&self) -> bool {
        let class = self.label.as_ref().map(|label| label.class);
        !matches!(class, Some(LabelClass::Background | LabelClass::Unknown))
    }

    /// The address of the sensor's own side and that of the other, as far as they are known.
    ///
    /// The sensor's word counts first, then private ranges (RFC 1918, link-local). If both sides or neither are
    /// its own, the source is the other side: it is the one that can be blocked.
    #[must_use]
    pub fn own_and_remote(&self) -> (Option<u32>, Option<u32>) {
        let private = |address: Option<u32>| {
            let address = Ipv4Addr::from(address?);
            Some(address.is_private() || address.is_link_local())
        };
        let source_own = self.source_local.or_else(|| private(self.source));
        let destination_own = self.destination_local.or_else(|| private(self.destination));
        if source_own == Some(true) && destination_own != Some(true) {
            (self.source, self.destination)
        } else {
            (self.destination, self.source)
        }
    }
}

/// Gives equal texts one allocation. Beyond 4,096 texts it stops remembering, so that its memory has a limit.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    names: BTreeSet<Name>,
    last: Option<Name>,
}

impl Interner {
    pub(crate) fn name(&mut self, text: &str) -> Name {
        if let Some(last) = &self.last
            && **last == *text
        {
            return Name::clone(last);
        }
        let name = match self.names.get(text) {
            Some(name) => Name::clone(name),
            None => {
                let name = Name::from(text);
                if self.names.len() < 4096 && text.len() <= 256 {
                    self.names.insert(Name::clone(&name));
                }
                name
            }
        };
        self.last = Some(Name::clone(&name));
        name
    }

    /// A name from bytes of unknown encoding: what is not UTF-8 becomes U+FFFD.
    pub(crate) fn lossy(&mut self, bytes: &[u8]) -> Name {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.name(text),
            Err(_) => self.name(&String::from_utf8_lossy(bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_by_flags() {
        let check = |sent, received, expected| {
            assert_eq!(
                FlowState::of_tcp(TcpFlags(sent), TcpFlags(received)),
                expected,
                "{sent:02x} {received:02x}"
            );
        };
        check(0x02, 0x00, FlowState::Unanswered);
        check(0x02, 0x14, FlowState::Rejected);
        check(0x06, 0x12, FlowState::Reset);
        check(0x12, 0x12, FlowState::Open);
        check(0x13, 0x13, FlowState::Finished);
        check(0x10, 0x10, FlowState::Partial);
        check(0x10, 0x00, FlowState::Partial);
    }

    #[test]
    fn own_side() {
        let flow = |source: [u8; 4], destination: [u8; 4], local: Option<bool>| FlowRecord {
            source: Some(u32::from_be_bytes(source)),
            destination: Some(u32::from_be_bytes(destination)),
            source_local: local,
            destination_local: local.map(|local| !local),
            ..FlowRecord::default()
        };
        let check = |flow: &FlowRecord, own: [u8; 4]| {
            assert_eq!(flow.own_and_remote().0, Some(u32::from_be_bytes(own)), "{flow:?}");
        };
        check(&flow([10, 0, 0, 1], [8, 8, 8, 8], None), [10, 0, 0, 1]);
        check(&flow([8, 8, 8, 8], [10, 0, 0, 1], None), [10, 0, 0, 1]);
        check(&flow([10, 0, 0, 2], [10, 0, 0, 1], None), [10, 0, 0, 1]);
        check(&flow([8, 8, 8, 8], [9, 9, 9, 9], Some(true)), [8, 8, 8, 8]);
        check(&flow([8, 8, 8, 8], [9, 9, 9, 9], Some(false)), [9, 9, 9, 9]);
    }

    #[test]
    fn a_lone_packet_has_lasted_nothing() {
        let mut flow = FlowRecord::default();
        assert_eq!(flow.lasted_us(), None);
        flow.sent.packets = Some(1);
        flow.received.packets = Some(0);
        assert_eq!(flow.lasted_us(), Some(0));
        flow.sent.packets = Some(2);
        assert_eq!(flow.lasted_us(), None);
    }
}
