//! The contract of `../wit` as code: one module a version, made by wasmtime's `bindgen!`.

/// Version 0.1 of the package, the only one so far.
pub(crate) mod v0_1 {
    /// World `detector-plugin`.
    pub(crate) mod detector {
        wasmtime::component::bindgen!({ path: "../wit", world: "detector-plugin" });
    }

    /// World `voting-plugin`.
    pub(crate) mod voting {
        wasmtime::component::bindgen!({ path: "../wit", world: "voting-plugin" });
    }
}

/// Package of all interfaces.
pub(crate) const PACKAGE: &str = "phalanx:plugin";
/// Version that this host speaks.
pub(crate) const VERSION: &str = "0.1.0";

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

    /// Name of its interface, without package and version.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Detector => "detector",
            Self::Voting => "voting",
        }
    }

    /// The interface that a plugin of this kind exports: `phalanx:plugin/detector@0.1.0`.
    #[must_use]
    pub fn interface(self) -> String {
        format!("{PACKAGE}/{}@{VERSION}", self.name())
    }
}
