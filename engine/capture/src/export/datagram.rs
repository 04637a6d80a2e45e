//! Datagrams: where messages come from, which is a file of them one after the other, or a capture of the packets that
//! carried them.
//!
//! Of the former kind are IPFIX files (RFC 5655) and what a collector has written as it came. NetFlow v9 has no length:
//! there a message ends where a number that no set can have, the version of the next message, stands in place of one.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use etherparse::{LaxNetSlice, TransportSlice};

use super::message::Message;
use crate::{
    ByteProblem, CaptureError, Tally, Transport,
    pcap::{Frame, PacketFile},
};

/// UDP carries no more.
const MESSAGE_BYTES_MAX: usize = 65_535;
/// Where collectors usually listen, for NetFlow and IPFIX.
const PORTS: [u16; 6] = [2055, 2056, 4432, 4739, 9995, 9996];

/// Messages, one by one.
pub(crate) enum Datagrams<'a> {
    Plain(Plain<'a>),
    Captured(Box<PacketFile<'a>>),
}

impl<'a> Datagrams<'a> {
    pub(crate) fn new(transport: Transport<'a>, file: &Path) -> Result<Self, CaptureError> {
        if crate::Format::is_packets(transport.head()) {
            return PacketFile::new(transport, file).map(|packets| Self::Captured(Box::new(packets)));
        }
        Ok(Self::Plain(Plain {
            transport,
            file: file.to_owned(),
            window: Vec::new(),
            offset: 0,
            ended: false,
        }))
    }

    /// The next message. After an error there may be more.
    pub(crate) fn next(&mut self, tally: &mut Tally) -> Result<Option<Message>, CaptureError> {
        match self {
            Self::Plain(plain) => plain.next(),
            Self::Captured(packets) => packets.next(tally, |frame, tally| {
                let found = export_of(frame);
                if let Err(kind) = &found {
                    tally.leave_out(kind);
                }
                found.ok()
            }),
        }
    }
}

/// Whether the packets that a file begins with are exports, all of them: a capture of other traffic may hold some.
pub(crate) fn is_export_capture(head: &[u8]) -> bool {
    let name = Path::new("");
    let packets = Transport::new(head, name).and_then(|transport| PacketFile::new(transport, name));
    let Ok(mut packets) = packets else { return false };
    let mut tally = Tally::default();
    let (mut exports, mut others) = (0, 0);
    loop {
        let found = packets.next(&mut tally, |frame, _| match export_of(frame) {
            // What only its port says to be one is damaged, perhaps.
            Ok(message) => looks_like_export(&message.bytes).then_some(true),
            // What is below IP or tells of errors goes with any traffic.
            Err(NOT_UDP | OTHER_UDP) => Some(false),
            Err(_) => None,
        });
        match found {
            Ok(Some(true)) => exports += 1,
            Ok(Some(false)) => others += 1,
            // The head ends within a packet.
            Ok(None) | Err(_) => return exports > 0 && others == 0,
        }
    }
}

const NOT_UDP: &str = "packets that are no UDP";
const OTHER_UDP: &str = "UDP packets that are no export";

/// The message in a packet, or what the packet is instead.
fn export_of(frame: &Frame<'_>) -> Result<Message, &'static str> {
    let sliced = frame.sliced().ok_or("malformed packets")?;
    let (address, is_icmp, fragmented) = match &sliced.net {
        Some(LaxNetSlice::Ipv4(ip)) => (
            u128::from(u32::from_be_bytes(ip.header().source())),
            ip.payload_ip_number().0 == 1,
            ip.header().is_fragmenting_payload(),
        ),
        Some(LaxNetSlice::Ipv6(ip)) => (
            u128::from_be_bytes(ip.header().source()),
            ip.payload().ip_number.0 == 58,
            ip.is_payload_fragmented(),
        ),
        _ => return Err("packets without IP"),
    };
    if is_icmp {
        return Err("packets of ICMP");
    }
    if fragmented {
        return Err("fragmented export packets; let the exporter send smaller ones");
    }
    let Some(TransportSlice::Udp(udp)) = &sliced.transport else { return Err(NOT_UDP) };
    let payload = udp.payload();
    if !PORTS.contains(&udp.destination_port()) && !looks_like_export(payload) {
        return Err(OTHER_UDP);
    }
    let bytes = payload.to_vec();
    let cut = usize::from(udp.length()) > payload.len() + 8;
    if cut {
        return Err("export packets cut by the capture; use `tcpdump -s 0`");
    }
    let (port, captured_us) = (udp.source_port(), Some(frame.time_us));
    Ok(Message { address, port, captured_us, offset: frame.offset, bytes })
}

/// Whether bytes begin like an export: a version and what goes with it.
pub(crate) fn looks_like_export(bytes: &[u8]) -> bool {
    let number = |at: usize| bytes.get(at..at + 2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let set = |at: usize, reserved: u16| match (number(at), number(at + 2)) {
        (Some(set), Some(length)) => (set <= reserved || set > 255) && length >= 4,
        _ => false,
    };
    match (number(0), number(2)) {
        (Some(5), Some(flows)) => (1..=30).contains(&flows) && bytes.len() >= 24,
        (Some(9), Some(records)) => records > 0 && set(20, 1),
        (Some(10), Some(length)) => length >= 20 && set(16, 3),
        _ => false,
    }
}

/// Messages one after the other.
pub(crate) struct Plain<'a> {
    transport: Transport<'a>,
    file: PathBuf,
    /// Bytes from `offset` on that were read ahead.
    window: Vec<u8>,
    offset: u64,
    ended: bool,
}

impl Plain<'_> {
    fn next(&mut self) -> Result<Option<Message>, CaptureError> {
        if self.ended {
            return Ok(None);
        }
        match self.length() {
            Ok(0) => Ok(None),
            Ok(length) => {
                let rest = self.window.split_off(length);
                let bytes = std::mem::replace(&mut self.window, rest);
                let offset = self.offset;
                self.offset += length as u64;
                Ok(Some(Message { offset, bytes, ..Message::default() }))
            }
            Err(problem) => {
                // Where the next message begins is not known.
                self.ended = true;
                Err(CaptureError::Byte { file: self.file.clone(), offset: self.offset, problem })
            }
        }
    }

    /// Length of the message that the window begins with, which it then holds; 0 at the end of the file.
    fn length(&mut self) -> Result<usize, ByteProblem> {
        if !self.holds(1)? {
            return Ok(0);
        }
        let version = self.number(0)?;
        let length = match version {
            5 => match self.number(2)? {
                flows @ 1..=30 => 24 + 48 * usize::from(flows),
                flows => {
                    return Err(ByteProblem::Export(format!("it claims {flows} flows instead of 1 to 30")));
                }
            },
            9 => self.length_of_v9()?,
            10 => match self.number(2)? {
                length @ 16.. => usize::from(length),
                length => return Err(ByteProblem::Export(format!("it claims to have {length} bytes"))),
            },
            version => return Err(ByteProblem::ExportVersion(version)),
        };
        if self.holds(length)? { Ok(length) } else { Err(ByteProblem::Torn) }
    }

    fn length_of_v9(&mut self) -> Result<usize, ByteProblem> {
        let mut length = 20;
        while self.holds(length + 1)? {
            let set = self.number(length)?;
            if matches!(set, 5 | 9 | 10) {
                break;
            }
            if matches!(set, 2..=255) {
                return Err(ByteProblem::Export(format!("there is no set {set}, as at its byte {length}")));
            }
            let bytes = usize::from(self.number(length + 2)?);
            if bytes < 4 {
                return Err(ByteProblem::Export(format!("its set at byte {length} has {bytes} bytes")));
            }
            length += bytes;
            if length > MESSAGE_BYTES_MAX {
                return Err(ByteProblem::TooLong { bytes_max: MESSAGE_BYTES_MAX as u64 });
            }
        }
        Ok(length)
    }

    /// Two bytes of the window.
    fn number(&mut self, at: usize) -> Result<u16, ByteProblem> {
        if !self.holds(at + 2)? {
            return Err(ByteProblem::Torn);
        }
        Ok(u16::from_be_bytes([self.window[at], self.window[at + 1]]))
    }

    /// Whether the window has so many bytes, having read on if needed.
    fn holds(&mut self, bytes: usize) -> Result<bool, ByteProblem> {
        if self.window.len() < bytes {
            let missing = (bytes - self.window.len()) as u64;
            let read = io::Read::by_ref(&mut self.transport).take(missing).read_to_end(&mut self.window);
            read.map_err(ByteProblem::Io)?;
        }
        Ok(self.window.len() >= bytes)
    }
}
