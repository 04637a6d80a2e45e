//! Ledgers as people and other programs read them: opening, text and JSON of entries, proofs in files, exports.

mod copy;
pub mod export;
pub mod head_file;
pub mod indicator;
pub mod json;
pub mod proof_file;
pub mod source;
