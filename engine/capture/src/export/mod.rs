//! Exports: NetFlow v5, NetFlow v9 and IPFIX, as messages one after the other or as packets to a collector.
//!
//! [`datagram`] finds the messages, [`message`] has them decoded (by the crate `netflow_parser`) and keeps what is
//! known of their exporters, [`element`] knows what fields mean, [`biflow`] puts records together as flows. Memory is
//! bounded by the limits of each; whoever fills all templates that are kept comes to some 200 MB.
//!
//! NetFlow counts bytes of IP packets and nothing of what they carry. Counters of sampled packets are left as they
//! are, and [`Tally::sampled`] says so.

mod biflow;
mod datagram;
mod element;
mod message;

use std::path::{Path, PathBuf};

pub(crate) use datagram::{is_export_capture, looks_like_export};

use crate::{CaptureError, FlowRecord, FlowTimeouts, Tally, Transport};
use biflow::Biflows;
use datagram::Datagrams;
use message::Exporters;

/// A file of exports, read as flows.
pub(crate) struct Export<'a> {
    file: PathBuf,
    datagrams: Datagrams<'a>,
    exporters: Exporters,
    biflows: Biflows,
    ended: bool,
}

impl<'a> Export<'a> {
    pub(crate) fn new(
        transport: Transport<'a>,
        file: &Path,
        timeouts: FlowTimeouts,
        both_ways: bool,
    ) -> Result<Self, CaptureError> {
        Ok(Self {
            file: file.to_owned(),
            datagrams: Datagrams::new(transport, file)?,
            exporters: Exporters::default(),
            biflows: Biflows::new(timeouts, both_ways),
            ended: false,
        })
    }

    pub(crate) fn next(&mut self, tally: &mut Tally) -> Result<Option<FlowRecord>, CaptureError> {
        loop {
            if let Some(flow) = self.biflows.ended() {
                return Ok(Some(flow));
            }
            if self.ended {
                return Ok(None);
            }
            let message = match self.datagrams.next(tally) {
                Ok(Some(message)) => message,
                read => {
                    // What was read up to here is still good, should the caller go on after an error.
                    self.ended = true;
                    self.exporters.finish(tally);
                    self.biflows.finish();
                    match read {
                        Ok(_) => continue,
                        Err(error) => return Err(error),
                    }
                }
            };
            let decoded = self.exporters.decode(&message, tally).map_err(|problem| {
                let file = self.file.clone();
                CaptureError::Byte { file, offset: message.offset, problem }
            })?;
            for record in &decoded.records {
                self.biflows.add(decoded.exporter, decoded.arrived_us, record, tally);
            }
        }
    }
}
