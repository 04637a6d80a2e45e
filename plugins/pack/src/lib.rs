//! Makes a plugin (a component) of a core WebAssembly module, whatever language it was compiled from.
//!
//! *It is* a wrapper in the text format around the module, and the encoder of crate `wat`. *It is not* a component
//! toolchain: it knows the interfaces of `plugins/wit` and nothing else, so that authors need no `wit-component`, no
//! `wasm-tools` and no network.
//!
//! The module exports `memory`, `cabi_realloc` and the interface's functions, each as `score` or by the long name that
//! wit-bindgen gives it (`phalanx:plugin/detector@0.1.0#score`), with the signatures of the canonical ABI; and perhaps,
//! for each, `cabi_post_score`, which is called once the result has been read. It imports nothing.
//!
//! ```
//! use phalanx_plugin_pack::{Kind, pack};
//!
//! let error = pack(b"\0asm\x01\0\0\0").unwrap_err();
//! assert!(error.to_string().contains("exports no `memory`"));
//! # let _ = Kind::Detector;
//! ```

mod core_module;
mod wrapper;

use core_module::Names;

/// Version of the contract that plugins are packed for.
pub const CONTRACT_VERSION: &str = "0.1.0";

/// What a plugin does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Scores rows.
    Detector,
    /// Decides by ballots.
    Voting,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::Detector, Self::Voting];

    /// Name of the interface that it exports.
    #[must_use]
    pub fn interface(self) -> String {
        let name = match self {
            Self::Detector => "detector",
            Self::Voting => "voting",
        };
        format!("phalanx:plugin/{name}@{CONTRACT_VERSION}")
    }

    /// Functions of the interface.
    pub fn functions(self) -> impl Iterator<Item = &'static str> {
        wrapper::functions(self)
    }
}

/// Why a module cannot be made a plugin.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// Neither a module nor text.
    #[error("not a WebAssembly module: the first bytes are not `\\0asm`")]
    NotWasm,
    /// A component needs no packing.
    #[error("this is a component already; use it as it is")]
    AlreadyComponent,
    /// The file ends early or a length in it is wrong.
    #[error("the module is cut short or damaged; build it again")]
    Cut,
    /// Imports cannot be satisfied.
    #[error("the module imports `{0}`: a plugin imports nothing, neither WASI nor helpers of its language")]
    Import(String),
    /// An export is missing.
    #[error("the module exports no `{name}`; it has: {}", if known.is_empty() { "nothing".to_owned() } else { known.join(", ") })]
    Missing {
        /// What is missing.
        name: String,
        /// What is there.
        known: Vec<String>,
    },
    /// The text format or the encoder refuses it, as for functions of other signatures.
    #[error("the module cannot be wrapped: {0}")]
    Encoding(String),
}

/// Packs a module in the binary format; its kind follows from its exports.
///
/// # Errors
/// If it is no module, imports something, or lacks an export.
pub fn pack(module: &[u8]) -> Result<Vec<u8>, PackError> {
    let names = Names::of(module)?;
    if let Some(import) = names.imports.first() {
        return Err(PackError::Import(import.clone()));
    }
    wrap(kind(&names), module, &names)
}

/// Packs a core module in the text format: `(module …)`.
///
/// # Errors
/// As [`pack`], and if the text is wrong.
pub fn pack_text(module: &str) -> Result<Vec<u8>, PackError> {
    pack(&wat::parse_str(module).map_err(|error| PackError::Encoding(error.to_string()))?)
}

/// Encodes any component from text; for guests that are no plugins.
///
/// # Errors
/// If the text is wrong.
pub fn component(text: &str) -> Result<Vec<u8>, PackError> {
    wat::parse_str(text).map_err(|error| PackError::Encoding(error.to_string()))
}

fn kind(names: &Names) -> Kind {
    let count =
        |kind: &Kind| kind.functions().filter(|function| exported(names, *kind, function).is_some()).count();
    Kind::ALL.into_iter().max_by_key(count).expect("there is a kind")
}

/// What the module calls a function of the interface.
fn exported(names: &Names, kind: Kind, function: &str) -> Option<String> {
    let long = format!("{}#{function}", kind.interface());
    [long, function.to_owned()].into_iter().find(|name| names.exports.contains(name))
}

fn wrap(kind: Kind, module: &[u8], names: &Names) -> Result<Vec<u8>, PackError> {
    let missing = |name: &str| PackError::Missing { name: name.to_owned(), known: names.exports.clone() };
    for name in ["memory", "cabi_realloc"] {
        names.exports.iter().find(|export| *export == name).ok_or_else(|| missing(name))?;
    }
    for function in kind.functions() {
        exported(names, kind, function).ok_or_else(|| missing(function))?;
    }
    let core_name = |function: &str| exported(names, kind, function).expect("it was found above");
    let after = |function: &str| {
        Some(format!("cabi_post_{}", core_name(function))).filter(|name| names.exports.contains(name))
    };
    let text = wrapper::component(kind, core_name, after);
    let wrapper = wat::parse_str(text).map_err(|error| PackError::Encoding(error.to_string()))?;
    Ok(wrapper::filled(&wrapper, module))
}
