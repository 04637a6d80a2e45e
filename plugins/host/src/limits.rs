//! What a plugin may use. All limits are deterministic: instructions and bytes, never time.

/// Limits of one plugin. A scenario may change those that depend on what the plugin does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all linear memories of an instance together.
    pub memory_bytes: u64,
    /// Fuel of a call, beside that of its rows. About one unit an instruction.
    pub call_fuel: u64,
    /// Fuel that every row, or ballot, of a call adds.
    pub row_fuel: u64,
    /// Fuel of starting an instance, of `init`, `save` and `load`.
    pub start_fuel: u64,
    /// Bytes that `save` may return.
    pub state_bytes: usize,
}

impl Default for Limits {
    /// Enough for an interpreter (QuickJS and CPython take 57,000 to 73,000 a row of 16 columns; compiled guests 350).
    fn default() -> Self {
        Self {
            memory_bytes: 16 << 20,
            call_fuel: 20_000_000,
            row_fuel: 100_000,
            start_fuel: 200_000_000,
            state_bytes: 1 << 20,
        }
    }
}

impl Limits {
    /// Bytes of a plugin's file.
    pub const FILE_BYTES: usize = 32 << 20;
    /// Bytes of stack that a plugin's calls may nest in. Threads that call plugins need a few times as much.
    pub const STACK_BYTES: usize = 1 << 20;
    /// Live instances of a process: each takes four memory maps of the 65,530 that Linux grants.
    pub const LIVE_INSTANCES: u32 = 4096;
    /// Bytes of an error's text that are shown.
    pub const TEXT_BYTES: usize = 256;

    /// Fuel of a call over `rows` rows.
    #[must_use]
    pub fn fuel(&self, rows: usize) -> u64 {
        self.call_fuel.saturating_add(self.row_fuel.saturating_mul(rows as u64))
    }
}

/// Counts what an instance has, and refuses more. Refusals trap, so that running out of memory has one shape.
#[derive(Debug)]
pub(crate) struct Quota {
    limits: Limits,
    memory_bytes: u64,
    /// Whether anything was refused since this was last reset.
    pub(crate) refused: bool,
}

/// Entries of all tables of an instance. An interpreter compiled to WebAssembly has some thousands.
const TABLE_ELEMENTS: usize = 100_000;

impl Quota {
    /// Bytes of all memories so far.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, memory_bytes: 0, refused: false }
    }
}

impl wasmtime::ResourceLimiter for Quota {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current) as u64;
        let total = self.memory_bytes.saturating_add(more);
        if total > self.limits.memory_bytes || maximum.is_some_and(|most| desired > most) {
            self.refused = true;
            let most = self.limits.memory_bytes;
            wasmtime::bail!("{total} bytes of memory are needed, {most} are allowed");
        }
        self.memory_bytes = total;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if desired > TABLE_ELEMENTS {
            self.refused = true;
            wasmtime::bail!("a table of {desired} entries is needed, {TABLE_ELEMENTS} are allowed");
        }
        Ok(true)
    }

    // Python needs more than 32 core instances.
    fn instances(&self) -> usize {
        256
    }

    fn tables(&self) -> usize {
        64
    }

    fn memories(&self) -> usize {
        8
    }
}
