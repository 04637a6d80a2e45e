//! A campaign as one document: a page that needs nothing beside itself, or Markdown for a comment.

mod chart;
pub mod curves;
pub mod gather;
pub mod html;
pub mod markdown;

/// Figures that documents are about: heading, column, digits.
pub const FIGURES: [(&str, &str, usize); 7] = [
    ("F1", "detection.f1", 3),
    ("ROC-AUC", "detection.roc_auc", 3),
    ("signatures confirmed", "signatures.confirmed", 1),
    ("ticks gained by sharing", "time_to_detect.gain", 2),
    ("trust separation", "trust.separation", 3),
    ("messages", "network.messages", 0),
    ("KiB sent", "network.bytes", 1),
];
