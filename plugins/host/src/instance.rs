//! A store with its quota: the room that one instance lives in, and the one way to call into it.

use std::fmt;

use crate::fault::Fault;
use crate::limits::{Limits, Quota};
use crate::plugin::Entry;

/// The store of one instance.
pub(crate) struct Room {
    store: wasmtime::Store<Quota>,
    start_fuel: u64,
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").finish_non_exhaustive()
    }
}

impl Room {
    pub(crate) fn new(entry: &Entry, limits: Limits) -> Self {
        let engine = match entry {
            Entry::Detector(pre) => pre.engine(),
            Entry::Voting(pre) => pre.engine(),
        };
        let mut store = wasmtime::Store::new(engine, Quota::new(limits));
        store.limiter(|quota| quota);
        Self { store, start_fuel: limits.start_fuel }
    }

    /// Makes the instance. Its start functions run on the fuel of a start.
    pub(crate) fn start<T>(
        &mut self,
        instantiate: impl FnOnce(&mut wasmtime::Store<Quota>) -> wasmtime::Result<T>,
    ) -> Result<T, Fault> {
        let fuel = self.start_fuel;
        self.call("start", fuel, instantiate)
    }

    /// Runs one call on its own fuel.
    pub(crate) fn call<T>(
        &mut self,
        name: &'static str,
        fuel: u64,
        call: impl FnOnce(&mut wasmtime::Store<Quota>) -> wasmtime::Result<T>,
    ) -> Result<T, Fault> {
        self.store.set_fuel(fuel).expect("the engine counts fuel");
        call(&mut self.store).map_err(|error| Fault::of(name, &error, self.store.data(), fuel))
    }

    /// As [`Self::call`], for functions that may answer with an error.
    pub(crate) fn ask<T>(
        &mut self,
        name: &'static str,
        fuel: u64,
        call: impl FnOnce(&mut wasmtime::Store<Quota>) -> wasmtime::Result<Result<T, String>>,
    ) -> Result<T, Fault> {
        self.call(name, fuel, call)?.map_err(|text| Fault::refused(name, text))
    }

    /// Fuel that is left of the last call.
    pub(crate) fn fuel_left(&self) -> u64 {
        self.store.get_fuel().expect("the engine counts fuel")
    }

    /// Bytes of linear memory of the instance.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.store.data().memory_bytes()
    }
}
