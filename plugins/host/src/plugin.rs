//! A plugin's file, checked and compiled.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use wasmtime::component::{Component, Linker};

use crate::contract::v0_1::{detector, voting};
use crate::contract::{Kind, PACKAGE, VERSION};
use crate::engine::PluginEngine;
use crate::fault::{Fault, cut};
use crate::inspect::{self, Surface};
use crate::instance::Room;
use crate::limits::{Limits, Quota};

/// A loaded plugin, from which instances are made. Cheap to clone.
#[derive(Clone)]
pub struct Plugin {
    pub(crate) entry: Entry,
    pub(crate) engine: PluginEngine,
    pub(crate) limits: Limits,
    about: Arc<About>,
}

/// What is known of a plugin before it does anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Its name, as it says.
    pub name: String,
    /// Its own version, as it says.
    pub version: String,
    /// How it learns, if it is a detector.
    pub learning: Option<Learning>,
    /// SHA-256 of its file.
    pub sha256: [u8; 32],
    /// Bytes of its file.
    pub bytes: usize,
}

/// How a detector learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learning {
    /// From a window of rows at a time.
    Batch,
    /// From every row as it passes.
    Streaming,
}

/// The way into the component, by kind.
#[derive(Clone)]
pub(crate) enum Entry {
    Detector(detector::DetectorPluginPre<Quota>),
    Voting(voting::VotingPluginPre<Quota>),
}

/// Why a file is not a plugin that this host can run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The file is too large.
    #[error("{bytes} bytes are more than the {} that a plugin may have", Limits::FILE_BYTES)]
    TooLarge {
        /// Size of the file.
        bytes: usize,
    },
    /// The file is not the one that was pinned.
    #[error(
        "its SHA-256 is {actual}, pinned is {expected}: another file, or another build; if that is intended, write the new hash with `runner plugin pin`"
    )]
    Hash {
        /// What was pinned, in hexadecimal.
        expected: String,
        /// What the file has.
        actual: String,
    },
    /// Not WebAssembly at all.
    #[error("not a WebAssembly component: it does not begin with `\\0asm`")]
    NotWasm,
    /// A core module lacks the component around it.
    #[error("this is a core module, not a component; make one of it with `runner plugin pack`")]
    CoreModule,
    /// The bytes are no valid component, or use features that are switched off.
    #[error("not a valid component: {0}")]
    Invalid(String),
    /// Imports cannot be satisfied.
    #[error("it imports {}: a plugin imports nothing, neither WASI nor a clock; see docs/plugins.md", list(.0))]
    Imports(Vec<String>),
    /// It has another contract's exports, or none.
    #[error("it exports neither `{}` nor `{}` but {}", Kind::Detector.interface(), Kind::Voting.interface(), list(.0))]
    NoContract(Vec<String>),
    /// It was made for another version of the contract.
    #[error(
        "it is made for `{found}`, this host speaks {PACKAGE}@{VERSION}; build it against this version's plugins/wit"
    )]
    Version {
        /// The interface that it exports.
        found: String,
    },
    /// A function of the interface is missing or has another type.
    #[error("its `{interface}` is not that of plugins/wit: {problem}")]
    Shape {
        /// The interface.
        interface: String,
        /// What is wrong with it.
        problem: String,
    },
    /// It cannot say what it is.
    #[error("it does not start: {0}")]
    Start(#[from] Fault),
    /// It is of another kind than is needed.
    #[error("it is a {actual} plugin where a {expected} plugin is needed")]
    Kind {
        /// What is needed.
        expected: &'static str,
        /// What it is.
        actual: &'static str,
    },
}

impl LoadError {
    /// Whether the file is not WebAssembly of the right sort at all, rather than a component that breaks the contract.
    #[must_use]
    pub fn is_no_component(&self) -> bool {
        matches!(self, Self::TooLarge { .. } | Self::NotWasm | Self::CoreModule | Self::Invalid(_))
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { format!("`{}`", names.join("`, `")) }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin")
            .field("about", &self.about)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Plugin {
    /// Checks and compiles a plugin. `pinned` is the SHA-256 that its file must have, if it is known.
    ///
    /// # Errors
    /// If the file is not a plugin of this host's contract version.
    pub fn load(
        engine: &PluginEngine,
        bytes: &[u8],
        pinned: Option<[u8; 32]>,
        limits: Limits,
    ) -> Result<Self, LoadError> {
        if bytes.len() > Limits::FILE_BYTES {
            return Err(LoadError::TooLarge { bytes: bytes.len() });
        }
        let sha256: [u8; 32] = Sha256::digest(bytes).into();
        if let Some(pinned) = pinned.filter(|pinned| *pinned != sha256) {
            return Err(LoadError::Hash { expected: hex(&pinned), actual: hex(&sha256) });
        }
        let component = compile(engine, bytes, &sha256)?;
        Self::of(engine, &component, sha256, bytes.len(), limits)
    }

    pub(crate) fn of(
        engine: &PluginEngine,
        component: &Component,
        sha256: [u8; 32],
        bytes: usize,
        limits: Limits,
    ) -> Result<Self, LoadError> {
        let surface = inspect::surface(engine, component);
        let kind = kind_of(&surface)?;
        let shape = |error: &wasmtime::Error| LoadError::Shape {
            interface: kind.interface(),
            problem: cut(error.root_cause().to_string()),
        };
        let pre = Linker::new(&engine.engine).instantiate_pre(component).map_err(|error| shape(&error))?;
        let entry = match kind {
            Kind::Detector => detector::DetectorPluginPre::new(pre).map(Entry::Detector),
            Kind::Voting => voting::VotingPluginPre::new(pre).map(Entry::Voting),
        }
        .map_err(|error| shape(&error))?;
        let (name, version, learning) = describe(&entry, limits)?;
        for (what, text) in [("name", &name), ("version", &version)] {
            if !(1..=64).contains(&text.chars().count()) || text.chars().any(char::is_control) {
                let problem =
                    format!("the {what} must be 1 to 64 characters, none of them a control character");
                return Err(Fault::answer("describe", problem).into());
            }
        }
        let about = Arc::new(About { name, version, learning, sha256, bytes });
        Ok(Self { entry, engine: engine.clone(), limits, about })
    }

    /// What the plugin is.
    #[must_use]
    pub fn about(&self) -> &About {
        &self.about
    }

    /// What the plugin does.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.entry {
            Entry::Detector(_) => Kind::Detector,
            Entry::Voting(_) => Kind::Voting,
        }
    }

    /// The engine that compiled it.
    #[must_use]
    pub fn engine(&self) -> &PluginEngine {
        &self.engine
    }

    /// What its instances may use.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }
}

/// Compiles a component, or finds it compiled; whatever is wrong with the bytes is an error.
pub(crate) fn compile(
    engine: &PluginEngine,
    bytes: &[u8],
    sha256: &[u8; 32],
) -> Result<Component, LoadError> {
    if !bytes.starts_with(b"\0asm") {
        return Err(LoadError::NotWasm);
    }
    if bytes.get(4..8) == Some(&[1, 0, 0, 0]) {
        return Err(LoadError::CoreModule);
    }
    match engine.cache() {
        Some(cache) => cache.get(engine, sha256, || compile_anew(engine, bytes)),
        None => compile_anew(engine, bytes),
    }
}

fn compile_anew(engine: &PluginEngine, bytes: &[u8]) -> Result<Component, LoadError> {
    // The compiler has panicked on strange components before. Nothing of it is used again after that.
    match catch_unwind(AssertUnwindSafe(|| Component::from_binary(&engine.engine, bytes))) {
        Ok(Ok(component)) => Ok(component),
        Ok(Err(error)) => Err(LoadError::Invalid(cut(error.root_cause().to_string()))),
        Err(_) => Err(LoadError::Invalid("the compiler gave up on it".to_owned())),
    }
}

fn kind_of(surface: &Surface) -> Result<Kind, LoadError> {
    if !surface.imports.is_empty() {
        return Err(LoadError::Imports(surface.imports.clone()));
    }
    let ours = |export: &&String| export.starts_with(&format!("{PACKAGE}/"));
    let Some(export) = surface.exports.iter().find(ours) else {
        return Err(LoadError::NoContract(surface.exports.clone()));
    };
    // wasmtime finds interfaces of compatible versions: 0.1.4 where 0.1.0 is asked for.
    let compatible = |kind: &Kind| {
        let prefix = format!("{PACKAGE}/{}@", kind.name());
        export.strip_prefix(&prefix).is_some_and(|version| version.starts_with("0.1."))
    };
    Kind::ALL.into_iter().find(compatible).ok_or_else(|| LoadError::Version { found: export.clone() })
}

/// What the plugin says of itself.
fn describe(entry: &Entry, limits: Limits) -> Result<(String, String, Option<Learning>), Fault> {
    let mut room = Room::new(entry, limits);
    match entry {
        Entry::Detector(pre) => {
            let guest = room.start(|store| pre.instantiate(store))?;
            let calls = guest.phalanx_plugin_detector();
            let info = room.call("describe", limits.start_fuel, |store| calls.call_describe(store))?;
            let learning = match info.learning {
                detector::exports::phalanx::plugin::detector::Learning::Batch => Learning::Batch,
                detector::exports::phalanx::plugin::detector::Learning::Streaming => Learning::Streaming,
            };
            Ok((info.name, info.version, Some(learning)))
        }
        Entry::Voting(pre) => {
            let guest = room.start(|store| pre.instantiate(store))?;
            let calls = guest.phalanx_plugin_voting();
            let info = room.call("describe", limits.start_fuel, |store| calls.call_describe(store))?;
            Ok((info.name, info.version, None))
        }
    }
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
