//! Flow records as rows of features, for whoever compares detectors on rows.

use phalanx_core::Feature;

use crate::{FlowEncoder, FlowRecord, LabelClass, Records};

/// Flows as rows of the features of [`FlowEncoder`], which are logarithms already where they are to be. Labels are
/// `Malicious` and `Benign`, the latter also of flows that are neither; a file in which no flow has a label has none.
///
/// ```
/// use phalanx_capture::{FlowRecord, flow_rows};
///
/// let records = flow_rows(&[FlowRecord::default()]);
/// assert_eq!((records.rows(), records.label(0), records.is_benign(0)), (1, None, true));
/// ```
#[must_use]
pub fn flow_rows(flows: &[FlowRecord]) -> Records {
    let mut encoder = FlowEncoder::new();
    let batch = encoder.encode(flows);
    let raw = |feature: &Feature| Feature::raw(&feature.name, feature.unit);
    let mut records = Records {
        numeric: encoder.schema().features().iter().map(raw).collect(),
        numbers: batch.features().to_vec(),
        keys: batch.keys().to_vec(),
        ..Records::default()
    };
    if flows.iter().any(|flow| flow.label.is_some()) {
        for flow in flows {
            let class = if flow.is_attack() { LabelClass::Malicious } else { LabelClass::Benign };
            let code = records.labels.code(format!("{class:?}").as_bytes(), 2);
            records.label_codes.push(code.expect("there are two names"));
            if usize::from(*records.label_codes.last().expect("one was pushed")) == records.benign.len() {
                records.benign.push(!flow.is_attack());
            }
        }
    }
    records
}
