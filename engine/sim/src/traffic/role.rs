//! What a watched host is.

use phalanx_core::Stream;

use super::RawFlow;

/// What a host serves or uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Inbound HTTPS and HTTP.
    Web,
    /// Inbound name queries.
    Dns,
    /// Outbound browsing, mail and name queries.
    Workstation,
    /// Outbound telemetry and clock.
    Iot,
}

impl Role {
    /// The ports that such a host offers or visits on an ordinary day.
    pub(crate) fn ports(self) -> &'static [u16] {
        match self {
            Self::Web => &[80, 443],
            Self::Dns => &[53],
            Self::Workstation => &[53, 80, 443, 993],
            Self::Iot => &[53, 123, 8883],
        }
    }

    /// The centre of what such a host mostly sees: logarithms of duration (s), bytes sent and bytes received.
    fn usual(self) -> [f64; 3] {
        match self {
            Self::Web => [-1.0, 6.5, 9.5],
            Self::Dns => [-4.0, 3.8, 4.9],
            Self::Workstation => [0.5, 7.0, 10.0],
            Self::Iot => [0.7, 5.5, 4.8],
        }
    }

    /// Moves a flow towards what is usual: numbers by this share of the way, in logarithms; port and answer with this
    /// probability.
    pub(super) fn disguise(self, flow: &mut RawFlow, share: f64, stream: &mut Stream) {
        let [duration, sent, received] = self.usual().map(libm::exp);
        let packets = 6.0 + (sent / 1400.0).ceil() + (received / 1400.0).ceil();
        let towards = |x: &mut f64, usual: f64| {
            *x = libm::expm1((1.0 - share) * libm::log1p(*x) + share * libm::log1p(usual));
        };
        towards(&mut flow.duration_s, duration);
        towards(&mut flow.sent_bytes, sent);
        towards(&mut flow.received_bytes, received);
        towards(&mut flow.packets, packets);
        flow.answered |= stream.bernoulli(share);
        let ports = self.ports();
        let port = ports[stream.below(ports.len() as u32) as usize];
        if stream.bernoulli(share) {
            flow.key.port = Some(port);
        }
    }
}
