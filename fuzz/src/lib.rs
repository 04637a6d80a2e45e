//! Fuzz targets over everything that reads what others wrote: captures, maps, ledgers, plugins, proofs, rows, scenarios.
//!
//! *It is* one function a target, from bytes to nothing. Each makes of the bytes what the target takes (that is the
//! generator), runs it, and panics if the answer breaks what the engine promises (that is the oracle). Bad input is
//! not a failure: it has to be refused, and refused alike each time. *It is not* tied to a fuzzer: `fuzz_targets/`
//! is glue for cargo-fuzz, and `tests/seeds.rs` runs the same functions under `cargo test` over the seeds, over
//! mutations of them and over random bytes.
//!
//! ```
//! for (_, target) in phalanx_fuzz::TARGETS {
//!     target(b""); // no input is refused with a panic
//! }
//! ```

mod capture;
mod cursor;
mod flows;
mod forest;
mod ledger;
mod mutate;
mod plugin;
mod replay;
mod scenario;
mod sealed;

pub use capture::{capture_csv, capture_map};
pub use flows::{
    flows_binetflow, flows_eve, flows_netflow, flows_pcap, flows_zeek_json, flows_zeek_tsv, npz,
};
pub use forest::forest;
pub use ledger::{ledger_entry, ledger_proof};
pub use plugin::{answer_is_taken, plugin_answer, plugin_load};
pub use replay::replay;
pub use scenario::{parse_scenario, scenario, within_bounds};
pub use sealed::sealed;

/// A target: panics exactly if the bytes make the engine break a promise.
pub type Target = fn(&[u8]);

/// All targets, by the name of their binary and of their folder of seeds.
pub const TARGETS: [(&str, Target); 16] = [
    ("capture_csv", capture_csv),
    ("capture_map", capture_map),
    ("flows_binetflow", flows_binetflow),
    ("flows_eve", flows_eve),
    ("flows_netflow", flows_netflow),
    ("flows_pcap", flows_pcap),
    ("flows_zeek_json", flows_zeek_json),
    ("flows_zeek_tsv", flows_zeek_tsv),
    ("forest", forest),
    ("ledger_entry", ledger_entry),
    ("ledger_proof", ledger_proof),
    ("npz", npz),
    ("plugin_answer", plugin_answer),
    ("plugin_load", plugin_load),
    ("scenario", scenario),
    ("sealed", sealed),
];
