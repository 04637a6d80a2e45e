//! Packets: pcap and pcapng, taken apart and handed to the [assembler](crate::assemble), or to whoever reads frames.
//!
//! Blocks are read by `pcap-parser` through a buffer of fixed size, packets are taken apart by `etherparse`, which
//! also takes packets that the capture has cut short. A malformed packet is traffic rather than damage: it is left
//! out and counted. Fragments other than the first carry no ports and are left out as well.

use std::{
    cell::RefCell,
    io::{self, Read},
    path::{Path, PathBuf},
    rc::Rc,
};

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TransportSlice};
use pcap_parser::{
    Block, LegacyPcapReader, Linktype, PcapBlockOwned, PcapError, PcapNGReader, traits::PcapReaderIterator,
};

use crate::{
    ByteProblem, CaptureError, FlowRecord, FlowTimeouts, Tally, Transport,
    assemble::{Assembler, Packet},
    flow::TcpFlags,
};

/// No packet is longer: snap lengths end at 256 KiB, jumbograms do not occur on wires.
const BLOCK_BYTES_MAX: usize = 1 << 20;
/// An interface description is some 20 bytes; a file of nothing else must not fill the memory.
const INTERFACES_MAX: usize = 4096;

/// A packet file, read as flows.
pub(crate) struct Pcap<'a> {
    packets: PacketFile<'a>,
    assembler: Assembler,
    ended: bool,
}

impl<'a> Pcap<'a> {
    pub(crate) fn new(packets: PacketFile<'a>, timeouts: FlowTimeouts) -> Self {
        Self { packets, assembler: Assembler::new(timeouts), ended: false }
    }

    pub(crate) fn next(&mut self, tally: &mut Tally) -> Result<Option<FlowRecord>, CaptureError> {
        loop {
            if let Some(flow) = self.assembler.ended() {
                return Ok(Some(flow));
            }
            if self.ended {
                return Ok(None);
            }
            match self.packets.next(tally, take_apart) {
                Ok(Some(packet)) => self.assembler.add(&packet, tally),
                Ok(None) => {
                    self.ended = true;
                    self.assembler.finish();
                }
                Err(error) => {
                    // What was captured up to here is still good, should the caller go on.
                    self.ended = true;
                    self.assembler.finish();
                    return Err(error);
                }
            }
        }
    }
}

/// A captured frame.
pub(crate) struct Frame<'a> {
    data: &'a [u8],
    link: Linktype,
    pub(crate) time_us: i64,
    /// Of the frame's block in the file.
    pub(crate) offset: u64,
}

/// A packet file, read frame by frame.
pub(crate) struct PacketFile<'a> {
    file: PathBuf,
    reader: Box<dyn PcapReaderIterator + 'a>,
    failure: Rc<RefCell<Option<io::Error>>>,
    decoder: Decoder,
}

impl<'a> PacketFile<'a> {
    pub(crate) fn new(transport: Transport<'a>, file: &Path) -> Result<Self, CaptureError> {
        let is_ng = transport.head().starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]);
        let failure = Rc::new(RefCell::new(None));
        let source = Source { transport, failure: Rc::clone(&failure) };
        let reader: Result<Box<dyn PcapReaderIterator + 'a>, _> = if is_ng {
            PcapNGReader::new(BLOCK_BYTES_MAX, source).map(|reader| Box::new(reader) as _)
        } else {
            LegacyPcapReader::new(BLOCK_BYTES_MAX, source).map(|reader| Box::new(reader) as _)
        };
        let reader = reader.map_err(|error| {
            let problem = match failure.take() {
                Some(error) => ByteProblem::Io(error),
                None => problem(&error),
            };
            CaptureError::Byte { file: file.to_owned(), offset: 0, problem }
        })?;
        Ok(Self { file: file.to_owned(), reader, failure, decoder: Decoder::default() })
    }

    /// What `take` makes of the next frame that it makes anything of; `None` at the end.
    pub(crate) fn next<T>(
        &mut self,
        tally: &mut Tally,
        mut take: impl FnMut(&Frame<'_>, &mut Tally) -> Option<T>,
    ) -> Result<Option<T>, CaptureError> {
        loop {
            let offset = self.reader.consumed() as u64;
            let problem = match self.reader.next() {
                Ok((length, block)) => {
                    let taken = match self.decoder.decode(&block, offset, tally) {
                        Ok(frame) => Ok(frame.and_then(|frame| take(&frame, tally))),
                        Err(problem) => Err(problem),
                    };
                    drop(block);
                    match taken {
                        Ok(taken) => {
                            self.reader.consume(length);
                            match taken {
                                Some(taken) => return Ok(Some(taken)),
                                None => continue,
                            }
                        }
                        Err(problem) => problem,
                    }
                }
                Err(PcapError::Eof) => return Ok(None),
                Err(PcapError::Incomplete(_)) => match self.refill() {
                    Ok(()) => continue,
                    Err(problem) => problem,
                },
                Err(error) => problem(&error),
            };
            return Err(CaptureError::Byte { file: self.file.clone(), offset, problem });
        }
    }

    fn refill(&mut self) -> Result<(), ByteProblem> {
        let failed = self.reader.refill().err().map(|error| problem(&error));
        match (self.failure.take(), failed) {
            (Some(error), _) => Err(ByteProblem::Io(error)),
            (None, Some(problem)) => Err(problem),
            (None, None) => Ok(()),
        }
    }
}

/// Keeps the error of a failed read, which `pcap-parser` does not.
struct Source<'a> {
    transport: Transport<'a>,
    failure: Rc<RefCell<Option<io::Error>>>,
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.transport.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let kind = error.kind();
                    *self.failure.borrow_mut() = Some(error);
                    return Err(kind.into());
                }
                read => return read,
            }
        }
    }
}

fn problem(error: &PcapError<&[u8]>) -> ByteProblem {
    match error {
        PcapError::Eof | PcapError::UnexpectedEof | PcapError::Incomplete(_) => ByteProblem::Torn,
        PcapError::BufferTooSmall => ByteProblem::TooLong { bytes_max: BLOCK_BYTES_MAX as u64 },
        PcapError::ReadError => ByteProblem::Io(io::ErrorKind::Other.into()),
        PcapError::HeaderNotRecognized => ByteProblem::Block("the magic number is wrong".to_owned()),
        PcapError::NomError(_, kind) | PcapError::OwnedNomError(_, kind) => {
            ByteProblem::Block(format!("{kind:?}"))
        }
    }
}

/// What blocks say about the blocks that follow.
#[derive(Default)]
struct Decoder {
    link: Linktype,
    nanoseconds: bool,
    interfaces: Vec<Interface>,
}

struct Interface {
    link: Linktype,
    /// Time units per second.
    resolution: u64,
    offset_s: i64,
}

impl Decoder {
    fn decode<'b>(
        &mut self,
        block: &'b PcapBlockOwned<'_>,
        offset: u64,
        tally: &mut Tally,
    ) -> Result<Option<Frame<'b>>, ByteProblem> {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                if !is_supported(header.network) {
                    return Err(ByteProblem::LinkType(header.network.0));
                }
                self.link = header.network;
                self.nanoseconds = header.is_nanosecond_precision();
                Ok(None)
            }
            PcapBlockOwned::Legacy(block) => {
                let fraction = i64::from(block.ts_usec);
                let micros = if self.nanoseconds { fraction / 1000 } else { fraction };
                let time_us = i64::from(block.ts_sec) * 1_000_000 + micros;
                let captured = block.data.len().min(block.caplen as usize);
                Ok(Some(Frame { data: &block.data[..captured], link: self.link, time_us, offset }))
            }
            PcapBlockOwned::NG(Block::SectionHeader(_)) => {
                self.interfaces.clear();
                Ok(None)
            }
            PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                if self.interfaces.len() == INTERFACES_MAX {
                    return Err(ByteProblem::Block("more than 4096 interfaces".to_owned()));
                }
                let resolution = interface.ts_resolution().unwrap_or(1_000_000).max(1);
                let offset_s = interface.ts_offset();
                self.interfaces.push(Interface { link: interface.linktype, resolution, offset_s });
                Ok(None)
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(block)) => {
                let Some(interface) = self.interfaces.get(block.if_id as usize) else {
                    return Err(ByteProblem::Block(format!("there is no interface {}", block.if_id)));
                };
                if !is_supported(interface.link) {
                    return Err(ByteProblem::LinkType(interface.link.0));
                }
                let units = u64::from(block.ts_high) << 32 | u64::from(block.ts_low);
                let captured = block.data.len().min(block.caplen as usize);
                let (link, time_us) = (interface.link, interface.time_us(units));
                Ok(Some(Frame { data: &block.data[..captured], link, time_us, offset }))
            }
            PcapBlockOwned::NG(Block::SimplePacket(_)) => {
                tally.leave_out("packets without a time");
                Ok(None)
            }
            PcapBlockOwned::NG(_) => Ok(None),
        }
    }
}

impl Interface {
    fn time_us(&self, units: u64) -> i64 {
        let (seconds, rest) = (units / self.resolution, units % self.resolution);
        let micros = u128::from(rest) * 1_000_000 / u128::from(self.resolution);
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_add(self.offset_s);
        seconds.saturating_mul(1_000_000).saturating_add(micros as i64)
    }
}

fn is_supported(link: Linktype) -> bool {
    matches!(link.0, 0 | 1 | 12 | 14 | 101 | 108 | 113 | 228 | 229 | 276)
}

impl<'a> Frame<'a> {
    /// Its headers; `None` if they make no sense.
    pub(crate) fn sliced(&self) -> Option<LaxSlicedPacket<'a>> {
        let data = self.data;
        let ether_type =
            |at: usize| data.get(at..at + 2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
        match self.link.0 {
            1 => LaxSlicedPacket::from_ethernet(data).ok(),
            113 => ether_type(14).map(|kind| LaxSlicedPacket::from_ether_type(EtherType(kind), &data[16..])),
            276 if data.len() >= 20 => {
                ether_type(0).map(|kind| LaxSlicedPacket::from_ether_type(EtherType(kind), &data[20..]))
            }
            276 => None,
            0 | 108 => data.get(4..).and_then(|ip| LaxSlicedPacket::from_ip(ip).ok()),
            _ => LaxSlicedPacket::from_ip(data).ok(),
        }
    }
}

fn take_apart(frame: &Frame<'_>, tally: &mut Tally) -> Option<Packet> {
    let Some(sliced) = frame.sliced() else {
        tally.leave_out("malformed packets");
        return None;
    };
    let mut packet = Packet { time_us: frame.time_us, ..Packet::default() };
    let transport_bytes = match &sliced.net {
        Some(LaxNetSlice::Ipv4(ip)) => {
            let header = ip.header();
            if header.fragments_offset().value() > 0 {
                tally.leave_out("fragments after the first");
                return None;
            }
            let headers = header.slice().len() as u64;
            packet.source = u128::from(u32::from_be_bytes(header.source()));
            packet.destination = u128::from(u32::from_be_bytes(header.destination()));
            packet.protocol = ip.payload_ip_number().0;
            // Segmentation offload leaves a length of 0 behind.
            packet.ip_bytes = match header.total_len() {
                0 => headers + ip.payload().payload.len() as u64,
                length => u64::from(length),
            };
            packet.ip_bytes.saturating_sub(headers)
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            let header = ip.header();
            if ip.is_payload_fragmented() && sliced.transport.is_none() {
                tally.leave_out("fragments after the first");
                return None;
            }
            let extensions = ip.extensions().slice().len() as u64;
            packet.ipv6 = true;
            packet.source = u128::from_be_bytes(header.source());
            packet.destination = u128::from_be_bytes(header.destination());
            packet.protocol = ip.payload().ip_number.0;
            let length = u64::from(header.payload_length());
            packet.ip_bytes = 40 + length;
            length.saturating_sub(extensions)
        }
        _ => {
            tally.leave_out("packets without IP");
            return None;
        }
    };
    let payload = |header: usize| transport_bytes.saturating_sub(header as u64);
    match &sliced.transport {
        Some(TransportSlice::Tcp(tcp)) => {
            (packet.source_port, packet.destination_port) = (tcp.source_port(), tcp.destination_port());
            packet.payload_bytes = payload(tcp.header_slice().len());
            // The byte with the flags is the 14th of the header.
            packet.flags = TcpFlags(tcp.header_slice()[13]);
        }
        Some(TransportSlice::Udp(udp)) => {
            (packet.source_port, packet.destination_port) = (udp.source_port(), udp.destination_port());
            packet.payload_bytes = payload(8);
        }
        Some(TransportSlice::Icmpv4(icmp)) => {
            let kind = question(icmp.type_u8(), icmp.code_u8(), false);
            (packet.source_port, packet.destination_port) = (kind, kind);
            packet.payload_bytes = payload(8);
        }
        Some(TransportSlice::Icmpv6(icmp)) => {
            let kind = question(icmp.type_u8(), icmp.code_u8(), true);
            (packet.source_port, packet.destination_port) = (kind, kind);
            packet.payload_bytes = payload(8);
        }
        _ if matches!(packet.protocol, 6 | 17) => {
            tally.leave_out("malformed packets");
            return None;
        }
        _ => packet.payload_bytes = transport_bytes,
    }
    Some(packet)
}

/// One number for an ICMP question and its answer; other messages have one each.
pub(crate) fn question(kind: u8, code: u8, ipv6: bool) -> u16 {
    let asked = match (kind, ipv6) {
        (0 | 8, false) => 8,
        (9 | 10, false) => 10,
        (13 | 14, false) => 13,
        (15 | 16, false) => 15,
        (17 | 18, false) => 17,
        (128 | 129, true) => 128,
        (133 | 134, true) => 133,
        (135 | 136, true) => 135,
        _ => return u16::from_be_bytes([kind, code]) | 0x8000,
    };
    asked << 8
}
