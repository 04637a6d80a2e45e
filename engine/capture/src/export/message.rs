//! Messages: what exporters sent, decoded by `netflow_parser`, one parser for each exporter and its domain.
//!
//! Templates are those of one exporter's observation domain (RFC 7011, 8; RFC 3954, 7). Data that comes before its
//! template waits for it, within limits. No clock has a say: that crate reads one to let templates and waiting data
//! age, which both are off here (`ttl_config` is `None`, and it keeps no waiting data), and where its parsers for many
//! sources record when each was last heard, which are not used. So the same bytes give the same records.

use std::collections::BTreeMap;

use netflow_parser::{
    IpfixFlowRecord, NetflowError, NetflowPacket, NetflowParser, NoTemplateInfo, ScopingInfo, V9FlowRecord,
    extract_scoping_info,
    static_versions::v5::V5,
    variable_versions::{
        ipfix::{Data, FlowSetBody as Set, IPFix, Template},
        v9::{FlowSetBody as V9Set, Template as V9Template, V9},
    },
};

use super::element::{Boot, Clock, Counts, ExportRecord, Fields, Way};
use crate::{ByteProblem, Tally};

/// Exporters and domains whose templates are kept.
const EXPORTERS_MAX: usize = 256;
/// Templates of a domain, and their fields: a few at home, a few dozen on the largest routers.
const TEMPLATES_MAX: usize = 64;
const TEMPLATE_FIELDS_MAX: usize = 512;
/// Bytes of data that may wait for their templates, over all exporters.
const WAITING_BYTES_MAX: usize = 4 << 20;
/// Sets that may wait, since even an empty one takes room.
const WAITING_SETS_MAX: usize = 4096;

const V9_HEADER_BYTES: usize = 20;
const IPFIX_HEADER_BYTES: usize = 16;

/// One message as it was found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    /// Where it came from, as far as the file says.
    pub(crate) address: u128,
    pub(crate) port: u16,
    /// When it was captured.
    pub(crate) captured_us: Option<i64>,
    /// Its place in the file.
    pub(crate) offset: u64,
    pub(crate) bytes: Vec<u8>,
}

/// What a message holds.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    /// Number of the exporter.
    pub(crate) exporter: u32,
    /// When the message was captured, or else sent.
    pub(crate) arrived_us: i64,
    pub(crate) records: Vec<ExportRecord>,
}

/// Exporters by address, port and domain. NetFlow may change the port on the way; IPFIX sessions have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    address: u128,
    port: u16,
    version: u8,
    domain: u32,
}

struct Exporter {
    parser: NetflowParser,
    /// Start of the exporter, in milliseconds, as all messages since then agree; of IPFIX, as its options say.
    boot_ms: Option<i64>,
    /// One packet in so many, as its options say.
    sampling: Option<u32>,
    /// Lengths of the fields of templates, to see whether all records of a set were decoded.
    widths: BTreeMap<u16, Vec<u16>>,
}

/// All exporters of a file.
#[derive(Default)]
pub(crate) struct Exporters {
    numbers: BTreeMap<Key, u32>,
    exporters: Vec<Exporter>,
    /// Messages with one set each, by exporter and template.
    waiting: BTreeMap<(u32, u16), Vec<Vec<u8>>>,
    waiting_sets: usize,
    waiting_bytes: usize,
}

impl Exporters {
    /// The flow records of a message, those that have waited for its templates first.
    pub(crate) fn decode(&mut self, message: &Message, tally: &mut Tally) -> Result<Decoded, ByteProblem> {
        let Some(exporter) = self.exporter(message) else {
            tally.leave_out("messages of more than 256 exporters");
            return Ok(Decoded::default());
        };
        let mut found = Found::default();
        let sent_us = self.parse(exporter, &message.bytes, &mut found)?;
        let mut records = Vec::new();
        for template in std::mem::take(&mut found.learned) {
            for waiting in self.release(exporter, template) {
                let mut late = Found::default();
                match self.parse(exporter, &waiting, &mut late) {
                    Ok(_) if late.without_template.is_empty() => records.append(&mut late.records),
                    _ => tally.leave_out("data sets that their late template does not fit"),
                }
                found.options += late.options;
                found.addressless += late.addressless;
            }
        }
        for set in std::mem::take(&mut found.without_template) {
            self.keep_waiting(exporter, &message.bytes, &set, tally);
        }
        tally.leave_out_many("options records", found.options);
        tally.leave_out_many("records without addresses", found.addressless);
        records.append(&mut found.records);
        Ok(Decoded { exporter, arrived_us: message.captured_us.unwrap_or(sent_us), records })
    }

    /// Counts what has waited in vain.
    pub(crate) fn finish(&mut self, tally: &mut Tally) {
        tally.leave_out_many("data sets whose template never came", self.waiting_sets as u64);
        self.waiting.clear();
        self.waiting_sets = 0;
    }

    fn exporter(&mut self, message: &Message) -> Option<u32> {
        let (version, port, domain) = match extract_scoping_info(&message.bytes) {
            ScopingInfo::V9 { source_id } => (9, 0, source_id),
            ScopingInfo::IPFix { observation_domain_id } => (10, message.port, observation_domain_id),
            // Slots of one router, each with a sequence and a start of its own.
            _ => (5, 0, message.bytes.get(20..22).map_or(0, |b| u32::from(u16::from_be_bytes([b[0], b[1]])))),
        };
        let key = Key { address: message.address, port, version, domain };
        if let Some(number) = self.numbers.get(&key) {
            return Some(*number);
        }
        if self.exporters.len() == EXPORTERS_MAX {
            return None;
        }
        let parser = NetflowParser::builder()
            .with_allowed_versions(&[5, 9, 10])
            .with_cache_size(TEMPLATES_MAX)
            .with_max_field_count(TEMPLATE_FIELDS_MAX)
            // Never fewer records than a message can hold, or the rest of it would be left out silently.
            .with_max_records_per_flowset(usize::from(u16::MAX))
            // Sets without a template are told in full up to here.
            .with_max_error_sample_size(usize::from(u16::MAX))
            .build()
            .expect("the limits are positive");
        let number = self.exporters.len() as u32;
        self.exporters.push(Exporter { parser, boot_ms: None, sampling: None, widths: BTreeMap::new() });
        self.numbers.insert(key, number);
        Some(number)
    }

    /// Parses one message; returns when it was sent.
    fn parse(&mut self, exporter: u32, bytes: &[u8], found: &mut Found) -> Result<i64, ByteProblem> {
        let exporter = &mut self.exporters[exporter as usize];
        let mut result = exporter.parser.parse_bytes(bytes);
        let export = |problem: &str| ByteProblem::Export(problem.to_owned());
        if let Some(error) = result.error {
            // The crate's own words hold the bytes of the message.
            return Err(match error {
                NetflowError::UnsupportedVersion { version, .. } => ByteProblem::ExportVersion(version),
                NetflowError::DecodedOutputLimitExceeded { .. } => export("its records hold too many fields"),
                _ => export("its sets do not fit their templates or its length"),
            });
        }
        let packet = result.packets.pop().ok_or_else(|| export("it is empty"))?;
        match packet {
            NetflowPacket::V5(message) => Ok(exporter.v5(&message, found)),
            NetflowPacket::V9(message) => exporter.v9(&message, bytes, found),
            NetflowPacket::IPFix(message) => exporter.ipfix(&message, bytes, found),
            _ => Err(export("its version is not supported")),
        }
    }

    /// Puts a set aside under the header of its message.
    fn keep_waiting(&mut self, exporter: u32, message: &[u8], set: &NoTemplateInfo, tally: &mut Tally) {
        let is_v9 = message.get(1) == Some(&9);
        let header = if is_v9 { V9_HEADER_BYTES } else { IPFIX_HEADER_BYTES };
        let set_bytes = set.raw_data.len() + 4;
        let fits = self.waiting_bytes + header + set_bytes <= WAITING_BYTES_MAX
            && self.waiting_sets < WAITING_SETS_MAX
            && !set.truncated;
        let (Some(bytes), Ok(length), true) =
            (message.get(..header), u16::try_from(header + set_bytes), fits)
        else {
            tally.leave_out("data sets whose template came too late");
            return;
        };
        let mut bytes = bytes.to_vec();
        if !is_v9 {
            bytes[2..4].copy_from_slice(&length.to_be_bytes());
        }
        bytes.extend(set.template_id.to_be_bytes());
        bytes.extend((set_bytes as u16).to_be_bytes());
        bytes.extend(&set.raw_data);
        self.waiting_sets += 1;
        self.waiting_bytes += bytes.len();
        self.waiting.entry((exporter, set.template_id)).or_default().push(bytes);
    }

    fn release(&mut self, exporter: u32, template: u16) -> Vec<Vec<u8>> {
        let released = self.waiting.remove(&(exporter, template)).unwrap_or_default();
        self.waiting_sets -= released.len();
        self.waiting_bytes -= released.iter().map(Vec::len).sum::<usize>();
        released
    }
}

/// What a message was found to hold.
#[derive(Default)]
struct Found {
    records: Vec<ExportRecord>,
    learned: Vec<u16>,
    without_template: Vec<NoTemplateInfo>,
    options: u64,
    addressless: u64,
}

impl Found {
    fn add(&mut self, fields: Fields, clock: &Clock, sampling: Option<u32>) {
        match fields.finish(clock) {
            Some(record) => {
                let sampling = record.sampling.or(sampling);
                self.records.push(ExportRecord { sampling, ..record });
            }
            None => self.addressless += 1,
        }
    }
}

impl Exporter {
    fn v5(&mut self, message: &V5, found: &mut Found) -> i64 {
        let header = message.header;
        let nanoseconds = header.unix_nsecs.min(999_999_999);
        let (clock, sent_us) = self.clock(header.unix_secs, nanoseconds, header.sys_up_time);
        // The upper two bits say how packets were chosen.
        let sampling = u32::from(header.sampling_interval & 0x3fff);
        for flow in &message.flowsets {
            let [kind, code] = flow.dst_port.to_be_bytes();
            let boot = clock.boot.expect("NetFlow counts from a start");
            found.records.push(ExportRecord {
                source: u128::from(flow.src_addr.to_bits()),
                destination: u128::from(flow.dst_addr.to_bits()),
                source_port: Some(flow.src_port),
                destination_port: Some(flow.dst_port),
                icmp: (flow.protocol_number == 1).then_some((kind, code)),
                protocol: Some(flow.protocol_number),
                sent: Counts {
                    packets: Some(u64::from(flow.d_pkts)),
                    bytes: Some(u64::from(flow.d_octets)),
                    flags: Some(flow.tcp_flags),
                    start_us: Some(boot.time_us(flow.first)),
                    end_us: Some(boot.time_us(flow.last)),
                },
                sampling: (sampling > 0).then_some(sampling),
                ..ExportRecord::default()
            });
        }
        sent_us
    }

    fn v9(&mut self, message: &V9, bytes: &[u8], found: &mut Found) -> Result<i64, ByteProblem> {
        let header = message.header;
        let (clock, sent_us) = self.clock(header.unix_secs, 0, header.sys_up_time);
        let mut at = V9_HEADER_BYTES;
        for set in &message.flowsets {
            let body = bytes.get(at + 4..at + usize::from(set.header.length)).unwrap_or_default();
            match &set.body {
                V9Set::Template(set) => set.templates.iter().for_each(|t| self.learn_v9(t, found)),
                V9Set::OptionsTemplate(set) => {
                    found.learned.extend(set.templates.iter().map(|t| t.template_id));
                }
                V9Set::Data(data) => {
                    if self.records_of(set.header.flowset_id, body) != Some(data.fields.len()) {
                        return Err(undecoded(at));
                    }
                    self.v9_records(&data.fields, &clock, found);
                }
                V9Set::OptionsData(options) => {
                    let records = options.fields.iter().map(|record| &record.options_fields);
                    self.v9_options(records, &clock, found);
                }
                V9Set::NoTemplate(set) => found.without_template.push(set.clone()),
                V9Set::Empty => {}
            }
            at += usize::from(set.header.length);
        }
        Ok(sent_us)
    }

    fn learn_v9(&mut self, template: &V9Template, found: &mut Found) {
        let widths = template.fields.iter().map(|field| field.field_length).collect();
        self.learn(template.template_id, widths, found);
    }

    fn learn_ipfix(&mut self, template: &Template, found: &mut Found) {
        let widths = template.fields.iter().map(|field| field.field_length).collect();
        self.learn(template.template_id, widths, found);
    }

    fn learn(&mut self, template: u16, widths: Vec<u16>, found: &mut Found) {
        // The parser forgets what was not used for longest; here it is enough not to grow without bound.
        if self.widths.len() >= 4 * TEMPLATES_MAX && !self.widths.contains_key(&template) {
            self.widths.pop_first();
        }
        self.widths.insert(template, widths);
        found.learned.push(template);
    }

    /// How many records a set holds, as far as its template is known.
    fn records_of(&self, template: u16, body: &[u8]) -> Option<usize> {
        let widths = self.widths.get(&template)?;
        Some(scan(body, widths, |_, _| {}))
    }

    fn v9_records(&self, records: &[V9FlowRecord], clock: &Clock, found: &mut Found) {
        for record in records {
            found.add(v9_fields(record, clock), clock, self.sampling);
        }
    }

    fn v9_options<'a>(
        &mut self,
        records: impl Iterator<Item = &'a V9FlowRecord>,
        clock: &Clock,
        found: &mut Found,
    ) {
        for record in records {
            found.options += 1;
            self.sampling = v9_fields(record, clock).sampling().or(self.sampling);
        }
    }

    fn ipfix(&mut self, message: &IPFix, bytes: &[u8], found: &mut Found) -> Result<i64, ByteProblem> {
        let sent_us = i64::from(message.header.export_time) * 1_000_000;
        let boot = |boot_ms: Option<i64>| boot_ms.map(|boot_ms| Boot::since(boot_ms, sent_us));
        let mut clock = Clock { export_us: sent_us, boot: boot(self.boot_ms) };
        let mut at = IPFIX_HEADER_BYTES;
        for set in &message.flowsets {
            let body = bytes.get(at + 4..at + usize::from(set.header.length)).unwrap_or_default();
            match &set.body {
                Set::Template(template) => self.learn_ipfix(template, found),
                Set::Templates(set) => set.iter().for_each(|template| self.learn_ipfix(template, found)),
                Set::V9Template(template) => self.learn_v9(template, found),
                Set::V9Templates(set) => set.iter().for_each(|template| self.learn_v9(template, found)),
                Set::OptionsTemplate(template) => found.learned.push(template.template_id),
                Set::OptionsTemplates(set) => found.learned.extend(set.iter().map(|t| t.template_id)),
                Set::V9OptionsTemplate(template) => found.learned.push(template.template_id),
                Set::V9OptionsTemplates(set) => found.learned.extend(set.iter().map(|t| t.template_id)),
                Set::Data(data) => {
                    let template = set.header.header_id;
                    let records = self.records_of(template, body);
                    if records == Some(data.fields.len()) {
                        self.ipfix_records(&data.fields, &clock, found);
                    } else {
                        let filled = self.with_empty_fields_filled(template, body, bytes);
                        let data = filled.filter(|data| Some(data.fields.len()) == records);
                        self.ipfix_records(&data.ok_or_else(|| undecoded(at))?.fields, &clock, found);
                    }
                }
                Set::OptionsData(data) => {
                    for record in &data.fields {
                        found.options += 1;
                        let fields = ipfix_fields(record, &clock);
                        self.sampling = fields.sampling().or(self.sampling);
                        self.boot_ms = fields.boot_ms().or(self.boot_ms);
                    }
                    clock.boot = boot(self.boot_ms);
                }
                Set::V9Data(data) => self.v9_records(&data.fields, &clock, found),
                Set::V9OptionsData(options) => {
                    let records = options.fields.iter().map(|record| &record.options_fields);
                    self.v9_options(records, &clock, found);
                }
                Set::NoTemplate(set) => found.without_template.push(set.clone()),
                Set::Empty => {}
            }
            at += usize::from(set.header.length);
        }
        // The crate ends at a set that it cannot read, without a word.
        if at != usize::from(message.header.length) {
            return Err(ByteProblem::Export(format!("its set at byte {at} is damaged")));
        }
        Ok(sent_us)
    }

    fn ipfix_records(&self, records: &[IpfixFlowRecord], clock: &Clock, found: &mut Found) {
        for record in records {
            found.add(ipfix_fields(record, clock), clock, self.sampling);
        }
    }

    /// A set anew, with a byte of 0 in variable fields that are empty: RFC 7011 allows them, and the crate ends a set
    /// at the first one. None of the fields that are read is of variable length.
    fn with_empty_fields_filled(&mut self, template: u16, body: &[u8], message: &[u8]) -> Option<Data> {
        let widths = self.widths.get(&template)?;
        let mut filled = message.get(..IPFIX_HEADER_BYTES)?.to_vec();
        filled.extend(template.to_be_bytes());
        filled.extend([0; 2]);
        scan(body, widths, |field, is_empty| filled.extend(if is_empty { &[1, 0][..] } else { field }));
        let length = u16::try_from(filled.len()).ok()?;
        filled[2..4].copy_from_slice(&length.to_be_bytes());
        let set_bytes = length - IPFIX_HEADER_BYTES as u16;
        filled[IPFIX_HEADER_BYTES + 2..IPFIX_HEADER_BYTES + 4].copy_from_slice(&set_bytes.to_be_bytes());
        let packet = self.parser.parse_bytes(&filled).packets.pop()?;
        let NetflowPacket::IPFix(mut message) = packet else { return None };
        match message.flowsets.pop()?.body {
            Set::Data(data) => Some(data),
            _ => None,
        }
    }

    /// The exporter's clock by a header of NetFlow. Seconds of NetFlow v9 are cut, so that its messages disagree on when
    /// the exporter started by up to one; the first start is kept while it is as near, or flows would seem to begin
    /// before or after their answers by which message told of them.
    fn clock(&mut self, seconds: u32, nanoseconds: u32, uptime_ms: u32) -> (Clock, i64) {
        let sent_ms = i64::from(seconds) * 1000 + i64::from(nanoseconds / 1_000_000);
        let earliest = sent_ms - i64::from(uptime_ms);
        let near_ms = if nanoseconds == 0 { 1000 } else { 1 };
        let known = self.boot_ms.filter(|boot_ms| boot_ms.abs_diff(earliest) <= near_ms);
        let boot_ms = known.unwrap_or(earliest);
        self.boot_ms = Some(boot_ms);
        let boot = Some(Boot { at_us: boot_ms * 1000, uptime_ms });
        (Clock { export_us: sent_ms * 1000, boot }, sent_ms * 1000)
    }
}

fn v9_fields(record: &V9FlowRecord, clock: &Clock) -> Fields {
    let mut fields = Fields::default();
    record.iter().for_each(|(field, value)| fields.take(u16::from(*field), Way::Forward, value, clock));
    fields
}

fn ipfix_fields(record: &IpfixFlowRecord, clock: &Clock) -> Fields {
    let mut fields = Fields::default();
    record.iter().for_each(|(field, value)| fields.take_ipfix(*field, value, clock));
    fields
}

fn undecoded(at: usize) -> ByteProblem {
    ByteProblem::Export(format!("records of its set at byte {at} do not fit their template"))
}

/// Goes over whole records by the lengths of their fields and returns how many there are. `each` gets every field with
/// the length that may stand before it, and whether it is of variable length and empty.
fn scan(body: &[u8], widths: &[u16], mut each: impl FnMut(&[u8], bool)) -> usize {
    let (mut rest, mut records) = (body, 0);
    loop {
        let Some(length) = record_length(rest, widths, |_, _| {}).filter(|length| *length > 0) else {
            return records;
        };
        record_length(rest, widths, &mut each);
        rest = &rest[length..];
        records += 1;
    }
}

/// Length of the record that bytes begin with, if they hold all of it.
fn record_length(bytes: &[u8], widths: &[u16], mut each: impl FnMut(&[u8], bool)) -> Option<usize> {
    let mut at = 0;
    for width in widths {
        let rest = bytes.get(at..)?;
        let (before, length) = match (*width, rest) {
            (u16::MAX, [255, high, low, ..]) => (3, u16::from_be_bytes([*high, *low])),
            (u16::MAX, [255, ..] | []) => return None,
            (u16::MAX, [length, ..]) => (1, u16::from(*length)),
            (length, _) => (0, length),
        };
        let end = before + usize::from(length);
        each(rest.get(..end)?, before > 0 && length == 0);
        at += end;
    }
    Some(at)
}
