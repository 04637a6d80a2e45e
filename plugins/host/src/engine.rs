//! The compiler and its settings, all of which results could depend on.

use std::fmt;

use crate::cache::CodeCache;
use crate::limits::Limits;

/// What is done about NaN, whose bits differ between processors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NanMode {
    /// Every float operation gives the one canonical NaN. Code that computes with floats is four to six times slower.
    #[default]
    Canonical,
    /// NaN is refused in all inputs and answers. Only a plugin that makes a NaN, and looks at its bits or saves them,
    /// could tell two processors apart; `plugin check` looks for that.
    Reject,
}

/// How code is made. The default is what runs use; the others exist so that `plugin check` can compare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CodeMode {
    /// Optimised, with all instructions of this machine.
    #[default]
    Native,
    /// Optimised, for the oldest machine of this architecture.
    Baseline,
    /// Not optimised.
    Unoptimised,
}

/// Compiles and runs plugins. Cheap to clone; plugins of one engine share its settings.
#[derive(Clone)]
pub struct PluginEngine {
    pub(crate) engine: wasmtime::Engine,
    nan: NanMode,
    code: CodeMode,
    cache: Option<CodeCache>,
}

impl fmt::Debug for PluginEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginEngine")
            .field("nan", &self.nan)
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}

impl PluginEngine {
    /// The engine that runs use.
    #[must_use]
    pub fn new(nan: NanMode) -> Self {
        Self::with_code(nan, CodeMode::Native)
    }

    /// An engine that makes code in another way.
    ///
    /// # Panics
    /// On a processor that the compiler has no code for.
    #[must_use]
    #[expect(clippy::field_reassign_with_default, reason = "wasmtime may add costs")]
    pub fn with_code(nan: NanMode, code: CodeMode) -> Self {
        let mut config = wasmtime::Config::new();
        let mut cost = wasmtime::OperatorCost::default();
        // Growing costs the host much more than an instruction.
        cost.MemoryGrow = 200;
        cost.variable.memory_grow_per_page = 200;
        config
            .consume_fuel(true)
            .operator_cost(cost)
            .cranelift_nan_canonicalization(nan == NanMode::Canonical)
            .relaxed_simd_deterministic(true)
            .wasm_memory64(false)
            .max_wasm_stack(Limits::STACK_BYTES)
            .memory_init_cow(true);
        // Multi-memory stays on: without it, a component with two memories makes wasmtime 48 panic.
        match code {
            CodeMode::Native => {}
            CodeMode::Baseline => {
                let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
                config.target(&target).expect("the host's architecture is a target");
            }
            CodeMode::Unoptimised => {
                config.cranelift_opt_level(wasmtime::OptLevel::None);
            }
        }
        let engine = wasmtime::Engine::new(&config).expect("these settings suit each other");
        Self { engine, nan, code, cache: None }
    }

    /// Takes compiled code from a cache, and puts it there. Results do not depend on it.
    #[must_use]
    pub fn with_cache(self, cache: Option<CodeCache>) -> Self {
        Self { cache, ..self }
    }

    pub(crate) fn cache(&self) -> Option<&CodeCache> {
        self.cache.as_ref()
    }

    pub(crate) fn code(&self) -> CodeMode {
        self.code
    }

    /// What is done about NaN.
    #[must_use]
    pub fn nan(&self) -> NanMode {
        self.nan
    }

    /// Version of wasmtime, and every setting that results could depend on, for manifests.
    #[must_use]
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("wasmtime", WASMTIME.to_owned()),
            ("contract", format!("{}@{}", crate::contract::PACKAGE, crate::contract::VERSION)),
            ("nan", format!("{:?}", self.nan)),
            ("code", format!("{:?}", self.code)),
            ("relaxed_simd", "deterministic".to_owned()),
            ("memory_grow_fuel", "200 and 200 a page".to_owned()),
            ("stack_bytes", Limits::STACK_BYTES.to_string()),
        ]
    }
}

/// The exact version that Cargo.toml asks for; `tests/loading.rs` compares it with Cargo.lock.
pub const WASMTIME: &str = "48.0.8";
