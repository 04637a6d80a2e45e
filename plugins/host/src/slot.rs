//! One plugin in one place: its instance, or none, and the state from which a new one goes on.

use crate::contract::v0_1::{detector, voting};
use crate::fault::Fault;
use crate::instance::Room;
use crate::limits::{Limits, Quota};
use crate::plugin::{Entry, Plugin};
use crate::setup::Setup;

/// How long instances live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// An instance stays; the host keeps its state beside it, in case it fails. Fast, and about 30 to 45 KiB each.
    #[default]
    Live,
    /// Every call gets a fresh instance, which is given the state: nothing can be hidden, and only states take memory.
    Hermetic,
}

/// The bindings of a kind of plugin, as far as slots need them.
pub(crate) trait Calls: Sized + Send {
    fn open(entry: &Entry, store: &mut wasmtime::Store<Quota>) -> wasmtime::Result<Self>;
    fn init(&self, store: &mut wasmtime::Store<Quota>, setup: &Setup)
    -> wasmtime::Result<Result<(), String>>;
    fn save(&self, store: &mut wasmtime::Store<Quota>) -> wasmtime::Result<Result<Vec<u8>, String>>;
    fn load(&self, store: &mut wasmtime::Store<Quota>, state: &[u8]) -> wasmtime::Result<Result<(), String>>;
}

impl Calls for detector::DetectorPlugin {
    fn open(entry: &Entry, store: &mut wasmtime::Store<Quota>) -> wasmtime::Result<Self> {
        match entry {
            Entry::Detector(pre) => pre.instantiate(store),
            Entry::Voting(_) => unreachable!("the kind was checked when the slot was made"),
        }
    }

    fn init(
        &self,
        store: &mut wasmtime::Store<Quota>,
        setup: &Setup,
    ) -> wasmtime::Result<Result<(), String>> {
        self.phalanx_plugin_detector().call_init(store, &setup.for_detector(), &setup.columns, setup.seed)
    }

    fn save(&self, store: &mut wasmtime::Store<Quota>) -> wasmtime::Result<Result<Vec<u8>, String>> {
        self.phalanx_plugin_detector().call_save(store)
    }

    fn load(&self, store: &mut wasmtime::Store<Quota>, state: &[u8]) -> wasmtime::Result<Result<(), String>> {
        self.phalanx_plugin_detector().call_load(store, state)
    }
}

impl Calls for voting::VotingPlugin {
    fn open(entry: &Entry, store: &mut wasmtime::Store<Quota>) -> wasmtime::Result<Self> {
        match entry {
            Entry::Voting(pre) => pre.instantiate(store),
            Entry::Detector(_) => unreachable!("the kind was checked when the slot was made"),
        }
    }

    fn init(
        &self,
        store: &mut wasmtime::Store<Quota>,
        setup: &Setup,
    ) -> wasmtime::Result<Result<(), String>> {
        self.phalanx_plugin_voting().call_init(store, &setup.for_voting(), setup.seed)
    }

    fn save(&self, store: &mut wasmtime::Store<Quota>) -> wasmtime::Result<Result<Vec<u8>, String>> {
        self.phalanx_plugin_voting().call_save(store)
    }

    fn load(&self, store: &mut wasmtime::Store<Quota>, state: &[u8]) -> wasmtime::Result<Result<(), String>> {
        self.phalanx_plugin_voting().call_load(store, state)
    }
}

/// A plugin with its setup and state.
pub(crate) struct Slot<C> {
    plugin: Plugin,
    setup: Setup,
    isolation: Isolation,
    guest: Option<Box<(Room, C)>>,
    state: Option<Box<[u8]>>,
    fuel_used: u64,
}

impl<C: Calls> Slot<C> {
    pub(crate) fn new(plugin: Plugin, setup: Setup, isolation: Isolation) -> Self {
        Self { plugin, setup, isolation, guest: None, state: None, fuel_used: 0 }
    }

    /// What the plugin has learned, as it saved it; `None` if it has learned nothing.
    pub(crate) fn state(&self) -> Option<&[u8]> {
        self.state.as_deref()
    }

    /// Goes on from a state; the next call finds out whether the plugin takes it.
    pub(crate) fn restore(&mut self, state: Option<Box<[u8]>>) {
        self.guest = None;
        self.state = state;
    }

    /// Fuel that the last call that went well has used.
    pub(crate) fn fuel_used(&self) -> u64 {
        self.fuel_used
    }

    /// Bytes of linear memory of the live instance.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.guest.as_ref().map_or(0, |guest| guest.0.memory_bytes())
    }

    fn limits(&self) -> Limits {
        self.plugin.limits
    }

    /// A call that learns nothing.
    pub(crate) fn ask<T>(
        &mut self,
        name: &'static str,
        items: usize,
        call: impl FnOnce(&mut wasmtime::Store<Quota>, &C) -> wasmtime::Result<Result<T, String>>,
    ) -> Result<T, Fault> {
        let fuel = self.limits().fuel(items);
        let mut guest = self.guest()?;
        let (room, calls) = &mut *guest;
        let answer = room.ask(name, fuel, |store| call(store, calls))?;
        self.fuel_used = fuel - room.fuel_left();
        self.keep(guest);
        Ok(answer)
    }

    /// A call that learns: the state after it is saved. If either fails, the slot is as it was before.
    pub(crate) fn learn(
        &mut self,
        name: &'static str,
        items: usize,
        call: impl FnOnce(&mut wasmtime::Store<Quota>, &C) -> wasmtime::Result<Result<(), String>>,
    ) -> Result<(), Fault> {
        let limits = self.limits();
        let fuel = limits.fuel(items);
        let mut guest = self.guest()?;
        let (room, calls) = &mut *guest;
        room.ask(name, fuel, |store| call(store, calls))?;
        self.fuel_used = fuel - room.fuel_left();
        let state = room.ask("save", limits.start_fuel, |store| calls.save(store))?;
        if state.len() > limits.state_bytes {
            let problem =
                format!("a state of {} bytes: at most {} are kept", state.len(), limits.state_bytes);
            return Err(Fault::answer("save", problem));
        }
        self.state = Some(state.into_boxed_slice());
        self.keep(guest);
        Ok(())
    }

    /// An instance that knows the state. It is gone from the slot, and comes back by [`Self::keep`] if all goes well.
    fn guest(&mut self) -> Result<Box<(Room, C)>, Fault> {
        if let Some(guest) = self.guest.take() {
            return Ok(guest);
        }
        let limits = self.limits();
        let entry = &self.plugin.entry;
        let mut room = Room::new(entry, limits);
        let calls = room.start(|store| C::open(entry, store))?;
        room.ask("init", limits.start_fuel, |store| calls.init(store, &self.setup))?;
        if let Some(state) = &self.state {
            room.ask("load", limits.start_fuel, |store| calls.load(store, state))?;
        }
        Ok(Box::new((room, calls)))
    }

    fn keep(&mut self, guest: Box<(Room, C)>) {
        if self.isolation == Isolation::Live {
            self.guest = Some(guest);
        }
    }
}
