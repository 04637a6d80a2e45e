//! Where a reading stands: the path of the value in hand, and what was seen on the way.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

/// What the type asked for at the value that was reached last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Wanted {
    /// A number, string or boolean; the visitor says which.
    Scalar,
    /// `( field: value, … )`.
    Struct,
    /// `{ "name": value, … }`.
    Map,
    /// One of these names.
    Enum(&'static [&'static str]),
    /// `[ …, … ]`.
    List,
}

/// Why and where reading was stopped on purpose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stopped {
    /// It was not.
    No,
    /// In front of the value.
    Before,
    /// Behind the name of an enum's variant.
    AfterName,
}

/// The path of the value being read, and what was seen so far.
#[derive(Debug)]
pub(super) struct Track {
    path: RefCell<Vec<String>>,
    seen: RefCell<BTreeSet<String>>,
    wanted: Cell<Wanted>,
    stop: Option<String>,
    at_names: bool,
    stopped: Cell<Stopped>,
}

impl Track {
    /// Follows a whole read.
    pub(super) fn new() -> Self {
        Self {
            path: RefCell::default(),
            seen: RefCell::default(),
            wanted: Cell::new(Wanted::Struct),
            stop: None,
            at_names: true,
            stopped: Cell::new(Stopped::No),
        }
    }

    /// Follows a read up to `path`, where it fails.
    pub(super) fn until(path: &str) -> Self {
        Self { stop: Some(path.to_owned()), ..Self::new() }
    }

    /// As [`Self::until`]; if `path` is a variant, up to its content instead of its name.
    pub(super) fn until_value(path: &str) -> Self {
        Self { at_names: false, ..Self::until(path) }
    }

    /// Path of the value being read; after an error, of the value that caused it.
    pub(super) fn path(&self) -> String {
        self.path.borrow().join(".")
    }

    /// What the type asked for at the last value.
    pub(super) fn wanted(&self) -> Wanted {
        self.wanted.get()
    }

    /// Whether the read ended at the path given to [`Self::until`].
    pub(super) fn stopped(&self) -> Stopped {
        self.stopped.get()
    }

    /// Paths of all values that were present.
    pub(super) fn into_seen(self) -> BTreeSet<String> {
        self.seen.into_inner()
    }

    /// Goes down to a part of the value.
    pub(super) fn push(&self, segment: impl Into<String>) {
        self.path.borrow_mut().push(segment.into());
    }

    /// Comes back up. Not after an error, so that the path stays at the place of the error.
    pub(super) fn pop(&self) {
        self.path.borrow_mut().pop();
    }

    /// The type asks for the content of a variant's parentheses.
    pub(super) fn want(&self, wanted: Wanted) {
        self.wanted.set(wanted);
    }

    /// Notes that a value is about to be read, and stops in front of the one asked for.
    pub(super) fn arrive<E: serde::de::Error>(&self, wanted: Wanted) -> Result<(), E> {
        self.wanted.set(wanted);
        self.mark(Stopped::Before)
    }

    /// Notes that the path was seen, and stops if it is the one asked for.
    pub(super) fn mark<E: serde::de::Error>(&self, place: Stopped) -> Result<(), E> {
        let path = self.path();
        if self.stop.as_ref() == Some(&path) && (self.at_names || place == Stopped::Before) {
            self.stopped.set(place);
            return Err(E::custom("stopped"));
        }
        self.seen.borrow_mut().insert(path);
        Ok(())
    }
}
