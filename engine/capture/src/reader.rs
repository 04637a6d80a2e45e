//! Readers: one iterator of flows over every format of flows.

use std::{
    io::Read,
    iter::FusedIterator,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    ByteProblem, CaptureError, Compression, EveEvents, FileProblem, FlowRecord, FlowTimeouts, Lenience,
    LineProblem, Tally, Transport,
    binetflow::Binetflow,
    eve::Eve,
    export::{Export, is_export_capture, looks_like_export},
    line::{LINE_BYTES_MAX, Lines},
    pcap::{PacketFile, Pcap},
    zeek::Zeek,
};

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Format {
    /// Zeek log, tab-separated under a `#` header.
    ZeekTsv,
    /// Zeek log, JSON lines.
    ZeekJson,
    /// Suricata EVE, JSON lines.
    Eve,
    /// Argus flows with a header.
    Binetflow,
    /// NetFlow v5, v9 or IPFIX: messages one after the other, or packets to a collector in pcap or pcapng.
    Netflow,
    /// Packets: pcap or pcapng.
    Pcap,
    /// NumPy archive of feature rows: no flows, read by [`crate::read_npz`].
    Npz,
}

impl Format {
    /// The format of a file that starts (unpacked) with these bytes; `None` for any other, CSV among them.
    #[must_use]
    pub fn detect(head: &[u8]) -> Option<Self> {
        if Self::is_packets(head) {
            return Some(if is_export_capture(head) { Self::Netflow } else { Self::Pcap });
        }
        if looks_like_export(head) {
            return Some(Self::Netflow);
        }
        if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
            return Some(Self::Npz);
        }
        let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
        if text.starts_with(b"#separator") || text.starts_with(b"#fields") {
            return Some(Self::ZeekTsv);
        }
        if text.starts_with(b"StartTime") {
            return Some(Self::Binetflow);
        }
        if !text.starts_with(b"{") {
            return None;
        }
        let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let has = |name: &[u8]| line.windows(name.len()).any(|window| window == name);
        if has(b"\"event_type\"") {
            Some(Self::Eve)
        } else if has(b"\"id.orig_h\"") || has(b"\"uid\"") {
            Some(Self::ZeekJson)
        } else {
            None
        }
    }

    /// Whether a file that starts like this is pcap or pcapng.
    pub(crate) fn is_packets(head: &[u8]) -> bool {
        const PACKETS: [[u8; 4]; 5] = [
            [0xd4, 0xc3, 0xb2, 0xa1],
            [0xa1, 0xb2, 0xc3, 0xd4],
            [0x4d, 0x3c, 0xb2, 0xa1],
            [0xa1, 0xb2, 0x3c, 0x4d],
            [0x0a, 0x0d, 0x0d, 0x0a],
        ];
        PACKETS.iter().any(|magic| head.starts_with(magic))
    }

    /// What to call the format.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ZeekTsv => "Zeek TSV",
            Self::ZeekJson => "Zeek JSON",
            Self::Eve => "Suricata EVE",
            Self::Binetflow => "Argus binetflow",
            Self::Netflow => "NetFlow/IPFIX",
            Self::Pcap => "pcap",
            Self::Npz => "npz",
        }
    }
}

/// How flows are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// The format; `None` to go by the first bytes.
    pub format: Option<Format>,
    /// What to do with records that cannot be read.
    pub lenience: Lenience,
    /// Which events of EVE are flows.
    pub eve_events: EveEvents,
    /// Whether Zeek logs other than conn are read too: their records are events, with the fields that they have.
    pub any_zeek_log: bool,
    /// When packets, or records of exports, begin another flow.
    pub timeouts: FlowTimeouts,
    /// Whether exporters are known to watch both directions, so that one that they do not report was silent; else it
    /// is not known. Does not hold for exporters that sample.
    pub exports_both_ways: bool,
}

/// The flows of a file, in its order, in bounded memory. After an error the iterator ends.
///
/// ```
/// use phalanx_capture::{FlowReader, ReadOptions};
///
/// let log = "#separator \\x09\n#path\tconn\n#fields\tts\tid.orig_h\tid.resp_h\tid.resp_p\tproto\tduration\n\
///            12.5\t10.0.0.1\t10.0.0.2\t80\ttcp\t-\n";
/// let mut flows = FlowReader::new(log.as_bytes(), "conn.log".as_ref(), &ReadOptions::default())?;
/// let flow = flows.next().unwrap()?;
/// assert_eq!((flow.start_us, flow.destination_port, flow.duration_us), (Some(12_500_000), Some(80), None));
/// assert!(flows.next().is_none());
/// assert_eq!(flows.tally().records, 1);
/// # Ok::<(), phalanx_capture::CaptureError>(())
/// ```
pub struct FlowReader<'a> {
    source: Source<'a>,
    file: PathBuf,
    format: Format,
    compression: Compression,
    lenience: Lenience,
    tally: Tally,
    done: bool,
}

enum Source<'a> {
    Zeek(Zeek<'a>),
    Eve(Eve<'a>),
    Binetflow(Binetflow<'a>),
    Export(Box<Export<'a>>),
    Pcap(Box<Pcap<'a>>),
}

impl<'a> FlowReader<'a> {
    /// Opens a file, plain, gzip or zstd.
    ///
    /// # Errors
    /// If it cannot be opened, or holds no flows in a known format.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self, CaptureError> {
        Self::over(Transport::open(path)?, path, options)
    }

    /// Reads flows from any reader; `name` stands for the file in messages.
    ///
    /// # Errors
    /// As [`FlowReader::open`].
    pub fn new(reader: impl Read + 'a, name: &Path, options: &ReadOptions) -> Result<Self, CaptureError> {
        Self::over(Transport::new(reader, name)?, name, options)
    }

    pub(crate) fn over(
        mut transport: Transport<'a>,
        file: &Path,
        options: &ReadOptions,
    ) -> Result<Self, CaptureError> {
        let fail = |problem| CaptureError::File { file: file.to_owned(), problem };
        let detected = Format::detect(transport.head());
        // Its magic number, 0xa50c, in the order of bytes of almost every machine.
        if transport.head().starts_with(&[0x0c, 0xa5])
            && matches!(options.format, None | Some(Format::Netflow))
        {
            return Err(fail(FileProblem::Nfcapd));
        }
        let Some(format) = options.format.or(detected) else {
            // Too little may have been unpacked to tell the format by.
            let Some(error) = transport.take_failure() else { return Err(fail(FileProblem::UnknownFormat)) };
            let problem = transport.line_problem(error);
            return Err(CaptureError::Line { file: file.to_owned(), line: 1, problem });
        };
        let compression = transport.compression();
        let lines = |transport| Lines::over(transport, file, LINE_BYTES_MAX);
        let source = match format {
            Format::ZeekTsv | Format::ZeekJson => {
                let is_json = format == Format::ZeekJson;
                Source::Zeek(Zeek::new(lines(transport), is_json, options.any_zeek_log))
            }
            Format::Eve => Source::Eve(Eve::new(lines(transport), options.eve_events)),
            Format::Binetflow => Source::Binetflow(Binetflow::new(lines(transport))),
            Format::Netflow => {
                let both_ways = options.exports_both_ways;
                Source::Export(Box::new(Export::new(transport, file, options.timeouts, both_ways)?))
            }
            Format::Pcap => {
                let packets = PacketFile::new(transport, file)?;
                Source::Pcap(Box::new(Pcap::new(packets, options.timeouts)))
            }
            Format::Npz => {
                return Err(fail(FileProblem::OtherFormat { found: "an npz archive", wanted: "flows" }));
            }
        };
        let (tally, lenience) = (Tally::default(), options.lenience);
        Ok(Self { source, file: file.to_owned(), format, compression, lenience, tally, done: false })
    }

    /// The format of the file.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// How the file is packed.
    #[must_use]
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// What was met so far.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Reads the rest into memory.
    ///
    /// # Errors
    /// The first record that cannot be read, or [`FileProblem::Empty`] if there was none in the whole file.
    pub fn read_all(mut self) -> Result<(Vec<FlowRecord>, Tally), CaptureError> {
        let flows: Vec<FlowRecord> = self.by_ref().collect::<Result<_, _>>()?;
        if self.tally.records == 0 {
            return Err(CaptureError::File { file: self.file, problem: FileProblem::Empty });
        }
        Ok((flows, self.tally))
    }

    fn advance(&mut self) -> Result<Option<FlowRecord>, CaptureError> {
        loop {
            let tally = &mut self.tally;
            let read = match &mut self.source {
                Source::Zeek(zeek) => zeek.next(tally),
                Source::Eve(eve) => eve.next(tally),
                Source::Binetflow(binetflow) => binetflow.next(tally),
                Source::Export(export) => export.next(tally),
                Source::Pcap(pcap) => pcap.next(tally),
            };
            let error = match read {
                Ok(record) => return Ok(record),
                Err(error) => error,
            };
            match self.lenience {
                Lenience::SkipUpTo(skipped_max) if is_of_one_record(&error) => {
                    if tally.skipped == skipped_max {
                        return Err(CaptureError::TooManySkipped { skipped_max, last: Box::new(error) });
                    }
                    tally.skip(&error);
                }
                _ => return Err(error),
            }
        }
    }
}

impl Iterator for FlowReader<'_> {
    type Item = Result<FlowRecord, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.advance().transpose();
        match &next {
            Some(Ok(record)) => {
                self.tally.records += 1;
                self.tally.ipv6 += u64::from(record.ipv6);
            }
            _ => self.done = true,
        }
        next
    }
}

impl FusedIterator for FlowReader<'_> {}

/// Whether the records after this one can still be read.
pub(crate) fn is_of_one_record(error: &CaptureError) -> bool {
    match error {
        CaptureError::Line { problem, .. } => matches!(
            problem,
            LineProblem::TooLong { .. }
                | LineProblem::Json(_)
                | LineProblem::FieldCount { .. }
                | LineProblem::UnclosedQuote
                | LineProblem::MissingColumns { .. }
                | LineProblem::ExtraColumns { .. }
                | LineProblem::UnlikeHeader { .. }
        ),
        CaptureError::Cell { .. } => true,
        // After a damaged block come the flows of those before it.
        CaptureError::Byte { problem, .. } => {
            !matches!(problem, ByteProblem::Io(_) | ByteProblem::LinkType(_))
        }
        _ => false,
    }
}
